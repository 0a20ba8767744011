/*
 * Underpass: a WireGuard tunnel without I/O of its own, for programs that have sockets, a virtual interface and a clock.
 *
 * A tunnel is told what happened (underpass_handle_*), and asked what it wants (underpass_poll_*): after every call
 * that configures, tells or commands, call underpass_poll_transmit() and underpass_poll_event() until they have nothing
 * more, then underpass_poll_timeout(), and sleep until that, a packet or a datagram. docs/c-guide.md shows a whole program.
 *
 * What holds for every function:
 *
 * - It returns an int32_t: 0 is done, above 0 is done with a remark, below 0 is refused: then nothing was changed, and
 *   nothing written to any parameter. The codes stay what they are in every later version; new ones may come.
 * - Memory is the caller's, and is borrowed until the function returns; where it is not, that is said. What is handed
 *   out comes last among the parameters.
 * - Structs that begin with size may grow. Set size to the sizeof of the struct, by its _init function where it has one:
 *   old programs work with new libraries, and new programs with old libraries that have what they use. Fields called
 *   reserved are 0.
 * - A tunnel may be used from any thread, by one call at a time: UNDERPASS_E_BUSY tells when that is broken. A
 *   configuration does not change and may be read by any number of threads. What takes neither may be called from any
 *   thread at any time.
 * - now is nanoseconds of a clock that goes on while the machine sleeps (CLOCK_BOOTTIME on Linux). Its beginning does
 *   not matter. When it goes back by more than a second, time in the tunnel goes on from where it was; when it leaps
 *   ahead by more than a day, all sessions end, and there is an UNDERPASS_EVENT_CLOCK_LEAPT.
 * - Memory may run out. Every function that makes or changes something may then answer UNDERPASS_E_MEMORY: nothing was
 *   changed, and it may be called again. Packets and handshake messages without memory are dropped and counted as
 *   UNDERPASS_DROP_NO_MEMORY, and handshakes are tried again. What only takes away (underpass_remove_all_peers(), a
 *   change alone that removes a peer, releasing) and what only reads needs no memory. Two exceptions end the program: a
 *   bug (UNDERPASS_E_PANIC) for which there are not some hundred bytes to report it by, and, only in a library built with
 *   debug assertions, the 42 bytes that its cryptography takes at each exchange of keys.
 * - Nothing is called back, logged or printed; no thread, signal handler or global state is made. But a bug in the
 *   library prints a line to standard error. It does not tear the program down: the call returns UNDERPASS_E_PANIC,
 *   and from then on the tunnel returns UNDERPASS_E_POISONED, until it is freed.
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

/** The version of this header: the first of three numbers. */
#define UNDERPASS_VERSION_MAJOR 0
/** The version of this header: the second. */
#define UNDERPASS_VERSION_MINOR 1
/** The version of this header: the third. */
#define UNDERPASS_VERSION_PATCH 0

/** The version of this header as one number, to be compared with underpass_version(). */
#define UNDERPASS_VERSION (((UNDERPASS_VERSION_MAJOR << 24) | (UNDERPASS_VERSION_MINOR << 16)) | (UNDERPASS_VERSION_PATCH << 8))

/** Bytes of a key. */
#define UNDERPASS_KEY_LEN 32u

/** Bytes of a key in base64, with its NUL. */
#define UNDERPASS_BASE64_LEN 45u

/** Bytes of a key in hexadecimal, with its NUL. */
#define UNDERPASS_HEX_LEN 65u

/** Bytes of a saved timestamp. */
#define UNDERPASS_TIMESTAMP_LEN 12u

/** Bytes that must be free before a packet, in its buffer. */
#define UNDERPASS_HEADROOM 16u

/** Bytes that must be free behind a packet, in its buffer. */
#define UNDERPASS_TAILROOM 32u

/** underpass_poll_transmit() needs at least this many bytes, and at least MTU + UNDERPASS_HEADROOM + UNDERPASS_TAILROOM. */
#define UNDERPASS_MIN_TRANSMIT_BUFFER 148u

/** Slots that a batch may have. */
#define UNDERPASS_MAX_BATCH 256u

/** A deadline that never comes: sleep until there is a packet or a datagram. */
#define UNDERPASS_NEVER UINT64_MAX

/** Done. */
#define UNDERPASS_OK 0

/** Done, and there is nothing (more) to hand out: out-parameters are untouched. Go on with what comes next. */
#define UNDERPASS_NOTHING 1

/** A pointer that must not be NULL is. Mend the call. */
#define UNDERPASS_E_NULL (-1)

/**
 * The size field of a struct is not one that this library knows. Set it to the sizeof of the struct; if it is, the header
 * is newer than the library and uses what that does not have: compare UNDERPASS_VERSION with underpass_version().
 */
#define UNDERPASS_E_SIZE (-2)
/** A number out of its range, an unknown flag, text that is not UTF-8, or an array that is not aligned. Mend the call. */
#define UNDERPASS_E_ARGUMENT (-3)
/** The memory for the answer is too short. Ask for the length (NULL and 0 as memory), make room, call again. */
#define UNDERPASS_E_BUFFER (-4)
/** Buffers of a batch overlap each other, or the slots, or the jobs. Mend the call. */
#define UNDERPASS_E_OVERLAP (-5)
/** More than UNDERPASS_MAX_BATCH slots. Make several calls. */
#define UNDERPASS_E_BATCH (-6)
/** The text is no key. Ask for another. */
#define UNDERPASS_E_KEY (-7)
/** The configuration has errors. Show its diagnostics. */
#define UNDERPASS_E_CONFIG (-8)
/** A public key is a point of low order: whoever gave it cannot be a peer. */
#define UNDERPASS_E_LOW_ORDER_KEY (-9)
/** More peers than max_peers of the options. Remove some, or make the tunnel with a greater limit. */
#define UNDERPASS_E_TOO_MANY_PEERS (-10)
/** The prefix length of a network is beyond 32 (IPv4) or 128 (IPv6). Mend the call. */
#define UNDERPASS_E_PREFIX (-11)
/** The MTU is outside 68 to 65535. Mend the call. */
#define UNDERPASS_E_MTU (-12)
/** A limit of the options is zero or too great. Mend the call. */
#define UNDERPASS_E_LIMIT (-13)
/** No peer has this name or key, or not any more. Forget it. */
#define UNDERPASS_E_NO_PEER (-14)

/**
 * A job was not begun for this slot and tunnel, is not ready for this step, or is done. Discard the jobs of the batch and
 * drop its packets; mend the order of the calls.
 */
#define UNDERPASS_E_JOB (-15)
/** The system gives no randomness. Try again later: early after the start of a machine it may have none. */
#define UNDERPASS_E_RANDOM (-16)
/** Another thread is inside this handle. Keep threads apart with a lock of your own. */
#define UNDERPASS_E_BUSY (-17)
/** A bug in the library stopped the call. The tunnel is poisoned: free it, make another, and report what led here. */
#define UNDERPASS_E_PANIC (-18)
/** A bug stopped an earlier call on this tunnel. Free it and make another. */
#define UNDERPASS_E_POISONED (-19)
/** There is no memory for what was asked. Nothing was changed or written: free some, call again. */
#define UNDERPASS_E_MEMORY (-20)

