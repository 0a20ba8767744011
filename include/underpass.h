/*
 * Underpass: a WireGuard tunnel without I/O of its own, for programs that have sockets, a virtual interface and a clock.
 *
 * A tunnel is told what happened (underpass_tunnel_handle_*), and asked what it wants (underpass_tunnel_poll_*): after
 * every call that configures, tells or commands ("then poll", below), call underpass_tunnel_poll_transmit() and
 * underpass_tunnel_poll_event() until they have nothing more, then underpass_tunnel_poll_timeout(), and sleep until
 * that, a packet or a datagram. docs/c-guide.md shows a whole program.
 *
 * What holds for every function, and is not said again below:
 *
 * - Results. A function returns an int32_t: 0 is done, above 0 is done with a remark, below 0 is refused: then nothing
 *   was changed, and nothing written to any parameter. The codes stay what they are in every later version; new ones
 *   may come. Each code says at its definition what it means and what to do. Below, a function names the codes that
 *   mean something of its own. Beside them come, wherever they can: UNDERPASS_E_NULL, UNDERPASS_E_SIZE,
 *   UNDERPASS_E_ARGUMENT for numbers, flags, addresses and handles that are none, UNDERPASS_E_BUFFER,
 *   UNDERPASS_E_NO_PEER where a peer is named, UNDERPASS_E_BUSY, UNDERPASS_E_POISONED and UNDERPASS_E_PANIC; of
 *   underpass_tunnel_new*: UNDERPASS_E_MTU, UNDERPASS_E_LIMIT and UNDERPASS_E_RANDOM; of functions that read a
 *   configuration: UNDERPASS_E_CONFIG; of batches: UNDERPASS_E_BATCH and UNDERPASS_E_OVERLAP.
 * - Memory is the caller's, and is borrowed until the function returns; where it is not, that is said. Parameters that
 *   are handed out come last. An array or a text is handed out into memory of cap elements, and len becomes how many
 *   there are; NULL and 0 as memory asks for len alone. With UNDERPASS_E_BUFFER len becomes what is needed, too, the
 *   one parameter that a refusal writes to. Texts that are handed out end with a NUL, which len does not count; texts
 *   that are handed in have len bytes and need none. Functions with an index, from 0, return UNDERPASS_NOTHING behind
 *   the last element.
 * - Structs that begin with size may grow. Set size to the sizeof of the struct, by its _init function where it has
 *   one: old programs work with new libraries, and new programs with old libraries that have what they use. Fields
 *   called reserved are 0.
 * - Threads. A tunnel may be used from any thread, by one call at a time: UNDERPASS_E_BUSY tells when that is broken. A
 *   configuration does not change and may be read by any number of threads. What takes neither may be called from any
 *   thread at any time. No function may be called from a signal handler, nor inside the entropy function of its tunnel.
 * - Stack. No call needs more than 24576 bytes (measured: every function stayed below three quarters of that, in
 *   libraries built with optimisation, on x86-64, aarch64, armv7, mips and s390x). A report of a bug may take more.
 * - Forks. Parent and child must not seal under the same keys. In the child, the first call on a tunnel ends its
 *   sessions, and handshakes begin anew; jobs that were begun before are refused: discard them. So a program may become
 *   a daemon after it has made its tunnel. That holds for fork(), daemon(), and clone() without CLONE_VM. A tunnel in
 *   which another thread of the parent was at work is UNDERPASS_E_POISONED in the child.
 * - now is nanoseconds of a clock that goes on while the machine sleeps (CLOCK_BOOTTIME on Linux). Its beginning does
 *   not matter. When it goes back by more than a second, time in the tunnel goes on from where it was; when it leaps
 *   ahead by more than a day, all sessions end, and there is an UNDERPASS_EVENT_CLOCK_LEAPT. wall is nanoseconds since
 *   1970 UTC.
 * - Memory may run out. Every function that makes or changes something may then answer UNDERPASS_E_MEMORY: nothing was
 *   changed, and it may be called again. Packets and handshake messages without memory are dropped and counted as
 *   UNDERPASS_DROP_NO_MEMORY, and handshakes are tried again. What only takes away (underpass_tunnel_remove_all_peers(), a
 *   change alone that removes a peer, releasing) and what only reads needs no memory. Two exceptions end the program: a
 *   bug (UNDERPASS_E_PANIC) for which there are not some hundred bytes to report it by, and, only in a library built with
 *   debug assertions, the 42 bytes that its cryptography takes at each exchange of keys.
 * - But for the entropy function of the options nothing is called back. Nothing is logged or printed; no thread, signal
 *   handler or global state is made. But a bug in the library prints a line to standard error. It does not tear the
 *   program down: the call returns UNDERPASS_E_PANIC, and from then on the tunnel returns UNDERPASS_E_POISONED, until
 *   it is freed.
 *
 * This file is generated from bindings/c/src.
 */

#ifndef UNDERPASS_H
#define UNDERPASS_H

#include <stddef.h>
#include <stdint.h>

#if !defined(UNDERPASS_API)
#if defined(_WIN32) && defined(UNDERPASS_SHARED)
#define UNDERPASS_API __declspec(dllimport)
#elif defined(__GNUC__)
#define UNDERPASS_API __attribute__((visibility("default")))
#else
#define UNDERPASS_API
#endif
#endif

/* What a call answers is to be looked at. Whoever does not want to be told so defines this as nothing. */
#if !defined(UNDERPASS_CHECKED)
#if defined(__GNUC__)
#define UNDERPASS_CHECKED __attribute__((warn_unused_result))
#else
#define UNDERPASS_CHECKED
#endif
#endif

#define UNDERPASS_VERSION_MAJOR 0 /**< The version of this header: the first of three numbers. */
#define UNDERPASS_VERSION_MINOR 1 /**< The version of this header: the second. */
#define UNDERPASS_VERSION_PATCH 0 /**< The version of this header: the third. */

/** The version of this header as one number, to be compared with underpass_version(). */
#define UNDERPASS_VERSION (((UNDERPASS_VERSION_MAJOR << 24) | (UNDERPASS_VERSION_MINOR << 16)) | (UNDERPASS_VERSION_PATCH << 8))

#define UNDERPASS_KEY_LEN 32u /**< Bytes of a key. */

#define UNDERPASS_BASE64_LEN 45u /**< Bytes of a key in base64, with its NUL. */

#define UNDERPASS_HEX_LEN 65u /**< Bytes of a key in hexadecimal, with its NUL. */

#define UNDERPASS_TIMESTAMP_LEN 12u /**< Bytes of a saved timestamp. */

#define UNDERPASS_HEADROOM 16u /**< Bytes that must be free before a packet, in its buffer. */

#define UNDERPASS_TAILROOM 32u /**< Bytes that must be free behind a packet, in its buffer. */

/**
 * underpass_tunnel_poll_transmit() needs at least this many bytes, and at least MTU + UNDERPASS_HEADROOM +
 * UNDERPASS_TAILROOM.
 */
#define UNDERPASS_MIN_TRANSMIT_BUFFER 148u

#define UNDERPASS_MAX_BATCH 256u /**< Slots that a batch may have. */

#define UNDERPASS_NEVER UINT64_MAX /**< A deadline that never comes: sleep until there is a packet or a datagram. */

#define UNDERPASS_OK 0 /**< Done. */

/** Done, and there is nothing (more) to hand out: out-parameters are untouched. Go on with what comes next. */
#define UNDERPASS_NOTHING 1

#define UNDERPASS_E_NULL (-1) /**< A pointer that must not be NULL is. Mend the call. */

/**
 * The size field of a struct is not one that this library knows. Set it to the sizeof of the struct; if it is, the
 * header is newer than the library and uses what that does not have: compare UNDERPASS_VERSION with
 * underpass_version().
 */
