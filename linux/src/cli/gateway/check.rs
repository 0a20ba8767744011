//! `underpass gateway check`: says what is wrong in the configuration of a gateway, and shows its rules for the firewall.
use super::super::check::{Excerpt, counted};
use super::super::terminal::{Paint, Style};
use super::super::{Outcome, progress};
use super::Check;
use crate::gateway::config::{Config, is_ours};
use crate::gateway::keys;
use nix::net::if_::if_nametoindex;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use underpass_gateway::nat;
use underpass_gateway::service::serves;
use underpass_gateway::settings::{Finding, Settings, Severity};

/// What is said for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Whether a gateway would start with it.
    valid: bool,
    findings: Vec<Found<'a>>,
    /// What is wrong around it: what the service does not do yet, and keys that cannot be read.
    problems: Vec<String>,
    /// Interfaces of `masquerade` that are not there now.
    missing_interfaces: Vec<String>,
    /// In seconds.
    worst_revocation_latency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nft: Option<String>,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    severity: &'static str,
    line: usize,
    column: usize,
    text: &'a str,
}

/// Checks a configuration.
///
/// # Errors
/// It cannot be read, or nothing can be written. That it is wrong is an exit status.
pub(super) fn run(asked: &Check) -> Outcome {
    let config = Config::read(&asked.config)?;
    let settings = config.read.settings.as_ref();
    let mut problems = settings.map_or_else(Vec::new, problems);
    problems.extend(is_ours(&asked.config).err().map(|error| error.to_string()));
    let missing = settings.map_or_else(Vec::new, missing);
    let valid = settings.is_some() && problems.is_empty();
    let nft = settings.filter(|_| asked.show_nft).map(nat::rules);
    let mut stdout = io::stdout().lock();
    if asked.json {
        let findings = config.read.findings.iter().map(found).collect();
        let worst_revocation_latency = settings.map(|settings| settings.session.offline_limit.as_secs());
        let report = Report { valid, findings, problems, missing_interfaces: missing, worst_revocation_latency, nft };
        writeln!(stdout, "{}", serde_json::to_string(&report)?)?;
    } else {
        let stderr = io::stderr();
        let mut said = render(&config, &problems, Paint::on(&stderr));
        for name in missing {
            let _ =
                writeln!(said, "{}: warning: `masquerade`: there is no interface {name} now", config.path.display());
        }
        stderr.lock().write_all(said.as_bytes())?;
        stdout.write_all(nft.unwrap_or_default().as_bytes())?;
        progress(format_args!("{}", summary(&config, &problems)));
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What keeps a gateway with these settings from starting.
fn problems(settings: &Settings) -> Vec<String> {
    let served = serves(settings).err().map(|error| error.to_string());
    let private = keys::private_key(&settings.private_key_file).err().map(|error| error.to_string());
    let preshared = keys::preshared(settings).err().map(|error| error.to_string());
    [served, private, preshared].into_iter().flatten().collect()
}

/// Interfaces behind which nothing would be hidden. They may come later.
fn missing(settings: &Settings) -> Vec<String> {
    let is_there = |name: &String| if_nametoindex(name.as_str()).is_ok();
    settings.nat.masquerade.iter().filter(|name| !is_there(name)).cloned().collect()
}

fn found(finding: &Finding) -> Found<'_> {
    let Finding { line, column, text, .. } = finding;
    Found { severity: word(finding.severity), line: *line, column: *column, text }
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Each finding with the line it is about and a mark below the place, then what has no place.
fn render(config: &Config, problems: &[String], paint: Paint) -> String {
    let name = config.path.display();
    let lines: Vec<&str> = config.text.split('\n').collect();
    let mut output = String::new();
    let mut shown = Excerpt::default();
    for finding in &config.read.findings {
        let Finding { severity, line, column, text } = finding;
        let style = if *severity == Severity::Error { Style::Error } else { Style::Warning };
        let place = paint.paint(Style::Bold, format!("{name}:{line}:{column}:")).to_string();
        let _ = writeln!(output, "{place} {} {text}", paint.paint(style, format!("{}:", word(*severity))));
        if let Some(about) = lines.get(line.saturating_sub(1)).filter(|about| !about.trim().is_empty()) {
            shown.turn_to(u32::try_from(*line).unwrap_or(u32::MAX), about);
            shown.write(&mut output, column.saturating_sub(1), &paint.paint(style, "^").to_string());
        }
    }
    for problem in problems {
        let _ = writeln!(output, "{name}: {} {problem}", paint.paint(Style::Error, "error:"));
    }
    output
}

fn summary(config: &Config, problems: &[String]) -> String {
    let errors = config.findings(Severity::Error).count() + problems.len();
    let warnings = config.findings(Severity::Warning).count();
    counted(errors, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_gateway::settings::read;

    #[test]
    fn a_finding_is_shown_with_its_line_and_a_mark() {
        let text = "[gateway]\nname = \"hq\"\nport = 5\n";
        let config = Config { path: "gateway.toml".into(), text: text.into(), read: read(text) };
        let said = render(&config, &["no key".into()], Paint::PLAIN);
        assert!(said.contains("gateway.toml:3:1: error: "), "{said}");
        assert!(said.contains("  3 | port = 5\n    | ^\n"), "{said}");
        assert!(said.ends_with("gateway.toml: error: no key\n"), "{said}");
        assert_eq!(summary(&config, &["no key".into()]), "2 errors");
    }
}
