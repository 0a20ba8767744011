//! Ends the program behind an interface that does not answer.
//!
//! The kernel tells which program that is: the one that has the TUN device of this name open, in this network namespace. It
//! is not asked, and nothing that it wrote down is believed.
use super::host::exists;
use crate::control::socket;
use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a killed program may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether it has.
const GLANCE: Duration = Duration::from_millis(20);

/// Ends whatever runs the interface `name`, and removes the socket that it leaves. `false`: there is no such interface.
///
/// # Errors
/// Nothing that runs it can be found, or it does not end.
pub fn end(name: &str) -> anyhow::Result<bool> {
    let holders = holders(Path::new("/proc"), name).context("cannot look for the tunnel's program")?;
    if holders.is_empty() {
        if exists(name) {
            bail!("no program is found that runs interface `{name}`");
        }
        return Ok(socket::remove_dead(&socket_of(name)));
    }
    for pid in &holders {
        // It may have ended just now.
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    let until = Instant::now() + PATIENCE;
    let socket = socket_of(name);
    // What it had open is closed one by one.
    while socket::is_served(&socket) || holders.iter().any(|pid| holds(&Path::new("/proc").join(pid.to_string()), name))
    {
        if Instant::now() > until {
            bail!("the program of interface `{name}` was killed, but does not end");
        }
        thread::sleep(GLANCE);
    }
    socket::remove_dead(&socket);
    Ok(true)
}

fn socket_of(name: &str) -> PathBuf {
    socket::path(&socket::directory(), name)
}

/// The processes of this network namespace that have the TUN device `name` open, by what `proc`, a procfs, says.
fn holders(proc: &Path, name: &str) -> std::io::Result<Vec<i32>> {
    let here = fs::metadata(proc.join("self/ns/net"))?.ino();
    let mut found = Vec::new();
    for entry in fs::read_dir(proc)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has just ended is not there.
        let is_here = fs::metadata(entry.path().join("ns/net")).is_ok_and(|there| there.ino() == here);
        if is_here && holds(&entry.path(), name) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Whether one of the descriptors of `process`, a folder of procfs, is the TUN device `name` (`iff:` in proc_pid_fdinfo(5)).
fn holds(process: &Path, name: &str) -> bool {
    let is_device = |text: String| {
        text.lines().filter_map(|line| line.strip_prefix("iff:")).any(|interface| interface.trim() == name)
    };
    let descriptors = fs::read_dir(process.join("fdinfo")).into_iter().flatten().flatten();
    descriptors.filter_map(|entry| fs::read_to_string(entry.path()).ok()).any(is_device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_who_has_the_device() {
        let process = tempfile::tempdir().expect("temporary directory");
        let descriptors = process.path().join("fdinfo");
        assert!(!holds(process.path(), "wg0"), "it has ended");
        fs::create_dir(&descriptors).expect("makes");
        fs::write(descriptors.join("0"), "pos:\t0\nflags:\t02\n").expect("writes");
        assert!(!holds(process.path(), "wg0"));
        fs::write(descriptors.join("7"), "pos:\t0\nflags:\t0104002\nmnt_id:\t25\nino:\t83\niff:\twg0\n")
            .expect("writes");
        for (name, expected) in [("wg0", true), ("wg", false), ("wg00", false), ("", false)] {
            assert_eq!(holds(process.path(), name), expected, "{name:?}");
        }
        assert_eq!(holders(Path::new("/proc"), "underpass-none").expect("reads"), [0; 0]);
    }
}
