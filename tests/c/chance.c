/* A system without randomness. The program has a getrandom() of its own, which the library finds in the place of the C
 * library's. */
#define _GNU_SOURCE
#include "scene.h"

#include <errno.h>
#include <stddef.h>
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

/* A source of the host's own: a counter, which only a test may take for randomness. */
typedef struct source {
    uint8_t next;
    unsigned calls;
    int is_dry;
} source;

static int32_t draw(void *data, uint8_t *out, size_t len)
{
    source *own = (source *)data;
    own->calls++;
    if (own->is_dry) return 7;
    while (len-- > 0) *out++ = own->next++;
    return 0;
}

TEST(a_source_of_the_hosts_own_is_asked_and_no_other)
{
    scene scene;
    source source = { 1, 0, 0 };
    underpass_options options;
    underpass_tunnel *tunnel;
    int32_t status;
    OK(underpass_options_init(&options, sizeof options));
    options.entropy = draw;
    options.entropy_data = &source;
    is_out_of_order = 1;
    status = underpass_tunnel_new(&options, BEGIN, WALL, &tunnel);
    is_out_of_order = 0;
    OK(status);
    OK(underpass_tunnel_free(tunnel));
    CHECK(source.calls > 0);
    source.calls = 0;
    scene_open_with(&scene, &options);
    scene_shake(&scene);
    CHECK(source.calls > 2);
    scene_close(&scene);
    source.is_dry = 1;
    stain(&tunnel, sizeof tunnel);
    STATUS(UNDERPASS_E_RANDOM, underpass_tunnel_new(&options, BEGIN, WALL, &tunnel));
    CHECK(is_stained(&tunnel, sizeof tunnel));
}

/* The tunnel lives on, and tries again. */
TEST(randomness_that_runs_out_later_is_an_answer)
{
    scene scene;
    source source = { 1, 0, 0 };
    underpass_options options;
    underpass_transmit transmit;
    uint8_t buf[TRANSMIT_BUFFER];
    OK(underpass_options_init(&options, sizeof options));
    options.entropy = draw;
    options.entropy_data = &source;
    scene_open_with(&scene, &options);
    source.is_dry = 1;
    transmit.size = sizeof transmit;
    OK(underpass_tunnel_connect(scene.right.tunnel, scene.now, scene.right.peer));
    STATUS(UNDERPASS_E_RANDOM, underpass_tunnel_poll_transmit(scene.right.tunnel, scene.now, buf, sizeof buf, &transmit));
    EQ(underpass_tunnel_poll_transmit(scene.right.tunnel, scene.now, buf, sizeof buf, &transmit), UNDERPASS_NOTHING);
    EQ(deadline_of(&scene.right), scene.now + 5 * SECOND);
    source.is_dry = 0;
    scene.now += 5 * SECOND;
    OK(underpass_tunnel_handle_timeout(scene.right.tunnel, scene.now));
    OK(underpass_tunnel_poll_transmit(scene.right.tunnel, scene.now, buf, sizeof buf, &transmit));
    EQ(buf[0], 1);
    scene_close(&scene);
}

/* A program that was compiled with the header before there was a source: its struct ends where that begins. */
TEST(options_of_a_program_without_a_source_are_taken)
{
    underpass_options options, stained;
    underpass_tunnel *tunnel;
    uint32_t before = (uint32_t)offsetof(underpass_options, padding);
    stain(&options, sizeof options);
    stained = options;
    OK(underpass_options_init(&options, before));
    SAME((const uint8_t *)&options + before, (const uint8_t *)&stained + before, sizeof options - before);
    OK(underpass_tunnel_new(&options, BEGIN, WALL, &tunnel));
    OK(underpass_tunnel_free(tunnel));
}

const check_test chance_tests[] = {
    ENTRY(without_randomness_nothing_is_made),
    ENTRY(a_source_of_the_hosts_own_is_asked_and_no_other),
    ENTRY(randomness_that_runs_out_later_is_an_answer),
    ENTRY(options_of_a_program_without_a_source_are_taken),
    LAST_ENTRY,
};