/** Not a WireGuard datagram: wrong type, reserved bytes or length. */
#define UNDERPASS_DROP_MALFORMED 0u
/** The first MAC of a handshake message does not verify: not meant for us. */
#define UNDERPASS_DROP_BAD_MAC 1u
/** No session or handshake has this receiver index. */
#define UNDERPASS_DROP_UNKNOWN_INDEX 2u
/** The handshake names a static key that is no peer of ours. */
#define UNDERPASS_DROP_UNKNOWN_PEER 3u
/** Authentication failed: forged, corrupted, or sealed under other keys. */
#define UNDERPASS_DROP_BAD_TAG 4u
/** A low-order point in a handshake: the shared secret would be zero. */
#define UNDERPASS_DROP_LOW_ORDER_KEY 5u
/** The counter was seen already or lies behind the replay window. */
#define UNDERPASS_DROP_REPLAY 6u
/** The initiation's timestamp is not later than the last one accepted. */
#define UNDERPASS_DROP_OLD_TIMESTAMP 7u
/** The keypair is too old or has sealed or opened too many messages. */
#define UNDERPASS_DROP_KEY_EXPIRED 8u
/** Initiations of one peer came faster than 50 per second. */
#define UNDERPASS_DROP_INITIATION_FLOOD 9u
/** Under load and without a valid cookie, or over the rate of its source. */
#define UNDERPASS_DROP_UNDER_LOAD 10u
/** A cookie reply that answers nothing we sent. */
#define UNDERPASS_DROP_UNEXPECTED_COOKIE 11u
/** The inner packet is not IP, or shorter than it says. */
#define UNDERPASS_DROP_MALFORMED_PACKET 12u
/** The inner source address belongs to another peer or to none. */
#define UNDERPASS_DROP_SOURCE_NOT_ALLOWED 13u
/** The outer header says "congestion experienced", the inner packet cannot. */
#define UNDERPASS_DROP_CONGESTION 14u
/** No peer owns the destination address. */
#define UNDERPASS_DROP_NO_ROUTE 15u
/** The peer has no endpoint and none can be resolved. */
#define UNDERPASS_DROP_NO_ENDPOINT 16u
/** The packet exceeds the MTU. */
#define UNDERPASS_DROP_TOO_BIG 17u
/** The buffer lacks headroom, tailroom or length. */
#define UNDERPASS_DROP_NO_ROOM 18u
/** A staged packet gave way to a newer one, or its peer went away. */
#define UNDERPASS_DROP_STAGED_OVERFLOW 19u
/** The handshake was given up while the packet was staged. */
#define UNDERPASS_DROP_HANDSHAKE_FAILED 20u
/** The tunnel has no private key. */
#define UNDERPASS_DROP_NO_PRIVATE_KEY 21u
/** The packet is a datagram of ours that was routed back into the tunnel. */
#define UNDERPASS_DROP_LOOP 22u
/** The peer is refused by the host. */
#define UNDERPASS_DROP_REFUSED 23u
/** There is no memory for what the packet or handshake message needs. */
#define UNDERPASS_DROP_NO_MEMORY 24u
/** How many reasons this header knows. */
#define UNDERPASS_DROP_REASONS 25u

/** No address. */
#define UNDERPASS_FAMILY_NONE 0u
/** IPv4. */
#define UNDERPASS_FAMILY_IPV4 4u
/** IPv6. */
#define UNDERPASS_FAMILY_IPV6 6u

/** The configuration works, but perhaps not as meant. */
#define UNDERPASS_SEVERITY_WARNING 0u
/** There is no configuration. */
#define UNDERPASS_SEVERITY_ERROR 1u

/** How many diagnostics underpass_config_parse() keeps of one text; errors come before warnings. */
#define UNDERPASS_MAX_DIAGNOSTICS 100u

/** Routes go to the main table, with special treatment of default routes. */
#define UNDERPASS_TABLE_AUTO 0u
/** No routes are added. */
#define UNDERPASS_TABLE_OFF 1u
/** Routes go to the table of table_number. */
#define UNDERPASS_TABLE_NUMBER 2u
/** Routes go to the table of table_name. */
#define UNDERPASS_TABLE_NAME 3u

/** private_key is set. */
#define UNDERPASS_INTERFACE_HAS_PRIVATE_KEY 1u
/** The text gives an MTU; else mtu is the usual one. */
#define UNDERPASS_INTERFACE_HAS_MTU 2u
/** The text gives a listen port. */
#define UNDERPASS_INTERFACE_HAS_LISTEN_PORT 4u
/** The text gives a firewall mark. */
#define UNDERPASS_INTERFACE_HAS_FWMARK 8u

/** Domains to search. */
#define UNDERPASS_TEXT_SEARCH_DOMAIN 0u
/** Shell commands to run before the interface is up; %i stands for its name. */
#define UNDERPASS_TEXT_PRE_UP 1u
/** Shell commands to run after it. */
#define UNDERPASS_TEXT_POST_UP 2u
/** Shell commands to run before the interface goes down. */
#define UNDERPASS_TEXT_PRE_DOWN 3u
/** Shell commands to run after it. */
#define UNDERPASS_TEXT_POST_DOWN 4u
/** Applications that use the tunnel; none: all do. */
#define UNDERPASS_TEXT_INCLUDED_APPLICATION 5u
/** Applications that do not use the tunnel. */
#define UNDERPASS_TEXT_EXCLUDED_APPLICATION 6u

/** private_key is set. */
#define UNDERPASS_OPTION_PRIVATE_KEY 1u

/** The peer is added if it is not there, then changed. */
#define UNDERPASS_PEER_SET 0u
/** The peer is changed if it is there; else nothing happens. */
#define UNDERPASS_PEER_UPDATE 1u
/** The peer is removed if it is there. */
#define UNDERPASS_PEER_REMOVE 2u
/** preshared_key is set; all zeros removes it. */
#define UNDERPASS_PEER_HAS_PRESHARED_KEY 1u
/** endpoint, or endpoint_host and endpoint_port, are set. */
#define UNDERPASS_PEER_HAS_ENDPOINT 2u
/** persistent_keepalive is set. */
#define UNDERPASS_PEER_HAS_KEEPALIVE 4u
/** The endpoint stays as configured although datagrams come from elsewhere. */
#define UNDERPASS_PEER_PIN 8u
/** The endpoint follows the peer again. */
#define UNDERPASS_PEER_UNPIN 16u
/** The allowed IPs are emptied before those of this change are added. */
#define UNDERPASS_PEER_REPLACE_ALLOWED_IPS 32u

/** The request sets the port to listen on. */
#define UNDERPASS_UAPI_HAS_LISTEN_PORT 1u
/** The request sets the firewall mark. */
#define UNDERPASS_UAPI_HAS_FWMARK 2u

/** Begun, and not finished: crypt and finish it. */
#define UNDERPASS_VERDICT_PENDING 0
/** buf[start] and the len bytes from there are a datagram: send it along path. */
#define UNDERPASS_VERDICT_SEND 1
/** They are a packet from peer: give it to the virtual interface. */
#define UNDERPASS_VERDICT_DELIVER 2
/** They are a cookie reply: send it back along path. */
#define UNDERPASS_VERDICT_REPLY 3
/** They are an ICMP error: give it to the virtual interface. reason says what happened to the packet. */
#define UNDERPASS_VERDICT_BOUNCE 4
/** Taken in (handshake, keepalive): poll. */
#define UNDERPASS_VERDICT_CONSUMED 5
/** Copied, until there is a session: poll. */
#define UNDERPASS_VERDICT_STAGED 6
/** Gone, and counted; reason says why. */
#define UNDERPASS_VERDICT_DROPPED 7

/** A handshake completed: a new session is live. */
#define UNDERPASS_EVENT_SESSION_ESTABLISHED 1u
/** The handshake was given up after 90 s without an answer. */
#define UNDERPASS_EVENT_HANDSHAKE_FAILED 2u
/** The last session ended without a successor, and its keys were wiped. */
#define UNDERPASS_EVENT_SESSION_EXPIRED 3u
/** An authenticated datagram came from elsewhere: path is where the peer is now. */
#define UNDERPASS_EVENT_ENDPOINT_MOVED 4u
/** Resolve the peer's endpoint name (underpass_peer_endpoint_name()) and answer with underpass_set_endpoint(). */
#define UNDERPASS_EVENT_RESOLVE_ENDPOINT 5u
/** The peer's health changed: health is what it is now. */
#define UNDERPASS_EVENT_HEALTH_CHANGED 6u

/**
 * The peer's timestamp is more than a day ahead of our wall clock: if its clock is mended later, it will be refused until
 * underpass_reset_peer_timestamp().
 */
