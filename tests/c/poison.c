/* One call at a time, and what is left after a panic. The entries that fail on purpose are in no header: the library has
 * them when it is built with the feature `provoke`. */
#include "scene.h"

#include <pthread.h>
#include <stdlib.h>

extern int32_t underpass_provoke_panic(underpass_tunnel *tunnel);
extern int32_t underpass_provoke_busy(underpass_tunnel *tunnel, void (*call)(void *), void *user);

enum { CALLS = 34 };

/* Every function that takes a tunnel, but underpass_tunnel_free(), with good arguments; what it answers goes to `answers`.
 * Returns whether anything was written. */
static int call_all(const scene *scene, underpass_tunnel *tunnel, int32_t answers[CALLS])
{
    struct {
        underpass_uapi_result result;
        underpass_transmit transmit;
        underpass_event event;
        underpass_peer_info info;
        underpass_stats stats;
        uint8_t buffer[TRANSMIT_BUFFER], floor[12], key[32];
        underpass_ip ips[4];
        uint64_t counts[UNDERPASS_DROP_REASONS], peers[4], deadline, peer;
        size_t len;
        uint32_t mtu;
        uint16_t port;
        char host[32], text[1024];
    } out, before;
    underpass_peer_change change = side_change(&scene->right);
    underpass_slot slot = packet_slot(1, 2, 100, 0), slot_before = slot;
    underpass_address address = address_of(2);
    underpass_path path = path_of(2);
    underpass_config *config;
    underpass_job job;
    uint64_t now = scene->now, peer = scene->left.peer;
    size_t at = 0;
    int written;
    OK(underpass_config_parse(NULL, 0, &config));
    memset(&job, 0, sizeof job);
    stain(&out, sizeof out);
    out.result.size = sizeof out.result;
    out.transmit.size = sizeof out.transmit;
    out.event.size = sizeof out.event;
    out.info.size = sizeof out.info;
    out.stats.size = sizeof out.stats;
    slot.path = slot_before.path = path;
    memcpy(&before, &out, sizeof out);
    answers[at++] = underpass_tunnel_configure_peers(tunnel, now, &change, 1, NULL);
    answers[at++] = underpass_tunnel_remove_all_peers(tunnel, now);
    answers[at++] = underpass_tunnel_set_private_key(tunnel, now, NULL);
    answers[at++] = underpass_tunnel_set_mtu(tunnel, now, 1400);
    answers[at++] = underpass_tunnel_apply_config(tunnel, now, config);
    answers[at++] = underpass_tunnel_uapi_set(tunnel, now, "", 0, &out.result);
    answers[at++] = underpass_tunnel_uapi_get(tunnel, 0, 0, out.text, sizeof out.text, &out.len);
    answers[at++] = underpass_tunnel_handle_packets(tunnel, now, &slot, 1);
    answers[at++] = underpass_tunnel_handle_datagrams(tunnel, now, &slot, 1);
    answers[at++] = underpass_tunnel_begin_packets(tunnel, now, &slot, &job, 1);
    answers[at++] = underpass_tunnel_begin_datagrams(tunnel, now, &slot, &job, 1);
    answers[at++] = underpass_tunnel_finish_packets(tunnel, now, &slot, &job, 1);
    answers[at++] = underpass_tunnel_finish_datagrams(tunnel, now, &slot, &job, 1);
    answers[at++] = underpass_tunnel_handle_timeout(tunnel, now);
    answers[at++] = underpass_tunnel_handle_network_change(tunnel, now);
    answers[at++] = underpass_tunnel_handle_wall_clock(tunnel, now, WALL);
    answers[at++] = underpass_tunnel_poll_transmit(tunnel, now, out.buffer, sizeof out.buffer, &out.transmit);
    answers[at++] = underpass_tunnel_poll_event(tunnel, &out.event);
    answers[at++] = underpass_tunnel_poll_timeout(tunnel, &out.deadline);
    answers[at++] = underpass_tunnel_set_endpoint(tunnel, now, peer, &address);
    answers[at++] = underpass_tunnel_connect(tunnel, now, peer);
    answers[at++] = underpass_tunnel_handle_send_error(tunnel, peer, &path, 0, UNDERPASS_SEND_ERROR_NO_SOURCE);
    answers[at++] = underpass_tunnel_reset_peer_timestamp(tunnel, peer);
    answers[at++] = underpass_tunnel_timestamp_floor(tunnel, out.floor);
    answers[at++] = underpass_tunnel_peer_by_key(tunnel, scene->right.public_key, &out.peer);
    answers[at++] = underpass_tunnel_peers(tunnel, out.peers, 4, &out.len);
    answers[at++] = underpass_tunnel_peer(tunnel, now, peer, &out.info);
    answers[at++] = underpass_tunnel_peer_allowed_ips(tunnel, peer, out.ips, 4, &out.len);
    answers[at++] = underpass_tunnel_peer_endpoint_name(tunnel, peer, out.host, sizeof out.host, &out.len, &out.port);
    answers[at++] = underpass_tunnel_peer_drops(tunnel, peer, out.counts, COUNT(out.counts), &out.len);
    answers[at++] = underpass_tunnel_stats(tunnel, &out.stats);
    answers[at++] = underpass_tunnel_drops(tunnel, out.counts, COUNT(out.counts), &out.len);
    answers[at++] = underpass_tunnel_public_key(tunnel, out.key);
    answers[at++] = underpass_tunnel_mtu(tunnel, &out.mtu);
    written = memcmp(&out, &before, sizeof out) != 0 || memcmp(&slot, &slot_before, sizeof slot) != 0;
    free(slot.buf);
    underpass_config_free(config);
    return at == CALLS ? written : 1;
}

