//! The version, the codes, and words for them.
use crate::drain::{
    UNDERPASS_HEALTH_CONNECTING, UNDERPASS_HEALTH_FAILED, UNDERPASS_HEALTH_IDLE, UNDERPASS_HEALTH_STALE,
    UNDERPASS_HEALTH_UP,
};
use core::ffi::{CStr, c_char};
use underpass_core::limits::{HEADROOM, MIN_TRANSMIT_BUFFER, TAILROOM};
use underpass_core::tunnel::{EventKind, SendError};
use underpass_core::{DropReason, Status};

/// The version of this header: the first of three numbers.
pub const UNDERPASS_VERSION_MAJOR: u32 = 0;
/// The version of this header: the second.
pub const UNDERPASS_VERSION_MINOR: u32 = 1;
/// The version of this header: the third.
pub const UNDERPASS_VERSION_PATCH: u32 = 0;
/// The version of this header as one number, to be compared with underpass_version().
pub const UNDERPASS_VERSION: u32 =
    (UNDERPASS_VERSION_MAJOR << 24) | (UNDERPASS_VERSION_MINOR << 16) | (UNDERPASS_VERSION_PATCH << 8);

/// The number of a peer: its name in all calls. Never 0, never that of another peer of any tunnel of this process,
/// even after it was removed.
pub type underpass_peer_id = u64;

/// Bytes of a key.
pub const UNDERPASS_KEY_LEN: usize = 32;
/// Bytes of a key in base64, with its NUL.
pub const UNDERPASS_BASE64_LEN: usize = 45;
/// Bytes of a key in hexadecimal, with its NUL.
pub const UNDERPASS_HEX_LEN: usize = 65;
/// Bytes of a saved timestamp.
pub const UNDERPASS_TIMESTAMP_LEN: usize = 12;
/// Bytes that must be free before a packet, in its buffer.
pub const UNDERPASS_HEADROOM: u32 = 16;
/// Bytes that must be free behind a packet, in its buffer.
pub const UNDERPASS_TAILROOM: u32 = 32;
/// Bytes of the shortest buffer that underpass_tunnel_poll_transmit() takes, whatever the MTU.
pub const UNDERPASS_MIN_TRANSMIT_BUFFER: u32 = 148;
/// Slots that a batch may have.
pub const UNDERPASS_MAX_BATCH: u32 = 256;
/// A deadline that never comes: sleep until there is a packet or a datagram.
pub const UNDERPASS_NEVER: u64 = u64::MAX;

/// Done.
pub const UNDERPASS_OK: i32 = 0;
/// Done, but there is nothing (more) to return: output parameters are unchanged.
pub const UNDERPASS_NOTHING: i32 = 1;
/// A pointer is NULL that must not be. Fix the call.
pub const UNDERPASS_E_NULL: i32 = -1;
/// A struct has a size that no version of it has, or something is set in a part that this library does not know.
pub const UNDERPASS_E_SIZE: i32 = -2;
/// A number out of range, an unknown flag, text that is not UTF-8, or an array that is not aligned. Fix the call.
pub const UNDERPASS_E_ARGUMENT: i32 = -3;
/// There is too little room for the output. Where there is a len, it says how much is needed (for a text, one more for its
/// NUL). Make room, call again.
pub const UNDERPASS_E_BUFFER: i32 = -4;
/// Buffers of a batch overlap each other, the slots, or the jobs. Fix the call.
pub const UNDERPASS_E_OVERLAP: i32 = -5;
/// More than UNDERPASS_MAX_BATCH slots. Make several calls.
pub const UNDERPASS_E_BATCH: i32 = -6;
/// The text is not a key.
pub const UNDERPASS_E_KEY: i32 = -7;
/// The configuration has errors. Show its diagnostics.
pub const UNDERPASS_E_CONFIG: i32 = -8;
/// A public key is a point of low order, which no peer can have.
pub const UNDERPASS_E_LOW_ORDER_KEY: i32 = -9;
/// More peers than max_peers of the options. Remove some, or make the tunnel with a greater limit.
pub const UNDERPASS_E_TOO_MANY_PEERS: i32 = -10;
/// The prefix length of a network is beyond 32 (IPv4) or 128 (IPv6). Fix the call.
pub const UNDERPASS_E_PREFIX: i32 = -11;
/// The MTU is outside 68 to 65535. Fix the call.
pub const UNDERPASS_E_MTU: i32 = -12;
/// A limit of the options is too great. Fix the call.
pub const UNDERPASS_E_LIMIT: i32 = -13;
/// No peer has this number or key, or not any more.
pub const UNDERPASS_E_NO_PEER: i32 = -14;
/// A job was not begun for this slot, by this tunnel and process, or is not ready for this step; or the slot's buffer was
/// filled again since, as far as its first bytes tell. Discard the jobs of the batch and drop its packets; fix the order of the calls.
pub const UNDERPASS_E_JOB: i32 = -15;
/// The system, or entropy of the options, gave no randomness. Try again later.
pub const UNDERPASS_E_RANDOM: i32 = -16;
/// Another thread is inside this handle. Keep threads apart with a lock of your own.
pub const UNDERPASS_E_BUSY: i32 = -17;
/// A bug in the library stopped the call. The tunnel is poisoned: free it, make another, and report what led here.
pub const UNDERPASS_E_PANIC: i32 = -18;
/// A bug stopped an earlier call on this tunnel. Free it and make another.
pub const UNDERPASS_E_POISONED: i32 = -19;
/// Memory has run out. Nothing was changed or written: free some, call again.
pub const UNDERPASS_E_MEMORY: i32 = -20;

