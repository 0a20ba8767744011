//! `underpass gateway`, and what administrators do with its users, groups, sessions and audit log.
//!
//! | file | what it does |
//! |---|---|
//! | `args` | what may be asked |
//! | `init` | writes what a gateway needs: configuration, key, store, a unit for systemd |
//! | `check` | says what is wrong in a configuration, and what would be forwarded |
//! | `run` | the gateway itself, in the foreground |
//! | `status` | how a gateway is that runs |
//! | `backup` | copies of the store, and their way back |
//! | `office` | `user`, `group`, `session`, `rules` and `audit` |
mod args;
mod backup;
mod check;
mod init;
mod office;
mod run;
mod status;

pub use args::{Check, GatewayCommand, Init, Office, Place};
pub use underpass_gateway::command::Command as Task;

use super::Outcome;

/// Does what `underpass gateway` is asked.
///
/// # Errors
/// What the user reads.
pub fn run(command: &GatewayCommand) -> Outcome {
    match command {
        GatewayCommand::Init(asked) => init::run(asked),
        GatewayCommand::Check(asked) => check::run(asked),
        GatewayCommand::Run { config } => run::run(config),
        GatewayCommand::Status(place) => status::run(place),
        GatewayCommand::Backup { to, place } => backup::copy(place, to),
        GatewayCommand::Restore { from, place } => backup::restore(place, from),
    }
}
