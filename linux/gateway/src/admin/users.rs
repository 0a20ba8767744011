//! Users.
use super::{AdminError, Office};
use crate::audit::Event;
use crate::name::Name;
use crate::password::{Cost, Password, hash};
use crate::store::{StoreError, User};
use crate::time::Time;
use serde::Serialize;

/// So many users are read at a time.
const PAGE: u32 = 500;

/// A user as it is shown. It has no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserShown {
    /// The name.
    pub name: Name,
    /// Whether the user may log in.
    pub enabled: bool,
    /// Whether a password is set.
    pub password: bool,
    /// How many one-time code factors there are.
    pub codes: usize,
    /// How many recovery codes are left.
    pub recovery: u64,
    /// How many devices there are.
    pub devices: usize,
    /// How many sessions are open.
    pub sessions: usize,
    /// The groups.
    pub groups: Vec<Name>,
    /// Where the user comes from, when that is not here.
    pub issuer: Option<String>,
    /// Since when the user is known.
    pub created: Time,
}

/// What came of enabling or disabling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switched {
    /// The user.
    pub user: Name,
    /// Whether the user may log in.
    pub enabled: bool,
    /// Whether that was otherwise before.
    pub changed: bool,
    /// How many sessions ended by it.
    pub sessions: usize,
}

/// What went with a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// The user.
    pub user: Name,
    /// How many sessions ended.
    pub sessions: usize,
    /// How many devices were removed.
    pub devices: usize,
}

impl Office<'_> {
    /// Adds a user, who becomes a member of groups. Groups that do not exist are found out before anything is done.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn add_user(&mut self, name: &Name, groups: &[Name]) -> Result<UserShown, AdminError> {
        for group in groups {
            self.store.members(group)?;
        }
        let added = self.carry_out(
            |store, at| Ok(store.add_user(at, name, None)?),
            |user, actor| Some(Event::UserAdded { actor, user: user.name.clone() }),
        )?;
        for group in groups {
            self.join(name, group)?;
        }
        self.show(&added)
    }

    /// One user.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn show_user(&mut self, name: &Name) -> Result<UserShown, AdminError> {
        let user = self.user(name)?;
        self.show(&user)
    }

    /// Gives every user to `each`, in the order of their names.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn each_user(&mut self, mut each: impl FnMut(UserShown)) -> Result<(), AdminError> {
        let mut after = None;
        loop {
            let page = self.store.users(after.as_ref(), PAGE)?;
            for user in &page {
                each(self.show(user)?);
            }
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.name.clone());
        }
    }

    /// Enables a user, or disables one, which ends all sessions. What is so already stays so, and is no line.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn enable_user(&mut self, name: &Name, enabled: bool) -> Result<Switched, AdminError> {
        self.carry_out(
            |store, at| {
                let user = store.user(name)?.ok_or_else(|| StoreError::missing("user", name))?;
                let changed = user.enabled != enabled;
                let ended = if changed { store.enable_user(at, user.id, enabled)?.len() } else { 0 };
                Ok(Switched { user: user.name, enabled, changed, sessions: ended })
            },
            |done, actor| {
                let (user, sessions) = (done.user.clone(), done.sessions as u64);
                match (done.changed, enabled) {
                    (false, _) => None,
                    (true, true) => Some(Event::UserEnabled { actor, user }),
                    (true, false) => Some(Event::UserDisabled { actor, user, sessions }),
                }
            },
        )
    }

    /// Sets a user's password, or removes it.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn set_password(&mut self, name: &Name, password: Option<&Password>, cost: Cost) -> Result<(), AdminError> {
        // Hashed before anybody is kept waiting.
        let phc = password.map(|password| hash(password, cost)).transpose()?;
        let user = self.user(name)?;
        self.carry_out(
            |store, at| Ok(store.set_password(at, user.id, phc.as_ref().map(|phc| phc.as_str()))?),
            |(), actor| {
                let user = name.clone();
                Some(if phc.is_some() {
                    Event::PasswordSet { actor, user }
                } else {
                    Event::PasswordRemoved { actor, user }
                })
            },
        )
    }

    /// Removes a user with all that belongs to the user.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn remove_user(&mut self, name: &Name) -> Result<Removal, AdminError> {
        let user = self.user(name)?;
        self.carry_out(
            |store, at| {
                let removed = store.remove_user(at, user.id)?;
                Ok(Removal { user: user.name, sessions: removed.sessions.len(), devices: removed.devices.len() })
            },
            |done, actor| {
                let (sessions, devices) = (done.sessions as u64, done.devices as u64);
                Some(Event::UserRemoved { actor, user: done.user.clone(), sessions, devices })
            },
        )
    }

    fn show(&mut self, user: &User) -> Result<UserShown, AdminError> {
        Ok(UserShown {
            name: user.name.clone(),
            enabled: user.enabled,
            password: user.has_password,
            codes: self.store.codes(user.id)?.len(),
            recovery: self.store.recovery_left(user.id)?,
            devices: self.store.devices(user.id)?.len(),
            sessions: self.store.sessions(Some(user.id))?.len(),
            groups: self.store.groups_of(user.id)?,
            issuer: user.identity.as_ref().map(|identity| identity.issuer.clone()),
            created: user.created,
        })
    }
}
