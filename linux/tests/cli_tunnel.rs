//! The command as root, on machines of their own: whatever begins, ends, fails or is interrupted leaves nothing behind.
//!
//! Root is needed: machines are network namespaces. Without it every test here fails.
use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use underpass_linux::demo::stage::{self, Finished, Machine, Running, Stage};

const UNDERPASS: &str = env!("CARGO_BIN_EXE_underpass");
/// RFC 7748 § 6.1: Alice's private key, Bob's public key.
const PRIVATE: &str = "cAdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LGo=";
const PEER: &str = "3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
/// How long anything may take that happens by itself: no verdict hangs on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine, a directory for configurations, and how the machine was at first.
struct Scene {
    machine: Machine,
    directory: TempDir,
    before: String,
}

impl Scene {
    fn new() -> Result<Self> {
        let machine = Stage::new()?.machine("gateway")?;
        let directory = tempfile::tempdir()?;
        let before = state(&machine)?;
        Ok(Self { machine, directory, before })
    }

    fn underpass(&self, arguments: &[&str]) -> Result<Finished> {
        self.machine.try_run(UNDERPASS, arguments)
    }

    /// Writes `wgt0.conf`: an interface that takes everything, with `more` in its section.
    fn config(&self, more: &str) -> Result<String> {
        let path = self.directory.path().join("wgt0.conf");
        let text = format!(
            "[Interface]\nPrivateKey = {PRIVATE}\nAddress = 10.9.0.1/24, fd09::1/64\nListenPort = 7001\n{more}\n\
             [Peer]\nPublicKey = {PEER}\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 127.0.0.1:7000\n"
        );
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Waits until the machine is as it was at first.
    fn is_clean(&self) -> Result<()> {
        self.comes_to(&self.before)
    }

    /// Waits until the machine is as it was: programs take a moment to end.
    fn comes_to(&self, before: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let after = state(&self.machine)?;
            if after == before {
                return Ok(());
            }
            ensure!(Instant::now() < until, "left behind:\n{after}\nbefore:\n{before}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until `running`, a tunnel in the foreground, serves its socket.
    fn becomes_ready(&self, running: &Running) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.underpass(&["show", "wgt0"])?.status.success() {
            ensure!(Instant::now() < until, "never ready: {}", running.stderr());
        }
        Ok(())
    }

    /// Kills the one program that runs here, which serves `wgt0`, and waits until all that it had open is closed: the
    /// kernel closes it one by one.
    fn kill_program(&self) -> Result<()> {
        kill(self.program()?, Signal::SIGKILL)?;
        let until = Instant::now() + PATIENCE;
        let stands = || self.machine.run("ip", &["-o", "link"]).map(|links| links.contains("wgt0"));
        while !self.underpass(&["show", "interfaces"])?.stdout.is_empty() || stands()? {
            ensure!(Instant::now() < until, "the dead answer");
        }
        Ok(())
    }

    /// The one program that runs here.
    fn program(&self) -> Result<Pid> {
        let processes = self.machine.processes()?;
        ensure!(processes.len() == 1, "{processes:?}");
        Ok(Pid::from_raw(i32::try_from(processes[0])?))
    }
}

/// Interfaces, rules, routes, firewall, control sockets and programs of `machine`, once the kernel has given every address of
/// IPv6 its route.
fn state(machine: &Machine) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = state_just_now(machine)?;
        let addresses = text.lines().take_while(|line| !line.starts_with("0:")).flat_map(str::split_whitespace);
        let mut addresses =
            addresses.filter_map(|word| word.split_once('/')).filter(|(address, _)| address.contains(':'));
        if addresses.all(|(address, _)| text.contains(&format!("local {address} dev "))) {
            return Ok(text);
        }
        ensure!(Instant::now() < until, "an address without a route:\n{text}");
    }
}

fn state_just_now(machine: &Machine) -> Result<String> {
    let mut text = String::new();
    for command in [
        "ip -br address",
        "ip -4 rule",
        "ip -6 rule",
        "ip -4 route show table all",
        "ip -6 route show table all",
        "nft list ruleset",
    ] {
        let mut words = command.split(' ');
        let program = words.next().context("a program")?;
        text.push_str(&machine.run(program, &words.collect::<Vec<_>>())?);
    }
    let sockets = machine.inside(|| fs::read_dir("/var/run/wireguard").map_or(0, Iterator::count));
    Ok(format!("{text}{sockets} sockets, {} programs\n", machine.processes()?.len()))
}

