//! Every message against the schema in `docs/control.cddl`, and there and back.
use super::*;
use crate::control::cbor::Reader;
use crate::crypto::PublicKey;
use cddl_cat::cbor::validate_cbor;
use cddl_cat::context::BasicContext;
use cddl_cat::flatten::flatten_from_str;
use ciborium::Value;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

const SCHEMA: &str = include_str!("../../../../docs/control.cddl");

/// Whether the rule of this name takes `body`.
fn conforms(schema: &BasicContext, rule: &str, body: &[u8]) -> Result<(), String> {
    let value: Value = ciborium::from_reader(body).map_err(|error| error.to_string())?;
    let rule = schema.rules.get(rule).expect("the schema has the rule");
    validate_cbor(rule, &value, schema).map_err(|error| format!("{error} in {value:?}"))
}

/// A request or a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Example {
    Asks(Request),
    Answers(Reply),
}
use Example::{Answers, Asks};

fn schema() -> BasicContext {
    BasicContext::new(flatten_from_str(SCHEMA).expect("the schema can be read"))
}

/// An example of every request and reply, with all that may be left out and without, and the rule that it conforms to.
fn examples() -> Vec<(&'static str, Example)> {
    let data = Wiped::from(b"hunter2".to_vec());
    let start = LoginStart { nonce: [9; 16], user: "ann".into(), method: Method::Password, data: data.clone() };
    let next = LoginNext { login: LoginId([0xab; 8]), challenge: 7, data };
    let lease = Lease { v4: None, v6: None, renew_after: 1800, rebind_after: 2700, valid_for: 3600 };
    let (v4, v6) = ("10.9.0.2".parse().ok(), "fd00::2".parse().ok());
    let mut examples = vec![
        ("login-start", Asks(Request::Login(start))),
        ("login-next", Asks(Request::LoginNext(next))),
        ("lease-request", Asks(Request::Lease(LeaseRequest::default()))),
        ("lease-request", Asks(Request::Lease(LeaseRequest { want_v4: v4, want_v6: v6 }))),
        ("lease", Answers(Reply::Lease(lease))),
        ("lease", Answers(Reply::Lease(Lease { v4, v6, ..lease }))),
        ("probe", Asks(Request::Probe(Probe { pad: 1200 }))),
        ("probed", Answers(Reply::Probed(Probed { len: 1280 }))),
    ];
    let login = |outcome| Answers(Reply::Login(LoginReply { login: LoginId([1, 2, 3, 4, 5, 6, 7, 8]), outcome }));
    examples.extend(outcomes().map(|outcome| ("login-reply", login(outcome))));
    examples.extend(greetings().map(|hello| ("hello", Answers(Reply::Hello(hello)))));
    examples.extend([settings(), Config::default()].map(|config| ("config", Answers(Reply::Config(config)))));
    examples.extend(sessions().map(|session| ("session", Answers(Reply::Session(session)))));
    examples.extend(enrolments());
    examples
}

