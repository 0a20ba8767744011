/* Two tunnels in one process, without network, interface or root: the first thing to compile.
 *     cc -std=c99 loopback.c $(pkg-config --cflags --libs underpass) -o loopback && ./loopback */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <underpass.h>

/* Side 0 is 10.0.0.0 inside and 192.0.2.0 outside, side 1 is 10.0.0.1 and 192.0.2.1. Time stands still. */
static const char *const name[2] = {"left", "right"};
static const uint64_t now = 1000000000u, wall = 1800000000000000000u;
static underpass_tunnel *tunnel[2];
static int delivered;

static void must(int32_t status) {
    if (status >= 0) return;
    fprintf(stderr, "loopback: %s\n", underpass_strerror(status));
    exit(1);
}

static void make_tunnel(int side, const uint8_t *private_key, const uint8_t *peer_public_key) {
    char own[UNDERPASS_BASE64_LEN], peer[UNDERPASS_BASE64_LEN], text[256];
    underpass_config *config;
    must(underpass_key_to_base64(private_key, own, sizeof own));
    must(underpass_key_to_base64(peer_public_key, peer, sizeof peer));
    sprintf(text, "[Interface]\nPrivateKey = %s\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.0.0.%d\n"
            "Endpoint = 192.0.2.%d:7\n", own, peer, !side, !side);
    must(underpass_config_parse(text, strlen(text), &config));
    must(underpass_tunnel_new_from_config(config, NULL, now, wall, &tunnel[side]));
    must(underpass_config_free(config));
    underpass_wipe(text, sizeof text);
    underpass_wipe(own, sizeof own);
}

/* The network: a datagram of the other side arrives at `side`. It is opened where it lies. */
static void arrive(int side, uint8_t *datagram, uint32_t len) {
    underpass_slot slot = {.buf = datagram, .cap = len, .len = len};
    slot.path.remote = (underpass_address){.family = UNDERPASS_FAMILY_IPV4, .port = 7, .ip = {192, 0, 2, !side}};
    must(underpass_tunnel_handle_datagrams(tunnel[side], now, &slot, 1));
    printf("%s received a datagram of %u bytes\n", name[side], (unsigned)len);
    if (slot.verdict != UNDERPASS_VERDICT_DELIVER) return;
    printf("%s delivers a packet: %.*s\n", name[side], (int)slot.len - 20, (char *)slot.buf + slot.start + 20);
    delivered++;
}

/* Sends what the tunnel sends by itself: handshakes, and packets that waited for one. */
static int drain(int side) {
    uint8_t datagram[UNDERPASS_HEADROOM + 1420 + UNDERPASS_TAILROOM];
    underpass_transmit transmit = {.size = sizeof transmit};
    int count = 0;
    for (; underpass_tunnel_poll_transmit(tunnel[side], now, datagram, sizeof datagram, &transmit) == UNDERPASS_OK; count++)
        arrive(!side, datagram, transmit.len);
    return count;
}

/* The interface of `side` gave a packet: IPv4, a protocol for experiments. It is sealed where it lies. */
static void depart(int side, const char *text) {
    uint8_t buf[256] = {0}, *packet = buf + UNDERPASS_HEADROOM, len = (uint8_t)(20 + strlen(text));
    uint8_t header[20] = {0x45, [3] = len, [8] = 64, [9] = 253, [12] = 10, [15] = !!side, [16] = 10, [19] = !side};
    underpass_slot slot = {.buf = buf, .cap = sizeof buf, .start = UNDERPASS_HEADROOM, .len = len};
    memcpy(packet, header, sizeof header);
    memcpy(packet + sizeof header, text, strlen(text));
    must(underpass_tunnel_handle_packets(tunnel[side], now, &slot, 1));
    if (slot.verdict == UNDERPASS_VERDICT_STAGED) printf("%s keeps a packet until there is a session\n", name[side]);
    if (slot.verdict == UNDERPASS_VERDICT_SEND) arrive(!side, slot.buf + slot.start, slot.len);
    while (drain(0) + drain(1) > 0) {}
}

int main(void) {
    uint8_t private_key[2][UNDERPASS_KEY_LEN], public_key[2][UNDERPASS_KEY_LEN];
    printf("underpass %s, %s backend\n", underpass_version_string(), underpass_backend());
    for (int side = 0; side < 2; side++) {
        must(underpass_private_key_generate(private_key[side]));
        must(underpass_public_key(private_key[side], public_key[side]));
    }
    for (int side = 0; side < 2; side++) make_tunnel(side, private_key[side], public_key[!side]);
    underpass_wipe(private_key, sizeof private_key);
    depart(0, "hello");
    depart(1, "hello yourself");
    for (int side = 0; side < 2; side++) must(underpass_tunnel_free(tunnel[side]));
    return delivered == 2 ? 0 : 1;
}
