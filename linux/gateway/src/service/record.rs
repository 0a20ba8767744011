//! Facts become lines of audit, and the ends of sessions go to the store.
use super::{Now, Peers, Service};
use crate::audit::{Event, Text};
use crate::time::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use underpass_core::PublicKey;
use underpass_core::policy::session::{Fact, FactEvent, Factor, FactorSet, Reason, SessionId, UserId};

/// The source of a peer that the host knows nothing of any more.
const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Service {
    pub(super) fn note(&mut self, now: Now, peers: &dyn Peers, fact: Fact) {
        let Fact { peer, user, session, event } = fact;
        let (device, src) = (peer.into(), source(peers, &peer));
        let name = user.and_then(|user| self.names.get(&user)).cloned();
        let claimed = self.peers.get(&peer).and_then(|state| state.claimed.clone()).unwrap_or_else(|| Text::new(""));
        let number = session.map_or(0, |session| session.0);
        let event = match event {
            FactEvent::FactorRight(factor) => {
                let method = Text::new(word(factor));
                name.map(|user| Event::FactorPassed { user, device, method, src })
            }
            FactEvent::FactorWrong(factor) => {
                let (method, reason) = (Text::new(word(factor)), Text::new("wrong"));
                Some(Event::FactorFailed { claimed, device, method, reason, src })
            }
            FactEvent::Failed => {
                self.keep_failure(now, user, peer);
                None
            }
            FactEvent::Rejected => {
                self.failures = self.failures.saturating_add(1);
                None
            }
            FactEvent::Limited(wait) => {
                self.failures = self.failures.saturating_add(1);
                let until = self.newly_limited(now, &peer, wait);
                until.map(|until| Event::LoginLimited { claimed, device, until })
            }
            FactEvent::RecoveryUsed => {
                let left = self.recovery_left(now, user);
                name.map(|user| Event::RecoveryUsed { user, device, left })
            }
            FactEvent::Opened => {
                self.clear_failures(now, user, peer);
                let (methods, until) = (self.begun(peers, &peer), self.end_of(now, &peer));
                name.map(|user| Event::SessionOpened { user, device, session: number, methods, src, until })
            }
            FactEvent::Extended => {
                self.clear_failures(now, user, peer);
                self.peers.entry(peer).and_modify(|state| state.since = None);
                let until = self.end_of(now, &peer);
                name.map(|user| Event::SessionExtended { user, device, session: number, until })
            }
            FactEvent::Ended(why) => {
                let before = self.peers.get(&peer).map_or((0, 0), |state| state.carried);
                let (received, sent) = peers.carried(&peer);
                let (received, sent) = (received.saturating_sub(before.0), sent.saturating_sub(before.1));
                self.give_back(now, peer, user);
                if let Some(session) = session {
                    self.end_in_store(now, peer, session);
                }
                let reason = Text::new(why_ended(why));
                name.map(|user| Event::SessionEnded { user, device, session: number, reason, received, sent })
            }
            _ => None,
        };
        if let Some(event) = event {
            self.emit(now, event);
        }
    }

    /// How many recovery codes a user has left.
    fn recovery_left(&mut self, now: Now, user: Option<UserId>) -> u64 {
        let left = user.map(|user| self.store.recovery_left(super::work::row_of(user)));
        left.and_then(|left| self.stored(now, left)).unwrap_or_default()
    }

    /// A session begins: what is carried from here on is its own. By which factors it was opened.
    fn begun(&mut self, peers: &dyn Peers, peer: &PublicKey) -> Text {
        let Some(state) = self.peers.get_mut(peer) else { return Text::new("") };
        (state.carried, state.since) = (peers.carried(peer), None);
        Text::new(&words(state.shown))
    }

    /// Until when logins of a peer are limited, if that is not on record: whoever hammers fills no disk.
    fn newly_limited(&mut self, now: Now, peer: &PublicKey, wait: Duration) -> Option<Time> {
        let state = self.peers.get_mut(peer)?;
        let until = now.time().after(wait);
        let is_known = state.limited.is_some_and(|known| now.time() < known);
        (!is_known).then(|| *state.limited.insert(until))
    }

    fn end_of(&self, now: Now, peer: &PublicKey) -> Time {
        let until = self.sessions.view(peer).and_then(|view| view.until);
        until.map_or(now.time(), |until| now.time().after(until.since(now.at)))
    }

    /// Ends a session in the store; if that fails, when the store is back.
    pub(super) fn end_in_store(&mut self, now: Now, peer: PublicKey, session: SessionId) {
        let ended = self.store.end_session(now.time(), &peer, Some(session.0));
        if self.stored(now, ended).is_none() {
            self.unended.insert(peer, session.0);
        }
    }

    /// Whether a line could be written now.
    pub(super) fn can_record(&mut self, now: Now) -> bool {
        let hold = self.recorder.hold();
        hold.and_then(|hold| self.recorder.is_ready(&hold, now.time())).is_ok()
    }

    pub(super) fn emit(&mut self, now: Now, event: Event) {
        match self.recorder.emit(now.time(), event) {
            Ok(()) => self.is_unsynced = true,
            Err(_) => self.lost_lines = self.lost_lines.saturating_add(1),
        }
    }

    /// What was recorded outlasts a loss of power.
    pub(super) fn sync(&mut self) {
        if std::mem::take(&mut self.is_unsynced) && self.recorder.sync().is_err() {
            self.lost_lines = self.lost_lines.saturating_add(1);
        }
    }

    /// What is counted only, and a checkpoint.
    pub(super) fn sum_up(&mut self, now: Now) {
        self.is_exhaustion_told = false;
        let count = std::mem::take(&mut self.failures);
        if count > 0 {
            self.emit(now, Event::LoginsFailed { count });
        }
        self.sum_up_rules(now);
        self.lost_lines = self.lost_lines.saturating_add(self.sessions.take_lost_facts());
        if self.recorder.checkpoint(now.time()).is_err() {
            self.lost_lines = self.lost_lines.saturating_add(1);
        }
    }
}

/// From which outer address a peer is heard.
pub(super) fn source(peers: &dyn Peers, peer: &PublicKey) -> SocketAddr {
    peers.source(peer).unwrap_or(UNKNOWN)
}

/// The word of a factor in settings and lines.
const fn word(factor: Factor) -> &'static str {
    match factor {
        Factor::Password => "password",
        Factor::Certificate => "certificate",
        Factor::Text => "challenge",
        Factor::Web => "web",
        Factor::Code => "totp",
    }
}

fn words(factors: FactorSet) -> String {
    factors.iter().map(word).collect::<Vec<_>>().join(" ")
}

const fn why_ended(why: Reason) -> &'static str {
    match why {
        Reason::Expired => "expired",
        Reason::Idle => "idle",
        Reason::Logout => "logout",
        Reason::NewLogin => "replaced",
        Reason::Quota => "quota",
        Reason::Offline => "offline",
        Reason::UserDisabled => "disabled",
        Reason::Elsewhere => "elsewhere",
        Reason::PeerChanged => "removed",
        _ => "revoked",
    }
}