#define UNDERPASS_E_SIZE (-2)
/** A number out of its range, an unknown flag, text that is not UTF-8, or an array that is not aligned. Mend the call. */
#define UNDERPASS_E_ARGUMENT (-3)
/** The memory for the answer is too short. Ask for the length (NULL and 0 as memory), make room, call again. */
#define UNDERPASS_E_BUFFER (-4)
/** Buffers of a batch overlap each other, or the slots, or the jobs. Mend the call. */
#define UNDERPASS_E_OVERLAP (-5)
#define UNDERPASS_E_BATCH (-6) /**< More than UNDERPASS_MAX_BATCH slots. Make several calls. */
#define UNDERPASS_E_KEY (-7) /**< The text is no key. Ask for another. */
#define UNDERPASS_E_CONFIG (-8) /**< The configuration has errors. Show its diagnostics. */
#define UNDERPASS_E_LOW_ORDER_KEY (-9) /**< A public key is a point of low order: whoever gave it cannot be a peer. */
/** More peers than max_peers of the options. Remove some, or make the tunnel with a greater limit. */
#define UNDERPASS_E_TOO_MANY_PEERS (-10)
/** The prefix length of a network is beyond 32 (IPv4) or 128 (IPv6). Mend the call. */
#define UNDERPASS_E_PREFIX (-11)
#define UNDERPASS_E_MTU (-12) /**< The MTU is outside 68 to 65535. Mend the call. */
#define UNDERPASS_E_LIMIT (-13) /**< A limit of the options is too great. Mend the call. */
#define UNDERPASS_E_NO_PEER (-14) /**< No peer has this name or key, or not any more. Forget it. */

/**
 * A job was not begun for this slot and tunnel, is not ready for this step, or is done; or the slot's buffer was
 * filled again since. Discard the jobs of the batch and drop its packets; mend the order of the calls.
 */
#define UNDERPASS_E_JOB (-15)
/** There is no randomness, from the system or from entropy of the options. Try again later. */
#define UNDERPASS_E_RANDOM (-16)
#define UNDERPASS_E_BUSY (-17) /**< Another thread is inside this handle. Keep threads apart with a lock of your own. */
/** A bug in the library stopped the call. The tunnel is poisoned: free it, make another, and report what led here. */
#define UNDERPASS_E_PANIC (-18)
#define UNDERPASS_E_POISONED (-19) /**< A bug stopped an earlier call on this tunnel. Free it and make another. */
/** There is no memory for what was asked. Nothing was changed or written: free some, call again. */
#define UNDERPASS_E_MEMORY (-20)

#define UNDERPASS_DROP_MALFORMED 0u /**< Not a WireGuard datagram: wrong type, reserved bytes or length. */
#define UNDERPASS_DROP_BAD_MAC 1u /**< The first MAC of a handshake message does not verify: not meant for us. */
#define UNDERPASS_DROP_UNKNOWN_INDEX 2u /**< No session or handshake has this receiver index. */
#define UNDERPASS_DROP_UNKNOWN_PEER 3u /**< The handshake names a static key that is no peer of ours. */
#define UNDERPASS_DROP_BAD_TAG 4u /**< Authentication failed: forged, corrupted, or sealed under other keys. */
#define UNDERPASS_DROP_LOW_ORDER_KEY 5u /**< A low-order point in a handshake: the shared secret would be zero. */
#define UNDERPASS_DROP_REPLAY 6u /**< The counter was seen already or lies behind the replay window. */
#define UNDERPASS_DROP_OLD_TIMESTAMP 7u /**< The initiation's timestamp is not later than the last one accepted. */
#define UNDERPASS_DROP_KEY_EXPIRED 8u /**< The keypair is too old or has sealed or opened too many messages. */
#define UNDERPASS_DROP_INITIATION_FLOOD 9u /**< Initiations of one peer came faster than 50 per second. */
#define UNDERPASS_DROP_UNDER_LOAD 10u /**< Under load and without a valid cookie, or over the rate of its source. */
#define UNDERPASS_DROP_UNEXPECTED_COOKIE 11u /**< A cookie reply that answers nothing we sent. */
#define UNDERPASS_DROP_MALFORMED_PACKET 12u /**< The inner packet is not IP, or shorter than it says. */
#define UNDERPASS_DROP_SOURCE_NOT_ALLOWED 13u /**< The inner source address belongs to another peer or to none. */
#define UNDERPASS_DROP_CONGESTION 14u /**< The outer header says "congestion experienced", the inner packet cannot. */
#define UNDERPASS_DROP_NO_ROUTE 15u /**< No peer owns the destination address. */
#define UNDERPASS_DROP_NO_ENDPOINT 16u /**< The peer has no endpoint and none can be resolved. */
#define UNDERPASS_DROP_TOO_BIG 17u /**< The packet exceeds the MTU. */
#define UNDERPASS_DROP_NO_ROOM 18u /**< The buffer lacks headroom, tailroom or length. */
#define UNDERPASS_DROP_STAGED_OVERFLOW 19u /**< A staged packet gave way to a newer one, or its peer went away. */
#define UNDERPASS_DROP_HANDSHAKE_FAILED 20u /**< The handshake was given up while the packet was staged. */
#define UNDERPASS_DROP_NO_PRIVATE_KEY 21u /**< The tunnel has no private key. */
#define UNDERPASS_DROP_LOOP 22u /**< The packet is a datagram of ours that was routed back into the tunnel. */
#define UNDERPASS_DROP_REFUSED 23u /**< The peer is refused by the host. */
#define UNDERPASS_DROP_NO_MEMORY 24u /**< There is no memory for what the packet or handshake message needs. */
#define UNDERPASS_DROP_REASONS 25u /**< How many reasons this header knows. */

#define UNDERPASS_FAMILY_NONE 0u /**< No address. */
#define UNDERPASS_FAMILY_IPV4 4u /**< IPv4. */
#define UNDERPASS_FAMILY_IPV6 6u /**< IPv6. */

#define UNDERPASS_SEVERITY_WARNING 0u /**< The configuration works, but perhaps not as meant. */
#define UNDERPASS_SEVERITY_ERROR 1u /**< There is no configuration. */

/** How many diagnostics underpass_config_parse() keeps of one text; errors come before warnings. */
#define UNDERPASS_MAX_DIAGNOSTICS 100u

#define UNDERPASS_TABLE_AUTO 0u /**< Routes go to the main table, with special treatment of default routes. */
#define UNDERPASS_TABLE_OFF 1u /**< No routes are added. */
#define UNDERPASS_TABLE_NUMBER 2u /**< Routes go to the table of table_number. */
#define UNDERPASS_TABLE_NAME 3u /**< Routes go to the table of table_name. */

#define UNDERPASS_INTERFACE_HAS_PRIVATE_KEY 1u /**< private_key is set. */
#define UNDERPASS_INTERFACE_HAS_MTU 2u /**< The text gives an MTU; else mtu is the usual one. */
#define UNDERPASS_INTERFACE_HAS_LISTEN_PORT 4u /**< The text gives a listen port. */
#define UNDERPASS_INTERFACE_HAS_FWMARK 8u /**< The text gives a firewall mark. */

#define UNDERPASS_TEXT_SEARCH_DOMAIN 0u /**< Domains to search. */
#define UNDERPASS_TEXT_PRE_UP 1u /**< Shell commands to run before the interface is up; %i stands for its name. */
#define UNDERPASS_TEXT_POST_UP 2u /**< Shell commands to run after it. */
#define UNDERPASS_TEXT_PRE_DOWN 3u /**< Shell commands to run before the interface goes down. */
#define UNDERPASS_TEXT_POST_DOWN 4u /**< Shell commands to run after it. */
#define UNDERPASS_TEXT_INCLUDED_APPLICATION 5u /**< Applications that use the tunnel; none: all do. */
#define UNDERPASS_TEXT_EXCLUDED_APPLICATION 6u /**< Applications that do not use the tunnel. */

#define UNDERPASS_OPTION_PRIVATE_KEY 1u /**< private_key is set. */

#define UNDERPASS_PEER_SET 0u /**< The peer is added if it is not there, then changed. */
#define UNDERPASS_PEER_UPDATE 1u /**< The peer is changed if it is there; else nothing happens. */
#define UNDERPASS_PEER_REMOVE 2u /**< The peer is removed if it is there. */
#define UNDERPASS_PEER_HAS_PRESHARED_KEY 1u /**< preshared_key is set; all zeros removes it. */
#define UNDERPASS_PEER_HAS_ENDPOINT 2u /**< endpoint, or endpoint_host and endpoint_port, are set. */
#define UNDERPASS_PEER_HAS_KEEPALIVE 4u /**< persistent_keepalive is set. */
#define UNDERPASS_PEER_PIN 8u /**< The endpoint stays as configured although datagrams come from elsewhere. */
#define UNDERPASS_PEER_UNPIN 16u /**< The endpoint follows the peer again. */
/** The allowed IPs are emptied before those of this change are added. */
#define UNDERPASS_PEER_REPLACE_ALLOWED_IPS 32u
#define UNDERPASS_PEER_HAS_USER 64u /**< user is set. */
#define UNDERPASS_PEER_HAS_TIMESTAMP_FLOOR 128u /**< timestamp_floor is set, unless the peer has a higher one. */

