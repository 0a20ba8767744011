//! The manual: a page for the command, one for each of its verbs, and one for the configuration.
//!
//! What options mean comes from the definition of the command line, what stands beside them from `reference`. The examples
//! (`examples`) and the keys of a configuration (`keys`) are written here; tests hold that none is missing. Verbs with commands of
//! their own tell of them on their page (`commands`).
mod commands;
mod examples;
mod keys;
pub mod troff;

use super::args::Arguments;
use super::reference;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::fmt::Write as _;
use std::io;

/// The section of programs for administrators.
const PROGRAMS: &str = "8";
/// The section of file formats.
const FORMATS: &str = "5";
/// What all pages belong to.
const MANUAL: &str = "Underpass";

/// A page of the manual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its name: `underpass-up`.
    pub name: String,
    /// Its section: `8`.
    pub section: &'static str,
    /// As troff, with the macros of man(7).
    pub text: Vec<u8>,
}

/// All pages; the first is that of the command.
///
/// # Errors
/// Never, for memory is written to; the generator does not know that.
pub fn pages() -> io::Result<Vec<Page>> {
    // `help` would get a page of its own.
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut pages = vec![of_command(&command)?];
    for verb in command.get_subcommands() {
        pages.push(of_verb(verb)?);
    }
    pages.push(of_configuration());
    Ok(pages)
}

fn of_command(command: &Command) -> io::Result<Page> {
    let man = man(command.clone(), "underpass");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    man.render_subcommands_section(&mut text)?;
    text.extend(reference::troff().bytes());
    text.extend(examples_section(examples::of("underpass")).bytes());
    let verbs = command.get_subcommands().map(|verb| format!("underpass-{}", verb.get_name()));
    let also: Vec<String> = verbs.map(|name| format!("{name}({PROGRAMS})")).collect();
    text.extend(see_also(also.iter().map(String::as_str).chain(examples::RELATED.iter().copied())).bytes());
    Ok(Page { name: "underpass".into(), section: PROGRAMS, text })
}

fn of_verb(verb: &Command) -> io::Result<Page> {
    let name = format!("underpass-{}", verb.get_name());
    let man = man(verb.clone().display_name(&name), &name);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if verb.get_arguments().next().is_some() {
        man.render_options_section(&mut text)?;
    }
    text.extend(commands::troff(verb).bytes());
    text.extend(examples_section(examples::of(verb.get_name())).bytes());
    text.extend(see_also(["underpass(8)", "underpass.conf(5)"].into_iter()).bytes());
    Ok(Page { name, section: PROGRAMS, text })
}

fn of_configuration() -> Page {
    let mut text = format!(
        ".TH underpass.conf {FORMATS} \"\" \"underpass {}\" \"{MANUAL}\"\n.SH NAME\n{}\n",
        env!("CARGO_PKG_VERSION"),
        troff::text("underpass.conf - configuration of a tunnel")
    );
    text.push_str(&keys::troff());
    let also = ["underpass(8)", "underpass-up(8)", "underpass-check(8)", "wg(8)", "wg-quick(8)"];
    text.push_str(&see_also(also.into_iter()));
    Page { name: "underpass.conf".into(), section: FORMATS, text: text.into_bytes() }
}

fn man(command: Command, title: &str) -> Man {
    Man::new(command)
        .title(title)
        .section(PROGRAMS)
        .source(format!("underpass {}", env!("CARGO_PKG_VERSION")))
        .manual(MANUAL)
}

fn examples_section(examples: &[examples::Example]) -> String {
    let mut text = String::from(".SH EXAMPLE\n");
    for (number, (command, meaning)) in examples.iter().enumerate() {
        if number > 0 {
            text.push_str(".PP\n");
        }
        let _ = writeln!(text, "{}\n.PP\n.RS 4\n.EX\n{}\n.EE\n.RE", troff::text(meaning), troff::text(command));
    }
    text
}

fn see_also<'a>(pages: impl Iterator<Item = &'a str>) -> String {
    let pages: Vec<String> = pages
        .map(|page| {
            let (name, section) = page.split_once('(').unwrap_or((page, ""));
            format!(".BR {} ({section}", troff::text(name))
        })
        .collect();
    format!(".SH \"SEE ALSO\"\n{}\n", pages.join(",\n"))
}

#[cfg(test)]
mod tests;
