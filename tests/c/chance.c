/* A system without randomness. The program has a getrandom() of its own, which the library finds in the place of the C
 * library's. */
#define _GNU_SOURCE
#include "scene.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int is_out_of_order;

ssize_t getrandom(void *buffer, size_t len, unsigned flags);

ssize_t getrandom(void *buffer, size_t len, unsigned flags)
{
    if (is_out_of_order) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_getrandom, buffer, len, flags);
}

TEST(without_randomness_nothing_is_made)
{
    underpass_options options;
    underpass_tunnel *tunnel;
    underpass_config *config;
    uint8_t key[32];
    OK(underpass_private_key_generate(key));
    OK(underpass_options_init(&options, sizeof options));
    OK(underpass_config_parse(NULL, 0, &config));
    is_out_of_order = 1;
    stain(key, sizeof key);
    stain(&tunnel, sizeof tunnel);
    /* Checked later: a test that ends here would leave the system out of order. */
    {
        int32_t answers[4];
        size_t at;
        answers[0] = underpass_private_key_generate(key);
        answers[1] = underpass_preshared_key_generate(key);
        answers[2] = underpass_tunnel_new(&options, BEGIN, WALL, &tunnel);
        answers[3] = underpass_tunnel_new_from_config(config, NULL, BEGIN, WALL, &tunnel);
        is_out_of_order = 0;
        for (at = 0; at < COUNT(answers); at++) STATUS(UNDERPASS_E_RANDOM, answers[at]);
    }
    CHECK(is_stained(key, sizeof key));
    CHECK(is_stained(&tunnel, sizeof tunnel));
    OK(underpass_tunnel_new(&options, BEGIN, WALL, &tunnel));
    OK(underpass_tunnel_free(tunnel));
    OK(underpass_config_free(config));
}

const check_test chance_tests[] = { ENTRY(without_randomness_nothing_is_made), LAST_ENTRY };
