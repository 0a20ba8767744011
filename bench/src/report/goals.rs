//! The bars that were set, and whether they are met.
use crate::figures::{Cell, Table};
use std::fmt::Write as _;

/// Where a figure stands: the beginning of a table's title, row, column.
type Place = (&'static str, &'static str, &'static str);

/// What a figure must be.
#[derive(Clone, Copy)]
enum Bar {
    /// A ratio of at least this.
    Ratio(f64),
    /// A value of at most this.
    AtMost(f64),
    /// A ratio of at most this.
    RatioAtMost(f64),
}

const OURS: &str = "Underpass, batches of 64";
const ENGINE: &str = "Memory of an engine";
const CROWD: &str = "100000 peers, one talks";

const BARS: &[(&str, Place, Bar)] = &[
    ("seal 1420 B, of the bare cipher", ("Sealing", OURS, "1420 B"), Bar::Ratio(0.98)),
    ("open 1420 B, of the bare cipher", ("Opening", OURS, "1420 B"), Bar::Ratio(0.95)),
    ("seal 64 B, of the bare cipher", ("Sealing", OURS, "64 B"), Bar::Ratio(0.95)),
    ("open 64 B, of the bare cipher", ("Opening", OURS, "64 B"), Bar::Ratio(0.92)),
    ("seal 1420 B at 100 000 peers, of one peer", ("Many peers", CROWD, "seal 1420 B"), Bar::Ratio(0.9)),
    ("open 1420 B at 100 000 peers, of one peer", ("Many peers", CROWD, "open 1420 B"), Bar::Ratio(0.9)),
    (
        "seal, all of 100 000 talk, of one peer",
        ("Many peers", "100000 peers, all talk", "seal 1420 B"),
        Bar::Ratio(0.9),
    ),
    (
        "open, all of 100 000 talk, of one peer",
        ("Many peers", "100000 peers, all talk", "open 1420 B"),
        Bar::Ratio(0.9),
    ),
    (
        "seal 1420 B through C in batches, of Rust",
        ("Through the C interface", "Underpass in C, batches of 64", "seal 1420 B"),
        Bar::Ratio(0.97),
    ),
    (
        "open 1420 B through C in batches, of Rust",
        ("Through the C interface", "Underpass in C, batches of 64", "open 1420 B"),
        Bar::Ratio(0.97),
    ),
    (
        "seal 1420 B by feed mode on the JVM, of Rust",
        ("On the JVM", "Underpass, feed mode on the JVM", "seal 1420 B"),
        Bar::Ratio(0.9),
    ),
    (
        "open 1420 B by feed mode on the JVM, of Rust",
        ("On the JVM", "Underpass, feed mode on the JVM", "open 1420 B"),
        Bar::Ratio(0.9),
    ),
    ("handshakes of both ends, of boringtun", ("Handshakes", "Underpass", "both ends"), Bar::Ratio(1.8)),
    ("bytes of an idle peer", ("Memory", "Underpass, 10000 peers", "idle"), Bar::AtMost(1024.0)),
    ("bytes of an idle peer of a million", ("Memory", "Underpass, 1000000 peers", "idle"), Bar::AtMost(1000.0)),
    ("bytes of a peer with a session", ("Memory", "Underpass, 10000 peers", "with a session"), Bar::AtMost(4096.0)),
    ("bytes of an engine in feed mode, at rest", (ENGINE, "feed mode", "at rest"), Bar::AtMost(2e6)),
    ("bytes of an engine in feed mode, full upload", (ENGINE, "feed mode", "full upload"), Bar::AtMost(8e6)),
    ("bytes of an engine with the pump, at rest", (ENGINE, "pump", "at rest"), Bar::AtMost(2e6)),
    ("bytes of an engine with the pump, full upload", (ENGINE, "pump", "full upload"), Bar::AtMost(8e6)),
    (
        "bytes of the library for Android, arm64",
        ("Size of the library for Android", "arm64-v8a", "bytes"),
        Bar::AtMost(1e6),
    ),
    ("wake-ups of an idle hour", ("Wake-ups", "Underpass", "1 peer, second hour"), Bar::AtMost(0.0)),
    ("two crypt threads, seal", ("Crypt threads", "2 crypt threads", "seal"), Bar::Ratio(1.7)),
    ("two crypt threads, open", ("Crypt threads", "2 crypt threads", "open"), Bar::Ratio(1.7)),
    (
        "TCP, one stream, of newest wireguard-go",
        ("End to end: TCP", "Underpass", "TCP 1 stream, Gbit/s"),
        Bar::Ratio(1.0),
    ),
    (
        "TCP, 8 streams, of newest wireguard-go",
        ("End to end: TCP", "Underpass", "TCP 8 streams, Gbit/s"),
        Bar::Ratio(1.0),
    ),
    ("CPU s/GB, of newest wireguard-go", ("End to end: TCP", "Underpass", "CPU s/GB, 1 stream"), Bar::RatioAtMost(1.0)),
    ("peak memory, MB", ("End to end: TCP", "Underpass", "peak memory, MB"), Bar::AtMost(30.0)),
    ("UDP 64 B, of newest wireguard-go", ("End to end: UDP", "Underpass", "UDP 64 B, packets/s"), Bar::Ratio(1.0)),
    ("UDP 1400 B, of newest wireguard-go", ("End to end: UDP", "Underpass", "UDP 1400 B, packets/s"), Bar::Ratio(1.0)),
    (
        "CPU of a UDP packet, of newest wireguard-go",
        ("End to end: UDP", "Underpass", "CPU µs/packet, 64 B"),
        Bar::RatioAtMost(1.0),
    ),
];

impl Bar {
    /// What was asked, what was measured, whether that is enough.
    fn judge(self, cell: Cell) -> (String, String, bool) {
        let ratio = cell.ratio.unwrap_or(f64::NAN);
        match self {
            Self::Ratio(least) => (format!("at least {least}"), format!("{ratio:.3}"), ratio >= least),
            Self::RatioAtMost(most) => (format!("at most {most}"), format!("{ratio:.3}"), ratio <= most),
            Self::AtMost(most) => (format!("at most {most}"), format!("{:.0}", cell.value), cell.value <= most),
        }
    }
}

/// A Markdown table of all bars that this run can judge.
pub fn goals(tables: &[Table]) -> String {
    let mut text = String::from("| subject | bar | measured | met |\n| --- | ---: | ---: | --- |\n");
    for (subject, (title, row, column), bar) in BARS {
        let table = tables.iter().find(|table| table.title.starts_with(title));
        let Some(cell) = table.and_then(|table| table.at(row, column)) else { continue };
        let (asked, measured, met) = bar.judge(cell);
        let met = if met { "yes" } else { "no" };
        let _ = writeln!(text, "| {subject} | {asked} | {measured} | {met} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_met_or_not() {
        let cell = |value, ratio| Cell { value, spread: None, ratio };
        assert!(Bar::Ratio(0.98).judge(cell(1.0, Some(0.98))).2 && !Bar::Ratio(0.98).judge(cell(1.0, Some(0.97))).2);
        assert!(Bar::AtMost(30.0).judge(cell(30.0, None)).2 && !Bar::AtMost(30.0).judge(cell(31.0, None)).2);
        assert!(!Bar::RatioAtMost(1.0).judge(cell(1.0, None)).2, "what has no ratio meets none");
    }
}
