//! What goes wrong: stores, hosts and clocks.
use super::*;
use FactEvent::{Abandoned, Ended, Limited, RequestTimedOut, Unavailable};

const RETRY: Answer = Answer::RetryAfter(secs(10));

#[test]
fn requests_that_are_not_answered_end_the_login() {
    for kind in ["find", "password", "code", "open"] {
        let mut host = Host::new();
        host.hold.push(kind);
        let answer = host.start(1, "ada", Credential::Password("secret"));
        if let Some(Answer::Challenge(asked)) = answer {
            let code = host.code("ada", 0);
            assert_eq!(host.answer(1, &asked, Credential::Code(&code)), None, "{kind}");
        }
        assert_eq!(host.held.len(), 1, "{kind}");
        host.pass(secs(29));
        assert_eq!(host.answer_of(1), None, "{kind}");
        host.pass(secs(1));
        assert_eq!(host.answer_of(1), Some(RETRY), "{kind}");
        assert_eq!((host.access(1), host.sessions.poll_timeout()), (LOCKED, None), "{kind}");
        assert!(host.events().contains(&RequestTimedOut), "{kind}");
        let (id, request) = host.held.pop().expect("it was asked for");
        let reply = host.work(&request);
        let opened = matches!(reply, Reply::Opened(Some(_)));
        let Err(Stale(reply)) = host.complete(id, reply) else { panic!("{kind}: nobody waits any more") };
        assert_eq!(matches!(reply, Reply::Opened(Some(_))), opened, "{kind}: the host can close what it opened");
        host.drain();
        assert_eq!(host.access(1), LOCKED, "{kind}");
    }
}

#[test]
fn what_cannot_be_reached_is_no_failure() {
    for kind in ["find", "password", "code", "open", "certificate", "text", "web", "browser"] {
        let mut host = Host::new();
        let credential = match kind {
            "certificate" => Credential::Certificate(b"cy"),
            "text" => Credential::Text("first"),
            "web" | "browser" => Credential::Web,
            _ => Credential::Password("secret"),
        };
        for round in 0..9 {
            host.hold.push(kind);
            let answer = host.start(1, "ada", credential);
            if let Some(Answer::Challenge(asked)) = answer.filter(|_| kind != "browser") {
                let code = host.code("ada", 0);
                assert_eq!(host.answer(1, &asked, Credential::Code(&code)), None, "{kind}");
            }
            let (id, _) = host.held.pop().expect("it was asked for");
            host.complete(id, Reply::Unavailable).expect("it waits");
            host.drain();
            if kind != "browser" {
                assert_eq!(host.answer_of(1), Some(RETRY), "{kind} {round}");
            }
            assert_eq!(host.access(1), LOCKED, "{kind} {round}");
            assert!(host.events().contains(&Unavailable), "{kind} {round}");
            host.pass(secs(30));
        }
    }
}

#[test]
fn an_answer_to_another_question_opens_nothing() {
    let replies = || -> [Reply; 6] {
        let prompt = || SecretText::new("x".to_string());
        [
            Reply::User(Host::new().user("bob")),
            Reply::Verified(true),
            Reply::Identity(Host::new().user("bob")),
            Reply::More { prompt: prompt(), echo: true, state: Vec::new() },
            Reply::WebBegun { handle: 1, prompt: prompt(), expires: secs(9) },
            Reply::Opened(Some(SessionId(1))),
        ]
    };
    for (kind, own) in [("find", 0), ("password", 1), ("open", 5)] {
        for (at, reply) in replies().into_iter().enumerate().filter(|(at, _)| *at != own) {
            let mut host = Host::new();
            host.hold.push(kind);
            assert_eq!(host.start(1, "bob", Credential::Password("secret")), None);
            let (id, _) = host.held.pop().expect("it was asked for");
            host.complete(id, reply).expect("it waits");
            host.drain();
            assert_eq!((host.access(1), host.answer_of(1)), (LOCKED, Some(RETRY)), "{kind} {at}");
        }
    }
}

