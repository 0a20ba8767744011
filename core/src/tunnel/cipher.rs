//! Where another implementation of the cipher plugs in: batches of jobs.
//!
//! The tunnel itself seals and opens with the backend that it was built with, message by message. A host that uses the
//! three steps may give the middle one to a cipher of its own: code that works on several messages at a time, or a
//! device. It gets a batch, so that it can fill its lanes across packets.
use super::job::{OpenJob, Opened, SealJob, Sealed, open, seal};
use crate::crypto::{AeadKey, TransportKey};
use crate::limits::HEADROOM;
use alloc::vec::Vec;

/// Messages that a [`Cipher`] is given at a time, at most.
pub const CIPHER_BATCH: usize = 16;

/// ChaCha20-Poly1305 (RFC 8439) for batches of messages. The nonce is four zero bytes, then the counter, little-endian; there
/// is no additional data.
pub trait Cipher {
    /// Seals every message in place: all but the last 16 of its bytes are text, these are for the tag. Says so with
    /// [`Message::set_done`]; what is not done is dropped by the tunnel.
    fn seal(&self, batch: &mut [Message<'_>]);

    /// Opens every message in place: its last 16 bytes are the tag. Says with [`Message::set_done`] which are authentic;
    /// the others are dropped by the tunnel.
    fn open(&self, batch: &mut [Message<'_>]);
}

/// One message of a batch.
pub struct Message<'m> {
    key: &'m [u8; 32],
    counter: u64,
    /// The whole datagram, header included.
    datagram: &'m mut [u8],
    done: bool,
}

impl Message<'_> {
    /// The key. It must not be kept.
    #[must_use]
    pub fn key(&self) -> &[u8; 32] {
        self.key
    }

    /// The counter, which makes the nonce.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// Text and tag.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.datagram.get_mut(HEADROOM..).unwrap_or_default()
    }

    /// The message is sealed, or is authentic and opened.
    pub fn set_done(&mut self) {
        self.done = true;
    }
}

/// The backend that the library was built with, one message after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltIn;

impl Cipher for BuiltIn {
    fn seal(&self, batch: &mut [Message<'_>]) {
        for message in batch {
            message.done = seal(&ready(message.key), message.counter, message.datagram);
        }
    }

    fn open(&self, batch: &mut [Message<'_>]) {
        for message in batch {
            message.done = open(&ready(message.key), message.counter, message.datagram);
        }
    }
}

/// The key made ready. The copy on the way is wiped.
fn ready(key: &[u8; 32]) -> AeadKey {
    AeadKey::new(&TransportKey::from_bytes(*key))
}

impl core::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Message").field("counter", &self.counter).field("done", &self.done).finish_non_exhaustive()
    }
}

impl SealJob {
    /// Seals all of `jobs` in place with `cipher`, as [`crypt`](Self::crypt) does each, and moves them to the end of `sealed`
    /// in their order. Each job is given the buffer of its `begin_seal`.
    pub fn crypt_all<B: AsMut<[u8]>>(cipher: &impl Cipher, jobs: &mut Vec<(Self, B)>, sealed: &mut Vec<Sealed<B>>) {
        while !jobs.is_empty() {
            let few = jobs.iter_mut().map(|(job, buf)| {
                let datagram = job.span.of_mut(buf.as_mut()).unwrap_or_default();
                Message { key: job.key.as_bytes(), counter: job.counter, datagram, done: false }
            });
            let done = crypt_few(few, |batch| cipher.seal(batch));
            let few = jobs.drain(..jobs.len().min(CIPHER_BATCH)).zip(done);
            sealed.extend(few.map(|((Self { transmit, span, .. }, buf), done)| Sealed { transmit, span, done, buf }));
        }
    }
}

impl OpenJob {
    /// Opens all of `jobs` in place with `cipher`, as [`crypt`](Self::crypt) does each, and moves them to the end of `opened`
    /// in their order. Each job is given the datagram of its `begin_open`.
    pub fn crypt_all<B: AsMut<[u8]>>(cipher: &impl Cipher, jobs: &mut Vec<(Self, B)>, opened: &mut Vec<Opened<B>>) {
        while !jobs.is_empty() {
            let few = jobs.iter_mut().map(|(job, buf)| {
                let counter = job.arrival.counter;
                Message { key: job.key.as_bytes(), counter, datagram: buf.as_mut(), done: false }
            });
            let done = crypt_few(few, |batch| cipher.open(batch));
            let few = jobs.drain(..jobs.len().min(CIPHER_BATCH)).zip(done);
            opened.extend(few.map(|((Self { arrival, .. }, buf), authentic)| Opened { arrival, authentic, buf }));
        }
    }
}

/// Gives the first messages to a cipher, and says which of them are done. Nothing is allocated.
fn crypt_few<'m>(
    mut messages: impl Iterator<Item = Message<'m>>,
    crypt: impl FnOnce(&mut [Message<'m>]),
) -> [bool; CIPHER_BATCH] {
    let mut count = 0;
    let mut batch: [Message<'m>; CIPHER_BATCH] = core::array::from_fn(|_| match messages.next() {
        Some(message) => {
            count += 1;
            message
        }
        None => Message { key: &[0; 32], counter: 0, datagram: &mut [], done: false },
    });
    crypt(batch.get_mut(..count).unwrap_or_default());
    batch.map(|message| message.done)
}
