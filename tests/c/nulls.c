/* NULL for every pointer of every function in turn: a status, nothing written, no crash. */
/* clang would tell what this file is about. */
#define UNDERPASS_NULLABLE
#include "scene.h"

#include <stdlib.h>

#define IS_NULL(call) STATUS(UNDERPASS_E_NULL, call)

TEST(keys_and_null)
{
    uint8_t key[32];
    char text[UNDERPASS_HEX_LEN];
    underpass_address address = address_of(1);
    size_t len;
    memset(key, 3, sizeof key);
    IS_NULL(underpass_private_key_generate(NULL));
    IS_NULL(underpass_preshared_key_generate(NULL));
    IS_NULL(underpass_public_key(key, NULL));
    REFUSED(UNDERPASS_E_NULL, text, underpass_public_key(NULL, (uint8_t *)text));
    REFUSED(UNDERPASS_E_NULL, key, underpass_key_from_base64(NULL, 44, key));
    REFUSED(UNDERPASS_E_NULL, key, underpass_key_from_hex(NULL, 64, key));
    REFUSED(UNDERPASS_E_KEY, key, underpass_key_from_base64(NULL, 0, key));
    REFUSED(UNDERPASS_E_KEY, key, underpass_key_from_hex(NULL, 0, key));
    IS_NULL(underpass_key_from_base64("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", 44, NULL));
    IS_NULL(underpass_key_from_hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", 64, NULL));
    REFUSED(UNDERPASS_E_NULL, text, underpass_key_to_base64(NULL, text, sizeof text));
    REFUSED(UNDERPASS_E_NULL, text, underpass_key_to_hex(NULL, text, sizeof text));
    IS_NULL(underpass_address_from_sockaddr(NULL, 16, &address));
    IS_NULL(underpass_address_from_sockaddr(key, sizeof key, NULL));
    REFUSED(UNDERPASS_E_NULL, text, underpass_address_to_sockaddr(NULL, UNDERPASS_FAMILY_NONE, text, sizeof text, &len));
    IS_NULL(underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_NONE, NULL, 16, &len));
    IS_NULL(underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_NONE, text, sizeof text, NULL));
    IS_NULL(underpass_key_to_base64(key, NULL, 45));
    IS_NULL(underpass_key_to_hex(key, NULL, 65));
    STATUS(UNDERPASS_E_BUFFER, underpass_key_to_base64(key, NULL, 0));
    STATUS(UNDERPASS_E_BUFFER, underpass_key_to_hex(key, NULL, 0));
}

TEST(configurations_and_null)
{
    underpass_config *config;
    underpass_diagnostic diagnostic;
    underpass_interface interface;
    underpass_peer_change change;
    underpass_ip ip;
    const char *text;
    char written[8];
    size_t len;
    REFUSED(UNDERPASS_E_NULL, config, underpass_config_parse(NULL, 5, &config));
    IS_NULL(underpass_config_parse("", 0, NULL));
    REFUSED(UNDERPASS_E_NULL, config, underpass_config_parse_with(NULL, 5, 1, &config));
    IS_NULL(underpass_config_parse_with("", 0, 1, NULL));
    OK(underpass_config_parse(NULL, 0, &config));
    REFUSED(UNDERPASS_E_NULL, len, underpass_config_more(NULL, &len));
    IS_NULL(underpass_config_more(config, NULL));
    REFUSED_STRUCT(UNDERPASS_E_NULL, diagnostic, underpass_config_diagnostic(NULL, 0, &diagnostic));
    REFUSED_STRUCT(UNDERPASS_E_NULL, interface, underpass_config_interface(NULL, &interface));
    REFUSED(UNDERPASS_E_NULL, ip, underpass_config_address(NULL, 0, &ip));
    REFUSED(UNDERPASS_E_NULL, ip, underpass_config_dns(NULL, 0, &ip));
    REFUSED(UNDERPASS_E_NULL, text, underpass_config_text(NULL, 0, 0, &text));
    REFUSED_STRUCT(UNDERPASS_E_NULL, change, underpass_config_peer(NULL, 0, &change));
    REFUSED(UNDERPASS_E_NULL, written, underpass_config_write(NULL, written, sizeof written, &len));
    IS_NULL(underpass_config_diagnostic(config, 0, NULL));
    IS_NULL(underpass_config_interface(config, NULL));
    IS_NULL(underpass_config_address(config, 0, NULL));
    IS_NULL(underpass_config_dns(config, 0, NULL));
    IS_NULL(underpass_config_text(config, 0, 0, NULL));
    IS_NULL(underpass_config_peer(config, 0, NULL));
    IS_NULL(underpass_config_write(config, NULL, 8, &len));
    REFUSED(UNDERPASS_E_NULL, written, underpass_config_write(config, written, sizeof written, NULL));
    OK(underpass_config_free(config));
    OK(underpass_config_free(NULL));
}