/// Not a WireGuard datagram: wrong type, reserved bytes or length.
pub const UNDERPASS_DROP_MALFORMED: u32 = 0;
/// The first MAC of a handshake message does not verify: not meant for us.
pub const UNDERPASS_DROP_BAD_MAC: u32 = 1;
/// No session or handshake has this receiver index.
pub const UNDERPASS_DROP_UNKNOWN_INDEX: u32 = 2;
/// The handshake names a static key that is no peer of ours.
pub const UNDERPASS_DROP_UNKNOWN_PEER: u32 = 3;
/// Authentication failed: forged, corrupted, or sealed under other keys.
pub const UNDERPASS_DROP_BAD_TAG: u32 = 4;
/// A low-order point in a handshake: the shared secret would be zero.
pub const UNDERPASS_DROP_LOW_ORDER_KEY: u32 = 5;
/// The counter was seen already or lies behind the replay window.
pub const UNDERPASS_DROP_REPLAY: u32 = 6;
/// The initiation's timestamp is not later than the last one accepted.
pub const UNDERPASS_DROP_OLD_TIMESTAMP: u32 = 7;
/// The keypair is too old or has sealed or opened too many messages.
pub const UNDERPASS_DROP_KEY_EXPIRED: u32 = 8;
/// Initiations of one peer came faster than 50 per second.
pub const UNDERPASS_DROP_INITIATION_FLOOD: u32 = 9;
/// Under load and without a valid cookie, or over the rate of its source.
pub const UNDERPASS_DROP_UNDER_LOAD: u32 = 10;
/// A cookie reply that answers nothing we sent.
pub const UNDERPASS_DROP_UNEXPECTED_COOKIE: u32 = 11;
/// The inner packet is not IP, or shorter than it says.
pub const UNDERPASS_DROP_MALFORMED_PACKET: u32 = 12;
/// The inner source address belongs to another peer or to none.
pub const UNDERPASS_DROP_SOURCE_NOT_ALLOWED: u32 = 13;
/// The outer header says "congestion experienced", the inner packet cannot.
pub const UNDERPASS_DROP_CONGESTION: u32 = 14;
/// No peer owns the destination address.
pub const UNDERPASS_DROP_NO_ROUTE: u32 = 15;
/// The peer has no endpoint and none can be resolved.
pub const UNDERPASS_DROP_NO_ENDPOINT: u32 = 16;
/// The packet exceeds the MTU.
pub const UNDERPASS_DROP_TOO_BIG: u32 = 17;
/// The buffer lacks headroom, tailroom or length.
pub const UNDERPASS_DROP_NO_ROOM: u32 = 18;
/// A staged packet gave way to a newer one, or its peer went away.
pub const UNDERPASS_DROP_STAGED_OVERFLOW: u32 = 19;
/// The handshake was given up while the packet was staged.
pub const UNDERPASS_DROP_HANDSHAKE_FAILED: u32 = 20;
/// The tunnel has no private key.
pub const UNDERPASS_DROP_NO_PRIVATE_KEY: u32 = 21;
/// The packet is a datagram of ours that was routed back into the tunnel.
pub const UNDERPASS_DROP_LOOP: u32 = 22;
/// The peer is refused by the host.
pub const UNDERPASS_DROP_REFUSED: u32 = 23;
/// There is no memory for what the packet or handshake message needs.
pub const UNDERPASS_DROP_NO_MEMORY: u32 = 24;
/// How many reasons this header knows.
pub const UNDERPASS_DROP_REASONS: usize = 25;

