//! The edges of packet size.
use anyhow::{Context as _, Result, ensure};
use underpass_interop::Capture;
use underpass_interop::scenery::{Pair, inside_right};
use underpass_interop::transfer::transfer;
use underpass_interop::{Implementation, Machine, PATIENCE, Stage, eventually};

/// Bytes of an IPv4 header and an ICMP header: a ping of `n` bytes of payload is a packet of `n + 28`.
const PING_OVERHEAD: usize = 28;
/// Bytes that transport data adds: header and tag (paper § 5.4.6).
const TRANSPORT_OVERHEAD: usize = 32;
/// Type of transport data.
const DATA: u8 = 4;

/// Whether a packet of exactly `size` bytes, not to be fragmented, is answered.
fn passes(machine: &Machine, size: usize) -> Result<bool> {
    let payload = (size - PING_OVERHEAD).to_string();
    let ping = machine.try_run("ping", &["-M", "do", "-c", "1", "-W", "2", "-s", &payload, "10.9.0.2"])?;
    Ok(ping.status.success())
}

/// Waits until it is: a daemon hears of another MTU when the kernel tells it.
fn must_pass(machine: &Machine, size: usize) -> Result<()> {
    eventually(&format!("a packet of {size} bytes passes"), PATIENCE, || passes(machine, size))
}

fn set_mtu(pair: &Pair, wire: usize, tunnel: usize) -> Result<()> {
    for machine in [&pair.wire.left, &pair.wire.right] {
        machine.ip(&format!("link set eth0 mtu {wire}"))?;
        machine.ip(&format!("link set wg0 mtu {tunnel}"))?;
    }
    Ok(())
}

/// The largest packet passes, a larger one does not; everything between is padded to 16 bytes but never beyond the MTU;
/// a megabyte still arrives whole.
fn edges(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
    let pair = Pair::new(stage, initiator, responder)?;
    pair.ping()?;
    let left = &pair.wire.left;
    for (wire, tunnel) in [(1500, 1420), (1500, 1280), (1500, 1437), (9100, 9000), (1500, 1420)] {
        set_mtu(&pair, wire, tunnel)?;
        let capture = Capture::start(left, 10_000)?;
        for size in [29, 60, 61, 75, 76, 77, 1279, tunnel - 16, tunnel - 1, tunnel] {
            must_pass(left, size).with_context(|| format!("MTU {tunnel}"))?;
        }
        ensure!(!passes(left, tunnel + 1)?, "MTU {tunnel}: a packet of {} bytes passed", tunnel + 1);
        let sent = capture.messages("192.0.2.1".parse()?, DATA);
        ensure!(sent.len() >= 10, "{} datagrams for ten packets", sent.len());
        for datagram in sent {
            let padded = datagram.payload.len() - TRANSPORT_OVERHEAD;
            ensure!(padded.is_multiple_of(16) || padded == tunnel, "MTU {tunnel}: {padded} bytes inside a datagram");
            ensure!(padded <= tunnel, "MTU {tunnel}: padded to {padded} bytes");
        }
        transfer(left, &pair.wire.right, inside_right(8000), 1 << 20)?;
    }
    Ok(())
}
crate::for_every_pair!(edges;
    underpass_to_underpass: Underpass, Underpass;
    underpass_to_go_newest: Underpass, GoNewest;
    go_newest_to_underpass: GoNewest, Underpass;
    go_debian_to_go_newest: GoDebian, GoNewest;
);

mod wider_than_the_wire {
    use super::*;
    /// A tunnel wider than the wire: the outer datagrams are fragmented, and everything still arrives.
    fn story(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let pair = Pair::new(stage, initiator, responder)?;
        set_mtu(&pair, 1300, 1420)?;
        pair.ping()?;
        must_pass(&pair.wire.left, 1420).context("over a wire of 1300")?;
        transfer(&pair.wire.left, &pair.wire.right, inside_right(8000), 1 << 20).map(drop)
    }
    // The newest wireguard-go is left out as the sender of bulk: its segmentation offload loses what must be fragmented.
    crate::for_every_pair!(story;
        underpass_to_underpass: Underpass, Underpass;
        underpass_to_go_debian: Underpass, GoDebian;
        underpass_to_go_newest: Underpass, GoNewest;
        go_debian_to_underpass: GoDebian, Underpass;
        go_debian_to_go_newest: GoDebian, GoNewest;
    );
}
