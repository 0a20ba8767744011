//! Name servers, with the resolvers that machines really have: whom a program asks before, while and after a tunnel is up.
//!
//! Root is needed, and the programs that `tests/resolvers.sh` unpacks. Each test has an /etc, a /run, a /usr and a bus of its
//! own: nothing of this machine is changed.
mod scene;
mod server;

use anyhow::{Context, Result, ensure};
use scene::{INSIDE, Kind, OUTSIDE, PATIENCE, Scene, UNDERPASS, UPLINK, alias};
use std::fs;
use std::net::IpAddr;
use underpass_linux::demo::stage::{self, eventually};
use underpass_linux::dns::uplink_servers;

/// All names are asked for in the tunnel while it is up, none outside; then all is as it was. `after_death`: who answers when
/// its program was killed.
fn comes_and_goes(kind: Kind, after_death: &str) -> Result<()> {
    let scene = Scene::new(kind)?;
    let path = scene.config("")?;
    let before = scene.file();
    let uplink = [IpAddr::from(UPLINK)];
    ensure!(scene.traveller.inside(uplink_servers) == uplink, "before: {:?}", scene.traveller.inside(uplink_servers));
    for turn in ["first", "second", "killed"] {
        scene.underpass(&["up", &path])?.success()?;
        ensure!(scene.is_told()?, "{turn}: it is not seen");
        let asked = scene.outside.asked();
        for name in ["example", "corp.example", "elsewhere.org"] {
            scene.answers(name, INSIDE)?;
        }
        ensure!(scene.outside.asked() == asked, "{turn}: names were asked for outside");
        let servers = scene.traveller.inside(uplink_servers);
        ensure!(servers == uplink, "{turn}: {servers:?} are the uplink's");
        if turn == "killed" {
            scene.kill_tunnel()?;
            scene.answers("example", after_death)?;
            // What it left behind is taken over, and goes with what took it over.
            scene.underpass(&["up", &path])?.success()?;
            scene.answers("example", INSIDE)?;
        }
        scene.underpass(&["down", &path])?.success()?;
        ensure!(scene.file() == before, "{turn}: it was\n{before}\nand is\n{}", scene.file());
        ensure!(!scene.is_told()?, "{turn}: it is still seen");
        scene.answers("example", OUTSIDE)?;
        scene.is_clean()?;
    }
    Ok(())
}

#[test]
fn a_plain_file_is_replaced_and_comes_back() -> Result<()> {
    comes_and_goes(Kind::Plain, "nobody")
}

#[test]
fn openresolv_is_told() -> Result<()> {
    comes_and_goes(Kind::Openresolv, "nobody")
}

/// It lists the servers of all interfaces; then the file is ours.
#[test]
fn resolvconf_of_debian_is_told() -> Result<()> {
    comes_and_goes(Kind::DebianResolvconf, "nobody")
}

/// What it was told of the interface goes with the interface.
#[test]
fn systemd_resolved_is_told() -> Result<()> {
    comes_and_goes(Kind::Resolved, OUTSIDE)
}

/// A link to its list of all servers leads past it: both have to be told.
#[test]
fn who_reads_past_systemd_resolved_is_told_too() -> Result<()> {
    let scene = Scene::new(Kind::Resolved)?;
    scene.traveller.run("ln", &["-sfn", "/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"])?;
    let path = scene.config("")?;
    let before = scene.file();
    scene.answers("example", OUTSIDE)?;
    scene.underpass(&["up", &path])?.success()?;
    let asked = scene.outside.asked();
    scene.answers("example", INSIDE)?;
    let answer = scene.traveller.run("resolvectl", &["query", "bus.example"])?;
    ensure!(answer.contains(INSIDE) && scene.outside.asked() == asked, "{answer}");
    scene.underpass(&["down", &path])?.success()?;
    // It writes its list a while after.
    let outcome = eventually("the file is as it was", PATIENCE, || Ok(scene.file() == before));
    outcome.with_context(|| format!("it was\n{before}\nand is\n{}", scene.file()))?;
    scene.is_clean()
}

