//! Incoming datagrams: received in bundles, opened in place, and written to the virtual interface in bundles again.
use super::Messages;
use super::crew::{Crew, Work};
use super::shared::lock;
use crate::error::errno;
use crate::tun::coalesce::{Coalescer, MAX_GROUP};
use crate::tun::device::Device;
use crate::tun::flow::MAX_HEADERS;
use crate::tun::vnet;
use crate::udp::{Run, Sockets};
use nix::errno::Errno;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Mutex;
use underpass_carry::RecvMeta;
use underpass_carry::bundle::{self, Bundle};
use underpass_carry::recycle::recycle;
use underpass_core::packet::ecn::Ecn;
use underpass_core::{Instant, Tunnel};

/// Bundles received at once.
const BUNDLES: usize = 16;
/// Datagrams that are worth the crew's while.
const WORTHWHILE: usize = 16;

/// A batch of datagrams and the memory they came into.
pub struct Haul {
    /// Always there, but while a crypt worker has it.
    bundles: [Option<Box<Bundle>>; BUNDLES],
    /// How many of them hold something.
    filled: usize,
    coalescer: Coalescer,
    spare: Vec<&'static [u8]>,
}

impl Haul {
    /// An empty haul, for an interface that takes bundles of UDP or does not.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        let most = BUNDLES * bundle::MOST;
        Self {
            bundles: std::array::from_fn(|_| Some(Box::new(Bundle::new()))),
            filled: 0,
            coalescer: Coalescer::new(most, device.takes_udp_bundles()),
            spare: Vec::with_capacity(most),
        }
    }

    /// Receives by `from`. Returns whether there was anything.
    ///
    /// # Errors
    /// The system's.
    pub fn receive(
        &mut self,
        from: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        let mut meta = [RecvMeta::default(); BUNDLES];
        let mut bufs = self
            .bundles
            .each_mut()
            .map(|bundle| IoSliceMut::new(bundle.as_mut().map_or(&mut [], |bundle| &mut bundle.buf)));
        self.filled = match from(&mut bufs, &mut meta) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            other => other?,
        };
        self.filled_mut().zip(meta).for_each(|(bundle, meta)| bundle.received(meta));
        Ok(self.filled > 0)
    }

    fn filled(&self) -> impl Iterator<Item = &Bundle> {
        self.bundles[..self.filled].iter().flatten().map(AsRef::as_ref)
    }

    fn filled_mut(&mut self) -> impl Iterator<Item = &mut Bundle> {
        self.bundles[..self.filled].iter_mut().flatten().map(AsMut::as_mut)
    }

    /// Opens the datagrams, with the help of the crew when they are many.
    pub fn open(&mut self, tunnel: &Mutex<Tunnel>, now: Instant, crew: &mut Crew) {
        let datagrams: usize = self.filled().map(Bundle::count).sum();
        if crew.is_empty() || self.filled < 2 || datagrams < WORTHWHILE {
            let mut tunnel = lock(tunnel);
            return self.filled_mut().for_each(|bundle| bundle.open(&mut tunnel, now));
        }
        let mut locked = lock(tunnel);
        self.filled_mut().for_each(|bundle| bundle.begin(&mut locked, now));
        drop(locked);
        self.crypt(crew);
        let mut locked = lock(tunnel);
        self.filled_mut().for_each(|bundle| bundle.finish(&mut locked, now));
    }

    /// The middle step: shared out evenly, the loop taking its part.
    fn crypt(&mut self, crew: &mut Crew) {
        let hands = crew.len() + 1;
        let mut away = 0;
        for (number, place) in self.bundles[..self.filled].iter_mut().enumerate() {
            let Some(bundle) = place.take_if(|_| number % hands != 0) else { continue };
            match crew.hand_over(number, Work::Open(bundle)) {
                None => away += 1,
                Some(Work::Open(bundle)) => *place = Some(bundle),
                Some(_) => {}
            }
        }
        self.filled_mut().for_each(Bundle::crypt);
        for _ in 0..away {
            if let Some((number, Work::Open(bundle))) = crew.take_back() {
                self.bundles[number] = Some(bundle);
            }
        }
    }

    /// Hands on what came over the control channel.
    pub fn hand_on(&self, tunnel: &Mutex<Tunnel>, messages: &Messages) {
        let mut came = self.filled().flat_map(Bundle::messages).peekable();
        if came.peek().is_none() {
            return;
        }
        let tunnel = lock(tunnel);
        for (peer, message) in came {
            if let Some(peer) = tunnel.peer(peer) {
                messages.hear(*peer.public_key(), message);
            }
        }
    }

    /// Sends the cookie replies back where the datagrams came from.
    pub fn reply(&self, sockets: &Sockets) {
        for bundle in self.filled() {
            for reply in bundle.replies() {
                let run = Run { path: bundle.path(), ecn: Ecn::NotCapable, datagrams: reply, size: reply.len() };
                let sent = sockets.send(&run);
                tracing::trace!(?sent, "cookie reply");
            }
        }
    }

    /// Writes the packets to the virtual interface.
    ///
    /// # Errors
    /// [`Errno::EBADFD`] when the interface is gone. Other errors concern single packets, which are lost.
    pub fn deliver(&mut self, device: &Device) -> Result<(), Errno> {
        let mut packets = recycle(std::mem::take(&mut self.spare));
        packets.extend(self.bundles[..self.filled].iter().flatten().flat_map(|bundle| bundle.packets()));
        let outcome = if packets.len() < 2 || !device.takes_bundles() {
            packets.iter().try_for_each(|packet| write_single(device, packet))
        } else {
            deliver_gathered(device, &mut self.coalescer, &packets)
        };
        self.spare = recycle(packets);
        outcome
    }
}

fn deliver_gathered(device: &Device, coalescer: &mut Coalescer, packets: &[&[u8]]) -> Result<(), Errno> {
    coalescer.clear();
    packets.iter().for_each(|packet| coalescer.push(packet));
    coalescer.groups().try_for_each(|group| {
        let mut header = [0; vnet::LEN + MAX_HEADERS];
        let header_len = group.write_header(&mut header);
        let mut parts = [IoSlice::new(&[]); MAX_GROUP + 1];
        parts[0] = IoSlice::new(&header[..header_len]);
        let mut count = 1;
        for (part, number) in parts[1..].iter_mut().zip(coalescer.packets(group)) {
            *part = IoSlice::new(&packets[number][group.replaced()..]);
            count += 1;
        }
        match device.write(&parts[..count]).map_err(|error| errno(&error)) {
            // A kernel that takes no such bundle; it takes their packets.
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) if count > 2 => {
                coalescer.packets(group).try_for_each(|number| write_single(device, packets[number]))
            }
            outcome => unless_gone(outcome),
        }
    })
}

/// Writes one packet to the virtual interface as it is.
///
/// # Errors
/// As [`Haul::deliver`].
pub fn write_single(device: &Device, packet: &[u8]) -> Result<(), Errno> {
    let header = vnet::Header::default().to_bytes();
    unless_gone(device.write(&[IoSlice::new(&header), IoSlice::new(packet)]).map_err(|error| errno(&error)))
}

/// Only the end of the interface is worth telling: a packet may get lost while it is down.
fn unless_gone(outcome: Result<(), Errno>) -> Result<(), Errno> {
    match outcome {
        Err(errno) if errno != Errno::EBADFD => {
            tracing::trace!(%errno, "the interface did not take a packet");
            Ok(())
        }
        outcome => outcome,
    }
}
