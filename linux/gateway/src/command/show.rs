//! Answers as text: a line each, or some.
use crate::admin::{
    CodeShown, DeviceShown, GroupShown, Membership, RecoveryShown, Removal, RemovedShown, Revoked, Switched, UserShown,
};
use crate::audit::verify::Report;
use crate::name::Name;
use crate::store::Session;
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// How many of something.
#[derive(Serialize)]
pub(super) struct Count {
    pub(super) what: &'static str,
    pub(super) count: u64,
}

impl Display for Count {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.what, self.count)
    }
}

impl Display for UserShown {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let state = if self.enabled { "enabled" } else { "disabled" };
        let password = if self.password { "password" } else { "no password" };
        write!(out, "{} {state}, {password}, one-time codes: {}", self.name, self.codes)?;
        write!(out, ", recovery codes: {}, devices: {}, sessions: {}", self.recovery, self.devices, self.sessions)?;
        write!(out, ", groups: {}", joined(&self.groups))?;
        if let Some(issuer) = &self.issuer {
            write!(out, ", from {}", crate::audit::Text::new(issuer))?;
        }
        Ok(())
    }
}

impl Display for Switched {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let state = if self.enabled { "enabled" } else { "disabled" };
        let before = if self.changed { "" } else { " already" };
        write!(out, "{} is {state}{before}, sessions ended: {}", self.user, self.sessions)
    }
}

impl Display for Removal {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} is removed, sessions ended: {}, devices removed: {}", self.user, self.sessions, self.devices)
    }
}

impl Display for CodeShown {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "secret of {}, shown this once: {}\n{}", self.user, *self.secret, *self.uri)
    }
}

impl Display for RecoveryShown {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "recovery codes of {}, shown this once, each good for one login:", self.user)?;
        self.codes.iter().try_for_each(|code| write!(out, "\n{}", **code))
    }
}

impl Display for DeviceShown {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map_or("shared", Name::as_str);
        write!(out, "{} {user} {} since {}", self.key, self.name, self.created)
    }
}

impl Display for RemovedShown {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let session = if self.session { ", its session ended" } else { "" };
        let revoked = if self.revoked { ", its key is revoked" } else { "" };
        write!(out, "{} is removed{session}{revoked}, devices left: {}", self.device.name, self.left)?;
        if self.was_last {
            write!(out, "\nthat was the last one: the user cannot log in before another is enrolled")?;
        }
        Ok(())
    }
}

impl Display for GroupShown {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} members: {}", self.name, self.members)
    }
}

impl Display for Membership {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let is = if self.member { "is a member" } else { "is no member" };
        let before = if self.changed { "" } else { ", as before" };
        write!(out, "{} {is} of {}{before}", self.user, self.group)
    }
}

impl Display for Session {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { device, name, gateway, epoch, since, until, .. } = self;
        write!(out, "{name} {device} at {gateway}, login {epoch}, since {since}, until {until}")
    }
}

impl Display for Revoked {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "sessions ended: {}", self.sessions.len())?;
        self.sessions.iter().try_for_each(|session| write!(out, "\n{session}"))
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "lines {} to {}, checkpoints: {}, ", self.first, self.last, self.checkpoints)?;
        match self.covered {
            0 => write!(out, "no line is covered by one")?,
            covered => write!(out, "lines up to {covered} are covered by them")?,
        }
        if self.findings.is_empty() {
            write!(out, "\nthe log is as it was written")?;
        }
        self.findings.iter().try_for_each(|finding| write!(out, "\n{finding}"))
    }
}

fn joined(names: &[Name]) -> String {
    if names.is_empty() { "none".into() } else { names.iter().map(Name::as_str).collect::<Vec<_>>().join(" ") }
}
