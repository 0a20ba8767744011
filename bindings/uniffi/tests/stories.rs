//! Stories of two tunnels in simulated time, as an application and a data plane live them together.
mod scene;

use scene::{GATEWAY, PHONE, SECOND, Scene, address, configuration, counting, network, packet};
use std::sync::Arc;
use underpass_uniffi::{
    AllowedIp, Configuration, DropReason, Health, Padding, PeerAction, PeerChange, PresharedKey, PresharedKeyChange,
    PrivateKey, Tunnel, TunnelEvent, TunnelLimits, TunnelOptions, of_data_plane,
};

fn change(key: &Arc<PrivateKey>, action: PeerAction) -> PeerChange {
    PeerChange {
        public_key: key.public_key(),
        action,
        preshared_key: None,
        endpoint: None,
        pin_endpoint: None,
        persistent_keepalive: None,
        user: None,
        timestamp_floor: None,
        replace_allowed_ips: false,
        allowed_ips: Vec::new(),
    }
}

#[test]
fn packets_go_both_ways() {
    let mut scene = Scene::new();
    assert_eq!(scene.phone.health(), Health::Connecting);
    scene.phone_sends();
    scene.gateway_sends();
    assert_eq!(scene.gateway.packets, [packet(PHONE, GATEWAY, 100)]);
    assert_eq!(scene.phone.packets, [packet(GATEWAY, PHONE, 200)]);
    let peer = scene.phone.peer();
    let established = TunnelEvent::SessionEstablished { peer, user: 0 };
    let up = TunnelEvent::HealthChanged { peer, user: 0, health: Health::Up };
    let told = scene.phone.events();
    assert!(told.contains(&established) && told.contains(&up), "{told:?}");

    let statistics = scene.phone.tunnel.statistics().expect("it is open");
    assert_eq!((statistics.tx_packets, statistics.rx_packets, statistics.handshakes), (1, 1, 1));
    let info = &scene.phone.tunnel.peers().expect("it is open")[0];
    assert_eq!((info.health, info.handshakes, info.drops), (Health::Up, 1, 0));
    assert_eq!(info.public_key, scene.gateway.key.public_key());
    assert_eq!(info.latest_handshake_millis, Some(scene::WALL / 1_000_000));
    assert_eq!(info.last_heard_nanos, Some(scene.clock.now_nanos()));
    let at_gateway = &scene.gateway.tunnel.peers().expect("it is open")[0];
    assert_eq!(at_gateway.path.as_ref().map(|path| path.remote.clone()), Some(address([192, 0, 2, 7], 1000)));
    assert_eq!(at_gateway.endpoint, None);
}

#[test]
fn health_comes_from_authenticated_traffic() {
    let mut scene = Scene::connected();
    assert_eq!(scene.phone.health(), Health::Up);
    scene.cut = true;
    scene.phone_sends();
    scene.pass(20);
    assert_eq!(scene.phone.health(), Health::Stale);
    scene.pass(200);
    assert_eq!(scene.phone.health(), Health::Failed);
    let peer = scene.phone.peer();
    let told = scene.phone.events();
    assert!(told.contains(&TunnelEvent::HandshakeFailed { peer, user: 0 }), "{told:?}");
    scene.cut = false;
    scene.phone_sends();
    assert_eq!(scene.phone.health(), Health::Up);
}

#[test]
fn an_idle_tunnel_has_not_failed() {
    let mut scene = Scene::connected();
    scene.phone.events();
    scene.pass(3600);
    assert_eq!(scene.phone.health(), Health::Idle, "nobody needed the session");
    let peer = scene.phone.peer();
    let told = scene.phone.events();
    assert!(!told.contains(&TunnelEvent::HandshakeFailed { peer, user: 0 }), "{told:?}");
    assert_eq!(told.last(), Some(&TunnelEvent::HealthChanged { peer, user: 0, health: Health::Idle }));
    scene.phone_sends();
    assert_eq!(scene.phone.health(), Health::Up);
}

