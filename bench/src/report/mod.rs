//! The page and the pictures of `docs/`.
mod goals;
mod plot;

use crate::figures::Table;
use anyhow::{Context as _, Result};
use plot::{Bars, Group};
use std::fmt::Write as _;
use std::path::Path;

/// Writes `benchmarks.md` and `benchmarks/*.svg` below `docs`.
pub fn write(docs: &Path, facts: &[String], tables: &[Table]) -> Result<()> {
    let pictures = docs.join("benchmarks");
    std::fs::create_dir_all(&pictures)?;
    let mut page = String::from(INTRODUCTION);
    for fact in facts {
        writeln!(page, "- {fact}")?;
    }
    write!(page, "\n## The bars\n\n{}\n{}", goals::goals(tables), include_str!("reading.md"))?;
    for (file, bars) in plots(tables) {
        std::fs::write(pictures.join(file), bars.svg()).with_context(|| format!("writing {file}"))?;
        write!(page, "\n![{}](benchmarks/{file})\n", bars.title)?;
    }
    for table in tables {
        write!(page, "\n## {}\n\n{}\n\n{}", table.title, table.note, table.render())?;
    }
    std::fs::write(docs.join("benchmarks.md"), page).context("writing benchmarks.md")
}

const INTRODUCTION: &str = "# Benchmarks\n\n\
    Written by `make bench`. Everything is measured side by side: the contestants take turns in rounds, in an order that \
    rotates, and figures are medians of many rounds. Absolute figures drift with the machine; ratios within one run are \
    what may be compared. `±` is half the width of the middle half of the samples.\n\n";

/// The pictures, where there are figures for them.
fn plots(tables: &[Table]) -> Vec<(&'static str, Bars)> {
    let found = |title: &str| tables.iter().find(|table| table.title.starts_with(title));
    let mut plots = Vec::new();
    if let (Some(seal), Some(open)) = (found("Sealing"), found("Opening")) {
        let groups = [(seal, "64 B"), (open, "64 B"), (seal, "1420 B"), (open, "1420 B")];
        let groups = groups.map(|(table, column)| {
            let what = if table.title.starts_with("Sealing") { "seal" } else { "open" };
            group(&format!("{what} {column}"), table, column, |cell| cell.ratio)
        });
        plots.push(("packets.svg", Bars::new("Speed of one thread in terms of the bare cipher", groups.into())));
    }
    if let Some(table) = found("Handshakes") {
        let groups = ["both ends", "responder"].map(|column| group(column, table, column, |cell| Some(cell.value)));
        plots.push(("handshakes.svg", Bars::new("Handshakes in a second", groups.into())));
    }
    if let Some(table) = found("Memory") {
        let groups = ["idle", "with a session"].map(|column| group(column, table, column, |cell| Some(cell.value)));
        plots.push(("memory.svg", Bars::new("Bytes of heap for each peer", groups.into())));
    }
    if let Some(table) = found("End to end: TCP") {
        let columns = ["TCP 1 stream, Gbit/s", "TCP 8 streams, Gbit/s"];
        let groups = columns.map(|column| group(column, table, column, |cell| Some(cell.value)));
        plots.push(("tcp.svg", Bars::new("TCP through the tunnel, Gbit/s", groups.into())));
        let columns = ["CPU s/GB, 1 stream", "CPU s/GB, 8 streams"];
        let groups = columns.map(|column| group(column, table, column, |cell| Some(cell.value)));
        plots.push(("cpu.svg", Bars::new("CPU seconds of both daemons for a gigabyte of TCP", groups.into())));
    }
    plots
}

/// One column of a table as bars.
fn group(name: &str, table: &Table, column: &str, figure: fn(crate::figures::Cell) -> Option<f64>) -> Group {
    let bars = table.rows.iter().filter_map(|row| {
        let value = table.at(&row.name, column).and_then(figure)?;
        Some((row.name.clone(), value))
    });
    Group { name: name.to_owned(), bars: bars.collect() }
}
