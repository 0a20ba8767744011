//! A traveller's machine with a resolver of some kind, and one machine that is the network it is on and the other end of
//! its tunnel.
use super::server::Server;
use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::cell::Cell;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use underpass_linux::demo::stage::{Finished, Machine, Running, Stage, eventually};
use underpass_linux::dns::{Dns, Places};

pub const UNDERPASS: &str = env!("CARGO_BIN_EXE_underpass");
/// How long anything may take that happens by itself: no verdict hangs on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// What the network's name server says, and the tunnel's.
pub const OUTSIDE: &str = "198.51.100.1";
pub const INSIDE: &str = "198.51.100.2";
/// Where they are.
pub const UPLINK: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const TUNNEL: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// Which resolver the traveller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file that nobody looks after.
    Plain,
    Resolved,
    Openresolv,
    DebianResolvconf,
}

pub struct Scene {
    pub traveller: Machine,
    pub folder: TempDir,
    pub outside: Server,
    /// What has to be there until the end.
    _others: (Machine, Server, Vec<Running>),
    names: Cell<u32>,
}

impl Scene {
    pub fn new(kind: Kind) -> Result<Self> {
        let stage = Stage::new()?;
        let (traveller, network) = (stage.machine("traveller")?, stage.machine("network")?);
        let folder = tempfile::tempdir()?;
        traveller.wire("eth0", &network, "eth0")?;
        traveller.ip("address add 192.0.2.1/24 dev eth0")?;
        network.ip("address add 192.0.2.2/24 dev eth0")?;
        let keys = [key(&network)?, key(&network)?];
        let peer = |own: usize, rest: &str| {
            let (private, public) = (&keys[own].0, &keys[1 - own].1);
            format!("[Interface]\nPrivateKey = {private}\nMTU = 1400\n{rest}")
                .replace("PEER", &format!("[Peer]\nPublicKey = {public}"))
        };
        let end = peer(1, "Address = 10.9.0.2/24\nListenPort = 51820\nPEER\nAllowedIPs = 10.9.0.1/32\n");
        write(&folder.path().join("wgn.conf"), &end)?;
        network.run(UNDERPASS, &["up", &folder.path().join("wgn.conf").to_string_lossy()])?;
        let own = peer(
            0,
            "Address = 10.9.0.1/24\nDNS = 10.9.0.2MORE\nPEER\nAllowedIPs = 10.9.0.0/24\nEndpoint = 192.0.2.2:51820\n",
        );
        write(&folder.path().join("model"), &own)?;
        let outside = Server::start(&network, UPLINK, OUTSIDE.parse()?)?;
        let inside = Server::start(&network, TUNNEL, INSIDE.parse()?)?;
        furnish(&traveller, kind)?;
        let running = begin(&traveller, kind, folder.path())?;
        let names = Cell::new(0);
        let scene = Self { traveller, folder, outside, _others: (network, inside, running), names };
        ensure!(scene.ask("before.example")? == OUTSIDE, "the network's name server does not answer");
        Ok(scene)
    }

    /// Writes the traveller's configuration, with `more` after the name server.
    pub fn config(&self, more: &str) -> Result<String> {
        let path = self.folder.path().join("wgt0.conf");
        let model = fs::read_to_string(self.folder.path().join("model"))?;
        write(&path, &model.replace("MORE", more))?;
        Ok(path.to_string_lossy().into_owned())
    }

    pub fn underpass(&self, arguments: &[&str]) -> Result<Finished> {
        self.traveller.try_run(UNDERPASS, arguments)
    }

    /// Who answers when the C library is asked for `name`.
    pub fn ask(&self, name: &str) -> Result<String> {
        let found = self.traveller.try_run("getent", &["ahostsv4", name])?;
        Ok(found.stdout.split_whitespace().next().unwrap_or("nobody").to_owned())
    }

    /// Asks for a name that nobody asked for before, `name` with a number before it, and wants the answer `expected`.
    pub fn answers(&self, name: &str, expected: &str) -> Result<()> {
        self.names.set(self.names.get() + 1);
        let name = format!("n{}.{name}", self.names.get());
        let answer = self.ask(&name)?;
        ensure!(answer == expected, "for {name}, {answer} answers, not {expected}\n{}", self.file());
        Ok(())
    }

    /// What programs read to know whom to ask: what leads there, and what it says.
    pub fn file(&self) -> String {
        self.traveller.inside(|| {
            let link = fs::read_link("/etc/resolv.conf").map(|target| target.display().to_string()).unwrap_or_default();
            format!("{link}\n{}", fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
        })
    }

    /// Whether a program on the traveller's machine sees that the resolvers are told.
    pub fn is_told(&self) -> Result<bool> {
        self.traveller.inside(|| {
            let resolvers = underpass_linux::dns::find("wgt0", &Places::default())?;
            let (servers, search) = (vec![IpAddr::from(TUNNEL).into()], vec![]);
            Ok(Dns { interface: "wgt0".into(), resolvers, servers, search, everything: true }.is_set())
        })
    }

    /// Kills the traveller's tunnel and waits until its interface is gone.
    pub fn kill_tunnel(&self) -> Result<()> {
        let is_tunnel =
            |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"underpass\0-f\0"));
        let pid = self.traveller.processes()?.into_iter().find(is_tunnel).context("no tunnel runs")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
        eventually("the interface is gone", PATIENCE, || {
            Ok(!self.traveller.try_run("ip", &["link", "show", "wgt0"])?.status.success())
        })
    }

    /// Nothing of ours is left in /etc and /run.
    pub fn is_clean(&self) -> Result<()> {
        let left = self.traveller.inside(|| {
            let names = |folder: &str| {
                let entries = fs::read_dir(folder).into_iter().flatten().flatten();
                entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
            };
            [names("/etc"), names("/run/underpass/dns")].concat()
        });
        let ours = |name: &&String| name.contains("underpass") || name.ends_with(".json");
        let left: Vec<_> = left.iter().filter(ours).collect();
        ensure!(left.is_empty(), "left behind: {left:?}");
        Ok(())
    }
}

