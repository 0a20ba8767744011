//! What a change of the network makes of addresses that were learned from authentic traffic.
use core::time::Duration;
use underpass_core::PeerChange;
use underpass_core::config::Endpoint;
use underpass_sim::endpoints::{ELSEWHERE, address, believed};
use underpass_sim::{HostId, Spec, World};

const SECOND: Duration = Duration::from_secs(1);
const HOME: &str = "203.0.113.1:51820";

/// A phone that met its gateway by name, which leads to the gateway's home.
fn named(seed: u64, gateways: &str) -> (World, HostId, HostId) {
    let mut world = World::new(seed);
    let phone = world.add(Spec::new("phone"));
    let gateway = world.add(Spec { address: Some(address(gateways)), ..Spec::new("gateway") });
    world.names.insert("gateway.example".into(), world.address(gateway));
    let endpoint = Endpoint::Name { host: "gateway.example".into(), port: 51820 };
    let by_name = PeerChange { endpoint: Some(endpoint), ..world.describe(gateway) };
    world.configure(phone, by_name);
    let roamer = PeerChange { endpoint: None, ..world.describe(phone) };
    world.configure(gateway, roamer);
    world.meet(phone, gateway);
    (world, phone, gateway)
}

/// The gateway speaks from elsewhere than its name says. When the phone's network changes, the name is resolved again,
/// and what it says does not replace what was learned from authentic traffic, as long as there is more of it.
#[test]
fn an_address_learned_from_traffic_outlives_a_network_change() {
    for talks in [true, false] {
        let (mut world, phone, gateway) = named(5, HOME);
        world.relocate(gateway, ELSEWHERE);
        world.run_for(10 * SECOND);
        world.meet_again(gateway, phone);
        assert_eq!(believed(&world, phone, gateway), Some(address(ELSEWHERE)));
        world.relocate(phone, "203.0.113.9:6666");
        world.network_change(phone);
        assert_eq!(believed(&world, phone, gateway), Some(address(ELSEWHERE)), "talks: {talks}");
        // The keepalive that the change caused is on its way; whatever the gateway sends before it comes is lost.
        world.run_for(SECOND / 10);
        if talks {
            world.converse(phone, gateway, SECOND / 2, 4 * SECOND);
        } else {
            world.run_for(4 * SECOND);
        }
        assert_eq!(believed(&world, phone, gateway), Some(address(ELSEWHERE)), "talks: {talks}");
        world.run_for(SECOND);
        assert!(world.flow(phone, gateway).is_complete() && world.flow(gateway, phone).is_complete());
        world.assert_nothing_leaked();
    }
}

/// From a network with IPv4 to one without: what was learned leads nowhere and nothing says so. After 2 s of silence
/// what the name says is believed.
#[test]
fn to_a_carrier_without_ipv4_costs_two_seconds() {
    let (mut world, phone, gateway) = named(6, HOME);
    world.run_for(10 * SECOND);
    let there = address("[2001:db8::2]:51820");
    world.relocate(gateway, "[2001:db8::2]:51820");
    world.relocate(phone, "[2001:db8::1]:51820");
    world.names.insert("gateway.example".into(), there);
    world.network_change(phone);
    let before = world.flow(phone, gateway).sent();
    world.stream(phone, gateway, SECOND / 10, 3 * SECOND);
    world.run_for(SECOND);
    let flow = world.flow(phone, gateway);
    assert_eq!(believed(&world, phone, gateway), Some(there));
    let lost = flow.missing().len();
    assert!(lost <= 21, "{lost} of {}", flow.sent() - before);
    assert_eq!(believed(&world, gateway, phone), Some(address("[2001:db8::1]:51820")));
    world.meet_again(gateway, phone);
    world.assert_nothing_leaked();
}
