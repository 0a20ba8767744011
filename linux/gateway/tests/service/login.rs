//! Logging in, addresses, and what a client is told.
use crate::place::{SITE, authenticator, key, name};
use crate::world::{World, rough};
use std::net::Ipv4Addr;
use std::time::Duration;
use underpass_core::DropReason;
use underpass_core::control::message::{
    Config, Hello, LeaseRequest, Method, Outcome, Reply, Request, Session, SessionState, Watch,
};
use underpass_core::control::{Code, Event};
use underpass_core::policy::code::{Algorithm, Digits, Moving, OneTimeCode};
use underpass_gateway::admin::hash_of_recovery;
use underpass_gateway::store::{
    Devices as _, Factors as _, Leases as _, NewCode, NewDevice, Owner, Pool, Rhythm, Sessions as _, Users as _,
};
use zeroize::Zeroizing;

#[test]
fn whoever_logs_in_over_the_tunnel_gets_an_address_and_packets_pass_both_ways() {
    let mut world = World::new();
    let Reply::Hello(Hello { state, methods, .. }) = world.reply_to(0, &Request::Hello) else { panic!("no hello") };
    assert_eq!((state, methods), (SessionState::Locked, vec![vec![Method::Password, Method::Code]]));
    assert_eq!(world.goes_in(0, [10, 8, 0, 50]), Err(Some(DropReason::Locked)));
    for request in [Request::Lease(LeaseRequest::default()), Request::Config] {
        let Event::Refused { refusal, .. } = world.ask(0, &request) else { panic!("{request:?} before the login") };
        assert_eq!(refusal.code, Code::UNAUTHORIZED);
    }
    let outcomes = world.log_in(0, "alice", "alice's password", &world.code("alice"));
    let [Outcome::Challenge(challenge), Outcome::Done] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((challenge.method, challenge.digits), (Method::Code, Some(6)));
    // Open, and still without an address: nothing has a place to come from.
    assert_eq!(world.goes_in(0, [10, 8, 0, 50]), Err(Some(DropReason::SourceNotAllowed)));
    let address = world.lease(0);
    assert!(Ipv4Addr::from(address) > Ipv4Addr::new(10, 8, 0, 1) && address != [10, 8, 0, 77], "{address:?}");
    assert_eq!(world.goes_in(0, address), Ok(60));
    assert_eq!(world.comes_out(0, address), Ok(60));
    assert_eq!(world.goes_in(0, [10, 8, 0, 77]), Err(Some(DropReason::SourceNotAllowed)));
    assert_eq!(world.goes_in(1, address), Err(Some(DropReason::Locked)), "another's");
    let open = world.store().sessions(None).expect("a list");
    assert_eq!((open.len(), open[0].name.as_str(), open[0].device), (1, "alice", key(0)));
    let lines = world.lines_of("session.opened");
    assert_eq!((lines.len(), &lines[0]["methods"]), (1, &"password totp".into()));
    assert_eq!(lines[0]["src"], "192.0.2.1:51820");
    assert_eq!(world.lines_of("lease.granted").len(), 2, "of each family");
}

#[test]
fn a_client_hears_of_its_session_and_its_settings() {
    let mut world = World::new();
    let Reply::Session(before) = world.watch(0, Watch::Session) else { panic!("no session") };
    assert_eq!(before, Session::of(SessionState::Locked));
    world.enter(0, "alice");
    let [Reply::Session(session)] = &world.pushed(0)[..] else { panic!("one change") };
    let wall = world.wall().as_duration().as_secs();
    assert_eq!((session.state, session.user.as_deref()), (SessionState::Open, Some("alice")));
    assert_eq!((session.since, session.expires, session.login_due), (Some(wall), Some(wall + 1800), Some(wall + 1500)));
    let Reply::Config(config) = world.watch(0, Watch::Config) else { panic!("no settings") };
    let pushed = Config { v4: None, v6: None, version: 0, ..config.clone() };
    let wanted = Config {
        routes: vec!["10.1.0.0/16".parse().expect("a network")],
        dns: vec!["10.1.0.53".parse().expect("an address")],
        search: vec!["example.org".into()],
        mtu: Some(1420),
        kill_switch: true,
        ..Config::default()
    };
    assert_eq!(pushed, wanted);
    let address = world.lease(0);
    let [Reply::Config(with_address)] = &world.pushed(0)[..] else { panic!("one change") };
    let v4 = with_address.v4.expect("an address");
    assert_eq!((v4.addr(), v4.prefix_len()), (address.into(), 24));
    assert!(with_address.v6.is_some_and(|v6| v6.prefix_len() == 64));
    assert!(with_address.version > config.version);
}

