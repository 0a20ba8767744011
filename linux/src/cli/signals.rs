//! Which signals end what this process does.
//!
//! `nohup` has SIGHUP ignored, and a shell without job control has SIGINT ignored in what it puts into the background: the
//! keys of a terminal and its end are then meant for others. Programs honour that by not listening. SIGTERM names its
//! process, and is always heard.
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs;

/// The signals that end a process which nobody's terminal reaches.
pub const ALL: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// The signals that end this process: [`ALL`], but for those of a terminal that it was started to ignore.
#[must_use]
pub fn heard() -> Vec<i32> {
    // Without /proc nothing counts as ignored.
    let ignored = fs::read_to_string("/proc/self/status").map_or(0, |status| ignored(&status));
    ALL.into_iter().filter(|signal| *signal == SIGTERM || ignored & bit(*signal) == 0).collect()
}

/// The set of ignored signals in `status` (proc_pid_status(5)): signal `n` is bit `n - 1`.
fn ignored(status: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0)
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_what_is_ignored() {
        let status =
            "Name:\tunderpass\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000004\n";
        assert_eq!(ignored(status), bit(SIGHUP) | 0x1000, "SIGHUP and SIGPIPE");
        for nothing in ["", "Name:\tunderpass\n", "SigIgn:\tmany\n"] {
            assert_eq!(ignored(nothing), 0, "{nothing:?}");
        }
        assert!(heard().contains(&SIGTERM));
    }
}
