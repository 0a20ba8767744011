//! A gateway as an operator runs it, on machines of its own: from `init` to its end, with a client that logs in.
//!
//! Root is needed: machines are network namespaces. Without it every test here fails.
mod phone;
mod product;
mod rules;
mod scene;
mod stock;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use scene::{ALICE, GATEWAY, OFFICE, PATIENCE, Scene, UNDERPASS, visit};
use std::io::Write as _;
use underpass_linux::demo::stage::eventually;

#[test]
fn a_user_logs_in_with_two_factors_and_is_out_when_the_session_is_revoked() -> Result<()> {
    let scene = Scene::new()?;
    let gateway = scene.run_gateway()?;
    let mut phone = scene.phone()?;
    ensure!(!scene.reaches_office(scene::QUICKLY)?, "without a login nothing is reached");
    ensure!(scene.status()?["sessions"] == 0, "{}", scene.status()?);

    let code = scene.code(0)?;
    phone.log_in(ALICE, scene::PASSWORD, &code)?;
    let address = phone.take_address()?;
    ensure!(address.octets()[..3] == [10, 8, 0] && address != GATEWAY, "{address}");
    ensure!(scene.reaches_office(PATIENCE)?, "the office is reached");
    ensure!(scene.seen_by_office()? == OFFICE.0, "the client's address is hidden");
    ensure!(visit(&scene.outside, &scene.office, scene::CLOSED, scene::QUICKLY).is_err(), "no rule allows it");
    eventually("the status shows the session and its address", PATIENCE, || {
        let status = scene.status()?;
        Ok(status["sessions"] == 1 && status["leases"][0]["used"] == 1 && status["store"] == true)
    })?;
    let shown = scene.hq.run(UNDERPASS, &["show", "wgt0"])?;
    ensure!(shown.contains(&phone.key().to_base64()) && shown.contains(&format!("{address}/32")), "{shown}");
    let listed = scene.underpass(&["session", "list"])?;
    ensure!(listed.contains(ALICE), "{listed}");

    scene.underpass(&["session", "revoke", ALICE])?;
    eventually("the session is closed", PATIENCE, || Ok(scene.status()?["sessions"] == 0))?;
    ensure!(!scene.reaches_office(scene::QUICKLY)?, "who is out reaches nothing");
    // The code was used; the next one is good.
    ensure!(phone.log_in(ALICE, scene::PASSWORD, &code).is_err(), "a code counts once");
    phone.log_in(ALICE, scene::PASSWORD, &scene.code(1)?)?;

    gateway.signal(Signal::SIGTERM)?;
    let finished = gateway.wait(PATIENCE)?;
    ensure!(finished.status.success(), "{finished:?}");
    scene.nothing_is_left()?;
    let log = scene.underpass(&["audit", "show"])?;
    for line in
        ["gateway.started", "session.opened", "lease.granted", "session.ended", "reason=revoked", "gateway.stopped"]
    {
        ensure!(log.contains(line), "{line} is not in\n{log}");
    }
    scene.underpass(&["audit", "verify"])?;
    Ok(())
}

/// From a file that the administrator hands over to the office: the phone makes its own key, and its user an authenticator.
#[test]
fn a_phone_is_enrolled_by_a_file_and_logs_in_by_the_same() -> Result<()> {
    let scene = Scene::new()?;
    let gateway = scene.run_gateway()?;
    let invitation = scene.invite("bob")?;
    let (enrolling, mut keys) = scene.on_phone("enroll")?;
    eventually("an authenticator is shown", PATIENCE, || Ok(enrolling.stdout().contains("otpauth://")))
        .with_context(|| enrolling.stderr())?;
    let uri = enrolling.stdout().lines().find(|line| line.starts_with("otpauth://")).context("its address")?.to_owned();
    ensure!(scene.file_of_phone()? == invitation, "nothing is final yet");
    writeln!(keys, "000000\n{}", scene::code_of(&uri, 0)?)?;
    let finished = enrolling.wait(PATIENCE)?;
    ensure!(finished.status.success() && finished.stdout.contains("enrolled as a device of bob"), "{finished:?}");
    ensure!(finished.stderr.contains("The gateway rejected that."), "{finished:?}");
    let (file, key) = (scene.file_of_phone()?, invitation.lines().find(|line| line.starts_with("PrivateKey")));
    ensure!(file.contains("10.1.0.0/16") && !file.contains(key.context("a key")?), "a key of its own, and the office");
    // The same file, a second time: the key is no enrolment any more.
    let (again, _keys) = scene.on_phone("enroll")?;
    let refused = again.wait(PATIENCE)?;
    ensure!(refused.status.code() == Some(1) && refused.stderr.contains("refused the enrolment"), "{refused:?}");
    let (mut running, mut keys) = scene.on_phone("login")?;
    // The code that enrolled it was used.
    writeln!(keys, "bob\n{}\n{}", scene::PASSWORD, scene::code_of(&uri, 1)?)?;
    let is_in = || Ok(running.ended()?.is_some() || running.stdout().contains("logged in as bob"));
    eventually("bob is in", PATIENCE, is_in)?;
    ensure!(running.ended()?.is_none() && scene.reaches_office(PATIENCE)?, "{}", running.stderr());
    running.signal(Signal::SIGTERM)?;
    let finished = running.wait(PATIENCE)?;
    ensure!(finished.status.success() && finished.stderr.contains("logged out"), "{finished:?}");
    gateway.signal(Signal::SIGTERM)?;
    ensure!(gateway.wait(PATIENCE)?.status.success());
    scene.nothing_is_left()
}

