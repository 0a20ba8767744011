//! Waiting for what happens by itself.
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// How often to look.
const GLANCE: Duration = Duration::from_millis(10);

/// Waits until `look` says yes.
///
/// # Errors
/// When it still says no after `patience`, or fails.
pub fn eventually(what: &str, patience: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
    let until = Instant::now() + patience;
    while !look()? {
        ensure!(Instant::now() < until, "after {patience:?} still not: {what}");
        std::thread::sleep(GLANCE);
    }
    Ok(())
}