fn says(finished: &Finished, code: i32, message: &str) -> Result<()> {
    let lines = finished.stderr.lines().count();
    let right = finished.status.code() == Some(code) && finished.stderr.contains(message) && lines <= 1;
    ensure!(right, "expected {code} and `{message}`: {finished:?}");
    Ok(())
}

#[test]
fn a_tunnel_in_the_background_is_ready_and_ends_when_told() -> Result<()> {
    let scene = Scene::new()?;
    for end in ["interface", "socket", "SIGTERM", "SIGINT", "SIGHUP"] {
        says(&scene.underpass(&["wgt0"])?, 0, "")?;
        ensure!(scene.underpass(&["show", "interfaces"])?.stdout == "wgt0\n");
        let mode = scene
            .machine
            .inside(|| fs::metadata("/var/run/wireguard/wgt0.sock").map(|file| file.permissions().mode()))?;
        ensure!(mode & 0o777 == 0o600, "{mode:o}");
        scene.machine.run("ip", &["link", "show", "wgt0"])?;
        match end {
            "interface" => drop(scene.machine.run("ip", &["link", "delete", "wgt0"])?),
            "socket" => scene.machine.inside(|| fs::remove_file("/var/run/wireguard/wgt0.sock"))?,
            signal => kill(scene.program()?, signal.parse::<Signal>()?)?,
        }
        scene.is_clean().with_context(|| format!("ended by {end}"))?;
    }
    Ok(())
}

#[test]
fn a_tunnel_in_the_foreground_ends_with_status_0_on_a_signal() -> Result<()> {
    let scene = Scene::new()?;
    let running = scene.machine.spawn(UNDERPASS, &["-f", "wgt0"])?;
    scene.becomes_ready(&running)?;
    running.signal(Signal::SIGTERM)?;
    says(&running.wait(PATIENCE)?, 0, "")?;
    scene.is_clean()
}

/// As under `nohup`, or in the background of a shell without job control: what reaches a terminal is meant for others.
#[test]
fn a_signal_that_was_ignored_at_the_start_ends_no_tunnel() -> Result<()> {
    let scene = Scene::new()?;
    let deaf = |signals: &str, arguments: &str| {
        let mut command = scene.machine.command("sh");
        let line = format!("trap '' {signals}; exec {UNDERPASS} {arguments}");
        command.args(["-c", &line]).env("LOG_LEVEL", "info");
        scene.machine.start(command)
    };
    for (ignored, sent) in [("INT", Signal::SIGINT), ("HUP INT TERM", Signal::SIGHUP)] {
        let running = deaf(ignored, "-f wgt0")?;
        scene.becomes_ready(&running)?;
        running.signal(sent)?;
        // It hears signals one after the other: had it heard the first, that would be what it ends by.
        running.signal(Signal::SIGTERM)?;
        let finished = running.wait(PATIENCE)?;
        ensure!(finished.status.success() && finished.stderr.contains("signal=15"), "{finished:?}");
        scene.is_clean()?;
    }
    // The one that was not ignored is heard.
    let running = deaf("INT", "-f wgt0")?;
    scene.becomes_ready(&running)?;
    running.signal(Signal::SIGHUP)?;
    ensure!(running.wait(PATIENCE)?.stderr.contains("signal=1"), "SIGHUP");
    scene.is_clean()?;
    // In the background it has no terminal, and hears all that is sent to it.
    for sent in [Signal::SIGHUP, Signal::SIGINT] {
        ensure!(deaf("HUP INT", "wgt0")?.wait(PATIENCE)?.status.success(), "it starts");
        kill(scene.program()?, sent)?;
        scene.is_clean().with_context(|| format!("{sent} in the background"))?;
    }
    Ok(())
}

#[test]
fn a_program_that_was_killed_is_replaced() -> Result<()> {
    let scene = Scene::new()?;
    says(&scene.underpass(&["wgt0"])?, 0, "")?;
    scene.kill_program()?;
    says(&scene.underpass(&["wgt0"])?, 0, "")?;
    scene.machine.run("ip", &["link", "delete", "wgt0"])?;
    scene.is_clean()
}

