/* What goes wrong on a device, one case in each run: on the board of bindings/c/examples/firmware, with its allocator. The
 * file `case` names the case by a letter. Built with the library's feature `provoke`, whose entries fail on purpose. */
#include "board.h"
#include "host.h"
#include "pair.h"

extern int32_t underpass_provoke_panic(underpass_tunnel *tunnel);
extern int32_t underpass_provoke_panic_with(uint32_t value);
extern int32_t underpass_provoke_busy(underpass_tunnel *tunnel, void (*call)(void *), void *user);

#define EXPECT(condition) expect(condition, __LINE__, #condition)

static void expect(int holds, uint32_t line, const char *condition) {
    if (holds) return;
    say("line ");
    say_number(line);
    say(": ");
    say(condition);
    say("\n");
    end(1);
}

static const uint64_t SECOND = 1000000000u;

static void fact(const char *what, uint32_t number) {
    say(what);
    say(": ");
    say_number(number);
    say("\n");
}

static void make_pair(void) {
    entropy_is_ready = 1;
    EXPECT(pair_keys() == UNDERPASS_OK);
    EXPECT(pair_tunnel(0) == UNDERPASS_OK);
    EXPECT(pair_tunnel(1) == UNDERPASS_OK);
}

/* Time goes on, from deadline to deadline, until a packet has arrived; for so many seconds at most. What the calls answer is
 * OK or `allowed`. */
static int arrives_within(uint32_t seconds, int32_t allowed) {
    const uint64_t begin = now;
    const uint32_t delivered = counts.delivered;
    while (counts.delivered == delivered && now < begin + seconds * SECOND) {
        const uint64_t deadline = pair_deadline(), second = now + SECOND;
        int32_t status;
        now = deadline < second ? deadline : second;
        status = pair_timeout();
        EXPECT(status == UNDERPASS_OK || status == allowed);
    }
    return counts.delivered != delivered;
}

/* The source of randomness gives none, then it does. */
static void randomness(void) {
    uint8_t key[UNDERPASS_KEY_LEN];
    EXPECT(underpass_preshared_key_generate(key) == UNDERPASS_E_RANDOM);
    EXPECT(pair_keys() == UNDERPASS_E_RANDOM);
    EXPECT(pair_tunnel(0) == UNDERPASS_E_RANDOM && tunnel[0] == NULL && heap.in_use == 0);
    make_pair();

    entropy_is_ready = 0;
    EXPECT(pair_packets(0, 1, 100) == UNDERPASS_OK && counts.staged == 1);
    EXPECT(pair_drain() == UNDERPASS_E_RANDOM);
    EXPECT(!arrives_within(20, UNDERPASS_E_RANDOM));
    entropy_is_ready = 1;
    EXPECT(arrives_within(20, UNDERPASS_OK) && counts.delivered == 1);

    /* Packets need none. */
    entropy_is_ready = 0;
    EXPECT(pair_packets(1, BATCH, MTU) == UNDERPASS_OK && counts.delivered == 1 + BATCH);
}

/* There is little memory, then a bit more, and so on until it is enough. */
static void memory(void) {
    uint32_t refusals = 0, without_session = 0;
    entropy_is_ready = 1;
    EXPECT(pair_keys() == UNDERPASS_OK);
    for (heap.ceiling = 0; pair_tunnel(0) != UNDERPASS_OK; heap.ceiling += 32) {
        const size_t left_over = heap.in_use;
        int32_t again = tunnel[0] == NULL ? UNDERPASS_E_MEMORY : underpass_tunnel_handle_timeout(tunnel[0], now);
        EXPECT(tunnel[0] != NULL || left_over == 0);
        EXPECT(again == UNDERPASS_E_MEMORY || again == UNDERPASS_OK);
        pair_free();
        EXPECT(heap.in_use == 0);
        refusals++;
        EXPECT(refusals < 1000);
    }
    fact("tunnels refused", refusals);
    EXPECT(refusals > 10 && heap.refused >= refusals);

    heap.ceiling = HEAP_SIZE;
    EXPECT(pair_tunnel(1) == UNDERPASS_OK);
    for (heap.ceiling = heap.in_use; counts.delivered == 0; heap.ceiling += 64) {
        EXPECT(pair_packets(0, 1, 100) == UNDERPASS_OK);
        (void)arrives_within(10, UNDERPASS_E_MEMORY);
        without_session++;
        EXPECT(without_session < 1000);
    }
    fact("dropped for want of memory", counts.no_memory);
    EXPECT(counts.no_memory > 10 && counts.damaged == 0);

    /* With a session, packets need none. */
    heap.ceiling = heap.in_use;
    counts.delivered = 0;
    EXPECT(pair_packets(0, BATCH, MTU) == UNDERPASS_OK && pair_packets(1, BATCH, MTU) == UNDERPASS_OK);
    EXPECT(counts.delivered == 2 * BATCH);
    pair_free();
    EXPECT(heap.in_use == 0);
}

