//! Where a peer is said to be, and what speaks against it: names that are resolved again, datagrams that cannot leave.
//!
//! An address that authentic datagrams came from is worth more than what a name resolves to, as long as it works. Whether it
//! works after a change of network, only the peer can tell. So the answer to a question that such a change raised waits as
//! a candidate, and the peer is sent an initiation, which unlike a keepalive is answered. What it says within
//! [`SILENCE`] outlives the candidate; its silence, or a host that cannot send to it, makes the candidate the endpoint.
//!
//! All of this belongs to the change, not to the peers: an idle peer holds nothing for it and a packet reads nothing of it.
use super::Tunnel;
use super::call::Call;
use super::shared::Shared;
use super::timeout::RESOLVE_AGAIN;
use crate::limits::REKEY_TIMEOUT;
use crate::memory::{make_room, put};
use crate::peer::{Path, Peer, PeerId};
use crate::stats::SendError;
use crate::time::Instant;
use core::net::SocketAddr;
use core::time::Duration;
use hashbrown::HashTable;

/// How long a live peer may be silent after a change of network before its name is believed.
const SILENCE: Duration = Duration::from_secs(2);

impl Tunnel {
    /// Datagrams of `peer`, of `len` bytes together, could not leave over `path`, which is that of their
    /// [`Transmit`](super::Transmit). Tell it right after the call that gave them. `len` is 0 where they left after all, from
    /// another address than that of the path ([`SendError::NoSource`]).
    ///
    /// They are counted apart from what was sent. A source address that does not work is left to the host until the peer is
    /// heard from again; an endpoint that cannot be reached is looked for elsewhere, if it has a name. Neither happens when
    /// the peer is reached over another path by now.
    pub fn handle_send_error(&mut self, peer: PeerId, path: Path, len: usize, kind: SendError) {
        let mut call = self.enter_again();
        let now = call.now;
        call.with_known(peer, |peer, shared| {
            if len > 0 {
                peer.count_send_error(kind, len as u64);
                shared.stats.tx_bytes = shared.stats.tx_bytes.saturating_sub(len as u64);
                shared.stats.send_errors = shared.stats.send_errors.saturating_add(1);
            }
            if peer.endpoint.leads_to(path.remote) {
                shared.send_failed(peer, now, path, kind);
            }
        });
    }
}

impl Call<'_> {
    /// Peers that a change of network left silent for too long are looked for where their names lead.
    pub(super) fn end_silence(&mut self) {
        let now = self.now;
        if self.shared.questions.due.is_none_or(|due| due > now) {
            return;
        }
        self.shared.questions.due = None;
        self.with_each(|peer, shared| {
            let candidate = shared.questions.take_due(peer, now);
            if let Some(remote) = candidate.filter(|_| shared.questions.is_unheard(peer)) {
                shared.move_to(peer, now, remote);
            }
        });
    }
}

impl Shared {
    /// The host says where the peer is.
    pub(super) fn endpoint_told(&mut self, peer: &mut Peer, now: Instant, remote: SocketAddr) {
        match self.questions.weigh(peer, now, remote) {
            Weight::Moves => {
                peer.endpoint.set_remote(remote);
                self.endpoint_known(peer, now);
            }
            Weight::MovesLate => self.move_to(peer, now, remote),
            Weight::Waits => self.want_handshake(peer, now),
            Weight::Nothing => {}
        }
    }

    /// The peer was not to be reached where it was: it is spoken to at `remote`, so that it learns where we are.
    fn move_to(&mut self, peer: &mut Peer, now: Instant, remote: SocketAddr) {
        self.questions.forget(peer.id);
        peer.endpoint.set_remote(remote);
        self.endpoint_known(peer, now);
        if peer.sessions.is_live(now) {
            self.want_keepalive(peer);
        }
    }

    /// A datagram could not leave for where the peer is.
    fn send_failed(&mut self, peer: &mut Peer, now: Instant, path: Path, kind: SendError) {
        // The way may be missing from this address of ours alone.
        if path.local.is_some() && matches!(kind, SendError::NoSource | SendError::Unreachable) {
            if peer.endpoint.path() == Some(path) {
                peer.endpoint.forget_local();
            }
            return;
        }
        if matches!(kind, SendError::FamilyGone | SendError::Unreachable) {
            match self.questions.give_up(peer, now) {
                Some(remote) => self.move_to(peer, now, remote),
                None => self.ask_to_resolve(peer, now, REKEY_TIMEOUT),
            }
        }
    }
}

/// What an answer of the host is worth.
enum Weight {
    /// It is where the peer is.
    Moves,
    /// Likewise, and the peer has been silent where it was.
    MovesLate,
    /// It is a candidate.
    Waits,
    Nothing,
}

/// The names that are resolved because the network changed, each for a peer with a live session.
#[derive(Debug, Default)]
pub(super) struct Questions {
    by_peer: HashTable<Question>,
    /// When the first candidate may become an endpoint, or earlier; `None`: there is none to come.
    due: Option<Instant>,
}

