/* What a tunnel tells: each kind of event, health, endpoints and their names. */
#include "scene.h"

#include <stdlib.h>

static uint32_t health_of(const side *side, uint64_t now)
{
    underpass_peer_info info;
    info.size = sizeof info;
    OK(underpass_tunnel_peer(side->tunnel, now, side->peer, &info));
    return info.health;
}

TEST(health_comes_from_authenticated_traffic)
{
    scene scene;
    underpass_event event;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    EQ(health_of(&scene.left, scene.now), UNDERPASS_HEALTH_CONNECTING);
    scene_shake(&scene);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_SESSION_ESTABLISHED, &event));
    EQ(event.peer, scene.left.peer);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_HEALTH_CHANGED, &event));
    EQ(event.peer, scene.left.peer);
    EQ(event.health, UNDERPASS_HEALTH_UP);
    EQ(health_of(&scene.left, scene.now), UNDERPASS_HEALTH_UP);
    drain_events(&scene.left);
    /* Sent, and nothing heard for 15 s. */
    free(sealed(&scene.left, scene.now, 2, 100, 0, &len));
    scene_pass(&scene, scene.now + 16 * SECOND, 1);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_HEALTH_CHANGED, &event));
    EQ(event.health, UNDERPASS_HEALTH_STALE);
    EQ(health_of(&scene.left, scene.now), UNDERPASS_HEALTH_STALE);
    /* A forgery is no sign of life. */
    datagram = sealed(&scene.right, scene.now, 1, 100, 0, &len);
    datagram[len - 1] ^= 1;
    EQ(hand_over(&scene.left, scene.now, datagram, len, 2), UNDERPASS_VERDICT_DROPPED);
    EQ(health_of(&scene.left, scene.now), UNDERPASS_HEALTH_STALE);
    free(datagram);
    scene_pass(&scene, scene.now + 120 * SECOND, 1);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_HANDSHAKE_FAILED, &event));
    EQ(event.peer, scene.left.peer);
    /* The session, in which nobody answered, is wiped with time. */
    scene_pass(&scene, scene.now + 600 * SECOND, 1);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_SESSION_EXPIRED, &event));
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_HEALTH_CHANGED, &event));
    EQ(event.health, UNDERPASS_HEALTH_FAILED);
    EQ(health_of(&scene.left, scene.now), UNDERPASS_HEALTH_FAILED);
    scene_close(&scene);
}

TEST(an_idle_tunnel_has_not_failed)
{
    scene scene;
    underpass_event event;
    scene_open(&scene);
    scene_shake(&scene);
    drain_events(&scene.left);
    scene_pass(&scene, scene.now + 3600 * SECOND, 0);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_SESSION_EXPIRED, &event));
    EQ(event.peer, scene.left.peer);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_HEALTH_CHANGED, &event));
    EQ(event.health, UNDERPASS_HEALTH_IDLE);
    EQ(health_of(&scene.left, scene.now), UNDERPASS_HEALTH_IDLE);
    CHECK(!next_event(&scene.left, UNDERPASS_EVENT_SESSION_EXPIRED, &event));
    CHECK(!next_event(&scene.left, UNDERPASS_EVENT_HANDSHAKE_FAILED, &event));
    EQ(deadline_of(&scene.left), UNDERPASS_NEVER);
    scene_shake(&scene);
    EQ(health_of(&scene.left, scene.now), UNDERPASS_HEALTH_UP);
    scene_close(&scene);
}

TEST(an_authentic_datagram_from_elsewhere_moves_the_endpoint)
{
    scene scene;
    underpass_event event;
    underpass_peer_info info;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    drain_events(&scene.right);
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    datagram[60] ^= 1;
    EQ(hand_over(&scene.right, scene.now, datagram, len, 77), UNDERPASS_VERDICT_DROPPED);
    CHECK(!next_event(&scene.right, UNDERPASS_EVENT_ENDPOINT_MOVED, &event));
    datagram[60] ^= 1;
    EQ(hand_over(&scene.right, scene.now, datagram, len, 77), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    CHECK(next_event(&scene.right, UNDERPASS_EVENT_ENDPOINT_MOVED, &event));
    EQ(event.peer, scene.right.peer);
    EQ(event.path.remote.ip[3], 77);
    EQ(event.path.remote.port, 51820);
    info.size = sizeof info;
    OK(underpass_tunnel_peer(scene.right.tunnel, scene.now, scene.right.peer, &info));
    EQ(info.path.remote.ip[3], 77);
    scene_close(&scene);
}

TEST(a_pinned_endpoint_stays)
{
    scene scene;
    underpass_event event;
    underpass_peer_change change;
    underpass_peer_info info;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    drain_events(&scene.right);
    change = side_change(&scene.left);
    change.action = UNDERPASS_PEER_UPDATE;
    change.flags = UNDERPASS_PEER_PIN;
    OK(underpass_tunnel_configure_peers(scene.right.tunnel, scene.now, &change, 1, NULL));
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 77), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    CHECK(!next_event(&scene.right, UNDERPASS_EVENT_ENDPOINT_MOVED, &event));
    info.size = sizeof info;
    OK(underpass_tunnel_peer(scene.right.tunnel, scene.now, scene.right.peer, &info));
    EQ(info.path.remote.ip[3], 1);
    CHECK((info.flags & UNDERPASS_INFO_PINNED) != 0);
    change.flags = UNDERPASS_PEER_UNPIN;
    OK(underpass_tunnel_configure_peers(scene.right.tunnel, scene.now, &change, 1, NULL));
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 77), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    CHECK(next_event(&scene.right, UNDERPASS_EVENT_ENDPOINT_MOVED, &event));
    scene_close(&scene);
}

