//! What becomes of a peer: logged in, logged in again, ended.
use super::*;
use FactEvent::{Ended, Extended, FactorRight, LoginBegun, Opened, ReauthDue};

#[test]
fn a_password_and_a_code_open_a_peer() {
    let mut host = Host::new();
    assert_eq!((host.state(1), host.access(1)), (State::Locked(None), LOCKED));
    assert_eq!(host.sessions.poll_timeout(), None, "nothing is open and nothing due");

    let asked = challenge(host.start(1, " Ada\t", Credential::Password("secret")));
    assert_eq!((asked.kind, asked.echo, asked.digits, asked.expires), (Factor::Code, false, Some(6), secs(120)));
    assert_eq!((host.state(1), host.access(1)), (State::Challenged(asked.login), LOCKED));
    assert_eq!(host.sessions.poll_timeout(), Some(host.now() + secs(120)));

    let code = host.code("ada", 0);
    let answer = host.answer(1, &asked, Credential::Code(&code));
    assert_eq!(answer, Some(Answer::Done { session: SessionId(101), lifetime: 12 * HOUR }));
    assert_eq!((host.state(1), host.access(1)), (State::Open, open(1)));
    assert_eq!(host.sessions.groups(&peer(1)), [GroupId(1)]);
    assert_eq!(host.asked, ["find", "password", "code", "open"]);
    assert_eq!(
        host.events(),
        [LoginBegun(Factor::Password), FactorRight(Factor::Password), FactorRight(Factor::Code), Opened]
    );
    let view = host.sessions.view(&peer(1)).expect("the peer is known");
    assert_eq!((view.user, view.session), (Some(UserId(1)), Some(SessionId(101))));
    assert_eq!(view.until, Some(host.now() + 12 * HOUR));
    assert_eq!(host.access(2), LOCKED, "others stay where they are");
}

#[test]
fn access_is_said_before_the_answer_and_pushed_after() {
    let mut host = Host::new();
    host.login(2, "ada");
    host.outputs.clear();
    host.start(1, "bob", Credential::Password("secret"));
    let of = |output: &Output| match output {
        Output::Access { .. } => "access",
        Output::Answer { .. } => "answer",
        Output::Push { .. } => "push",
    };
    assert_eq!(host.outputs.iter().map(of).collect::<Vec<_>>(), ["access", "push"], "the answer was taken out");
    let now = host.now();
    host.outputs.clear();
    host.sessions.start(now, &peer(3), "bob", Credential::Password("secret")).expect("the peer is known");
    host.drain();
    assert_eq!(host.outputs.iter().map(of).collect::<Vec<_>>(), ["access", "answer", "push"]);
}

#[test]
fn a_session_is_announced_to_end_and_ends() {
    let mut host = Host::new();
    host.login(1, "ada");
    host.events();
    host.pushes(1);
    host.pass(12 * HOUR - secs(601));
    assert_eq!((host.state(1), host.pushes(1)), (State::Open, Vec::new()));
    host.pass(secs(1));
    assert_eq!((host.state(1), host.pushes(1)), (State::ReauthDue, [Push::ReauthDue(secs(600))].to_vec()));
    host.pass(secs(540));
    assert_eq!((host.state(1), host.pushes(1)), (State::Grace, [Push::Ending(secs(60))].to_vec()));
    assert_eq!(host.access(1), open(1));
    host.pass(secs(59));
    assert_eq!(host.access(1), open(1));
    host.pass(secs(1));
    assert_eq!((host.state(1), host.access(1)), (State::Locked(Some(Reason::Expired)), LOCKED));
    assert_eq!(host.pushes(1), [Push::Ended(Reason::Expired)]);
    assert_eq!(host.events(), [ReauthDue, Ended(Reason::Expired)]);
    assert_eq!(host.sessions.poll_timeout(), None);
    assert_eq!(host.sessions.open(), 0);
}

#[test]
fn deadlines_that_were_slept_through_are_met_at_once() {
    let mut host = Host::new();
    host.login(1, "ada");
    host.clock += 13 * HOUR;
    host.timeout();
    assert_eq!((host.state(1), host.access(1)), (State::Locked(Some(Reason::Expired)), LOCKED));
    assert_eq!(host.sessions.poll_timeout(), None);
}

