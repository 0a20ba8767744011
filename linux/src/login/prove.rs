//! Who the user is.
use super::driver::{Purpose, Stage, seconds};
use super::{Driver, End, Output};
use std::time::Duration;
use underpass_core::Instant;
use underpass_core::control::Wiped;
use underpass_core::control::message::{
    Challenge, LoginId, LoginNext, LoginReply, LoginStart, Method, Outcome, Refusal, Request,
};

/// How often the user may try.
const TRIES: u8 = 3;
/// For how long a try is waited for. If the gateway wants a longer pause, the login ends.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long to wait for somebody else's decision, where the gateway does not say.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What the user is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What for.
    pub wants: Wants,
    /// The words of the gateway; empty: it has none.
    pub prompt: String,
    /// Whether the answer may be seen while it is typed.
    pub echo: bool,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The name of the user.
    User,
    /// The password.
    Password,
    /// A one-time code, with so many digits if that is known.
    Code(Option<u8>),
    /// A recovery code.
    Recovery,
    /// Whatever the prompt asks for.
    Other,
}

/// A login in progress.
#[derive(Debug)]
pub(super) struct Proof {
    /// The first factor of the way that is gone.
    first: Method,
    user: Option<String>,
    rejected: u8,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The user is asked for the name.
    User,
    /// The user is asked for the first factor.
    First,
    /// The user is asked what the gateway asks.
    Challenge(LoginId, u32),
    /// The gateway has to answer. If it says to wait, it is asked about this challenge again.
    Sent(u32),
    /// After a rejection, another try begins at this time.
    Again(Instant),
    /// The gateway is asked at this time whether it has decided.
    Look(Instant, LoginId, u32),
}

impl Proof {
    /// When something is due.
    pub(super) const fn due(&self) -> Option<Instant> {
        match self.step {
            Step::Again(at) | Step::Look(at, ..) => Some(at),
            _ => None,
        }
    }
}

/// The first factor of the first way that this program can go.
fn way(ways: &[Vec<Method>]) -> Option<Method> {
    let is_known = |method: &Method| {
        matches!(method, Method::Password | Method::Code | Method::Questions | Method::Recovery | Method::Web)
    };
    ways.iter().filter(|way| way.iter().all(is_known)).find_map(|way| way.first().copied())
}

impl Driver {
    /// What the user says to the latest [`Question`].
    pub fn answer(&mut self, now: Instant, answer: Wiped) {
        if self.answer_enrolment(now, &answer) {
            return;
        }
        let Some(proof) = &mut self.proof else { return };
        match proof.step {
            Step::User => {
                let name = std::str::from_utf8(&answer).map_or("", str::trim);
                proof.user = (!name.is_empty()).then(|| name.to_owned());
                self.ask_next(now);
            }
            Step::First => self.start(now, answer),
            Step::Challenge(login, challenge) => self.send_next(now, login, challenge, answer),
            Step::Sent(..) | Step::Again(_) | Step::Look(..) => {}
        }
    }

    /// Nobody answers what is asked.
    pub fn decline(&mut self) {
        if self.proof.is_some() || self.enrolment.is_some() {
            self.proof_failed(End::Unanswered);
        }
    }

    /// Begins a new login while what was granted goes on.
    pub fn log_in_again(&mut self, now: Instant) {
        let methods = self.hello.as_ref().map(|(_, hello)| hello.methods.clone()).unwrap_or_default();
        if self.stage == Stage::Inside && self.proof.is_none() {
            self.begin_proof(now, methods);
        }
    }

    pub(super) fn begin_proof(&mut self, now: Instant, ways: Vec<Vec<Method>>) {
        let Some(first) = way(&ways) else { return self.proof_failed(End::NoWay(ways)) };
        self.proof = Some(Proof { first, user: None, rejected: 0, step: Step::Again(now) });
        self.prove_on(now);
    }

    /// Does what is due.
    pub(super) fn prove_on(&mut self, now: Instant) {
        let Some(proof) = self.proof.as_mut().filter(|proof| proof.due().is_some_and(|due| due <= now)) else { return };
        match proof.step {
            Step::Look(_, login, challenge) => self.send_next(now, login, challenge, Wiped::default()),
            _ => {
                proof.user = self.user.clone();
                self.ask_next(now);
            }
        }
    }

