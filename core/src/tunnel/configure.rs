//! A. The one door: every change of the configuration, all or nothing.
use super::Tunnel;
use super::call::Call;
use super::check::{Means, Mentions, Prepared, check_limits, prepare};
use super::shared::{Local, Shared};
use crate::config::{AllowedIp, Change, Endpoint, Layout, NewPeer, Padding, PeerAction, PeerChange};
use crate::cookie::MacKeys;
use crate::crypto::PrivateKey;
use crate::error::{ConfigError, ConfigReason};
use crate::limits::Limits;
use crate::memory::{Boxed, NoMemory, list};
use crate::noise::{Identity, Tai64N};
use crate::peer::Peer;
use crate::peer::facts::Fact;
use crate::stats::DropReason;
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

impl Tunnel {
    /// Applies `changes` in order, all or nothing. Sessions go on unless a change of the private key ends them. All memory that
    /// they need is asked for first. A change that only takes away needs none if it is the only one of the list.
    ///
    /// # Errors
    /// [`ConfigError`]: nothing was applied.
    pub fn configure(&mut self, now: Instant, changes: &[Change]) -> Result<(), ConfigError> {
        let Prepared { means, mut mentions } = prepare(&mut self.peers, &mut self.shared, changes)?;
        let mut means = means.into_iter().peekable();
        let mut call = self.enter(now);
        for (number, change) in changes.iter().enumerate() {
            let means = means.next_if(|means| means.change == number);
            call.apply(change, means, &mut mentions);
        }
        call.shared.routes.give_back();
        #[cfg(feature = "filter")]
        if let Some(filter) = call.shared.filter.as_deref_mut() {
            filter.give_back();
        }
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
        let no_memory = |NoMemory| ConfigError { change: None, reason: ConfigReason::NoMemory };
        let mut changes = list(peers.len()).map_err(no_memory)?;
        for peer in peers {
            changes.push(Change::Peer(PeerChange::made_from(peer).map_err(no_memory)?));
        }
        self.configure(now, &changes)
    }
}

impl Call<'_> {
    fn apply(&mut self, change: &Change, means: Option<Means>, floors: &mut Mentions) {
        match change {
            Change::PrivateKey(key) => self.set_private_key(key.as_ref(), floors),
            Change::RemoveAllPeers if self.peers.len() == 0 => {}
            Change::RemoveAllPeers => self.peers.slots().for_each(|slot| self.remove_peer(slot, floors)),
            Change::Mtu(mtu) => self.shared.set_layout(*mtu, self.shared.padding),
            Change::Padding(padding) => self.shared.set_layout(self.shared.layout.mtu(), *padding),
            Change::Limits(limits) => self.set_limits(limits),
            Change::Peer(change) => self.change_peer(change, means, floors),
            #[cfg(feature = "control")]
            Change::Access { peer, access } => self.set_access(peer, access, means),
            #[cfg(feature = "control")]
            Change::Control(role) => self.set_control_role(*role),
            #[cfg(feature = "filter")]
            Change::Filter(config) => self.shared.set_filter(self.now, *config),
        }
    }

    /// Sets our key, clamped here and nowhere else. All sessions were made with the old one and end; the same key again
    /// changes nothing. Staged packets wait for a session under the new key, or are dropped when there is none.
    fn set_private_key(&mut self, key: Option<&PrivateKey>, floors: &mut Mentions) {
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
        #[cfg(feature = "control")]
        {
            let own = self.shared.public_key().copied();
            self.shared.control.know(own.as_ref());
        }
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

    fn remove_peer(&mut self, slot: u32, floors: &mut Mentions) {
        let Some(mut peer) = self.peers.remove(slot) else { return };
        let shared = &mut *self.shared;
        if peer.timestamp_received != Tai64N::ZERO {
            floors.keep_floor(&peer.public_key, peer.timestamp_received);
        }
        peer.wipe(&mut shared.indices);
        shared.drop_staged(&mut peer, DropReason::StagedOverflow);
        shared.routes.remove_all(slot);
        shared.deadlines.remove(slot);
        shared.events.forget(&peer, self.peers);
        shared.transmits.peers.forget(peer.queued, self.peers);
        shared.questions.forget(peer.id);
        #[cfg(feature = "filter")]
        shared.end_ruling(slot);
    }

    fn change_peer(&mut self, change: &PeerChange, mut means: Option<Means>, floors: &mut Mentions) {
        let now = self.now;
        let peer = means.as_mut().and_then(|means| means.peer.take());
        if let Some(slot) = self.slot_for(change, peer, floors) {
            self.with(slot, |peer, shared| shared.change_peer(peer, now, change, means));
        }
    }

    /// The slot of the peer to change: `None` when it goes away, or is to be changed only if present and is not. `added` is
    /// the peer that is made of it if it is not there.
    fn slot_for(&mut self, change: &PeerChange, added: Option<Boxed<Peer>>, floors: &mut Mentions) -> Option<u32> {
        let present = self.peers.slot_of(&change.public_key);
        match change.action.plain() {
            PeerAction::Update => present,
            PeerAction::Remove => {
                self.remove_peer(present?, floors);
                None
            }
            // A peer that is ourselves is passed over, as the Linux implementation does.
            PeerAction::Set if self.shared.public_key() == Some(&change.public_key) => None,
            PeerAction::Set => present.or_else(|| added.map(|peer| self.add_peer(peer, floors))),
            // That is `Set` here.
            #[cfg(feature = "control")]
            PeerAction::Admit(_) => present,
        }
    }

    /// Adds a peer. It may be one that was removed and has seen our timestamps: they do not go back for it either. Nor do
    /// its own for us, where it was removed by the same list of changes.
    fn add_peer(&mut self, mut peer: Boxed<Peer>, floors: &mut Mentions) -> u32 {
        peer.timestamp_sent = self.shared.timestamp_sent;
        peer.timestamp_received = floors.take_floor(&peer.public_key);
        #[cfg(feature = "control")]
        {
            peer.access = self.shared.control.access_of_newcomers();
        }
        self.peers.insert(peer)
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
        #[cfg(feature = "control")]
        if peer.channel().is_some_and(|channel| channel.wakes()) {
            self.want_handshake(peer, now);
        }
        if peer.timers.persistent_interval != 0 {
            self.persist(peer, now);
        }
    }

    fn change_peer(&mut self, peer: &mut Peer, now: Instant, change: &PeerChange, mut means: Option<Means>) {
        let endpoint = means.as_mut().and_then(|means| means.endpoint.take());
        if let Some(key) = &change.preshared_key {
            peer.preshared_key = key.clone();
        }
        if let Some(user) = change.user {
            peer.user = user;
        }
        if let Some(floor) = change.timestamp_floor {
            peer.timestamp_received = peer.timestamp_received.max(floor);
        }
        #[cfg(feature = "control")]
        if let PeerAction::Admit(access) = &change.action {
            self.set_access(peer, access, means);
        }
        if let Some(pinned) = change.pin_endpoint {
            peer.endpoint.pinned = pinned;
        }
        if let Some(endpoint) = endpoint {
            peer.endpoint.configure(endpoint);
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
