//! A. The one door: every change of the configuration, all or nothing.
use super::{Event, Local, Tunnel};
use crate::config::{AllowedIp, Change, Endpoint, PeerAction, PeerChange};
use crate::cookie::MacKeys;
use crate::crypto::{PrivateKey, PublicKey};
use crate::error::ConfigError;
use crate::limits::MIN_MTU;
use crate::noise::Identity;
use crate::stats::DropReason;
use crate::time::Instant;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

impl Tunnel {
    /// Applies `changes` in order, all or nothing. Sessions go on unless a change of the private key ends them.
    ///
    /// # Errors
    /// [`ConfigError`]: nothing was applied.
    pub fn configure(&mut self, now: Instant, changes: &[Change]) -> Result<(), ConfigError> {
        self.check(changes)?;
        let now = self.advance(now);
        for change in changes {
            match change {
                Change::PrivateKey(key) => self.set_private_key(now, key.as_ref()),
                Change::RemoveAllPeers => {
                    // First, so that no peer looks for itself in it.
                    self.transmits.0.clear();
                    self.peers.slots().for_each(|slot| self.remove_peer(slot));
                }
                Change::Mtu(mtu) => self.mtu = *mtu,
                Change::Peer(change) => self.change_peer(now, change),
            }
        }
        self.settle();
        Ok(())
    }

    /// The first configuration goes through the same door.
    pub(super) fn adopt(
        &mut self,
        now: Instant,
        mtu: u16,
        private_key: Option<PrivateKey>,
        peers: Vec<PeerChange>,
    ) -> Result<(), ConfigError> {
        if self.limits.peers == 0 || self.limits.events == 0 || self.limits.handshakes_per_second == 0 {
            return Err(ConfigError::LimitOutOfRange);
        }
        let mut changes = Vec::with_capacity(peers.len() + 2);
        changes.push(Change::Mtu(mtu));
        changes.push(Change::PrivateKey(private_key));
        changes.extend(peers.into_iter().map(Change::Peer));
        self.configure(now, &changes)
    }

    /// Whether every change can be applied.
    fn check(&self, changes: &[Change]) -> Result<(), ConfigError> {
        let mut count = self.peers.len();
        let mut added = BTreeSet::new();
        let mut removed = BTreeSet::new();
        let mut all_removed = false;
        for change in changes {
            match change {
                Change::Mtu(mtu) if *mtu < MIN_MTU => return Err(ConfigError::MtuOutOfRange),
                Change::PrivateKey(_) | Change::Mtu(_) => {}
                Change::RemoveAllPeers => {
                    count = 0;
                    added.clear();
                    all_removed = true;
                }
                Change::Peer(change) => {
                    let key = change.public_key;
                    let stays = || !all_removed && self.peers.slot_of(&key).is_some() && !removed.contains(&key);
                    let known = added.contains(&key) || stays();
                    match change.action {
                        PeerAction::Remove if known => {
                            count = count.saturating_sub(1);
                            added.remove(&key);
                            removed.insert(key);
                        }
                        PeerAction::Set if !known => {
                            // All zeros is a peer to whom nothing is ever sent, as the Linux implementation has it.
                            if key.is_low_order() && *key.as_bytes() != [0; 32] {
                                return Err(ConfigError::LowOrderPublicKey);
                            }
                            count += 1;
                            added.insert(key);
                        }
                        _ => {}
                    }
                }
            }
            if count > self.limits.peers as usize {
                return Err(ConfigError::TooManyPeers);
            }
        }
        Ok(())
    }

