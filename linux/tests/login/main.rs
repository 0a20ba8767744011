//! `underpass login` as root, on a machine of its own, at a gateway on another: what is granted is there, and all of it goes.
//!
//! Root is needed: machines are network namespaces. Without it every test here fails.
mod gateway;
mod terminal;

use anyhow::{Context, Result, anyhow, ensure};
use gateway::{Gateway, PATIENCE, PORT};
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use underpass_core::PrivateKey;
use underpass_core::control::message::{Config, Reason, Session, SessionState};
use underpass_linux::demo::stage::{Finished, Machine, Running, Stage, eventually};
use underpass_linux::engine::SystemRng;

const UNDERPASS: &str = env!("CARGO_BIN_EXE_underpass");
/// What ann types.
const ANN: &str = "ann\nhunter2\n123456\n";

struct Scene {
    laptop: Machine,
    gateway: Gateway,
    directory: TempDir,
    before: String,
    /// It has to be there until the end.
    _office: Machine,
}

impl Scene {
    /// A laptop whose file allows `allowed`, and a gateway that grants `config`.
    fn new(allowed: &str, config: Config) -> Result<Self> {
        let stage = Stage::new()?;
        let (laptop, office) = (stage.machine("laptop")?, stage.machine("office")?);
        laptop.wire("wire0", &office, "wire0")?;
        laptop.ip("address add 192.0.2.1/24 dev wire0")?;
        office.ip("address add 192.0.2.2/24 dev wire0")?;
        laptop.inside(|| fs::write("/etc/resolv.conf", "nameserver 192.0.2.53\n"))?;
        let key = PrivateKey::generate(&mut SystemRng).map_err(|_| anyhow!("randomness"))?;
        let gateway = Gateway::start(&office, key.public_key(), config)?;
        let directory = tempfile::tempdir()?;
        let text = format!(
            "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nAllowedIPs = {allowed}\nEndpoint = 192.0.2.2:{PORT}\n",
            *key.to_base64(),
            gateway.key.to_base64()
        );
        let scene = Self { before: picture(&laptop)?, laptop, gateway, directory, _office: office };
        scene.write("wgt0.conf", &text)?;
        Ok(scene)
    }

    fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.directory.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn config(&self) -> String {
        self.directory.path().join("wgt0.conf").to_string_lossy().into_owned()
    }

    fn underpass(&self, arguments: &[&str]) -> Result<Finished> {
        self.laptop.try_run(UNDERPASS, arguments)
    }

    /// Begins a login with `answers` on its standard input.
    fn login(&self, answers: &str, more: &[&str]) -> Result<Running> {
        let mut file = File::create(self.directory.path().join("answers"))?;
        file.write_all(answers.as_bytes())?;
        let mut command = self.laptop.command(UNDERPASS);
        command.args(["login", &self.config()]).args(more);
        command.stdin(File::open(self.directory.path().join("answers"))?);
        self.laptop.start(command)
    }

    /// A login that has come to what is granted.
    fn logged_in(&self, more: &[&str]) -> Result<Running> {
        let mut running = self.login(ANN, more)?;
        let is_in = || Ok(running.stdout().contains("logged in as ann for 59 min") || running.ended()?.is_some());
        eventually("logged in", PATIENCE, is_in)?;
        ensure!(running.ended()?.is_none(), "it ended: {}{}", running.stdout(), running.stderr());
        Ok(running)
    }

    /// Whether an address answers.
    fn reaches(&self, address: &str, patience: &str) -> Result<bool> {
        Ok(self.laptop.try_run("ping", &["-c", "1", "-W", patience, address])?.status.success())
    }

    /// Waits until the machine is as it was at first.
    fn is_clean(&self) -> Result<()> {
        let mut after = String::new();
        let outcome = eventually("as before", PATIENCE, || {
            after = picture(&self.laptop)?;
            Ok(after == self.before)
        });
        outcome.with_context(|| format!("left behind:\n{after}\nbefore:\n{}", self.before))
    }
}

