//! A phone: a Kotlin program with a real virtual interface, which the pump of the library carries.
use crate::device::{newest, root};
use crate::keys::KeyPair;
use crate::{PATIENCE, eventually};
use anyhow::{Context as _, Result, bail, ensure};
use base64ct::{Base64, Encoding as _};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use underpass_linux::demo::stage::{Machine, Running};

/// The port by which it is told what to do, inside its machine.
const PORT: u16 = 4747;
/// How to make what it is started from.
const REMEDY: &str = "run `tests/kotlin.sh`";

/// A running program with the interface `tun0` and a key of its own; gone when dropped.
#[derive(Debug)]
pub struct Phone {
    /// Where it stands.
    pub machine: Machine,
    /// Its keys.
    pub keys: KeyPair,
    /// The program.
    pub program: Running,
    line: BufReader<TcpStream>,
}

impl Phone {
    /// Starts it on `machine`. Its interface has the `addresses` and is up; nothing carries it yet.
    ///
    /// # Errors
    /// When the program is missing or old, or ends.
    pub fn start(machine: &Machine, addresses: &[&str]) -> Result<Self> {
        Self::start_with(&library()?, machine, addresses)
    }

    /// The same with another build of the library.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(library: &Path, machine: &Machine, addresses: &[&str]) -> Result<Self> {
        let mut command = machine.command("java");
        command.args(["-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &classpath()?]);
        command.arg(format!("-Duniffi.component.underpass.libraryOverride={}", library.display()));
        command.args(["org.underpass.tunnel.internal.PhoneKt", "tun0", &PORT.to_string()]);
        let mut program = machine.start(command)?;
        eventually("the phone is ready", PATIENCE, || {
            if let Some(status) = program.ended()? {
                bail!("the phone ended with {status}\n{}", program.stderr());
            }
            Ok(program.stdout().contains("ready"))
        })?;
        let line = machine.inside(|| TcpStream::connect(("127.0.0.1", PORT)))?;
        line.set_read_timeout(Some(PATIENCE))?;
        for address in addresses {
            let flags = if address.contains(':') { "nodad" } else { "" };
            machine.ip(&format!("addr add {address} dev tun0 {flags}"))?;
        }
        machine.ip("link set tun0 mtu 1420 up")?;
        let keys = KeyPair::generate(machine)?;
        Ok(Self { machine: machine.clone(), keys, program, line: BufReader::new(line) })
    }

    /// Starts the pump with a configuration: its key, and these peers.
    ///
    /// # Errors
    /// What the phone answers.
    pub fn carry(&mut self, peers: &str) -> Result<()> {
        let text = format!("[Interface]\nPrivateKey = {}\n{peers}", self.keys.private);
        self.order(&format!("start {}", Base64::encode_string(text.as_bytes())))
    }

    /// Tells it to do something, which must be done.
    ///
    /// # Errors
    /// What the phone answers instead of `ok`.
    pub fn order(&mut self, order: &str) -> Result<()> {
        let answer = self.ask(order)?;
        ensure!(answer == "ok", "the phone was told to {order}: {answer}");
        Ok(())
    }

    /// Asks it something.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(&mut self, question: &str) -> Result<String> {
        writeln!(self.line.get_mut(), "{question}")?;
        let mut answer = String::new();
        self.line.read_line(&mut answer).with_context(|| format!("no answer to {question}"))?;
        ensure!(!answer.is_empty(), "the phone hung up at {question}\n{}", self.program.stderr());
        Ok(answer.trim().to_owned())
    }

    /// The `[Peer]` section by which another machine knows it.
    #[must_use]
    pub fn as_peer(&self, allowed_ips: &str) -> String {
        format!("[Peer]\nPublicKey = {}\nAllowedIPs = {allowed_ips}\n", self.keys.public)
    }
}

/// The library that `tests/kotlin.sh` builds.
fn library() -> Result<PathBuf> {
    let path = root().join("target/debug/libunderpass_jni.so");
    let built = std::fs::metadata(&path).with_context(|| format!("no {}: {REMEDY}", path.display()))?.modified()?;
    for sources in ["core/src", "linux/carry/src", "bindings/uniffi/src", "bindings/jni/src"] {
        ensure!(newest(&root().join(sources))? <= built, "{} is older than {sources}: {REMEDY}", path.display());
    }
    Ok(std::fs::canonicalize(path)?)
}

/// Where Java finds the classes of `tests/kotlin`.
///
/// # Errors
/// When they were not built.
pub fn classpath() -> Result<String> {
    let kotlin =
        std::fs::canonicalize(root().join("target/kotlin")).with_context(|| format!("no classes: {REMEDY}"))?;
    let jars = std::fs::read_to_string(kotlin.join("classpath")).with_context(|| format!("no classpath: {REMEDY}"))?;
    let kotlin = kotlin.display();
    Ok(format!("{kotlin}/classes:{kotlin}/test-classes:{}", jars.trim()))
}