TEST(a_name_is_asked_for)
{
    scene scene;
    underpass_event event;
    underpass_peer_change change;
    underpass_address address = address_of(2);
    underpass_peer_info info;
    underpass_slot slot;
    char host[32];
    size_t len;
    uint16_t port;
    scene_open(&scene);
    REFUSED(UNDERPASS_NOTHING, host,
            underpass_tunnel_peer_endpoint_name(scene.left.tunnel, scene.left.peer, host, sizeof host, &len, &port));
    OK(underpass_tunnel_remove_all_peers(scene.left.tunnel, scene.now));
    change = side_change(&scene.right);
    change.endpoint_host = "vpn.example.com";
    change.endpoint_port = 4500;
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
    OK(underpass_tunnel_peer_by_key(scene.left.tunnel, scene.right.public_key, &scene.left.peer));
    info.size = sizeof info;
    OK(underpass_tunnel_peer(scene.left.tunnel, scene.now, scene.left.peer, &info));
    EQ(info.flags, UNDERPASS_INFO_NAMED);
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_RESOLVE_ENDPOINT, &event));
    EQ(event.peer, scene.left.peer);
    OK(underpass_tunnel_peer_endpoint_name(scene.left.tunnel, event.peer, host, sizeof host, &len, &port));
    TEXT(host, "vpn.example.com");
    EQ(len, strlen(host));
    EQ(port, 4500);
    slot = packet_slot(1, 2, 100, 0);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_STAGED);
    free(slot.buf);
    EQ(drain_datagrams(&scene.left, scene.now), 0);
    OK(underpass_tunnel_set_endpoint(scene.left.tunnel, scene.now, scene.left.peer, &address));
    CHECK(scene_exchange(&scene) >= 3);
    CHECK(next_event(&scene.right, UNDERPASS_EVENT_SESSION_ESTABLISHED, &event));
    /* Another network, perhaps another answer. */
    drain_events(&scene.left);
    scene.now += 60 * SECOND;
    OK(underpass_tunnel_handle_network_change(scene.left.tunnel, scene.now));
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_RESOLVE_ENDPOINT, &event));
    scene_close(&scene);
}

TEST(a_name_fits_its_buffer_or_is_not_written)
{
    scene scene;
    underpass_peer_change change;
    char host[16];
    size_t cap, len;
    uint16_t port;
    scene_open(&scene);
    change = side_change(&scene.right);
    change.endpoint_host = "vpn.example.com";
    change.endpoint_port = 1;
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
    for (cap = 0; cap < sizeof host; cap++) {
        stain(&port, sizeof port);
        REFUSED(UNDERPASS_E_BUFFER, host,
                underpass_tunnel_peer_endpoint_name(scene.left.tunnel, scene.left.peer, host, cap, &len, &port));
        CHECK(is_stained(&port, sizeof port));
    }
    OK(underpass_tunnel_peer_endpoint_name(scene.left.tunnel, scene.left.peer, host, sizeof host, &len, &port));
    TEXT(host, "vpn.example.com");
    scene_close(&scene);
}

/* The peer's clock is years ahead: it is let in, and the host hears of it. */
TEST(a_timestamp_far_ahead_is_told_and_can_be_forgotten)
{
    scene scene;
    underpass_event event;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    OK(underpass_tunnel_handle_wall_clock(scene.left.tunnel, scene.now, WALL + 40 * 24 * 3600 * SECOND));
    scene_shake(&scene);
    CHECK(next_event(&scene.right, UNDERPASS_EVENT_TIMESTAMP_AHEAD, &event));
    EQ(event.peer, scene.right.peer);
    /* The left side loses its memory, and its clock is right again. */
    OK(underpass_tunnel_free(scene.left.tunnel));
    {
        underpass_options options = side_options(&scene.left);
        underpass_peer_change change = side_change(&scene.right);
        OK(underpass_tunnel_new(&options, scene.now, WALL, &scene.left.tunnel));
        OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
        OK(underpass_tunnel_peer_by_key(scene.left.tunnel, scene.right.public_key, &scene.left.peer));
    }
    scene.now += SECOND;
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    datagram = next_datagram(&scene.left, scene.now, &len);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DROPPED);
    OK(underpass_tunnel_reset_peer_timestamp(scene.right.tunnel, scene.right.peer));
    scene.now += SECOND;
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_CONSUMED);
    free(datagram);
    scene_close(&scene);
}

