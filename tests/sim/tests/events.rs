//! What a host is told, and when.
use underpass_core::config::{Change, Endpoint, PeerChange};
use underpass_core::tunnel::Event;
use underpass_sim::{Spec, World};

/// So much happens at once that a host which polls late finds it all: each peer's, once.
#[test]
fn nothing_is_lost_however_late_the_host_polls() {
    let mut world = World::new(1);
    let gateway = world.add(Spec::new("gateway"));
    let phones: Vec<_> = (0..2000).map(|_| world.add(Spec::new("phone"))).collect();
    phones.iter().for_each(|phone| world.introduce(gateway, *phone));
    let named = Endpoint::Name { host: "phone.example".into(), port: 1 };
    let change = |phone| Change::Peer(PeerChange { endpoint: Some(named.clone()), ..world.about(phone) });
    let changes: Vec<_> = phones.iter().map(|phone| change(*phone)).collect();
    world.undrained(gateway, |tunnel, now| {
        // A name that is set again is to be resolved again, and still asked for once.
        tunnel.configure(now, &changes).expect("sound changes");
        tunnel.configure(now, &changes).expect("sound changes");
    });
    assert_eq!(world.footprint(gateway).events, 2000);
    world.command(gateway, |_, _| {});
    let asked: Vec<_> = world.host(gateway).events.iter().map(|(_, event)| event.clone()).collect();
    let all: Vec<_> =
        phones.iter().map(|phone| Event::ResolveEndpoint { peer: world.peer_id(gateway, *phone), user: 0 }).collect();
    assert_eq!(asked, all);
    world.assert_nothing_leaked();
}
