//! Instructions for a packet, counted by callgrind: the figure that does not drift.
use crate::figures::Table;
use crate::parties::Party;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Flights under the counter.
pub const FLIGHTS: usize = 4;
const SIZES: [usize; 2] = [64, 1420];

/// Counts for everyone of `names`, each in a process of its own under valgrind.
pub fn instructions(names: &[String]) -> Result<Table> {
    let mut table = Table::new(
        "Instructions for a packet",
        "Counted by callgrind, whose CPU has AVX2 but not AVX-512: the ciphers run other code than in the tables above.",
        &["seal 64 B", "open 64 B", "seal 1420 B", "open 1420 B"],
    );
    for (contestant, name) in names.iter().enumerate() {
        let mut cells = Vec::new();
        for size in SIZES {
            for direction in ["seal", "open"] {
                cells.push(Some(count(contestant, size, direction)?.into()));
            }
        }
        table.row(name, cells);
    }
    Ok(table)
}

/// Plays a few flights of a contestant: what runs under the counter.
pub fn play(party: &mut dyn Party) {
    (0..FLIGHTS).for_each(|_| {
        party.flight();
    });
}

fn count(contestant: usize, size: usize, direction: &str) -> Result<f64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let out = folder.join(format!("callgrind.{}.out", std::process::id()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--toggle-collect=*measured_{direction}*")])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["--count", &contestant.to_string(), &size.to_string()])
        .output()
        .context("valgrind counts instructions: `make setup` installs it")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let profile = std::fs::read_to_string(&out)?;
    std::fs::remove_file(&out)?;
    let sum = profile.lines().find_map(|line| line.strip_prefix("summary: ")).context("a profile has a sum")?;
    Ok(sum.trim().parse::<f64>()? / (FLIGHTS * crate::parties::FLIGHT) as f64)
}