TEST(tunnels_and_null)
{
    underpass_options options;
    underpass_config *config;
    underpass_tunnel *tunnel;
    IS_NULL(underpass_options_init(NULL, sizeof options));
    IS_NULL(underpass_peer_change_init(NULL, sizeof(underpass_peer_change)));
    OK(underpass_options_init(&options, sizeof options));
    OK(underpass_config_parse(NULL, 0, &config));
    /* Without options: the defaults. */
    OK(underpass_tunnel_new(NULL, BEGIN, WALL, &tunnel));
    OK(underpass_tunnel_free(tunnel));
    IS_NULL(underpass_tunnel_new(&options, BEGIN, WALL, NULL));
    REFUSED(UNDERPASS_E_NULL, tunnel, underpass_tunnel_new_from_config(NULL, &options, BEGIN, WALL, &tunnel));
    IS_NULL(underpass_tunnel_new_from_config(config, &options, BEGIN, WALL, NULL));
    OK(underpass_tunnel_free(NULL));
    OK(underpass_config_free(config));
}

TEST(changes_and_null)
{
    scene scene;
    underpass_peer_change change;
    underpass_config *config;
    underpass_uapi_result result;
    uint8_t key[32] = { 1 };
    char text[4];
    size_t len;
    scene_open(&scene);
    change = side_change(&scene.right);
    OK(underpass_config_parse(NULL, 0, &config));
    IS_NULL(underpass_tunnel_configure_peers(NULL, BEGIN, &change, 1, NULL));
    IS_NULL(underpass_tunnel_configure_peers(scene.left.tunnel, BEGIN, NULL, 1, NULL));
    IS_NULL(underpass_tunnel_remove_all_peers(NULL, BEGIN));
    IS_NULL(underpass_tunnel_set_private_key(NULL, BEGIN, key));
    IS_NULL(underpass_tunnel_set_mtu(NULL, BEGIN, 1400));
    IS_NULL(underpass_tunnel_apply_config(NULL, BEGIN, config));
    IS_NULL(underpass_tunnel_apply_config(scene.left.tunnel, BEGIN, NULL));
    REFUSED_STRUCT(UNDERPASS_E_NULL, result, underpass_tunnel_uapi_set(NULL, BEGIN, "", 0, &result));
    REFUSED_STRUCT(UNDERPASS_E_NULL, result, underpass_tunnel_uapi_set(scene.left.tunnel, BEGIN, NULL, 1, &result));
    IS_NULL(underpass_tunnel_uapi_set(scene.left.tunnel, BEGIN, "fwmark=1\n", 9, NULL));
    REFUSED(UNDERPASS_E_NULL, text, underpass_tunnel_uapi_get(NULL, 0, 0, text, sizeof text, &len));
    IS_NULL(underpass_tunnel_uapi_get(scene.left.tunnel, 0, 0, NULL, 4, &len));
    REFUSED(UNDERPASS_E_NULL, text, underpass_tunnel_uapi_get(scene.left.tunnel, 0, 0, text, sizeof text, NULL));
    OK(underpass_config_free(config));
    scene_close(&scene);
}

typedef int32_t (*whole)(underpass_tunnel *, uint64_t, underpass_slot *, size_t);
typedef int32_t (*step)(underpass_tunnel *, uint64_t, underpass_slot *, underpass_job *, size_t);

TEST(batches_and_null)
{
    static const whole wholes[] = { underpass_tunnel_handle_packets, underpass_tunnel_handle_datagrams };
    static const step steps[] = { underpass_tunnel_begin_packets, underpass_tunnel_begin_datagrams, underpass_tunnel_finish_packets,
                                  underpass_tunnel_finish_datagrams };
    scene scene;
    underpass_slot slots[2], before[2];
    underpass_job jobs[2], empty[2];
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    memset(jobs, 0, sizeof jobs);
    memset(empty, 0, sizeof empty);
    slots[0] = packet_slot(1, 2, 100, 0);
    slots[1] = packet_slot(1, 2, 100, 0);
    slots[0].verdict = slots[1].verdict = UNDERPASS_VERDICT_PENDING;
    for (at = 0; at < COUNT(wholes); at++) {
        IS_NULL(wholes[at](NULL, scene.now, slots, 2));
        IS_NULL(wholes[at](scene.left.tunnel, scene.now, NULL, 2));
    }
    for (at = 0; at < COUNT(steps); at++) {
        IS_NULL(steps[at](NULL, scene.now, slots, jobs, 2));
        IS_NULL(steps[at](scene.left.tunnel, scene.now, NULL, jobs, 2));
        IS_NULL(steps[at](scene.left.tunnel, scene.now, slots, NULL, 2));
    }
    IS_NULL(underpass_jobs_crypt(NULL, jobs, 2));
    IS_NULL(underpass_jobs_crypt(slots, NULL, 2));
    IS_NULL(underpass_jobs_discard(NULL, 2));
    /* One buffer is missing: nothing happens to the other slot either. */
    free(slots[1].buf);
    slots[1].buf = NULL;
    memcpy(before, slots, sizeof slots);
    for (at = 0; at < COUNT(wholes); at++) IS_NULL(wholes[at](scene.left.tunnel, scene.now, slots, 2));
    for (at = 0; at < 2; at++) IS_NULL(steps[at](scene.left.tunnel, scene.now, slots, jobs, 2));
    SAME(slots, before, sizeof slots);
    SAME(jobs, empty, sizeof jobs);
    {
        uint8_t packet[100];
        write_packet(packet, 1, 2, 100, 0);
        SAME(slots[0].buf + UNDERPASS_HEADROOM, packet, 100);
    }
    free(slots[0].buf);
    scene_close(&scene);
}

