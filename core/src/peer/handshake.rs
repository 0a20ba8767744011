//! The handshake that we begin with a peer.
use crate::limits::{REKEY_ATTEMPT_TIME, REKEY_TIMEOUT};
use crate::memory::Boxed;
use crate::noise::Initiator;
use crate::time::Instant;
use core::time::Duration;

/// How far the handshake that we begin has come.
#[derive(Debug, Default)]
pub(crate) enum Handshake {
    /// None is wanted.
    #[default]
    Idle,
    /// An initiation is to be sent: at once, or when `Due::Retransmit` comes where that is armed.
    Wanted {
        attempt: Attempt,
        /// The initiation sent before, which may still be answered.
        earlier: Option<Boxed<Pending>>,
    },
    /// An initiation waits for its response. It is repeated when `Due::Retransmit` comes.
    Sent { attempt: Attempt, pending: Boxed<Pending> },
    /// The last one was given up.
    GivenUp,
}

/// Our unanswered initiation.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) initiator: Initiator,
    /// Our session index in it.
    pub(crate) local: u32,
}

/// When a handshake was first and last wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// When it was first wanted: it is unanswered since then.
    since: Instant,
    /// When it was last wanted, by a packet or a keepalive: it is tried for REKEY_ATTEMPT_TIME from here.
    requested: Instant,
    /// Whether the host was told that it goes unanswered.
    reported: bool,
}

impl Attempt {
    /// Whether it has gone unanswered for `time`.
    pub(crate) fn lasts(&self, now: Instant, time: Duration) -> bool {
        now.since(self.since) >= time
    }

    /// Whether a session that began at `began` is newer than the wish for one, and so fulfils it.
    pub(crate) fn is_answered_by(&self, began: Instant) -> bool {
        began >= self.since
    }

    /// Whether nobody has asked for it for REKEY_ATTEMPT_TIME.
    pub(crate) fn is_exhausted(&self, now: Instant) -> bool {
        now.since(self.requested) >= REKEY_ATTEMPT_TIME
    }
}

impl Handshake {
    /// A handshake is wanted. Returns whether one begins; otherwise the one under way is tried for longer.
    pub(crate) fn request(&mut self, now: Instant) -> bool {
        if let Self::Wanted { attempt, .. } | Self::Sent { attempt, .. } = self {
            attempt.requested = now;
            return false;
        }
        *self = Self::Wanted { attempt: Attempt { since: now, requested: now, reported: false }, earlier: None };
        true
    }

    /// The initiation is to be sent again.
    pub(crate) fn repeat(&mut self) {
        *self = match core::mem::take(self) {
            Self::Sent { attempt, pending } => Self::Wanted { attempt, earlier: Some(pending) },
            other => other,
        };
    }

    /// An initiation was sent. Call [`forget_pending`](Self::forget_pending) before.
    pub(crate) fn sent(&mut self, pending: Boxed<Pending>) {
        if let Self::Wanted { attempt, .. } = *self {
            *self = Self::Sent { attempt, pending };
        }
    }

    /// The initiation sent before may no longer be answered. Returns its session index.
    pub(crate) fn forget_pending(&mut self) -> Option<u32> {
        let pending = match core::mem::take(self) {
            Self::Wanted { attempt, earlier } => {
                *self = Self::Wanted { attempt, earlier: None };
                earlier
            }
            Self::Sent { attempt, pending } => {
                *self = Self::Wanted { attempt, earlier: None };
                Some(pending)
            }
            other => {
                *self = other;
                None
            }
        };
        pending.map(|pending| pending.local)
    }

    /// The initiation that waits for its response.
    pub(crate) fn pending(&self) -> Option<&Pending> {
        match self {
            Self::Sent { pending, .. } | Self::Wanted { earlier: Some(pending), .. } => Some(pending),
            _ => None,
        }
    }

    /// The attempt under way.
    pub(crate) fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::Wanted { attempt, .. } | Self::Sent { attempt, .. } => Some(*attempt),
            Self::Idle | Self::GivenUp => None,
        }
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.attempt().is_some()
    }

    pub(crate) fn is_wanted(&self) -> bool {
        matches!(self, Self::Wanted { .. })
    }

    /// Whether it has gone unanswered for so long that it counts as failed.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self, Self::GivenUp) || self.attempt().is_some_and(|attempt| attempt.reported)
    }

    /// Whether the host is to be told that it goes unanswered: once, after REKEY_ATTEMPT_TIME.
    pub(crate) fn take_failure(&mut self, now: Instant) -> bool {
        let (Self::Wanted { attempt, .. } | Self::Sent { attempt, .. }) = self else { return false };
        let fails = !attempt.reported && attempt.lasts(now, REKEY_ATTEMPT_TIME);
        attempt.reported |= fails;
        fails
    }
}

/// The distance between handshake messages of ours to one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// When the last initiation or response left; `Instant::MAX`: none did.
    last: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self { last: Instant::MAX }
    }
}

impl Pace {
    /// An initiation or a response left.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.last = now;
    }

    /// When the next initiation may leave: REKEY_TIMEOUT after the last message.
    pub(crate) fn next(self) -> Instant {
        if self.last == Instant::MAX { Instant::ZERO } else { self.last + REKEY_TIMEOUT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initiations_keep_their_distance() {
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        let mut pace = Pace::default();
        assert_eq!(pace.next(), at(0));
        pace.sent(at(1_000));
        assert_eq!(pace.next(), at(6_000));
    }

    #[test]
    fn a_handshake_is_tried_for_90_seconds_from_the_last_request() {
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        let mut handshake = Handshake::default();
        assert!(handshake.request(at(0)) && !handshake.request(at(60)));
        let attempt = handshake.attempt().expect("under way");
        assert!(attempt.lasts(at(90), REKEY_ATTEMPT_TIME) && !attempt.is_exhausted(at(149)));
        assert!(attempt.is_exhausted(at(150)));
        assert!(!handshake.take_failure(at(89)) && handshake.take_failure(at(90)) && !handshake.take_failure(at(150)));
        assert!(handshake.has_failed());
    }
}
