//! Ending sessions at once, and keeping a peer out: revocation, logout, suspension; and a process that was forked.
use super::Tunnel;
use super::shared::Shared;
use crate::peer::facts::Fact;
use crate::peer::{Peer, PeerId};
use crate::stats::DropReason;
use crate::time::Instant;

impl Tunnel {
    /// Wipes every key of the peer's sessions and handshakes at once and drops its staged packets and messages. The peer stays; the next
    /// packet or initiation begins a new session, unless the peer is [refused](Self::set_refused). An unknown peer is
    /// ignored.
    pub fn end_sessions(&mut self, now: Instant, peer: PeerId) {
        let mut call = self.enter(now);
        let now = call.now;
        call.with_known(peer, |peer, shared| shared.end_sessions(peer, now, DropReason::StagedOverflow));
    }

    /// Refuses the peer until this is lifted with `false`: its sessions end as by [`end_sessions`](Self::end_sessions), its
    /// initiations are dropped, none is sent to it, and packets to it are dropped, all as [`DropReason::Refused`]. Its
    /// configuration stays and may be changed. An unknown peer is ignored.
    pub fn set_refused(&mut self, now: Instant, peer: PeerId, refused: bool) {
        let mut call = self.enter(now);
        let now = call.now;
        call.with_known(peer, |peer, shared| {
            peer.refused = refused;
            if refused {
                shared.end_sessions(peer, now, DropReason::Refused);
            } else if peer.timers.persistent_interval != 0 {
                shared.persist(peer, now);
            }
        });
    }

    /// For the copy of a tunnel in a process that was forked, before anything else is done with it: two processes must not
    /// seal under the same keys, since a counter that is used twice gives messages away. Ends every session and handshake
    /// of the copy, drops what is staged, and begins a handshake with each peer that had a live session. Time stands
    /// where it was at the last call.
    pub fn handle_fork(&mut self) {
        let mut call = self.enter_again();
        let now = call.now;
        call.with_each(|peer, shared| {
            let was_live = peer.sessions.is_live(now);
            shared.end_sessions(peer, now, DropReason::StagedOverflow);
            if was_live {
                shared.want_handshake(peer, now);
            }
        });
    }
}

impl Shared {
    fn end_sessions(&mut self, peer: &mut Peer, now: Instant, reason: DropReason) {
        let ended = peer.wipe(&mut self.indices);
        self.drop_staged(peer, reason);
        if ended {
            self.events.push(peer, Fact::Expired);
        }
        self.tell_health(peer, now);
    }
}
