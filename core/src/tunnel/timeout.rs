//! Deadlines that have come, and changes of the world that are no packets: wall clock, network.
use super::{Event, Tunnel, WallClock};
use crate::limits::REKEY_TIMEOUT;
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
        let now = self.advance(now);
        while let Some((slot, at)) = self.deadlines.top() {
            if at > now {
                break;
            }
            while let Some(due) = self.peers.at_mut(slot).and_then(|peer| peer.timers.take_due(now)) {
                self.fire(now, slot, due);
            }
            let next = self.peers.at(slot).map_or(Instant::MAX, |peer| peer.timers.next());
            self.raise_top(slot, next);
        }
        self.settle();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None`: sleep until a packet or datagram comes. O(1).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.top().map(|(_, at)| at)
    }

    /// The wall clock was set, or the machine woke up. Timestamps of initiations never go back, whatever `wall` says.
    pub fn handle_wall_clock(&mut self, now: Instant, wall: UnixTime) {
        let at = self.advance(now);
        self.wall = WallClock { at, wall };
    }

    /// The machine's own addresses or routes changed: source addresses are forgotten, names are resolved again, live
    /// peers hear from us at once so that they learn our new address.
    pub fn handle_network_change(&mut self, now: Instant) {
        let now = self.advance(now);
        for slot in self.peers.slots() {
            let Some(peer) = self.peers.at_mut(slot) else { continue };
            peer.endpoint.forget_local();
            let live = peer.sessions.is_live(now);
            if live || peer.timers.handshake_pending() {
                Self::ask_to_resolve(peer, &mut self.events, now, Duration::ZERO);
            }
            if live && peer.endpoint.path().is_some() {
                peer.intents.keepalive = true;
                self.transmits.push(peer);
            }
        }
        self.settle();
    }

    fn fire(&mut self, now: Instant, slot: u32, due: Due) {
        let Some(peer) = self.peers.at_mut(slot) else { return };
        match due {
            Due::Retransmit if peer.timers.handshake_exhausted(now) => self.give_up(now, slot),
            Due::Retransmit => {
                // The address we send from may be what keeps the answer away.
                peer.endpoint.forget_local();
                peer.intents.initiate = true;
                self.transmits.push(peer);
                if peer.timers.handshake_lasts(now, RESOLVE_AGAIN) {
                    Self::ask_to_resolve(peer, &mut self.events, now, RESOLVE_AGAIN);
                }
            }
            Due::Keepalive => {
                peer.timers.keepalive_fired(now);
                if peer.sessions.is_live(now) {
                    peer.intents.keepalive = true;
                    self.transmits.push(peer);
                }
            }
            Due::NewHandshake => {
                peer.unanswered = true;
                peer.endpoint.forget_local();
                Self::tell_health(peer, &mut self.events, now);
                Self::ask_to_resolve(peer, &mut self.events, now, RESOLVE_AGAIN);
                Self::want_handshake(peer, &mut self.transmits, now);
            }
            Due::Wipe => {
                if peer.wipe_sessions(&mut self.indices) {
                    self.events.push(Event::SessionExpired { peer: peer.id });
                }
                Self::tell_health(peer, &mut self.events, now);
            }
            Due::Persistent => self.persist(now, slot),
        }
    }

    /// The persistent keepalive is due. Without a key or an endpoint it sleeps until there are both.
    pub(super) fn persist(&mut self, now: Instant, slot: u32) {
        let Some(peer) = self.peers.at_mut(slot) else { return };
        if self.local.is_none() || (peer.endpoint.path().is_none() && !peer.endpoint.is_named()) {
            return;
        }
        peer.timers.persistent_fired(now);
        if peer.sessions.is_live(now) {
            peer.intents.keepalive = true;
            self.transmits.push(peer);
        } else {
            Self::want_handshake(peer, &mut self.transmits, now);
        }
    }

    /// No answer for REKEY_ATTEMPT_TIME: staged packets go, one event, and silence until there is traffic.
    fn give_up(&mut self, now: Instant, slot: u32) {
        let Some(peer) = self.peers.at_mut(slot) else { return };
        peer.abandon_initiation(&mut self.indices);
        peer.timers.handshake_given_up();
        let lost = peer.drop_staged(DropReason::HandshakeFailed, &mut self.staged);
        self.stats.drops.add(DropReason::HandshakeFailed, lost.into());
        peer.given_up = true;
        self.events.push(Event::HandshakeFailed { peer: peer.id });
        Self::tell_health(peer, &mut self.events, now);
        Self::ask_to_resolve(peer, &mut self.events, now, RESOLVE_AGAIN);
    }
}
