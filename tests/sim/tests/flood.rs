//! Hostile senders: floods, cookies, and the honest peer that still gets in.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use underpass_core::internals::cookie::{MacKeys, Stamp};
use underpass_core::internals::wire::{INITIATION_LEN, Message};
use underpass_core::{DropReason, Instant, Limits, Rng as _};
use underpass_sim::network::Datagram;
use underpass_sim::rng::Rng;
use underpass_sim::{HostId, Kind, Outcome, Spec, World};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Someone who knows the gateway's public key, and so can make initiations whose first MAC is right.
struct Flooder {
    rng: Rng,
    keys: MacKeys,
    gateway: SocketAddr,
}

impl Flooder {
    fn against(world: &mut World, gateway: HostId) -> Self {
        let keys = MacKeys::new(&world.host(gateway).public_key());
        Self { rng: world.rng().split(), keys, gateway: world.address(gateway) }
    }

    /// An initiation of random bytes, stamped.
    fn junk(&mut self, stamp: &mut Stamp, from: SocketAddr, now: Instant) -> Datagram {
        let mut bytes = vec![0; INITIATION_LEN];
        self.rng.fill(&mut bytes[4..]).expect("randomness");
        bytes[0] = 1;
        stamp.stamp(now, &self.keys, &mut bytes);
        Datagram::new(from, self.gateway, bytes)
    }

