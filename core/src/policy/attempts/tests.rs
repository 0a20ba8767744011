use super::*;
use proptest::prelude::*;
use std::format;
use std::string::String;
use std::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);

fn at(secs: u64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

fn attempts() -> Attempts {
    Attempts::new([7; 16])
}

/// A wrong credential, when it is checked at all.
fn fail(attempts: &mut Attempts, now: Instant, name: &str, peer: &mut PeerAttempts) -> Result<(), Duration> {
    let tag = attempts.tag(name);
    attempts.charge(now, tag, peer)?;
    attempts.failed(now, tag, peer);
    Ok(())
}

#[test]
fn lesson_38_the_delay_of_a_name_doubles_after_five_failures() {
    let (mut attempts, mut peer, mut now) = (attempts(), PeerAttempts::default(), at(1000));
    let tag = attempts.tag("ada");
    for (failures, wait) in [
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 0),
        (5, 0),
        (6, 2),
        (7, 4),
        (8, 8),
        (9, 16),
        (10, 32),
        (11, 64),
        (12, 128),
        (13, 256),
        (14, 512),
        (15, 900),
        (16, 900),
        (17, 900),
    ] {
        assert_eq!(fail(&mut attempts, now, "ada", &mut peer), Ok(()), "failure {failures}");
        let wait = Duration::from_secs(wait);
        assert_eq!(attempts.charge(now, tag, &peer).err().unwrap_or_default(), wait, "failure {failures}");
        if wait.is_zero() {
            attempts.refund(tag);
        } else {
            let just_before = now + wait.saturating_sub(SECOND);
            assert_eq!(attempts.charge(just_before, tag, &peer), Err(SECOND), "failure {failures}");
        }
        now = now + wait;
    }
    let tag = attempts.tag("bob");
    assert_eq!(attempts.charge(now, tag, &peer), Ok(()), "the names of a peer are counted apart");
    assert_eq!(fail(&mut attempts, now, "ada", &mut PeerAttempts::default()), Ok(()), "and so are peers");
}

#[test]
fn after_a_success_or_a_day_failures_are_free_again() {
    for end in ["a success", "a day"] {
        let (mut attempts, mut peer) = (attempts(), PeerAttempts::default());
        for _ in 0..6 {
            fail(&mut attempts, at(10), "ada", &mut peer).expect("it is checked");
        }
        let tag = attempts.tag("ada");
        assert_eq!(attempts.charge(at(11), tag, &peer), Err(SECOND));
        let later = if end == "a day" { at(10) + FORGET_AFTER } else { at(12) };
        if end == "a success" {
            attempts.charge(later, tag, &peer).expect("the delay is over");
            attempts.refund(tag);
            attempts.succeeded(tag, &mut peer);
        }
        for _ in 0..5 {
            assert_eq!(fail(&mut attempts, later, "ada", &mut peer), Ok(()), "after {end}");
        }
        assert_eq!(fail(&mut attempts, later, "ada", &mut peer), Ok(()), "after {end}");
        assert!(fail(&mut attempts, later, "ada", &mut peer).is_err(), "after {end}");
    }
}

#[test]
fn a_name_fails_thirty_times_an_hour_over_all_peers() {
    let mut attempts = attempts();
    for n in 0..30 {
        assert_eq!(fail(&mut attempts, at(n * 60), "ada", &mut PeerAttempts::default()), Ok(()), "failure {n}");
    }
    let mut fresh = PeerAttempts::default();
    assert_eq!(fail(&mut attempts, at(1800), "ada", &mut fresh), Err(Duration::from_secs(1800)));
    assert_eq!(fail(&mut attempts, at(3599), "ada", &mut fresh), Err(SECOND));
    assert_eq!(fail(&mut attempts, at(3600), "ada", &mut fresh), Ok(()));
    assert_eq!(fail(&mut attempts, at(3600), "ada", &mut fresh), Err(Duration::from_secs(60)));
    assert_eq!(fail(&mut attempts, at(3600), "bob", &mut fresh), Ok(()));
}

