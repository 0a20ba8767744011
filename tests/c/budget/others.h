/* The other ends of the tunnel whose memory is measured: 64 peers, in a process of their own, so that nothing of them is
 * counted. */
#ifndef OTHERS_H
#define OTHERS_H

#include <stddef.h>
#include <stdint.h>

#include <underpass.h>

enum { OTHERS = 64, ROOM = 1600 };

/* What one of them is to do. */
enum verb {
    RESTART, /* forget all sessions */
    CONNECT, /* begin a handshake */
    TAKE,    /* take a datagram of ours */
    WAKE,    /* do what is due */
    SEAL     /* seal a packet for us, as long as `len` says */
};

/* Ends the program when a call was refused. */
void must(int32_t status, const char *what);
#define MUST(call) must((call), #call)

/* Makes them; public keys of ours and, by number, theirs. */
void others_begin(uint8_t *our_key, uint8_t keys[OTHERS][32]);
/* Has one of them do something at a time; what it then sends is written over `datagram`, of ROOM bytes. Returns its length, 0
 * for nothing. */
size_t others_do(enum verb verb, unsigned number, uint64_t now, uint8_t *datagram, size_t len);
void others_end(void);

/* Our private key; the address of a peer outside; the network behind it inside. */
void our_private_key(uint8_t *key);
underpass_address outside(unsigned number);
underpass_ip inside(unsigned number);
/* Writes an IPv4 packet: from the network of one peer or, with OTHERS, from ours, to another. */
void write_packet(uint8_t *packet, unsigned from, unsigned to, size_t len);

#endif
