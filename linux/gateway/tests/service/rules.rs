//! Rules of the settings, for users who log in, for sites, and on record.
use crate::place::{SITE, name, settings_with};
use crate::world::World;
use std::time::Duration;
use underpass_core::DropReason;
use underpass_core::control::message::{Reply, Request, SessionState};
use underpass_gateway::service::{Explained, Question, explain};
use underpass_gateway::settings::Action;
use underpass_gateway::store::Users as _;

const GIT: [u8; 4] = [10, 1, 2, 9];
const DATABASE: [u8; 4] = [10, 1, 3, 9];
const PAYROLL: [u8; 4] = [10, 1, 9, 9];
const UDP: u8 = 17;
const TCP: u8 = 6;
const DENIED: Result<usize, Option<DropReason>> = Err(Some(DropReason::Denied));
const PASSED: Result<usize, Option<DropReason>> = Ok(60);

const RULES: &str = r#"
    [[rule]]
    name = "git"
    action = "allow"
    groups = ["engineers"]
    to = ["10.1.2.0/24"]
    protocol = "tcp"
    ports = ["22", "443"]
    [[rule]]
    name = "databases"
    action = "deny"
    to = ["10.1.3.0/24"]
    log = true
    [[rule]]
    name = "payroll"
    action = "allow"
    users = ["bert"]
    to = ["10.1.9.0/24"]
    hours = "Mon-Fri 07:00-20:00"
    [[rule]]
    name = "each-other"
    action = "allow"
    groups = ["engineers"]
    to = ["10.8.0.0/24"]
    protocol = "udp"
    [[rule]]
    name = "lyon"
    action = "allow"
    groups = ["engineers"]
    to = ["10.20.0.0/16"]
    log = true
    "#;

/// Both are logged in and have addresses; Alice is an engineer.
fn company(rules: &str) -> (World, [u8; 4], [u8; 4]) {
    let mut world = World::with(settings_with(rules));
    let (mut store, at) = (world.store(), world.time());
    store.add_group(at, &name("engineers")).expect("a group");
    join(&mut world, "alice", true);
    world.enter(0, "alice");
    world.enter(1, "bert");
    let addresses = [0, 1].map(|client| world.lease(client));
    (world, addresses[0], addresses[1])
}

fn join(world: &mut World, user: &str, member: bool) {
    let (mut store, at) = (world.store(), world.time());
    let id = store.user(&name(user)).expect("an answer").expect("known").id;
    assert!(store.set_member(at, id, &name("engineers"), member).expect("a group"), "it was so");
}

#[test]
fn an_engineer_reaches_git_and_not_the_database_and_that_is_on_record() {
    let (mut world, alice, _) = company(RULES);
    assert_eq!(world.reach(0, alice, GIT, TCP, 443), PASSED);
    assert_eq!(world.answer_from(0, GIT, alice, TCP, 443), PASSED);
    for _ in 0..5 {
        assert_eq!(world.reach(0, alice, DATABASE, TCP, 5432), DENIED);
    }
    assert_eq!(world.reach(0, alice, GIT, TCP, 25), DENIED);
    assert_eq!(world.reach(0, alice, GIT, UDP, 443), DENIED);
    world.run(Duration::from_secs(11));
    let denied = world.lines_of("access.denied");
    let found: Vec<_> = denied.iter().map(|line| (&line["rule"], &line["destination"], &line["port"])).collect();
    let (database, git) = (("databases", "10.1.3.9", 5432), (serde_json::Value::Null, "10.1.2.9", 25));
    assert_eq!(found.len(), 2, "{denied:?}");
    assert_eq!(found[0], (&database.0.into(), &database.1.into(), &database.2.into()));
    assert_eq!(found[1], (&git.0, &git.1.into(), &git.2.into()));
    assert_eq!((&denied[0]["user"], &denied[0]["count"]), (&"alice".into(), &5.into()));
    world.run(Duration::from_secs(60));
    assert_eq!(world.lines_of("access.denials")[0]["count"], 7);
}

