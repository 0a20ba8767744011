/* A firmware with two tunnels that talk to each other: a Cortex-M4F, no operating system, no C library, no network. It tells
 * what memory that took. Makefile says how it is built and run.
 *
 * A device has one tunnel, a driver for its network where pair.c has a function, and a timer that counts on while it sleeps.
 * An interrupt calls no function of the library: it leaves what came in a queue, and the loop takes it from there. */
#include "board.h"
#include "host.h"
#include "pair.h"

static const uint64_t SECOND = 1000000000u;

static void fact(const char *before, uint32_t number, const char *after) {
    say(before);
    say_number(number);
    say(after);
}

static void must(const char *what, int32_t status) {
    if (status == UNDERPASS_OK) return;
    say(what);
    say(": ");
    say(underpass_strerror(status));
    say("\n");
    end(1);
}

/* What the stack was used for since it was marked. */
static void stack_of(const char *what) {
    uint32_t most = stack_most();
    say(what);
    fact(": ", most, " bytes of stack\n");
    stack_mark();
}

/* Sleeps until something is due or until then, as often as there is something. A device would wait for an interrupt. */
static uint32_t sleep_until(uint64_t then) {
    uint32_t wake_ups = 0;
    for (; pair_deadline() <= then; wake_ups++) {
        now = pair_deadline();
        must("a deadline", pair_timeout());
    }
    now = then;
    return wake_ups;
}

int main(void) {
    uint32_t wake_ups = 0;
    say("underpass ");
    say(underpass_version_string());
    say(", ");
    say(underpass_backend());
    say(" backend\n");
    if (underpass_version() != UNDERPASS_VERSION) end(2);
    stack_mark();

    /* The generator of random numbers needs a moment. */
    while (pair_keys() == UNDERPASS_E_RANDOM) {
        say("no randomness yet\n");
        entropy_is_ready = 1;
    }
    stack_of("keys");
    must("a tunnel", pair_tunnel(0));
    fact("one tunnel with one peer: ", (uint32_t)heap.in_use, " bytes of heap\n");
    must("a tunnel", pair_tunnel(1));
    stack_of("tunnels");

    must("a packet", pair_packets(0, 1, 100));
    fact("packets that wait for a handshake: ", counts.staged, "\n");
    must("a handshake", pair_drain());
    fact("handshakes: ", pair_handshakes(0), "\n");
    fact("two tunnels with a session: ", (uint32_t)heap.in_use, " bytes of heap\n");
    stack_of("handshake");

    for (int side = 0; side < 2; side++) {
        must("a batch", pair_packets(side, BATCH, MTU));
        must("what follows", pair_drain());
    }
    stack_of("packets");

    /* An hour with a packet every ten seconds. Keys grow old, and handshakes replace them. */
    for (uint32_t i = 0; i < 360; i++) {
        wake_ups += sleep_until(now + 10 * SECOND);
        must("a packet", pair_packets(i & 1, 1, 100));
        must("what follows", pair_drain());
    }
    stack_of("an hour");
    fact("handshakes: ", pair_handshakes(0), "\n");
    fact("wake-ups: ", wake_ups, "\n");
    fact("packets delivered: ", counts.delivered, "\n");
    fact("dropped or damaged: ", counts.dropped + counts.damaged, "\n");
    fact("heap: at most ", (uint32_t)heap.most, " bytes\n");
    fact("alignment: at most ", (uint32_t)heap.alignment, " bytes\n");
    pair_free();
    fact("heap after both are freed: ", (uint32_t)heap.in_use, " bytes\n");
    return heap.in_use == 0 && heap.refused == 0 && counts.dropped + counts.damaged == 0 ? 0 : 1;
}
