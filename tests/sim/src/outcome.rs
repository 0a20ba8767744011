//! What became of a packet or datagram, without its bytes.
use underpass_core::DropReason;
use underpass_core::tunnel::{Inbound, Outbound, Verdict};

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

impl From<&Outbound<'_>> for Outcome {
    fn from(outbound: &Outbound<'_>) -> Self {
        match outbound {
            Outbound::Datagram { .. } => Self::Sent,
            Outbound::Staged => Self::Staged,
            Outbound::Bounce { reason, .. } => Self::Bounced(*reason),
            Outbound::Dropped(reason) => Self::Dropped(*reason),
        }
    }
}

impl From<&Inbound<'_>> for Outcome {
    fn from(inbound: &Inbound<'_>) -> Self {
        match inbound {
            Inbound::Packet { .. } => Self::Delivered,
            Inbound::Reply(_) => Self::Replied,
            Inbound::Consumed => Self::Consumed,
            Inbound::Dropped(reason) => Self::Dropped(*reason),
        }
    }
}

impl From<Verdict> for Outcome {
    /// # Panics
    /// When the core left a slot of a batch untouched.
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pending => panic!("a slot of a batch was left pending"),
            Verdict::Deliver { .. } => Self::Delivered,
            Verdict::Send { .. } => Self::Sent,
            Verdict::Reply { .. } => Self::Replied,
            Verdict::Bounce { reason, .. } => Self::Bounced(reason),
            Verdict::Consumed => Self::Consumed,
            Verdict::Staged => Self::Staged,
            Verdict::Dropped(reason) => Self::Dropped(reason),
        }
    }
}
