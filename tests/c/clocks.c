/* Time is an argument: deadlines, sleep, the calendar, and the timestamp that outlives a restart. No test here waits. */
#include "scene.h"

#include <stdlib.h>

TEST(an_idle_tunnel_never_wakes)
{
    scene scene;
    scene_open(&scene);
    EQ(deadline_of(&scene.left), UNDERPASS_NEVER);
    EQ(scene_pass(&scene, scene.now + 24 * 3600 * SECOND, 0), 0);
    scene_shake(&scene);
    scene_pass(&scene, scene.now + 3600 * SECOND, 0);
    EQ(deadline_of(&scene.left), UNDERPASS_NEVER);
    EQ(deadline_of(&scene.right), UNDERPASS_NEVER);
    scene_close(&scene);
}

TEST(nothing_stays_due)
{
    scene scene;
    underpass_slot slot;
    unsigned wakings;
    scene_open(&scene);
    slot = packet_slot(1, 2, 100, 0);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    free(slot.buf);
    drain_datagrams(&scene.left, scene.now);
    /* One initiation about every 5 s for 90 s, each with its deadline, then silence. scene_pass checks that each deadline
     * is over when it was handled. */
    wakings = scene_pass(&scene, scene.now + 3600 * SECOND, 1);
    CHECK(wakings >= 15 && wakings <= 40);
    EQ(deadline_of(&scene.left), UNDERPASS_NEVER);
    EQ(drops_of(&scene.left, UNDERPASS_DROP_HANDSHAKE_FAILED), 1);
    scene_close(&scene);
}

TEST(a_persistent_keepalive_is_exactly_when_due)
{
    scene scene;
    underpass_peer_change change;
    uint64_t due;
    scene_open(&scene);
    scene_shake(&scene);
    change = side_change(&scene.right);
    change.action = UNDERPASS_PEER_UPDATE;
    change.flags = UNDERPASS_PEER_HAS_KEEPALIVE;
    change.persistent_keepalive = 25;
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
    scene_exchange(&scene);
    due = deadline_of(&scene.left);
    CHECK(due <= scene.now + 25 * SECOND);
    OK(underpass_tunnel_handle_timeout(scene.left.tunnel, due - 1));
    EQ(drain_datagrams(&scene.left, due - 1), 0);
    OK(underpass_tunnel_handle_timeout(scene.left.tunnel, due));
    EQ(drain_datagrams(&scene.left, due), 1);
    CHECK(deadline_of(&scene.left) > due);
    scene_close(&scene);
}

