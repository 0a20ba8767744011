//! Leases.
use crate::place::{add_device, at, for_each, key, name};
use std::net::IpAddr;
use std::time::Duration;
use underpass_gateway::store::{LeaseAnswer, LeaseRequest, Owner, Pool, Store, StoreError};

/// For how long a lease still belongs to its device.
const REST: Duration = Duration::from_secs(10);

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub fn pool(first: &str, last: &str) -> Pool {
    Pool { name: name("office"), first: ip(first), last: ip(last) }
}

fn lease(store: &mut dyn Store, pool: &Pool, device: u32, secs: i64, wanted: Option<&str>) -> LeaseAnswer {
    let device = key(device);
    let request = LeaseRequest { pool, device: &device, wanted: wanted.map(ip), until: at(secs + 100), rest: REST };
    store.lease(at(secs), &request).expect("an answer")
}

fn given(text: &str) -> LeaseAnswer {
    LeaseAnswer::Given(ip(text))
}

fn kept(text: &str) -> LeaseAnswer {
    LeaseAnswer::Kept(ip(text))
}

fn with_devices(store: &mut dyn Store) {
    (0..10).for_each(|number| add_device(store, Owner::Shared, number));
}

#[test]
fn a_device_keeps_its_address_and_nobody_else_gets_it() {
    for_each(|store| {
        with_devices(store);
        let three = pool("10.0.0.1", "10.0.0.3");
        assert_eq!(lease(store, &three, 0, 0, None), given("10.0.0.1"));
        assert_eq!(lease(store, &three, 1, 0, Some("10.0.0.3")), given("10.0.0.3"));
        assert_eq!(lease(store, &three, 2, 0, Some("10.0.0.3")), given("10.0.0.2"), "that is another's");
        assert_eq!(lease(store, &three, 3, 0, Some("10.9.9.9")), LeaseAnswer::Exhausted);
        assert_eq!(lease(store, &three, 1, 50, Some("10.0.0.1")), kept("10.0.0.3"));
        // The leases of 0 and 2 end at 100, that of 1 at 150. They rest until 110 and 160.
        assert_eq!(lease(store, &three, 3, 110, None), LeaseAnswer::Exhausted);
        assert_eq!(lease(store, &three, 2, 110, None), kept("10.0.0.2"), "its own device has it back meanwhile");
        assert_eq!(lease(store, &three, 3, 111, None), given("10.0.0.1"), "which ended longest ago");
        assert_eq!(lease(store, &three, 0, 111, None), LeaseAnswer::Exhausted);
        assert!(store.release(at(112), &three.name, &key(2)).expect("an answer"));
        assert!(!store.release(at(112), &three.name, &key(2)).expect("it has none any more"));
        assert_eq!(lease(store, &three, 0, 121, None), LeaseAnswer::Exhausted, "it rests");
        assert_eq!(lease(store, &three, 0, 123, None), given("10.0.0.2"));
        let holders: Vec<_> = store.leases(&three.name).expect("a list").iter().map(|lease| lease.device).collect();
        assert_eq!(holders, [Some(key(3)), Some(key(0)), Some(key(1))]);
    });
}

#[test]
fn reserved_addresses_are_given_to_nobody_else() {
    for_each(|store| {
        with_devices(store);
        let three = pool("fd00::1", "fd00::3");
        assert!(store.reserve(at(0), &three, ip("fd00::1"), None).expect("an answer"));
        assert!(store.reserve(at(0), &three, ip("fd00::3"), Some(&key(5))).expect("an answer"));
        assert_eq!(lease(store, &three, 0, 0, Some("fd00::1")), given("fd00::2"));
        assert_eq!(lease(store, &three, 1, 0, Some("fd00::3")), LeaseAnswer::Exhausted);
        assert_eq!(lease(store, &three, 1, 99_999_999, None), given("fd00::2"), "reserved ones never end");
        assert_eq!(lease(store, &three, 5, 0, None), kept("fd00::3"));
        assert!(!store.reserve(at(99_999_999), &three, ip("fd00::2"), None).expect("that is somebody's"));
        for address in ["fd00::4", "10.0.0.1"] {
            let refused = store.reserve(at(0), &three, ip(address), None).expect_err("outside");
            assert!(matches!(refused, StoreError::Range(_)), "{refused}");
        }
        assert!(store.reserve(at(0), &three, ip("fd00::1"), Some(&key(5))).expect("it moves there"));
        assert_eq!(lease(store, &three, 5, 0, None), kept("fd00::1"));
    });
}

#[test]
fn a_pool_may_grow_shrink_and_end_where_addresses_end() {
    for_each(|store| {
        with_devices(store);
        let end = pool("255.255.255.254", "255.255.255.255");
        assert_eq!(lease(store, &end, 0, 0, None), given("255.255.255.254"));
        assert_eq!(lease(store, &end, 1, 0, None), given("255.255.255.255"));
        assert_eq!(lease(store, &end, 2, 0, None), LeaseAnswer::Exhausted);
        let grown = pool("255.255.255.253", "255.255.255.255");
        assert_eq!(lease(store, &grown, 2, 0, None), given("255.255.255.253"));
        assert_eq!(lease(store, &grown, 3, 0, None), LeaseAnswer::Exhausted);
        let shrunk = pool("255.255.255.253", "255.255.255.254");
        assert_eq!(lease(store, &shrunk, 1, 0, None), LeaseAnswer::Exhausted, "its address is outside now");
        assert_eq!(lease(store, &grown, 3, 11, None), given("255.255.255.255"), "and free");
        let v6 = Pool { name: name("v6"), ..pool("ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") };
        assert_eq!(
            lease(store, &v6, 0, 0, Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")).clone(),
            given("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
        );
        assert_eq!(lease(store, &v6, 1, 0, None), given("ffff::"));
    });
}

#[test]
fn what_is_no_pool_gives_nothing() {
    for_each(|store| {
        with_devices(store);
        for (first, last) in [("10.0.0.2", "10.0.0.1"), ("10.0.0.1", "fd00::1"), ("fd00::1", "10.0.0.1")] {
            let (device, pool) = (key(0), pool(first, last));
            let request = LeaseRequest { pool: &pool, device: &device, wanted: None, until: at(1), rest: REST };
            let refused = store.lease(at(0), &request).expect_err("no range");
            assert!(matches!(refused, StoreError::Range(_)), "{refused}");
        }
        let (device, pool) = (key(77), pool("10.0.0.1", "10.0.0.2"));
        let request = LeaseRequest { pool: &pool, device: &device, wanted: None, until: at(1), rest: REST };
        let refused = store.lease(at(0), &request).expect_err("no such device");
        assert!(matches!(refused, StoreError::Missing { .. }), "{refused}");
    });
}

#[test]
fn the_address_of_a_device_that_is_gone_comes_back() {
    for_each(|store| {
        with_devices(store);
        let one = pool("10.0.0.1", "10.0.0.1");
        assert_eq!(lease(store, &one, 0, 0, None), given("10.0.0.1"));
        store.remove_device(at(5), &key(0), false).expect("removed");
        assert_eq!(lease(store, &one, 1, 10, None), LeaseAnswer::Exhausted, "it rests");
        assert_eq!(lease(store, &one, 1, 16, None), given("10.0.0.1"));
    });
}
