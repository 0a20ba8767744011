//! A program that runs, told from all that had or will have its number.
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::thread;

/// One process: its number, and when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    id: u32,
    /// In ticks since the machine started.
    started: u64,
}

impl Process {
    /// The process with the number `id`, if it runs.
    #[must_use]
    pub fn find(id: u32) -> Option<Self> {
        let (state, started) = state_of(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?;
        // A zombie has ended, whether anybody asks how or not.
        (!matches!(state, 'Z' | 'X')).then_some(Self { id, started })
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        Self::find(self.id) == Some(*self)
    }

    /// Whether it runs no more until it is told to.
    fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id)).ok();
        stat.and_then(|stat| state_of(&stat)).is_some_and(|(state, _)| state == 'T')
    }

    /// Sends it `signal`, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(id) = i32::try_from(self.id).ok().filter(|_| self.runs()) {
            // It may just have ended.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

/// Kills the process `id` and all that it started. They are stopped first, so that none is started meanwhile.
pub fn kill_family(id: u32) {
    /// More than any family takes that does not run away.
    const ROUNDS: usize = 1000;
    let mut stopped = Vec::new();
    for _ in 0..ROUNDS {
        let family: Vec<Process> = Process::find(id).into_iter().chain(descendants(id)).collect();
        let runs = |process: &&Process| !stopped.contains(*process);
        family.iter().filter(runs).for_each(|process| process.signal(Signal::SIGSTOP));
        let is_still = family.iter().all(|process| stopped.contains(process));
        if is_still {
            break;
        }
        stopped = family.into_iter().filter(Process::is_stopped).collect();
        thread::yield_now();
    }
    // The one that was started last may be on its way yet where the rounds ran out: nothing better is left to do.
    for process in Process::find(id).into_iter().chain(descendants(id)) {
        process.signal(Signal::SIGKILL);
    }
}

/// All that runs and was started by the process `id`, or by one of those.
fn descendants(id: u32) -> Vec<Process> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = numbers.filter_map(|number| Some((number, parent_of(number)?))).collect();
    let mut family = vec![id];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        next += 1;
        family.extend(parents.iter().filter(|(_, found)| *found == parent).map(|(number, _)| *number));
    }
    family[1..].iter().copied().filter_map(Process::find).collect()
}

fn parent_of(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(1)?.parse().ok()
}

/// The state and the time of start in `stat` (proc_pid_stat(5)). The name, in parentheses, may hold anything.
fn state_of(stat: &str) -> Option<(char, u64)> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_its_successor() {
        let own = Process::find(std::process::id()).expect("this one runs");
        assert!(own.runs());
        assert!(!Process { started: own.started + 1, ..own }.runs());
        assert_eq!(Process::find(u32::MAX), None);
    }

    #[test]
    fn a_family_ends_as_a_whole() {
        let mut shell = std::process::Command::new("sh");
        let shell = shell.args(["-c", "sh -c 'sleep 1000; true'; true"]).stderr(std::process::Stdio::null());
        let mut shell = shell.spawn().expect("runs");
        while descendants(shell.id()).len() < 2 {
            assert!(shell.try_wait().expect("a child").is_none());
        }
        let children = descendants(shell.id());
        assert!(children.iter().all(|child| descendants(std::process::id()).contains(child)));
        kill_family(shell.id());
        assert!(!shell.wait().expect("ends").success());
        while children.iter().any(Process::runs) {
            thread::yield_now();
        }
    }

    #[test]
    fn a_name_with_parentheses_confuses_nobody() {
        let stat = "7 (a) R 1) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n";
        assert_eq!(state_of(stat), Some(('S', 4711)));
        assert_eq!(state_of("7 (a"), None);
    }
}