#[test]
fn logging_in_again_interrupts_nothing() {
    let mut host = Host::new();
    host.login(1, "ada");
    host.pass(12 * HOUR - secs(30));
    assert_eq!(host.state(1), State::Grace);
    host.events();
    host.outputs.clear();
    let asked = challenge(host.start(1, "ada", Credential::Password("secret")));
    assert_eq!((host.state(1), host.access(1)), (State::Grace, open(1)));
    let code = host.code("ada", 0);
    assert!(is_done(&host.answer(1, &asked, Credential::Code(&code))));
    assert_eq!(host.state(1), State::Open);
    host.pass(HOUR);
    assert_eq!((host.state(1), host.access(1), host.sessions.open()), (State::Open, open(1), 1));
    let said_locked = |output: &Output| matches!(output, Output::Access { .. });
    assert!(!host.outputs.iter().any(said_locked), "the access was the same all the time: {:?}", host.outputs);
    assert!(host.events().ends_with(&[Extended]));
}

#[test]
fn a_failed_login_leaves_the_open_session_alone() {
    let mut host = Host::new();
    host.login(1, "ada");
    let until = host.sessions.view(&peer(1)).and_then(|view| view.until);
    assert_eq!(host.start(1, "bob", Credential::Password("wrong")), Some(Answer::Reject));
    assert_eq!((host.state(1), host.access(1)), (State::Open, open(1)));
    assert_eq!(host.sessions.view(&peer(1)).and_then(|view| view.until), until);
}

#[test]
fn another_user_takes_the_place_of_the_first() {
    let mut host = Host::new();
    host.login(1, "ada");
    host.events();
    assert!(is_done(&host.start(1, "bob", Credential::Password("secret"))));
    assert_eq!((host.access(1), host.sessions.open()), (open(2), 1));
    assert_eq!(
        host.facts.iter().map(|fact| (fact.user, fact.session, fact.event)).skip(2).collect::<Vec<_>>(),
        [
            (Some(UserId(1)), Some(SessionId(101)), Ended(Reason::NewLogin)),
            (Some(UserId(2)), Some(SessionId(102)), Opened),
        ]
    );
}

#[test]
fn a_session_without_packets_ends() {
    let mut host = Host::new();
    host.accounts.get_mut("ada").expect("ada").idle = Some(secs(300));
    host.login(1, "ada");
    host.pass(secs(250));
    host.heard.insert(peer(1), host.now());
    host.pass(secs(299));
    assert_eq!(host.access(1), open(1), "a packet came after 250 s");
    host.pass(secs(1));
    assert_eq!((host.state(1), host.access(1)), (State::Locked(Some(Reason::Idle)), LOCKED));
}

#[test]
fn sessions_end_for_every_reason() {
    for (reason, ends_sessions) in [
        (Reason::Logout, false),
        (Reason::Quota, false),
        (Reason::Revoked, true),
        (Reason::UserDisabled, true),
        (Reason::CertificateRevoked, true),
        (Reason::Elsewhere, true),
    ] {
        let mut host = Host::new();
        host.login(1, "ada");
        host.events();
        host.outputs.clear();
        let now = host.now();
        host.sessions.end_session(now, &peer(1), reason).expect("the peer is known");
        host.drain();
        assert_eq!(host.access(1), LOCKED, "{reason:?}");
        let state = if ends_sessions { State::Revoked(reason) } else { State::Locked(Some(reason)) };
        assert_eq!(host.state(1), state);
        assert_eq!(
            host.outputs,
            [
                Output::Access { peer: peer(1), access: LOCKED, end_sessions: ends_sessions },
                Output::Push { peer: peer(1), push: Push::Ended(reason) },
            ]
        );
        assert_eq!(host.events(), [Ended(reason)]);
        assert_eq!(host.sessions.poll_timeout(), None);
        let again = host.start(1, "ada", Credential::Password("secret"));
        assert!(matches!(again, Some(Answer::Challenge(_))), "who is not disabled may log in again");
    }
}

#[test]
fn a_user_is_put_out_everywhere() {
    let mut host = Host::new();
    host.start(1, "bob", Credential::Password("secret"));
    host.start(2, "bob", Credential::Password("secret"));
    host.hold.push("open");
    host.start(3, "bob", Credential::Password("secret"));
    let now = host.now();
    assert_eq!(host.sessions.end_sessions_of(now, UserId(2), Reason::UserDisabled), 3);
    host.drain();
    assert_eq!([1, 2, 3].map(|n| host.access(n)), [LOCKED; 3]);
    assert_eq!(host.answer_of(3), Some(Answer::Reject), "in the middle of a login");
    let (id, request) = host.held.pop().expect("it was asked for");
    let reply = host.work(&request);
    assert!(host.complete(id, reply).is_err(), "too late");
    host.drain();
    assert_eq!(host.access(3), LOCKED);
    assert_eq!(host.sessions.open(), 0);
}