    /// Sets our key, clamped here and nowhere else. All sessions were made with the old one and end; the same key again
    /// changes nothing. Staged packets wait for a session under the new key, or are dropped when there is none.
    fn set_private_key(&mut self, now: Instant, key: Option<&PrivateKey>) {
        let key = key.map(|key| key.clone().clamped());
        if self.private_key() == key.as_ref() {
            return;
        }
        self.local = key.map(|key| {
            let identity = Identity::new(key);
            let mac_keys = MacKeys::new(identity.public());
            Local { identity, mac_keys }
        });
        let own = self.public_key().copied();
        for slot in self.peers.slots() {
            let Some(peer) = self.peers.at_mut(slot) else { continue };
            if peer.forget_identity(&mut self.indices) {
                self.events.push(Event::SessionExpired { peer: peer.id });
            }
            Self::tell_health(peer, &mut self.events, now);
            if Some(peer.public_key) == own {
                self.remove_peer(slot);
            } else if own.is_none() {
                let lost = peer.drop_staged(DropReason::NoPrivateKey, &mut self.staged);
                self.stats.drops.add(DropReason::NoPrivateKey, lost.into());
            } else {
                if !peer.staged.is_empty() {
                    Self::want_handshake(peer, &mut self.transmits, now);
                }
                if peer.timers.persistent_interval != 0 {
                    self.persist(now, slot);
                }
                self.lower_of(slot);
            }
        }
    }

    fn remove_peer(&mut self, slot: u32) {
        let Some(mut peer) = self.peers.remove(slot) else { return };
        peer.wipe(&mut self.indices);
        let lost = peer.drop_staged(DropReason::StagedOverflow, &mut self.staged);
        self.stats.drops.add(DropReason::StagedOverflow, lost.into());
        self.routes.remove_all(slot);
        self.deadlines.remove(slot);
        if peer.queued {
            self.transmits.0.retain(|id| *id != peer.id);
        }
    }

    fn change_peer(&mut self, now: Instant, change: &PeerChange) {
        let Some(slot) = self.slot_for(change.action, change.public_key) else { return };
        let Some(peer) = self.peers.at_mut(slot) else { return };
        if let Some(key) = &change.preshared_key {
            peer.preshared_key = key.clone();
        }
        if let Some(pinned) = change.pin_endpoint {
            peer.endpoint.pinned = pinned;
        }
        if let Some(endpoint) = &change.endpoint {
            peer.endpoint.configure(endpoint.clone());
            Self::ask_to_resolve(peer, &mut self.events, now, Duration::ZERO);
        }
        if change.replace_allowed_ips {
            self.routes.remove_all(slot);
        }
        for AllowedIp { network, remove } in &change.allowed_ips {
            if *remove {
                self.routes.remove(*network, slot);
            } else {
                self.routes.insert(*network, slot);
            }
        }
        if let Some(Endpoint::Address(_)) = change.endpoint {
            self.endpoint_known(now, slot);
        }
        if let Some(seconds) = change.persistent_keepalive {
            self.set_persistent_keepalive(now, slot, seconds);
        }
        self.lower_of(slot);
    }

    /// The slot of the peer to change: `None` when it goes away, or is to be changed only if present and is not.
    fn slot_for(&mut self, action: PeerAction, public_key: PublicKey) -> Option<u32> {
        let present = self.peers.slot_of(&public_key);
        match action {
            PeerAction::Update => present,
            PeerAction::Remove => {
                self.remove_peer(present?);
                None
            }
            // A peer that is ourselves is passed over, as the Linux implementation does.
            PeerAction::Set if self.public_key() == Some(&public_key) => None,
            PeerAction::Set => Some(present.unwrap_or_else(|| self.add_peer(public_key))),
        }
    }

    /// Adds a peer. It may be one that was removed and has seen our timestamps: they do not go back for it either.
    fn add_peer(&mut self, public_key: PublicKey) -> u32 {
        let slot = self.peers.insert(public_key);
        if let Some(peer) = self.peers.at_mut(slot) {
            peer.timestamp_sent = self.timestamp_sent;
        }
        slot
    }

    /// Switching the persistent keepalive on sends the first at once, after a handshake if need be.
    fn set_persistent_keepalive(&mut self, now: Instant, slot: u32, seconds: u16) {
        let Some(peer) = self.peers.at_mut(slot) else { return };
        if peer.timers.set_persistent(now, seconds) {
            self.persist(now, slot);
        }
    }
}
