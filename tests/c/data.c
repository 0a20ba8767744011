/* The data plane, one packet at a time. */
#include "scene.h"

#include <stdlib.h>

/* The first byte of each message, and the bytes of those that have one length only. */
enum { INITIATION = 1, RESPONSE = 2, COOKIE_REPLY = 3, DATA = 4 };
enum { INITIATION_LEN = 148, RESPONSE_LEN = 92, COOKIE_REPLY_LEN = 64 };

TEST(packets_go_both_ways)
{
    scene scene;
    underpass_transmit transmit;
    uint8_t buffer[TRANSMIT_BUFFER], packet[100], *datagram;
    underpass_slot slot;
    size_t len;
    int turn;
    scene_open(&scene);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    transmit.size = sizeof transmit;
    OK(underpass_tunnel_poll_transmit(scene.left.tunnel, scene.now, buffer, sizeof buffer, &transmit));
    EQ(transmit.len, INITIATION_LEN);
    EQ(buffer[0], INITIATION);
    EQ(transmit.peer, scene.left.peer);
    EQ(transmit.path.remote.family, UNDERPASS_FAMILY_IPV4);
    EQ(transmit.path.remote.port, 51820);
    EQ(transmit.path.remote.ip[3], 2);
    EQ(transmit.path.local.family, UNDERPASS_FAMILY_NONE);
    EQ(transmit.ecn, 0);
    EQ(hand_over(&scene.right, scene.now, buffer, transmit.len, 1), UNDERPASS_VERDICT_CONSUMED);
    datagram = next_datagram(&scene.right, scene.now, &len);
    CHECK(datagram != NULL);
    EQ(len, RESPONSE_LEN);
    EQ(datagram[0], RESPONSE);
    EQ(hand_over(&scene.left, scene.now, datagram, len, 2), UNDERPASS_VERDICT_CONSUMED);
    free(datagram);
    scene_exchange(&scene);
    for (turn = 0; turn < 2; turn++) {
        side *from = turn == 0 ? &scene.left : &scene.right, *to = turn == 0 ? &scene.right : &scene.left;
        datagram = sealed(from, scene.now, to->number, sizeof packet, 7, &len);
        EQ(datagram[0], DATA);
        EQ(len, UNDERPASS_HEADROOM + 112 + 16);
        slot = datagram_slot(datagram, len, from->number);
        OK(underpass_tunnel_handle_datagrams(to->tunnel, scene.now, &slot, 1));
        EQ(slot.verdict, UNDERPASS_VERDICT_DELIVER);
        EQ(slot.peer, to->peer);
        EQ(slot.len, sizeof packet);
        write_packet(packet, from->number, to->number, sizeof packet, 7);
        SAME(slot_bytes(&slot), packet, sizeof packet);
        free(slot.buf);
        free(datagram);
    }
    scene_close(&scene);
}

TEST(what_is_sent_says_where_to)
{
    scene scene;
    underpass_slot slot;
    scene_open(&scene);
    scene_shake(&scene);
    slot = packet_slot(1, 2, 200, 0);
    slot.buf[UNDERPASS_HEADROOM + 1] = 2; /* ECT(0) */
    stain(&slot.path, sizeof slot.path);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
    EQ(slot.start, 0);
    EQ(slot.peer, scene.left.peer);
    EQ(slot.path.remote.family, UNDERPASS_FAMILY_IPV4);
    EQ(slot.path.remote.port, 51820);
    EQ(slot.path.remote.ip[0], 192);
    EQ(slot.path.remote.ip[3], 2);
    EQ(slot.ecn, 2);
    free(slot.buf);
    scene_close(&scene);
}