#[test]
fn a_reply_counts_once() {
    let mut host = Host::new();
    host.hold.push("open");
    host.start(1, "bob", Credential::Password("secret"));
    let (id, _) = host.held.pop().expect("it was asked for");
    host.complete(id, Reply::Opened(Some(SessionId(1)))).expect("it waits");
    assert!(host.complete(id, Reply::Opened(Some(SessionId(2)))).is_err());
    host.drain();
    assert_eq!(host.sessions.view(&peer(1)).and_then(|view| view.session), Some(SessionId(1)));
}

#[test]
fn a_late_reply_answers_no_later_request() {
    let mut host = Host::new();
    host.hold.push("password");
    assert_eq!(host.start(1, "bob", Credential::Password("secret")), None);
    host.pass(secs(30));
    assert_eq!(host.answer_of(1), Some(RETRY));
    assert_eq!(host.start(1, "bob", Credential::Password("wrong")), None);
    let (late, _) = host.held.remove(0);
    assert!(host.complete(late, Reply::Verified(true)).is_err(), "of the login before");
    host.drain();
    assert_eq!((host.access(1), host.answer_of(1)), (LOCKED, None));
    host.release();
    assert_eq!((host.access(1), host.answer_of(1)), (LOCKED, Some(Answer::Reject)));
}

#[test]
fn logins_that_succeed_count_as_no_failures() {
    let mut host = Host::new();
    for n in 0..60 {
        host.pass(secs(10));
        let answer = host.start(n % 3 + 1, "bob", Credential::Password("secret"));
        assert!(is_done(&answer), "login {n} of this hour: {answer:?}");
    }
    for n in 0..60 {
        host.pass(secs(10));
        let answer = host.start(n % 3 + 1, "ada", Credential::Password("wrong"));
        assert!(matches!(answer, Some(Answer::Challenge(_))), "login {n}, which was not told to be wrong: {answer:?}");
    }
    for n in 0..60 {
        host.pass(secs(30));
        let asked = challenge(host.start(1, "", Credential::Certificate(b"cy")));
        let code = host.code("cy", 0);
        let answer = host.answer(1, &asked, Credential::Code(&code));
        assert!(is_done(&answer), "login {n} without a name: {answer:?}");
    }
}

#[test]
fn a_client_that_asks_too_early_is_told_to_wait() {
    let mut host = Host::new();
    host.hold.push("password");
    assert_eq!(host.start(1, "ada", Credential::Password("secret")), None);
    let Some(Answer::Wait { login, .. }) = host.start(1, "ada", Credential::Password("other")) else {
        panic!("no wait")
    };
    let now = host.now();
    host.sessions.answer(now, &peer(1), login, 0, Credential::Code("123456")).expect("the peer is known");
    host.drain();
    assert!(matches!(host.answer_of(1), Some(Answer::Wait { .. })));
    assert_eq!(host.asked, ["find", "password"], "one piece of work a peer");
    host.release();
    assert_eq!(host.answer_of(1), None, "nobody waits for an answer by now");
    host.sessions.answer(now, &peer(1), login, 0, Credential::Code("123456")).expect("the peer is known");
    host.drain();
    let asked = challenge(host.answer_of(1));
    assert_eq!(asked.kind, Factor::Code, "the challenge is told when it is asked for");
    let code = host.code("ada", 0);
    assert!(is_done(&host.answer(1, &asked, Credential::Code(&code))));
}

#[test]
fn a_challenge_dies_after_two_minutes() {
    let mut host = Host::new();
    let asked = challenge(host.start(1, "ada", Credential::Password("secret")));
    let code = host.code("ada", 4);
    host.pass(secs(119));
    assert_eq!(host.state(1), State::Challenged(asked.login));
    host.pass(secs(1));
    assert_eq!(host.state(1), State::Locked(None));
    assert_eq!(host.answer(1, &asked, Credential::Code(&code)), Some(Answer::Reject));
    assert!(host.events().contains(&Abandoned));
}