/// A tunnel that does not take everything answers for its own domains where the resolver can tell names apart.
#[test]
fn a_tunnel_for_part_is_asked_for_its_domains() -> Result<()> {
    for (kind, others) in [(Kind::Resolved, OUTSIDE), (Kind::Openresolv, INSIDE), (Kind::Plain, INSIDE)] {
        let scene = Scene::new(kind)?;
        let path = scene.config(", corp.example")?;
        scene.underpass(&["up", &path])?.success()?;
        scene.answers("corp.example", INSIDE)?;
        scene.answers("elsewhere.example", others)?;
        scene.underpass(&["down", &path])?.success()?;
        scene.answers("corp.example", OUTSIDE)?;
    }
    Ok(())
}

/// A link-local server is told with its zone. systemd-resolved takes no other zone than the tunnel's own.
#[test]
fn a_server_may_have_a_zone() -> Result<()> {
    for (kind, zone, is_taken) in [
        (Kind::Plain, "eth0", true),
        (Kind::Openresolv, "eth0", true),
        (Kind::Resolved, "wgt0", true),
        (Kind::Resolved, "eth0", false),
    ] {
        let scene = Scene::new(kind)?;
        let path = scene.config(&format!(", fe80::7%{zone}"))?;
        let before = scene.file();
        let up = scene.underpass(&["up", &path])?;
        ensure!(up.status.success() == is_taken, "{kind:?}, {zone}: {up:?}");
        if is_taken {
            let told = match kind {
                Kind::Resolved => scene.traveller.run("resolvectl", &["dns", "wgt0"])?,
                _ => scene.file(),
            };
            let server = if kind == Kind::Resolved { "fe80::7".into() } else { format!("nameserver fe80::7%{zone}\n") };
            ensure!(told.contains(&server), "{kind:?}, {zone}: {told}");
            scene.answers("example", INSIDE)?;
            scene.underpass(&["down", &path])?.success()?;
        }
        ensure!(scene.file() == before, "{kind:?}, {zone}: it was\n{before}\nand is\n{}", scene.file());
        scene.answers("example", OUTSIDE)?;
        scene.is_clean()?;
    }
    Ok(())
}

/// resolvectl(1) under the name `resolvconf` keeps no records and knows no `tun.`, whatever Debian's resolvconf left in /etc.
#[test]
fn resolvectl_under_another_name_is_no_resolvconf() -> Result<()> {
    for (kind, expected) in [(Kind::Resolved, "resolvectl dns wgt0 10.9.0.2"), (Kind::Plain, "cat > /etc/resolv.conf")]
    {
        let scene = Scene::new(kind)?;
        scene
            .traveller
            .run("sh", &["-ec", "mkdir -p /etc/resolvconf; echo 'tun*' > /etc/resolvconf/interface-order"])?;
        let path = scene.config("")?;
        let mut command = scene.traveller.command(UNDERPASS);
        let search = format!("{}:{}", alias(scene.folder.path())?.display(), stage::search_path().to_string_lossy());
        command.args(["up", "--dry-run", &path]).env("PATH", search);
        let shown = scene.traveller.start(command)?.wait(PATIENCE)?.success()?;
        ensure!(shown.contains(expected) && !shown.contains("tun.") && !shown.contains("resolvconf -a"), "{shown}");
    }
    Ok(())
}

/// As in a container: the file is mounted, and cannot be replaced.
#[test]
fn a_mounted_file_is_overwritten_and_comes_back() -> Result<()> {
    let scene = Scene::new(Kind::Plain)?;
    scene
        .traveller
        .run("sh", &["-ec", "cp /etc/resolv.conf /run/mounted; mount --bind /run/mounted /etc/resolv.conf"])?;
    let (path, before) = (scene.config("")?, scene.file());
    scene.underpass(&["up", &path])?.success()?;
    scene.answers("example", INSIDE)?;
    ensure!(scene.traveller.inside(uplink_servers) == [IpAddr::from(UPLINK)], "the copy is not found");
    scene.underpass(&["down", &path])?.success()?;
    ensure!(scene.file() == before, "{}", scene.file());
    scene.is_clean()
}

