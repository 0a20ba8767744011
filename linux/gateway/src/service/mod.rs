//! The gateway's service: logins over the control channel, sessions, leases, audit. It joins the rooms beside it with the core.
//!
//! [`Service`] stands beside a [`Tunnel`] whose role is [`Gateway`](underpass_core::ControlRole::Gateway). It has no socket and no
//! clock; of I/O it has its store, its audit log, the files of certificates, and the threads that hash passwords. So it
//! belongs on a thread of its own, never on the one that moves packets. The host
//!
//! - hands it each [`Inbound::Control`](underpass_core::tunnel::Inbound::Control) ([`Service::handle_message`]), the time when it is due
//!   ([`Service::handle_timeout`]), and calls [`Service::handle_passwords`] when the workers wake it;
//! - hands it each event of [`Tunnel::poll_filter_event`] ([`Service::handle_filter_event`]), and how far local time is ahead of
//!   UTC at the start and when that changes ([`Service::handle_local_time`]);
//! - after each of these carries out every [`Action`], in order ([`Service::poll_action`]), and asks [`Service::poll_timeout`].
//!
//! ```
//! use underpass_core::Tunnel;
//! use underpass_core::tunnel::Inbound;
//! use underpass_gateway::service::{Action, Now, Service};
//!
//! /// The tunnel has opened a datagram.
//! fn opened(service: &mut Service, tunnel: &mut Tunnel, now: Now, inbound: Inbound<&mut [u8]>) {
//!     let Inbound::Control { peer, message, .. } = inbound else { return };
//!     let Some(key) = tunnel.peer(peer).map(|peer| *peer.public_key()) else { return };
//!     service.handle_message(now, tunnel, key, message);
//!     carry_out(service, tunnel, now);
//! }
//!
//! /// After every call of the service.
//! fn carry_out(service: &mut Service, tunnel: &mut Tunnel, now: Now) {
//!     while let Some(action) = service.poll_action() {
//!         match action {
//!             Action::Change(change) => tunnel.configure(now.at, &[change]).expect("memory for a peer"),
//!             Action::EndSessions(key) => {
//!                 if let Some(peer) = tunnel.peer_by_key(&key) {
//!                     tunnel.end_sessions(now.at, peer);
//!                 }
//!             }
//!             Action::Send { peer, message } => {
//!                 if let Some(peer) = tunnel.peer_by_key(&peer) {
//!                     // What is not taken is sent again, or asked for again.
//!                     let _taken = tunnel.send_control(now.at, peer, &message);
//!                 }
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `start` | makes a service of [`Settings`](crate::settings::Settings), the store and the rest, and takes up what was open before |
//! | `plan` | what the settings say, in the types of the core |
//! | `ask` | requests of clients, and what they are answered |
//! | `certify` | certificates, and the users whom they name |
//! | `enrol` | devices that make themselves known with a one-time key |
//! | `failures` | failures of logins, which outlive a restart |
//! | `reply` | the words of the core in those of the channel |
//! | `work` | what a login needs of the store and the workers |
//! | `address` | leases: pools, store, allowed IPs |
//! | `rules` | which rules of the settings apply to whom, and what the tunnel tells of them |
//! | `look` | changes that others make in the store: revocations, devices |
//! | `record` | facts become lines of audit, and ends of sessions go to the store |
//!
//! **Nothing fails open.** Peers that have to log in are added locked, and stay so until the store has written their session down.
//! What the settings ask for and the service does not do yet is a [`StartError`].
//!
//! **What no rule allows is denied**: users reach what a rule of the settings lets them reach, each other only where a rule names
//! addresses of theirs, and settings without rules let nobody reach anything. Nobody begins anything towards a user. A site that a
//! rule names may begin what rules allow it, and is reached by the gateway's own side; one that no rule names is as open as its
//! networks. Rules follow a user's groups within half a second, hours and days at the next packet.
//!
//! **What it does not do.** A hash of another cost than today's is not made anew. A certificate that is revoked
//! ends no session that it has opened. Directories and browsers are not served. Rules for devices other than sites are refused.
//!
//! **Rows are the truth.** The store is looked at twice a second: a session that is not there any more is closed, with its keypairs. While
//! the store is away nobody logs in, and what is open stays open until the offline limit; the end of a session that could not be
//! written is written when the store is back. A gateway that is killed before that takes the session up again.
mod address;
mod ask;
mod certify;
mod enrol;
mod failures;
mod look;
mod plan;
mod record;
mod reply;
mod rules;
mod start;
mod work;

