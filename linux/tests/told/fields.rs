//! Fields and settings, beside those of `wg`; and what is shown second by second.
use crate::scene::{ALICE, BOB, PATIENCE, PSK, Scene, UNDERPASS};
use anyhow::{Result, ensure};
use underpass_linux::demo::stage::eventually;

/// Byte for byte, and the same of an interface without anything.
#[test]
fn fields_are_those_of_wg() -> Result<()> {
    let scene = Scene::new()?;
    let (private, psk) = (scene.file("private", &format!("{}\n", ALICE[0]))?, scene.file("psk", PSK)?);
    scene.left.run(UNDERPASS, &["wgt0"])?;
    let compare = || -> Result<()> {
        for interface in ["wgt0", "all"] {
            for field in [
                "public-key",
                "private-key",
                "listen-port",
                "fwmark",
                "peers",
                "preshared-keys",
                "endpoints",
                "allowed-ips",
                "latest-handshakes",
                "persistent-keepalive",
                "transfer",
                "dump",
            ] {
                let theirs = scene.left.run("wg", &["show", interface, field])?;
                let ours = scene.underpass(&["show", interface, field])?.success()?;
                if (interface, field) == ("all", "endpoints") {
                    // `wg` says the name once, however many peers there are, and no line ends where there are none.
                    let named = ours.lines().map(|line| line.strip_prefix("wgt0\t").unwrap_or_default());
                    ensure!(
                        named.collect::<Vec<_>>() == theirs["wgt0\t".len()..].lines().collect::<Vec<_>>(),
                        "{ours}"
                    );
                    continue;
                }
                ensure!(ours == theirs, "{interface} {field}:\n{ours}wg:\n{theirs}");
            }
        }
        let theirs = scene.left.run("wg", &["show", "interfaces"])?;
        ensure!(scene.underpass(&["show", "interfaces"])?.stdout == theirs, "{theirs}");
        Ok(())
    };
    compare()?;
    let mut words = vec!["set", "wgt0", "listen-port", "7001", "fwmark", "0xca6c", "private-key", &private];
    words.extend(["peer", BOB[1], "preshared-key", &psk, "endpoint", "192.0.2.2:7000", "persistent-keepalive", "25"]);
    words.extend(["allowed-ips", "10.9.0.2/32,fd09::/64,::ffff:1.2.3.4/128"]);
    words.extend(["peer", ALICE[1], "endpoint", "[fe80::1%wire0]:7"]);
    scene.left.run("wg", &words)?;
    scene.left.ip("link set wgt0 up")?;
    eventually("something was sent", PATIENCE, || {
        Ok(!scene.left.run("wg", &["show", "wgt0", "transfer"])?.contains("\t0\t0\n"))
    })?;
    // What is counted goes on while two programs look: here it must not.
    scene.left.run("wg", &["set", "wgt0", "peer", BOB[1], "persistent-keepalive", "0"])?;
    scene.left.ip("link set wgt0 down")?;
    compare()?;
    for wrong in [&["show", "wgt0", "nonsense"][..], &["show", "wgt0", "dump", "--json"]] {
        ensure!(scene.underpass(wrong)?.status.code() == Some(2), "{wrong:?}");
    }
    ensure!(scene.underpass(&["show", "interfaces", "dump"])?.status.code() == Some(1));
    Ok(())
}

/// The same words, given to both, leave two interfaces in the same state.
#[test]
fn set_does_what_wg_does() -> Result<()> {
    let scene = Scene::new()?;
    let (private, psk) = (scene.file("private", &format!("{}\n", ALICE[0]))?, scene.file("psk", PSK)?);
    for interface in ["wgt0", "wgt1"] {
        scene.left.run(UNDERPASS, &[interface])?;
    }
    let rows = [
        format!("private-key {private} fwmark 0x10"),
        format!("peer {} preshared-key {psk} endpoint 192.0.2.2:7000 allowed-ips 10.0.0.1/8,fd00::1", BOB[1]),
        format!("peer {} persistent-keepalive 25 endpoint [2001:db8::1]:7", BOB[1]),
        format!("peer {} allowed-ips 10.1.0.0/16", BOB[1]),
        format!("peer {} preshared-key /dev/null persistent-keepalive off", BOB[1]),
        format!("fwmark off peer {} allowed-ips 192.0.2.7 peer {} allowed-ips 10.2.0.0/16", ALICE[1], BOB[1]),
        format!("peer {} endpoint [fe80::1%wire0]:9", BOB[1]),
        format!("peer {} remove", BOB[1]),
        "private-key /dev/null".into(),
    ];
    for row in rows {
        let words: Vec<&str> = row.split(' ').collect();
        scene.left.run("wg", &[&["set", "wgt0"], &words[..]].concat())?;
        scene.underpass(&[&["set", "wgt1"], &words[..]].concat())?.success()?;
        let dump = |name: &str| -> Result<String> {
            let dump = scene.left.run("wg", &["show", name, "dump"])?;
            // The ports are the kernel's choice.
            let port = scene.left.run("wg", &["show", name, "listen-port"])?;
            Ok(dump.replacen(port.trim(), "PORT", 1))
        };
        ensure!(dump("wgt0")? == dump("wgt1")?, "{row}:\n{}{}", dump("wgt0")?, dump("wgt1")?);
    }
    for wrong in [
        format!("peer {} allowed-ips 10.0.0.0/33", BOB[1]),
        format!("private-key {}", scene.file("nonsense", "x")?),
        format!("peer {} endpoint 192.0.2.2", BOB[1]),
    ] {
        let words: Vec<&str> = wrong.split(' ').collect();
        for (program, name) in [("wg", "wgt0"), (UNDERPASS, "wgt1")] {
            let refused = scene.left.try_run(program, &[&["set", name], &words[..]].concat())?;
            ensure!(refused.status.code() == Some(1) && !refused.stderr.is_empty(), "{wrong}: {refused:?}");
        }
    }
    let absent = scene.underpass(&["set", "wgt7", "fwmark", "1"])?;
    ensure!(absent.stderr == "underpass: there is no userspace WireGuard interface `wgt7`\n", "{absent:?}");
    Ok(())
}

#[test]
fn watching_goes_on() -> Result<()> {
    let scene = Scene::new()?;
    scene.left.run(UNDERPASS, &["wgt0"])?;
    let running = scene.left.spawn(UNDERPASS, &["status", "--watch"])?;
    eventually("two pictures", PATIENCE, || Ok(running.stdout().matches("wgt0: 0 of 0 peers connected").count() >= 2))?;
    let shown = running.stdout();
    ensure!(shown.contains("received") && shown.contains("0 B/s") && !shown.contains('\x1b'), "{shown}");
    scene.left.ip("link delete wgt0")?;
    eventually("the end is seen", PATIENCE, || Ok(running.stdout().contains("no tunnel is up")))
}

/// On a terminal the picture is drawn in its place.
#[test]
fn a_terminal_sees_one_picture() -> Result<()> {
    let scene = Scene::new()?;
    scene.left.run(UNDERPASS, &["wgt0"])?;
    let command = format!("{UNDERPASS} status --watch");
    let running = scene.left.spawn("script", &["-qefc", &command, "/dev/null"])?;
    eventually("the picture is drawn again", PATIENCE, || Ok(running.stdout().matches("\x1b[3A\x1b[J").count() >= 2))
}
