//! What both ends do alike: confirmable messages, and what waits to be sent.
//!
//! The parameters are those of RFC 7252 § 4.8 but for the factor of the waits, which is 1.5 and not 2: behind the tunnel,
//! nobody else's congestion is made worse by it, and a login waits less long for a lost datagram.
use super::Wiped;
use crate::crypto::Rng;
use crate::crypto::rng::random_u32;
use crate::memory::NoMemory;
use crate::time::Instant;
use alloc::collections::VecDeque;
use core::time::Duration;

/// The shortest wait for an acknowledgement (RFC 7252 § 4.8).
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// The first wait is longer than the shortest by less than this: ACK_RANDOM_FACTOR is 1.5.
const ACK_SPREAD: Duration = Duration::from_secs(1);
/// How often a message is sent again.
const MAX_RETRANSMIT: u8 = 4;
/// How long a message id is remembered (RFC 7252 § 4.8.2).
pub const EXCHANGE_LIFETIME: Duration = Duration::from_secs(247);
/// How many message ids of a peer are remembered.
pub const EXCHANGES: usize = 16;
/// The content format of every body (RFC 8949 § 9.4).
pub const CBOR: u32 = 60;

/// A message to send: the payload of a UDP datagram inside the tunnel.
#[derive(Debug)]
pub struct Transmit<P> {
    /// To whom.
    pub peer: P,
    /// The bytes. Its memory is wiped.
    pub message: Wiped,
    /// Whether a handshake may begin for it. If not, and there is no session, it is to be dropped.
    pub may_wake: bool,
}

/// What waits to be sent, up to a cap. Beyond it messages are lost, as they may be on their way.
#[derive(Debug)]
pub struct Outbox<P> {
    waiting: VecDeque<Transmit<P>>,
    cap: usize,
}

impl<P> Outbox<P> {
    /// An outbox for so many messages.
    pub const fn new(cap: usize) -> Self {
        Self { waiting: VecDeque::new(), cap }
    }

    /// Puts a message at the end.
    pub fn push(&mut self, peer: P, message: Result<Wiped, NoMemory>, may_wake: bool) {
        if let Ok(message) = message
            && self.waiting.len() < self.cap
            && self.waiting.try_reserve(1).is_ok()
        {
            self.waiting.push_back(Transmit { peer, message, may_wake });
        }
    }

    /// Takes the first.
    pub fn pop(&mut self) -> Option<Transmit<P>> {
        self.waiting.pop_front()
    }
}

/// A confirmable message until it is acknowledged (RFC 7252 § 4.2).
#[derive(Debug)]
pub struct Confirmable {
    message: Wiped,
    /// Its message id.
    pub id: u16,
    at: Instant,
    wait: Duration,
    left: u8,
}

impl Confirmable {
    /// A message that is sent at `now` for the first time. Without randomness, the first wait is the longest there is.
    pub fn new(now: Instant, rng: &mut dyn Rng, id: u16, message: Wiped) -> Self {
        let share = random_u32(rng).unwrap_or(u32::MAX);
        let spread = (ACK_SPREAD.as_nanos() as u64).wrapping_mul(share.into()) >> 32;
        let wait = ACK_TIMEOUT.saturating_add(Duration::from_nanos(spread));
        Self { message, id, at: now + wait, wait, left: MAX_RETRANSMIT }
    }

    /// When it is due to be sent again, or given up.
    pub const fn due(&self) -> Instant {
        self.at
    }

    /// The message, to send it.
    pub fn copy(&self) -> Result<Wiped, NoMemory> {
        Wiped::copy(&self.message)
    }

    /// Bytes of memory that it takes.
    pub fn room(&self) -> usize {
        self.message.room()
    }

    /// It is due: whether it is to be sent again. If not, nobody has answered.
    #[must_use]
    pub fn wait_again(&mut self, now: Instant) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        self.wait = self.wait.saturating_mul(3) / 2;
        self.at = now + self.wait;
        true
    }
}

/// A message id to begin with. It need not be a secret, but should differ from one start to the next, so that what a peer
/// remembers of the last one does not answer for this one. Without randomness, the time does.
pub fn first_id(now: Instant, rng: &mut dyn Rng) -> u16 {
    random_u32(rng).map_or_else(|_| (now.as_nanos() >> 20) as u16, |bits| bits as u16)
}
