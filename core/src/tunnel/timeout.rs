//! Deadlines that have come, and changes of the world that are no packets: wall clock, network.
use super::shared::{Shared, WallClock};
use super::{Event, Tunnel};
use crate::limits::REKEY_TIMEOUT;
use crate::peer::Peer;
use crate::peer::timers::Due;
use crate::stats::DropReason;
use crate::time::{Instant, UnixTime};
use core::time::Duration;

/// While a handshake goes unanswered, the endpoint's name is resolved again this often.
pub(super) const RESOLVE_AGAIN: Duration = Duration::from_secs(3 * REKEY_TIMEOUT.as_secs());

impl Tunnel {
    /// Time has passed: call when [`poll_timeout`](Self::poll_timeout) says so (earlier does no harm). Afterwards
    /// `poll_timeout` is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut call = self.enter(now);
        let now = call.now;
        call.end_silence();
        while let Some((slot, at)) = call.shared.deadlines.top() {
            if at > now {
                break;
            }
            let mut peer = call.peers.at_mut(slot);
            if let Some(peer) = &mut peer {
                while let Some(due) = peer.timers.take_due(now) {
                    call.shared.fire(peer, now, due);
                }
            }
            let next = peer.as_ref().map_or(Instant::MAX, |peer| peer.timers.next());
            call.shared.raise_top(peer, next);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None`: sleep until a packet or datagram comes. O(1).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let earliest = self.shared.deadlines.top().map(|(_, at)| at);
        match self.shared.questions.due() {
            None => earliest,
            due => due.min(earliest.or(due)),
        }
    }

    /// The wall clock was set, or the machine woke up. Timestamps of initiations never go back, whatever `wall` says.
    pub fn handle_wall_clock(&mut self, now: Instant, wall: UnixTime) {
        let call = self.enter(now);
        call.shared.wall = WallClock { at: call.now, wall };
    }

    /// The machine's own addresses or routes changed: source addresses are forgotten, names are resolved again, live
    /// peers hear from us at once so that they learn our new address. What their names say by now is believed when
    /// nothing comes from them for 2 s.
    pub fn handle_network_change(&mut self, now: Instant) {
        let mut call = self.enter(now);
        let now = call.now;
        call.shared.questions.expire(now);
        call.with_each(|peer, shared| shared.network_changed(peer, now));
    }
}

impl Shared {
    fn network_changed(&mut self, peer: &mut Peer, now: Instant) {
        peer.endpoint.forget_local();
        let live = peer.sessions.is_live(now);
        if live || peer.timers.handshake_pending() {
            self.ask_to_resolve(peer, now, Duration::ZERO);
        }
        if live && peer.endpoint.path().is_some() {
            self.want_keepalive(peer);
            self.questions.ask(peer, now);
        }
    }

    fn fire(&mut self, peer: &mut Peer, now: Instant, due: Due) {
        match due {
            Due::Retransmit if peer.timers.handshake_exhausted(now) => self.give_up(peer, now),
            Due::Retransmit => {
                // The address we send from may be what keeps the answer away.
                peer.endpoint.forget_local();
                peer.intents.initiate = true;
                self.transmits.push(peer);
                if peer.timers.handshake_lasts(now, RESOLVE_AGAIN) {
                    self.ask_to_resolve(peer, now, RESOLVE_AGAIN);
                }
            }
            Due::Keepalive => {
                peer.timers.keepalive_fired(now);
                if peer.sessions.is_live(now) {
                    self.want_keepalive(peer);
                }
            }
            Due::NewHandshake => {
                peer.unanswered = true;
                peer.endpoint.forget_local();
                self.tell_health(peer, now);
                self.ask_to_resolve(peer, now, RESOLVE_AGAIN);
                self.want_handshake(peer, now);
            }
            Due::Wipe => {
                if peer.wipe_sessions(&mut self.indices) {
                    self.events.push(Event::SessionExpired { peer: peer.id });
                }
                self.tell_health(peer, now);
            }
            Due::Persistent => self.persist(peer, now),
        }
    }

    /// No answer for REKEY_ATTEMPT_TIME: staged packets go, one event, and silence until there is traffic.
    fn give_up(&mut self, peer: &mut Peer, now: Instant) {
        peer.abandon_initiation(&mut self.indices);
        peer.timers.handshake_given_up();
        self.drop_staged(peer, DropReason::HandshakeFailed);
        peer.given_up = true;
        self.events.push(Event::HandshakeFailed { peer: peer.id });
        self.tell_health(peer, now);
        self.ask_to_resolve(peer, now, RESOLVE_AGAIN);
    }
}
