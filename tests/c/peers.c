/* Peers: added, changed, removed, listed, and all of a change or nothing. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>

static underpass_tunnel *tunnel_of(const underpass_options *options)
{
    underpass_tunnel *tunnel;
    OK(underpass_tunnel_new(options, BEGIN, WALL, &tunnel));
    CHECK(tunnel != NULL);
    return tunnel;
}

/* A tunnel of side 1 without peers. */
static underpass_tunnel *bare_tunnel(void)
{
    side own = side_of(1);
    underpass_options options = side_options(&own);
    return tunnel_of(&options);
}

static size_t count_peers(const underpass_tunnel *tunnel)
{
    size_t len;
    OK(underpass_tunnel_peers(tunnel, NULL, 0, &len));
    return len;
}

TEST(options_have_defaults)
{
    underpass_options options;
    underpass_tunnel *tunnel;
    uint32_t mtu;
    uint8_t key[32];
    stain(&options, sizeof options);
    OK(underpass_options_init(&options, sizeof options));
    EQ(options.size, sizeof options);
    EQ(options.flags, 0);
    EQ(options.mtu, 1420);
    EQ(options.max_peers, 1000000);
    EQ(options.staged_packets_per_peer, 128);
    EQ(options.staged_bytes_per_peer, 256 * 1024);
    EQ(options.staged_bytes, 4 * 1024 * 1024);
    EQ(options.events, 0);
    EQ(options.handshakes_per_second, 500);
    EQ(options.verified_handshakes_per_second, 1000);
    EQ(options.handshakes_per_source, 20);
    EQ(options.handshake_burst_per_source, 5);
    tunnel = tunnel_of(&options);
    OK(underpass_tunnel_mtu(tunnel, &mtu));
    EQ(mtu, 1420);
    REFUSED(UNDERPASS_NOTHING, key, underpass_tunnel_public_key(tunnel, key));
    OK(underpass_tunnel_free(tunnel));
}

TEST(options_out_of_range_are_refused)
{
    underpass_options options;
    underpass_tunnel *tunnel;
    size_t at;
    static const uint32_t bad_mtus[] = { 1, 67, 65536, UINT32_MAX };
    for (at = 0; at < COUNT(bad_mtus); at++) {
        OK(underpass_options_init(&options, sizeof options));
        options.mtu = bad_mtus[at];
        REFUSED(UNDERPASS_E_MTU, tunnel, underpass_tunnel_new(&options, BEGIN, WALL, &tunnel));
    }
    OK(underpass_options_init(&options, sizeof options));
    options.staged_packets_per_peer = 65536;
    REFUSED(UNDERPASS_E_LIMIT, tunnel, underpass_tunnel_new(&options, BEGIN, WALL, &tunnel));
    OK(underpass_options_init(&options, sizeof options));
    options.flags = 1u << 31;
    REFUSED(UNDERPASS_E_ARGUMENT, tunnel, underpass_tunnel_new(&options, BEGIN, WALL, &tunnel));
}

/* A struct of zeros, with its size, is the defaults. */
TEST(zero_stands_for_the_default)
{
    underpass_options options;
    underpass_tunnel *tunnel;
    side other = side_of(2);
    underpass_peer_change change;
    uint32_t mtu;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    OK(underpass_tunnel_new(&options, BEGIN, WALL, &tunnel));
    OK(underpass_tunnel_mtu(tunnel, &mtu));
    EQ(mtu, 1420);
    change = side_change(&other);
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    OK(underpass_tunnel_set_limits(tunnel, BEGIN, &options));
    OK(underpass_tunnel_free(tunnel));
}

TEST(the_mtu_and_the_private_key_change_live)
{
    underpass_tunnel *tunnel = bare_tunnel();
    side own = side_of(1), other = side_of(9);
    uint8_t key[32];
    uint32_t mtu;
    OK(underpass_tunnel_public_key(tunnel, key));
    SAME(key, own.public_key, 32);
    OK(underpass_tunnel_set_private_key(tunnel, BEGIN, other.private_key));
    OK(underpass_tunnel_public_key(tunnel, key));
    SAME(key, other.public_key, 32);
    OK(underpass_tunnel_set_private_key(tunnel, BEGIN, NULL));
    REFUSED(UNDERPASS_NOTHING, key, underpass_tunnel_public_key(tunnel, key));
    OK(underpass_tunnel_set_mtu(tunnel, BEGIN, 68));
    OK(underpass_tunnel_set_mtu(tunnel, BEGIN, 65535));
    STATUS(UNDERPASS_E_MTU, underpass_tunnel_set_mtu(tunnel, BEGIN, 67));
    STATUS(UNDERPASS_E_MTU, underpass_tunnel_set_mtu(tunnel, BEGIN, 65536));
    OK(underpass_tunnel_mtu(tunnel, &mtu));
    EQ(mtu, 65535);
    OK(underpass_tunnel_free(tunnel));
}

