//! Where a gateway stands: a phone outside, an office behind it, and a configuration that `init` has written.
use crate::phone::Phone;
use anyhow::{Context, Result, ensure};
use data_encoding::BASE32_NOPAD;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use underpass_core::policy::code::{Algorithm, Digits, Moving, OneTimeCode, OtpSecret};
use underpass_core::{PrivateKey, PublicKey};
use underpass_linux::demo::stage::{Machine, Running, Stage, eventually};

pub const UNDERPASS: &str = env!("CARGO_BIN_EXE_underpass");
/// How long anything may take that happens by itself: no verdict hangs on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long something is waited for that must not happen.
pub const QUICKLY: Duration = Duration::from_secs(2);
/// How often it is looked at whether a program still runs.
const GLANCE: Duration = Duration::from_millis(100);
pub const ALICE: &str = "alice";
pub const PASSWORD: &str = "a rather long password";
/// The gateway's address inside the tunnel, and its port outside.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);
pub const PORT: u16 = 51820;
/// The gateway's address in the office, and that of a host there.
pub const OFFICE: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 0, 9));
/// A host that is routed to, and that no rule allows.
pub const CLOSED: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 9);

pub struct Scene {
    pub hq: Machine,
    pub outside: Machine,
    pub office: Machine,
    folder: TempDir,
    /// The phone's key.
    pub key: PrivateKey,
    authenticator: OneTimeCode,
}

impl Scene {
    /// Three machines, and a gateway for which `init` was run, with a user who has two factors and a phone.
    pub fn new() -> Result<Self> {
        let stage = Stage::new().context("these tests run as root: they make network namespaces")?;
        let (outside, hq, office) = (stage.machine("outside")?, stage.machine("hq")?, stage.machine("office")?);
        outside.wire("wire0", &hq, "wire0")?;
        hq.wire("wire1", &office, "wire0")?;
        let (inner, host) = OFFICE;
        outside.ip("address add 192.0.2.2/24 dev wire0")?;
        hq.ip("address add 192.0.2.1/24 dev wire0")?;
        hq.ip(&format!("address add {inner}/16 dev wire1"))?;
        office.ip(&format!("address add {host}/16 dev wire0"))?;
        hq.ip("address add 10.2.0.1/16 dev wire1")?;
        office.ip(&format!("address add {CLOSED}/16 dev wire0"))?;
        hq.sysctl("net.ipv4.ip_forward=0")?;
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(name).display().to_string();
        let key = PrivateKey::from_bytes([9; 32]).clamped();
        let (etc, state) = (place("etc"), place("state"));
        let options = [
            "--name",
            "hq",
            "--interface",
            "wgt0",
            "--endpoint",
            "192.0.2.1",
            "--route",
            "10.1.0.0/16",
            "--masquerade",
            "wire1",
        ];
        let options = [&["gateway", "init", "--dir", &etc, "--state-dir", &state], &options[..]].concat();
        let said = hq.run(UNDERPASS, &options)?;
        ensure!(said.contains("The gateway's public key: "), "{said}");
        let mut scene = Self { hq, outside, office, folder, key, authenticator: authenticator("")? };
        scene.append("\n[[rule]]\nname = \"office\"\naction = \"allow\"\nto = [\"10.1.0.0/16\"]\n")?;
        scene.underpass(&["gateway", "check"])?;
        scene.underpass(&["user", "add", ALICE])?;
        let config = scene.config();
        scene.hq.run_with_input(
            UNDERPASS,
            &["user", "passwd", ALICE, "--config", &config],
            &format!("{PASSWORD}\n"),
        )?;
        let code: serde_json::Value = serde_json::from_str(&scene.underpass(&["user", "totp", ALICE, "--json"])?)?;
        scene.authenticator = authenticator(code["secret"].as_str().context("a secret")?)?;
        let public = scene.key.public_key().to_base64();
        scene.underpass(&["user", "device", "add", ALICE, "phone", &public])?;
        Ok(scene)
    }

    /// The path of a file beside the gateway's.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The path of the configuration.
    pub fn config(&self) -> String {
        self.path("etc/gateway.toml")
    }

    /// Runs the command for this gateway.
    pub fn underpass(&self, arguments: &[&str]) -> Result<String> {
        self.hq.run(UNDERPASS, &[arguments, &["--config", &self.config()]].concat())
    }

    /// Starts the gateway as a service manager does, and waits until it says that it is ready.
    pub fn run_gateway(&self) -> Result<Running> {
        let path = self.folder.path().join("notify");
        let _ = fs::remove_file(&path);
        let manager = UnixDatagram::bind(&path)?;
        manager.set_read_timeout(Some(GLANCE))?;
        let mut command = self.hq.command(UNDERPASS);
        command
            .args(["gateway", "run", "--config", &self.config()])
            .env("LOG_LEVEL", "info")
            .env("NOTIFY_SOCKET", path);
        let mut running = self.hq.start(command)?;
        eventually("the gateway is ready", PATIENCE, || {
            ensure!(running.ended()?.is_none(), "it has ended: {}", running.stderr());
            let mut said = [0; 64];
            Ok(manager.recv(&mut said).is_ok_and(|length| &said[..length] == b"READY=1"))
        })
        .with_context(|| running.stderr())?;
        Ok(running)
    }

