//! One peer: handshake, keypairs, timers, endpoint, staged packets; and the table of peers.
pub(crate) mod endpoint;
pub(crate) mod sessions;
pub(crate) mod staged;
pub(crate) mod table;
pub(crate) mod timers;

use crate::cookie::{MacKeys, Stamp};
use crate::crypto::{PresharedKey, PrivateKey, PublicKey, SharedSecret, dh};
use crate::noise::{Initiator, Responder, Tai64N};
use crate::route::Memo;
use crate::session::IndexTable;
use crate::stats::{DropCounts, DropReason, PeerStats, SendError};
use crate::time::{Instant, UnixTime};
use alloc::boxed::Box;
pub use endpoint::Path;
use endpoint::PeerEndpoint;
use sessions::Sessions;
use staged::{Staged, StagedTotal};
pub(crate) use table::PeerTable;
use timers::Timers;

/// Names a peer of one tunnel: a slot and the slot's generation, so that a name outlives its peer without ever naming
/// another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl PeerId {
    /// The name as one number, for foreign interfaces; never 0.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        ((self.generation as u64) << 32) | self.slot as u64
    }

    /// The name from its number.
    #[must_use]
    pub const fn from_u64(id: u64) -> Self {
        Self { slot: id as u32, generation: (id >> 32) as u32 }
    }
}

/// Whether a peer can be reached, judged from authenticated traffic only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No session yet: a handshake is to come or under way.
    Connecting,
    /// A session is live and the peer answers.
    Up,
    /// There was a session, but it expired or the peer leaves our packets unanswered.
    Stale,
    /// A handshake was given up after 90 s; traffic starts another.
    Failed,
}

/// What a peer is to be sent next. Facts, not bytes: they become bytes in `poll_transmit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intents {
    /// Answer the initiation in [`Peer::answer`].
    pub(crate) respond: bool,
    /// Send an initiation.
    pub(crate) initiate: bool,
    /// Seal the staged packets.
    pub(crate) flush: bool,
    /// Send an empty packet.
    pub(crate) keepalive: bool,
}

impl Intents {
    pub(crate) fn any(self) -> bool {
        self.respond || self.initiate || self.flush || self.keepalive
    }
}

/// Our unanswered initiation.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) initiator: Initiator,
    /// Our session index in it.
    pub(crate) local: u32,
}

/// What went wrong with a peer: most have none of it.
#[derive(Debug, Default)]
struct Troubles {
    drops: DropCounts,
    send_errors: u64,
    /// The last, and the bytes received until then.
    last_send_error: Option<(SendError, u64)>,
}

/// An initiation of the peer's that is to be answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) responder: Responder,
    /// Where the response goes; `None`: to the endpoint.
    pub(crate) path: Option<Path>,
}

/// One peer.
///
/// What the packet path reads and writes comes first, in five lines of cache: the first four to seal, all to open.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Peer {
    pub(crate) staged: Staged,
    pub(crate) intents: Intents,
    /// Whether the peer stands in the tunnel's transmit queue.
    pub(crate) queued: bool,
    /// What was sent for 15 s found no answer.
    pub(crate) unanswered: bool,
    /// The last handshake was given up.
    pub(crate) given_up: bool,
    /// The health last told to the host.
    pub(crate) told: Health,
    /// The bound that the tunnel's queue of deadlines holds for this peer; `Instant::MAX`: none.
    pub(crate) bound: Instant,
    pub(crate) id: PeerId,
    pub(crate) sessions: Sessions,
    pub(crate) stats: PeerStats,
    pub(crate) timers: Timers,
    pub(crate) endpoint: PeerEndpoint,
    /// The address that its last packet came from.
    pub(crate) source: Memo,
    pub(crate) public_key: PublicKey,
    pub(crate) preshared_key: PresharedKey,
    /// The exchange of both static keys, computed at the first handshake.
    static_static: Option<SharedSecret>,
    pub(crate) mac_keys: MacKeys,
    pub(crate) stamp: Stamp,
    /// Our initiation that waits for its response.
    pub(crate) pending: Option<Box<Pending>>,
    /// The peer's initiation that waits for our response.
    pub(crate) answer: Option<Box<Answer>>,
    /// The latest timestamp accepted from the peer.
    pub(crate) timestamp_received: Tai64N,
    /// The latest timestamp sent to the peer.
    pub(crate) timestamp_sent: Tai64N,
    /// When its last initiation was accepted.
    pub(crate) initiation_received: Option<Instant>,
    pub(crate) latest_handshake: Option<UnixTime>,
    troubles: Option<Box<Troubles>>,
}

impl Peer {
    fn new(id: PeerId, public_key: PublicKey) -> Self {
        Self {
            id,
            public_key,
            preshared_key: PresharedKey::from_bytes([0; 32]),
            static_static: None,
            mac_keys: MacKeys::new(&public_key),
            stamp: Stamp::default(),
            sessions: Sessions::default(),
            pending: None,
            answer: None,
            timestamp_received: Tai64N::ZERO,
            timestamp_sent: Tai64N::ZERO,
            initiation_received: None,
            endpoint: PeerEndpoint::default(),
            source: Memo::default(),
            timers: Timers::default(),
            bound: Instant::MAX,
            staged: Staged::default(),
            intents: Intents::default(),
            queued: false,
            unanswered: false,
            given_up: false,
            told: Health::Connecting,
            latest_handshake: None,
            stats: PeerStats::default(),
            troubles: None,
        }
    }

