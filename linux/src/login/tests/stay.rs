//! What becomes of it: leases, changes, new logins, ends.
use super::super::{End, Output, Wants};
use super::{EPOCH, World, lease, question, seconds};
use std::time::Duration;
use underpass_core::control::Code;
use underpass_core::control::message::{Lease, Reason, Refusal, Reply, Request, Session, SessionState};

#[test]
fn a_lease_is_renewed_in_time() {
    let mut world = World::entered(None);
    let leases = |world: &World| world.count(|request| matches!(request, Request::Lease(_)));
    world.run(seconds(290));
    assert_eq!(leases(&world), 1);
    world.run(seconds(20));
    assert_eq!(leases(&world), 2);
    let wanted = world.host.asked.iter().rev().find_map(|request| match request {
        Request::Lease(wanted) => wanted.want_v4,
        _ => None,
    });
    assert_eq!(wanted, "10.9.0.2".parse().ok(), "the one that it has");
    world.run(seconds(900));
    assert_eq!(leases(&world), 5);
    assert_eq!(world.outputs.pop_front(), None, "nothing has changed");
}

#[test]
fn another_address_is_applied_and_a_lease_that_is_lost_ends_the_login() {
    let mut world = World::entered(None);
    let other = Lease { v4: "10.9.0.3".parse().ok(), ..lease(10, 60).expect("a lease") };
    let refused = Err(Refusal { code: Code::UNAVAILABLE, retry_after: Some(10) });
    world.host.leases = [Ok(other), refused].into();
    world.run(seconds(310));
    let Output::Granted(grant) = world.next() else { panic!("it has changed") };
    assert_eq!(grant.granted.config.v4, "10.9.0.3/32".parse().ok());
    let began = world.now;
    assert_eq!(world.next(), Output::Over(End::LeaseLost));
    let took = world.now.since(began);
    assert!(took > seconds(40) && took < seconds(70), "it is asked for until it is over: {took:?}");
    assert!(world.count(|request| matches!(request, Request::Lease(_))) > 5, "and not once only");
    world.is_at_rest();
}

#[test]
fn a_machine_that_slept_beyond_its_lease_asks_before_it_gives_up() {
    let mut world = World::entered(None);
    world.now = world.now + seconds(3000);
    world.run(seconds(2));
    assert_eq!(world.outputs.pop_front(), None);
    assert_eq!(world.count(|request| matches!(request, Request::Lease(_))), 2);
}

#[test]
fn settings_that_change_are_applied_once() {
    let mut world = World::entered(None);
    world.host.config.version = 2;
    let config = Reply::Config(world.host.config.clone());
    world.push(&config);
    world.run(seconds(1));
    assert_eq!(world.outputs.pop_front(), None, "the number alone is no change");
    world.host.config.dns.push("10.0.0.53".parse().expect("an address"));
    world.driver.session_began(world.now);
    let Output::Granted(grant) = world.next() else { panic!("it has changed") };
    assert_eq!(grant.granted.config.dns.len(), 1);
}

#[test]
fn the_end_of_the_session_is_heard_of_when_it_is_pushed_and_with_the_next_handshake() {
    let revoked = Session { reason: Some(Reason::Revoked), ..Session::of(SessionState::Revoked) };
    for pushed in [true, false] {
        let mut world = World::entered(None);
        world.host.session = revoked.clone();
        if pushed {
            world.push(&Reply::Session(revoked.clone()));
        } else {
            world.driver.session_began(world.now);
        }
        let end = End::ByGateway(SessionState::Revoked, Some(Reason::Revoked));
        assert_eq!(end.to_string(), "the gateway ended the session: it was revoked");
        assert_eq!(world.next(), Output::Over(end));
        world.is_at_rest();
    }
}

#[test]
fn a_session_whose_time_is_over_is_asked_about() {
    let mut world = World::entered(None);
    world.run(seconds(3590));
    assert_eq!(world.outputs.pop_front(), None);
    world.host.session = Session { reason: Some(Reason::Expired), ..Session::of(SessionState::Locked) };
    assert_eq!(world.next(), Output::Over(End::ByGateway(SessionState::Locked, Some(Reason::Expired))));
}

#[test]
fn a_new_login_is_asked_for_in_time_and_lengthens_the_session() {
    let mut world = World::new(Some("ann"));
    (world.host.session.expires, world.host.session.login_due) = (Some(EPOCH + 3600), Some(EPOCH + 3000));
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.say("hunter2");
    world.next();
    world.say("123456");
    assert!(matches!(world.next(), Output::Granted(_)));
    world.run(seconds(2990));
    assert_eq!(world.outputs.pop_front(), None);
    let Output::LoginDue(Some(left)) = world.next() else { panic!("it is due") };
    assert!(left <= seconds(600) && left > seconds(590), "{left:?}");
    world.run(seconds(20));
    assert_eq!(world.outputs.pop_front(), None, "it is said once");
    world.driver.log_in_again(world.now);
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.host.session.expires = Some(EPOCH + 7200);
    world.host.session.login_due = Some(EPOCH + 6600);
    world.say("hunter2");
    assert_eq!(world.next(), question(Wants::Code(Some(6)), "Code:", true));
    world.say("123456");
    let Output::Renewed(Some(left)) = world.next() else { panic!("it is longer") };
    assert!(left > seconds(4100), "{left:?}");
    world.run(seconds(3000));
    assert_eq!(world.outputs.pop_front(), None, "nothing else has changed");
}

#[test]
fn a_new_login_that_fails_ends_nothing() {
    let mut world = World::entered(Some("ann"));
    world.driver.log_in_again(world.now);
    for _ in 0..2 {
        assert_eq!(world.next(), question(Wants::Password, "", false));
        world.say("wrong");
        assert_eq!(world.next(), Output::Rejected(Duration::ZERO));
    }
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.say("wrong");
    assert_eq!(world.next(), Output::NotRenewed(End::Rejected { retry_after: None }));
    world.driver.log_in_again(world.now);
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.driver.decline();
    assert_eq!(world.next(), Output::NotRenewed(End::Unanswered));
    world.run(seconds(600));
    assert_eq!(world.outputs.pop_front(), None);
}

#[test]
fn logging_out_is_said_to_the_gateway_and_not_waited_for_longer_than_a_few_seconds() {
    let mut world = World::entered(None);
    world.driver.log_out(world.now);
    assert_eq!(world.next(), Output::Over(End::LoggedOut { is_heard: true }));
    assert_eq!(world.count(|request| *request == Request::Logout), 1);

    let mut world = World::entered(None);
    world.is_joined = false;
    // A request that nobody answers is not in the way.
    world.run(seconds(301));
    let began = world.now;
    world.driver.log_out(world.now);
    assert_eq!(world.next(), Output::Over(End::LoggedOut { is_heard: false }));
    assert!(world.now.since(began) <= seconds(6));
    world.is_at_rest();

    let mut world = World::new(None);
    world.driver.log_out(world.now);
    assert_eq!(world.next(), Output::Over(End::LoggedOut { is_heard: true }), "nobody is logged in");
}
