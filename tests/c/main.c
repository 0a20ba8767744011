/* All tests but those in C++, in the order in which they run. The last one asks whether every status was seen. */
#include "check.h"

extern const check_test words_tests[];
extern const check_test keys_tests[];
extern const check_test config_tests[];
extern const check_test sockaddr_tests[];
extern const check_test sizes_tests[];
extern const check_test peers_tests[];
extern const check_test uapi_tests[];
extern const check_test data_tests[];
extern const check_test batch_tests[];
extern const check_test steps_tests[];
extern const check_test events_tests[];
extern const check_test contract_tests[];
extern const check_test clocks_tests[];
extern const check_test figures_tests[];
extern const check_test nulls_tests[];
extern const check_test misuse_tests[];
extern const check_test life_tests[];
extern const check_test poison_tests[];
extern const check_test chance_tests[];
extern const check_test fork_tests[];
extern const check_test statuses_tests[];

static const check_test *const tables[] = {
    words_tests,
    keys_tests,
    config_tests,
    sockaddr_tests,
    sizes_tests,
    peers_tests,
    uapi_tests,
    data_tests,
    batch_tests,
    steps_tests,
    events_tests,
    contract_tests,
    clocks_tests,
    figures_tests,
    nulls_tests,
    misuse_tests,
    life_tests,
    poison_tests,
    chance_tests,
    fork_tests,
    statuses_tests,
    NULL,
};

int main(int argc, char **argv)
{
    return check_all(tables, argc, argv);
}
