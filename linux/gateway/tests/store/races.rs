//! Many callers at the same time, each with a connection of its own.
use crate::enrolments::{SECRET, begin, ticket};
use crate::factors::add_code;
use crate::leases::pool;
use crate::place::{Place, add_device, add_user, at, for_each_store, key, name};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use underpass_gateway::store::{HashOfCode, LeaseAnswer, LeaseRequest, NewDevice, Owner, Store, Subject};

const CALLERS: u32 = 6;
const ROUNDS: u64 = 40;

/// Lets every caller do `work` in every round, all at once, and gives what each got, round by round.
fn race<T: Send>(place: &Place, rounds: u64, work: impl Fn(&mut dyn Store, u64, u32) -> T + Sync) -> Vec<Vec<T>> {
    let barrier = Barrier::new(CALLERS as usize);
    let one = |caller: u32| {
        // A caller that fails goes on meeting the others, who would wait for it for ever.
        let mut store = catch_unwind(AssertUnwindSafe(|| place.open())).ok();
        let round = |round| {
            barrier.wait();
            let store = &mut store;
            catch_unwind(AssertUnwindSafe(|| work(&mut **store.as_mut().expect("the store opens"), round, caller)))
        };
        (0..rounds).map(round).collect::<Vec<_>>()
    };
    let one = &one;
    let mut columns: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|caller| scope.spawn(move || one(caller))).collect();
        callers.into_iter().map(|caller| caller.join().expect("no caller panics").into_iter()).collect()
    });
    let got = |outcome: thread::Result<T>| outcome.unwrap_or_else(|panic| resume_unwind(panic));
    (0..rounds).map(|_| columns.iter_mut().filter_map(Iterator::next).map(got).collect()).collect()
}

fn winners(round: &[bool]) -> usize {
    round.iter().filter(|won| **won).count()
}

#[test]
fn of_many_callers_with_one_code_one_wins() {
    for_each_store(|place| {
        let mut store = place.open();
        let alice = add_user(&mut *store, "alice");
        let code = add_code(&mut *store, alice.id);
        let hash = |round: u64| HashOfCode([u8::try_from(round).expect("few rounds"); 32]);
        store.set_recovery(at(0), alice.id, &(0..ROUNDS).map(hash).collect::<Vec<_>>()).expect("codes");
        let rounds = race(place, ROUNDS, |store, round, _| {
            let code = store.accept_step(code, 1000 + round).expect("an answer");
            (code, store.take_recovery(alice.id, &hash(round)).expect("an answer"))
        });
        for (number, round) in rounds.iter().enumerate() {
            let (codes, recovery): (Vec<_>, Vec<_>) = round.iter().copied().unzip();
            assert_eq!((winners(&codes), winners(&recovery)), (1, 1), "round {number}");
        }
    });
}

#[test]
fn of_many_devices_with_one_enrolment_one_gets_in() {
    for_each_store(|place| {
        let mut store = place.open();
        let users: Vec<_> = (0..ROUNDS).map(|round| add_user(&mut *store, &format!("user{round}"))).collect();
        for (round, user) in (0..).zip(&users) {
            begin(&mut *store, user.id, round);
        }
        let rounds = race(place, ROUNDS, |store, round, caller| {
            let round = u32::try_from(round).expect("few rounds");
            let device = NewDevice { key: key(round * CALLERS + caller), name: name("phone") };
            let claimed = store.claim(at(1), &ticket(round), &device, Some(SECRET)).expect("an answer");
            let tried = store.count_try(at(1), &ticket(round), &device.key, 1, at(61)).expect("an answer");
            let added = store.enrol(at(1), &ticket(round), &device, Some(5), at(61)).expect("an answer");
            assert_eq!(claimed.is_some(), tried, "who claims it may try a code");
            assert_eq!(claimed.is_some(), added.is_some());
            added.is_some()
        });
        for (number, round) in rounds.iter().enumerate() {
            assert_eq!(winners(round), 1, "round {number}");
            assert_eq!(store.devices(users[number].id).expect("a list").len(), 1);
            assert_eq!(store.codes(users[number].id).expect("a list").len(), 1);
        }
    });
}

#[test]
fn of_many_requests_of_one_device_one_adds_it() {
    for_each_store(|place| {
        let mut store = place.open();
        let users: Vec<_> = (0..ROUNDS).map(|round| add_user(&mut *store, &format!("user{round}"))).collect();
        for (round, user) in (0..).zip(&users) {
            begin(&mut *store, user.id, round);
        }
        let rounds = race(place, ROUNDS, |store, round, _| {
            let round = u32::try_from(round).expect("few rounds");
            let device = NewDevice { key: key(round), name: name("phone") };
            let claimed = store.claim(at(1), &ticket(round), &device, Some(SECRET)).expect("an answer");
            let tried = store.count_try(at(1), &ticket(round), &device.key, 3, at(61)).expect("an answer");
            let step = Some(5).filter(|_| tried);
            let added =
                step.and_then(|_| store.enrol(at(1), &ticket(round), &device, step, at(61)).expect("an answer"));
            (claimed.is_some(), tried, added.is_some())
        });
        for (number, round) in rounds.iter().enumerate() {
            assert!(round.iter().all(|(claimed, ..)| *claimed), "round {number}: it is that device's");
            assert!(winners(&round.iter().map(|(_, tried, _)| *tried).collect::<Vec<_>>()) <= 3, "round {number}");
            assert_eq!(winners(&round.iter().map(|(.., added)| *added).collect::<Vec<_>>()), 1, "round {number}");
            assert_eq!(store.codes(users[number].id).expect("a list").len(), 1);
        }
    });
}

#[test]
fn no_address_is_given_twice() {
    for_each_store(|place| {
        let mut store = place.open();
        let many = CALLERS * u32::try_from(ROUNDS).expect("few rounds");
        (0..many).for_each(|number| add_device(&mut *store, Owner::Shared, number));
        let office = pool("10.0.0.0", "10.0.255.255");
        let rounds = race(place, ROUNDS, |store, round, caller| {
            let device = key(u32::try_from(round).expect("few rounds") * CALLERS + caller);
            let request =
                LeaseRequest { pool: &office, device: &device, wanted: None, until: at(9), rest: Duration::ZERO };
            match store.lease(at(0), &request).expect("an answer") {
                LeaseAnswer::Given(address) => address,
                other => panic!("{other:?}"),
            }
        });
        let addresses: BTreeSet<_> = rounds.into_iter().flatten().collect();
        assert_eq!(addresses.len(), many as usize);
    });
}

#[test]
fn every_failure_counts() {
    for_each_store(|place| {
        let subject = Subject::Device(key(1));
        place.open();
        let rounds = race(place, ROUNDS, |store, _, _| {
            store.record_failure(at(0), &subject, Duration::from_secs(60)).expect("counted").count
        });
        let numbers: BTreeSet<_> = rounds.into_iter().flatten().collect();
        assert_eq!(numbers, (1..=u64::from(CALLERS) * ROUNDS).collect());
    });
}

#[test]
fn many_open_an_empty_store_at_once() {
    for_each_store(|place| {
        let rounds = race(place, 3, |store, _, _| store.newest_change().expect("a number"));
        assert!(rounds.into_iter().flatten().all(|number| number == 0));
    });
}
