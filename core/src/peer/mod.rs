//! One peer: handshake, keypairs, timers, endpoint, staged packets; and the table of peers.
#[cfg(feature = "control")]
pub(crate) mod channel;
pub(crate) mod endpoint;
pub(crate) mod facts;
pub(crate) mod handshake;
pub(crate) mod queue;
pub(crate) mod sessions;
pub(crate) mod staged;
pub(crate) mod table;
pub(crate) mod timers;

#[cfg(feature = "control")]
use crate::config::Gate;
use crate::cookie::{MacKeys, Stamp};
use crate::crypto::{PresharedKey, PrivateKey, PublicKey, SharedSecret, dh};
use crate::limits::REKEY_TIMEOUT;
use crate::memory::Boxed;
#[cfg(feature = "control")]
use crate::memory::NoMemory;
use crate::noise::{Responder, Tai64N};
use crate::route::Memo;
use crate::session::IndexTable;
use crate::stats::{DropCounts, DropReason, PeerStats, SendError};
use crate::time::{Instant, UnixTime};
#[cfg(feature = "control")]
use channel::Channel;
pub use endpoint::Path;
use endpoint::PeerEndpoint;
use facts::Facts;
use handshake::{Handshake, Pace};
use sessions::Sessions;
use staged::{Staged, StagedTotal};
pub(crate) use table::{KeyHash, PeerTable};
use timers::{Due, Timers};

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
    /// No session yet under our present key: a handshake is to come or under way.
    Connecting,
    /// A session is live, and nothing that we sent is unanswered.
    Up,
    /// The last session ended for its age, 180 s, and nothing that we sent is unanswered: nobody needed another. Traffic
    /// starts one.
    Idle,
    /// What we sent is unanswered: a packet for 15 s, or, since the last session ended, an initiation for 5 s.
    Stale,
    /// A handshake was given up after 90 s, and the peer was not heard since; traffic starts another.
    Failed,
}

/// Whether a peer answers what we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Nothing that we sent is unanswered for too long.
    Come,
    /// Something is.
    Late,
    /// And a handshake has gone unanswered for REKEY_ATTEMPT_TIME.
    Failed,
}

/// What a peer is to be sent next. Facts, not bytes: they become bytes in `poll_transmit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intents {
    /// Answer the initiation in [`Peer::answer`].
    pub(crate) respond: bool,
    /// Seal the staged packets.
    pub(crate) flush: bool,
    /// Send an empty packet.
    pub(crate) keepalive: bool,
}

/// What went wrong with a peer: most have none of it.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    drops: DropCounts,
    send_errors: u64,
    /// The last, and the bytes received until then.
    last_send_error: Option<(SendError, u64)>,
    /// No trouble, but as rare: its part of the control channel, once it was used. In the peer itself it would cost each of them a
    /// line of cache.
    #[cfg(feature = "control")]
    channel: Option<Boxed<Channel>>,
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
    /// Whether it answers.
    pub(crate) answers: Answers,
    /// The host keeps the peer out.
    pub(crate) refused: bool,
    /// The health last told to the host.
    pub(crate) reported_health: Health,
    /// What it may do.
    #[cfg(feature = "control")]
    pub(crate) access: Gate,
    /// The bound that the tunnel's queue of deadlines holds for this peer; `Instant::MAX`: none.
    pub(crate) bound: Instant,
    pub(crate) id: PeerId,
    pub(crate) sessions: Sessions,
    pub(crate) stats: PeerStats,
    pub(crate) timers: Timers,
    /// The host's own number for it.
    pub(crate) user: u64,
    pub(crate) endpoint: PeerEndpoint,
    /// When an authenticated datagram last came from it; `Instant::MAX`: none did.
    pub(crate) last_heard: Instant,
    /// The address that its last packet came from.
    pub(crate) source: Memo,
    pub(crate) public_key: PublicKey,
    pub(crate) preshared_key: PresharedKey,
    /// The exchange of both static keys, computed at the first handshake.
    static_static: Option<SharedSecret>,
    pub(crate) mac_keys: MacKeys,
    /// What the host is yet to be told of it.
    pub(crate) facts: Facts,
    /// There was a session under our present key.
    pub(crate) was_established: bool,
    pub(crate) stamp: Stamp,
    /// The handshake that we begin.
    pub(crate) handshake: Handshake,
    pub(crate) pace: Pace,
    /// The peer's initiation that waits for our response.
    pub(crate) answer: Option<Boxed<Answer>>,
    /// The latest timestamp accepted from the peer.
    pub(crate) timestamp_received: Tai64N,
    /// The latest timestamp sent to the peer.
    pub(crate) timestamp_sent: Tai64N,
    /// When its last initiation was accepted; `Instant::MAX`: none was.
    pub(crate) initiation_received: Instant,
    pub(crate) latest_handshake: Option<UnixTime>,
    pub(crate) troubles: Option<Boxed<Troubles>>,
}