/// A private key and its public key.
fn key(machine: &Machine) -> Result<(String, String)> {
    let private = machine.run(UNDERPASS, &["genkey"])?;
    let public = machine.run_with_input(UNDERPASS, &["pubkey"], &private)?;
    Ok((private.trim().to_owned(), public.trim().to_owned()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}

/// Where `tests/resolvers.sh` put the programs.
fn programs(kind: Kind) -> Result<Option<PathBuf>> {
    let name = match kind {
        Kind::Plain => return Ok(None),
        Kind::Resolved => "resolved",
        Kind::Openresolv => "openresolv",
        Kind::DebianResolvconf => "resolvconf",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/resolvers").join(name);
    Ok(Some(path.canonicalize().with_context(|| format!("no {}: run `make setup`", path.display()))?))
}

/// Gives `machine` an /etc of its own, with what programs cannot do without, and lays the programs over /usr.
fn furnish(machine: &Machine, kind: Kind) -> Result<()> {
    let kept = [
        "passwd",
        "group",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "alternatives",
        "iproute2",
        "protocols",
        "services",
    ];
    let kept: Vec<_> = kept.into_iter().filter(|name| Path::new("/etc").join(name).exists()).collect();
    machine.run("sh", &["-ec", &format!("mkdir /run/etc; cd /etc; cp -a {} /run/etc/", kept.join(" "))])?;
    machine.run("mount", &["-t", "tmpfs", "tmpfs", "/etc", "-o", "mode=755"])?;
    machine.run("sh", &["-ec", "mv /run/etc/* /etc/; rmdir /run/etc; echo 'hosts: files dns' > /etc/nsswitch.conf"])?;
    if let Some(programs) = programs(kind)? {
        let layers = format!("lowerdir={}:/usr", programs.join("usr").display());
        machine.run("mount", &["-t", "overlay", "overlay", "/usr", "-o", &layers])?;
        machine.run("sh", &["-ec", &format!("cp -a {}/. /etc/", programs.join("etc").display())])?;
    }
    Ok(())
}

/// A bus that only serves this machine, and allows all.
const BUS: &str = "<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>\
    <auth>EXTERNAL</auth><policy context='default'><allow user='*'/><allow send_destination='*' eavesdrop='true'/>\
    <allow eavesdrop='true'/><allow own='*'/></policy></busconfig>";

/// Starts the resolver, and tells it of the network's name server as a DHCP client would.
fn begin(machine: &Machine, kind: Kind, folder: &Path) -> Result<Vec<Running>> {
    let shell = |script: &str| machine.run("sh", &["-ec", script]).map(drop);
    match kind {
        Kind::Plain => shell("printf '# by hand\\nnameserver 192.0.2.2\\n' > /etc/resolv.conf")?,
        Kind::Openresolv => shell("echo nameserver 192.0.2.2 | resolvconf -a eth0")?,
        Kind::DebianResolvconf => shell(
            "mkdir -p /run/resolvconf/interface; resolvconf --enable-updates; \
             ln -s /run/resolvconf/resolv.conf /etc/resolv.conf; echo nameserver 192.0.2.2 | resolvconf -a eth0.dhclient",
        )?,
        Kind::Resolved => {
            shell(
                "grep -q ^systemd-resolve: /etc/passwd || echo 'systemd-resolve:x:993:993::/:/usr/sbin/nologin' >> /etc/passwd; \
                 grep -q ^systemd-resolve: /etc/group || echo 'systemd-resolve:x:993:' >> /etc/group; \
                 mkdir -p /run/dbus /run/systemd /etc/systemd; ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf; \
                 printf '[Resolve]\\nLLMNR=no\\nMulticastDNS=no\\nDNSSEC=no\\n' > /etc/systemd/resolved.conf",
            )?;
            let bus = folder.join("bus.conf");
            fs::write(&bus, BUS)?;
            let bus = machine.spawn("dbus-daemon", &["--nofork", "--config-file", &bus.to_string_lossy()])?;
            eventually("the bus listens", PATIENCE, || {
                Ok(machine.inside(|| Path::new("/run/dbus/system_bus_socket").exists()))
            })?;
            let resolved = machine.spawn("/usr/lib/systemd/systemd-resolved", &[])?;
            let mut said = String::new();
            let tell = || -> Result<bool> {
                let told = machine
                    .try_run("sh", &["-ec", "resolvectl dns eth0 192.0.2.2; resolvectl domain eth0 lan.example"])?;
                said = told.stderr;
                Ok(told.status.success())
            };
            eventually("systemd-resolved can be told", PATIENCE, tell)
                .with_context(|| format!("{said}\n{}\n{}", resolved.stderr(), bus.stderr()))?;
            return Ok(vec![resolved, bus]);
        }
    }
    Ok(vec![])
}

/// A folder with a link `resolvconf` to resolvectl(1) in it, as some distributions have it in /usr/sbin.
pub fn alias(folder: &Path) -> Result<PathBuf> {
    let programs = folder.join("alias");
    fs::create_dir(&programs)?;
    symlink("/usr/bin/resolvectl", programs.join("resolvconf"))?;
    Ok(programs)
}