#[test]
fn a_stranger_to_the_group_reaches_nothing_until_he_joins_it() {
    let (mut world, _, bert) = company(RULES);
    assert_eq!(world.reach(1, bert, GIT, TCP, 443), DENIED);
    join(&mut world, "bert", true);
    world.run(Duration::from_secs(1));
    assert_eq!(world.reach(1, bert, GIT, TCP, 443), PASSED, "without a new login");
    assert_eq!(world.answer_from(1, GIT, bert, TCP, 443), PASSED);
    join(&mut world, "bert", false);
    world.run(Duration::from_secs(1));
    assert_eq!(world.answer_from(1, GIT, bert, TCP, 443), DENIED, "the download stops");
    assert_eq!(world.service.open_sessions(), 2, "the session goes on");
    // A group that is gone has no members.
    join(&mut world, "bert", true);
    world.run(Duration::from_secs(1));
    assert_eq!(world.reach(1, bert, GIT, TCP, 443), PASSED);
    let (mut store, at) = (world.store(), world.time());
    store.remove_group(at, &name("engineers")).expect("a group");
    world.run(Duration::from_secs(1));
    assert_eq!(world.reach(1, bert, GIT, TCP, 443), DENIED);
}

#[test]
fn settings_without_rules_let_nobody_reach_anything() {
    let (mut world, alice, bert) = company("");
    assert_eq!(world.reach(0, alice, GIT, TCP, 443), DENIED);
    assert_eq!(world.reach(1, bert, GIT, UDP, 53), DENIED);
    assert_eq!(world.answer_from(1, GIT, bert, UDP, 53), DENIED, "nobody begins anything towards a user");
    let Reply::Session(session) = world.reply_to(0, &Request::Session) else { panic!("no session") };
    assert_eq!(session.state, SessionState::Open);
}

/// 2023-11-14 was a Tuesday; the story begins at 22:13 UTC.
#[test]
fn hours_begin_and_end_in_local_time() {
    let (mut world, _, bert) = company(RULES);
    assert_eq!(world.reach(1, bert, PAYROLL, TCP, 443), DENIED);
    world.service.handle_local_time(-3 * 3600);
    world.settle();
    assert_eq!(world.reach(1, bert, PAYROLL, TCP, 443), PASSED, "it is 19:13 here");
    world.service.handle_local_time(-2 * 3600 - 15 * 60);
    world.settle();
    assert_eq!(world.answer_from(1, PAYROLL, bert, TCP, 443), PASSED, "19:58");
    world.run(Duration::from_secs(2 * 60));
    assert_eq!(world.answer_from(1, PAYROLL, bert, TCP, 443), DENIED, "past 20:00");
}

#[test]
fn users_and_sites_are_reached_where_a_rule_names_their_addresses() {
    let (mut world, alice, bert) = company(RULES);
    assert_eq!(world.reach(1, bert, alice, UDP, 4000), DENIED);
    assert_eq!(world.reach(0, alice, bert, UDP, 4000), PASSED);
    assert_eq!(world.answer_from(1, alice, bert, UDP, 4000), DENIED, "Alice's question has another port");
    assert_eq!(world.ask_from(1, alice, bert, UDP, 4000), PASSED, "it goes on to Bert");
    assert_eq!(world.reach(0, alice, [10, 20, 0, 1], TCP, 80), PASSED);
    assert_eq!(world.reach(1, bert, [10, 20, 0, 1], TCP, 80), DENIED);
    let flows = world.lines_of("flow.begun");
    assert_eq!((flows.len(), &flows[0]["rule"], &flows[0]["user"]), (1, &"lyon".into(), &"alice".into()));
    // A network that contains those of peers is not theirs.
    let (mut world, alice, bert) = company("[[rule]]\nname = \"all\"\naction = \"allow\"");
    assert_eq!(world.reach(0, alice, GIT, TCP, 443), PASSED);
    assert_eq!(world.reach(0, alice, bert, UDP, 4000), DENIED);
    assert_eq!(world.reach(0, alice, [10, 20, 0, 1], TCP, 80), DENIED);
    assert_eq!(world.reach(0, alice, [10, 8, 0, 1], UDP, 53), PASSED, "the gateway itself is no peer");
}

#[test]
fn a_site_that_rules_name_is_ruled_and_another_is_not() {
    let (mut world, ..) = company(RULES);
    assert_eq!(world.reach(SITE, [10, 20, 0, 1], DATABASE, TCP, 5432), PASSED, "no rule names it");
    let named =
        format!("{RULES}[[rule]]\nname = \"office\"\naction = \"allow\"\npeers = [\"lyon\"]\nto = [\"10.1.0.0/16\"]");
    let (mut world, ..) = company(&named);
    assert_eq!(world.reach(SITE, [10, 20, 0, 1], DATABASE, TCP, 5432), DENIED, "what is denied to everybody");
    assert_eq!(world.reach(SITE, [10, 20, 0, 1], [10, 1, 0, 9], TCP, 80), PASSED);
    assert_eq!(world.reach(SITE, [10, 20, 0, 1], [192, 0, 2, 200], TCP, 80), DENIED);
    assert_eq!(world.answer_from(SITE, [10, 1, 0, 5], [10, 20, 0, 1], TCP, 80), Err(Some(DropReason::NoFlow)));
    assert_eq!(world.ask_from(SITE, [10, 1, 0, 5], [10, 20, 0, 1], UDP, 53), PASSED, "our own side may begin");
    world.run(Duration::from_secs(11));
    let denied = world.lines_of("access.denied");
    assert!(denied.iter().all(|line| line["user"].is_null()), "{denied:?}");
    assert_eq!(denied.len(), 2);
}

