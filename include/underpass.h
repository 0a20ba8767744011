/*
 * Underpass: a WireGuard tunnel that does no I/O itself, for programs that own sockets, a virtual interface and a clock.
 *
 * Tell a tunnel what happened (underpass_tunnel_handle_*), and ask it what to do (underpass_tunnel_poll_*). After every
 * function that says "Then poll", call underpass_tunnel_poll_transmit() and underpass_tunnel_poll_event() until they
 * have nothing more, then underpass_tunnel_poll_timeout(), and sleep until that deadline, a packet or a datagram.
 * docs/c-guide.md explains the loop, bindings/c/examples has whole programs.
 *
 * These rules hold for every function:
 *
 * - Results. A function of type UNDERPASS_STATUS returns 0 when it is done, a number above 0 when it is done with a
 *   remark, and a number below 0 when it refuses. A refusal changes nothing, and writes to no parameter
 *   (but underpass_tunnel_poll_transmit() may have sent other things before it refuses). Each code is
 *   explained where it is defined. Numbers of codes never change; later versions may add codes. A function names the
 *   codes that have a meaning of their own there. Every function may also return the codes that its parameters allow:
 *   UNDERPASS_E_NULL, UNDERPASS_E_SIZE, UNDERPASS_E_BUFFER, UNDERPASS_E_ARGUMENT (for numbers out of range, unknown
 *   flags, invalid addresses and handles, and arrays that are not aligned), UNDERPASS_E_NO_PEER, UNDERPASS_E_BUSY,
 *   UNDERPASS_E_POISONED and UNDERPASS_E_PANIC. So may underpass_tunnel_new() and underpass_tunnel_new_from_config():
 *   UNDERPASS_E_MTU, UNDERPASS_E_LIMIT, UNDERPASS_E_RANDOM; functions that read a configuration: UNDERPASS_E_CONFIG;
 *   functions with slots: UNDERPASS_E_BATCH, UNDERPASS_E_OVERLAP; functions with jobs: UNDERPASS_E_JOB.
 * - Parameters. Memory belongs to the caller; the library uses it until the function returns, unless it says otherwise.
 *   Output parameters come last. For an output array or text, cap is how many elements there is room for, and len
 *   becomes how many there are; NULL with a cap of 0 asks for len alone. With UNDERPASS_E_BUFFER, len becomes what is
 *   needed: it is the only parameter that a refusal writes to. Output texts end with a NUL that len does not count:
 *   give a cap of len + 1.
 *   Input texts have len bytes and need no NUL. An input array or text of 0 elements may be NULL. Functions with an
 *   index, which begins at 0, return UNDERPASS_NOTHING after the last element. Functions that return a text never return
 *   NULL, and the text is valid for ever. A key has UNDERPASS_KEY_LEN bytes.
 * - Structs that begin with size may grow. Set size to the sizeof of the struct, in output structs too; the functions
 *   *_init() do that. Old programs then work with new libraries, and new programs with old libraries, as long as those
 *   have what the program uses. A library that is
 *   older leaves the part that it does not know of an output struct unwritten: set it to zero first. Fields called
 *   reserved are not looked at; set them to 0.
 * - Threads. Any thread may use a tunnel, one call at a time; UNDERPASS_E_BUSY reports a second one. Any number of threads
 *   may read a configuration at the same time. Functions with neither may be called by any thread at any time. While
 *   something is freed, and afterwards, no thread may use it. Do not call any function from a signal handler, nor one of
 *   a tunnel from its own entropy function.
 * - Forks. Parent and child must not seal with the same keys. In the child, the first call on a tunnel ends its sessions,
 *   and handshakes begin anew, at once, or 5 s after the last initiation. Jobs begun before the fork are refused: discard
 *   them. Other threads do not live on in the child. So a program may become a daemon
 *   after it has made its tunnel. This holds for fork(), daemon(), and clone() without CLONE_VM. If another thread of the
 *   parent was inside a tunnel, that tunnel is UNDERPASS_E_POISONED in the child.
 * - Time. now is nanoseconds of a clock that goes on while the machine sleeps (CLOCK_BOOTTIME on Linux); it may count from
 *   any moment. If now goes back by more than a second, the tunnel goes on from the time it had. If it leaps ahead by more
 *   than a day, all sessions end, and there is an UNDERPASS_EVENT_CLOCK_LEAPT. wall is nanoseconds since 1970, in UTC.
 * - Memory may run out. Every function that makes or changes something may then return UNDERPASS_E_MEMORY; nothing was
 *   changed, and it may be called again. Packets and handshake messages for which there is no memory are dropped and
 *   counted as UNDERPASS_DROP_NO_MEMORY, and handshakes are tried again. Functions that only read, release or remove
 *   (underpass_tunnel_remove_all_peers(), a single change that removes a peer) need no memory. In two cases the program
 *   ends: a bug (UNDERPASS_E_PANIC) when there are not some hundred bytes to report it; and, only in a library built with
 *   debug assertions, when there are not 42 bytes for an exchange of keys.
 * - Stack. No call needs more than 24576 bytes (measured: every function stayed below three quarters of that, in
 *   libraries built with optimisation, on x86-64, aarch64, armv7, mips and s390x). A report of a bug may take more.
 * - Side effects. The library calls nothing of yours but the entropy function of the options. It starts no thread, installs
 *   no signal handler, has no global state, and logs nothing. Only a bug in it prints a line to standard error; the call
 *   then returns UNDERPASS_E_PANIC, and later calls on that tunnel UNDERPASS_E_POISONED, until it is freed.
 *
 * This file is generated from bindings/c/src. */

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