#define UNDERPASS_PADDING_MTU 65535u /**< Padding to the MTU: every packet has the same length. */

#define UNDERPASS_UAPI_HAS_LISTEN_PORT 1u /**< The request sets the port to listen on. */
#define UNDERPASS_UAPI_HAS_FWMARK 2u /**< The request sets the firewall mark. */

#define UNDERPASS_VERDICT_PENDING 0 /**< Begun, and not finished: crypt and finish it. */
#define UNDERPASS_VERDICT_SEND 1 /**< buf[start] and the len bytes from there are a datagram: send it along path. */
#define UNDERPASS_VERDICT_DELIVER 2 /**< They are a packet from peer: give it to the virtual interface. */
#define UNDERPASS_VERDICT_REPLY 3 /**< They are a cookie reply: send it back along path. */
/** They are an ICMP error: give it to the virtual interface. reason says what happened to the packet. */
#define UNDERPASS_VERDICT_BOUNCE 4
#define UNDERPASS_VERDICT_CONSUMED 5 /**< Taken in (handshake, keepalive): poll. */
#define UNDERPASS_VERDICT_STAGED 6 /**< Copied, until there is a session: poll. */
#define UNDERPASS_VERDICT_DROPPED 7 /**< Gone, and counted; reason says why. */

#define UNDERPASS_EVENT_SESSION_ESTABLISHED 1u /**< A handshake completed: a new session is live. */
#define UNDERPASS_EVENT_HANDSHAKE_FAILED 2u /**< The handshake was given up after 90 s without an answer. */
#define UNDERPASS_EVENT_SESSION_EXPIRED 3u /**< The last session ended without a successor, and its keys were wiped. */
/** An authenticated datagram came from elsewhere: path is where the peer is now. */
#define UNDERPASS_EVENT_ENDPOINT_MOVED 4u

/**
 * Resolve the peer's endpoint name (underpass_tunnel_peer_endpoint_name()) and answer with
 * underpass_tunnel_set_endpoint().
 */
#define UNDERPASS_EVENT_RESOLVE_ENDPOINT 5u
#define UNDERPASS_EVENT_HEALTH_CHANGED 6u /**< The peer's health changed: health is what it is now. */

/**
 * The peer's timestamp is more than a day ahead of our wall clock: if its clock is mended later, it will be refused
 * until underpass_tunnel_reset_peer_timestamp().
 */
#define UNDERPASS_EVENT_TIMESTAMP_AHEAD 7u
#define UNDERPASS_EVENT_LOST 8u /**< Does not come: no event is lost. The number stays taken. */

/**
 * The clock given as now leapt ahead by more than a day: every session has expired. If the machine has not slept for
 * so long, a reading of the clock failed. peer is 0.
 */
#define UNDERPASS_EVENT_CLOCK_LEAPT 9u
/** Packets or datagrams need other room than before, since the MTU changed. peer is 0. */
#define UNDERPASS_EVENT_LAYOUT_CHANGED 10u

/** No session yet under our present key: a handshake is to come or under way. */
#define UNDERPASS_HEALTH_CONNECTING 0u
#define UNDERPASS_HEALTH_UP 1u /**< A session is live, and nothing that we sent is unanswered. */
/** What we sent is unanswered: a packet for 15 s, or, since the last session ended, an initiation for 5 s. */
#define UNDERPASS_HEALTH_STALE 2u
/** A handshake was given up after 90 s, and the peer was not heard since; traffic starts another. */
#define UNDERPASS_HEALTH_FAILED 3u
/** The last session ended for its age, 180 s, and nothing that we sent is unanswered; traffic starts another. */
#define UNDERPASS_HEALTH_IDLE 4u

#define UNDERPASS_SEND_ERROR_UNREACHABLE 0u /**< There is no route to the endpoint. */
#define UNDERPASS_SEND_ERROR_FAMILY_GONE 1u /**< There is no network of the endpoint's address family. */
#define UNDERPASS_SEND_ERROR_NO_SOURCE 2u /**< The local address of the path is no longer the machine's. */
#define UNDERPASS_SEND_ERROR_TOO_BIG 3u /**< The datagram is too long for the path. */
#define UNDERPASS_SEND_ERROR_REFUSED 4u /**< The other side refuses: an ICMP error that anyone could have sent. */
#define UNDERPASS_SEND_ERROR_DENIED 5u /**< A firewall or the system does not allow it. */
#define UNDERPASS_SEND_ERROR_OTHER 6u /**< Something else. */

#define UNDERPASS_INFO_PRESHARED_KEY 1u /**< The peer has a preshared key. */
#define UNDERPASS_INFO_PATH 2u /**< path is where the peer is reached. */
#define UNDERPASS_INFO_PINNED 4u /**< The endpoint stays as configured. */
#define UNDERPASS_INFO_HANDSHAKE 8u /**< There was a handshake: latest_handshake is its time. */
/** The endpoint was configured as a host name: see underpass_tunnel_peer_endpoint_name(). */
#define UNDERPASS_INFO_NAMED 16u
#define UNDERPASS_INFO_HEARD 32u /**< It was heard: last_heard is when. */
#define UNDERPASS_INFO_SEND_ERROR 64u /**< Sending to it failed since it was heard last: last_send_error is why. */
#define UNDERPASS_INFO_REFUSED 128u /**< It is refused, see underpass_tunnel_set_refused(). */

/**
 * A configuration that was read from text. It does not change, so any number of threads may read it at a time. Made by
 * underpass_config_parse(), released by underpass_config_free().
 */
typedef struct underpass_config underpass_config;

/**
 * A tunnel: one virtual interface with its private key, its peers and its routes. Made by underpass_tunnel_new() or
 * underpass_tunnel_new_from_config(), released by underpass_tunnel_free(). It may be used from any thread, by one
 * call at a time.
 */
typedef struct underpass_tunnel underpass_tunnel;

/**
 * One finding in a configuration text. It repeats nothing of the text's values, so it can be logged and shown. The
 * pointers are valid as long as the configuration.
 */
typedef struct underpass_diagnostic {
    uint32_t size; /**< sizeof(underpass_diagnostic), set by the caller. */
    uint32_t severity; /**< UNDERPASS_SEVERITY_*. */
    uint32_t line; /**< From 1. */
    uint32_t column; /**< From 1, in characters. */
    const char *section; /**< "Interface", "Peer" or "". */
    const char *key; /**< The key of the line in its usual spelling, or "". */
    const char *reason; /**< What it is, in English. */
} underpass_diagnostic;

/** What the [Interface] section says of numbers and keys. */
typedef struct underpass_interface {
    uint32_t size; /**< sizeof(underpass_interface), set by the caller. */
    uint32_t flags; /**< UNDERPASS_INTERFACE_HAS_*. */
    uint32_t fwmark; /**< The firewall mark of outgoing datagrams; 0: none. */
    uint32_t table_kind; /**< UNDERPASS_TABLE_*. */
    uint32_t table_number; /**< With UNDERPASS_TABLE_NUMBER. */
    uint16_t mtu; /**< Bytes of the largest packet. */
    uint16_t listen_port; /**< The UDP port to listen on; 0: any. */
    const char *table_name; /**< With UNDERPASS_TABLE_NAME, else "". Valid as long as the configuration. */
    uint8_t private_key[32]; /**< Wipe it when you are done with it. */
    uint32_t save_config; /**< Not 0: the running configuration is to be written back when the interface goes down. */
    uint32_t reserved; /**< 0. */
} underpass_interface;

/** An IP address, or a network. */
typedef struct underpass_ip {
    uint8_t family; /**< UNDERPASS_FAMILY_*. */
    uint8_t prefix; /**< The length of the network's prefix, where a network is meant; else 0 and not looked at. */
    uint8_t reserved[2]; /**< 0. */
    uint8_t bytes[16]; /**< In network order; IPv4 in the first four. */
} underpass_ip;