#[test]
fn rules_outlast_a_restart_and_a_store_that_is_away_opens_nothing() {
    let (mut world, alice, _) = company(RULES);
    world.restart();
    assert!(world.reach(0, alice, GIT, TCP, 443).is_err(), "the gateway has no keypairs yet");
    assert!(matches!(world.reply_to(0, &Request::Session), Reply::Session(_)));
    assert_eq!(world.reach(0, alice, GIT, TCP, 443), PASSED);
    assert_eq!(world.reach(0, alice, DATABASE, TCP, 5432), DENIED);
    world.cut_store_off(true);
    world.run(Duration::from_secs(2));
    assert_eq!(world.reach(0, alice, GIT, TCP, 443), PASSED, "what is open goes on by the rules it has");
    join(&mut world, "alice", false);
    world.cut_store_off(false);
    world.run(Duration::from_secs(2));
    assert_eq!(world.reach(0, alice, GIT, TCP, 443), DENIED);
}

#[test]
fn a_quota_ends_the_session_and_a_rate_slows_it() {
    let mut settings = settings_with("[[rule]]\nname = \"all\"\naction = \"allow\"");
    settings.session.quota = Some(600);
    let mut world = World::with(settings.clone());
    world.enter(0, "alice");
    let alice = world.lease(0);
    for _ in 0..10 {
        assert_eq!(world.reach(0, alice, GIT, UDP, 53), PASSED);
    }
    assert_eq!(world.reach(0, alice, GIT, UDP, 53), Err(Some(DropReason::QuotaExceeded)));
    world.settle();
    assert_eq!(world.reach(0, alice, GIT, UDP, 53), Err(Some(DropReason::Locked)));
    let percents: Vec<_> = world.lines_of("quota.reached").iter().map(|line| line["percent"].clone()).collect();
    assert_eq!(percents, [90, 100]);
    assert_eq!(world.lines_of("session.ended")[0]["reason"], "quota");
    (settings.session.quota, settings.session.rate) = (None, Some(8 * 600));
    let mut world = World::with(settings);
    world.enter(0, "alice");
    let alice = world.lease(0);
    let passed = (0..2000).filter(|_| world.send_up(0, alice, GIT, UDP, 53) == PASSED).count();
    assert_eq!(passed, 65_536 / 60, "the burst");
    world.run(Duration::from_secs(11));
    let limited = world.lines_of("rate.limited");
    assert_eq!((limited.len(), &limited[0]["count"]), (1, &(2000 - passed).into()));
}

/// What is explained is what happens.
#[test]
fn rules_are_explained() {
    let (mut world, alice, bert) = company(RULES);
    let settings = settings_with(RULES);
    let engineers = [name("engineers")];
    let wall = world.wall();
    let mut check =
        |client: usize, to: [u8; 4], protocol: u8, port: u16, rule: Option<&str>, inactive: Option<&str>| {
            let (user, groups, from) = [("alice", &engineers[..], alice), ("bert", &[], bert)][client];
            let question = Question { to: to.into(), protocol, port, from: None, at: wall, seconds_ahead: 0 };
            let found = explain(&settings, &name(user), groups, &question).expect("few rules");
            let Explained { action, .. } = found;
            assert_eq!((found.rule, found.inactive), (rule.map(name), inactive.map(name)), "{user} to {to:?}");
            let passes = world.reach(client, from, to, protocol, port) == PASSED;
            assert_eq!(passes, action == Action::Allow, "{user} to {to:?}");
        };
    check(0, GIT, TCP, 22, Some("git"), None);
    check(0, GIT, TCP, 80, None, None);
    check(1, GIT, TCP, 22, None, None);
    check(0, DATABASE, TCP, 5432, Some("databases"), None);
    check(1, PAYROLL, TCP, 443, None, Some("payroll"));
    check(0, bert, UDP, 9, Some("each-other"), None);
    check(1, alice, UDP, 9, None, None);
    check(0, [10, 20, 0, 1], TCP, 80, Some("lyon"), None);
    check(0, [10, 8, 0, 1], UDP, 53, Some("each-other"), None);
}
