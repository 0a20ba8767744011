//! What `wg` takes, `underpass` takes, and the same of it; what `wg` refuses, it refuses: values of `set`, and of files.
use crate::premises::{NAME, PATIENCE, PEER, PRIVATE, UNDERPASS};
use anyhow::{Context, Result, ensure};
use std::fs;
use underpass_core::config::{QuickConfig, parse};
use underpass_linux::cli::check::parse_here;
use underpass_linux::demo::stage::{Finished, Machine, Stage};

/// Words of `set`; PEER is the key of the peer that there is.
const SET: &[&str] = &[
    "listen-port 7001",
    "listen-port +7001",
    "listen-port 007001",
    "listen-port domain",
    "listen-port no-such-service",
    "listen-port -1",
    "listen-port 7001x",
    "listen-port ",
    "fwmark 7",
    "fwmark 0x1F",
    "fwmark 0X1F",
    "fwmark off",
    "fwmark OFF",
    "fwmark 0x",
    "fwmark -1",
    "fwmark 4294967295",
    "fwmark 4294967296",
    "fwmark ",
    "peer PEER endpoint 127.0.0.1:7000",
    "peer PEER endpoint 127.0.0.1:0",
    "peer PEER endpoint 127.1:5",
    "peer PEER endpoint 2130706433:5",
    "peer PEER endpoint 0x7f.1:5",
    "peer PEER endpoint 0177.0.0.01:5",
    "peer PEER endpoint 5:5",
    "peer PEER endpoint 127.0.0.256:5",
    "peer PEER endpoint 1.2.3.4.5:5",
    "peer PEER endpoint 127.0.0.1:domain",
    "peer PEER endpoint 127.1:ntp",
    "peer PEER endpoint localhost:7000",
    "peer PEER endpoint [localhost]:7000",
    "peer PEER endpoint [127.0.0.1]:7000",
    "peer PEER endpoint [::1]:7000",
    "peer PEER endpoint [::1]:https",
    "peer PEER endpoint ::1:7000",
    "peer PEER endpoint [::ffff:127.0.0.1]:7000",
    "peer PEER endpoint [::1]",
    "peer PEER endpoint [::1",
    "peer PEER endpoint [::1]7000",
    "peer PEER endpoint [::1]:",
    "peer PEER endpoint 127.0.0.1",
    "peer PEER endpoint 127.0.0.1:",
    "peer PEER endpoint 127.0.0.1:no-such-service",
    "peer PEER endpoint :7000",
    "peer PEER endpoint ",
    "peer PEER endpoint udp://127.0.0.1:7000",
    "peer PEER persistent-keepalive 25",
    "peer PEER persistent-keepalive 0025",
    "peer PEER persistent-keepalive off",
    "peer PEER persistent-keepalive Off",
    "peer PEER persistent-keepalive 65535",
    "peer PEER persistent-keepalive 65536",
    "peer PEER persistent-keepalive 0x10",
    "peer PEER persistent-keepalive +1",
    "peer PEER persistent-keepalive ",
    "peer PEER allowed-ips 10.0.0.0/8",
    "peer PEER allowed-ips 10.1.2.3/8,fd00::1,::/0",
    "peer PEER allowed-ips 10.0.0.0/008",
    "peer PEER allowed-ips 10.0.0.0/255.0.0.0",
    "peer PEER allowed-ips 10.0.0.0/33",
    "peer PEER allowed-ips 10.0.0.0/",
    "peer PEER allowed-ips 10.0.0.0/+8",
    "peer PEER allowed-ips 10.0.0/8",
    "peer PEER allowed-ips 010.0.0.0/8",
    "peer PEER allowed-ips 10.0.0.0/8,",
    "peer PEER allowed-ips ,",
    "peer PEER allowed-ips ",
    "peer PEER allowed-ips fd00::/129",
    "peer PEER allowed-ips fe80::1%lo/128",
    "peer PEER allowed-ips +10.0.0.0/8",
    "peer PEER allowed-ips -198.51.100.0/24",
    "peer PEER allowed-ips +10.0.0.0/8,-198.51.100.0/24",
    "peer PEER remove",
];

/// Lines of a file, of which those before the bar are the interface's.
const FILE: &[&str] = &[
    "ListenPort = 7001 |",
    "listen port = + 7001 |",
    "ListenPort = domain # by name |",
    "ListenPort = no-such-service |",
    "ListenPort = -1 |",
    "ListenPort = 070 |",
    "FwMark = 010 |",
    "Colour = blue |",
    "FwMark = 0xCA6C |",
    "FwMark = 0XCA6C |",
    "FwMark = 0x |",
    "FwMark = Off |",
    "FwMark = 4294967296 |",
    "[Interface] / FwMark = 7 |",
    "| Endpoint = 127.0.0.1:0",
    "| Endpoint = 127.1:5",
    "| Endpoint = 127 . 1 : 5 # with spaces",
    "| Endpoint = 0x7f000001:5",
    "| Endpoint = 127.0.0.01:5",
    "| Endpoint = 127.0.0.256:5",
    "| Endpoint = 5:5",
    "| Endpoint = 127.0.0.1:domain",
    "| Endpoint = [127.1]:ntp",
    "| Endpoint = [::1]:https",
    "| Endpoint = ::1:https",
    "| Endpoint = [::1]:0",
    "| Endpoint = 127.0.0.1:no-such-service",
    "| Endpoint = 127.0.0.1",
    "| Endpoint = [::1",
    "| Endpoint = [::1]7",
    "| Endpoint = :7",
    "| Endpoint = 192.0.2.2:070",
    "| Endpoint = [fe80::1%lo]:https # there",
    "| Endpoint = (none)",
    "| Endpoint = udp://127.0.0.1:7",
    "| Persistent Keepalive = 0 25",
    "| PersistentKeepalive = OFF",
    "| PersistentKeepalive = 0x10",
    "| AllowedIPs = 10.1.2.3/8, fd 00::1 / 64",
    "| AllowedIPs = 10.0.0.0/255.0.0.0",
    "| AllowedIPs = 10.0.0.0/33",
    "| AllowedIPs = 10.0.0.0/08, ::/0 / AllowedIPs = 192.0.2.7",
    "| AllowedIPs = 10.0.0/8",
    "| AllowedIPs = 010.0.0.0/8",
    "| AllowedIPs = +10.0.0.0/8",
    "| allowedips=10.0.0.0/8 / ALLOWEDIPS=192.0.2.0/24",
    "| PresharedKey =",
    "| PresharedKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "| PresharedKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
];

