//! `underpass gateway init`: what a new gateway needs, where nothing of it is there.
use super::super::Outcome;
use super::super::daemon::own_program;
use super::Init;
use super::args::CONFIG;
use crate::engine::SystemRng;
use crate::gateway::{config, places};
use anyhow::{anyhow, bail};
use ipnet::IpNet;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use underpass_core::{PrivateKey, PublicKey};
use underpass_gateway::settings::{Severity, read};
use underpass_gateway::store::sqlite::{Keep, Sqlite};
use underpass_gateway::{Name, Time};
use zeroize::Zeroizing;

/// The unit for systemd, beside the configuration.
const UNIT: &str = "underpass-gateway.service";
/// Where the kernel tells of its routes for IPv4.
const ROUTES: &str = "/proc/net/route";

/// Writes it all.
///
/// # Errors
/// Something is there already, does not fit together, or cannot be written. Then nothing is left of what was written.
pub(super) fn run(asked: &Init) -> Outcome {
    let folder = std::path::absolute(&asked.dir)?;
    let state = std::path::absolute(&asked.state_dir)?;
    let place = |name: &str| folder.join(name);
    let (config, key_file, unit) = (place("gateway.toml"), place("gateway.key"), place(UNIT));
    for path in [&config, &key_file, &unit] {
        if fs::symlink_metadata(path).is_ok() {
            bail!("{} is there already; nothing was changed", path.display());
        }
    }
    let text = configuration(asked, &key_file, &state)?;
    for directory in [&folder, &state] {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| anyhow!("cannot make {}: {error}", directory.display()))?;
    }
    let store = state.join("gateway.db");
    let opened = Sqlite::open(&store, Keep::Traces).map(drop);
    opened.map_err(|error| anyhow!("cannot make the store {}: {error}", store.display()))?;
    let key = PrivateKey::generate(&mut SystemRng)?;
    let secret = Zeroizing::new([&**key.to_base64(), "\n"].concat());
    let service = unit_text(&config);
    let files =
        [(&key_file, secret.as_bytes(), 0o600), (&unit, service.as_bytes(), 0o644), (&config, text.as_bytes(), 0o600)];
    for (number, (path, bytes, mode)) in files.iter().enumerate() {
        if let Err(error) = write_new(path, bytes, *mode) {
            for (written, ..) in &files[..number] {
                let _ = fs::remove_file(written);
            }
            bail!("cannot write {}: {error}", path.display());
        }
    }
    begin_log(&config)?;
    say(asked, &key.public_key(), [&config, &key_file, &store, &unit])
}

