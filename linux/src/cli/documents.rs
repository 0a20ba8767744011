//! Completion scripts and man pages, made from the definition of the command line.
use super::Outcome;
use super::args::Arguments;
use super::reference;
use anyhow::anyhow;
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Writes the completion script of `shell`.
///
/// # Errors
/// Nowhere to write to.
pub fn completions(shell: Shell, output: &mut impl Write) -> Outcome {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "underpass", &mut script);
    output.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the man page to standard output, or the page of every command into `directory`.
///
/// # Errors
/// Nowhere to write to.
pub fn man(directory: Option<&Path>) -> Outcome {
    // `help` would get a page of its own.
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let Some(directory) = directory else {
        io::stdout().write_all(&page(&command)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let failed = |error| anyhow!("cannot write to {}: {error}", directory.display());
    fs::create_dir_all(directory).map_err(failed)?;
    fs::write(directory.join("underpass.1"), page(&command)?).map_err(failed)?;
    for verb in command.get_subcommands() {
        let name = format!("underpass-{}", verb.get_name());
        let mut page = Vec::new();
        Man::new(verb.clone().display_name(&name)).render(&mut page)?;
        fs::write(directory.join(format!("{name}.1")), page).map_err(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The page of the command itself.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    page.write_all(reference::troff().as_bytes())?;
    man.render_version_section(&mut page)?;
    Ok(page)
}
