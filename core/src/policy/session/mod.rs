//! Logins and sessions of a gateway's peers: who may do what, and until when.
//!
//! ```text
//!            start            every factor shown, right, and written down
//!   Locked ────────▶ Challenged ─────────────▶ Open ──▶ ReauthDue ──▶ Grace ──▶ Locked
//!     ▲  ▲               │                       │          │           │
//!     │  └── reject ─────┘                       └──────────┴───────────┴──▶ Revoked
//!     └───── logout, idle, quota, offline limit ────────────────────────────────┘ (a new login)
//! ```
//!
//! [`Sessions`] decides and does no work of its own that is slow or stored: that leaves as a [`Request`] and comes back by
//! [`complete`](Sessions::complete). Its methods are of the four kinds of [`Tunnel`](crate::Tunnel): configure, tell facts, drain, ask.
//! After every call of the first two kinds the host drains [`poll_request`](Sessions::poll_request),
//! [`poll_output`](Sessions::poll_output) and [`poll_fact`](Sessions::poll_fact), and asks [`poll_timeout`](Sessions::poll_timeout).
//!
//! **Nobody gets in** unless one of his alternatives of factors was shown in whole, all that was shown was right, and the store
//! wrote the session down. A request that is not answered in time, an answer to another question, memory or randomness that is
//! missing: each ends the login.
//!
//! **Failures are alike.** A wrong password is not told before the last factor was shown. A name that there is not, a wrong password
//! and a wrong code lead to the same answers by the same requests, for nobody where it is about nobody. See [`Settings::requires`]
//! for what remains visible.
//!
//! **A session goes on** while its user logs in again, and follows the old one without interruption. [`GRACE`] is the last part of it,
//! not an addition.
//!
//! **Time.** Deadlines are in internal time, which a faulty clock of the host neither stops nor turns back, as in a
//! [`Tunnel`](crate::tunnel). Wall time is used for codes by time and for [`User::not_after`] alone. Where it is set, ends by
//! `not_after` move with it, but no session ever lasts longer than its lifetime. Where it is not known, nobody who needs it gets
//! in, and what is open stays as it was.
//!
//! **Memory** is bounded by the number of peers, [`Settings::logins`] and [`Settings::facts`]: some 400 bytes a peer, 200 more and the
//! groups where somebody is logged in, and 100 a fact that waits to be polled.
mod begin;
mod check;
mod factor;
mod grant;
mod login;
mod outcome;
mod output;
mod peer;
mod recall;
mod replies;
mod request;
mod settings;
mod shared;
mod table;
mod text;
mod timeout;
mod user;

pub use factor::{Alternatives, Factor, FactorSet};
pub use login::Credential;
pub use output::{Access, Answer, Challenge, Fact, FactEvent, LoginId, Output, Push, Reason, State, View};
pub use peer::PeerKind;
pub use recall::FailuresOf;
pub use request::{Reply, Request, RequestId, Stale};
pub use settings::{CHALLENGE_TIME, EVIDENCE_LEN, GRACE, Settings, TEXT_ROUNDS, WEB_TIME, WRONG_CODES};
pub use text::{NAME_LEN, PASSWORD_LEN, SecretText, TEXT_LEN};
pub use timeout::Resumed;
pub use user::{CODES, CodeFactor, FactorId, GroupId, RulesId, SessionId, User, UserId};

use crate::crypto::{PublicKey, Rng};
use crate::error::NoRandomness;
use crate::memory::NoMemory;
use crate::policy::attempts::Attempts;
use crate::policy::code::{Algorithm, Moving, OneTimeCode, OtpSecret, RecoveryKey};
use crate::time::{Instant, UnixTime};
use crate::timers::DeadlineQueue;
use crate::tunnel::clock::{Clock, Tick, WallClock};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;
use peer::Peer;
use shared::Shared;
use table::Table;

/// "Never", for a peer that stays in the queue of deadlines: so it needs no memory later.
const NEVER: Instant = Instant::from_nanos(u64::MAX - 1);

/// Why a call did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// There is no such peer.
    UnknownPeer,
    /// There is no memory.
    NoMemory,
    /// The peer needs no login, or has a session.
    NotNeeded,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownPeer => "there is no such peer",
            Self::NoMemory => "there is no memory for it",
            Self::NotNeeded => "the peer needs no session",
        })
    }
}

impl core::error::Error for SessionError {}

impl From<NoMemory> for SessionError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Logins and sessions. See the [module](self).
pub struct Sessions {
    shared: Shared,
    peers: Table,
    /// Every peer stands in it.
    deadlines: DeadlineQueue,
    /// Peers with something to say, and with a request: each once.
    outputs: VecDeque<u32>,
    requests: VecDeque<u32>,
}