/// What a gateway grants: two networks of its own.
fn grant() -> Config {
    let networks = ["10.9.0.0/24", "10.20.0.0/16"];
    Config {
        version: 1,
        v4: "10.9.0.2/24".parse().ok(),
        routes: networks.map(|network| network.parse().expect("a network")).to_vec(),
        dns: vec!["10.9.0.1".parse().expect("an address")],
        search: vec!["office.example".into()],
        mtu: Some(1300),
        ..Config::default()
    }
}

/// Interfaces, rules, routes, firewall, name servers, sockets and programs of a machine.
fn picture(machine: &Machine) -> Result<String> {
    let mut text = String::new();
    for command in [
        "ip -br -4 address",
        "ip -br link",
        "ip -4 rule",
        "ip -6 rule",
        "ip -4 route show table all",
        "nft list ruleset",
        "cat /etc/resolv.conf",
        "find /run/underpass /run/wireguard -type s,f -not -name lock",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        text.push_str(&machine.try_run(words[0], &words[1..])?.stdout);
    }
    Ok(format!("{text}{} programs\n", machine.processes()?.len()))
}

fn says(finished: &Finished, code: i32, message: &str) -> Result<()> {
    let right = finished.status.code() == Some(code) && finished.stderr.contains(message);
    ensure!(right, "expected {code} and `{message}`: {finished:?}");
    Ok(())
}

#[test]
fn what_is_granted_is_there_until_the_user_logs_out() -> Result<()> {
    let scene = Scene::new("10.0.0.0/8", grant())?;
    let running = scene.logged_in(&[])?;
    for line in ["addresses: 10.9.0.2/24", "routes: 10.9.0.0/24, 10.20.0.0/16", "name servers: 10.9.0.1"] {
        ensure!(running.stdout().contains(line), "{line}: {}", running.stdout());
    }
    ensure!(running.stderr().contains("Property of the office."), "{}", running.stderr());
    let now = picture(&scene.laptop)?;
    for part in ["10.9.0.2/24", "10.20.0.0/16 dev wgt0", "nameserver 10.9.0.1", "office.example"] {
        ensure!(now.contains(part), "{part}: {now}");
    }
    ensure!(scene.laptop.run("ip", &["link", "show", "wgt0"])?.contains("mtu 1300"));
    ensure!(scene.reaches("10.20.0.1", "30")?, "a host of the office");
    let sockets = scene.laptop.run("stat", &["-c", "%a", "/var/run/wireguard/wgt0.control"])?;
    ensure!(sockets == "600\n", "{sockets}");
    // What would make another tunnel of it is refused.
    for verb in ["reload", "restart", "save"] {
        says(&scene.underpass(&[verb, &scene.config()])?, 1, "is logged in at its gateway")?;
    }
    ensure!(scene.gateway.asked() == ["hello", "password", "code", "lease", "config", "session"]);
    running.signal(Signal::SIGTERM)?;
    says(&running.wait(PATIENCE)?, 0, "logged out")?;
    ensure!(scene.gateway.asked().last() == Some(&"logout"), "{:?}", scene.gateway.asked());
    scene.is_clean()
}

#[test]
fn settings_that_change_are_applied_and_none_beyond_the_own_file() -> Result<()> {
    let scene = Scene::new("10.0.0.0/8", grant())?;
    let running = scene.logged_in(&[])?;
    let routes = ["10.30.0.0/16", "198.51.100.0/24"].map(|network| network.parse().expect("a network")).to_vec();
    scene.gateway.grant(Config { version: 2, routes, dns: vec![], search: vec![], ..grant() })?;
    eventually("the other network", PATIENCE, || scene.reaches("10.30.0.1", "1"))?;
    let refused = "route 2 of the gateway is not taken: it is outside AllowedIPs";
    eventually("the refusal", PATIENCE, || Ok(running.stderr().contains(refused)))?;
    let now = picture(&scene.laptop)?;
    ensure!(!now.contains("10.20.0.0/16 dev wgt0") && !now.contains("198.51.100"), "{now}");
    ensure!(now.contains("nameserver 192.0.2.53"), "{now}");
    running.signal(Signal::SIGINT)?;
    says(&running.wait(PATIENCE)?, 0, "logged out")?;
    scene.is_clean()
}

