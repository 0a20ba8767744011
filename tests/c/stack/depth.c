/* The tests of tests/c, linked so that each call of the library goes through a wrapper (wraps.awk makes them): the stack
 * below it is painted, and afterwards looked at. At the end: a line for each function, `stack FUNCTION BYTES`, 0 for
 * one that was not called. Panics are left out, for the library as it ships has nothing that provokes them. */
#include "depth.h"

#include <stdio.h>
#include <stdlib.h>

#include "../scene.h"

/* What may be measured, and how much directly below the wrapper is not looked at: the frames that paint and look are there.
 * A call that goes beyond the paint is seen by its lowest bytes. */
enum { PAINTED = 96 << 10, SPARED = 512 };
#define PAINT UINT64_C(0x5aa5c33c96699669)

static size_t deepest[DEPTH_MOST_FUNCTIONS];

/* The first painted word below a frame, and the place where paint ends. */
static volatile uint64_t *lowest(const void *frame)
{
    return (volatile uint64_t *)(((uintptr_t)frame & ~(uintptr_t)7) - PAINTED);
}

static size_t words(void)
{
    return (PAINTED - SPARED) / 8;
}

__attribute__((noinline)) void depth_paint(const void *frame)
{
    volatile uint64_t *word = lowest(frame);
    size_t at;
    for (at = words(); at > 0; at--) word[at - 1] = PAINT;
}

__attribute__((noinline)) void depth_book(const void *frame, size_t function)
{
    volatile uint64_t *word = lowest(frame);
    size_t at = 0, depth;
    while (at < words() && word[at] == PAINT) at++;
    depth = PAINTED - at * 8;
    /* Threads call at once. */
    size_t known = __atomic_load_n(&deepest[function], __ATOMIC_RELAXED);
    while (depth > known &&
           !__atomic_compare_exchange_n(&deepest[function], &known, depth, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void open_many(underpass_slot *slots, size_t count, scene *scene, side *others)
{
    size_t at;
    for (at = 0; at < count; at++) slots[at] = packet_slot(1, (uint8_t)(2 + at % 3), 64 + at, (uint8_t)at);
    for (at = 0; at < 2; at++) {
        underpass_peer_change change;
        others[at] = side_of((uint8_t)(3 + at));
        change = side_change(&others[at]);
        OK(underpass_tunnel_configure_peers(scene->left.tunnel, scene->now, &change, 1, NULL));
    }
}

/* A full batch in which peers with and without a session take turns, by one call and by three. */
TEST(full_batches_of_mixed_peers)
{
    enum { SLOTS = UNDERPASS_MAX_BATCH };
    static underpass_slot slots[SLOTS];
    static underpass_job jobs[SLOTS];
    side others[2];
    scene scene;
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    open_many(slots, SLOTS, &scene, others);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, slots, SLOTS));
    for (at = 0; at < SLOTS; at++) {
        EQ(slots[at].verdict, at % 3 == 0 ? UNDERPASS_VERDICT_SEND : UNDERPASS_VERDICT_STAGED);
        slots[at].path = path_of(1);
    }
    CHECK(underpass_tunnel_begin_datagrams(scene.right.tunnel, scene.now, slots, jobs, SLOTS) == UNDERPASS_OK);
    OK(underpass_jobs_crypt(slots, jobs, SLOTS));
    OK(underpass_tunnel_finish_datagrams(scene.right.tunnel, scene.now, slots, jobs, SLOTS));
    EQ(slots[0].verdict, UNDERPASS_VERDICT_DELIVER);
    free_slots(slots, SLOTS);
    scene_close(&scene);
}

/* Many peers, and a text with a mistake in every line. */
TEST(long_configurations)
{
    enum { PEERS = 200, LINE = 160 };
    char *text = exactly(PEERS * LINE + LINE), *end = text, key[45];
    underpass_config *config;
    underpass_tunnel *tunnel;
    int at;
    end += sprintf(end, "[Interface]\nPrivateKey = %s\nMTU = 1420\n", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
    for (at = 0; at < PEERS; at++) {
        side peer = side_of((uint8_t)(at + 3));
        OK(underpass_key_to_base64(peer.public_key, key, sizeof key));
        end += sprintf(end, "[Peer]\nPublicKey = %s\nAllowedIPs = 10.%d.0.0/16, fd00:%x::/32\nEndpoint = [2001:db8::%x]:51820\n", key, at + 3, at + 3, at + 3);
    }
    OK(underpass_config_parse(text, (size_t)(end - text), &config));
    OK(underpass_tunnel_new_from_config(config, NULL, BEGIN, WALL, &tunnel));
    OK(underpass_tunnel_apply_config(tunnel, BEGIN, config));
    OK(underpass_tunnel_free(tunnel));
    OK(underpass_config_free(config));
    for (end = text, at = 0; at < PEERS * 4; at++) end += sprintf(end, "Nonsense%d = [::1\n", at);
    OK(underpass_config_parse(text, (size_t)(end - text), &config));
    OK(underpass_config_free(config));
    free(text);
}

/* Uses some bytes of stack, the lowest of them too. */
__attribute__((noinline)) static void use_stack(void)
{
    volatile uint8_t used[20000];
    used[0] = 1;
    used[sizeof used - 1] = used[0];
}

/* The measure itself: what a function is known to need is found, and what it does not need is not. */
TEST(the_paint_shows_what_is_used)
{
    enum { NOBODY = DEPTH_MOST_FUNCTIONS - 1 };
    const void *frame = __builtin_frame_address(0);
    depth_paint(frame);
    depth_book(frame, NOBODY);
    EQ(deepest[NOBODY], SPARED);
    depth_paint(frame);
    use_stack();
    depth_book(frame, NOBODY);
    CHECK(deepest[NOBODY] >= 20000 && deepest[NOBODY] < 21000);
}

/* They stand where main.c looks for tests that need a library with failures built in. */
const check_test poison_tests[] = {
    ENTRY(the_paint_shows_what_is_used),
    ENTRY(full_batches_of_mixed_peers),
    ENTRY(long_configurations),
    LAST_ENTRY,
};
const check_test statuses_tests[] = { LAST_ENTRY };

static void print_depths(void)
{
    size_t at;
    for (at = 0; depth_names[at] != NULL; at++) printf("stack\t%s\t%lu\n", depth_names[at], (unsigned long)deepest[at]);
}

__attribute__((constructor)) static void begin(void)
{
    atexit(print_depths);
}