TEST(facts_and_drains_and_null)
{
    scene scene;
    underpass_transmit transmit;
    underpass_event event;
    uint8_t buffer[TRANSMIT_BUFFER];
    uint64_t deadline;
    size_t len;
    scene_open(&scene);
    OK(underpass_tunnel_connect(scene.left.tunnel, scene.now, scene.left.peer));
    IS_NULL(underpass_tunnel_handle_timeout(NULL, BEGIN));
    IS_NULL(underpass_tunnel_handle_network_change(NULL, BEGIN));
    IS_NULL(underpass_tunnel_handle_wall_clock(NULL, BEGIN, WALL));
    REFUSED_STRUCT(UNDERPASS_E_NULL, transmit,
                   underpass_tunnel_poll_transmit(NULL, BEGIN, buffer, sizeof buffer, &transmit));
    REFUSED_STRUCT(UNDERPASS_E_NULL, transmit,
                   underpass_tunnel_poll_transmit(scene.left.tunnel, BEGIN, NULL, sizeof buffer, &transmit));
    REFUSED(UNDERPASS_E_NULL, buffer,
            underpass_tunnel_poll_transmit(scene.left.tunnel, BEGIN, buffer, sizeof buffer, NULL));
    REFUSED_STRUCT(UNDERPASS_E_NULL, event, underpass_tunnel_poll_event(NULL, &event));
    IS_NULL(underpass_tunnel_poll_event(scene.left.tunnel, NULL));
    REFUSED(UNDERPASS_E_NULL, deadline, underpass_tunnel_poll_timeout(NULL, &deadline));
    IS_NULL(underpass_tunnel_poll_timeout(scene.left.tunnel, NULL));
    IS_NULL(underpass_tunnel_poll_transmits(scene.left.tunnel, BEGIN, NULL, 1, &len));
    IS_NULL(underpass_tunnel_poll_transmits(scene.left.tunnel, BEGIN, NULL, 0, NULL));
    REFUSED(UNDERPASS_E_NULL, len, underpass_tunnel_poll_transmits(NULL, BEGIN, NULL, 0, &len));
    /* The initiation is still there. */
    EQ(drain_datagrams(&scene.left, scene.now), 1);
    scene_close(&scene);
}

TEST(commands_and_null)
{
    scene scene;
    underpass_address address = address_of(2);
    underpass_path path = path_of(2);
    uint8_t floor[UNDERPASS_TIMESTAMP_LEN];
    underpass_tunnel *tunnel;
    uint64_t peer;
    scene_open(&scene);
    tunnel = scene.left.tunnel;
    peer = scene.left.peer;
    IS_NULL(underpass_tunnel_set_endpoint(NULL, BEGIN, peer, &address));
    IS_NULL(underpass_tunnel_set_endpoint(tunnel, BEGIN, peer, NULL));
    IS_NULL(underpass_tunnel_connect(NULL, BEGIN, peer));
    IS_NULL(underpass_tunnel_handle_send_error(NULL, peer, &path, 0, UNDERPASS_SEND_ERROR_NO_SOURCE));
    IS_NULL(underpass_tunnel_handle_send_error(tunnel, peer, NULL, 0, UNDERPASS_SEND_ERROR_NO_SOURCE));
    IS_NULL(underpass_tunnel_end_sessions(NULL, BEGIN, peer));
    IS_NULL(underpass_tunnel_set_refused(NULL, BEGIN, peer, 1));
    IS_NULL(underpass_tunnel_set_padding(NULL, BEGIN, 16));
    IS_NULL(underpass_tunnel_set_limits(NULL, BEGIN, NULL));
    IS_NULL(underpass_tunnel_set_limits(tunnel, BEGIN, NULL));
    IS_NULL(underpass_tunnel_layout(tunnel, NULL));
    IS_NULL(underpass_tunnel_datagram_len(tunnel, 1, NULL));
    IS_NULL(underpass_tunnel_reset_peer_timestamp(NULL, peer));
    REFUSED(UNDERPASS_E_NULL, floor, underpass_tunnel_timestamp_floor(NULL, floor));
    IS_NULL(underpass_tunnel_timestamp_floor(tunnel, NULL));
    REFUSED(UNDERPASS_E_NULL, peer, underpass_tunnel_peer_by_key(NULL, scene.right.public_key, &peer));
    REFUSED(UNDERPASS_E_NULL, peer, underpass_tunnel_peer_by_key(tunnel, NULL, &peer));
    IS_NULL(underpass_tunnel_peer_by_key(tunnel, scene.right.public_key, NULL));
    scene_close(&scene);
}

