//! What the outer header tells of the inner one: congestion marks both ways (RFC 6040, normal mode), nothing else.
use anyhow::{Context as _, Result, ensure};
use underpass_interop::Implementation::Underpass;
use underpass_interop::scenery::Pair;
use underpass_interop::{Capture, Frame, Machine, play};

/// Type of transport data (paper § 5.4.6), at this place of a frame: behind Ethernet, IPv4 and UDP.
const DATA: u8 = 4;
const PAYLOAD: usize = 14 + 20 + 8;
/// Where an IPv4 frame has its type of service: DSCP and ECN (RFC 2474, RFC 3168).
const TOS: usize = 14 + 1;

/// The type of service of every transport datagram of `frames` that is longer than a keepalive.
fn outer(frames: &[Frame]) -> Vec<u8> {
    let is_data = |frame: &&Frame| frame.bytes.get(PAYLOAD) == Some(&DATA) && frame.bytes.len() > PAYLOAD + 32;
    frames.iter().filter(is_data).filter_map(|frame| frame.bytes.get(TOS).copied()).collect()
}

/// One ping to the right with this type of service; the answer may take `patience` seconds.
fn ping(machine: &Machine, tos: u8, patience: &str) -> Result<()> {
    machine.run("ping", &["-c", "1", "-W", patience, "-Q", &tos.to_string(), "10.9.0.2"]).map(drop)
}

#[test]
fn the_congestion_bits_are_copied_out_and_the_class_is_not() {
    play(|stage| {
        let pair = Pair::new(stage, Underpass, Underpass)?;
        pair.ping()?;
        // Expedited forwarding (DSCP 46), with each of the four congestion codepoints.
        for congestion in 0..4 {
            let capture = Capture::start(&pair.wire.left, 300)?;
            ping(&pair.wire.left, 46 << 2 | congestion, "60")?;
            let seen = outer(&capture.frames());
            ensure!(!seen.is_empty(), "nothing was captured");
            ensure!(seen[0] == congestion, "inner ECN {congestion}: the outer type of service is {:#04x}", seen[0]);
        }
        Ok(())
    });
}

/// How many packets came out of the tunnel with the mark "congestion experienced".
fn marked_inside(machine: &Machine) -> Result<u64> {
    let rules = machine.run("nft", &["list", "table", "ip", "inside"])?;
    let count = rules.split_once("packets ").and_then(|(_, rest)| rest.split(' ').next()).context("no counter")?;
    Ok(count.parse()?)
}

#[test]
fn congestion_on_the_way_is_told_to_packets_that_understand_it() {
    play(|stage| {
        let pair = Pair::new(stage, Underpass, Underpass)?;
        pair.ping()?;
        let right = &pair.wire.right;
        right.nft(
            "table netdev congested {
                chain ingress {
                    type filter hook ingress device eth0 priority 0; policy accept;
                    ip protocol udp ip ecn set ce
                }
            }
            table ip inside {
                chain input {
                    type filter hook input priority 0; policy accept;
                    iifname wg0 ip ecn ce counter
                }
            }",
        )?;
        let before = marked_inside(right)?;
        ping(&pair.wire.left, 2, "60")?;
        ensure!(marked_inside(right)? == before + 1, "an ECN-capable packet did not learn of congestion");
        // A packet that does not understand is dropped (RFC 6040 § 4.2): its sender shall notice.
        let deaf = ping(&pair.wire.left, 0, "3");
        ensure!(deaf.is_err(), "a packet that cannot be told of congestion was delivered");
        Ok(())
    });
}
