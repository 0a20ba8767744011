//! `audit show`, `export` and `verify`.
use super::args::{AuditCommand, Lines};
use super::{CommandError, Desk, Outcome};
use crate::audit::AuditError;
use crate::audit::query::{Query, look_up};
use crate::audit::verify::{Second, verify};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Fields that each line has, and that stand first or not at all when it is shown.
const OF_EVERY_LINE: [&str; 5] = ["seq", "time", "gateway", "event", "hash"];

impl AuditCommand {
    pub(super) fn run(&self, desk: &mut Desk<'_>) -> Outcome {
        match self {
            Self::Show(lines) => {
                let json = desk.json;
                let write = |out: &mut dyn Write, text: &str, line: &Value| {
                    if json { writeln!(out, "{text}") } else { writeln!(out, "{}", shown(line)) }
                };
                each(&desk.audit, lines, desk.out, write)
            }
            Self::Export { lines, to: None } => each(&desk.audit, lines, desk.out, raw),
            Self::Export { lines, to: Some(to) } => {
                let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
                let mut file = BufWriter::new(made.map_err(named(to))?);
                each(&desk.audit, lines, &mut file, raw)?;
                let written = file.into_inner().map_err(io::IntoInnerError::into_error);
                Ok(written.and_then(|file| file.sync_all()).map_err(named(to))?)
            }
            Self::Verify => {
                let second = desk.checkpoints.as_ref();
                let report = verify(&desk.audit, second.map(|(path, key)| Second { path, key }))?;
                desk.say(&report)?;
                match report.findings.len() {
                    0 => Ok(()),
                    count => Err(CommandError::Tampered(count)),
                }
            }
        }
    }
}

/// Writes each line that is wanted.
fn each(
    folder: &Path,
    lines: &Lines,
    out: &mut dyn Write,
    write: impl Fn(&mut dyn Write, &str, &Value) -> io::Result<()>,
) -> Outcome {
    let Lines { from, since, until, event, user } = lines.clone();
    let mut written = Ok(());
    look_up(folder, &Query { from, since, until, event, user }, |text, line| {
        written = write(out, text, line);
        written.is_ok()
    })?;
    Ok(written?)
}

fn raw(out: &mut dyn Write, text: &str, _: &Value) -> io::Result<()> {
    writeln!(out, "{text}")
}

/// A line for people: number, time, event, and the fields of the event.
fn shown(line: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let of = |field: &str| line.get(field).map(text).unwrap_or_default();
    let mut shown = format!("{:>6} {} {}", of("seq"), of("time"), of("event"));
    for (field, value) in line.as_object().into_iter().flatten() {
        if !OF_EVERY_LINE.contains(&field.as_str()) && !value.is_null() {
            shown += &format!(" {field}={}", text(value));
        }
    }
    shown
}

fn named(path: &Path) -> impl FnOnce(io::Error) -> AuditError {
    AuditError::disk(path)
}