/* Compilers warn when a status is not looked at. Define UNDERPASS_CHECKED as nothing to avoid that. */
#if !defined(UNDERPASS_CHECKED)
#if defined(__GNUC__)
#define UNDERPASS_CHECKED __attribute__((warn_unused_result))
#else
#define UNDERPASS_CHECKED
#endif
#endif
#define UNDERPASS_STATUS UNDERPASS_API UNDERPASS_CHECKED int32_t

/* Which pointers may be NULL, for warnings of clang and for Swift. Unlike the attribute nonnull of gcc, this changes no
 * code that a compiler makes. Define UNDERPASS_NULLABLE as nothing to avoid it. */
#if defined(__clang__) && !defined(UNDERPASS_NULLABLE)
#define UNDERPASS_NULLABLE _Nullable
#define UNDERPASS_NONNULL _Nonnull
#define UNDERPASS_NONNULL_BEGIN \
    _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wnullability-extension\"") \
    _Pragma("clang assume_nonnull begin")
#define UNDERPASS_NONNULL_END _Pragma("clang assume_nonnull end") _Pragma("clang diagnostic pop")
#else
#define UNDERPASS_NULLABLE
#define UNDERPASS_NONNULL
#define UNDERPASS_NONNULL_BEGIN
#define UNDERPASS_NONNULL_END
#endif
UNDERPASS_NONNULL_BEGIN

/*
 * Without an operating system (a library built with NO_OS=1), define UNDERPASS_NO_OS, and these four functions, which the
 * linker finds. They are called during calls of the library, by the task that made the call: by several at the same time, if
 * several tasks use tunnels of their own. They call no function of the library, and neither throw nor jump out. In such a
 * library there are no forks, no sockaddr, no UNDERPASS_E_PANIC and no UNDERPASS_E_POISONED. Do not call any of its
 * functions from an interrupt handler. */
#if defined(UNDERPASS_NO_OS)
#if defined(__cplusplus)
extern "C" {
#endif
/** Returns size bytes (at least 1) at a multiple of alignment, which is a power of two; NULL: there is no memory. */
void *UNDERPASS_NULLABLE underpass_host_allocate(size_t size, size_t alignment);
/** Takes back memory that was allocated with the same size and alignment. */
void underpass_host_release(void *memory, size_t size, size_t alignment);
/** Fills out with len bytes that nobody can guess, and returns 0; any other number: there are none now. New keys are made
 * from it, and tunnels use it whose options have no entropy function. */
int32_t underpass_host_entropy(uint8_t *out, size_t len);
/** Reports a bug in the library, and must not return, since a call has stopped half-way; it may reset the device. Both texts
 * come from the source code and end without a NUL. message is empty if it would contain values, since one of them could be
 * secret. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void underpass_host_panic(const char *message, size_t message_len, const char *file, size_t file_len, uint32_t line);
#if defined(__cplusplus)
}
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

/** Bytes of the shortest buffer that underpass_tunnel_poll_transmit() takes, whatever the MTU. */
#define UNDERPASS_MIN_TRANSMIT_BUFFER 148u

#define UNDERPASS_MAX_BATCH 256u /**< Slots that a batch may have. */

#define UNDERPASS_NEVER UINT64_MAX /**< A deadline that never comes: sleep until there is a packet or a datagram. */

#define UNDERPASS_OK 0 /**< Done. */

#define UNDERPASS_NOTHING 1 /**< Done, but there is nothing (more) to return: output parameters are unchanged. */

#define UNDERPASS_E_NULL (-1) /**< A pointer is NULL that must not be. Fix the call. */
/** A struct has a size that no version of it has, or something is set in a part that this library does not know. */
#define UNDERPASS_E_SIZE (-2)
/** A number out of range, an unknown flag, text that is not UTF-8, or an array that is not aligned. Fix the call. */
#define UNDERPASS_E_ARGUMENT (-3)

/** There is too little room for the output. Where there is a len, it says how much is needed (for a text, one more for its
 * NUL). Make room, call again. */
#define UNDERPASS_E_BUFFER (-4)
#define UNDERPASS_E_OVERLAP (-5) /**< Buffers of a batch overlap each other, the slots, or the jobs. Fix the call. */
#define UNDERPASS_E_BATCH (-6) /**< More than UNDERPASS_MAX_BATCH slots. Make several calls. */
#define UNDERPASS_E_KEY (-7) /**< The text is not a key. */
#define UNDERPASS_E_CONFIG (-8) /**< The configuration has errors. Show its diagnostics. */
#define UNDERPASS_E_LOW_ORDER_KEY (-9) /**< A public key is a point of low order, which no peer can have. */
/** More peers than max_peers of the options. Remove some, or make the tunnel with a greater limit. */
#define UNDERPASS_E_TOO_MANY_PEERS (-10)
#define UNDERPASS_E_PREFIX (-11) /**< The prefix length of a network is beyond 32 (IPv4) or 128 (IPv6). Fix the call. */
#define UNDERPASS_E_MTU (-12) /**< The MTU is outside 68 to 65535. Fix the call. */
#define UNDERPASS_E_LIMIT (-13) /**< A limit of the options is too great. Fix the call. */
#define UNDERPASS_E_NO_PEER (-14) /**< No peer has this number or key, or not any more. */

/** A job was not begun for this slot, by this tunnel and process, or is not ready for this step; or the slot's buffer was
 * filled again since, as far as its first bytes tell. Discard the jobs of the batch and drop its packets; fix the order of the calls.
 */
#define UNDERPASS_E_JOB (-15)
#define UNDERPASS_E_RANDOM (-16) /**< The system, or entropy of the options, gave no randomness. Try again later. */
#define UNDERPASS_E_BUSY (-17) /**< Another thread is inside this handle. Keep threads apart with a lock of your own. */
/** A bug in the library stopped the call. The tunnel is poisoned: free it, make another, and report what led here. */
#define UNDERPASS_E_PANIC (-18)
#define UNDERPASS_E_POISONED (-19) /**< A bug stopped an earlier call on this tunnel. Free it and make another. */
#define UNDERPASS_E_MEMORY (-20) /**< Memory has run out. Nothing was changed or written: free some, call again. */

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

/** Resolve the peer's endpoint name (underpass_tunnel_peer_endpoint_name()) and answer with
 * underpass_tunnel_set_endpoint(). */
#define UNDERPASS_EVENT_RESOLVE_ENDPOINT 5u
#define UNDERPASS_EVENT_HEALTH_CHANGED 6u /**< The peer's health changed: health is what it is now. */

/** The peer's timestamp is more than a day ahead of our wall clock: if its clock is mended later, it will be refused
 * until underpass_tunnel_reset_peer_timestamp(). */
#define UNDERPASS_EVENT_TIMESTAMP_AHEAD 7u
#define UNDERPASS_EVENT_LOST 8u /**< Does not come: no event is lost. The number stays taken. */

/** The clock given as now leapt ahead by more than a day: every session has expired. If the machine has not slept for
 * so long, a reading of the clock failed. peer is 0. */
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

/** A configuration that was read from text. It does not change, so any number of threads may read it at a time. Made by
 * underpass_config_parse(), released by underpass_config_free(). */
typedef struct underpass_config underpass_config;

/** A tunnel: one virtual interface with its private key, its peers and its routes. Made by underpass_tunnel_new() or
 * underpass_tunnel_new_from_config(), released by underpass_tunnel_free(). It may be used from any thread, by one
 * call at a time. */
typedef struct underpass_tunnel underpass_tunnel;

/** An IP address and a UDP port. */
typedef struct underpass_address {
    uint8_t family; /**< UNDERPASS_FAMILY_*. */
    uint8_t reserved; /**< 0. */
    uint16_t port; /**< In host order. */
    uint32_t scope_id; /**< The interface of an IPv6 link-local address, else 0. */
    uint8_t ip[16]; /**< In network order; IPv4 in the first four. */
} underpass_address;

/** One finding in a configuration text. It repeats nothing of the text's values, so it can be logged and shown. The
 * pointers are valid as long as the configuration. */
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
    const char *UNDERPASS_NULLABLE endpoint_host;
    /** Allowed IPs to add or take away; borrowed for the call. */
    const underpass_allowed_ip *UNDERPASS_NULLABLE allowed_ips;
    size_t allowed_ips_len; /**< How many. */
    /** A number of the host's own, or a pointer as uintptr_t: verdicts, events and underpass_peer_info hand it back. */
    uint64_t user;
    /** What underpass_peer_info had before a restart, so that no initiation from before is taken for a new one. */
    uint8_t timestamp_floor[12];
    uint32_t reserved; /**< 0. */
} underpass_peer_change;

