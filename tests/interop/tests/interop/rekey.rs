//! Sessions grow old and peers restart, with traffic flowing.
use anyhow::{Context as _, Result, ensure};
use std::time::{Duration, SystemTime};
use underpass_interop::scenery::Pair;
use underpass_interop::{Capture, Datagram, Device, Implementation, PATIENCE, Stage, all_answered, seconds};

/// Types of messages (paper § 5.4).
const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;

mod after_120_seconds {
    use super::*;

    /// When the initiator replaces a session (REKEY_AFTER_TIME), and when nobody uses it any more (REJECT_AFTER_TIME).
    const REPLACED: Duration = seconds(120);
    const REJECTED: Duration = seconds(180);
    /// How much sooner a session may be replaced than we, who see its response on the wire, think it is due.
    const GRAIN: Duration = seconds(5);

    /// Ten pings a second until a session was replaced that was 120 s old; not one ping is lost, and the responder begins
    /// no session.
    fn story(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let pair = Pair::new(stage, initiator, responder)?;
        let capture = Capture::start(&pair.wire.left, 300)?;
        let ping = pair.wire.left.spawn("ping", &["-i", "0.1", "-c", "1350", "10.9.0.2"])?;
        let report = ping.wait(REJECTED + PATIENCE)?.success()?;
        all_answered(&report, 1350)?;

        let right = capture.messages("192.0.2.2".parse()?, INITIATION);
        ensure!(right.is_empty(), "the responder renewed the session {} times", right.len());
        let initiations = capture.messages("192.0.2.1".parse()?, INITIATION);
        judge(initiator, &initiations, &capture.messages("192.0.2.2".parse()?, RESPONSE))
    }

    /// Whether the initiator replaced a session when it was due, and, if it is ours, no other one. What counts is how old
    /// the session is, which begins with its response.
    ///
    /// wireguard-go arms its timer after it sends: a response that is faster does not stop it, and 5 s later it initiates
    /// again, between two of its own kind as well. So it may have begun any number of sessions before.
    fn judge(initiator: Implementation, initiations: &[Datagram], responses: &[Datagram]) -> Result<()> {
        let mut replaced = 0;
        for initiation in initiations {
            let Some(current) = responses.iter().rfind(|response| response.at < initiation.at) else { continue };
            let age = initiation.at.duration_since(current.at)?;
            if (REPLACED - GRAIN..REJECTED).contains(&age) {
                // A response names the initiation by its sender's index.
                let is_answer = |response: &Datagram| response.payload[8..12] == initiation.payload[4..8];
                ensure!(responses.iter().any(is_answer), "no response after {age:?}");
                replaced += 1;
            } else {
                ensure!(initiator != Implementation::Underpass, "a session was replaced after {age:?}");
            }
        }
        ensure!(replaced > 0, "no session was replaced when it was due: {initiations:?}");
        for messages in [initiations, responses] {
            ensure_indices_differ(messages)?;
        }
        Ok(())
    }

    /// Every session has indices of its own on both sides (bytes 4..8: the sender's).
    fn ensure_indices_differ(messages: &[Datagram]) -> Result<()> {
        let mut indices: Vec<_> = messages.iter().map(|message| &message.payload[4..8]).collect();
        indices.sort_unstable();
        let count = indices.len();
        indices.dedup();
        ensure!(indices.len() == count, "an index was used twice: {indices:?}");
        Ok(())
    }
    crate::for_every_pair!(story;
        underpass_to_underpass: Underpass, Underpass;
        underpass_to_go_newest: Underpass, GoNewest;
        go_newest_to_underpass: GoNewest, Underpass;
    );