#define UNDERPASS_EVENT_TIMESTAMP_AHEAD 7u
/** Does not come: no event is lost. The number stays taken. */
#define UNDERPASS_EVENT_LOST 8u

/**
 * The clock given as now leapt ahead by more than a day: every session has expired. If the machine has not slept for so
 * long, a reading of the clock failed. peer is 0.
 */
#define UNDERPASS_EVENT_CLOCK_LEAPT 9u
/** Packets or datagrams need other room than before, since the MTU changed. peer is 0. */
#define UNDERPASS_EVENT_LAYOUT_CHANGED 10u

/** No session yet under our present key: a handshake is to come or under way. */
#define UNDERPASS_HEALTH_CONNECTING 0u
/** A session is live, and nothing that we sent is unanswered. */
#define UNDERPASS_HEALTH_UP 1u
/** What we sent is unanswered: a packet for 15 s, or, since the last session ended, an initiation for 5 s. */
#define UNDERPASS_HEALTH_STALE 2u
/** A handshake was given up after 90 s, and the peer was not heard since; traffic starts another. */
#define UNDERPASS_HEALTH_FAILED 3u
/** The last session ended for its age, 180 s, and nothing that we sent is unanswered; traffic starts another. */
#define UNDERPASS_HEALTH_IDLE 4u

/** The peer has a preshared key. */
#define UNDERPASS_INFO_PRESHARED_KEY 1u
/** path is where the peer is reached. */
#define UNDERPASS_INFO_PATH 2u
/** The endpoint stays as configured. */
#define UNDERPASS_INFO_PINNED 4u
/** There was a handshake: latest_handshake is its time. */
#define UNDERPASS_INFO_HANDSHAKE 8u
/** The endpoint was configured as a host name: see underpass_peer_endpoint_name(). */
#define UNDERPASS_INFO_NAMED 16u

/**
 * A configuration that was read from text. It does not change, so any number of threads may read it at a time. Made by
 * underpass_config_parse(), released by underpass_config_free().
 */
typedef struct underpass_config underpass_config;

/**
 * A tunnel: one virtual interface with its private key, its peers and its routes. Made by underpass_tunnel_new() or
 * underpass_tunnel_new_from_config(), released by underpass_tunnel_free(). It may be used from any thread, by one call at
 * a time.
 */
typedef struct underpass_tunnel underpass_tunnel;

/**
 * One finding in a configuration text. It repeats nothing of the text's values, so it can be logged and shown. The
 * pointers are valid as long as the configuration.
 */
typedef struct underpass_diagnostic {
    /** sizeof(underpass_diagnostic), set by the caller. */
    uint32_t size;
    /** UNDERPASS_SEVERITY_*. */
    uint32_t severity;
    /** From 1. */
    uint32_t line;
    /** From 1, in characters. */
    uint32_t column;
    /** "Interface", "Peer" or "". */
    const char *section;
    /** The key of the line in its usual spelling, or "". */
    const char *key;
    /** What it is, in English. */
    const char *reason;
} underpass_diagnostic;

/** What the [Interface] section says of numbers and keys. */
typedef struct underpass_interface {
    /** sizeof(underpass_interface), set by the caller. */
    uint32_t size;
    /** UNDERPASS_INTERFACE_HAS_*. */
    uint32_t flags;
    /** The firewall mark of outgoing datagrams; 0: none. */
    uint32_t fwmark;
    /** UNDERPASS_TABLE_*. */
    uint32_t table_kind;
    /** With UNDERPASS_TABLE_NUMBER. */
    uint32_t table_number;
    /** Bytes of the largest packet. */
    uint16_t mtu;
    /** The UDP port to listen on; 0: any. */
    uint16_t listen_port;
    /** With UNDERPASS_TABLE_NAME, else "". Valid as long as the configuration. */
    const char *table_name;
    /** Wipe it when you are done with it. */
    uint8_t private_key[32];
    /** Not 0: the running configuration is to be written back when the interface goes down. */
    uint32_t save_config;
    /** 0. */
    uint32_t reserved;
} underpass_interface;

/** An IP address, or a network. */
typedef struct underpass_ip {
    /** UNDERPASS_FAMILY_*. */
    uint8_t family;
    /** The length of the network's prefix, where a network is meant; else 0 and not looked at. */
    uint8_t prefix;
    /** 0. */
    uint8_t reserved[2];
    /** In network order; IPv4 in the first four. */
    uint8_t bytes[16];
} underpass_ip;

/** An IP address and a UDP port. */
typedef struct underpass_address {
    /** UNDERPASS_FAMILY_*. */
    uint8_t family;
    /** 0. */
    uint8_t reserved;
    /** In host order. */
    uint16_t port;
    /** The interface of an IPv6 link-local address, else 0. */
    uint32_t scope_id;
    /** In network order; IPv4 in the first four. */
    uint8_t ip[16];
} underpass_address;

/** An allowed IP to add or take away. Never grows. */
typedef struct underpass_allowed_ip {
    /** With its prefix; bits behind the prefix are ignored. */
    underpass_ip network;
    /** Not 0: take it away. */
    uint32_t remove;
} underpass_allowed_ip;

/** A change of one peer. Begin with underpass_peer_change_init(); what no flag speaks of stays as it is. */
typedef struct underpass_peer_change {
    /** sizeof(underpass_peer_change), set by underpass_peer_change_init(). */
    uint32_t size;
    /** UNDERPASS_PEER_SET, UNDERPASS_PEER_UPDATE or UNDERPASS_PEER_REMOVE. */
    uint32_t action;
    /** UNDERPASS_PEER_HAS_*, UNDERPASS_PEER_PIN, UNDERPASS_PEER_UNPIN, UNDERPASS_PEER_REPLACE_ALLOWED_IPS. */
    uint32_t flags;
    /** Seconds between persistent keepalives; 0: none. */
    uint16_t persistent_keepalive;
    /** The port of endpoint_host, in host order. */
    uint16_t endpoint_port;
    /** Which peer. */
    uint8_t public_key[32];
    /** All zeros: none. Used from the next handshake on. */
    uint8_t preshared_key[32];
    /** Where the peer is reached, unless endpoint_host is given. */
    underpass_address endpoint;
    /** A host name with a NUL that the host is to resolve, see UNDERPASS_EVENT_RESOLVE_ENDPOINT; or NULL. */
    const char *endpoint_host;
    /** Allowed IPs to add or take away; borrowed for the call. */
    const underpass_allowed_ip *allowed_ips;
    /** How many. */
    size_t allowed_ips_len;
} underpass_peer_change;

/** What a tunnel is made from. Begin with underpass_options_init(), and change what should be otherwise. */
typedef struct underpass_options {
    /** sizeof(underpass_options), set by underpass_options_init(). */
    uint32_t size;
    /** UNDERPASS_OPTION_*. */
    uint32_t flags;
    /** Without one the tunnel drops everything until it gets one. */
    uint8_t private_key[32];
    /** What underpass_timestamp_floor() gave in an earlier life, so that a clock set back does not lock us out. Zeros: none. */
    uint8_t timestamp_floor[12];
    /** Bytes of the largest packet, 68 to 65535. */
    uint32_t mtu;
    /** Peers the tunnel accepts. */
    uint32_t max_peers;
    /** Packets staged per peer while a handshake is under way, up to 65535; the oldest is dropped beyond it. */
    uint32_t staged_packets_per_peer;
    /** Bytes staged per peer. */
    uint32_t staged_bytes_per_peer;
    /** Bytes staged by the whole tunnel. */
    uint32_t staged_bytes;
    /** Without effect: no event is lost, and what waits is bounded by the peers. */
    uint32_t events;
    /** Initiations per second answered without a cookie before the tunnel counts as under load. */
    uint32_t handshakes_per_second;
    /** Cookie-verified initiations per second, a lane of their own. */
    uint32_t verified_handshakes_per_second;
    /** Handshakes per second from one source (IPv4 /32, IPv6 /64). */
    uint32_t handshakes_per_source;
    /** Handshakes one source may send at once. */
    uint32_t handshake_burst_per_source;
} underpass_options;