/** A source of randomness: fills out with len bytes that nobody can guess, and returns 0; any other number: there is
 * none now. It is called by whatever thread calls the tunnel, while that call runs; it calls no function of that
 * tunnel, and neither throws nor jumps out. */
typedef int32_t (*underpass_entropy)(void *UNDERPASS_NULLABLE data, uint8_t *out, size_t len);

/** What a tunnel is made from. Begin with underpass_options_init(), and change what you need. A number that is 0 stands for
 * the default. */
typedef struct underpass_options {
    uint32_t size; /**< sizeof(underpass_options), set by underpass_options_init(). */
    uint32_t flags; /**< UNDERPASS_OPTION_*. */
    uint8_t private_key[32]; /**< Without one the tunnel drops everything until it gets one. */
    /** What underpass_tunnel_timestamp_floor() gave before a restart, so that peers accept us although our clock was set
     * back. Zeros: none. */
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
    /** Where randomness comes from; NULL: the system, whose getrandom() waits, early after the start of a machine, until
     * there is enough. */
    underpass_entropy UNDERPASS_NULLABLE entropy;
    void *UNDERPASS_NULLABLE entropy_data; /**< What entropy is given as data. It lives as long as the tunnel. */
    /** A number of the host's own, or a pointer as uintptr_t: underpass_tunnel_user() and events hand it back. */
    uint64_t user;
} underpass_options;

/** The number of a peer: its name in all calls. Never 0, never that of another peer of any tunnel of this process,
 * even after it was removed. */
typedef uint64_t underpass_peer_id;

/** The room that packets and datagrams need. When MTU or padding change it: UNDERPASS_EVENT_LAYOUT_CHANGED. */
typedef struct underpass_layout {
    uint32_t size; /**< sizeof(underpass_layout), set by the caller. */
    uint32_t mtu; /**< Bytes of the largest packet. */
    uint32_t headroom; /**< Bytes that must be free before a packet, in its buffer. */
    /** Bytes that must be free behind a packet. A buffer of transmit_buffer bytes has room for every packet. */
    uint32_t tailroom;
    uint32_t transmit_buffer; /**< Bytes of the buffer for underpass_tunnel_poll_transmit(). */
    uint32_t reserved; /**< 0. */
} underpass_layout;