    /// The exchange of both static keys, or `None` when it yields zero.
    pub(crate) fn static_static(&mut self, private: &PrivateKey) -> Option<&SharedSecret> {
        if self.static_static.is_none() {
            self.static_static = dh::exchange(private, &self.public_key);
        }
        self.static_static.as_ref()
    }

    /// Health at `now`, from authenticated traffic only.
    pub(crate) fn health(&self, now: Instant) -> Health {
        if self.sessions.is_live(now) {
            if self.unanswered { Health::Stale } else { Health::Up }
        } else if self.given_up {
            Health::Failed
        } else if self.latest_handshake.is_some() {
            Health::Stale
        } else {
            Health::Connecting
        }
    }

    /// A figure that can only be told by reading what sealing reads of a peer.
    #[inline]
    pub(crate) fn read_to_seal(&self) -> u64 {
        let flags = u64::from(self.staged.is_empty()) + u64::from(self.endpoint.path_in_place().is_some());
        self.bound.as_nanos() ^ self.stats.tx_bytes ^ self.timers.next().as_nanos() ^ flags
    }

    /// A figure that can only be told by reading what opening reads of a peer.
    #[inline]
    pub(crate) fn read_to_open(&self) -> u64 {
        let flags = u64::from(self.endpoint.path_in_place().is_some()) + self.source.read_ahead();
        self.bound.as_nanos() ^ self.stats.rx_bytes ^ self.timers.next().as_nanos() ^ flags
    }

    /// Counts a drop of something of this peer's.
    pub(crate) fn count_drops(&mut self, reason: DropReason, times: u32) {
        if times > 0 {
            self.troubles.get_or_insert_default().drops.add(reason, times.into());
        }
    }

    pub(crate) fn drops(&self) -> Option<&DropCounts> {
        self.troubles.as_ref().map(|troubles| &troubles.drops)
    }

    /// Datagrams of `len` bytes together did not leave.
    pub(crate) fn count_send_error(&mut self, kind: SendError, len: u64) {
        self.stats.tx_bytes = self.stats.tx_bytes.saturating_sub(len);
        let troubles = self.troubles.get_or_insert_default();
        troubles.send_errors = troubles.send_errors.saturating_add(1);
        troubles.last_send_error = Some((kind, self.stats.rx_bytes));
    }

    /// Times that the host could not send.
    pub(crate) fn send_errors(&self) -> u64 {
        self.troubles.as_ref().map_or(0, |troubles| troubles.send_errors)
    }

    /// Why the host could not send, if nothing was heard of the peer since.
    pub(crate) fn last_send_error(&self) -> Option<SendError> {
        let (kind, rx_bytes) = self.troubles.as_ref()?.last_send_error?;
        (self.stats.rx_bytes == rx_bytes).then_some(kind)
    }

    /// Ends the handshake we began, freeing its index.
    pub(crate) fn abandon_initiation(&mut self, indices: &mut IndexTable) {
        if let Some(pending) = self.pending.take() {
            indices.remove(pending.local);
        }
        self.intents.initiate = false;
        self.timers.handshake_abandoned();
    }

    /// Wipes the keys of every session. Returns whether there was one.
    pub(crate) fn wipe_sessions(&mut self, indices: &mut IndexTable) -> bool {
        let had_session = self.sessions.len() > 0;
        while let Some(index) = self.sessions.take_any() {
            indices.remove(index);
        }
        self.intents.keepalive = false;
        self.timers.sessions_ended();
        had_session
    }

    /// Wipes every key of every session and handshake. Returns whether there was a session.
    pub(crate) fn wipe(&mut self, indices: &mut IndexTable) -> bool {
        self.abandon_initiation(indices);
        self.answer = None;
        self.intents.respond = false;
        self.wipe_sessions(indices)
    }

    /// Our static key changed: all that was derived from it goes. Returns whether there was a session.
    pub(crate) fn forget_identity(&mut self, indices: &mut IndexTable) -> bool {
        self.static_static = None;
        self.stamp.clear();
        self.timers.forget_handshakes();
        self.wipe(indices)
    }

    /// There is an endpoint where there was none: what waited for one goes out. Without a session, flushing asks for a
    /// handshake.
    pub(crate) fn reachable(&mut self, now: Instant) {
        self.intents.initiate |= self.timers.handshake_pending() && self.timers.initiation_allowed(now);
        self.intents.flush |= !self.staged.is_empty();
    }

    /// Drops every staged packet; returns how many there were.
    pub(crate) fn drop_staged(&mut self, total: &mut StagedTotal) -> u32 {
        self.intents.flush = false;
        self.staged.clear(total)
    }
}
