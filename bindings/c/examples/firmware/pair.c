#include "pair.h"

/* Side 0 is 10.0.0.0 inside and 192.0.2.0 outside, side 1 is 10.0.0.1 and 192.0.2.1. */
#define PLACE (UNDERPASS_HEADROOM + MTU + UNDERPASS_TAILROOM)

uint64_t now = 1000000000u;
pair_counts counts;
underpass_tunnel *tunnel[2];

static uint8_t private_key[2][UNDERPASS_KEY_LEN], public_key[2][UNDERPASS_KEY_LEN];
/* The memory of a batch, and one buffer for what a tunnel sends by itself. */
static uint8_t places[BATCH][PLACE], transmit_buffer[PLACE];
static underpass_slot packets[BATCH], datagrams[BATCH];
static const uint64_t wall = 1800000000000000000u;
static const underpass_slot no_slot;

int32_t pair_keys(void) {
    for (int side = 0; side < 2; side++) {
        int32_t status = underpass_private_key_generate(private_key[side]);
        if (status == UNDERPASS_OK) status = underpass_public_key(private_key[side], public_key[side]);
        if (status != UNDERPASS_OK) return status;
    }
    return UNDERPASS_OK;
}

int32_t pair_tunnel(int side) {
    underpass_allowed_ip inside = {.network = {.family = UNDERPASS_FAMILY_IPV4, .prefix = 32, .bytes = {10}}};
    underpass_options options;
    underpass_peer_change peer;
    int32_t status = underpass_options_init(&options, sizeof options);
    if (status != UNDERPASS_OK) return status;
    options.flags = UNDERPASS_OPTION_PRIVATE_KEY;
    options.mtu = MTU;
    options.max_peers = 4;
    options.staged_packets_per_peer = BATCH;
    options.staged_bytes_per_peer = options.staged_bytes = 4096;
    options.handshakes_per_second = options.verified_handshakes_per_second = 8; /* What the CPU manages beside its work. */
    for (uint32_t i = 0; i < UNDERPASS_KEY_LEN; i++) options.private_key[i] = private_key[side][i];
    status = underpass_tunnel_new(&options, now, wall, &tunnel[side]);
    underpass_wipe(options.private_key, sizeof options.private_key);
    if (status == UNDERPASS_OK) status = underpass_peer_change_init(&peer, sizeof peer);
    if (status != UNDERPASS_OK) return status;
    for (uint32_t i = 0; i < UNDERPASS_KEY_LEN; i++) peer.public_key[i] = public_key[!side][i];
    peer.flags = UNDERPASS_PEER_HAS_ENDPOINT;
    peer.endpoint = (underpass_address){.family = UNDERPASS_FAMILY_IPV4, .port = 7, .ip = {192, 0, 2, !side}};
    inside.network.bytes[3] = !side;
    peer.allowed_ips = &inside;
    peer.allowed_ips_len = 1;
    return underpass_tunnel_configure_peers(tunnel[side], now, &peer, 1, NULL);
}

void pair_free(void) {
    for (int side = 0; side < 2; side++) {
        (void)underpass_tunnel_free(tunnel[side]);
        tunnel[side] = NULL;
    }
}

/* A packet of the side: IPv4, a protocol for experiments, and a text that both sides know. */
static uint8_t text_of(uint32_t at) {
    return (uint8_t)(at * 7 + 3);
}

static void write_packet(int side, uint8_t *packet, uint32_t len) {
    const uint8_t header[20] = {0x45, [2] = (uint8_t)(len >> 8), [3] = (uint8_t)len, [8] = 64, [9] = 253,
                                [12] = 10, [15] = !!side, [16] = 10, [19] = !side};
    for (uint32_t i = 0; i < len; i++) packet[i] = i < 20 ? header[i] : text_of(i);
}

static void read_packet(const uint8_t *packet, uint32_t len) {
    int same = len >= 20 && len == (uint32_t)(packet[2] << 8 | packet[3]);
    for (uint32_t i = 20; same && i < len; i++) same = packet[i] == text_of(i);
    counts.delivered += !!same;
    counts.damaged += !same;
}

static void dropped(const underpass_slot *slot) {
    counts.dropped++;
    counts.no_memory += slot->reason == UNDERPASS_DROP_NO_MEMORY;
}