/** An IP address and a UDP port. */
typedef struct underpass_address {
    uint8_t family; /**< UNDERPASS_FAMILY_*. */
    uint8_t reserved; /**< 0. */
    uint16_t port; /**< In host order. */
    uint32_t scope_id; /**< The interface of an IPv6 link-local address, else 0. */
    uint8_t ip[16]; /**< In network order; IPv4 in the first four. */
} underpass_address;

/** An allowed IP to add or take away. Never grows. */
typedef struct underpass_allowed_ip {
    underpass_ip network; /**< With its prefix; bits behind the prefix are ignored. */
    uint32_t remove; /**< Not 0: take it away. */
} underpass_allowed_ip;

/** A change of one peer. Begin with underpass_peer_change_init(); what no flag speaks of stays as it is. */
typedef struct underpass_peer_change {
    uint32_t size; /**< sizeof(underpass_peer_change), set by underpass_peer_change_init(). */
    uint32_t action; /**< UNDERPASS_PEER_SET, UNDERPASS_PEER_UPDATE or UNDERPASS_PEER_REMOVE. */
    /** UNDERPASS_PEER_HAS_*, UNDERPASS_PEER_PIN, UNDERPASS_PEER_UNPIN, UNDERPASS_PEER_REPLACE_ALLOWED_IPS. */
    uint32_t flags;
    uint16_t persistent_keepalive; /**< Seconds between persistent keepalives; 0: none. */
    uint16_t endpoint_port; /**< The port of endpoint_host, in host order. */
    uint8_t public_key[32]; /**< Which peer. */
    uint8_t preshared_key[32]; /**< All zeros: none. Used from the next handshake on. */
    underpass_address endpoint; /**< Where the peer is reached, unless endpoint_host is given. */
    /** A host name with a NUL that the host is to resolve, see UNDERPASS_EVENT_RESOLVE_ENDPOINT; or NULL. */
    const char *endpoint_host;
    const underpass_allowed_ip *allowed_ips; /**< Allowed IPs to add or take away; borrowed for the call. */
    size_t allowed_ips_len; /**< How many. */
    /** A number of the host's own, or a pointer as uintptr_t: verdicts, events and underpass_peer_info hand it back. */
    uint64_t user;
    /** What underpass_peer_info told in an earlier life, so that no initiation from before is taken for a new one. */
    uint8_t timestamp_floor[12];
    uint32_t reserved; /**< 0. */
} underpass_peer_change;

/**
 * A source of randomness: fills out with len bytes that nobody can guess, and returns 0; any other number: there is
 * none now. It is called by whatever thread calls the tunnel, while that call runs; it calls no function of that
 * tunnel, and neither throws nor jumps out.
 */
typedef int32_t (*underpass_entropy)(void *data, uint8_t *out, size_t len);

/**
 * What a tunnel is made from. Begin with underpass_options_init(), and change what should be otherwise. A number that is 0
 * stands for the default.
 */
typedef struct underpass_options {
    uint32_t size; /**< sizeof(underpass_options), set by underpass_options_init(). */
    uint32_t flags; /**< UNDERPASS_OPTION_*. */
    uint8_t private_key[32]; /**< Without one the tunnel drops everything until it gets one. */
    /** What underpass_tunnel_timestamp_floor() gave in an earlier life, so that a clock set back does not lock us out. Zeros: none. */
    uint8_t timestamp_floor[12];
    uint32_t mtu; /**< Bytes of the largest packet, 68 to 65535. */
    uint32_t max_peers; /**< Peers the tunnel accepts. */
    /** Packets staged per peer while a handshake is under way, up to 65535; the oldest is dropped beyond it. */
    uint32_t staged_packets_per_peer;
    uint32_t staged_bytes_per_peer; /**< Bytes staged per peer. */
    uint32_t staged_bytes; /**< Bytes staged by the whole tunnel. */
    uint32_t events; /**< Without effect: no event is lost, and what waits is bounded by the peers. */
    /** Initiations per second answered without a cookie before the tunnel counts as under load. */
    uint32_t handshakes_per_second;
    uint32_t verified_handshakes_per_second; /**< Cookie-verified initiations per second, a lane of their own. */
    uint32_t handshakes_per_source; /**< Handshakes per second from one source (IPv4 /32, IPv6 /64). */
    uint32_t handshake_burst_per_source; /**< Handshakes one source may send at once. */
    uint32_t padding; /**< How packets are padded, see underpass_tunnel_set_padding(); 0: to 16 bytes. */
    /**
     * Where randomness comes from; NULL: the system, whose getrandom() waits, early after the start of a machine, until
     * there is enough.
     */
    underpass_entropy entropy;
    void *entropy_data; /**< What entropy is given as data. It lives as long as the tunnel. */
} underpass_options;

/**
 * The number of a peer: its name in all calls. Never 0, never that of another peer of any tunnel of this process,
 * even after it was removed.
 */
typedef uint64_t underpass_peer_id;

/** The room that packets and datagrams need. It changes with the MTU and with padding: UNDERPASS_EVENT_LAYOUT_CHANGED. */
typedef struct underpass_layout {
    uint32_t size; /**< sizeof(underpass_layout), set by the caller. */
    uint32_t mtu; /**< Bytes of the largest packet. */
    uint32_t headroom; /**< Bytes that must be free before a packet, in its buffer. */
    /** Bytes that must be free behind a packet, in its buffer. A buffer of transmit_buffer bytes has room for every packet. */
    uint32_t tailroom;
    uint32_t transmit_buffer; /**< Bytes of the buffer for underpass_tunnel_poll_transmit(). */
    uint32_t reserved; /**< 0. */
} underpass_layout;

/** What came of a request of wg. */
typedef struct underpass_uapi_result {
    uint32_t size; /**< sizeof(underpass_uapi_result), set by the caller. */
    /**
     * 0: applied. Else nothing was, and this is the number to answer with, with a minus sign: errno=-22. 12: there is no
     * memory for the request.
     */
    int32_t error_number;
    uint32_t flags; /**< UNDERPASS_UAPI_HAS_*: what is the host's to apply. */
    uint32_t fwmark; /**< With UNDERPASS_UAPI_HAS_FWMARK; 0: none. */
    uint32_t line; /**< The line that was refused, from 1; 0: none in particular. */
    uint16_t listen_port; /**< With UNDERPASS_UAPI_HAS_LISTEN_PORT; 0: any. */
    uint16_t reserved; /**< 0. */
} underpass_uapi_result;

/** The two ends of a datagram. */
typedef struct underpass_path {
    underpass_address remote; /**< The other side. */
    /** Our own address: where a datagram arrived, or where one should leave from. UNDERPASS_FAMILY_NONE: not known, or any. */
    underpass_ip local;
} underpass_path;

/** One packet or datagram of a batch. The memory of slot and buffer is the caller's. Never grows. */
typedef struct underpass_slot {
    uint8_t *buf; /**< In: memory that no other slot shares. */
    uint32_t cap; /**< In: its bytes. */
    /**
     * In: where in it the packet (with UNDERPASS_HEADROOM bytes before it and UNDERPASS_TAILROOM behind) or the datagram
     * begins. Out: where that begins which is to be sent or delivered.
     */
    uint32_t start;
    /** In: bytes of the packet or datagram. Out: bytes of what is to be sent or delivered; 0 where nothing is. */
    uint32_t len;
    int32_t verdict; /**< Out: UNDERPASS_VERDICT_*. */
    uint32_t reason; /**< Out, with UNDERPASS_VERDICT_DROPPED and UNDERPASS_VERDICT_BOUNCE: UNDERPASS_DROP_*. */
    /**
     * The ECN bits of the outer IP header, 0 to 3. In: of a datagram. Out, with UNDERPASS_VERDICT_SEND and
     * UNDERPASS_VERDICT_REPLY: for it.
     */
    uint8_t ecn;
    uint8_t reserved[3]; /**< 0. */
    underpass_peer_id peer; /**< Out: where it goes to or comes from; 0: no peer. */
    uint64_t user; /**< Out: what the host calls that peer, see underpass_peer_change. */
    underpass_path path; /**< In: the path a datagram came by. Out, with UNDERPASS_VERDICT_SEND: the path it takes. */
} underpass_slot;

