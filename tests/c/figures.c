/* Counters, of the tunnel and of each peer. */
#include "scene.h"

#include <stdlib.h>

TEST(what_passes_is_counted_on_both_sides)
{
    scene scene;
    underpass_stats stats;
    underpass_peer_info info;
    uint8_t *datagram;
    size_t len;
    uint64_t tx_before, rx_before;
    scene_open(&scene);
    scene_shake(&scene);
    stats.size = sizeof stats;
    info.size = sizeof info;
    OK(underpass_tunnel_stats(scene.left.tunnel, &stats));
    EQ(stats.handshakes, 1);
    EQ(stats.tx_packets, 0);
    EQ(stats.peers, 1);
    EQ(stats.allowed_ips, 2);
    EQ(stats.keypairs, 1);
    EQ(stats.session_indices, 1);
    EQ(stats.handshakes_under_way, 0);
    tx_before = stats.tx_bytes;
    OK(underpass_tunnel_stats(scene.right.tunnel, &stats));
    rx_before = stats.rx_bytes;
    datagram = sealed(&scene.left, scene.now, 2, 1000, 0, &len);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    OK(underpass_tunnel_stats(scene.left.tunnel, &stats));
    EQ(stats.tx_bytes, tx_before + len);
    EQ(stats.tx_packets, 1);
    OK(underpass_tunnel_peer(scene.left.tunnel, scene.now, scene.left.peer, &info));
    EQ(info.tx_bytes, stats.tx_bytes);
    EQ(info.tx_packets, 1);
    EQ(info.rx_packets, 0);
    EQ(info.handshakes, 1);
    CHECK((info.flags & UNDERPASS_INFO_HANDSHAKE) != 0);
    EQ(info.latest_handshake, WALL);
    OK(underpass_tunnel_stats(scene.right.tunnel, &stats));
    EQ(stats.rx_bytes, rx_before + len);
    EQ(stats.rx_packets, 1);
    OK(underpass_tunnel_peer(scene.right.tunnel, scene.now, scene.right.peer, &info));
    EQ(info.rx_bytes, stats.rx_bytes);
    EQ(info.rx_packets, 1);
    scene_close(&scene);
}

TEST(drops_are_counted_by_reason)
{
    scene scene;
    underpass_stats stats;
    underpass_peer_info info;
    underpass_slot slot;
    uint64_t counts[UNDERPASS_DROP_REASONS + 1];
    uint8_t *datagram;
    size_t at, len, cap;
    scene_open(&scene);
    scene_shake(&scene);
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DROPPED);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DROPPED);
    free(datagram);
    slot = packet_slot(2, 9, 100, 0);
    OK(underpass_tunnel_handle_packets(scene.right.tunnel, scene.now, &slot, 1));
    free(slot.buf);
    stain(counts, sizeof counts);
    OK(underpass_tunnel_peer_drops(scene.right.tunnel, scene.right.peer, counts, COUNT(counts), &len));
    EQ(len, UNDERPASS_DROP_REASONS);
    for (at = 0; at < len; at++) EQ(counts[at], at == UNDERPASS_DROP_REPLAY ? 2 : 0);
    stain(counts, sizeof counts);
    OK(underpass_tunnel_drops(scene.right.tunnel, counts, UNDERPASS_DROP_REASONS, &len));
    for (at = 0; at < len; at++) {
        EQ(counts[at], at == UNDERPASS_DROP_REPLAY ? 2 : at == UNDERPASS_DROP_NO_ROUTE ? 1 : 0);
    }
    stats.size = sizeof stats;
    info.size = sizeof info;
    OK(underpass_tunnel_stats(scene.right.tunnel, &stats));
    EQ(stats.drops, 3);
    OK(underpass_tunnel_peer(scene.right.tunnel, scene.now, scene.right.peer, &info));
    EQ(info.drops, 2);
    /* A caller that knows fewer reasons gets those; one without memory their number. */
    for (cap = 1; cap < UNDERPASS_DROP_REASONS; cap++) {
        stain(counts, sizeof counts);
        OK(underpass_tunnel_drops(scene.right.tunnel, counts, cap, &len));
        EQ(len, UNDERPASS_DROP_REASONS);
        EQ(counts[cap - 1], cap - 1 == UNDERPASS_DROP_REPLAY ? 2 : cap - 1 == UNDERPASS_DROP_NO_ROUTE ? 1 : 0);
        CHECK(counts[cap] > UINT32_MAX);
    }
    OK(underpass_tunnel_drops(scene.right.tunnel, NULL, 0, &len));
    EQ(len, UNDERPASS_DROP_REASONS);
    OK(underpass_tunnel_peer_drops(scene.right.tunnel, scene.right.peer, NULL, 0, &len));
    EQ(len, UNDERPASS_DROP_REASONS);
    scene_close(&scene);
}

