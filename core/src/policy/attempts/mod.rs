//! Limits of failures: how often somebody may be wrong.
//!
//! | what is limited | how |
//! |---|---|
//! | failures of a name at one peer | 5 are free; after the n-th, 2^(n-5) s of waiting, up to 15 minutes |
//! | failures of a name at all peers together | 30 in any hour |
//! | logins begun by one peer | 10 at once, then one a second |
//! | logins begun at the gateway | 50 a second |
//!
//! Only holders of an enrolled key get as far as this, so that nobody else can lock a user out. Names are counted whether or not
//! there is such a user: that a name is being limited says nothing about it.
//!
//! Memory is bounded: [`NAMES`] names a peer, [`USERS`] names for the gateway. When there is no place, the name with the fewest
//! failures is forgotten, and **a name that is not in the table counts as having failed as often, and as late, as any that was
//! forgotten** (an idea of the space-saving algorithm of Metwally, Agrawal and El Abbadi, 2005). So no count becomes smaller and
//! no waiting shorter by making the gateway forget: who tries many names only meets the limits sooner.
//!
//! The count is charged before a credential is checked, and given back when it was right. So logins that run at the same time
//! get no more tries than those one after the other.
mod peer;
mod users;

pub use peer::{NAMES, PeerAttempts};
pub use users::USERS;

use crate::cookie::bucket::{Bucket, Rate};
use crate::crypto::PublicKey;
use crate::crypto::hash::mac;
use crate::memory::NoMemory;
use crate::time::Instant;
use core::fmt;
use core::time::Duration;
use users::UserFailures;
use zeroize::Zeroizing;

/// Failures of a name at one peer that cost no waiting.
pub const FREE_FAILURES: u8 = 5;
/// The longest that a name waits at one peer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);
/// A name that did not fail at a peer for this long has its [`FREE_FAILURES`] there again.
pub const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Failures of a name at all peers, in any [`USER_WINDOW`].
pub const USER_FAILURES: usize = 30;
/// See [`USER_FAILURES`].
pub const USER_WINDOW: Duration = Duration::from_secs(3600);
/// Logins that may be begun at the gateway in a second, and as many at once.
pub const STARTS_PER_SECOND: u32 = 50;
/// Logins that one peer may begin at once; one comes back each second.
pub const STARTS_OF_PEER: u32 = 10;
/// What whoever begins too many logins is told to wait.
const AFTER_START: Duration = Duration::from_secs(1);

/// A name as the tables know it: a keyed hash. What people type into a field for names may be a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NameTag(u128);

impl fmt::Debug for NameTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameTag(redacted)")
    }
}

/// The limits of one gateway. What belongs to a peer is kept beside it, as [`PeerAttempts`].
pub struct Attempts {
    secret: Zeroizing<[u8; 16]>,
    starts: Bucket,
    users: UserFailures,
}

impl Attempts {
    /// No failures yet. The secret keeps anybody from choosing names that share a place.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self { secret: Zeroizing::new(secret), starts: Bucket::default(), users: UserFailures::new() }
    }

    /// The tag of a name.
    #[must_use]
    pub fn tag(&self, name: &str) -> NameTag {
        NameTag(u128::from_le_bytes(mac(&self.secret, &[name.as_bytes()])))
    }

    /// The tag of a peer, for logins without a name.
    #[must_use]
    pub fn tag_of_peer(&self, peer: &PublicKey) -> NameTag {
        // No name has a zero byte at its end and one at its beginning: names of people have none at all.
        NameTag(u128::from_le_bytes(mac(&self.secret, &[b"\0", peer.as_bytes(), b"\0"])))
    }

    /// A login begins.
    ///
    /// # Errors
    /// How long to wait: too many begin, of this peer or in all.
    pub fn start(&mut self, now: Instant, peer: &mut PeerAttempts) -> Result<(), Duration> {
        let rate = Rate::new(STARTS_PER_SECOND, STARTS_PER_SECOND);
        if self.starts.is_empty(now, rate) || !peer.start(now) || !self.starts.take(now, rate) {
            return Err(AFTER_START);
        }
        Ok(())
    }

    /// A credential is about to be checked. The failure is counted for the name; [`refund`](Self::refund) or
    /// [`failed`](Self::failed) follows.
    ///
    /// # Errors
    /// How long to wait. Nothing is checked then, and nothing counted.
    pub fn charge(&mut self, now: Instant, name: NameTag, peer: &PeerAttempts) -> Result<(), Duration> {
        peer.wait(now, name).map_or(Ok(()), Err)?;
        self.users.charge(now, name)
    }

    /// The credential was not wrong: right, or never checked.
    pub fn refund(&mut self, name: NameTag) {
        self.users.refund(name);
    }

    /// The credential was wrong. Returns how long the name waits at this peer now, if it does.
    pub fn failed(&mut self, now: Instant, name: NameTag, peer: &mut PeerAttempts) -> Option<Duration> {
        peer.failed(now, name);
        peer.wait(now, name)
    }

    /// Takes up failures that somebody kept, of a name at all peers together: `count`, the last of them at `last`. The limit is
    /// met no later than it would have been; it may be sooner, for all count as late as the last.
    ///
    /// # Errors
    /// [`NoMemory`]: they are not counted.
    pub(in crate::policy) fn recall(
        &mut self,
        now: Instant,
        name: NameTag,
        count: u8,
        last: Instant,
    ) -> Result<(), NoMemory> {
        self.users.recall(now, name, count, last)
    }

    /// The same at one peer. Without a name: of names that are not known any more.
    pub(in crate::policy) fn recall_at(
        &self,
        now: Instant,
        name: Option<NameTag>,
        peer: &mut PeerAttempts,
        count: u8,
        last: Instant,
    ) {
        peer.recall(now, name, count, last);
    }

    /// A login has ended well: the name's failures at this peer are forgotten. Those at others stay.
    pub fn succeeded(&mut self, name: NameTag, peer: &mut PeerAttempts) {
        peer.forget(name);
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