#[test]
fn what_is_dropped_says_why() {
    let scene = Scene::connected();
    let count = |name: &str| {
        let drops = scene.phone.tunnel.drops().expect("it is open");
        let drop = drops.iter().find(|drop| drop.name == name).expect("every reason is listed");
        (drop.reason, drop.count)
    };
    assert_eq!(count("malformed_packet"), (DropReason::MalformedPacket, 0));
    scene.phone.send(vec![0x45; 10]);
    assert_eq!(count("malformed_packet"), (DropReason::MalformedPacket, 1));
    scene.phone.tunnel.change_peers(vec![change(&scene.gateway.key, PeerAction::Remove)]).expect("it is no error");
    scene.phone.send(packet(PHONE, GATEWAY, 100));
    assert_eq!(count("no_route"), (DropReason::NoRoute, 1));
    assert_eq!(scene.phone.tunnel.statistics().expect("it is open").drops, 2);
}

#[test]
fn the_observer_is_woken_once_until_somebody_asks() {
    let mut scene = Scene::new();
    assert_eq!(scene.phone.observer.times(), 0);
    scene.phone_sends();
    scene.gateway_sends();
    assert_eq!(scene.phone.observer.times(), 1, "once, however many events wait");
    assert!(scene.phone.events().len() > 1);
    scene.phone_sends();
    assert_eq!(scene.phone.observer.times(), 1, "nothing new");
    scene.phone.tunnel.set_mtu(1280).expect("it is open");
    assert_eq!(scene.phone.observer.times(), 2);
    assert_eq!(scene.phone.events(), [TunnelEvent::LayoutChanged]);
}

#[test]
fn whoever_leaves_events_waiting_is_woken_again() {
    let mut scene = Scene::new();
    scene.phone_sends();
    assert!(scene.phone.tunnel.next_event().expect("it is open").is_some());
    let before = scene.phone.observer.times();
    scene.phone_sends();
    assert_eq!(scene.phone.observer.times(), before + 1);
}

#[test]
fn a_change_of_network_makes_itself_heard() {
    let mut scene = Scene::connected();
    scene.pass(30);
    scene.phone.at = ([198, 51, 100, 9], 2000).into();
    scene.phone.tunnel.handle_network_change().expect("it is open");
    scene.settle();
    let moved = scene.gateway.events().into_iter().find_map(|event| match event {
        TunnelEvent::EndpointMoved { path, .. } => Some(path.remote),
        _ => None,
    });
    assert_eq!(moved, Some(address([198, 51, 100, 9], 2000)));
    scene.gateway_sends();
    assert_eq!(scene.phone.packets.len(), 1, "packets find the phone where it is now");
}

#[test]
fn a_name_is_asked_for() {
    let mut scene = Scene::new();
    let gateway = Arc::clone(&scene.gateway.key);
    let name = underpass_uniffi::Endpoint::Name { host: "gateway.example".into(), port: 51820 };
    let change = PeerChange { endpoint: Some(name.clone()), user: Some(77), ..change(&gateway, PeerAction::Set) };
    let numbers = scene.phone.tunnel.change_peers(vec![change]).expect("the change is good");
    let peer = scene.phone.peer();
    assert_eq!(numbers, [Some(peer)]);
    scene.phone_sends();
    assert!(scene.phone.events().contains(&TunnelEvent::ResolveEndpoint { peer, user: 77 }));
    assert_eq!(scene.phone.tunnel.peer(peer).expect("it is there").endpoint, Some(name));
    scene.phone.tunnel.set_endpoint(peer, address([192, 0, 2, 1], 51820)).expect("it is there");
    scene.settle();
    assert_eq!(scene.gateway.packets.len(), 1);
}

#[test]
fn a_name_that_is_needed_at_once_is_asked_for_by_the_constructor() {
    let text = format!(
        "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nEndpoint = vpn.example:1\nPersistentKeepalive = 25\n",
        PrivateKey::generate().expect("there is chance").to_base64(),
        PrivateKey::generate().expect("there is chance").public_key().to_base64(),
    );
    let options = TunnelOptions {
        configuration: Some(Configuration::parse(text).expect("the text is good")),
        ..Default::default()
    };
    let observer = Arc::new(scene::Observer::default());
    let tunnel = Tunnel::new(options, Some(Arc::clone(&observer) as _)).expect("a tunnel");
    assert_eq!(observer.times(), 1);
    let peer = tunnel.peers().expect("it is open")[0].peer;
    assert_eq!(tunnel.next_event(), Ok(Some(TunnelEvent::ResolveEndpoint { peer, user: 0 })));
}

