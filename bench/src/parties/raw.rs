//! The core's cipher alone, over buffers laid out as the core wants them.
use super::{FLIGHT, Party, timed};
use std::hint::black_box;
use std::time::Duration;
use underpass_budget::room;
use underpass_core::internals::crypto::{AeadKey, TAG_LEN, TransportKey};
use underpass_core::limits::HEADROOM;

/// The bare cipher.
pub struct Raw {
    key: AeadKey,
    counter: u64,
    len: usize,
    bufs: Vec<Vec<u8>>,
}

impl Raw {
    /// For texts of `len` bytes.
    pub fn new(len: usize) -> Self {
        let key = AeadKey::new(&TransportKey::from_bytes([1; 32]));
        Self { key, counter: 0, len, bufs: vec![vec![0; room(len)]; FLIGHT] }
    }
}

impl Party for Raw {
    fn name(&self) -> String {
        "bare cipher".into()
    }

    fn flight(&mut self) -> (Duration, Duration) {
        let Self { key, counter, len, bufs } = self;
        let (seal, ()) = timed(|| measured_seal(key, *counter, *len, bufs));
        let (open, ()) = timed(|| measured_open(key, *counter, *len, bufs));
        *counter += FLIGHT as u64;
        (seal, open)
    }
}

#[inline(never)]
fn measured_seal(key: &AeadKey, first: u64, len: usize, bufs: &mut [Vec<u8>]) {
    for (buf, counter) in bufs.iter_mut().zip(first..) {
        let (text, tag) = buf[HEADROOM..].split_at_mut(len);
        tag[..TAG_LEN].copy_from_slice(&key.seal(counter, &[], text));
    }
}

#[inline(never)]
fn measured_open(key: &AeadKey, first: u64, len: usize, bufs: &mut [Vec<u8>]) {
    for (buf, counter) in bufs.iter_mut().zip(first..) {
        let opened = key.open(counter, &[], &mut buf[HEADROOM..][..len + TAG_LEN]);
        assert!(black_box(opened).is_ok());
    }
}
