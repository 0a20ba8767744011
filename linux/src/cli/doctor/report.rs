//! Findings for people, with ticks and advice, and for programs, as JSON.
use super::{Examined, Finding, Verdict};
use crate::cli::terminal::{Paint, Style};
use serde::Serialize;
use std::io::{self, Write};

/// Writes a line for each finding, and one below it for what to do.
///
/// # Errors
/// Nowhere to write to.
pub(super) fn write_text(
    output: &mut impl Write,
    machine: &[Finding],
    examined: &[Examined],
    paint: Paint,
) -> io::Result<()> {
    write_findings(output, "this machine", machine, paint)?;
    for one in examined {
        writeln!(output)?;
        write_findings(output, &one.name, &one.findings, paint)?;
    }
    Ok(())
}

fn write_findings(output: &mut impl Write, title: &str, findings: &[Finding], paint: Paint) -> io::Result<()> {
    writeln!(output, "{}", paint.paint(Style::Bold, title))?;
    for Finding { check, verdict, text, advice } in findings {
        let (mark, style) = match verdict {
            Verdict::Good => ("✓", Style::Interface),
            Verdict::Warning => ("!", Style::Warning),
            Verdict::Fault => ("✗", Style::Error),
            Verdict::Unknown => ("?", Style::Unit),
        };
        let mut lines = text.lines();
        writeln!(output, "  {} {check:<10} {}", paint.paint(style, mark), lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(output, "  {:12} {line}", ""))?;
        for line in advice.iter().flat_map(|advice| advice.lines()) {
            writeln!(output, "  {:12} {} {line}", "", paint.paint(Style::Bold, "->"))?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    machine: &'a [Finding],
    tunnels: Vec<Tunnel<'a>>,
}

#[derive(Serialize)]
struct Tunnel<'a> {
    name: &'a str,
    checks: &'a [Finding],
}

/// Writes `{"machine": [...], "tunnels": [...]}`.
///
/// # Errors
/// Nowhere to write to.
pub(super) fn write_json(output: &mut impl Write, machine: &[Finding], examined: &[Examined]) -> io::Result<()> {
    let tunnels = examined.iter().map(|one| Tunnel { name: &one.name, checks: &one.findings }).collect();
    serde_json::to_writer_pretty(&mut *output, &Document { machine, tunnels })?;
    writeln!(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_ticked_and_advised() {
        let findings = vec![
            Finding::good("file", "wg0.conf"),
            Finding::fault("handshake", "no answer\nof anybody", "look\nagain"),
            Finding::unknown("mtu", "nobody knows"),
        ];
        let examined = [Examined { name: "wg0".into(), findings }];
        let mut text = Vec::new();
        let machine = [Finding::good("root", "yes")];
        write_text(&mut text, &machine, &examined, Paint::PLAIN).expect("memory");
        let expected = "\
this machine
  ✓ root       yes

wg0
  ✓ file       wg0.conf
  ✗ handshake  no answer
               of anybody
               -> look
               -> again
  ? mtu        nobody knows
";
        assert_eq!(String::from_utf8_lossy(&text), expected);
        let mut json = Vec::new();
        write_json(&mut json, &machine, &examined).expect("memory");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        let first = serde_json::json!({ "check": "file", "verdict": "good", "text": "wg0.conf", "advice": null });
        assert_eq!((&json["tunnels"][0]["name"], &json["tunnels"][0]["checks"][0]), (&"wg0".into(), &first));
    }
}