fn enrolments() -> [(&'static str, Example); 4] {
    let (device, name) = (PublicKey::from_bytes([9; 32]), "phone".into());
    let first = Enrol { device, name, code: None };
    let second = Enrol { code: Some(Wiped::from(b"hunter2".to_vec())), ..first.clone() };
    let uri = Wiped::from(b"otpauth://totp/hq:ann?secret=hunter2".to_vec());
    let done = Enrolled { user: "ann".into(), config: settings(), authenticator: None };
    let asks = Enrolled { authenticator: Some(Authenticator { uri, tries: 5 }), ..done.clone() };
    [
        ("enrol", Asks(Request::Enrol(first))),
        ("enrol", Asks(Request::Enrol(second))),
        ("enrolled", Answers(Reply::Enrolled(done))),
        ("enrolled", Answers(Reply::Enrolled(asks))),
    ]
}

fn greetings() -> [Hello; 2] {
    let hello = Hello {
        nonce: [7; 32],
        state: SessionState::Locked,
        now: 1_800_000_000,
        methods: vec![vec![Method::Password, Method::Code], vec![Method::Web], vec![Method::Other(99)]],
        max_body: 16384,
        features: 0,
        banner: Some("Property of the office.\n".into()),
    };
    [Hello { methods: vec![], banner: None, ..hello.clone() }, hello]
}

fn outcomes() -> [Outcome; 6] {
    let challenge = Challenge {
        id: 7,
        method: Method::Code,
        prompt: "Code from the app:\n".into(),
        echo: true,
        digits: Some(6),
        expires: 120,
        url: Some("https://login.example/device?code=WDJB".into()),
    };
    [
        Outcome::Done,
        Outcome::Challenge(Challenge { digits: None, url: None, ..challenge.clone() }),
        Outcome::Challenge(challenge),
        Outcome::Rejected { retry_after: Some(30) },
        Outcome::Rejected { retry_after: None },
        Outcome::Wait { retry_after: Some(5) },
    ]
}

fn settings() -> Config {
    let nets = |list: &[&str]| list.iter().map(|text| text.parse().expect("a network")).collect::<Vec<_>>();
    Config {
        version: 3,
        v4: "10.9.0.2/24".parse().ok(),
        v6: "fd00::2/64".parse().ok(),
        routes: nets(&["10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "::/0"]),
        excluded: nets(&["192.168.0.0/16"]),
        dns: vec!["10.0.0.1".parse().expect("an address"), "fd00::1".parse().expect("an address")],
        search: vec!["office.example".into()],
        split: vec!["example".into()],
        mtu: Some(1280),
        keepalive: Some(25),
        lan: true,
        kill_switch: true,
    }
}

fn sessions() -> [Session; 2] {
    let whole = Session {
        state: SessionState::Open,
        user: Some("ann".into()),
        since: Some(1),
        expires: Some(2),
        login_due: Some(3),
        idle_after: Some(4),
        quota_left: Some(u64::MAX),
        reason: Some(Reason::LoginDue),
    };
    [whole, Session::of(SessionState::Revoked)]
}

fn body(example: &Example) -> Wiped {
    match example {
        Asks(request) => request.encode().expect("a request that can be read"),
        Answers(reply) => reply.encode().expect("a reply that can be read"),
    }
}

fn target(example: &Example) -> Target {
    use Target::{Config, Enrol, Hello, Lease, Login, Probe, Session};
    let all = [Hello, Login, Lease, Config, Session, Probe, Enrol];
    match example {
        Asks(request) => request.target(),
        Answers(reply) => *all.iter().find(|target| reply.answers(**target)).expect("a target"),
    }
}

fn decoded(example: &Example, body: &[u8]) -> Result<Example, Fault> {
    let target = target(example);
    match example {
        Asks(_) => Request::decode(target, body).map(Asks),
        Answers(_) => Reply::decode(target, body).map(Answers),
    }
}

#[test]
fn every_message_conforms_to_the_schema_and_comes_back() {
    let schema = schema();
    let mut rules = BTreeSet::new();
    for (number, (rule, example)) in examples().iter().enumerate() {
        let body = body(example);
        assert_eq!(conforms(&schema, rule, &body), Ok(()), "{number}: {rule}");
        assert_eq!(decoded(example, &body).as_ref(), Ok(example), "{number}: {rule}");
        rules.insert(*rule);
    }
    let start = SCHEMA.lines().find_map(|line| line.strip_prefix("start = ")).expect("the list of all bodies");
    assert_eq!(start.split(" / ").collect::<BTreeSet<_>>(), rules, "each body has an example");
}

/// The entries of the outermost map.
fn entries(body: &[u8]) -> Vec<(Value, Value)> {
    let value: Value = ciborium::from_reader(body).expect("CBOR");
    value.into_map().expect("a map")
}

fn map(entries: Vec<(Value, Value)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&Value::Map(entries), &mut bytes).expect("memory");
    bytes
}

/// What the schema refuses, the reader refuses: a map without one of its keys, or with a value of another type under it. What
/// the schema lets be added, the reader passes over.
#[test]
fn schema_and_reader_agree_on_what_may_be_missing_and_added() {
    let schema = schema();
    for (number, (rule, example)) in examples().iter().enumerate() {
        let body = body(example);
        let agree = |changed: &[u8], what: &str| {
            let (theirs, ours) = (conforms(&schema, rule, changed), decoded(example, changed));
            assert_eq!(theirs.is_ok(), ours.is_ok(), "{number}: {rule}, {what}: {theirs:?} {ours:?}");
            ours
        };
        let all = entries(&body);
        for place in 0..all.len() {
            let mut less = all.clone();
            let (key, _) = less.remove(place);
            let lacks_challenge = *rule == "login-reply" && key == Value::from(3);
            if !lacks_challenge {
                let _ = agree(&map(less.clone()), &format!("without {key:?}"));
            }
            for other in [Value::Null, Value::from(-1), Value::from("x"), Value::from(1.5), Value::Map(vec![])] {
                let is_text = matches!((&all[place].1, &other), (Value::Text(_), Value::Text(_)));
                if !is_text {
                    let mut odd = less.clone();
                    odd.insert(place, (key.clone(), other.clone()));
                    let _ = agree(&map(odd), &format!("{key:?} is {other:?}"));
                }
            }
        }
        let mut more = all.clone();
        more.push((Value::from(40), Value::Array(vec![Value::Null, Value::from(-5)])));
        assert_eq!(agree(&map(more.clone()), "with a key more").as_ref(), Ok(example));
        more.push((Value::from(0), Value::Array(vec![Value::from(1)])));
        assert_eq!(agree(&map(more.clone()), "with a list of keys to know").as_ref(), Ok(example));
        more.pop();
        more.push((Value::from(0), Value::Array(vec![Value::from(40)])));
        assert_eq!(decoded(example, &map(more)), Err(Fault::Must(40)));
    }
}

#[test]
fn what_is_beyond_its_cap_is_neither_read_nor_sent() {
    let net: ipnet::IpNet = "10.0.0.0/8".parse().expect("a network");
    let base = Config { version: 1, ..Config::default() };
    let name = "x".repeat(257);
    let session = |user: &str| Reply::Session(Session { user: Some(user.into()), ..Session::of(SessionState::Open) });
    let refused: [(&str, Reply, Fault); 9] = [
        ("routes", Reply::Config(Config { routes: vec![net; 257], ..base.clone() }), Fault::TooMany),
        ("excluded", Reply::Config(Config { excluded: vec![net; 257], ..base.clone() }), Fault::TooMany),
        ("dns", Reply::Config(Config { dns: vec![net.addr(); 9], ..base.clone() }), Fault::TooMany),
        ("search", Reply::Config(Config { search: vec!["a".into(); 65], ..base.clone() }), Fault::TooMany),
        ("split", Reply::Config(Config { split: vec!["a".into(); 65], ..base.clone() }), Fault::TooMany),
        (
            "host bits",
            Reply::Config(Config { routes: vec!["10.0.0.1/8".parse().expect("a network")], ..base.clone() }),
            Fault::Range,
        ),
        ("domain", Reply::Config(Config { search: vec!["a b".into()], ..base }), Fault::Text),
        ("user", session(&name), Fault::Range),
        ("escape", session("ann\x1b[2J"), Fault::Text),
    ];
    for (what, reply, fault) in refused {
        assert_eq!(reply.encode().err(), Some(fault), "{what}");
    }
    let start = |user: &str, len: usize| {
        let data = Wiped::from(vec![0; len]);
        Request::Login(LoginStart { nonce: [0; 16], user: user.into(), method: Method::Eap, data }).encode().err()
    };
    assert_eq!(start("ann", 12 * 1024), None);
    assert_eq!(start("ann", 12 * 1024 + 1), Some(Fault::Range));
    assert_eq!(start("ann", 17 * 1024), Some(Fault::TooLong));
    assert_eq!(start(&name, 1), Some(Fault::Range));
    let lease = Lease { v4: None, v6: None, renew_after: 2, rebind_after: 1, valid_for: 3 };
    assert_eq!(Reply::Lease(lease).encode().err(), Some(Fault::Range));
    for url in ["http://login.example", "javascript:1", "https://login.example/a b", "https://login.example/\u{e9}"] {
        let challenge = Challenge {
            id: 1,
            method: Method::Web,
            prompt: String::new(),
            echo: true,
            digits: None,
            expires: 1,
            url: Some(url.into()),
        };
        let reply = LoginReply { login: LoginId([0; 8]), outcome: Outcome::Challenge(challenge) };
        assert_eq!(Reply::Login(reply).encode().err(), Some(Fault::Range), "{url}");
    }
    assert_eq!(Request::decode(Target::Hello, &[0xa0]), Err(Fault::Trailing));
    assert_eq!(Reply::decode(Target::Probe, &[0xa1, 1, 0, 0]), Err(Fault::Trailing));
}

#[test]
fn of_an_enrolment_only_keys_that_somebody_has_and_addresses_of_authenticators_are_taken() {
    let enrol = |key: [u8; 32], name: &str, code: usize| {
        let code = Some(Wiped::from(vec![b'0'; code]));
        Request::Enrol(Enrol { device: PublicKey::from_bytes(key), name: name.into(), code }).encode().err()
    };
    assert_eq!(enrol([9; 32], &"x".repeat(64), 16), None);
    assert_eq!(enrol([0; 32], "x", 6), Some(Fault::Range), "nobody has it");
    assert_eq!(enrol([9; 32], &"x".repeat(65), 6), Some(Fault::Range));
    assert_eq!(enrol([9; 32], "x\ny", 6), Some(Fault::Text));
    assert_eq!(enrol([9; 32], "x", 17), Some(Fault::Range));
    let enrolled = |uri: &[u8]| {
        let authenticator = Some(Authenticator { uri: Wiped::from(uri.to_vec()), tries: 1 });
        Reply::Enrolled(Enrolled { user: "ann".into(), config: Config::default(), authenticator }).encode().err()
    };
    assert_eq!(enrolled(b"otpauth://totp/x?secret=MZXW6"), None);
    let long = ["otpauth://", &"x".repeat(1015)].concat();
    for uri in
        [&b""[..], b"https://login.example", b"otpauth://a b", b"otpauth://\xff", b"javascript:1", long.as_bytes()]
    {
        assert_eq!(enrolled(uri), Some(Fault::Range), "{uri:?}");
    }
}

#[test]
fn names_of_domains_are_those_that_dns_carries() {
    for (number, (text, expected)) in [
        ("example", true),
        ("a.b-c.x_y.example", true),
        ("xn--bcher-kva.example", true),
        ("", false),
        (".", false),
        ("a..b", false),
        ("example.", false),
        ("-a.example", false),
        ("a-.example", false),
        ("a b", false),
        ("b\u{fc}cher.example", false),
        (&"a".repeat(64), false),
        (&["a"; 127].join("."), true),
        (&["a"; 128].join("."), false),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(is_domain(text), expected, "{number}: {text}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown: String = examples().iter().map(|(_, example)| format!("{example:?}")).collect();
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117, 110"), "{shown}");
    assert!(shown.contains("Wiped(7 bytes)") && shown.contains("Wiped(36 bytes)"));
}

#[test]
fn ids_in_paths_are_sixteen_lower_case_digits() {
    let id = LoginId([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
    assert_eq!(&id.to_hex(), b"0123456789abcdef");
    for (digits, expected) in [
        (&b"0123456789abcdef"[..], Some(id)),
        (b"0123456789ABCDEF", None),
        (b"0123456789abcde", None),
        (b"0123456789abcdef0", None),
        (b"0123456789abcd", None),
        (b"0123456789abcdeg", None),
        (b"", None),
    ] {
        assert_eq!(LoginId::from_hex(digits), expected, "{digits:?}");
    }
}

#[test]
fn paths_and_methods_lead_where_the_schema_says() {
    use Target::*;
    let id = LoginId([0xab; 8]);
    let (segments, missing) =
        (|path: &str| path.split('/').skip(1).map(String::from).collect::<Vec<_>>(), Code::NOT_FOUND);
    for (number, (path, get, post, delete)) in [
        ("/v1", Ok(Hello), Err(Code::METHOD_NOT_ALLOWED), Err(Code::METHOD_NOT_ALLOWED)),
        ("/v1/auth", Err(Code::METHOD_NOT_ALLOWED), Ok(Login), Err(Code::METHOD_NOT_ALLOWED)),
        ("/v1/auth/abababababababab", Err(Code::METHOD_NOT_ALLOWED), Ok(LoginNext(id)), Err(Code::METHOD_NOT_ALLOWED)),
        ("/v1/lease", Err(Code::METHOD_NOT_ALLOWED), Ok(Lease), Err(Code::METHOD_NOT_ALLOWED)),
        ("/v1/config", Ok(Config), Err(Code::METHOD_NOT_ALLOWED), Err(Code::METHOD_NOT_ALLOWED)),
        ("/v1/session", Ok(Session), Err(Code::METHOD_NOT_ALLOWED), Ok(Logout)),
        ("/v1/probe", Err(Code::METHOD_NOT_ALLOWED), Ok(Probe), Err(Code::METHOD_NOT_ALLOWED)),
        ("/v1/enrol", Err(Code::METHOD_NOT_ALLOWED), Ok(Enrol), Err(Code::METHOD_NOT_ALLOWED)),
        ("/v1/enrol/x", Err(missing), Err(missing), Err(missing)),
        ("/v1/kem", Err(missing), Err(missing), Err(missing)),
        ("/v1/kem/commit", Err(missing), Err(missing), Err(missing)),
        ("/v1/auth/zz", Err(missing), Err(missing), Err(missing)),
        ("/v1/auth/abababababababab/x", Err(missing), Err(missing), Err(missing)),
        ("/v1/", Err(missing), Err(missing), Err(missing)),
        ("/v2", Err(missing), Err(missing), Err(missing)),
        ("/", Err(missing), Err(missing), Err(missing)),
    ]
    .into_iter()
    .enumerate()
    {
        let path = segments(path);
        let path: Vec<_> = path.iter().map(String::as_bytes).collect();
        for (method, expected) in [(Code::GET, get), (Code::POST, post), (Code::DELETE, delete)] {
            assert_eq!(Target::of(method, &path), expected, "{number}");
            if let Ok(target) = expected {
                assert_eq!(target.method(), method);
            }
        }
        assert!(Target::of(Code::from_byte(3), &path).is_err(), "{number}: nothing is PUT");
    }
}

proptest! {
    /// No body makes a reader panic, and what is read can be written and read again.
    #[test]
    fn no_body_makes_a_reader_panic(number in any::<prop::sample::Index>(), cuts in any::<Vec<(prop::sample::Index, u8)>>()) {
        let examples = examples();
        let (_, example) = number.get(&examples);
        let mut bytes = body(example).to_vec();
        for (place, byte) in cuts.iter().take(3) {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        if let Ok(read) = decoded(example, &bytes) {
            let again = body(&read);
            prop_assert_eq!(decoded(example, &again), Ok(read));
            prop_assert_eq!(Reader::new(&again).skip(), Ok(()));
        }
    }
}