TEST(a_peer_is_added_changed_and_removed)
{
    underpass_tunnel *tunnel = bare_tunnel();
    side other = side_of(2);
    underpass_peer_change change = side_change(&other);
    underpass_peer_info info;
    underpass_ip ips[2];
    uint64_t peer, again;
    size_t len;
    change.flags |= UNDERPASS_PEER_HAS_PRESHARED_KEY | UNDERPASS_PEER_HAS_KEEPALIVE;
    memset(change.preshared_key, 7, 32);
    change.persistent_keepalive = 25;
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    OK(underpass_tunnel_peer_by_key(tunnel, other.public_key, &peer));
    CHECK(peer != 0);
    info.size = sizeof info;
    OK(underpass_tunnel_peer(tunnel, BEGIN, peer, &info));
    SAME(info.public_key, other.public_key, 32);
    EQ(info.persistent_keepalive, 25);
    EQ(info.path.remote.ip[3], 2);
    EQ(info.path.remote.port, 51820);
    EQ(info.health, UNDERPASS_HEALTH_CONNECTING);
    EQ(info.latest_handshake, 0);
    EQ(info.flags, UNDERPASS_INFO_PRESHARED_KEY | UNDERPASS_INFO_PATH);
    OK(underpass_tunnel_peer_allowed_ips(tunnel, peer, ips, 2, &len));
    EQ(len, 2);
    change = side_change(&other);
    change.action = UNDERPASS_PEER_UPDATE;
    change.flags = UNDERPASS_PEER_REPLACE_ALLOWED_IPS | UNDERPASS_PEER_HAS_KEEPALIVE;
    change.persistent_keepalive = 0;
    change.allowed_ips_len = 1;
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    OK(underpass_tunnel_peer(tunnel, BEGIN, peer, &info));
    EQ(info.persistent_keepalive, 0);
    EQ(info.path.remote.ip[3], 2);
    OK(underpass_tunnel_peer_allowed_ips(tunnel, peer, ips, 2, &len));
    EQ(len, 1);
    EQ(ips[0].family, UNDERPASS_FAMILY_IPV4);
    EQ(ips[0].prefix, 16);
    EQ(ips[0].bytes[1], 2);
    change.action = UNDERPASS_PEER_REMOVE;
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    REFUSED(UNDERPASS_E_NO_PEER, again, underpass_tunnel_peer_by_key(tunnel, other.public_key, &again));
    REFUSED_STRUCT(UNDERPASS_E_NO_PEER, info, underpass_tunnel_peer(tunnel, BEGIN, peer, &info));
    /* A peer that comes back has another name. */
    change = side_change(&other);
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    OK(underpass_tunnel_peer_by_key(tunnel, other.public_key, &again));
    CHECK(again != peer);
    OK(underpass_tunnel_free(tunnel));
}

TEST(an_update_of_a_stranger_and_ourselves_are_passed_over)
{
    underpass_tunnel *tunnel = bare_tunnel();
    side own = side_of(1), other = side_of(2);
    underpass_peer_change change = side_change(&other);
    change.action = UNDERPASS_PEER_UPDATE;
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    change.action = UNDERPASS_PEER_REMOVE;
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    change = side_change(&own);
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &change, 1, NULL));
    EQ(count_peers(tunnel), 0);
    OK(underpass_tunnel_free(tunnel));
}

TEST(peers_are_listed)
{
    underpass_tunnel *tunnel = bare_tunnel();
    underpass_peer_change changes[5];
    underpass_peer_info info;
    uint64_t peers[5];
    size_t at, cap, len;
    for (at = 0; at < 5; at++) {
        side other = side_of((uint8_t)(10 + at));
        changes[at] = side_change(&other);
    }
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, changes, 5, NULL));
    EQ(count_peers(tunnel), 5);
    for (cap = 0; cap < 5; cap++) {
        len = 0;
        REFUSED(UNDERPASS_E_BUFFER, peers, underpass_tunnel_peers(tunnel, peers, cap, &len));
        EQ(len, 5);
    }
    OK(underpass_tunnel_peers(tunnel, peers, 5, &len));
    EQ(len, 5);
    info.size = sizeof info;
    for (at = 0; at < 5; at++) {
        size_t other;
        CHECK(peers[at] != 0);
        OK(underpass_tunnel_peer(tunnel, BEGIN, peers[at], &info));
        for (other = 0; other < at; other++) CHECK(peers[other] != peers[at]);
    }
    OK(underpass_tunnel_remove_all_peers(tunnel, BEGIN));
    EQ(count_peers(tunnel), 0);
    OK(underpass_tunnel_peers(tunnel, peers, 0, &len));
    EQ(len, 0);
    OK(underpass_tunnel_free(tunnel));
}