    /// One from an address made up.
    fn spoofed(&mut self) -> Datagram {
        let random = self.rng.draw();
        let from = if random & 1 == 0 {
            IpAddr::V4(Ipv4Addr::from((random >> 32) as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from(u128::from(random) << 64 | 1))
        };
        self.junk(&mut Stamp::default(), SocketAddr::new(from, random as u16), Instant::ZERO)
    }
}

/// Handshakes the gateway computed: every junk initiation that was not turned away fails to authenticate.
fn computed(world: &World, gateway: HostId) -> u64 {
    let drops = &world.tunnel(gateway).stats().drops;
    drops.of(DropReason::BadTag) + drops.of(DropReason::LowOrderKey)
}

/// Floods the gateway with `per_ms` spoofed initiations each millisecond, through the doors and not the wires.
fn flood_for(world: &mut World, gateway: HostId, flooder: &mut Flooder, per_ms: usize, duration: Duration) {
    let end = world.time() + duration;
    while world.time() < end {
        for _ in 0..per_ms {
            let junk = flooder.spoofed();
            world.hand(gateway, junk);
        }
        world.run_for(MS);
    }
}

/// Lesson 18 and 27: forty thousand initiations from as many addresses. The gateway computes no more than its budget,
/// grows by nothing, answers with cookies, and honest phones get in: by luck at once, or by their cookie.
#[test]
fn lesson_18_and_27_a_spoofed_flood_meets_a_budget_and_the_phones_get_in() {
    let mut world = World::new(1);
    let gateway = world.add(Spec::new("gateway"));
    let phones: Vec<_> = (0..10).map(|_| world.add(Spec::new("phone"))).collect();
    phones.iter().for_each(|phone| world.enrol(*phone, gateway));
    let mut flooder = Flooder::against(&mut world, gateway);
    let held = world.footprint(gateway);
    flood_for(&mut world, gateway, &mut flooder, 4, 2 * SECOND);
    assert_eq!(world.footprint(gateway), held, "a flood is not remembered");
    let at_first = computed(&world, gateway);

    world.network.attacker.record();
    for phone in &phones {
        world.send(*phone, gateway);
        flood_for(&mut world, gateway, &mut flooder, 4, 3 * MS);
    }
    flood_for(&mut world, gateway, &mut flooder, 4, 8 * SECOND);
    assert!(phones.iter().all(|phone| world.flow(*phone, gateway).is_complete()), "a phone did not get in");
    let honest = |d: &&Datagram| phones.iter().any(|phone| world.address(*phone) == d.to);
    let cookies: Vec<_> = world.network.attacker.captured(Kind::CookieReply).filter(honest).collect();
    assert!(cookies.len() >= 3, "{} phones were asked for a cookie", cookies.len());
    assert!(cookies.iter().all(|cookie| cookie.bytes.len() == 64), "never more than was sent (threat 2)");

    let budget = u64::from(Limits::default().handshakes_per_second);
    assert!(at_first <= budget * 3, "{at_first} handshakes computed in two seconds");
    let all = computed(&world, gateway);
    assert!(all <= budget * 12, "{all} handshakes computed in ten seconds");
    assert!(world.tunnel(gateway).stats().cookie_replies > 20_000);
    assert_eq!(world.footprint(gateway).handshakes, 0);

    // A live session does not suffer at all.
    for _ in 0..10 {
        world.send(gateway, phones[0]);
        flood_for(&mut world, gateway, &mut flooder, 4, 100 * MS);
    }
    assert!(world.flow(gateway, phones[0]).is_complete());
    world.assert_nothing_leaked();
}

/// Lesson 18, the other half: junk from one address, however much, does not starve anyone else.
#[test]
fn lesson_18_junk_from_one_address_starves_nobody() {
    let (mut world, phone, gateway) = World::pair(2);
    let mut flooder = Flooder::against(&mut world, gateway);
    let from: SocketAddr = "203.0.113.66:6666".parse().expect("an address");
    let mut stamp = Stamp::default();
    for millisecond in 0..3000 {
        for _ in 0..4 {
            let junk = flooder.junk(&mut stamp, from, Instant::ZERO);
            world.hand(gateway, junk);
        }
        if millisecond == 2000 {
            world.send(phone, gateway);
        }
        world.run_for(MS);
    }
    assert!(world.flow(phone, gateway).is_complete(), "at once, without so much as a cookie");
    world.assert_nothing_leaked();
}

/// Addresses that do answer the cookie are bounded each by its own rate, and cannot spend what is for the unverified.
#[test]
fn verified_sources_are_bounded_each_by_its_rate() {
    let (mut world, phone, gateway) = World::pair(3);
    let mut flooder = Flooder::against(&mut world, gateway);
    let now = |world: &World| world.host(gateway).clock.monotonic(world.time());
    // Spoofed ones spend the open lane throughout; three addresses fetch a cookie each.
    flood_for(&mut world, gateway, &mut flooder, 4, SECOND);
    let mut bots = Vec::new();
    for last in 1..=3 {
        let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)), 1000);
        let mut stamp = Stamp::default();
        world.network.attacker.record();
        // Some slip through the open lane, as anybody may.
        loop {
            world.network.attacker.forget();
            let junk = flooder.junk(&mut stamp, from, now(&world));
            if world.hand(gateway, junk) == Outcome::Replied {
                break;
            }
        }
        world.run_for(20 * MS);
        let reply = world.network.attacker.captured(Kind::CookieReply).filter(|d| d.to == from).last();
        let reply = reply.expect("a cookie").clone();
        let Some(Message::CookieReply(cookie)) = Message::parse(&reply.bytes) else { panic!("no cookie reply") };
        assert!(stamp.accept(now(&world), &flooder.keys, cookie));
        bots.push((from, stamp));
    }
    let before = computed(&world, gateway);
    let mut accepted = 0;
    for millisecond in 0..5000 {
        for _ in 0..4 {
            let junk = flooder.spoofed();
            world.hand(gateway, junk);
        }
        if millisecond % 5 == 0 {
            for (from, stamp) in &mut bots {
                let junk = flooder.junk(stamp, *from, now(&world));
                if world.hand(gateway, junk) == Outcome::Dropped(DropReason::BadTag) {
                    accepted += 1;
                }
            }
        }
        world.run_for(MS);
    }
    // 20 a second each, and a burst of 5; now and then one slips through the open lane as anybody may.
    assert!((300..=360).contains(&accepted), "{accepted} of 3000");
    assert!(computed(&world, gateway) - before <= 5 * 500 + 3 * 105 + 500);
    world.send(phone, gateway);
    world.run_for(10 * SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    world.assert_nothing_leaked();
}