impl Peer {
    /// A peer that is in no table yet.
    pub(crate) fn new(public_key: PublicKey) -> Self {
        Self {
            id: PeerId { slot: u32::MAX, generation: 0 },
            public_key,
            preshared_key: PresharedKey::from_bytes([0; 32]),
            static_static: None,
            mac_keys: MacKeys::new(&public_key),
            facts: Facts::default(),
            was_established: false,
            stamp: Stamp::default(),
            sessions: Sessions::default(),
            handshake: Handshake::Idle,
            pace: Pace::default(),
            answer: None,
            timestamp_received: Tai64N::ZERO,
            timestamp_sent: Tai64N::ZERO,
            initiation_received: Instant::MAX,
            endpoint: PeerEndpoint::default(),
            last_heard: Instant::MAX,
            user: 0,
            source: Memo::default(),
            timers: Timers::default(),
            bound: Instant::MAX,
            staged: Staged::default(),
            intents: Intents::default(),
            queued: false,
            answers: Answers::Come,
            refused: false,
            reported_health: Health::Connecting,
            latest_handshake: None,
            stats: PeerStats::default(),
            troubles: None,
            #[cfg(feature = "control")]
            access: Gate::Open,
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
        match self.answers {
            Answers::Failed => Health::Failed,
            _ if !self.was_established => Health::Connecting,
            Answers::Late => Health::Stale,
            Answers::Come if self.sessions.is_live(now) => Health::Up,
            Answers::Come => Health::Idle,
        }
    }

    /// What we sent is unanswered.
    pub(crate) fn miss_answer(&mut self) {
        if self.answers == Answers::Come {
            self.answers = Answers::Late;
        }
    }

    /// A handshake has failed. One that failed while a session goes on and the peer answers means nothing.
    pub(crate) fn miss_handshake(&mut self, now: Instant) {
        if self.answers == Answers::Late || !self.sessions.is_live(now) {
            self.answers = Answers::Failed;
        }
    }

    /// Whether an initiation of ours has waited for its response for REKEY_TIMEOUT.
    pub(crate) fn initiation_unanswered(&self, now: Instant) -> bool {
        let attempt = self.handshake.attempt().filter(|_| self.handshake.pending().is_some());
        attempt.is_some_and(|attempt| attempt.lasts(now, REKEY_TIMEOUT))
    }

    /// Touches what sealing reads of a peer, so that it is fetched into the cache. The value has no meaning.
    #[inline]
    pub(crate) fn read_to_seal(&self) -> u64 {
        let flags = u64::from(self.staged.is_empty()) + u64::from(self.endpoint.path_in_place().is_some());
        self.bound.as_nanos() ^ self.stats.tx_bytes ^ self.timers.next().as_nanos() ^ self.user ^ flags
    }

    /// Touches what opening reads of a peer, likewise.
    #[inline]
    pub(crate) fn read_to_open(&self) -> u64 {
        let flags = u64::from(self.endpoint.path_in_place().is_some()) + self.source.read_ahead();
        self.bound.as_nanos() ^ self.stats.rx_bytes ^ self.timers.next().as_nanos() ^ self.user ^ flags
    }

    /// What went wrong with it, to be added to. `None`: there is no memory to note the first of it; the tunnel counts it.
    fn troubles(&mut self) -> Option<&mut Troubles> {
        if self.troubles.is_none() {
            self.troubles = Boxed::new(Troubles::default()).ok();
        }
        self.troubles.as_deref_mut()
    }

    /// Counts a drop of something of this peer's.
    pub(crate) fn count_drops(&mut self, reason: DropReason, times: u32) {
        if times > 0
            && let Some(troubles) = self.troubles()
        {
            troubles.drops.add(reason, times.into());
        }
    }

    pub(crate) fn drops(&self) -> Option<&DropCounts> {
        self.troubles.as_ref().map(|troubles| &troubles.drops)
    }

    /// Datagrams of `len` bytes together did not leave.
    pub(crate) fn count_send_error(&mut self, kind: SendError, len: u64) {
        self.stats.tx_bytes = self.stats.tx_bytes.saturating_sub(len);
        let rx_bytes = self.stats.rx_bytes;
        if let Some(troubles) = self.troubles() {
            troubles.send_errors = troubles.send_errors.saturating_add(1);
            troubles.last_send_error = Some((kind, rx_bytes));
        }
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

    /// Whether something is to be sent to it.
    pub(crate) fn has_intents(&self) -> bool {
        #[cfg(feature = "control")]
        if self.has_messages_due() {
            return true;
        }
        let Intents { respond, flush, keepalive } = self.intents;
        respond || flush || keepalive || self.initiates()
    }

    /// Whether an initiation is to be sent and need not wait.
    pub(crate) fn initiates(&self) -> bool {
        self.handshake.is_wanted() && !self.timers.waits_for(Due::Retransmit)
    }

    /// An initiation is wanted. Returns whether it may leave at once; otherwise it leaves in its turn.
    pub(crate) fn initiation_wanted(&mut self, now: Instant) -> bool {
        let next = self.pace.next();
        if next > now {
            self.timers.initiation_postponed(next);
        }
        next <= now
    }

    /// Ends the handshake we began, freeing its index.
    pub(crate) fn abandon_handshake(&mut self, indices: &mut IndexTable) {
        if let Some(index) = self.handshake.forget_pending() {
            indices.remove(index);
        }
        self.handshake = Handshake::Idle;
        self.timers.handshake_over();
    }

    /// Dates the wiping of its keypairs. Call it when some came or went.
    pub(crate) fn date_wiping(&mut self) {
        self.timers.wipe_at(self.sessions.wipe_date());
    }

    /// Wipes the keypairs that are too old to be used. Returns whether the session in use was among them.
    pub(crate) fn wipe_expired(&mut self, indices: &mut IndexTable, now: Instant) -> bool {
        let had_session = self.sessions.current().is_some();
        while let Some(index) = self.sessions.take_expired(now) {
            indices.remove(index);
        }
        self.date_wiping();
        let ended = had_session && self.sessions.current().is_none();
        if ended {
            self.intents.keepalive = false;
            self.timers.session_expired();
        }
        ended
    }

    /// Wipes the keys of every session. Returns whether one was in use.
    pub(crate) fn wipe_sessions(&mut self, indices: &mut IndexTable) -> bool {
        let had_session = self.sessions.current().is_some();
        while let Some(index) = self.sessions.take_any() {
            indices.remove(index);
        }
        self.intents.keepalive = false;
        self.timers.sessions_ended();
        had_session
    }

    /// Wipes every key of every session and handshake. Returns whether a session was in use.
    pub(crate) fn wipe(&mut self, indices: &mut IndexTable) -> bool {
        self.abandon_handshake(indices);
        self.answer = None;
        self.intents.respond = false;
        self.wipe_sessions(indices)
    }

    /// Our static key changed: all that was derived from it goes, and the peer, which may not know the new one, is as one
    /// that was never met. Returns whether a session was in use.
    pub(crate) fn forget_identity(&mut self, indices: &mut IndexTable) -> bool {
        self.static_static = None;
        self.stamp.clear();
        self.pace = Pace::default();
        (self.answers, self.was_established) = (Answers::Come, false);
        self.wipe(indices)
    }

    /// There is an endpoint where there was none: what waited for one goes out. Without a session, flushing asks for a
    /// handshake.
    pub(crate) fn reachable(&mut self, now: Instant) {
        if self.pace.next() <= now {
            self.hurry_handshake();
        }
        self.intents.flush |= !self.staged.is_empty();
        #[cfg(feature = "control")]
        self.release_messages();
    }

    /// Sends the next initiation of a handshake under way without waiting.
    pub(crate) fn hurry_handshake(&mut self) {
        if self.handshake.is_under_way() {
            self.handshake.repeat();
            self.timers.initiation_released();
        }
    }

    /// Drops every staged packet; returns how many there were.
    pub(crate) fn drop_staged(&mut self, total: &mut StagedTotal) -> u32 {
        self.intents.flush = false;
        self.staged.clear(total)
    }
}

/// The control channel.
#[cfg(feature = "control")]
impl Peer {
    /// Its part of the channel, if it was used.
    pub(crate) fn channel(&self) -> Option<&Channel> {
        self.troubles.as_ref()?.channel.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn channel_mut(&mut self) -> Option<&mut Channel> {
        Troubles::channel_mut(&mut self.troubles)
    }

    /// Its part of the channel, made when it is first asked for.
    pub(crate) fn channel_or_new(&mut self) -> Result<&mut Channel, NoMemory> {
        let public_key = self.public_key;
        let place = &mut self.troubles().ok_or(NoMemory)?.channel;
        if place.is_none() {
            *place = Some(Boxed::new(Channel::new(&public_key))?);
        }
        place.as_deref_mut().ok_or(NoMemory)
    }

    /// Whether control messages are to be sent to it now.
    pub(crate) fn has_messages_due(&self) -> bool {
        self.channel().is_some_and(|channel| channel.is_due)
    }

    /// Control messages that wait need not wait any longer.
    pub(crate) fn release_messages(&mut self) {
        if let Some(channel) = self.channel_mut() {
            channel.is_due = channel.len() > 0;
        }
    }
}

#[cfg(feature = "control")]
impl Troubles {
    /// The peer's part of the control channel, for who needs the rest of the peer at the same time.
    pub(crate) fn channel_mut(troubles: &mut Option<Boxed<Self>>) -> Option<&mut Channel> {
        troubles.as_deref_mut()?.channel.as_deref_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    /// Lines of cache are what a packet costs among many peers.
    #[test]
    fn what_the_packet_path_reads_lies_in_five_lines() {
        const LINE: usize = 64;
        let end_of_path = offset_of!(Peer, endpoint) + PeerEndpoint::READ_TO_SEAL;
        assert!(end_of_path <= 4 * LINE, "sealing reads up to byte {end_of_path}");
        let end_of_source = offset_of!(Peer, source) + size_of::<Memo>();
        assert!(end_of_source <= 5 * LINE, "opening reads up to byte {end_of_source}");
        #[cfg(feature = "control")]
        assert!(offset_of!(Peer, access) < LINE);
    }
}
