/* How much memory the library takes on a device with 32 MB, with the options that docs/c-guide.md gives: a gateway with 64 peers
 * lives through a day of a router, and what it holds is printed, a line `WHAT<tab>BYTES` for each row of the table there.
 * tests/c/budget.sh compares. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "others.h"

#define SECOND UINT64_C(1000000000)
enum { BATCH = 64, STRANGERS = 10000, PACKETS = 6400, WITHOUT_SESSION = 8, TEXT = 64 << 10 };

/* What a host has beside the library: a slab with places as in router.c, and slots. */
static uint8_t slab[BATCH][ROOM];
static underpass_slot slots[BATCH];
static underpass_tunnel *tunnel;
static uint8_t our_key[32], keys[OTHERS][32];
static uint64_t now = 1000 * SECOND;
static char text[TEXT + 256];

static void row(const char *what, size_t bytes)
{
    printf("%s\t%lu\n", what, (unsigned long)bytes);
}

static void check(int line, int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "budget: not so, at line %d: %s\n", line, what);
    exit(1);
}
#define CHECK(condition) check(__LINE__, (condition) ? 1 : 0, #condition)

static underpass_stats stats_of(void)
{
    underpass_stats stats = { .size = sizeof stats };
    MUST(underpass_tunnel_stats(tunnel, &stats));
    return stats;
}

/* The options of the guide. */
static underpass_options wanted(void)
{
    underpass_options options;
    MUST(underpass_options_init(&options, sizeof options));
#include "options.inc"
    return options;
}

/* Adds the peers from one number up to another. */
static void add_peers(unsigned from, unsigned to)
{
    for (; from < to; from++) {
        underpass_peer_change change;
        underpass_allowed_ip network;
        memset(&network, 0, sizeof network);
        network.network = inside(from);
        MUST(underpass_peer_change_init(&change, sizeof change));
        memcpy(change.public_key, keys[from], 32);
        change.flags = UNDERPASS_PEER_HAS_ENDPOINT;
        change.endpoint = outside(from);
        change.allowed_ips = &network;
        change.allowed_ips_len = 1;
        MUST(underpass_tunnel_configure_peers(tunnel, now, &change, 1, NULL));
    }
}

/* Hands over the datagrams in the first slots, each from the address of a number. */
static void handle(const size_t *lens, const unsigned *from, size_t count)
{
    size_t at;
    for (at = 0; at < count; at++) {
        memset(&slots[at], 0, sizeof slots[at]);
        slots[at].buf = slab[at];
        slots[at].cap = ROOM;
        slots[at].len = (uint32_t)lens[at];
        slots[at].path.remote = outside(from[at]);
    }
    MUST(underpass_tunnel_handle_datagrams(tunnel, now, slots, count));
}

static void handle_one(size_t len, unsigned from)
{
    handle(&len, &from, 1);
}

/* The next datagram that the tunnel wants to send, into the first place; 0: none. */
static size_t next_datagram(void)
{
    underpass_transmit transmit = { .size = sizeof transmit };
    underpass_event event = { .size = sizeof event };
    int32_t status = underpass_tunnel_poll_transmit(tunnel, now, slab[0], ROOM, &transmit);
    MUST(status);
    while (underpass_tunnel_poll_event(tunnel, &event) == UNDERPASS_OK) {
    }
    return status == UNDERPASS_OK ? transmit.len : 0;
}

/* The next that is a response. */
static size_t next_response(void)
{
    size_t len;
    while ((len = next_datagram()) > 0 && len != 92) {
    }
    CHECK(len == 92);
    return len;
}

/* Each peer begins a handshake, and all of them end well. */
static void shake_all(void)
{
    uint64_t before = stats_of().handshakes;
    unsigned number;
    size_t len;
    for (number = 0; number < OTHERS; number++) {
        len = others_do(CONNECT, number, now, slab[0], 0);
        /* A session that is to be renewed is so when it is used; a keepalive may be due before. */
        if (len != 148) others_do(SEAL, number, now, slab[0], 100);
        while (len != 148 && (len = others_do(WAKE, number, now, slab[0], 0)) > 0) {
        }
        CHECK(len == 148);
        handle_one(len, number);
        len = next_response();
        len = others_do(TAKE, number, now, slab[0], len);
        CHECK(len > 0);
        handle_one(len, number);
        while (next_datagram() > 0) {
        }
    }
    CHECK(stats_of().handshakes == before + OTHERS);
}