    /// Asks for the name, then for the first factor.
    fn ask_next(&mut self, now: Instant) {
        let Some(proof) = &mut self.proof else { return };
        let wants = match (&proof.user, proof.first) {
            (None, _) => Wants::User,
            (_, Method::Password) => Wants::Password,
            (_, Method::Code) => Wants::Code(None),
            (_, Method::Recovery) => Wants::Recovery,
            // The gateway says what it asks, once it knows who it is.
            _ => return self.start(now, Wiped::default()),
        };
        proof.step = if wants == Wants::User { Step::User } else { Step::First };
        let echo = matches!(wants, Wants::User | Wants::Code(_));
        self.put(Output::Ask(Question { wants, prompt: String::new(), echo }));
    }

    fn start(&mut self, now: Instant, data: Wiped) {
        let mut nonce = [0; 16];
        if self.rng.fill(&mut nonce).is_err() {
            return self.proof_failed(End::NoMemory);
        }
        let Some(proof) = &mut self.proof else { return };
        let user = proof.user.clone().unwrap_or_default();
        proof.step = Step::Sent(0);
        let start = LoginStart { nonce, user, method: proof.first, data };
        self.ask(now, Purpose::Proof, &Request::Login(start));
    }

    fn send_next(&mut self, now: Instant, login: LoginId, challenge: u32, data: Wiped) {
        let Some(proof) = &mut self.proof else { return };
        proof.step = Step::Sent(challenge);
        self.ask(now, Purpose::Proof, &Request::LoginNext(LoginNext { login, challenge, data }));
    }

    /// The gateway's answer to a factor.
    pub(super) fn proved(&mut self, now: Instant, reply: LoginReply) {
        let Some(proof) = &mut self.proof else { return };
        let Step::Sent(before) = proof.step else { return };
        match reply.outcome {
            Outcome::Done => {
                self.proof = None;
                self.let_in(now);
            }
            Outcome::Challenge(challenge) => self.challenged(now, reply.login, challenge),
            Outcome::Rejected { retry_after } => self.rejected(now, retry_after),
            Outcome::Wait { retry_after } => {
                let pause = retry_after.map_or(LOOK_AGAIN, seconds).clamp(Duration::from_secs(1), LONGEST_PAUSE);
                proof.step = Step::Look(now + pause, reply.login, before);
            }
        }
    }

    fn challenged(&mut self, now: Instant, login: LoginId, challenge: Challenge) {
        let Challenge { id, method, prompt, echo, digits, url, .. } = challenge;
        if method == Method::Web {
            self.put(Output::Page { prompt, url });
            return self.send_next(now, login, id, Wiped::default());
        }
        if let Some(proof) = &mut self.proof {
            proof.step = Step::Challenge(login, id);
        }
        let wants = match method {
            Method::Password => Wants::Password,
            Method::Code => Wants::Code(digits),
            Method::Recovery => Wants::Recovery,
            Method::Questions => Wants::Other,
            method => return self.proof_failed(End::NoWay(vec![vec![method]])),
        };
        self.put(Output::Ask(Question { wants, prompt, echo }));
    }

    fn rejected(&mut self, now: Instant, retry_after: Option<u32>) {
        let Some(proof) = &mut self.proof else { return };
        proof.rejected += 1;
        let pause = retry_after.map_or(Duration::ZERO, seconds);
        if proof.rejected >= TRIES || pause > LONGEST_PAUSE {
            return self.proof_failed(End::Rejected { retry_after });
        }
        proof.step = Step::Again(now + pause);
        self.put(Output::Rejected(pause));
        self.prove_on(now);
    }

    /// The gateway did not look at what was said.
    pub(super) fn proof_refused(&mut self, now: Instant, refusal: Refusal) {
        match refusal.retry_after {
            Some(_) => self.rejected(now, refusal.retry_after),
            None => self.proof_failed(End::Refused("the login", refusal)),
        }
    }

    /// The login came to nothing. One that would have renewed another leaves that as it is.
    pub(super) fn proof_failed(&mut self, end: End) {
        self.proof = None;
        match self.stage {
            Stage::Inside => self.put(Output::NotRenewed(end)),
            _ => self.end(end),
        }
    }
}