#[test]
fn a_configuration_applies_to_a_running_tunnel() {
    let mut scene = Scene::connected();
    let (phone, gateway) = (Arc::clone(&scene.phone.key), Arc::clone(&scene.gateway.key));
    let other = PrivateKey::generate().expect("there is chance");
    scene.phone.tunnel.change_peers(vec![change(&other, PeerAction::Set)]).expect("the change is good");
    assert_eq!(scene.phone.tunnel.peers().expect("it is open").len(), 2);

    let same = configuration(&phone, &gateway.public_key(), Some(scene.gateway.at), "10.0.0.0/8");
    scene.phone.tunnel.apply(same).expect("it applies");
    let peers = scene.phone.tunnel.peers().expect("it is open");
    assert_eq!(peers.len(), 1);
    assert_eq!(peers[0].allowed_ips, [network("10.0.0.0/8")]);
    assert_eq!(peers[0].health, Health::Up);
    scene.phone_sends();
    assert_eq!(scene.gateway.packets.len(), 2);
    assert_eq!(scene.phone.tunnel.statistics().expect("it is open").handshakes, 1, "no second handshake");
}

#[test]
fn peers_change_while_the_tunnel_runs() {
    let scene = Scene::connected();
    let gateway = Arc::clone(&scene.gateway.key);
    let change = PeerChange {
        preshared_key: Some(PresharedKeyChange::Set { key: PresharedKey::generate().expect("there is chance") }),
        persistent_keepalive: Some(25),
        pin_endpoint: Some(true),
        allowed_ips: vec![AllowedIp { network: network("10.9.0.0/16"), remove: false }],
        ..change(&gateway, PeerAction::Update)
    };
    scene.phone.tunnel.change_peers(vec![change]).expect("the change is good");
    let info = scene.phone.tunnel.peer(scene.phone.peer()).expect("it is there");
    assert!(info.has_preshared_key && info.is_pinned);
    assert_eq!((info.persistent_keepalive, info.allowed_ips.len()), (25, 2));
    let stranger = PrivateKey::generate().expect("there is chance");
    let numbers = scene.phone.tunnel.change_peers(vec![self::change(&stranger, PeerAction::Update)]);
    assert_eq!(numbers.expect("it is no error"), [None]);
    let removed = scene.phone.tunnel.change_peers(vec![self::change(&gateway, PeerAction::Remove)]);
    assert_eq!(removed.expect("it is no error"), [None]);
    assert_eq!(scene.phone.tunnel.statistics().expect("it is open").peers, 0);
    scene.gateway.tunnel.remove_all_peers().expect("it is open");
    assert_eq!(scene.gateway.tunnel.statistics().expect("it is open").peers, 0);
}

#[test]
fn a_refused_peer_stays_out_until_it_is_let_in() {
    let mut scene = Scene::connected();
    // An initiation follows the last one after 5 s.
    scene.pass(6);
    let peer = scene.gateway.peer();
    scene.gateway.tunnel.set_refused(peer, true).expect("it is there");
    assert!(scene.gateway.tunnel.peer(peer).expect("it is there").is_refused);
    scene.phone.tunnel.end_sessions(scene.phone.peer()).expect("it is there");
    scene.phone_sends();
    assert_eq!(scene.gateway.packets.len(), 1, "nothing more arrives");
    let drops = scene.gateway.tunnel.peer_drops(peer).expect("it is there");
    let refused = drops.iter().find(|drop| drop.name == "refused").expect("every reason is listed");
    assert_eq!(refused.reason, DropReason::Refused);
    assert!(refused.count > 0);
    assert!(scene.gateway.tunnel.drops().expect("it is open").iter().any(|drop| drop.count > 0));
    scene.gateway.tunnel.set_refused(peer, false).expect("it is there");
    scene.pass(20);
    assert_eq!(scene.gateway.packets.len(), 2, "what was staged arrives");
}

#[test]
fn lesson_22_a_phone_stages_a_mebibyte_at_most_unless_it_asks_for_more() {
    let scene = Scene::new();
    let peers = (0..8).map(|number| PeerChange {
        endpoint: Some(scene::endpoint(([192, 0, 2, 100 + number], 1).into())),
        allowed_ips: vec![AllowedIp { network: network(&format!("10.1.{number}.0/24")), remove: false }],
        ..change(&PrivateKey::generate().expect("there is chance"), PeerAction::Set)
    });
    scene.phone.tunnel.change_peers(peers.collect()).expect("the changes are good");
    let stage = || {
        for number in (0..8).cycle().take(8 * 128) {
            scene.phone.send(packet(PHONE, [10, 1, number, 1], 1400));
        }
        scene.phone.tunnel.statistics().expect("it is open").staged_bytes
    };
    let mebibyte = 1024 * 1024;
    let held = stage();
    assert!(held > mebibyte - 1400 && held <= mebibyte, "{held}");
    let more = TunnelLimits { staged_bytes: Some(4 * 1024 * 1024), ..Default::default() };
    scene.phone.tunnel.set_limits(more).expect("a good limit");
    assert_eq!(stage(), 8 * 128 * 1400);
}

