//! Groups.
use super::{AdminError, Office};
use crate::audit::Event;
use crate::name::Name;
use serde::Serialize;

/// A group as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupShown {
    /// The name.
    pub name: Name,
    /// How many members it has.
    pub members: u64,
}

/// What came of joining or leaving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The user.
    pub user: Name,
    /// The group.
    pub group: Name,
    /// Whether the user is a member by an administrator's doing. A directory may say so as well.
    pub member: bool,
    /// Whether that was otherwise before.
    pub changed: bool,
}

impl Office<'_> {
    /// Adds a group.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn add_group(&mut self, group: &Name) -> Result<GroupShown, AdminError> {
        self.carry_out(
            |store, at| {
                store.add_group(at, group)?;
                Ok(GroupShown { name: group.clone(), members: 0 })
            },
            |done, actor| Some(Event::GroupAdded { actor, group: done.name.clone() }),
        )
    }

    /// Removes a group. Gives how many members it had.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn remove_group(&mut self, group: &Name) -> Result<GroupShown, AdminError> {
        self.carry_out(
            |store, at| {
                let members = store.members(group)?.len() as u64;
                store.remove_group(at, group)?;
                Ok(GroupShown { name: group.clone(), members })
            },
            |done, actor| Some(Event::GroupRemoved { actor, group: done.name.clone(), members: done.members }),
        )
    }

    /// All groups.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn groups(&mut self) -> Result<Vec<GroupShown>, AdminError> {
        let groups = self.store.groups()?;
        Ok(groups.into_iter().map(|(name, members)| GroupShown { name, members }).collect())
    }

    /// The members of a group.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn members(&mut self, group: &Name) -> Result<Vec<Name>, AdminError> {
        Ok(self.store.members(group)?)
    }

    /// Makes a user a member.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn join(&mut self, user: &Name, group: &Name) -> Result<Membership, AdminError> {
        self.set_member(user, group, true)
    }

    /// Makes a user no member any more.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn leave(&mut self, user: &Name, group: &Name) -> Result<Membership, AdminError> {
        self.set_member(user, group, false)
    }

    fn set_member(&mut self, name: &Name, group: &Name, member: bool) -> Result<Membership, AdminError> {
        let user = self.user(name)?;
        self.carry_out(
            |store, at| {
                let changed = store.set_member(at, user.id, group, member)?;
                Ok(Membership { user: user.name, group: group.clone(), member, changed })
            },
            |done, actor| {
                let (user, group) = (done.user.clone(), done.group.clone());
                match (done.changed, member) {
                    (false, _) => None,
                    (true, true) => Some(Event::GroupJoined { actor, user, group }),
                    (true, false) => Some(Event::GroupLeft { actor, user, group }),
                }
            },
        )
    }
}
