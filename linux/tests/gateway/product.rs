//! Both commands together: `underpass login` at `underpass gateway run`.
use crate::scene::{ALICE, OFFICE, PASSWORD, PATIENCE, QUICKLY, Scene, UNDERPASS};
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use underpass_linux::demo::stage::{Running, eventually};

/// Writes a file for its owner alone.
fn write(scene: &Scene, name: &str, text: &str) -> Result<String> {
    let path = scene.path(name);
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path)
}

/// Alice logs in with the code of `ahead` steps from now.
fn log_in(scene: &Scene, config: &str, ahead: u64) -> Result<Running> {
    let answers = write(scene, "answers", &format!("{ALICE}\n{PASSWORD}\n{}\n", scene.code(ahead)?))?;
    let mut command = scene.outside.command(UNDERPASS);
    command.args(["login", config]).stdin(File::open(answers)?);
    let mut running = scene.outside.start(command)?;
    eventually("she is logged in", PATIENCE, || {
        ensure!(running.ended()?.is_none(), "{}{}", running.stdout(), running.stderr());
        Ok(running.stdout().contains("logged in as alice"))
    })
    .with_context(|| format!("{}{}", running.stdout(), running.stderr()))?;
    Ok(running)
}

/// Whether the client has the route that only a login gives.
fn has_office(scene: &Scene) -> Result<bool> {
    Ok(scene.outside.run("ip", &["route"])?.contains("10.1.0.0/16 dev wgc0"))
}

#[test]
fn the_login_command_gets_an_address_and_routes_from_the_gateway_command() -> Result<()> {
    let scene = Scene::new()?;
    let _gateway = scene.run_gateway()?;
    let text = format!(
        "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.1.0.0/16, 10.8.0.0/24\nEndpoint = 192.0.2.1:51820\n",
        *scene.key.to_base64(),
        scene.gateways_key()?.to_base64()
    );
    let config = write(&scene, "wgc0.conf", &text)?;

    ensure!(!has_office(&scene)? && !scene.reaches_office(QUICKLY)?, "without a login nothing is reached");
    let login = log_in(&scene, &config, 0)?;
    ensure!(has_office(&scene)?, "what the gateway tells to route is routed");
    ensure!(scene.reaches_office(PATIENCE)?, "the office is reached");
    ensure!(scene.seen_by_office()? == OFFICE.0, "the client's address is hidden");
    let address = scene.outside.run("ip", &["-4", "-o", "address", "show", "dev", "wgc0"])?;
    ensure!(address.contains(" 10.8.0."), "{address}");
    scene.outside.run(UNDERPASS, &["logout", &config])?;
    let finished = login.wait(PATIENCE)?;
    ensure!(finished.status.success(), "{finished:?}");
    eventually("the gateway knows of it", PATIENCE, || Ok(scene.status()?["sessions"] == 0))?;

    let mut login = log_in(&scene, &config, 1)?;
    ensure!(scene.reaches_office(PATIENCE)?, "the office is reached again");
    eventually("the gateway says so", PATIENCE, || Ok(scene.status()?["sessions"] == 1))?;
    scene.underpass(&["session", "revoke", ALICE])?;
    eventually("the session is closed", PATIENCE, || Ok(scene.status()?["sessions"] == 0))?;
    // What is sent is not answered: a handshake follows, and with it the client hears why.
    eventually("the login notices by its traffic", PATIENCE, || {
        ensure!(!scene.reaches_office(QUICKLY)?, "who is out reaches nothing");
        Ok(login.ended()?.is_some())
    })?;
    let finished = login.wait(PATIENCE)?;
    let reason = "underpass: the gateway ended the session: it was revoked";
    ensure!(finished.status.code() == Some(1) && finished.stderr.contains(reason), "{finished:?}");
    ensure!(!has_office(&scene)?, "what came with the login went with it");
    let log = scene.underpass(&["audit", "show", "--event", "session"])?;
    for line in ["session.opened", "reason=logout", "reason=revoked"] {
        ensure!(log.contains(line), "{line} is not in\n{log}");
    }
    Ok(())
}