/** What came of a request of wg. */
typedef struct underpass_uapi_result {
    uint32_t size; /**< sizeof(underpass_uapi_result), set by the caller. */
    /** 0: applied. Else nothing was, and this is the number to answer with, with a minus sign: errno=-22. 12: there is no
     * memory for the request. */
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
    /** Our address: where a datagram arrived, or from where to send one. IPv4 in IPv6 is taken as IPv4.
     * UNDERPASS_FAMILY_NONE: any. */
    underpass_ip local;
} underpass_path;

/** One packet or datagram of a batch: an array of len slots, UNDERPASS_MAX_BATCH at most. After UNDERPASS_OK each says
 * what became of it: do what its verdict asks for. UNDERPASS_E_ARGUMENT: start and len of one lie beyond its cap, or,
 * of a datagram, its path has no remote address or its ecn is greater than 3; then nothing was done. Buffers stay where they
 * are; set start and len anew for each batch. Never grows. */
typedef struct underpass_slot {
    uint8_t *UNDERPASS_NULLABLE buf; /**< In: memory that no other slot shares. */
    uint32_t cap; /**< In: its bytes. */
    /** In: where in it the packet (with UNDERPASS_HEADROOM bytes before it and UNDERPASS_TAILROOM behind) or the datagram
     * begins. Out: where that begins which is to be sent or delivered. */
    uint32_t start;
    /** In: bytes of the packet or datagram. Out: bytes of what is to be sent or delivered; 0 where nothing is. */
    uint32_t len;
    int32_t verdict; /**< Out: UNDERPASS_VERDICT_*. */
    uint32_t reason; /**< Out, with UNDERPASS_VERDICT_DROPPED and UNDERPASS_VERDICT_BOUNCE: UNDERPASS_DROP_*. */
    /** The ECN bits of the outer IP header, 0 to 3. In: of a datagram. Out, with UNDERPASS_VERDICT_SEND and
     * UNDERPASS_VERDICT_REPLY: for it. */
    uint8_t ecn;
    uint8_t reserved[3]; /**< 0. */
    underpass_peer_id peer; /**< Out: where it goes to or comes from; 0: no peer. */
    uint64_t user; /**< Out: what the host calls that peer, see underpass_peer_change. */
    underpass_path path; /**< In: the path a datagram came by. Out, with UNDERPASS_VERDICT_SEND: the path it takes. */
} underpass_slot;

/** One packet or datagram between begin and finish: an array of as many as there are slots, zeroed before its first use.
 * Do not move slots, buffers and jobs until they are finished or discarded; a job holds a key until then. */
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
    uint64_t tunnel_user; /**< What the host calls the tunnel, see underpass_options. */
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
    /** Save it, and give it to underpass_peer_change after a restart, so that no initiation from before is taken for a new one.
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

/** The version of the library, to be compared with UNDERPASS_VERSION: a program works with a library of the same first
 * two numbers while the first is 0, and of the same first number from 1 on. */
UNDERPASS_API uint32_t underpass_version(void);

/** The version of the library as text, such as "0.1.0". */
UNDERPASS_API const char *underpass_version_string(void);

/** Which cryptography is built in: "fast" or "portable". */
UNDERPASS_API const char *underpass_backend(void);

/** What a status means, in a few English words. */
UNDERPASS_API const char *underpass_strerror(int32_t status);

/** The name of UNDERPASS_DROP_* for statistics: lower case, words joined by underscores; "unknown" for others. */
UNDERPASS_API const char *underpass_drop_reason_name(uint32_t reason);

/** The name of UNDERPASS_EVENT_*, in the same way. */
UNDERPASS_API const char *underpass_event_name(uint32_t kind);

/** The name of UNDERPASS_HEALTH_*, in the same way. */
UNDERPASS_API const char *underpass_health_name(uint32_t health);

/** The name of UNDERPASS_SEND_ERROR_*, in the same way. */
UNDERPASS_API const char *underpass_send_error_name(uint32_t kind);

/** Makes a private key of 32 bytes. Wipe it when it is no longer needed. */
UNDERPASS_STATUS underpass_private_key_generate(uint8_t *key);

/** Makes a preshared key of 32 bytes. Wipe it when it is no longer needed. */
UNDERPASS_STATUS underpass_preshared_key_generate(uint8_t *key);

/** Computes the public key that belongs to a private one. Both may be the same memory. */
UNDERPASS_STATUS underpass_public_key(const uint8_t *private_key, uint8_t *public_key);

/** Reads a key from 44 base64 characters, as wg(8) writes it, or answers UNDERPASS_E_KEY. */
UNDERPASS_STATUS underpass_key_from_base64(const char *UNDERPASS_NULLABLE text, size_t len, uint8_t *key);

/** Reads a key from 64 hexadecimal digits of either case, or answers UNDERPASS_E_KEY. */
UNDERPASS_STATUS underpass_key_from_hex(const char *UNDERPASS_NULLABLE text, size_t len, uint8_t *key);

/** Writes a key as base64, as wg(8) does: UNDERPASS_BASE64_LEN bytes, the last one a NUL. */
UNDERPASS_STATUS underpass_key_to_base64(const uint8_t *key, char *UNDERPASS_NULLABLE text, size_t cap);

/** Writes a key as lower-case hexadecimal digits: UNDERPASS_HEX_LEN bytes, the last one a NUL. */
UNDERPASS_STATUS underpass_key_to_hex(const uint8_t *key, char *UNDERPASS_NULLABLE text, size_t cap);

