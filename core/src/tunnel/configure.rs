//! A. The one door: every change of the configuration, all or nothing.
use super::Tunnel;
use super::call::Call;
use super::check::{check, check_limits};
use super::shared::{Local, Shared};
use crate::config::{AllowedIp, Change, Endpoint, Layout, NewPeer, Padding, PeerAction, PeerChange};
use crate::cookie::MacKeys;
use crate::crypto::{PrivateKey, PublicKey};
use crate::error::ConfigError;
use crate::limits::Limits;
use crate::noise::{Identity, Tai64N};
use crate::peer::Peer;
use crate::peer::facts::Fact;
use crate::stats::DropReason;
use crate::time::Instant;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

/// The latest timestamps accepted from peers that one list of changes removed: it may add them again.
type Floors = BTreeMap<PublicKey, Tai64N>;

impl Tunnel {
    /// Applies `changes` in order, all or nothing. Sessions go on unless a change of the private key ends them.
    ///
    /// # Errors
    /// [`ConfigError`]: nothing was applied.
    pub fn configure(&mut self, now: Instant, changes: &[Change]) -> Result<(), ConfigError> {
        check(&self.peers, &self.shared.limits, changes)?;
        let mut call = self.enter(now);
        let mut floors = Floors::new();
        changes.iter().for_each(|change| call.apply(change, &mut floors));
        Ok(())
    }

    /// The first configuration goes through the same door.
    pub(super) fn configure_first(
        &mut self,
        now: Instant,
        private_key: Option<PrivateKey>,
        peers: Vec<NewPeer>,
    ) -> Result<(), ConfigError> {
        let Shared { limits, layout, padding, .. } = &self.shared;
        let own = [Change::Mtu(layout.mtu()), Change::Padding(*padding), Change::PrivateKey(private_key)];
        check_limits(limits).map_err(|reason| ConfigError { change: None, reason })?;
        self.configure(now, &own).map_err(|ConfigError { reason, .. }| ConfigError { change: None, reason })?;
        let changes: Vec<_> = peers.into_iter().map(|peer| Change::Peer(peer.into())).collect();
        self.configure(now, &changes)
    }
}

impl Call<'_> {
    fn apply(&mut self, change: &Change, floors: &mut Floors) {
        match change {
            Change::PrivateKey(key) => self.set_private_key(key.as_ref(), floors),
            Change::RemoveAllPeers if self.peers.len() == 0 => {}
            Change::RemoveAllPeers => self.peers.slots().for_each(|slot| self.remove_peer(slot, floors)),
            Change::Mtu(mtu) => self.shared.set_layout(*mtu, self.shared.padding),
            Change::Padding(padding) => self.shared.set_layout(self.shared.layout.mtu(), *padding),
            Change::Limits(limits) => self.set_limits(limits),
            Change::Peer(change) => self.change_peer(change, floors),
        }
    }

    /// Sets our key, clamped here and nowhere else. All sessions were made with the old one and end; the same key again
    /// changes nothing. Staged packets wait for a session under the new key, or are dropped when there is none.
    fn set_private_key(&mut self, key: Option<&PrivateKey>, floors: &mut Floors) {
        let key = key.map(|key| key.clone().clamped());
        let present = self.shared.local.as_ref().map(|local| local.identity.private());
        if present == key.as_ref() {
            return;
        }
        self.shared.local = key.map(|key| {
            let identity = Identity::new(key);
            let mac_keys = MacKeys::new(identity.public());
            Local { identity, mac_keys }
        });
        let now = self.now;
        self.with_each(|peer, shared| shared.identity_changed(peer, now));
        let ourselves = self.shared.public_key().and_then(|own| self.peers.slot_of(own));
        if let Some(slot) = ourselves {
            self.remove_peer(slot, floors);
        }
    }

    fn set_limits(&mut self, limits: &Limits) {
        self.shared.limits = limits.clone();
        self.shared.load.set_limits(limits);
        self.with_each(|peer, shared| {
            let lost = peer.staged.shrink(&shared.limits, &mut shared.staged);
            shared.count_drops(Some(peer), DropReason::StagedOverflow, lost);
        });
        self.make_room(None, 0);
    }

    fn remove_peer(&mut self, slot: u32, floors: &mut Floors) {
        let Some(mut peer) = self.peers.remove(slot) else { return };
        let shared = &mut *self.shared;
        if peer.timestamp_received != Tai64N::ZERO {
            floors.insert(peer.public_key, peer.timestamp_received);
        }
        peer.wipe(&mut shared.indices);
        shared.drop_staged(&mut peer, DropReason::StagedOverflow);
        shared.routes.remove_all(slot);
        shared.deadlines.remove(slot);
        shared.events.forget(&peer, self.peers);
        shared.transmits.0.forget(peer.queued, self.peers);
        shared.questions.forget(peer.id);
    }

    fn change_peer(&mut self, change: &PeerChange, floors: &mut Floors) {
        let now = self.now;
        if let Some(slot) = self.slot_for(change.action, change.public_key, floors) {
            self.with(slot, |peer, shared| shared.change_peer(peer, now, change));
        }
    }

    /// The slot of the peer to change: `None` when it goes away, or is to be changed only if present and is not.
    fn slot_for(&mut self, action: PeerAction, public_key: PublicKey, floors: &mut Floors) -> Option<u32> {
        let present = self.peers.slot_of(&public_key);
        match action {
            PeerAction::Update => present,
            PeerAction::Remove => {
                self.remove_peer(present?, floors);
                None
            }
            // A peer that is ourselves is passed over, as the Linux implementation does.
            PeerAction::Set if self.shared.public_key() == Some(&public_key) => None,
            PeerAction::Set => Some(present.unwrap_or_else(|| self.add_peer(public_key, floors))),
        }
    }

    /// Adds a peer. It may be one that was removed and has seen our timestamps: they do not go back for it either. Nor do
    /// its own for us, where it was removed by the same list of changes.
    fn add_peer(&mut self, public_key: PublicKey, floors: &mut Floors) -> u32 {
        let slot = self.peers.insert(public_key);
        if let Some(peer) = self.peers.at_mut(slot) {
            peer.timestamp_sent = self.shared.timestamp_sent;
            peer.timestamp_received = floors.remove(&public_key).unwrap_or_default();
        }
        slot
    }
}

