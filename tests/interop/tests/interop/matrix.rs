//! Both IP versions outside and inside, both roles, with and without a preshared key.
use anyhow::{Result, ensure};
use std::net::SocketAddr;
use underpass_interop::keys::preshared_key;
use underpass_interop::scenery::{Pair, Wire};
use underpass_interop::transfer::transfer;
use underpass_interop::{Implementation, Stage, answers};

/// The left side speaks first; then each IP version carries pings and a megabyte each way.
fn first_contact(pair: &Pair, endpoint: &str) -> Result<()> {
    for inner in ["10.9.0.2", "fd09::2"] {
        answers(&pair.wire.left, inner)?;
    }
    let (left, right) = (&pair.wire.left, &pair.wire.right);
    for (from, to, inner) in
        [(left, right, "10.9.0.2"), (left, right, "fd09::2"), (right, left, "10.9.0.1"), (right, left, "fd09::1")]
    {
        transfer(from, to, SocketAddr::new(inner.parse()?, 8000), 1 << 20)?;
    }
    for (device, other) in [(&pair.left, &pair.right), (&pair.right, &pair.left)] {
        let status = device.status()?;
        let peer = status.only_peer()?;
        ensure!(peer.public_key == other.keys.public && peer.latest_handshake > 0, "no handshake: {peer:?}");
        ensure!(peer.received > 2 << 20 && peer.sent > 2 << 20, "two megabytes each way are not counted: {peer:?}");
        ensure!(peer.endpoint.is_some(), "the endpoint was not learned: {peer:?}");
    }
    let status = pair.left.status()?;
    ensure!(status.only_peer()?.endpoint == Some(endpoint.parse()?), "the endpoint changed: {status:?}");
    Ok(())
}

mod over_ipv4 {
    use super::*;
    fn story(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let pair = Pair::strangers(Wire::new(stage)?, initiator, responder)?;
        pair.introduce("192.0.2.2:51820", None)?;
        first_contact(&pair, "192.0.2.2:51820")
    }
    crate::for_every_pair!(story);
}

mod over_ipv6_with_a_preshared_key {
    use super::*;
    fn story(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let pair = Pair::strangers(Wire::new(stage)?, initiator, responder)?;
        pair.introduce("[2001:db8::2]:51820", Some(&preshared_key(&pair.wire.left)?))?;
        first_contact(&pair, "[2001:db8::2]:51820")
    }
    crate::for_every_pair!(story);
}

mod with_different_preshared_keys {
    use super::*;
    /// The control to the stories above: a preshared key that differs really keeps the peers apart.
    fn story(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let pair = Pair::strangers(Wire::new(stage)?, initiator, responder)?;
        pair.introduce("192.0.2.2:51820", Some(&preshared_key(&pair.wire.left)?))?;
        let other = preshared_key(&pair.wire.right)?;
        let peer = pair.left.as_peer("10.9.0.1/32") + &format!("PresharedKey = {other}\n");
        pair.right.set_configuration("ListenPort = 51820", &peer)?;
        let ping = pair.wire.left.try_run("ping", &["-c", "1", "-W", "3", "10.9.0.2"])?;
        ensure!(!ping.status.success(), "an answer came in spite of different preshared keys: {}", ping.stdout);
        let status = pair.left.status()?;
        ensure!(status.only_peer()?.latest_handshake == 0, "a handshake completed: {status:?}");
        Ok(())
    }
    crate::for_every_pair!(story);
}