#[test]
fn a_code_is_taken_once() {
    let mut world = World::new();
    let code = world.code("alice");
    assert_eq!(world.log_in(0, "alice", "alice's password", &code).last(), Some(&Outcome::Done));
    assert_eq!(world.reply_to(0, &Request::Logout), Reply::LoggedOut);
    let again = world.log_in(0, "alice", "alice's password", &code);
    assert!(matches!(again[..], [Outcome::Challenge(_), Outcome::Challenge(_)]), "{again:?}");
    assert_eq!(world.goes_in(0, [10, 8, 0, 50]), Err(Some(DropReason::Locked)));
    assert_eq!(world.lines_of("login.factor_failed").len(), 1);
    // The next step's code is good.
    world.run(Duration::from_secs(30));
    assert_eq!(world.log_in(0, "alice", "alice's password", &world.code("alice")).last(), Some(&Outcome::Done));
}

#[test]
fn of_two_logins_with_one_code_one_gets_in() {
    let mut world = World::new();
    let (mut store, time) = (world.store(), world.time());
    let alice = store.user(&name("alice")).expect("an answer").expect("alice").id;
    store.remove_device(time, &key(1), false).expect("removed");
    let device = NewDevice { key: key(1), name: name("phone") };
    store.add_device(time, Owner::User(alice), &device).expect("added");
    world.run(Duration::from_secs(60));
    let code = world.code("alice");
    // Both are asked for the code before either shows it.
    let asked = [0, 1].map(|client| world.begin(client, "alice", "alice's password"));
    let [Outcome::Challenge(first), Outcome::Challenge(second)] = asked else { panic!("{asked:?}") };
    assert_eq!(world.answer(0, first.id, &code), Outcome::Done);
    assert!(matches!(world.answer(1, second.id, &code), Outcome::Challenge(_)));
    assert_eq!(world.service.open_sessions(), 1);
    world.run(Duration::from_secs(30));
    let code = world.code("alice");
    assert_eq!(world.log_in(1, "alice", "alice's password", &code).last(), Some(&Outcome::Done), "the next code");
    assert_eq!(world.service.open_sessions(), 2);
    assert_ne!(world.lease(0), world.lease(1), "a device has an address of its own");
}

#[test]
fn each_of_four_authenticators_is_good_and_each_code_of_each_once() {
    let mut world = World::new();
    let (mut store, time) = (world.store(), world.time());
    let alice = store.user(&name("alice")).expect("an answer").expect("alice").id;
    for label in ["second", "third", "fourth", "fifth"] {
        let secret = Zeroizing::new(authenticator(label).secret.as_bytes().to_vec());
        let code = NewCode { rhythm: Rhythm::Time { period: 30 }, algorithm: 1, digits: 6, secret };
        store.add_code(time, alice, &code).expect("a code");
    }
    for label in ["fifth", "fourth", "third", "second"] {
        let code = world.code(label);
        assert_eq!(world.log_in(0, "alice", "alice's password", &code).last(), Some(&Outcome::Done), "{label}");
        assert_eq!(world.reply_to(0, &Request::Logout), Reply::LoggedOut);
        let again = world.log_in(0, "alice", "alice's password", &code);
        assert!(matches!(again[..], [Outcome::Challenge(_), Outcome::Challenge(_)]), "{label}: {again:?}");
    }
    let used: Vec<_> = store.codes(alice).expect("a list").iter().map(|code| code.last.is_some()).collect();
    assert_eq!(used, [false, true, true, true, true], "each has a last step of its own");
    // Of more than four, which no command makes, the newest count.
    let outcomes = world.log_in(0, "alice", "alice's password", &world.code("alice"));
    assert!(!outcomes.contains(&Outcome::Done), "{outcomes:?}");
}

