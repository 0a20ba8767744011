//! The sender's side, kept with every peer: 48 bytes that a million idle peers can afford.
use crate::cookie::{COOKIE_LATENCY, Cookie, MacKeys};
use crate::crypto::hash::mac;
use crate::limits::COOKIE_LIFETIME;
use crate::time::Instant;
use crate::wire::CookieReply;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The last mac1 we sent and the cookie we were given.
#[derive(Clone, Default)]
pub struct Stamp {
    /// Of the last message, until a cookie reply has answered it.
    unanswered: Option<[u8; 16]>,
    cookie: Cookie,
    /// The cookie is used before this; the host's epoch where there is none.
    fresh_until: Instant,
}

impl Stamp {
    /// Writes mac1, and mac2 when a live cookie is held (zero without), into the last 32 bytes of `message`;
    /// remembers mac1. What is too short for its MACs is left as it was.
    pub fn stamp(&mut self, now: Instant, keys: &MacKeys, message: &mut [u8]) {
        let Some((covered, mac2)) = message.split_last_chunk_mut::<16>() else { return };
        let Some((before, mac1)) = covered.split_last_chunk_mut::<16>() else { return };
        *mac1 = keys.mac1(before);
        self.unanswered = Some(*mac1);
        *mac2 = if now < self.fresh_until { mac(&self.cookie, &[covered]) } else { [0; 16] };
    }

    /// Takes a cookie reply that answers our last mac1, once. `false`: it answers nothing of ours; nothing changed.
    ///
    /// The cookie is used for 115 s: as long as its secret can live, less what the way takes.
    #[allow(clippy::arithmetic_side_effects, reason = "instants saturate")]
    pub fn accept(&mut self, now: Instant, keys: &MacKeys, reply: CookieReply<'_>) -> bool {
        let Some(cookie) = self.unanswered.and_then(|mac1| keys.open_cookie(reply, &mac1)) else { return false };
        self.unanswered = None;
        self.cookie = *cookie;
        self.fresh_until = now + COOKIE_LIFETIME.saturating_sub(COOKIE_LATENCY);
        true
    }

    /// Forgets everything (the peer's or our key changed).
    pub fn clear(&mut self) {
        self.zeroize();
    }
}

impl Zeroize for Stamp {
    fn zeroize(&mut self) {
        self.unanswered.zeroize();
        self.cookie.zeroize();
        self.fresh_until = Instant::ZERO;
    }
}

impl Drop for Stamp {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Stamp {}

impl core::fmt::Debug for Stamp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stamp").field("fresh_until", &self.fresh_until).finish_non_exhaustive()
    }
}