fn say(asked: &Init, key: &PublicKey, written: [&PathBuf; 4]) -> Outcome {
    let [config, .., unit] = written;
    let option = if config == Path::new(CONFIG) { String::new() } else { format!(" --config {}", config.display()) };
    let mut stdout = io::stdout().lock();
    for path in written {
        writeln!(stdout, "wrote {}", path.display())?;
    }
    writeln!(stdout, "\nThe gateway's public key: {}\nIts port: {}/udp", key.to_base64(), asked.listen)?;
    writeln!(stdout, "\nHave a look at {}, then:", config.display())?;
    writeln!(stdout, "  underpass gateway check{option}")?;
    writeln!(stdout, "  systemctl enable --now {}     # or: underpass gateway run{option}", unit.display())?;
    writeln!(stdout, "  underpass user{option} add NAME && underpass user{option} passwd NAME")?;
    match asked.endpoint {
        Some(_) => {
            writeln!(stdout, "  underpass user{option} enroll NAME     # shows what NAME's device is to be given")?
        }
        None => writeln!(
            stdout,
            "  underpass user{option} totp NAME && underpass user{option} device add NAME DEVICE PUBLIC-KEY"
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Begins the audit log, with its first checkpoint: whoever verifies it misses nothing that should be there.
fn begin_log(config: &Path) -> anyhow::Result<()> {
    let at = Time::now();
    let mut recorder = places::recorder(&config::settings(config)?, at)?;
    recorder.checkpoint(at).map_err(|error| anyhow!("cannot write a checkpoint: {error}"))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(fs::remove_file(path)))
}

/// The text of the configuration, which is valid.
fn configuration(asked: &Init, key_file: &Path, state: &Path) -> anyhow::Result<String> {
    let networks: Vec<IpNet> = asked.network.iter().map(IpNet::trunc).collect();
    let own = networks.iter().map(own_address).collect::<anyhow::Result<Vec<_>>>()?;
    let routes = if asked.route.is_empty() { everything(&networks) } else { asked.route.clone() };
    let behind = if asked.masquerade.is_empty() { default_route() } else { asked.masquerade.clone() };
    let mut text = head(asked, &path_text(key_file.to_owned())?, &own);
    for network in &networks {
        let _ = writeln!(text, "[[pool]]\nnetwork = \"{network}\"");
    }
    let _ = write!(
        text,
        "# reserve = [{{ user = \"alice\", address = \"10.8.0.50\" }}]\n\n\
         [session]\n\
         lifetime = \"12h\"         # then a login is needed again\n\
         reauthenticate = \"15m\"   # so long before that, clients are told; traffic goes on\n\
         # idle = \"1h\"            # a session ends after so much silence\n\n\
         # What a login takes. The first entry that fits a user counts; each alternative is a list of factors, all of them needed.\n\
         [[method]]\nfactors = [[\"password\", \"totp\"]]\n\n\
         # Who reaches what. The first rule that fits decides, and what none fits is denied: without a rule, nobody reaches anything.\n\
         # `underpass rules explain` says which decides. This one would let everybody who is logged in reach all that is routed here.\n\
         # [[rule]]\n# name = \"everybody\"\n# action = \"allow\"\n# to = {}\n\n\
         # What clients are told to set.\n\
         [push]\nroutes = {}\n{}\n# dns = [\"10.1.0.53\"]\n# search = [\"example.org\"]\n\n\
         # Who did what. Checkpoints belong on another disk, or another machine's, than the log.\n\
         [log]\nlevel = \"audit\"            # full, audit, minimal, none\nfile = \"{}\"\ncheckpoints = \"{}\"\n# syslog = true\n\n\
         # Behind these interfaces, clients' addresses are hidden.\n\
         [nat]\nmasquerade = {}\n# forward = [\"10.1.0.0/16\"]  # nothing else is forwarded then\n\n\
         [store]\nsqlite = \"{}\"\n",
        list(&routes),
        list(&routes),
        if asked.route.is_empty() {
            "# kill_switch = false     # let the rest of what clients send go its own way"
        } else {
            "kill_switch = false       # the rest of what clients send goes its own way"
        },
        path_text(state.join("audit"))?,
        path_text(state.join("checkpoints.jsonl"))?,
        list(&behind),
        path_text(state.join("gateway.db"))?,
    );
    match read(&text).findings.iter().find(|finding| finding.severity == Severity::Error) {
        Some(error) => bail!("that makes no gateway: {}", error.text),
        None => Ok(text),
    }
}

/// A path as it stands between quotes.
fn path_text(path: PathBuf) -> anyhow::Result<String> {
    match path.to_str() {
        Some(text) if !text.contains(['"', '\\']) && !text.contains(char::is_control) => Ok(text.to_owned()),
        _ => Err(anyhow!("{}: such a path cannot stand in a configuration", path.display())),
    }
}

/// What is said of the gateway itself.
fn head(asked: &Init, key_file: &str, own: &[IpNet]) -> String {
    let name = asked.name.clone().unwrap_or_else(machines_name);
    let endpoint = match &asked.endpoint {
        Some(endpoint) => format!("endpoint = {:?}", with_port(endpoint, asked.listen)),
        None => "# endpoint = \"vpn.example.org:51820\"   # where clients find it: enrolments need it".into(),
    };
    format!(
        "# The gateway {name}. `underpass gateway check` says what is wrong in this file, and where.\n\n\
         [gateway]\nname = \"{name}\"\ninterface = \"{}\"\nlisten = {}\nprivate_key_file = \"{key_file}\"\naddresses = {}\n{endpoint}\n\
         # mtu = 1420\n\n\
         # Addresses for those who log in.\n",
        asked.interface,
        asked.listen,
        list(own),
    )
}

/// `host:port`, of which the port may be missing.
fn with_port(endpoint: &str, port: u16) -> String {
    match endpoint.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, port).to_string(),
        Err(_) if endpoint.contains(':') => endpoint.to_owned(),
        Err(_) => format!("{endpoint}:{port}"),
    }
}

