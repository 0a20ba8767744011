//! The demonstration tells its story and leaves nothing, whatever ends it.
use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use underpass_interop::Implementation::Underpass;
use underpass_interop::{Machine, PATIENCE, Running, Stage, eventually, play};

/// Starts the demonstration in a process group of its own, to which all belongs that it starts: none of its programs
/// goes into the background.
fn demo(machine: &Machine) -> Result<Running> {
    let mut command = machine.command(&Underpass.program()?.to_string_lossy());
    command.arg("demo").process_group(0);
    machine.start(command)
}

/// The programs of process group `group`, whatever namespace they are in; what has ended is none of them.
fn members(group: u32) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) else { continue };
        // PID (NAME) STATE PARENT GROUP ..., where a name may contain anything (proc_pid_stat(5)).
        let (Some((before, after)), true) = (stat.rsplit_once(')'), stat.contains('(')) else { continue };
        let mut fields = after.split_whitespace();
        let is_alive = fields.next().is_some_and(|state| state != "Z" && state != "X");
        if is_alive && fields.nth(1).is_some_and(|field| field == group.to_string()) {
            found.push(before.to_owned());
        }
    }
    Ok(found)
}

fn nothing_is_left(machine: &Machine, group: u32, before: &str) -> Result<()> {
    eventually("no process of the demonstration is left", PATIENCE, || Ok(members(group)?.is_empty()))?;
    let after = machine.run("ip", &["-br", "link"])?;
    ensure!(before == after, "interfaces are left:\n{after}\n--- before:\n{before}");
    ensure!(!machine.inside(|| std::path::Path::new("/run/wireguard").exists()), "/run/wireguard is left");
    Ok(())
}

/// Ends the demonstration by `signal` in the middle of its story.
fn interrupted(stage: &Stage, signal: Signal) -> Result<()> {
    let machine = stage.machine("host")?;
    let before = machine.run("ip", &["-br", "link"])?;
    let demo = demo(&machine)?;
    let group = demo.pid();
    eventually("the tunnel of the demonstration is up", PATIENCE, || Ok(demo.stdout().contains("The phone calls")))?;
    ensure!(members(group)?.len() >= 3, "the demonstration and its daemons: {:?}", members(group)?);
    demo.signal(signal)?;
    let finished = demo.wait(PATIENCE)?;
    ensure!(finished.status.signal() == Some(signal as i32), "it ended with {}\n{}", finished.status, finished.stdout);
    nothing_is_left(&machine, group, &before)
}

#[test]
fn it_comes_to_its_end_and_leaves_nothing() {
    play(|stage| {
        let machine = stage.machine("host")?;
        let before = machine.run("ip", &["-br", "link"])?;
        let demo = demo(&machine)?;
        let group = demo.pid();
        let story = demo.wait(2 * PATIENCE)?.success()?;
        ensure!(story.contains("are real") && story.ends_with("nothing is left behind.\n"), "{story}");
        nothing_is_left(&machine, group, &before)
    });
}

#[test]
fn it_leaves_nothing_when_interrupted() {
    play(|stage| interrupted(stage, Signal::SIGINT));
}

#[test]
fn it_leaves_nothing_when_terminated() {
    play(|stage| interrupted(stage, Signal::SIGTERM));
}

#[test]
fn it_leaves_nothing_when_killed() {
    play(|stage| interrupted(stage, Signal::SIGKILL));
}

/// A step that fails ends the story with its reason and a failure, and leaves nothing: here the phone has no `ping`.
#[test]
fn a_failing_step_is_a_failure() {
    play(|stage| {
        let machine = stage.machine("host")?;
        let before = machine.run("ip", &["-br", "link"])?;
        let mut command = machine.command("unshare");
        let hide = "mount --bind /dev/null \"$(command -v ping)\" && exec \"$0\" demo";
        let program = Underpass.program()?;
        command.args(["--mount", "sh", "-c", hide]).arg(&program).process_group(0);
        let running = machine.start(command)?;
        let group = running.pid();
        let finished = running.wait(PATIENCE)?;
        ensure!(finished.status.code() == Some(1), "it ended with {}", finished.status);
        ensure!(finished.stderr.contains("ping"), "no reason: {}", finished.stderr);
        nothing_is_left(&machine, group, &before)
    });
}
