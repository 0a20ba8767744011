//! `underpass show`: asks the control socket of any userspace WireGuard implementation, and shows what it says.
pub mod fields;
pub mod human;
pub mod json;

use self::fields::Field;
use super::args::Show;
use super::terminal::Paint;
use super::{Outcome, progress};
use crate::control::status::InterfaceStatus;
use crate::control::{client, socket};
use anyhow::{anyhow, bail};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Shows one interface, all of them, or their names.
///
/// # Errors
/// The interface is not there or does not answer.
pub fn run(show: &Show) -> Outcome {
    let directory = socket::directory();
    let list =
        || client::interfaces(&directory).map_err(|error| anyhow!("cannot list {}: {error}", directory.display()));
    match show.interface.as_str() {
        "interfaces" if show.field.is_some() => bail!("`interfaces` are names, and have no fields; try `all`"),
        "interfaces" => write_names(&list()?, show.json),
        "all" => {
            let names = list()?;
            if names.is_empty() {
                progress(format_args!("no userspace WireGuard interfaces"));
            }
            write_all(&names, &directory, show)
        }
        name => {
            let interface = ask(&directory, name)?;
            match show.field {
                Some(field) => write_field(&[interface], field, false)?,
                None => write_interfaces(vec![interface.sorted()], show.json)?,
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Asks interface `name` for its state.
///
/// # Errors
/// It is not there, does not answer, or answers nonsense.
pub fn ask(directory: &Path, name: &str) -> anyhow::Result<InterfaceStatus> {
    let answer = client::status(directory, name)?;
    InterfaceStatus::parse(name, &answer)
        .map_err(|fault| anyhow!("interface `{name}` answers what makes no sense: {fault}"))
}

fn write_names(names: &[String], json: bool) -> Outcome {
    let mut stdout = io::stdout().lock();
    if json {
        json::write_names(&mut stdout, names)?;
    } else if !names.is_empty() {
        writeln!(stdout, "{}", names.join(" "))?;
    }
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Shows every interface that answers; one that does not is named, and the exit status tells.
fn write_all(names: &[String], directory: &Path, show: &Show) -> Outcome {
    let mut code = ExitCode::SUCCESS;
    let mut interfaces = Vec::new();
    for name in names {
        match ask(directory, name) {
            Ok(interface) => interfaces.push(interface),
            Err(error) => {
                let _ = writeln!(io::stderr(), "underpass: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    match show.field {
        Some(field) => write_field(&interfaces, field, true)?,
        None => write_interfaces(interfaces.into_iter().map(InterfaceStatus::sorted).collect(), show.json)?,
    }
    Ok(code)
}

fn write_field(interfaces: &[InterfaceStatus], field: Field, named: bool) -> anyhow::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    interfaces.iter().try_for_each(|interface| fields::write(&mut stdout, interface, field, named))?;
    stdout.flush()?;
    Ok(())
}

fn write_interfaces(interfaces: Vec<InterfaceStatus>, json: bool) -> anyhow::Result<()> {
    let stdout = io::stdout();
    let paint = Paint::on(&stdout);
    let mut stdout = io::BufWriter::new(stdout.lock());
    if json {
        json::write(&mut stdout, &interfaces)?;
    } else {
        let hide_keys = std::env::var("WG_HIDE_KEYS").as_deref() != Ok("never");
        let now = crate::clock::wall().as_duration().as_secs();
        human::write(&mut stdout, &interfaces, &human::Manner { paint, hide_keys, now })?;
    }
    stdout.flush()?;
    Ok(())
}
