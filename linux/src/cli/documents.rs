//! Completion scripts and man pages, made from the definition of the command line.
use super::Outcome;
use super::args::Arguments;
use super::manual::{self, Page};
use anyhow::anyhow;
use clap::CommandFactory;
use clap_complete::{Shell, generate};
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

/// Writes the page `name` of the manual, or that of the command, to standard output, or all pages into `directory`.
///
/// # Errors
/// There is no such page, or nowhere to write to.
pub fn man(name: Option<&str>, directory: Option<&Path>) -> Outcome {
    let pages = manual::pages()?;
    let Some(directory) = directory else {
        let name = name.unwrap_or("underpass");
        let page = pages.iter().find(|page| page.name == name);
        let page = page.ok_or_else(|| anyhow!("there is no page `{name}`: {}", names(&pages)))?;
        io::stdout().write_all(&page.text)?;
        return Ok(ExitCode::SUCCESS);
    };
    let failed = |error| anyhow!("cannot write to {}: {error}", directory.display());
    for page in pages {
        let section = directory.join(format!("man{}", page.section));
        fs::create_dir_all(&section).map_err(failed)?;
        fs::write(section.join(format!("{}.{}", page.name, page.section)), page.text).map_err(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn names(pages: &[Page]) -> String {
    pages.iter().map(|page| page.name.as_str()).collect::<Vec<_>>().join(", ")
}
