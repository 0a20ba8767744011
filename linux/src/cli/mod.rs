//! The `underpass` command: [`args`] is what may be asked, [`verbs`] what was meant, the other modules are who does it.
//!
//! Whatever fails says so in one sentence on standard error and makes the exit status 1; the command line itself being
//! wrong makes it 2. Colour and progress appear on a terminal only.
pub mod answers;
pub mod args;
pub mod check;
pub mod converse;
pub mod daemon;
pub mod doctor;
pub mod documents;
pub mod down;
mod drawing;
pub mod enroll;
pub mod environment;
pub mod floor;
pub mod force;
#[cfg(feature = "gateway")]
pub mod gateway;
pub mod guard;
pub mod host;
pub mod import;
pub mod keys;
pub mod log;
pub mod login;
pub mod logout;
mod lost;
pub mod manual;
pub mod probe;
pub mod qr;
pub mod reference;
pub mod reload;
pub mod remains;
pub mod restart;
pub mod save;
#[cfg(feature = "gateway")]
mod secret;
pub mod serve;
pub mod set;
pub mod show;
pub mod signals;
pub mod silence;
pub mod status;
pub mod strip;
pub mod syslog;
pub mod terminal;
pub mod up;
pub mod verbs;
pub mod wait;

use crate::demo;
use args::{Arguments, Command};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// What every verb of the command ends in; the error is what the user reads.
pub type Outcome = anyhow::Result<ExitCode>;

/// Runs the command with `arguments`, the first of which is its own name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(usage) => {
            if let Some(hint) = verbs::misplaced(&words).filter(|_| usage.use_stderr()) {
                let _ = writeln!(io::stderr(), "underpass: {hint}");
                return ExitCode::from(2);
            }
            // Help and version go to standard output with status 0, faults to standard error with status 2.
            let printed = usage.print();
            return ExitCode::from(if printed.is_ok() { u8::try_from(usage.exit_code()).unwrap_or(2) } else { 1 });
        }
    };
    let named = arguments.interface.as_deref();
    if let Some(hint) = named.and_then(|word| verbs::mistaken(word, arguments.foreground, &words)) {
        let _ = writeln!(io::stderr(), "underpass: {hint}");
        return ExitCode::from(2);
    }
    dispatch(arguments).unwrap_or_else(|error| {
        if !is_broken_pipe(&error) {
            let _ = writeln!(io::stderr(), "underpass: {error}");
        }
        ExitCode::FAILURE
    })
}

fn dispatch(arguments: Arguments) -> Outcome {
    match (arguments.command, arguments.interface) {
        (Some(Command::Up(up)), _) => up::run(&up),
        (Some(Command::Down(down)), _) => down::run(&down),
        (Some(Command::Login(asked)), _) => login::run(&asked),
        (Some(Command::Logout { config }), _) => logout::run(&config),
        (Some(Command::Enroll(asked)), _) => enroll::run(&asked),
        (Some(Command::Lock(lock)), _) => guard::lock(&lock),
        (Some(Command::Unlock { interface }), _) => guard::unlock(interface.as_deref()),
        (Some(Command::Restart(tunnel)), _) => restart::run(&tunnel),
        (Some(Command::Reload(tunnel)), _) => reload::run(&tunnel),
        (Some(Command::Save(tunnel)), _) => save::run(&tunnel),
        (Some(Command::Show(show)), _) => show::run(&show),
        (Some(Command::Status(asked)), _) => status::run(&asked),
        (Some(Command::Set(asked)), _) => set::run(&asked),
        (Some(Command::Doctor(asked)), _) => doctor::run(&asked),
        (Some(Command::Strip { config }), _) => strip::run(&config),
        (Some(Command::Qr(asked)), _) => qr::run(&asked),
        (Some(Command::Import(asked)), _) => import::run(&asked),
        (Some(Command::Check { file }), _) => check::run(&file),
        (Some(Command::Genkey), _) => keys::genkey(),
        (Some(Command::Genpsk), _) => keys::genpsk(),
        (Some(Command::Pubkey), _) => keys::pubkey(),
        #[cfg(feature = "gateway")]
        (Some(Command::Gateway { command }), _) => gateway::run(&command),
        #[cfg(feature = "gateway")]
        (Some(Command::User(office)), _) => office.run(|command| gateway::Task::User { command }),
        #[cfg(feature = "gateway")]
        (Some(Command::Group(office)), _) => office.run(|command| gateway::Task::Group { command }),
        #[cfg(feature = "gateway")]
        (Some(Command::Session(office)), _) => office.run(|command| gateway::Task::Session { command }),
        #[cfg(feature = "gateway")]
        (Some(Command::Rules(office)), _) => office.run(|command| gateway::Task::Rules { command }),
        #[cfg(feature = "gateway")]
        (Some(Command::Audit(office)), _) => office.run(|command| gateway::Task::Audit { command }),
        (Some(Command::Demo), _) => demo::run(&mut io::stdout()).map(|()| ExitCode::SUCCESS),
        (Some(Command::Completions { shell }), _) => documents::completions(shell, &mut io::stdout()),
        (Some(Command::Man { page, output_dir }), _) => documents::man(page.as_deref(), output_dir.as_deref()),
        (None, Some(interface)) => daemon::run(&interface, arguments.foreground),
        (None, None) => {
            Arguments::command().print_long_help()?;
            Ok(ExitCode::from(2))
        }
    }
}

/// Whoever reads our output has seen enough: nothing to complain about.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes a note about what is going on, on a terminal only.
pub(crate) fn progress(note: std::fmt::Arguments<'_>) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let _ = writeln!(stderr, "{note}");
    }
}
