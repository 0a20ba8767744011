//! Packets from the interface: read where they are sealed, sealed side by side, and sent as few runs.
use super::PumpError;
use super::shared::Shared;
use super::tun::{NotRead, Tun};
use underpass_carry::train::{Failure, Train};
use underpass_carry::udp::Sockets;
use underpass_core::tunnel::Layout;
use underpass_uniffi::Tunnel;
use underpass_uniffi::logging::{LogLevel, say};

/// Packets in a batch at most.
const MOST: usize = 64;
/// Bytes of the train: it leaves when half of it is used, and then the other half holds the longest packet, however it is padded.
const BYTES: usize = 260 * 1024;
/// Batches in one turn of the loop, before the other side has its.
const BATCHES: usize = 4;

/// What leaves.
pub(crate) struct Outgoing {
    train: Train,
    /// What could not be sent as it was to be, until the tunnel is told.
    pub(crate) failures: Vec<Failure>,
    /// The room that the tunnel's packets need.
    pub(crate) layout: Layout,
}

/// What the ways of packets work with.
pub(crate) struct Means<'m> {
    pub(crate) tunnel: &'m Tunnel,
    pub(crate) tun: &'m Tun,
    pub(crate) sockets: &'m Sockets,
    pub(crate) shared: &'m Shared,
}

impl Outgoing {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { train: Train::of(BYTES, MOST), failures: Vec::new(), layout }
    }

    /// Carries what waits at the interface, up to so many batches. `false`: nothing did.
    ///
    /// # Errors
    /// Why the pump ends.
    pub(crate) fn carry(&mut self, means: &Means<'_>) -> Result<bool, PumpError> {
        let mut any = false;
        for _ in 0..BATCHES {
            let loaded = self.load(means);
            if self.train.packets() > 0 {
                any = true;
                self.seal_and_send(means)?;
            }
            if !loaded? {
                break;
            }
        }
        Ok(any)
    }

    /// Loads a batch. `false`: the interface has no more for now.
    fn load(&mut self, means: &Means<'_>) -> Result<bool, PumpError> {
        let mut bytes = 0;
        let more = loop {
            if self.train.is_full() || self.train.packets() == MOST {
                break Ok(true);
            }
            match self.train.read_in(self.layout, |packet| means.tun.read(packet)) {
                Ok(len) => bytes += len as u64,
                Err(NotRead::Empty) => break Ok(false),
                Err(NotRead::Gone(errno)) => {
                    say(LogLevel::Warn, format_args!("the virtual interface cannot be read: {errno}"));
                    break Err(PumpError::TunGone);
                }
            }
        };
        if bytes > 0 {
            means.shared.count_out(self.train.packets() as u64, bytes);
        }
        more
    }

    fn seal_and_send(&mut self, means: &Means<'_>) -> Result<(), PumpError> {
        let train = &mut self.train;
        means.tunnel.with_core(|core| train.seal(core, means.tunnel.now())).map_err(PumpError::of_tunnel)?;
        for packet in self.train.bounces() {
            if !means.tun.write(packet)? {
                means.shared.count_drops(1);
            }
        }
        self.depart(means);
        Ok(())
    }

    /// Sends what the tunnel itself wants sent, what was not sent being told it first, and does what is due, until there is
    /// nothing left to do. Gives the next deadline.
    ///
    /// # Errors
    /// Why the pump ends.
    pub(crate) fn drain(&mut self, means: &Means<'_>) -> Result<Option<underpass_core::Instant>, PumpError> {
        loop {
            let (train, failures, layout) = (&mut self.train, &mut self.failures, &mut self.layout);
            let (more, deadline) = means
                .tunnel
                .with_core(|core| {
                    let now = means.tunnel.now();
                    failures.drain(..).for_each(|failure| failure.tell(core));
                    if core.poll_timeout().is_some_and(|at| at <= now) {
                        core.handle_timeout(now);
                    }
                    let more = train.collect(core, now);
                    *layout = core.layout();
                    (more, core.poll_timeout())
                })
                .map_err(PumpError::of_tunnel)?;
            self.depart(means);
            if !more && self.failures.is_empty() {
                return Ok(deadline);
            }
        }
    }

    fn depart(&mut self, means: &Means<'_>) {
        let before = self.failures.len();
        self.train.depart_or_fail(means.sockets, &mut self.failures);
        for failure in self.failures.iter().skip(before) {
            if let Some(errno) = failure.errno {
                means.shared.count_drops(1);
                say(LogLevel::Debug, format_args!("not sent to {}: {errno}", failure.path.remote));
            }
        }
    }
}
