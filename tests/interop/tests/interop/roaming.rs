//! Addresses change while bytes flow.
//!
//! wireguard-go, when it initiates, may repeat a handshake after 5 s though it was answered (see the stories of rekeying):
//! only of Underpass is it asked that moving costs none.
use anyhow::{Result, ensure};
use std::net::IpAddr;
use underpass_interop::scenery::{Pair, inside_left};
use underpass_interop::transfer::Transfer;
use underpass_interop::{Device, Implementation, PATIENCE, Stage, answers, eventually};

/// So much has passed before an address changes, and comes through afterwards.
const PART: u64 = 20 << 20;

/// Changes the address of the machine of `device`, whose other end is reached inside at `other`.
///
/// Whoever moves must speak first, and who downloads has nothing to say. Underpass notices that addresses change and
/// speaks up by itself; wireguard-go clings to the lost address until its socket is bound anew (here by a port change),
/// and then needs a ping.
fn relocate(device: &Device, who: Implementation, old: &str, new: &str, other: &str) -> Result<()> {
    device.machine.ip(&format!("addr del {old}/24 dev eth0"))?;
    device.machine.ip(&format!("addr add {new}/24 dev eth0"))?;
    if who != Implementation::Underpass {
        let port = device.status()?.listen_port;
        device.set(&format!("listen-port {}", if port == 4001 { 4002 } else { 4001 }))?;
        answers(&device.machine, other)?;
    }
    Ok(())
}

fn wait_until_reached_at(device: &Device, address: &str) -> Result<()> {
    let address: IpAddr = address.parse()?;
    eventually(&format!("the peer is reached at {address}"), PATIENCE, || {
        Ok(device.status()?.only_peer()?.endpoint.is_some_and(|endpoint| endpoint.ip() == address))
    })
}

mod of_the_initiator {
    use super::*;
    /// A phone downloads and moves twice; the server follows, the connection inside lives on without a handshake.
    fn story(stage: &Stage, phone: Implementation, server: Implementation) -> Result<()> {
        let pair = Pair::new(stage, phone, server)?;
        pair.ping()?;
        let download = Transfer::start(&pair.wire.right, &pair.wire.left, inside_left(8000))?;
        download.wait_for_more(PART)?;
        let handshake = pair.right.status()?.only_peer()?.latest_handshake;
        relocate(&pair.left, phone, "192.0.2.1", "192.0.2.77", "10.9.0.2")?;
        download.wait_for_more(PART)?;
        wait_until_reached_at(&pair.right, "192.0.2.77")?;
        relocate(&pair.left, phone, "192.0.2.77", "192.0.2.78", "10.9.0.2")?;
        download.wait_for_more(PART)?;
        wait_until_reached_at(&pair.right, "192.0.2.78")?;
        download.finish()?;
        let after = pair.right.status()?.only_peer()?.latest_handshake;
        ensure!(handshake == after || phone != Implementation::Underpass, "moving cost a handshake");
        Ok(())
    }
    crate::for_every_pair!(story);
}

/// A route to the server alone, by another network that the client is on: it speaks up from there at once, and again from the first
/// when the route goes.
#[test]
fn a_more_specific_route_is_taken_up_with_its_address() {
    underpass_interop::play(|stage| {
        let pair = Pair::new(stage, Implementation::Underpass, Implementation::Underpass)?;
        let (left, right) = (&pair.wire.left, &pair.wire.right);
        left.wire("eth1", right, "eth1")?;
        left.ip("addr add 198.51.100.1/24 dev eth1")?;
        right.ip("addr add 198.51.100.2/24 dev eth1")?;
        pair.ping()?;
        wait_until_reached_at(&pair.right, "192.0.2.1")?;
        let handshake = pair.right.status()?.only_peer()?.latest_handshake;
        for _ in 0..3 {
            left.ip("route add 192.0.2.2/32 via 198.51.100.2")?;
            wait_until_reached_at(&pair.right, "198.51.100.1")?;
            left.ip("route del 192.0.2.2/32 via 198.51.100.2")?;
            wait_until_reached_at(&pair.right, "192.0.2.1")?;
        }
        ensure!(handshake == pair.right.status()?.only_peer()?.latest_handshake, "moving cost a handshake");
        Ok(())
    });
}

mod of_the_responder {
    use super::*;
    /// The server moves: its next authenticated datagram tells the client where it is.
    fn story(stage: &Stage, client: Implementation, server: Implementation) -> Result<()> {
        let pair = Pair::new(stage, client, server)?;
        pair.ping()?;
        let download = Transfer::start(&pair.wire.right, &pair.wire.left, inside_left(8000))?;
        download.wait_for_more(PART)?;
        relocate(&pair.right, server, "192.0.2.2", "192.0.2.99", "10.9.0.1")?;
        download.wait_for_more(PART)?;
        wait_until_reached_at(&pair.left, "192.0.2.99")?;
        download.finish()
    }
    crate::for_every_pair!(story);
}

mod between_ip_versions {
    use super::*;
    /// The client is told to use the server's IPv6 address; the server answers over IPv6 from then on, in the same
    /// session. (Nothing else is on its way: a datagram from the old address would rightly turn the client back.)
    fn story(stage: &Stage, client: Implementation, server: Implementation) -> Result<()> {
        let pair = Pair::new(stage, client, server)?;
        pair.ping()?;
        let handshake = pair.left.status()?.only_peer()?.latest_handshake;
        pair.left.set(&format!("peer {} endpoint [2001:db8::2]:51820", pair.right.keys.public))?;
        pair.ping()?;
        wait_until_reached_at(&pair.right, "2001:db8::1")?;
        wait_until_reached_at(&pair.left, "2001:db8::2")?;
        let after = pair.left.status()?.only_peer()?.latest_handshake;
        ensure!(handshake == after || client != Implementation::Underpass, "moving cost a handshake");
        Ok(())
    }
    crate::for_every_pair!(story);
}
