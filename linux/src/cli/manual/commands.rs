//! What a verb can be told to do, where it has commands of its own: `underpass user add`.
use super::troff;
use clap::{Arg, Command};
use std::fmt::Write as _;

/// A section for them; nothing for a verb that has none.
pub(super) fn troff(verb: &Command) -> String {
    let mut leaves = Vec::new();
    collect(verb, &mut leaves);
    let mut text = String::new();
    for command in leaves {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, ".TP\n\\fB{}\\fR\n{}", troff::text(usage), troff::text(&about));
        let own = command.get_arguments().filter(|argument| !argument.is_global_set() && argument.get_id() != "help");
        let explained: Vec<String> = own.map(argument).collect();
        if !explained.is_empty() {
            let _ = write!(text, ".RS\n{}.RE\n", explained.concat());
        }
    }
    if text.is_empty() { text } else { format!(".SH COMMANDS\n{text}") }
}

/// All commands below `command` that have none below them.
fn collect<'a>(command: &'a Command, leaves: &mut Vec<&'a Command>) {
    for below in command.get_subcommands() {
        if below.has_subcommands() { collect(below, leaves) } else { leaves.push(below) }
    }
}

fn argument(argument: &Arg) -> String {
    let values = argument.get_value_names().filter(|_| argument.get_action().takes_values()).unwrap_or_default();
    let mut shown: Vec<String> = argument.get_long().map(|long| format!("--{long}")).into_iter().collect();
    shown.extend(values.iter().map(ToString::to_string));
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    format!(".TP\n\\fB{}\\fR\n{}\n", troff::text(&shown.join(" ")), troff::text(&help))
}
