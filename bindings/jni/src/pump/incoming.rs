//! Datagrams from the sockets: received in batches, opened where they lie, and given to the interface.
use super::PumpError;
use super::outgoing::Means;
use std::io::{self, IoSliceMut};
use underpass_carry::RecvMeta;
use underpass_carry::bundle::{self, Bundle};
use underpass_carry::udp::{Run, Socket, Sockets};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::Layout;
use underpass_uniffi::logging::{LogLevel, say};

/// Bundles received at once, of a kernel that gathers datagrams.
const BUNDLES: usize = 8;
/// Datagrams received at once, of one that does not.
const SINGLES: usize = 32;
/// Bytes for one datagram at least, whatever the MTU.
const SINGLE: usize = 2048;

/// What comes.
pub(crate) struct Incoming {
    bundles: Vec<Bundle>,
    gathers: bool,
    /// Bytes of each place.
    room: usize,
}

impl Incoming {
    /// Room for what `sockets` receive, and packets of `layout`.
    pub(crate) fn new(sockets: &Sockets, layout: Layout) -> Self {
        let gathers = gathers(sockets);
        let (count, room, datagrams) =
            if gathers { (BUNDLES, bundle::LEN, bundle::MOST) } else { (SINGLES, room_for_one(layout), 1) };
        Self { bundles: (0..count).map(|_| Bundle::of(room, datagrams)).collect(), gathers, room }
    }

    /// Makes other room where the sockets or the layout need it.
    pub(crate) fn suit(&mut self, sockets: &Sockets, layout: Layout) {
        if self.gathers != gathers(sockets) || (!self.gathers && self.room < room_for_one(layout)) {
            *self = Self::new(sockets, layout);
        }
    }

    /// Carries one batch from `socket` to the interface.
    ///
    /// # Errors
    /// Why the pump ends.
    pub(crate) fn carry(&mut self, socket: &Socket, means: &Means<'_>) -> Result<(), PumpError> {
        let bundles = match self.receive(socket) {
            Ok(bundles) => bundles,
            // Often about a datagram that was sent: it says nothing of the socket.
            Err(error) => {
                say(LogLevel::Debug, format_args!("receiving failed: {error}"));
                return Ok(());
            }
        };
        if bundles.is_empty() {
            return Ok(());
        }
        let opened = means.tunnel.with_core(|core| {
            let now = means.tunnel.now();
            bundles.iter_mut().for_each(|bundle| bundle.open(core, now));
        });
        opened.map_err(PumpError::of_tunnel)?;
        for bundle in &*bundles {
            for reply in bundle.replies() {
                let run = Run { path: bundle.path(), ecn: Ecn::NotCapable, datagrams: reply, size: reply.len() };
                _ = means.sockets.send(&run);
            }
        }
        deliver(bundles, means)
    }

    fn receive(&mut self, socket: &Socket) -> io::Result<&mut [Bundle]> {
        let mut meta = [RecvMeta::default(); SINGLES];
        let mut bufs = self.bundles.iter_mut().map(|bundle| IoSliceMut::new(&mut bundle.buf));
        let mut places: [IoSliceMut<'_>; SINGLES] =
            std::array::from_fn(|_| bufs.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        drop(bufs);
        let count = if self.gathers { BUNDLES } else { SINGLES };
        let (places, into) = (places.get_mut(..count), meta.get_mut(..count));
        let (Some(places), Some(into)) = (places, into) else { return Ok(&mut []) };
        let filled = match socket.receive(places, into) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            other => other?,
        };
        self.bundles.iter_mut().zip(meta).take(filled).for_each(|(bundle, meta)| bundle.received(meta));
        Ok(self.bundles.get_mut(..filled).unwrap_or_default())
    }
}

fn deliver(bundles: &[Bundle], means: &Means<'_>) -> Result<(), PumpError> {
    let (mut packets, mut bytes, mut drops) = (0, 0, 0);
    let mut outcome = Ok(());
    for packet in bundles.iter().flat_map(Bundle::packets) {
        match means.tun.write(packet) {
            Ok(true) => {
                packets += 1;
                bytes += packet.len() as u64;
            }
            Ok(false) => drops += 1,
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    if packets > 0 {
        means.shared.count_inward(packets, bytes);
    }
    if drops > 0 {
        means.shared.count_drops(drops);
    }
    outcome
}

fn gathers(sockets: &Sockets) -> bool {
    sockets.each().any(|socket| socket.most_in_a_bundle() > 1)
}

fn room_for_one(layout: Layout) -> usize {
    layout.datagram_len(layout.mtu().into()).max(SINGLE)
}
