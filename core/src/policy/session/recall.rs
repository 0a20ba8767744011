//! Failures of before a restart.
use super::text::fold;
use super::{SessionError, Sessions};
use crate::crypto::PublicKey;
use crate::policy::attempts::{FORGET_AFTER, USER_WINDOW};
use crate::time::Instant;
use core::time::Duration;

/// Whose failures are taken up.
#[derive(Clone, Copy, Debug)]
pub enum FailuresOf<'a> {
    /// A name's, at all peers together.
    Name(&'a str),
    /// A name's at one peer.
    NameAt(&'a str, &'a PublicKey),
    /// Those at one peer of names that there were not.
    OthersAt(&'a PublicKey),
}

impl Sessions {
    /// Takes up failures that the host kept ([`FactEvent::Failed`](super::FactEvent::Failed)): `count`, the last of them `ago`. So a
    /// restart gives nobody more tries. All of them count as late as the last, and what was before the host's clock began counts as
    /// if it had been then: a wait may become longer by a restart, and no shorter.
    ///
    /// # Errors
    /// [`SessionError`]: then they are not counted.
    pub fn recall_failures(
        &mut self,
        now: Instant,
        of: FailuresOf<'_>,
        count: u64,
        ago: Duration,
    ) -> Result<(), SessionError> {
        self.enter(now);
        let (count, now) = (u8::try_from(count).unwrap_or(u8::MAX), self.shared.now());
        let last = now - ago;
        let (name, key, counts_for) = match of {
            FailuresOf::Name(name) => (Some(name), None, USER_WINDOW),
            FailuresOf::NameAt(name, peer) => (Some(name), Some(peer), FORGET_AFTER),
            FailuresOf::OthersAt(peer) => (None, Some(peer), FORGET_AFTER),
        };
        if ago >= counts_for {
            return Ok(());
        }
        let name = name.map(fold).transpose()?;
        let tag = name.map(|name| self.shared.attempts.tag(name.as_str()));
        let Some(key) = key else {
            return tag.map_or(Ok(()), |tag| Ok(self.shared.attempts.recall(now, tag, count, last)?));
        };
        let slot = self.peers.find(key).ok_or(SessionError::UnknownPeer)?;
        let peer = self.peers.at_mut(slot).ok_or(SessionError::UnknownPeer)?;
        self.shared.attempts.recall_at(now, tag, peer.attempts()?, count, last);
        Ok(())
    }
}
