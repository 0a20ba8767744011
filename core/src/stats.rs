//! Counters, and the reasons for which a packet or datagram went no further.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])* $(#[cfg($gate:meta)])* $name:ident = $text:literal,)*) => {
        /// Why a packet or datagram went no further. Counted per tunnel and per peer; the sender learns nothing.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum DropReason { $($(#[doc = $doc])* $(#[cfg($gate)])* $name,)* }

        impl DropReason {
            /// Every reason, in the order of its number.
            pub const ALL: &[Self] = &[$($(#[cfg($gate)])* Self::$name,)*];
            /// The reason's name for statistics: lower case, words joined by underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(#[cfg($gate)])* Self::$name => $text,)* }
            }
        }
    };
}

// Numbers are given once. One that a feature brings keeps its number: a reason behind it is there only where it is too.
drop_reasons! {
    /// Not a WireGuard datagram: wrong type, reserved bytes or length.
    Malformed = "malformed",
    /// The first MAC of a handshake message does not verify: not meant for us.
    BadMac = "bad_mac",
    /// No session or handshake has this receiver index.
    UnknownIndex = "unknown_index",
    /// The handshake names a static key that is no peer of ours.
    UnknownPeer = "unknown_peer",
    /// Authentication failed: forged, corrupted, or sealed under other keys.
    BadTag = "bad_tag",
    /// A low-order point in a handshake: the shared secret would be zero.
    LowOrderKey = "low_order_key",
    /// The counter was seen already or lies behind the replay window.
    Replay = "replay",
    /// The initiation's timestamp is not later than the last one accepted.
    OldTimestamp = "old_timestamp",
    /// The keypair is too old or has sealed or opened too many messages.
    KeyExpired = "key_expired",
    /// Initiations of one peer came faster than 50 per second.
    InitiationFlood = "initiation_flood",
    /// Under load and without a valid cookie, or over the rate of its source.
    UnderLoad = "under_load",
    /// A cookie reply that answers nothing we sent.
    UnexpectedCookie = "unexpected_cookie",
    /// The inner packet is not IP, or shorter than it says.
    MalformedPacket = "malformed_packet",
    /// The inner source address belongs to another peer or to none.
    SourceNotAllowed = "source_not_allowed",
    /// The outer header says "congestion experienced", the inner packet cannot (RFC 6040 § 4.2).
    Congestion = "congestion",
    /// No peer owns the destination address.
    NoRoute = "no_route",
    /// The peer has no endpoint and none can be resolved.
    NoEndpoint = "no_endpoint",
    /// The packet exceeds the MTU.
    TooBig = "too_big",
    /// The buffer lacks headroom, tailroom or length.
    NoRoom = "no_room",
    /// A staged packet gave way to a newer one, or its peer went away.
    StagedOverflow = "staged_overflow",
    /// The handshake was given up while the packet was staged.
    HandshakeFailed = "handshake_failed",
    /// The tunnel has no private key.
    NoPrivateKey = "no_private_key",
    /// The packet is a datagram of ours that was routed back into the tunnel.
    Loop = "loop",
    /// The peer is refused: see [`Tunnel::set_refused`](crate::Tunnel::set_refused).
    Refused = "refused",
    /// There is no memory for what the packet or handshake message needs.
    NoMemory = "no_memory",
    /// The peer is locked: see [`Access`](crate::Access).
    #[cfg(feature = "control")]
    Locked = "locked",
    /// A link-local address on what is no control message: on a packet from the virtual interface, or on one from a peer that
    /// is damaged or goes elsewhere.
    #[cfg(feature = "control")]
    NotControl = "not_control",
    /// A locked peer sent control messages faster than 20 per second.
    #[cfg(feature = "control")]
    ControlFlood = "control_flood",
    /// Rules do not allow it: see [`Access::Ruled`](crate::Access::Ruled).
    #[cfg(feature = "filter")]
    Denied = "denied",
    /// It belongs to no flow that rules allow, and none may begin with it.
    #[cfg(feature = "filter")]
    NoFlow = "no_flow",
    /// Faster than the peer's rate.
    #[cfg(feature = "filter")]
    RateLimited = "rate_limited",
    /// The peer's quota is used up.
    #[cfg(feature = "filter")]
    QuotaExceeded = "quota_exceeded",
}

