//! A peer's timers: events in, deadlines out (paper § 6). `Instant::MAX` means "not armed".
use crate::limits::{KEEPALIVE_TIMEOUT, REKEY_TIMEOUT};
use crate::time::Instant;
use core::time::Duration;

const NEVER: Instant = Instant::MAX;

/// What a peer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Due {
    /// An initiation went unanswered, or had to wait: send it (again), or give up.
    Retransmit,
    /// Data came and nothing was sent since: a keepalive.
    Keepalive,
    /// Data was sent and nothing came since: a new handshake.
    NewHandshake,
    /// A keypair is too old to be used: wipe it.
    Wipe,
    /// The persistent keepalive.
    Persistent,
}

impl Due {
    const ALL: [Self; 5] = [Self::Retransmit, Self::Keepalive, Self::NewHandshake, Self::Wipe, Self::Persistent];
}

/// A deadline for each thing that a peer waits for, and what they depend on.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Timers {
    at: [Instant; Due::ALL.len()],
    /// Seconds between persistent keepalives, 0 for none.
    pub(crate) persistent_interval: u16,
    /// Milliseconds by which this session's wait for an answer is longer than KEEPALIVE_TIMEOUT + REKEY_TIMEOUT.
    patience: u16,
}

impl Default for Timers {
    fn default() -> Self {
        Self { at: [NEVER; Due::ALL.len()], persistent_interval: 0, patience: 0 }
    }
}

impl Timers {
    /// The earliest deadline, or `Instant::MAX`.
    #[inline]
    pub(crate) fn next(&self) -> Instant {
        self.at.iter().fold(NEVER, |earliest, at| earliest.min(*at))
    }

    /// Whether there is a deadline for `due`.
    #[inline]
    pub(crate) fn waits_for(&self, due: Due) -> bool {
        self.at.get(due as usize).is_some_and(|at| *at != NEVER)
    }

    #[inline]
    fn set(&mut self, due: Due, at: Instant) {
        if let Some(place) = self.at.get_mut(due as usize) {
            *place = at;
        }
    }

    /// The date for wiping keys.
    #[cfg(test)]
    pub(crate) fn wipes(&self) -> Instant {
        self.at.get(Due::Wipe as usize).copied().unwrap_or(NEVER)
    }