#[test]
fn a_tunnel_that_cannot_start_says_why_and_leaves_nothing() -> Result<()> {
    let scene = Scene::new()?;
    scene.machine.ip("link add taken type veth peer name other")?;
    for form in [&["taken"][..], &["-f", "taken"]] {
        says(&scene.underpass(form)?, 1, "underpass: interface `taken` exists already")?;
    }
    scene.machine.ip("link delete taken")?;

    says(&scene.underpass(&["wgt0"])?, 0, "")?;
    says(&scene.underpass(&["wgt0"])?, 1, "exists already")?;
    ensure!(scene.underpass(&["show", "wgt0"])?.status.success(), "the first one is still there");
    scene.machine.run("ip", &["link", "delete", "wgt0"])?;
    scene.is_clean()?;

    let mut command = scene.machine.command(UNDERPASS);
    command.arg("wgt0").env("UNDERPASS_CONTROL_DIR", "/proc/none");
    says(&scene.machine.start(command)?.wait(PATIENCE)?, 1, "cannot create the directory /proc/none")?;
    scene.is_clean()?;

    // Somebody else serves the socket, though the interface is free.
    let directory = scene.directory.path().to_owned();
    let _other = std::os::unix::net::UnixListener::bind(directory.join("wgt0.sock"))?;
    let mut command = scene.machine.command(UNDERPASS);
    command.arg("wgt0").env("UNDERPASS_CONTROL_DIR", &directory);
    says(&scene.machine.start(command)?.wait(PATIENCE)?, 1, "another program serves the control socket")?;
    ensure!(directory.join("wgt0.sock").exists());
    scene.is_clean()
}

#[test]
fn no_privileges_are_a_clear_message() -> Result<()> {
    let scene = Scene::new()?;
    let without = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
    // Some directories on the way to the program are open to root alone. Copied by this process, it would be open for
    // writing in every program that another test starts just then, and nobody could run it.
    scene.machine.run("install", &["-m", "755", UNDERPASS, "/run/command"])?;
    // Whatever the permissions of this machine's device.
    scene.machine.run("sh", &["-c", "mknod -m 666 /run/tun c 10 200 && mount --bind /run/tun /dev/net/tun"])?;
    for (form, message) in
        [(&["wgt0"][..], "no permission to create interface `wgt0`"), (&["-f", "wgt0"], "no permission")]
    {
        let arguments =
            [&["--reuid=65534", "--regid=65534", "--clear-groups"], &without[..], &["/run/command"], form].concat();
        says(&scene.machine.try_run("setpriv", &arguments)?, 1, message)?;
    }
    // Where the folder for configurations stands, nobody may not go.
    scene.machine.run("install", &["-m", "644", &scene.config("")?, "/run/wgt0.conf"])?;
    let up = ["/run/command", "up", "/run/wgt0.conf"];
    let arguments = [&["--reuid=65534", "--regid=65534", "--clear-groups"], &without[..], &up].concat();
    let refused = scene.machine.try_run("setpriv", &arguments)?;
    ensure!(refused.status.code() == Some(1) && refused.stderr.contains("only root may do this"), "{refused:?}");
    scene.is_clean()
}

#[test]
fn up_and_down_leave_the_machine_as_it_was() -> Result<()> {
    let scene = Scene::new()?;
    let marks = scene.directory.path().join("marks");
    let hook = |word: &str| format!("echo {word} %i >> {}", marks.display());
    let hooks = format!(
        "PreUp = {}\nPostUp = {}\nPreDown = {}\nPostDown = {}",
        hook("pre-up"),
        hook("post-up"),
        hook("pre-down"),
        hook("post-down")
    );
    let path = scene.config(&hooks)?;
    says(&scene.underpass(&["up", &path])?, 0, "")?;
    let up = state(&scene.machine)?;
    for found in [
        "10.9.0.1/24 fd09::1/64",
        "not from all fwmark 0xca6c lookup 51820",
        "from all lookup main suppress_prefixlength 0",
        "default dev wgt0 table 51820",
        "table ip wg-quick-wgt0",
        "table ip6 wg-quick-wgt0",
        "1 sockets, 1 programs",
    ] {
        ensure!(up.contains(found), "`{found}` is missing:\n{up}");
    }
    let json = scene.underpass(&["show", "wgt0", "--json"])?.stdout;
    ensure!(json.contains("\"fwmark\": 51820") && json.contains("\"listen_port\": 7001"), "{json}");
    says(&scene.underpass(&["up", &path])?, 1, "underpass: interface `wgt0` exists already")?;
    scene.comes_to(&up).context("the refused one changed something")?;
    says(&scene.underpass(&["down", &path])?, 0, "")?;
    scene.is_clean()?;
    says(&scene.underpass(&["down", &path])?, 1, "there is no userspace WireGuard interface `wgt0`")?;
    let marks = fs::read_to_string(marks)?;
    ensure!(marks == "pre-up wgt0\npost-up wgt0\npre-down wgt0\npost-down wgt0\n", "{marks}");
    Ok(())
}

