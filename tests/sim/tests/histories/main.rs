//! Random histories against the invariants of the house.
//!
//! Three hosts live through whatever a generator thinks of: traffic, rough wires, sleep, clocks that step, moves, changes
//! of the configuration, restarts, garbage and replays. The world itself checks at each step that no deadline stays due,
//! that nothing is delivered twice or without having been sent, and that no counter is used twice. After each
//! action the bounds are checked, at the end that two hosts of goodwill meet again and that nothing leaked.
//!
//! The seed is fixed, so that a run is the same everywhere; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` explore further.
mod act;
mod ending;
mod life;

use act::{Action, HOSTS};
use core::time::Duration;
use life::{Life, fail_clock};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use underpass_core::limits::REJECT_AFTER_TIME;
use underpass_sim::HostId;

/// The configuration: as the environment says, else `cases` cases from a fixed seed.
fn config(cases: u32) -> Config {
    let said = |name| std::env::var_os(name).is_some();
    let default = Config::default();
    Config {
        cases: if said("PROPTEST_CASES") { default.cases } else { cases },
        rng_seed: if said("PROPTEST_RNG_SEED") { default.rng_seed } else { RngSeed::Fixed(1) },
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..default
    }
}

fn live(seed: u64, actions: &[Action], recording: bool) -> Life {
    let mut life = Life::new(seed);
    if recording {
        life.world.trace.record();
    }
    for action in actions {
        life.act(action);
        life.check_bounds();
    }
    life
}

#[test]
fn random_histories_keep_the_invariants() {
    let histories = (any::<u64>(), vec(act::action(), 1..150));
    TestRunner::new(config(96))
        .run(&histories, |(seed, actions)| {
            let mut life = live(seed, &actions, false);
            life.meet_again();
            life.world.assert_nothing_leaked();
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// What befalls one host of three that live in peace.
#[derive(Clone, Copy, Debug)]
enum Misfortune {
    Restart {
        saved: bool,
    },
    Step {
        seconds: i64,
    },
    FailedClock,
    /// Nobody speaks until no session is left: then all do.
    Silence,
}

fn misfortune() -> impl Strategy<Value = Misfortune> {
    prop_oneof![
        any::<bool>().prop_map(|saved| Misfortune::Restart { saved }),
        act::step().prop_map(|seconds| Misfortune::Step { seconds }),
        Just(Misfortune::FailedClock),
        Just(Misfortune::Silence),
    ]
}

/// After any history, whatever then befalls a host, its peers hear it and are heard within two seconds, and no session is
/// left that nobody renews.
#[test]
fn a_host_goes_on_after_a_restart_and_with_a_clock_that_errs() {
    let histories = (any::<u64>(), vec(act::action(), 1..60), 0..HOSTS, misfortune(), 0..200_000u64, 0..40u64);
    TestRunner::new(config(64))
        .run(&histories, |(seed, actions, host, misfortune, moment, lag)| {
            let (mut life, host) = (live(seed, &actions, false), HostId(host));
            life.meet_again();
            life.world.run_for(Duration::from_millis(moment));
            match misfortune {
                Misfortune::Restart { saved } => life.restart(host, saved),
                Misfortune::Step { seconds } => life.world.step_monotonic(host, seconds),
                Misfortune::FailedClock => fail_clock(&mut life.world, host),
                Misfortune::Silence => life.world.run_for(REJECT_AFTER_TIME),
            }
            life.go_on(host, Duration::from_millis(lag));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// At any moment of any history, removing all peers leaves nothing.
#[test]
fn removal_in_any_moment_leaks_nothing() {
    let histories = (any::<u64>(), vec(act::action(), 1..80));
    TestRunner::new(config(48))
        .run(&histories, |(seed, actions)| {
            live(seed, &actions, false).world.assert_removal_leaks_nothing();
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_seeded_run_replays_byte_for_byte() {
    let histories = (any::<u64>(), vec(act::action(), 50..120));
    TestRunner::new(config(12))
        .run(&histories, |(seed, actions)| {
            let (one, two) = (live(seed, &actions, true), live(seed, &actions, true));
            prop_assert!(!one.world.trace.bytes().is_empty());
            prop_assert!(one.world.trace.bytes() == two.world.trace.bytes(), "two runs of one seed differ");
            let other = live(seed ^ 1, &actions, true);
            prop_assert!(other.world.trace.bytes() != one.world.trace.bytes(), "the seed decides nothing");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