/// The address that follows that of the network, with the length of its prefix.
fn own_address(network: &IpNet) -> anyhow::Result<IpNet> {
    let first = network.hosts().find(|address| *address != network.network());
    match first.filter(|_| network.prefix_len() + 2 <= network.max_prefix_len()) {
        Some(first) => Ok(IpNet::new(first, network.prefix_len())?),
        None => bail!("{network} has no room for a client beside the gateway"),
    }
}

/// All there is, of the families of `networks`.
fn everything(networks: &[IpNet]) -> Vec<IpNet> {
    let all = [IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())];
    all.into_iter().filter(|all| networks.iter().any(|one| one.addr().is_ipv4() == all.addr().is_ipv4())).collect()
}

/// The interface of the default route, if there is one.
fn default_route() -> Vec<String> {
    fs::read_to_string(ROUTES).ok().and_then(|routes| default_of(&routes)).into_iter().collect()
}

/// The interface of the default route in the kernel's list of routes: name, destination and more; mask is the eighth column.
fn default_of(routes: &str) -> Option<String> {
    let mut lines = routes.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let is_default = |columns: &Vec<&str>| columns.get(1) == Some(&"00000000") && columns.get(7) == Some(&"00000000");
    lines.find(is_default)?.first().map(|&name| name.to_owned())
}

/// The name of the machine, as far as a gateway can be called so.
fn machines_name() -> Name {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let name = name.and_then(|name| name.parse().ok());
    name.unwrap_or_else(|| "gateway".parse().expect("a name"))
}

/// A list in TOML.
fn list(values: &[impl ToString]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("\"{}\"", value.to_string())).collect();
    format!("[{}]", quoted.join(", "))
}

