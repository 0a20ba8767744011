//! The sessions of one peer: current seals, previous and next only open (paper § 5.4.6, § 6.3).
use crate::limits::REKEY_TIMEOUT;
use crate::memory::Boxed;
use crate::session::{Keypair, Role};
use crate::time::Instant;
use core::time::Duration;

/// Current, previous and next keypair.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Sessions {
    current: Option<Boxed<Keypair>>,
    previous: Option<Boxed<Keypair>>,
    /// Made by answering an initiation; becomes current when the peer proves it has the keys.
    next: Option<Boxed<Keypair>>,
    /// When the peer confirmed the previous keypair, which is its own, while the current one, which is ours, stayed;
    /// `NEVER` otherwise.
    kept: Instant,
}

/// What opening a datagram under the next keypair meant. The index, if any, is that of a keypair that was displaced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// It was not the next keypair.
    No,
    /// It is current.
    Current(Option<u32>),
    /// We go on sealing under our own; this one only opens.
    OursStays(Option<u32>),
}

/// Stands for "not set" in a field that holds an instant.
const NEVER: Instant = Instant::MAX;

/// Initiations of both sides count as simultaneous when the session that the peer began is at most this much newer than
/// ours. A peer that restarts also begins a newer session; the longer this is, the later it is heard again.
const TIE: Duration = Duration::from_secs(1);

/// Whether `current` stays although the peer has confirmed `next`: if it is ours and newer, or if both were begun at once
/// and ours prevails.
fn stays(current: &Keypair, next: &Keypair, we_prevail: bool) -> bool {
    let (older_by, newer_by) =
        (next.established.since(current.established), current.established.since(next.established));
    let tie = older_by < TIE && newer_by < REKEY_TIMEOUT;
    let newer = current.established >= next.established;
    current.role == Role::Initiator && if tie { we_prevail } else { newer }
}

impl Default for Sessions {
    fn default() -> Self {
        Self { current: None, previous: None, next: None, kept: NEVER }
    }
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
    pub(crate) fn establish_as_initiator(&mut self, pair: Boxed<Keypair>) -> Option<u32> {
        self.kept = NEVER;
        let displaced = core::mem::replace(&mut self.previous, self.current.take());
        self.current = Some(pair);
        displaced.map(|old| old.indices.local)
    }

    /// We answered an initiation: the new keypair waits for its confirmation. Returns the index that died.
    pub(crate) fn establish_as_responder(&mut self, pair: Boxed<Keypair>) -> Option<u32> {
        self.next.replace(pair).map(|old| old.indices.local)
    }

    /// A datagram was opened under the keypair `local`: if that is the next one, it becomes current.
    ///
    /// When both sides initiated at once there are two new sessions, and each side would come to seal under the other's.
    /// Then nobody would be the initiator of what it uses, and nobody would replace it in time. So the session
    /// of the side with the greater static public key stays (`we_prevail`).
    pub(crate) fn confirm(&mut self, local: u32, we_prevail: bool, now: Instant) -> Confirmed {
        let Some(next) = self.next.take_if(|next| next.indices.local == local) else { return Confirmed::No };
        let index_of = |old: Option<Boxed<Keypair>>| old.map(|old| old.indices.local);
        if self.current.as_ref().is_some_and(|current| stays(current, &next, we_prevail)) {
            self.kept = now;
            return Confirmed::OursStays(index_of(self.previous.replace(next)));
        }
        self.kept = NEVER;
        let current = self.current.replace(next);
        Confirmed::Current(index_of(core::mem::replace(&mut self.previous, current)))
    }

    /// A datagram was opened under the keypair `local`. When that is the one which lost a tie, and the peer still seals
    /// under it long after we began to seal under ours, the peer does not have ours: it may have restarted. Then its
    /// session becomes current after all. Returns whether it did.
    pub(crate) fn concede(&mut self, local: u32, now: Instant) -> bool {
        let (Some(current), Some(previous)) = (&mut self.current, &mut self.previous) else { return false };
        let long_ago = self.kept != NEVER && now.since(self.kept) >= TIE;
        if !long_ago || previous.indices.local != local || !current.has_sealed() {
            return false;
        }
        core::mem::swap(current, previous);
        self.kept = NEVER;
        true
    }

    /// Whether a session is live at `now`: it may seal.
    pub(crate) fn is_live(&self, now: Instant) -> bool {
        self.current().is_some_and(|pair| pair.can_seal(now))
    }

    /// When the first of the keypairs becomes too old to be used and is to be wiped; `Instant::MAX`: there is none.
    pub(crate) fn wipe_date(&self) -> Instant {
        let all = [&self.current, &self.previous, &self.next].into_iter().flatten();
        all.map(|pair| pair.expiry()).min().unwrap_or(Instant::MAX)
    }

