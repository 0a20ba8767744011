//! The router in C, `bindings/c/examples/router.c`, among real peers: what a vendor builds from the header does what the
//! header promises.
use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use std::time::Duration;
use underpass_interop::keys::preshared_key;
use underpass_interop::scenery::{Wire, inside_left, inside_right};
use underpass_interop::transfer::transfer;
use underpass_interop::{
    Capture, Device, Folder, Implementation, KeyPair, Machine, PATIENCE, Router, Stage, answers, eventually, play,
    seconds,
};

const DOWNLOAD: u64 = 100 << 20;
/// Type of an initiation, and how long its sender waits before the next, but for the clock's grain (paper § 5.4, § 6.1).
const INITIATION: u8 = 1;
const REKEY_TIMEOUT: Duration = Duration::from_millis(4990);

/// The `[Peer]` section by which somebody else knows the router.
fn as_peer(keys: &KeyPair, number: u8, preshared: &str) -> String {
    let key = &keys.public;
    format!(
        "[Peer]\nPublicKey = {key}\nPresharedKey = {preshared}\nAllowedIPs = 10.9.0.{number}/32, fd09::{number}/128\n"
    )
}

/// Both IP versions are pinged, a download and an upload arrive whole, and the statistics say so.
fn carries(router: &Router, other: &Machine, other_is: u8, at_router: SocketAddr, at_other: SocketAddr) -> Result<()> {
    for inside in [format!("10.9.0.{other_is}"), format!("fd09::{other_is}")] {
        answers(&router.machine, &inside)?;
    }
    let rate = transfer(other, &router.machine, at_router, DOWNLOAD)?;
    println!("download: {:.0} Mbit/s", rate * 8.0 / 1e6);
    transfer(&router.machine, other, at_other, DOWNLOAD / 4)?;
    let told = router.statistics()?;
    ensure!(told.handshakes > 0, "no handshake is told: {told:?}");
    ensure!(told.received > DOWNLOAD && told.sent > DOWNLOAD / 4, "what was carried is not told: {told:?}");
    ensure!(told.received < 2 * DOWNLOAD && told.sent < DOWNLOAD, "more is told than was carried: {told:?}");
    Ok(())
}

/// The router knows where the other side is, and speaks first.
fn initiates(stage: &Stage, responder: Implementation) -> Result<()> {
    let wire = Wire::new(stage)?;
    let (keys, shared) = (KeyPair::generate(&wire.left)?, preshared_key(&wire.left)?);
    let right = Device::start(&wire.right, responder)?;
    right.bring_up(&["10.9.0.2/24", "fd09::2/64"], "ListenPort = 51820", &as_peer(&keys, 1, &shared))?;
    let peer = as_peer(&right.keys, 2, &shared) + "Endpoint = 192.0.2.2:51820\n";
    let router = Router::start(&wire.left, &keys, "Address = 10.9.0.1/24, fd09::1/64", &peer)?;
    carries(&router, &wire.right, 2, inside_left(8000), inside_right(8000))?;
    let status = right.status()?;
    ensure!(status.only_peer()?.received > DOWNLOAD / 4, "the other side counted less: {status:?}");
    router.stop()
}

/// The router listens, on IPv6, and learns from the first datagram where the other side is.
fn responds(stage: &Stage, initiator: Implementation) -> Result<()> {
    let wire = Wire::new(stage)?;
    let (keys, shared) = (KeyPair::generate(&wire.right)?, preshared_key(&wire.right)?);
    let left = Device::start(&wire.left, initiator)?;
    let listen = "ListenPort = 51820\nAddress = 10.9.0.2/24, fd09::2/64";
    let router = Router::start(&wire.right, &keys, listen, &as_peer(&left.keys, 1, &shared))?;
    let peer = as_peer(&keys, 2, &shared) + "Endpoint = [2001:db8::2]:51820\n";
    left.bring_up(&["10.9.0.1/24", "fd09::1/64"], "", &peer)?;
    answers(&wire.left, "10.9.0.2")?;
    carries(&router, &wire.left, 1, inside_right(8000), inside_left(8000))?;
    router.stop()
}