/**
 * One packet or datagram between begin and finish. The memory is the caller's: zeroed before its first use, and not
 * moved while a job is in it. It holds a key until the job is finished or discarded.
 */
typedef struct underpass_job {
    uint64_t opaque[24]; /**< Not for the caller. */
} underpass_job;

/** A datagram to send. */
typedef struct underpass_transmit {
    uint32_t size; /**< sizeof(underpass_transmit), set by the caller. */
    uint32_t len; /**< Bytes of the datagram, at the beginning of the buffer. */
    underpass_peer_id peer; /**< Where it goes to; 0: no peer. */
    underpass_path path; /**< Where it goes, and from where. */
    uint8_t ecn; /**< The ECN bits of its outer IP header, 0 to 3. */
    uint8_t reserved[3]; /**< 0. */
    uint64_t user; /**< What the host calls that peer, see underpass_peer_change. */
} underpass_transmit;

/** A fact the host may want to show or act on. What the kind does not speak of is 0. */
typedef struct underpass_event {
    uint32_t size; /**< sizeof(underpass_event), set by the caller. */
    uint32_t kind; /**< UNDERPASS_EVENT_*. Leave alone what you do not know. */
    underpass_peer_id peer; /**< Whom it is about; 0: no peer. */
    underpass_path path; /**< With UNDERPASS_EVENT_ENDPOINT_MOVED. */
    uint32_t health; /**< With UNDERPASS_EVENT_HEALTH_CHANGED: UNDERPASS_HEALTH_*. */
    uint32_t lost; /**< 0. */
    uint32_t reserved; /**< 0. */
    uint64_t user; /**< What the host calls that peer, see underpass_peer_change. */
} underpass_event;

/** What is known of a peer. Counters are those since it was added. */
typedef struct underpass_peer_info {
    uint32_t size; /**< sizeof(underpass_peer_info), set by the caller. */
    uint32_t flags; /**< UNDERPASS_INFO_*. */
    uint8_t public_key[32]; /**< Its public key. */
    underpass_path path; /**< With UNDERPASS_INFO_PATH. */
    uint32_t health; /**< UNDERPASS_HEALTH_*. */
    uint32_t persistent_keepalive; /**< Seconds; 0: none. */
    uint32_t reserved; /**< 0. */
    uint64_t latest_handshake; /**< Nanoseconds since 1970 UTC, with UNDERPASS_INFO_HANDSHAKE. */
    uint64_t tx_bytes; /**< Bytes of datagrams sent to it, as wg counts them. */
    uint64_t rx_bytes; /**< Bytes of authenticated datagrams received from it. */
    uint64_t tx_packets; /**< Packets sealed. */
    uint64_t rx_packets; /**< Packets delivered. */
    uint64_t handshakes; /**< Handshakes completed. */
    uint64_t drops; /**< Drops of all reasons: see underpass_tunnel_peer_drops(). */
    uint64_t user; /**< What the host calls it, see underpass_peer_change. */
    /** When an authentic datagram of it came last, on the clock of the tunnel, with UNDERPASS_INFO_HEARD. */
    uint64_t last_heard;
    uint64_t send_errors; /**< Datagrams that could not be sent, see underpass_tunnel_handle_send_error(). */
    /** Why the last one could not: UNDERPASS_SEND_ERROR_*, with UNDERPASS_INFO_SEND_ERROR. */
    uint32_t last_send_error;
    /**
     * To be saved and given to underpass_peer_change in the next life, so that no initiation from before is taken for a new
     * one.
     */
    uint8_t timestamp_floor[12];
} underpass_peer_info;

/** Counters of a tunnel since it was made, and what it holds at present. */
typedef struct underpass_stats {
    uint32_t size; /**< sizeof(underpass_stats), set by the caller. */
    uint32_t reserved; /**< 0. */
    uint64_t tx_bytes; /**< Bytes of datagrams sent. */
    uint64_t rx_bytes; /**< Bytes of authenticated datagrams received. */
    uint64_t tx_packets; /**< Packets sealed. */
    uint64_t rx_packets; /**< Packets delivered. */
    uint64_t handshakes; /**< Handshakes completed. */
    uint64_t cookie_replies; /**< Cookie replies written. */
    uint64_t drops; /**< Drops of all reasons: see underpass_tunnel_drops(). */
    uint64_t peers; /**< Held: peers. */
    uint64_t allowed_ips; /**< Held: prefixes in the routing table. */
    uint64_t staged_packets; /**< Held: staged packets of all peers. */
    uint64_t staged_bytes; /**< Held: their bytes. */
    uint64_t session_indices; /**< Held: session indices in use. */
    uint64_t keypairs; /**< Held: keypairs of all peers. */
    uint64_t handshakes_under_way; /**< Held: handshakes under way, ours and the peers'. */
    uint64_t send_errors; /**< Failures to send, as told by underpass_tunnel_handle_send_error(). */
} underpass_stats;

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/**
 * The version of the library, to be compared with UNDERPASS_VERSION of the header: a program works with a library of
 * the same first two numbers while the first is 0, and of the same first number from 1 on.
 */
UNDERPASS_API uint32_t underpass_version(void);

/** The version of the library as text, such as "0.1.0". It is static: valid for ever, not to be freed. */
UNDERPASS_API const char *underpass_version_string(void);

/** Which cryptography is built in: "fast" or "portable". It is static: valid for ever, not to be freed. */
UNDERPASS_API const char *underpass_backend(void);

/**
 * What a status means, in a few English words: never NULL, whatever the number. It is static: valid for ever, not to
 * be freed.
 *
 * - status: what a function returned.
 */
UNDERPASS_API const char *underpass_strerror(int32_t status);

/**
 * The name of a drop reason for statistics: lower case, words joined by underscores; "unknown" for any other number,
 * never NULL. It is static: valid for ever, not to be freed.
 *
 * - reason: UNDERPASS_DROP_*.
 */
UNDERPASS_API const char *underpass_drop_reason_name(uint32_t reason);

/**
 * The name of an event for programs, as of a drop reason. It is static: valid for ever, not to be freed.
 *
 * - kind: UNDERPASS_EVENT_*.
 */
UNDERPASS_API const char *underpass_event_name(uint32_t kind);

/**
 * The name of a health for programs, as of a drop reason. It is static: valid for ever, not to be freed.
 *
 * - health: UNDERPASS_HEALTH_*.
 */
UNDERPASS_API const char *underpass_health_name(uint32_t health);

/**
 * The name of a failure to send for programs, as of a drop reason. It is static: valid for ever, not to be freed.
 *
 * - kind: UNDERPASS_SEND_ERROR_*.
 */
UNDERPASS_API const char *underpass_send_error_name(uint32_t kind);

/**
 * Makes a private key.
 *
 * - key: out, 32 bytes.
 *
 * Returns:
 * - UNDERPASS_OK: the key is there. Wipe it with underpass_wipe() when you are done with it.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_private_key_generate(uint8_t *key);

/**
 * Makes a preshared key.
 *
 * - key: out, 32 bytes.
 *
 * Returns:
 * - UNDERPASS_OK: the key is there. Wipe it with underpass_wipe() when you are done with it.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_preshared_key_generate(uint8_t *key);

/**
 * Computes the public key that belongs to a private one.
 *
 * - private_key: 32 bytes.
 * - public_key: out, 32 bytes; may be the same memory.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_public_key(const uint8_t *private_key, uint8_t *public_key);

/**
 * Reads a key from 44 base64 characters, as wg(8) writes it.
 *
 * - text: len bytes, no NUL needed.
 * - key: out, 32 bytes.
 *
 * Returns:
 * - UNDERPASS_E_KEY: the text is no key. Ask for another.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_key_from_base64(const char *text, size_t len, uint8_t *key);

/**
 * Reads a key from 64 hexadecimal digits of either case.
 *
 * - text: len bytes, no NUL needed.
 * - key: out, 32 bytes.
 *
 * Returns:
 * - UNDERPASS_E_KEY: the text is no key. Ask for another.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_key_from_hex(const char *text, size_t len, uint8_t *key);

/**
 * Writes a key as base64, as wg(8) does.
 *
 * - key: 32 bytes.
 * - text: out, cap bytes, of which UNDERPASS_BASE64_LEN are written, the last one a NUL.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_key_to_base64(const uint8_t *key, char *text, size_t cap);

/**
 * Writes a key as lower-case hexadecimal digits.
 *
 * - key: 32 bytes.
 * - text: out, cap bytes, of which UNDERPASS_HEX_LEN are written, the last one a NUL.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_key_to_hex(const uint8_t *key, char *text, size_t cap);

/**
 * Overwrites memory with zeros, in a way that no compiler leaves out: for keys that are no longer needed.
 *
 * - memory: out, len bytes, initialised or not; NULL does nothing.
 */