    /// The verdict itself, on records of initiations: milliseconds when each left, and when it was answered.
    #[test]
    fn what_counts_is_the_age_of_the_session() {
        use Implementation::{GoNewest, Underpass};
        type Record = &'static [(u64, Option<u64>)];
        let table: &[(u32, Implementation, Record, bool)] = &[
            (1, Underpass, &[(0, Some(1)), (120_010, Some(120_011))], true),
            (2, GoNewest, &[(0, Some(1)), (120_010, Some(120_011))], true),
            // The late timer of wireguard-go: the session that is replaced began at 5 s, or the renewal is repeated too.
            (3, GoNewest, &[(0, Some(1)), (5_200, Some(5_201)), (125_210, Some(125_211))], true),
            (4, GoNewest, &[(0, Some(1)), (120_010, Some(120_011)), (125_200, Some(125_201))], true),
            (5, Underpass, &[(0, Some(1)), (5_200, Some(5_201)), (125_210, Some(125_211))], false),
            (6, GoNewest, &[(0, Some(1)), (5_200, Some(5_201))], false),
            // A machine so slow that the first initiation is repeated before there is a session.
            (7, Underpass, &[(0, None), (5_100, Some(5_900)), (125_950, Some(125_999))], true),
            (8, Underpass, &[(0, Some(1))], false),
            (9, Underpass, &[(0, Some(1)), (100_000, Some(100_001))], false),
            (10, Underpass, &[(0, Some(1)), (120_010, None)], false),
            (11, GoNewest, &[(0, Some(1)), (185_000, Some(185_001))], false),
            (12, GoNewest, &[], false),
        ];
        for (number, initiator, record, expected) in table {
            let (mut initiations, mut responses) = (Vec::new(), Vec::new());
            for (index, (sent, answered)) in (1..).zip(*record) {
                initiations.push(message(*sent, [INITIATION, index, 0]));
                responses.extend(answered.map(|at| message(at, [RESPONSE, 100 + index, index])));
            }
            let verdict = judge(*initiator, &initiations, &responses);
            assert_eq!(verdict.is_ok(), *expected, "case {number}: {verdict:?}");
        }
    }

    /// A message by its type and the first bytes of its indices: the sender's, the receiver's.
    fn message(milliseconds: u64, [kind, sender, receiver]: [u8; 3]) -> Datagram {
        let nobody = "0.0.0.0:0".parse().expect("an address");
        Datagram {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds),
            source: nobody,
            destination: nobody,
            payload: vec![kind, 0, 0, 0, sender, 0, 0, 0, receiver, 0, 0, 0],
        }
    }
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

    /// The responder forgets everything; the initiator notices that nobody answers (KEEPALIVE_TIMEOUT and
    /// REKEY_TIMEOUT: 15 s) and begins anew, long before its session would be too old.
    fn responder(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let pair = Pair::new(stage, initiator, responder)?;
        pair.ping()?;
        let Pair { left, right, wire } = pair;
        let right = restart(right, responder)?;
        right.bring_up(&["10.9.0.2/24"], "ListenPort = 51820", &left.as_peer("10.9.0.1/32"))?;
        Pair { left, right, wire }.ping().context("after the responder's restart")
    }

    /// The initiator forgets everything; its next initiation is answered, its clock being later.
    fn initiator(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<()> {
        let pair = Pair::new(stage, initiator, responder)?;
        pair.ping()?;
        let Pair { left, right, wire } = pair;
        let left = restart(left, initiator)?;
        let capture = Capture::start(&wire.left, 300)?;
        let peer = right.as_peer("10.9.0.2/32") + "Endpoint = 192.0.2.2:51820\n";
        left.bring_up(&["10.9.0.1/24"], "", &peer)?;
        Pair { left, right, wire }.ping().context("after the initiator's restart")?;
        let initiations = capture.messages("192.0.2.1".parse()?, INITIATION);
        let responses = capture.messages("192.0.2.2".parse()?, RESPONSE);
        let first = initiations.first().context("no initiation")?;
        let is_answered = responses.iter().any(|response| response.payload[8..12] == first.payload[4..8]);
        ensure!(is_answered, "the first of {} initiations was not answered", initiations.len());
        Ok(())
    }

    mod of_the_responder {
        crate::for_every_pair!(super::responder);
    }
    mod of_the_initiator {
        crate::for_every_pair!(super::initiator);
    }
}