/* The slots get packets of ours, of 1420 bytes, for the peers from `first` on. */
static void fill_packets(size_t first)
{
    size_t at;
    for (at = 0; at < BATCH; at++) {
        memset(&slots[at], 0, sizeof slots[at]);
        slots[at].buf = slab[at];
        slots[at].cap = ROOM;
        slots[at].start = UNDERPASS_HEADROOM;
        slots[at].len = 1420;
        write_packet(slab[at] + slots[at].start, OTHERS, (unsigned)((first + at) % OTHERS), 1420);
    }
    MUST(underpass_tunnel_handle_packets(tunnel, now, slots, BATCH));
}

/* Packets both ways, in batches. */
static void carry(void)
{
    size_t done, at, lens[BATCH];
    unsigned from[BATCH];
    for (done = 0; done < PACKETS; done += BATCH) {
        fill_packets(done);
        for (at = 0; at < BATCH; at++) CHECK(slots[at].verdict == UNDERPASS_VERDICT_SEND);
        for (at = 0; at < BATCH; at++) lens[at] = others_do(SEAL, from[at] = (unsigned)at, now, slab[at], 1420);
        handle(lens, from, BATCH);
        for (at = 0; at < BATCH; at++) CHECK(slots[at].verdict == UNDERPASS_VERDICT_DELIVER);
    }
}

/* A few peers lose their sessions, and get more packets than the tunnel keeps; the others keep theirs. */
static void stage(const underpass_options *options)
{
    size_t round;
    unsigned number;
    for (number = 0; number < WITHOUT_SESSION; number++) {
        uint64_t peer;
        MUST(underpass_tunnel_peer_by_key(tunnel, keys[number], &peer));
        MUST(underpass_tunnel_end_sessions(tunnel, now, peer));
    }
    for (round = 0; round < 2 * options->staged_packets_per_peer; round++) fill_packets(0);
    CHECK(stats_of().staged_bytes <= options->staged_bytes);
    CHECK(stats_of().staged_bytes > options->staged_bytes - 1420);
}

/* The same initiation from many addresses: what it costs is asked back as a cookie. */
static void flood(const uint8_t *initiation)
{
    size_t done, at;
    for (done = 0; done < STRANGERS; done += BATCH) {
        for (at = 0; at < BATCH; at++) {
            memcpy(slab[at], initiation, 148);
            memset(&slots[at], 0, sizeof slots[at]);
            slots[at].buf = slab[at];
            slots[at].cap = ROOM;
            slots[at].len = 148;
            slots[at].path.remote = outside(0);
            slots[at].path.remote.ip[1] = (uint8_t)(64 + (done + at) / 256);
            slots[at].path.remote.ip[2] = (uint8_t)(done + at);
        }
        MUST(underpass_tunnel_handle_datagrams(tunnel, now, slots, BATCH));
    }
    while (next_datagram() > 0) {
    }
}

/* Under the flood, a peer that answers its cookie gets in: then both tables of sources are there. */
static void flood_and_let_in(void)
{
    uint8_t initiation[148], proven[148];
    uint64_t before = stats_of().handshakes, cookies;
    size_t len, base = heap_live;
    others_do(RESTART, 0, now, slab[0], 0);
    len = others_do(CONNECT, 0, now, slab[0], 0);
    CHECK(len == 148);
    memcpy(initiation, slab[0], 148);
    flood(initiation);
    memcpy(slab[0], initiation, 148);
    handle_one(148, 0);
    CHECK(slots[0].verdict == UNDERPASS_VERDICT_REPLY);
    others_do(TAKE, 0, now, slab[0] + slots[0].start, slots[0].len);
    cookies = stats_of().cookie_replies;
    CHECK(cookies > STRANGERS / 2);
    now += 6 * SECOND;
    CHECK(others_do(WAKE, 0, now, slab[1], 0) == 148);
    memcpy(proven, slab[1], 148);
    flood(initiation);
    CHECK(stats_of().cookie_replies > cookies + STRANGERS / 2);
    memcpy(slab[0], proven, 148);
    handle_one(148, 0);
    row("more while initiations come from 10000 addresses, and a cookie is answered", heap_live - base);
    len = next_response();
    len = others_do(TAKE, 0, now, slab[0], len);
    handle_one(len, 0);
    CHECK(stats_of().handshakes == before + 1);
    while (next_datagram() > 0) {
    }
}

