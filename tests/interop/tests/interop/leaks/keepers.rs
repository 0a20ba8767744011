//! Who keeps the kill switch is killed: one of the two, the program that their table belongs to, or both.
use super::{ENDPOINT, EVERYTHING, carries, opens, state};
use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use std::fs;
use underpass_interop::{Leak, PATIENCE, eventually, play};

/// What they call themselves.
pub const NAME: &str = "underpass-keeper";

/// Kills a program, and holds its sockets, to which its tables belong, for a second longer (pidfd_getfd(2)): a kernel that takes its
/// time.
const LINGER: &str = "\
import ctypes, os, signal, sys, time
pid = int(sys.argv[1])
program, folder = os.pidfd_open(pid), f'/proc/{pid}/fd'
sockets = [int(fd) for fd in os.listdir(folder) if os.readlink(f'{folder}/{fd}').startswith('socket:')]
held = [ctypes.CDLL(None).syscall(438, program, fd, 0) for fd in sockets]
assert held and min(held) >= 0, held
os.kill(pid, signal.SIGKILL)
time.sleep(1)
";

/// Those that there are. They lead sessions of their own; a process with their name that does not is about to become another
/// program.
pub fn there(leak: &Leak) -> Result<Vec<Pid>> {
    let mut found = leak.programs(NAME)?;
    found.retain(|pid| getsid(Some(*pid)) == Ok(*pid));
    Ok(found)
}

fn tables(leak: &Leak) -> Result<String> {
    leak.client.run("nft", &["list", "tables"])
}

/// Waits until there are two, none of which is `killed`, and both tables.
fn are_two(leak: &Leak, killed: Option<Pid>) -> Result<Vec<Pid>> {
    let mut found = Vec::new();
    eventually("two keep the kill switch", PATIENCE, || {
        found = there(leak)?;
        let tables = tables(leak)?;
        let has_both =
            tables.contains("table inet underpass\n") && tables.contains("table inet underpass-keeper-51820\n");
        Ok(has_both && found.len() == 2 && !killed.is_some_and(|killed| found.contains(&killed)))
    })?;
    Ok(found)
}

/// The one program that the keepers' table belongs to: an nft that reads commands. Others come and go.
fn owner(leak: &Leak) -> Result<Pid> {
    let reads_commands =
        |pid: &Pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"\0-i\0"));
    let found: Vec<Pid> = leak.programs("/usr/sbin/nft")?.into_iter().filter(reads_commands).collect();
    ensure!(found.len() == 1, "the table belongs to {found:?}");
    Ok(found[0])
}

/// Kills `pid` and flushes the firewall before anybody can do anything about it.
fn kill_and_flush(leak: &Leak, pid: Pid) -> Result<()> {
    kill(pid, Signal::SIGKILL)?;
    leak.client.run("nft", &["flush", "ruleset"]).map(drop)
}

#[test]
fn whoever_of_the_two_is_killed_they_are_two_again_and_nothing_leaves() {
    play(|stage| {
        let leak = Leak::new(stage, "keepers", "KillSwitch = on", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        leak.nothing_leaves_while_up(&["up", &leak.file])?;
        for round in 1..=2 {
            for killed in are_two(&leak, None)? {
                leak.nothing_leaves(&format!("one killed, and flushed, round {round}"), || {
                    kill_and_flush(&leak, killed)
                })?;
                are_two(&leak, Some(killed))?;
            }
        }
        let nft = owner(&leak)?;
        leak.nothing_leaves("the table's program killed", || Ok(kill(nft, Signal::SIGKILL)?))?;
        are_two(&leak, None)?;
        // One takes over whose child the table's program is not; and the table lingers when that is killed.
        let killed = are_two(&leak, None)?[0];
        leak.nothing_leaves("one killed, to take over", || kill_and_flush(&leak, killed))?;
        are_two(&leak, Some(killed))?;
        let nft = owner(&leak)?.to_string();
        leak.nothing_leaves("its table lingers", || leak.client.run("python3", &["-c", LINGER, &nft]).map(drop))?;
        are_two(&leak, None)?;
        let killed = are_two(&leak, None)?[0];
        leak.nothing_leaves("one killed after that, and flushed", || kill_and_flush(&leak, killed))?;
        are_two(&leak, Some(killed))?;
        leak.nothing_leaves("carrying", || carries(&leak))?;
        leak.nothing_leaves("down, still locked", || leak.underpass(&["down", "--keep-lock", &leak.file]).map(drop))?;
        are_two(&leak, None)?;
        opens(&leak, &before)
    });
}

/// What is left is the table that belongs to nobody; every command goes on from there.
#[test]
fn without_keepers_nothing_leaves_and_commands_work() {
    play(|stage| {
        let leak = Leak::new(stage, "no-keepers", "KillSwitch = on", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        let killed = || {
            leak.nothing_leaves("both killed", || leak.kill_all(NAME))?;
            eventually("their table is gone", PATIENCE, || Ok(!tables(&leak)?.contains("underpass-keeper")))?;
            ensure!(tables(&leak)?.contains("table inet underpass\n") && leak.programs(NAME)?.is_empty());
            Ok(())
        };
        leak.nothing_leaves_while_up(&["up", &leak.file])?;
        killed()?;
        leak.nothing_leaves("reload", || leak.underpass(&["reload", &leak.file]).map(drop))?;
        are_two(&leak, None)?;
        killed()?;
        leak.nothing_leaves("restart", || leak.underpass(&["restart", &leak.file]).map(drop))?;
        are_two(&leak, None)?;
        killed()?;
        leak.nothing_leaves("the daemon killed too", || leak.kill("underpass"))?;
        leak.nothing_leaves("up again", || leak.underpass(&["up", &leak.file]).map(drop))?;
        leak.nothing_leaves("up again and carrying", || carries(&leak))?;
        are_two(&leak, None)?;
        killed()?;
        leak.underpass(&["down", &leak.file])?;
        ensure!(state(&leak.client)? == before, "{}", state(&leak.client)?);
        leak.underpass(&["lock", &leak.file])?;
        leak.nothing_leaves("locked", || Ok(()))?;
        killed()?;
        opens(&leak, &before)
    });
}
