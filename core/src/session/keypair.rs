//! One session: two directions of keys, a send counter, a replay window, an age.
use crate::crypto::{AeadKey, TransportKey};
use crate::limits::{
    KEEPALIVE_TIMEOUT, REJECT_AFTER_MESSAGES, REJECT_AFTER_TIME, REKEY_AFTER_MESSAGES, REKEY_AFTER_TIME, REKEY_TIMEOUT,
};
use crate::session::ReplayWindow;
use crate::time::Instant;
use core::time::Duration;

/// On receiving under a keypair this old, the initiator replaces it, so that it does not expire
/// under a peer that only sends (paper § 6.2: REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT).
const REKEY_ON_RECEIVE_AFTER: Duration =
    REJECT_AFTER_TIME.saturating_sub(KEEPALIVE_TIMEOUT).saturating_sub(REKEY_TIMEOUT);

/// Which side of the handshake made this keypair: only the initiator replaces it for its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We sent the initiation.
    Initiator,
    /// We answered it.
    Responder,
}

/// The names of a session on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indices {
    /// Ours: what the peer writes into its datagrams.
    pub local: u32,
    /// The peer's: what we write.
    pub remote: u32,
}

/// One direction of a session: the key ready for use, and raw for a job that travels to another thread.
pub struct Direction {
    /// Ready for use.
    pub aead: AeadKey,
    /// Raw; wiped on drop.
    pub raw: TransportKey,
}

impl Direction {
    fn new(raw: TransportKey) -> Self {
        Self { aead: AeadKey::new(&raw), raw }
    }
}

/// One session.
pub struct Keypair {
    /// Its names.
    pub indices: Indices,
    /// Our side of its handshake.
    pub role: Role,
    /// When its keys were derived.
    pub established: Instant,
    /// What we seal with.
    pub send: Direction,
    /// What we open with.
    pub receive: Direction,
    /// Which counters the peer has used.
    pub window: ReplayWindow,
    send_counter: u64,
}

impl Keypair {
    /// A fresh session.
    #[must_use]
    pub fn new(role: Role, indices: Indices, send: TransportKey, receive: TransportKey, now: Instant) -> Self {
        Self {
            indices,
            role,
            established: now,
            send: Direction::new(send),
            receive: Direction::new(receive),
            window: ReplayWindow::new(),
            send_counter: 0,
        }
    }

    /// Whether the keypair is too old to seal or open (paper § 6.2).
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        now >= self.established + REJECT_AFTER_TIME
    }

    /// Whether the keypair may seal one more message at `now`.
    #[must_use]
    #[inline]
    pub fn can_seal(&self, now: Instant) -> bool {
        self.send_counter < REJECT_AFTER_MESSAGES && !self.is_expired(now)
    }

    /// Whether the keypair may open a message with `counter` at `now`.
    #[must_use]
    #[inline]
    pub fn can_open(&self, counter: u64, now: Instant) -> bool {
        counter < REJECT_AFTER_MESSAGES && !self.is_expired(now)
    }

    /// A figure that can only be told by reading what the packet path reads of a session.
    #[must_use]
    #[inline]
    pub fn first_read(&self) -> u64 {
        let fresh = u64::from(self.window.would_accept(self.send_counter));
        self.established.as_nanos() ^ u64::from(self.indices.local) ^ self.send_counter ^ fresh
    }

    /// The counter of the next message to seal. Ask [`can_seal`](Self::can_seal) first.
    #[inline]
    pub fn next_counter(&mut self) -> u64 {
        let counter = self.send_counter;
        self.send_counter = counter.saturating_add(1);
        counter
    }

    /// Whether sending asks for a new handshake: enough messages, or, for the initiator, enough time (paper § 6.2).
    #[must_use]
    #[inline]
    pub fn wants_rekey_on_send(&self, now: Instant) -> bool {
        self.send_counter > REKEY_AFTER_MESSAGES
            || (self.role == Role::Initiator && now >= self.established + REKEY_AFTER_TIME)
    }

    /// Whether receiving asks the initiator for a new handshake (paper § 6.2).
    #[must_use]
    #[inline]
    pub fn wants_rekey_on_receive(&self, now: Instant) -> bool {
        self.role == Role::Initiator && now >= self.established + REKEY_ON_RECEIVE_AFTER
    }
}

impl core::fmt::Debug for Keypair {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keypair")
            .field("indices", &self.indices)
            .field("role", &self.role)
            .field("established", &self.established)
            .field("send_counter", &self.send_counter)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BORN: Instant = Instant::from_nanos(1_000);

    fn keypair(role: Role) -> Keypair {
        let key = |byte| TransportKey::from_bytes([byte; 32]);
        Keypair::new(role, Indices { local: 1, remote: 2 }, key(1), key(2), BORN)
    }

    /// Lesson 2: age is checked at use.
    #[test]
    fn ages_by_the_clock_of_each_use() {
        let table = [
            // seconds, role, can seal, rekey on send, rekey on receive
            (0, Role::Initiator, true, false, false),
            (119, Role::Initiator, true, false, false),
            (120, Role::Initiator, true, true, false),
            (164, Role::Initiator, true, true, false),
            (165, Role::Initiator, true, true, true),
            (179, Role::Initiator, true, true, true),
            (180, Role::Initiator, false, true, true),
            (120, Role::Responder, true, false, false),
            (179, Role::Responder, true, false, false),
            (180, Role::Responder, false, false, false),
        ];
        for (secs, role, seals, on_send, on_receive) in table {
            let pair = keypair(role);
            let now = BORN + Duration::from_secs(secs);
            assert_eq!(pair.can_seal(now), seals, "{secs} s {role:?}: can_seal");
            assert_eq!(pair.can_open(0, now), seals, "{secs} s {role:?}: can_open");
            assert_eq!(pair.wants_rekey_on_send(now), on_send, "{secs} s {role:?}: on send");
            assert_eq!(pair.wants_rekey_on_receive(now), on_receive, "{secs} s {role:?}: on receive");
        }
    }

    /// Lesson 3: both message limits, as 64-bit numbers.
    #[test]
    fn counts_messages_to_both_limits() {
        let mut pair = keypair(Role::Responder);
        pair.send_counter = REKEY_AFTER_MESSAGES;
        assert!(!pair.wants_rekey_on_send(BORN));
        assert_eq!(pair.next_counter(), REKEY_AFTER_MESSAGES);
        assert!(pair.wants_rekey_on_send(BORN) && pair.can_seal(BORN));
        pair.send_counter = REJECT_AFTER_MESSAGES - 1;
        assert!(pair.can_seal(BORN));
        assert_eq!(pair.next_counter(), REJECT_AFTER_MESSAGES - 1);
        assert!(!pair.can_seal(BORN));
        assert!(pair.can_open(REJECT_AFTER_MESSAGES - 1, BORN));
        assert!(!pair.can_open(REJECT_AFTER_MESSAGES, BORN));
    }
}
