//! The crypt steps: pure, `Send`, any thread, any order. The types say which step comes next: a job is crypted once, and
//! only what was crypted can be finished.
use super::slots::Span;
use super::types::Transmit;
use crate::crypto::{AeadKey, TAG_LEN, TransportKey};
use crate::limits::HEADROOM;
use crate::packet::ecn::Ecn;
use crate::peer::{Path, PeerId};

/// A packet that was begun and is to be sealed. Owns its key, wiped on drop.
///
/// It cannot be sealed twice:
/// ```compile_fail,E0382
/// # use underpass_core::tunnel::SealJob;
/// fn twice(job: SealJob, buf: &mut [u8]) {
///     let _ = job.crypt(&mut *buf);
///     let _ = job.crypt(buf);
/// }
/// ```
/// It cannot be finished unsealed:
/// ```compile_fail,E0308
/// # use underpass_core::{Instant, Tunnel, tunnel::SealJob};
/// fn unsealed(tunnel: &mut Tunnel, now: Instant, job: SealJob) {
///     let _ = tunnel.finish_seal(now, job);
/// }
/// ```
/// But so, which yields the buffer again:
/// ```
/// # use underpass_core::tunnel::{Outbound, SealJob, Span};
/// # use underpass_core::{Instant, Tunnel};
/// fn sealed(tunnel: &mut Tunnel, now: Instant, job: SealJob, buf: Vec<u8>) -> (Outbound<Span>, Vec<u8>) {
///     tunnel.finish_seal(now, job.crypt(buf))
/// }
/// ```
#[must_use]
#[derive(Debug)]
pub struct SealJob {
    pub(super) key: TransportKey,
    pub(super) counter: u64,
    pub(super) transmit: Transmit,
    /// Where in the buffer the datagram is.
    pub(super) span: Span,
}

impl SealJob {
    /// Seals in place. `buf` is the buffer given to `begin_seal`; given a shorter one, the job comes to nothing and
    /// `finish_seal` drops the packet.
    pub fn crypt<B: AsMut<[u8]>>(self, mut buf: B) -> Sealed<B> {
        let Self { key, counter, transmit, span } = self;
        let datagram = span.of_mut(buf.as_mut());
        let done = datagram.is_some_and(|datagram| seal(&AeadKey::new(&key), counter, datagram));
        Sealed { transmit, span, done, buf }
    }
}

/// A packet that was sealed and is to be finished, with its buffer. Holds no key.
#[must_use]
#[derive(Debug)]
pub struct Sealed<B> {
    pub(super) transmit: Transmit,
    pub(super) span: Span,
    /// Whether there was room.
    pub(super) done: bool,
    pub(super) buf: B,
}

impl<B> Sealed<B> {
    /// Separates the buffer from what is known of it, for hosts whose buffers cannot travel with jobs. `finish_seal` takes
    /// what is left.
    pub fn detach(self) -> (Sealed<()>, B) {
        let Self { transmit, span, done, buf } = self;
        (Sealed { transmit, span, done, buf: () }, buf)
    }
}

/// A datagram that was begun and is to be opened. Owns its key, wiped on drop.
///
/// It cannot be opened twice:
/// ```compile_fail,E0382
/// # use underpass_core::tunnel::OpenJob;
/// fn twice(job: OpenJob, datagram: &mut [u8]) {
///     let _ = job.crypt(&mut *datagram);
///     let _ = job.crypt(datagram);
/// }
/// ```
/// It cannot be finished unopened:
/// ```compile_fail,E0308
/// # use underpass_core::{Instant, Tunnel, tunnel::OpenJob};
/// fn unopened(tunnel: &mut Tunnel, now: Instant, job: OpenJob) {
///     let _ = tunnel.finish_open::<Vec<u8>>(now, job);
/// }
/// ```
/// But so, which yields the buffer again:
/// ```
/// # use underpass_core::tunnel::{Inbound, OpenJob, Span};
/// # use underpass_core::{Instant, Tunnel};
/// fn opened(tunnel: &mut Tunnel, now: Instant, job: OpenJob, datagram: Vec<u8>) -> (Inbound<Span>, Vec<u8>) {
///     tunnel.finish_open(now, job.crypt(datagram))
/// }
/// ```
#[must_use]
#[derive(Debug)]
pub struct OpenJob {
    pub(super) key: TransportKey,
    pub(super) arrival: Arrival,
}

/// What is known of a datagram to be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) counter: u64,
    pub(super) peer: PeerId,
    /// Our session index.
    pub(super) local: u32,
    pub(super) path: Path,
    pub(super) ecn: Ecn,
}

impl OpenJob {
    /// Opens in place. `datagram` is the buffer given to `begin_open`.
    pub fn crypt<B: AsMut<[u8]>>(self, mut datagram: B) -> Opened<B> {
        let Self { key, arrival } = self;
        let authentic = open(&AeadKey::new(&key), arrival.counter, datagram.as_mut());
        Opened { arrival, authentic, buf: datagram }
    }
}

/// A datagram that was opened and is to be finished, with its buffer. Holds no key.
#[must_use]
#[derive(Debug)]
pub struct Opened<B> {
    pub(super) arrival: Arrival,
    pub(super) authentic: bool,
    pub(super) buf: B,
}

impl<B> Opened<B> {
    /// Separates the buffer from what is known of it, for hosts whose buffers cannot travel with jobs.
    pub fn detach(self) -> (Opened<()>, B) {
        let Self { arrival, authentic, buf } = self;
        (Opened { arrival, authentic, buf: () }, buf)
    }
}

impl Opened<()> {
    /// Joins it with its buffer again, for `finish_open`.
    pub fn attach<B>(self, buf: B) -> Opened<B> {
        let Self { arrival, authentic, buf: () } = self;
        Opened { arrival, authentic, buf }
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
