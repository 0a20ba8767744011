//! Who is let in, and to what.
use super::super::{End, Output, Wants};
use super::{World, asks, office, question, seconds};
use underpass_core::Rng as _;
use underpass_core::control::Code;
use underpass_core::control::local::{Reason as Why, Refused, Setting};
use underpass_core::control::message::{Method, Outcome, Refusal, Request, SessionState};
use underpass_sim::rng::Rng;

#[test]
fn name_password_and_code_lead_to_addresses_and_routes() {
    let mut world = World::entered(None);
    let asked: Vec<_> = world.host.asked.iter().map(std::mem::discriminant).collect();
    world.run(seconds(250));
    let later: Vec<_> = world.host.asked.iter().map(std::mem::discriminant).collect();
    assert_eq!(asked, later, "nothing more is asked while nothing is due");
    assert!(matches!(&world.host.asked[..2], [Request::Hello, Request::Login(start)] if start.user == "ann"));
    assert_eq!(asked.len(), 6, "hello, password, code, lease, settings, session");
    assert_eq!(world.outputs.pop_front(), None);
}

#[test]
fn a_wrong_password_is_asked_for_again_after_the_pause_that_the_gateway_wants() {
    let mut world = World::new(None);
    world.host.retry_after = Some(30);
    assert_eq!(world.next(), question(Wants::User, "", true));
    world.say("ann");
    assert_eq!(world.next(), question(Wants::Password, "", false));
    let began = world.now;
    world.say("hunter3");
    assert_eq!(world.next(), Output::Rejected(seconds(30)));
    assert_eq!(world.next(), question(Wants::User, "", true), "the name may have been the wrong one");
    assert!(world.now.since(began) >= seconds(30));
    world.say("ann");
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.say("hunter2");
    assert_eq!(world.next(), question(Wants::Code(Some(6)), "Code:", true));
    world.say("654321");
    assert_eq!(world.next(), Output::Rejected(seconds(30)));
    assert_eq!(world.next(), question(Wants::User, "", true));
    world.say("ann");
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.say("hunter3");
    assert_eq!(world.next(), Output::Over(End::Rejected { retry_after: Some(30) }), "the third is the last");
    world.is_at_rest();
}

#[test]
fn a_pause_of_more_than_a_minute_is_said_and_not_waited_for() {
    for refused in [false, true] {
        let mut world = World::new(Some("ann"));
        let refusal = Refusal { code: Code::TOO_MANY_REQUESTS, retry_after: Some(300) };
        let outcome = Outcome::Rejected { retry_after: Some(300) };
        world.host.scripted.push_back(if refused { Err(refusal) } else { Ok(outcome) });
        assert_eq!(world.next(), question(Wants::Password, "", false));
        world.say("hunter2");
        assert_eq!(world.next(), Output::Over(End::Rejected { retry_after: Some(300) }));
        world.is_at_rest();
    }
}