/** What came of a request of wg. */
typedef struct underpass_uapi_result {
    /** sizeof(underpass_uapi_result), set by the caller. */
    uint32_t size;
    /**
     * 0: applied. Else nothing was, and this is the number to answer with, with a minus sign: errno=-22. 12: there is no
     * memory for the request.
     */
    int32_t error_number;
    /** UNDERPASS_UAPI_HAS_*: what is the host's to apply. */
    uint32_t flags;
    /** With UNDERPASS_UAPI_HAS_FWMARK; 0: none. */
    uint32_t fwmark;
    /** The line that was refused, from 1; 0: none in particular. */
    uint32_t line;
    /** With UNDERPASS_UAPI_HAS_LISTEN_PORT; 0: any. */
    uint16_t listen_port;
    /** 0. */
    uint16_t reserved;
} underpass_uapi_result;

/** The two ends of a datagram. */
typedef struct underpass_path {
    /** The other side. */
    underpass_address remote;
    /** Our own address: where a datagram arrived, or where one should leave from. UNDERPASS_FAMILY_NONE: not known, or any. */
    underpass_ip local;
} underpass_path;

/** One packet or datagram of a batch. The memory of slot and buffer is the caller's. Never grows. */
typedef struct underpass_slot {
    /** In: memory that no other slot shares. */
    uint8_t *buf;
    /** In: its bytes. */
    uint32_t cap;
    /**
     * In: where in it the packet (with UNDERPASS_HEADROOM bytes before it and UNDERPASS_TAILROOM behind) or the datagram
     * begins. Out: where that begins which is to be sent or delivered.
     */
    uint32_t start;
    /** In: bytes of the packet or datagram. Out: bytes of what is to be sent or delivered; 0 where nothing is. */
    uint32_t len;
    /** Out: UNDERPASS_VERDICT_*. */
    int32_t verdict;
    /** Out, with UNDERPASS_VERDICT_DROPPED and UNDERPASS_VERDICT_BOUNCE: UNDERPASS_DROP_*. */
    uint32_t reason;
    /**
     * The ECN bits of the outer IP header, 0 to 3. In: of a datagram. Out, with UNDERPASS_VERDICT_SEND and
     * UNDERPASS_VERDICT_REPLY: for it.
     */
    uint8_t ecn;
    /** 0. */
    uint8_t reserved[3];
    /** Out: where it goes to or comes from; 0: no peer. */
    uint64_t peer;
    /** In: the path a datagram came by. Out, with UNDERPASS_VERDICT_SEND: the path it takes. */
    underpass_path path;
} underpass_slot;

/**
 * One packet or datagram between begin and finish. The memory is the caller's: zeroed before its first use, and not moved
 * while a job is in it. It holds a key until the job is finished or discarded.
 */
typedef struct underpass_job {
    /** Not for the caller. */
    uint64_t opaque[24];
} underpass_job;

/** A datagram to send. */
typedef struct underpass_transmit {
    /** sizeof(underpass_transmit), set by the caller. */
    uint32_t size;
    /** Bytes of the datagram, at the beginning of the buffer. */
    uint32_t len;
    /** Where it goes to; 0: no peer. */
    uint64_t peer;
    /** Where it goes, and from where. */
    underpass_path path;
    /** The ECN bits of its outer IP header, 0 to 3. */
    uint8_t ecn;
    /** 0. */
    uint8_t reserved[3];
} underpass_transmit;

/** A fact the host may want to show or act on. What the kind does not speak of is 0. */
typedef struct underpass_event {
    /** sizeof(underpass_event), set by the caller. */
    uint32_t size;
    /** UNDERPASS_EVENT_*. Leave alone what you do not know. */
    uint32_t kind;
    /** Whom it is about; 0: no peer. */
    uint64_t peer;
    /** With UNDERPASS_EVENT_ENDPOINT_MOVED. */
    underpass_path path;
    /** With UNDERPASS_EVENT_HEALTH_CHANGED: UNDERPASS_HEALTH_*. */
    uint32_t health;
    /** 0. */
    uint32_t lost;
    /** 0. */
    uint32_t reserved;
} underpass_event;

/** What is known of a peer. Counters are those since it was added. */
typedef struct underpass_peer {
    /** sizeof(underpass_peer), set by the caller. */
    uint32_t size;
    /** UNDERPASS_INFO_*. */
    uint32_t flags;
    /** Its public key. */
    uint8_t public_key[32];
    /** With UNDERPASS_INFO_PATH. */
    underpass_path path;
    /** UNDERPASS_HEALTH_*. */
    uint32_t health;
    /** Seconds; 0: none. */
    uint32_t persistent_keepalive;
    /** 0. */
    uint32_t reserved;
    /** Nanoseconds since 1970 UTC, with UNDERPASS_INFO_HANDSHAKE. */
    uint64_t latest_handshake;
    /** Bytes of datagrams sent to it, as wg counts them. */
    uint64_t tx_bytes;
    /** Bytes of authenticated datagrams received from it. */
    uint64_t rx_bytes;
    /** Packets sealed. */
    uint64_t tx_packets;
    /** Packets delivered. */
    uint64_t rx_packets;
    /** Handshakes completed. */
    uint64_t handshakes;
    /** Drops of all reasons: see underpass_peer_drops(). */
    uint64_t drops;
} underpass_peer;

/** Counters of a tunnel since it was made, and what it holds at present. */
typedef struct underpass_stats {
    /** sizeof(underpass_stats), set by the caller. */
    uint32_t size;
    /** 0. */
    uint32_t reserved;
    /** Bytes of datagrams sent. */
    uint64_t tx_bytes;
    /** Bytes of authenticated datagrams received. */
    uint64_t rx_bytes;
    /** Packets sealed. */
    uint64_t tx_packets;
    /** Packets delivered. */
    uint64_t rx_packets;
    /** Handshakes completed. */
    uint64_t handshakes;
    /** Cookie replies written. */
    uint64_t cookie_replies;
    /** Drops of all reasons: see underpass_tunnel_drops(). */
    uint64_t drops;
    /** Held: peers. */
    uint64_t peers;
    /** Held: prefixes in the routing table. */
    uint64_t allowed_ips;
    /** Held: staged packets of all peers. */
    uint64_t staged_packets;
    /** Held: their bytes. */
    uint64_t staged_bytes;
    /** Held: session indices in use. */
    uint64_t session_indices;
    /** Held: keypairs of all peers. */
    uint64_t keypairs;
    /** Held: handshakes under way, ours and the peers'. */
    uint64_t handshakes_under_way;
} underpass_stats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, to be compared with UNDERPASS_VERSION of the header: a program works with a library of
 * the same first two numbers while the first is 0, and of the same first number from 1 on.
 *
 * Threads: any, at any time.
 */
UNDERPASS_API uint32_t underpass_version(void);

/**
 * The version of the library as text, such as "0.1.0". It is static: valid for ever, not to be freed.
 *
 * Threads: any, at any time.
 */
UNDERPASS_API const char *underpass_version_string(void);

/**
 * Which cryptography is built in: "fast" or "portable". It is static: valid for ever, not to be freed.
 *
 * Threads: any, at any time.
 */
UNDERPASS_API const char *underpass_backend(void);

/**
 * What a status means, in a few English words: never NULL, whatever the number. It is static: valid for ever, not to
 * be freed.
 *
 * - status: what a function returned.
 *
 * Threads: any, at any time.
 */
UNDERPASS_API const char *underpass_strerror(int32_t status);

/**
 * The name of a drop reason for statistics: lower case, words joined by underscores; "unknown" for any other number,
 * never NULL. It is static: valid for ever, not to be freed.
 *
 * - reason: UNDERPASS_DROP_*.
 *
 * Threads: any, at any time.
 */
