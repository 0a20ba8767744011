use super::*;
use crate::policy::tests::Seeded;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::ToString;
use std::vec::Vec;

fn at(secs: u64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn range(first: &str, last: &str) -> AddressRange {
    AddressRange::new(ip(first), ip(last)).expect("a range")
}

fn holder(user: u64, device: u16) -> Holder {
    let mut key = [0; 32];
    key[..2].copy_from_slice(&device.to_be_bytes());
    Holder { user: Some(UserId(user)), device: PublicKey::from_bytes(key) }
}

fn leases(config: &LeaseConfig<'_>) -> Leases {
    Leases::new(config, &mut Seeded(1), at(0)).expect("pools")
}

/// What a holder gets of IPv4.
fn v4(leases: &mut Leases, now: u64, holder: Holder, wish: Wish<Ipv4Addr>) -> Result<Ipv4Addr, LeaseError> {
    leases.lease(at(now), holder, wish, Wish::No).ip4.map(|given| given.expect("one is wanted"))
}

fn any(leases: &mut Leases, now: u64, holder: Holder) -> Result<Ipv4Addr, LeaseError> {
    v4(leases, now, holder, Wish::Any)
}

#[test]
fn networks_without_the_addresses_that_hosts_may_not_have() {
    for (network, first, last) in [
        ("10.0.0.0/24", "10.0.0.1", "10.0.0.254"),
        ("10.0.0.0/30", "10.0.0.1", "10.0.0.2"),
        ("10.0.0.0/31", "10.0.0.0", "10.0.0.1"),
        ("10.0.0.7/32", "10.0.0.7", "10.0.0.7"),
        ("0.0.0.0/0", "0.0.0.1", "255.255.255.254"),
        ("fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff"),
        ("fd00::/127", "fd00::", "fd00::1"),
        ("fd00::5/128", "fd00::5", "fd00::5"),
        ("::/0", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        assert_eq!(AddressRange::of_network(network.parse().expect("a network")), range(first, last), "{network}");
    }
    assert_eq!(AddressRange::new(ip("10.0.0.2"), ip("10.0.0.1")), None);
    assert_eq!(AddressRange::new(ip("10.0.0.2"), ip("fd00::")), None);
}

proptest! {
    #[test]
    fn ranges_are_sets(ranges in prop::collection::vec((0_u128..60, 0_u128..12), 0..6), others in prop::collection::vec((0_u128..60, 0_u128..12), 0..6)) {
        let set = |ranges: &[(u128, u128)]| ranges.iter().flat_map(|(first, more)| *first..=first + more).collect::<BTreeSet<_>>();
        let union = |ranges: &[(u128, u128)]| Ranges::union(ranges.iter().map(|(first, more)| (*first, first + more))).expect("memory");
        let left = union(&ranges).without(&union(&others)).expect("memory");
        let model: Vec<u128> = set(&ranges).difference(&set(&others)).copied().collect();
        prop_assert_eq!(left.count(), model.len() as u128);
        prop_assert_eq!((0..).map_while(|place| left.nth(place)).collect::<Vec<_>>(), model.clone());
        for number in 0..80 {
            prop_assert_eq!(left.has(number), model.contains(&number));
        }
    }
}

#[test]
fn ranges_reach_the_ends_of_all_addresses() {
    let all = Ranges::union([(0, u128::MAX)].into_iter()).expect("memory");
    assert_eq!((all.count(), all.nth(u128::MAX)), (u128::MAX, Some(u128::MAX)));
    let ends = Ranges::union([(0, 0), (u128::MAX, u128::MAX)].into_iter()).expect("memory");
    let left = all.without(&ends).expect("memory");
    assert_eq!((left.count(), left.nth(0), left.has(u128::MAX)), (u128::MAX - 1, Some(1), false));
    assert_eq!(all.without(&all).expect("memory").count(), 0);
}

#[test]
fn one_address_of_each_family_that_stays() {
    let config = LeaseConfig {
        ranges: &[range("10.0.0.1", "10.0.0.9"), AddressRange::of_network("fd00::/64".parse().expect("a network"))],
        ..LeaseConfig::new()
    };
    let mut leases = leases(&config);
    let ada = holder(1, 1);
    let first = leases.lease(at(0), ada, Wish::Any, Wish::Any);
    let (Ok(Some(ip4)), Ok(Some(ip6))) = (first.ip4, first.ip6) else { panic!("{first:?}") };
    assert_eq!((first.t1.as_secs(), first.t2.as_secs(), first.valid.as_secs()), (1800, 3150, 3600));
    assert_eq!(leases.poll_timeout(), Some(at(3600)));
    let other = leases.lease(at(1), holder(1, 2), Wish::Any, Wish::Any);
    assert!(other.ip4 != first.ip4 && other.ip6 != first.ip6, "another device has others");

    let again = leases.lease(at(1800), ada, Wish::This(Ipv4Addr::new(10, 0, 0, 5)), Wish::No);
    assert_eq!((again.ip4, again.ip6), (first.ip4, Ok(None)), "whoever has one keeps it, whatever he would like");
    assert_eq!(leases.addresses_of(&ada), (Some(ip4), Some(ip6)));
    assert_eq!(leases.usage(), [(2, 9), (2, (1 << 64) - 1)]);
    assert_eq!(leases.poll_timeout(), Some(at(3600)), "of IPv6");

    assert_eq!(leases.release(at(2000), &ada), (Some(ip4), Some(ip6)));
    assert_eq!(leases.release(at(2000), &ada), (None, None));
    assert_eq!(leases.addresses_of(&ada), (None, None));
    let back = leases.lease(at(900_000), ada, Wish::Any, Wish::Any);
    assert_eq!((back.ip4, back.ip6), (first.ip4, first.ip6), "and gets it again");
}

#[test]
fn leases_end_in_time_and_are_renewed_before() {
    let mut leases = leases(&LeaseConfig { ranges: &[range("10.0.0.1", "10.0.0.9")], ..LeaseConfig::new() });
    assert_eq!(leases.poll_timeout(), None);
    let (ada, bob) = (holder(1, 1), holder(2, 2));
    let first = any(&mut leases, 0, ada).expect("an address");
    let other = any(&mut leases, 10, bob).expect("an address");
    for renewal in 1..=5 {
        assert_eq!(leases.expire(at(renewal * 1800)).filter(|(whose, _)| *whose == ada), None);
        assert_eq!(any(&mut leases, renewal * 1800, ada), Ok(first));
    }
    assert_eq!(leases.addresses_of(&bob), (None, None), "ended on the way");
    assert_eq!(leases.poll_timeout(), Some(at(9000 + 3600)));
    assert_eq!(leases.expire(at(12_599)), None);
    assert_eq!(leases.expire(at(12_600)), Some((ada, IpAddr::V4(first))));
    assert_eq!((leases.expire(at(12_600)), leases.poll_timeout()), (None, None));
    assert_eq!(leases.usage()[0], (0, 9));
    assert_eq!(any(&mut leases, 13_000, bob), Ok(other));
}

#[test]
fn a_wish_is_granted_only_if_the_address_is_free() {
    let reserved = [(ip("10.0.0.5"), ReservedFor::User(UserId(9)))];
    let config = LeaseConfig {
        ranges: &[range("10.0.0.1", "10.0.0.9")],
        excluded: &[range("10.0.0.3", "10.0.0.3")],
        reserved: &reserved,
        ..LeaseConfig::new()
    };
    let mut leases = leases(&config);
    let wish = |last| Wish::This(Ipv4Addr::new(10, 0, 0, last));
    assert_eq!(v4(&mut leases, 0, holder(1, 1), wish(7)), Ok(Ipv4Addr::new(10, 0, 0, 7)));
    for (device, last) in [(2, 7), (3, 3), (4, 5), (5, 20)] {
        let given = v4(&mut leases, 0, holder(1, device), wish(last)).expect("another");
        assert_ne!(given.octets()[3], last, "had, excluded, reserved, outside");
        assert!(![3, 5].contains(&given.octets()[3]));
    }
    leases.release(at(1), &holder(1, 1));
    let given = v4(&mut leases, 900, holder(1, 6), wish(7)).expect("another");
    assert_ne!(given.octets()[3], 7, "it waits for whoever had it, while there are others");
}

#[test]
fn reserved_addresses_are_for_their_user_or_device() {
    let device = holder(0, 50).device;
    let reserved = [
        (ip("10.0.0.5"), ReservedFor::User(UserId(9))),
        (ip("192.0.2.1"), ReservedFor::Device(device)),
        (ip("fd00::9"), ReservedFor::User(UserId(9))),
    ];
    let config = LeaseConfig { ranges: &[range("10.0.0.1", "10.0.0.9")], reserved: &reserved, ..LeaseConfig::new() };
    let mut leases = leases(&config);
    let own = Ipv4Addr::new(10, 0, 0, 5);
    for other in 0..8 {
        assert_ne!(any(&mut leases, 0, holder(1, other)), Ok(own));
    }
    assert_eq!(any(&mut leases, 0, holder(1, 9)), Err(LeaseError::Exhausted), "the last one is reserved");
    let both = leases.lease(at(0), holder(9, 1), Wish::Any, Wish::Any);
    assert_eq!((both.ip4, both.ip6), (Ok(Some(own)), Ok(Some("fd00::9".parse().expect("an address")))));
    assert_eq!(any(&mut leases, 0, holder(9, 2)), Err(LeaseError::Exhausted), "his second device is like others");
    assert_eq!(leases.lease(at(0), holder(1, 1), Wish::No, Wish::Any).ip6, Err(LeaseError::Exhausted));
    leases.release(at(1), &holder(9, 1));
    assert_eq!(any(&mut leases, 1, holder(9, 2)), Ok(own), "and gets it when the first has given it back");

    let at_device = |user| Holder { user, device };
    let outside = Ipv4Addr::new(192, 0, 2, 1);
    assert_eq!(any(&mut leases, 2, at_device(Some(UserId(3)))), Ok(outside));
    leases.release(at(3), &at_device(Some(UserId(3))));
    assert_eq!(any(&mut leases, 3, at_device(None)), Ok(outside), "whoever is logged in there");

    let twice = [reserved[0], (ip("10.0.0.5"), ReservedFor::User(UserId(1)))];
    let error = Leases::new(&LeaseConfig { reserved: &twice, ..LeaseConfig::new() }, &mut Seeded(1), at(0)).err();
    assert_eq!(error, Some(LeaseConfigError::ReservedTwice(ip("10.0.0.5"))));
    assert_eq!(error.map(|error| error.to_string()).as_deref(), Some("10.0.0.5 is reserved twice"));
}

#[test]
fn a_pool_that_is_exhausted_says_so_and_takes_the_oldest_back() {
    let mut leases = leases(&LeaseConfig { ranges: &[range("10.0.0.1", "10.0.0.3")], ..LeaseConfig::new() });
    let given: Vec<_> = (1..=3).map(|n| any(&mut leases, u64::from(n), holder(1, n)).expect("an address")).collect();
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(any(&mut leases, 10, holder(1, 4)), Err(LeaseError::Exhausted));
    leases.release(at(20), &holder(1, 2));
    leases.release(at(30), &holder(1, 1));
    assert_eq!(any(&mut leases, 79, holder(1, 4)), Err(LeaseError::Exhausted), "in quarantine");
    assert_eq!(any(&mut leases, 80, holder(1, 4)), Ok(given[1]), "the first that was given back");
    assert_eq!(any(&mut leases, 200, holder(1, 2)), Ok(given[0]), "and whoever had that gets another");
    assert_eq!(any(&mut leases, 200, holder(1, 1)), Err(LeaseError::Exhausted));
    assert_eq!(any(&mut leases, 200, holder(1, 3)), Ok(given[2]), "who has one renews it");
    let none = leases.lease(at(200), holder(1, 3), Wish::No, Wish::Any);
    assert_eq!((none.ip4, none.ip6), (Ok(None), Err(LeaseError::NoPool)));
}

#[test]
fn a_huge_pool_takes_no_memory_for_what_nobody_has() {
    let network = AddressRange::of_network("fd00::/16".parse().expect("a network"));
    let mut leases = leases(&LeaseConfig { ranges: &[network], most: 100, ..LeaseConfig::new() });
    let mut seen = BTreeSet::new();
    for device in 0..100 {
        let given =
            leases.lease(at(0), holder(1, device), Wish::No, Wish::Any).ip6.expect("an address").expect("wanted");
        assert!(seen.insert(given) && given.octets()[0] == 0xfd);
    }
    let more = |leases: &mut Leases, now, device| leases.lease(at(now), holder(1, device), Wish::No, Wish::Any).ip6;
    assert_eq!(more(&mut leases, 0, 100), Err(LeaseError::Exhausted), "memory is bounded");
    leases.release(at(1), &holder(1, 7));
    assert!(more(&mut leases, 61, 100).is_ok(), "the oldest that has ended is forgotten");
    assert_eq!(leases.usage()[1], (100, (1 << 112) - 1));
    assert_eq!(more(&mut leases, 61, 7), Err(LeaseError::Exhausted));
}

#[test]
fn leases_are_the_same_after_a_restart() {
    let config = LeaseConfig { ranges: &[range("10.0.0.1", "10.0.0.20")], ..LeaseConfig::new() };
    let mut before = leases(&config);
    let given: BTreeMap<u16, _> =
        (1..=10).map(|n| (n, any(&mut before, 0, holder(1, n)).expect("an address"))).collect();
    let mut after = Leases::new(&config, &mut Seeded(99), at(0)).expect("pools");
    for (device, address) in &given {
        let left = (device % 2 == 0).then_some(Duration::from_secs(1000));
        assert_eq!(after.restore(at(0), holder(1, *device), IpAddr::V4(*address), left), Ok(()));
    }
    for (story, whose, address, error) in [
        ("somebody else's", holder(2, 99), IpAddr::V4(given[&2]), LeaseError::Taken),
        ("he has another", holder(1, 2), ip("10.0.0.20"), LeaseError::Taken),
        ("no pool", holder(2, 99), ip("10.0.1.1"), LeaseError::Outside),
        ("no pool of that family", holder(2, 99), ip("fd00::1"), LeaseError::Outside),
    ] {
        let refused = match story {
            "he has another" if given.values().any(|known| IpAddr::V4(*known) == address) => continue,
            _ => after.restore(at(0), whose, address, None),
        };
        assert_eq!(refused, Err(error), "{story}");
    }
    assert_eq!((after.usage()[0].0, after.poll_timeout()), (5, Some(at(1000))));
    for (device, address) in &given {
        assert_eq!(any(&mut after, 10, holder(1, *device)), Ok(*address));
    }
    let next = any(&mut after, 10, holder(1, 50)).expect("an address");
    assert!(!given.values().any(|known| *known == next));
}

#[test]
fn a_clock_that_errs_gives_nothing_twice() {
    let mut leases = leases(&LeaseConfig { ranges: &[range("10.0.0.1", "10.0.0.1")], ..LeaseConfig::new() });
    any(&mut leases, 10_000, holder(1, 1)).expect("an address");
    assert_eq!(any(&mut leases, 5000, holder(1, 2)), Err(LeaseError::Exhausted));
    assert_eq!(leases.expire(at(5000 + 3599)), None, "a step back is no time that passed");
    assert!(leases.expire(at(5000 + 3600)).is_some());
}

#[derive(Clone, Debug)]
enum Step {
    Lease(u16, Option<u8>),
    Release(u16),
    Pass(u64),
    Restore(u16, u8, Option<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_u16, prop::option::of(0..20_u8)).prop_map(|(device, wish)| Step::Lease(device, wish)),
        2 => (0..12_u16).prop_map(Step::Release),
        2 => (0..2000_u64).prop_map(Step::Pass),
        1 => (0..12_u16, 0..20_u8, prop::option::of(0..5000_u64)).prop_map(|(device, last, left)| Step::Restore(device, last, left)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// No address is had by two, none by whom it is not for, none given on within its quarantine, and deadlines are exact.
    #[test]
    fn no_address_is_given_twice(steps in prop::collection::vec(step(), 1..150), most in 1_usize..12) {
        let reserved = [(ip("10.0.0.8"), ReservedFor::Device(holder(0, 3).device)), (ip("10.0.0.19"), ReservedFor::User(UserId(1)))];
        let config = LeaseConfig {
            ranges: &[range("10.0.0.2", "10.0.0.6"), range("10.0.0.8", "10.0.0.10")],
            excluded: &[range("10.0.0.4", "10.0.0.4")],
            reserved: &reserved,
            most,
            ..LeaseConfig::new()
        };
        let mut leases = leases(&config);
        let (mut now, mut held, mut gone) = (0_u64, BTreeMap::new(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Lease(device, wish) => {
                    let whose = holder(u64::from(device % 4), device);
                    let wish = wish.map_or(Wish::Any, |last| Wish::This(Ipv4Addr::new(10, 0, 0, last)));
                    if let Ok(given) = v4(&mut leases, now, whose, wish) {
                        let last = given.octets()[3];
                        let own = held.get(&device).map(|(own, _)| *own);
                        prop_assert!(own.is_none_or(|own| own == last), "{own:?} became {last}");
                        let before = gone.get(&last).filter(|(whose, at)| *whose != device && now < at + 60);
                        let is_kept = [8, 19].contains(&last);
                        prop_assert!(is_kept || before.is_none(), "{last} had {before:?} at {now}");
                        prop_assert!(last != 8 || device == 3);
                        prop_assert!(last != 19 || device % 4 == 1);
                        prop_assert!([2, 3, 5, 6, 8, 9, 10, 19].contains(&last));
                        held.insert(device, (last, now + 3600));
                    }
                }
                Step::Release(device) => {
                    leases.release(at(now), &holder(u64::from(device % 4), device));
                    if let Some((last, _)) = held.remove(&device) {
                        gone.insert(last, (device, now));
                    }
                }
                Step::Pass(time) => {
                    let end = now + time;
                    while let Some(due) = leases.poll_timeout().map(|due| due.as_nanos() / 1_000_000_000).filter(|due| *due <= end) {
                        now = due;
                        while let Some((whose, address)) = leases.expire(at(now)) {
                            let device = u16::from_be_bytes([whose.device.as_bytes()[0], whose.device.as_bytes()[1]]);
                            let (last, until) = held.remove(&device).expect("he had it");
                            prop_assert_eq!((address.to_string(), until), (format!("10.0.0.{last}"), now));
                            gone.insert(last, (device, now));
                        }
                    }
                    now = end;
                }
                Step::Restore(device, last, left) => {
                    let whose = holder(u64::from(device % 4), device);
                    let left = left.map(|left| left.min(3600));
                    let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
                    if leases.restore(at(now), whose, address, left.map(Duration::from_secs)).is_ok() {
                        match left {
                            Some(left) => drop(held.insert(device, (last, now + left))),
                            None => drop(gone.insert(last, (device, now))),
                        }
                    }
                }
            }
            let distinct: BTreeSet<u8> = held.values().map(|(last, _)| *last).collect();
            prop_assert_eq!(distinct.len(), held.len(), "{:?}", held);
            prop_assert_eq!(leases.usage()[0].0, held.len());
            let next = held.values().map(|(_, until)| at(*until)).min();
            prop_assert_eq!(leases.poll_timeout(), next);
        }
    }
}
