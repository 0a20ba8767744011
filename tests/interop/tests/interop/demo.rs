//! The demonstration tells its story and leaves nothing, whatever ends it.
use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use underpass_interop::Implementation::Underpass;
use underpass_interop::{Machine, Running, Stage, eventually, play, seconds};

/// Marks all processes of one demonstration in their environment.
const MARK: &str = "UNDERPASS_INTEROP_MARK";

fn demo(machine: &Machine, mark: &str) -> Result<Running> {
    let mut command = machine.command(&Underpass.program()?.to_string_lossy());
    command.arg("demo").env(MARK, mark);
    machine.start(command)
}

/// Processes with our mark, whatever namespace they are in; a zombie has no environment, and is none of them.
fn marked(mark: &str) -> Result<Vec<String>> {
    let mark = format!("{MARK}={mark}\0");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(environment) = std::fs::read(path.join("environ")) else { continue };
        if environment.windows(mark.len()).any(|window| window == mark.as_bytes()) {
            found.push(String::from_utf8_lossy(&std::fs::read(path.join("cmdline")).unwrap_or_default()).into_owned());
        }
    }
    Ok(found)
}

fn nothing_is_left(machine: &Machine, mark: &str, before: &str) -> Result<()> {
    eventually("no process of the demonstration is left", seconds(5), || Ok(marked(mark)?.is_empty()))?;
    let after = machine.run("ip", &["-br", "link"])?;
    ensure!(before == after, "interfaces are left:\n{after}\n--- before:\n{before}");
    ensure!(!machine.inside(|| std::path::Path::new("/run/wireguard").exists()), "/run/wireguard is left");
    Ok(())
}

/// Ends the demonstration by `signal` in the middle of its story.
fn interrupted(stage: &Stage, signal: Signal) -> Result<()> {
    let machine = stage.machine("host")?;
    let mark = format!("{}-{signal}", std::process::id());
    let before = machine.run("ip", &["-br", "link"])?;
    let demo = demo(&machine, &mark)?;
    eventually("the tunnel of the demonstration is up", seconds(20), || Ok(demo.stdout().contains("The phone calls")))?;
    ensure!(marked(&mark)?.len() >= 3, "the demonstration and its daemons: {:?}", marked(&mark)?);
    demo.signal(signal)?;
    let finished = demo.wait(seconds(5))?;
    ensure!(!finished.status.success(), "an interrupted demonstration is no success");
    nothing_is_left(&machine, &mark, &before)
}

#[test]
fn it_comes_to_its_end_and_leaves_nothing() {
    play(|stage| {
        let machine = stage.machine("host")?;
        let mark = std::process::id().to_string();
        let before = machine.run("ip", &["-br", "link"])?;
        let story = demo(&machine, &mark)?.wait(seconds(55))?.success()?;
        ensure!(story.contains("are real") && story.ends_with("nothing is left behind.\n"), "{story}");
        nothing_is_left(&machine, &mark, &before)
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
        let mark = format!("{}-failing", std::process::id());
        let before = machine.run("ip", &["-br", "link"])?;
        let mut command = machine.command("unshare");
        let hide = "mount --bind /dev/null \"$(command -v ping)\" && exec \"$0\" demo";
        let program = Underpass.program()?;
        command.args(["--mount", "sh", "-c", hide]).arg(&program).env(MARK, &mark);
        let finished = machine.start(command)?.wait(seconds(30))?;
        ensure!(finished.status.code() == Some(1), "it ended with {}", finished.status);
        ensure!(finished.stderr.contains("ping"), "no reason: {}", finished.stderr);
        nothing_is_left(&machine, &mark, &before)
    });
}
