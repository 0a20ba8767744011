//! The keys of mac1 and of the cookie's envelope: both follow from a public key (paper § 5.4.4, § 5.4.7).
use crate::cookie::Cookie;
use crate::crypto::hash::{hash, mac};
use crate::crypto::{PublicKey, TAG_LEN, aead};
use crate::wire::{COOKIE_REPLY_LEN, CookieReply, CookieReplyFields, Macs};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const LABEL_MAC1: &[u8] = b"mac1----";
const LABEL_COOKIE: &[u8] = b"cookie--";

/// The keys that MACs and cookies to one static public key are made with; derived once per key.
///
/// Whoever knows the public key can derive them: they keep out only those who do not.
#[derive(Clone)]
pub struct MacKeys {
    mac1: [u8; 32],
    cookie: [u8; 32],
}

impl MacKeys {
    /// For messages addressed to `public`.
    #[must_use]
    pub fn new(public: &PublicKey) -> Self {
        Self { mac1: hash(&[LABEL_MAC1, public.as_bytes()]), cookie: hash(&[LABEL_COOKIE, public.as_bytes()]) }
    }

    /// Whether mac1 of a handshake message (its last 32 bytes are mac1, mac2) verifies; constant time. A message too
    /// short for its MACs does not verify.
    #[must_use]
    pub fn verify_mac1(&self, message: &[u8]) -> bool {
        Macs::of(message).is_some_and(|macs| self.mac1(macs.before_mac1).ct_eq(macs.mac1).into())
    }

    /// mac1 over `covered`.
    pub(super) fn mac1(&self, covered: &[u8]) -> [u8; 16] {
        mac(&self.mac1, &[covered])
    }

    /// Writes the cookie reply that carries `cookie` to the sender of the message with session index `receiver` and
    /// this `mac1`. The nonce must be random: one key seals the cookies of all senders.
    ///
    /// [`CookieJar::reply`](crate::cookie::CookieJar::reply) makes the cookie and the nonce too.
    pub fn seal_cookie(
        &self,
        receiver: u32,
        mac1: &[u8; 16],
        cookie: &[u8; 16],
        nonce: &[u8; 24],
        out: &mut [u8; COOKIE_REPLY_LEN],
    ) {
        let mut sealed_cookie = [0; 32];
        let (text, tag) =
            sealed_cookie.split_last_chunk_mut::<TAG_LEN>().expect("a sealed cookie is longer than its tag");
        text.copy_from_slice(cookie);
        *tag = aead::xseal(&self.cookie, nonce, mac1, text);
        CookieReplyFields { receiver, nonce, sealed_cookie: &sealed_cookie }.write(out);
    }

    /// The cookie in `reply`, if that answers the message with this `mac1`.
    pub(super) fn open_cookie(&self, reply: CookieReply<'_>, mac1: &[u8; 16]) -> Option<Zeroizing<Cookie>> {
        let mut sealed = Zeroizing::new(*reply.sealed_cookie());
        aead::xopen(&self.cookie, reply.nonce(), mac1, &mut *sealed).ok()?;
        sealed.first_chunk().map(|cookie| Zeroizing::new(*cookie))
    }
}

impl core::fmt::Debug for MacKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MacKeys(redacted)")
    }
}