impl Sessions {
    /// No peers yet. `wall` is `None` when nobody knows what time it is.
    ///
    /// # Errors
    /// [`NoRandomness`], from `rng`, which is used for names of logins later.
    pub fn new(
        settings: Settings,
        recovery: RecoveryKey,
        mut rng: Box<dyn Rng>,
        now: Instant,
        wall: Option<UnixTime>,
    ) -> Result<Self, NoRandomness> {
        let (mut names, mut keys) = ([0; 16], [0; 32]);
        rng.fill(&mut names)?;
        rng.fill(&mut keys)?;
        let secret = OtpSecret::generate(&mut *rng)?;
        let (algorithm, moving) = (Algorithm::Sha1, Moving::Time { period: 30 });
        let nobodys_code = OneTimeCode { secret, algorithm, digits: settings.digits, moving };
        let clock = Clock::new(now);
        let shared = Shared {
            settings,
            rng,
            clock,
            wall: wall.map(|wall| WallClock::new(clock.now(), wall)),
            attempts: Attempts::new(names),
            recovery,
            nobodys_code,
            requests: 0,
            logins: 0,
            open: 0,
            store_away: None,
            facts: VecDeque::new(),
            lost_facts: 0,
        };
        let (outputs, requests) = (VecDeque::new(), VecDeque::new());
        Ok(Self { shared, peers: Table::new(&keys), deadlines: DeadlineQueue::new(), outputs, requests })
    }

    /// Adds a peer, or changes whether it has to log in. A change ends its session.
    ///
    /// # Errors
    /// [`SessionError::NoMemory`], and nothing was changed.
    pub fn add_peer(&mut self, now: Instant, peer: PublicKey, kind: PeerKind) -> Result<(), SessionError> {
        self.enter(now);
        let slot = match self.peers.find(&peer) {
            Some(slot) => slot,
            None => self.insert(peer, kind)?,
        };
        self.with(slot, |peer, shared| {
            if peer.kind != kind {
                let was_free = peer.kind != PeerKind::Login;
                shared.end(peer, Reason::PeerChanged);
                peer.kind = kind;
                // Other rules for a peer without a login end nothing.
                peer.ends_sessions &= !(was_free && kind != PeerKind::Login);
            }
        });
        self.settle_top();
        Ok(())
    }

    /// Makes all that a peer needs later, too.
    fn insert(&mut self, peer: PublicKey, kind: PeerKind) -> Result<u32, NoMemory> {
        let more = self.peers.len().saturating_add(1);
        self.outputs.try_reserve(more.saturating_sub(self.outputs.len()))?;
        self.requests.try_reserve(more.saturating_sub(self.requests.len()))?;
        let slot = self.peers.insert(Peer::new(peer, kind))?;
        if !self.deadlines.move_earlier(slot, NEVER) {
            self.peers.remove(slot);
            return Err(NoMemory);
        }
        Ok(slot)
    }

    /// Removes a peer, with its session. The host removes it from the tunnel as well.
    ///
    /// # Errors
    /// [`SessionError::UnknownPeer`].
    pub fn remove_peer(&mut self, now: Instant, peer: &PublicKey) -> Result<(), SessionError> {
        self.enter(now);
        let slot = self.peers.find(peer).ok_or(SessionError::UnknownPeer)?;
        self.with(slot, |peer, shared| {
            shared.end_grant(peer, Reason::PeerChanged);
            shared.drop_login(peer);
        });
        self.peers.remove(slot);
        self.deadlines.remove(slot);
        self.outputs.retain(|waiting| *waiting != slot);
        self.requests.retain(|waiting| *waiting != slot);
        self.settle_top();
        Ok(())
    }

    /// A client begins a login. An answer follows, now or after a [reply](Self::complete).
    ///
    /// `name` may be empty where the credential tells who it is. It is taken in lower case; where it has other characters than
    /// ASCII, the host normalises it before (RFC 8265: NFC), and passwords too.
    ///
    /// # Errors
    /// [`SessionError::UnknownPeer`].
    pub fn start(
        &mut self,
        now: Instant,
        peer: &PublicKey,
        name: &str,
        credential: Credential<'_>,
    ) -> Result<(), SessionError> {
        self.by_key(now, peer, |peer, shared| shared.start(peer, name, credential))
    }

    /// A client answers a challenge, or asks what became of its login. An answer follows, now or after a
    /// [reply](Self::complete).
    ///
    /// # Errors
    /// [`SessionError::UnknownPeer`].
    pub fn answer(
        &mut self,
        now: Instant,
        peer: &PublicKey,
        login: LoginId,
        challenge: u32,
        credential: Credential<'_>,
    ) -> Result<(), SessionError> {
        self.by_key(now, peer, |peer, shared| shared.go_on(peer, login, challenge, credential))
    }

    /// The host has done what was requested, or could not.
    ///
    /// # Errors
    /// [`Stale`]: nobody waits for it any more.
    pub fn complete(&mut self, now: Instant, request: RequestId, reply: Reply) -> Result<(), Stale> {
        self.enter(now);
        let Self { peers, shared, .. } = self;
        let outcome = match peers.at_mut(request.slot) {
            Some(peer) => shared.reply(peer, request.number, reply),
            None => Err(Stale(reply)),
        };
        self.settle(request.slot);
        self.settle_top();
        outcome
    }