/// Lesson 19: a cookie is bound to address and port.
#[test]
fn lesson_19_a_cookie_is_worth_nothing_at_another_port() {
    let mut world = World::new(4);
    let limits = Limits { handshakes_per_second: 1, ..Limits::default() };
    let gateway = world.add(Spec { limits, ..Spec::new("gateway") });
    let (phone, other) = (world.add(Spec::new("phone")), world.add(Spec::new("other")));
    world.introduce(phone, gateway);
    world.introduce(other, gateway);
    world.network.attacker.record();
    // The other spends the budget; the phone is asked for a cookie, and its answer is caught on the way.
    world.send(other, gateway);
    world.run_for(MS);
    world.send(phone, gateway);
    let phone_address = world.address(phone);
    world.run_for(4 * SECOND);
    world.network.attacker.forget();
    world.network.attacker.drop_next(Kind::Initiation, 1);
    world.run_for(2 * SECOND);
    let stamped = world.network.attacker.captured(Kind::Initiation).find(|d| d.from == phone_address);
    let stamped = stamped.expect("the phone tries again").clone();
    assert_ne!(stamped.bytes[132..], [0; 16], "with its second MAC");
    // The budget is spent again in this instant, so that the second MAC decides.
    let mut flooder = Flooder::against(&mut world, gateway);
    for _ in 0..3 {
        let junk = flooder.spoofed();
        world.hand(gateway, junk);
    }
    let port = SocketAddr::new(phone_address.ip(), phone_address.port() + 1);
    let address: SocketAddr = SocketAddr::new("203.0.113.1".parse().expect("an address"), phone_address.port());
    for elsewhere in [port, address] {
        assert_eq!(world.hand(gateway, Datagram { from: elsewhere, ..stamped.clone() }), Outcome::Replied);
    }
    assert_eq!(world.hand(gateway, stamped), Outcome::Consumed, "at its own it is");
    world.run_for(SECOND);
    world.assert_nothing_leaked();
}