/** Overwrites memory with zeros, in a way that no compiler leaves out: for keys that are no longer needed. */
UNDERPASS_API void underpass_wipe(void *UNDERPASS_NULLABLE memory, size_t len);

/** Reads a struct sockaddr_in or sockaddr_in6. An IPv4 address in IPv6 (::ffff:a.b.c.d), as sockets of both families give
 * it, becomes one of IPv4.
 * - sockaddr: len bytes, aligned or not; more than needed is fine.
 * - UNDERPASS_E_ARGUMENT: it is of another family, or shorter than its family wants. */
UNDERPASS_STATUS underpass_address_from_sockaddr(const void *UNDERPASS_NULLABLE sockaddr, size_t len,
    underpass_address *out);

/** Writes an address as a struct sockaddr_in or sockaddr_in6.
 * - family: that of the socket, UNDERPASS_FAMILY_*: for one of IPv6, IPv4 becomes ::ffff:a.b.c.d;
 *   UNDERPASS_FAMILY_NONE: that of the address.
 * - sockaddr: out, cap bytes; a struct sockaddr_storage has room for any.
 * - len: out, how many were written.
 * - UNDERPASS_E_ARGUMENT: there is no address, or it is one of IPv6 for a socket of IPv4. */
UNDERPASS_STATUS underpass_address_to_sockaddr(const underpass_address *address, uint8_t family,
    void *UNDERPASS_NULLABLE sockaddr, size_t cap, size_t *len);

/** Reads a configuration in the dialect of wg-quick(8), of wg setconf, and of the phone applications. When it is there,
 * look at its diagnostics: if one of them is an error, it has nothing else. It keeps UNDERPASS_MAX_DIAGNOSTICS of
 * them, errors first.
 * - text: UTF-8. Other text, or text with a NUL in it, is UNDERPASS_E_ARGUMENT.
 * - config: out; to be released with underpass_config_free(). */
UNDERPASS_STATUS underpass_config_parse(const char *UNDERPASS_NULLABLE text, size_t len,
    underpass_config *UNDERPASS_NULLABLE *UNDERPASS_NONNULL config);

/** The same, but keeps as many diagnostics as the caller likes, which take about 200 bytes each. Whether the text is
 * refused does not depend on their number: with none kept, underpass_config_interface() tells whether there is an
 * error. */
UNDERPASS_STATUS underpass_config_parse_with(const char *UNDERPASS_NULLABLE text, size_t len, size_t max_diagnostics,
    underpass_config *UNDERPASS_NULLABLE *UNDERPASS_NONNULL config);

/** Releases a configuration and wipes its keys. What was borrowed from it is gone. NULL does nothing. */
UNDERPASS_API int32_t underpass_config_free(underpass_config *UNDERPASS_NULLABLE config);

/** Tells what is wrong or odd in the text, in the order of the text. */
UNDERPASS_STATUS underpass_config_diagnostic(const underpass_config *config, size_t index, underpass_diagnostic *out);

/** Tells how many diagnostics were counted only, beyond those that are kept. Most often 0. */
UNDERPASS_STATUS underpass_config_more(const underpass_config *config, size_t *count);

/** Tells what the [Interface] section says of numbers and keys. It holds the private key: wipe it. */
UNDERPASS_STATUS underpass_config_interface(const underpass_config *config, underpass_interface *out);

/** Tells the addresses of the virtual interface, each with the prefix length of its network. */
UNDERPASS_STATUS underpass_config_address(const underpass_config *config, size_t index, underpass_ip *out);

/** Tells the name servers. */
UNDERPASS_STATUS underpass_config_dns(const underpass_config *config, size_t index, underpass_ip *out);

/** Tells the texts of the [Interface] section: commands, search domains, applications.
 * - kind: UNDERPASS_TEXT_*.
 * - out: out; valid as long as the configuration. */
UNDERPASS_STATUS underpass_config_text(const underpass_config *config, uint32_t kind, size_t index,
    const char *UNDERPASS_NULLABLE *UNDERPASS_NONNULL out);

/** Tells the peers, as changes that underpass_tunnel_configure_peers() takes: each makes a peer what the text says of
 * it. All zeros stand for no preshared key, 0 for no persistent keepalive. Pointers in it are valid as long as the
 * configuration. It may hold a preshared key: wipe it. */
UNDERPASS_STATUS underpass_config_peer(const underpass_config *config, size_t index, underpass_peer_change *out);

/** Writes the configuration as wg-quick text. It holds the private key: wipe it. */
UNDERPASS_STATUS underpass_config_write(const underpass_config *config, char *UNDERPASS_NULLABLE text, size_t cap,
    size_t *len);

/** Fills options with the defaults, which suit a phone or a small router.
 * - size: sizeof(underpass_options). */
UNDERPASS_STATUS underpass_options_init(underpass_options *out, uint32_t size);

/** Makes a tunnel without peers.
 * - options: NULL: the defaults.
 * - out: out; to be released with underpass_tunnel_free(). */
UNDERPASS_STATUS underpass_tunnel_new(const underpass_options *UNDERPASS_NULLABLE options, uint64_t now, uint64_t wall,
    underpass_tunnel *UNDERPASS_NULLABLE *UNDERPASS_NONNULL out);

/** Makes a tunnel with the private key, the MTU and the peers of a configuration. What else that says (addresses, name
 * servers, listen port, commands) is the host's to do.
 * - options: its private key and MTU are not looked at; NULL: the defaults.
 * - out: out; to be released with underpass_tunnel_free().
 * - UNDERPASS_E_TOO_MANY_PEERS: more peers than max_peers of the options. Raise that. */
