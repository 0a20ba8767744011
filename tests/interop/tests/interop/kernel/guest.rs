//! That the guest does what it is told, and that nothing is left of it.
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::sync::Arc;
use underpass_interop::kernel::{Answer, Guest, KernelDevice, PATIENCE, play_with_kernel};
use underpass_interop::{KeyPair, eventually, play};

#[test]
fn the_guest_runs_commands_and_tells_how_they_ended() {
    play_with_kernel(|_, seat| {
        ensure!(seat.run("echo 'a  b'; echo c >&2")? == "a  b\nc\n", "output was changed");
        ensure!(seat.try_run("echo no; exit 7")? == Answer { status: 7, output: "no\n".to_owned() }, "not status 7");
        ensure!(seat.run("exit 7").is_err(), "a command that failed succeeded");
        // What one seat has, another has not.
        let other = seat.guest().seat()?;
        seat.ip("link add dummy type wireguard")?;
        ensure!(other.try_run("ip link show dev dummy")?.status != 0, "two seats are one");
        ensure!(other.run("ip -o link")?.contains("eth0"), "no wire at the second seat");
        Ok(())
    });
}

#[test]
fn the_guest_is_a_linux_with_its_own_wireguard() {
    play_with_kernel(|stage, seat| {
        let device = KernelDevice::new(seat, KeyPair::generate(&stage.machine("keys")?)?)?;
        device.bring_up(&["10.9.0.2/24"], "ListenPort = 7", "")?;
        let status = device.status()?;
        ensure!((&status.public_key, status.listen_port) == (&device.keys.public, 7), "{status:?}");
        ensure!(device.seat.run("cat /sys/module/wireguard/version")?.starts_with("1."), "no module");
        ensure!(device.seat.try_run("pidof wireguard-go")?.status != 0, "somebody else plays WireGuard");
        Ok(())
    });
}

#[test]
fn nothing_is_left_of_a_guest() {
    play(|_| {
        let guest = Guest::alone()?;
        let process = PathBuf::from(format!("/proc/{}", guest.pid()));
        let seat = guest.seat()?;
        ensure!(guest.seat().is_err(), "two took the only seat");
        drop(guest);
        ensure!(seat.run("echo here")? == "here\n", "the guest ended while somebody sat in it");
        let guest = Arc::clone(seat.guest());
        drop(seat);
        ensure!(process.exists(), "no emulator runs");
        drop(guest);
        ensure!(!process.exists(), "the emulator still runs");
        Ok(())
    });
}

#[test]
fn a_guest_that_dies_is_noticed_at_once() {
    play(|_| {
        let guest = Guest::alone()?;
        let seat = guest.seat()?;
        // The last words of a kernel; then the emulator ends.
        ensure!(seat.run("echo c > /proc/sysrq-trigger").is_err(), "the kernel survived");
        let process = PathBuf::from(format!("/proc/{}", guest.pid()));
        eventually("the emulator is gone", PATIENCE, || Ok(!process.exists()))?;
        ensure!(guest.journal().to_string().contains("sysrq triggered crash"), "its last words are lost");
        let again: Result<_> = seat.run("true");
        ensure!(again.is_err(), "a dead guest answered");
        Ok(())
    });
}