#[test]
fn the_c_router_initiates_to_underpass() {
    play(|stage| initiates(stage, Implementation::Underpass));
}

#[test]
fn the_c_router_initiates_to_wireguard_go() {
    play(|stage| initiates(stage, Implementation::GoNewest));
}

#[test]
fn the_c_router_responds_to_underpass() {
    play(|stage| responds(stage, Implementation::Underpass));
}

#[test]
fn the_c_router_responds_to_wireguard_go() {
    play(|stage| responds(stage, Implementation::GoNewest));
}

/// Two routers, and nothing else of ours: what a vendor has on the desk.
#[test]
fn two_c_routers_reach_each_other_by_name() {
    play(|stage| {
        let wire = Wire::new(stage)?;
        let (left, right) = (KeyPair::generate(&wire.left)?, KeyPair::generate(&wire.right)?);
        let shared = preshared_key(&wire.left)?;
        // A name that this machine alone knows.
        let folder = Folder::new("router-names")?;
        std::fs::write(folder.path("hosts"), "192.0.2.2 right.example\n")?;
        std::fs::write(folder.path("nsswitch.conf"), "hosts: files\n")?;
        for file in ["hosts", "nsswitch.conf"] {
            wire.left.run("mount", &["--bind", &folder.path(file), &format!("/etc/{file}")])?;
        }
        let listen = "ListenPort = 51820\nAddress = 10.9.0.2/24, fd09::2/64";
        let second = Router::start(&wire.right, &right, listen, &as_peer(&left, 1, &shared))?;
        let peer = as_peer(&right, 2, &shared) + "Endpoint = right.example:51820\n";
        let capture = Capture::start(&wire.left, 300)?;
        let first = Router::start(&wire.left, &left, "Address = 10.9.0.1/24, fd09::1/64", &peer)?;
        for inside in ["10.9.0.2", "fd09::2"] {
            answers(&wire.left, inside)?;
        }
        // One handshake, unless the machine was so slow that it was begun again.
        let initiations = capture.messages("192.0.2.1".parse()?, INITIATION);
        for (first, next) in initiations.iter().zip(initiations.iter().skip(1)) {
            let waited = next.at.duration_since(first.at)?;
            ensure!(waited >= REKEY_TIMEOUT, "the next handshake was begun after {waited:?}");
        }
        let told = second.statistics()?;
        ensure!(
            (1..=initiations.len() as u64).contains(&told.handshakes),
            "{} initiations: {told:?}",
            initiations.len()
        );
        first.stop()?;
        second.stop()
    });
}

/// Without traffic there is nothing to do: no tick, no timer, no wake-up.
#[test]
fn an_idle_c_router_sleeps() {
    play(|stage| {
        let wire = Wire::new(stage)?;
        // Or the kernel asks for routers on the new interface, now and then: packets, for which the router wakes.
        wire.left.sysctl("net.ipv6.conf.default.disable_ipv6=1")?;
        let (own, other) = (KeyPair::generate(&wire.left)?, KeyPair::generate(&wire.left)?);
        let peer = as_peer(&other, 2, &preshared_key(&wire.left)?) + "Endpoint = 192.0.2.2:51820\n";
        let router = Router::start(&wire.left, &own, "Address = 10.9.0.1/24", &peer)?;
        // What the kernel has to say of new addresses and routes comes to an end, however late.
        let mut last = router.wakings()?;
        eventually("the router sleeps for twelve seconds", PATIENCE, || {
            std::thread::sleep(seconds(12));
            let now = router.wakings()?;
            Ok(std::mem::replace(&mut last, now) == now)
        })?;
        // The count is alive: a question wakes it.
        router.daemon.signal(nix::sys::signal::Signal::SIGUSR1)?;
        eventually("the router wakes", PATIENCE, || Ok(router.wakings()? > last)).context("the control")?;
        Ok(())
    });
}