#[test]
fn a_session_that_the_gateway_ends_leaves_the_kill_switch_and_nothing_else() -> Result<()> {
    let everything = Config { routes: vec!["0.0.0.0/0".parse()?], ..grant() };
    let scene = Scene::new("0.0.0.0/0, ::/0", everything)?;
    ensure!(scene.reaches("192.0.2.2", "30")?, "the neighbour");
    let running = scene.logged_in(&[])?;
    ensure!(scene.reaches("10.20.0.1", "30")?, "a host of the office");
    ensure!(!scene.reaches("192.0.2.2", "1")?, "the neighbour, past the tunnel");
    let reason = Some(Reason::Revoked);
    scene.gateway.end(Session { reason, ..Session::of(SessionState::Revoked) })?;
    let finished = running.wait(PATIENCE)?;
    says(&finished, 1, "underpass: the gateway ended the session: it was revoked")?;
    says(&finished, 1, "the kill switch stays")?;
    ensure!(scene.laptop.try_run("ip", &["link", "show", "wgt0"])?.status.code() == Some(1), "the interface");
    ensure!(!scene.reaches("192.0.2.2", "1")?, "nothing leaves");
    // The next login is possible all the same; a logout leaves the kill switch that it found.
    let again = scene.logged_in(&[])?;
    ensure!(scene.reaches("10.20.0.1", "30")?, "a host of the office");
    again.signal(Signal::SIGTERM)?;
    says(&again.wait(PATIENCE)?, 0, "logged out")?;
    ensure!(!scene.reaches("192.0.2.2", "1")?, "nothing leaves");
    scene.underpass(&["unlock", "wgt0"])?.success()?;
    ensure!(scene.reaches("192.0.2.2", "30")?, "the neighbour");
    scene.is_clean()
}

/// A gateway that takes a session away has no keys any more to say so. The traffic that nobody answers leads to a new
/// handshake, and that to the question how the session stands.
#[test]
fn a_session_that_is_taken_away_without_a_word_is_noticed_by_the_traffic() -> Result<()> {
    let scene = Scene::new("10.0.0.0/8", grant())?;
    let running = scene.logged_in(&[])?;
    let traffic = scene.laptop.spawn("ping", &["-q", "-i", "0.2", "10.20.0.1"])?;
    ensure!(scene.reaches("10.20.0.1", "30")?, "a host of the office");
    let reason = Some(Reason::Expired);
    scene.gateway.cut(Session { reason, ..Session::of(SessionState::Locked) })?;
    let finished = running.wait(PATIENCE)?;
    says(&finished, 1, "underpass: the gateway ended the session: its time is over")?;
    ensure!(!finished.stderr.contains("kill switch"), "there was none: {}", finished.stderr);
    drop(traffic);
    scene.is_clean()
}

