//! `rules explain`: which rule of the configuration decides about a user and a destination.
use super::args::{RulesCommand, Wanted};
use super::{CommandError, Desk, Outcome};
use crate::name::Name;
use crate::service::{Explained, Question, explain};
use serde::Serialize;
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::time::Duration;
use underpass_core::UnixTime;
use underpass_core::filter::Action;

/// What is answered.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    user: &'a Name,
    groups: &'a [Name],
    to: IpAddr,
    #[serde(serialize_with = "as_text")]
    what: Wanted,
    /// `allow`, `deny` or `reject`.
    action: &'static str,
    /// The rule that decides; nothing where none applies.
    rule: Option<Name>,
    /// The first rule before that one which would decide at another time, or from another outer address.
    inactive: Option<Name>,
    /// Whether the user may log in at all.
    enabled: bool,
}

fn as_text<S: serde::Serializer>(what: &Wanted, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(what)
}

impl RulesCommand {
    pub(super) fn run(&self, desk: &mut Desk<'_>) -> Outcome {
        let Self::Explain { user, to, what, from, at } = self;
        let settings = desk.settings.ok_or(CommandError::NoSettings)?;
        let at = at.unwrap_or(desk.office.at);
        let millis = u64::try_from(at.as_millis()).unwrap_or_default();
        let question = Question {
            to: *to,
            protocol: what.protocol,
            port: what.port,
            from: *from,
            at: UnixTime::from_duration(Duration::from_millis(millis)),
            seconds_ahead: desk.seconds_ahead,
        };
        let shown = desk.office.show_user(user)?;
        let Explained { action, rule, inactive } = explain(settings, &shown.name, &shown.groups, &question)?;
        let action = match action {
            Action::Allow => "allow",
            Action::Deny => "deny",
            Action::Reject => "reject",
        };
        let (user, groups, enabled) = (&shown.name, &shown.groups[..], shown.enabled);
        desk.say(&Answer { user, groups, to: *to, what: *what, action, rule, inactive, enabled })
    }
}

impl Display for Answer<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} to {} {}: {}", self.user, self.to, self.what, self.action)?;
        match &self.rule {
            Some(rule) => write!(out, ", by the rule {rule}")?,
            None => write!(out, ", for no rule applies")?,
        }
        if let Some(inactive) = &self.inactive {
            write!(out, "\nat another time or from another address, the rule {inactive} would decide")?;
        }
        if !self.enabled {
            write!(out, "\n{} is disabled, and cannot log in", self.user)?;
        }
        Ok(())
    }
}
