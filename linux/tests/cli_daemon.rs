//! The tunnel's own program: what it takes over, what it gives up, and that nothing around it brings it down or to a stop.
//!
//! Root is needed: machines are network namespaces. Without it every test here fails.
use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;
use underpass_linux::demo::stage::{Finished, Machine, Running, Stage, eventually};

const UNDERPASS: &str = env!("CARGO_BIN_EXE_underpass");
const SOCKET: &str = "/var/run/wireguard/wgt0.sock";
/// How long anything may take that happens by itself: no verdict hangs on it.
const PATIENCE: Duration = Duration::from_secs(60);
/// `cap_net_bind_service`, `cap_net_broadcast` and `cap_net_admin` as bits.
const KEPT: u64 = 1 << 10 | 1 << 11 | 1 << 12;
/// `cap_ipc_lock`, which stays where the limit of locked memory cannot be raised.
const IPC_LOCK: u64 = 1 << 14;
/// A TUN device that all may open.
const OPEN_DEVICE: &str = "rm -f /run/tun; mknod -m 666 /run/tun c 10 200; mount --bind /run/tun /dev/net/tun;";

fn machine() -> Result<Machine> {
    Stage::new()?.machine("gateway")
}

/// Runs `script` by `sh`, which finds the command as `$underpass`.
fn shell(machine: &Machine, script: &str, variables: &[(&str, &str)]) -> Result<Running> {
    let mut command = machine.command("sh");
    command.args(["-c", script]).env("underpass", UNDERPASS).envs(variables.iter().copied());
    machine.start(command)
}

fn underpass(machine: &Machine, arguments: &[&str]) -> Result<Finished> {
    machine.try_run(UNDERPASS, arguments)
}

/// Waits until `wgt0` is served.
fn is_ready(machine: &Machine, running: &Running) -> Result<()> {
    eventually("it is ready", PATIENCE, || {
        let shown = underpass(machine, &["show", "wgt0"])?;
        Ok(shown.status.success())
    })
    .with_context(|| format!("{}{}", running.stdout(), running.stderr()))
}

/// Stops a program, and waits until each of its threads stands still.
fn stop(pid: Pid) -> Result<()> {
    kill(pid, Signal::SIGSTOP)?;
    let stands = |status: std::io::Result<String>| Ok(status?.contains("State:\tT"));
    eventually("all its threads stand still", PATIENCE, || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))?;
        let mut stopped = tasks.map(|task| stands(fs::read_to_string(task?.path().join("status"))));
        stopped.try_fold(true, |all, one: Result<bool>| Ok(all && one?))
    })
}

/// The one program that runs here.
///
/// The command that started it in the background may be there a moment longer.
fn program(machine: &Machine) -> Result<Pid> {
    program_called(machine, None)
}

/// The one program that runs here, of those called `name`.
fn program_called(machine: &Machine, name: Option<&str>) -> Result<Pid> {
    let is_called = |pid: &u32| {
        let comm = || fs::read_to_string(format!("/proc/{pid}/comm"));
        name.is_none_or(|name| comm().is_ok_and(|comm| comm.trim_end() == name))
    };
    let mut found = Vec::new();
    eventually("one program is there", PATIENCE, || {
        found = machine.processes()?.into_iter().filter(is_called).collect();
        Ok(found.len() == 1)
    })?;
    Ok(Pid::from_raw(i32::try_from(found[0])?))
}

/// Waits until there is neither a program nor an interface nor a socket.
fn nothing_is_left(machine: &Machine) -> Result<()> {
    let mut left = String::new();
    let is_nothing = || {
        let sockets = machine.inside(|| fs::read_dir("/var/run/wireguard").map_or(0, Iterator::count));
        let programs = machine.processes()?;
        let links = machine.run("ip", &["-o", "link"])?;
        left = format!("{sockets} sockets, programs {programs:?}, {links}");
        Ok(programs.is_empty() && !links.contains("wgt0") && sockets == 0)
    };
    eventually("nothing is left", PATIENCE, is_nothing).with_context(|| left.clone())
}

