//! Explicit congestion notification across the tunnel.
use core::time::Duration;
use underpass_core::DropReason;
use underpass_core::packet::ecn::Ecn;
use underpass_sim::network::Datagram;
use underpass_sim::{Kind, Outcome, Shape, World};

const SECOND: Duration = Duration::from_secs(1);

/// ECN crosses the tunnel both ways (RFC 6040, normal mode): the outer header copies the inner, and congestion met outside
/// is told inside.
#[test]
fn congestion_is_told_across_the_tunnel() {
    let table = [
        // inner, marked on the way, delivered
        (Ecn::NotCapable, false, Some(Ecn::NotCapable)),
        (Ecn::Capable0, false, Some(Ecn::Capable0)),
        (Ecn::Capable1, false, Some(Ecn::Capable1)),
        (Ecn::Congested, false, Some(Ecn::Congested)),
        (Ecn::Capable0, true, Some(Ecn::Congested)),
        (Ecn::Capable1, true, Some(Ecn::Congested)),
        // The outer header is not capable, so no router marks it.
        (Ecn::NotCapable, true, Some(Ecn::NotCapable)),
    ];
    let (mut world, phone, gateway) = World::pair(8);
    world.meet(phone, gateway);
    for (number, (ecn, marked, delivered)) in table.into_iter().enumerate() {
        for ((from, to), ipv6) in [((phone, gateway), false), ((gateway, phone), true)] {
            world.network.uplink(from.station()).profile.congest = if marked { 1_000_000 } else { 0 };
            world.send_shaped(from, to, Shape { ecn, ipv6, ..Shape::default() });
            world.run_for(SECOND);
            assert_eq!(world.host(to).delivered_ecn.last().copied(), delivered, "row {number} ipv6 {ipv6}");
        }
    }
    world.assert_nothing_leaked();
}

/// A router that marks what is not ECN-capable breaks the rules; the packet is dropped, as RFC 6040 § 4.2 says, for nobody
/// could tell the sender otherwise.
#[test]
fn a_mark_that_cannot_be_told_drops_the_packet() {
    let (mut world, phone, gateway) = World::pair(9);
    world.meet(phone, gateway);
    world.network.attacker.record();
    world.network.attacker.blackhole();
    world.send(phone, gateway);
    world.run_for(SECOND);
    let kept = world.network.attacker.captured(Kind::Data).next().expect("data");
    let marked = Datagram { ecn: Ecn::Congested, ..kept.clone() };
    assert_eq!(world.hand(gateway, marked), Outcome::Dropped(DropReason::Congestion));
    world.assert_nothing_leaked();
}