UNDERPASS_API void underpass_wipe(void *memory, size_t len);

/**
 * Reads a configuration in the dialect of wg-quick(8), of wg setconf, and of the phone applications.
 *
 * - text: len bytes of UTF-8, no NUL needed.
 * - config: out; to be released with underpass_config_free().
 *
 * Returns:
 * - UNDERPASS_OK: the configuration is there. Look at its diagnostics: if one of them is an error, it has nothing
 *   else. It keeps UNDERPASS_MAX_DIAGNOSTICS of them, errors first.
 * - UNDERPASS_E_ARGUMENT: the text is not UTF-8, or has a NUL in it: it is no configuration. Say so.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_parse(const char *text, size_t len, underpass_config **config);

/**
 * Reads a configuration as underpass_config_parse() does, and keeps as many diagnostics as the caller likes. Each takes
 * about 200 bytes. Whether the text is refused does not depend on their number.
 *
 * - text: len bytes of UTF-8, no NUL needed; borrowed for the call.
 * - max_diagnostics: how many it may keep at most; underpass_config_more() counts the others.
 * - config: out; to be released with underpass_config_free().
 *
 * Returns:
 * - UNDERPASS_OK: the configuration is there. Look at its diagnostics: if one of them is an error, it has nothing
 *   else. With none kept,
 *   underpass_config_interface() tells whether there is an error.
 * - UNDERPASS_E_ARGUMENT: the text is not UTF-8, or has a NUL in it: it is no configuration. Say so.
 * - UNDERPASS_E_MEMORY: there is no memory for it. Free some and call again.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_parse_with(const char *text, size_t len,
    size_t max_diagnostics, underpass_config **config);

/**
 * Releases a configuration and wipes its keys. What was borrowed from it is gone.
 *
 * - config: NULL does nothing.
 *
 * Threads: none may read it meanwhile or afterwards.
 */
UNDERPASS_API int32_t underpass_config_free(underpass_config *config);

/** Tells what is wrong or odd in the text, in the order of the text. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_diagnostic(const underpass_config *config, size_t index,
    underpass_diagnostic *out);

/**
 * Tells how many more diagnostics there are than underpass_config_diagnostic() tells: those that were counted only.
 *
 * - count: out.
 *
 * Returns:
 * - UNDERPASS_OK: the number is there, most often 0.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_more(const underpass_config *config, size_t *count);

/**
 * Tells what the [Interface] section says of numbers and keys.
 *
 * - out: out; its size field is set by the caller. It holds the private key: wipe it.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_interface(const underpass_config *config,
    underpass_interface *out);

/** Tells the addresses of the virtual interface, each with the prefix length of its network. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_address(const underpass_config *config, size_t index,
    underpass_ip *out);

/** Tells the name servers. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_dns(const underpass_config *config, size_t index,
    underpass_ip *out);

/**
 * Tells the texts of the [Interface] section: commands, search domains, applications.
 *
 * - kind: UNDERPASS_TEXT_*.
 * - out: out: text with a NUL, valid as long as the configuration.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_text(const underpass_config *config, uint32_t kind,
    size_t index, const char **out);

/**
 * Tells the peers, as changes that underpass_tunnel_configure_peers() takes: each makes a peer what the text says of
 * it. All zeros stand for no preshared key, 0 for no persistent keepalive.
 *
 * - out: out; its size field is set by the caller. Its pointers are valid as long as the configuration. It may hold a
 *   preshared key: wipe it.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_peer(const underpass_config *config, size_t index,
    underpass_peer_change *out);

/**
 * Writes the configuration as wg-quick text. It holds the private key: wipe it.
 *
 * - text: out, cap bytes, written with a NUL at its end; NULL and 0: only the length is asked for.
 * - len: out, bytes of the text without its NUL.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_config_write(const underpass_config *config, char *text, size_t cap,
    size_t *len);

/**
 * Fills options with the defaults, which suit a phone or a small router.
 *
 * - out: out, size bytes.
 * - size: sizeof(underpass_options).
 *
 * Returns:
 * - UNDERPASS_OK: the options are there. Change what should be otherwise.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_options_init(underpass_options *out, uint32_t size);

/**
 * Makes a tunnel without peers.
 *
 * - out: out; to be released with underpass_tunnel_free().
 *
 * Returns:
 * - UNDERPASS_OK: the tunnel is there. Configure its peers.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_new(const underpass_options *options, uint64_t now,
    uint64_t wall, underpass_tunnel **out);

/**
 * Makes a tunnel with the private key, the MTU and the peers of a configuration. What else that says (addresses,
 * name servers, listen port, commands) is the host's to do.
 *
 * - options: borrowed for the call; its private key and MTU are not looked at; NULL: the defaults.
 * - out: out; to be released with underpass_tunnel_free().
 *
 * Returns:
 * - UNDERPASS_OK: the tunnel is there. Poll it.
 * - UNDERPASS_E_TOO_MANY_PEERS: more peers than max_peers of the options. Raise that.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_new_from_config(const underpass_config *config,
    const underpass_options *options, uint64_t now, uint64_t wall, underpass_tunnel **out);

/**
 * Releases a tunnel and wipes its keys, poisoned or not. Jobs begun by it are to be discarded.
 *
 * - tunnel: NULL does nothing.
 *
 * Threads: none may be inside or use it afterwards.
 */
UNDERPASS_API int32_t underpass_tunnel_free(underpass_tunnel *tunnel);