/// The newest `wg`, from `tests/wireguard_tools.sh`: that of Debian 12 knows no `+` and `-`.
const WG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/wireguard-tools/bin/wg");

struct Scene {
    machine: Machine,
    folder: tempfile::TempDir,
}

impl Scene {
    /// A tunnel without peers.
    fn new() -> Result<Self> {
        ensure!(fs::exists(WG)?, "{WG} is missing: run tests/setup.sh");
        let machine = Stage::new()?.machine("gateway")?;
        machine.run(UNDERPASS, &[NAME])?;
        Ok(Self { machine, folder: tempfile::tempdir()? })
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<Finished> {
        let mut command = self.machine.command(program);
        // Who is not found at once is not asked for again.
        command.args(arguments).env("WG_ENDPOINT_RESOLUTION_RETRIES", "0");
        self.machine.start(command)?.wait(PATIENCE)
    }

    /// Whether `wg setconf` takes the file that `text` is.
    fn takes(&self, text: &str) -> Result<bool> {
        let path = self.file(text)?;
        Ok(self.run(WG, &["setconf", NAME, &path])?.status.success())
    }

    fn file(&self, text: &str) -> Result<String> {
        let path = self.folder.path().join("file");
        fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// What runs; a port that the kernel picked says nothing.
    fn runs(&self, keeps_port: bool) -> Result<String> {
        let text = self.machine.run(WG, &["showconf", NAME])?;
        Ok(text.lines().filter(|line| keeps_port || !line.starts_with("ListenPort")).collect::<Vec<_>>().join("\n"))
    }
}

fn file(interface: &str, peer: &str) -> String {
    let lines = |text: &str| text.split(" / ").map(str::trim).collect::<Vec<_>>().join("\n");
    format!("[Interface]\nPrivateKey = {PRIVATE}\n{}\n[Peer]\nPublicKey = {PEER}\n{}\n", lines(interface), lines(peer))
}

#[test]
fn set_takes_what_wg_set_takes() -> Result<()> {
    let scene = Scene::new()?;
    let first = file("ListenPort = 7007 / FwMark = 9", "AllowedIPs = 198.51.100.0/24 / PersistentKeepalive = 9");
    let mut differences = Vec::new();
    for row in SET {
        let row = row.replace("PEER", PEER);
        let words: Vec<&str> = [&["set", NAME][..], &row.split(' ').collect::<Vec<_>>()].concat();
        let mut outcomes = Vec::new();
        for program in [WG, UNDERPASS] {
            ensure!(scene.takes(&first)?, "the first file");
            let finished = scene.run(program, &words)?;
            outcomes.push((finished.status.success(), scene.runs(true)?, finished.stderr));
        }
        let [theirs, ours] = &outcomes[..] else { continue };
        if (theirs.0, &theirs.1) != (ours.0, &ours.1) {
            differences.push(format!("=== {row}\n{theirs:?}\n{ours:?}"));
        }
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

#[test]
fn files_may_say_what_wg_reads() -> Result<()> {
    let scene = Scene::new()?;
    let mut differences = Vec::new();
    for row in FILE {
        let (interface, peer) = row.rsplit_once('|').context("every row has a bar")?;
        let (text, keeps_port) = (file(interface, peer), row.to_lowercase().contains("listen"));
        ensure!(scene.takes(&file("", "")).context("an empty file")?);
        let theirs = if scene.takes(&text)? { Some(scene.runs(keeps_port)?) } else { None };
        let checked = scene.run(UNDERPASS, &["check", &scene.file(&text)?])?;
        let parsed = parse_here(&text);
        let ours = parsed.config.as_ref();
        let is_same = match (&theirs, ours) {
            (Some(theirs), Some(ours)) => says_the_same(&parse(theirs).config.context("what wg shows")?, ours),
            (None, None) => true,
            _ => false,
        };
        if !is_same || checked.status.success() != ours.is_some() {
            differences.push(format!("=== {row}\n{theirs:?}\n{ours:?}\n{:?}", parsed.diagnostics));
        }
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

/// Whether the tunnels are the same. What is not set and what is set to nothing run alike.
fn says_the_same(one: &QuickConfig, other: &QuickConfig) -> bool {
    let plain = |config: &QuickConfig| {
        let mut peers = config.tunnel.peers.clone();
        for peer in &mut peers {
            peer.preshared_key = peer.preshared_key.take().filter(|key| !key.is_zero());
            peer.allowed_ips.sort();
        }
        (peers, config.fwmark.unwrap_or(0), config.listen_port, config.tunnel.private_key.clone())
    };
    plain(one) == plain(other)
}