#[test]
fn answers_of_another_kind_or_too_long_change_nothing() {
    let mut host = Host::new();
    let asked = challenge(host.start(1, "ada", Credential::Password("secret")));
    let long = "1".repeat(300);
    for wrong in [Credential::Password("secret"), Credential::Web, Credential::Code(&long)] {
        assert_eq!(challenge(host.answer(1, &asked, wrong)).id, asked.id, "{wrong:?}");
    }
    let other = Challenge { id: asked.id + 1, ..challenge(host.answer(1, &asked, Credential::Web)) };
    let code = host.code("ada", 0);
    assert_eq!(challenge(host.answer(1, &other, Credential::Code(&code))).id, asked.id, "another challenge");
    assert_eq!(host.answer(2, &asked, Credential::Code(&code)), Some(Answer::Reject), "of another peer");
    assert!(is_done(&host.answer(1, &asked, Credential::Code(&code))));
    let name = "n".repeat(NAME_LEN + 1);
    assert_eq!(host.start(2, &name, Credential::Password("secret")), Some(Answer::Reject));
    let evidence = [0; EVIDENCE_LEN + 1];
    assert_eq!(host.start(2, "", Credential::Certificate(&evidence)), Some(Answer::Reject));
    assert_eq!(host.sessions.start(Instant::ZERO, &peer(77), "ada", Credential::Web), Err(SessionError::UnknownPeer));
}

#[test]
fn while_the_store_is_away_nobody_logs_in_and_who_is_in_stays_an_hour() {
    let mut host = Host::new();
    host.login(1, "ada");
    let now = host.now();
    host.sessions.handle_store(now, false);
    assert_eq!(host.start(2, "bob", Credential::Password("secret")), Some(RETRY));
    assert_eq!(host.asked.iter().filter(|kind| **kind == "find").count(), 1, "nothing is asked of it");
    host.pass(secs(1800));
    let now = host.now();
    host.sessions.handle_store(now, false);
    host.pass(secs(1799));
    assert_eq!(host.access(1), open(1));
    host.pass(secs(1));
    assert_eq!((host.access(1), host.state(1)), (LOCKED, State::Locked(Some(Reason::Offline))));
    assert!(host.events().contains(&Ended(Reason::Offline)));
    assert_eq!(host.sessions.poll_timeout(), None);
    assert_eq!(host.start(1, "bob", Credential::Password("secret")), Some(RETRY));
    let now = host.now();
    host.sessions.handle_store(now, true);
    assert!(is_done(&host.start(1, "bob", Credential::Password("secret"))));
}

#[test]
fn a_store_that_comes_back_in_time_ends_nothing() {
    let mut host = Host::new();
    host.login(1, "ada");
    let now = host.now();
    host.sessions.handle_store(now, false);
    assert_eq!(host.sessions.poll_timeout(), Some(now + HOUR));
    host.pass(HOUR - secs(1));
    let now = host.now();
    host.sessions.handle_store(now, true);
    host.pass(10 * HOUR);
    assert_eq!(host.access(1), open(1));
}

#[test]
fn a_clock_that_steps_back_freezes_no_session() {
    let mut host = Host::new();
    host.clock = 10 * HOUR;
    host.login(1, "ada");
    host.clock = 5 * HOUR;
    host.timeout();
    host.pass(12 * HOUR - secs(1));
    assert_eq!(host.access(1), open(1), "a step is no time that passed");
    host.pass(secs(1));
    assert_eq!(host.access(1), LOCKED);
}

#[test]
fn a_clock_that_leaps_ahead_ends_what_is_open_once() {
    let mut host = Host::new();
    host.login(1, "ada");
    host.clock += 1000 * HOUR;
    host.timeout();
    assert_eq!(host.access(1), LOCKED);
    assert_eq!(host.sessions.poll_timeout(), None);
    let asked = challenge(host.start(1, "ada", Credential::Password("secret")));
    let before = host.code("ada", 1 - 1000 * 120);
    assert!(is_done(&host.answer(1, &asked, Credential::Code(&before))), "the wall clock does not leap along");
    let now = host.now();
    host.sessions.handle_wall_clock(now, Some(host.wall()));
    assert!(matches!(host.login(1, "ada"), Answer::Done { .. }), "codes of now are taken when it was read again");
}