/**
 * Fills a change with what sets nothing.
 *
 * - out: out, size bytes.
 * - size: sizeof(underpass_peer_change).
 *
 * Returns:
 * - UNDERPASS_OK: the change is there. Fill in the public key, and what is to be otherwise.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_peer_change_init(underpass_peer_change *out, uint32_t size);

/**
 * Adds, changes and removes peers, in the order of the changes, all or none. Sessions go on. Then poll.
 *
 * - changes: len of them, all of the size of the first; NULL for none.
 * - peers: out, len of them: the number of the peer of each change, 0 where it is not there afterwards; NULL: not asked
 *   for.
 *
 * Returns:
 * - UNDERPASS_OK: all are applied.
 * - UNDERPASS_E_LOW_ORDER_KEY: a public key is none that a peer can have. Nothing was applied; say so to whoever
 *   asked for it. All zeros is taken: the tunnel never speaks to that peer.
 * - UNDERPASS_E_TOO_MANY_PEERS: more than max_peers of the options. Nothing was applied; remove some first.
 * - UNDERPASS_E_PREFIX: the prefix of an allowed IP is too long. Nothing was applied; mend the change.
 * - UNDERPASS_E_ARGUMENT: an unknown action or flag, an address without family, or a host name that is none. Nothing
 *   was applied; mend the change.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_configure_peers(underpass_tunnel *tunnel, uint64_t now,
    const underpass_peer_change *changes, size_t len, underpass_peer_id *peers);

/** Removes every peer, with its sessions and staged packets. Then poll. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_remove_all_peers(underpass_tunnel *tunnel, uint64_t now);

/**
 * Sets or removes the private key. Sessions end, unless it is the key that the tunnel has. Then poll.
 *
 * - private_key: 32 bytes, borrowed for the call; NULL or all zeros: none.
 *
 * Returns:
 * - UNDERPASS_OK: it is set.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_set_private_key(underpass_tunnel *tunnel, uint64_t now,
    const uint8_t *private_key);

/**
 * Sets the MTU of the virtual interface. underpass_tunnel_poll_transmit() needs a buffer to match.
 *
 * - mtu: bytes, 68 to 65535.
 *
 * Returns:
 * - UNDERPASS_OK: it is set.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_set_mtu(underpass_tunnel *tunnel, uint64_t now, uint32_t mtu);

/**
 * Sets how packets are padded before they are sealed, so that lengths tell less to whoever watches the network. Any
 * WireGuard peer takes padded packets; nothing is padded beyond the MTU. Datagrams need other room then: see
 * underpass_tunnel_layout().
 *
 * - padding: to a multiple of so many bytes: 16, which is what every implementation does, or a power of two from 32 to
 *   32768; UNDERPASS_PADDING_MTU; 0: 16.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_set_padding(underpass_tunnel *tunnel, uint64_t now,
    uint32_t padding);

/**
 * Raises or lowers the bounds on memory and work of a running tunnel. What is staged beyond them is dropped, the oldest
 * first.
 *
 * - options: its limits, from max_peers on; the rest is not looked at. Fewer peers than there are: none more are added.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_set_limits(underpass_tunnel *tunnel, uint64_t now,
    const underpass_options *options);

/** Tells the room that packets and datagrams need at present. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_layout(const underpass_tunnel *tunnel, underpass_layout *out);

/**
 * Tells how long the datagram is that a packet becomes.
 *
 * - packet: bytes of the packet.
 * - datagram: out, bytes.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_datagram_len(const underpass_tunnel *tunnel, size_t packet,
    size_t *datagram);

/**
 * Makes the tunnel what a configuration says, as wg syncconf does: peers that are not in it go, the rest keep their
 * sessions; private key and MTU are set too. underpass_tunnel_poll_transmit() needs a buffer to match the MTU. Then
 * poll.
 *
 * Returns:
 * - UNDERPASS_OK: all is applied.
 * - UNDERPASS_E_TOO_MANY_PEERS: more than max_peers of the options. Nothing was applied; say so.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_apply_config(underpass_tunnel *tunnel, uint64_t now,
    const underpass_config *config);

/**
 * Applies a request of wg: the lines between set=1 and the empty line. Then poll.
 *
 * - text: len bytes, no NUL needed.
 *
 * Returns:
 * - UNDERPASS_OK: the request was looked at. If error_number is 0, do what flags say and answer errno=0; else
 *   nothing was applied, and it is the answer.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_uapi_set(underpass_tunnel *tunnel, uint64_t now,
    const char *text, size_t len, underpass_uapi_result *out);

/**
 * Writes the answer to get=1 of wg, without the errno line that ends it. It holds the private key: wipe it.
 *
 * - listen_port, fwmark: what the host knows; 0: none.
 * - text: out, cap bytes, written with a NUL at its end; NULL and 0: only the length is asked for.
 * - len: out, bytes of the text without its NUL.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_uapi_get(const underpass_tunnel *tunnel, uint16_t listen_port,
    uint32_t fwmark, char *text, size_t cap, size_t *len);

/**
 * Seals packets from the virtual interface, in place. Then poll.
 *
 * - slots: len of them, UNDERPASS_MAX_BATCH at most; NULL for none. Slots and buffers are borrowed for the call, and
 *   each slot says what became of its packet.
 *
 * Returns:
 * - UNDERPASS_OK: do with each slot what its verdict says.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_handle_packets(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *slots, size_t len);

/**
 * Opens datagrams from the network, in place. Then poll.
 *
 * - slots: len of them, UNDERPASS_MAX_BATCH at most; NULL for none. Slots and buffers are borrowed for the call, and
 *   each slot says what became of its datagram.
 *
 * Returns:
 * - UNDERPASS_OK: do with each slot what its verdict says.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, its path has no remote address, its ecn is
 *   greater than 3, or an array is not aligned as its type asks. Nothing was done; mend the call.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_handle_datagrams(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *slots, size_t len);

/**
 * The first of three steps that do what underpass_tunnel_handle_packets() does, for many cores: finds the sessions,
 * counts, writes the headers. Then poll.
 *
 * - slots: len of them, UNDERPASS_MAX_BATCH at most; NULL for none. Slots and buffers are borrowed for the call, and
 *   each slot says what became of its packet.
 * - jobs: one for each slot, zeroed before its first use. Slots, buffers and jobs stay where they are until they are
 *   finished or discarded.
 *
 * Returns:
 * - UNDERPASS_OK: those that are UNDERPASS_VERDICT_PENDING have a job now, which underpass_jobs_crypt() is to run,
 *   and then underpass_tunnel_finish_packets(), in the order of the packets. Do with the others what their verdicts
 *   say.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_begin_packets(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *slots, underpass_job *jobs, size_t len);

/**
 * The first of three steps that do what underpass_tunnel_handle_datagrams() does, for many cores: finds the sessions.
 * Handshake messages are done with it. Then poll.
 *
 * - slots: len of them, UNDERPASS_MAX_BATCH at most; NULL for none. Slots and buffers are borrowed for the call, and
 *   each slot says what became of its datagram.
 * - jobs: one for each slot, zeroed before its first use. Slots, buffers and jobs stay where they are until they are
 *   finished or discarded.
 *
 * Returns:
 * - UNDERPASS_OK: those that are UNDERPASS_VERDICT_PENDING have a job now, which underpass_jobs_crypt() is to run,
 *   and then underpass_tunnel_finish_datagrams(), in the order of the datagrams. Do with the others what their
 *   verdicts say.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, its path has no remote address, its ecn is
 *   greater than 3, or an array is not aligned as its type asks. Nothing was done; mend the call.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_begin_datagrams(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *slots, underpass_job *jobs, size_t len);

/**
 * The second of three steps: seals and opens what is begun, in both directions. It needs no tunnel.
 *
 * - slots, jobs: len of each, as they were begun. Slots that are not UNDERPASS_VERDICT_PENDING are not looked at.
 *
 * Threads: any, in any order, with any part of a batch; but one call for a slot and its job at a time.
 *
 * Returns:
 * - UNDERPASS_OK: finish them.
 * - UNDERPASS_E_JOB: A pending slot has no job that was begun with it, or its buffer was filled again. Nothing was
 *   done; discard the jobs, and mend the order of the calls.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_jobs_crypt(underpass_slot *slots, underpass_job *jobs, size_t len);

/**
 * The last of three steps for packets, in the order in which they were begun. The jobs are done and hold no keys any
 * more. Then poll.
 *
 * - slots, jobs: len of each, as they were begun. Slots that are not UNDERPASS_VERDICT_PENDING are not looked at.
 *
 * Returns:
 * - UNDERPASS_OK: do with each slot what its verdict says.
 * - UNDERPASS_E_JOB: A pending slot has no job that was begun with it, for a packet, by this tunnel, and crypted; or
 *   its buffer was filled again. Nothing was done; discard the jobs, and mend the order of the calls.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_finish_packets(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *slots, underpass_job *jobs, size_t len);

/**
 * The last of three steps for datagrams, in the order in which they were begun. The jobs are done and hold no keys
 * any more. Then poll.
 *
 * - slots, jobs: len of each, as they were begun. Slots that are not UNDERPASS_VERDICT_PENDING are not looked at.
 *
 * Returns:
 * - UNDERPASS_OK: do with each slot what its verdict says.
 * - UNDERPASS_E_JOB: A pending slot has no job that was begun with it, for a datagram, by this tunnel, and crypted;
 *   or its buffer was filled again. Nothing was done; discard the jobs, and mend the order of the calls.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_finish_datagrams(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *slots, underpass_job *jobs, size_t len);

/**
 * Wipes jobs that will not be finished. What they were begun for is lost, as a datagram may be on its way.
 *
 * - jobs: len of them, UNDERPASS_MAX_BATCH at most, in any state; NULL for none.
 *
 * Threads: any, but none may crypt or finish them meanwhile.
 *
 * Returns:
 * - UNDERPASS_E_ARGUMENT: the array is not aligned as its type asks. Mend the call.
 */
UNDERPASS_API int32_t underpass_jobs_discard(underpass_job *jobs, size_t len);

