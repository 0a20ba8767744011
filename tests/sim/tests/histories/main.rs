//! Random histories against the invariants of the house.
//!
//! Three hosts live through whatever a generator thinks of: traffic, rough wires, sleep, clocks that step, moves, changes
//! of the configuration, restarts, garbage and replays. The world itself checks at each step that no deadline stays due,
//! that nothing is delivered twice or without having been sent, and that no counter is used twice. After each
//! action the bounds are checked, at the end that two hosts of goodwill meet again and that nothing leaked.
//!
//! The seed is fixed, so that a run is the same everywhere; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` explore further.
mod act;

use act::{Action, Life};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

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