#[test]
fn a_gateway_that_was_killed_and_started_again_takes_its_sessions_up() -> Result<()> {
    let scene = Scene::new()?;
    let gateway = scene.run_gateway()?;
    let mut phone = scene.phone()?;
    phone.log_in(ALICE, scene::PASSWORD, &scene.code(0)?)?;
    let address = phone.take_address()?;
    ensure!(scene.reaches_office(PATIENCE)?, "the office is reached");

    gateway.signal(Signal::SIGKILL)?;
    gateway.wait(PATIENCE)?;
    ensure!(scene.hq.run("nft", &["list", "tables"])?.contains("underpass_gateway"), "rules stay until the next start");
    let refused = scene.hq.try_run(UNDERPASS, &["gateway", "status", "--config", &scene.config()])?;
    ensure!(!refused.status.success() && refused.stderr.contains("no gateway"), "{refused:?}");

    let gateway = scene.run_gateway()?;
    ensure!(scene.status()?["sessions"] == 1, "the session is open: {}", scene.status()?);
    phone.connect();
    ensure!(scene.reaches_office(PATIENCE)?, "the office is reached without another login");
    ensure!(phone.take_address()? == address, "the address is the same");

    gateway.signal(Signal::SIGINT)?;
    let finished = gateway.wait(PATIENCE)?;
    ensure!(finished.status.success(), "{finished:?}");
    scene.nothing_is_left().context("as it was before the first start")
}

#[test]
fn a_copy_of_the_store_is_put_back_when_no_gateway_runs() -> Result<()> {
    let scene = Scene::new()?;
    let copy = scene.path("copy");
    let gateway = scene.run_gateway()?;
    let mut phone = scene.phone()?;
    phone.log_in(ALICE, scene::PASSWORD, &scene.code(0)?)?;
    scene.underpass(&["gateway", "backup", &copy])?;
    scene.underpass(&["user", "add", "bert"])?;
    let restore = ["gateway", "restore", &copy, "--json", "--config", &scene.config()];
    let refused = scene.hq.try_run(UNDERPASS, &restore)?;
    ensure!(!refused.status.success() && refused.stderr.contains("in use"), "{refused:?}");
    gateway.signal(Signal::SIGTERM)?;
    ensure!(gateway.wait(PATIENCE)?.status.success(), "it ends");
    // Of a step that may have been used before the copy is put back.
    let code = scene.code(1)?;
    let said: serde_json::Value = serde_json::from_str(&scene.hq.run(UNDERPASS, &restore)?)?;
    ensure!(said["sessions"] == 1, "{said}");
    let users = scene.underpass(&["user", "list"])?;
    ensure!(users.contains(ALICE) && !users.contains("bert"), "{users}");
    let log = scene.underpass(&["audit", "show", "--event", "store.restored"])?;
    ensure!(log.contains("sessions=1"), "{log}");
    scene.underpass(&["audit", "verify"])?;

    let _gateway = scene.run_gateway()?;
    ensure!(scene.status()?["sessions"] == 0, "sessions of the copy are over");
    phone.connect();
    phone.log_in(ALICE, scene::PASSWORD, &code).err().context("a code that may have been used is void")?;
    Ok(())
}

#[test]
fn a_second_gateway_for_the_interface_leaves_the_first_alone() -> Result<()> {
    let scene = Scene::new()?;
    let gateway = scene.run_gateway()?;
    let rules = scene.hq.run("nft", &["list", "ruleset"])?;
    ensure!(rules.contains("underpass_gateway"), "{rules}");
    let second = scene.hq.try_run(UNDERPASS, &["gateway", "run", "--config", &scene.config()])?;
    ensure!(!second.status.success() && second.stderr.contains("runs already"), "{second:?}");
    ensure!(scene.hq.run("nft", &["list", "ruleset"])? == rules, "the rules are the same");
    ensure!(scene.status()?["sessions"] == 0, "the first runs");
    // Whoever deletes the interface ends the gateway.
    scene.hq.ip("link delete wgt0")?;
    let finished = gateway.wait(PATIENCE)?;
    ensure!(finished.status.success(), "{finished:?}");
    scene.nothing_is_left()
}

#[test]
fn a_gateway_that_cannot_start_leaves_nothing_behind() -> Result<()> {
    let scene = Scene::new()?;
    let fails = |why: &str| -> Result<()> {
        let finished = scene.hq.try_run(UNDERPASS, &["gateway", "run", "--config", &scene.config()])?;
        ensure!(!finished.status.success() && finished.stderr.contains(why), "{why}: {finished:?}");
        scene.nothing_is_left().with_context(|| why.to_owned())
    };
    scene.set_mode("etc/gateway.key", 0o644)?;
    fails("others have access to it")?;
    scene.set_mode("etc/gateway.key", 0o600)?;
    scene.set_mode("state/gateway.db", 0o644)?;
    fails("the store")?;
    scene.set_mode("state/gateway.db", 0o600)?;
    // The interface is somebody else's.
    scene.hq.ip("link add wgt0 type veth peer name other")?;
    let finished = scene.hq.try_run(UNDERPASS, &["gateway", "run", "--config", &scene.config()])?;
    ensure!(!finished.status.success(), "{finished:?}");
    scene.hq.ip("link delete wgt0")?;
    scene.nothing_is_left()?;
    scene.append("nonsense = true\n")?;
    fails("unknown field")
}