/// The unit that runs the gateway.
fn unit_text(config: &Path) -> String {
    format!(
        "# `systemctl enable --now` with the path of this file starts the gateway, and has it start with the machine.\n\
         [Unit]\n\
         Description=Underpass gateway\n\
         Documentation=man:underpass-gateway(8)\n\
         After=network-online.target nss-lookup.target\n\
         Wants=network-online.target nss-lookup.target\n\
         StartLimitIntervalSec=0\n\n\
         [Service]\n\
         Type=notify\n\
         Environment=LOG_LEVEL=info\n\
         ExecStart={} gateway run --config {}\n\
         Restart=on-failure\n\
         RestartSec=2\n\
         StateDirectory=underpass\n\
         StateDirectoryMode=0700\n\
         UMask=0077\n\
         KeyringMode=private\n\
         LockPersonality=yes\n\
         RestrictRealtime=yes\n\
         LimitMEMLOCK=512M\n\
         TimeoutStopSec=60\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        own_program().display(),
        config.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Arguments, Command};
    use crate::cli::gateway::GatewayCommand;
    use crate::gateway::keys;
    use clap::Parser;
    use std::os::unix::fs::PermissionsExt as _;

    fn asked(line: &str) -> Init {
        let words = ["underpass", "gateway", "init"].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}")).command {
            Some(Command::Gateway { command: GatewayCommand::Init(asked) }) => asked,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_a_gateway_that_can_start_and_is_not_written_over() {
        let above = tempfile::tempdir().expect("a folder");
        let (folder, state) = (above.path().join("a/etc"), above.path().join("a/state"));
        let line = format!(
            "--dir {} --state-dir {} --name hq --listen 443 --network 10.9.0.0/24 --network fd09::/64 --masquerade eth0",
            folder.display(),
            state.display()
        );
        run(&asked(&line)).expect("written");
        let path = folder.join("gateway.toml");
        let read = config::Config::read(&path).expect("read");
        // Whom to let in where is the operator's to say.
        let findings: Vec<_> = read.read.findings.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(findings, ["no [[rule]] allows anything: who logs in reaches nothing"]);
        let text = fs::read_to_string(&path).expect("read");
        let ruled = text.replace("# [[rule]]", "[[rule]]").replace("# name = \"e", "name = \"e");
        let ruled = ruled.replace("# action", "action").replace("# to = ", "to = ");
        let (_, uncommented) = ruled.split_once("[[rule]]").expect("the example");
        assert!(uncommented.starts_with("\nname = \"everybody\"\naction = \"allow\"\nto = "), "{uncommented}");
        assert!(underpass_gateway::settings::read(&ruled).findings.is_empty(), "the example holds");
        let settings = config::settings(&path).expect("settings");
        assert_eq!((settings.name.as_str(), settings.listen), ("hq", 443));
        assert_eq!(list(&settings.addresses), r#"["10.9.0.1/24", "fd09::1/64"]"#);
        assert_eq!(list(&settings.push.routes), r#"["0.0.0.0/0", "::/0"]"#);
        assert_eq!(settings.nat.masquerade, ["eth0"]);
        underpass_gateway::service::serves(&settings).expect("served");
        keys::private_key(&settings.private_key_file).expect("a key that nobody else can read");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&state), mode(&state.join("gateway.db"))), (0o700, 0o700, 0o600));
        for name in ["gateway.toml", "gateway.key", UNIT] {
            let before = fs::read(folder.join(name)).expect("read");
            let error = run(&asked(&line)).expect_err("refused").to_string();
            assert!(error.ends_with("is there already; nothing was changed"), "{error}");
            assert_eq!(fs::read(folder.join(name)).expect("read"), before, "{name}");
            fs::remove_file(folder.join(name)).expect("removed");
        }
    }

    #[test]
    fn what_makes_no_gateway_is_refused_and_nothing_is_written() {
        let above = tempfile::tempdir().expect("a folder");
        let folder = above.path().join("etc");
        for options in [
            "--listen 0",
            "--network 10.0.0.0/31",
            "--interface way-too-long-a-name",
            "--network 10.0.0.0/8 --network 10.1.0.0/16",
        ] {
            let line = format!("--dir {0} --state-dir {0}/state {options}", folder.display());
            assert!(run(&asked(&line)).is_err(), "{options}");
            assert!(!folder.exists(), "{options}");
        }
    }

    #[test]
    fn the_port_of_an_endpoint_may_be_missing() {
        for (given, endpoint) in [
            ("vpn.example.org", "vpn.example.org:443"),
            ("vpn.example.org:51820", "vpn.example.org:51820"),
            ("192.0.2.1", "192.0.2.1:443"),
            ("2001:db8::1", "[2001:db8::1]:443"),
            ("[2001:db8::1]:51820", "[2001:db8::1]:51820"),
        ] {
            assert_eq!(with_port(given, 443), endpoint);
            let asked = asked(&format!("--endpoint {given} --listen 443"));
            let text = configuration(&asked, Path::new("/etc/key"), Path::new("/var/lib/state")).expect("a gateway");
            assert_eq!(read(&text).settings.expect("settings").endpoint.as_deref(), Some(endpoint));
        }
        let asked = asked("--endpoint vpn\"example");
        assert!(configuration(&asked, Path::new("/etc/key"), Path::new("/var/lib/state")).is_err());
    }

    #[test]
    fn the_default_route_is_the_one_to_everything() {
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let half = "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n";
        let whole = "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
        assert_eq!(default_of(&format!("{head}{half}{whole}")).as_deref(), Some("eth0"));
        assert_eq!(default_of(&format!("{head}{half}")), None);
    }
}
