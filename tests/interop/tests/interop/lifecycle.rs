//! How the daemon begins and ends, and that nothing is left of it.
use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use underpass_interop::Implementation::{self, GoNewest, Underpass};
use underpass_interop::{Device, Finished, Machine, PATIENCE, Stage, eventually, play};

fn has_interface(machine: &Machine, name: &str) -> Result<bool> {
    Ok(machine.try_run("ip", &["link", "show", "dev", name])?.status.success())
}

/// No process, no interface, no socket.
fn nothing_is_left(machine: &Machine, name: &str) -> Result<()> {
    eventually("no process is left", PATIENCE, || Ok(machine.processes()?.is_empty()))?;
    ensure!(!has_interface(machine, name)?, "the interface {name} is left");
    let socket = format!("/var/run/wireguard/{name}.sock");
    ensure!(!machine.inside(|| std::path::Path::new(&socket).exists()), "{socket} is left");
    Ok(())
}

/// A daemon that is ended by `end` ends by itself, says goodbye with status 0 and leaves nothing.
fn ends(stage: &Stage, implementation: Implementation, end: impl FnOnce(&Device) -> Result<()>) -> Result<()> {
    let machine = stage.machine("host")?;
    let device = Device::start(&machine, implementation)?;
    device.bring_up(&["10.9.0.1/24"], "ListenPort = 51820", "")?;
    end(&device)?;
    let finished = device.daemon.wait(PATIENCE)?;
    ensure!(finished.status.success(), "it ended with {}\n{}", finished.status, finished.stderr);
    nothing_is_left(&machine, "wg0")
}

macro_rules! for_ours_and_theirs {
    ($($name:ident: $end:expr;)*) => {
        $(mod $name {
            use super::*;
            #[test]
            fn underpass() {
                play(|stage| ends(stage, Underpass, $end));
            }
            #[test]
            fn wireguard_go() {
                play(|stage| ends(stage, GoNewest, $end));
            }
        })*
    };
}

for_ours_and_theirs! {
    ends_with_its_interface: |device| device.machine.ip("link del wg0");
    ends_with_its_socket: |device| Ok(std::fs::remove_file(device.socket())?);
    ends_on_sigterm: |device| device.daemon.signal(Signal::SIGTERM);
    ends_on_sigint: |device| device.daemon.signal(Signal::SIGINT);
}

/// Without `-f` the command returns when the interface is there; a daemon carries on and ends with the interface.
fn becomes_a_daemon(stage: &Stage, implementation: Implementation) -> Result<()> {
    let machine = stage.machine("host")?;
    let program = implementation.program()?;
    machine.run(&program.to_string_lossy(), &["wg0"])?;
    ensure!(has_interface(&machine, "wg0")?, "no interface after the command returned");
    machine.run("wg", &["set", "wg0", "listen-port", "4000"])?;
    ensure!(machine.processes()?.len() == 1, "processes {:?}, not one daemon", machine.processes()?);
    machine.ip("link del wg0")?;
    nothing_is_left(&machine, "wg0")
}

mod becomes_a_daemon_without_f {
    use super::*;
    #[test]
    fn underpass() {
        play(|stage| becomes_a_daemon(stage, Underpass));
    }
    #[test]
    fn wireguard_go() {
        play(|stage| becomes_a_daemon(stage, GoNewest));
    }
}

/// Runs `underpass -f NAME` on `machine`, expects it to end in failure, and to say why in one of `words`.
fn fails(machine: &Machine, name: &str, wrapper: &[&str], words: &[&str]) -> Result<Finished> {
    let program = Underpass.program()?.to_string_lossy().into_owned();
    let line: Vec<&str> = wrapper.iter().copied().chain([program.as_str(), "-f", name]).collect();
    let finished = machine.spawn(line[0], &line[1..])?.wait(PATIENCE)?;
    ensure!(!finished.status.success(), "`{name}` was accepted");
    ensure!(finished.status.code().is_some(), "it died of {}", finished.status);
    let said = finished.stderr.to_lowercase();
    ensure!(words.iter().any(|word| said.contains(word)), "it said {:?}, none of {words:?}", finished.stderr);
    ensure!(!said.contains("panicked"), "it panicked: {}", finished.stderr);
    Ok(finished)
}