/**
 * Does what is due. To be called when the deadline of underpass_tunnel_poll_timeout() has come; earlier or later does
 * no harm. Then poll.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_handle_timeout(underpass_tunnel *tunnel, uint64_t now);

/**
 * Tells that the machine has other addresses, or another way to the network: endpoint names are asked for again, and
 * peers hear from us. Then poll.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_handle_network_change(underpass_tunnel *tunnel, uint64_t now);

/** Tells that the wall clock was set. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_handle_wall_clock(underpass_tunnel *tunnel, uint64_t now,
    uint64_t wall);

/**
 * Writes the next datagram that is to be sent: a handshake message, a keepalive, or a packet that was staged.
 *
 * - buf: out, cap bytes: at least the MTU + UNDERPASS_HEADROOM + UNDERPASS_TAILROOM, and at least
 *   UNDERPASS_MIN_TRANSMIT_BUFFER.
 *
 * Returns:
 * - UNDERPASS_OK: send the datagram along its path, and call again.
 * - UNDERPASS_E_RANDOM: a handshake message could not be made for want of randomness. An initiation is tried again
 *   after 5 s; for a response, the peer has to initiate again. All else has gone out.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_poll_transmit(underpass_tunnel *tunnel, uint64_t now,
    uint8_t *buf, size_t cap, underpass_transmit *out);

/**
 * Writes as many of the datagrams that are to be sent as there are slots: one call instead of one for each.
 *
 * - slots: len of them, UNDERPASS_MAX_BATCH at most. Of each, buf and cap are looked at, which is as much as
 *   underpass_tunnel_poll_transmit() needs. Those that were filled are UNDERPASS_VERDICT_SEND, from start 0.
 * - count: out, how many were filled, from the first on. Fewer than len: there are no more.
 *
 * Returns:
 * - UNDERPASS_NOTHING: there is nothing to send.
 * - UNDERPASS_E_RANDOM: as of underpass_tunnel_poll_transmit(), if nothing else was there to be sent.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_poll_transmits(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *slots, size_t len, size_t *count);

/**
 * Hands out the next event.
 *
 * Returns:
 * - UNDERPASS_OK: act on the event as its kind says, and call again.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_poll_event(underpass_tunnel *tunnel, underpass_event *out);

/**
 * Tells when underpass_tunnel_handle_timeout() is to be called. It may move with every call that handles or
 * configures.
 *
 * - deadline: out, nanoseconds on the clock of the tunnel; UNDERPASS_NEVER: not before something else happens.
 *
 * Returns:
 * - UNDERPASS_OK: sleep until then, or until there is a packet or a datagram.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_poll_timeout(const underpass_tunnel *tunnel,
    uint64_t *deadline);

/**
 * Tells where a peer is reached: the answer to UNDERPASS_EVENT_RESOLVE_ENDPOINT, or what the host knows otherwise.
 * Then poll.
 *
 * - remote: borrowed for the call.
 *
 * Returns:
 * - UNDERPASS_OK: what waited for it goes out.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_set_endpoint(underpass_tunnel *tunnel, uint64_t now,
    underpass_peer_id peer, const underpass_address *remote);

/** Starts a handshake with a peer, unless a session is live or one is under way. Then poll. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_connect(underpass_tunnel *tunnel, uint64_t now,
    underpass_peer_id peer);

/**
 * Tells that datagrams of a peer could not leave: they are counted apart from what was sent. An address of ours that does
 * not work is left to the host until the peer is heard from again; an endpoint that cannot be reached is looked for
 * elsewhere, if it has a name. Neither happens when the peer is reached over another path by now. Then poll.
 *
 * - path: what the slot or the transmit said.
 * - len: bytes of those datagrams; 0: they left after all, from another address than that of the path.
 * - kind: UNDERPASS_SEND_ERROR_*.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_handle_send_error(underpass_tunnel *tunnel,
    underpass_peer_id peer, const underpass_path *path, size_t len, uint32_t kind);

/**
 * Ends the sessions and handshakes of a peer at once, wipes their keys and drops what is staged for it. The peer stays; the
 * next packet or initiation begins a new session, unless it is refused.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_end_sessions(underpass_tunnel *tunnel, uint64_t now,
    underpass_peer_id peer);

/**
 * Refuses a peer, or no longer: a user who was suspended or logged out. Its sessions end, its initiations are dropped, and
 * so are packets to it, as UNDERPASS_DROP_REFUSED. Its configuration stays. Then poll.
 *
 * - refused: 0: no longer.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_set_refused(underpass_tunnel *tunnel, uint64_t now,
    underpass_peer_id peer, uint32_t refused);

/**
 * Forgets the last timestamp accepted from a peer, whose clock was once far ahead and has been mended. Until its
 * next handshake, an old initiation of its could be replayed; it reaches no session by that.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_reset_peer_timestamp(underpass_tunnel *tunnel,
    underpass_peer_id peer);

/**
 * Tells the number of the peer with a public key: its name in all other calls, never 0, and never that of another
 * peer, even after it was removed.
 *
 * Returns:
 * - UNDERPASS_E_NO_PEER: there is no peer with this key. Add it first.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_peer_by_key(const underpass_tunnel *tunnel,
    const uint8_t *public_key, underpass_peer_id *peer);

/**
 * Tells the numbers of all peers.
 *
 * - peers: out, cap of them; NULL and 0: only their count is asked for.
 * - len: out, how many there are.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_peers(const underpass_tunnel *tunnel, underpass_peer_id *peers,
    size_t cap, size_t *len);

/** Tells what is known of a peer. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_peer(const underpass_tunnel *tunnel, uint64_t now,
    underpass_peer_id peer, underpass_peer_info *out);

/**
 * Tells the allowed IPs of a peer, each with its prefix.
 *
 * - allowed_ips: out, cap of them; NULL and 0: only their count is asked for.
 * - len: out, how many there are.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_peer_allowed_ips(const underpass_tunnel *tunnel,
    underpass_peer_id peer, underpass_ip *allowed_ips, size_t cap, size_t *len);

/**
 * Tells the host name that a peer's endpoint was configured as.
 *
 * - host: out, cap bytes, written with a NUL at its end; 256 are always enough; NULL and 0: only length and port are
 *   asked for.
 * - len: out, bytes of the name without its NUL.
 * - port: out, in host order.
 *
 * Returns:
 * - UNDERPASS_OK: name, length and port are there. Resolve it, and tell underpass_tunnel_set_endpoint().
 * - UNDERPASS_NOTHING: it was configured as an address, or not at all.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_peer_endpoint_name(const underpass_tunnel *tunnel,
    underpass_peer_id peer, char *host, size_t cap, size_t *len, uint16_t *port);

/**
 * Tells how often packets and datagrams of a peer went no further, by reason.
 *
 * - counts: out, cap of them: the count of a reason stands at its number. UNDERPASS_DROP_REASONS are all that this
 *   header knows.
 * - len: out, how many reasons the library knows. What is beyond cap is left out; what is beyond len is not written.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_peer_drops(const underpass_tunnel *tunnel,
    underpass_peer_id peer, uint64_t *counts, size_t cap, size_t *len);

/** Tells the counters of the tunnel, and what it holds. It visits every peer. */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_stats(const underpass_tunnel *tunnel, underpass_stats *out);

/**
 * Tells how often packets and datagrams went no further, by reason, those of no known peer included.
 *
 * - counts: out, cap of them: the count of a reason stands at its number. UNDERPASS_DROP_REASONS are all that this
 *   header knows.
 * - len: out, how many reasons the library knows. What is beyond cap is left out; what is beyond len is not written.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_drops(const underpass_tunnel *tunnel, uint64_t *counts,
    size_t cap, size_t *len);

/**
 * Tells our public key.
 *
 * - public_key: out, 32 bytes.
 *
 * Returns:
 * - UNDERPASS_NOTHING: the tunnel has no private key.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_public_key(const underpass_tunnel *tunnel,
    uint8_t *public_key);

/**
 * Tells the MTU of the virtual interface.
 *
 * - mtu: out, bytes.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_mtu(const underpass_tunnel *tunnel, uint32_t *mtu);

/**
 * Tells the timestamp that is to be saved from time to time and when the tunnel ends, and given to its next life as
 * timestamp_floor of the options.
 *
 * - floor: out, UNDERPASS_TIMESTAMP_LEN bytes.
 */
UNDERPASS_API UNDERPASS_CHECKED int32_t underpass_tunnel_timestamp_floor(const underpass_tunnel *tunnel,
    uint8_t *floor);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

#endif  /* UNDERPASS_H */
