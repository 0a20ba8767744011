/*
 * The data plane of Underpass for Swift: packets and datagrams in the slots of one slab, sixteen numbers about each slot, one
 * call for a batch. The functions are called by PacketFeed of the package Underpass; programs in C take underpass.h.
 *
 * Answers below 0 are the codes of TunnelError, 0 and above is done. A feed is named by a random number. A second call while one
 * is under way is refused as busy. Slot i has `stride` bytes of the slab from i * stride, and the numbers from i * LONGS.
 */

#ifndef UNDERPASS_FEED_H
#define UNDERPASS_FEED_H

#include <stddef.h>
#include <stdint.h>

/*
 Longs that a slot has.
 */
#define UNDERPASS_FEED_LONGS 16

/*
 Where in the slot a packet or datagram begins.
 */
#define UNDERPASS_FEED_START 0

/*
 Its bytes.
 */
#define UNDERPASS_FEED_LEN 1

/*
 What became of it.
 */
#define UNDERPASS_FEED_VERDICT 2

/*
 Why it was dropped or bounced.
 */
#define UNDERPASS_FEED_REASON 3

/*
 The peer that it goes to or comes from.
 */
#define UNDERPASS_FEED_PEER 4

/*
 The host's own number of that peer.
 */
#define UNDERPASS_FEED_USER 5

/*
 The ECN bits of the outer header.
 */
#define UNDERPASS_FEED_ECN 6

/*
 The host's own number of a socket.
 */
#define UNDERPASS_FEED_LINK 7

/*
 The other side: the higher half of its address.
 */
#define UNDERPASS_FEED_REMOTE_HIGH 8

/*
 The lower half; of IPv4, all of it.
 */
#define UNDERPASS_FEED_REMOTE_LOW 9

/*
 4 or 6.
 */
#define UNDERPASS_FEED_REMOTE_FAMILY 10

/*
 The port.
 */
#define UNDERPASS_FEED_REMOTE_PORT 11

/*
 The interface of an IPv6 link-local address.
 */
#define UNDERPASS_FEED_REMOTE_SCOPE 12

/*
 Our own address: the higher half. It is none where the family is 0.
 */
#define UNDERPASS_FEED_LOCAL_HIGH 13

/*
 The lower half.
 */
#define UNDERPASS_FEED_LOCAL_LOW 14

/*
 0, 4 or 6.
 */
#define UNDERPASS_FEED_LOCAL_FAMILY 15

/*
 Send the bytes of the slot along its path.
 */
#define UNDERPASS_FEED_SEND 1

/*
 Give them to the virtual interface: a packet from the peer.
 */
#define UNDERPASS_FEED_DELIVER 2

/*
 A cookie reply: send them back where the datagram came from.
 */
#define UNDERPASS_FEED_REPLY 3

/*
 An ICMP error: give it to the virtual interface.
 */
#define UNDERPASS_FEED_BOUNCE 4

/*
 Taken in: poll.
 */
#define UNDERPASS_FEED_CONSUMED 5

/*
 Copied, until there is a session: poll.
 */
#define UNDERPASS_FEED_STAGED 6

/*
 Gone, and counted.
 */
#define UNDERPASS_FEED_DROPPED 7

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Opens a feed of the tunnel that has this data plane id. The answer is its handle, above 0; below 0: a code.

 `slab` has `slab_len` bytes, at least `slots * stride`; `facts` has `facts_len` numbers, at least sixteen for each slot. Both
 hold initialised memory. They belong to the caller, who keeps them in place until `underpass_feed_close` returned and no
 call of the feed is under way, and leaves the slab alone while one is.

 # Safety
 As said above.
 */
int64_t underpass_feed_open(uint64_t data_plane_id,
                            uint8_t *slab,
                            size_t slab_len,
                            int64_t *facts,
                            size_t facts_len,
                            int32_t slots,
                            int32_t stride);

/*
 Seals the packets of the first `count` slots, in place.
 */
int32_t underpass_feed_handle_packets(int64_t feed, int32_t count);

/*
 Opens the datagrams of the first `count` slots, in place.
 */
int32_t underpass_feed_handle_datagrams(int64_t feed, int32_t count);

/*
 Writes what is to be sent into the first slots, `max` at most. The answer is how many; below 0: a code.
 */
int32_t underpass_feed_poll_transmits(int64_t feed, int32_t max);

/*
 Does what has fallen due.
 */
int32_t underpass_feed_handle_timeout(int64_t feed);

/*
 When something falls due, in nanoseconds of the tunnel's clock; `INT64_MAX`: never; below 0: a code.
 */
int64_t underpass_feed_poll_timeout(int64_t feed);

/*
 The datagram of a slot, which was to be sent, could not be. `kind` is the number of a send error.
 */
int32_t underpass_feed_send_error(int64_t feed, int32_t slot, int32_t kind);

/*
 Bytes that a packet needs before it in its slot; below 0: a code.
 */
int32_t underpass_feed_headroom(int64_t feed);

/*
 Bytes that a packet needs behind it in its slot; below 0: a code.
 */
int32_t underpass_feed_tailroom(int64_t feed);

/*
 Bytes that a slot must have for `underpass_feed_poll_transmits`; below 0: a code.
 */
int32_t underpass_feed_transmit_buffer(int64_t feed);

/*
 Ends a feed, not its tunnel. A call that is under way ends it when it is done. Doing it again does nothing.
 */
void underpass_feed_close(int64_t feed);

/*
 How many feeds are open, for tests that look for leaks.
 */
int32_t underpass_feed_live(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* UNDERPASS_FEED_H */
