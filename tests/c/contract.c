/* What a host may ask of a running tunnel beside its data plane: room, limits, refusal, failed sends, numbers of its own. */
#include "scene.h"

#include <stdlib.h>

static underpass_layout layout_of(const side *side)
{
    underpass_layout layout;
    layout.size = sizeof layout;
    OK(underpass_tunnel_layout(side->tunnel, &layout));
    return layout;
}

static size_t datagram_len(const side *side, size_t packet)
{
    size_t len = 0;
    OK(underpass_tunnel_datagram_len(side->tunnel, packet, &len));
    return len;
}

static underpass_peer_info info_of(const scene *scene, const side *side)
{
    underpass_peer_info info;
    info.size = sizeof info;
    OK(underpass_tunnel_peer(side->tunnel, scene->now, side->peer, &info));
    return info;
}

TEST(room_is_told_and_follows_mtu_and_padding)
{
    scene scene;
    underpass_layout layout;
    underpass_event event;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    layout = layout_of(&scene.left);
    EQ(layout.mtu, 1420);
    EQ(layout.headroom, UNDERPASS_HEADROOM);
    EQ(layout.transmit_buffer, TRANSMIT_BUFFER);
    EQ(datagram_len(&scene.left, 60), 64 + 32);
    len = 7;
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_datagram_len(scene.left.tunnel, 65536, &len));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_datagram_len(scene.left.tunnel, SIZE_MAX, &len));
    EQ(len, 7);
    scene_shake(&scene);
    drain_events(&scene.left);
    OK(underpass_tunnel_set_padding(scene.left.tunnel, scene.now, 256));
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_LAYOUT_CHANGED, &event));
    EQ(datagram_len(&scene.left, 60), 256 + 32);
    CHECK(layout_of(&scene.left).tailroom >= 255 + 16);
    /* A buffer made for less has no room. */
    {
        underpass_slot slot = packet_slot(1, 2, 60, 1);
        OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
        EQ(slot.verdict, UNDERPASS_VERDICT_DROPPED);
        EQ(slot.reason, UNDERPASS_DROP_NO_ROOM);
        free_slots(&slot, 1);
    }
    OK(underpass_tunnel_set_padding(scene.left.tunnel, scene.now, UNDERPASS_PADDING_MTU));
    EQ(datagram_len(&scene.left, 1), 1420 + 32);
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_set_padding(scene.left.tunnel, scene.now, 100));
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_set_padding(scene.left.tunnel, scene.now, 65536));
    EQ(datagram_len(&scene.left, 1), 1420 + 32);
    OK(underpass_tunnel_set_padding(scene.left.tunnel, scene.now, 0));
    datagram = sealed(&scene.left, scene.now, 2, 60, 1, &len);
    EQ(len, 64 + 32);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    scene_close(&scene);
}

TEST(options_may_ask_for_padding)
{
    scene scene;
    underpass_options options;
    OK(underpass_options_init(&options, sizeof options));
    options.padding = 512;
    scene_open_with(&scene, &options);
    EQ(datagram_len(&scene.right, 60), 512 + 32);
    scene_close(&scene);
}

TEST(numbers_of_the_hosts_own_come_back)
{
    static int mine;
    scene scene;
    underpass_peer_change change;
    underpass_peer_id peers[2] = { 9, 9 };
    underpass_peer_change changes[2];
    underpass_event event;
    underpass_transmit transmit;
    underpass_slot slot;
    uint8_t buf[TRANSMIT_BUFFER];
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    OK(underpass_peer_change_init(&change, sizeof change));
    memcpy(change.public_key, scene.right.public_key, 32);
    change.flags = UNDERPASS_PEER_HAS_USER;
    change.user = (uintptr_t)&mine;
    changes[0] = changes[1] = change;
    memset(changes[1].public_key, 3, 32);
    changes[1].action = UNDERPASS_PEER_REMOVE;
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, changes, 2, peers));
    EQ(peers[0], scene.left.peer);
    EQ(peers[1], 0);
    EQ(info_of(&scene, &scene.left).user, (uintptr_t)&mine);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    transmit.size = sizeof transmit;
    OK(underpass_tunnel_poll_transmit(scene.left.tunnel, scene.now, buf, sizeof buf, &transmit));
    EQ(transmit.user, (uintptr_t)&mine);
    EQ(hand_over(&scene.right, scene.now, buf, transmit.len, 1), UNDERPASS_VERDICT_CONSUMED);
    scene_exchange(&scene);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_SESSION_ESTABLISHED, &event));
    EQ(event.user, (uintptr_t)&mine);
    slot = packet_slot(1, 2, 60, 1);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.user, (uintptr_t)&mine);
    free_slots(&slot, 1);
    datagram = sealed(&scene.right, scene.now, 1, 60, 1, &len);
    slot = datagram_slot(datagram, len, 2);
    OK(underpass_tunnel_handle_datagrams(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DELIVER);
    EQ(slot.user, (uintptr_t)&mine);
    free_slots(&slot, 1);
    free(datagram);
    scene_close(&scene);
}

