//! Locked, open, and what lies between: at every moment a packet may be in.
use super::*;

#[test]
fn a_locked_peer_reaches_nothing_and_is_reached_by_nothing() {
    let (mut client, mut gateway) = pair();
    let id = only(&gateway);
    assert_eq!(gateway.tunnel.peer(id).map(|peer| peer.access()), Some(Access::Locked));
    let mut datagram = data(NOW, &mut client, CLIENT, OFFICE).expect("the client locks nobody");
    assert_eq!(take(NOW, client.path, &mut gateway, &mut datagram), Got::Dropped(DropReason::Locked));
    assert_eq!(data(NOW, &mut gateway, OFFICE, CLIENT), Err(DropReason::Locked));
    let mut bufs = [packet(OFFICE, CLIENT, 60), packet(OFFICE, CLIENT, 1400)];
    let mut batch: Vec<_> =
        bufs.iter_mut().map(|(buf, range)| PacketSlot::new(PacketBuf { buf, packet: range.clone() })).collect();
    gateway.tunnel.handle_packets(NOW, &mut batch);
    assert!(batch.iter().all(|slot| slot.outcome() == Outbound::Dropped(DropReason::Locked)));
    let (mut buf, range) = packet(OFFICE, CLIENT, 60);
    let begun = gateway.tunnel.begin_seal(NOW, PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(begun, Begin::Done(Outbound::Dropped(DropReason::Locked))), "{begun:?}");
    let peer = gateway.tunnel.peer(id).expect("known");
    assert_eq!((peer.drops().of(DropReason::Locked), peer.drops().total()), (5, 5));
    assert_eq!(gateway.tunnel.stats().drops.of(DropReason::Locked), 5);
    assert_eq!((gateway.tunnel.stats().rx_packets, gateway.tunnel.stats().tx_packets), (0, 0));
    // A packet to a locked peer begins no handshake either.
    gateway.tunnel.end_sessions(NOW, id);
    assert_eq!(data(NOW, &mut gateway, OFFICE, CLIENT), Err(DropReason::Locked));
    let held = gateway.tunnel.footprint();
    assert_eq!((held.staged_packets, held.intents), (0, 0));
}

/// A client that must log in first lets nothing out before: its own side is locked.
#[test]
fn a_client_can_lock_its_gateway() {
    let (mut client, mut gateway) = pair();
    open(&mut gateway);
    change(&mut client, Change::Access { peer: key(OFFICE), access: Access::Locked });
    assert_eq!(data(NOW, &mut client, CLIENT, OFFICE), Err(DropReason::Locked));
    let mut datagram = data(NOW, &mut gateway, OFFICE, CLIENT).expect("open");
    assert_eq!(take(NOW, gateway.path, &mut client, &mut datagram), Got::Dropped(DropReason::Locked));
    ask(NOW, &mut client, b"let me in");
    say(NOW, &mut gateway, b"come in");
    assert_eq!(talk(NOW, &mut client, &mut gateway), [b"let me in".to_vec(), b"come in".to_vec()]);
    change(&mut client, Change::Access { peer: key(OFFICE), access: Access::Open });
    let mut datagram = data(NOW, &mut client, CLIENT, OFFICE).expect("open");
    assert_eq!(take(NOW, client.path, &mut gateway, &mut datagram), Got::Packet(60));
}

/// The download stops with the lock, whatever step its packets are in, and goes on under the same session when it is opened.
#[test]
fn a_lock_in_the_middle_of_a_download() {
    let (mut client, mut gateway) = pair();
    open(&mut gateway);
    let mut down = data(NOW, &mut gateway, OFFICE, CLIENT).expect("open");
    assert_eq!(take(NOW, gateway.path, &mut client, &mut down), Got::Packet(60));
    // One packet each way is with a worker when the lock comes.
    let (mut buf, range) = packet(OFFICE, CLIENT, 60);
    let Begin::Crypt(seal) = gateway.tunnel.begin_seal(NOW, PacketBuf { buf: &mut buf, packet: range }) else {
        panic!("it is open")
    };
    let mut up = data(NOW, &mut client, CLIENT, OFFICE).expect("sealed");
    let Begin::Crypt(job) = gateway.tunnel.begin_open(NOW, client.path, Ecn::NotCapable, &mut up) else {
        panic!("it is open")
    };
    lock(&mut gateway);
    let (verdict, _) = gateway.tunnel.finish_seal(NOW, seal.crypt(&mut buf));
    assert_eq!(verdict, Outbound::Dropped(DropReason::Locked));
    let (verdict, _) = gateway.tunnel.finish_open(NOW, job.crypt(&mut up));
    assert_eq!(verdict, Inbound::Dropped(DropReason::Locked));
    let id = only(&gateway);
    assert_eq!(gateway.tunnel.peer(id).expect("known").drops().of(DropReason::Locked), 2);
    for _ in 0..3 {
        assert_eq!(data(NOW, &mut gateway, OFFICE, CLIENT), Err(DropReason::Locked));
        say(NOW, &mut gateway, b"your time is up");
    }
    assert_eq!(carry(NOW, &mut gateway, &mut client).len(), 3);
    let handshakes = gateway.tunnel.stats().handshakes;
    open(&mut gateway);
    let mut down = data(NOW, &mut gateway, OFFICE, CLIENT).expect("open again");
    assert_eq!(take(NOW, gateway.path, &mut client, &mut down), Got::Packet(60));
    assert_eq!(gateway.tunnel.stats().handshakes, handshakes, "under the same session");
}

