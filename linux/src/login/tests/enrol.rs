//! Enrolling a device.
use super::super::{Driver, End, Output, Wants};
use super::{Rng, World, office, question};
use std::time::Duration;
use underpass_core::PrivateKey;
use underpass_core::control::message::{Authenticator, Enrolled, Refusal, Request};
use underpass_core::control::{Code, Wiped};

const URI: &[u8] = b"otpauth://totp/hq:ann?secret=GEZDGNBV";

fn enrolled(tries: Option<u8>) -> Result<Enrolled, Refusal> {
    let authenticator = tries.map(|tries| Authenticator { uri: Wiped::from(URI.to_vec()), tries });
    Ok(Enrolled { user: "ann".into(), config: office(), authenticator })
}

fn world(answers: impl IntoIterator<Item = Result<Enrolled, Refusal>>) -> World {
    let mut world = World::new(None);
    let device = PrivateKey::from_bytes([9; 32]).public_key();
    world.driver = Driver::enrolling(world.now, Box::new(Rng::new(8)), device, "laptop".into());
    world.host.enrolments = answers.into_iter().collect();
    world
}

#[test]
fn the_new_authenticator_is_shown_once_and_a_code_of_it_asked_for_until_it_is_right() {
    let mut world = world([enrolled(Some(5)), enrolled(Some(4)), enrolled(None)]);
    let shown = Output::Authenticator { user: "ann".into(), uri: Wiped::from(URI.to_vec()) };
    assert_eq!(world.next(), shown);
    let asked = question(Wants::Code(None), "Code of the new authenticator:", true);
    assert_eq!(world.next(), asked);
    world.say("000000");
    assert_eq!(world.next(), Output::Rejected(Duration::ZERO));
    assert_eq!(world.next(), asked);
    world.say("123 456");
    assert_eq!(world.next(), Output::Enrolled { user: "ann".into(), config: Box::new(office()) });
    assert_eq!(world.next(), Output::Over(End::Enrolled));
    let codes: Vec<_> = world
        .host
        .asked
        .iter()
        .filter_map(|request| match request {
            Request::Enrol(enrol) => Some((enrol.name.as_str(), enrol.code.as_ref().map(|code| code.to_vec()))),
            _ => None,
        })
        .collect();
    let expected = [None, Some(b"000000".to_vec()), Some(b"123456".to_vec())].map(|code| ("laptop", code));
    assert_eq!(codes, expected);
    world.is_at_rest();
}

#[test]
fn without_codes_nothing_is_asked_and_a_refusal_ends_it() {
    let mut world = world([enrolled(None)]);
    assert!(matches!(world.next(), Output::Enrolled { .. }));
    let mut world = self::world([Err(Refusal::of(Code::CONFLICT))]);
    let Output::Over(end) = world.next() else { panic!("it ends") };
    assert_eq!(end.to_string(), "the gateway refused the enrolment: it knows this key already (4.09)");
    let mut world = self::world([enrolled(Some(5))]);
    world.next();
    world.next();
    world.driver.decline();
    assert_eq!(world.next(), Output::Over(End::Unanswered));
}