#[test]
fn a_fixed_end_moves_with_the_wall_clock_but_not_beyond_the_lifetime() {
    let mut host = Host::new();
    let end = UnixTime::from_secs(WALL + 3600);
    host.accounts.get_mut("bob").expect("bob").not_after = Some(end);
    assert_eq!(
        host.start(1, "bob", Credential::Password("secret")),
        Some(Answer::Done { session: SessionId(101), lifetime: HOUR })
    );
    let until = |host: &Host| host.sessions.view(&peer(1)).and_then(|view| view.until);
    for (wall, left) in [(WALL + 600, 3000), (WALL - 600, 4200), (WALL - 1_000_000, 12 * 3600)] {
        let now = host.now();
        host.sessions.handle_wall_clock(now, Some(UnixTime::from_secs(wall)));
        assert_eq!(until(&host), Some(now + secs(left)), "{wall}");
    }
    let now = host.now();
    host.sessions.handle_wall_clock(now, Some(UnixTime::from_secs(WALL)));
    host.sessions.handle_wall_clock(now, None);
    assert_eq!(until(&host), Some(now + HOUR), "without a clock it stays");
    host.sessions.handle_wall_clock(now, Some(end));
    host.timeout();
    assert_eq!(host.access(1), LOCKED, "the end has come");
    assert_eq!(host.start(1, "bob", Credential::Password("secret")), Some(Answer::Reject), "and is over");
}

#[test]
fn without_a_wall_clock_no_code_by_time_is_taken() {
    let mut host = Host::new();
    let now = host.now();
    host.sessions.handle_wall_clock(now, None);
    let code = host.code("ada", 0);
    for name in ["ada", "nobody"] {
        let asked = challenge(host.start(1, name, Credential::Password("secret")));
        assert_eq!(host.answer(1, &asked, Credential::Code(&code)), Some(RETRY), "{name}");
    }
    assert!(matches!(host.login(1, "eve"), Answer::Done { .. }), "counters need no clock");
}

#[test]
fn lockout_grows_and_is_told() {
    let mut host = Host::new();
    for failures in 1..=9_u32 {
        assert_eq!(host.start(1, "bob", Credential::Password("wrong")), Some(Answer::Reject), "{failures}");
        let wait = if failures > 5 { 1 << (failures - 5) } else { 0 };
        if wait > 0 {
            let told = host.start(1, "bob", Credential::Password("secret"));
            assert_eq!(told, Some(Answer::RetryAfter(secs(wait))), "not even the right one is looked at");
            assert!(host.events().contains(&Limited(secs(wait))));
        }
        host.pass(secs(wait.max(2)));
    }
    assert!(is_done(&host.start(1, "bob", Credential::Password("secret"))));
    for failures in 1..=5 {
        assert_eq!(
            host.start(1, "bob", Credential::Password("wrong")),
            Some(Answer::Reject),
            "{failures} are free again"
        );
        host.pass(secs(2));
    }
}

#[test]
fn logins_and_facts_are_bounded() {
    let mut host = Host::new();
    host.sessions.shared.settings.logins = 2;
    host.sessions.shared.settings.facts = 1;
    host.hold.push("password");
    assert_eq!(host.start(1, "ada", Credential::Password("secret")), None);
    assert_eq!(host.start(2, "ada", Credential::Password("secret")), None);
    assert_eq!(host.start(3, "ada", Credential::Password("secret")), Some(RETRY));
    host.release();
    let asked = challenge(host.start(2, "ada", Credential::Password("secret")));
    let code = host.code("ada", 0);
    assert!(is_done(&host.answer(2, &asked, Credential::Code(&code))));
    assert!(
        matches!(host.start(3, "ada", Credential::Password("secret")), Some(Answer::Challenge(_))),
        "a place is free"
    );
    host.events();
    host.sessions.take_lost_facts();
    let now = host.now();
    for n in [1, 2, 3] {
        host.sessions.start(now, &peer(n), "bob", Credential::Password("secret")).expect("the peer is known");
    }
    assert_eq!(host.sessions.shared.facts.len(), 1);
    assert!(host.sessions.take_lost_facts() > 0);
    assert_eq!(host.sessions.take_lost_facts(), 0);
}

