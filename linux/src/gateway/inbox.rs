//! What the thread of the service waits for: messages of peers, answers about passwords, the end.
//!
//! The engine's loop puts messages in and never waits. There is room for so many messages, and for so many of one peer, that a
//! flood of one keeps nobody else out. What finds no room is lost, as a datagram may be.
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use underpass_core::PublicKey;
use zeroize::Zeroizing;

/// Messages that wait, at most.
const ROOM: usize = 1024;
/// Messages of one peer that wait, at most.
const ROOM_OF_PEER: usize = 16;
/// The longest message in bytes: no inner packet is longer.
const LONGEST: usize = u16::MAX as usize;

/// The queue. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    /// Passwords may be among them.
    messages: VecDeque<(PublicKey, Zeroizing<Vec<u8>>)>,
    /// How many messages of each peer wait.
    waiting: BTreeMap<PublicKey, usize>,
    lost: u64,
    has_answers: bool,
    stop: Option<&'static str>,
}

/// What was waited for.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// A peer sent this.
    Message(PublicKey, Zeroizing<Vec<u8>>),
    /// The workers have answers about passwords.
    Answers,
    /// It is to end, for this reason.
    Stop(&'static str),
    /// Nothing came in this time.
    Nothing,
}

impl Inbox {
    /// Puts a message in, if there is room for it.
    pub fn put(&self, from: PublicKey, message: &[u8]) {
        let mut state = self.state();
        let of_peer = state.waiting.get(&from).copied().unwrap_or_default();
        let mut copy = Zeroizing::new(Vec::new());
        let fits = message.len() <= LONGEST && of_peer < ROOM_OF_PEER && state.messages.len() < ROOM;
        if !fits || copy.try_reserve_exact(message.len()).is_err() {
            state.lost = state.lost.saturating_add(1);
            return;
        }
        copy.extend_from_slice(message);
        state.waiting.insert(from, of_peer + 1);
        state.messages.push_back((from, copy));
        drop(state);
        self.0.filled.notify_one();
    }

    /// The workers have answers about passwords.
    pub fn answered(&self) {
        self.state().has_answers = true;
        self.0.filled.notify_one();
    }

    /// It is to end, for this reason.
    pub fn stop(&self, reason: &'static str) {
        self.state().stop.get_or_insert(reason);
        self.0.filled.notify_one();
    }

    /// Messages that found no room.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.state().lost
    }

    /// What comes next, within `patience`.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> Told {
        let is_empty = |state: &mut State| state.is_empty();
        let waited = self.0.filled.wait_timeout_while(self.state(), patience, is_empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.stop.is_none() && !self.has_answers && self.messages.is_empty()
    }

    fn take(&mut self) -> Told {
        if let Some(reason) = self.stop {
            return Told::Stop(reason);
        }
        if std::mem::take(&mut self.has_answers) {
            return Told::Answers;
        }
        let Some((from, message)) = self.messages.pop_front() else { return Told::Nothing };
        if let Some(count) = self.waiting.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(&from);
            }
        }
        Told::Message(from, message)
    }
}

/// Nothing of what was sent.
impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("State")
            .field("messages", &self.messages.len())
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_core::PrivateKey;

    fn key(number: u8) -> PublicKey {
        PrivateKey::from_bytes([number; 32]).public_key()
    }

    fn next(inbox: &Inbox) -> Told {
        inbox.wait(Duration::ZERO)
    }

    #[test]
    fn a_peer_that_floods_keeps_nobody_out_and_what_is_lost_is_counted() {
        let inbox = Inbox::default();
        for _ in 0..ROOM_OF_PEER + 5 {
            inbox.put(key(1), b"flood");
        }
        inbox.put(key(2), b"hello");
        assert_eq!(inbox.lost(), 5);
        for _ in 0..ROOM_OF_PEER {
            assert_eq!(next(&inbox), Told::Message(key(1), Zeroizing::new(b"flood".to_vec())));
        }
        assert_eq!(next(&inbox), Told::Message(key(2), Zeroizing::new(b"hello".to_vec())));
        assert_eq!(next(&inbox), Told::Nothing);
        inbox.put(key(1), b"again");
        assert_eq!((next(&inbox), inbox.lost()), (Told::Message(key(1), Zeroizing::new(b"again".to_vec())), 5));
    }

    #[test]
    fn many_peers_find_no_more_room_than_there_is() {
        let inbox = Inbox::default();
        for number in 0..=u8::MAX {
            for _ in 0..ROOM_OF_PEER {
                inbox.put(key(number), b"flood");
            }
        }
        assert_eq!(inbox.lost(), 256 * ROOM_OF_PEER as u64 - ROOM as u64);
        inbox.put(key(0), &[0; LONGEST + 1]);
        assert_eq!(inbox.lost(), 256 * ROOM_OF_PEER as u64 - ROOM as u64 + 1);
    }

    #[test]
    fn answers_and_the_end_need_no_room_and_come_first() {
        let inbox = Inbox::default();
        for number in 0..=u8::MAX {
            inbox.put(key(number), b"flood");
        }
        inbox.answered();
        inbox.answered();
        assert_eq!(next(&inbox), Told::Answers);
        assert!(matches!(next(&inbox), Told::Message(..)));
        inbox.stop("first");
        inbox.stop("second");
        assert_eq!((next(&inbox), next(&inbox)), (Told::Stop("first"), Told::Stop("first")));
    }
}