/* The oldest staged packets give way; memory is bounded and shows. */
TEST(staged_packets_are_bounded)
{
    scene scene;
    underpass_stats stats;
    int at;
    scene_open(&scene);
    for (at = 0; at < 200; at++) {
        underpass_slot slot = packet_slot(1, 2, 100, 0);
        OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
        EQ(slot.verdict, UNDERPASS_VERDICT_STAGED);
        free(slot.buf);
    }
    stats.size = sizeof stats;
    OK(underpass_tunnel_stats(scene.left.tunnel, &stats));
    EQ(stats.staged_packets, 128);
    EQ(stats.staged_bytes, 12800);
    EQ(stats.drops, 72);
    EQ(drops_of(&scene.left, UNDERPASS_DROP_STAGED_OVERFLOW), 72);
    scene_exchange(&scene);
    OK(underpass_tunnel_stats(scene.right.tunnel, &stats));
    EQ(stats.rx_packets, 128);
    scene_close(&scene);
}

TEST(a_stranger_has_no_figures)
{
    scene scene;
    underpass_peer_info info;
    underpass_ip ips[2];
    underpass_address address = address_of(4);
    underpass_path path = path_of(4);
    uint64_t counts[UNDERPASS_DROP_REASONS], peer;
    char host[32];
    size_t len;
    uint16_t port;
    static const uint8_t nobody[32] = { 9 };
    static const uint64_t strangers[] = { 0, 77, UINT64_MAX };
    size_t at;
    scene_open(&scene);
    REFUSED(UNDERPASS_E_NO_PEER, peer, underpass_tunnel_peer_by_key(scene.left.tunnel, nobody, &peer));
    for (at = 0; at < COUNT(strangers); at++) {
        underpass_tunnel *tunnel = scene.left.tunnel;
        peer = strangers[at];
        REFUSED_STRUCT(UNDERPASS_E_NO_PEER, info, underpass_tunnel_peer(tunnel, scene.now, peer, &info));
        REFUSED(UNDERPASS_E_NO_PEER, ips, underpass_tunnel_peer_allowed_ips(tunnel, peer, ips, 2, &len));
        REFUSED(UNDERPASS_E_NO_PEER, counts, underpass_tunnel_peer_drops(tunnel, peer, counts, COUNT(counts), &len));
        REFUSED(UNDERPASS_E_NO_PEER, host, underpass_tunnel_peer_endpoint_name(tunnel, peer, host, sizeof host, &len, &port));
        STATUS(UNDERPASS_E_NO_PEER, underpass_tunnel_set_endpoint(tunnel, scene.now, peer, &address));
        STATUS(UNDERPASS_E_NO_PEER, underpass_tunnel_connect(tunnel, scene.now, peer));
        STATUS(UNDERPASS_E_NO_PEER, underpass_tunnel_handle_send_error(tunnel, peer, &path, 0, UNDERPASS_SEND_ERROR_NO_SOURCE));
        STATUS(UNDERPASS_E_NO_PEER, underpass_tunnel_reset_peer_timestamp(tunnel, peer));
    }
    EQ(drain_datagrams(&scene.left, scene.now), 0);
    scene_close(&scene);
}

const check_test figures_tests[] = {
    ENTRY(what_passes_is_counted_on_both_sides),
    ENTRY(drops_are_counted_by_reason),
    ENTRY(staged_packets_are_bounded),
    ENTRY(a_stranger_has_no_figures),
    LAST_ENTRY,
};