#[derive(Debug)]
struct Question {
    peer: PeerId,
    asked: Instant,
    /// Until when the peer may let itself be heard.
    until: Instant,
    /// Bytes received from the peer until then.
    rx_bytes: u64,
    candidate: Option<SocketAddr>,
}

impl Question {
    fn is_unheard(&self, peer: &Peer) -> bool {
        peer.stats.rx_bytes == self.rx_bytes
    }
}

/// Slots are small numbers of our own: they need to be spread, not hidden.
fn hash_of(peer: PeerId) -> u64 {
    u64::from(peer.slot).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Questions {
    fn find(&self, peer: PeerId) -> Option<&Question> {
        self.by_peer.find(hash_of(peer), |question| question.peer == peer)
    }

    fn find_mut(&mut self, peer: PeerId) -> Option<&mut Question> {
        self.by_peer.find_mut(hash_of(peer), |question| question.peer == peer)
    }

    /// Puts a question in the place of the peer's last one. Without memory for it none is kept: then the host's answer is
    /// believed at once.
    fn keep(&mut self, question: Question) -> bool {
        if let Some(last) = self.find_mut(question.peer) {
            *last = question;
            return true;
        }
        let has_room = make_room(&mut self.by_peer, 1, &|other| hash_of(other.peer)).is_ok();
        if has_room {
            put(&mut self.by_peer, hash_of(question.peer), question, &|other| hash_of(other.peer));
        }
        has_room
    }

    /// When to call [`Call::end_silence`].
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Drops what nobody has answered for long.
    pub(super) fn expire(&mut self, now: Instant) {
        self.by_peer.retain(|question| now.since(question.asked) < RESOLVE_AGAIN);
        self.give_back();
    }

    fn give_back(&mut self) {
        if self.by_peer.is_empty() {
            self.by_peer = HashTable::new();
        }
    }

    /// The host was asked for the address of a live peer, if it has a name. A wait that is under way goes on: changes of
    /// network come in rows.
    pub(super) fn ask(&mut self, peer: &Peer, now: Instant) {
        let waits = |question: &Question| question.is_unheard(peer) && now < question.until;
        if !peer.endpoint.is_named() || self.find(peer.id).is_some_and(waits) {
            return;
        }
        let until = now + SILENCE;
        if !self.keep(Question { peer: peer.id, asked: now, until, rx_bytes: peer.stats.rx_bytes, candidate: None }) {
            return;
        }
        self.due = Some(self.due.map_or(until, |earlier| earlier.min(until)));
    }

    /// The peer went away, or its endpoint is another.
    pub(super) fn forget(&mut self, peer: PeerId) {
        if let Ok(entry) = self.by_peer.find_entry(hash_of(peer), |question| question.peer == peer) {
            entry.remove();
        }
        if self.by_peer.is_empty() {
            self.due = None;
        }
        self.give_back();
    }

    /// The present endpoint leads nowhere: takes the candidate. An answer that is still to come need not wait.
    fn give_up(&mut self, peer: &Peer, now: Instant) -> Option<SocketAddr> {
        let candidate = self.find_mut(peer.id).and_then(|question| question.candidate.take());
        if candidate.is_none() && peer.endpoint.is_named() {
            let rx_bytes = peer.stats.rx_bytes;
            self.keep(Question { peer: peer.id, asked: now, until: now, rx_bytes, candidate: None });
        }
        candidate
    }

    /// Whether the host was asked for the peer's address and nothing came from the peer since.
    fn is_unheard(&self, peer: &Peer) -> bool {
        self.find(peer.id).is_some_and(|question| question.is_unheard(peer))
    }

    /// What it is worth that the host says the peer is at `remote`.
    fn weigh(&mut self, peer: &Peer, now: Instant, remote: SocketAddr) -> Weight {
        let Some(question) = self.find_mut(peer.id) else { return Weight::Moves };
        let learned = peer.sessions.is_live(now) && peer.endpoint.path().is_some() && !peer.endpoint.pinned;
        if !learned || now.since(question.asked) >= RESOLVE_AGAIN {
            self.forget(peer.id);
            return Weight::Moves;
        }
        if !question.is_unheard(peer) || peer.endpoint.leads_to(remote) {
            return Weight::Nothing;
        }
        if now >= question.until {
            return Weight::MovesLate;
        }
        question.candidate = Some(remote);
        Weight::Waits
    }

    /// Takes the candidate of a peer that had its time. One that has not is due later.
    fn take_due(&mut self, peer: &Peer, now: Instant) -> Option<SocketAddr> {
        let question = self.find_mut(peer.id)?;
        let until = question.until;
        if until <= now {
            return question.candidate.take();
        }
        self.due = Some(self.due.map_or(until, |earlier| earlier.min(until)));
        None
    }
}
