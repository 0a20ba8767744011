//! Devices that make themselves known with a one-time key.
use crate::place::{SITE, client, key, name, settings};
use crate::world::{World, rough};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;
use underpass_core::control::message::{
    Enrol, Enrolled, LeaseRequest, LoginStart, Method, Outcome, Reply, Request, Watch,
};
use underpass_core::control::{Code, Event, Wiped};
use underpass_core::policy::code::{Algorithm, Digits, Moving, OneTimeCode, OtpSecret};
use underpass_core::{Access, DropReason, PublicKey};
use underpass_gateway::password::{Password, hash};
use underpass_gateway::store::{
    Changes as _, Devices as _, Enrolments as _, Factors as _, NewDevice, Owner, User, Users as _,
};

/// The client that has the one-time key, and the one that it becomes.
const TICKET: usize = 3;
const DEVICE: usize = 4;

/// Carl has a password, and neither a device nor a code. He was given a one-time key.
fn scene() -> World {
    let mut world = World::new();
    let (mut store, time) = (world.store(), world.time());
    let carl = store.add_user(time, &name("carl"), None).expect("a user").id;
    let password = Password::new("carl's password").expect("a password");
    let phc = hash(&password, crate::place::LITTLE).expect("a hash");
    store.set_password(time, carl, Some(&phc)).expect("a password");
    begin(&mut world, "carl");
    world
}

/// Begins an enrolment, as an administrator does, and has its client.
fn begin(world: &mut World, user: &str) {
    let (mut store, time) = (world.store(), world.time());
    let user = user_of(world, user).id;
    store.add_enrolment(time, user, &key(TICKET), time.after(Duration::from_secs(86_400))).expect("an enrolment");
    world.run(Duration::from_millis(500));
    world.clients.push(client(TICKET));
    world.settle();
}

fn user_of(world: &World, user: &str) -> User {
    world.store().user(&name(user)).expect("an answer").expect("the user")
}

fn wanted(device: PublicKey, code: Option<&str>) -> Request {
    let code = code.map(|code| Wiped::from(code.as_bytes().to_vec()));
    Request::Enrol(Enrol { device, name: "Phone".into(), code })
}

#[track_caller]
fn enrol(world: &mut World, code: Option<&str>) -> Enrolled {
    match world.reply_to(TICKET, &wanted(key(DEVICE), code)) {
        Reply::Enrolled(enrolled) => enrolled,
        reply => panic!("{reply:?}"),
    }
}

#[track_caller]
fn refused(world: &mut World, client: usize, request: &Request) -> Code {
    match world.ask(client, request) {
        Event::Refused { refusal, .. } => refusal.code,
        event => panic!("{event:?}"),
    }
}

/// The code that the new authenticator shows at a step from now.
fn code_of(world: &World, enrolled: &Enrolled, later: u64) -> String {
    let authenticator = enrolled.authenticator.as_ref().expect("an authenticator");
    let uri = std::str::from_utf8(&authenticator.uri).expect("a text");
    let (_, rest) = uri.split_once("?secret=").expect("a secret");
    let secret = OtpSecret::from_base32(rest.split('&').next().expect("a secret")).expect("a secret");
    let moving = Moving::Time { period: 30 };
    let code = OneTimeCode { secret, algorithm: Algorithm::Sha1, digits: Digits::SIX, moving };
    format!("{:06}", code.code(world.wall().as_duration().as_secs() / 30 + later))
}

/// Whether the gateway knows the one-time key.
fn is_known(world: &World) -> bool {
    world.gateway.peer_by_key(&key(TICKET)).is_some()
}

