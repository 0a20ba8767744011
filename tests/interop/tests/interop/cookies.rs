//! Cookie replies under load, from each side.
use anyhow::{Result, ensure};
use std::net::{IpAddr, Ipv4Addr};
use underpass_interop::flood::{Flood, Pace};
use underpass_interop::scenery::{Pair, Wire};
use underpass_interop::{Capture, Datagram, Device, Implementation, Machine, PATIENCE, Stage, eventually};

/// Types of messages (paper § 5.4).
const INITIATION: u8 = 1;
const COOKIE_REPLY: u8 = 3;
/// Initiations a second: several times the budget of Underpass, which machines of every speed spend.
const STEADY: u32 = 3_000;
/// Initiations at once: several times as many as wireguard-go lets wait before it counts as under load.
const AT_ONCE: u32 = 1_000;

/// A crowd of 500 addresses on a wire of its own to `victim`.
pub(crate) fn crowd(stage: &Stage, victim: &Machine) -> Result<(Machine, Vec<IpAddr>)> {
    let crowd = stage.machine("crowd")?;
    victim.wire("eth1", &crowd, "eth0")?;
    victim.ip("addr add 203.0.113.1/24 dev eth1")?;
    crowd.ip("addr add 203.0.113.2/24 dev eth0")?;
    crowd.ip("route add local 198.18.0.0/15 dev lo")?;
    victim.ip("route add 198.18.0.0/15 via 203.0.113.2")?;
    let sources = (0..500_u16).map(|number| Ipv4Addr::new(198, 18, (number >> 8) as u8, number as u8).into()).collect();
    Ok((crowd, sources))
}

/// The responder drowns in initiations of a crowd. It answers with cookies; the initiator makes mac2 of its cookie,
/// gets in, and data flows while the flood goes on.
fn under_a_flood(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
    let wire = Wire::new(stage)?;
    let left = Device::start(&wire.left, initiator)?;
    let right = Device::start_on_one_processor(&wire.right, responder)?;
    let pair = Pair { left, right, wire };
    let (crowd, sources) = crowd(stage, &pair.wire.right)?;
    pair.right.bring_up(&["10.9.0.2/24"], "ListenPort = 51820", &pair.left.as_peer("10.9.0.1/32"))?;
    let target = "203.0.113.1:51820".parse()?;
    let pace = Pace { rate: STEADY, crowd: AT_ONCE, window: u32::MAX };
    let flood = Flood::start_at(&crowd, &sources, target, &pair.right.keys.public, pace)?;
    eventually("the responder is under load", PATIENCE, || Ok(flood.cookie_replies() > 0))?;

    let capture = Capture::start(&pair.wire.left, 300)?;
    let peer = pair.right.as_peer("10.9.0.2/32") + "Endpoint = 192.0.2.2:51820\nPersistentKeepalive = 1\n";
    pair.left.bring_up(&["10.9.0.1/24"], "", "")?;
    let initiations = || -> Result<_> { Ok(capture.messages("192.0.2.1".parse()?, INITIATION)) };
    let has_cookie = |message: &Datagram| message.payload[132..148].iter().any(|byte| *byte != 0);
    // The responder still has a budget for a few without a cookie: who was lucky tries again.
    eventually("a handshake with a cookie", PATIENCE, || {
        pair.left.set_configuration("", "")?;
        pair.left.set_configuration("", &peer)?;
        eventually("a handshake in spite of the flood", PATIENCE, || {
            Ok(pair.left.status()?.only_peer()?.latest_handshake > 0)
        })?;
        Ok(initiations()?.iter().any(has_cookie))
    })?;
    pair.ping()?;

    let replies = capture.messages("192.0.2.2".parse()?, COOKIE_REPLY);
    ensure!(!replies.is_empty(), "a cookie came from nowhere");
    ensure!(replies.iter().all(|reply| reply.payload.len() == 64), "a cookie reply has 64 bytes: {replies:?}");
    ensure!(!initiations()?.first().is_some_and(has_cookie), "the first initiation cannot have a cookie");
    Ok(())
}
crate::for_every_pair!(under_a_flood);