/* A text with all peers, each with four networks and the name of its endpoint. */
static size_t write_configuration(void)
{
    char *end = text, key[64];
    uint8_t private_key[32];
    unsigned at;
    our_private_key(private_key);
    MUST(underpass_key_to_base64(private_key, key, sizeof key));
    end += sprintf(end, "[Interface]\nPrivateKey = %s\nAddress = 10.0.64.1/16\nListenPort = 51820\n", key);
    for (at = 0; at < OTHERS; at++) {
        MUST(underpass_key_to_base64(keys[at], key, sizeof key));
        end += sprintf(end, "\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.0.%u.0/24, 10.1.%u.0/24, fd00:%x::/32, 2001:db8:%x::/48\n", key, at,
                       at, at + 1, at + 1);
        end += sprintf(end, "Endpoint = peer-%u.example.com:51820\nPersistentKeepalive = 25\n", at);
    }
    return (size_t)(end - text);
}

static void configurations(const underpass_options *options)
{
    size_t base = heap_live, len = write_configuration();
    underpass_config *config;
    heap_peak = heap_live;
    MUST(underpass_config_parse(text, len, &config));
    row("configuration text of 64 peers, while it is read", heap_peak - base);
    row("that text, until it is released", heap_live - base);
    heap_peak = heap_live;
    MUST(underpass_tunnel_new_from_config(config, options, now, now, &tunnel));
    row("that text and the tunnel, while one is made from the other", heap_peak - base);
    MUST(underpass_tunnel_free(tunnel));
    MUST(underpass_config_free(config));
    CHECK(heap_live == base);
    for (len = 0; len < TEXT;) len += (size_t)sprintf(text + len, "Nobody%lu = [::\n", (unsigned long)len);
    heap_peak = heap_live;
    MUST(underpass_config_parse(text, len, &config));
    row("64 KiB of text with a mistake in each line, while it is read", heap_peak - base);
    MUST(underpass_config_free(config));
    CHECK(heap_live == base);
}

/* What the system says of this process. */
static size_t status_of(const char *name)
{
    static char said[8192];
    int file = open("/proc/self/status", O_RDONLY);
    ssize_t len = read(file, said, sizeof said - 1);
    char *found;
    close(file);
    CHECK(len > 0);
    said[len] = 0;
    CHECK((found = strstr(said, name)) != NULL);
    return strtoul(found + strlen(name), NULL, 10);
}

static void tunnel_through_a_day(const underpass_options *options)
{
    size_t base, calls;
    /* The C library takes some bytes of its own when it is first asked for randomness. */
    MUST(underpass_tunnel_new(options, now, now, &tunnel));
    MUST(underpass_tunnel_free(tunnel));
    base = heap_live;
    MUST(underpass_tunnel_new(options, now, now, &tunnel));
    row("tunnel without peers", heap_live - base);
    add_peers(0, 1);
    row("with 1 peer at rest", heap_live - base);
    add_peers(1, 16);
    row("with 16 peers at rest", heap_live - base);
    add_peers(16, OTHERS);
    row("with 64 peers at rest", heap_live - base);
    heap_peak = heap_live;
    shake_all();
    row("with 64 peers, each with a session", heap_live - base);
    calls = heap_calls;
    carry();
    row("blocks taken while 6400 packets pass each way", heap_calls - calls);
    now += 121 * SECOND;
    MUST(underpass_tunnel_handle_timeout(tunnel, now));
    shake_all();
    row("with 64 peers, each with a session and the one before it", heap_live - base);
    stage(options);
    row("blocks of memory in the next row", heap_blocks);
    row("the same for 56 of them, and for 8 as many staged packets as the tunnel keeps", heap_live - base);
    flood_and_let_in();
    row("at most in all of this", heap_peak - base);
        MUST(underpass_tunnel_free(tunnel));
    CHECK(heap_live == base);
}

int main(void)
{
    static char buffer[4096];
    underpass_options options;
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    others_begin(our_key, keys);
    options = wanted();
    options.flags |= UNDERPASS_OPTION_PRIVATE_KEY;
    our_private_key(options.private_key);
    tunnel_through_a_day(&options);
    configurations(&options);
    row("threads", status_of("Threads:"));
    row("resident memory of this whole program at its most, in KiB", status_of("VmHWM:"));
    others_end();
    return 0;
}