#[test]
fn questions_in_words_and_a_web_page_are_put_as_the_gateway_says() {
    let mut world = World::new(Some("ann"));
    world.host.ways = vec![vec![Method::Eap], vec![Method::Questions]];
    world.host.scripted = [
        Ok(asks(Method::Questions, "Your first pet?")),
        Ok(asks(Method::Web, "Open this page.")),
        Ok(Outcome::Wait { retry_after: Some(5) }),
        Ok(Outcome::Wait { retry_after: None }),
        Ok(Outcome::Done),
    ]
    .into();
    assert_eq!(world.next(), question(Wants::Other, "Your first pet?", true));
    world.say("Rex");
    let url = Some("https://login.example/device".into());
    assert_eq!(world.next(), Output::Page { prompt: "Open this page.".into(), url });
    let began = world.now;
    assert!(matches!(world.next(), Output::Granted(_)));
    assert!(world.now.since(began) >= seconds(7), "it waits for as long as it is told, or a little");
    let answers: Vec<_> = world
        .host
        .asked
        .iter()
        .filter_map(|request| match request {
            Request::LoginNext(next) => Some((next.challenge, next.data.to_vec())),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [(5, b"Rex".to_vec()), (5, vec![]), (5, vec![]), (5, vec![])]);
}

#[test]
fn a_gateway_that_wants_what_cannot_be_shown_is_told_of() {
    let mut world = World::new(None);
    world.host.ways = vec![vec![Method::Password, Method::Eap], vec![Method::Other(99)]];
    let Output::Over(end) = world.next() else { panic!("it ends") };
    assert_eq!(end.to_string(), "the gateway asks for what this program cannot show: a password and EAP, or method 99");
    let mut world = World::new(None);
    world.host.ways = vec![];
    assert_eq!(world.next(), Output::Over(End::NoLogin));
}

#[test]
fn a_session_that_is_open_is_taken_up_unless_somebody_is_named() {
    for (user, is_taken_up) in [(None, true), (Some("ann"), false)] {
        let mut world = World::new(user);
        world.host.session.state = SessionState::Open;
        let output = world.next();
        assert_eq!(matches!(output, Output::Granted(_)), is_taken_up, "{output:?}");
    }
}

#[test]
fn what_is_outside_the_own_configuration_is_not_taken() {
    let mut world = World::new(None);
    world.host.session.state = SessionState::Open;
    world.host.config.routes.push("192.0.2.0/24".parse().expect("a network"));
    world.host.config.mtu = Some(100);
    let Output::Granted(grant) = world.next() else { panic!("the rest is") };
    assert_eq!(grant.granted.config, office());
    let refused = [(Setting::Route(1), Why::CoversEndpoint), (Setting::Mtu, Why::Range)];
    assert_eq!(grant.granted.refused, refused.map(|(setting, reason)| Refused { setting, reason }));
}

#[test]
fn the_address_is_that_of_the_lease_whatever_the_settings_say() {
    let mut world = World::new(None);
    world.host.session.state = SessionState::Open;
    world.host.config.v4 = "10.9.0.77/24".parse().ok();
    world.host.config.v6 = "fd09::77/64".parse().ok();
    let Output::Granted(grant) = world.next() else { panic!("it is granted") };
    assert_eq!((grant.granted.config.v4, grant.granted.config.v6), ("10.9.0.2/32".parse().ok(), None));
}

#[test]
fn a_gateway_that_does_not_answer_and_a_user_who_does_not_end_the_login() {
    let mut world = World::new(None);
    world.is_joined = false;
    let Output::Over(end) = world.next() else { panic!("it ends") };
    assert_eq!(end.to_string(), "greeting the gateway failed: the gateway does not answer on the control channel");
    let mut world = World::new(None);
    assert_eq!(world.next(), question(Wants::User, "", true));
    world.driver.decline();
    assert_eq!(world.next(), Output::Over(End::Unanswered));
    world.is_at_rest();
}

#[test]
fn without_a_lease_there_is_no_login() {
    let mut world = World::new(None);
    world.host.session.state = SessionState::Open;
    world.host.leases = [Err(Refusal { code: Code::UNAVAILABLE, retry_after: Some(10) })].into();
    let Output::Over(end) = world.next() else { panic!("it ends") };
    assert_eq!(end.to_string(), "the gateway refused the request for addresses: not now (5.03); try again in 10 s");
}

#[test]
fn no_message_makes_it_panic_and_no_secret_is_shown() {
    let mut world = World::new(None);
    let mut chance = Rng::new(3);
    for length in 0..300 {
        let mut message = vec![0; length];
        chance.fill(&mut message).expect("chance");
        world.driver.handle_message(world.now, &message);
    }
    assert_eq!(world.next(), question(Wants::User, "", true));
    world.say("ann");
    world.next();
    world.say("hunter2");
    let shown = format!("{:?}", world.driver);
    assert!(!shown.contains("hunter2") && !shown.contains("ann"), "{shown}");
}