/* The network gives datagrams to a side. They are opened where they lie. */
static int32_t arrive(int side, uint32_t count) {
    int32_t status = underpass_tunnel_handle_datagrams(tunnel[side], now, datagrams, count);
    if (status < 0) return status;
    for (uint32_t i = 0; i < count; i++) {
        const underpass_slot *slot = &datagrams[i];
        if (slot->verdict == UNDERPASS_VERDICT_DELIVER) read_packet(slot->buf + slot->start, slot->len);
        if (slot->verdict == UNDERPASS_VERDICT_DROPPED) dropped(slot);
    }
    return UNDERPASS_OK;
}

static underpass_slot datagram_for(int side, uint8_t *at, uint32_t len) {
    underpass_slot slot = no_slot;
    slot.buf = at, slot.cap = len, slot.len = len;
    slot.path.remote = (underpass_address){.family = UNDERPASS_FAMILY_IPV4, .port = 7, .ip = {192, 0, 2, !side}};
    return slot;
}

int32_t pair_packets(int side, uint32_t count, uint32_t len) {
    uint32_t leaving = 0;
    int32_t status;
    for (uint32_t i = 0; i < count; i++) {
        packets[i] = no_slot;
        packets[i].buf = places[i], packets[i].cap = PLACE, packets[i].start = UNDERPASS_HEADROOM, packets[i].len = len;
        write_packet(side, places[i] + UNDERPASS_HEADROOM, len);
    }
    status = underpass_tunnel_handle_packets(tunnel[side], now, packets, count);
    if (status < 0) return status;
    for (uint32_t i = 0; i < count; i++) {
        const underpass_slot *slot = &packets[i];
        if (slot->verdict == UNDERPASS_VERDICT_STAGED) counts.staged++;
        if (slot->verdict == UNDERPASS_VERDICT_DROPPED) dropped(slot);
        if (slot->verdict != UNDERPASS_VERDICT_SEND) continue;
        counts.sealed++;
        datagrams[leaving++] = datagram_for(!side, slot->buf + slot->start, slot->len);
    }
    return leaving > 0 ? arrive(!side, leaving) : UNDERPASS_OK;
}

/* What one side sends by itself: handshakes, keepalives, and packets that waited. */
static int32_t drain(int side, uint32_t *sent) {
    underpass_transmit transmit = {.size = sizeof transmit};
    underpass_event event = {.size = sizeof event};
    int32_t status;
    while ((status = underpass_tunnel_poll_transmit(tunnel[side], now, transmit_buffer, sizeof transmit_buffer, &transmit)) == UNDERPASS_OK) {
        datagrams[0] = datagram_for(!side, transmit_buffer, transmit.len);
        status = arrive(!side, 1);
        if (status < 0) return status;
        ++*sent;
    }
    if (status < 0) return status;
    while ((status = underpass_tunnel_poll_event(tunnel[side], &event)) == UNDERPASS_OK) {}
    return status < 0 ? status : UNDERPASS_OK;
}

int32_t pair_drain(void) {
    uint32_t sent;
    do {
        sent = 0;
        for (int side = 0; side < 2; side++) {
            int32_t status = drain(side, &sent);
            if (status != UNDERPASS_OK) return status;
        }
    } while (sent > 0);
    return UNDERPASS_OK;
}

uint64_t pair_deadline(void) {
    uint64_t earliest = UNDERPASS_NEVER, deadline;
    for (int side = 0; side < 2; side++) {
        if (underpass_tunnel_poll_timeout(tunnel[side], &deadline) == UNDERPASS_OK && deadline < earliest) earliest = deadline;
    }
    return earliest;
}

int32_t pair_timeout(void) {
    for (int side = 0; side < 2; side++) {
        int32_t status = underpass_tunnel_handle_timeout(tunnel[side], now);
        if (status < 0) return status;
    }
    return pair_drain();
}

uint32_t pair_handshakes(int side) {
    underpass_stats stats = {.size = sizeof stats};
    return underpass_tunnel_stats(tunnel[side], &stats) == UNDERPASS_OK ? (uint32_t)stats.handshakes : 0;
}
