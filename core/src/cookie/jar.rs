//! The responder's side: cookies that need no memory per sender (paper § 5.4.7).
use crate::cookie::{Cookie, MacKeys};
use crate::crypto::Rng;
use crate::crypto::hash::mac;
use crate::error::NoRandomness;
use crate::limits::COOKIE_LIFETIME;
use crate::time::Instant;
use crate::wire::{COOKIE_REPLY_LEN, Macs};
use core::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Makes and checks cookies under a secret that changes every 120 s, at use.
///
/// A cookie is a MAC of the sender's address and port under that secret, so the jar remembers no sender. It keeps
/// no previous secret either: a sender whose cookie died with it is told the next one by the reply that it gets for
/// its stale mac2, which costs a round trip every two minutes of load and bounds what a stolen cookie is good for.
#[derive(Default)]
pub struct CookieJar {
    /// None until the first reply: a tunnel that is never under load draws no secret.
    secret: Option<Secret>,
}

struct Secret {
    bytes: Zeroizing<[u8; 32]>,
    born: Instant,
}

impl CookieJar {
    /// A jar with no secret yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { secret: None }
    }

    /// Whether mac2 of `message` was made with the cookie of `source` (address and port), now valid; constant time.
    /// A message too short for its MACs does not verify.
    #[must_use]
    pub fn verify_mac2(&self, now: Instant, source: SocketAddr, message: &[u8]) -> bool {
        let Some(secret) = self.secret.as_ref().filter(|secret| secret.is_live(now)) else { return false };
        let cookie = secret.cookie(source);
        Macs::of(message).is_some_and(|macs| mac(&cookie, &[macs.before_mac2]).ct_eq(macs.mac2).into())
    }

    /// Writes the cookie reply to `message`, a whole initiation or response (bytes 4..8 are its sender's index), that
    /// came from `source`. What is no such message leaves `out` as it was.
    ///
    /// # Errors
    /// [`NoRandomness`], from `rng`; `out` is as it was.
    pub fn reply(
        &mut self,
        now: Instant,
        keys: &MacKeys,
        source: SocketAddr,
        message: &[u8],
        rng: &mut dyn Rng,
        out: &mut [u8; COOKIE_REPLY_LEN],
    ) -> Result<(), NoRandomness> {
        let Some(macs) = Macs::of(message) else { return Ok(()) };
        let Some([_, _, _, _, index @ ..]) = macs.before_mac1.first_chunk::<8>() else { return Ok(()) };
        let cookie = self.live_secret(now, rng)?.cookie(source);
        let mut nonce = [0; 24];
        rng.fill(&mut nonce)?;
        keys.seal_cookie(u32::from_le_bytes(*index), macs.mac1, &cookie, &nonce, out);
        Ok(())
    }

    fn live_secret(&mut self, now: Instant, rng: &mut dyn Rng) -> Result<&Secret, NoRandomness> {
        let live = match self.secret.take().filter(|secret| secret.is_live(now)) {
            Some(live) => live,
            None => {
                let mut bytes = Zeroizing::new([0; 32]);
                rng.fill(&mut *bytes)?;
                Secret { bytes, born: now }
            }
        };
        Ok(self.secret.insert(live))
    }
}

impl Secret {
    fn is_live(&self, now: Instant) -> bool {
        now.since(self.born) < COOKIE_LIFETIME
    }

    /// The cookie of a sender: of its address as the network knows it, and its port.
    fn cookie(&self, source: SocketAddr) -> Zeroizing<Cookie> {
        let port = source.port().to_be_bytes();
        // One IPv4 sender is the same sender on a socket that sees it as `::ffff:a.b.c.d`.
        Zeroizing::new(match source.ip().to_canonical() {
            IpAddr::V4(address) => mac(&self.bytes, &[&address.octets(), &port]),
            IpAddr::V6(address) => mac(&self.bytes, &[&address.octets(), &port]),
        })
    }
}

impl core::fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CookieJar").field("born", &self.secret.as_ref().map(|secret| secret.born)).finish()
    }
}
