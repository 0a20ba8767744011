//! The daemons that are measured, and what the kernel says of them.
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use underpass_interop::device::root;
use underpass_interop::{Device, Implementation, KeyPair, Machine, eventually, seconds};

/// Clock ticks in a second, as `/proc` counts (`USER_HZ` is 100 on every Linux).
const TICKS: f64 = 100.0;

/// A program that makes a WireGuard interface.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// Its name in tables.
    pub name: &'static str,
    program: PathBuf,
    flags: &'static [&'static str],
}

/// Everyone that is installed, the reference first, and the names of those that are not.
pub fn contestants() -> Result<(Vec<Contestant>, Vec<&'static str>)> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin");
    let all = [
        ("wireguard-go, newest", Implementation::GoNewest.program().ok(), &["-f"][..]),
        ("Underpass", Some(Implementation::Underpass.program()?), &["-f"][..]),
        ("wireguard-go, Debian", Implementation::GoDebian.program().ok(), &["-f"][..]),
        ("boringtun-cli", Some(tools.join("boringtun-cli")), &["--foreground", "--disable-drop-privileges"][..]),
        ("gotatun-cli", Some(tools.join("gotatun")), &["--foreground", "--disable-drop-privileges"][..]),
    ];
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (name, program, flags) in all {
        match program.filter(|program| program.is_file()) {
            Some(program) => found.push(Contestant { name, program, flags }),
            None => missing.push(name),
        }
    }
    if found.first().is_none_or(|first| first.name != "wireguard-go, newest") {
        bail!("no {}: run `make setup`", root().join("target/tools/wireguard-go-newest").display());
    }
    Ok((found, missing))
}

impl Contestant {
    /// The Linux host of this tree.
    #[cfg(feature = "phone")]
    pub fn underpass() -> Result<Self> {
        Ok(Self { name: "Underpass", program: Implementation::Underpass.program()?, flags: &["-f"] })
    }

    /// Starts `wg0` on `machine`: no key, no address, down, and saying as little as it can.
    pub fn start(&self, machine: &Machine) -> Result<Device> {
        let mut command = machine.command(&self.program.to_string_lossy());
        command.args(self.flags).arg("wg0");
        command.env("LOG_LEVEL", "error").env("WG_PROCESS_FOREGROUND", "1").env("WG_LOG_LEVEL", "error");
        let keys = KeyPair::generate(machine)?;
        let daemon = machine.start(command)?;
        let mut device = Device { machine: machine.clone(), name: "wg0".to_owned(), keys, daemon };
        eventually(&format!("a control socket of {}", self.name), seconds(10), || {
            if let Some(status) = device.daemon.ended()? {
                bail!("{} ended with {status}\n{}", self.name, device.daemon.stderr());
            }
            Ok(device.socket().exists())
        })?;
        Ok(device)
    }
}

/// Seconds of CPU that a daemon has used, in the kernel on its behalf included.
pub fn cpu_seconds(device: &Device) -> Result<f64> {
    cpu_seconds_of(device.daemon.pid())
}

/// The same of any process.
pub fn cpu_seconds_of(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold spaces.
    let (_, fields) = text.rsplit_once(')').context("a name in brackets")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |number: usize| fields.get(number).and_then(|ticks| ticks.parse::<f64>().ok()).context("ticks");
    Ok((field(11)? + field(12)?) / TICKS)
}

/// The most memory a daemon ever had resident, in bytes.
pub fn peak_memory(device: &Device) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", device.daemon.pid()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}
