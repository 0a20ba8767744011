//! The sessions of one peer: current seals, previous and next only open (paper § 5.4.6, § 6.3).
use crate::limits::REKEY_TIMEOUT;
use crate::session::{Keypair, Role};
use crate::time::Instant;
use alloc::boxed::Box;

/// Current, previous and next keypair.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Sessions {
    current: Option<Box<Keypair>>,
    previous: Option<Box<Keypair>>,
    /// Made by answering an initiation; becomes current when the peer proves it has the keys.
    next: Option<Box<Keypair>>,
}

/// What opening a datagram under the next keypair meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// It was not the next keypair.
    No,
    /// The next keypair is confirmed; this session index, if any, died with the keypair it displaced.
    Yes(Option<u32>),
}

impl Sessions {
    pub(crate) fn current(&self) -> Option<&Keypair> {
        self.current.as_deref()
    }

    #[inline]
    pub(crate) fn current_mut(&mut self) -> Option<&mut Keypair> {
        self.current.as_deref_mut()
    }

    /// The keypair to seal under at `now`, if a session is live.
    #[inline]
    pub(crate) fn sealing(&mut self, now: Instant) -> Option<&mut Keypair> {
        self.current.as_deref_mut().filter(|pair| pair.can_seal(now))
    }

    /// The keypair that goes by our session index `local`.
    #[inline]
    pub(crate) fn find(&mut self, local: u32) -> Option<&mut Keypair> {
        if self.current.as_ref().is_some_and(|current| current.indices.local == local) {
            return self.current.as_deref_mut();
        }
        let mut others = [&mut self.previous, &mut self.next].into_iter().filter_map(|slot| slot.as_deref_mut());
        others.find(|pair| pair.indices.local == local)
    }

    /// A response came for our initiation: the new keypair seals at once. Returns the index that died.
    pub(crate) fn establish_as_initiator(&mut self, pair: Keypair) -> Option<u32> {
        let displaced = core::mem::replace(&mut self.previous, self.current.take());
        self.current = Some(Box::new(pair));
        displaced.map(|old| old.indices.local)
    }

    /// We answered an initiation: the new keypair waits for its confirmation. Returns the index that died.
    pub(crate) fn establish_as_responder(&mut self, pair: Keypair) -> Option<u32> {
        self.next.replace(Box::new(pair)).map(|old| old.indices.local)
    }

    /// Whether the keypair that goes by our session index `local` waits for its confirmation.
    pub(crate) fn is_next(&self, local: u32) -> bool {
        self.next.as_ref().is_some_and(|next| next.indices.local == local)
    }

    /// A datagram was opened under the keypair `local`: if that is the next one, it becomes current.
    ///
    /// When both sides initiated at once there are two new sessions, and each side would come to seal under the other's.
    /// Then nobody would be the initiator of what it uses, and nobody would replace it in time. So the session
    /// of the side with the greater static public key stays (`we_prevail`).
    pub(crate) fn confirm(&mut self, local: u32, we_prevail: bool) -> Confirmed {
        let Some(next) = self.next.take_if(|next| next.indices.local == local) else { return Confirmed::No };
        let ours_stays = self.current.as_ref().is_some_and(|current| {
            let is_ours_and_newer = current.role == Role::Initiator && current.established >= next.established;
            let at_once = current.established.since(next.established) < REKEY_TIMEOUT;
            is_ours_and_newer && (we_prevail || !at_once)
        });
        let displaced = if ours_stays {
            self.previous.replace(next)
        } else {
            let current = self.current.replace(next);
            core::mem::replace(&mut self.previous, current)
        };
        Confirmed::Yes(displaced.map(|old| old.indices.local))
    }

    /// Whether a session is live at `now`: it may seal.
    pub(crate) fn is_live(&self, now: Instant) -> bool {
        self.current().is_some_and(|pair| pair.can_seal(now))
    }

    /// Takes one keypair away; repeat until `None`. Returns its index.
    pub(crate) fn take_any(&mut self) -> Option<u32> {
        self.current.take().or_else(|| self.previous.take()).or_else(|| self.next.take()).map(|pair| pair.indices.local)
    }

    /// Whether what we seal under any of the keypairs names the peer's session index `remote`.
    pub(crate) fn seals_to(&self, remote: u32) -> bool {
        [&self.current, &self.previous, &self.next].into_iter().flatten().any(|pair| pair.indices.remote == remote)
    }

    /// Keypairs held.
    pub(crate) fn len(&self) -> usize {
        [&self.current, &self.previous, &self.next].into_iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::TransportKey;
    use crate::session::Indices;
    use core::time::Duration;

    fn pair(local: u32, role: Role, established: u64) -> Keypair {
        let key = || TransportKey::from_bytes([0; 32]);
        let at = Instant::ZERO + Duration::from_secs(established);
        Keypair::new(role, Indices { local, remote: 0 }, key(), key(), at)
    }

    /// Lesson 1: a session made by answering is sealed under only once the peer has shown that it holds the keys.
    #[test]
    fn the_next_session_waits_for_its_confirmation() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.establish_as_initiator(pair(1, Role::Initiator, 0)), None);
        // Eight answers whose responses were lost: the peer never confirms.
        for local in 2..10 {
            let dead = sessions.establish_as_responder(pair(local, Role::Responder, local.into()));
            assert_eq!(dead, (local > 2).then(|| local - 1));
            assert_eq!(sessions.current().map(|pair| pair.indices.local), Some(1));
        }
        assert_eq!(sessions.confirm(1, false), Confirmed::No);
        assert_eq!(sessions.confirm(9, false), Confirmed::Yes(None));
        assert_eq!(sessions.current().map(|pair| pair.indices.local), Some(9));
        assert!(sessions.find(1).is_some(), "what was current still opens");
        assert_eq!(sessions.establish_as_initiator(pair(10, Role::Initiator, 20)), Some(1));
    }

    /// Lesson 7: both initiated at once. The session of the greater key stays, on both sides.
    #[test]
    fn simultaneous_initiations_settle_on_one_session() {
        let table = [
            // ours established at, theirs at, we prevail, current afterwards
            (10, 10, true, 1),
            (10, 10, false, 2),
            (12, 10, true, 1),
            (12, 10, false, 2),
            (9, 10, true, 2), // no tie: theirs is the newer
            (9, 10, false, 2),
            (16, 10, false, 1), // no tie: a straggler under a session long replaced
        ];
        for (row, (ours, theirs, we_prevail, current)) in table.into_iter().enumerate() {
            let mut sessions = Sessions::default();
            sessions.establish_as_responder(pair(2, Role::Responder, theirs));
            sessions.establish_as_initiator(pair(1, Role::Initiator, ours));
            assert_eq!(sessions.confirm(2, we_prevail), Confirmed::Yes(None), "row {row}");
            assert_eq!(sessions.current().map(|pair| pair.indices.local), Some(current), "row {row}");
            assert!(sessions.find(1).is_some() && sessions.find(2).is_some(), "row {row}: both still open");
        }
    }
}
