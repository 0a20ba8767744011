//! Sessions grow old and peers restart, with traffic flowing.
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;
use underpass_interop::scenery::Pair;
use underpass_interop::{Capture, Datagram};
use underpass_interop::{Device, Implementation, Stage, seconds};

/// Types of messages (paper § 5.4).
const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;

mod after_120_seconds {
    use super::*;
    /// Ten pings a second for 135 s: the initiator, and only the initiator, renews the session when it is 120 s old, and
    /// not one ping is lost.
    fn story(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let pair = Pair::new(stage, initiator, responder)?;
        let capture = Capture::start(&pair.wire.left, 300)?;
        let ping = pair.wire.left.spawn("ping", &["-q", "-i", "0.1", "-c", "1350", "10.9.0.2"])?;
        let report = ping.wait(seconds(180))?.success()?;
        ensure!(report.contains("1350 packets transmitted, 1350 received"), "pings were lost: {report}");

        let left = capture.messages("192.0.2.1".parse()?, INITIATION);
        let right = capture.messages("192.0.2.2".parse()?, INITIATION);
        ensure!(right.is_empty(), "the responder renewed the session {} times", right.len());
        let ages: Vec<_> =
            left.iter().map(|message| message.at.duration_since(left[0].at).unwrap_or_default()).collect();
        // wireguard-go arms its timer after it sends: a response that is faster does not stop it, and 5 s later it
        // initiates again, between two of its own kind as well.
        let is_exact = initiator == Implementation::Underpass && left.len() == 2;
        ensure!(is_exact || initiator != Implementation::Underpass && left.len() >= 2, "initiations after {ages:?}");
        ensure!((seconds(119)..seconds(123)).contains(&ages[1]), "the session was renewed after {:?}", ages[1]);
        let answers = capture.messages("192.0.2.2".parse()?, RESPONSE);
        ensure!(answers.len() == left.len(), "{} responses to {} initiations", answers.len(), left.len());
        ensure_indices_differ(&left, &answers)
    }

    /// Every session has indices of its own on both sides (bytes 4..8: the sender's).
    fn ensure_indices_differ(initiations: &[Datagram], responses: &[Datagram]) -> Result<()> {
        for messages in [initiations, responses] {
            let indices: Vec<_> = messages.iter().map(|message| &message.payload[4..8]).collect();
            ensure!(indices[0] != indices[1], "an index was used twice: {indices:?}");
        }
        Ok(())
    }
    crate::for_every_pair!(story;
        underpass_to_underpass: Underpass, Underpass;
        underpass_to_go_newest: Underpass, GoNewest;
        go_newest_to_underpass: GoNewest, Underpass;
    );
}

mod after_a_restart {
    use super::*;

    /// Ends the daemon of `device` and starts another with the same key on the same machine.
    fn restart(device: Device, implementation: Implementation) -> Result<Device> {
        let (machine, keys) = (device.machine.clone(), device.keys.clone());
        drop(device);
        let mut again = Device::start(&machine, implementation)?;
        again.keys = keys;
        Ok(again)
    }

    fn ping_within(pair: &Pair, patience: Duration) -> Result<()> {
        let count = (patience.as_secs() * 2).to_string();
        let report = pair
            .wire
            .left
            .spawn("ping", &["-q", "-i", "0.5", "-c", &count, "10.9.0.2"])?
            .wait(patience + seconds(15))?;
        // Exit status 0: at least one answer came.
        report.success().map(drop)
    }

    /// The responder forgets everything; the initiator notices that nobody answers (KEEPALIVE_TIMEOUT and
    /// REKEY_TIMEOUT: 15 s) and begins anew.
    fn responder(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let Pair { left, right, wire } = Pair::new(stage, initiator, responder)?;
        wire.left.run("ping", &["-c", "1", "-w", "12", "10.9.0.2"])?;
        let right = restart(right, responder)?;
        right.bring_up(&["10.9.0.2/24"], "ListenPort = 51820", &left.as_peer("10.9.0.1/32"))?;
        ping_within(&Pair { left, right, wire }, seconds(25)).context("25 s after the responder's restart")
    }

    /// The initiator forgets everything; its next initiation is accepted at once, its clock being later.
    fn initiator(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let Pair { left, right, wire } = Pair::new(stage, initiator, responder)?;
        wire.left.run("ping", &["-c", "1", "-w", "12", "10.9.0.2"])?;
        let left = restart(left, initiator)?;
        let peer = right.as_peer("10.9.0.2/32") + "Endpoint = 192.0.2.2:51820\n";
        left.bring_up(&["10.9.0.1/24"], "", &peer)?;
        ping_within(&Pair { left, right, wire }, seconds(8)).context("8 s after the initiator's restart")
    }

    mod of_the_responder {
        crate::for_every_pair!(super::responder);
    }
    mod of_the_initiator {
        crate::for_every_pair!(super::initiator);
    }
}