#[test]
fn logins_at_the_same_time_get_no_more_tries() {
    let mut attempts = attempts();
    let tag = attempts.tag("ada");
    let peer = PeerAttempts::default();
    let admitted = (0..100).filter(|_| attempts.charge(at(5), tag, &peer).is_ok()).count();
    assert_eq!(admitted, USER_FAILURES, "none of them has an outcome yet");
    attempts.refund(tag);
    assert_eq!(attempts.charge(at(5), tag, &peer), Ok(()), "one was right");
    assert!(attempts.charge(at(5), tag, &peer).is_err());
}

#[test]
fn many_names_do_not_make_a_peer_forget() {
    let (mut attempts, mut peer, mut now) = (attempts(), PeerAttempts::default(), at(1000));
    for _ in 0..6 {
        fail(&mut attempts, now, "victim", &mut peer).expect("it is checked");
    }
    for n in 0..100 {
        now = now + LONGEST_DELAY;
        fail(&mut attempts, now, &format!("junk {n}"), &mut peer).expect("the longest delay is over");
        let own = attempts.tag("mallory");
        attempts.succeeded(own, &mut peer);
    }
    fail(&mut attempts, now, "victim", &mut peer).expect("forgotten here, but for the floor");
    assert_eq!(fail(&mut attempts, now, "victim", &mut peer), Err(LONGEST_DELAY));
}

#[test]
fn a_name_that_is_forgotten_waits_as_long() {
    let (mut attempts, mut peer) = (attempts(), PeerAttempts::default());
    for name in ["a", "b", "c", "d"] {
        for _ in 0..6 {
            fail(&mut attempts, at(10), name, &mut peer).expect("it is checked");
        }
        assert_eq!(fail(&mut attempts, at(10), name, &mut peer), Err(2 * SECOND));
    }
    fail(&mut attempts, at(10), "e", &mut peer).expect("nobody was forgotten yet");
    for name in ["a", "b", "c", "d", "f"] {
        assert_eq!(fail(&mut attempts, at(10), name, &mut peer), Err(2 * SECOND), "{name}");
    }
    assert_eq!(fail(&mut attempts, at(12), "f", &mut peer), Ok(()), "whoever is new there waits, too");
    assert_eq!(fail(&mut attempts, at(12), "f", &mut peer), Err(4 * SECOND));
}

#[test]
fn many_names_do_not_make_the_gateway_forget() {
    let mut attempts = attempts();
    assert_eq!(attempts.users.places, USERS);
    attempts.users.places = 64;
    for n in 0..20 {
        fail(&mut attempts, at(n), "victim", &mut PeerAttempts::default()).expect("it is checked");
    }
    for round in 0..3 {
        for n in 0..128 {
            for _ in 0..11 {
                let _ = fail(&mut attempts, at(100 + round), &format!("junk {n}"), &mut PeerAttempts::default());
            }
        }
    }
    assert_eq!(attempts.users.len(), 64, "memory is bounded");
    let victim = attempts.tag("victim");
    assert!(!attempts.users.knows(victim), "the name itself was forgotten");
    let failures = (0..100).filter(|_| fail(&mut attempts, at(200), "victim", &mut PeerAttempts::default()).is_ok());
    assert!(failures.count() <= 10, "20 of the 30 of this hour were used");
    assert_eq!(fail(&mut attempts, at(200) + USER_WINDOW, "victim", &mut PeerAttempts::default()), Ok(()));
}

#[test]
fn starts_are_limited_by_peer_and_in_all() {
    let mut attempts = attempts();
    let mut peer = PeerAttempts::default();
    let starts = (0..100).filter(|_| attempts.start(at(1), &mut peer).is_ok()).count();
    assert_eq!(starts, STARTS_OF_PEER as usize);
    assert_eq!(attempts.start(at(2), &mut peer), Ok(()), "one came back");
    assert!(attempts.start(at(2), &mut peer).is_err());
    let starts = (0..100).filter(|_| attempts.start(at(5), &mut PeerAttempts::default()).is_ok()).count();
    assert_eq!(starts, STARTS_PER_SECOND as usize);
    assert!(attempts.start(at(5), &mut peer).is_err());
    assert_eq!(attempts.start(at(6), &mut peer), Ok(()));
}

