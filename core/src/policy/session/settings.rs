//! What an operator decides, and bounds.
use super::factor::Alternatives;
use super::text::SecretText;
use crate::policy::code::Digits;
use core::time::Duration;

/// How long a challenge may be answered.
pub const CHALLENGE_TIME: Duration = Duration::from_secs(120);
/// How long a login in a browser may take at most.
pub const WEB_TIME: Duration = Duration::from_secs(15 * 60);
/// Wrong codes after which a login ends.
pub const WRONG_CODES: u8 = 3;
/// Text challenges of one login at most.
pub const TEXT_ROUNDS: u8 = 10;
/// The last part of a session, in which its end is announced a second time.
pub const GRACE: Duration = Duration::from_secs(60);
/// Bytes of a certificate chain with its signature at most.
pub const EVIDENCE_LEN: usize = 16 * 1024;
/// What a client waits for when something cannot be reached.
pub(super) const RETRY: Duration = Duration::from_secs(10);
/// After what a client asks again for a login that is under way.
pub(super) const POLL: Duration = Duration::from_secs(2);

/// The settings of a gateway.
#[derive(Debug)]
pub struct Settings {
    /// What is asked of a name that there is not, and told to whoever asks before a login. Users of whom something else is asked
    /// can be told from names that do not exist by that.
    pub requires: Alternatives,
    /// How many digits codes have at this gateway, mostly.
    pub digits: Digits,
    /// A PHC string with the parameters of the real ones, of a password that nobody knows: for names that there is not.
    pub nobodys_hash: SecretText,
    /// How long a session lasts.
    pub lifetime: Duration,
    /// How long before its end it is time to log in again; half of a shorter session.
    pub reauth_before: Duration,
    /// How long a session stays open without a packet; `None`: until its end.
    pub idle: Option<Duration>,
    /// How long sessions stay open while the store is away: the worst that a revocation can be late.
    pub offline_limit: Duration,
    /// How long the host may take to answer a request.
    pub request_timeout: Duration,
    /// Logins under way at the same time. Each holds 20 KB at most.
    pub logins: usize,
    /// Facts that wait to be polled; what is more is counted, and lost.
    pub facts: usize,
}

impl Settings {
    /// Twelve hours, with an hour of grace for a store that is away.
    #[must_use]
    pub const fn new(requires: Alternatives, nobodys_hash: SecretText) -> Self {
        Self {
            requires,
            digits: Digits::SIX,
            nobodys_hash,
            lifetime: Duration::from_secs(12 * 3600),
            reauth_before: Duration::from_secs(10 * 60),
            idle: None,
            offline_limit: Duration::from_secs(3600),
            request_timeout: Duration::from_secs(30),
            logins: 512,
            facts: 65_536,
        }
    }
}