macro_rules! send_errors {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $text:literal,)*) => {
        /// Why the host could not send a datagram.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum SendError { $($(#[$doc])* $name,)* }

        impl SendError {
            /// Every kind, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// Its name for programs: lower case, words joined by underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
            /// What it means, in a few words for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
            /// The kind with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.name() == name)
            }
        }
    };
}

send_errors! {
    /// No way leads there: no route, or the network or host is unreachable.
    Unreachable = "unreachable", "no route to the endpoint",
    /// The host has no socket of the endpoint's address family.
    FamilyGone = "family_gone", "no network of the endpoint's address family",
    /// The source address is no longer one of ours.
    NoSource = "no_source", "the source address is gone",
    /// The datagram is longer than the link or the path takes.
    TooBig = "too_big", "the datagram is too long for the path",
    /// The other side refuses: an ICMP error that anyone could have sent.
    Refused = "refused", "the endpoint refuses",
    /// A firewall or the system does not allow it.
    Denied = "denied", "sending is not allowed",
    /// Something else.
    Other = "other", "sending failed",
}

/// How often each [`DropReason`] happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl Default for DropCounts {
    fn default() -> Self {
        Self([0; DropReason::ALL.len()])
    }
}

impl DropCounts {
    /// Counts `times` more drops for `reason`.
    pub(crate) fn add(&mut self, reason: DropReason, times: u64) {
        if let Some(n) = self.0.get_mut(reason as usize) {
            *n = n.saturating_add(times);
        }
    }

    /// How often `reason` happened.
    #[must_use]
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// All drops together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Each reason that happened at least once.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|r| (*r, self.of(*r))).filter(|(_, n)| *n > 0)
    }
}

/// Counters of one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// Bytes of datagrams sent to it, as `wg` counts them, without those that the host could not send.
    pub tx_bytes: u64,
    /// Bytes of authenticated datagrams received from it.
    pub rx_bytes: u64,
    /// Packets sealed.
    pub tx_packets: u64,
    /// Packets delivered.
    pub rx_packets: u64,
    /// Handshakes completed.
    pub handshakes: u64,
}

/// Counters of the tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TunnelStats {
    /// Bytes of datagrams sent, without those that the host could not send.
    pub tx_bytes: u64,
    /// Bytes of authenticated datagrams received.
    pub rx_bytes: u64,
    /// Packets sealed.
    pub tx_packets: u64,
    /// Packets delivered.
    pub rx_packets: u64,
    /// Handshakes completed.
    pub handshakes: u64,
    /// Cookie replies written.
    pub cookie_replies: u64,
    /// Times the host said that it could not send.
    pub send_errors: u64,
    /// Drops by reason.
    pub drops: DropCounts,
}

#[cfg(test)]
mod tests {
    use super::DropReason;

    /// Foreign interfaces know the first by their numbers; the others are kept for what features bring.
    #[test]
    fn numbers_of_drop_reasons_never_change() {
        assert_eq!((DropReason::Malformed as u8, DropReason::NoMemory as u8), (0, 24));
        #[cfg(feature = "control")]
        {
            let brought = [DropReason::Locked, DropReason::NotControl, DropReason::ControlFlood];
            assert_eq!(brought.map(|reason| reason as u8), [25, 26, 27]);
        }
        #[cfg(feature = "filter")]
        {
            let (first, last) = (DropReason::Denied, DropReason::QuotaExceeded);
            assert_eq!((first as u8, DropReason::NoFlow as u8), (28, 29));
            assert_eq!((DropReason::RateLimited as u8, last as u8), (30, 31));
        }
        for (number, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number);
        }
    }
}