#[test]
fn without_the_right_answers_everything_is_as_it_was() -> Result<()> {
    let scene = Scene::new("0.0.0.0/0", grant())?;
    let finished =
        scene.login("ann\nwrong\nann\nhunter2\n654321\nann\nhunter3\n", &["--kill-switch"])?.wait(PATIENCE)?;
    says(&finished, 1, "underpass: the login was rejected")?;
    ensure!(!finished.stderr.contains("hunter"), "{}", finished.stderr);
    scene.is_clean()?;
    let finished = scene.login("hunter2\n", &["--user", "ann"])?.wait(PATIENCE)?;
    says(&finished, 1, "nobody answers what the gateway asks")?;
    scene.is_clean()?;
    ensure!(scene.gateway.asked() == ["hello", "wrong", "password", "wrong", "wrong", "hello", "password"]);
    // A tunnel that is simply up has no control channel.
    scene.underpass(&["up", "--no-wait", &scene.config()])?.success()?;
    ensure!(!picture(&scene.laptop)?.contains("control"));
    says(&scene.underpass(&["logout", "wgt0"])?, 1, "nobody is logged in by interface `wgt0`")?;
    says(&scene.login(ANN, &[])?.wait(PATIENCE)?, 1, "interface `wgt0` exists already")?;
    scene.underpass(&["down", &scene.config()])?.success()?;
    scene.is_clean()
}

#[test]
fn logout_ends_a_login_of_another_terminal_and_one_whose_process_was_killed() -> Result<()> {
    let scene = Scene::new("0.0.0.0/0", Config { kill_switch: true, ..grant() })?;
    let running = scene.logged_in(&[])?;
    scene.underpass(&["logout", &scene.config()])?.success()?;
    says(&running.wait(PATIENCE)?, 0, "logged out")?;
    scene.gateway.was_asked("logout", 1)?;
    scene.is_clean()?;

    let running = scene.logged_in(&[])?;
    running.signal(Signal::SIGKILL)?;
    running.wait(PATIENCE)?;
    ensure!(scene.reaches("10.20.0.1", "30")?, "the tunnel goes on");
    scene.underpass(&["logout", "wgt0"])?.success()?;
    scene.gateway.was_asked("logout", 2)?;
    scene.is_clean()?;

    let running = scene.logged_in(&[])?;
    scene.underpass(&["down", &scene.config()])?.success()?;
    says(&running.wait(PATIENCE)?, 1, "the tunnel was taken down")?;
    scene.is_clean()
}

#[test]
fn a_login_in_the_background_goes_on_until_the_logout() -> Result<()> {
    let scene = Scene::new("0.0.0.0/0", grant())?;
    let failed = scene.login("ann\nwrong\n", &["--background"])?.wait(PATIENCE)?;
    says(&failed, 1, "nobody answers what the gateway asks")?;
    scene.is_clean()?;
    let finished = scene.login(ANN, &["--background", "--kill-switch"])?.wait(PATIENCE)?;
    says(&finished, 0, "Property of the office.")?;
    ensure!(finished.stdout.contains("logged in as ann for 59 min\naddresses: 10.9.0.2/24\n"), "{finished:?}");
    ensure!(!finished.stdout.contains("ready"), "{finished:?}");
    ensure!(scene.reaches("10.20.0.1", "30")? && !scene.reaches("192.0.2.2", "1")?);
    scene.gateway.grant(Config { routes: vec!["10.30.0.0/16".parse()?], ..grant() })?;
    eventually("the other network", PATIENCE, || scene.reaches("10.30.0.1", "1"))?;
    scene.underpass(&["logout", "wgt0"])?.success()?;
    scene.gateway.was_asked("logout", 1)?;
    scene.is_clean()
}

#[test]
fn a_file_that_is_none_for_a_login_is_refused() -> Result<()> {
    let scene = Scene::new("10.0.0.0/8", grant())?;
    let text = fs::read_to_string(scene.config())?;
    let (interface, peer) = text.split_once("[Peer]").context("a peer")?;
    for (text, message) in [
        (interface.to_owned(), "this has 0"),
        (format!("{text}[Peer]\nPublicKey = 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=\n"), "this has 2"),
        (format!("{interface}[Peer]{}", peer.replace("Endpoint", "# Endpoint")), "its peer has no Endpoint"),
        (format!("[Interface]\n[Peer]{peer}"), "PrivateKey"),
    ] {
        let path = scene.write("wgt1.conf", &text)?;
        says(&scene.underpass(&["login", &path])?, 1, message)?;
    }
    scene.is_clean()
}
