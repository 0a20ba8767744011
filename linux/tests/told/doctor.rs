//! The doctor, and what may be wrong with a tunnel.
use crate::scene::{ALICE, Scene, UNDERPASS};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::fs;

/// A verdict, and what is said of it.
type Verdict = (String, String);

/// The verdicts of a doctor's visit, by check.
fn visit(scene: &Scene, what: &str) -> Result<(i32, BTreeMap<String, Verdict>)> {
    let finished = scene.underpass(&["doctor", what, "--json"])?;
    let json: serde_json::Value = serde_json::from_str(&finished.stdout).with_context(|| format!("{finished:?}"))?;
    for one in json["machine"].as_array().context("checks")? {
        ensure!(one["verdict"] == "good", "{one}");
    }
    let checks = json["tunnels"][0]["checks"].as_array().context("checks")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let verdicts =
        checks.iter().map(|one| (text(&one["check"]), (text(&one["verdict"]), text(&one["text"])))).collect();
    ensure!(!finished.stdout.contains(&ALICE[0][..8]), "a key: {}", finished.stdout);
    Ok((finished.status.code().context("exits")?, verdicts))
}

#[test]
fn the_doctor_finds_what_is_wrong() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.alice("192.0.2.2:7000", "")?;
    let (code, found) = visit(&scene, &path)?;
    ensure!(code == 1 && found["interface"] == ("fault".into(), "the tunnel is not up".into()), "{found:?}");
    ensure!(found["file"].0 == "good" && found["key"].0 == "good", "{found:?}");

    let bob = scene.bob()?;
    scene.underpass(&["up", "--wait", &path])?.success()?;
    let (code, found) = visit(&scene, &path)?;
    ensure!(code == 0 && found.values().all(|(verdict, _)| verdict == "good"), "{found:?}");
    let text = scene.underpass(&["doctor", &path])?.success()?;
    ensure!(
        text.starts_with("this machine\n  ✓ root ")
            && text.contains("\n\nwgt0\n  ✓ file ")
            && text.contains("✓ handshake  1 of 1 peers connected\n"),
        "{text}"
    );

    let ills = [
        ("ip", "route del 10.9.0.0/24 dev wgt0", "route", "there is no route to 10.9.0.0/24"),
        ("ip", "link set wgt0 down", "interface", "the interface is down"),
        ("ip", "address del 10.9.0.1/24 dev wgt0", "interface", "it lacks its address 10.9.0.1/24"),
        (
            "ip",
            "link set wire0 mtu 1400",
            "mtu",
            "packets of 1380 bytes are too long: the path takes 1400 bytes, and 1440 are needed",
        ),
        ("ip", "route add 192.0.2.2/32 dev wgt0", "way out", "192.0.2.2 lies in the tunnel itself"),
    ];
    for (program, ill, check, said) in ills {
        scene.left.run(program, &ill.split(' ').collect::<Vec<_>>())?;
        let (code, found) = visit(&scene, &path)?;
        ensure!(code == 1 && found.get(check) == Some(&("fault".into(), said.into())), "{ill}: {found:?}");
        scene.underpass(&["down", &path])?.success()?;
        scene.left.ip("link set wire0 mtu 1500")?;
        scene.underpass(&["up", "--wait", &path])?.success()?;
    }
    scene.underpass(&["down", &path])?.success()?;

    // Bob is gone.
    scene.right.run(UNDERPASS, &["down", &bob])?;
    scene.underpass(&["up", "--wait", &path])?.success()?;
    let (code, found) = visit(&scene, &path)?;
    ensure!(code == 1 && found["handshake"].0 == "fault", "{found:?}");
    scene.underpass(&["down", &path])?.success()?;

    let broken = scene.alice("nobody.invalid:7", "MTU = huge")?;
    let (code, found) = visit(&scene, &broken)?;
    ensure!(code == 1 && found["file"].1.contains("1 error"), "{found:?}");
    Ok(())
}

/// Everything is to go through the tunnel, and does not.
#[test]
fn the_doctor_finds_ways_past_the_tunnel() -> Result<()> {
    let scene = Scene::new()?;
    scene.bob()?;
    let path = scene.alice("192.0.2.2:7000", "")?;
    scene.file("wgt0.conf", &fs::read_to_string(&path)?.replace("10.9.0.0/24", "0.0.0.0/0"))?;
    scene.left.ip("route add default via 192.0.2.2")?;
    scene.left.ip("address add 2001:db8:7::1/64 dev wire0 nodad")?;
    scene.underpass(&["up", "--wait", &path])?.success()?;
    let (code, found) = visit(&scene, &path)?;
    let good = ["rule", "leak", "route"].iter().all(|check| found[*check].0 == "good");
    ensure!(code == 0 && good && found["dns"].0 == "warning", "{found:?}");
    // A network tells of a more specific route (TunnelVision), and of IPv6, which the tunnel does not take.
    scene.left.ip("route add 203.0.113.0/24 via 192.0.2.2")?;
    scene.left.ip("-6 route add default via 2001:db8:7::2")?;
    let (_, found) = visit(&scene, &path)?;
    let expected = "203.0.113.0/24 goes past it, to `wire0`\nIPv6 goes past it, to `wire0`";
    ensure!(found["leak"] == ("warning".into(), expected.into()), "{found:?}");
    scene.left.ip("rule del not fwmark 51820 table 51820")?;
    let (code, found) = visit(&scene, &path)?;
    ensure!(code == 1 && found["rule"] == ("fault".into(), "rules are gone for IPv4".into()), "{found:?}");
    Ok(())
}

#[test]
fn a_lock_without_a_tunnel_is_told() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.alice("192.0.2.2:7000", "KillSwitch = on")?;
    let about = |found: &BTreeMap<String, Verdict>| found.get("lock").cloned();
    let (_, found) = visit(&scene, &path)?;
    ensure!(about(&found).is_none() && found["file"].0 == "good", "nothing is locked: {found:?}");
    let silent = scene.underpass(&["status"])?.success()?;
    ensure!(silent.is_empty(), "{silent}");

    scene.underpass(&["lock", &path])?.success()?;
    let (_, found) = visit(&scene, &path)?;
    let expected = ("warning".into(), "nothing leaves the machine until the tunnel is up".into());
    ensure!(about(&found) == Some(expected), "{found:?}");
    let told = scene.underpass(&["status"])?.success()?;
    ensure!(told.starts_with("the kill switch of wgt0 is on: ") && told.contains("underpass unlock wgt0"), "{told}");

    let _bob = scene.bob()?;
    scene.underpass(&["up", "--wait", &path])?.success()?;
    let (_, found) = visit(&scene, &path)?;
    let expected = ("good".into(), "nothing leaves the machine but through the tunnel".into());
    ensure!(about(&found) == Some(expected), "{found:?}");
    scene.underpass(&["unlock", "wgt0"])?.success()?;
    let (_, found) = visit(&scene, &path)?;
    let expected = ("warning".into(), "the file asks for the kill switch, and it is not on".into());
    ensure!(about(&found) == Some(expected), "{found:?}");
    scene.underpass(&["down", &path])?.success().map(drop)
}
