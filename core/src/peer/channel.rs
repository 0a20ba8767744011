//! What the control channel keeps of a peer that has used it: its address, how fast it may speak, and the messages that wait to be
//! sent to it.
use crate::control::address::interface_of;
use crate::cookie::bucket::{Bucket, Rate};
use crate::crypto::PublicKey;
use crate::limits::{
    CONTROL_BURST, CONTROL_BYTES, CONTROL_BYTES_PER_PEER, CONTROL_MESSAGES, CONTROL_MESSAGES_PER_PEER,
    CONTROL_PACKETS_PER_SECOND,
};
use crate::memory::{NoMemory, copy};
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;
use zeroize::Zeroizing;

/// One peer's part of the control channel.
pub(crate) struct Channel {
    /// The lower half of its address, where it is the client.
    pub(crate) interface: u64,
    /// What is left of its rate, while it is locked.
    rate: Bucket,
    /// Its messages are to be sent now.
    pub(crate) is_due: bool,
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

/// A message that waits.
pub(crate) struct Waiting {
    since: Instant,
    /// Whether it is worth a handshake, and an answer is missed.
    pub(crate) wakes: bool,
    /// Wiped when it goes: it may hold a password.
    pub(crate) message: Zeroizing<Vec<u8>>,
}

/// What all peers of a tunnel have waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WaitingTotal {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// Why a message may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    NoMemory,
}

impl From<NoMemory> for Refusal {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl Channel {
    pub(crate) fn new(public_key: &PublicKey) -> Self {
        Self {
            interface: interface_of(public_key),
            rate: Bucket::default(),
            is_due: false,
            waiting: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Whether the peer, which is locked, may send a message at `now`.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        self.rate.take(now, Rate::new(CONTROL_PACKETS_PER_SECOND, CONTROL_BURST))
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of the messages that wait.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The oldest message.
    pub(crate) fn front(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    /// Whether one of the messages is worth a handshake.
    pub(crate) fn wakes(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.wakes)
    }

    /// Puts a copy of `message` at the end. What is refused has changed nothing.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        message: &[u8],
        wakes: bool,
        total: &mut WaitingTotal,
    ) -> Result<(), Refusal> {
        let fits = |held: usize, most| held.saturating_add(message.len()) <= most;
        let has_room = self.waiting.len() < CONTROL_MESSAGES_PER_PEER
            && total.messages < CONTROL_MESSAGES
            && fits(self.bytes, CONTROL_BYTES_PER_PEER)
            && fits(total.bytes, CONTROL_BYTES);
        if !has_room {
            return Err(Refusal::Full);
        }
        let copied = Zeroizing::new(copy(message)?);
        if let Err(error) = self.waiting.try_reserve(1) {
            self.give_back();
            return Err(NoMemory::from(error).into());
        }
        self.waiting.push_back(Waiting { since: now, wakes, message: copied });
        self.bytes = self.bytes.saturating_add(message.len());
        total.messages = total.messages.saturating_add(1);
        total.bytes = total.bytes.saturating_add(message.len());
        Ok(())
    }

    /// Removes the oldest message; `false` when there is none. The last one gone, the queue's memory is given back.
    pub(crate) fn pop(&mut self, total: &mut WaitingTotal) -> bool {
        let Some(Waiting { message, .. }) = self.waiting.pop_front() else { return false };
        self.bytes = self.bytes.saturating_sub(message.len());
        total.messages = total.messages.saturating_sub(1);
        total.bytes = total.bytes.saturating_sub(message.len());
        self.give_back();
        true
    }

    /// Gives the queue's memory back if nothing is in it. Then nothing is due either.
    fn give_back(&mut self) {
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
            self.is_due = false;
        }
    }

    /// Removes every message; returns how many there were.
    pub(crate) fn clear(&mut self, total: &mut WaitingTotal) -> u32 {
        let mut count = 0;
        while self.pop(total) {
            count += 1;
        }
        count
    }

    /// Removes the oldest messages as far as they have waited for `time`; returns how many.
    pub(crate) fn drop_older(&mut self, now: Instant, time: Duration, total: &mut WaitingTotal) -> u32 {
        let mut count = 0;
        while self.waiting.front().is_some_and(|waiting| now.since(waiting.since) >= time) && self.pop(total) {
            count += 1;
        }
        count
    }