#[test]
fn a_device_makes_itself_known_proves_its_authenticator_and_logs_in() {
    let mut world = scene();
    let peer = world.gateway.peer_by_key(&key(TICKET)).and_then(|peer| world.gateway.peer(peer)).expect("the peer");
    assert_eq!((peer.access(), peer.allowed_ips().count()), (Access::Locked, 0));
    let first = enrol(&mut world, None);
    let authenticator = first.authenticator.as_ref().expect("a code is wanted");
    assert!(authenticator.uri.starts_with(b"otpauth://totp/hq:carl?secret="), "{:?}", authenticator.uri);
    assert_eq!((first.user.as_str(), authenticator.tries), ("carl", 5));
    assert_eq!(first.config.routes, ["10.1.0.0/16".parse().expect("a network")]);
    assert_eq!((first.config.v4, first.config.v6), (None, None), "addresses are leased");
    assert_eq!(world.gateway.peer_by_key(&key(DEVICE)), None, "the device is not known yet");
    assert!(world.store().codes(user_of(&world, "carl").id).expect("a list").is_empty());
    assert_eq!(enrol(&mut world, None), first, "asked again, the answer is the same");
    let wrong = enrol(&mut world, Some("000000"));
    assert_eq!(wrong.authenticator.map(|left| left.tries), Some(4));
    let code = code_of(&world, &first, 0);
    let done = enrol(&mut world, Some(&code));
    assert_eq!((done.user.as_str(), &done.authenticator), ("carl", &None));
    let lines = world.lines_of("device.enrolled");
    assert_eq!((lines.len(), &lines[0]["user"], &lines[0]["name"]), (1, &"carl".into(), &"phone".into()));
    assert_eq!((&lines[0]["totp"], &lines[0]["src"]), (&true.into(), &"192.0.2.4:51820".into()));
    assert!(world.store().untold_changes(9).expect("a list").iter().all(|change| change.subject != "carl"), "told");
    // The device comes with its own key. The code that was shown is used up.
    world.clients.push(client(DEVICE));
    world.settle();
    let again = world.log_in(DEVICE, "carl", "carl's password", &code);
    assert!(matches!(again[..], [Outcome::Challenge(_), Outcome::Challenge(_)]), "{again:?}");
    world.run(Duration::from_secs(30));
    let next = code_of(&world, &first, 0);
    assert_eq!(world.log_in(DEVICE, "carl", "carl's password", &next).last(), Some(&Outcome::Done));
    let address = world.lease(DEVICE);
    assert_eq!(world.goes_in(DEVICE, address), Ok(60));
    // Of the one-time key nothing is left after a minute.
    assert!(is_known(&world));
    world.run(Duration::from_secs(31));
    assert!(!is_known(&world));
    world.run(Duration::from_secs(60));
    assert_eq!(world.store().enrolment_of(user_of(&world, "carl").id).expect("an answer"), None);
    assert_eq!(world.service.lost_lines(), 0);
}

#[test]
fn the_peer_of_an_enrolment_reaches_nothing_else() {
    let mut world = scene();
    let data = Wiped::from(b"carl's password".to_vec());
    let login = LoginStart { nonce: [3; 16], user: "carl".into(), method: Method::Password, data };
    let lease = Request::Lease(LeaseRequest::default());
    for request in [Request::Hello, Request::Login(login), lease, Request::Config, Request::Session, Request::Logout] {
        assert_eq!(refused(&mut world, TICKET, &request), Code::FORBIDDEN, "{request:?}");
    }
    for watch in [Watch::Config, Watch::Session] {
        world.clients[TICKET].control.watch(world.now, &mut world.rng, watch).expect("room");
        assert!(matches!(world.await_answer(TICKET), Event::Refused { .. }), "{watch:?}");
    }
    for address in [[10, 8, 0, 1], [10, 8, 0, 50], [10, 1, 0, 9]] {
        assert_eq!(world.goes_in(TICKET, address), Err(Some(DropReason::Locked)));
        assert!(world.comes_out(TICKET, address).is_err());
    }
    // And nobody else reaches an enrolment.
    world.enter(0, "alice");
    for client in [0, 1, SITE] {
        assert_eq!(refused(&mut world, client, &wanted(key(DEVICE), None)), Code::FORBIDDEN, "{client}");
    }
    assert!(world.lines_of("device.enrolled").is_empty());
}

#[test]
fn whoever_has_an_authenticator_is_asked_for_no_other() {
    let mut world = World::new();
    begin(&mut world, "alice");
    assert_eq!(enrol(&mut world, None).authenticator, None);
    assert_eq!(world.store().codes(user_of(&world, "alice").id).expect("a list").len(), 1);
    assert_eq!(world.lines_of("device.enrolled")[0]["totp"], false);
    world.clients.push(client(DEVICE));
    world.settle();
    world.enter(DEVICE, "alice");
}

#[test]
fn where_no_codes_are_asked_for_there_is_no_authenticator() {
    let mut by_password = settings("");
    by_password.methods[0].factors = vec![vec![underpass_gateway::settings::Factor::Password]];
    let mut world = World::with(by_password);
    let time = world.time();
    world.store().add_user(time, &name("carl"), None).expect("a user");
    begin(&mut world, "carl");
    assert_eq!(enrol(&mut world, None).authenticator, None);
    assert!(world.store().codes(user_of(&world, "carl").id).expect("a list").is_empty());
}