#[test]
fn a_token_that_counts_has_codes_of_its_own_form() {
    let mut world = World::new();
    let (mut store, time) = (world.store(), world.time());
    let alice = store.user(&name("alice")).expect("an answer").expect("alice").id;
    let token = OneTimeCode {
        algorithm: Algorithm::Sha256,
        digits: Digits::new(8).expect("eight"),
        moving: Moving::Counter,
        ..authenticator("token")
    };
    let secret = Zeroizing::new(token.secret.as_bytes().to_vec());
    let code = NewCode { rhythm: Rhythm::Counter, algorithm: 2, digits: 8, secret };
    store.add_code(time, alice, &code).expect("a code");
    let shown = [0, 1].map(|counter| format!("{:08}", token.code(counter)));
    assert_eq!(world.log_in(0, "alice", "alice's password", &shown[0]).last(), Some(&Outcome::Done));
    assert_eq!(world.reply_to(0, &Request::Logout), Reply::LoggedOut);
    let again = world.log_in(0, "alice", "alice's password", &shown[0]);
    let [_, Outcome::Challenge(challenge)] = &again[..] else { panic!("{again:?}") };
    assert_eq!(world.answer(0, challenge.id, &shown[1]), Outcome::Done, "a wrong code may be tried again");
}

#[test]
fn an_address_that_the_store_keeps_from_being_given_is_not_given() {
    let mut world = World::new();
    let all = Pool { name: name("pool-10.8.0.0-24"), first: [10, 8, 0, 1].into(), last: [10, 8, 0, 254].into() };
    let time = world.time();
    assert!(world.store().reserve(time, &all, [10, 8, 0, 77].into(), None).expect("an answer"));
    world.enter(1, "bert");
    for _ in 0..3 {
        let refused = world.ask(1, &Request::Lease(LeaseRequest::default()));
        assert!(matches!(refused, Event::Refused { refusal, .. } if refusal.retry_after.is_some()), "{refused:?}");
    }
    assert!(world.lines_of("lease.released").is_empty(), "nothing was given");
    assert_eq!(world.goes_in(1, [10, 8, 0, 77]), Err(Some(DropReason::SourceNotAllowed)));
}

/// What somebody hears who is wrong three times, without what names the login.
fn heard(user: &str, password: &str, is_code_right: bool) -> Vec<Outcome> {
    let mut world = World::new();
    let code = if is_code_right { world.code("alice") } else { "000000".into() };
    let mut all = world.log_in(0, user, password, &code);
    while let Some(Outcome::Challenge(challenge)) = all.last().cloned() {
        all.push(world.answer(0, challenge.id, &code));
    }
    assert!(world.store().sessions(None).expect("a list").is_empty());
    assert_eq!(world.goes_in(0, [10, 8, 0, 50]), Err(Some(DropReason::Locked)));
    all
}

#[test]
fn a_wrong_password_an_unknown_user_and_a_wrong_code_sound_alike() {
    let wrong_password = heard("alice", "a guess", false);
    assert_eq!(wrong_password.len(), 4, "a challenge, two more, no");
    assert!(matches!(wrong_password[3], Outcome::Rejected { .. }), "{wrong_password:?}");
    assert_eq!(heard("nobody", "a guess", false), wrong_password, "an unknown user");
    assert_eq!(heard("alice", "alice's password", false), wrong_password, "a wrong code");
    // A right code does not help a wrong password, nor does somebody else's device.
    assert_eq!(heard("alice", "a guess", true), wrong_password);
    assert_eq!(heard("bert", "bert's password", false), wrong_password);
}