#[test]
fn what_is_staged_for_a_peer_that_is_locked_is_dropped() {
    let mut gateway = host(OFFICE, CLIENT);
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    open(&mut gateway);
    for _ in 0..3 {
        let (mut buf, range) = packet(OFFICE, CLIENT, 60);
        let staged = gateway.tunnel.handle_packet(NOW, PacketBuf { buf: &mut buf, packet: range });
        assert_eq!(staged, Outbound::Staged);
    }
    lock(&mut gateway);
    assert_eq!((gateway.tunnel.footprint().staged_packets, gateway.tunnel.footprint().staged_bytes), (0, 0));
    assert_eq!(gateway.tunnel.stats().drops.of(DropReason::Locked), 3);
}

/// Revocation: the keys go at once, and what waits.
#[test]
fn a_session_that_is_ended_takes_messages_along() {
    let (mut client, mut gateway) = pair();
    say(NOW, &mut gateway, b"news");
    let id = only(&gateway);
    gateway.tunnel.end_sessions(NOW, id);
    let held = gateway.tunnel.footprint();
    assert_eq!((held.keypairs, held.control_messages, held.control_bytes), (0, 0, 0));
    assert_eq!(gateway.tunnel.send_control(NOW, id, b"news"), Err(Backpressure::NoSession));
    let mut datagram = data(NOW, &mut client, CLIENT, OFFICE).expect("the client has not heard of it");
    assert_eq!(take(NOW, client.path, &mut gateway, &mut datagram), Got::Dropped(DropReason::UnknownIndex));
    gateway.tunnel.set_refused(NOW, id, true);
    assert_eq!(gateway.tunnel.send_control_waking(NOW, id, b"news"), Err(Backpressure::NoSession));
    assert!(polled(NOW, &mut gateway).is_empty());
}

/// Who may do what when nobody said so.
#[test]
fn newcomers_are_locked_at_a_gateway() {
    let access = |host: &Host| host.tunnel.peers().map(|peer| peer.access()).collect::<Vec<_>>();
    let mut gateway = host(OFFICE, CLIENT);
    assert_eq!(access(&gateway), [Access::Open]);
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    assert_eq!((access(&gateway), gateway.tunnel.control_role()), (vec![Access::Locked], ControlRole::Gateway));
    open(&mut gateway);
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    assert_eq!(access(&gateway), [Access::Open], "it was one already");
    // A tool that knows nothing of logins replaces the peers.
    let again = [Change::RemoveAllPeers, Change::Peer(PeerChange::new(key(CLIENT)))];
    gateway.tunnel.configure(NOW, &again).expect("sound");
    assert_eq!(access(&gateway), [Access::Locked]);
    // What is said counts, for those who are there and those who come.
    let declared = |number, access| Change::Peer(NewPeer { access, ..NewPeer::new(key(number)) }.into());
    let changes = [
        declared(CLIENT, Some(Access::Open)),
        declared(CLIENT, None),
        declared(3, Some(Access::Open)),
        declared(4, Some(Access::Locked)),
        declared(5, None),
    ];
    gateway.tunnel.configure(NOW, &changes).expect("sound");
    assert_eq!(access(&gateway), [Access::Open, Access::Open, Access::Locked, Access::Locked]);
    // Elsewhere newcomers are open, and one may begin locked.
    let mut client = host(CLIENT, OFFICE);
    client.tunnel.configure(NOW, &changes[3..]).expect("sound");
    assert_eq!(access(&client), [Access::Open, Access::Locked, Access::Open]);
    let config = TunnelConfig {
        peers: vec![NewPeer { access: Some(Access::Locked), ..NewPeer::new(key(3)) }],
        ..TunnelConfig::default()
    };
    let tunnel = Tunnel::new(config, Box::new(Seeded(1)), NOW, UnixTime::default()).expect("sound");
    assert_eq!(tunnel.peers().next().map(|peer| peer.access()), Some(Access::Locked));
    // A peer that is not there: nothing happens.
    change(&mut client, Change::Access { peer: key(77), access: Access::Locked });
}

/// Without a role there is no channel, and a locked peer has nothing at all.
#[test]
fn a_locked_peer_without_a_channel_is_not_heard() {
    let (mut client, mut gateway) = pair();
    ask(NOW, &mut client, b"a question");
    let mut datagrams = polled(NOW, &mut client);
    change(&mut gateway, Change::Control(ControlRole::Off));
    assert_eq!(take(NOW, client.path, &mut gateway, &mut datagrams[0]), Got::Dropped(DropReason::Locked));
    let id = only(&gateway);
    assert_eq!(gateway.tunnel.send_control(NOW, id, b"news"), Err(Backpressure::NoChannel));
}
