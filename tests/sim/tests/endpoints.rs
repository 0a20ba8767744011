//! What may move an endpoint, and when: flow labels, replayed initiations, peers that are restarted elsewhere.
use core::net::SocketAddr;
use core::time::Duration;
use underpass_core::config::PeerAction;
use underpass_core::{Change, DropReason, PeerChange};
use underpass_sim::endpoints::{ELSEWHERE, address, believed, moves};
use underpass_sim::network::{Datagram, Fate};
use underpass_sim::{HostId, Kind, Outcome, Spec, World};

const SECOND: Duration = Duration::from_secs(1);

/// RFC 6437: a flow label names a flow, not an interface. Datagrams whose labels differ come from one place.
#[test]
fn flow_labels_are_no_part_of_an_address() {
    let mut world = World::new(1);
    let phone = world.add(Spec { address: Some(address("[2001:db8::1]:51820")), ..Spec::new("phone") });
    let gateway = world.add(Spec { address: Some(address("[2001:db8::2]:51820")), ..Spec::new("gateway") });
    world.introduce(phone, gateway);
    world.meet(phone, gateway);
    let (before, mut label) = (moves(&world, gateway), 0);
    world.network.attacker.rule(move |_, datagram| match datagram.from {
        SocketAddr::V6(mut from) if from.flowinfo() == 0 && datagram.kind() == Kind::Data => {
            label += 1;
            from.set_flowinfo(label);
            Fate::Replace(vec![Datagram { from: from.into(), ..datagram.clone() }])
        }
        _ => Fate::Pass,
    });
    for _ in 0..50 {
        world.send(phone, gateway);
        world.run_for(SECOND / 10);
    }
    assert!(world.flow(phone, gateway).is_complete());
    assert_eq!(moves(&world, gateway), before);
    assert_eq!(believed(&world, gateway, phone), Some(address("[2001:db8::1]:51820")));
    world.network.attacker.relent();
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert!(world.flow(gateway, phone).is_complete());
    world.assert_nothing_leaked();
}

/// A phone and a gateway that met, and the phone's initiation as it was sent.
fn met_and_overheard(seed: u64) -> (World, HostId, HostId, Datagram) {
    let (mut world, phone, gateway) = World::pair(seed);
    world.network.attacker.record();
    world.meet(phone, gateway);
    let initiation = world.network.attacker.captured(Kind::Initiation).next().expect("they met").clone();
    world.network.attacker.forget();
    (world, phone, gateway, Datagram { from: address(ELSEWHERE), ..initiation })
}

/// Threat 5: a list of changes that removes a peer and sets it again keeps what is known of its timestamps.
#[test]
fn a_peer_that_is_replaced_keeps_its_timestamp() {
    for (row, replaces_all) in [true, false].into_iter().enumerate() {
        let (mut world, phone, gateway, initiation) = met_and_overheard(2);
        let remove = match replaces_all {
            true => Change::RemoveAllPeers,
            false => Change::Peer(PeerChange { action: PeerAction::Remove, ..world.about(phone) }),
        };
        let again = Change::Peer(world.describe(phone));
        world.change(gateway, &[remove, again]).expect("a sound change");
        world.run_for(SECOND);
        assert_eq!(world.hand(gateway, initiation), Outcome::Dropped(DropReason::OldTimestamp), "row {row}");
        assert_eq!(believed(&world, gateway, phone), Some(world.address(phone)), "row {row}");
        world.assert_nothing_leaked();
    }
}

/// While a session is live, an initiation is answered where it came from and moves nothing; whoever replays one gets an
/// answer of no use, and the peer is still heard and spoken to.
#[test]
fn an_initiation_moves_the_endpoint_of_no_live_session() {
    let (mut world, phone, gateway, initiation) = met_and_overheard(3);
    let id = world.peer_id(gateway, phone);
    // What a gateway that lost its memory of timestamps would do.
    world.command(gateway, |tunnel, _| tunnel.reset_peer_timestamp(id));
    world.run_for(SECOND);
    assert_eq!(world.hand(gateway, initiation), Outcome::Consumed);
    let home = world.address(phone);
    assert_eq!(believed(&world, gateway, phone), Some(home));
    world.run_for(SECOND);
    let answers: Vec<_> = world.network.attacker.captured(Kind::Response).map(|answer| answer.to).collect();
    assert_eq!(answers, [address(ELSEWHERE)]);
    world.meet_again(gateway, phone);
    assert_eq!(moves(&world, gateway), 0);
    world.assert_nothing_leaked();
}

/// A peer that was restarted elsewhere has no session any more, while ours to it is live: its initiation is answered
/// there, and its confirmation moves the endpoint.
#[test]
fn a_peer_that_is_restarted_elsewhere_is_followed_when_it_confirms() {
    let (mut world, phone, gateway, _) = met_and_overheard(4);
    world.relocate(phone, ELSEWHERE);
    let floor = world.tunnel(phone).timestamp_floor();
    world.restart(phone, floor);
    world.connect(phone, gateway);
    world.run_for(SECOND);
    assert_eq!(believed(&world, gateway, phone), Some(address(ELSEWHERE)));
    assert_eq!(moves(&world, gateway), 1);
    world.meet_again(gateway, phone);
    world.assert_nothing_leaked();
}
