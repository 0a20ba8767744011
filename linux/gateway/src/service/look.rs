//! Changes that others make in the store: an administrator's commands, another gateway.
use super::work::row_of;
use super::{Now, Peer, Peers, Service};
use crate::name::Name;
use crate::store::{self, Change, ChangeKind, Seen};
use std::collections::BTreeSet;
use underpass_core::config::PeerAction;
use underpass_core::policy::session::{PeerKind, Reason, UserId};
use underpass_core::{Access, NewPeer, PeerChange, PublicKey};

/// So many changes or devices are read at a time.
const BATCH: u32 = 500;

impl Service {
    /// Looks at what others have changed. If that works, the store is there again; if it does not, for whatever reason, nobody
    /// would hear of a revocation: the store counts as away.
    pub(super) fn look(&mut self, now: Now, peers: &dyn Peers) {
        if self.try_look(now, peers).is_err() {
            self.lose_store(now);
        } else {
            if self.is_away {
                self.is_away = false;
                self.sessions.handle_store(now.at, true);
            }
            self.rule_again(now, false);
        }
    }

    fn try_look(&mut self, now: Now, peers: &dyn Peers) -> store::Result<()> {
        while let Some((device, epoch)) = self.unended.first_key_value().map(|(device, epoch)| (*device, *epoch)) {
            self.store.end_session(now.time(), &device, Some(epoch))?;
            for pool in &self.plan.pools {
                self.store.release(now.time(), &pool.name, &device)?;
            }
            self.unended.remove(&device);
        }
        loop {
            match self.store.changes(self.seen, BATCH)? {
                Seen::Changes(changes) if changes.is_empty() => return Ok(()),
                Seen::Changes(changes) => {
                    for change in changes {
                        self.changed(now, peers, &change)?;
                        self.seen = change.seq;
                    }
                }
                Seen::TooFarBehind { newest } => {
                    self.read_again(now, peers)?;
                    self.rule_again(now, true);
                    self.seen = newest;
                }
            }
        }
    }

    fn changed(&mut self, now: Now, peers: &dyn Peers, change: &Change) -> store::Result<()> {
        match change.kind {
            ChangeKind::Device => {
                let Ok(key) = PublicKey::from_base64(&change.subject) else { return Ok(()) };
                if self.store.device(&key)?.is_some() {
                    self.add_device(now, key)
                } else {
                    self.remove(now, peers, &key)
                }
            }
            ChangeKind::Session => {
                let Ok(key) = PublicKey::from_base64(&change.subject) else { return Ok(()) };
                self.compare(now, &key)?;
            }
            ChangeKind::User => {
                let Ok(name) = change.subject.parse::<Name>() else { return Ok(()) };
                let known = self.names.iter().find(|(_, known)| **known == name).map(|(user, _)| *user);
                if let Some(user) = known
                    && !self.may_log_in(&name, user)?
                {
                    self.sessions.end_sessions_of(now.at, user, Reason::UserDisabled);
                }
                self.compare_enrolment(now, &name)?;
            }
            ChangeKind::Enrolment => {
                let Ok(name) = change.subject.parse::<Name>() else { return Ok(()) };
                self.compare_enrolment(now, &name)?;
            }
            ChangeKind::Member => {
                let Ok(name) = change.subject.parse() else { return Ok(()) };
                self.regroup(now, &name);
            }
            // Who was a member of a group that is gone is not told.
            ChangeKind::Group => self.rule_again(now, true),
            // Looked up at each login.
            ChangeKind::Password | ChangeKind::Factor => {}
        }
        Ok(())
    }

    /// Whether this name is still this user's, and the user enabled.
    fn may_log_in(&mut self, name: &Name, user: UserId) -> store::Result<bool> {
        Ok(self.store.user(name)?.is_some_and(|found| found.enabled && found.id == row_of(user)))
    }

    /// Compares the session of a device with that in the store.
    fn compare(&mut self, now: Now, device: &PublicKey) -> store::Result<()> {
        let Some(view) = self.sessions.view(device) else { return Ok(()) };
        let (Some(own), Some(user)) = (view.session, view.user) else { return Ok(()) };
        let reason = match self.store.session(device)? {
            Some(row) if row.epoch == own.0 && row.gateway == self.plan.name => return Ok(()),
            Some(_) => Reason::Elsewhere,
            None if self.store.device(device)?.is_none() => Reason::PeerChanged,
            None => match self.names.get(&user).cloned() {
                Some(name) if !self.may_log_in(&name, user)? => Reason::UserDisabled,
                _ => Reason::Revoked,
            },
        };
        // The peer is known, for it has a session.
        let _ended = self.sessions.end_session(now.at, device, reason);
        Ok(())
    }

    /// Reads all devices, and compares all sessions.
    pub(super) fn read_again(&mut self, now: Now, peers: &dyn Peers) -> store::Result<()> {
        let mut devices = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.store.every_device(after.as_ref(), BATCH)?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            devices.extend(page.iter().map(|device| device.key));
        }
        let known: Vec<_> = self.peers.iter().filter(|(_, peer)| !peer.is_site).map(|(key, _)| *key).collect();
        for gone in known.iter().filter(|key| !devices.contains(key)) {
            self.remove(now, peers, gone);
        }
        for device in devices {
            self.add_device(now, device);
            self.compare(now, &device)?;
        }
        self.read_enrolments(now, BATCH)
    }

    /// Adds the peer of a device, locked. One without memory for it stays unknown, hence unheard.
    pub(super) fn add_device(&mut self, now: Now, key: PublicKey) {
        if self.peers.contains_key(&key) || self.sessions.add_peer(now.at, key, PeerKind::Login).is_err() {
            return;
        }
        self.peers.insert(key, Peer::default());
        let peer = NewPeer { access: Some(Access::Locked), ..NewPeer::new(key) };
        self.change(underpass_core::Change::Peer(peer.into()));
    }

    /// Removes the peer of a device, with its session.
    fn remove(&mut self, now: Now, peers: &dyn Peers, key: &PublicKey) {
        if self.peers.get(key).is_none_or(|peer| peer.is_site) {
            return;
        }
        let _known = self.sessions.remove_peer(now.at, key);
        // The end of its session is told while the peer is known.
        self.drain(now, peers);
        self.server.forget(*key);
        self.peers.remove(key);
        self.change(underpass_core::Change::Peer(PeerChange { action: PeerAction::Remove, ..PeerChange::new(*key) }));
    }
}
