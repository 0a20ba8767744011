//! Real machines, real interfaces, real peers: what the tests of this package are told with.
//!
//! A test is a story on a [`Stage`]: it makes machines, lays wires, starts a [`Device`] of one [`Implementation`] or
//! another on them and looks at what comes out. [`play`] prints what every program said when the story goes wrong.
//! Everything a story makes ends with it; nothing has a name outside it, so any number of stories run side by side.
pub mod device;
pub mod flood;
pub mod folder;
pub mod kernel;
pub mod keys;
pub mod leak;
pub mod nat64;
pub mod pcap;
pub mod phone;
pub mod router;
pub mod scenery;
pub mod status;
pub mod transfer;

pub use device::{Device, Implementation};
pub use folder::Folder;
pub use keys::KeyPair;
pub use leak::Leak;
pub use nat64::Nat64;
pub use phone::Phone;
pub use router::Router;
pub use underpass_linux::demo::stage::{Capture, Datagram, Finished, Frame, Machine, Running, Stage, eventually};

use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::time::Duration;

/// Tells a story; when it fails, prints what the programs on its machines said, and panics.
///
/// # Panics
/// When the story fails, or when this process is not root.
pub fn play(story: impl FnOnce(&Stage) -> Result<()>) {
    let stage = Stage::new().expect("interop tests run as root: `make interop` goes through sudo");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story(&stage)));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            println!("{}", stage.journal());
            panic!("{error:#}");
        }
        Err(panic) => {
            println!("{}", stage.journal());
            std::panic::resume_unwind(panic);
        }
    }
}

/// How long anything may take that happens by itself, on the slowest machine: no verdict hangs on it.
pub const PATIENCE: Duration = seconds(90);

/// Waits until `address` answers a ping from `machine`: a handshake may be lost, and whoever forgot us comes back.
///
/// # Errors
/// When it does not.
pub fn answers(machine: &Machine, address: &str) -> Result<()> {
    eventually(&format!("{address} answers {}", machine.name()), PATIENCE, || {
        Ok(machine.try_run("ping", &["-c", "1", "-W", "2", address])?.status.success())
    })
}

/// Looks for pings that were not answered in the report of a `ping` that sent `count` (and was not told to be quiet). The last
/// one is not asked for: once there were answers, ping waits for its last one no longer than two round trips, whatever `-W`
/// says.
///
/// # Errors
/// Which were not.
pub fn all_answered(report: &str, count: u32) -> Result<()> {
    let sequence = |line: &str| line.split("icmp_seq=").nth(1)?.split(' ').next()?.parse::<u32>().ok();
    let answered: BTreeSet<u32> = report.lines().filter_map(sequence).collect();
    let lost: Vec<u32> = (1..count).filter(|number| !answered.contains(number)).collect();
    if lost.is_empty() { Ok(()) } else { bail!("pings {lost:?} of {count} were lost") }
}

/// Seconds, shorter to read.
#[must_use]
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[cfg(test)]
mod tests {
    use super::all_answered;

    #[test]
    fn a_lost_ping_is_seen_unless_it_is_the_last() {
        let report = |numbers: &[u32]| -> String {
            numbers.iter().map(|seq| format!("64 bytes from 10.9.0.2: icmp_seq={seq} ttl=64 time=0.5 ms\n")).collect()
        };
        assert!(all_answered(&report(&[1, 2, 3]), 3).is_ok());
        assert!(all_answered(&report(&[2, 1]), 3).is_ok());
        assert_eq!(all_answered(&report(&[1, 3]), 3).unwrap_err().to_string(), "pings [2] of 3 were lost");
        assert!(all_answered("", 3).is_err());
    }
}
