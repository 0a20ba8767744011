//! Everything of a tunnel but its peers. What concerns one peer takes it as an argument, looked up once by the
//! caller.
use super::EventQueue;
use super::clock::{Clock, WallClock};
use super::network::Questions;
use crate::config::{Layout, Padding};
use crate::cookie::bucket::Bucket;
use crate::cookie::load::Load;
use crate::cookie::{CookieJar, MacKeys};
use crate::crypto::{PublicKey, Rng};
use crate::limits::Limits;
use crate::noise::{Identity, Tai64N};
use crate::peer::facts::Fact;
use crate::peer::queue::PeerQueue;
use crate::peer::staged::StagedTotal;
use crate::peer::{Answers, Peer, PeerTable};
use crate::route::{Memo, RoutingTable};
use crate::session::IndexTable;
use crate::stats::{DropReason, TunnelStats};
use crate::time::Instant;
use crate::timers::DeadlineQueue;
use alloc::boxed::Box;
use core::cmp::Ordering;
use core::time::Duration;

/// Everything of a tunnel but its peers.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) wall: WallClock,
    pub(super) rng: Box<dyn Rng>,
    pub(super) limits: Limits,
    pub(super) padding: Padding,
    pub(super) layout: Layout,
    pub(super) local: Option<Local>,
    pub(super) cookies: CookieJar,
    pub(super) load: Load,
    pub(super) routes: RoutingTable,
    /// Where the last packet went.
    pub(super) destination: Memo,
    pub(super) indices: IndexTable,
    pub(super) deadlines: DeadlineQueue,
    pub(super) transmits: TransmitQueue,
    pub(super) staged: StagedTotal,
    pub(super) bounces: Bounces,
    pub(super) events: EventQueue,
    pub(super) stats: TunnelStats,
    /// Which names are resolved because the network changed.
    pub(super) questions: Questions,
    /// There was no memory to note a peer's deadline.
    pub(super) unscheduled: bool,
    /// When peers are looked over again for which there was no memory, if there are any.
    pub(super) look_again: Instant,
    /// The latest timestamp sent to any peer, by this tunnel or (the restored floor) one before it. Peers begin at it.
    pub(super) timestamp_sent: Tai64N,
    #[cfg(feature = "control")]
    pub(super) control: super::channel::Control,
    /// Rules of peers that are ruled; `None`: there was none yet.
    #[cfg(feature = "filter")]
    pub(super) filter: Option<crate::memory::Boxed<crate::filter::Filter>>,
    #[cfg(feature = "filter")]
    pub(super) filter_config: crate::filter::FilterConfig,
}

/// Our own static key and what is derived from it.
pub(super) struct Local {
    pub(super) identity: Identity,
    /// For the MACs of messages addressed to us.
    pub(super) mac_keys: MacKeys,
}

/// What is left of the rate of ICMP errors.
#[derive(Debug, Default)]
pub(super) struct Bounces {
    pub(super) unreachable: Bucket,
    pub(super) too_big: Bucket,
}

/// Peers with intents, each at most once.
#[derive(Debug, Default)]
pub(super) struct TransmitQueue {
    pub(super) peers: PeerQueue,
    /// There was no memory for a peer, which has intents and does not stand in the queue.
    missed: bool,
}

impl TransmitQueue {
    /// Puts the peer at the end, if it has intents and does not stand in the queue yet.
    pub(super) fn push(&mut self, peer: &mut Peer) {
        if !peer.queued && peer.has_intents() {
            peer.queued = self.peers.push_back(peer.id);
            self.missed |= !peer.queued;
        }
    }

    /// Takes the first out; `peer` is that one, if it was not removed.
    pub(super) fn pop(&mut self, peer: Option<&mut Peer>) {
        self.peers.pop_front();
        match peer {
            Some(peer) => peer.queued = false,
            None => self.peers.met_removed(),
        }
    }
}