/* One initiation again and again, from another address each time. What is answered otherwise than by a cookie is counted. */
static uint32_t flood(const uint8_t *initiation, uint32_t len, uint32_t times) {
    static uint8_t datagram[UNDERPASS_MIN_TRANSMIT_BUFFER];
    static uint8_t source;
    uint32_t read = 0;
    for (uint32_t i = 0; i < times; i++) {
        underpass_slot slot = {.buf = datagram, .cap = sizeof datagram, .len = len};
        slot.path.remote = (underpass_address){.family = UNDERPASS_FAMILY_IPV4, .port = 7, .ip = {198, 51, 100, ++source}};
        for (uint32_t at = 0; at < len; at++) datagram[at] = initiation[at];
        EXPECT(underpass_tunnel_handle_datagrams(tunnel[1], now, &slot, 1) == UNDERPASS_OK);
        read += slot.verdict != UNDERPASS_VERDICT_REPLY;
    }
    return read;
}

/* A flood of handshakes takes a table for their sources, once, and where there is none does without. */
static void floods(void) {
    static uint8_t initiation[UNDERPASS_HEADROOM + MTU + UNDERPASS_TAILROOM];
    underpass_transmit transmit = {.size = sizeof transmit};
    size_t before;
    make_pair();
    EXPECT(pair_packets(0, 1, 100) == UNDERPASS_OK);
    EXPECT(underpass_tunnel_poll_transmit(tunnel[0], now, initiation, sizeof initiation, &transmit) == UNDERPASS_OK);
    EXPECT(transmit.len == UNDERPASS_MIN_TRANSMIT_BUFFER && flood(initiation, transmit.len, 1) == 1);
    EXPECT(pair_drain() == UNDERPASS_OK && counts.delivered == 1);

    now += 10 * SECOND;
    before = heap.in_use;
    heap.ceiling = before;
    fact("handshakes read without memory", flood(initiation, transmit.len, 100));
    EXPECT(heap.in_use == before && heap.refused > 0);
    EXPECT(pair_packets(0, BATCH, MTU) == UNDERPASS_OK && counts.delivered == 1 + BATCH);

    now += 10 * SECOND;
    heap.ceiling = HEAP_SIZE;
    fact("handshakes read with memory", flood(initiation, transmit.len, 100));
    fact("heap for their sources", (uint32_t)(heap.in_use - before));
    EXPECT(heap.in_use > before);
    EXPECT(pair_packets(0, BATCH, MTU) == UNDERPASS_OK && counts.delivered == 1 + 2 * BATCH);
    pair_free();
    EXPECT(heap.in_use == 0);
}

static void call_inside(void *user) {
    (void)user;
    EXPECT(underpass_tunnel_handle_timeout(tunnel[0], now) == UNDERPASS_E_BUSY);
    EXPECT(underpass_tunnel_free(tunnel[0]) == UNDERPASS_E_BUSY);
    EXPECT(underpass_tunnel_handle_timeout(tunnel[1], now) == UNDERPASS_OK);
}

/* A call inside a call, as from an interrupt. */
static void busy(void) {
    make_pair();
    EXPECT(underpass_provoke_busy(tunnel[0], call_inside, NULL) == UNDERPASS_OK);
    EXPECT(underpass_tunnel_handle_timeout(tunnel[0], now) == UNDERPASS_OK);
}

/* The linker puts this before the function of the example: one that returns, which it must not. */
static int returns_from_panics;
void __wrap_underpass_host_panic(const char *message, size_t message_len, const char *file, size_t file_len, uint32_t line);
void __real_underpass_host_panic(const char *message, size_t message_len, const char *file, size_t file_len, uint32_t line);
void __wrap_underpass_host_panic(const char *message, size_t message_len, const char *file, size_t file_len, uint32_t line) {
    if (!returns_from_panics) __real_underpass_host_panic(message, message_len, file, file_len, line);
    say("heard and ignored\n");
}

int main(void) {
    char letter = 0;
    EXPECT(read_from_debugger("case", &letter, 1) == 0);
    switch (letter) {
        case 'r': randomness(); break;
        case 'm': memory(); break;
        case 'f': floods(); break;
        case 'b': busy(); break;
        case 'p': return underpass_provoke_panic(NULL);
        case 't': make_pair(); return underpass_provoke_panic(tunnel[0]);
        case 'v': return underpass_provoke_panic_with(123456789);
        case 'l':
            returns_from_panics = 1;
            (void)underpass_provoke_panic(NULL);
            say("the call went on\n");
            return 0;
        default: say("no such case\n"); return 2;
    }
    say("as expected\n");
    return 0;
}
