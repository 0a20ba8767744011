/* The end of a tunnel, and what it leaves behind. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A tunnel that is closed is NULL to its owner, and no call does anything with that. */
TEST(a_closed_tunnel_says_so)
{
    scene scene;
    underpass_tunnel *tunnel;
    underpass_event event;
    underpass_stats stats;
    underpass_slot slot = packet_slot(1, 2, 100, 0);
    uint8_t floor[UNDERPASS_TIMESTAMP_LEN];
    uint64_t deadline;
    uint32_t mtu;
    scene_open(&scene);
    OK(underpass_tunnel_free(scene.left.tunnel));
    tunnel = scene.left.tunnel = NULL;
    STATUS(UNDERPASS_E_NULL, underpass_tunnel_connect(tunnel, scene.now, scene.left.peer));
    STATUS(UNDERPASS_E_NULL, underpass_tunnel_handle_packets(tunnel, scene.now, &slot, 1));
    STATUS(UNDERPASS_E_NULL, underpass_tunnel_handle_datagrams(tunnel, scene.now, &slot, 1));
    STATUS(UNDERPASS_E_NULL, underpass_tunnel_handle_timeout(tunnel, scene.now));
    STATUS(UNDERPASS_E_NULL, underpass_tunnel_handle_network_change(tunnel, scene.now));
    STATUS(UNDERPASS_E_NULL, underpass_tunnel_remove_all_peers(tunnel, scene.now));
    REFUSED(UNDERPASS_E_NULL, deadline, underpass_tunnel_poll_timeout(tunnel, &deadline));
    REFUSED(UNDERPASS_E_NULL, floor, underpass_tunnel_timestamp_floor(tunnel, floor));
    REFUSED(UNDERPASS_E_NULL, mtu, underpass_tunnel_mtu(tunnel, &mtu));
    REFUSED_STRUCT(UNDERPASS_E_NULL, event, underpass_tunnel_poll_event(tunnel, &event));
    REFUSED_STRUCT(UNDERPASS_E_NULL, stats, underpass_tunnel_stats(tunnel, &stats));
    OK(underpass_tunnel_free(tunnel));
    free(slot.buf);
    OK(underpass_tunnel_free(scene.right.tunnel));
}

/* Bytes of this process that lie in memory. */
static long resident(void)
{
#ifdef __SANITIZE_ADDRESS__
    /* It keeps what was freed, and sees itself what was not. */
    return 1;
#else
    long all, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &all, &pages) != 2) pages = 0;
    if (file != NULL) fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
#endif
}

/* A tunnel with a peer, that many times. Without a private key, which would take most of the time. */
static void come_and_go(unsigned times)
{
    side other = side_of(2);
    underpass_peer_change change = side_change(&other);
    underpass_tunnel *tunnel;
    for (; times > 0; times--) {
        OK(underpass_tunnel_new(NULL, BEGIN, WALL, &tunnel));
        OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
        OK(underpass_tunnel_free(tunnel));
    }
}

/* valgrind sees each byte that is left, of one tunnel as of many, and is slow. It says that it is there. */
static int is_in_valgrind(void)
{
    const char *loaded = getenv("LD_PRELOAD");
    return loaded != NULL && strstr(loaded, "vgpreload") != NULL;
}

TEST(ten_thousand_tunnels_leave_nothing_behind)
{
    long before;
    if (is_in_valgrind()) {
        come_and_go(100);
        return;
    }
    come_and_go(1000);
    before = resident();
    CHECK(before > 0);
    come_and_go(10000);
    CHECK(resident() - before < 8 << 20);
}

const check_test life_tests[] = {
    ENTRY(a_closed_tunnel_says_so),
    ENTRY(ten_thousand_tunnels_leave_nothing_behind),
    LAST_ENTRY,
};