impl Shared {
    /// Counts drops, for the tunnel and, where it is known whose they are, for the peer.
    pub(super) fn count_drops(&mut self, peer: Option<&mut Peer>, reason: DropReason, times: u32) {
        if let Some(peer) = peer {
            peer.count_drops(reason, times);
        }
        self.stats.drops.add(reason, times.into());
    }

    /// A drop that belongs to no known peer, as the verdict on it.
    #[cold]
    pub(super) fn drop<V: From<DropReason>>(&mut self, reason: DropReason) -> V {
        self.count_drops(None, reason, 1);
        reason.into()
    }

    /// A drop of something of this peer's, as the verdict on it.
    #[cold]
    pub(super) fn drop_of<V: From<DropReason>>(&mut self, peer: &mut Peer, reason: DropReason) -> V {
        self.count_drops(Some(peer), reason, 1);
        reason.into()
    }

    /// Drops every staged packet of the peer, and every message.
    pub(super) fn drop_staged(&mut self, peer: &mut Peer, reason: DropReason) {
        let lost = peer.drop_staged(&mut self.staged);
        self.count_drops(Some(peer), reason, lost);
        #[cfg(feature = "control")]
        if let Some(channel) = peer.channel_mut() {
            let lost = channel.clear(&mut self.control.waiting);
            self.count_drops(Some(peer), reason, lost);
        }
    }

    /// Tells the queue of deadlines that the peer may be due earlier. Nearly always it is not, and only the peer is read.
    #[inline]
    pub(super) fn reschedule(&mut self, peer: &mut Peer) {
        let next = peer.timers.next();
        if next < peer.bound {
            self.schedule(peer, next);
        }
    }

    /// Notes when the peer is due. Without memory for that, it is looked at again a second later.
    #[cold]
    #[inline(never)]
    fn schedule(&mut self, peer: &mut Peer, next: Instant) {
        if self.deadlines.move_earlier(peer.id.slot, next) {
            peer.bound = next;
        } else {
            self.unscheduled = true;
        }
    }

    /// Whether there was no memory for a peer in one of the queues.
    pub(super) fn has_missed(&self) -> bool {
        self.transmits.missed || self.events.missed || self.unscheduled
    }

    /// Puts the peer where it could not stand for want of memory; its deadline is the caller's to see to.
    pub(super) fn list_again(&mut self, peer: &mut Peer) {
        self.transmits.push(peer);
        self.events.list(peer);
    }

    /// All peers are about to be listed again, and then not before `at`.
    pub(super) fn forget_missed(&mut self, at: Instant) {
        (self.transmits.missed, self.events.missed, self.unscheduled) = (false, false, false);
        self.look_again = at;
    }

    /// Makes the earliest deadline exact again.
    #[inline]
    pub(super) fn settle(&mut self, peers: &mut PeerTable) {
        if let Some((slot, bound)) = self.deadlines.top()
            && peers.at(slot).is_none_or(|peer| peer.timers.next() > bound)
        {
            self.settle_all(peers);
        }
    }

    #[inline(never)]
    fn settle_all(&mut self, peers: &mut PeerTable) {
        while let Some((slot, bound)) = self.deadlines.top() {
            let actual = peers.at(slot).map_or(Instant::MAX, |peer| peer.timers.next());
            if actual <= bound {
                break;
            }
            self.move_top_later(peers.at_mut(slot), actual);
        }
    }

    /// Makes the bound of the earliest deadline, which is that of `peer`, later.
    pub(super) fn move_top_later(&mut self, peer: Option<&mut Peer>, at: Instant) {
        self.deadlines.move_top_later(at);
        if let Some(peer) = peer {
            peer.bound = at;
        }
    }

    /// Tells the host if the peer's health is no longer what it was told last.
    pub(super) fn tell_health(&mut self, peer: &mut Peer, now: Instant) {
        if peer.health(now) != peer.reported_health {
            self.events.push(peer, Fact::Health);
        }
    }