UNDERPASS_API const char *underpass_drop_reason_name(uint32_t reason);

/**
 * Makes a private key.
 *
 * - key: out, 32 bytes.
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the key is there. Wipe it with underpass_wipe() when you are done with it.
 * - UNDERPASS_E_RANDOM: the system gives no randomness. Try again later.
 * - UNDERPASS_E_NULL: key is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_private_key_generate(uint8_t *key);

/**
 * Makes a preshared key.
 *
 * - key: out, 32 bytes.
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the key is there. Wipe it with underpass_wipe() when you are done with it.
 * - UNDERPASS_E_RANDOM: the system gives no randomness. Try again later.
 * - UNDERPASS_E_NULL: key is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_preshared_key_generate(uint8_t *key);

/**
 * Computes the public key that belongs to a private one.
 *
 * - private_key: 32 bytes; borrowed for the call.
 * - public_key: out, 32 bytes; may be the same memory.
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the public key is there.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_public_key(const uint8_t *private_key, uint8_t *public_key);

/**
 * Reads a key from 44 base64 characters, as wg(8) writes it.
 *
 * - text: len bytes, no NUL needed; borrowed for the call.
 * - key: out, 32 bytes.
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the key is there.
 * - UNDERPASS_E_KEY: the text is no key. Ask for another.
 * - UNDERPASS_E_ARGUMENT: len is greater than any text. Mend the call.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_key_from_base64(const char *text, size_t len, uint8_t *key);

/**
 * Reads a key from 64 hexadecimal digits of either case.
 *
 * - text: len bytes, no NUL needed; borrowed for the call.
 * - key: out, 32 bytes.
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the key is there.
 * - UNDERPASS_E_KEY: the text is no key. Ask for another.
 * - UNDERPASS_E_ARGUMENT: len is greater than any text. Mend the call.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_key_from_hex(const char *text, size_t len, uint8_t *key);

/**
 * Writes a key as base64, as wg(8) does.
 *
 * - key: 32 bytes; borrowed for the call.
 * - text: out, cap bytes, of which UNDERPASS_BASE64_LEN are written, the last one a NUL.
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the text is there.
 * - UNDERPASS_E_BUFFER: cap is less than UNDERPASS_BASE64_LEN. Make room.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_key_to_base64(const uint8_t *key, char *text, size_t cap);

/**
 * Writes a key as lower-case hexadecimal digits.
 *
 * - key: 32 bytes; borrowed for the call.
 * - text: out, cap bytes, of which UNDERPASS_HEX_LEN are written, the last one a NUL.
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the text is there.
 * - UNDERPASS_E_BUFFER: cap is less than UNDERPASS_HEX_LEN. Make room.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_key_to_hex(const uint8_t *key, char *text, size_t cap);

/**
 * Overwrites memory with zeros, in a way that no compiler leaves out: for keys that are no longer needed.
 *
 * - memory: out, len bytes, initialised or not; NULL does nothing.
 *
 * Threads: any, at any time.
 */
UNDERPASS_API void underpass_wipe(void *memory, size_t len);

/**
 * Reads a configuration in the dialect of wg-quick(8), of wg setconf, and of the phone applications.
 *
 * - text: len bytes of UTF-8, no NUL needed; borrowed for the call.
 * - config: out; to be released with underpass_config_free().
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the configuration is there. Look at its diagnostics: if one of them is an error, it has nothing
 *   else. It keeps UNDERPASS_MAX_DIAGNOSTICS of them, errors first.
 * - UNDERPASS_E_ARGUMENT: the text is not UTF-8, or has a NUL in it: it is no configuration. Say so.
 * - UNDERPASS_E_MEMORY: there is no memory for it. Free some and call again.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_parse(const char *text, size_t len, underpass_config **config);

/**
 * Reads a configuration as underpass_config_parse() does, and keeps as many diagnostics as the caller likes. Each takes
 * about 200 bytes. Whether the text is refused does not depend on their number.
 *
 * - text: len bytes of UTF-8, no NUL needed; borrowed for the call.
 * - max_diagnostics: how many it may keep at most; underpass_config_more() counts the others.
 * - config: out; to be released with underpass_config_free().
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the configuration is there. Look at its diagnostics: if one of them is an error, it has nothing
 *   else. With none kept,
 *   underpass_config_interface() tells whether there is an error.
 * - UNDERPASS_E_ARGUMENT: the text is not UTF-8, or has a NUL in it: it is no configuration. Say so.
 * - UNDERPASS_E_MEMORY: there is no memory for it. Free some and call again.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_parse_with(const char *text, size_t len, size_t max_diagnostics,
    underpass_config **config);

/**
 * Releases a configuration and wipes its keys. What was borrowed from it is gone.
 *
 * - config: NULL does nothing.
 *
 * Threads: none may read it meanwhile or afterwards.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is gone.
 * - UNDERPASS_E_ARGUMENT: this is no configuration. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_free(underpass_config *config);

/**
 * Tells what is wrong or odd in the text, in the order of the text.
 *
 * - config: the configuration; borrowed for the call.
 * - index: from 0.
 * - out: out; its size field is set by the caller.
 *
 * Threads: any number may read a configuration at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the diagnostic is there. Ask for the next.
 * - UNDERPASS_NOTHING: there are no more.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the size field of out is not set, or of another library. Set it to the sizeof of the struct.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_diagnostic(const underpass_config *config, size_t index,
    underpass_diagnostic *out);

/**
 * Tells how many more diagnostics there are than underpass_config_diagnostic() tells: those that were counted only.
 *
 * - config: the configuration; borrowed for the call.
 * - count: out.
 *
 * Threads: any number may read a configuration at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the number is there, most often 0.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_more(const underpass_config *config, size_t *count);

/**
 * Tells what the [Interface] section says of numbers and keys.
 *
 * - config: the configuration; borrowed for the call.
 * - out: out; its size field is set by the caller. It holds the private key: wipe it.
 *
 * Threads: any number may read a configuration at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is there.
 * - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the size field of out is not set, or of another library. Set it to the sizeof of the struct.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_interface(const underpass_config *config, underpass_interface *out);

/**
 * Tells the addresses of the virtual interface, each with the prefix length of its network.
 *
 * - config: the configuration; borrowed for the call.
 * - index: from 0.
 * - out: out.
 *
 * Threads: any number may read a configuration at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the address is there. Ask for the next.
 * - UNDERPASS_NOTHING: there are no more.
 * - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_address(const underpass_config *config, size_t index, underpass_ip *out);

/**
 * Tells the name servers.
 *
 * - config: the configuration; borrowed for the call.
 * - index: from 0.
 * - out: out, without prefix.
 *
 * Threads: any number may read a configuration at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the address is there. Ask for the next.
 * - UNDERPASS_NOTHING: there are no more.
 * - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_dns(const underpass_config *config, size_t index, underpass_ip *out);

/**
 * Tells the texts of the [Interface] section: commands, search domains, applications.
 *
 * - config: the configuration; borrowed for the call.
 * - kind: UNDERPASS_TEXT_*.
 * - index: from 0.
 * - out: out: text with a NUL, valid as long as the configuration.
 *
 * Threads: any number may read a configuration at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the text is there. Ask for the next.
 * - UNDERPASS_NOTHING: there are no more of this kind.
 * - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
 * - UNDERPASS_E_ARGUMENT: there is no such kind. Mend the call.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_text(const underpass_config *config, uint32_t kind, size_t index,
    const char **out);

/**
 * Tells the peers, as changes that underpass_configure_peers() takes: each makes a peer what the text says of it. All
 * zeros stand for no preshared key, 0 for no persistent keepalive.
 *
 * - config: the configuration; borrowed for the call.
 * - index: from 0.
 * - out: out; its size field is set by the caller. Its pointers are valid as long as the configuration. It may hold
 *   a preshared key: wipe it.
 *
 * Threads: any number may read a configuration at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the peer is there. Ask for the next.
 * - UNDERPASS_NOTHING: there are no more.
 * - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the size field of out is not set, or of another library. Set it to the sizeof of the struct.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_peer(const underpass_config *config, size_t index, underpass_peer_change *out);

/**
 * Writes the configuration as wg-quick text. It holds the private key: wipe it.
 *
 * - config: the configuration; borrowed for the call.
 * - text: out, cap bytes, written with a NUL at its end; NULL and 0: only the length is asked for.
 * - len: out, bytes of the text without its NUL.
 *
 * Threads: any number may read a configuration at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: text and length, or the length, are there.
 * - UNDERPASS_E_BUFFER: cap is not greater than the length. Ask for that, make room, call again.
 * - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_config_write(const underpass_config *config, char *text, size_t cap, size_t *len);

/**
 * Fills options with the defaults, which suit a phone or a small router.
 *
 * - out: out, size bytes.
 * - size: sizeof(underpass_options).
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the options are there. Change what should be otherwise.
 * - UNDERPASS_E_NULL: out is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: size is not the sizeof of the struct. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_options_init(underpass_options *out, uint32_t size);

/**
 * Makes a tunnel without peers.
 *
 * - options: borrowed for the call; NULL: the defaults.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - wall: nanoseconds since 1970 UTC.
 * - out: out; to be released with underpass_tunnel_free().
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the tunnel is there. Configure its peers.
 * - UNDERPASS_E_MTU: the MTU of the options is outside 68 to 65535. Mend the options.
 * - UNDERPASS_E_RANDOM: the system gives no randomness. Try again later.
 * - UNDERPASS_E_LIMIT: a limit of the options is zero or too great. Mend the options.
 * - UNDERPASS_E_ARGUMENT: an unknown flag. Mend the options.
 * - UNDERPASS_E_NULL: a pointer other than options is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the options were not made by underpass_options_init(). Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_tunnel_new(const underpass_options *options, uint64_t now, uint64_t wall,
    underpass_tunnel **out);

/**
 * Makes a tunnel with the private key, the MTU and the peers of a configuration. What else that says (addresses,
 * name servers, listen port, commands) is the host's to do.
 *
 * - config: the configuration; borrowed for the call.
 * - options: borrowed for the call; its private key and MTU are not looked at; NULL: the defaults.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - wall: nanoseconds since 1970 UTC.
 * - out: out; to be released with underpass_tunnel_free().
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the tunnel is there. Poll it.
 * - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
 * - UNDERPASS_E_TOO_MANY_PEERS: more peers than max_peers of the options. Raise that.
 * - UNDERPASS_E_RANDOM: the system gives no randomness. Try again later.
 * - UNDERPASS_E_LIMIT: a limit of the options is zero or too great. Mend the options.
 * - UNDERPASS_E_ARGUMENT: an unknown flag. Mend the options.
 * - UNDERPASS_E_NULL: a pointer other than options is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the options were not made by underpass_options_init(). Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_tunnel_new_from_config(const underpass_config *config, const underpass_options *options,
    uint64_t now, uint64_t wall, underpass_tunnel **out);

/**
 * Releases a tunnel and wipes its keys, poisoned or not. Jobs begun by it are to be discarded.
 *
 * - tunnel: NULL does nothing.
 *
 * Threads: none may be inside or use it afterwards.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is gone.
 * - UNDERPASS_E_BUSY: another thread is inside; nothing was freed. Stop that thread, then call again.
 * - UNDERPASS_E_ARGUMENT: this is no tunnel. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. The tunnel is gone, though perhaps not all of its memory.
 */