// What the core means by them.
const _: () = assert!(UNDERPASS_HEADROOM as usize == HEADROOM && UNDERPASS_TAILROOM as usize == TAILROOM);
const _: () = assert!(UNDERPASS_MIN_TRANSMIT_BUFFER as usize == MIN_TRANSMIT_BUFFER);
// Features of the core that C has no words for yet bring more: 25 to 27 are those of the control channel.
const _: () = assert!(UNDERPASS_DROP_REASONS <= DropReason::ALL.len());

static VERSION: &[u8] = concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes();
/// The words of all members of a kind, in their order, each with a NUL behind it.
macro_rules! words_of {
    ($kind:ident, $word:ident) => {{
        const fn texts() -> [&'static str; $kind::ALL.len()] {
            let mut texts = [""; $kind::ALL.len()];
            let mut at = 0;
            while at < texts.len() {
                texts[at] = $kind::ALL[at].$word();
                at += 1;
            }
            texts
        }
        &joined::<{ bytes_of(&texts()) }>(&texts())
    }};
}
#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static STATUSES: &[u8] = words_of!(Status, text);
#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static REASONS: &[u8] = words_of!(DropReason, name);
#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static EVENTS: &[u8] = words_of!(EventKind, name);
#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static SEND_ERRORS: &[u8] = words_of!(SendError, name);

/// The version of the library, to be compared with UNDERPASS_VERSION: a program works with a library of the same first
/// two numbers while the first is 0, and of the same first number from 1 on.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_version() -> u32 {
    UNDERPASS_VERSION
}

/// The version of the library as text, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn underpass_version_string() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// Which cryptography is built in: "fast" or "portable".
#[unsafe(no_mangle)]
pub extern "C" fn underpass_backend() -> *const c_char {
    let is_fast = cfg!(all(feature = "fast", any(target_arch = "x86_64", target_arch = "aarch64")));
    if is_fast { c"fast".as_ptr() } else { c"portable".as_ptr() }
}

/// What a status means, in a few English words.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_strerror(status: i32) -> *const c_char {
    status_text(status).as_ptr()
}

/// The name of UNDERPASS_DROP_* for statistics: lower case, words joined by underscores; "unknown" for others.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_drop_reason_name(reason: u32) -> *const c_char {
    drop_reason_name(reason).as_ptr()
}

/// The name of UNDERPASS_EVENT_*, in the same way.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_event_name(kind: u32) -> *const c_char {
    let place = EventKind::ALL.iter().position(|known| *known as u32 == kind);
    place.and_then(|place| word(EVENTS, place)).unwrap_or(c"unknown").as_ptr()
}

/// The name of UNDERPASS_HEALTH_*, in the same way.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_health_name(health: u32) -> *const c_char {
    let name = match health {
        UNDERPASS_HEALTH_CONNECTING => c"connecting",
        UNDERPASS_HEALTH_UP => c"up",
        UNDERPASS_HEALTH_STALE => c"stale",
        UNDERPASS_HEALTH_FAILED => c"failed",
        UNDERPASS_HEALTH_IDLE => c"idle",
        _ => c"unknown",
    };
    name.as_ptr()
}

/// The name of UNDERPASS_SEND_ERROR_*, in the same way.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_send_error_name(kind: u32) -> *const c_char {
    usize::try_from(kind).ok().and_then(|kind| word(SEND_ERRORS, kind)).unwrap_or(c"unknown").as_ptr()
}

/// What a status means.
#[must_use]
pub fn status_text(status: i32) -> &'static CStr {
    let place = Status::ALL.iter().position(|known| known.code() == status);
    place.and_then(|place| word(STATUSES, place)).unwrap_or(c"unknown status")
}

/// The name of a drop reason.
#[must_use]
pub fn drop_reason_name(reason: u32) -> &'static CStr {
    usize::try_from(reason).ok().and_then(|reason| word(REASONS, reason)).unwrap_or(c"unknown")
}

/// The word at a place.
fn word(words: &'static [u8], place: usize) -> Option<&'static CStr> {
    words.split_inclusive(|byte| *byte == 0).nth(place).and_then(|word| CStr::from_bytes_with_nul(word).ok())
}

/// How long the texts are with a NUL each.
#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn bytes_of(texts: &[&str]) -> usize {
    let (mut at, mut bytes) = (0, 0);
    while at < texts.len() {
        bytes += texts[at].len() + 1;
        at += 1;
    }
    bytes
}

/// The texts with a NUL each.
#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn joined<const BYTES: usize>(texts: &[&str]) -> [u8; BYTES] {
    let (mut all, mut end, mut at) = ([0; BYTES], 0, 0);
    while at < texts.len() {
        let text = texts[at].as_bytes();
        let mut byte = 0;
        while byte < text.len() {
            all[end] = text[byte];
            (byte, end) = (byte + 1, end + 1);
        }
        (at, end) = (at + 1, end + 1);
    }
    all
}
