//! Logins and leases without memory: nobody gets in who should not, and when there is memory again everything works.
use super::{Scenario, Seeded, WALL, address, fail, key};
use std::time::Duration;
use underpass_core::policy::code::{Algorithm, Digits, Moving, OneTimeCode, OtpSecret, RecoveryKey};
use underpass_core::policy::lease::{AddressRange, Holder, LeaseConfig, LeaseConfigError, LeaseError, Leases, Wish};
use underpass_core::policy::session::{
    Access, Alternatives, Answer, CodeFactor, Credential, Factor, FactorId, GroupId, Output, PeerKind, Reason, Reply,
    Request, RulesId, SecretText, SessionId, Sessions, Settings, User, UserId,
};
use underpass_core::{Instant, PublicKey};

fn code() -> OneTimeCode {
    let secret = OtpSecret::from_bytes(&[7; 20]).expect("20 bytes");
    OneTimeCode { secret, algorithm: Algorithm::Sha1, digits: Digits::SIX, moving: Moving::Counter }
}

fn user() -> Box<User> {
    Box::new(User {
        id: UserId(1),
        name: SecretText::new("ada".to_owned()),
        rules: RulesId(5),
        groups: vec![GroupId(2)],
        requires: Alternatives::new(&[&[Factor::Password, Factor::Code]]).expect("one"),
        password: Some(SecretText::new("hash".to_owned())),
        codes: vec![CodeFactor { id: FactorId(3), code: code(), last: None }],
        lifetime: None,
        idle: None,
        not_after: None,
    })
}

/// A gateway with one peer, and what its store will say.
struct Gateway {
    now: Instant,
    sessions: Sessions,
    user: Option<Box<User>>,
    code: String,
    asked: [bool; 4],
}

impl Gateway {
    fn new() -> Self {
        let requires = Alternatives::new(&[&[Factor::Password, Factor::Code]]).expect("one");
        let settings = Settings::new(requires, SecretText::new("nobody's hash".to_owned()));
        let recovery = RecoveryKey::from_bytes([1; 32]);
        let mut sessions =
            Sessions::new(settings, recovery, Box::new(Seeded(5)), Instant::ZERO, Some(WALL)).expect("memory");
        sessions.add_peer(Instant::ZERO, peer(), PeerKind::Login).expect("memory");
        let code = format!("{:06}", code().code(0));
        Self { now: Instant::ZERO, sessions, user: Some(user()), code, asked: [false; 4] }
    }

    /// Logs in as far as that goes; whether the peer is open.
    fn log_in(&mut self) -> bool {
        let known = self.sessions.start(self.now, &peer(), "ada", Credential::Password("secret"));
        assert_eq!(known, Ok(()));
        loop {
            let mut challenge = None;
            while let Some(output) = self.sessions.poll_output() {
                if let Output::Answer { answer: Answer::Challenge(asked), .. } = output {
                    challenge = Some((asked.login, asked.id));
                }
            }
            while self.sessions.poll_fact().is_some() {}
            if let Some((login, id)) = challenge {
                let known = self.sessions.answer(self.now, &peer(), login, id, Credential::Code(&self.code));
                assert_eq!(known, Ok(()));
            }
            let Some((id, request)) = self.sessions.poll_request() else {
                return self.sessions.view(&peer()).is_some_and(|view| view.access == Access::Open(RulesId(5)));
            };
            let (at, reply) = match request {
                Request::FindUser { .. } => (0, Reply::User(self.user.take())),
                Request::VerifyPassword { hash, .. } => (1, Reply::Verified(hash.as_str() == "hash")),
                Request::AcceptCode { factor, .. } => (2, Reply::Verified(factor == Some(FactorId(3)))),
                Request::OpenSession { .. } => (3, Reply::Opened(Some(SessionId(9)))),
                other => panic!("nobody asks for {other:?}"),
            };
            self.asked[at] = true;
            assert!(self.sessions.complete(self.now, id, reply).is_ok());
        }
    }
}

fn peer() -> PublicKey {
    key(9).public_key()
}

fn holder(number: u8) -> Holder {
    Holder { user: Some(UserId(number.into())), device: peer() }
}

fn pools() -> [AddressRange; 2] {
    let at = |text: &str| text.parse().expect("an address");
    let range = |first, last| AddressRange::new(at(first), at(last)).expect("a range");
    [range("10.0.0.1", "10.0.0.9"), range("fd00::1", "fd00::ffff")]
}

pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("login", |first, count| {
        let mut gateway = Gateway::new();
        let (is_open, calls) = fail(first, count, || gateway.log_in());
        assert!(!is_open || gateway.asked == [true; 4], "in without all that is needed: {:?}", gateway.asked);
        assert!(is_open || calls > first, "there was memory");
        gateway.now = gateway.now + Duration::from_secs(60);
        gateway.sessions.handle_timeout(gateway.now, &|_| None);
        gateway.user = Some(user());
        gateway.sessions.end_session(gateway.now, &peer(), Reason::Logout).expect("the peer is known");
        assert!(gateway.log_in(), "there is memory again");
        calls
    }),
    ("peers of a gateway", |first, count| {
        let mut gateway = Gateway::new();
        let other = |number: u8| key(number.wrapping_add(40)).public_key();
        let keys: Vec<PublicKey> = (0..20).map(other).collect();
        let now = gateway.now;
        let ((), calls) = fail(first, count, || {
            for key in &keys {
                let _ = gateway.sessions.add_peer(now, *key, PeerKind::Login);
            }
            for key in &keys {
                let _ = gateway.sessions.remove_peer(now, key);
            }
        });
        for key in &keys {
            gateway.sessions.add_peer(now, *key, PeerKind::Login).expect("memory");
        }
        assert!(gateway.log_in(), "there is memory again");
        calls
    }),
    ("pools", |first, count| {
        let ranges = pools();
        let reserved = [(address(1).ip(), underpass_core::policy::lease::ReservedFor::User(UserId(1)))];
        let config = LeaseConfig { ranges: &ranges, excluded: &ranges[..1], reserved: &reserved, ..LeaseConfig::new() };
        let (made, calls) = fail(first, count, || Leases::new(&config, &mut Seeded(3), Instant::ZERO));
        match made {
            Ok(_) => assert!(calls <= first),
            Err(error) => assert_eq!(error, LeaseConfigError::NoMemory),
        }
        calls
    }),
    ("leases", |first, count| {
        let ranges = pools();
        let config = LeaseConfig { ranges: &ranges, ..LeaseConfig::new() };
        let mut leases = Leases::new(&config, &mut Seeded(3), Instant::ZERO).expect("memory");
        let ((), calls) = fail(first, count, || {
            for number in 0..12 {
                let leased = leases.lease(Instant::ZERO, holder(number), Wish::Any, Wish::Any);
                let refusals = [leased.ip4.err(), leased.ip6.err()];
                let fits = |error: &LeaseError| matches!(error, LeaseError::NoMemory | LeaseError::Exhausted);
                assert!(refusals.iter().flatten().all(fits));
            }
        });
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..9 {
            leases.release(Instant::ZERO, &holder(number + 3));
        }
        let later = Instant::ZERO + Duration::from_secs(60);
        for number in 0..9 {
            let leased = leases.lease(later, holder(number), Wish::Any, Wish::Any);
            let (ip4, ip6) = (leased.ip4.expect("memory"), leased.ip6.expect("memory"));
            assert!(seen.insert((ip4, None)) && seen.insert((None, ip6)), "{leased:?}");
        }
        calls
    }),
];
