//! Addresses and ports change, and the session lives on.
use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use std::time::Instant;
use underpass_interop::kernel::{First, KernelPair, PATIENCE, into_guest, out_of_guest, play_with_kernel};
use underpass_interop::{eventually, seconds};

/// A session that both sides have.
struct Session {
    pair: KernelPair,
    begun: Instant,
    /// When its handshake was, by the kernel's clock and by ours.
    handshakes: [u64; 2],
}

impl Session {
    fn new(pair: KernelPair, first: First) -> Result<Self> {
        pair.ping(first)?;
        // Until here a handshake may have been repeated.
        let begun = Instant::now();
        let handshakes = handshakes(&pair)?;
        Ok(Self { pair, begun, handshakes })
    }

    fn ensure_kept(&self) -> Result<()> {
        let now = handshakes(&self.pair)?;
        // On a slow machine the session may have grown old meanwhile.
        let is_young = self.begun.elapsed() < seconds(100);
        ensure!(now == self.handshakes || !is_young, "moving cost a handshake: {now:?} after {:?}", self.handshakes);
        Ok(())
    }

    /// Waits until the kernel sends to `endpoint`.
    fn kernel_follows(&self, endpoint: &str) -> Result<()> {
        let endpoint: SocketAddr = endpoint.parse()?;
        eventually(&format!("the kernel reaches us at {endpoint}"), PATIENCE, || {
            Ok(self.pair.kernel.status()?.only_peer()?.endpoint == Some(endpoint))
        })
    }

    /// Waits until we send to `endpoint`.
    fn underpass_follows(&self, endpoint: &str) -> Result<()> {
        let endpoint: SocketAddr = endpoint.parse()?;
        eventually(&format!("we reach the kernel at {endpoint}"), PATIENCE, || {
            Ok(self.pair.ours.status()?.only_peer()?.endpoint == Some(endpoint))
        })
    }

    /// Some data each way.
    fn data(&self) -> Result<()> {
        let (machine, seat) = (&self.pair.ours.machine, &self.pair.kernel.seat);
        into_guest(machine, seat, "10.9.0.2".parse()?, 100_000).context("into the guest after moving")?;
        out_of_guest(machine, seat, "10.9.0.1".parse()?, 100_000).context("out of the guest after moving")
    }
}

fn handshakes(pair: &KernelPair) -> Result<[u64; 2]> {
    Ok([pair.kernel.status()?.only_peer()?.latest_handshake, pair.ours.status()?.only_peer()?.latest_handshake])
}

/// Underpass gets another address and speaks up by itself, then another port.
#[test]
fn the_kernel_follows_underpass_to_another_address_and_port() {
    play_with_kernel(|stage, seat| {
        let session = Session::new(KernelPair::new(stage, seat, First::Underpass)?, First::Underpass)?;
        let ours = &session.pair.ours;
        session.kernel_follows("192.0.2.1:51820")?;
        ours.machine.ip("addr del 192.0.2.1/24 dev eth0")?;
        ours.machine.ip("addr add 192.0.2.77/24 dev eth0")?;
        session.kernel_follows("192.0.2.77:51820")?;
        session.data()?;
        ours.set("listen-port 4001")?;
        session.pair.ping(First::Underpass)?;
        session.kernel_follows("192.0.2.77:4001")?;
        session.data()?;
        session.ensure_kept()
    });
}

/// The kernel gets another address, then another port: its next packet tells us where it is.
#[test]
fn underpass_follows_the_kernel_to_another_address_and_port() {
    play_with_kernel(|stage, seat| {
        let session = Session::new(KernelPair::new(stage, seat, First::Kernel)?, First::Kernel)?;
        let kernel = &session.pair.kernel;
        session.underpass_follows("192.0.2.2:51820")?;
        kernel.seat.ip("addr del 192.0.2.2/24 dev eth0")?;
        kernel.seat.ip("addr add 192.0.2.99/24 dev eth0")?;
        session.pair.ping(First::Kernel)?;
        session.underpass_follows("192.0.2.99:51820")?;
        session.data()?;
        kernel.set("listen-port 4002")?;
        session.pair.ping(First::Kernel)?;
        session.underpass_follows("192.0.2.99:4002")?;
        session.data()?;
        session.ensure_kept()
    });
}

/// One side is told to use the other's IPv6 address, and the other answers over IPv6 from then on; then the other side
/// is told to go back.
#[test]
fn a_session_with_the_kernel_moves_between_ip_versions() {
    play_with_kernel(|stage, seat| {
        let session = Session::new(KernelPair::new(stage, seat, First::Underpass)?, First::Underpass)?;
        let (ours, kernel) = (&session.pair.ours, &session.pair.kernel);
        ours.set(&format!("peer {} endpoint [2001:db8::2]:51820", kernel.keys.public))?;
        session.pair.ping(First::Underpass)?;
        session.kernel_follows("[2001:db8::1]:51820")?;
        session.underpass_follows("[2001:db8::2]:51820")?;
        session.data()?;
        kernel.set(&format!("peer {} endpoint 192.0.2.1:51820", ours.keys.public))?;
        session.pair.ping(First::Kernel)?;
        session.underpass_follows("192.0.2.2:51820")?;
        session.kernel_follows("192.0.2.1:51820")?;
        session.data()?;
        session.ensure_kept()
    });
}
