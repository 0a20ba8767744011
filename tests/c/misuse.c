/* What a caller must not do and does all the same: slots that share memory, numbers that lie, too much at once. */
#include "scene.h"

#include <stdlib.h>

typedef int32_t (*whole)(underpass_tunnel *, uint64_t, underpass_slot *, size_t);
typedef int32_t (*step)(underpass_tunnel *, uint64_t, underpass_slot *, underpass_job *, size_t);

static const whole wholes[] = { underpass_tunnel_handle_packets, underpass_tunnel_handle_datagrams };
static const step begins[] = { underpass_tunnel_begin_packets, underpass_tunnel_begin_datagrams };

/* Refused by every function that takes slots, with slots, jobs and the memory behind them as they were. */
static void refused(scene *scene, underpass_slot *slots, size_t len, const uint8_t *arena, size_t arena_len,
                    int32_t status)
{
    underpass_slot *before = copy_of(slots, len * sizeof *slots);
    uint8_t *memory = copy_of(arena, arena_len);
    underpass_job *jobs = calloc(len, sizeof *jobs), *empty = calloc(len, sizeof *jobs);
    size_t at;
    CHECK(jobs != NULL && empty != NULL);
    for (at = 0; at < 2; at++) {
        STATUS(status, wholes[at](scene->left.tunnel, scene->now, slots, len));
        STATUS(status, begins[at](scene->left.tunnel, scene->now, slots, jobs, len));
    }
    SAME(slots, before, len * sizeof *slots);
    SAME(arena, memory, arena_len);
    SAME(jobs, empty, len * sizeof *jobs);
    free(before);
    free(memory);
    free(jobs);
    free(empty);
}

enum { STRIDE = UNDERPASS_HEADROOM + 100 + UNDERPASS_TAILROOM };

/* A slot at a place of the arena. */
static underpass_slot placed(uint8_t *arena, size_t place, size_t cap)
{
    underpass_slot slot;
    memset(&slot, 0, sizeof slot);
    slot.buf = arena + place;
    slot.cap = (uint32_t)cap;
    slot.start = UNDERPASS_HEADROOM;
    slot.len = 100;
    return slot;
}

TEST(slots_that_share_memory_are_refused)
{
    enum { ARENA = 4 * STRIDE };
    static const struct {
        size_t places[4];
        size_t caps[4];
    } rows[] = {
        /* One byte, then all, ascending. */
        { { 0, STRIDE - 1, 2 * STRIDE, 3 * STRIDE }, { STRIDE, STRIDE, STRIDE, STRIDE } },
        { { 0, 0, 2 * STRIDE, 3 * STRIDE }, { STRIDE, STRIDE, STRIDE, STRIDE } },
        { { 0, STRIDE, 2 * STRIDE, 3 * STRIDE - 1 }, { STRIDE, STRIDE, STRIDE, STRIDE } },
        /* One within another. */
        { { 0, 5, 3 * STRIDE, 2 * STRIDE }, { 2 * STRIDE, STRIDE, STRIDE, STRIDE } },
        /* Descending. */
        { { 3 * STRIDE, 2 * STRIDE + 1, STRIDE, 0 }, { STRIDE, STRIDE, STRIDE, STRIDE } },
        { { 3 * STRIDE, 2 * STRIDE, STRIDE, 1 }, { STRIDE, STRIDE, STRIDE, STRIDE } },
        /* Apart in pairs, the last on the first; around the end of a ring. */
        { { STRIDE, 3 * STRIDE, 0, STRIDE + 1 }, { STRIDE, STRIDE, STRIDE, STRIDE - 1 } },
        { { 2 * STRIDE, 3 * STRIDE, 0, STRIDE + 1 }, { STRIDE, STRIDE, STRIDE, STRIDE } },
        { { 2 * STRIDE, 0, STRIDE, STRIDE }, { STRIDE, STRIDE, STRIDE, STRIDE } },
    };
    scene scene;
    uint8_t *arena = exactly(ARENA);
    size_t row, at;
    scene_open(&scene);
    scene_shake(&scene);
    for (row = 0; row < COUNT(rows); row++) {
        underpass_slot slots[4];
        for (at = 0; at < 4; at++) slots[at] = placed(arena, rows[row].places[at], rows[row].caps[at]);
        refused(&scene, slots, 4, arena, ARENA, UNDERPASS_E_OVERLAP);
    }
    free(arena);
    scene_close(&scene);
}