UNDERPASS_API int32_t underpass_tunnel_free(underpass_tunnel *tunnel);

/**
 * Fills a change with what sets nothing.
 *
 * - out: out, size bytes.
 * - size: sizeof(underpass_peer_change).
 *
 * Threads: any, at any time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the change is there. Fill in the public key, and what is to be otherwise.
 * - UNDERPASS_E_NULL: out is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: size is not the sizeof of the struct. Mend the call.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_peer_change_init(underpass_peer_change *out, uint32_t size);

/**
 * Adds, changes and removes peers, in the order of the changes, all or none. Sessions go on. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - changes: len of them, all of the size of the first; NULL for none. They and what they point to are borrowed for
 *   the call.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: all are applied.
 * - UNDERPASS_E_LOW_ORDER_KEY: a public key is none that a peer can have. Nothing was applied; say so to whoever
 *   asked for it. All zeros is taken: the tunnel never speaks to that peer.
 * - UNDERPASS_E_TOO_MANY_PEERS: more than max_peers of the options. Nothing was applied; remove some first.
 * - UNDERPASS_E_PREFIX: the prefix of an allowed IP is too long. Nothing was applied; mend the change.
 * - UNDERPASS_E_ARGUMENT: an unknown action or flag, an address without family, or a host name that is none. Nothing
 *   was applied; mend the change.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: a size is not that of the struct, or not that of the first. Nothing was applied; mend the
 *   call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_configure_peers(underpass_tunnel *tunnel, uint64_t now,
    const underpass_peer_change *changes, size_t len);

/**
 * Removes every peer, with its sessions and staged packets. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: they are gone.
 * - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_remove_all_peers(underpass_tunnel *tunnel, uint64_t now);

/**
 * Sets or removes the private key. Sessions end, unless it is the key that the tunnel has. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - private_key: 32 bytes, borrowed for the call; NULL or all zeros: none.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is set.
 * - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_set_private_key(underpass_tunnel *tunnel, uint64_t now, const uint8_t *private_key);

/**
 * Sets the MTU of the virtual interface. underpass_poll_transmit() needs a buffer to match.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - mtu: bytes, 68 to 65535.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is set.
 * - UNDERPASS_E_MTU: it is out of its range. Ask for another.
 * - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_set_mtu(underpass_tunnel *tunnel, uint64_t now, uint32_t mtu);

/**
 * Makes the tunnel what a configuration says, as wg syncconf does: peers that are not in it go, the rest keep their
 * sessions; private key and MTU are set too. underpass_poll_transmit() needs a buffer to match the MTU. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - config: the configuration; borrowed for the call.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: all is applied.
 * - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
 * - UNDERPASS_E_TOO_MANY_PEERS: more than max_peers of the options. Nothing was applied; say so.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_apply_config(underpass_tunnel *tunnel, uint64_t now, const underpass_config *config);

/**
 * Applies a request of wg: the lines between set=1 and the empty line. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - text: len bytes, no NUL needed; borrowed for the call.
 * - out: out; its size field is set by the caller.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the request was looked at. If error_number is 0, do what flags say and answer errno=0; else
 *   nothing was applied, and it is the answer.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the size field of out is not set, or of another library. Set it to the sizeof of the struct.
 * - UNDERPASS_E_ARGUMENT: len is greater than any text. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_uapi_set(underpass_tunnel *tunnel, uint64_t now, const char *text, size_t len,
    underpass_uapi_result *out);

/**
 * Writes the answer to get=1 of wg, without the errno line that ends it. It holds the private key: wipe it.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - listen_port, fwmark: what the host knows; 0: none.
 * - text: out, cap bytes, written with a NUL at its end; NULL and 0: only the length is asked for.
 * - len: out, bytes of the text without its NUL.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: text and length, or the length, are there.
 * - UNDERPASS_E_BUFFER: cap is not greater than the length. Ask for that, make room, call again.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_uapi_get(const underpass_tunnel *tunnel, uint16_t listen_port, uint32_t fwmark,
    char *text, size_t cap, size_t *len);

/**
 * Seals packets from the virtual interface, in place. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - slots: len of them, UNDERPASS_MAX_BATCH at most; NULL for none. Slots and buffers are borrowed for the call, and
 *   each slot says what became of its packet.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: do with each slot what its verdict says.
 * - UNDERPASS_E_NULL: slots, or the buf of a slot, is NULL. Mend the call.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 * - UNDERPASS_E_OVERLAP: memory of a slot is that of another, or of the arrays. Nothing was done; mend the call.
 * - UNDERPASS_E_BATCH: len is greater than UNDERPASS_MAX_BATCH. Nothing was done; make several calls.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_handle_packets(underpass_tunnel *tunnel, uint64_t now, underpass_slot *slots,
    size_t len);

/**
 * Opens datagrams from the network, in place. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - slots: len of them, UNDERPASS_MAX_BATCH at most; NULL for none. Slots and buffers are borrowed for the call, and
 *   each slot says what became of its datagram.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: do with each slot what its verdict says.
 * - UNDERPASS_E_NULL: slots, or the buf of a slot, is NULL. Mend the call.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, its path has no remote address, its ecn is
 *   greater than 3, or an array is not aligned as its type asks. Nothing was done; mend the call.
 * - UNDERPASS_E_OVERLAP: memory of a slot is that of another, or of the arrays. Nothing was done; mend the call.
 * - UNDERPASS_E_BATCH: len is greater than UNDERPASS_MAX_BATCH. Nothing was done; make several calls.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_handle_datagrams(underpass_tunnel *tunnel, uint64_t now, underpass_slot *slots,
    size_t len);

/**
 * The first of three steps that do what underpass_handle_packets() does, for many cores: finds the sessions, counts,
 * writes the headers. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - slots: len of them, UNDERPASS_MAX_BATCH at most; NULL for none. Slots and buffers are borrowed for the call, and
 *   each slot says what became of its packet.
 * - jobs: one for each slot, zeroed before its first use. Slots, buffers and jobs stay where they are until they are
 *   finished or discarded.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: those that are UNDERPASS_VERDICT_PENDING have a job now, which underpass_crypt() is to run, and
 *   then underpass_finish_packets(), in the order of the packets. Do with the others what their verdicts say.
 * - UNDERPASS_E_NULL: slots or jobs, or the buf of a slot, is NULL. Mend the call.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 * - UNDERPASS_E_OVERLAP: memory of a slot is that of another, or of the arrays. Nothing was done; mend the call.
 * - UNDERPASS_E_BATCH: len is greater than UNDERPASS_MAX_BATCH. Nothing was done; make several calls.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_begin_packets(underpass_tunnel *tunnel, uint64_t now, underpass_slot *slots,
    underpass_job *jobs, size_t len);

/**
 * The first of three steps that do what underpass_handle_datagrams() does, for many cores: finds the sessions.
 * Handshake messages are done with it. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - slots: len of them, UNDERPASS_MAX_BATCH at most; NULL for none. Slots and buffers are borrowed for the call, and
 *   each slot says what became of its datagram.
 * - jobs: one for each slot, zeroed before its first use. Slots, buffers and jobs stay where they are until they are
 *   finished or discarded.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: those that are UNDERPASS_VERDICT_PENDING have a job now, which underpass_crypt() is to run, and
 *   then underpass_finish_datagrams(), in the order of the datagrams. Do with the others what their verdicts say.
 * - UNDERPASS_E_NULL: slots or jobs, or the buf of a slot, is NULL. Mend the call.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, its path has no remote address, its ecn is
 *   greater than 3, or an array is not aligned as its type asks. Nothing was done; mend the call.
 * - UNDERPASS_E_OVERLAP: memory of a slot is that of another, or of the arrays. Nothing was done; mend the call.
 * - UNDERPASS_E_BATCH: len is greater than UNDERPASS_MAX_BATCH. Nothing was done; make several calls.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_begin_datagrams(underpass_tunnel *tunnel, uint64_t now, underpass_slot *slots,
    underpass_job *jobs, size_t len);

/**
 * The second of three steps: seals and opens what is begun, in both directions. It needs no tunnel.
 *
 * - slots, jobs: len of each, as they were begun. Slots that are not UNDERPASS_VERDICT_PENDING are not looked at.
 *
 * Threads: any, in any order, with any part of a batch; but one call for a slot and its job at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: finish them.
 * - UNDERPASS_E_JOB: A pending slot has no job that was begun with it. Nothing was done; discard the jobs, and mend
 *   the order of the calls.
 * - UNDERPASS_E_NULL: slots or jobs, or the buf of a slot, is NULL. Mend the call.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 * - UNDERPASS_E_OVERLAP: memory of a slot is that of another, or of the arrays. Nothing was done; mend the call.
 * - UNDERPASS_E_BATCH: len is greater than UNDERPASS_MAX_BATCH. Nothing was done; make several calls.
 * - UNDERPASS_E_PANIC: a bug in the library. Discard the jobs.
 */
