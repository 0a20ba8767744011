//! Every number of the protocol and every bound on memory, once.
use core::time::Duration;

/// A keypair is replaced when it has sealed this many messages (WireGuard paper § 6.1).
pub const REKEY_AFTER_MESSAGES: u64 = 1 << 60;
/// A keypair seals and opens no counter at or beyond this (paper § 6.1: 2^64 - 2^13 - 1).
pub const REJECT_AFTER_MESSAGES: u64 = u64::MAX - (1 << 13);
/// The initiator replaces its keypair when it is this old and in use (paper § 6.1).
pub const REKEY_AFTER_TIME: Duration = Duration::from_secs(120);
/// A keypair this old neither seals nor opens (paper § 6.1). The session's keys are wiped then; the paper keeps them for
/// three times as long (§ 6.3), for no use.
pub const REJECT_AFTER_TIME: Duration = Duration::from_secs(180);
/// An unanswered initiation is repeated after this, plus jitter (paper § 6.1).
pub const REKEY_TIMEOUT: Duration = Duration::from_secs(5);
/// Jitter added to [`REKEY_TIMEOUT`]: uniform in 0..=333 ms (as the Linux implementation does).
pub const REKEY_TIMEOUT_JITTER: Duration = Duration::from_millis(333);
/// A handshake that has not completed after this is given up (paper § 6.1).
pub const REKEY_ATTEMPT_TIME: Duration = Duration::from_secs(90);
/// Data received and nothing sent for this long: a keepalive (paper § 6.5).
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// A cookie is believed, and its secret kept, for this long (paper § 5.4.7).
pub const COOKIE_LIFETIME: Duration = Duration::from_secs(120);
/// Initiations of one peer closer together than this are dropped: 50 per second.
pub const INITIATION_INTERVAL: Duration = Duration::from_millis(20);

/// ICMP errors per second that a tunnel answers packets with, and as many at once (RFC 4443 § 2.4 (f), RFC 1812
/// § 4.3.2.8). "Packet too big" is counted apart, so that no flood of unreachable packets hides an MTU.
pub const ICMP_ERRORS_PER_SECOND: u32 = 100;

/// Packets of a batch whose peers are looked up before the first of them is sealed or opened: about as many reads as a
/// processor has under way at a time. A longer batch is taken in parts of this many, so a host that translates slots needs no
/// more of them at a time.
pub const AHEAD: usize = 16;

/// Bytes a datagram needs before the packet: the transport header (paper § 5.4.6).
pub const HEADROOM: usize = 16;
/// Bytes a datagram may need after the packet: up to 15 of padding and the 16 of the tag, rounded up.
pub const TAILROOM: usize = 32;
/// Datagrams that [`poll_transmit`](crate::Tunnel::poll_transmit) may write are at most
/// `mtu + HEADROOM + TAILROOM` bytes and at least this.
pub const MIN_TRANSMIT_BUFFER: usize = 148;
/// The smallest MTU of the virtual interface: what every IPv4 link carries (RFC 791 § 3.2).
pub const MIN_MTU: u16 = 68;
/// The MTU of the virtual interface where none is configured.
pub const DEFAULT_MTU: u16 = 1420;

/// Packets a second that a locked peer may send over the control channel.
#[cfg(feature = "control")]
pub const CONTROL_PACKETS_PER_SECOND: u32 = 20;
/// Packets that a locked peer may send over the control channel at once.
#[cfg(feature = "control")]
pub const CONTROL_BURST: u32 = 40;
/// Control messages that wait for one peer, at most.
#[cfg(feature = "control")]
pub const CONTROL_MESSAGES_PER_PEER: usize = 16;
/// Bytes of control messages that wait for one peer, at most.
#[cfg(feature = "control")]
pub const CONTROL_BYTES_PER_PEER: usize = 16 * 1024;
/// Control messages that wait in the whole tunnel, at most.
#[cfg(feature = "control")]
pub const CONTROL_MESSAGES: usize = 4096;
/// Bytes of control messages that wait in the whole tunnel, at most.
#[cfg(feature = "control")]
pub const CONTROL_BYTES: usize = 1024 * 1024;

/// The most that [`Limits::peers`] may say: 2^31.
pub const MAX_PEERS: u32 = 1 << 31;

/// Bounds on memory and work. Defaults suit a phone; a gateway raises them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Peers the tunnel accepts.
    pub peers: u32,
    /// Packets staged per peer while a handshake is under way; the oldest is dropped beyond it.
    pub staged_packets_per_peer: u16,
    /// Bytes staged per peer.
    pub staged_bytes_per_peer: u32,
    /// Bytes staged by the whole tunnel.
    pub staged_bytes: u32,
    /// Initiations per second answered without a cookie before the tunnel counts as under load.
    pub handshakes_per_second: u32,
    /// Cookie-verified initiations per second, a lane of their own.
    pub verified_handshakes_per_second: u32,
    /// Handshakes per second from one source (IPv4 /32, IPv6 /64).
    pub handshakes_per_source: u32,
    /// Handshakes one source may send at once.
    pub handshake_burst_per_source: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: 1_000_000,
            staged_packets_per_peer: 128,
            staged_bytes_per_peer: 256 * 1024,
            staged_bytes: 4 * 1024 * 1024,
            handshakes_per_second: 500,
            verified_handshakes_per_second: 1000,
            handshakes_per_source: 20,
            handshake_burst_per_source: 5,
        }
    }
}
