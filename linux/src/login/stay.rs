//! What was granted, and how it is kept: the lease is renewed in time, changes of settings and session are heard of.
//!
//! A lease is renewed when the gateway says so. If that fails, it is tried again after half of the time that is left, a second at
//! least (as in RFC 2131 § 4.4.5). When the time is over it is tried once more, for the machine may have slept; if that fails
//! too, the login ends.
use super::driver::{Purpose, Stage, seconds};
use super::{Driver, End, Output};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use underpass_core::Instant;
use underpass_core::control::local::{self, Granted};
use underpass_core::control::message::{Config, Lease, LeaseRequest, Reason, Request, Session, SessionState, Watch};

/// The shortest time between two requests for the same lease.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long after the end of a session the gateway is asked about it.
const GRACE: Duration = Duration::from_secs(2);

/// What was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who is logged in, as the gateway knows the user.
    pub user: Option<String>,
    /// When the session ends, if it is not renewed.
    pub left: Option<Duration>,
    /// The settings that are taken, and those that are not.
    pub granted: Granted,
}

/// What is known of the stay.
#[derive(Debug, Default)]
pub(super) struct Stay {
    lease: Option<Held>,
    config: Option<Config>,
    session: Option<Session>,
    /// The settings that the host was told last.
    told: Option<Granted>,
    /// When a new login is due by the gateway's clock, and of which such time the host was told last.
    due: Option<u64>,
    told_due: Option<u64>,
    /// When a new login is due.
    login_due: Option<Instant>,
    /// When to ask how the session stands.
    look_at: Option<Instant>,
}

/// Addresses, and until when.
#[derive(Clone, Copy, Debug)]
struct Held {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
    ask_at: Instant,
    until: Instant,
}

impl Stay {
    /// When something is due.
    pub(super) fn due(&self, stage: Stage) -> Option<Instant> {
        let inside = stage == Stage::Inside;
        let times = [self.lease.map(|held| held.ask_at), self.login_due, self.look_at];
        times.into_iter().flatten().filter(|_| inside).min()
    }
}

impl Driver {
    /// The user has proved who it is.
    pub(super) fn let_in(&mut self, now: Instant) {
        match self.stage {
            Stage::Inside => self.ask(now, Purpose::Session, &Request::Session),
            _ => self.enter(now),
        }
    }

    /// Asks for what is granted.
    pub(super) fn enter(&mut self, now: Instant) {
        self.stage = Stage::Entering;
        self.ask_lease(now);
        self.watch(now, Watch::Config);
        self.watch(now, Watch::Session);
    }

    fn ask_lease(&mut self, now: Instant) {
        let held = self.stay.lease;
        let wanted = LeaseRequest { want_v4: held.and_then(|held| held.v4), want_v6: held.and_then(|held| held.v6) };
        self.ask(now, Purpose::Lease, &Request::Lease(wanted));
    }

    pub(super) fn leased(&mut self, now: Instant, lease: Lease) {
        let Lease { v4, v6, renew_after, valid_for, .. } = lease;
        let ask_at = now + seconds(renew_after).max(SHORTEST);
        self.stay.lease = Some(Held { v4, v6, ask_at, until: now + seconds(valid_for) });
        self.tell(now);
    }

    pub(super) fn configured(&mut self, now: Instant, config: Config) {
        self.stay.config = Some(config);
        self.tell(now);
    }

    pub(super) fn session_is(&mut self, now: Instant, session: Session) {
        if !matches!(session.state, SessionState::Open | SessionState::Grace) {
            return self.end(End::ByGateway(session.state, session.reason));
        }
        let expires = session.expires.map(|time| self.instant(time));
        let before = self.stay.session.as_ref().and_then(|session| session.expires);
        let is_renewed = self.stage == Stage::Inside && session.expires > before;
        self.stay.look_at = expires.map(|at| at.max(now) + GRACE);
        let is_due = session.state == SessionState::Grace || session.reason == Some(Reason::LoginDue);
        self.stay.due = session.login_due.or(session.expires.filter(|_| is_due));
        let untold = self.stay.due.filter(|due| self.stay.told_due != Some(*due));
        self.stay.login_due = untold.map(|time| if is_due { now } else { self.instant(time) });
        self.stay.session = Some(session);
        if is_renewed {
            self.put(Output::Renewed(self.left(now)));
        }
        self.tell(now);
        self.remind(now);
    }