pub use rules::{Explained, Question, explain};
pub use start::{Parts, StartError, serves};

use crate::audit::{Event, Recorder, Text};
use crate::name::Name;
use crate::password::Workers;
use crate::store::{self, Store, StoreError};
use crate::time::Time;
use ipnet::IpNet;
use plan::Plan;
use rules::{Rulebook, Subject};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use underpass_core::control::message::{LoginId, Reply};
use underpass_core::control::{self, Received, Server, Wiped};
use underpass_core::policy::lease::Leases;
use underpass_core::policy::session::{self, Factor, FactorSet, Output, Sessions, UserId};
use underpass_core::{Change, Instant, PublicKey, Rng, Tunnel, UnixTime};

/// How often the store is looked at for changes of others.
const LOOK: Duration = Duration::from_millis(500);
/// How often failures are counted up and the audit log is signed for.
const MINUTE: Duration = Duration::from_secs(60);
/// A wall clock that differs by more from what was expected has been set.
const STEP: Duration = Duration::from_secs(1);

/// Both clocks, as they are at a call.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The clock of the tunnel.
    pub at: Instant,
    /// The time of day.
    pub wall: UnixTime,
}

impl Now {
    fn time(self) -> Time {
        self.wall.into()
    }

    /// An instant in seconds since 1970.
    fn seconds(self, at: Instant) -> u64 {
        let wall = self.wall.as_duration();
        (wall + at.since(self.at)).saturating_sub(self.at.since(at)).as_secs()
    }
}

/// What the host knows of its peers: a [`Tunnel`], or what another thread has copied of it.
pub trait Peers {
    /// When an authentic datagram came last.
    fn heard(&self, peer: &PublicKey) -> Option<Instant>;
    /// The outer address from which it came.
    fn source(&self, peer: &PublicKey) -> Option<SocketAddr>;
    /// Bytes that were received from the peer and sent to it.
    fn carried(&self, peer: &PublicKey) -> (u64, u64);
}

impl Peers for Tunnel {
    fn heard(&self, peer: &PublicKey) -> Option<Instant> {
        self.peer(self.peer_by_key(peer)?)?.last_heard()
    }

    fn source(&self, peer: &PublicKey) -> Option<SocketAddr> {
        self.peer(self.peer_by_key(peer)?)?.path().map(|path| path.remote)
    }

    fn carried(&self, peer: &PublicKey) -> (u64, u64) {
        let stats = self.peer_by_key(peer).and_then(|peer| self.peer(peer)).map(|peer| peer.stats());
        stats.map_or((0, 0), |stats| (stats.rx_bytes, stats.tx_bytes))
    }
}

/// What the host is to do with its tunnel.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "few wait at a time, and each is carried out at once")]
pub enum Action {
    /// [`Tunnel::configure`] with this. The first of all makes the tunnel a gateway.
    Change(Change),
    /// [`Tunnel::end_sessions`] of this peer: its session was taken away.
    EndSessions(PublicKey),
    /// [`Tunnel::send_control`] to this peer. If the tunnel does not take it, it is lost, as a datagram may be.
    Send {
        /// To whom.
        peer: PublicKey,
        /// The message.
        message: Wiped,
    },
}