/// Cookies that nobody asked for change nothing: a phone takes one only as the answer to its latest initiation.
#[test]
fn unexpected_cookies_are_dropped() {
    let mut world = World::new(5);
    let limits = Limits { handshakes_per_second: 1, ..Limits::default() };
    let gateway = world.add(Spec { limits, ..Spec::new("gateway") });
    let (phone, other) = (world.add(Spec::new("phone")), world.add(Spec::new("other")));
    world.introduce(phone, gateway);
    world.introduce(other, gateway);
    world.network.attacker.record();
    world.send(other, gateway);
    world.run_for(MS);
    world.send(phone, gateway);
    world.run_for(100 * MS);
    let to_phone = world.address(phone);
    let cookie =
        world.network.attacker.captured(Kind::CookieReply).find(|d| d.to == to_phone).expect("a cookie").clone();
    let initiations = world.network.attacker.captured(Kind::Initiation).count();
    // Taken once; sent again it is the same cookie and does no harm, nor does it hurry the phone.
    for _ in 0..100 {
        world.hand(phone, cookie.clone());
    }
    let mut forged = cookie.clone();
    forged.bytes[40] ^= 1;
    assert_eq!(world.hand(phone, forged), Outcome::Dropped(DropReason::UnexpectedCookie));
    assert_eq!(world.hand(other, cookie.clone()), Outcome::Dropped(DropReason::UnexpectedCookie));
    world.run_for(100 * MS);
    assert_eq!(world.network.attacker.captured(Kind::Initiation).count(), initiations, "no hurry (threat 3)");
    world.run_for(10 * SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    assert_eq!(world.hand(phone, cookie), Outcome::Dropped(DropReason::UnexpectedCookie), "answers nothing any more");
    world.assert_nothing_leaked();
}

/// Cookies live for two minutes on either side; a phone that tries for longer is given another.
#[test]
fn a_cookie_that_grew_old_is_asked_for_again() {
    let mut world = World::new(6);
    let limits = Limits { handshakes_per_second: 1, ..Limits::default() };
    let gateway = world.add(Spec { limits, ..Spec::new("gateway") });
    let phone = world.add(Spec::new("phone"));
    world.introduce(phone, gateway);
    let mut flooder = Flooder::against(&mut world, gateway);
    flood_for(&mut world, gateway, &mut flooder, 1, 50 * MS);
    world.send(phone, gateway);
    flood_for(&mut world, gateway, &mut flooder, 1, 7 * SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    world.run_for(700 * SECOND);
    flood_for(&mut world, gateway, &mut flooder, 1, 50 * MS);
    world.send(phone, gateway);
    flood_for(&mut world, gateway, &mut flooder, 1, 7 * SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    world.assert_nothing_leaked();
}

/// Fifty a second is all that one peer's own initiations get, authentic though they be.
#[test]
fn authentic_initiations_of_one_peer_come_no_faster_than_fifty_a_second() {
    let (mut world, phone, gateway) = World::pair(7);
    world.network.attacker.record();
    // A phone that restarts over and over; its initiations are held back and then handed over in a heap.
    world.network.attacker.drop_all(Kind::Initiation);
    for _ in 0..20 {
        let floor = world.tunnel(phone).timestamp_floor();
        world.restart(phone, floor);
        world.connect(phone, gateway);
        world.run_for(100 * MS);
    }
    let heap: Vec<_> = world.network.attacker.captured(Kind::Initiation).cloned().collect();
    assert_eq!(heap.len(), 20);
    let mut accepted = 0;
    for initiation in heap {
        match world.hand(gateway, initiation) {
            Outcome::Consumed => accepted += 1,
            outcome => assert_eq!(outcome, Outcome::Dropped(DropReason::InitiationFlood)),
        }
        world.run_for(5 * MS);
    }
    assert_eq!(accepted, 5, "one in 20 ms");
    let held = world.footprint(gateway);
    assert!(held.session_indices <= 3 && held.keypairs <= 3, "{held:?}");
    world.assert_nothing_leaked();
}

/// Lesson 6: a key exchange that would yield zero is refused in the configuration and in the handshake.
#[test]
fn lesson_06_low_order_keys_are_refused() {
    use underpass_core::{Change, ConfigReason, PeerChange, PublicKey};
    let (mut world, phone, gateway) = World::pair(8);
    // Points of small order on Curve25519 (RFC 7748 § 6.1; the list in Wycheproof's x25519 vectors).
    let mut low = vec![[0; 32], [0; 32]];
    low[1][0] = 1;
    for hex in [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        low.push(*PublicKey::from_hex(hex).expect("hex").as_bytes());
    }
    let mut flooder = Flooder::against(&mut world, gateway);
    for (number, point) in low.into_iter().enumerate() {
        let key = PublicKey::from_bytes(point);
        // All zeros names a peer to whom nobody ever speaks: `a_peer_of_zeros_is_kept_and_stays_silent`.
        if point != [0; 32] {
            let refused = world.change(phone, &[Change::Peer(PeerChange::new(key))]);
            assert_eq!(refused.map_err(|error| error.reason), Err(ConfigReason::LowOrderPublicKey), "point {number}");
        }
        let mut junk = flooder.junk(&mut Stamp::default(), "203.0.113.1:1".parse().expect("an address"), Instant::ZERO);
        junk.bytes[8..40].copy_from_slice(&point);
        Stamp::default().stamp(Instant::ZERO, &flooder.keys, &mut junk.bytes);
        assert_eq!(world.hand(gateway, junk), Outcome::Dropped(DropReason::LowOrderKey), "point {number}");
    }
    world.meet(phone, gateway);
    world.assert_nothing_leaked();
}
