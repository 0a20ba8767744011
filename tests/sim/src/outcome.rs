//! What became of a packet or datagram, without its bytes.
use underpass_core::DropReason;
use underpass_core::tunnel::{Inbound, Outbound};

/// What became of a packet or datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A packet became a datagram.
    Sent,
    /// A packet waits for a session.
    Staged,
    /// A packet was answered with an ICMP error.
    Bounced(DropReason),
    /// A datagram became a packet.
    Delivered,
    /// A datagram was answered with a cookie reply.
    Replied,
    /// A datagram was taken in.
    Consumed,
    /// It went no further.
    Dropped(DropReason),
}

impl<B: core::fmt::Debug> From<&Outbound<B>> for Outcome {
    /// # Panics
    /// When the core says something that stories do not know.
    fn from(outbound: &Outbound<B>) -> Self {
        match outbound {
            Outbound::Datagram { .. } => Self::Sent,
            Outbound::Staged => Self::Staged,
            Outbound::Bounce { reason, .. } => Self::Bounced(*reason),
            Outbound::Dropped(reason) => Self::Dropped(*reason),
            other => panic!("{other:?} is no outcome yet"),
        }
    }
}

impl<B: core::fmt::Debug> From<&Inbound<B>> for Outcome {
    /// # Panics
    /// When the core says something that stories do not know.
    fn from(inbound: &Inbound<B>) -> Self {
        match inbound {
            Inbound::Packet { .. } => Self::Delivered,
            Inbound::Reply(_) => Self::Replied,
            Inbound::Consumed => Self::Consumed,
            Inbound::Dropped(reason) => Self::Dropped(*reason),
            other => panic!("{other:?} is no outcome yet"),
        }
    }
}
