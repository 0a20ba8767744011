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
use crate::peer::{Path, Peer, PeerId};
use crate::stats::SendError;
use crate::time::Instant;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

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
        for (id, remote) in self.shared.questions.take_due(now) {
            self.with_known(id, |peer, shared| {
                if shared.questions.is_unheard(peer) {
                    shared.move_to(peer, now, remote);
                }
            });
        }
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
    by_peer: BTreeMap<PeerId, Question>,
    /// When the first candidate may become an endpoint, or earlier; `None`: there is none to come.
    due: Option<Instant>,
}

#[derive(Debug)]
struct Question {
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

impl Questions {
    /// When to call [`Call::end_silence`].
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Drops what nobody has answered for long.
    pub(super) fn expire(&mut self, now: Instant) {
        self.by_peer.retain(|_, question| now.since(question.asked) < RESOLVE_AGAIN);
    }

    /// The host was asked for the address of a live peer, if it has a name. A wait that is under way goes on: changes of
    /// network come in rows.
    pub(super) fn ask(&mut self, peer: &Peer, now: Instant) {
        let waits = |question: &Question| question.is_unheard(peer) && now < question.until;
        if !peer.endpoint.is_named() || self.by_peer.get(&peer.id).is_some_and(waits) {
            return;
        }
        let until = now + SILENCE;
        let question = Question { asked: now, until, rx_bytes: peer.stats.rx_bytes, candidate: None };
        self.by_peer.insert(peer.id, question);
        self.due = Some(self.due.map_or(until, |earlier| earlier.min(until)));
    }

    /// The peer went away, or its endpoint is another.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.by_peer.remove(&peer);
        if self.by_peer.is_empty() {
            self.due = None;
        }
    }

    /// The present endpoint leads nowhere: takes the candidate. An answer that is still to come need not wait.
    fn give_up(&mut self, peer: &Peer, now: Instant) -> Option<SocketAddr> {
        let candidate = self.by_peer.get_mut(&peer.id).and_then(|question| question.candidate.take());
        if candidate.is_none() && peer.endpoint.is_named() {
            let question = Question { asked: now, until: now, rx_bytes: peer.stats.rx_bytes, candidate: None };
            self.by_peer.insert(peer.id, question);
        }
        candidate
    }

    /// Whether the host was asked for the peer's address and nothing came from the peer since.
    fn is_unheard(&self, peer: &Peer) -> bool {
        self.by_peer.get(&peer.id).is_some_and(|question| question.is_unheard(peer))
    }

    /// What it is worth that the host says the peer is at `remote`.
    fn weigh(&mut self, peer: &Peer, now: Instant, remote: SocketAddr) -> Weight {
        let Some(question) = self.by_peer.get_mut(&peer.id) else { return Weight::Moves };
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

    /// Takes the candidates of peers that had their time.
    fn take_due(&mut self, now: Instant) -> Vec<(PeerId, SocketAddr)> {
        let mut taken = Vec::new();
        self.due = None;
        for (id, question) in &mut self.by_peer {
            let until = question.until;
            if until <= now {
                taken.extend(question.candidate.take().map(|remote| (*id, remote)));
            } else {
                self.due = Some(self.due.map_or(until, |earlier| earlier.min(until)));
            }
        }
        taken
    }
}