#[test]
fn other_rules_and_groups_interrupt_nothing() {
    let mut host = Host::new();
    host.login(1, "ada");
    host.outputs.clear();
    let now = host.now();
    host.sessions.change_user(now, UserId(1), RulesId(50), &[GroupId(7), GroupId(8)]).expect("memory");
    host.drain();
    assert_eq!(host.outputs, [Output::Access { peer: peer(1), access: open(50), end_sessions: false }]);
    assert_eq!(host.sessions.groups(&peer(1)), [GroupId(7), GroupId(8)]);
}

#[test]
fn peers_without_a_login_are_open() {
    let mut host = Host::new();
    let now = host.now();
    host.sessions.add_peer(now, peer(9), PeerKind::Free(RulesId(70))).expect("memory");
    host.drain();
    assert_eq!((host.state(9), host.access(9)), (State::Free, open(70)));
    assert_eq!(host.start(9, "ada", Credential::Password("secret")), Some(Answer::Reject));
    assert_eq!(host.sessions.poll_timeout(), None);
    host.sessions.handle_store(now, false);
    host.pass(100 * HOUR);
    assert_eq!(host.access(9), open(70), "a store that is away concerns them not");
    let now = host.now();
    host.sessions.add_peer(now, peer(9), PeerKind::Login).expect("memory");
    host.drain();
    assert_eq!(host.access(9), LOCKED);
    let is_ended = |output: &Output| matches!(output, Output::Access { end_sessions: true, .. });
    assert!(host.outputs.iter().any(is_ended), "what flows is cut");
}

#[test]
fn a_peer_that_needs_no_login_any_more_loses_its_session() {
    let mut host = Host::new();
    host.login(1, "ada");
    host.events();
    let now = host.now();
    host.sessions.add_peer(now, peer(1), PeerKind::Login).expect("memory");
    assert_eq!(host.access(1), open(1), "nothing changed");
    host.sessions.add_peer(now, peer(1), PeerKind::Free(RulesId(70))).expect("memory");
    host.drain();
    assert_eq!((host.access(1), host.sessions.open()), (open(70), 0));
    assert_eq!(host.events(), [Ended(Reason::PeerChanged)]);
}

#[test]
fn a_peer_that_is_removed_takes_its_login_along() {
    let mut host = Host::new();
    host.hold.push("password");
    assert_eq!(host.start(1, "ada", Credential::Password("secret")), None);
    let now = host.now();
    host.sessions.remove_peer(now, &peer(1)).expect("the peer is known");
    assert_eq!(host.sessions.remove_peer(now, &peer(1)), Err(SessionError::UnknownPeer));
    host.sessions.add_peer(now, peer(8), PeerKind::Login).expect("memory");
    host.drain();
    let (id, _) = host.held.pop().expect("it was asked for");
    assert!(host.complete(id, Reply::Verified(true)).is_err(), "the slot has another tenant");
    host.hold.clear();
    assert!(matches!(host.login(8, "ada"), Answer::Done { .. }));
    let now = host.now();
    host.sessions.remove_peer(now, &peer(8)).expect("the peer is known");
    assert_eq!((host.sessions.open(), host.sessions.poll_timeout()), (0, None));
}

#[test]
fn sessions_are_taken_up_again_after_a_restart() {
    let mut host = Host::new();
    let resumed = |left: u64| Resumed {
        session: SessionId(55),
        user: UserId(1),
        rules: RulesId(1),
        groups: Vec::new(),
        left: secs(left),
        idle: None,
        not_after: None,
    };
    let now = host.now();
    host.sessions.resume(now, &peer(1), resumed(100)).expect("memory");
    assert_eq!(host.sessions.resume(now, &peer(1), resumed(100)), Err(SessionError::NotNeeded));
    assert_eq!(host.sessions.resume(now, &peer(2), resumed(0)), Err(SessionError::NotNeeded));
    assert_eq!(host.sessions.resume(now, &peer(7), resumed(9)), Err(SessionError::UnknownPeer));
    host.drain();
    assert_eq!(host.access(1), open(1));
    host.pass(secs(100));
    assert_eq!((host.access(1), host.state(1)), (LOCKED, State::Locked(Some(Reason::Expired))));
}