#[test]
fn a_recovery_code_stands_in_for_a_code_once() {
    let mut world = World::new();
    let (mut store, time) = (world.store(), world.time());
    let alice = store.user(&name("alice")).expect("an answer").expect("alice").id;
    let recovery = ["abcd-efgh-ijkl-mnop", "qrst-uvwx-yz23-4567"];
    let hashes = recovery.map(|code| hash_of_recovery(alice, code));
    store.set_recovery(time, alice, &hashes).expect("codes");
    let outcomes = world.log_in(0, "alice", "a guess", recovery[0]);
    assert!(matches!(outcomes[..], [Outcome::Challenge(_), Outcome::Challenge(_)]), "{outcomes:?}");
    assert_eq!(store.recovery_left(alice).expect("a number"), 2, "not used up by a wrong password");
    world.run(Duration::from_secs(120));
    assert_eq!(world.log_in(0, "alice", "alice's password", "ABCD EFGH IJKL MNOP").last(), Some(&Outcome::Done));
    assert_eq!(store.recovery_left(alice).expect("a number"), 1);
    assert_eq!(world.lines_of("recovery.used")[0]["left"], 1);
    assert_eq!(world.reply_to(0, &Request::Logout), Reply::LoggedOut);
    let again = world.log_in(0, "alice", "alice's password", recovery[0]);
    assert!(!again.contains(&Outcome::Done), "{again:?}");
}

#[test]
fn a_users_device_is_no_use_to_another_user() {
    let mut world = World::new();
    let outcomes = world.log_in(0, "bert", "bert's password", &world.code("bert"));
    assert!(matches!(outcomes[..], [Outcome::Challenge(_), Outcome::Rejected { .. }]), "{outcomes:?}");
    assert_eq!(world.service.open_sessions(), 0);
    assert_eq!(world.goes_in(0, [10, 8, 0, 50]), Err(Some(DropReason::Locked)));
}

#[test]
fn a_reserved_address_is_its_users_and_a_lease_is_renewed() {
    let mut world = World::new();
    world.enter(1, "bert");
    assert_eq!(world.lease(1), [10, 8, 0, 77]);
    for _ in 0..2 {
        // Past the middle of ten minutes.
        world.run(Duration::from_secs(400));
        assert_eq!(world.lease(1), [10, 8, 0, 77]);
    }
    assert_eq!(world.goes_in(1, [10, 8, 0, 77]), Ok(60));
    assert_eq!(world.lines_of("lease.granted").len(), 2, "what is renewed is told of once");
    world.run(Duration::from_secs(601));
    assert_eq!(world.goes_in(1, [10, 8, 0, 77]), Err(Some(DropReason::SourceNotAllowed)), "not renewed");
    assert_eq!(world.lines_of("lease.released").len(), 2);
    assert_eq!(world.service.open_sessions(), 1);
}

#[test]
fn a_site_needs_no_login_and_gets_no_lease() {
    let mut world = World::new();
    assert_eq!(world.goes_in(SITE, [10, 20, 0, 5]), Ok(60));
    assert_eq!(world.comes_out(SITE, [10, 20, 0, 5]), Ok(60));
    let Reply::Hello(hello) = world.reply_to(SITE, &Request::Hello) else { panic!("no hello") };
    assert_eq!((hello.state, hello.methods), (SessionState::Open, Vec::new()));
    let Event::Refused { refusal, .. } = world.ask(SITE, &Request::Lease(LeaseRequest::default())) else {
        panic!("a lease for a site")
    };
    assert_eq!(refusal.code, Code::FORBIDDEN);
    assert_eq!(world.reply_to(SITE, &Request::Logout), Reply::LoggedOut);
    assert_eq!(world.goes_in(SITE, [10, 20, 0, 5]), Ok(60), "there was nothing to log out of");
}

#[test]
fn lost_late_and_doubled_datagrams_make_one_session_and_use_one_code() {
    let mut world = World::new();
    world.channel = rough;
    world.enter(0, "alice");
    let address = world.lease(0);
    world.run(Duration::from_secs(20));
    world.channel = |_| vec![Duration::ZERO];
    assert_eq!(world.goes_in(0, address), Ok(60));
    let opened = world.lines_of("session.opened");
    assert_eq!((opened.len(), opened[0]["session"].as_u64()), (1, Some(1)));
    assert_eq!(world.lines_of("login.factor_passed").len(), 2, "a password and a code, each once");
    assert!(world.lines_of("login.factor_failed").is_empty());
}
