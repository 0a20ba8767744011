/* Batches: one call for many slots, each with its own verdict. */
#include "scene.h"

#include <stdlib.h>

TEST(a_batch_is_sealed_and_opened_in_order)
{
    enum { SLOTS = UNDERPASS_MAX_BATCH };
    static underpass_slot slots[SLOTS];
    scene scene;
    uint8_t packet[1420];
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    for (at = 0; at < SLOTS; at++) slots[at] = packet_slot(1, 2, 20 + at * 5, (uint8_t)at);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, slots, SLOTS));
    for (at = 0; at < SLOTS; at++) {
        EQ(slots[at].verdict, UNDERPASS_VERDICT_SEND);
        /* The counter, in the order of the batch. */
        EQ(slot_bytes(&slots[at])[8], (at + slots[0].buf[8]) & 0xff);
        slots[at].path = path_of(1);
    }
    OK(underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now, slots, SLOTS));
    for (at = 0; at < SLOTS; at++) {
        EQ(slots[at].verdict, UNDERPASS_VERDICT_DELIVER);
        EQ(slots[at].peer, scene.right.peer);
        EQ(slots[at].len, 20 + at * 5);
        write_packet(packet, 1, 2, slots[at].len, (uint8_t)at);
        SAME(slot_bytes(&slots[at]), packet, slots[at].len);
    }
    free_slots(slots, SLOTS);
    scene_close(&scene);
}

TEST(each_packet_has_its_own_verdict)
{
    scene scene;
    side third = side_of(3);
    underpass_peer_change change = side_change(&third);
    underpass_slot slots[6];
    static const int32_t verdicts[6] = {
        UNDERPASS_VERDICT_SEND,    UNDERPASS_VERDICT_STAGED,  UNDERPASS_VERDICT_BOUNCE,
        UNDERPASS_VERDICT_DROPPED, UNDERPASS_VERDICT_DROPPED, UNDERPASS_VERDICT_SEND,
    };
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
    slots[0] = packet_slot(1, 2, 100, 0);
    slots[1] = packet_slot(1, 3, 100, 0);
    slots[2] = packet_slot(1, 9, 100, 0);
    slots[3] = packet_slot(1, 2, 100, 0);
    slots[3].len = 10;
    slots[4] = packet_slot(1, 2, 100, 0);
    slots[4].cap -= UNDERPASS_TAILROOM;
    slots[5] = packet_slot(1, 2, 100, 0);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, slots, COUNT(slots)));
    for (at = 0; at < COUNT(slots); at++) EQ(slots[at].verdict, verdicts[at]);
    EQ(slots[2].reason, UNDERPASS_DROP_NO_ROUTE);
    EQ(slots[3].reason, UNDERPASS_DROP_MALFORMED_PACKET);
    EQ(slots[4].reason, UNDERPASS_DROP_NO_ROOM);
    free_slots(slots, COUNT(slots));
    scene_close(&scene);
}