    /// Starts a handshake with `peer`. One that is under way is tried for longer.
    pub(super) fn want_handshake(&mut self, peer: &mut Peer, now: Instant) {
        if peer.refused {
            return;
        }
        if peer.handshake.request(now) && peer.initiation_wanted(now) {
            self.transmits.push(peer);
        }
    }

    /// Sends the peer an empty packet, under the live session that the caller has seen.
    pub(super) fn want_keepalive(&mut self, peer: &mut Peer) {
        peer.intents.keepalive = true;
        self.transmits.push(peer);
    }

    /// Asks the host to resolve the peer's endpoint name, not more often than every `pause`.
    pub(super) fn ask_to_resolve(&mut self, peer: &mut Peer, now: Instant, pause: Duration) {
        if peer.endpoint.ask(now, pause) {
            self.events.push(peer, Fact::Resolve);
        }
    }

    /// The peer's endpoint is known: what waited for one goes out, the first persistent keepalive included.
    pub(super) fn endpoint_known(&mut self, peer: &mut Peer, now: Instant) {
        peer.reachable(now);
        self.transmits.push(peer);
        if peer.timers.persistent_sleeps() {
            self.persist(peer, now);
        }
    }

    /// The persistent keepalive is due. Without a key or an endpoint it sleeps until there are both.
    pub(super) fn persist(&mut self, peer: &mut Peer, now: Instant) {
        if self.local.is_none() || peer.refused || (peer.endpoint.path().is_none() && !peer.endpoint.is_named()) {
            return;
        }
        peer.timers.persistent_fired(now);
        if peer.sessions.is_live(now) {
            self.want_keepalive(peer);
        } else {
            self.want_handshake(peer, now);
        }
    }

    /// A session is live, as initiator or as responder.
    pub(super) fn established(&mut self, peer: &mut Peer, now: Instant) {
        peer.answers = Answers::Come;
        peer.was_established = true;
        peer.stats.handshakes = peer.stats.handshakes.wrapping_add(1);
        self.stats.handshakes = self.stats.handshakes.wrapping_add(1);
        self.events.push(peer, Fact::Established);
        self.tell_health(peer, now);
    }

    /// Whether our static public key is the greater one: the tie-break of simultaneous initiations.
    pub(super) fn prevails_over(&self, peer: &Peer) -> bool {
        self.public_key().is_some_and(|own| own.cmp(&peer.public_key) == Ordering::Greater)
    }

    /// Our public key.
    pub(super) fn public_key(&self) -> Option<&PublicKey> {
        self.local.as_ref().map(|local| local.identity.public())
    }

    /// So many sealed packets, of so many bytes together, are on their way to `peer`.
    #[inline]
    pub(super) fn data_sent(&mut self, peer: &mut Peer, now: Instant, packets: u64, bytes: usize) {
        peer.timers.data_sent(now);
        // They say all that a keepalive would.
        peer.intents.keepalive = false;
        self.sent(peer, now, bytes);
        peer.stats.tx_packets = peer.stats.tx_packets.wrapping_add(packets);
        self.stats.tx_packets = self.stats.tx_packets.wrapping_add(packets);
    }

    /// Authenticated datagrams of `len` bytes together are on their way to `peer`.
    #[inline]
    pub(super) fn sent(&mut self, peer: &mut Peer, now: Instant, len: usize) {
        peer.timers.authenticated_sent(now);
        peer.stats.tx_bytes = peer.stats.tx_bytes.wrapping_add(len as u64);
        self.stats.tx_bytes = self.stats.tx_bytes.wrapping_add(len as u64);
    }

    /// Authenticated datagrams of `len` bytes together came from `peer`.
    #[inline]
    pub(super) fn received(&mut self, peer: &mut Peer, now: Instant, len: usize) {
        peer.stats.rx_bytes = peer.stats.rx_bytes.wrapping_add(len as u64);
        self.stats.rx_bytes = self.stats.rx_bytes.wrapping_add(len as u64);
        peer.last_heard = now;
        peer.timers.authenticated_received(now);
    }
}
