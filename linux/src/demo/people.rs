//! The second part of the story: the gateway asks who uses it. It is what an operator does by hand, command by command.
use super::scene::{GATEWAY, OFFICE, Scene};
use super::stage::{Machine, Running, eventually};
use super::web::Fetch;
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use underpass_core::policy::code::{Algorithm, Digits, Moving, OneTimeCode, OtpSecret};

/// The gateway's interface, and the phone's.
const NAMES: [&str; 2] = ["office-gw0", "office1"];
/// Where either machine has its files. It goes with the machine.
const FOLDER: &str = "/run/underpass-demo";
const USER: &str = "alice";
const PASSWORD: &str = "a rather long password";
/// What the operator adds to the configuration: who reaches what.
const RULES: &str = "
[[rule]]
name = \"databases\"
action = \"deny\"
reject = true
log = true
protocol = \"tcp\"
ports = [\"5432\"]

[[rule]]
name = \"office\"
action = \"allow\"
to = [\"10.50.0.0/24\"]
";
/// Where nobody but the database's own applications may go.
const DATABASE: SocketAddr = SocketAddr::new(IpAddr::V4(OFFICE), 5432);
/// How long anything may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// The connection of a download that stopped is looked at for so long.
const SPAN: Duration = Duration::from_secs(2);

/// A gateway with one user, and what is written down of it.
pub(super) struct Office<'s> {
    scene: &'s Scene,
    program: String,
    authenticator: OneTimeCode,
}

impl<'s> Office<'s> {
    /// Makes the gateway, its rules and its user. Returns what was typed for it.
    pub(super) fn found(scene: &'s Scene) -> Result<(Self, Vec<String>)> {
        let program = std::env::current_exe().context("finding this program")?.to_string_lossy().into_owned();
        for machine in [&scene.gateway, &scene.phone] {
            machine
                .inside(|| DirBuilder::new().mode(0o700).create(FOLDER))
                .with_context(|| format!("making {FOLDER}"))?;
        }
        let (etc, state, endpoint) = (path("etc"), path("state"), GATEWAY.to_string());
        let init = format!(
            "gateway init --dir {etc} --state-dir {state} --name office --interface {} --endpoint {endpoint} \
             --route 10.50.0.0/24 --masquerade lan0",
            NAMES[0]
        );
        on_gateway(scene, &program, &init)?;
        let add = || OpenOptions::new().append(true).open(config())?.write_all(RULES.as_bytes());
        scene.gateway.inside(add).context("adding rules")?;
        administer(scene, &program, "gateway check")?;
        administer(scene, &program, &format!("user add {USER}"))?;
        let passwd = ["user", "passwd", USER, "--config", &config()];
        scene.gateway.run_with_input(&program, &passwd, &format!("{PASSWORD}\n"))?;
        let shown = administer(scene, &program, &format!("user totp {USER} --json"))?;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        let authenticator = authenticator(shown["secret"].as_str().context("a secret")?)?;
        let key = scene.phone.run(&program, &["genkey"])?;
        let public = scene.phone.run_with_input(&program, &["pubkey"], &key)?;
        administer(scene, &program, &format!("user device add {USER} phone {}", public.trim()))?;
        let key_of_gateway = scene.gateway.inside(|| fs::read_to_string(path("etc/gateway.key")))?;
        let key_of_gateway = scene.gateway.run_with_input(&program, &["pubkey"], &key_of_gateway)?;
        let text = format!(
            "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nEndpoint = {endpoint}\nAllowedIPs = 10.0.0.0/8\n",
            key.trim(),
            key_of_gateway.trim()
        );
        scene.phone.inside(|| fs::write(phones_config(), text))?;
        let typed = [
            "gateway init ...             (and two rules in the configuration)".to_owned(),
            format!("user add {USER}"),
            format!("user passwd {USER}"),
            format!("user totp {USER}"),
            format!("user device add {USER} phone {}", public.trim()),
        ];
        Ok((Self { scene, program, authenticator }, typed.to_vec()))
    }

    /// Runs a command for this gateway.
    pub(super) fn administer(&self, line: &str) -> Result<String> {
        administer(self.scene, &self.program, line)
    }

    /// Starts the gateway, and waits until it is at work.
    pub(super) fn open(&self) -> Result<Running> {
        let mut running = self.scene.gateway.spawn(&self.program, &["gateway", "run", "--config", &config()])?;
        eventually("the gateway is at work", PATIENCE, || {
            if let Some(status) = running.ended()? {
                bail!("`underpass gateway run` ended with {status}: {}", running.stderr());
            }
            Ok(self.administer("gateway status").is_ok())
        })?;
        Ok(running)
    }

    /// The code that the user's authenticator shows now.
    pub(super) fn code(&self) -> Result<String> {
        let step = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 30;
        Ok(format!("{:06}", self.authenticator.code(step)))
    }

    /// Logs in on the phone. Returns who stays logged in, and what the user saw.
    pub(super) fn log_in(&self, code: &str) -> Result<(Running, String)> {
        let (typed, keys) = nix::unistd::pipe()?;
        fs::File::from(keys).write_all(format!("{USER}\n{PASSWORD}\n{code}\n").as_bytes())?;
        let mut command = self.scene.phone.command(&self.program);
        command.args(["login", &phones_config()]).stdin(typed);
        let mut login = self.scene.phone.start(command)?;
        eventually("the phone is logged in, or is not", PATIENCE, || {
            Ok(login.ended()?.is_some() || said(&login).contains("routes: "))
        })?;
        let said = said(&login);
        Ok((login, said))
    }

    /// A code that was used is worth nothing.
    pub(super) fn refuse(&self, code: &str) -> Result<String> {
        let (mut login, said) = self.log_in(code)?;
        ensure!(login.ended()?.is_some_and(|status| !status.success()), "the gateway took a code twice: {said}");
        Ok(said)
    }

    /// The phone asks for the database, which listens, and is refused.
    pub(super) fn try_database(&self, phone: &Machine) -> Result<()> {
        let _database = self.scene.office.inside(|| TcpListener::bind(DATABASE))?;
        let refused = phone.inside(|| TcpStream::connect_timeout(&DATABASE, PATIENCE)).map(drop);
        match refused {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            other => bail!("the database is not refused: {other:?}"),
        }
    }

    /// Revokes the session in the middle of a download: nothing of it comes any more.
    pub(super) fn revoke(&self, fetch: &mut Fetch) -> Result<()> {
        self.administer(&format!("session revoke {USER}"))?;
        ensure!(fetch.stops(SPAN)?, "the download goes on");
        Ok(())
    }

    /// Ends the login, which the gateway ended, and returns what the user saw of it.
    pub(super) fn say_goodbye(login: Running) -> Result<String> {
        let finished = login.wait(PATIENCE)?;
        ensure!(!finished.status.success(), "the phone thinks that all is well");
        Ok([finished.stdout, finished.stderr].concat())
    }

    /// Ends the gateway.
    pub(super) fn close(&self, gateway: Running) -> Result<()> {
        gateway.signal(Signal::SIGTERM)?;
        gateway.wait(PATIENCE)?.success()?;
        let left = self.scene.gateway.run("nft", &["list", "tables"])?;
        ensure!(!left.contains("underpass"), "rules are left behind: {left}");
        Ok(())
    }
}

fn on_gateway(scene: &Scene, program: &str, line: &str) -> Result<String> {
    scene.gateway.run(program, &line.split_whitespace().collect::<Vec<_>>())
}

/// Runs a command for the gateway that is configured there.
fn administer(scene: &Scene, program: &str, line: &str) -> Result<String> {
    on_gateway(scene, program, &format!("{line} --config {}", config()))
}

fn path(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// The gateway's configuration.
fn config() -> String {
    path("etc/gateway.toml")
}

/// The phone's.
fn phones_config() -> String {
    path(&format!("{}.conf", NAMES[1]))
}

fn said(login: &Running) -> String {
    [login.stdout(), login.stderr()].concat()
}

/// An authenticator app with this secret.
fn authenticator(secret: &str) -> Result<OneTimeCode> {
    let secret = OtpSecret::from_base32(secret).map_err(|error| anyhow::anyhow!("{error}"))?;
    let moving = Moving::Time { period: 30 };
    Ok(OneTimeCode { secret, algorithm: Algorithm::Sha1, digits: Digits::SIX, moving })
}