TEST(a_tunnel_hands_back_what_the_host_calls_it)
{
    static int mine;
    scene scene;
    underpass_options options;
    underpass_event event;
    uint64_t user = 7;
    OK(underpass_options_init(&options, sizeof options));
    EQ(options.user, 0);
    options.user = (uintptr_t)&mine;
    scene_open_with(&scene, &options);
    OK(underpass_tunnel_user(scene.right.tunnel, &user));
    EQ(user, (uintptr_t)&mine);
    scene_shake(&scene);
    CHECK(next_event(&scene.right, UNDERPASS_EVENT_SESSION_ESTABLISHED, &event));
    EQ(event.tunnel_user, (uintptr_t)&mine);
    EQ(event.user, 0);
    OK(underpass_tunnel_user(scene.left.tunnel, &user));
    EQ(user, 0);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_SESSION_ESTABLISHED, &event));
    EQ(event.tunnel_user, 0);
    scene_close(&scene);
}

/* A host with two tunnels that mixes up their peers. */
TEST(the_number_of_a_peer_is_none_in_another_tunnel)
{
    scene scene;
    scene_open(&scene);
    CHECK(scene.left.peer != scene.right.peer);
    STATUS(UNDERPASS_E_NO_PEER, underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.right.peer));
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    scene_close(&scene);
}

TEST(failed_sends_are_counted_apart)
{
    scene scene;
    underpass_path path = path_of(2);
    underpass_stats stats;
    underpass_peer_info info;
    scene_open(&scene);
    scene_shake(&scene);
    info = info_of(&scene, &scene.left);
    CHECK((info.flags & UNDERPASS_INFO_SEND_ERROR) == 0);
    CHECK((info.flags & UNDERPASS_INFO_HEARD) != 0);
    EQ(info.last_heard, scene.now);
    OK(underpass_tunnel_handle_send_error(scene.left.tunnel, scene.left.peer, &path, 96, UNDERPASS_SEND_ERROR_DENIED));
    info = info_of(&scene, &scene.left);
    CHECK((info.flags & UNDERPASS_INFO_SEND_ERROR) != 0);
    EQ(info.last_send_error, UNDERPASS_SEND_ERROR_DENIED);
    EQ(info.send_errors, 1);
    stats.size = sizeof stats;
    OK(underpass_tunnel_stats(scene.left.tunnel, &stats));
    EQ(stats.send_errors, 1);
    STATUS(UNDERPASS_E_ARGUMENT, underpass_tunnel_handle_send_error(scene.left.tunnel, scene.left.peer, &path, 96,
                                                                     UNDERPASS_SEND_ERROR_OTHER + 1));
    TEXT(underpass_health_name(UNDERPASS_HEALTH_IDLE), "idle");
    TEXT(underpass_health_name(99), "unknown");
    scene_close(&scene);
}

TEST(a_peer_can_be_logged_out_and_kept_out)
{
    scene scene;
    scene_open(&scene);
    scene_shake(&scene);
    OK(underpass_tunnel_end_sessions(scene.left.tunnel, scene.now, scene.left.peer));
    {
        underpass_slot slot = packet_slot(1, 2, 60, 1);
        OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
        EQ(slot.verdict, UNDERPASS_VERDICT_STAGED);
        free_slots(&slot, 1);
    }
    OK(underpass_tunnel_set_refused(scene.left.tunnel, scene.now, scene.left.peer, 1));
    CHECK((info_of(&scene, &scene.left).flags & UNDERPASS_INFO_REFUSED) != 0);
    {
        underpass_slot slot = packet_slot(1, 2, 60, 1);
        OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
        EQ(slot.verdict, UNDERPASS_VERDICT_DROPPED);
        EQ(slot.reason, UNDERPASS_DROP_REFUSED);
        free_slots(&slot, 1);
    }
    OK(underpass_tunnel_set_refused(scene.left.tunnel, scene.now, scene.left.peer, 0));
    scene.now += 10 * SECOND;
    scene_shake(&scene);
    STATUS(UNDERPASS_E_NO_PEER, underpass_tunnel_end_sessions(scene.left.tunnel, scene.now, 1));
    STATUS(UNDERPASS_E_NO_PEER, underpass_tunnel_set_refused(scene.left.tunnel, scene.now, 1, 1));
    scene_close(&scene);
}

