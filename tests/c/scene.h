/* Two tunnels that know each other, simulated time, and the wire between them. */
#ifndef SCENE_H
#define SCENE_H

#include "check.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MILLISECOND UINT64_C(1000000)
#define SECOND (1000 * MILLISECOND)
/* When a scene begins, and what the calendar says then. */
#define BEGIN (UINT64_C(1000) * SECOND)
#define WALL (UINT64_C(1700000000) * SECOND)
/* Room for every datagram at the usual MTU, exactly. */
#define TRANSMIT_BUFFER (1420 + UNDERPASS_HEADROOM + UNDERPASS_TAILROOM)

/* Side `number` has the private key made of its number, the endpoint 192.0.2.number:51820, and owns 10.number.0.0/16 and
 * fd00:number::/32. */
typedef struct side {
    underpass_tunnel *tunnel;
    uint64_t peer; /* the other side */
    uint8_t number;
    uint8_t private_key[32];
    uint8_t public_key[32];
} side;

typedef struct scene {
    side left, right;
    uint64_t now;
} scene;

/* Sides 1 and 2, each the other's peer, without a session. */
void scene_open(scene *scene);
/* The same, with options for the right side; its key is filled in. */
void scene_open_with(scene *scene, underpass_options *right);
/* The left side connects and both exchange what they have to say: a session is live. */
void scene_shake(scene *scene);
/* Hands each side the other's datagrams until both are silent. Returns how many there were. */
unsigned scene_exchange(scene *scene);
/* Lets the time pass until `until`, each deadline in its turn. Returns how often a tunnel woke up. Nobody hears anybody when
 * `silent`. */
unsigned scene_pass(scene *scene, uint64_t until, int silent);
void scene_close(scene *scene);

/* A side without a tunnel. */
side side_of(uint8_t number);
/* Options for a side. */
underpass_options side_options(const side *side);
/* A change that adds `other` with its endpoint; the allowed IPs live as long as the program. */
underpass_peer_change side_change(const side *other);
underpass_address address_of(uint8_t number);
underpass_path path_of(uint8_t number);
underpass_ip network(uint8_t a, uint8_t b, uint8_t prefix);

/* The next datagram of a side, in memory of exactly its size; NULL when there is none. */
uint8_t *next_datagram(side *side, uint64_t now, size_t *len);
/* Throws away what a side wants to send, and returns how many datagrams that was. */
unsigned drain_datagrams(side *side, uint64_t now);
/* The next event of this kind; those before it are thrown away. 0: there is none. */
int next_event(side *side, uint32_t kind, underpass_event *event);
void drain_events(side *side);
uint64_t deadline_of(const side *side);

/* Writes an IPv4 packet of `len` bytes from 10.from.0.1 to 10.to.0.1 whose payload is counted up from `fill`. */
void write_packet(uint8_t *packet, uint8_t from, uint8_t to, size_t len, uint8_t fill);
/* A slot with that packet, in a buffer of exactly the size that is needed. */
underpass_slot packet_slot(uint8_t from, uint8_t to, size_t len, uint8_t fill);
/* A slot with a copy of a datagram that came from `from`, in memory of exactly its size. */
underpass_slot datagram_slot(const uint8_t *datagram, size_t len, uint8_t from);
/* What a slot holds. */
const uint8_t *slot_bytes(const underpass_slot *slot);
void free_slots(underpass_slot *slots, size_t len);
/* Seals a packet from one side for the other: the datagram, in memory of exactly its size. */
uint8_t *sealed(side *from, uint64_t now, uint8_t to, size_t len, uint8_t fill, size_t *out_len);
/* Hands over one datagram and returns the verdict. */
int32_t hand_over(side *to, uint64_t now, const uint8_t *datagram, size_t len, uint8_t from);
/* How often a side dropped for this reason. */
uint64_t drops_of(const side *side, uint32_t reason);

#ifdef __cplusplus
}
#endif
#endif
