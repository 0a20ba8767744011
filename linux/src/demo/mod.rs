//! The demonstration: a phone in a café reaches an office server through a tunnel, and walks out in the middle of a
//! download. As root it happens on real machines made for the purpose ([`stage`]), without root in one process.
pub mod in_process;
pub mod stage;

#[cfg(feature = "gateway")]
mod people;
mod scene;
mod story;
mod tunnel;
mod web;

use anyhow::{Result, anyhow, ensure};
use stage::Stage;
use std::io::Write;
use std::path::Path;

/// The commands that the story on real machines runs, and the Debian packages they are in.
const TOOLS: [(&str, &str); 3] = [("ip", "iproute2"), ("nft", "nftables"), ("ping", "iputils-ping")];

/// Tells the story to `out`: on real machines where this process may make them, else in one process.
///
/// # Errors
/// The step that failed, or why `out` could not be written.
pub fn run(out: &mut dyn Write) -> Result<()> {
    let stage = match Stage::new() {
        Ok(stage) => stage,
        Err(_) => return in_process::run(out),
    };
    // Root in a container often may not make namespaces.
    if let Err(refusal) = stage.machine("probe") {
        writeln!(out, "This machine refuses what root may elsewhere ({refusal:#}).")?;
        return in_process::run(out);
    }
    let missing: Vec<&str> =
        TOOLS.iter().filter(|(tool, _)| !is_installed(tool)).map(|(_, package)| *package).collect();
    ensure!(
        missing.is_empty(),
        "the demonstration needs the packages {}: `make demo` installs them",
        missing.join(", ")
    );
    ensure!(Path::new("/dev/net/tun").exists(), "there is no /dev/net/tun: this kernel or container has no TUN");
    story::tell(&stage, out).map_err(|error| anyhow!("{error:#}\n{}", stage.journal()))
}

fn is_installed(tool: &str) -> bool {
    std::env::split_paths(&stage::search_path()).any(|folder| folder.join(tool).is_file())
}
