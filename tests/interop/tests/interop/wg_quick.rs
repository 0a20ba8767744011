//! `wg-quick` with Underpass in the place of wireguard-go, and `underpass up` in the place of `wg-quick`.
use anyhow::{Context as _, Result, ensure};
use underpass_interop::Implementation::{self, GoNewest, Underpass};
use underpass_interop::scenery::Wire;
use underpass_interop::{Device, Finished, Folder, KeyPair, Machine, PATIENCE, Stage, answers, eventually, play};

/// Runs `wg-quick VERB FILE` on `machine` with `implementation` as its user space implementation.
fn wg_quick(machine: &Machine, implementation: Implementation, verb: &str, file: &str) -> Result<Finished> {
    let mut command = machine.command("wg-quick");
    command.args([verb, file]).env("WG_QUICK_USERSPACE_IMPLEMENTATION", implementation.program()?);
    machine.start(command)?.wait(PATIENCE)
}

/// Addresses, routes, rules and firewall of a machine, to compare before and after.
fn state(machine: &Machine) -> Result<String> {
    let mut state = String::new();
    for line in ["ip -br link", "ip -br addr", "ip rule", "ip -6 rule", "ip route show table all", "nft list ruleset"] {
        let words: Vec<&str> = line.split(' ').collect();
        state += &machine.run(words[0], &words[1..])?;
    }
    Ok(state)
}

/// The state of a machine whose wire is laid: the route of its link-local address, the last that the kernel brings, comes a
/// while after.
fn settled(machine: &Machine) -> Result<String> {
    let is_ready = |line: &str| line.starts_with("local fe80:") && line.contains("dev eth0");
    let routes = ["-6", "route", "show", "table", "all"];
    eventually("the wire is ready", PATIENCE, || Ok(machine.run("ip", &routes)?.lines().any(is_ready)))?;
    state(machine)
}

/// Waits until the machine is as it was.
fn comes_to(machine: &Machine, before: &str) -> Result<()> {
    let mut after = String::new();
    let is_as_before = || {
        after = state(machine)?;
        Ok(after == before)
    };
    let outcome = eventually("the machine is as it was", PATIENCE, is_as_before);
    outcome.with_context(|| format!("something is left:\n{after}\n--- before:\n{before}"))
}

/// A server that answers at 10.9.0.2 and at 203.0.113.1, an address behind it, and a client's file for wg-quick.
fn server(wire: &Wire, folder: &Folder, implementation: Implementation, allowed: &str) -> Result<(Device, String)> {
    let server = Device::start(&wire.right, implementation)?;
    let client = KeyPair::generate(&wire.left)?;
    let peer = format!("[Peer]\nPublicKey = {}\nAllowedIPs = 10.9.0.1/32, fd09::1/128\n", client.public);
    server.bring_up(&["10.9.0.2/24", "fd09::2/64"], "ListenPort = 51820", &peer)?;
    wire.right.ip("addr add 203.0.113.1/32 dev lo")?;
    let file = folder.path("wgq.conf");
    let text = format!(
        "[Interface]\nPrivateKey = {}\nAddress = 10.9.0.1/24, fd09::1/64\nMTU = 1400\n\n{}Endpoint = 192.0.2.2:51820\n",
        client.private,
        server.as_peer(allowed)
    );
    std::fs::write(&file, text)?;
    Ok((server, file))
}

fn up_and_down(stage: &Stage, ours: Implementation, allowed: &str, reach: &[&str]) -> Result<()> {
    let (wire, folder) = (Wire::new(stage)?, Folder::new(&format!("quick-{ours:?}-{}", reach.len()))?);
    let (_server, file) = server(&wire, &folder, GoNewest, allowed)?;
    let before = settled(&wire.left)?;
    wg_quick(&wire.left, ours, "up", &file)?.success()?;
    for address in reach {
        answers(&wire.left, address)?;
    }
    let link = wire.left.run("ip", &["link", "show", "dev", "wgq"])?;
    ensure!(link.contains("mtu 1400"), "the MTU of the file is not set: {link}");
    let program = if ours == Underpass { "underpass" } else { "wireguard-go" };
    ensure!(wire.left.processes()?.len() == 1, "no single {program} after `wg-quick up`: {:?}", wire.left.processes()?);

    let again = wg_quick(&wire.left, ours, "up", &file)?;
    ensure!(!again.status.success() && again.stderr.contains("already exists"), "up twice: {}", again.stderr);
    wg_quick(&wire.left, ours, "save", &file)?.success()?;
    let saved = std::fs::read_to_string(&file)?;
    ensure!(saved.contains("Endpoint = 192.0.2.2:51820") && saved.contains("MTU = 1400"), "saved: {saved}");

    wg_quick(&wire.left, ours, "down", &file)?.success()?;
    eventually("the daemon has ended", PATIENCE, || Ok(wire.left.processes()?.is_empty()))?;
    comes_to(&wire.left, &before)
}

/// Only the tunnel's own network.
fn split(stage: &Stage, ours: Implementation) -> Result<()> {
    up_and_down(stage, ours, "10.9.0.0/24, fd09::/64", &["10.9.0.2", "fd09::2"])
}

/// Everything, with the firewall mark and the policy routes of wg-quick: the datagrams themselves must not enter it.
fn full(stage: &Stage, ours: Implementation) -> Result<()> {
    up_and_down(stage, ours, "0.0.0.0/0, ::/0", &["10.9.0.2", "203.0.113.1", "fd09::2"])
}

#[test]
fn underpass_carries_one_network() {
    play(|stage| split(stage, Underpass));
}

#[test]
fn underpass_carries_everything() {
    play(|stage| full(stage, Underpass));
}

#[test]
fn wireguard_go_carries_one_network() {
    play(|stage| split(stage, GoNewest));
}

#[test]
fn wireguard_go_carries_everything() {
    play(|stage| full(stage, GoNewest));
}

/// `underpass up` and `down` do by themselves what wg-quick does, with the same file, and undo all of it.
fn by_itself(stage: &Stage, allowed: &str, reach: &[&str]) -> Result<()> {
    let (wire, folder) = (Wire::new(stage)?, Folder::new(&format!("up-{}", reach.len()))?);
    let (_server, file) = server(&wire, &folder, GoNewest, allowed)?;
    let program = Underpass.program()?.to_string_lossy().into_owned();
    let before = settled(&wire.left)?;
    wire.left.run(&program, &["up", &file])?;
    for address in reach {
        answers(&wire.left, address)?;
    }
    let shown = wire.left.run("wg", &["show", "wgq"])?;
    ensure!(shown.contains("latest handshake"), "wg does not see it: {shown}");
    wire.left.run(&program, &["down", &file])?;
    eventually("the daemon has ended", PATIENCE, || Ok(wire.left.processes()?.is_empty()))?;
    comes_to(&wire.left, &before)
}

#[test]
fn underpass_up_carries_one_network() {
    play(|stage| by_itself(stage, "10.9.0.0/24, fd09::/64", &["10.9.0.2", "fd09::2"]));
}

#[test]
fn underpass_up_carries_everything() {
    play(|stage| by_itself(stage, "0.0.0.0/0, ::/0", &["10.9.0.2", "203.0.113.1", "fd09::2"]));
}
