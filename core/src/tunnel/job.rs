//! The crypt steps: pure, `Send`, any thread, any order.
use crate::crypto::{AeadKey, TAG_LEN, TransportKey};
use crate::limits::HEADROOM;
use crate::packet::ecn::Ecn;
use crate::peer::{Path, PeerId};
use crate::tunnel::types::Transmit;

/// Sealing between begin and finish. Owns its key, wiped on drop.
#[derive(Debug)]
pub struct SealJob {
    pub(super) key: TransportKey,
    pub(super) counter: u64,
    pub(super) transmit: Transmit,
    /// Where in the buffer the datagram begins.
    pub(super) start: usize,
    /// Whether there is a packet in it.
    pub(super) sealed: bool,
}

impl SealJob {
    /// Seals in place, once: a second time would undo the first. `buf` is the buffer given to `begin_seal`; given a
    /// shorter one, the job comes to nothing and `finish_seal` drops the packet.
    pub fn crypt(&mut self, buf: &mut [u8]) {
        if self.sealed {
            return;
        }
        let key = AeadKey::new(&self.key);
        self.sealed = buf
            .get_mut(self.start..)
            .and_then(|datagram| datagram.get_mut(..self.transmit.len))
            .is_some_and(|datagram| seal(&key, self.counter, datagram));
    }
}

/// Opening between begin and finish. Owns its key, wiped on drop.
#[derive(Debug)]
pub struct OpenJob {
    pub(super) key: TransportKey,
    pub(super) counter: u64,
    pub(super) peer: PeerId,
    /// Our session index.
    pub(super) local: u32,
    pub(super) path: Path,
    pub(super) ecn: Ecn,
    /// Whether the datagram authenticated.
    pub(super) opened: bool,
}

impl OpenJob {
    /// Opens in place. `datagram` is the buffer given to `begin_open`.
    pub fn crypt(&mut self, datagram: &mut [u8]) {
        self.opened = open(&AeadKey::new(&self.key), self.counter, datagram);
    }
}

/// Seals what stands between header and tag of `datagram`; `false` when it is too short for both.
#[inline]
pub(super) fn seal(key: &AeadKey, counter: u64, datagram: &mut [u8]) -> bool {
    let Some((head, tag)) = datagram.split_last_chunk_mut::<TAG_LEN>() else { return false };
    let Some(text) = head.get_mut(HEADROOM..) else { return false };
    *tag = key.seal(counter, &[], text);
    true
}

/// Opens what stands behind the header of `datagram`.
#[inline]
pub(super) fn open(key: &AeadKey, counter: u64, datagram: &mut [u8]) -> bool {
    datagram.get_mut(HEADROOM..).is_some_and(|sealed| key.open(counter, &[], sealed).is_ok())
}