UNDERPASS_API int32_t underpass_crypt(underpass_slot *slots, underpass_job *jobs, size_t len);

/**
 * The last of three steps for packets, in the order in which they were begun. The jobs are done and hold no keys any
 * more. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - slots, jobs: len of each, as they were begun. Slots that are not UNDERPASS_VERDICT_PENDING are not looked at.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: do with each slot what its verdict says.
 * - UNDERPASS_E_JOB: A pending slot has no job that was begun with it, for a packet, by this tunnel, and crypted.
 *   Nothing was done; discard the jobs, and mend the order of the calls.
 * - UNDERPASS_E_NULL: slots or jobs, or the buf of a slot, is NULL. Mend the call.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 * - UNDERPASS_E_OVERLAP: memory of a slot is that of another, or of the arrays. Nothing was done; mend the call.
 * - UNDERPASS_E_BATCH: len is greater than UNDERPASS_MAX_BATCH. Nothing was done; make several calls.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_finish_packets(underpass_tunnel *tunnel, uint64_t now, underpass_slot *slots,
    underpass_job *jobs, size_t len);

/**
 * The last of three steps for datagrams, in the order in which they were begun. The jobs are done and hold no keys
 * any more. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - slots, jobs: len of each, as they were begun. Slots that are not UNDERPASS_VERDICT_PENDING are not looked at.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: do with each slot what its verdict says.
 * - UNDERPASS_E_JOB: A pending slot has no job that was begun with it, for a datagram, by this tunnel, and crypted.
 *   Nothing was done; discard the jobs, and mend the order of the calls.
 * - UNDERPASS_E_NULL: slots or jobs, or the buf of a slot, is NULL. Mend the call.
 * - UNDERPASS_E_ARGUMENT: start and len of a slot lie beyond its cap, or an array is not aligned as its type asks.
 *   Nothing was done; mend the call.
 * - UNDERPASS_E_OVERLAP: memory of a slot is that of another, or of the arrays. Nothing was done; mend the call.
 * - UNDERPASS_E_BATCH: len is greater than UNDERPASS_MAX_BATCH. Nothing was done; make several calls.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_finish_datagrams(underpass_tunnel *tunnel, uint64_t now, underpass_slot *slots,
    underpass_job *jobs, size_t len);

/**
 * Wipes jobs that will not be finished. What they were begun for is lost, as a datagram may be on its way.
 *
 * - jobs: len of them, UNDERPASS_MAX_BATCH at most, in any state; NULL for none.
 *
 * Threads: any, but none may crypt or finish them meanwhile.
 *
 * Returns:
 *
 * - UNDERPASS_OK: they are gone.
 * - UNDERPASS_E_NULL: jobs is NULL. Mend the call.
 * - UNDERPASS_E_ARGUMENT: the array is not aligned as its type asks. Mend the call.
 * - UNDERPASS_E_BATCH: len is greater than UNDERPASS_MAX_BATCH. Make several calls.
 * - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
 */
UNDERPASS_API int32_t underpass_discard_jobs(underpass_job *jobs, size_t len);