UNDERPASS_STATUS underpass_tunnel_new_from_config(const underpass_config *config,
    const underpass_options *UNDERPASS_NULLABLE options, uint64_t now, uint64_t wall,
    underpass_tunnel *UNDERPASS_NULLABLE *UNDERPASS_NONNULL out);

/** Releases a tunnel and wipes its keys, poisoned or not. Jobs begun by it are to be discarded. NULL does nothing. */
UNDERPASS_API int32_t underpass_tunnel_free(underpass_tunnel *UNDERPASS_NULLABLE tunnel);

/** Fills a change with what sets nothing. Fill in the public key, and what is to be otherwise.
 * - size: sizeof(underpass_peer_change). */
UNDERPASS_STATUS underpass_peer_change_init(underpass_peer_change *out, uint32_t size);

/** Adds, changes and removes peers, in the order of the changes, all or none. Sessions go on. Then poll.
 * - changes: len of them, all of the size of the first.
 * - peers: out, len of them: the number of the peer of each change, 0 where it is not there afterwards (it was removed, or the
 *   key is our own); or NULL.
 * - UNDERPASS_E_LOW_ORDER_KEY: a public key that no peer can have. All zeros is taken: nothing is ever sent to that
 *   peer.
 * - UNDERPASS_E_TOO_MANY_PEERS: more than max_peers of the options. Remove some first.
 * - UNDERPASS_E_PREFIX: the prefix of an allowed IP is too long. */
UNDERPASS_STATUS underpass_tunnel_configure_peers(underpass_tunnel *tunnel, uint64_t now,
    const underpass_peer_change *UNDERPASS_NULLABLE changes, size_t len, underpass_peer_id *UNDERPASS_NULLABLE peers);

/** Removes every peer, with its sessions and staged packets. Then poll. */
UNDERPASS_STATUS underpass_tunnel_remove_all_peers(underpass_tunnel *tunnel, uint64_t now);

/** Sets the private key, or removes it: NULL or all zeros. Sessions end, unless the key is the same. A
 * peer that has the public key of the new one is removed. Then poll. */
UNDERPASS_STATUS underpass_tunnel_set_private_key(underpass_tunnel *tunnel, uint64_t now,
    const uint8_t *UNDERPASS_NULLABLE private_key);

/** Sets the MTU of the virtual interface, 68 to 65535 bytes. Datagrams need other room then, see
 * underpass_tunnel_layout(). Then poll. */
UNDERPASS_STATUS underpass_tunnel_set_mtu(underpass_tunnel *tunnel, uint64_t now, uint32_t mtu);

/** Sets how packets are padded before they are sealed, so that lengths tell less to whoever watches the network. Any
 * WireGuard peer takes padded packets; nothing is padded beyond the MTU. Datagrams need other room then, see
 * underpass_tunnel_layout(). Then poll.
 * - padding: to a multiple of so many bytes: 16, which is what every implementation does, or a power of two from 32 to
 *   32768; UNDERPASS_PADDING_MTU; 0: 16. */
UNDERPASS_STATUS underpass_tunnel_set_padding(underpass_tunnel *tunnel, uint64_t now, uint32_t padding);

/** Raises or lowers the bounds on memory and work of a running tunnel. What is staged beyond them is dropped, the
 * oldest first. Peers beyond max_peers stay, but none are added.
 * - options: its limits, from max_peers on; the rest is not looked at. */
UNDERPASS_STATUS underpass_tunnel_set_limits(underpass_tunnel *tunnel, uint64_t now, const underpass_options *options);

/** Tells the room that packets and datagrams need at present. */
UNDERPASS_STATUS underpass_tunnel_layout(const underpass_tunnel *tunnel, underpass_layout *out);

/** Tells how many bytes the datagram has that a packet of so many bytes, 65535 at most, becomes. */
UNDERPASS_STATUS underpass_tunnel_datagram_len(const underpass_tunnel *tunnel, size_t packet, size_t *datagram);

/** Makes the tunnel what a configuration says, as wg syncconf does: peers that are not in it go, the rest keep their
 * sessions; private key and MTU are set too. Then poll.
 * - UNDERPASS_E_TOO_MANY_PEERS: more than max_peers of the options. */
UNDERPASS_STATUS underpass_tunnel_apply_config(underpass_tunnel *tunnel, uint64_t now, const underpass_config *config);

/** Applies a request of wg: the lines between set=1 and the empty line. Then poll.
 * - out: out; if error_number is 0, do what flags say and answer errno=0; else nothing was applied, and it is the
 *   answer. */
UNDERPASS_STATUS underpass_tunnel_uapi_set(underpass_tunnel *tunnel, uint64_t now, const char *UNDERPASS_NULLABLE text,
    size_t len, underpass_uapi_result *out);

/** Writes the answer to get=1 of wg, without the errno line that ends it. It holds the private key: wipe it.
 * - listen_port, fwmark: what the host knows; 0: none. */
UNDERPASS_STATUS underpass_tunnel_uapi_get(const underpass_tunnel *tunnel, uint16_t listen_port, uint32_t fwmark,
    char *UNDERPASS_NULLABLE text, size_t cap, size_t *len);

/** Seals packets from the virtual interface, in place. Then poll. */
UNDERPASS_STATUS underpass_tunnel_handle_packets(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *UNDERPASS_NULLABLE slots, size_t len);

/** Opens datagrams from the network, in place. Then poll. */
UNDERPASS_STATUS underpass_tunnel_handle_datagrams(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *UNDERPASS_NULLABLE slots, size_t len);

