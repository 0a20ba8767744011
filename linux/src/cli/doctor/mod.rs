//! `underpass doctor`: walks the path of a tunnel from its file to its peers, and says what is wrong and what to do.
//!
//! - `subject` is what is looked at: the file, what runs, and the interface;
//! - `machine` is what every tunnel needs of the machine;
//! - `own` are the checks of the file, the key, the interface, its name servers and the kill switch;
//! - `way` those of routes and rules, and of ways past the tunnel;
//! - `peers` those of endpoints, handshakes and the path's MTU;
//! - `report` says it, to people and to programs.
mod machine;
mod own;
mod peers;
mod report;
mod subject;
mod way;

use self::subject::Subject;
use super::args::Doctor;
use super::terminal::Paint;
use super::{Outcome, progress};
use crate::control::{client, socket};
use anyhow::anyhow;
use std::io::{self, Write};
use std::process::ExitCode;

/// Looks at one tunnel, or at all that are up.
///
/// # Errors
/// Nowhere to write to. What is found is no error but an exit status.
pub fn run(doctor: &Doctor) -> Outcome {
    let names = match &doctor.config {
        Some(name) => vec![name.clone()],
        None => {
            let directory = socket::directory();
            client::interfaces(&directory).map_err(|error| anyhow!("cannot list {}: {error}", directory.display()))?
        }
    };
    if names.is_empty() {
        progress(format_args!("no tunnel is up; `underpass doctor FILE` looks at one that is not"));
    }
    let machine = machine::all();
    let examined: Vec<Examined> = names.iter().map(|name| examine(&Subject::of(name))).collect();
    let stdout = io::stdout();
    let paint = Paint::on(&stdout);
    let mut stdout = stdout.lock();
    match doctor.json {
        true => report::write_json(&mut stdout, &machine, &examined)?,
        false => report::write_text(&mut stdout, &machine, &examined, paint)?,
    }
    stdout.flush()?;
    let all = machine.iter().chain(examined.iter().flat_map(|one| &one.findings));
    let is_ill = all.into_iter().any(|finding| finding.verdict == Verdict::Fault);
    Ok(if is_ill { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn examine(subject: &Subject) -> Examined {
    let mut findings = vec![own::file(subject), own::key(subject), own::interface(subject)];
    if subject.is_up() {
        findings.push(way::routes(subject));
        findings.extend(way::rules(subject));
        findings.push(own::dns(subject));
        findings.extend(own::lock(subject));
        let endpoints = peers::endpoints(subject);
        findings.extend(peers::names(&endpoints));
        findings.extend(peers::ways(subject, &endpoints));
        findings.push(peers::handshakes(subject));
        findings.extend(peers::mtu(subject, &endpoints));
        findings.push(way::leaks(subject));
    } else {
        findings.extend(own::lock(subject));
        findings.extend(peers::names(&peers::endpoints(subject)));
    }
    Examined { name: subject.name.clone(), findings }
}

/// A tunnel and what was found.
#[derive(Debug)]
struct Examined {
    name: String,
    findings: Vec<Finding>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// It is as it should be.
    Good,
    /// It works, and not as it may be meant.
    Warning,
    /// It does not work.
    Fault,
    /// It cannot be told.
    Unknown,
}

/// What a check found.
#[derive(Debug, serde::Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    text: String,
    /// What to do.
    advice: Option<String>,
}

impl Finding {
    fn good(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, text: text.into(), advice: None }
    }

    fn unknown(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Unknown, text: text.into(), advice: None }
    }

    fn warning(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, text: text.into(), advice: Some(advice.into()) }
    }

    fn fault(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fault, text: text.into(), advice: Some(advice.into()) }
    }
}
