/* Two tunnels in one firmware, and between them a network that is a function. */
#ifndef PAIR_H
#define PAIR_H

#include <stdint.h>
#include <underpass.h>

#define MTU 1280u
/* Packets that are taken in one call. */
#define BATCH 8u

/* The clock. It is moved by whoever has the pair. */
extern uint64_t now;

/* What became of packets, on both sides together. */
typedef struct pair_counts {
    uint32_t sealed;    /* Packets that left at once, as a datagram. */
    uint32_t staged;    /* Packets that wait for a handshake. */
    uint32_t delivered; /* Packets that arrived, byte for byte. */
    uint32_t damaged;   /* Packets that arrived otherwise. */
    uint32_t dropped;   /* Packets and datagrams that went no further. */
    uint32_t no_memory; /* Those of them for which there was no memory. */
} pair_counts;

extern pair_counts counts;
extern underpass_tunnel *tunnel[2];

/* Makes the keys, then the tunnel of one side with the other as its peer. */
int32_t pair_keys(void);
int32_t pair_tunnel(int side);
void pair_free(void);

/* The interface of a side gives packets of len bytes, up to BATCH of them. */
int32_t pair_packets(int side, uint32_t count, uint32_t len);

/* Does what the tunnels want, until they want nothing more. */
int32_t pair_drain(void);

/* When the next deadline is, of either. */
uint64_t pair_deadline(void);

/* Tells both what time it is. */
int32_t pair_timeout(void);

/* Handshakes that a side has completed. */
uint32_t pair_handshakes(int side);

#endif
