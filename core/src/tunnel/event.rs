//! Facts the host may want to show or act on, in a bounded queue.
use crate::peer::{Health, Path, PeerId};
use alloc::collections::VecDeque;

/// A fact the host may want to show or act on.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A handshake completed: a new session is live.
    SessionEstablished {
        /// With whom.
        peer: PeerId,
    },
    /// The handshake was given up after 90 s without an answer.
    HandshakeFailed {
        /// With whom.
        peer: PeerId,
    },
    /// The last session ended without a successor and its keys were wiped.
    SessionExpired {
        /// With whom.
        peer: PeerId,
    },
    /// An authenticated datagram came from elsewhere: the endpoint moved.
    EndpointMoved {
        /// Who moved.
        peer: PeerId,
        /// Where to.
        path: Path,
    },
    /// Resolve the peer's endpoint name and answer with [`set_endpoint`](crate::Tunnel::set_endpoint).
    ResolveEndpoint {
        /// Whose.
        peer: PeerId,
    },
    /// The peer's health changed.
    HealthChanged {
        /// Whose.
        peer: PeerId,
        /// What it is.
        health: Health,
    },
    /// The peer's timestamp is more than a day ahead of our wall clock: if its clock is mended later, it will be
    /// refused until [`reset_peer_timestamp`](crate::Tunnel::reset_peer_timestamp).
    TimestampAhead {
        /// Whose.
        peer: PeerId,
    },
    /// The host's clock leapt ahead by more than a day: every session has expired. If the machine has not slept for so
    /// long, a reading of the clock failed.
    ClockLeapt,
    /// Packets or datagrams need other room than before: see [`layout`](crate::Tunnel::layout).
    LayoutChanged,
    /// This many events were lost because nobody polled.
    Lost(u32),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// What an [`Event`] is about, as a number for foreign interfaces. Numbers are given once and never again.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum EventKind { $($(#[$doc])* $name = $code,)* }

        impl EventKind {
            /// Every kind, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// Its name in lower case, words joined by underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// [`Event::SessionEstablished`].
    SessionEstablished = 1, "session_established";
    /// [`Event::HandshakeFailed`].
    HandshakeFailed = 2, "handshake_failed";
    /// [`Event::SessionExpired`].
    SessionExpired = 3, "session_expired";
    /// [`Event::EndpointMoved`].
    EndpointMoved = 4, "endpoint_moved";
    /// [`Event::ResolveEndpoint`].
    ResolveEndpoint = 5, "resolve_endpoint";
    /// [`Event::HealthChanged`].
    HealthChanged = 6, "health_changed";
    /// [`Event::TimestampAhead`].
    TimestampAhead = 7, "timestamp_ahead";
    /// [`Event::Lost`].
    Lost = 8, "lost";
    /// [`Event::ClockLeapt`].
    ClockLeapt = 9, "clock_leapt";
    /// [`Event::LayoutChanged`].
    LayoutChanged = 10, "layout_changed";
}

impl Event {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::SessionEstablished { .. } => EventKind::SessionEstablished,
            Self::HandshakeFailed { .. } => EventKind::HandshakeFailed,
            Self::SessionExpired { .. } => EventKind::SessionExpired,
            Self::EndpointMoved { .. } => EventKind::EndpointMoved,
            Self::ResolveEndpoint { .. } => EventKind::ResolveEndpoint,
            Self::HealthChanged { .. } => EventKind::HealthChanged,
            Self::TimestampAhead { .. } => EventKind::TimestampAhead,
            Self::Lost(_) => EventKind::Lost,
            Self::ClockLeapt => EventKind::ClockLeapt,
            Self::LayoutChanged => EventKind::LayoutChanged,
        }
    }

    /// Whom it is about.
    #[must_use]
    pub const fn peer(&self) -> Option<PeerId> {
        match self {
            Self::SessionEstablished { peer }
            | Self::HandshakeFailed { peer }
            | Self::SessionExpired { peer }
            | Self::EndpointMoved { peer, .. }
            | Self::ResolveEndpoint { peer }
            | Self::HealthChanged { peer, .. }
            | Self::TimestampAhead { peer } => Some(*peer),
            Self::ClockLeapt | Self::LayoutChanged | Self::Lost(_) => None,
        }
    }
}

/// Events until the host polls them. Beyond the cap they are only counted.
#[derive(Debug)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    cap: usize,
    lost: u32,
}

impl EventQueue {
    pub(crate) fn new(cap: u16) -> Self {
        Self { events: VecDeque::new(), cap: cap.into(), lost: 0 }
    }

    pub(crate) fn push(&mut self, event: Event) {
        if self.events.len() < self.cap {
            self.events.push_back(event);
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| match core::mem::take(&mut self.lost) {
            0 => None,
            lost => Some(Event::Lost(lost)),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_itself_an_event() {
        let mut queue = EventQueue::new(2);
        let peer = PeerId::from_u64(7);
        for _ in 0..5 {
            queue.push(Event::HandshakeFailed { peer });
        }
        assert_eq!(queue.pop(), Some(Event::HandshakeFailed { peer }));
        assert_eq!(queue.pop(), Some(Event::HandshakeFailed { peer }));
        assert_eq!((queue.pop(), queue.pop()), (Some(Event::Lost(3)), None));
    }
}