TEST(allowed_ips_are_listed_moved_and_taken_away)
{
    underpass_tunnel *tunnel = bare_tunnel();
    side second = side_of(2), third = side_of(3);
    underpass_peer_change changes[2];
    underpass_allowed_ip ip;
    underpass_ip ips[4];
    uint64_t two, three;
    size_t len;
    changes[0] = side_change(&second);
    changes[1] = side_change(&third);
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, changes, 2, NULL));
    OK(underpass_tunnel_peer_by_key(tunnel, second.public_key, &two));
    OK(underpass_tunnel_peer_by_key(tunnel, third.public_key, &three));
    OK(underpass_tunnel_peer_allowed_ips(tunnel, two, NULL, 0, &len));
    EQ(len, 2);
    len = 0;
    REFUSED(UNDERPASS_E_BUFFER, ips, underpass_tunnel_peer_allowed_ips(tunnel, two, ips, 1, &len));
    EQ(len, 2);
    /* The network of one becomes that of the other. */
    memset(&ip, 0, sizeof ip);
    ip.network = network(10, 2, 16);
    changes[1].action = UNDERPASS_PEER_UPDATE;
    changes[1].allowed_ips = &ip;
    changes[1].allowed_ips_len = 1;
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &changes[1], 1, NULL));
    OK(underpass_tunnel_peer_allowed_ips(tunnel, two, ips, 4, &len));
    EQ(len, 1);
    EQ(ips[0].family, UNDERPASS_FAMILY_IPV6);
    EQ(ips[0].prefix, 32);
    EQ(ips[0].bytes[3], 2);
    OK(underpass_tunnel_peer_allowed_ips(tunnel, three, ips, 4, &len));
    EQ(len, 3);
    ip.remove = 1;
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, &changes[1], 1, NULL));
    OK(underpass_tunnel_peer_allowed_ips(tunnel, three, ips, 4, &len));
    EQ(len, 2);
    OK(underpass_tunnel_free(tunnel));
}

/* The last of three changes is wrong: none is applied. */
static void refused_whole(underpass_tunnel *tunnel, const underpass_peer_change *wrong, int32_t status)
{
    side first = side_of(20), second = side_of(21);
    underpass_peer_change changes[3];
    changes[0] = side_change(&first);
    changes[1] = side_change(&second);
    changes[2] = *wrong;
    STATUS(status, underpass_tunnel_configure_peers(tunnel, BEGIN, changes, 3, NULL));
    EQ(count_peers(tunnel), 0);
}

TEST(a_change_is_applied_whole_or_not_at_all)
{
    underpass_tunnel *tunnel = bare_tunnel();
    side other = side_of(22);
    underpass_peer_change wrong = side_change(&other);
    underpass_allowed_ip ip;
    memset(&ip, 0, sizeof ip);
    memset(wrong.public_key, 0, 32); /* all zeros would be taken: a peer that stays silent */
    wrong.public_key[0] = 1;
    refused_whole(tunnel, &wrong, UNDERPASS_E_LOW_ORDER_KEY);
    wrong = side_change(&other);
    wrong.allowed_ips = &ip;
    wrong.allowed_ips_len = 1;
    ip.network = network(10, 0, 33);
    refused_whole(tunnel, &wrong, UNDERPASS_E_PREFIX);
    ip.network.family = UNDERPASS_FAMILY_IPV6;
    ip.network.prefix = 129;
    refused_whole(tunnel, &wrong, UNDERPASS_E_PREFIX);
    ip.network = network(10, 0, 8);
    ip.network.family = 5;
    refused_whole(tunnel, &wrong, UNDERPASS_E_ARGUMENT);
    ip.network.family = UNDERPASS_FAMILY_NONE;
    refused_whole(tunnel, &wrong, UNDERPASS_E_ARGUMENT);
    wrong = side_change(&other);
    wrong.action = 3;
    refused_whole(tunnel, &wrong, UNDERPASS_E_ARGUMENT);
    wrong = side_change(&other);
    wrong.flags |= 1u << 30;
    refused_whole(tunnel, &wrong, UNDERPASS_E_ARGUMENT);
    wrong = side_change(&other);
    wrong.endpoint.family = 7;
    refused_whole(tunnel, &wrong, UNDERPASS_E_ARGUMENT);
    wrong = side_change(&other);
    wrong.endpoint_host = "caf\xe9.example";
    refused_whole(tunnel, &wrong, UNDERPASS_E_ARGUMENT);
    wrong = side_change(&other);
    wrong.allowed_ips = NULL;
    refused_whole(tunnel, &wrong, UNDERPASS_E_NULL);
    wrong = side_change(&other);
    wrong.flags = UNDERPASS_PEER_PIN | UNDERPASS_PEER_UNPIN;
    refused_whole(tunnel, &wrong, UNDERPASS_E_ARGUMENT);
    OK(underpass_tunnel_free(tunnel));
}

