//! Users as the store knows them.
use super::factor::Alternatives;
use super::text::SecretText;
use crate::policy::code::OneTimeCode;
use crate::time::UnixTime;
use alloc::vec::Vec;
use core::time::Duration;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}
number!(/** The store's number of a user, never given twice. */ UserId);
number!(/** The store's number of a group. */ GroupId);
number!(/** The number of a compiled set of rules. */ RulesId);
number!(/** The store's number of a session, never given twice. */ SessionId);
number!(/** The store's number of a factor of a user. */ FactorId);

/// One-time codes of a user that count.
pub const CODES: usize = 4;

/// What a login needs to know of a user. One who is disabled is not found.
#[derive(Debug)]
pub struct User {
    /// His number.
    pub id: UserId,
    /// His name, in lower case: failures are counted under it.
    pub name: SecretText,
    /// What he may reach.
    pub rules: RulesId,
    /// The groups that he is in.
    pub groups: Vec<GroupId>,
    /// What he has to show.
    pub requires: Alternatives,
    /// The hash of his password, as a PHC string. `None`: he has no password, and none is right.
    pub password: Option<SecretText>,
    /// His one-time codes. The first [`CODES`] count; a code of any of them is right.
    pub codes: Vec<CodeFactor>,
    /// How long he stays logged in, where it is not as in the settings.
    pub lifetime: Option<Duration>,
    /// How long his session stays open without a packet, where it is not as in the settings.
    pub idle: Option<Duration>,
    /// When his session ends at the latest.
    pub not_after: Option<UnixTime>,
}

/// A one-time code as the store has it.
#[derive(Debug)]
pub struct CodeFactor {
    /// The number of the factor.
    pub id: FactorId,
    /// Secret and parameters.
    pub code: OneTimeCode,
    /// The last accepted counter or time step.
    pub last: Option<u64>,
}