    /// Takes one deadline that is due at `now` and disarms it.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Due> {
        let (due, at) = Due::ALL.into_iter().zip(&mut self.at).find(|(_, at)| **at <= now && **at != NEVER)?;
        *at = NEVER;
        Some(due)
    }

    /// Called after a packet (not a keepalive) was sealed.
    #[inline]
    pub(crate) fn data_sent(&mut self, now: Instant) {
        if !self.waits_for(Due::NewHandshake) {
            let patience = Duration::from_millis(self.patience.into());
            self.set(Due::NewHandshake, now + (KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + patience));
        }
    }

    /// Called after packets (not keepalives) were opened, all at `now`.
    #[inline]
    pub(crate) fn data_received(&mut self, now: Instant, packets: u64) {
        if packets > 0 && !self.waits_for(Due::Keepalive) {
            self.set(Due::Keepalive, now + KEEPALIVE_TIMEOUT);
        }
    }

    /// Called after any authenticated datagram was sent, handshake messages included.
    #[inline]
    pub(crate) fn authenticated_sent(&mut self, now: Instant) {
        self.set(Due::Keepalive, NEVER);
        self.traversed(now);
    }

    /// Called after any authenticated datagram was received.
    #[inline]
    pub(crate) fn authenticated_received(&mut self, now: Instant) {
        self.set(Due::NewHandshake, NEVER);
        self.traversed(now);
    }

    #[inline]
    fn traversed(&mut self, now: Instant) {
        if self.persistent_interval != 0 {
            self.set(Due::Persistent, now + Duration::from_secs(self.persistent_interval.into()));
        }
    }

    /// Called when an initiation must wait for its turn, which comes at `at`.
    pub(crate) fn initiation_postponed(&mut self, at: Instant) {
        self.set(Due::Retransmit, at);
    }

    /// Called after an initiation was sent; `jitter` is up to REKEY_TIMEOUT_JITTER.
    pub(crate) fn initiation_sent(&mut self, now: Instant, jitter: Duration) {
        self.set(Due::Retransmit, now + (REKEY_TIMEOUT + jitter));
    }

    /// Called when an initiation could not leave for want of an endpoint: it is tried again later.
    pub(crate) fn initiation_delayed(&mut self, now: Instant) {
        self.set(Due::Retransmit, now + REKEY_TIMEOUT);
    }

    /// Called when what held an initiation back is gone: it need not wait any longer.
    pub(crate) fn initiation_released(&mut self) {
        self.set(Due::Retransmit, NEVER);
    }

    /// Called when a handshake was given up: nothing more is owed. Keys of an older session keep their date for wiping.
    pub(crate) fn handshake_given_up(&mut self) {
        self.set(Due::Retransmit, NEVER);
        self.set(Due::Keepalive, NEVER);
    }

    /// Called when the handshake that we began is over: answered, or wanted no more.
    pub(crate) fn handshake_over(&mut self) {
        self.set(Due::Retransmit, NEVER);
    }

    /// Called when keys were derived. `patience` (up to REKEY_TIMEOUT_JITTER) keeps both ends of a broken path from
    /// initiating at the same moment.
    pub(crate) fn session_derived(&mut self, patience: Duration) {
        self.patience = patience.as_millis() as u16;
    }

    /// Called when keypairs came or went: some are to be wiped then, or none.
    pub(crate) fn wipe_at(&mut self, at: Instant) {
        self.set(Due::Wipe, at);
    }

    /// Changes the persistent keepalive; returns whether one should leave at once. The next comes no later than the new
    /// interval says.
    pub(crate) fn set_persistent(&mut self, now: Instant, seconds: u16) -> bool {
        let starts = self.persistent_interval == 0 && seconds != 0;
        self.persistent_interval = seconds;
        if seconds == 0 {
            self.set(Due::Persistent, NEVER);
        } else if let Some(at) = self.at.get_mut(Due::Persistent as usize).filter(|at| **at != NEVER) {
            *at = (*at).min(now + Duration::from_secs(seconds.into()));
        }
        starts
    }

    /// Called when a persistent keepalive is due but cannot leave at once: the next one is due an interval later.
    pub(crate) fn persistent_fired(&mut self, now: Instant) {
        self.traversed(now);
    }

    /// Whether the persistent keepalive is switched on but waits to be able to leave for the first time.
    pub(crate) fn persistent_sleeps(&self) -> bool {
        self.persistent_interval != 0 && !self.waits_for(Due::Persistent)
    }

    /// Called when the session in use ended for its age. What was sent under it may still be answered by a new one.
    pub(crate) fn session_expired(&mut self) {
        self.set(Due::Keepalive, NEVER);
    }

    /// Called when the sessions' keys are gone: what was owed under them is owed no more.
    pub(crate) fn sessions_ended(&mut self) {
        for due in [Due::Keepalive, Due::NewHandshake, Due::Wipe] {
            self.set(due, NEVER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Lessons 14 and 15: each event moves just the deadlines it should.
    #[test]
    fn events_in_deadlines_out() {
        type Event = fn(&mut Timers);
        let table: &[(&str, &[Event], Option<u64>)] = &[
            ("nothing", &[], None),
            ("data sent", &[|t| t.data_sent(at(0))], Some(15_000)),
            ("data sent twice counts from the first", &[|t| t.data_sent(at(0)), |t| t.data_sent(at(9))], Some(15_000)),
            ("data sent and answered", &[|t| t.data_sent(at(0)), |t| t.authenticated_received(at(1))], None),
            ("data received", &[|t| t.data_received(at(0), 1)], Some(10_000)),
            ("data received and answered", &[|t| t.data_received(at(0), 1), |t| t.authenticated_sent(at(1))], None),
            ("a keepalive received arms nothing", &[|t| t.authenticated_received(at(0))], None),
            ("initiation sent", &[|t| t.initiation_sent(at(0), Duration::from_millis(7))], Some(5_007)),
            ("initiation answered", &[|t| t.initiation_sent(at(0), Duration::ZERO), Timers::handshake_over], None),
            ("keys derived", &[|t| t.wipe_at(at(180_000))], Some(180_000)),
            (
                "persistent keepalive, reset by any traffic",
                &[
                    |t| assert!(t.set_persistent(at(0), 25)),
                    |t| t.authenticated_sent(at(0)),
                    |t| {
                        t.authenticated_received(at(9));
                    },
                ],
                Some(25_009),
            ),
            (
                "persistent keepalive made more frequent",
                &[
                    |t| assert!(t.set_persistent(at(0), 3600)),
                    |t| t.authenticated_sent(at(0)),
                    |t| assert!(!t.set_persistent(at(1_000), 25)),
                ],
                Some(26_000),
            ),
            (
                "persistent keepalive switched off",
                &[
                    |t| assert!(t.set_persistent(at(0), 25)),
                    |t| t.authenticated_sent(at(0)),
                    |t| assert!(!t.set_persistent(at(0), 0)),
                ],
                None,
            ),
        ];
        for (story, events, want) in table {
            let mut timers = Timers::default();
            events.iter().for_each(|event| event(&mut timers));
            assert_eq!(timers.next(), want.map_or(Instant::MAX, at), "{story}");
        }
    }

    /// Both ends of a path that breaks sent data at the same moment: they do not initiate at the same moment.
    #[test]
    fn the_wait_for_an_answer_has_jitter() {
        let mut timers = Timers::default();
        timers.session_derived(Duration::from_millis(321));
        timers.data_sent(at(1_000));
        assert_eq!(timers.next(), at(16_321));
    }
}