TEST(each_datagram_has_its_own_verdict)
{
    scene scene;
    underpass_slot slots[5];
    uint8_t *data, *initiation;
    size_t len, initiation_len;
    static const int32_t verdicts[5] = {
        UNDERPASS_VERDICT_DELIVER,  UNDERPASS_VERDICT_DROPPED, UNDERPASS_VERDICT_DROPPED,
        UNDERPASS_VERDICT_CONSUMED, UNDERPASS_VERDICT_DROPPED,
    };
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    data = sealed(&scene.left, scene.now, 2, 300, 0, &len);
    scene_pass(&scene, scene.now + 200 * SECOND, 1);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    initiation = next_datagram(&scene.left, scene.now, &initiation_len);
    CHECK(initiation != NULL);
    free(data);
    /* A fresh session for the data: the old one has expired. */
    EQ(hand_over(&scene.right, scene.now, initiation, initiation_len, 1), UNDERPASS_VERDICT_CONSUMED);
    scene_exchange(&scene);
    data = sealed(&scene.left, scene.now, 2, 300, 0, &len);
    slots[0] = datagram_slot(data, len, 1);
    slots[1] = datagram_slot(data, len, 1); /* a replay within the batch */
    slots[2] = datagram_slot(initiation, initiation_len, 1);
    free(initiation);
    scene.now += 10 * SECOND;
    OK(underpass_tunnel_connect(scene.right.tunnel, scene.now, scene.right.peer));
    OK(underpass_tunnel_handle_timeout(scene.right.tunnel, scene.now));
    slots[3] = datagram_slot(data, len, 1);
    slots[4] = datagram_slot(data, 31, 1);
    free(data);
    free(slots[3].buf);
    {
        /* A keepalive: the left side was asked for one by data that it did not answer. */
        uint8_t *keepalive, *answer = sealed(&scene.right, scene.now, 1, 60, 0, &len);
        EQ(hand_over(&scene.left, scene.now, answer, len, 2), UNDERPASS_VERDICT_DELIVER);
        free(answer);
        OK(underpass_tunnel_handle_timeout(scene.left.tunnel, scene.now + 10 * SECOND));
        keepalive = next_datagram(&scene.left, scene.now + 10 * SECOND, &len);
        CHECK(keepalive != NULL);
        EQ(len, 32);
        slots[3] = datagram_slot(keepalive, len, 1);
        free(keepalive);
    }
    OK(underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now + 10 * SECOND, slots, COUNT(slots)));
    for (at = 0; at < COUNT(slots); at++) EQ(slots[at].verdict, verdicts[at]);
    EQ(slots[1].reason, UNDERPASS_DROP_REPLAY);
    EQ(slots[2].reason, UNDERPASS_DROP_OLD_TIMESTAMP);
    EQ(slots[4].reason, UNDERPASS_DROP_MALFORMED);
    free_slots(slots, COUNT(slots));
    scene_close(&scene);
}

TEST(empty_batches_do_nothing)
{
    scene scene;
    uint64_t before;
    scene_open(&scene);
    before = deadline_of(&scene.left);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, NULL, 0));
    OK(underpass_tunnel_handle_datagrams(scene.left.tunnel, scene.now, NULL, 0));
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, NULL, NULL, 0));
    OK(underpass_tunnel_begin_datagrams(scene.left.tunnel, scene.now, NULL, NULL, 0));
    OK(underpass_jobs_crypt(NULL, NULL, 0));
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, NULL, NULL, 0));
    OK(underpass_tunnel_finish_datagrams(scene.left.tunnel, scene.now, NULL, NULL, 0));
    OK(underpass_jobs_discard(NULL, 0));
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, NULL, 0, NULL));
    EQ(deadline_of(&scene.left), before);
    scene_close(&scene);
}

/* One arena for all slots, as a host has it: neighbours touch and do not overlap, in any order. */
TEST(neighbours_in_one_arena_may_touch)
{
    enum { SLOTS = 8, STRIDE = UNDERPASS_HEADROOM + 100 + UNDERPASS_TAILROOM };
    scene scene;
    underpass_slot slots[SLOTS];
    uint8_t *arena = exactly(SLOTS * STRIDE), packet[100];
    int order;
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    for (order = 0; order < 3; order++) {
        for (at = 0; at < SLOTS; at++) {
            size_t place = order == 0 ? at : order == 1 ? SLOTS - 1 - at : at * 3 % SLOTS;
            memset(&slots[at], 0, sizeof slots[at]);
            slots[at].buf = arena + place * STRIDE;
            slots[at].cap = STRIDE;
            slots[at].start = UNDERPASS_HEADROOM;
            slots[at].len = 100;
            write_packet(slots[at].buf + UNDERPASS_HEADROOM, 1, 2, 100, (uint8_t)at);
        }
        OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, slots, SLOTS));
        for (at = 0; at < SLOTS; at++) {
            EQ(slots[at].verdict, UNDERPASS_VERDICT_SEND);
            slots[at].path = path_of(1);
        }
        OK(underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now, slots, SLOTS));
        for (at = 0; at < SLOTS; at++) {
            EQ(slots[at].verdict, UNDERPASS_VERDICT_DELIVER);
            write_packet(packet, 1, 2, 100, (uint8_t)at);
            SAME(slot_bytes(&slots[at]), packet, 100);
        }
    }
    free(arena);
    scene_close(&scene);
}

const check_test batch_tests[] = {
    ENTRY(a_batch_is_sealed_and_opened_in_order),
    ENTRY(each_packet_has_its_own_verdict),
    ENTRY(each_datagram_has_its_own_verdict),
    ENTRY(empty_batches_do_nothing),
    ENTRY(neighbours_in_one_arena_may_touch),
    LAST_ENTRY,
};
