//! The words of the core's policy in those of the control channel.
use super::{Now, Service, plan};
use std::net::IpAddr;
use std::time::Duration;
use underpass_core::PublicKey;
use underpass_core::control::message::Refusal;
use underpass_core::control::message::{
    Challenge, Config, Hello, LoginId, LoginReply, Method, Outcome, Reason, Session, SessionState,
};
use underpass_core::control::{Code, MAX_BODY};
use underpass_core::policy::session::{self, Answer, Factor, State};

impl Service {
    pub(super) fn hello(&mut self, now: Now, peer: &PublicKey) -> Result<Hello, Refusal> {
        let mut nonce = [0; 32];
        self.rng.fill(&mut nonce).map_err(|_| Refusal::of(Code::UNAVAILABLE))?;
        if let Some(known) = self.peers.get_mut(peer) {
            known.hello = Some(nonce);
        }
        let state = self.session_of(now, peer).state;
        let is_site = self.peers.get(peer).is_some_and(|peer| peer.is_site);
        let methods = if is_site { Vec::new() } else { plan::ways(self.sessions.requires()) };
        let (wall, max_body) = (now.wall.as_duration().as_secs(), MAX_BODY as u32);
        Ok(Hello { nonce, state, now: wall, methods, max_body, features: 0, banner: None })
    }

    /// How a peer's login stands.
    pub(super) fn session_of(&self, now: Now, peer: &PublicKey) -> Session {
        let Some(view) = self.sessions.view(peer) else { return Session::of(SessionState::Locked) };
        let (state, why) = state(view.state);
        let seconds = |at: underpass_core::Instant| now.seconds(at);
        let since = self.peers.get(peer).and_then(|peer| peer.since);
        let idle = self.plan.idle.filter(|_| view.session.is_some());
        Session {
            user: view.user.and_then(|user| self.names.get(&user)).map(ToString::to_string),
            since: view.since.map(|at| since.unwrap_or_else(|| seconds(at))),
            expires: view.until.map(seconds),
            login_due: view.reauth_at.map(seconds),
            idle_after: idle.map(whole_seconds),
            reason: why,
            ..Session::of(state)
        }
    }

    /// What a client is told to set.
    pub(super) fn config_of(&self, peer: &PublicKey) -> Config {
        let mut config = Config { version: self.version, ..self.plan.config.clone() };
        for address in self.peers.get(peer).into_iter().flat_map(|peer| &peer.leased) {
            let length = self.plan.pool_of(*address).map_or(0, |pool| pool.network.prefix_len());
            match address {
                IpAddr::V4(address) => config.v4 = ipnet::Ipv4Net::new(*address, length).ok(),
                IpAddr::V6(address) => config.v6 = ipnet::Ipv6Net::new(*address, length).ok(),
            }
        }
        config
    }
}

/// What a client hears of its login.
pub(super) fn login_reply(known: Option<LoginId>, answer: &Answer) -> LoginReply {
    let known = known.unwrap_or(LoginId([0; 8]));
    let (login, outcome) = match answer {
        Answer::Done { .. } => (known, Outcome::Done),
        Answer::Challenge(challenge) => (LoginId(challenge.login.0), Outcome::Challenge(asked(challenge))),
        Answer::Reject => (known, Outcome::Rejected { retry_after: None }),
        Answer::Wait { login, after } => (LoginId(login.0), Outcome::Wait { retry_after: Some(whole_seconds(*after)) }),
        Answer::RetryAfter(after) => (known, Outcome::Rejected { retry_after: Some(whole_seconds(*after)) }),
    };
    LoginReply { login, outcome }
}

fn asked(challenge: &session::Challenge) -> Challenge {
    Challenge {
        id: challenge.id,
        method: method(challenge.kind),
        prompt: challenge.prompt.as_ref().map_or_else(String::new, |prompt| prompt.as_str().to_owned()),
        echo: challenge.echo,
        digits: challenge.digits,
        expires: whole_seconds(challenge.expires),
        url: None,
    }
}

/// Rounded up: who waits for so long has waited long enough.
pub(super) fn whole_seconds(span: Duration) -> u32 {
    let up = u64::from(span.subsec_nanos() > 0);
    u32::try_from(span.as_secs().saturating_add(up)).unwrap_or(u32::MAX)
}

pub(super) const fn method(factor: Factor) -> Method {
    match factor {
        Factor::Password => Method::Password,
        Factor::Certificate => Method::SigningCertificate,
        Factor::Text => Method::Questions,
        Factor::Web => Method::Web,
        Factor::Code => Method::Code,
    }
}

const fn state(state: State) -> (SessionState, Option<Reason>) {
    match state {
        State::Free | State::Open => (SessionState::Open, None),
        State::Locked(None) => (SessionState::Locked, None),
        State::Locked(Some(why)) => (SessionState::Locked, Some(reason(why))),
        State::Challenged(_) => (SessionState::Challenged, None),
        State::ReauthDue => (SessionState::Open, Some(Reason::LoginDue)),
        State::Grace => (SessionState::Grace, Some(Reason::LoginDue)),
        State::Revoked(why) => (SessionState::Revoked, Some(reason(why))),
    }
}

/// Why a session ended, as far as its user needs to know.
const fn reason(why: session::Reason) -> Reason {
    match why {
        session::Reason::Expired | session::Reason::Offline => Reason::Expired,
        session::Reason::Idle => Reason::Idle,
        session::Reason::Logout => Reason::LoggedOut,
        session::Reason::NewLogin | session::Reason::Elsewhere => Reason::NewLogin,
        session::Reason::Quota => Reason::Quota,
        _ => Reason::Revoked,
    }
}
