//! The command line of what administrators do: `user`, `group`, `session`, `rules`, `audit`. A binary mounts [`Command`] among its own commands,
//! makes the [`Desk`] from its configuration, and runs it.
//!
//! Answers go to one writer, as text or, with `--json`, as one JSON value a line. Secrets are in no argument: a password is asked for.
mod args;
mod audit;
mod enroll;
mod rules;
mod show;

pub use args::{AuditCommand, Command, DeviceCommand, GroupCommand, RulesCommand, SessionCommand, UserCommand, Wanted};
pub use enroll::{Draw, Entrance};

use crate::admin::{AdminError, Office};
use crate::audit::AuditError;
use crate::audit::checkpoint::PublicKey;
use crate::password::{Cost, Password};
use crate::settings::Settings;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use underpass_core::filter::RulesError;
use zeroize::Zeroizing;

/// Asks whoever is there for a secret, without showing what is typed; the text says what for.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> io::Result<Zeroizing<String>>;

/// What a command works with.
pub struct Desk<'a> {
    /// The operations.
    pub office: Office<'a>,
    /// The folder of the audit log.
    pub audit: PathBuf,
    /// The file of checkpoints and the key of them, when there are some.
    pub checkpoints: Option<(PathBuf, PublicKey)>,
    /// The configuration, whose rules are explained.
    pub settings: Option<&'a Settings>,
    /// Seconds by which local time, which hours of rules are in, is ahead of UTC.
    pub seconds_ahead: i32,
    /// What hashing a password costs.
    pub cost: Cost,
    /// What an enrolment shows.
    pub entrance: Entrance<'a>,
    /// Asks for secrets.
    pub ask: Ask<'a>,
    /// Where answers go.
    pub out: &'a mut dyn Write,
    /// Whether answers are JSON.
    pub json: bool,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The operation.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The answer could not be written, or nothing could be asked.
    #[error(transparent)]
    Talk(#[from] io::Error),
    /// Nobody could find the gateway.
    #[error("[gateway] has no `endpoint`: clients would not know where the gateway is")]
    NoEndpoint,
    /// The two passwords that were typed differ.
    #[error("the passwords differ")]
    Differ,
    /// There is no configuration whose rules could be explained.
    #[error("there is no configuration, so there are no rules")]
    NoSettings,
    /// The rules are too many.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The log is not as it was written.
    #[error("the log is not as it was written: {0} findings")]
    Tampered(usize),
}

/// What a command gives.
pub type Outcome = Result<(), CommandError>;

impl Command {
    /// Does what the command says.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn run(&self, desk: &mut Desk<'_>) -> Outcome {
        match self {
            Self::User { command } => command.run(desk),
            Self::Group { command } => command.run(desk),
            Self::Session { command } => command.run(desk),
            Self::Rules { command } => command.run(desk),
            Self::Audit { command } => command.run(desk),
        }
    }
}

impl UserCommand {
    fn run(&self, desk: &mut Desk<'_>) -> Outcome {
        let office = &mut desk.office;
        match self {
            Self::Add { name, groups } => {
                let user = office.add_user(name, groups)?;
                desk.say(&user)
            }
            Self::Show { name } => {
                let user = office.show_user(name)?;
                desk.say(&user)
            }
            Self::List => {
                let mut users = Vec::new();
                office.each_user(|user| users.push(user))?;
                users.iter().try_for_each(|user| desk.say(user))
            }
            Self::Disable { name } => {
                let done = office.enable_user(name, false)?;
                desk.say(&done)
            }
            Self::Enable { name } => {
                let done = office.enable_user(name, true)?;
                desk.say(&done)
            }
            Self::Passwd { name, remove } => desk.passwd(name, *remove),
            Self::Totp { name, remove: true } => {
                let count = office.remove_codes(name)?;
                desk.say(&show::Count { what: "one-time codes removed", count })
            }
            Self::Totp { name, remove: false } => {
                let code = office.add_code(name)?;
                desk.say(&code)
            }
            Self::Recovery { name } => {
                let codes = office.make_recovery(name)?;
                desk.say(&codes)
            }
            Self::Enroll { name, hours, png } => desk.enroll(name, *hours, png.as_deref()),
            Self::Remove { name } => {
                let done = office.remove_user(name)?;
                desk.say(&done)
            }
            Self::Device { command } => command.run(desk),
        }
    }
}

impl DeviceCommand {
    fn run(&self, desk: &mut Desk<'_>) -> Outcome {
        let office = &mut desk.office;
        match self {
            Self::Add { user, name, key } => {
                let device = office.add_device(Some(user), *key, name)?;
                desk.say(&device)
            }
            Self::List { user } => {
                let devices = office.devices(user)?;
                devices.iter().try_for_each(|device| desk.say(device))
            }
            Self::Remove { user, name, revoke } => {
                let done = office.remove_device(user, name, *revoke)?;
                desk.say(&done)
            }
        }
    }
}

impl GroupCommand {
    fn run(&self, desk: &mut Desk<'_>) -> Outcome {
        let office = &mut desk.office;
        match self {
            Self::Add { group } => {
                let group = office.add_group(group)?;
                desk.say(&group)
            }
            Self::Remove { group } => {
                let group = office.remove_group(group)?;
                desk.say(&group)
            }
            Self::List => {
                let groups = office.groups()?;
                groups.iter().try_for_each(|group| desk.say(group))
            }
            Self::Members { group } => {
                let members = office.members(group)?;
                members.iter().try_for_each(|member| desk.say(member))
            }
            Self::Join { user, group } => {
                let done = office.join(user, group)?;
                desk.say(&done)
            }
            Self::Leave { user, group } => {
                let done = office.leave(user, group)?;
                desk.say(&done)
            }
        }
    }
}

impl SessionCommand {
    fn run(&self, desk: &mut Desk<'_>) -> Outcome {
        match self {
            Self::List { user } => {
                let sessions = desk.office.sessions(user.as_ref())?;
                sessions.iter().try_for_each(|session| desk.say(session))
            }
            Self::Revoke { user } => {
                let done = desk.office.revoke(user)?;
                desk.say(&done)
            }
        }
    }
}

impl Desk<'_> {
    /// Asks for a password twice, and sets it.
    fn passwd(&mut self, name: &crate::Name, remove: bool) -> Outcome {
        if remove {
            return Ok(self.office.set_password(name, None, self.cost)?);
        }
        // Who does not exist is told so before anybody types.
        self.office.show_user(name)?;
        let password = (self.ask)(&format!("New password of {name}: "))?;
        let again = (self.ask)("The same again: ")?;
        if *password != *again {
            return Err(CommandError::Differ);
        }
        let password = Password::new(&password).map_err(AdminError::from)?;
        Ok(self.office.set_password(name, Some(&password), self.cost)?)
    }

    /// Writes an answer.
    fn say<T: Serialize + Display>(&mut self, answer: &T) -> Outcome {
        if self.json {
            let value = serde_json::to_string(answer).map_err(io::Error::other)?;
            writeln!(self.out, "{value}")?;
        } else {
            writeln!(self.out, "{answer}")?;
        }
        Ok(())
    }
}