/// What a gateway with many peers pays for each that nobody is logged in at.
#[test]
fn a_peer_takes_little_memory() {
    assert!(size_of::<peer::Peer>() <= 320, "{}", size_of::<peer::Peer>());
    assert!(size_of::<grant::Grant>() <= 192, "{}", size_of::<grant::Grant>());
    assert!(size_of::<login::Login>() <= 512, "{}", size_of::<login::Login>());
}

#[test]
fn nothing_secret_shows() {
    let mut host = Host::new();
    host.accounts.get_mut("ada").expect("ada").password = Some("pa55word");
    host.hold.extend(["find", "password", "code", "recovery", "certificate", "text"]);
    let mut shown = String::new();
    let show = |host: &mut Host, shown: &mut String| {
        let kept = core::mem::take(&mut host.held);
        shown.push_str(&format!("{kept:?} {:?} {:?}", host.facts, host.outputs));
        for (id, request) in kept {
            let reply = host.work(&request);
            shown.push_str(&format!("{reply:?}"));
            host.complete(id, reply).expect("it waits");
            host.drain();
        }
    };
    let secret = Credential::Password("pa55word");
    shown.push_str(&format!("{secret:?} {:?}", Credential::Recovery("ABCD")));
    host.start(1, "ada", secret);
    for _ in 0..2 {
        show(&mut host, &mut shown);
    }
    let asked = challenge(host.answer_of(1));
    host.answer(1, &asked, Credential::Code("654321"));
    show(&mut host, &mut shown);
    shown.push_str(&format!("{:?} {:?}", host.sessions, host.sessions.shared.settings));
    for secret in ["pa55word", "654321", "hash of", "\"ada\"", "ABCD", "[1, 1, 1"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert!(shown.contains("SecretText(redacted)") && shown.contains("OtpSecret(redacted)"), "{shown}");
}

#[test]
fn failures_of_before_a_restart_are_waited_for() {
    let mut host = Host::new();
    let now = host.now();
    let unknown = host.sessions.recall_failures(now, FailuresOf::OthersAt(&peer(99)), 9, secs(0));
    assert_eq!(unknown, Err(SessionError::UnknownPeer));
    host.pass(secs(1000));
    let now = host.now();
    // Sixteen seconds after the ninth failure, of which ten are over.
    host.sessions.recall_failures(now, FailuresOf::NameAt("Ada", &peer(1)), 9, secs(6)).expect("memory");
    host.sessions.recall_failures(now, FailuresOf::OthersAt(&peer(2)), 9, secs(6)).expect("memory");
    for (n, name) in [(1, "ada"), (2, "ada"), (2, "nobody")] {
        assert_eq!(
            host.start(n, name, Credential::Password("secret")),
            Some(Answer::RetryAfter(secs(10))),
            "{n} {name}"
        );
    }
    let has_to_wait = |answer| matches!(answer, Some(Answer::RetryAfter(_)));
    assert!(!has_to_wait(host.start(1, "bob", Credential::Password("secret"))), "another name");
    assert!(!has_to_wait(host.start(3, "ada", Credential::Password("secret"))), "another peer");
    host.pass(secs(10));
    assert!(is_done(&Some(host.login(1, "ada"))));
    let now = host.now();
    host.sessions.recall_failures(now, FailuresOf::Name("ada"), 40, secs(600)).expect("memory");
    assert_eq!(host.start(3, "ada", Credential::Password("secret")), Some(Answer::RetryAfter(secs(3000))));
    // What counts no more is not taken up, however young the host's clock is.
    host.sessions.recall_failures(now, FailuresOf::Name("bob"), 40, secs(3600)).expect("nothing to do");
    host.sessions.recall_failures(now, FailuresOf::NameAt("bob", &peer(3)), 40, secs(86_400)).expect("nothing to do");
    assert!(!has_to_wait(host.start(3, "bob", Credential::Password("secret"))));
}
