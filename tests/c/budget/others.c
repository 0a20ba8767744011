#include "others.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct order {
    uint64_t now;
    uint32_t verb, number, len;
    uint8_t bytes[ROOM];
} order;

static int line = -1;

void must(int32_t status, const char *what)
{
    if (status >= 0) return;
    fprintf(stderr, "budget: %s: %s\n", what, underpass_strerror(status));
    exit(1);
}

void our_private_key(uint8_t *key)
{
    memset(key, 0x47, 32);
}

static void private_key_of(unsigned number, uint8_t *key)
{
    memset(key, 0x11, 32);
    key[7] = (uint8_t)number;
}

underpass_address outside(unsigned number)
{
    underpass_address address;
    memset(&address, 0, sizeof address);
    address.family = UNDERPASS_FAMILY_IPV4;
    address.port = 51820;
    address.ip[0] = 198;
    address.ip[1] = 18;
    address.ip[3] = (uint8_t)(number + 1);
    return address;
}

underpass_ip inside(unsigned number)
{
    underpass_ip network;
    memset(&network, 0, sizeof network);
    network.family = UNDERPASS_FAMILY_IPV4;
    network.prefix = 24;
    network.bytes[0] = 10;
    network.bytes[2] = (uint8_t)number;
    return network;
}

/* The checksum of the header is left out: the library does not look at it. */
void write_packet(uint8_t *packet, unsigned from, unsigned to, size_t len)
{
    memset(packet, 0, len);
    packet[0] = 0x45;
    packet[2] = (uint8_t)(len >> 8);
    packet[3] = (uint8_t)len;
    packet[8] = 64;
    packet[9] = 17;
    packet[12] = packet[16] = 10;
    packet[14] = (uint8_t)from;
    packet[18] = (uint8_t)to;
    packet[15] = packet[19] = 1;
}

static underpass_tunnel *make_other(unsigned number, const uint8_t *our_key, uint64_t now)
{
    underpass_tunnel *tunnel;
    underpass_options options;
    underpass_peer_change change;
    underpass_allowed_ip all;
    MUST(underpass_options_init(&options, sizeof options));
    options.flags |= UNDERPASS_OPTION_PRIVATE_KEY;
    private_key_of(number, options.private_key);
    MUST(underpass_tunnel_new(&options, now, now, &tunnel));
    MUST(underpass_peer_change_init(&change, sizeof change));
    memset(&all, 0, sizeof all);
    all.network.family = UNDERPASS_FAMILY_IPV4;
    memcpy(change.public_key, our_key, 32);
    change.flags = UNDERPASS_PEER_HAS_ENDPOINT;
    change.endpoint = outside(OTHERS);
    change.allowed_ips = &all;
    change.allowed_ips_len = 1;
    MUST(underpass_tunnel_configure_peers(tunnel, now, &change, 1, NULL));
    return tunnel;
}

static underpass_path to_us(void)
{
    underpass_path path;
    memset(&path, 0, sizeof path);
    path.remote = outside(OTHERS);
    return path;
}

/* Does as it was told; what is to be sent stays in the order. */
static void obey(underpass_tunnel *tunnel, const uint8_t *our_key, order *told)
{
    underpass_transmit transmit = { .size = sizeof transmit };
    underpass_event event = { .size = sizeof event };
    underpass_slot slot;
    uint64_t peer;
    uint8_t packet[ROOM];
    memset(&slot, 0, sizeof slot);
    slot.buf = packet;
    slot.cap = sizeof packet;
    slot.len = told->len;
    if (told->verb == SEAL) {
        slot.start = UNDERPASS_HEADROOM;
        write_packet(packet + slot.start, told->number, OTHERS, told->len);
        MUST(underpass_tunnel_handle_packets(tunnel, told->now, &slot, 1));
        told->len = slot.verdict == UNDERPASS_VERDICT_SEND ? slot.len : 0;
        memcpy(told->bytes, packet + slot.start, told->len);
        return;
    }
    if (told->verb == CONNECT) {
        MUST(underpass_tunnel_peer_by_key(tunnel, our_key, &peer));
        MUST(underpass_tunnel_connect(tunnel, told->now, peer));
    } else if (told->verb == TAKE) {
        memcpy(packet, told->bytes, told->len);
        slot.path = to_us();
        MUST(underpass_tunnel_handle_datagrams(tunnel, told->now, &slot, 1));
    } else {
        MUST(underpass_tunnel_handle_timeout(tunnel, told->now));
    }
    while (underpass_tunnel_poll_event(tunnel, &event) == UNDERPASS_OK) {
    }
    told->len = underpass_tunnel_poll_transmit(tunnel, told->now, told->bytes, ROOM, &transmit) == UNDERPASS_OK ? transmit.len : 0;
}

static void serve(int our_end, const uint8_t *our_key)
{
    underpass_tunnel *tunnels[OTHERS] = { NULL };
    static order told;
    while (read(our_end, &told, sizeof told) == (ssize_t)sizeof told) {
        underpass_tunnel **tunnel = &tunnels[told.number];
        if (*tunnel != NULL && told.verb == RESTART) MUST(underpass_tunnel_free(*tunnel)), *tunnel = NULL;
        if (*tunnel == NULL) *tunnel = make_other(told.number, our_key, told.now);
        obey(*tunnel, our_key, &told);
        if (write(our_end, &told, sizeof told) != (ssize_t)sizeof told) exit(1);
    }
    exit(0);
}

void others_begin(uint8_t *our_key, uint8_t keys[OTHERS][32])
{
    uint8_t private_key[32];
    unsigned at;
    int ends[2];
    our_private_key(private_key);
    MUST(underpass_public_key(private_key, our_key));
    for (at = 0; at < OTHERS; at++) {
        private_key_of(at, private_key);
        MUST(underpass_public_key(private_key, keys[at]));
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) exit(1);
    switch (fork()) {
    case -1: exit(1);
    case 0: close(ends[0]), serve(ends[1], our_key); break;
    default: close(ends[1]), line = ends[0];
    }
}

size_t others_do(enum verb verb, unsigned number, uint64_t now, uint8_t *datagram, size_t len)
{
    static order told;
    told.now = now;
    told.verb = (uint32_t)verb;
    told.number = number;
    told.len = (uint32_t)len;
    if (verb == TAKE) memcpy(told.bytes, datagram, len);
    if (write(line, &told, sizeof told) != (ssize_t)sizeof told || read(line, &told, sizeof told) != (ssize_t)sizeof told) {
        fprintf(stderr, "budget: the other ends are gone\n");
        exit(1);
    }
    memcpy(datagram, told.bytes, told.len);
    return told.len;
}

void others_end(void)
{
    close(line);
}