TEST(there_is_an_end_to_peers)
{
    side own = side_of(1);
    underpass_options options = side_options(&own);
    underpass_peer_change changes[3];
    underpass_tunnel *tunnel;
    size_t at;
    for (at = 0; at < 3; at++) {
        side other = side_of((uint8_t)(30 + at));
        changes[at] = side_change(&other);
    }
    options.max_peers = 2;
    tunnel = tunnel_of(&options);
    STATUS(UNDERPASS_E_TOO_MANY_PEERS, underpass_tunnel_configure_peers(tunnel, BEGIN, changes, 3, NULL));
    EQ(count_peers(tunnel), 0);
    OK(underpass_tunnel_configure_peers(tunnel, BEGIN, changes, 2, NULL));
    STATUS(UNDERPASS_E_TOO_MANY_PEERS, underpass_tunnel_configure_peers(tunnel, BEGIN, &changes[2], 1, NULL));
    EQ(count_peers(tunnel), 2);
    OK(underpass_tunnel_free(tunnel));
}

/* New allowed IPs and a new preshared key leave a session alone. */
TEST(a_session_survives_a_change_of_its_peer)
{
    scene scene;
    underpass_peer_change change;
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    change = side_change(&scene.right);
    change.flags = UNDERPASS_PEER_HAS_PRESHARED_KEY | UNDERPASS_PEER_REPLACE_ALLOWED_IPS;
    memset(change.preshared_key, 9, 32);
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    scene_close(&scene);
}

TEST(a_configuration_applies_to_a_running_tunnel)
{
    static const char form[] = "[Interface]\nPrivateKey = %s\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.2.0.0/16, 10.9.0.0/16\n";
    scene scene;
    char key[UNDERPASS_BASE64_LEN], peer_key[UNDERPASS_BASE64_LEN], text[sizeof form + 2 * UNDERPASS_BASE64_LEN];
    side third = side_of(3);
    underpass_peer_change change = side_change(&third);
    underpass_config *config, *wrong;
    underpass_peer_info info;
    underpass_ip ips[4];
    uint8_t *datagram;
    size_t len;
    scene_open(&scene);
    scene_shake(&scene);
    OK(underpass_tunnel_configure_peers(scene.left.tunnel, scene.now, &change, 1, NULL));
    OK(underpass_key_to_base64(scene.left.private_key, key, sizeof key));
    OK(underpass_key_to_base64(scene.right.public_key, peer_key, sizeof peer_key));
    sprintf(text, form, key, peer_key);
    OK(underpass_config_parse(text, strlen(text), &config));
    OK(underpass_config_parse("MTU = 1400", 10, &wrong));
    STATUS(UNDERPASS_E_CONFIG, underpass_tunnel_apply_config(scene.left.tunnel, scene.now, wrong));
    OK(underpass_tunnel_peers(scene.left.tunnel, NULL, 0, &len));
    EQ(len, 2);
    OK(underpass_tunnel_apply_config(scene.left.tunnel, scene.now, config));
    /* What is not in it goes, the rest keeps its session. */
    OK(underpass_tunnel_peers(scene.left.tunnel, NULL, 0, &len));
    EQ(len, 1);
    OK(underpass_tunnel_peer_allowed_ips(scene.left.tunnel, scene.left.peer, ips, COUNT(ips), &len));
    EQ(len, 2);
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    info.size = sizeof info;
    OK(underpass_tunnel_peer(scene.left.tunnel, scene.now, scene.left.peer, &info));
    EQ(info.handshakes, 1);
    OK(underpass_config_free(wrong));
    OK(underpass_config_free(config));
    scene_close(&scene);
}

const check_test peers_tests[] = {
    ENTRY(options_have_defaults),
    ENTRY(options_out_of_range_are_refused),
    ENTRY(zero_stands_for_the_default),
    ENTRY(the_mtu_and_the_private_key_change_live),
    ENTRY(a_peer_is_added_changed_and_removed),
    ENTRY(an_update_of_a_stranger_and_ourselves_are_passed_over),
    ENTRY(peers_are_listed),
    ENTRY(allowed_ips_are_listed_moved_and_taken_away),
    ENTRY(a_change_is_applied_whole_or_not_at_all),
    ENTRY(there_is_an_end_to_peers),
    ENTRY(a_session_survives_a_change_of_its_peer),
    ENTRY(a_configuration_applies_to_a_running_tunnel),
    LAST_ENTRY,
};
