//! A peer's timers: events in, deadlines out (paper § 6). `Instant::MAX` means "not armed".
use crate::limits::{KEEPALIVE_TIMEOUT, REKEY_ATTEMPT_TIME, REKEY_TIMEOUT, WIPE_AFTER_TIME};
use crate::time::Instant;
use core::time::Duration;

const NEVER: Instant = Instant::MAX;

/// What a peer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// An initiation went unanswered: repeat it, or give up.
    Retransmit,
    /// Data came and nothing was sent since: a keepalive.
    Keepalive,
    /// Data was sent and nothing came since: a new handshake.
    NewHandshake,
    /// No new session for a long time: wipe the keys.
    Wipe,
    /// The persistent keepalive.
    Persistent,
}

/// The five deadlines and what they depend on.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Timers {
    retransmit: Instant,
    keepalive: Instant,
    new_handshake: Instant,
    wipe: Instant,
    persistent: Instant,
    /// Seconds between persistent keepalives, 0 for none.
    pub(crate) persistent_interval: u16,
    /// More data came while a keepalive was already due.
    another_keepalive: bool,
    /// When the handshake under way was first wanted. From here on, not for the packet path.
    handshake_began: Instant,
    /// When an initiation or response last left.
    last_handshake: Option<Instant>,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            retransmit: NEVER,
            keepalive: NEVER,
            new_handshake: NEVER,
            wipe: NEVER,
            persistent: NEVER,
            handshake_began: Instant::ZERO,
            last_handshake: None,
            persistent_interval: 0,
            another_keepalive: false,
        }
    }
}

impl Timers {
    /// The earliest deadline, or `Instant::MAX`.
    #[inline]
    pub(crate) fn next(&self) -> Instant {
        self.retransmit.min(self.keepalive).min(self.new_handshake).min(self.wipe).min(self.persistent)
    }

    /// Whether there is a date for wiping keys.
    #[cfg(test)]
    pub(crate) fn wipes(&self) -> bool {
        self.wipe != NEVER
    }