#[test]
fn two_tunnels_for_everything_come_down_in_any_order() -> Result<()> {
    let scene = Scene::new()?;
    let first = scene.config("")?;
    let second = first.replace("wgt0", "wgt1");
    fs::write(
        &second,
        fs::read_to_string(&first)?.replace("10.9.0.1", "10.10.0.1").replace("fd09", "fd10").replace("7001", "7002"),
    )?;
    fs::set_permissions(&second, fs::Permissions::from_mode(0o600))?;
    for order in [[&first, &second], [&second, &first]] {
        says(&scene.underpass(&["up", &first])?, 0, "")?;
        let one = state(&scene.machine)?;
        says(&scene.underpass(&["up", &second])?, 0, "")?;
        ensure!(state(&scene.machine)?.contains("fwmark 0xca6d lookup 51821"), "the second has a table of its own");
        says(&scene.underpass(&["down", order[0]])?, 0, "")?;
        if order[0] == &second {
            scene.comes_to(&one).context("the first one's rules are untouched")?;
        }
        says(&scene.underpass(&["down", order[1]])?, 0, "")?;
        scene.is_clean()?;
    }
    Ok(())
}

#[test]
fn an_up_that_fails_is_undone() -> Result<()> {
    let scene = Scene::new()?;
    let table = [
        ("PreUp = false", "a command of the configuration failed (exit status: 1): false"),
        ("PostUp = exit 7", "a command of the configuration failed (exit status: 7): exit 7"),
        ("Address = 10.9.0.1/24", "`ip -4 address add 10.9.0.1/24 dev wgt0` failed"),
        ("PostUp = kill -TERM $PPID; sleep 20", "interrupted during: kill -TERM"),
        ("PostUp = kill -INT $PPID", "interrupted"),
    ];
    for (more, message) in table {
        let path = scene.config(more)?;
        let finished = scene.underpass(&["up", &path])?;
        ensure!(finished.status.code() == Some(1) && finished.stderr.contains(message), "{finished:?}");
        scene.is_clean().with_context(|| more.to_owned())?;
    }
    let path = scene.config("")?;
    let other = scene.machine.inside(|| UdpSocket::bind("0.0.0.0:7001"))?;
    says(&scene.underpass(&["up", &path])?, 1, "underpass: UDP port 7001 is in use by another program")?;
    drop(other);
    scene.is_clean()
}

#[test]
fn down_goes_on_when_a_hook_fails() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.config("PreDown = false\nPostDown = exit 3")?;
    says(&scene.underpass(&["up", &path])?, 0, "")?;
    let finished = scene.underpass(&["down", &path])?;
    ensure!(finished.status.code() == Some(1) && finished.stderr.lines().count() == 2, "{finished:?}");
    scene.is_clean()
}

#[test]
fn down_clears_away_what_a_killed_program_left() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.config("")?;
    says(&scene.underpass(&["up", &path])?, 0, "")?;
    scene.kill_program()?;
    says(&scene.underpass(&["down", &path])?, 0, "")?;
    scene.is_clean()
}

/// Without a default route nothing of the firewall is needed, neither to come up nor to go.
#[test]
fn a_machine_without_a_firewall_takes_tunnels_down() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.config("")?;
    let split = fs::read_to_string(&path)?.replace("0.0.0.0/0, ::/0", "10.9.0.0/24");
    fs::write(&path, split)?;
    let find = "for p in nft iptables-restore ip6tables-restore; do readlink -f $(command -v $p); done | sort -u";
    let programs = scene.machine.run("sh", &["-c", find])?;
    for program in programs.lines() {
        scene.machine.run("mount", &["--bind", "/dev/null", program])?;
    }
    for verb in ["up", "down"] {
        says(&scene.underpass(&[verb, &path])?, 0, "")?;
    }
    for program in programs.lines() {
        scene.machine.run("umount", &[program])?;
    }
    scene.is_clean()
}

