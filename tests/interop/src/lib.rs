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
pub mod pcap;
pub mod router;
pub mod scenery;
pub mod status;
pub mod transfer;

pub use device::{Device, Implementation};
pub use folder::Folder;
pub use keys::KeyPair;
pub use router::Router;
pub use underpass_linux::demo::stage::{Capture, Datagram, Finished, Frame, Machine, Running, Stage};

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

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

/// Waits until `look` says yes.
///
/// # Errors
/// When it still says no after `patience`, or fails.
pub fn eventually(what: &str, patience: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !look()? {
        if started.elapsed() > patience {
            bail!("after {patience:?} still not: {what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits until `address` answers a ping from `machine`: a handshake may be lost, and whoever forgot us comes back.
///
/// # Errors
/// When it does not.
pub fn answers(machine: &Machine, address: &str) -> Result<()> {
    eventually(&format!("{address} answers {}", machine.name()), PATIENCE, || {
        Ok(machine.try_run("ping", &["-c", "1", "-W", "2", address])?.status.success())
    })
}

/// Seconds, shorter to read.
#[must_use]
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
