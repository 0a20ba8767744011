//! Outgoing packets: read from the virtual interface into trains, sealed, and sent.
//!
//! Alone, the loop seals and sends each train when it is full. With a crew, a full train goes to a crypt worker while
//! the next is loaded; the loop seals the last itself, and they leave in the order they were loaded.
use super::crew::{Crew, Work};
use super::haul::write_single;
use super::shared::lock;
use super::{Ended, HandshakeStep};
use crate::error::HostError;
use crate::tun::device::{Device, READ_LEN, Read};
use crate::tun::segment::Segments;
use crate::tun::vnet;
use crate::udp::Sockets;
use std::sync::Mutex;
use underpass_carry::train::{Failure, Train};
use underpass_core::tunnel::Layout;
use underpass_core::{Instant, PeerId, Tunnel};

/// Trains that leave in one turn of the loop, before the other side has its.
const TRAINS: usize = 8;

/// Bytes of the first message of a handshake (the paper, § 5.4.2).
const INITIATION_LEN: usize = 148;
/// Bytes of the second (§ 5.4.3).
const RESPONSE_LEN: usize = 92;

/// Where trains are loaded and leave from.
pub struct Yard {
    /// Always there, but while a crypt worker has it.
    trains: [Option<Box<Train>>; TRAINS],
    /// The train being loaded; those before it are sealed or with a crypt worker.
    loading: usize,
    read: Box<[u8]>,
    /// What could not be sent as it was to be.
    pub failures: Vec<Failure>,
    /// The room that the tunnel's packets need.
    pub layout: Layout,
}

/// What the yard works with.
pub struct Means<'a> {
    /// The interface.
    pub device: &'a Device,
    /// The sockets.
    pub sockets: &'a Sockets,
    /// The tunnel.
    pub tunnel: &'a Mutex<Tunnel>,
    /// The crypt workers.
    pub crew: &'a mut Crew,
    /// The time.
    pub now: Instant,
}

impl Yard {
    /// A yard with empty trains.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            trains: std::array::from_fn(|_| Some(Box::new(Train::new()))),
            loading: 0,
            read: vec![0; READ_LEN].into(),
            failures: Vec::new(),
            layout,
        }
    }

    /// Carries what waits at the interface, up to so many trains.
    ///
    /// # Errors
    /// [`Ended`] when the interface is gone or cannot be read.
    pub fn carry_out(&mut self, means: &mut Means<'_>) -> Result<(), Ended> {
        let mut read = std::mem::take(&mut self.read);
        let loaded = self.load(means, &mut read);
        self.read = read;
        let departed = self.depart_all(means);
        loaded.and(departed)
    }

    /// Loads trains until the interface has no more for now, or the other side must have its turn.
    fn load(&mut self, means: &mut Means<'_>, read: &mut [u8]) -> Result<(), Ended> {
        let mut full = 0;
        while full < TRAINS {
            let (header, len) = match means.device.read(read) {
                Ok(Read::Bundle(header, len)) => (header, len),
                Ok(Read::Nothing) => continue,
                Ok(Read::Empty) => return Ok(()),
                Ok(Read::Gone) => return Err(Ended::InterfaceDeleted),
                Err(source) => {
                    return Err(Ended::Failed(HostError::tun(means.device.name(), "reading from it", source)));
                }
            };
            // A full train goes to a crypt worker only when there is something to load meanwhile.
            if self.train().is_full() {
                self.next_train(means)?;
            }
            match Segments::new(header, &read[vnet::LEN..vnet::LEN + len]) {
                Some(segments) => self.load_bundle(means, segments)?,
                None => tracing::debug!(?header, "a bundle that contradicts its header"),
            }
            if self.train().is_full() {
                full += 1;
                if means.crew.is_empty() {
                    self.depart_all(means)?;
                }
            }
        }
        Ok(())
    }

    fn load_bundle(&mut self, means: &mut Means<'_>, mut segments: Segments<'_>) -> Result<(), Ended> {
        let layout = self.layout;
        while let Some(len) = segments.next_len() {
            if !self.train().load(len, layout, |packet| segments.write_next(packet)) {
                self.next_train(means)?;
                if !self.train().load(len, layout, |packet| segments.write_next(packet)) {
                    tracing::debug!(len, "a packet too long for any datagram");
                    break;
                }
            }
        }
        Ok(())
    }

    /// The train being loaded.
    fn train(&mut self) -> &mut Train {
        self.trains[self.loading].get_or_insert_default()
    }

    /// The train being loaded is full: lets it go on, and makes room for the next.
    fn next_train(&mut self, means: &mut Means<'_>) -> Result<(), Ended> {
        if means.crew.is_empty() || self.loading + 1 == TRAINS {
            return self.depart_all(means);
        }
        let mut train = self.trains[self.loading].take().unwrap_or_default();
        train.begin(&mut lock(means.tunnel), means.now);
        if let Some(Work::Seal(mut train)) = means.crew.hand_over(self.loading, Work::Seal(train)) {
            train.crypt();
            self.trains[self.loading] = Some(train);
        }
        self.loading += 1;
        Ok(())
    }

    /// Seals the train being loaded, waits for those with crypt workers, and sends all.
    fn depart_all(&mut self, means: &mut Means<'_>) -> Result<(), Ended> {
        let (now, last) = (means.now, self.loading);
        if last == 0 && self.train().is_empty() {
            return Ok(());
        }
        self.train().seal(&mut lock(means.tunnel), now);
        self.loading = 0;
        while self.trains[..last].iter().any(Option::is_none) {
            match means.crew.take_back() {
                Some((number, Work::Seal(train))) => self.trains[number] = Some(train),
                Some(_) => {}
                None => break,
            }
        }
        let mut outcome = Ok(());
        for train in self.trains[..=last].iter_mut().flatten() {
            train.finish(&mut lock(means.tunnel), now);
            outcome = outcome.and(train.bounces().try_for_each(|packet| write_single(means.device, packet)));
            train.depart_or_fail(means.sockets, &mut self.failures);
        }
        outcome.map_err(|_| Ended::InterfaceDeleted)
    }

    /// Sends what the tunnel itself wants to send. `true`: there may be more.
    pub fn collect(&mut self, tunnel: &mut Tunnel, now: Instant) -> bool {
        self.train().collect(tunnel, now)
    }

    /// The messages of handshakes that [`collect`](Self::collect) took in. Their lengths tell: those of data are multiples
    /// of 16.
    pub fn handshakes(&self) -> impl Iterator<Item = (PeerId, HandshakeStep)> + '_ {
        let collected = self.trains[self.loading].iter().flat_map(|train| train.collected());
        collected.filter_map(|transmit| match transmit.len {
            INITIATION_LEN => Some((transmit.peer, HandshakeStep::Initiation)),
            RESPONSE_LEN => Some((transmit.peer, HandshakeStep::Response)),
            _ => None,
        })
    }

    /// Sends what [`collect`](Self::collect) took in.
    pub fn depart_collected(&mut self, sockets: &Sockets) {
        if let Some(train) = &mut self.trains[self.loading] {
            train.depart_or_fail(sockets, &mut self.failures);
        }
    }
}
