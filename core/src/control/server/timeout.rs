//! Deadlines.
use super::Server;
use super::state::Purpose;
use crate::control::coap::{Builder, Kind};
use crate::control::message::Watch;
use crate::crypto::Rng;
use crate::time::Instant;

impl<P: Copy + Ord> Server<P> {
    /// Does what is due at `now`: sends again, acknowledges, forgets.
    pub fn handle_timeout(&mut self, now: Instant, rng: &mut dyn Rng) {
        while let Some((slot, _)) = self.deadlines.top().filter(|(_, at)| *at <= now) {
            self.acknowledge(now, slot);
            self.send_again(now, rng, slot);
            self.expire(now, slot);
            self.settle(slot);
        }
    }

    /// Tells the peer of requests that have come and take longer to answer.
    fn acknowledge(&mut self, now: Instant, slot: u32) {
        let Some((peer, state)) = self.peers.entry(slot) else { return };
        while let Some(id) = state.exchanges.pop_unacknowledged(now) {
            self.outbox.push(peer, Builder::empty(Kind::Acknowledgement, id), false);
        }
    }

    /// Sends the confirmable message again, or gives it up: then the peer is not there, and is told nothing more.
    fn send_again(&mut self, now: Instant, rng: &mut dyn Rng, slot: u32) {
        let Some((peer, state)) = self.peers.entry(slot) else { return };
        let Some((message, purpose)) = state.sending.as_mut().filter(|(message, _)| message.due() <= now) else {
            return;
        };
        if message.wait_again(now) {
            self.outbox.push(peer, message.copy(), false);
            return;
        }
        let is_watch = matches!(purpose, Purpose::Watch(_));
        state.sending = None;
        self.counters.unacknowledged = self.counters.unacknowledged.wrapping_add(1);
        if is_watch {
            Watch::ALL.into_iter().for_each(|watch| self.end_watch(slot, watch));
        }
        self.send_next(now, rng, slot);
    }

    fn expire(&mut self, now: Instant, slot: u32) {
        let Some(state) = self.peers.state_mut(slot) else { return };
        while let Some(request) = state.exchanges.pop_expired(now) {
            self.asked.retain(|(id, _)| Some(*id) != request);
        }
        state.transfer.take_if(|transfer| transfer.due() <= now);
    }
}