TEST(congestion_outside_is_marked_inside)
{
    scene scene;
    underpass_slot slot;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    slot = packet_slot(1, 2, 200, 0);
    slot.buf[UNDERPASS_HEADROOM + 1] = 1; /* ECT(1) */
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
    len = slot.len;
    datagram = copy_of(slot_bytes(&slot), len);
    free(slot.buf);
    slot = datagram_slot(datagram, len, 1);
    slot.ecn = 3; /* CE */
    OK(underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DELIVER);
    EQ(slot_bytes(&slot)[1] & 3, 3);
    free(slot.buf);
    free(datagram);
    /* A packet that cannot say so is dropped (RFC 6040 § 4.2). */
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    slot = datagram_slot(datagram, len, 1);
    slot.ecn = 3;
    OK(underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DROPPED);
    EQ(slot.reason, UNDERPASS_DROP_CONGESTION);
    free(slot.buf);
    free(datagram);
    scene_close(&scene);
}

TEST(a_packet_waits_for_its_handshake)
{
    scene scene;
    underpass_slot slot;
    underpass_stats stats;
    uint64_t delivered;
    scene_open(&scene);
    slot = packet_slot(1, 2, 100, 3);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_STAGED);
    free(slot.buf);
    stats.size = sizeof stats;
    OK(underpass_tunnel_stats(scene.left.tunnel, &stats));
    EQ(stats.staged_packets, 1);
    EQ(stats.staged_bytes, 100);
    scene_exchange(&scene);
    OK(underpass_tunnel_stats(scene.right.tunnel, &stats));
    delivered = stats.rx_packets;
    EQ(delivered, 1);
    OK(underpass_tunnel_stats(scene.left.tunnel, &stats));
    EQ(stats.staged_packets, 0);
    scene_close(&scene);
}