/** The first of three steps that do what underpass_tunnel_handle_packets() does, for many cores: finds the sessions,
 * counts, writes the headers. Then poll.
 * - jobs: one for each slot. Slots that are UNDERPASS_VERDICT_PENDING have one now, which underpass_jobs_crypt() is to
 *   run, and then underpass_tunnel_finish_packets(), in the order of the packets. Do with the others what their
 *   verdicts say. */
UNDERPASS_STATUS underpass_tunnel_begin_packets(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *UNDERPASS_NULLABLE slots, underpass_job *UNDERPASS_NULLABLE jobs, size_t len);

/** The first of three steps that do what underpass_tunnel_handle_datagrams() does, for many cores: finds the sessions.
 * Handshake messages are done with it. Then poll.
 * - jobs: as of underpass_tunnel_begin_packets(); underpass_tunnel_finish_datagrams() comes last. */
UNDERPASS_STATUS underpass_tunnel_begin_datagrams(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *UNDERPASS_NULLABLE slots, underpass_job *UNDERPASS_NULLABLE jobs, size_t len);

/** The second of three steps: seals and opens what is begun, in both directions. It needs no tunnel: any threads may do
 * it, in any order, with any part of a batch, but one call for a slot and its job at a time.
 * - slots, jobs: len of each, as they were begun. Slots that are not UNDERPASS_VERDICT_PENDING are not looked at. */
UNDERPASS_STATUS underpass_jobs_crypt(underpass_slot *UNDERPASS_NULLABLE slots, underpass_job *UNDERPASS_NULLABLE jobs,
    size_t len);

/** The last of three steps for packets, in the order in which they were begun. Slots that are not
 * UNDERPASS_VERDICT_PENDING are not looked at. The jobs hold no keys any more. Then poll. */
UNDERPASS_STATUS underpass_tunnel_finish_packets(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *UNDERPASS_NULLABLE slots, underpass_job *UNDERPASS_NULLABLE jobs, size_t len);

/** The last of three steps for datagrams, as underpass_tunnel_finish_packets() is for packets. Then poll. */
UNDERPASS_STATUS underpass_tunnel_finish_datagrams(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *UNDERPASS_NULLABLE slots, underpass_job *UNDERPASS_NULLABLE jobs, size_t len);

/** Wipes jobs that will not be finished, in any state. What they were begun for is lost, as a datagram may be on its
 * way. Any thread may do it, but none may crypt or finish them meanwhile. */
UNDERPASS_API int32_t underpass_jobs_discard(underpass_job *UNDERPASS_NULLABLE jobs, size_t len);

/** Does what is due, when the deadline of underpass_tunnel_poll_timeout() has come; earlier or later does no harm. Then
 * poll. */
UNDERPASS_STATUS underpass_tunnel_handle_timeout(underpass_tunnel *tunnel, uint64_t now);

/** Tells that the machine has other addresses, or another way to the network: endpoint names are asked for again, and
 * peers hear from us. Then poll. */
UNDERPASS_STATUS underpass_tunnel_handle_network_change(underpass_tunnel *tunnel, uint64_t now);

/** Tells that the wall clock was set. */
UNDERPASS_STATUS underpass_tunnel_handle_wall_clock(underpass_tunnel *tunnel, uint64_t now, uint64_t wall);

/** Writes the next datagram that is to be sent: a handshake message, a keepalive, or a packet that was staged. Send it
 * along its path, and call again.
 * - buf: out, cap bytes, at least transmit_buffer of underpass_tunnel_layout().
 * - UNDERPASS_E_RANDOM: a handshake message could not be made for want of randomness. An initiation is tried again
 *   after 5 s; for a response, the peer has to initiate again. All else has gone out. */
UNDERPASS_STATUS underpass_tunnel_poll_transmit(underpass_tunnel *tunnel, uint64_t now, uint8_t *buf, size_t cap,
    underpass_transmit *out);

/** Writes as many of the datagrams that are to be sent as there are slots: one call instead of one for each.
 * UNDERPASS_NOTHING: there is nothing to send.
 * - slots: of each, buf and cap are looked at, which is as much as underpass_tunnel_poll_transmit() needs. Those that
 *   were filled are UNDERPASS_VERDICT_SEND, from start 0.
 * - count: out, how many were filled, from the first on. Fewer than len: there are no more.
 * - UNDERPASS_E_RANDOM: as of underpass_tunnel_poll_transmit(), if nothing else was there to be sent. */
UNDERPASS_STATUS underpass_tunnel_poll_transmits(underpass_tunnel *tunnel, uint64_t now,
    underpass_slot *UNDERPASS_NULLABLE slots, size_t len, size_t *count);

/** Hands out the next event. Act on it as its kind says, and call again. */
UNDERPASS_STATUS underpass_tunnel_poll_event(underpass_tunnel *tunnel, underpass_event *out);

/** Tells when underpass_tunnel_handle_timeout() is to be called. It may move with every call that handles or
 * configures.
 * - deadline: out, on the clock of the tunnel; UNDERPASS_NEVER: not before something else happens. */
UNDERPASS_STATUS underpass_tunnel_poll_timeout(const underpass_tunnel *tunnel, uint64_t *deadline);

/** Tells where a peer is reached: the answer to UNDERPASS_EVENT_RESOLVE_ENDPOINT, or what the host knows otherwise.
 * Then poll. */
UNDERPASS_STATUS underpass_tunnel_set_endpoint(underpass_tunnel *tunnel, uint64_t now, underpass_peer_id peer,
    const underpass_address *remote);