#[test]
fn a_taken_name_is_a_clear_fault() {
    play(|stage| {
        let machine = stage.machine("host")?;
        machine.ip("link add wg0 type veth peer name wg1")?;
        fails(&machine, "wg0", &[], &["exists", "in use", "taken"])?;
        ensure!(has_interface(&machine, "wg0")?, "somebody else's interface is gone");
        ensure!(machine.processes()?.is_empty(), "a process is left");
        Ok(())
    });
}

#[test]
fn a_second_daemon_of_the_same_name_is_refused_and_the_first_lives_on() {
    play(|stage| {
        let machine = stage.machine("host")?;
        let device = Device::start(&machine, Underpass)?;
        fails(&machine, "wg0", &[], &["exists", "in use", "taken", "busy"])?;
        device.status().context("the first daemon after the second failed")?;
        Ok(())
    });
}

#[test]
fn a_name_that_no_interface_can_have_is_a_clear_fault() {
    play(|stage| {
        let machine = stage.machine("host")?;
        for name in ["a-name-that-is-too-long", "a/b", "..", "white space"] {
            fails(&machine, name, &[], &["name"])?;
        }
        nothing_is_left(&machine, "wg0")
    });
}

#[test]
fn nobody_without_privileges_is_told_so() {
    play(|stage| {
        let machine = stage.machine("host")?;
        // The program is copied to where anybody may read it; not by this process, or another test that starts a program
        // just then would hold the copy open for writing, and nobody could run it.
        machine.run("install", &["-m", "755", &Underpass.program()?.to_string_lossy(), "/run/underpass"])?;
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "/run/underpass", "-f", "wg0"];
        let finished = machine.spawn("setpriv", &nobody)?.wait(PATIENCE)?;
        ensure!(finished.status.code().is_some_and(|code| code != 0), "it ended with {}", finished.status);
        let said = finished.stderr.to_lowercase();
        ensure!(said.starts_with("underpass: "), "somebody else said {:?}", finished.stderr);
        ensure!(said.contains("permission") || said.contains("root"), "it said {:?}", finished.stderr);
        nothing_is_left(&machine, "wg0")
    });
}

#[test]
fn a_machine_without_descriptors_is_told_so() {
    play(|stage| {
        let machine = stage.machine("host")?;
        fails(&machine, "wg0", &["prlimit", "--nofile=8"], &["descriptor", "open files"])?;
        nothing_is_left(&machine, "wg0")
    });
}

#[test]
fn a_socket_left_by_a_killed_daemon_is_no_obstacle() {
    play(|stage| {
        let machine = stage.machine("host")?;
        let device = Device::start(&machine, Underpass)?;
        device.daemon.signal(Signal::SIGKILL)?;
        drop(device);
        eventually("the interface of the killed daemon is gone", PATIENCE, || Ok(!has_interface(&machine, "wg0")?))?;
        let left = machine.inside(|| std::path::Path::new("/var/run/wireguard/wg0.sock").exists());
        ensure!(left, "a killed daemon cannot have removed its socket");
        let device = Device::start(&machine, Underpass)?;
        device.status()?;
        device.daemon.signal(Signal::SIGTERM)?;
        device.daemon.wait(PATIENCE)?;
        nothing_is_left(&machine, "wg0")
    });
}

#[test]
fn setting_it_down_and_up_again_keeps_it_alive() {
    play(|stage| {
        let machine = stage.machine("host")?;
        let device = Device::start(&machine, Underpass)?;
        device.bring_up(&["10.9.0.1/24"], "ListenPort = 51820", "")?;
        for _ in 0..3 {
            machine.ip("link set wg0 down")?;
            machine.ip("link set wg0 up")?;
        }
        ensure!(device.status()?.listen_port == 51820, "{:?}", device.status()?);
        device.daemon.signal(Signal::SIGTERM)?;
        device.daemon.wait(PATIENCE)?;
        nothing_is_left(&machine, "wg0")
    });
}