/* An ICMP error in the place of the packet, with the reason. */
static void bounces(scene *scene, underpass_slot slot, uint32_t reason, uint8_t type)
{
    const uint8_t *error;
    OK(underpass_tunnel_handle_packets(scene->left.tunnel, scene->now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_BOUNCE);
    EQ(slot.reason, reason);
    error = slot_bytes(&slot);
    CHECK(slot.len >= 28 + 20 + 8);
    EQ(error[0] >> 4, 4);
    EQ(error[9], 1);
    EQ(error[20], type);
    EQ(drops_of(&scene->left, reason), 1);
    free(slot.buf);
}

TEST(what_nobody_wants_is_answered_by_icmp)
{
    enum { UNREACHABLE = 3 };
    scene scene;
    side third = side_of(3);
    underpass_peer_change change = side_change(&third);
    scene_open(&scene);
    scene_shake(&scene);
    bounces(&scene, packet_slot(1, 9, 100, 0), UNDERPASS_DROP_NO_ROUTE, UNREACHABLE);
    bounces(&scene, packet_slot(1, 2, 1421, 0), UNDERPASS_DROP_TOO_BIG, UNREACHABLE);
    change.flags = 0;
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
    bounces(&scene, packet_slot(1, 3, 100, 0), UNDERPASS_DROP_NO_ENDPOINT, UNREACHABLE);
    scene_close(&scene);
}

static void drops_packet(scene *scene, underpass_slot slot, uint32_t reason)
{
    uint64_t before = drops_of(&scene->left, reason);
    OK(underpass_tunnel_handle_packets(scene->left.tunnel, scene->now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DROPPED);
    EQ(slot.reason, reason);
    EQ(drops_of(&scene->left, reason), before + 1);
    free(slot.buf);
}

TEST(what_is_dropped_says_why)
{
    scene scene;
    underpass_slot slot;
    scene_open(&scene);
    scene_shake(&scene);
    slot = packet_slot(1, 2, 100, 0);
    slot.buf[UNDERPASS_HEADROOM] = 0x15;
    drops_packet(&scene, slot, UNDERPASS_DROP_MALFORMED_PACKET);
    slot = packet_slot(1, 2, 100, 0);
    slot.len = 0;
    drops_packet(&scene, slot, UNDERPASS_DROP_MALFORMED_PACKET);
    slot = packet_slot(1, 2, 100, 0);
    slot.len = 99;
    drops_packet(&scene, slot, UNDERPASS_DROP_MALFORMED_PACKET);
    slot = packet_slot(1, 2, 100, 0);
    memmove(slot.buf + UNDERPASS_HEADROOM - 1, slot.buf + UNDERPASS_HEADROOM, 100);
    slot.start--;
    drops_packet(&scene, slot, UNDERPASS_DROP_NO_ROOM);
    /* 100 bytes are padded to 112, and 16 of tag follow. */
    slot = packet_slot(1, 2, 100, 0);
    slot.cap = UNDERPASS_HEADROOM + 112 + 15;
    drops_packet(&scene, slot, UNDERPASS_DROP_NO_ROOM);
    OK(underpass_tunnel_set_private_key(scene.left.tunnel, scene.now, NULL));
    drops_packet(&scene, packet_slot(1, 2, 100, 0), UNDERPASS_DROP_NO_PRIVATE_KEY);
    scene_close(&scene);
}

static void drops_datagram(side *side, uint64_t now, const uint8_t *datagram, size_t len, uint8_t from, uint32_t reason)
{
    underpass_slot slot = datagram_slot(datagram, len, from);
    uint64_t before = drops_of(side, reason);
    OK(underpass_tunnel_handle_datagrams(side->tunnel, now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DROPPED);
    EQ(slot.reason, reason);
    EQ(drops_of(side, reason), before + 1);
    free(slot.buf);
}

TEST(datagrams_are_dropped_with_a_reason)
{
    scene scene;
    uint8_t *datagram, *other, empty = 0;
    size_t len;
    scene_open(&scene);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    datagram = next_datagram(&scene.left, scene.now, &len);
    drops_datagram(&scene.right, scene.now, &empty, 0, 1, UNDERPASS_DROP_MALFORMED);
    drops_datagram(&scene.right, scene.now, datagram, len - 1, 1, UNDERPASS_DROP_MALFORMED);
    datagram[120] ^= 1;
    drops_datagram(&scene.right, scene.now, datagram, len, 1, UNDERPASS_DROP_BAD_MAC);
    datagram[120] ^= 1;
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_CONSUMED);
    scene_exchange(&scene);
    drops_datagram(&scene.right, scene.now + SECOND, datagram, len, 1, UNDERPASS_DROP_OLD_TIMESTAMP);
    free(datagram);
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    other = copy_of(datagram, len);
    other[40] ^= 1;
    drops_datagram(&scene.right, scene.now, other, len, 1, UNDERPASS_DROP_BAD_TAG);
    other[4] ^= 1;
    drops_datagram(&scene.right, scene.now, other, len, 1, UNDERPASS_DROP_UNKNOWN_INDEX);
    free(other);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    drops_datagram(&scene.right, scene.now, datagram, len, 1, UNDERPASS_DROP_REPLAY);
    free(datagram);
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    drops_datagram(&scene.right, scene.now + 181 * SECOND, datagram, len, 1, UNDERPASS_DROP_KEY_EXPIRED);
    free(datagram);
    scene_close(&scene);
}

TEST(strangers_and_borrowed_addresses_are_refused)
{
    scene scene;
    side third = side_of(3);
    underpass_slot slot;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    slot = packet_slot(7, 2, 100, 0);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
    drops_datagram(&scene.right, scene.now, slot_bytes(&slot), slot.len, 1, UNDERPASS_DROP_SOURCE_NOT_ALLOWED);
    free(slot.buf);
    OK(underpass_tunnel_set_private_key(scene.left.tunnel, scene.now, third.private_key));
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    datagram = next_datagram(&scene.left, scene.now, &len);
    drops_datagram(&scene.right, scene.now, datagram, len, 3, UNDERPASS_DROP_UNKNOWN_PEER);
    free(datagram);
    scene_close(&scene);
}

/* Hands over copies of a datagram until one is answered; the answer stays in `slot`. */
static void ask_for_cookie(scene *scene, const uint8_t *datagram, size_t len, underpass_slot *slot)
{
    int turn;
    for (turn = 0; turn < 8; turn++) {
        *slot = datagram_slot(datagram, len, 1);
        OK(underpass_tunnel_handle_datagrams(scene->right.tunnel, scene->now, slot, 1));
        if (slot->verdict == UNDERPASS_VERDICT_REPLY) return;
        free(slot->buf);
    }
    CHECK(!"no cookie reply");
}

/* Under load a datagram is answered in its own memory, and who returns the cookie gets in. */
TEST(under_load_a_cookie_is_asked_for_and_opens_the_door)
{
    scene scene;
    side right = side_of(2);
    underpass_options options = side_options(&right);
    underpass_slot slot;
    underpass_stats stats;
    uint8_t *first, *second;
    size_t len, at;
    options.handshakes_per_second = 1;
    scene_open_with(&scene, &options);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    first = next_datagram(&scene.left, scene.now, &len);
    ask_for_cookie(&scene, first, len, &slot);
    EQ(slot.len, COOKIE_REPLY_LEN);
    EQ(slot_bytes(&slot)[0], COOKIE_REPLY);
    EQ(slot.path.remote.ip[3], 1);
    EQ(slot.ecn, 0);
    EQ(hand_over(&scene.left, scene.now, slot_bytes(&slot), slot.len, 2), UNDERPASS_VERDICT_CONSUMED);
    free(slot.buf);
    /* The next initiation, while the load lasts, proves where it comes from. */
    scene.now += 6 * SECOND;
    OK(underpass_tunnel_handle_timeout(scene.left.tunnel, scene.now));
    second = next_datagram(&scene.left, scene.now, &len);
    CHECK(second != NULL);
    ask_for_cookie(&scene, first, len, &slot);
    free(slot.buf);
    EQ(hand_over(&scene.right, scene.now, second, len, 1), UNDERPASS_VERDICT_CONSUMED);
    /* It may do so a few times; then it is over the rate of its source. */
    for (at = 0; at < 16; at++) hand_over(&scene.right, scene.now, second, len, 1);
    CHECK(drops_of(&scene.right, UNDERPASS_DROP_UNDER_LOAD) > 0);
    free(first);
    free(second);
    stats.size = sizeof stats;
    OK(underpass_tunnel_stats(scene.right.tunnel, &stats));
    EQ(stats.cookie_replies, 2);
    scene_close(&scene);
}

TEST(a_cookie_that_nobody_asked_for_is_dropped)
{
    scene scene, other;
    side right = side_of(2);
    underpass_options options = side_options(&right);
    underpass_slot slot;
    uint8_t *datagram;
    size_t len;
    options.handshakes_per_second = 1;
    scene_open_with(&scene, &options);
    scene_open(&other);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    datagram = next_datagram(&scene.left, scene.now, &len);
    ask_for_cookie(&scene, datagram, len, &slot);
    drops_datagram(&other.left, other.now, slot_bytes(&slot), slot.len, 2, UNDERPASS_DROP_UNEXPECTED_COOKIE);
    free(slot.buf);
    free(datagram);
    scene_close(&scene);
    scene_close(&other);
}

/* Fifty initiations a second, and no more, however authentic. */
TEST(one_peer_cannot_flood)
{
    scene scene;
    uint8_t *datagrams[2];
    size_t len, at;
    scene_open(&scene);
    for (at = 0; at < 2; at++) {
        /* Two lives of the left side, whose timestamps rise. */
        underpass_options options = side_options(&scene.left);
        underpass_peer_change change = side_change(&scene.right);
        OK(underpass_tunnel_free(scene.left.tunnel));
        OK(underpass_tunnel_new(&options, scene.now, WALL + at * SECOND, &scene.left.tunnel));
        OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
        OK(underpass_tunnel_peer_by_key(scene.left.tunnel, scene.right.public_key, &scene.left.peer));
        OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
        datagrams[at] = next_datagram(&scene.left, scene.now, &len);
    }
    EQ(hand_over(&scene.right, scene.now, datagrams[0], len, 1), UNDERPASS_VERDICT_CONSUMED);
    drops_datagram(&scene.right, scene.now, datagrams[1], len, 1, UNDERPASS_DROP_INITIATION_FLOOD);
    EQ(hand_over(&scene.right, scene.now + 20 * MILLISECOND, datagrams[1], len, 1), UNDERPASS_VERDICT_CONSUMED);
    free(datagrams[0]);
    free(datagrams[1]);
    scene_close(&scene);
}

/* Packets with more headroom than is needed, datagrams behind something else. */
TEST(a_packet_may_lie_anywhere_in_its_buffer)
{
    enum { FURTHER = 24 };
    scene scene;
    underpass_slot slot;
    uint8_t buffer[UNDERPASS_HEADROOM + 100 + UNDERPASS_TAILROOM + 2 * FURTHER], packet[100];
    scene_open(&scene);
    scene_shake(&scene);
    memset(&slot, 0, sizeof slot);
    slot.buf = buffer;
    slot.cap = sizeof buffer;
    slot.start = UNDERPASS_HEADROOM + FURTHER;
    slot.len = sizeof packet;
    write_packet(buffer + slot.start, 1, 2, sizeof packet, 5);
    memset(buffer, 0xee, FURTHER);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
    EQ(slot.start, FURTHER);
    EQ(buffer[FURTHER - 1], 0xee);
    slot.path = path_of(1);
    OK(underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DELIVER);
    EQ(slot.start, FURTHER + UNDERPASS_HEADROOM);
    EQ(slot.len, sizeof packet);
    write_packet(packet, 1, 2, sizeof packet, 5);
    SAME(slot_bytes(&slot), packet, sizeof packet);
    scene_close(&scene);
}

TEST(a_packet_of_the_mtu_passes_in_both_families)
{
    scene scene;
    underpass_slot slot;
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    for (at = 0; at < 2; at++) {
        uint8_t packet[1420], *inner;
        slot = packet_slot(1, 2, sizeof packet, 0);
        inner = slot.buf + UNDERPASS_HEADROOM;
        if (at == 1) {
            memset(inner, 0, 40);
            inner[0] = 0x60;
            inner[4] = (1420 - 40) >> 8;
            inner[5] = (1420 - 40) & 0xff;
            inner[6] = 59;
            inner[7] = 64;
            inner[8] = inner[24] = 0xfd;
            inner[11] = 1;
            inner[27] = 2;
        }
        memcpy(packet, inner, sizeof packet);
        OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
        EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
        EQ(slot.len, 1420 + 32);
        slot.path = path_of(1);
        OK(underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now, &slot, 1));
        EQ(slot.verdict, UNDERPASS_VERDICT_DELIVER);
        EQ(slot.len, sizeof packet);
        SAME(slot_bytes(&slot), packet, sizeof packet);
        free(slot.buf);
    }
    scene_close(&scene);
}

const check_test data_tests[] = {
    ENTRY(packets_go_both_ways),
    ENTRY(what_is_sent_says_where_to),
    ENTRY(congestion_outside_is_marked_inside),
    ENTRY(a_packet_waits_for_its_handshake),
    ENTRY(what_nobody_wants_is_answered_by_icmp),
    ENTRY(what_is_dropped_says_why),
    ENTRY(datagrams_are_dropped_with_a_reason),
    ENTRY(strangers_and_borrowed_addresses_are_refused),
    ENTRY(under_load_a_cookie_is_asked_for_and_opens_the_door),
    ENTRY(a_cookie_that_nobody_asked_for_is_dropped),
    ENTRY(one_peer_cannot_flood),
    ENTRY(a_packet_may_lie_anywhere_in_its_buffer),
    ENTRY(a_packet_of_the_mtu_passes_in_both_families),
    LAST_ENTRY,
};
