//! `up` waits for peers, and says why they do not answer.
use crate::scene::{ALICE, BOB, PATIENCE, Scene, UNDERPASS};
use anyhow::{Context as _, Result, ensure};
use nix::mount::{MsFlags, mount};
use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[test]
fn up_waits_until_the_peer_has_answered() -> Result<()> {
    let scene = Scene::new()?;
    scene.bob()?;
    let path = scene.alice("192.0.2.2:7000", "")?;
    let up = scene.underpass(&["up", "--wait", &path])?;
    ensure!(up.status.success() && up.stderr.starts_with("connected in ") && up.stderr.ends_with(" ms\n"), "{up:?}");
    let status = scene.underpass(&["status"])?.success()?;
    let lines: Vec<Vec<&str>> = status.lines().map(|line| line.split_whitespace().collect()).collect();
    ensure!(lines.len() == 2 && lines[1][..3] == ["wgt0", "connected", "1/1"], "{status}");
    ensure!(lines[1].last() == Some(&"192.0.2.2:7000"), "{status}");
    scene.left.ip("link set wgt0 down")?;
    ensure!(scene.underpass(&["status", "wgt0"])?.success()?.contains("interface is down"));
    ensure!(scene.underpass(&["status", "wgt7"])?.status.code() == Some(1));
    Ok(())
}

/// On a terminal it waits unless it is told not to; elsewhere it does not.
#[test]
fn a_terminal_is_where_up_waits() -> Result<()> {
    let scene = Scene::new()?;
    scene.bob()?;
    let path = scene.alice("192.0.2.2:7000", "")?;
    let on_terminal = |option: &str| -> Result<String> {
        let command = format!("{UNDERPASS} up {option} {path}");
        let said = scene.left.run("script", &["-qefc", &command, "/dev/null"])?;
        scene.underpass(&["down", &path])?.success()?;
        Ok(said)
    };
    let said = on_terminal("")?;
    ensure!(said.contains("waiting for an answer") && said.contains("\x1b[Kconnected in "), "{said:?}");
    let said = on_terminal("--no-wait")?;
    ensure!(said.contains("[#] ") && !said.contains("waiting") && !said.contains("connected"), "{said:?}");
    let up = scene.underpass(&["up", &path])?;
    ensure!(up.status.success() && up.stderr.is_empty(), "{up:?}");
    Ok(())
}

/// Each way not to be answered has its own words; the tunnel stays, and the status is 0.
#[test]
fn up_says_why_nobody_answers() -> Result<()> {
    let scene = Scene::new()?;
    scene.left.nft("table inet t { chain c { type filter hook output priority 0; udp dport 7009 drop; }; }")?;
    let rows = [
        ("192.0.2.2:7000", "refused: nobody listens at 192.0.2.2:7000"),
        ("198.51.100.1:7000", "no route to 198.51.100.1:7000"),
        ("192.0.2.2:7009", "refused locally: a firewall of this machine does not let UDP to 192.0.2.2:7009 out"),
        ("nobody.invalid:7000", "name not found: `nobody.invalid:7000` has no address yet"),
    ];
    for (endpoint, expected) in rows {
        let path = scene.alice(endpoint, "")?;
        let up = scene.underpass(&["up", "--wait", &path])?;
        ensure!(up.status.success() && up.stderr.starts_with(expected), "{endpoint}: {up:?}");
        ensure!(up.stderr.ends_with("`underpass doctor wgt0` looks closer.\n"), "{up:?}");
        scene.underpass(&["down", &path])?.success()?;
    }
    // Bob listens, and knows another key.
    scene.bob()?;
    let path = scene.alice("192.0.2.2:7000", "")?.replace("wgt0", "wgt2");
    let text = fs::read_to_string(scene.directory.path().join("wgt0.conf"))?;
    scene.file("wgt2.conf", &text.replace(ALICE[0], BOB[0]).replace(BOB[1], ALICE[1]))?;
    let up = scene.underpass(&["up", "--wait", &path])?;
    ensure!(up.status.success() && up.stderr.starts_with("no answer from 192.0.2.2:7000 within 5 s"), "{up:?}");
    for cause in ["  key ", "  endpoint ", "  clock ", "  firewall "] {
        ensure!(up.stderr.contains(cause), "{up:?}");
    }
    Ok(())
}

/// Several names that no server answers for take as long as one: all are asked for before the first is given up.
#[test]
fn names_are_looked_up_together() -> Result<()> {
    let scene = Scene::new()?;
    let resolv = scene.file("resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:30\n")?;
    fs::set_permissions(&resolv, fs::Permissions::from_mode(0o644))?;
    scene.left.inside(|| {
        let nothing: Option<&str> = None;
        mount(Some(resolv.as_str()), "/etc/resolv.conf", nothing, MsFlags::MS_BIND, nothing)
    })?;
    let server = scene.left.inside(|| UdpSocket::bind("127.0.0.1:53"))?;
    // The resolver gives a name up after 30 s.
    server.set_read_timeout(Some(Duration::from_secs(25)))?;
    let mut text = fs::read_to_string(scene.alice("one.invalid:7", "")?)?.replace("MTU = 1380\n", "");
    for (number, name) in [(1, "two"), (2, "three")] {
        let key = ["uFmW/sycfx/G0lcqdu2hHVm80gvo5UOxXOS9hajnWjM=", ALICE[1]][number - 1];
        text.push_str(&format!("[Peer]\nPublicKey = {key}\nEndpoint = {name}.invalid:7\n"));
    }
    let path = scene.file("wgt0.conf", &text)?;
    let running = scene.left.spawn(UNDERPASS, &["up", "-n", &path])?;
    let mut seen = BTreeSet::new();
    let mut query = [0; 512];
    while seen.len() < 3 {
        let len = server.recv(&mut query).context("a name is not asked for while the others are")?;
        for name in ["one", "two", "three"] {
            let label = [&[name.len() as u8][..], name.as_bytes(), b"\x07invalid"].concat();
            if query[..len].windows(label.len()).any(|part| part == label) {
                seen.insert(name);
            }
        }
    }
    let finished = running.wait(PATIENCE)?;
    ensure!(finished.stdout.contains("link set mtu 1420"), "{finished:?}");
    Ok(())
}