TEST(events_that_nobody_polled_are_all_there)
{
    scene scene;
    side right = side_of(2);
    underpass_options options = side_options(&right);
    underpass_event event;
    options.events = UINT32_MAX; /* Without effect. */
    scene_open_with(&scene, &options);
    scene_shake(&scene);
    event.size = sizeof event;
    OK(underpass_tunnel_poll_event(scene.right.tunnel, &event));
    EQ(event.kind, UNDERPASS_EVENT_SESSION_ESTABLISHED);
    EQ(event.peer, scene.right.peer);
    OK(underpass_tunnel_poll_event(scene.right.tunnel, &event));
    EQ(event.kind, UNDERPASS_EVENT_HEALTH_CHANGED);
    EQ(event.health, UNDERPASS_HEALTH_UP);
    EQ(event.peer, scene.right.peer);
    EQ(event.lost, 0);
    REFUSED_STRUCT(UNDERPASS_NOTHING, event, underpass_tunnel_poll_event(scene.right.tunnel, &event));
    scene_close(&scene);
}

/* The address that the network took away is forgotten, and only on the path that is meant. */
TEST(what_concerns_the_whole_tunnel_is_told)
{
    scene scene;
    underpass_event event;
    scene_open(&scene);
    drain_events(&scene.left);
    OK(underpass_tunnel_set_mtu(scene.left.tunnel, scene.now, 1300));
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_LAYOUT_CHANGED, &event));
    EQ(event.peer, 0);
    scene_close(&scene);
}

TEST(a_clock_that_leaps_is_told)
{
    scene scene;
    underpass_event event;
    scene_open(&scene);
    /* A clock that could not be read, given as -1. */
    OK(underpass_tunnel_handle_timeout(scene.left.tunnel, UINT64_MAX));
    CHECK(next_event(&scene.left, UNDERPASS_EVENT_CLOCK_LEAPT, &event));
    EQ(event.peer, 0);
    CHECK(!next_event(&scene.left, UNDERPASS_EVENT_CLOCK_LEAPT, &event));
    /* With the next reading all goes on. */
    scene_shake(&scene);
    scene_close(&scene);
}

TEST(a_source_address_is_forgotten)
{
    scene scene;
    underpass_peer_info info;
    underpass_path path;
    underpass_slot slot;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    slot = datagram_slot(datagram, len, 1);
    slot.path.local = network(192, 0, 0);
    slot.path.local.bytes[3] = 9;
    OK(underpass_tunnel_handle_datagrams(scene.right.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DELIVER);
    free(slot.buf);
    free(datagram);
    info.size = sizeof info;
    OK(underpass_tunnel_peer(scene.right.tunnel, scene.now, scene.right.peer, &info));
    EQ(info.path.local.family, UNDERPASS_FAMILY_IPV4);
    EQ(info.path.local.bytes[3], 9);
    path = info.path;
    path.remote.port++;
    OK(underpass_tunnel_handle_send_error(scene.right.tunnel, scene.right.peer, &path, 0, UNDERPASS_SEND_ERROR_NO_SOURCE));
    OK(underpass_tunnel_peer(scene.right.tunnel, scene.now, scene.right.peer, &info));
    EQ(info.path.local.family, UNDERPASS_FAMILY_IPV4);
    path.remote.port--;
    OK(underpass_tunnel_handle_send_error(scene.right.tunnel, scene.right.peer, &path, 0, UNDERPASS_SEND_ERROR_NO_SOURCE));
    OK(underpass_tunnel_peer(scene.right.tunnel, scene.now, scene.right.peer, &info));
    EQ(info.path.local.family, UNDERPASS_FAMILY_NONE);
    EQ(info.path.remote.ip[3], 1);
    scene_close(&scene);
}

const check_test events_tests[] = {
    ENTRY(health_comes_from_authenticated_traffic),
    ENTRY(an_idle_tunnel_has_not_failed),
    ENTRY(an_authentic_datagram_from_elsewhere_moves_the_endpoint),
    ENTRY(a_pinned_endpoint_stays),
    ENTRY(a_name_is_asked_for),
    ENTRY(a_name_fits_its_buffer_or_is_not_written),
    ENTRY(a_timestamp_far_ahead_is_told_and_can_be_forgotten),
    ENTRY(events_that_nobody_polled_are_all_there),
    ENTRY(what_concerns_the_whole_tunnel_is_told),
    ENTRY(a_clock_that_leaps_is_told),
    ENTRY(a_source_address_is_forgotten),
    LAST_ENTRY,
};