/**
 * Does what is due. To be called when the deadline of underpass_poll_timeout() has come; earlier or later does no
 * harm. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: done.
 * - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_handle_timeout(underpass_tunnel *tunnel, uint64_t now);

/**
 * Tells that the machine has other addresses, or another way to the network: endpoint names are asked for again, and
 * peers hear from us. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: done.
 * - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_handle_network_change(underpass_tunnel *tunnel, uint64_t now);

/**
 * Tells that the wall clock was set.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - wall: nanoseconds since 1970 UTC.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: done.
 * - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_handle_wall_clock(underpass_tunnel *tunnel, uint64_t now, uint64_t wall);

/**
 * Writes the next datagram that is to be sent: a handshake message, a keepalive, or a packet that was staged.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - buf: out, cap bytes: at least the MTU + UNDERPASS_HEADROOM + UNDERPASS_TAILROOM, and at least
 *   UNDERPASS_MIN_TRANSMIT_BUFFER.
 * - out: out; its size field is set by the caller.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: send the datagram along its path, and call again.
 * - UNDERPASS_NOTHING: there are no more. Go on with underpass_poll_event().
 * - UNDERPASS_E_BUFFER: cap is too small. Make room.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the size field of out is not set, or of another library. Set it to the sizeof of the struct.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_poll_transmit(underpass_tunnel *tunnel, uint64_t now, uint8_t *buf, size_t cap,
    underpass_transmit *out);

/**
 * Hands out the next event.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - out: out; its size field is set by the caller.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: act on the event as its kind says, and call again.
 * - UNDERPASS_NOTHING: there are no more. Go on with underpass_poll_timeout().
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the size field of out is not set, or of another library. Set it to the sizeof of the struct.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_poll_event(underpass_tunnel *tunnel, underpass_event *out);

/**
 * Tells when underpass_handle_timeout() is to be called. It may move with every call that handles or configures.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - deadline: out, nanoseconds on the clock of the tunnel; UNDERPASS_NEVER: not before something else happens.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: sleep until then, or until there is a packet or a datagram.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_poll_timeout(const underpass_tunnel *tunnel, uint64_t *deadline);

/**
 * Tells where a peer is reached: the answer to UNDERPASS_EVENT_RESOLVE_ENDPOINT, or what the host knows otherwise.
 * Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - peer: the number of the peer.
 * - remote: borrowed for the call.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: what waited for it goes out.
 * - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
 * - UNDERPASS_E_ARGUMENT: the address has no family. Mend the call.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_set_endpoint(underpass_tunnel *tunnel, uint64_t now, uint64_t peer,
    const underpass_address *remote);

/**
 * Starts a handshake with a peer, unless a session is live or one is under way. Then poll.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - peer: the number of the peer.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: done.
 * - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
 * - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_connect(underpass_tunnel *tunnel, uint64_t now, uint64_t peer);

/**
 * Tells that datagrams could not leave from the local address of a path: from now on the host picks one, until the
 * peer is heard from again. Nothing happens when the peer is reached over another path by now.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - peer: the number of the peer.
 * - path: what the slot or the transmit said; borrowed for the call.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: done.
 * - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
 * - UNDERPASS_E_ARGUMENT: the path has no remote address. Mend the call.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_forget_source(underpass_tunnel *tunnel, uint64_t peer, const underpass_path *path);

/**
 * Forgets the last timestamp accepted from a peer, whose clock was once far ahead and has been mended. Until its
 * next handshake, an old initiation of its could be replayed; it reaches no session by that.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - peer: the number of the peer.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: done.
 * - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
 * - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_reset_peer_timestamp(underpass_tunnel *tunnel, uint64_t peer);

/**
 * Tells the number of the peer with a public key: its name in all other calls, never 0, and never that of another
 * peer, even after it was removed.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - public_key: 32 bytes; borrowed for the call.
 * - peer: out.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the number is there.
 * - UNDERPASS_E_NO_PEER: there is no peer with this key. Add it first.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_peer_by_key(const underpass_tunnel *tunnel, const uint8_t *public_key, uint64_t *peer);

/**
 * Tells the numbers of all peers.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - peers: out, cap of them; NULL and 0: only their count is asked for.
 * - len: out, how many there are.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: numbers and count, or the count, are there.
 * - UNDERPASS_E_BUFFER: cap is less than the count. Ask for that, make room, call again.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_peers(const underpass_tunnel *tunnel, uint64_t *peers, size_t cap, size_t *len);

/**
 * Tells what is known of a peer.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - now: nanoseconds on the clock of the tunnel, see the top of this file.
 * - peer: the number of the peer.
 * - out: out; its size field is set by the caller.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is there.
 * - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the size field of out is not set, or of another library. Set it to the sizeof of the struct.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_peer_info(const underpass_tunnel *tunnel, uint64_t now, uint64_t peer,
    underpass_peer *out);

/**
 * Tells the allowed IPs of a peer, each with its prefix.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - peer: the number of the peer.
 * - allowed_ips: out, cap of them; NULL and 0: only their count is asked for.
 * - len: out, how many there are.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: networks and count, or the count, are there.
 * - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
 * - UNDERPASS_E_BUFFER: cap is less than the count. Ask for that, make room, call again.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_peer_allowed_ips(const underpass_tunnel *tunnel, uint64_t peer,
    underpass_ip *allowed_ips, size_t cap, size_t *len);

/**
 * Tells the host name that a peer's endpoint was configured as.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - peer: the number of the peer.
 * - host: out, cap bytes, written with a NUL at its end; 256 are always enough; NULL and 0: only length and port are
 *   asked for.
 * - len: out, bytes of the name without its NUL.
 * - port: out, in host order.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: name, length and port are there. Resolve it, and tell underpass_set_endpoint().
 * - UNDERPASS_NOTHING: it was configured as an address, or not at all.
 * - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
 * - UNDERPASS_E_BUFFER: cap is not greater than the length. Make room.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_peer_endpoint_name(const underpass_tunnel *tunnel, uint64_t peer, char *host,
    size_t cap, size_t *len, uint16_t *port);

/**
 * Tells how often packets and datagrams of a peer went no further, by reason.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - peer: the number of the peer.
 * - counts: out, cap of them: the count of a reason stands at its number. UNDERPASS_DROP_REASONS are all that this
 *   header knows.
 * - len: out, how many reasons the library knows. What is beyond cap is left out; what is beyond len is not written.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the counts are there.
 * - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_peer_drops(const underpass_tunnel *tunnel, uint64_t peer, uint64_t *counts, size_t cap,
    size_t *len);

/**
 * Tells the counters of the tunnel, and what it holds. It visits every peer.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - out: out; its size field is set by the caller.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: they are there.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_SIZE: the size field of out is not set, or of another library. Set it to the sizeof of the struct.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_tunnel_stats(const underpass_tunnel *tunnel, underpass_stats *out);

/**
 * Tells how often packets and datagrams went no further, by reason, those of no known peer included.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - counts: out, cap of them: the count of a reason stands at its number. UNDERPASS_DROP_REASONS are all that this
 *   header knows.
 * - len: out, how many reasons the library knows. What is beyond cap is left out; what is beyond len is not written.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: the counts are there.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_tunnel_drops(const underpass_tunnel *tunnel, uint64_t *counts, size_t cap, size_t *len);

/**
 * Tells our public key.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - public_key: out, 32 bytes.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is there.
 * - UNDERPASS_NOTHING: the tunnel has no private key.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_tunnel_public_key(const underpass_tunnel *tunnel, uint8_t *public_key);

/**
 * Tells the MTU of the virtual interface.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - mtu: out, bytes.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is there.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_tunnel_mtu(const underpass_tunnel *tunnel, uint32_t *mtu);

/**
 * Tells the timestamp that is to be saved from time to time and when the tunnel ends, and given to its next life as
 * timestamp_floor of the options.
 *
 * - tunnel: the tunnel; borrowed for the call.
 * - floor: out, UNDERPASS_TIMESTAMP_LEN bytes.
 *
 * Threads: one call on a tunnel at a time.
 *
 * Returns:
 *
 * - UNDERPASS_OK: it is there.
 * - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
 * - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
 *   lock.
 * - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
 */
UNDERPASS_API int32_t underpass_timestamp_floor(const underpass_tunnel *tunnel, uint8_t *floor);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* UNDERPASS_H */