/// What happened to a name, as a model that forgets nothing knows it.
#[derive(Default)]
struct Model {
    failures: Vec<(u64, usize, usize)>,
}

proptest! {
    /// Whatever names are tried where: no name has more failures in an hour than allowed, nor ever fewer counted at a peer than
    /// it had there since its last success.
    #[test]
    fn no_history_gets_more_tries(steps in prop::collection::vec((0_u64..400, 0_usize..9, 0_usize..3, prop::bool::weighted(0.1)), 1..300)) {
        let mut attempts = attempts();
        let mut peers = [PeerAttempts::default(), PeerAttempts::default(), PeerAttempts::default()];
        let mut model = Model::default();
        let mut now = 1000;
        for (passed, name, peer, succeeds) in steps {
            now += passed;
            let text: String = format!("name {name}");
            let tag = attempts.tag(&text);
            let counted = model.failures.iter().filter(|(_, n, p)| (*n, *p) == (name, peer)).count();
            let last = model.failures.iter().rev().find(|(_, n, p)| (*n, *p) == (name, peer)).map(|(at, ..)| *at);
            if attempts.charge(at(now), tag, &peers[peer]).is_err() {
                continue;
            }
            if let Some(last) = last.filter(|_| counted > 5) {
                let delay = (1_u64 << (counted - 5).min(20)).min(900);
                prop_assert!(now >= last + delay, "failure {counted} of {name} at {peer}: {last} to {now}");
            }
            if succeeds {
                attempts.refund(tag);
                attempts.succeeded(tag, &mut peers[peer]);
                model.failures.retain(|(_, n, p)| (*n, *p) != (name, peer));
            } else {
                attempts.failed(at(now), tag, &mut peers[peer]);
                model.failures.push((now, name, peer));
                let in_hour = model.failures.iter().filter(|(at, n, _)| *n == name && now - at < 3600).count();
                prop_assert!(in_hour <= USER_FAILURES);
            }
        }
    }
}

#[test]
fn what_is_recalled_waits_as_long_as_it_would_have() {
    let now = at(100_000);
    for count in 0..=20_u8 {
        let (attempts, mut before, mut after) = (attempts(), PeerAttempts::default(), PeerAttempts::default());
        let tag = attempts.tag("ada");
        (0..count).for_each(|_| before.failed(now, tag));
        attempts.recall_at(now + SECOND, Some(tag), &mut after, count, now);
        for later in [1, 2, 5, 60, 900, 86_399, 86_400] {
            let later = now + Duration::from_secs(later);
            assert_eq!(after.wait(later, tag), before.wait(later, tag), "{count}");
        }
        let other = attempts.tag("bob");
        assert_eq!(after.wait(now + SECOND, other), None);
        attempts.recall_at(now + SECOND, None, &mut after, count, now);
        assert_eq!(after.wait(now + SECOND, other), before.wait(now + SECOND, tag), "a name that nobody knows");
        // Fewer than there are, and earlier, change nothing.
        attempts.recall_at(now + SECOND, Some(tag), &mut after, 0, at(1));
        assert_eq!(after.wait(now + SECOND, tag), before.wait(now + SECOND, tag));
    }
}

#[test]
fn what_is_recalled_of_a_name_counts_for_an_hour() {
    for count in 0..=40_u8 {
        let mut attempts = attempts();
        let tag = attempts.tag("ada");
        let (now, then) = (at(10_000), at(8000));
        attempts.recall(now, tag, count, then).expect("memory");
        attempts.recall(now, tag, count / 2, at(1)).expect("memory");
        let left = (0..).take_while(|_| attempts.charge(now, tag, &PeerAttempts::default()).is_ok()).count();
        assert_eq!(left, USER_FAILURES.saturating_sub(count.into()), "{count}");
        let wait = attempts.charge(now, tag, &PeerAttempts::default()).expect_err("too many");
        let oldest = if count > 0 { then } else { now };
        assert_eq!(wait, USER_WINDOW.saturating_sub(now.since(oldest)), "{count}");
    }
}