    /// Removes the messages that are not worth a handshake; returns how many there were.
    pub(crate) fn drop_idle(&mut self, total: &mut WaitingTotal) -> u32 {
        let before = self.waiting.len();
        self.waiting.retain(|Waiting { wakes, message, .. }| {
            if !*wakes {
                self.bytes = self.bytes.saturating_sub(message.len());
                total.messages = total.messages.saturating_sub(1);
                total.bytes = total.bytes.saturating_sub(message.len());
            }
            *wakes
        });
        let left = self.waiting.len();
        self.give_back();
        before.saturating_sub(left) as u32
    }
}

/// Shows how much there is, never what: messages may hold passwords.
impl core::fmt::Debug for Channel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Channel").field("messages", &self.waiting.len()).field("bytes", &self.bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn channel() -> Channel {
        Channel::new(&PublicKey::from_bytes([1; 32]))
    }

    #[test]
    fn each_cap_holds_and_what_is_refused_changes_nothing() {
        let table = [
            // messages and bytes of the others; messages of how many bytes; how many fit
            (0, 0, 10, CONTROL_MESSAGES_PER_PEER),
            (0, 0, 3000, 5),
            (CONTROL_MESSAGES - 3, 0, 10, 3),
            (0, CONTROL_BYTES - 1000, 300, 3),
            (0, 0, CONTROL_BYTES_PER_PEER + 1, 0),
        ];
        for (row, (messages, bytes, size, fit)) in table.into_iter().enumerate() {
            let (others, mut channel) = (WaitingTotal { messages, bytes }, channel());
            let mut total = others;
            let message = std::vec![7; size];
            let taken = (0..100).take_while(|_| channel.push(at(0), &message, true, &mut total).is_ok()).count();
            assert_eq!((taken, channel.len(), channel.bytes), (fit, fit, fit * size), "row {row}");
            assert_eq!(channel.push(at(0), &message, true, &mut total), Err(Refusal::Full), "row {row}");
            assert_eq!(total, WaitingTotal { messages: messages + fit, bytes: bytes + fit * size }, "row {row}");
            assert_eq!(channel.clear(&mut total), fit as u32, "row {row}");
            assert_eq!((total, channel.bytes), (others, 0), "row {row}");
        }
    }

    #[test]
    fn messages_leave_by_age_and_by_worth() {
        let (mut channel, mut total) = (channel(), WaitingTotal::default());
        for (millis, wakes) in [(0, true), (10, false), (20, true), (30, false)] {
            channel.push(at(millis), &[1, 2], wakes, &mut total).expect("room");
        }
        channel.is_due = true;
        assert_eq!(channel.drop_older(at(100), Duration::from_millis(95), &mut total), 1);
        assert_eq!((channel.drop_idle(&mut total), channel.len(), channel.wakes()), (2, 1, true));
        assert_eq!((total, channel.bytes, channel.is_due), (WaitingTotal { messages: 1, bytes: 2 }, 2, true));
        assert!(channel.pop(&mut total) && !channel.pop(&mut total));
        assert_eq!((total, channel.bytes, channel.is_due), (WaitingTotal::default(), 0, false));
        channel.push(at(0), &[1, 2], false, &mut total).expect("room");
        assert_eq!((channel.drop_idle(&mut total), total), (1, WaitingTotal::default()));
    }

    #[test]
    fn a_locked_peer_has_forty_at_once_and_twenty_a_second() {
        let mut channel = channel();
        for (millis, admitted) in [(0, 40), (49, 0), (50, 1), (1050, 20), (60_000, 40)] {
            assert_eq!((0..100).filter(|_| channel.admits(at(millis))).count(), admitted, "at {millis} ms");
        }
    }

    #[test]
    fn debug_shows_no_message() {
        let (mut channel, mut total) = (channel(), WaitingTotal::default());
        channel.push(at(0), b"secret", true, &mut total).expect("room");
        assert_eq!(std::format!("{channel:?}"), "Channel { messages: 1, bytes: 6 }");
    }
}
