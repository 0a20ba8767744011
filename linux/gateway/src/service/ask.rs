//! Requests of clients.
use super::{Now, Peers, Service, reply};
use crate::audit::Text;
use crate::certificate::Evidence;
use underpass_core::PublicKey;
use underpass_core::control::message::{LoginId, LoginNext, LoginStart, Method, Refusal, Reply, Request};
use underpass_core::control::{AnswerError, Code, RequestId};
use underpass_core::policy::session::{self, Access, Answer, Credential, Factor, Reason};

/// Digits of the longest one-time code. What is longer, or has letters, is a recovery code.
const CODE_DIGITS: usize = 8;

impl Service {
    pub(super) fn ask(&mut self, now: Now, peers: &dyn Peers, peer: PublicKey, id: RequestId, request: Request) {
        let answer = match request {
            Request::Enrol(wanted) => self.enrol(now, peers, peer, wanted).map(Reply::Enrolled),
            // The peer of an enrolment reaches nothing else.
            _ if self.enrolling.contains_key(&peer) => Err(Refusal::of(Code::FORBIDDEN)),
            Request::Login(start) => return self.begin(now, peer, id, &start),
            Request::LoginNext(next) => return self.go_on(now, peer, id, &next),
            Request::Hello => self.hello(now, &peer).map(Reply::Hello),
            Request::Session => Ok(Reply::Session(self.session_of(now, &peer))),
            Request::Config if self.is_open(&peer) => Ok(Reply::Config(self.config_of(&peer))),
            Request::Config => Err(Refusal::of(Code::UNAUTHORIZED)),
            Request::Lease(wanted) => self.lease(now, peer, wanted).map(Reply::Lease),
            Request::Logout => {
                // The peer is known, or nobody would have asked.
                let _ended = self.sessions.end_session(now.at, &peer, Reason::Logout);
                Ok(Reply::LoggedOut)
            }
            // Probes are answered before they come here.
            _ => Err(Refusal::of(Code::NOT_FOUND)),
        };
        self.answer(now, id, answer);
    }

    pub(super) fn is_open(&self, peer: &PublicKey) -> bool {
        self.sessions.view(peer).is_some_and(|view| matches!(view.access, Access::Open(_)))
    }

    fn begin(&mut self, now: Now, peer: PublicKey, id: RequestId, start: &LoginStart) {
        self.wait(now, peer, id);
        let text = std::str::from_utf8(&start.data);
        let credential = match (start.method, text) {
            (Method::Password, Ok(text)) => Credential::Password(text),
            (Method::Code, Ok(text)) => Credential::Code(text),
            (Method::Recovery, Ok(text)) => Credential::Recovery(text),
            (Method::KeyCertificate, _) if Evidence::is_chain(&start.data) => Credential::Certificate(&start.data),
            (Method::SigningCertificate, _) if !Evidence::is_chain(&start.data) => Credential::Certificate(&start.data),
            _ => return self.answer_login(now, peer, Answer::Reject),
        };
        if let Some(state) = self.peers.get_mut(&peer) {
            (state.login, state.asks, state.claimed) = (None, None, Some(Text::new(&start.user)));
            state.nonce = start.nonce;
        }
        if self.sessions.start(now.at, &peer, &start.user, credential).is_err() {
            self.answer_login(now, peer, Answer::Reject);
        }
    }

    fn go_on(&mut self, now: Now, peer: PublicKey, id: RequestId, next: &LoginNext) {
        self.wait(now, peer, id);
        let asks = self.peers.get_mut(&peer).and_then(|state| {
            state.login = Some(next.login);
            state.asks
        });
        let credential = match (asks, std::str::from_utf8(&next.data)) {
            (Some(Factor::Certificate), _) => Credential::Certificate(&next.data),
            (_, Err(_)) => return self.answer_login(now, peer, Answer::Reject),
            (Some(Factor::Code), Ok(text)) if is_code(text) => Credential::Code(text),
            (Some(Factor::Code), Ok(text)) => Credential::Recovery(text),
            (_, Ok(text)) => Credential::Password(text),
        };
        let login = session::LoginId(next.login.0);
        if self.sessions.answer(now.at, &peer, login, next.challenge, credential).is_err() {
            self.answer_login(now, peer, Answer::Reject);
        }
    }

    /// A request waits for the sessions' answer. One that waited before is given up: its client asked again.
    fn wait(&mut self, now: Now, peer: PublicKey, id: RequestId) {
        let before = self.peers.get_mut(&peer).and_then(|state| state.waiting.replace(id));
        if let Some(before) = before {
            self.answer(now, before, Err(Refusal::of(Code::TOO_MANY_REQUESTS)));
        }
    }

    pub(super) fn answer_login(&mut self, now: Now, peer: PublicKey, answer: Answer) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let reply = reply::login_reply(state.login, &answer);
        if let Answer::Challenge(challenge) = &answer {
            (state.login, state.asks) = (Some(LoginId(challenge.login.0)), Some(challenge.kind));
        }
        if let Some(id) = state.waiting.take() {
            self.answer(now, id, Ok(Reply::Login(reply)));
        }
    }

    /// Answers; what cannot be sent becomes a refusal. Who does not wait any more hears nothing.
    fn answer(&mut self, now: Now, id: RequestId, answer: Result<Reply, Refusal>) {
        let answer = answer.as_ref().map_err(|refusal| *refusal);
        let code = match self.server.answer(now.at, &mut *self.rng, id, answer) {
            Ok(()) | Err(AnswerError::Unknown) => return,
            Err(AnswerError::NoMemory) => Code::UNAVAILABLE,
            Err(_) => Code::INTERNAL,
        };
        let _refused = self.server.answer(now.at, &mut *self.rng, id, Err(Refusal::of(code)));
    }
}

/// Whether a text has the form of a one-time code.
fn is_code(text: &str) -> bool {
    text.len() <= 2 * CODE_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ')
}