/// A peer: a device of the store, or a site of the settings.
#[derive(Debug, Default)]
struct Peer {
    is_site: bool,
    /// The addresses that it has.
    leased: Vec<IpAddr>,
    /// The request for a login that waits for an answer.
    waiting: Option<control::RequestId>,
    /// The login that was spoken of last, and what it asks for.
    login: Option<LoginId>,
    asks: Option<Factor>,
    /// The nonces of the gateway's last hello and of the client's login: a signature covers both.
    hello: Option<[u8; 32]>,
    nonce: [u8; 16],
    /// Who it is said to be that logs in.
    claimed: Option<Text>,
    /// What was shown for the session.
    shown: FactorSet,
    /// Bytes that were carried before the session.
    carried: (u64, u64),
    /// Since when a session lasts that was taken up after a restart, in seconds since 1970.
    since: Option<u64>,
    /// That its logins are limited is on record until then.
    limited: Option<Time>,
    /// Its number in events of the tunnel, while rules apply to it.
    subject: Option<u64>,
}

/// The service. See the [module](self).
pub struct Service {
    plan: Plan,
    store: Box<dyn Store>,
    /// The store failed last time.
    is_away: bool,
    recorder: Recorder,
    /// Whether something was recorded that is not on the disk yet; lines that could not be written.
    is_unsynced: bool,
    lost_lines: u64,
    workers: Workers,
    jobs: BTreeMap<u64, session::RequestId>,
    next_job: u64,
    rng: Box<dyn Rng>,
    server: Server<PublicKey>,
    sessions: Sessions,
    leases: Leases,
    peers: BTreeMap<PublicKey, Peer>,
    /// The issuers whose certificates count; `None`: none.
    trust: Option<certify::Trust>,
    /// Peers that are there for an enrolment and reach nothing else.
    enrolling: BTreeMap<PublicKey, enrol::Enrolling>,
    /// Users who have logged in, or tried to.
    names: BTreeMap<UserId, Name>,
    actions: VecDeque<Action>,
    /// The number of the last change in the store that was seen.
    seen: u64,
    look_at: Instant,
    minute_at: Instant,
    failures: u64,
    /// That a pool is exhausted was recorded in this minute.
    is_exhaustion_told: bool,
    /// Sessions of which the store does not know yet that they have ended.
    unended: BTreeMap<PublicKey, u64>,
    /// Both clocks, when they were last compared.
    clocks: Now,
    /// Rises with each change of a client's settings.
    version: u64,
    rulebook: Rulebook,
    /// Who the events of the tunnel are about, by the numbers that the tunnel was given.
    subjects: BTreeMap<u64, Subject>,
    last_subject: u64,
    /// Peers that got empty rules, so that nothing passes, because the store did not answer.
    unruled: BTreeSet<PublicKey>,
    /// Denied packets since the last line about them.
    denials: u64,
}

impl Service {
    /// A peer sent this over the control channel. Peers that the service does not know are not listened to.
    pub fn handle_message(&mut self, now: Now, peers: &dyn Peers, peer: PublicKey, message: &[u8]) {
        self.enter(now);
        if self.peers.contains_key(&peer) || self.enrolling.contains_key(&peer) {
            let received = self.server.handle_message(now.at, &mut *self.rng, peer, message);
            if let Received::Request { id, request, .. } = received {
                self.ask(now, peers, peer, id, request);
            }
        }
        self.drain(now, peers);
    }

    /// The workers have answers.
    pub fn handle_passwords(&mut self, now: Now, peers: &dyn Peers) {
        self.enter(now);
        self.collect(now);
        self.drain(now, peers);
    }