#[test]
fn of_two_devices_with_one_key_the_first_gets_in_and_the_other_is_on_record() {
    let mut world = scene();
    let first = enrol(&mut world, None);
    let other = wanted(key(9), None);
    for _ in 0..20 {
        assert_eq!(refused(&mut world, TICKET, &other), Code::FORBIDDEN);
    }
    let code = code_of(&world, &first, 0);
    assert_eq!(refused(&mut world, TICKET, &wanted(key(9), Some(&code))), Code::FORBIDDEN);
    assert_eq!(enrol(&mut world, Some(&code)).authenticator, None);
    assert_eq!(refused(&mut world, TICKET, &other), Code::FORBIDDEN, "nor when it is over");
    assert_eq!(world.gateway.peer_by_key(&key(9)), None);
    let lines = world.lines_of("enrolment.refused");
    assert_eq!((lines.len(), &lines[0]["reason"]), (5, &"claimed".into()), "whoever hammers fills no log");
    assert_eq!(lines[0]["device"], key(9).to_string());
}

#[test]
fn lost_late_and_doubled_datagrams_add_one_device_and_try_one_code() {
    let mut world = scene();
    world.channel = rough;
    let first = enrol(&mut world, None);
    assert_eq!(enrol(&mut world, Some("000000")).authenticator.map(|left| left.tries), Some(4));
    let code = code_of(&world, &first, 0);
    assert_eq!(enrol(&mut world, Some(&code)).authenticator, None);
    assert_eq!(world.lines_of("device.enrolled").len(), 1);
    assert_eq!(world.store().devices(user_of(&world, "carl").id).expect("a list").len(), 1);
}

#[test]
fn an_enrolment_goes_on_after_a_restart_and_an_answer_that_was_lost_is_heard_again() {
    let mut world = scene();
    let first = enrol(&mut world, None);
    world.restart();
    world.run(Duration::from_secs(20));
    let again = enrol(&mut world, None);
    assert_eq!(again.authenticator, first.authenticator, "the same secret");
    let code = code_of(&world, &first, 0);
    assert_eq!(enrol(&mut world, Some(&code)).authenticator, None);
    world.restart();
    world.run(Duration::from_secs(20));
    assert_eq!(enrol(&mut world, None).authenticator, None, "it is over");
    assert_eq!(enrol(&mut world, Some(&code)).authenticator, None);
    assert_eq!(world.lines_of("device.enrolled").len(), 1);
    assert_eq!(world.store().codes(user_of(&world, "carl").id).expect("a list").len(), 1);
    let device = world.gateway.peer_by_key(&key(DEVICE)).and_then(|peer| world.gateway.peer(peer)).expect("the device");
    assert_eq!(device.access(), Access::Locked);
}

#[test]
fn after_five_wrong_codes_nothing_is_added_and_the_key_goes() {
    let mut world = scene();
    let first = enrol(&mut world, None);
    for left in (1..5).rev() {
        let wrong = enrol(&mut world, Some("000000"));
        assert_eq!(wrong.authenticator.map(|authenticator| authenticator.tries), Some(left));
    }
    assert_eq!(refused(&mut world, TICKET, &wanted(key(DEVICE), Some("not a code"))), Code::FORBIDDEN);
    let code = code_of(&world, &first, 0);
    assert_eq!(
        refused(&mut world, TICKET, &wanted(key(DEVICE), Some(&code))),
        Code::FORBIDDEN,
        "a right one is too late"
    );
    assert_eq!(world.lines_of("enrolment.refused")[0]["reason"], "codes");
    world.run(Duration::from_secs(120));
    assert!(world.store().codes(user_of(&world, "carl").id).expect("a list").is_empty());
    assert_eq!(world.gateway.peer_by_key(&key(DEVICE)), None);
    assert_eq!(world.store().enrolment_of(user_of(&world, "carl").id).expect("an answer"), None);
    world.run(Duration::from_secs(86_400));
    assert!(!is_known(&world));
}