/* What is tried while another call is inside. */
typedef struct attempt {
    const scene *scene;
    int32_t answers[CALLS];
    int32_t free_answer;
    int written;
} attempt;

static void try_all(void *user)
{
    attempt *own = (attempt *)user;
    own->written = call_all(own->scene, own->scene->left.tunnel, own->answers);
    own->free_answer = underpass_tunnel_free(own->scene->left.tunnel);
}

static void *try_all_in_thread(void *user)
{
    try_all(user);
    return NULL;
}

static void try_all_from_another_thread(void *user)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, try_all_in_thread, user) == 0) pthread_join(thread, NULL);
}

TEST(a_second_call_finds_the_handle_busy)
{
    static void (*const ways[])(void *) = { try_all, try_all_from_another_thread };
    scene scene;
    attempt attempt;
    size_t way, at, len;
    uint8_t *datagram;
    scene_open(&scene);
    scene_shake(&scene);
    for (way = 0; way < COUNT(ways); way++) {
        memset(&attempt, 0, sizeof attempt);
        attempt.scene = &scene;
        OK(underpass_provoke_busy(scene.left.tunnel, ways[way], &attempt));
        for (at = 0; at < CALLS; at++) STATUS(UNDERPASS_E_BUSY, attempt.answers[at]);
        STATUS(UNDERPASS_E_BUSY, attempt.free_answer);
        CHECK(!attempt.written);
    }
    /* The tunnel is as it was. */
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    scene_close(&scene);
}

TEST(a_panic_ends_in_a_status_and_poisons_the_handle)
{
    scene scene;
    int32_t answers[CALLS];
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    STATUS(UNDERPASS_E_PANIC, underpass_provoke_panic(scene.left.tunnel));
    CHECK(!call_all(&scene, scene.left.tunnel, answers));
    for (at = 0; at < CALLS; at++) STATUS(UNDERPASS_E_POISONED, answers[at]);
    STATUS(UNDERPASS_E_POISONED, underpass_provoke_panic(scene.left.tunnel));
    /* Nobody else is harmed, and it can be freed. */
    EQ(deadline_of(&scene.right) > 0, 1);
    scene_close(&scene);
}

TEST(a_panic_without_a_handle_harms_nobody)
{
    scene scene;
    STATUS(UNDERPASS_E_PANIC, underpass_provoke_panic(NULL));
    scene_open(&scene);
    scene_shake(&scene);
    scene_close(&scene);
}

/* Handles are apart: one thread each, no lock between them. */
static void *shake_in_thread(void *user)
{
    scene *own = (scene *)user;
    int turn;
    for (turn = 0; turn < 20; turn++) {
        own->now += 200 * SECOND;
        if (underpass_tunnel_connect(own->left.tunnel, own->now, own->left.peer) != UNDERPASS_OK) return NULL;
        if (underpass_tunnel_handle_timeout(own->left.tunnel, own->now) != UNDERPASS_OK) return NULL;
        drain_datagrams(&own->left, own->now);
    }
    return own;
}

TEST(two_tunnels_run_on_two_threads)
{
    scene first, second;
    pthread_t threads[2];
    void *outcomes[2];
    scene_open(&first);
    scene_open(&second);
    EQ(pthread_create(&threads[0], NULL, shake_in_thread, &first), 0);
    EQ(pthread_create(&threads[1], NULL, shake_in_thread, &second), 0);
    EQ(pthread_join(threads[0], &outcomes[0]), 0);
    EQ(pthread_join(threads[1], &outcomes[1]), 0);
    CHECK(outcomes[0] == &first && outcomes[1] == &second);
    scene_close(&first);
    scene_close(&second);
}

const check_test poison_tests[] = {
    ENTRY(a_second_call_finds_the_handle_busy),
    ENTRY(a_panic_ends_in_a_status_and_poisons_the_handle),
    ENTRY(a_panic_without_a_handle_harms_nobody),
    ENTRY(two_tunnels_run_on_two_threads),
    LAST_ENTRY,
};
