//! What a tunnel tells: events that are pulled, and one call that says that some wait.
use crate::address::Path;
use crate::error::TunnelError;
use crate::words::Health;
use underpass_core::PeerId;
use underpass_core::tunnel::Event;

/// A fact that the application may want to show or act on. `peer` is the number of the peer that it is about, `user` the
/// number that the application gave that peer. By the time that it is read, the peer may have been removed.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TunnelEvent {
    /// A handshake completed: a new session is live.
    SessionEstablished {
        /// With whom.
        peer: u64,
        /// What the application calls it.
        user: u64,
    },
    /// The handshake was given up after 90 s without an answer.
    HandshakeFailed {
        /// With whom.
        peer: u64,
        /// What the application calls it.
        user: u64,
    },
    /// The last session ended without a successor, and its keys were wiped.
    SessionExpired {
        /// With whom.
        peer: u64,
        /// What the application calls it.
        user: u64,
    },
    /// An authenticated datagram came from elsewhere.
    EndpointMoved {
        /// Who moved.
        peer: u64,
        /// What the application calls it.
        user: u64,
        /// Where it is now.
        path: Path,
    },
    /// Resolve the name of the peer's endpoint outside the tunnel, and answer with `set_endpoint`.
    ResolveEndpoint {
        /// Whose.
        peer: u64,
        /// What the application calls it.
        user: u64,
    },
    /// The health of the peer changed.
    HealthChanged {
        /// Whose.
        peer: u64,
        /// What the application calls it.
        user: u64,
        /// What it is now.
        health: Health,
    },
    /// The timestamp of the peer is more than a day ahead of our wall clock. If its clock is mended later, it will be refused
    /// until `reset_peer_timestamp`.
    TimestampAhead {
        /// Whose.
        peer: u64,
        /// What the application calls it.
        user: u64,
    },
    /// The clock leapt ahead by more than a day: every session has expired.
    ClockLeapt,
    /// Packets or datagrams need other room than before, see `layout`.
    LayoutChanged,
    /// An event that this library does not know. Leave it alone.
    Other {
        /// Its number.
        kind: u32,
    },
}

#[uniffi::export]
impl TunnelEvent {
    /// The number of its kind, the same in every language.
    #[must_use]
    pub fn kind(&self) -> u32 {
        use underpass_core::tunnel::EventKind;
        match self {
            Self::SessionEstablished { .. } => EventKind::SessionEstablished as u32,
            Self::HandshakeFailed { .. } => EventKind::HandshakeFailed as u32,
            Self::SessionExpired { .. } => EventKind::SessionExpired as u32,
            Self::EndpointMoved { .. } => EventKind::EndpointMoved as u32,
            Self::ResolveEndpoint { .. } => EventKind::ResolveEndpoint as u32,
            Self::HealthChanged { .. } => EventKind::HealthChanged as u32,
            Self::TimestampAhead { .. } => EventKind::TimestampAhead as u32,
            Self::ClockLeapt => EventKind::ClockLeapt as u32,
            Self::LayoutChanged => EventKind::LayoutChanged as u32,
            Self::Other { kind } => *kind,
        }
    }
}

impl From<Event> for TunnelEvent {
    fn from(event: Event) -> Self {
        let kind = event.kind() as u32;
        let number = |peer: PeerId| peer.to_u64();
        match event {
            Event::SessionEstablished { peer, user } => Self::SessionEstablished { peer: number(peer), user },
            Event::HandshakeFailed { peer, user } => Self::HandshakeFailed { peer: number(peer), user },
            Event::SessionExpired { peer, user } => Self::SessionExpired { peer: number(peer), user },
            Event::EndpointMoved { peer, user, path } => {
                Self::EndpointMoved { peer: number(peer), user, path: path.into() }
            }
            Event::ResolveEndpoint { peer, user } => Self::ResolveEndpoint { peer: number(peer), user },
            Event::HealthChanged { peer, user, health } => {
                Self::HealthChanged { peer: number(peer), user, health: health.into() }
            }
            Event::TimestampAhead { peer, user } => Self::TimestampAhead { peer: number(peer), user },
            Event::ClockLeapt => Self::ClockLeapt,
            Event::LayoutChanged => Self::LayoutChanged,
            _ => Self::Other { kind },
        }
    }
}

/// Whoever wants to know that events wait.
#[uniffi::export(foreign)]
pub trait TunnelObserver: Send + Sync {
    /// Events wait: have some thread call `next_event` until it gives none. Or a bug stopped a call: then it is refused as
    /// `Poisoned`.
    ///
    /// It is called by whatever thread made them, also those of the data plane, with no lock held: any method of the
    /// tunnel may be called. Come back soon, since packets wait meanwhile. It may be called when the events were pulled by
    /// then, and once more after `shut_down`.
    ///
    /// # Errors
    /// What is thrown here is passed over, and it is called again by the next call that finds events.
    fn wake(&self) -> Result<(), TunnelError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_core::tunnel::{self, EventKind};

    /// One event of each kind that comes. A kind that the core gains has no row here and fails the test.
    fn sample(kind: EventKind) -> Option<Event> {
        let (peer, user) = (PeerId::from_u64(7), 9);
        Some(match kind {
            EventKind::SessionEstablished => Event::SessionEstablished { peer, user },
            EventKind::HandshakeFailed => Event::HandshakeFailed { peer, user },
            EventKind::SessionExpired => Event::SessionExpired { peer, user },
            EventKind::EndpointMoved => {
                Event::EndpointMoved { peer, user, path: tunnel::Path::new(([192, 0, 2, 1], 51820).into()) }
            }
            EventKind::ResolveEndpoint => Event::ResolveEndpoint { peer, user },
            EventKind::HealthChanged => Event::HealthChanged { peer, user, health: tunnel::Health::Up },
            EventKind::TimestampAhead => Event::TimestampAhead { peer, user },
            EventKind::ClockLeapt => Event::ClockLeapt,
            EventKind::LayoutChanged => Event::LayoutChanged,
            _ => return None,
        })
    }

    #[test]
    fn every_event_has_its_number() {
        for kind in EventKind::ALL.iter().filter(|kind| **kind != EventKind::Lost) {
            let event = sample(*kind).expect("every kind of the core has a word here");
            assert_eq!(event.kind(), *kind);
            let told = TunnelEvent::from(event);
            assert!(!matches!(told, TunnelEvent::Other { .. }), "{kind:?}");
            assert_eq!(told.kind(), *kind as u32);
        }
    }
}