impl Shared {
    /// The host hears of it when packets or datagrams need other room than before.
    fn set_layout(&mut self, mtu: u16, padding: Padding) {
        let layout = Layout::new(mtu, padding);
        self.padding = padding;
        if layout != self.layout {
            self.layout = layout;
            self.events.layout_changed = true;
        }
    }

    /// Our key is another, or none: the peer's sessions end, and what waits for one begins anew.
    fn identity_changed(&mut self, peer: &mut Peer, now: Instant) {
        if peer.forget_identity(&mut self.indices) {
            self.events.push(peer, Fact::Expired);
        }
        self.tell_health(peer, now);
        if self.local.is_none() {
            return self.drop_staged(peer, DropReason::NoPrivateKey);
        }
        if !peer.staged.is_empty() {
            self.want_handshake(peer, now);
        }
        if peer.timers.persistent_interval != 0 {
            self.persist(peer, now);
        }
    }

    fn change_peer(&mut self, peer: &mut Peer, now: Instant, change: &PeerChange) {
        if let Some(key) = &change.preshared_key {
            peer.preshared_key = key.clone();
        }
        if let Some(user) = change.user {
            peer.user = user;
        }
        if let Some(floor) = change.timestamp_floor {
            peer.timestamp_received = peer.timestamp_received.max(floor);
        }
        if let Some(pinned) = change.pin_endpoint {
            peer.endpoint.pinned = pinned;
        }
        if let Some(endpoint) = &change.endpoint {
            peer.endpoint.configure(endpoint.clone());
            self.questions.forget(peer.id);
            self.ask_to_resolve(peer, now, Duration::ZERO);
        }
        if change.replace_allowed_ips {
            self.routes.remove_all(peer.id.slot);
        }
        for AllowedIp { network, remove } in &change.allowed_ips {
            if *remove {
                self.routes.remove(*network, peer.id.slot);
            } else {
                self.routes.insert(*network, peer.id.slot);
            }
        }
        if let Some(Endpoint::Address(_)) = change.endpoint {
            self.endpoint_known(peer, now);
        }
        // Switching it on sends the first at once, after a handshake if need be.
        if change.persistent_keepalive.is_some_and(|seconds| peer.timers.set_persistent(now, seconds)) {
            self.persist(peer, now);
        }
    }
}