    /// Takes one deadline that is due at `now` and disarms it.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Due> {
        let all = [
            (&mut self.retransmit, Due::Retransmit),
            (&mut self.keepalive, Due::Keepalive),
            (&mut self.new_handshake, Due::NewHandshake),
            (&mut self.wipe, Due::Wipe),
            (&mut self.persistent, Due::Persistent),
        ];
        for (at, due) in all {
            if *at <= now && *at != NEVER {
                *at = NEVER;
                return Some(due);
            }
        }
        None
    }

    /// Called after a packet (not a keepalive) was sealed.
    #[inline]
    pub(crate) fn data_sent(&mut self, now: Instant) {
        if self.new_handshake == NEVER {
            self.new_handshake = now + (KEEPALIVE_TIMEOUT + REKEY_TIMEOUT);
        }
    }

    /// Called after packets (not keepalives) were opened, all at `now`.
    #[inline]
    pub(crate) fn data_received(&mut self, now: Instant, packets: u64) {
        let mut later = packets;
        if self.keepalive == NEVER && packets > 0 {
            self.keepalive = now + KEEPALIVE_TIMEOUT;
            later = packets.saturating_sub(1);
        }
        self.another_keepalive |= later > 0;
    }

    /// Called after any authenticated datagram was sent, handshake messages included.
    #[inline]
    pub(crate) fn authenticated_sent(&mut self, now: Instant) {
        self.keepalive = NEVER;
        self.traversed(now);
    }

    /// Called after any authenticated datagram was received.
    #[inline]
    pub(crate) fn authenticated_received(&mut self, now: Instant) {
        self.new_handshake = NEVER;
        self.traversed(now);
    }

    #[inline]
    fn traversed(&mut self, now: Instant) {
        if self.persistent_interval != 0 {
            self.persistent = now + Duration::from_secs(self.persistent_interval.into());
        }
    }

    /// Called after the passive keepalive was sent because it was due: data that came meanwhile arms it again.
    pub(crate) fn keepalive_fired(&mut self, now: Instant) {
        if core::mem::take(&mut self.another_keepalive) {
            self.keepalive = now + KEEPALIVE_TIMEOUT;
        }
    }

    /// Called when a handshake is first wanted. Returns whether an initiation may leave at once; otherwise one is due
    /// when REKEY_TIMEOUT has passed since the last.
    pub(crate) fn handshake_wanted(&mut self, now: Instant) -> bool {
        self.handshake_began = now;
        let earliest = self.last_handshake.map_or(Instant::ZERO, |sent| sent + REKEY_TIMEOUT);
        if earliest > now {
            self.retransmit = earliest;
        }
        earliest <= now
    }

    /// Whether an initiation waits for its answer or its turn.
    pub(crate) fn handshake_pending(&self) -> bool {
        self.retransmit != NEVER
    }

    /// Called after an initiation was sent; `jitter` is up to REKEY_TIMEOUT_JITTER.
    pub(crate) fn initiation_sent(&mut self, now: Instant, jitter: Duration) {
        self.last_handshake = Some(now);
        self.retransmit = now + (REKEY_TIMEOUT + jitter);
    }

    /// Called when an initiation was held back by what left less than REKEY_TIMEOUT ago: it leaves when that is over.
    pub(crate) fn initiation_postponed(&mut self, now: Instant) {
        self.retransmit = self.last_handshake.unwrap_or(now) + REKEY_TIMEOUT;
    }

    /// Called when an initiation could not leave for want of an endpoint: it is tried again later.
    pub(crate) fn initiation_delayed(&mut self, now: Instant) {
        self.retransmit = now + REKEY_TIMEOUT;
    }

    /// Called when what held an initiation back is gone: whether it may leave at once.
    pub(crate) fn initiation_allowed(&self, now: Instant) -> bool {
        self.last_handshake.is_none_or(|sent| now.since(sent) >= REKEY_TIMEOUT)
    }

    /// Called after a response was sent: no initiation of ours follows at its heels.
    pub(crate) fn response_sent(&mut self, now: Instant) {
        self.last_handshake = Some(now);
    }

    /// Called when our static key changed: a handshake under the new one need not wait for what was sent under the old.
    pub(crate) fn forget_handshakes(&mut self) {
        self.last_handshake = None;
    }

    /// Whether the handshake under way has gone unanswered for `time`.
    pub(crate) fn handshake_lasts(&self, now: Instant, time: Duration) -> bool {
        now.since(self.handshake_began) >= time
    }

    /// Whether the handshake has been tried for REKEY_ATTEMPT_TIME.
    pub(crate) fn handshake_exhausted(&self, now: Instant) -> bool {
        self.handshake_lasts(now, REKEY_ATTEMPT_TIME)
    }

    /// Called when a handshake was given up: nothing more is owed. Keys of an older session keep their date for wiping.
    pub(crate) fn handshake_given_up(&mut self) {
        self.retransmit = NEVER;
        self.keepalive = NEVER;
    }

    /// Called when a handshake completed: as initiator on the response, as responder on the first data.
    pub(crate) fn handshake_complete(&mut self) {
        self.retransmit = NEVER;
    }

    /// Called when keys were derived.
    pub(crate) fn session_derived(&mut self, now: Instant) {
        self.wipe = now + WIPE_AFTER_TIME;
    }

    /// Changes the persistent keepalive; returns whether one should leave at once. The next comes no later than the new
    /// interval says.
    pub(crate) fn set_persistent(&mut self, now: Instant, seconds: u16) -> bool {
        let starts = self.persistent_interval == 0 && seconds != 0;
        self.persistent_interval = seconds;
        if seconds == 0 {
            self.persistent = NEVER;
        } else if self.persistent != NEVER {
            self.persistent = self.persistent.min(now + Duration::from_secs(seconds.into()));
        }
        starts
    }

    /// Called when a persistent keepalive is due but cannot leave at once: the next one is due an interval later.
    pub(crate) fn persistent_fired(&mut self, now: Instant) {
        self.traversed(now);
    }

    /// Whether the persistent keepalive is switched on but waits to be able to leave for the first time.
    pub(crate) fn persistent_sleeps(&self) -> bool {
        self.persistent_interval != 0 && self.persistent == NEVER
    }

    /// Called when the sessions' keys are gone: what was owed under them is owed no more.
    pub(crate) fn sessions_ended(&mut self) {
        self.keepalive = NEVER;
        self.new_handshake = NEVER;
        self.wipe = NEVER;
        self.another_keepalive = false;
    }

    /// Called when the handshake under way was abandoned.
    pub(crate) fn handshake_abandoned(&mut self) {
        self.retransmit = NEVER;
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
            ("initiation answered", &[|t| t.initiation_sent(at(0), Duration::ZERO), Timers::handshake_complete], None),
            ("keys derived", &[|t| t.session_derived(at(0))], Some(540_000)),
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

    #[test]
    fn data_that_came_while_a_keepalive_was_due_is_owed_another() {
        let mut timers = Timers::default();
        timers.data_received(at(0), 1);
        timers.data_received(at(5), 1);
        assert_eq!(timers.take_due(at(9_999)), None);
        assert_eq!(timers.take_due(at(10_000)), Some(Due::Keepalive));
        timers.keepalive_fired(at(10_000));
        assert_eq!(timers.next(), at(20_000));
        assert_eq!(timers.take_due(at(20_000)), Some(Due::Keepalive));
        timers.keepalive_fired(at(20_000));
        assert_eq!(timers.next(), Instant::MAX);
    }

    #[test]
    fn initiations_keep_their_distance() {
        let mut timers = Timers::default();
        assert!(timers.handshake_wanted(at(0)));
        timers.response_sent(at(1_000));
        assert!(!timers.handshake_wanted(at(2_000)), "a response just left");
        assert_eq!(timers.next(), at(6_000));
        assert!(
            timers.handshake_pending() && !timers.initiation_allowed(at(5_999)) && timers.initiation_allowed(at(6_000))
        );
        assert!(!timers.handshake_exhausted(at(91_999)) && timers.handshake_exhausted(at(92_000)));
    }
}