    /// The next request. The host answers each by [`complete`](Self::complete).
    pub fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        while let Some(slot) = self.requests.pop_front() {
            let Some(peer) = self.peers.at_mut(slot) else { continue };
            peer.in_requests = false;
            if let Some(login) = peer.login.as_mut()
                && let login::Stage::Host { number, request, .. } = &mut login.stage
                && let Some(request) = request.take()
            {
                return Some((RequestId { slot, number: *number }, request));
            }
        }
        None
    }

    /// The next thing to do. Of a peer, the access comes first, then an answer, then a push.
    pub fn poll_output(&mut self) -> Option<Output> {
        while let Some(slot) = self.outputs.front().copied() {
            if let Some(peer) = self.peers.at_mut(slot) {
                if let Some(output) = peer.output() {
                    return Some(output);
                }
                peer.in_outputs = false;
            }
            self.outputs.pop_front();
        }
        None
    }

    /// The next fact for the audit log.
    pub fn poll_fact(&mut self) -> Option<Fact> {
        self.shared.facts.pop_front()
    }

    /// How many facts were lost since the last call, for want of memory or because nobody polled them.
    pub fn take_lost_facts(&mut self) -> u64 {
        core::mem::take(&mut self.shared.lost_facts)
    }

    /// What a client may show, before anybody said who he is.
    #[must_use]
    pub const fn requires(&self) -> &Alternatives {
        &self.shared.settings.requires
    }

    /// What is known of a peer.
    #[must_use]
    pub fn view(&self, peer: &PublicKey) -> Option<View> {
        let peer = self.peers.at(self.peers.find(peer)?)?;
        let grant = peer.grant.as_ref();
        let (clock, now) = (self.shared.clock, self.shared.now());
        let on_host = |at: Instant| if at < now { Some(clock.was_on_host(at)) } else { clock.on_host(at) };
        Some(View {
            state: peer.state(),
            access: peer.access(),
            user: grant.map(|grant| grant.user),
            session: grant.map(|grant| grant.session),
            since: grant.and_then(|grant| on_host(grant.since)),
            until: grant.and_then(|grant| on_host(grant.until)),
            reauth_at: grant.and_then(|grant| on_host(grant.reauth_at())),
        })
    }

    /// The groups of whoever is logged in at a peer.
    #[must_use]
    pub fn groups(&self, peer: &PublicKey) -> &[GroupId] {
        let peer = self.peers.find(peer).and_then(|slot| self.peers.at(slot));
        peer.and_then(|peer| peer.grant.as_ref()).map_or(&[], |grant| &grant.groups)
    }

    /// Sessions that are open. Peers that need no login are not among them.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.shared.open
    }

    /// Reads the host's clock.
    fn enter(&mut self, now: Instant) {
        if self.shared.clock.advance(now) == Tick::Leapt
            && let Some(wall) = &mut self.shared.wall
        {
            wall.stay();
        }
    }

    fn by_key(
        &mut self,
        now: Instant,
        peer: &PublicKey,
        act: impl FnOnce(&mut Peer, &mut Shared),
    ) -> Result<(), SessionError> {
        self.enter(now);
        let slot = self.peers.find(peer).ok_or(SessionError::UnknownPeer)?;
        self.with(slot, act);
        self.settle_top();
        Ok(())
    }

    /// Lends a peer beside the rest.
    fn with(&mut self, slot: u32, act: impl FnOnce(&mut Peer, &mut Shared)) {
        if let Some(peer) = self.peers.at_mut(slot) {
            act(peer, &mut self.shared);
        }
        self.settle(slot);
    }

    /// Queues what a peer has to say and to ask, and its deadline.
    fn settle(&mut self, slot: u32) {
        let Some(peer) = self.peers.at_mut(slot) else { return };
        if peer.has_output() && !peer.in_outputs {
            peer.in_outputs = true;
            self.outputs.push_back(slot);
        }
        if peer.login.as_ref().is_some_and(|login| login.asks()) && !peer.in_requests {
            peer.in_requests = true;
            self.requests.push_back(slot);
        }
        self.deadlines.move_earlier(slot, peer.deadline().min(NEVER));
    }

    /// Makes the earliest deadline exact.
    fn settle_top(&mut self) {
        while let Some((slot, bound)) = self.deadlines.top() {
            let exact = self.peers.at(slot).map_or(Instant::MAX, |peer| peer.deadline().min(NEVER));
            if exact <= bound {
                return;
            }
            self.deadlines.move_top_later(exact);
        }
    }

    /// All slots.
    fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.peers.slots()
    }
}

/// Nothing of anybody.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("peers", &self.peers.len())
            .field("open", &self.shared.open)
            .field("logins", &self.shared.logins)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
