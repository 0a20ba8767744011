//! What a tunnel writes to the log.
use crate::scene::{ALICE, BOB, PATIENCE, Scene, UNDERPASS};
use anyhow::{Context as _, Result, ensure};
use std::os::unix::net::UnixDatagram;
use underpass_linux::demo::stage::eventually;

/// What the system's log got of a tunnel in the background.
fn log_of(socket: &UnixDatagram, wanted: &[&str]) -> Result<String> {
    let mut log = String::new();
    let mut datagram = [0; 4096];
    while !wanted.iter().all(|words| log.contains(words)) {
        let len = socket.recv(&mut datagram).with_context(|| format!("never said in:\n{log}"))?;
        log.push_str(&String::from_utf8_lossy(&datagram[..len]));
        log.push('\n');
    }
    Ok(log)
}

#[test]
fn the_systems_log_has_what_happens() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.directory.path().join("log");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let bob = scene.bob()?;
    let alice = scene.alice("192.0.2.2:7000", "")?;
    let mut command = scene.left.command(UNDERPASS);
    command.args(["up", "--wait", &alice]).env("UNDERPASS_LOG_SOCKET", &path);
    scene.left.start(command)?.wait(PATIENCE)?.success()?;
    let log = log_of(&socket, &["ready", "the interface is up", "peer 1: connected"])?;
    // Bob comes back from elsewhere, and says so by a packet.
    scene.right.run(UNDERPASS, &["set", "wgt1", "listen-port", "7003"])?;
    scene.right.run("ping", &["-c", "1", "-W", "60", "10.9.0.1"])?;
    let log = log + &log_of(&socket, &["peer 1: its endpoint moved"])?;
    scene.underpass(&["down", &alice])?.success()?;
    let log = log + &log_of(&socket, &["ending: the interface was deleted"])?;
    for line in log.lines() {
        let rest = line.strip_prefix("<30>underpass[").with_context(|| format!("no datagram of ours: {line}"))?;
        ensure!(rest.split_once("]: ").is_some_and(|(pid, _)| pid.parse::<u32>().is_ok()), "{line}");
    }
    ensure!(!log.contains("192.0.2."), "an address:\n{log}");
    for key in ALICE.iter().chain(&BOB) {
        ensure!(!log.contains(&key[..8]), "a key:\n{log}");
    }
    scene.right.run(UNDERPASS, &["down", &bob])?;
    Ok(())
}

/// Seven seconds of failing handshakes were one line once.
#[test]
fn at_level_debug_each_handshake_is_a_line() -> Result<()> {
    let scene = Scene::new()?;
    // Nobody answers, and nobody refuses.
    scene.right.nft("table inet t { chain c { type filter hook input priority 0; udp dport 7000 drop; }; }")?;
    let mut command = scene.left.command(UNDERPASS);
    command.args(["-f", "wgt0"]).env("LOG_LEVEL", "debug");
    let running = scene.left.start(command)?;
    let private = scene.file("private", ALICE[0])?;
    eventually("the tunnel answers", PATIENCE, || Ok(scene.underpass(&["show", "wgt0"])?.status.success()))?;
    scene.underpass(&["set", "wgt0", "private-key", &private])?.success()?;
    let peer = ["set", "wgt0", "peer", BOB[1], "endpoint", "192.0.2.2:7000", "persistent-keepalive", "25"];
    scene.underpass(&peer)?.success()?;
    scene.left.ip("link set wgt0 up")?;
    eventually("two handshakes have begun", PATIENCE, || {
        Ok(running.stderr().matches("peer 1: handshake initiation sent").count() >= 2)
    })?;
    scene.right.nft("flush ruleset")?;
    scene.bob()?;
    eventually("the handshake is told of", PATIENCE, || Ok(running.stderr().contains("peer 1: handshake completed")))?;
    eventually("the connection is told of", PATIENCE, || Ok(running.stderr().contains("peer 1: connected")))?;
    let said = running.stderr();
    for key in ALICE.iter().chain(&BOB) {
        ensure!(!said.contains(&key[..8]), "a key:\n{said}");
    }
    Ok(())
}