TEST(limits_move_while_the_tunnel_lives)
{
    scene scene;
    underpass_options options;
    underpass_stats stats;
    int at;
    scene_open(&scene);
    for (at = 0; at < 5; at++) {
        underpass_slot slot = packet_slot(1, 2, 60, (uint8_t)at);
        OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
        free_slots(&slot, 1);
    }
    OK(underpass_options_init(&options, sizeof options));
    options.staged_packets_per_peer = 2;
    OK(underpass_tunnel_set_limits(scene.left.tunnel, scene.now, &options));
    stats.size = sizeof stats;
    OK(underpass_tunnel_stats(scene.left.tunnel, &stats));
    EQ(stats.staged_packets, 2);
    options.staged_packets_per_peer = 70000;
    STATUS(UNDERPASS_E_LIMIT, underpass_tunnel_set_limits(scene.left.tunnel, scene.now, &options));
    scene_close(&scene);
}

/* A gateway restarts; somebody replays an initiation from before. */
TEST(what_was_saved_of_a_peer_keeps_old_initiations_out)
{
    scene scene;
    underpass_peer_info info;
    underpass_options options;
    underpass_peer_change change;
    uint8_t *initiation;
    size_t len;
    int is_saved;
    scene_open(&scene);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    initiation = next_datagram(&scene.left, scene.now, &len);
    EQ(hand_over(&scene.right, scene.now, initiation, len, 1), UNDERPASS_VERDICT_CONSUMED);
    info = info_of(&scene, &scene.right);
    options = side_options(&scene.right);
    for (is_saved = 0; is_saved < 2; is_saved++) {
        OK(underpass_tunnel_free(scene.right.tunnel));
        OK(underpass_tunnel_new(&options, scene.now, WALL, &scene.right.tunnel));
        change = side_change(&scene.left);
        if (is_saved) {
            change.flags |= UNDERPASS_PEER_HAS_TIMESTAMP_FLOOR;
            memcpy(change.timestamp_floor, info.timestamp_floor, sizeof info.timestamp_floor);
        }
        OK(underpass_tunnel_configure_peers(scene.right.tunnel, scene.now, &change, 1, NULL));
        EQ(hand_over(&scene.right, scene.now, initiation, len, 1),
           is_saved ? UNDERPASS_VERDICT_DROPPED : UNDERPASS_VERDICT_CONSUMED);
    }
    EQ(drops_of(&scene.right, UNDERPASS_DROP_OLD_TIMESTAMP), 1);
    free(initiation);
    scene_close(&scene);
}

TEST(datagrams_to_send_come_in_batches)
{
    enum { SLOTS = 4 };
    scene scene;
    side third = side_of(3);
    underpass_peer_change change = side_change(&third);
    underpass_slot slots[SLOTS];
    size_t count = 99, at;
    scene_open(&scene);
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, &third.peer));
    CHECK(third.peer != 0);
    memset(slots, 0, sizeof slots);
    for (at = 0; at < SLOTS; at++) {
        slots[at].buf = exactly(TRANSMIT_BUFFER);
        slots[at].cap = TRANSMIT_BUFFER;
    }
    STATUS(UNDERPASS_NOTHING, underpass_tunnel_poll_transmits(scene.left.tunnel, scene.now, slots, SLOTS, &count));
    EQ(count, 99);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, third.peer));
    slots[3].cap = TRANSMIT_BUFFER - 1;
    STATUS(UNDERPASS_E_BUFFER, underpass_tunnel_poll_transmits(scene.left.tunnel, scene.now, slots, SLOTS, &count));
    slots[3].cap = TRANSMIT_BUFFER;
    OK(underpass_tunnel_poll_transmits(scene.left.tunnel, scene.now, slots, SLOTS, &count));
    EQ(count, 2);
    for (at = 0; at < count; at++) {
        EQ(slots[at].verdict, UNDERPASS_VERDICT_SEND);
        EQ(slots[at].start, 0);
        EQ(slots[at].len, 148);
        EQ(slots[at].buf[0], 1);
    }
    CHECK(slots[0].peer != slots[1].peer);
    for (at = 0; at < SLOTS; at++) free(slots[at].buf);
    scene_close(&scene);
}

const check_test contract_tests[] = {
    ENTRY(room_is_told_and_follows_mtu_and_padding),
    ENTRY(options_may_ask_for_padding),
    ENTRY(numbers_of_the_hosts_own_come_back),
    ENTRY(a_tunnel_hands_back_what_the_host_calls_it),
    ENTRY(the_number_of_a_peer_is_none_in_another_tunnel),
    ENTRY(failed_sends_are_counted_apart),
    ENTRY(a_peer_can_be_logged_out_and_kept_out),
    ENTRY(limits_move_while_the_tunnel_lives),
    ENTRY(what_was_saved_of_a_peer_keeps_old_initiations_out),
    ENTRY(datagrams_to_send_come_in_batches),
    LAST_ENTRY,
};
