//! Cookie replies under load, from each side.
use anyhow::{Result, ensure};
use std::net::{IpAddr, Ipv4Addr};
use underpass_interop::Capture;
use underpass_interop::flood::Flood;
use underpass_interop::scenery::{Pair, Wire};
use underpass_interop::{Implementation, Machine, Stage, eventually, seconds};

/// Types of messages (paper § 5.4).
const INITIATION: u8 = 1;
const COOKIE_REPLY: u8 = 3;

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
    let pair = Pair::strangers(Wire::new(stage)?, initiator, responder)?;
    let (crowd, sources) = crowd(stage, &pair.wire.right)?;
    pair.right.bring_up(&["10.9.0.2/24"], "ListenPort = 51820", &pair.left.as_peer("10.9.0.1/32"))?;
    let flood = Flood::start(&crowd, &sources, "203.0.113.1:51820".parse()?, &pair.right.keys.public, 50_000)?;
    eventually("the responder is under load", seconds(20), || Ok(flood.cookie_replies() > 0))?;

    let capture = Capture::start(&pair.wire.left, 300)?;
    let peer = pair.right.as_peer("10.9.0.2/32") + "Endpoint = 192.0.2.2:51820\nPersistentKeepalive = 1\n";
    pair.left.bring_up(&["10.9.0.1/24"], "", "")?;
    let replies = || -> Result<_> { Ok(capture.messages("192.0.2.2".parse()?, COOKIE_REPLY)) };
    for attempt in 1.. {
        pair.left.set_configuration("", &peer)?;
        eventually("a handshake in spite of the flood", seconds(60), || {
            Ok(pair.left.status()?.only_peer()?.latest_handshake > 0)
        })?;
        if !replies()?.is_empty() {
            break;
        }
        // The responder still has a budget for a few without a cookie, and this one was lucky.
        ensure!(attempt < 20, "the initiator got in {attempt} times without a cookie");
        pair.left.set_configuration("", "")?;
    }
    pair.wire.left.run("ping", &["-c", "3", "-i", "0.3", "-w", "20", "10.9.0.2"])?;

    let replies = replies()?;
    ensure!(replies.iter().all(|reply| reply.payload.len() == 64), "a cookie reply has 64 bytes: {replies:?}");
    let initiations = capture.messages("192.0.2.1".parse()?, INITIATION);
    let with_cookie = |payload: &[u8]| payload[132..148].iter().any(|byte| *byte != 0);
    ensure!(!with_cookie(&initiations[0].payload), "the first initiation cannot have a cookie");
    ensure!(initiations.iter().any(|message| with_cookie(&message.payload)), "no initiation had a cookie");
    Ok(())
}
crate::for_every_pair!(under_a_flood);