TEST(buffers_that_share_memory_with_slots_or_jobs_are_refused)
{
    scene scene;
    underpass_slot slots[4], before[4];
    underpass_job jobs[4], empty[4];
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    memset(slots, 0, sizeof slots);
    memset(jobs, 0, sizeof jobs);
    memset(empty, 0, sizeof empty);
    slots[0] = packet_slot(1, 2, 100, 0);
    slots[1] = placed((uint8_t *)&slots[2], 0, sizeof slots[2]);
    slots[1].len = 1;
    memcpy(before, slots, sizeof slots);
    for (at = 0; at < 2; at++) {
        STATUS(UNDERPASS_E_OVERLAP, wholes[at](scene.left.tunnel, scene.now, slots, 3));
        STATUS(UNDERPASS_E_OVERLAP, begins[at](scene.left.tunnel, scene.now, slots, jobs, 3));
    }
    slots[1] = placed((uint8_t *)&jobs[1], 0, sizeof jobs[1]);
    slots[1].len = 1;
    memcpy(before, slots, sizeof slots);
    for (at = 0; at < 2; at++) {
        STATUS(UNDERPASS_E_OVERLAP, begins[at](scene.left.tunnel, scene.now, slots, jobs, 2));
        STATUS(UNDERPASS_E_OVERLAP, begins[at](scene.left.tunnel, scene.now, slots, (underpass_job *)(void *)slots, 1));
    }
    SAME(slots, before, sizeof slots);
    SAME(jobs, empty, sizeof jobs);
    free(slots[0].buf);
    scene_close(&scene);
}

TEST(numbers_that_lie_are_refused)
{
    static const struct {
        uint32_t cap, start, len;
    } rows[] = {
        { STRIDE, STRIDE, 1 },       { STRIDE, 0, STRIDE + 1 },   { STRIDE, STRIDE + 1, 0 },
        { STRIDE, UINT32_MAX, 0 },   { STRIDE, 0, UINT32_MAX },   { STRIDE, UINT32_MAX, UINT32_MAX },
        { STRIDE, 1, UINT32_MAX },   { 0, 0, 1 },                 { 0, 1, 0 },
    };
    scene scene;
    uint8_t *arena = exactly(2 * STRIDE);
    size_t row;
    scene_open(&scene);
    scene_shake(&scene);
    for (row = 0; row < COUNT(rows); row++) {
        underpass_slot slots[2];
        slots[0] = placed(arena, 0, STRIDE);
        slots[1] = placed(arena, STRIDE, rows[row].cap);
        slots[1].start = rows[row].start;
        slots[1].len = rows[row].len;
        refused(&scene, slots, 2, arena, 2 * STRIDE, UNDERPASS_E_ARGUMENT);
    }
    free(arena);
    scene_close(&scene);
}

TEST(paths_and_ecn_that_do_not_exist_are_refused)
{
    scene scene;
    underpass_slot slot, before;
    uint8_t *datagram;
    size_t len, at;
    scene_open(&scene);
    scene_shake(&scene);
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    for (at = 0; at < 4; at++) {
        slot = datagram_slot(datagram, len, 1);
        if (at == 0) slot.path.remote.family = 5;
        if (at == 1) slot.path.remote.family = UNDERPASS_FAMILY_NONE;
        if (at == 2) slot.path.local.family = 9;
        if (at == 3) slot.ecn = 4;
        before = slot;
        STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now, &slot, 1));
        SAME(&slot, &before, sizeof slot);
        SAME(slot.buf, datagram, len);
        free(slot.buf);
    }
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    scene_close(&scene);
}

TEST(addresses_that_do_not_exist_are_refused)
{
    scene scene;
    underpass_address address = address_of(2);
    underpass_path path = path_of(2);
    scene_open(&scene);
    address.family = UNDERPASS_FAMILY_NONE;
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_set_endpoint(scene.left.tunnel, BEGIN, scene.left.peer, &address));
    address.family = 3;
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_set_endpoint(scene.left.tunnel, BEGIN, scene.left.peer, &address));
    path.remote.family = 200;
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_handle_send_error(scene.left.tunnel, scene.left.peer, &path, 0, UNDERPASS_SEND_ERROR_NO_SOURCE));
    path = path_of(2);
    path.local.family = 200;
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_handle_send_error(scene.left.tunnel, scene.left.peer, &path, 0, UNDERPASS_SEND_ERROR_NO_SOURCE));
    scene_close(&scene);
}

