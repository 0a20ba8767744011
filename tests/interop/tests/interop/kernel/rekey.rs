//! Sessions grow old with traffic flowing.
use anyhow::{Context as _, Result, ensure};
use std::net::IpAddr;
use underpass_interop::kernel::{First, KernelPair, Outer, PATIENCE, Seat, play_with_kernel};
use underpass_interop::{Capture, Datagram, Stage, all_answered, eventually, seconds};

/// Types of messages (paper § 5.4).
const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;
/// How many pings, one each half second: more than the session lives.
const PINGS: u64 = 270;

/// Pings for 135 s: the initiator, and only the initiator, renews the session when it is 120 s old, with new indices, and
/// not one ping is lost.
fn renewed_by_age(stage: &Stage, seat: Seat, first: First) -> Result<()> {
    let pair = KernelPair::strangers(stage, seat)?;
    let capture = Capture::start(&pair.ours.machine, 300)?;
    pair.introduce(first, Outer::V4, None)?;
    pair.ping(first)?;
    let (initiator, responder) = match first {
        First::Underpass => (Outer::V4.ours(), Outer::V4.kernel()),
        First::Kernel => (Outer::V4.kernel(), Outer::V4.ours()),
    };
    let begun = last(&capture, initiator, INITIATION)?;
    let answered = last(&capture, responder, RESPONSE)?;
    let handshake = pair.kernel.status()?.only_peer()?.latest_handshake;

    let count = PINGS.to_string();
    let ping = pair.ours.machine.spawn("ping", &["-i", "0.5", "-c", &count, "10.9.0.2"])?;
    let report = ping.wait(seconds(PINGS / 2) + PATIENCE)?.success()?;
    all_answered(&report, u32::try_from(PINGS)?)?;

    let renewals = after(&begun, capture.messages(initiator, INITIATION));
    let first_age = renewals.first().context("the session was not renewed")?.at.duration_since(begun.at)?;
    ensure!(first_age >= seconds(119), "the session was renewed after {first_age:?}");
    let others = after(&begun, capture.messages(responder, INITIATION));
    ensure!(others.is_empty(), "the responder renewed the session {} times", others.len());
    ensure_indices_differ(&begun, &renewals[0])?;
    ensure_indices_differ(&answered, &last(&capture, responder, RESPONSE)?)?;
    eventually("the kernel counts a later handshake", PATIENCE, || {
        Ok(pair.kernel.status()?.only_peer()?.latest_handshake > handshake)
    })
}

fn last(capture: &Capture, source: IpAddr, message_type: u8) -> Result<Datagram> {
    capture.messages(source, message_type).pop().with_context(|| format!("{source} sent no message {message_type}"))
}

fn after(begun: &Datagram, mut messages: Vec<Datagram>) -> Vec<Datagram> {
    messages.retain(|message| message.at > begun.at);
    messages
}

/// Every session has indices of its own on both sides (bytes 4..8: the sender's).
fn ensure_indices_differ(old: &Datagram, new: &Datagram) -> Result<()> {
    ensure!(old.payload[4..8] != new.payload[4..8], "an index was used twice: {:?}", &new.payload[4..8]);
    Ok(())
}

#[test]
fn the_kernel_follows_when_underpass_renews_after_120_seconds() {
    play_with_kernel(|stage, seat| renewed_by_age(stage, seat, First::Underpass));
}

#[test]
fn underpass_follows_when_the_kernel_renews_after_120_seconds() {
    play_with_kernel(|stage, seat| renewed_by_age(stage, seat, First::Kernel));
}
