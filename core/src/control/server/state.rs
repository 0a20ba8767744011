//! What is remembered of one peer.
use super::exchanges::Exchanges;
use super::transfer::Transfer;
use super::watch::Watcher;
use crate::control::Wiped;
use crate::control::exchange::Confirmable;
use crate::control::message::Watch;
use crate::time::Instant;
use alloc::collections::VecDeque;

/// One peer.
#[derive(Debug)]
pub struct State {
    next_id: u16,
    /// Its latest requests.
    pub exchanges: Exchanges,
    /// The body that is put together or sent in blocks.
    pub transfer: Option<Transfer>,
    /// The confirmable message that waits for its acknowledgement: one at a time (NSTART, RFC 7252 § 4.7).
    pub sending: Option<(Confirmable, Purpose)>,
    /// Answers that come after it, with their message ids. There are not more than requests that may wait.
    pub queue: VecDeque<(u16, Wiped)>,
    /// What it watches.
    pub watchers: [Option<Watcher>; Watch::ALL.len()],
    /// Bytes that were counted for it.
    pub counted: usize,
}

/// What a confirmable message of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It answers a request.
    Answer,
    /// It tells of a change.
    Watch(Watch),
}

impl State {
    pub fn new(next_id: u16) -> Self {
        Self {
            next_id,
            exchanges: Exchanges::default(),
            transfer: None,
            sending: None,
            queue: VecDeque::new(),
            watchers: [None, None],
            counted: 0,
        }
    }

    /// A message id for a message of ours.
    pub const fn new_id(&mut self) -> u16 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }

    pub fn watcher(&self, watch: Watch) -> Option<&Watcher> {
        self.watchers.get(watch.index())?.as_ref()
    }

    pub fn watcher_mut(&mut self, watch: Watch) -> Option<&mut Watcher> {
        self.watchers.get_mut(watch.index())?.as_mut()
    }

    /// Whether nothing is left to remember.
    pub fn is_idle(&self) -> bool {
        self.exchanges.is_empty()
            && self.transfer.is_none()
            && self.sending.is_none()
            && self.queue.is_empty()
            && self.watchers.iter().all(Option::is_none)
    }

    /// Bytes of messages and bodies.
    pub fn bytes(&self) -> usize {
        let sending = self.sending.as_ref().map_or(0, |(message, _)| message.room());
        let queue: usize = self.queue.iter().map(|(_, message)| message.room()).sum();
        let transfer = self.transfer.as_ref().map_or(0, Transfer::room);
        let watchers: usize = self.watchers.iter().flatten().map(Watcher::room).sum();
        [self.exchanges.room(), sending, queue, transfer, watchers].into_iter().fold(0, usize::saturating_add)
    }

    /// When something is to be done about it.
    pub fn due(&self) -> Instant {
        let sending = self.sending.as_ref().map_or(Instant::MAX, |(message, _)| message.due());
        let transfer = self.transfer.as_ref().map_or(Instant::MAX, Transfer::due);
        self.exchanges.due().min(sending).min(transfer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::exchanges::Exchange;
    use super::*;
    use crate::control::exchange::EXCHANGES;

    /// The figures of `ServerLimits::peers`.
    #[test]
    fn a_peer_takes_half_a_kilobyte_and_two_more_with_all_its_exchanges() {
        let (state, exchanges) = (size_of::<State>(), EXCHANGES * size_of::<Exchange>());
        assert!(state <= 512, "{state} bytes");
        assert!(exchanges <= 2048, "{exchanges} bytes");
    }
}
