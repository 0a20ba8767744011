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

/// One session.
///
/// A key made ready takes nine lines of cache of which its use reads the first and the last. The fields are laid out so
/// that sealing finds all else in these two lines, and opening in these, in the first line and in one of the window.
#[repr(C, align(64))]
pub struct Keypair {
    /// When its keys were derived.
    pub established: Instant,
    /// Its names.
    pub indices: Indices,
    /// What we seal with.
    pub send: AeadKey,
    send_counter: u64,
    /// Our side of its handshake.
    pub role: Role,
    /// Which counters the peer has used.
    pub window: ReplayWindow,
    /// What we open with.
    pub receive: AeadKey,
    /// The key to seal with, raw for a job that travels to another thread; wiped on drop.
    pub raw_send: TransportKey,
    /// The key to open with, likewise.
    pub raw_receive: TransportKey,
}

impl Keypair {
    /// A fresh session.
    #[must_use]
    pub fn new(role: Role, indices: Indices, send: TransportKey, receive: TransportKey, now: Instant) -> Self {
        Self {
            established: now,
            indices,
            send: AeadKey::new(&send),
            send_counter: 0,
            role,
            window: ReplayWindow::new(),
            receive: AeadKey::new(&receive),
            raw_send: send,
            raw_receive: receive,
        }
    }

    /// When the keypair is too old to seal or open (paper § 6.2).
    #[must_use]
    #[inline]
    pub fn expiry(&self) -> Instant {
        self.established + REJECT_AFTER_TIME
    }

    /// Whether the keypair is too old to seal or open.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        now >= self.expiry()
    }

    /// Whether the keypair may seal one more message at `now`.
    #[must_use]
    #[inline]
    pub fn can_seal(&self, now: Instant) -> bool {
        self.send_counter < REJECT_AFTER_MESSAGES && !self.is_expired(now)
    }

    /// How many messages the keypair may still seal, if it is not expired.
    #[must_use]
    #[inline]
    pub fn messages_left(&self) -> usize {
        usize::try_from(REJECT_AFTER_MESSAGES.saturating_sub(self.send_counter)).unwrap_or(usize::MAX)
    }

    /// Whether the keypair may open a message with `counter` at `now`.
    #[must_use]
    #[inline]
    pub fn can_open(&self, counter: u64, now: Instant) -> bool {
        Self::is_counter(counter) && !self.is_expired(now)
    }

    /// Whether any keypair may open a message with `counter`.
    #[must_use]
    #[inline]
    pub const fn is_counter(counter: u64) -> bool {
        counter < REJECT_AFTER_MESSAGES
    }

    /// Touches what sealing reads of a session, so that it is fetched into the cache. The value has no meaning.
    #[must_use]
    #[inline]
    pub fn read_to_seal(&self) -> u64 {
        self.established.as_nanos() ^ self.send_counter ^ self.send.read_ahead()
    }

    /// Touches what opening a datagram with `counter` reads of a session, so that it is fetched into the cache. The value has
    /// no meaning.
    #[must_use]
    #[inline]
    pub fn read_to_open(&self, counter: u64) -> u64 {
        self.established.as_nanos() ^ self.window.read_ahead(counter) ^ self.receive.read_ahead()
    }

    /// The counter of the next message to seal. Ask [`can_seal`](Self::can_seal) first, which keeps it far from its greatest
    /// value.
    #[inline]
    pub fn next_counter(&mut self) -> u64 {
        let counter = self.send_counter;
        self.send_counter = counter.wrapping_add(1);
        counter
    }

    /// Whether a message was sealed under the keypair.
    #[must_use]
    pub fn has_sealed(&self) -> bool {
        self.send_counter > 0
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