TEST(there_is_an_end_to_batches)
{
    static underpass_slot slots[UNDERPASS_MAX_BATCH + 1];
    static underpass_job jobs[UNDERPASS_MAX_BATCH + 1];
    scene scene;
    size_t at;
    scene_open(&scene);
    memset(slots, 0, sizeof slots);
    for (at = 0; at < 2; at++) {
        STATUS(UNDERPASS_E_BATCH, wholes[at](scene.left.tunnel, BEGIN, slots, COUNT(slots)));
        STATUS(UNDERPASS_E_BATCH, begins[at](scene.left.tunnel, BEGIN, slots, jobs, COUNT(slots)));
    }
    STATUS(UNDERPASS_E_BATCH, underpass_tunnel_finish_packets(scene.left.tunnel, BEGIN, slots, jobs, COUNT(slots)));
    STATUS(UNDERPASS_E_BATCH, underpass_tunnel_finish_datagrams(scene.left.tunnel, BEGIN, slots, jobs, COUNT(slots)));
    STATUS(UNDERPASS_E_BATCH, underpass_jobs_crypt(slots, jobs, COUNT(slots)));
    STATUS(UNDERPASS_E_BATCH, underpass_jobs_discard(jobs, COUNT(slots)));
    STATUS(UNDERPASS_E_BATCH, underpass_tunnel_handle_packets(scene.left.tunnel, BEGIN, slots, SIZE_MAX));
    scene_close(&scene);
}

/* C turns any pointer into any other without a word. */
TEST(a_handle_of_another_kind_is_refused)
{
    scene scene;
    underpass_config *config;
    underpass_tunnel *tunnel;
    uint64_t nothing[64];
    size_t len;
    scene_open(&scene);
    OK(underpass_config_parse(NULL, 0, &config));
    memset(nothing, 0, sizeof nothing);
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_handle_timeout((underpass_tunnel *)(void *)config, BEGIN));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_free((underpass_tunnel *)(void *)config));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_config_free((underpass_config *)(void *)scene.left.tunnel));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_config_write((underpass_config *)(void *)scene.left.tunnel, NULL, 0, &len));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_handle_timeout((underpass_tunnel *)(void *)nothing, BEGIN));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_free((underpass_tunnel *)(void *)nothing));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_config_free((underpass_config *)(void *)nothing));
    REFUSED(UNDERPASS_E_ARGUMENT, tunnel,
            underpass_tunnel_new_from_config((underpass_config *)(void *)nothing, NULL, BEGIN, WALL, &tunnel));
    /* Both are as they were. */
    OK(underpass_config_free(config));
    scene_close(&scene);
}

/* A length that was -1. */
TEST(no_length_is_too_great_to_be_answered)
{
    scene scene;
    underpass_config *config;
    underpass_transmit transmit;
    underpass_uapi_result result;
    underpass_peer_change change;
    uint8_t key[32];
    char text[8] = "text";
    scene_open(&scene);
    REFUSED(UNDERPASS_E_ARGUMENT, config, underpass_config_parse(text, SIZE_MAX, &config));
    REFUSED_STRUCT(UNDERPASS_E_ARGUMENT, result, underpass_tunnel_uapi_set(scene.left.tunnel, BEGIN, text, SIZE_MAX, &result));
    REFUSED(UNDERPASS_E_KEY, key, underpass_key_from_base64(text, SIZE_MAX, key));
    REFUSED(UNDERPASS_E_KEY, key, underpass_key_from_hex(text, SIZE_MAX, key));
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    REFUSED_STRUCT(UNDERPASS_E_ARGUMENT, transmit,
                   underpass_tunnel_poll_transmit(scene.left.tunnel, scene.now, key, SIZE_MAX, &transmit));
    OK(underpass_peer_change_init(&change, sizeof change));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_configure_peers(scene.left.tunnel, BEGIN, &change, SIZE_MAX, NULL));
    STATUS(UNDERPASS_E_BATCH, underpass_jobs_discard(NULL, SIZE_MAX));
    scene_close(&scene);
}

const check_test misuse_tests[] = {
    ENTRY(slots_that_share_memory_are_refused),
    ENTRY(buffers_that_share_memory_with_slots_or_jobs_are_refused),
    ENTRY(numbers_that_lie_are_refused),
    ENTRY(paths_and_ecn_that_do_not_exist_are_refused),
    ENTRY(addresses_that_do_not_exist_are_refused),
    ENTRY(there_is_an_end_to_batches),
    ENTRY(a_handle_of_another_kind_is_refused),
    ENTRY(no_length_is_too_great_to_be_answered),
    LAST_ENTRY,
};