    /// Takes one keypair away that is too old to be used at `now`; repeat until `None`. Returns its index.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<u32> {
        let mut all = [&mut self.current, &mut self.previous, &mut self.next].into_iter();
        all.find_map(|slot| slot.take_if(|pair| pair.is_expired(now))).map(|pair| pair.indices.local)
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

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    fn pair(local: u32, role: Role, established: Instant) -> Boxed<Keypair> {
        let key = || TransportKey::from_bytes([0; 32]);
        Boxed::new(Keypair::new(role, Indices { local, remote: 0 }, key(), key(), established)).expect("memory")
    }

    /// Lesson 1: a session made by answering is sealed under only once the peer has shown that it holds the keys.
    #[test]
    fn the_next_session_waits_for_its_confirmation() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.establish_as_initiator(pair(1, Role::Initiator, at(0))), None);
        // Eight answers whose responses were lost: the peer never confirms.
        for local in 2..10 {
            let dead = sessions.establish_as_responder(pair(local, Role::Responder, at(local.into())));
            assert_eq!(dead, (local > 2).then(|| local - 1));
            assert_eq!(sessions.current().map(|pair| pair.indices.local), Some(1));
        }
        assert_eq!(sessions.confirm(1, false, at(10)), Confirmed::No);
        assert_eq!(sessions.confirm(9, false, at(10)), Confirmed::Current(None));
        assert_eq!(sessions.current().map(|pair| pair.indices.local), Some(9));
        assert!(sessions.find(1).is_some(), "what was current still opens");
        assert_eq!(sessions.establish_as_initiator(pair(10, Role::Initiator, at(20))), Some(1));
    }

    #[test]
    fn each_keypair_goes_at_its_own_time() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.wipe_date(), Instant::MAX);
        sessions.establish_as_initiator(pair(1, Role::Initiator, at(0)));
        sessions.establish_as_initiator(pair(2, Role::Initiator, at(120)));
        sessions.establish_as_responder(pair(3, Role::Responder, at(150)));
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        for (before, expiry, index) in [(179, 180, 1), (299, 300, 2), (329, 330, 3)] {
            assert_eq!(sessions.take_expired(at(before)), None);
            assert_eq!(sessions.wipe_date(), at(expiry));
            assert_eq!((sessions.take_expired(at(expiry)), sessions.take_expired(at(expiry))), (Some(index), None));
        }
        assert_eq!((sessions.len(), sessions.wipe_date()), (0, Instant::MAX));
    }

    /// Lesson 7: both initiated at once. The session of the greater key stays, on both sides.
    #[test]
    fn simultaneous_initiations_settle_on_one_session() {
        let table = [
            // milliseconds: ours established at, theirs at; we prevail, current afterwards
            (10_000, 10_000, true, 1),
            (10_000, 10_000, false, 2),
            (12_000, 10_000, true, 1),
            (12_000, 10_000, false, 2),
            (9_500, 10_000, true, 1),
            (9_500, 10_000, false, 2),
            (9_000, 10_000, true, 2), // no tie: theirs is the newer, the peer may have restarted
            (9_000, 10_000, false, 2),
            (16_000, 10_000, false, 1), // no tie: a straggler under a session long replaced
        ];
        for (row, (ours, theirs, we_prevail, current)) in table.into_iter().enumerate() {
            let millis = |millis| Instant::ZERO + Duration::from_millis(millis);
            let mut sessions = Sessions::default();
            sessions.establish_as_responder(pair(2, Role::Responder, millis(theirs)));
            sessions.establish_as_initiator(pair(1, Role::Initiator, millis(ours)));
            let want = if current == 1 { Confirmed::OursStays(None) } else { Confirmed::Current(None) };
            assert_eq!(sessions.confirm(2, we_prevail, at(17)), want, "row {row}");
            assert_eq!(sessions.current().map(|pair| pair.indices.local), Some(current), "row {row}");
            assert!(sessions.find(1).is_some() && sessions.find(2).is_some(), "row {row}: both still open");
        }
    }

    /// Ours stayed, and the peer goes on under its own: after a second it is believed not to have ours.
    #[test]
    fn a_peer_that_does_not_switch_is_followed() {
        let mut sessions = Sessions::default();
        sessions.establish_as_responder(pair(2, Role::Responder, at(10)));
        sessions.establish_as_initiator(pair(1, Role::Initiator, at(10)));
        assert_eq!(sessions.confirm(2, true, at(10)), Confirmed::OursStays(None));
        assert!(!sessions.concede(2, at(11)), "nothing was sealed under ours that could have told it");
        sessions.current_mut().expect("ours").next_counter();
        assert!(!sessions.concede(2, at(10)) && !sessions.concede(1, at(11)));
        assert!(sessions.concede(2, at(11)));
        assert_eq!(sessions.current().map(|pair| pair.indices.local), Some(2));
        assert!(!sessions.concede(1, at(20)), "once");
    }
}
