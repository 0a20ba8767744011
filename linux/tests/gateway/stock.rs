//! Peers that know nothing but WireGuard: wireguard-go of Debian.
use crate::scene::{OFFICE, PATIENCE, PORT, QUICKLY, Scene, visit};
use anyhow::{Context, Result, ensure};
use std::net::Ipv4Addr;
use underpass_core::PrivateKey;
use underpass_linux::demo::stage::{Running, eventually};

const INTERFACE: &str = "wgs0";
/// An address behind the other office.
const LYON: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 5);

/// Runs wireguard-go with `key` outside, whose tunnel leads to the office.
fn start(scene: &Scene, key: &PrivateKey, address: Ipv4Addr) -> Result<Running> {
    let running = scene.outside.spawn("wireguard-go", &["-f", INTERFACE])?;
    eventually("wireguard-go is there", PATIENCE, || {
        Ok(scene.outside.try_run("wg", &["show", INTERFACE])?.status.success())
    })
    .with_context(|| running.stderr())?;
    let gateway = scene.gateways_key()?.to_base64();
    scene.outside.run_with_input("wg", &["set", INTERFACE, "private-key", "/dev/stdin"], &key.to_base64())?;
    let endpoint = format!("192.0.2.1:{PORT}");
    let peer = ["set", INTERFACE, "peer", &gateway, "endpoint", &endpoint, "allowed-ips", "10.1.0.0/16"];
    scene.outside.run("wg", &peer)?;
    scene.outside.ip(&format!("address add {address}/32 dev {INTERFACE}"))?;
    scene.outside.ip(&format!("link set {INTERFACE} up"))?;
    scene.outside.ip(&format!("route add 10.1.0.0/16 dev {INTERFACE}"))?;
    Ok(running)
}

#[test]
fn a_site_needs_no_login_and_is_reached_and_a_device_without_one_reaches_nothing() -> Result<()> {
    let scene = Scene::new()?;
    let lyon = PrivateKey::from_bytes([20; 32]).clamped();
    let public = lyon.public_key().to_base64();
    let site = format!("[[site]]\nname = \"lyon\"\npublic_key = \"{public}\"\nnetworks = [\"10.20.0.0/16\"]\n");
    scene.append(&site)?;
    // Sites keep their addresses.
    scene.office.ip(&format!("route add 10.20.0.0/16 via {}", OFFICE.0))?;
    let _gateway = scene.run_gateway()?;

    let router = start(&scene, &lyon, LYON)?;
    ensure!(visit(&scene.outside, &scene.office, OFFICE.1, PATIENCE)? == LYON, "from the site");
    ensure!(visit(&scene.office, &scene.outside, LYON, PATIENCE)? == OFFICE.1, "to the site");
    let status = scene.status()?;
    ensure!(status["sites"] == 1 && status["sessions"] == 0, "{status}");
    drop(router);

    // A device of a user, with an address of the pool that nobody gave it.
    let _device = start(&scene, &scene.key, Ipv4Addr::new(10, 8, 0, 7))?;
    ensure!(visit(&scene.outside, &scene.office, OFFICE.1, QUICKLY).is_err(), "without a login");
    eventually("there was a handshake, and nothing more", PATIENCE, || {
        let handshakes = scene.outside.run("wg", &["show", INTERFACE, "latest-handshakes"])?;
        Ok(!handshakes.trim_end().ends_with("\t0"))
    })
}