    /// Does what is due. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Now, peers: &dyn Peers) {
        self.enter(now);
        self.server.handle_timeout(now.at, &mut *self.rng);
        self.sessions.handle_timeout(now.at, &|peer| peers.heard(peer));
        self.drain(now, peers);
        self.expire_leases(now);
        if self.look_at <= now.at {
            self.look_at = now.at + LOOK;
            self.look(now, peers);
            self.expire_enrolments(now);
        }
        if self.minute_at <= now.at {
            self.minute_at = now.at + MINUTE;
            self.sum_up(now);
            let forgotten = self.store.forget_enrolments(now.time());
            self.stored(now, forgotten);
            self.forget_failures(now);
            self.read_certificates();
        }
        self.drain(now, peers);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let next = [self.server.poll_timeout(), self.sessions.poll_timeout(), self.leases.poll_timeout()];
        next.into_iter().flatten().fold(self.look_at.min(self.minute_at), Instant::min)
    }

    /// The next thing that the host is to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Records that the gateway stops. Sessions stay open in the store, for the next start.
    pub fn stop(&mut self, now: Now, reason: &str) {
        self.emit(now, Event::GatewayStopped { reason: Text::new(reason) });
        self.sum_up(now);
        self.sync();
    }

    /// Whether the store could be reached last time.
    #[must_use]
    pub fn is_store_there(&self) -> bool {
        !self.is_away
    }

    /// Lines of audit that could not be written.
    #[must_use]
    pub fn lost_lines(&self) -> u64 {
        self.lost_lines
    }

    /// Sessions that are open.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.sessions.open()
    }

    /// Devices of users that the tunnel knows.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.peers.len() - self.sites()
    }

    /// Sites, which need no login.
    #[must_use]
    pub fn sites(&self) -> usize {
        self.peers.values().filter(|peer| peer.is_site).count()
    }

    /// How many addresses of each pool are given.
    pub fn leases_in_use(&self) -> impl Iterator<Item = (IpNet, usize)> {
        let used =
            |pool: IpNet| self.peers.values().flat_map(|peer| &peer.leased).filter(|it| pool.contains(*it)).count();
        self.plan.pools.iter().map(move |pool| (pool.network, used(pool.network)))
    }

    /// Passwords that are being looked at.
    #[must_use]
    pub fn passwords(&self) -> usize {
        self.jobs.len()
    }

    /// Compares the clocks: the time of day may have been set.
    fn enter(&mut self, now: Now) {
        let expected = self.clocks.wall.as_duration() + now.at.since(self.clocks.at);
        if now.wall.as_duration().abs_diff(expected) > STEP {
            self.sessions.handle_wall_clock(now.at, Some(now.wall));
        }
        self.clocks = now;
    }

    /// Carries out what the sessions want, until they want nothing more.
    fn drain(&mut self, now: Now, peers: &dyn Peers) {
        loop {
            if let Some((id, request)) = self.sessions.poll_request() {
                self.work(now, id, request);
            } else if let Some(output) = self.sessions.poll_output() {
                self.carry_out(now, output);
            } else if let Some(fact) = self.sessions.poll_fact() {
                self.note(now, peers, fact);
            } else {
                break;
            }
        }
        // What is sent follows what was changed for it.
        while let Some(transmit) = self.server.poll_transmit() {
            self.actions.push_back(Action::Send { peer: transmit.peer, message: transmit.message });
        }
        self.sync();
    }

    fn carry_out(&mut self, now: Now, output: Output) {
        match output {
            Output::Access { peer, access, end_sessions } => {
                self.set_access(now, peer, access);
                if end_sessions {
                    self.actions.push_back(Action::EndSessions(peer));
                    self.server.session_began(now.at, &mut *self.rng, peer);
                }
            }
            Output::Answer { peer, answer } => self.answer_login(now, peer, answer),
            Output::Push { peer, .. } => {
                let session = Reply::Session(self.session_of(now, &peer));
                self.push(now, peer, &session);
            }
        }
    }

    /// Tells a client that watches. What cannot be told now, it finds out when it asks.
    fn push(&mut self, now: Now, peer: PublicKey, reply: &Reply) {
        let _told = self.server.push(now.at, &mut *self.rng, peer, reply);
    }

    fn change(&mut self, change: Change) {
        self.actions.push_back(Action::Change(change));
    }

    /// What the store said; `None`: it failed. If it cannot be reached, it counts as away until it is heard again.
    fn stored<T>(&mut self, now: Now, answer: store::Result<T>) -> Option<T> {
        if answer.as_ref().is_err_and(StoreError::is_outage) {
            self.lose_store(now);
        }
        answer.ok()
    }

    fn lose_store(&mut self, now: Now) {
        if !self.is_away {
            self.is_away = true;
            self.sessions.handle_store(now.at, false);
        }
    }
}

/// Nothing of anybody.
impl std::fmt::Debug for Service {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Service")
            .field("peers", &self.peers.len())
            .field("sessions", &self.sessions)
            .field("leases", &self.leases)
            .finish_non_exhaustive()
    }
}