TEST(hours_of_sleep_end_in_one_handshake)
{
    scene scene;
    underpass_slot slot;
    size_t len;
    uint8_t *datagram;
    scene_open(&scene);
    scene_shake(&scene);
    scene.now += 8 * 3600 * SECOND;
    OK(underpass_tunnel_handle_timeout(scene.left.tunnel, scene.now));
    CHECK(deadline_of(&scene.left) > scene.now);
    EQ(drain_datagrams(&scene.left, scene.now), 0);
    slot = packet_slot(1, 2, 100, 0);
    OK(underpass_tunnel_handle_packets(scene.left.tunnel, scene.now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_STAGED);
    free(slot.buf);
    datagram = next_datagram(&scene.left, scene.now, &len);
    EQ(len, 148);
    EQ(drain_datagrams(&scene.left, scene.now), 0);
    free(datagram);
    scene_close(&scene);
}

TEST(a_clock_that_goes_back_is_taken_for_standing_still)
{
    scene scene;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    datagram = sealed(&scene.left, scene.now - 500 * SECOND, 2, 100, 0, &len);
    EQ(hand_over(&scene.right, 0, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    OK(underpass_tunnel_handle_timeout(scene.left.tunnel, 0));
    OK(underpass_tunnel_handle_timeout(scene.left.tunnel, UINT64_MAX));
    OK(underpass_tunnel_handle_wall_clock(scene.left.tunnel, UINT64_MAX, UINT64_MAX));
    OK(underpass_tunnel_handle_wall_clock(scene.left.tunnel, 0, 0));
    OK(underpass_tunnel_handle_network_change(scene.left.tunnel, UINT64_MAX));
    drain_datagrams(&scene.left, UINT64_MAX);
    scene_close(&scene);
}

/* The host is on another network: whoever has a session tells the peer where it is now. */
TEST(a_change_of_network_makes_itself_heard)
{
    scene scene;
    underpass_event event;
    unsigned sent;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    free(sealed(&scene.left, scene.now, 2, 100, 0, &len));
    drain_datagrams(&scene.left, scene.now);
    drain_events(&scene.right);
    scene.now += 20 * SECOND;
    OK(underpass_tunnel_handle_network_change(scene.left.tunnel, scene.now));
    sent = 0;
    for (;;) {
        uint8_t *datagram = next_datagram(&scene.left, scene.now, &len);
        if (datagram == NULL) break;
        sent++;
        hand_over(&scene.right, scene.now, datagram, len, 55);
        free(datagram);
    }
    CHECK(sent >= 1);
    CHECK(next_event(&scene.right, UNDERPASS_EVENT_ENDPOINT_MOVED, &event));
    EQ(event.path.remote.ip[3], 55);
    scene_close(&scene);
}

/* Replaces the left tunnel by one that starts with `floor` (NULL: without) while the calendar says `wall`, and returns
 * what the right one makes of its first initiation. */
static int32_t restarted(scene *scene, const uint8_t *floor, uint64_t wall)
{
    underpass_options options = side_options(&scene->left);
    underpass_peer_change change = side_change(&scene->right);
    uint8_t *datagram;
    size_t len;
    int32_t verdict;
    OK(underpass_tunnel_free(scene->left.tunnel));
    if (floor != NULL) memcpy(options.timestamp_floor, floor, sizeof options.timestamp_floor);
    OK(underpass_tunnel_new(&options, scene->now, wall, &scene->left.tunnel));
    OK(underpass_tunnel_configure_peers(scene->left.tunnel, scene->now, &change, 1, NULL));
    OK(underpass_tunnel_peer_by_key(scene->left.tunnel, scene->right.public_key, &scene->left.peer));
    OK(underpass_tunnel_connect(scene->left.tunnel, scene->now, scene->left.peer));
    datagram = next_datagram(&scene->left, scene->now, &len);
    CHECK(datagram != NULL);
    verdict = hand_over(&scene->right, scene->now, datagram, len, 1);
    free(datagram);
    return verdict;
}

TEST(timestamps_outlive_the_tunnel)
{
    scene scene;
    uint8_t floor[UNDERPASS_TIMESTAMP_LEN], again[UNDERPASS_TIMESTAMP_LEN];
    scene_open(&scene);
    scene_shake(&scene);
    OK(underpass_tunnel_timestamp_floor(scene.left.tunnel, floor));
    scene.now += 10 * SECOND;
    EQ(restarted(&scene, NULL, WALL - 3600 * SECOND), UNDERPASS_VERDICT_DROPPED);
    scene.now += 10 * SECOND;
    EQ(restarted(&scene, floor, WALL - 3600 * SECOND), UNDERPASS_VERDICT_CONSUMED);
    OK(underpass_tunnel_timestamp_floor(scene.left.tunnel, again));
    CHECK(memcmp(again, floor, sizeof floor) > 0);
    scene_close(&scene);
}

TEST(the_calendar_may_be_set_at_any_time)
{
    scene scene;
    underpass_peer_info info;
    scene_open(&scene);
    OK(underpass_tunnel_handle_wall_clock(scene.left.tunnel, scene.now, WALL + 5000 * SECOND));
    scene_shake(&scene);
    info.size = sizeof info;
    OK(underpass_tunnel_peer(scene.left.tunnel, scene.now, scene.left.peer, &info));
    EQ(info.latest_handshake, WALL + 5000 * SECOND);
    CHECK((info.flags & UNDERPASS_INFO_HANDSHAKE) != 0);
    /* Back again: the next initiation is believed all the same. */
    OK(underpass_tunnel_handle_wall_clock(scene.left.tunnel, scene.now, WALL - 5000 * SECOND));
    scene.now += 200 * SECOND;
    scene_shake(&scene);
    OK(underpass_tunnel_peer(scene.left.tunnel, scene.now, scene.left.peer, &info));
    EQ(info.handshakes, 2);
    scene_close(&scene);
}

const check_test clocks_tests[] = {
    ENTRY(an_idle_tunnel_never_wakes),
    ENTRY(nothing_stays_due),
    ENTRY(a_persistent_keepalive_is_exactly_when_due),
    ENTRY(hours_of_sleep_end_in_one_handshake),
    ENTRY(a_clock_that_goes_back_is_taken_for_standing_still),
    ENTRY(a_change_of_network_makes_itself_heard),
    ENTRY(timestamps_outlive_the_tunnel),
    ENTRY(the_calendar_may_be_set_at_any_time),
    LAST_ENTRY,
};
