//! `up`, `down` and the tunnel's own program are killed at every call of a program that they make: the next `down` leaves
//! the machine as it was, byte for byte, and the next `up` as it should be.
use crate::premises::Firewall::{Iptables, Nft};
use crate::premises::Moment::{After, Before};
use crate::premises::Victim::{Caller, Daemon};
use crate::premises::{Firewall, Moment, PATIENCE, Premises, UNDERPASS, Victim, well};
use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// A file with one of each: name servers, everything through the tunnel, commands whose traces can be seen.
fn everything(premises: &Premises) -> Result<String> {
    let interface = "Address = 10.9.0.1/24, fd09::1/64\nMTU = 1400\nDNS = 10.9.0.53, corp.example\n\
        PostUp = ip -4 route add 203.0.113.0/24 dev lo\nPostDown = ip -4 route delete 203.0.113.0/24 dev lo";
    premises.config(interface, "AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 127.0.0.1:7000")
}

/// What is done after the killing.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// `down`: the machine is as it was at first.
    Down,
    /// `up`: it is as after an `up` that nobody disturbed. And `down`.
    UpAndDown,
}

/// Kills at each call of `verb`, until one comes through.
fn at_every_call(firewall: Firewall, verb: &str, victim: Victim, moment: Moment, then: Then) -> Result<()> {
    let premises = Premises::new(firewall)?;
    let file = everything(&premises)?;
    well(&premises.underpass(&["up", &file])?)?;
    let up = premises.settled()?;
    ensure!(up.contains("203.0.113.0/24") && up.contains("lookup 51820") && up.contains("nameserver"), "{up}");
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()?;
    for at in 1.. {
        let context = || format!("{victim:?} killed {moment:?} call {at} of `{verb}`");
        if verb == "down" {
            well(&premises.underpass(&["up", &file])?)?;
        }
        premises.strike(victim, at, moment)?;
        let killed = premises.underpass(&[verb, &file])?;
        let has_struck = premises.has_struck();
        premises.spare()?;
        premises.comes_to_rest(1).with_context(context)?;
        if matches!(then, Then::UpAndDown) && !up_again(&premises, &file, &up).with_context(context)? {
            ensure!(killed.status.success(), "{}: {killed:?}", context());
        }
        let down = premises.underpass(&["down", &file])?;
        // Where nothing was begun, or all was ended, there is nothing to take down.
        let is_fine = down.status.success() || down.stderr.contains("there is no userspace WireGuard interface");
        ensure!(is_fine, "{}: {down:?}", context());
        premises.is_clean().with_context(context)?;
        if !has_struck {
            ensure!(at > 10, "only {at} calls were counted");
            return Ok(());
        }
    }
    Ok(())
}

/// Brings it up once more, unless it is up; `false` then.
fn up_again(premises: &Premises, file: &str, up: &str) -> Result<bool> {
    let until = Instant::now() + PATIENCE;
    loop {
        let again = premises.underpass(&["up", file])?;
        let is_up = again.stderr.contains("exists already");
        ensure!(again.status.success() || is_up, "{again:?}");
        // The interface of a program that was killed stays for a moment.
        if is_up && premises.snapshot()? != up && Instant::now() < until {
            continue;
        }
        premises.comes_to(up)?;
        return Ok(!is_up);
    }
}

#[test]
fn up_is_killed_at_every_call() -> Result<()> {
    at_every_call(Nft, "up", Caller, After, Then::Down)?;
    at_every_call(Nft, "up", Caller, Before, Then::Down)
}

#[test]
fn up_is_killed_at_every_call_with_iptables() -> Result<()> {
    at_every_call(Iptables, "up", Caller, After, Then::Down)
}

#[test]
fn up_after_a_killed_up_makes_all_right() -> Result<()> {
    at_every_call(Nft, "up", Caller, After, Then::UpAndDown)
}

#[test]
fn up_after_a_killed_up_makes_all_right_with_iptables() -> Result<()> {
    at_every_call(Iptables, "up", Caller, Before, Then::UpAndDown)
}

/// Between the calls, above all while the tunnel's own program starts.
#[test]
fn up_is_killed_at_any_time() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = everything(&premises)?;
    for delay in 0..40 {
        let mut command = premises.command(UNDERPASS);
        command.args(["up", &file]);
        let running = premises.machine.start(command)?;
        std::thread::sleep(Duration::from_millis(3 * delay));
        running.signal(Signal::SIGKILL)?;
        running.wait(PATIENCE)?;
        premises.comes_to_rest(1)?;
        let down = premises.underpass(&["down", &file])?;
        let is_fine = down.status.success() || down.stderr.contains("there is no userspace WireGuard interface");
        ensure!(is_fine, "after {delay}: {down:?}");
        premises.is_clean().with_context(|| format!("after {delay}"))?;
    }
    Ok(())
}

#[test]
fn down_is_killed_at_every_call() -> Result<()> {
    at_every_call(Nft, "down", Caller, After, Then::Down)?;
    at_every_call(Nft, "down", Caller, Before, Then::UpAndDown)
}

#[test]
fn down_is_killed_at_every_call_with_iptables() -> Result<()> {
    at_every_call(Iptables, "down", Caller, Before, Then::Down)?;
    at_every_call(Iptables, "down", Caller, After, Then::UpAndDown)
}

#[test]
fn the_daemon_is_killed_at_every_call_of_up() -> Result<()> {
    at_every_call(Nft, "up", Daemon, After, Then::Down)?;
    at_every_call(Iptables, "up", Daemon, After, Then::UpAndDown)
}

#[test]
fn the_daemon_is_killed_at_every_call_of_down() -> Result<()> {
    at_every_call(Nft, "down", Daemon, Before, Then::UpAndDown)?;
    at_every_call(Iptables, "down", Daemon, Before, Then::Down)
}