#[test]
fn name_servers_are_announced_and_withdrawn() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.config("DNS = 10.9.0.53, corp.example")?;
    let log = scene.directory.path().join("log");
    let run = |verb: &str| -> Result<Finished> {
        let mut command = scene.machine.command(UNDERPASS);
        let search = format!("{}:{}", scene.directory.path().display(), stage::search_path().to_string_lossy());
        command.args([verb, &path]).env("PATH", search);
        scene.machine.start(command)?.wait(PATIENCE)
    };
    let program = scene.directory.path().join("resolvconf");
    fs::write(&program, format!("#!/bin/sh\n{{ echo \"$@\"; cat; }} >> {}\n", log.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    says(&run("up")?, 0, "")?;
    says(&run("down")?, 0, "")?;
    let log = fs::read_to_string(log)?;
    ensure!(log == "-a wgt0 -m 0 -x\nnameserver 10.9.0.53\nsearch corp.example\n-d wgt0 -f\n", "{log}");
    scene.is_clean()
}

#[test]
fn what_runs_is_saved_when_asked_for() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.config("SaveConfig = true\nPostUp = true %i")?;
    says(&scene.underpass(&["up", &path])?, 0, "")?;
    scene.machine.run("wg", &["set", "wgt0", "listen-port", "7009", "peer", PEER, "persistent-keepalive", "25"])?;
    scene.machine.ip("address add 10.9.7.7/24 dev wgt0")?;
    says(&scene.underpass(&["down", &path])?, 0, "")?;
    let saved = fs::read_to_string(&path)?;
    let expected = format!(
        "[Interface]\nPrivateKey = {PRIVATE}\nListenPort = 7009\nAddress = 10.9.0.1/24, 10.9.7.7/24, fd09::1/64\n\
         PostUp = true %i\nSaveConfig = true\n\n[Peer]\nPublicKey = {PEER}\nAllowedIPs = 0.0.0.0/0, ::/0\n\
         Endpoint = 127.0.0.1:7000\nPersistentKeepalive = 25\n"
    );
    ensure!(saved == expected, "{saved}");
    ensure!(fs::metadata(&path)?.permissions().mode() & 0o777 == 0o600);
    scene.is_clean()
}

#[test]
fn a_set_that_fails_changes_nothing() -> Result<()> {
    let scene = Scene::new()?;
    says(&scene.underpass(&["wgt0"])?, 0, "")?;
    scene
        .machine
        .run("wg", &["set", "wgt0", "listen-port", "7005", "fwmark", "9", "peer", PEER, "allowed-ips", "10.0.0.0/8"])?;
    let before = scene.machine.run("wg", &["show", "wgt0", "dump"])?;
    let _other = scene.machine.inside(|| UdpSocket::bind("0.0.0.0:7006"))?;
    let refused =
        scene.machine.try_run("wg", &["set", "wgt0", "listen-port", "7006", "fwmark", "10", "peer", PEER, "remove"])?;
    ensure!(!refused.status.success() && refused.stderr.contains("Address already in use"), "{refused:?}");
    ensure!(scene.machine.run("wg", &["show", "wgt0", "dump"])? == before);
    Ok(())
}

#[test]
fn timestamps_never_go_back_over_a_restart() -> Result<()> {
    let scene = Scene::new()?;
    let path = scene.config("")?;
    fs::write(&path, format!("{}PersistentKeepalive = 5\n", fs::read_to_string(&path)?))?;
    let state = scene.directory.path().join("state");
    let kept = state.join("wgt0.timestamp");
    let run = |verb: &str| -> Result<Finished> {
        let mut command = scene.machine.command(UNDERPASS);
        command.args([verb, &path]).env("UNDERPASS_STATE_DIR", &state);
        scene.machine.start(command)?.wait(PATIENCE)
    };
    // 2^62 + the seconds of the year 2100, far ahead of any clock.
    let ahead = "40000000f4865700ff000000";
    for before in [None, Some(ahead)] {
        if let Some(floor) = before {
            fs::write(&kept, floor)?;
        }
        says(&run("up")?, 0, "")?;
        let until = Instant::now() + PATIENCE;
        while scene.machine.run("wg", &["show", "wgt0", "transfer"])?.ends_with("\t0\n") {
            ensure!(Instant::now() < until, "no initiation");
        }
        says(&run("down")?, 0, "")?;
        let until = Instant::now() + PATIENCE;
        while fs::read_to_string(&kept).ok().as_deref() == before {
            ensure!(Instant::now() < until, "{} stays", before.unwrap_or("nothing"));
        }
        let after = fs::read_to_string(&kept)?;
        ensure!(after.trim_end().len() == 24 && after.as_str() > before.unwrap_or_default(), "{after}");
        ensure!(before.is_some() || after.as_str() < ahead, "{after}");
    }
    scene.is_clean()
}