/// Sends what is answered by an error and by a line in the log, until there are `bytes` of such lines at least.
fn have_it_complain(machine: &Machine, bytes: usize) -> Result<()> {
    let mut stream = machine.inside(|| UnixStream::connect(SOCKET))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Each line of the log is longer than 40 bytes.
    for _ in 0..bytes / 40 + 1 {
        stream.write_all(b"set=1\nlisten_port=none\n\n")?;
        let mut answer = [0; 11];
        stream.read_exact(&mut answer)?;
        ensure!(answer.starts_with(b"errno=-"), "{answer:?}");
    }
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_ends_nothing() -> Result<()> {
    let cases = [
        ("a full device", "exec $underpass -f wgt0 2>/dev/full"),
        // Somebody has the pipe open, but does not read.
        ("a pipe that is stuck", "mkfifo /run/log; exec 9<>/run/log; exec $underpass -f wgt0 2>/run/log"),
        ("a reader that went away", "mkfifo /run/log; true </run/log & exec $underpass -f wgt0 2>/run/log"),
        ("no standard error", "exec $underpass -f wgt0 2>&-"),
    ];
    for (what, script) in cases {
        let machine = machine()?;
        let running = shell(&machine, script, &[("LOG_LEVEL", "debug")])?;
        is_ready(&machine, &running).context(what)?;
        // More than a pipe holds.
        have_it_complain(&machine, 100_000).context(what)?;
        machine.ip("link set wgt0 up")?;
        machine.run("wg", &["set", "wgt0", "listen-port", "7009"])?;
        running.signal(Signal::SIGTERM)?;
        let finished = running.wait(PATIENCE).context(what)?;
        ensure!(finished.status.success(), "{what}: {finished:?}");
        nothing_is_left(&machine).context(what)?;
    }
    Ok(())
}

#[test]
fn lines_that_were_lost_are_counted_in_the_log() -> Result<()> {
    let machine = machine()?;
    let script = "mkfifo /run/log; exec 9<>/run/log; exec $underpass -f wgt0 2>/run/log";
    let running = shell(&machine, script, &[("LOG_LEVEL", "debug")])?;
    is_ready(&machine, &running)?;
    have_it_complain(&machine, 200_000)?;
    let mut log = machine.inside(|| fs::File::open("/run/log"))?;
    let mut text = String::new();
    let mut chunk = [0; 4096];
    while !text.contains("lines of the log were lost") {
        let len = log.read(&mut chunk)?;
        ensure!(len > 0 && text.len() < 1_000_000, "{text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..len]));
        // The count is told before the next line.
        have_it_complain(&machine, 0)?;
    }
    Ok(())
}

#[test]
fn a_program_that_hangs_is_told_of_and_ended_by_force() -> Result<()> {
    let machine = machine()?;
    let before = machine.run("ip", &["rule"])?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("wgt0.conf");
    let marks = directory.path().join("marks");
    fs::write(
        &path,
        format!(
            "[Interface]\nPrivateKey = cAdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LGo=\nAddress = 10.9.0.1/24\n\
             PostDown = echo %i >> {}\n[Peer]\nPublicKey = 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=\n\
             AllowedIPs = 0.0.0.0/0\n",
            marks.display()
        ),
    )?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let path = path.to_string_lossy().into_owned();
    underpass(&machine, &["up", &path])?.success()?;
    stop(program(&machine)?)?;
    let shown = underpass(&machine, &["show", "wgt0"])?;
    ensure!(shown.stderr == "underpass: interface `wgt0` does not answer: timed out\n", "{shown:?}");
    let down = underpass(&machine, &["down", &path])?;
    ensure!(!down.status.success() && down.stderr.contains("down --force"), "{down:?}");
    let second = underpass(&machine, &["wgt0"])?;
    ensure!(!second.status.success(), "{second:?}");
    let forced = underpass(&machine, &["down", "--force", &path])?;
    ensure!(forced.status.success() && forced.stderr.is_empty(), "{forced:?}");
    nothing_is_left(&machine)?;
    ensure!(machine.run("ip", &["rule"])? == before && machine.run("nft", &["list", "ruleset"])?.is_empty());
    ensure!(fs::read_to_string(marks)? == "wgt0\n", "hooks that follow are run");
    let again = underpass(&machine, &["down", "--force", &path])?;
    ensure!(again.stderr.contains("there is no userspace WireGuard interface `wgt0`"), "{again:?}");

    // What no program here runs is left alone.
    machine.ip("link add wgt0 type veth peer name other")?;
    let refused = underpass(&machine, &["down", "--force", &path])?;
    ensure!(refused.stderr.contains("no program is found that runs interface `wgt0`"), "{refused:?}");
    machine.run("ip", &["link", "show", "wgt0"]).map(drop)
}

#[test]
fn idle_clients_keep_nobody_out() -> Result<()> {
    let machine = machine()?;
    // Enough for the tunnel itself, and not for many clients.
    let running = machine.spawn("prlimit", &["--nofile=24", UNDERPASS, "-f", "wgt0"])?;
    is_ready(&machine, &running)?;
    let idle: Vec<UnixStream> =
        machine.inside(|| (0..40).map(|_| UnixStream::connect(SOCKET)).collect::<std::io::Result<_>>())?;
    for _ in 0..3 {
        underpass(&machine, &["show", "wgt0"])?.success()?;
    }
    drop(idle);
    running.signal(Signal::SIGTERM)?;
    running.wait(PATIENCE)?.success()?;
    nothing_is_left(&machine)
}

#[test]
fn nothing_that_was_open_stays_open() -> Result<()> {
    let machine = machine()?;
    shell(&machine, "exec 9>/run/lock; flock 9; exec 8</etc; $underpass wgt0", &[])?.wait(PATIENCE)?.success()?;
    machine.run("flock", &["--nonblock", "/run/lock", "true"]).context("the tunnel has the lock")?;
    let open = format!("/proc/{}/fd", program(&machine)?);
    for entry in fs::read_dir(open)? {
        let target = fs::read_link(entry?.path())?;
        ensure!(target != std::path::Path::new("/etc"), "it has the folder open");
    }
    machine.ip("link delete wgt0")?;
    nothing_is_left(&machine)
}

/// What `/proc/PID/status` says under `key`, for each thread.
fn of_threads(pid: Pid, key: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that answered a question may have ended meanwhile.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        found.push(line.with_context(|| format!("no {key}"))?.trim().to_owned());
    }
    Ok(found)
}

#[test]
fn a_tunnel_gives_up_what_it_does_not_need() -> Result<()> {
    let machine = machine()?;
    for foreground in [true, false] {
        for (confinement, capabilities, privileges, filter) in
            [("on", true, "1", "2"), ("all-calls", true, "1", "0"), ("off", false, "0", "0")]
        {
            let script = if foreground { "exec $underpass -f wgt0" } else { "$underpass wgt0; exec sleep 1000" };
            let variables = [("UNDERPASS_CONFINE", confinement), ("UNDERPASS_WORKERS", "2")];
            let running = shell(&machine, script, &variables)?;
            is_ready(&machine, &running)?;
            let pid = program_called(&machine, Some("underpass"))?;
            ensure!(of_threads(pid, "Seccomp")?.len() >= 6, "threads");
            for (key, expected) in [("NoNewPrivs", privileges), ("Seccomp", filter)] {
                let found = of_threads(pid, key)?;
                ensure!(found.iter().all(|value| value == expected), "{confinement}: {key} {found:?}");
            }
            for key in ["CapEff", "CapPrm", "CapBnd"] {
                for set in of_threads(pid, key)? {
                    let set = u64::from_str_radix(&set, 16)?;
                    ensure!((set & !IPC_LOCK == KEPT) == capabilities, "{confinement}: {key} {set:x}");
                }
            }
            let locked = of_threads(pid, "VmLck")?;
            ensure!(locked.iter().all(|size| (size == "0 kB") != capabilities), "{confinement}: {locked:?}");
            // What is left is enough for all that is asked of it.
            for setting in [["listen-port", "53"], ["fwmark", "7"], ["listen-port", "0"]] {
                machine.run("wg", &[&["set", "wgt0"][..], &setting].concat())?;
            }
            machine.ip("link set wgt0 mtu 1300 up")?;
            kill(pid, Signal::SIGTERM)?;
            if !foreground {
                running.signal(Signal::SIGKILL)?;
            }
            running.wait(PATIENCE)?;
            nothing_is_left(&machine)?;
        }
    }
    Ok(())
}

#[test]
fn what_a_machine_lacks_is_said_in_a_sentence() -> Result<()> {
    let table = [
        (
            "no TUN device",
            "mount -t tmpfs none /dev/net && exec $underpass -f wgt0",
            "underpass: /dev/net/tun is missing: load the `tun` kernel module, or give the container access to the device\n",
        ),
        (
            "no room for a socket",
            "mkdir -p /run/small && mount -t tmpfs -o nr_inodes=1 none /run/small && \
             UNDERPASS_CONTROL_DIR=/run/small exec $underpass -f wgt0",
            "underpass: cannot create the control socket /run/small/wgt0.sock: No space left on device (os error 28)\n",
        ),
        (
            "a device that only root may open",
            "rm -f /run/tun; mknod -m 600 /run/tun c 10 200; mount --bind /run/tun /dev/net/tun; \
             exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_admin --ambient-caps=+net_admin \
             /run/command -f wgt0",
            "underpass: no permission to open /dev/net/tun: run as root, or give this user access to the device\n",
        ),
        (
            "a capability, but nowhere to write",
            "$device exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_admin --ambient-caps=+net_admin \
             /run/command -f wgt0",
            "underpass: cannot create the directory /var/run/wireguard: Permission denied (os error 13)\n",
        ),
    ];
    for (what, script, said) in table {
        let machine = machine()?;
        machine.run("install", &["-m", "755", UNDERPASS, "/run/command"])?;
        for background in [false, true] {
            let script = script.replace("$device", OPEN_DEVICE);
            let script = if background { script.replace(" -f", "") } else { script };
            // In mounts of its own, where it may cover what is there.
            let finished = machine
                .spawn("unshare", &["--mount", "env", &format!("underpass={UNDERPASS}"), "sh", "-c", &script])?;
            let finished = finished.wait(PATIENCE)?;
            ensure!(finished.status.code() == Some(1), "{what}: {finished:?}");
            ensure!(finished.stderr == said, "{what}: {finished:?}");
            nothing_is_left(&machine).context(what)?;
        }
    }
    Ok(())
}

/// Nothing runs to clear away in a program that aborts, where memory runs out after the start, but its handler of the signal.
#[test]
fn a_program_that_aborts_leaves_no_socket() -> Result<()> {
    let machine = machine()?;
    for foreground in [true, false] {
        let arguments: &[&str] = if foreground { &["-f", "wgt0"] } else { &["wgt0"] };
        let running = machine.spawn(UNDERPASS, arguments)?;
        is_ready(&machine, &running)?;
        kill(program(&machine)?, Signal::SIGABRT)?;
        nothing_is_left(&machine)?;
        let status = running.wait(PATIENCE)?.status;
        ensure!(
            if foreground { status.signal() == Some(Signal::SIGABRT as i32) } else { status.success() },
            "{status}"
        );
    }
    let running = machine.spawn(UNDERPASS, &["-f", "wgt0"])?;
    is_ready(&machine, &running)?;
    // Another file in its place is not its own. It is stopped meanwhile, or it would end for want of its socket.
    let pid = program(&machine)?;
    stop(pid)?;
    machine.run("sh", &["-c", &format!("touch {SOCKET}.other && mv {SOCKET}.other {SOCKET}")])?;
    kill(pid, Signal::SIGABRT)?;
    kill(pid, Signal::SIGCONT)?;
    let status = running.wait(PATIENCE)?.status;
    ensure!(status.signal() == Some(Signal::SIGABRT as i32), "{status}");
    machine.run("test", &["-e", SOCKET])?;
    Ok(())
}

/// Memory that is asked for and not there ends a program wherever it is. What started it tells, and clears away.
#[test]
fn without_memory_there_is_a_reason_and_nothing_is_left() -> Result<()> {
    let machine = machine()?;
    let mut refused = 0;
    for megabytes in (14..=60).step_by(2) {
        let limit = format!("--as={megabytes}000000");
        if !machine.try_run("prlimit", &[&limit, UNDERPASS, "--version"])?.status.success() {
            // It does not even fit in there itself.
            continue;
        }
        let finished = machine.try_run("prlimit", &[&limit, UNDERPASS, "wgt0"])?;
        if finished.status.success() {
            // Memory may also run out once it was ready: then the interface is gone already.
            machine.try_run("ip", &["link", "delete", "wgt0"])?;
        } else {
            refused += 1;
            let last = finished.stderr.lines().last().unwrap_or_default();
            ensure!(finished.status.code() == Some(1) && last.starts_with("underpass: "), "{limit}: {finished:?}");
        }
        nothing_is_left(&machine).context(limit)?;
    }
    ensure!(refused > 2, "{refused} limits were too low");
    Ok(())
}

#[test]
fn it_does_with_little() -> Result<()> {
    let table = [
        ("no IPv6", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; exec $underpass -f wgt0"),
        (
            "a capability",
            "$device mkdir -m 777 /run/wireguard; \
             exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_admin --ambient-caps=+net_admin \
             /run/command -f wgt0",
        ),
        (
            "a full disk",
            "mkdir -m 700 /run/state && mount -t tmpfs -o size=4k,mode=700 none /run/state && \
             head -c 4096 /dev/zero >/run/state/full; UNDERPASS_STATE_DIR=/run/state exec $underpass -f wgt0",
        ),
        (
            "memory that may not be locked",
            "exec prlimit --memlock=65536:65536 setpriv --bounding-set=-sys_resource,-ipc_lock $underpass -f wgt0",
        ),
        ("no filters and no limits", "UNDERPASS_CONFINE=off exec $underpass -f wgt0"),
    ];
    for (what, script) in table {
        let machine = machine()?;
        machine.run("install", &["-m", "755", UNDERPASS, "/run/command"])?;
        let running = shell(&machine, &script.replace("$device", OPEN_DEVICE), &[])?;
        is_ready(&machine, &running).context(what)?;
        machine.run("wg", &["set", "wgt0", "listen-port", "7009"])?;
        machine.ip("link set wgt0 up")?;
        running.signal(Signal::SIGTERM)?;
        let finished = running.wait(PATIENCE)?;
        ensure!(finished.status.success(), "{what}: {finished:?}");
        nothing_is_left(&machine).context(what)?;
    }
    Ok(())
}
