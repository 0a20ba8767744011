//! D. Commands and getters.
use super::{Event, Footprint, Layout, PeerView, Tunnel};
use crate::crypto::{PrivateKey, PublicKey};
use crate::noise::Tai64N;
use crate::peer::{Peer, PeerId};
use crate::stats::TunnelStats;
use crate::time::Instant;
use core::net::SocketAddr;

impl Tunnel {
    /// The host's answer to [`Event::ResolveEndpoint`], or an endpoint it knows otherwise. An unknown peer is ignored:
    /// it may have been removed while the host was resolving.
    ///
    /// It acts at once, but for the answer to a question that a change of network raised while a session is live: that waits
    /// until the present address turns out to lead nowhere, for up to 2 s, and is dropped when the peer is heard from
    /// meanwhile. An endpoint that a user changes is a [`Change`](crate::Change), which always acts at once.
    pub fn set_endpoint(&mut self, now: Instant, peer: PeerId, remote: SocketAddr) {
        let mut call = self.enter(now);
        let now = call.now;
        call.with_known(peer, |peer, shared| shared.endpoint_told(peer, now, remote));
    }

    /// Starts a handshake with `peer` unless a session is live or one is under way.
    pub fn connect(&mut self, now: Instant, peer: PeerId) {
        let mut call = self.enter(now);
        let now = call.now;
        call.with_known(peer, |peer, shared| {
            if shared.local.is_some() && !peer.sessions.is_live(now) {
                shared.want_handshake(peer, now);
            }
        });
    }

    /// The next event. What one says is so at the time of the latest call. Events about one peer come in the order of what
    /// happened, as far as it matters; those about several peers take turns.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.shared.events.pop(&mut self.peers, self.shared.clock.now())
    }

    /// Forgets the last timestamp accepted from `peer`, whose clock was once far ahead and has been mended.
    /// Until its next handshake, an old initiation of its could be replayed (it can reach no session by that).
    pub fn reset_peer_timestamp(&mut self, peer: PeerId) {
        if let Some(peer) = self.peers.find_mut(peer) {
            peer.timestamp_received = Tai64N::ZERO;
        }
    }

    /// The latest timestamp sent: save it, and pass it to the next [`new`](Self::new), so that a clock that was set back
    /// meanwhile does not lock us out.
    #[must_use]
    pub fn timestamp_floor(&self) -> Tai64N {
        self.shared.timestamp_sent
    }

    /// The peer with this public key.
    #[must_use]
    pub fn peer_by_key(&self, public_key: &PublicKey) -> Option<PeerId> {
        let slot = self.peers.slot_of(public_key)?;
        self.peers.at(slot).map(|peer| peer.id)
    }

    /// What is known of a peer.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<PeerView<'_>> {
        self.peers.find(id).map(|peer| self.view(peer))
    }

    /// All peers, in the order of their slots.
    pub fn peers(&self) -> impl Iterator<Item = PeerView<'_>> + '_ {
        self.peers.iter().map(|peer| self.view(peer))
    }

    fn view<'t>(&'t self, peer: &'t Peer) -> PeerView<'t> {
        PeerView {
            peer,
            routes: &self.shared.routes,
            clock: self.shared.clock,
            #[cfg(feature = "filter")]
            filter: self.shared.filter.as_deref(),
        }
    }

    /// Our private key, clamped.
    #[must_use]
    pub fn private_key(&self) -> Option<&PrivateKey> {
        self.shared.local.as_ref().map(|local| local.identity.private())
    }

    /// Our public key.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.shared.public_key()
    }

    /// The largest inner packet in bytes.
    #[must_use]
    pub fn mtu(&self) -> u16 {
        self.shared.layout.mtu()
    }

    /// The room that packets and datagrams need at present. It changes with the MTU and the padding; then there is an
    /// [`Event::LayoutChanged`].
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.shared.layout
    }

    /// Counters of the whole tunnel.
    #[must_use]
    pub fn stats(&self) -> &TunnelStats {
        &self.shared.stats
    }

    /// What the tunnel holds at present, for bounds and leak checks. Visits every peer.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let count = |what: fn(&crate::peer::Peer) -> usize| self.peers.iter().map(what).sum();
        Footprint {
            peers: self.peers.len(),
            allowed_ips: self.shared.routes.len(),
            staged_packets: count(|peer| peer.staged.len()),
            staged_bytes: self.shared.staged.bytes as usize,
            session_indices: self.shared.indices.len(),
            keypairs: count(|peer| peer.sessions.len()),
            handshakes: count(|peer| {
                usize::from(peer.handshake.pending().is_some()) + usize::from(peer.answer.is_some())
            }),
            intents: self.shared.transmits.peers.len(),
            events: count(|peer| peer.facts.len()) + self.shared.events.of_tunnel(),
            #[cfg(feature = "control")]
            control_messages: self.shared.control.waiting.messages,
            #[cfg(feature = "control")]
            control_bytes: self.shared.control.waiting.bytes,
            #[cfg(feature = "filter")]
            flows: self.shared.filter.as_deref().map_or(0, crate::filter::Filter::flows),
        }
    }
}