#[test]
fn the_room_for_packets_follows_mtu_and_padding() {
    let scene = Scene::new();
    let before = scene.phone.tunnel.layout().expect("it is open");
    assert_eq!(before.mtu, 1420);
    scene.phone.tunnel.set_mtu(1280).expect("it is a good MTU");
    scene.phone.tunnel.set_padding(Padding::Mtu).expect("it is a good padding");
    scene.phone.tunnel.set_limits(TunnelLimits { peers: Some(1), ..Default::default() }).expect("a good limit");
    let after = scene.phone.tunnel.layout().expect("it is open");
    assert_eq!(after.mtu, 1280);
    assert!(after.tailroom > before.tailroom && after.transmit_buffer < before.transmit_buffer);
}

#[test]
fn timestamps_outlive_the_tunnel() {
    let mut scene = Scene::connected();
    let keys = [Arc::clone(&scene.phone.key), Arc::clone(&scene.gateway.key)];
    let saved = scene.phone.tunnel.saved_floors().expect("it is open");
    let of_gateway = scene.gateway.tunnel.saved_floors().expect("it is open");
    assert_eq!((saved.len(), of_gateway.len()), (13, 13 + 44), "the gateway heard an initiation, the phone did not");

    // Another life of the phone: its wall clock is an hour behind.
    for (floors, arrives) in [(None, false), (Some(saved), true)] {
        let mut next = Scene::with(Some(keys.clone()), floors);
        next.clock.advance(3600 * SECOND);
        next.clock.set_wall(scene::WALL - 3600 * SECOND);
        next.phone.tunnel.handle_wall_clock().expect("it is open");
        // A peer takes 50 initiations a second.
        scene.clock.advance(SECOND);
        std::mem::swap(&mut next.gateway, &mut scene.gateway);
        next.gateway.packets.clear();
        next.phone_sends();
        assert_eq!(!next.gateway.packets.is_empty(), arrives, "with floors: {arrives}");
        std::mem::swap(&mut next.gateway, &mut scene.gateway);
    }
}

#[test]
fn floors_of_peers_are_restored() {
    let scene = Scene::connected();
    let keys = [Arc::clone(&scene.phone.key), Arc::clone(&scene.gateway.key)];
    let floor = scene.gateway.tunnel.peers().expect("it is open")[0].timestamp_floor.clone();
    assert!(floor.iter().any(|byte| *byte != 0));
    let saved = scene.gateway.tunnel.saved_floors().expect("it is open");
    // The gateway's floors, given to the same peer of another tunnel: that of the phone's key.
    let [phone, gateway] = keys;
    let options = TunnelOptions {
        configuration: Some(configuration(&gateway, &phone.public_key(), None, "10.0.0.2/32")),
        saved_floors: Some(saved),
        ..Default::default()
    };
    let next = Tunnel::new(options, None).expect("a tunnel");
    assert_eq!(next.peers().expect("it is open")[0].timestamp_floor, floor);
}

#[test]
fn the_data_plane_finds_the_tunnel_and_hears_of_commands() {
    let mut scene = Scene::connected();
    let found = of_data_plane(scene.phone.tunnel.data_plane_id()).expect("it is open");
    assert!(Arc::ptr_eq(&found, &scene.phone.tunnel));
    let (count, wake) = counting();
    found.set_data_plane(Some(wake));
    let peer = scene.phone.peer();
    scene.phone.tunnel.connect(peer).expect("it is there");
    scene.phone.tunnel.handle_network_change().expect("it is open");
    assert_eq!(*count.lock().expect("no panic"), 2, "each command may have made work");
    scene.phone.tunnel.statistics().expect("it is open");
    scene.phone_sends();
    assert_eq!(*count.lock().expect("no panic"), 2, "questions and packets have not");
    scene.phone.tunnel.close();
    assert_eq!(*count.lock().expect("no panic"), 3, "the end is told");
    assert!(of_data_plane(found.data_plane_id()).is_none());
}
