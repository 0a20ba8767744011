//! Each factor, and what is told of wrong ones.
use super::*;
use FactEvent::{FactorWrong, RecoveryUsed};

/// What a client and a host see of a login: kinds of answers, and of requests.
fn seen(host: &mut Host, name: &str, shown: &[Credential<'_>]) -> (Vec<String>, Vec<&'static str>) {
    host.asked.clear();
    let mut answers: Vec<String> = Vec::new();
    let mut asked: Option<Challenge> = None;
    for credential in shown {
        let answer = match &asked {
            Some(challenge) => host.answer(1, challenge, *credential),
            None => host.start(1, name, *credential),
        };
        asked = None;
        answers.push(match answer {
            Some(Answer::Challenge(challenge)) => {
                let told = format!("{:?} {} {:?}", challenge.kind, challenge.echo, challenge.digits);
                asked = Some(challenge);
                told
            }
            other => format!("{other:?}"),
        });
    }
    (answers, host.asked.clone())
}

#[test]
fn names_that_there_are_not_wrong_passwords_and_wrong_codes_look_alike() {
    use Credential::{Code, Password};
    let stories = |host: &mut Host| {
        let (right, wrong) = (host.code("ada", 0), host.wrong_code("ada"));
        [
            ("a wrong code", "ada", "secret", wrong.clone()),
            ("a wrong password", "ada", "wrong", right.clone()),
            ("both wrong", "ada", "wrong", wrong.clone()),
            ("no such user", "nobody", "secret", right.clone()),
            ("no such user, and a wrong password", "nobody", "wrong", wrong),
            ("a user without a password", "carl", "secret", right),
        ]
    };
    let mut looks = Vec::new();
    for at in 0..6 {
        let mut host = Host::new();
        let account = Account { password: None, ..Account::new(8, &[&[Factor::Password, Factor::Code]]) };
        host.accounts.insert("carl", account);
        let (story, name, password, code) = stories(&mut host)[at].clone();
        let look = seen(&mut host, name, &[Password(password), Code(&code), Code(&code), Code(&code)]);
        assert_eq!(host.access(1), LOCKED, "{story}");
        assert_eq!(host.last.len(), 0, "{story}: no code was used up");
        let wait = (0..9).find(|_| {
            host.pass(secs(1));
            matches!(host.start(1, name, Password("secret")), Some(Answer::RetryAfter(_)))
        });
        looks.push((story, look, wait));
    }
    let (_, look, wait) = &looks[0];
    assert_eq!(look.0, ["Code false Some(6)", "Code false Some(6)", "Code false Some(6)", "Some(Reject)"]);
    assert_eq!(look.1, ["find", "password", "code", "code", "code"]);
    for (story, other, limited) in &looks {
        assert_eq!((other, limited), (look, wait), "{story}");
    }
}

#[test]
fn failures_are_counted_alike_for_names_that_there_are_not() {
    for (name, password) in [("ada", "wrong"), ("ada", "secret"), ("nobody", "secret"), ("NOBODY ", "x")] {
        let mut host = Host::new();
        let wrong = host.wrong_code("ada");
        for round in 0..2 {
            let mut asked = challenge(host.start(1, name, Credential::Password(password)));
            for _ in 0..2 {
                asked = challenge(host.answer(1, &asked, Credential::Code(&wrong)));
            }
            assert_eq!(host.answer(1, &asked, Credential::Code(&wrong)), Some(Answer::Reject), "{name} {round}");
        }
        let again = if name == "nobody" { "Nobody" } else { name };
        assert_eq!(host.start(1, again, Credential::Password(password)), Some(Answer::RetryAfter(secs(2))), "{name}");
        host.pass(secs(2));
        assert_eq!(challenge(host.start(1, again, Credential::Password(password))).kind, Factor::Code);
    }
}

#[test]
fn each_alternative_opens_and_nothing_less_does() {
    use Credential::{Certificate, Code, Password, Text, Web};
    let code = |name: &str| Host::new().code(name, 0);
    let (ada, cy) = (code("ada"), code("cy"));
    let table: &[(&str, &[Credential<'_>], Option<u64>)] = &[
        ("ada", &[Password("secret"), Code(&ada)], Some(1)),
        ("ada", &[Code(&ada), Password("secret")], Some(1)),
        ("ada", &[Code(&ada), Password("wrong")], None),
        ("ada", &[Password("secret")], None),
        ("ada", &[Certificate(b"ada")], None),
        ("ada", &[Text("first"), Text("second")], None),
        ("bob", &[Password("secret")], Some(2)),
        ("bob", &[Password("wrong")], None),
        ("bob", &[Password("")], None),
        ("", &[Certificate(b"cy"), Code(&cy)], Some(3)),
        ("cy", &[Certificate(b"cy"), Code(&cy)], Some(3)),
        ("", &[Certificate(b"cy")], None),
        ("", &[Certificate(b"nobody"), Code(&cy)], None),
        ("", &[Certificate(b"ada"), Code(&ada)], None),
        ("cy", &[Code(&cy), Certificate(b"ada")], None),
        ("", &[Web], Some(4)),
        ("fay", &[Text("first"), Text("second")], Some(6)),
        ("fay", &[Text("first"), Text("wrong")], None),
        ("fay", &[Text("wrong")], None),
        ("ada", &[Web], Some(4)),
    ];
    for (row, (name, shown, opens)) in (1..).zip(table) {
        let mut host = Host::new();
        seen(&mut host, name, shown);
        let want = opens.map_or(LOCKED, open);
        assert_eq!(host.access(1), want, "row {row}: {name} {shown:?}");
        let (state, is_open) = (host.state(1), want != LOCKED);
        assert_eq!(state == State::Open, is_open, "row {row}: {state:?}");
    }
}

#[test]
fn lesson_38_a_code_opens_once() {
    let mut host = Host::new();
    assert!(matches!(host.login(1, "ada"), Answer::Done { .. }));
    let asked = challenge(host.start(1, "ada", Credential::Password("secret")));
    let code = host.code("ada", 0);
    let again = challenge(host.answer(1, &asked, Credential::Code(&code)));
    assert_eq!(again.kind, Factor::Code, "used already");
    let before = host.code("ada", -1);
    let again = challenge(host.answer(1, &again, Credential::Code(&before)));
    let next = host.code("ada", 1);
    assert!(is_done(&host.answer(1, &again, Credential::Code(&next))), "the code of the next step");
}

#[test]
fn lesson_38_of_two_logins_with_one_code_one_wins() {
    let mut host = Host::new();
    host.hold.push("code");
    let code = host.code("ada", 0);
    for n in [1, 2] {
        let asked = challenge(host.start(n, "ada", Credential::Password("secret")));
        assert_eq!(host.answer(n, &asked, Credential::Code(&code)), None, "the store is asked");
    }
    let numbers: Vec<u64> = host
        .held
        .iter()
        .filter_map(|(_, request)| match request {
            Request::AcceptCode { factor: Some(FactorId(1)), number } => Some(*number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers.len(), 2, "both are right as far as this goes");
    assert_eq!(numbers[0], numbers[1]);
    host.release();
    assert_eq!((host.access(1), host.access(2)), (open(1), LOCKED));
    assert!(is_done(&host.answer_of(1)));
    assert_eq!(challenge(host.answer_of(2)).kind, Factor::Code);
}

#[test]
fn three_wrong_codes_end_a_login() {
    let mut host = Host::new();
    let wrong = host.wrong_code("ada");
    let mut asked = challenge(host.start(1, "ada", Credential::Password("secret")));
    let first = challenge(host.start(1, "ada", Credential::Password("secret")));
    assert_ne!(asked.login, first.login, "each login has a name of its own");
    asked = first;
    for _ in 0..2 {
        let again = challenge(host.answer(1, &asked, Credential::Code(&wrong)));
        assert_eq!((again.login, again.id), (asked.login, asked.id + 1));
        asked = again;
    }
    assert_eq!(host.answer(1, &asked, Credential::Code(&wrong)), Some(Answer::Reject));
    let right = host.code("ada", 0);
    assert_eq!(host.answer(1, &asked, Credential::Code(&right)), Some(Answer::Reject), "there is no such login");
    assert_eq!(host.access(1), LOCKED);
    assert_eq!(host.events().iter().filter(|event| **event == FactorWrong(Factor::Code)).count(), 3);
}

#[test]
fn a_counter_far_ahead_is_resynchronised_by_two_codes() {
    let mut host = Host::new();
    host.last.insert(5, 10);
    let (far, next, later) = (host.code("eve", 60), host.code("eve", 61), host.code("eve", 70));
    let asked = challenge(host.start(1, "eve", Credential::Password("secret")));
    let again = challenge(host.answer(1, &asked, Credential::Code(&far)));
    assert_eq!(again.kind, Factor::Code, "one alone may be a guess");
    assert!(is_done(&host.answer(1, &again, Credential::Code(&next))));
    assert_eq!(host.last[&5], 61);
    let asked = challenge(host.start(2, "eve", Credential::Password("secret")));
    assert!(is_done(&host.answer(2, &asked, Credential::Code(&later))), "within the look-ahead");
    assert_eq!(host.last[&5], 70);
    let asked = challenge(host.start(3, "eve", Credential::Password("secret")));
    assert_eq!(challenge(host.answer(3, &asked, Credential::Code(&later))).kind, Factor::Code, "used already");
}

#[test]
fn a_recovery_code_stands_for_a_code_once() {
    let mut host = Host::new();
    let codes = recovery_codes(&mut host, 1);
    let asked = challenge(host.start(1, "ada", Credential::Password("secret")));
    let again = challenge(host.answer(1, &asked, Credential::Recovery("ABCD-EFGH-IJKL-MNOP")));
    assert!(is_done(&host.answer(1, &again, Credential::Recovery(&codes[4].to_lowercase()))));
    assert!(host.events().contains(&RecoveryUsed));
    assert_eq!(host.recovery.len(), 9);
    let asked = challenge(host.start(2, "ada", Credential::Password("secret")));
    let again = challenge(host.answer(2, &asked, Credential::Recovery(&codes[4])));
    assert!(is_done(&host.answer(2, &again, Credential::Recovery(&codes[5]))));
    let asked = challenge(host.start(3, "ada", Credential::Password("wrong")));
    assert_eq!(challenge(host.answer(3, &asked, Credential::Recovery(&codes[6]))).kind, Factor::Code);
    assert_eq!(host.recovery.len(), 8, "none is used up by a login that fails anyhow");
}

#[test]
fn a_browser_gets_provisional_access_while_it_logs_in() {
    let mut host = Host::new();
    host.hold.push("browser");
    let asked = challenge(host.start(1, "", Credential::Web));
    assert_eq!((asked.kind, asked.expires), (Factor::Web, secs(600)));
    assert_eq!(asked.prompt.as_ref().map(SecretText::as_str), Some("https://login.example/ ABCD"));
    assert_eq!(host.access(1), Access::Provisional);
    let wait = Answer::Wait { login: asked.login, after: secs(2) };
    assert_eq!(host.answer(1, &asked, Credential::Web), Some(wait), "a client that asks");
    host.pass(secs(599));
    assert_eq!(host.access(1), Access::Provisional);
    host.release();
    assert_eq!(host.access(1), open(4));
    assert_eq!(host.pushes(1), [Push::Opened]);
    assert!(is_done(&host.answer(1, &asked, Credential::Web)), "the outcome waits for the client");
    assert_eq!(host.answer(1, &asked, Credential::Web), Some(Answer::Reject), "and is told once");
    assert_eq!(host.access(1), open(4));
}

#[test]
fn a_client_that_asked_too_early_is_told_where_to_log_in() {
    let mut host = Host::new();
    host.hold = ["web", "browser"].to_vec();
    assert_eq!(host.start(1, "", Credential::Web), None);
    let Some(Answer::Wait { login, .. }) = host.start(1, "", Credential::Web) else { panic!("no wait") };
    host.hold = ["browser"].to_vec();
    let (id, request) = host.held.pop().expect("it was asked for");
    let reply = host.work(&request);
    host.complete(id, reply).expect("it waits");
    host.drain();
    assert_eq!(host.answer_of(1), None, "nobody waits for an answer by now");
    let now = host.now();
    host.sessions.answer(now, &peer(1), login, 0, Credential::Web).expect("the peer is known");
    host.drain();
    let asked = challenge(host.answer_of(1));
    assert!(asked.prompt.is_some_and(|prompt| prompt.as_str().contains("login.example")));
    host.sessions.answer(now, &peer(1), login, asked.id, Credential::Web).expect("the peer is known");
    host.drain();
    assert!(matches!(host.answer_of(1), Some(Answer::Wait { .. })));
}

#[test]
fn provisional_access_ends_with_the_login() {
    for (end, state) in [
        ("time", State::Locked(None)),
        ("reject", State::Locked(None)),
        ("another login", State::Locked(None)),
        ("revocation", State::Revoked(Reason::Revoked)),
    ] {
        let mut host = Host::new();
        host.hold.push("browser");
        let asked = challenge(host.start(1, "", Credential::Web));
        assert_eq!(host.access(1), Access::Provisional, "{end}");
        let (id, _) = host.held.pop().expect("it was asked for");
        let now = host.now();
        match end {
            "time" => host.pass(secs(600)),
            "reject" => host.complete(id, Reply::Identity(None)).expect("it waits"),
            "another login" => assert_eq!(host.start(1, "bob", Credential::Password("wrong")), Some(Answer::Reject)),
            _ => host.sessions.end_session(now, &peer(1), Reason::Revoked).expect("the peer is known"),
        }
        host.drain();
        assert_eq!((host.access(1), host.state(1)), (LOCKED, state), "{end}");
        assert!(host.complete(id, Reply::Identity(host.user("dee"))).is_err(), "{end}: too late");
        assert_eq!(host.access(1), LOCKED, "{end}");
        assert_eq!(host.answer(1, &asked, Credential::Web), Some(Answer::Reject), "{end}");
        host.pass(secs(120));
        assert_eq!(host.sessions.poll_timeout(), None, "{end}");
    }
}

#[test]
fn a_back_end_asks_ten_times_at_most() {
    let mut host = Host::new();
    let mut asked = challenge(host.start(1, "fay", Credential::Text("first")));
    assert_eq!(asked.prompt.as_ref().map(SecretText::as_str), Some("and?"));
    assert!(asked.echo);
    host.hold.push("text");
    for round in 1..=10 {
        assert_eq!(host.answer(1, &asked, Credential::Text("more")), None);
        let (id, request) = host.held.pop().expect("it was asked for");
        assert!(matches!(request, Request::AskText { state: Some(_), .. }), "round {round}");
        let more = Reply::More { prompt: SecretText::new("and?".to_string()), echo: false, state: [1].to_vec() };
        host.complete(id, more).expect("it waits");
        host.drain();
        match host.answer_of(1) {
            Some(Answer::Challenge(challenge)) if round < 10 => asked = challenge,
            other => assert_eq!((round, other), (10, Some(Answer::RetryAfter(secs(10))))),
        }
    }
}

#[test]
fn failures_with_certificates_are_counted_for_their_user() {
    let mut host = Host::new();
    let wrong = host.wrong_code("cy");
    for n in [1, 2, 3] {
        for round in 0..10 {
            host.pass(HOUR / 31);
            let answer = host.start(n, "", Credential::Certificate(b"cy"));
            let Some(Answer::Challenge(asked)) = answer else { continue };
            let again = host.answer(n, &asked, Credential::Code(&wrong));
            assert!(matches!(again, Some(Answer::Challenge(_))), "{n} {round}: {again:?}");
        }
    }
    assert!(
        matches!(host.start(1, "cy", Credential::Certificate(b"cy")), Some(Answer::RetryAfter(_))),
        "whoever names him, and whoever does not, share his thirty an hour"
    );
}
