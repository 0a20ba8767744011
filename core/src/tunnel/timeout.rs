//! Deadlines that have come, and changes of the world that are no packets: wall clock, network.
use super::Tunnel;
use super::call::Call;
use super::clock::WallClock;
use super::shared::Shared;
use crate::limits::{REKEY_ATTEMPT_TIME, REKEY_TIMEOUT};
use crate::peer::Peer;
use crate::peer::facts::Fact;
use crate::peer::handshake::{Handshake, Pace};
use crate::peer::timers::Due;
use crate::stats::DropReason;
use crate::time::{Instant, UnixTime};
use core::time::Duration;

/// While a handshake goes unanswered, the endpoint's name is resolved again this often.
pub(super) const RESOLVE_AGAIN: Duration = Duration::from_secs(3 * REKEY_TIMEOUT.as_secs());

/// While there is no memory for the queues, all peers are looked over this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Tunnel {
    /// Time has passed: call when [`poll_timeout`](Self::poll_timeout) says so (earlier does no harm). Afterwards
    /// `poll_timeout` is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut call = self.enter(now);
        let now = call.now;
        call.end_silence();
        call.serve_missed();
        #[cfg(feature = "filter")]
        if let Some(filter) = call.shared.filter.as_deref_mut() {
            filter.handle_timeout(now);
        }
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
            call.shared.move_top_later(peer, next);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None`: sleep until a packet or datagram comes. It is a time on
    /// the host's clock. O(1).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.shared.due().and_then(|at| self.shared.clock.on_host(at))
    }

    /// The wall clock was set, or the machine woke up. Timestamps of initiations never go back, whatever `wall` says.
    pub fn handle_wall_clock(&mut self, now: Instant, wall: UnixTime) {
        let call = self.enter(now);
        call.shared.wall = WallClock::new(call.now, wall);
        #[cfg(feature = "filter")]
        call.shared.tell_filter_time(call.now);
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

impl Call<'_> {
    /// Peers that stand in no queue because memory had run out are looked for, not more often than every [`LOOK_AGAIN`].
    fn serve_missed(&mut self) {
        let now = self.now;
        if self.shared.has_missed() && self.shared.look_again <= now {
            self.shared.forget_missed(now + LOOK_AGAIN);
            self.with_each(|peer, shared| shared.list_again(peer));
        }
    }
}

impl Shared {
    /// The earliest deadline, in internal time.
    pub(super) fn due(&self) -> Option<Instant> {
        let of_peers = self.deadlines.top().map(|(_, at)| at);
        let missed = self.has_missed().then_some(self.look_again);
        let due = of_peers.into_iter().chain(self.questions.due()).chain(missed);
        #[cfg(feature = "filter")]
        let due = due.chain(self.filter.as_deref().and_then(crate::filter::Filter::poll_timeout));
        due.min()
    }

    fn network_changed(&mut self, peer: &mut Peer, now: Instant) {
        peer.endpoint.forget_local();
        let live = peer.sessions.is_live(now);
        if live || peer.handshake.is_under_way() {
            self.ask_to_resolve(peer, now, Duration::ZERO);
        }
        // What was sent over the old network may be lost, and its answer too.
        peer.pace = Pace::default();
        peer.hurry_handshake();
        self.transmits.push(peer);
        if live && peer.endpoint.path().is_some() {
            self.want_keepalive(peer);
            self.questions.ask(peer, now);
        }
    }

    fn fire(&mut self, peer: &mut Peer, now: Instant, due: Due) {
        match due {
            Due::Retransmit => self.retry(peer, now),
            Due::Keepalive => {
                if peer.sessions.is_live(now) {
                    self.want_keepalive(peer);
                }
            }
            Due::NewHandshake => {
                peer.miss_answer();
                peer.endpoint.forget_local();
                self.tell_health(peer, now);
                self.ask_to_resolve(peer, now, RESOLVE_AGAIN);
                self.want_handshake(peer, now);
            }
            Due::Wipe => self.expire(peer, now),
            Due::Persistent => self.persist(peer, now),
        }
    }

    /// Wipes the keys that are too old to be used.
    fn expire(&mut self, peer: &mut Peer, now: Instant) {
        if peer.wipe_expired(&mut self.indices, now) {
            if peer.initiation_unanswered(now) {
                peer.miss_answer();
            }
            self.events.push(peer, Fact::Expired);
            self.tell_health(peer, now);
        }
    }

    /// Our initiation went unanswered, or its turn has come. It is tried again until nobody has asked for it for
    /// REKEY_ATTEMPT_TIME; packets that have waited that long are dropped.
    fn retry(&mut self, peer: &mut Peer, now: Instant) {
        let lost = peer.staged.drop_older(now, REKEY_ATTEMPT_TIME, &mut self.staged);
        self.count_drops(Some(peer), DropReason::HandshakeFailed, lost);
        #[cfg(feature = "control")]
        if let Some(channel) = peer.channel_mut() {
            let lost = channel.drop_older(now, REKEY_ATTEMPT_TIME, &mut self.control.waiting);
            self.count_drops(Some(peer), DropReason::HandshakeFailed, lost);
        }
        let Some(attempt) = peer.handshake.attempt() else { return };
        // While a session is live, it is for its packets to show whether the peer answers.
        if peer.initiation_unanswered(now) && !peer.sessions.is_live(now) {
            peer.miss_answer();
        }
        if peer.handshake.take_failure(now) {
            peer.miss_handshake(now);
            self.events.push(peer, Fact::Failed);
        }
        self.tell_health(peer, now);
        if attempt.lasts(now, RESOLVE_AGAIN) {
            self.ask_to_resolve(peer, now, RESOLVE_AGAIN);
        }
        if attempt.is_exhausted(now) {
            return self.give_up(peer);
        }
        // The address we send from may be what keeps the answer away.
        peer.endpoint.forget_local();
        peer.handshake.repeat();
        self.transmits.push(peer);
    }

    /// Staged packets go, and there is silence until there is traffic.
    fn give_up(&mut self, peer: &mut Peer) {
        peer.abandon_handshake(&mut self.indices);
        peer.handshake = Handshake::GivenUp;
        peer.timers.handshake_given_up();
        self.drop_staged(peer, DropReason::HandshakeFailed);
    }
}