    /// What `gateway status` says.
    pub fn status(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.underpass(&["gateway", "status", "--json"])?)?)
    }

    /// The code that the user's authenticator shows, so many steps from now.
    pub fn code(&self, ahead: u64) -> Result<String> {
        let step = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 30 + ahead;
        Ok(format!("{:06}", self.authenticator.code(step)))
    }

    /// The phone, connected.
    pub fn phone(&self) -> Result<Phone> {
        Phone::start(&self.outside, &self.key, &self.gateways_key()?, SocketAddr::from(([192, 0, 2, 1], PORT)))
    }

    /// Another user, with a password and nothing else, who is handed a file to enrol a phone by; what is in it.
    pub fn invite(&self, user: &str) -> Result<String> {
        self.underpass(&["user", "add", user])?;
        let passwd = ["user", "passwd", user, "--config", &self.config()];
        self.hq.run_with_input(UNDERPASS, &passwd, &format!("{PASSWORD}\n"))?;
        let shown: serde_json::Value = serde_json::from_str(&self.underpass(&["user", "enroll", user, "--json"])?)?;
        let config = shown["config"].as_str().context("a configuration")?.to_owned();
        self.put("phone0.conf", &config)?;
        Ok(config)
    }

    /// Begins what the command does on the phone with its file; what is written to the second is typed.
    pub fn on_phone(&self, verb: &str) -> Result<(Running, File)> {
        let (typed, keys) = nix::unistd::pipe()?;
        let mut command = self.outside.command(UNDERPASS);
        command.arg(verb).arg(self.folder.path().join("phone0.conf")).stdin(typed);
        Ok((self.outside.start(command)?, keys.into()))
    }

    /// The phone's file as it is.
    pub fn file_of_phone(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("phone0.conf"))?)
    }

    fn put(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?)
    }

    /// The gateway's public key, while it runs.
    pub fn gateways_key(&self) -> Result<PublicKey> {
        let status = self.status()?;
        Ok(PublicKey::from_base64(status["public_key"].as_str().context("a key")?)?)
    }

    /// Whether the phone reaches the office within this time.
    pub fn reaches_office(&self, patience: Duration) -> Result<bool> {
        match self.visit(patience) {
            Ok(_) => Ok(true),
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// From where the office sees the phone come.
    pub fn seen_by_office(&self) -> Result<IpAddr> {
        self.visit(PATIENCE)
    }

    fn visit(&self, patience: Duration) -> Result<IpAddr> {
        visit(&self.outside, &self.office, OFFICE.1, patience)
    }

    /// Neither rules nor an interface, nor forwarding, nor anything in the runtime directory but locks.
    pub fn nothing_is_left(&self) -> Result<()> {
        let tables = self.hq.run("nft", &["list", "tables"])?;
        ensure!(tables.trim().is_empty(), "{tables}");
        let links = self.hq.run("ip", &["-o", "link"])?;
        ensure!(!links.contains("wgt0"), "{links}");
        let forwards = self.hq.run("cat", &["/proc/sys/net/ipv4/ip_forward"])?;
        ensure!(forwards.trim() == "0", "forwarding is {forwards}");
        let left = self.hq.run("find", &["/run/underpass", "/var/run/wireguard", "-type", "f", "-o", "-type", "s"]);
        let left = left.unwrap_or_default();
        let is_lock = |path: &str| path.ends_with("lock");
        ensure!(left.lines().all(is_lock), "{left}");
        Ok(())
    }

    /// Changes who may use one of the files.
    pub fn set_mode(&self, name: &str, mode: u32) -> Result<()> {
        Ok(fs::set_permissions(self.folder.path().join(name), fs::Permissions::from_mode(mode))?)
    }

    /// Adds a line to the configuration.
    pub fn append(&self, line: &str) -> Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.config())?;
        Ok(file.write_all(line.as_bytes())?)
    }
}

/// A machine says something to another at `address`, and hears it again; from where it seems to come.
pub fn visit(from: &Machine, to: &Machine, address: Ipv4Addr, patience: Duration) -> Result<IpAddr> {
    let listener = to.inside(|| TcpListener::bind((address, 0)))?;
    let there = listener.local_addr()?;
    let mut guest = from.inside(|| TcpStream::connect_timeout(&there, patience))?;
    let (mut host, from) = listener.accept()?;
    for stream in [&guest, &host] {
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    let mut said = [0; 5];
    guest.write_all(b"hello")?;
    host.read_exact(&mut said)?;
    host.write_all(&said)?;
    guest.read_exact(&mut said)?;
    ensure!(&said == b"hello", "{said:?}");
    Ok(from.ip())
}

/// The code that an authenticator with this address shows, so many steps from now.
pub fn code_of(uri: &str, ahead: u64) -> Result<String> {
    let secret = uri.split_once("secret=").context("a secret")?.1.split(['&', '\n']).next().unwrap_or_default();
    let step = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 30 + ahead;
    Ok(format!("{:06}", authenticator(secret)?.code(step)))
}

fn authenticator(secret: &str) -> Result<OneTimeCode> {
    let bytes = if secret.is_empty() { vec![0; 20] } else { BASE32_NOPAD.decode(secret.as_bytes())? };
    let secret = OtpSecret::from_bytes(&bytes).context("a secret")?;
    let moving = Moving::Time { period: 30 };
    Ok(OneTimeCode { secret, algorithm: Algorithm::Sha1, digits: Digits::SIX, moving })
}