TEST(questions_and_null)
{
    scene scene;
    underpass_tunnel *tunnel;
    underpass_peer_info info;
    underpass_stats stats;
    underpass_ip ips[4];
    uint64_t counts[UNDERPASS_DROP_REASONS], peers[4], peer;
    uint8_t key[32];
    uint32_t mtu;
    uint16_t port;
    char host[32];
    size_t len;
    scene_open(&scene);
    tunnel = scene.left.tunnel;
    peer = scene.left.peer;
    REFUSED(UNDERPASS_E_NULL, peers, underpass_tunnel_peers(NULL, peers, 4, &len));
    IS_NULL(underpass_tunnel_peers(tunnel, NULL, 4, &len));
    REFUSED(UNDERPASS_E_NULL, peers, underpass_tunnel_peers(tunnel, peers, 4, NULL));
    REFUSED_STRUCT(UNDERPASS_E_NULL, info, underpass_tunnel_peer(NULL, BEGIN, peer, &info));
    IS_NULL(underpass_tunnel_peer(tunnel, BEGIN, peer, NULL));
    REFUSED(UNDERPASS_E_NULL, ips, underpass_tunnel_peer_allowed_ips(NULL, peer, ips, 4, &len));
    IS_NULL(underpass_tunnel_peer_allowed_ips(tunnel, peer, NULL, 4, &len));
    REFUSED(UNDERPASS_E_NULL, ips, underpass_tunnel_peer_allowed_ips(tunnel, peer, ips, 4, NULL));
    REFUSED(UNDERPASS_E_NULL, counts, underpass_tunnel_peer_drops(NULL, peer, counts, COUNT(counts), &len));
    IS_NULL(underpass_tunnel_peer_drops(tunnel, peer, NULL, COUNT(counts), &len));
    REFUSED(UNDERPASS_E_NULL, counts, underpass_tunnel_peer_drops(tunnel, peer, counts, COUNT(counts), NULL));
    REFUSED(UNDERPASS_E_NULL, counts, underpass_tunnel_drops(NULL, counts, COUNT(counts), &len));
    IS_NULL(underpass_tunnel_drops(tunnel, NULL, COUNT(counts), &len));
    REFUSED(UNDERPASS_E_NULL, counts, underpass_tunnel_drops(tunnel, counts, COUNT(counts), NULL));
    REFUSED(UNDERPASS_E_NULL, host, underpass_tunnel_peer_endpoint_name(NULL, peer, host, sizeof host, &len, &port));
    IS_NULL(underpass_tunnel_peer_endpoint_name(tunnel, peer, NULL, sizeof host, &len, &port));
    REFUSED(UNDERPASS_E_NULL, host, underpass_tunnel_peer_endpoint_name(tunnel, peer, host, sizeof host, NULL, &port));
    REFUSED(UNDERPASS_E_NULL, host, underpass_tunnel_peer_endpoint_name(tunnel, peer, host, sizeof host, &len, NULL));
    REFUSED_STRUCT(UNDERPASS_E_NULL, stats, underpass_tunnel_stats(NULL, &stats));
    IS_NULL(underpass_tunnel_stats(tunnel, NULL));
    REFUSED(UNDERPASS_E_NULL, key, underpass_tunnel_public_key(NULL, key));
    IS_NULL(underpass_tunnel_public_key(tunnel, NULL));
    REFUSED(UNDERPASS_E_NULL, mtu, underpass_tunnel_mtu(NULL, &mtu));
    IS_NULL(underpass_tunnel_mtu(tunnel, NULL));
    IS_NULL(underpass_tunnel_user(NULL, counts));
    IS_NULL(underpass_tunnel_user(tunnel, NULL));
    scene_close(&scene);
}

const check_test nulls_tests[] = {
    ENTRY(keys_and_null),     ENTRY(configurations_and_null),   ENTRY(tunnels_and_null),
    ENTRY(changes_and_null),  ENTRY(batches_and_null),          ENTRY(facts_and_drains_and_null),
    ENTRY(commands_and_null), ENTRY(questions_and_null),        LAST_ENTRY,
};