    /// Something that was asked came to nothing.
    pub(super) fn failed(&mut self, now: Instant, purpose: Purpose, end: End) {
        if self.stage != Stage::Inside {
            return self.end(end);
        }
        match (purpose, self.stay.lease.as_mut()) {
            (Purpose::Lease, Some(held)) if held.until > now => {
                held.ask_at = now + (held.until.since(now) / 2).max(SHORTEST);
            }
            (Purpose::Lease, _) => self.end(End::LeaseLost),
            // If there are no settings any more, the session tells why.
            (Purpose::Config, _) if matches!(end, End::Refused(..)) => {
                self.ask(now, Purpose::Session, &Request::Session);
            }
            // It is asked again with the next session of the tunnel, or when the time of this one is over.
            _ => {}
        }
    }

    /// Does what is due.
    pub(super) fn stay_on(&mut self, now: Instant) {
        if self.stage != Stage::Inside {
            return;
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.stay.lease.map(|held| held.ask_at)) {
            // Until this one is answered, another is not worth asking.
            let later = now + Duration::from_secs(600);
            self.stay.lease.iter_mut().for_each(|held| held.ask_at = later);
            if !self.is_asking(Purpose::Lease) {
                self.ask_lease(now);
            }
        }
        self.remind(now);
        if is_due(self.stay.look_at) {
            self.stay.look_at = Some(now + Duration::from_secs(60));
            if !self.is_asking(Purpose::Session) {
                self.ask(now, Purpose::Session, &Request::Session);
            }
        }
    }

    /// Tells that a new login is due, once for each time it is.
    fn remind(&mut self, now: Instant) {
        if self.stage == Stage::Inside && self.stay.login_due.is_some_and(|at| at <= now) {
            self.stay.login_due = None;
            self.stay.told_due = self.stay.due;
            self.put(Output::LoginDue(self.left(now)));
        }
    }

    /// Tells the host what is granted, if all is known of it and it is not what it was.
    fn tell(&mut self, now: Instant) {
        let (Some(held), Some(config), Some(session)) = (self.stay.lease, &self.stay.config, &self.stay.session) else {
            return;
        };
        let Some(granted) = local::check(&with_lease(config, &held), &self.policy.as_local()) else {
            return self.end(End::NoMemory);
        };
        let user = session.user.clone();
        self.stage = Stage::Inside;
        let is_news = self.stay.told.as_ref().is_none_or(|told| is_other(told, &granted));
        if is_news {
            self.stay.told = Some(granted.clone());
            self.put(Output::Granted(Box::new(Grant { user, left: self.left(now), granted })));
        }
        self.remind(now);
    }

    /// How long the session lasts.
    fn left(&self, now: Instant) -> Option<Duration> {
        let expires = self.stay.session.as_ref().and_then(|session| session.expires)?;
        Some(self.instant(expires).since(now))
    }

    /// A time of the gateway's clock, by ours.
    fn instant(&self, time: u64) -> Instant {
        let (at, then) = self.hello.as_ref().map_or((Instant::ZERO, time), |(at, hello)| (*at, hello.now));
        at + Duration::from_secs(time.saturating_sub(then))
    }
}

/// The settings with the addresses of the lease, which counts where they say something else.
fn with_lease(config: &Config, held: &Held) -> Config {
    let v4 = held.v4.map(|address| {
        let said = config.v4.filter(|net| net.addr() == address);
        said.unwrap_or_else(|| address.into())
    });
    let v6 = held.v6.map(|address| {
        let said = config.v6.filter(|net| net.addr() == address);
        said.unwrap_or_else(|| address.into())
    });
    Config { v4, v6, ..config.clone() }
}

/// Whether anything is set differently; the version alone is no difference.
fn is_other(one: &Granted, other: &Granted) -> bool {
    let unversioned = |granted: &Granted| Config { version: 0, ..granted.config.clone() };
    unversioned(one) != unversioned(other)
}
