// The header in C++11: what it declares links by the names of C, and its constants are constants.
#include <cstdlib>

#include "scene.h"

static_assert(UNDERPASS_VERSION >> 8 == (UNDERPASS_VERSION_MAJOR << 16 | UNDERPASS_VERSION_MINOR << 8 | UNDERPASS_VERSION_PATCH),
              "the version is a constant expression");
static_assert(sizeof(underpass_job) % sizeof(uint64_t) == 0, "a job is made of words");

static void the_library_speaks_to_cxx11()
{
    EQ(underpass_version(), UNDERPASS_VERSION);
    scene both;
    scene_open(&both);
    scene_shake(&both);
    std::size_t len;
    uint8_t *datagram = sealed(&both.left, both.now, 2, 100, 0, &len);
    EQ(hand_over(&both.right, both.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    std::free(datagram);
    scene_close(&both);
}

static const check_test tests[] = { ENTRY(the_library_speaks_to_cxx11), LAST_ENTRY };
static const check_test *const tables[] = { tests, nullptr };

int main(int argc, char **argv)
{
    return check_all(tables, argc, argv);
}