#[test]
fn keys_that_are_somebodys_and_names_that_are_none_are_refused() {
    let mut world = scene();
    let (mut store, time) = (world.store(), world.time());
    let device = NewDevice { key: key(7), name: name("phone") };
    store.add_device(time, Owner::User(user_of(&world, "carl").id), &device).expect("a device");
    store.remove_device(time, &key(1), true).expect("revoked");
    world.run(Duration::from_secs(1));
    for (device, code, reason) in [
        (key(SITE), Code::CONFLICT, "known"),
        (key(TICKET), Code::CONFLICT, "known"),
        (key(0), Code::CONFLICT, "known"),
        (key(1), Code::FORBIDDEN, "revoked"),
        (key(DEVICE), Code::CONFLICT, "known"),
    ] {
        assert_eq!(refused(&mut world, TICKET, &wanted(device, None)), code, "{device}");
        let lines = world.lines_of("enrolment.refused");
        assert_eq!(lines.last().expect("a line")["reason"], reason, "{device}");
    }
    for odd in ["", "two words", "-rf", ".."] {
        let request = Request::Enrol(Enrol { device: key(DEVICE), name: odd.into(), code: None });
        assert_eq!(refused(&mut world, TICKET, &request), Code::BAD_REQUEST, "{odd}");
    }
    // Under another name it goes.
    let request = Request::Enrol(Enrol { device: key(DEVICE), name: "phone-2".into(), code: None });
    assert!(matches!(world.reply_to(TICKET, &request), Reply::Enrolled(_)));
}

#[test]
fn an_enrolment_ends_with_its_time_a_newer_one_and_its_user() {
    let mut world = scene();
    world.run(Duration::from_secs(86_399));
    assert!(is_known(&world));
    world.run(Duration::from_secs(2));
    assert!(!is_known(&world), "its time is over");
    let (mut store, carl, time) = (world.store(), user_of(&world, "carl").id, world.time());
    let until = time.after(Duration::from_secs(100));
    store.add_enrolment(time, carl, &key(TICKET), until).expect("an enrolment");
    world.run(Duration::from_secs(1));
    assert!(is_known(&world));
    store.add_enrolment(time, carl, &key(8), until).expect("a newer one");
    world.run(Duration::from_secs(1));
    assert!(!is_known(&world) && world.gateway.peer_by_key(&key(8)).is_some());
    store.enable_user(time, carl, false).expect("disabled");
    world.run(Duration::from_secs(1));
    assert_eq!(world.gateway.peer_by_key(&key(8)), None);
    store.enable_user(time, carl, true).expect("enabled");
    store.add_enrolment(time, carl, &key(9), until).expect("another");
    world.run(Duration::from_secs(1));
    assert!(world.gateway.peer_by_key(&key(9)).is_some());
    store.remove_user(time, carl).expect("removed");
    world.run(Duration::from_secs(1));
    assert_eq!(world.gateway.peer_by_key(&key(9)), None);
}

#[test]
fn whoever_missed_changes_reads_all_enrolments_again() {
    let mut world = scene();
    let (mut store, time) = (world.store(), world.time());
    let carl = user_of(&world, "carl").id;
    store.add_enrolment(time, carl, &key(8), time.after(Duration::from_secs(100))).expect("a newer one");
    let newest = store.newest_change().expect("a number");
    store.mark_told(newest).expect("told");
    store.add_group(time, &name("staff")).expect("a group");
    store.mark_told(newest + 1).expect("told");
    assert!(store.forget_changes(time.after(Duration::from_secs(1))).expect("a number") > 1);
    world.run(Duration::from_millis(500));
    assert!(!is_known(&world) && world.gateway.peer_by_key(&key(8)).is_some());
}

#[test]
fn without_the_store_or_the_log_nothing_is_enrolled_and_the_device_may_ask_again() {
    let mut world = scene();
    let first = enrol(&mut world, None);
    world.cut_store_off(true);
    let request = wanted(key(DEVICE), None);
    for _ in 0..2 {
        let Event::Refused { refusal, .. } = world.ask(TICKET, &request) else { panic!("an answer without a store") };
        assert_eq!((refusal.code, refusal.retry_after), (Code::UNAVAILABLE, Some(10)));
    }
    world.cut_store_off(false);
    world.run(Duration::from_secs(1));
    assert_eq!(enrol(&mut world, None).authenticator, first.authenticator);
    let file = world.audit().join("audit-000000000001.jsonl");
    OpenOptions::new().append(true).open(file).expect("the log").write_all(b"this is no line\n").expect("damage");
    let code = code_of(&world, &first, 0);
    assert_eq!(refused(&mut world, TICKET, &wanted(key(DEVICE), Some(&code))), Code::UNAVAILABLE);
    assert_eq!(world.store().device(&key(DEVICE)).expect("an answer"), None);
    assert!(world.service.lost_lines() > 0);
}