/// A DHCP client replaces the file with each lease, or writes into it; an administrator removes it. It names the tunnel's servers
/// again, that is in the log, and what they wrote comes back when the tunnel goes.
#[test]
fn what_somebody_else_writes_is_told_and_put_back() -> Result<()> {
    let scene = Scene::new(Kind::Plain)?;
    let log = scene.folder.path().join("log");
    let lines = std::os::unix::net::UnixDatagram::bind(&log)?;
    lines.set_read_timeout(Some(PATIENCE))?;
    let path = scene.config("")?;
    let mut command = scene.traveller.command(UNDERPASS);
    command.args(["up", &path]).env("UNDERPASS_LOG_SOCKET", &log);
    scene.traveller.start(command)?.wait(PATIENCE)?.success()?;
    let lease = "echo 'nameserver 192.0.2.2 # leased'";
    for how in [
        format!("{lease} > /etc/lease; mv /etc/lease /etc/resolv.conf"),
        format!("{lease} > /etc/resolv.conf"),
        "rm /etc/resolv.conf".into(),
        format!("{lease} > /run/lease; ln -sf /run/lease /etc/resolv.conf"),
    ] {
        scene.traveller.run("sh", &["-ec", &how])?;
        eventually("it is told", PATIENCE, || scene.is_told()).with_context(|| format!("{how}: {}", scene.file()))?;
        scene.answers("example", INSIDE).with_context(|| how.clone())?;
        let mut line = [0; 4096];
        while !String::from_utf8_lossy(&line).contains("it names the tunnel's servers again") {
            line.fill(0);
            lines.recv(&mut line).with_context(|| format!("{how}: nobody was told"))?;
        }
        ensure!(scene.traveller.inside(uplink_servers).is_empty() == how.starts_with("rm"), "{how}");
    }
    scene.underpass(&["down", &path])?.success()?;
    ensure!(scene.file() == "/run/lease\nnameserver 192.0.2.2 # leased\n", "{}", scene.file());
    scene.is_clean()
}

#[test]
fn a_file_that_cannot_be_written_is_a_fault_and_nothing_is_left() -> Result<()> {
    let scene = Scene::new(Kind::Plain)?;
    scene.traveller.run("mount", &["-o", "remount,ro", "/etc"])?;
    let (path, before) = (scene.config("")?, scene.file());
    let refused = scene.underpass(&["up", &path])?;
    let expected = "underpass: cannot replace /etc/resolv.conf: Read-only file system";
    ensure!(refused.status.code() == Some(1) && refused.stderr.starts_with(expected), "{refused:?}");
    ensure!(!scene.traveller.try_run("ip", &["link", "show", "wgt0"])?.status.success(), "the interface is left");
    ensure!(scene.file() == before, "{}", scene.file());
    scene.is_clean()
}

/// The folder is read-only, but the file is a link to where it can be written.
#[test]
fn a_link_out_of_a_read_only_folder_is_written_through() -> Result<()> {
    let scene = Scene::new(Kind::Plain)?;
    let script =
        "cp /etc/resolv.conf /run/resolv.conf; ln -sf /run/resolv.conf /etc/resolv.conf; mount -o remount,ro /etc";
    scene.traveller.run("sh", &["-ec", script])?;
    let (path, before) = (scene.config("")?, scene.file());
    scene.underpass(&["up", &path])?.success()?;
    scene.answers("example", INSIDE)?;
    scene.underpass(&["down", &path])?.success()?;
    ensure!(scene.file() == before, "{}", scene.file());
    scene.is_clean()
}

/// Tests that change /etc would change that of this machine.
#[test]
fn what_a_machine_changes_in_etc_is_its_own() -> Result<()> {
    let machine = stage::Stage::new()?.machine("any")?;
    let before = fs::read("/etc/resolv.conf").ok();
    machine.run(
        "sh",
        &["-ec", "echo changed > /etc/underpass-changed; rm -f /etc/resolv.conf; echo changed > /etc/resolv.conf"],
    )?;
    ensure!(machine.inside(|| fs::read("/etc/resolv.conf"))? == b"changed\n", "the machine does not see it");
    ensure!(fs::read("/etc/resolv.conf").ok() == before, "this machine's file was changed");
    ensure!(!std::path::Path::new("/etc/underpass-changed").exists(), "this machine got a file");
    Ok(())
}

/// Only root may see whom a tunnel asks.
#[test]
fn records_are_roots_alone() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new(Kind::Plain)?;
    let path = scene.config("")?;
    scene.underpass(&["up", &path])?.success()?;
    for (name, mode) in
        [("/run/underpass", 0o700), ("/run/underpass/dns", 0o700), ("/run/underpass/dns/wgt0.json", 0o600)]
    {
        let found = scene.traveller.inside(|| fs::symlink_metadata(name))?.permissions().mode() & 0o7777;
        ensure!(found == mode, "{name}: {found:o}");
    }
    Ok(())
}
