//! Both roles, both IP versions outside and inside, with and without a preshared key.
use anyhow::{Result, ensure};
use std::net::IpAddr;
use underpass_interop::Stage;
use underpass_interop::kernel::{First, KernelPair, Outer, Seat, into_guest, out_of_guest, play_with_kernel};
use underpass_interop::keys::preshared_key;
use underpass_interop::status::PeerStatus;

/// What is sent by TCP each way, inside each IP version.
const BYTES: usize = 1 << 20;

/// Whoever is first speaks; then each IP version carries pings and a megabyte each way.
fn first_contact(stage: &Stage, seat: Seat, first: First, outer: Outer, with_key: bool) -> Result<()> {
    let pair = KernelPair::strangers(stage, seat)?;
    let key = if with_key { Some(preshared_key(&pair.ours.machine)?) } else { None };
    pair.introduce(first, outer, key.as_deref())?;
    pair.ping(first)?;
    let (machine, seat) = (&pair.ours.machine, &pair.kernel.seat);
    for (ours, kernel) in [("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")] {
        pair.ping_kernel(kernel)?;
        pair.ping_ours(ours)?;
        into_guest(machine, seat, kernel.parse()?, BYTES)?;
        out_of_guest(machine, seat, ours.parse()?, BYTES)?;
    }
    let (ours, kernel) = (pair.ours.status()?, pair.kernel.status()?);
    ensure_spoken_with(ours.peer(&pair.kernel.keys.public)?, outer.kernel())?;
    ensure_spoken_with(kernel.peer(&pair.ours.keys.public)?, outer.ours())
}

fn ensure_spoken_with(peer: &PeerStatus, address: IpAddr) -> Result<()> {
    ensure!(peer.latest_handshake > 0, "no handshake: {peer:?}");
    let least = 2 * BYTES as u64;
    ensure!(peer.received > least && peer.sent > least, "two megabytes each way are not counted: {peer:?}");
    ensure!(peer.endpoint == Some((address, 51820).into()), "not reached where it is: {peer:?}");
    Ok(())
}

#[test]
fn the_kernel_answers_underpass_over_ipv4() {
    play_with_kernel(|stage, seat| first_contact(stage, seat, First::Underpass, Outer::V4, false));
}

#[test]
fn underpass_answers_the_kernel_over_ipv4() {
    play_with_kernel(|stage, seat| first_contact(stage, seat, First::Kernel, Outer::V4, false));
}

#[test]
fn the_kernel_answers_underpass_over_ipv6_with_a_preshared_key() {
    play_with_kernel(|stage, seat| first_contact(stage, seat, First::Underpass, Outer::V6, true));
}

#[test]
fn underpass_answers_the_kernel_over_ipv6_with_a_preshared_key() {
    play_with_kernel(|stage, seat| first_contact(stage, seat, First::Kernel, Outer::V6, true));
}

/// The control to the stories above: whoever is first is heard and answered, but a preshared key that differs keeps them
/// apart, until it differs no more.
fn apart(stage: &Stage, seat: Seat, first: First) -> Result<()> {
    let pair = KernelPair::strangers(stage, seat)?;
    let machine = &pair.ours.machine;
    let (key, other) = (preshared_key(machine)?, preshared_key(machine)?);
    pair.bring_up_kernel(first, Outer::V4, Some(&key))?;
    pair.bring_up_ours(first, Outer::V4, Some(&other))?;
    let answered = match first {
        First::Underpass => machine.try_run("ping", &["-c", "6", "-W", "6", "10.9.0.2"])?.status.success(),
        First::Kernel => pair.kernel.seat.try_run("ping -c 6 -W 6 10.9.0.1")?.status == 0,
    };
    ensure!(!answered, "an answer came in spite of different preshared keys");
    let (ours, kernel) = (pair.ours.status()?, pair.kernel.status()?);
    let responder = if first == First::Underpass { &kernel } else { &ours };
    ensure!(responder.only_peer()?.received > 0, "nothing arrived, so nothing was refused: {responder:?}");
    let initiator = if first == First::Underpass { &ours } else { &kernel };
    ensure!(initiator.only_peer()?.latest_handshake == 0, "a handshake completed: {initiator:?}");
    pair.kernel.set_preshared_key(&pair.ours.keys.public, &other)?;
    pair.ping(first)
}

#[test]
fn another_preshared_key_keeps_underpass_from_the_kernel() {
    play_with_kernel(|stage, seat| apart(stage, seat, First::Underpass));
}

#[test]
fn another_preshared_key_keeps_the_kernel_from_underpass() {
    play_with_kernel(|stage, seat| apart(stage, seat, First::Kernel));
}