/** Starts a handshake with a peer, unless a session is live or one is under way. Then poll. */
UNDERPASS_STATUS underpass_tunnel_connect(underpass_tunnel *tunnel, uint64_t now, underpass_peer_id peer);

/** Tells that datagrams of a peer could not leave: they are counted apart from what was sent. An address of ours that
 * does not work is left to the host until the peer is heard from again; an endpoint that cannot be reached is looked
 * for elsewhere, if it has a name. Neither happens when the peer is reached over another path by now. Then poll.
 * - path: what the slot or the transmit said.
 * - len: how many bytes did not leave; 0: none, since you sent the datagrams from another address than that of the path.
 * - kind: UNDERPASS_SEND_ERROR_*. */
UNDERPASS_STATUS underpass_tunnel_handle_send_error(underpass_tunnel *tunnel, underpass_peer_id peer,
    const underpass_path *path, size_t len, uint32_t kind);

/** Ends the sessions and handshakes of a peer at once, wipes their keys and drops what is staged for it. The peer
 * stays; the next packet or initiation begins a new session, unless it is refused. Then poll. */
UNDERPASS_STATUS underpass_tunnel_end_sessions(underpass_tunnel *tunnel, uint64_t now, underpass_peer_id peer);

/** Refuses a peer, or no longer if refused is 0: a user who was suspended or logged out. Its sessions end; its
 * initiations and packets to it are dropped as UNDERPASS_DROP_REFUSED. Its configuration stays. Then poll. */
UNDERPASS_STATUS underpass_tunnel_set_refused(underpass_tunnel *tunnel, uint64_t now, underpass_peer_id peer,
    uint32_t refused);

/** Forgets the last timestamp accepted from a peer, whose clock was once far ahead and has been mended. Until its next
 * handshake, an old initiation of its could be replayed; it reaches no session by that. */
UNDERPASS_STATUS underpass_tunnel_reset_peer_timestamp(underpass_tunnel *tunnel, underpass_peer_id peer);

/** Tells the number of the peer with a public key, or UNDERPASS_E_NO_PEER. */
UNDERPASS_STATUS underpass_tunnel_peer_by_key(const underpass_tunnel *tunnel, const uint8_t *public_key,
    underpass_peer_id *peer);

/** Tells the numbers of all peers. */
UNDERPASS_STATUS underpass_tunnel_peers(const underpass_tunnel *tunnel, underpass_peer_id *UNDERPASS_NULLABLE peers,
    size_t cap, size_t *len);

/** Tells what is known of a peer. */
UNDERPASS_STATUS underpass_tunnel_peer(const underpass_tunnel *tunnel, uint64_t now, underpass_peer_id peer,
    underpass_peer_info *out);

/** Tells the allowed IPs of a peer, each with its prefix. */
UNDERPASS_STATUS underpass_tunnel_peer_allowed_ips(const underpass_tunnel *tunnel, underpass_peer_id peer,
    underpass_ip *UNDERPASS_NULLABLE allowed_ips, size_t cap, size_t *len);

/** Tells the host name that a peer's endpoint was configured as, for underpass_tunnel_set_endpoint(). A cap of 256 is
 * always enough. UNDERPASS_NOTHING: it was configured as an address, or not at all. */
UNDERPASS_STATUS underpass_tunnel_peer_endpoint_name(const underpass_tunnel *tunnel, underpass_peer_id peer,
    char *UNDERPASS_NULLABLE host, size_t cap, size_t *len, uint16_t *port);

/** Tells how often packets and datagrams of a peer went no further: the count of UNDERPASS_DROP_* at its number.
 * - counts: out; what is beyond cap is left out, UNDERPASS_DROP_REASONS are all that this header knows.
 * - len: out, how many reasons the library knows; what is beyond it is not written. */
UNDERPASS_STATUS underpass_tunnel_peer_drops(const underpass_tunnel *tunnel, underpass_peer_id peer,
    uint64_t *UNDERPASS_NULLABLE counts, size_t cap, size_t *len);

/** Tells the counters of the tunnel, and what it holds. It visits every peer. */
UNDERPASS_STATUS underpass_tunnel_stats(const underpass_tunnel *tunnel, underpass_stats *out);

/** Tells the same of the whole tunnel, datagrams of no known peer included, as underpass_tunnel_peer_drops() does. */
UNDERPASS_STATUS underpass_tunnel_drops(const underpass_tunnel *tunnel, uint64_t *UNDERPASS_NULLABLE counts, size_t cap,
    size_t *len);

/** Tells our public key, or UNDERPASS_NOTHING without a private key. */
UNDERPASS_STATUS underpass_tunnel_public_key(const underpass_tunnel *tunnel, uint8_t *public_key);

/** Tells what the host calls the tunnel: user of the options that it was made from. */
UNDERPASS_STATUS underpass_tunnel_user(const underpass_tunnel *tunnel, uint64_t *user);

/** Tells the MTU of the virtual interface, in bytes. */
UNDERPASS_STATUS underpass_tunnel_mtu(const underpass_tunnel *tunnel, uint32_t *mtu);

/** Tells a timestamp of UNDERPASS_TIMESTAMP_LEN bytes. Save it from time to time and when the tunnel ends, and give it to the
 * tunnel after a restart, as timestamp_floor of its options. */
UNDERPASS_STATUS underpass_tunnel_timestamp_floor(const underpass_tunnel *tunnel, uint8_t *floor);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

UNDERPASS_NONNULL_END

#endif /* UNDERPASS_H */
