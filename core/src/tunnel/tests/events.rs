//! What the host is told of its peers: none of it is lost, and no peer keeps the others from being told of.
use super::*;

const fn secs(secs: u64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

/// Everything that the host is told now.
fn told(host: &mut Host) -> Vec<Event> {
    core::iter::from_fn(|| host.tunnel.poll_event()).collect()
}

fn peer_of(host: &Host, number: u8) -> PeerId {
    host.tunnel.peer_by_key(&private(number).public_key()).expect("configured")
}

fn change_of(number: u8) -> PeerChange {
    let mut change = PeerChange::new(private(number).public_key());
    change.endpoint = Some(Endpoint::Address(address(number)));
    change.allowed_ips = vec![crate::config::AllowedIp {
        network: std::format!("10.0.0.{number}/32").parse().expect("a network"),
        remove: false,
    }];
    change
}

/// A gateway, numbered 1, with the phones 2 and 3, all of them connected; nobody polled an event.
fn gateway() -> (Host, Host, Host) {
    let mut gateway = host(1, 2);
    gateway.tunnel.configure(Instant::ZERO, &[Change::Peer(change_of(3))]).expect("a sound change");
    let mut phones = [host(2, 1), host(3, 1)];
    for phone in &mut phones {
        let id = peer_of(phone, 1);
        phone.tunnel.connect(Instant::ZERO, id);
        assert_eq!(exchange(Instant::ZERO, phone, &mut gateway), 3, "initiation, response, confirmation");
    }
    let [a, b] = phones;
    (gateway, a, b)
}

/// One packet from the phone `number` arrives at the gateway from another address.
fn arrive_from(gateway: &mut Host, phone: &mut Host, number: u8, from: SocketAddr) {
    let (mut buf, range) = packet(number, 1, 60);
    let sealed = phone.tunnel.handle_packet(secs(1), PacketBuf { buf: &mut buf, packet: range });
    let Outbound::Datagram { transmit, .. } = sealed else { panic!("a live session seals") };
    let path = Path::new(from);
    let _ = gateway.tunnel.handle_datagram(secs(1), path, Ecn::NotCapable, &mut buf[..transmit.len]);
}

#[test]
fn whoever_polls_late_hears_all_that_is_so() {
    let (mut gateway, ..) = gateway();
    assert_eq!(gateway.tunnel.footprint().events, 4);
    let [a, b] = [2, 3].map(|number| peer_of(&gateway, number));
    let up = |peer| Event::HealthChanged { peer, user: 0, health: Health::Up };
    let established = |peer| Event::SessionEstablished { peer, user: 0 };
    assert_eq!(told(&mut gateway), [established(a), established(b), up(a), up(b)]);
    assert_eq!(gateway.tunnel.footprint().events, 0);
}

#[test]
fn a_peer_that_alternates_addresses_is_told_of_once() {
    let (mut gateway, mut a, _) = gateway();
    for turn in 0..1000_u16 {
        arrive_from(&mut gateway, &mut a, 2, ([198, 51, 100, 1 + (turn % 2) as u8], 4000 + turn).into());
    }
    let moved: Vec<_> = told(&mut gateway).into_iter().filter(|e| matches!(e, Event::EndpointMoved { .. })).collect();
    let path = Path::new(([198, 51, 100, 2], 4999).into());
    assert_eq!(moved, [Event::EndpointMoved { peer: peer_of(&gateway, 2), user: 0, path }], "where it is by now");
}

/// The host polls one event, and in that time a peer makes another: the others get their turn all the same.
#[test]
fn a_peer_that_never_rests_does_not_silence_the_others() {
    let (mut gateway, mut a, _) = gateway();
    let b = peer_of(&gateway, 3);
    let mut heard = Vec::new();
    for turn in 0..8_u16 {
        arrive_from(&mut gateway, &mut a, 2, ([198, 51, 100, 1], 4000 + turn).into());
        heard.extend(gateway.tunnel.poll_event());
    }
    let about_b = heard.iter().filter(|event| event.peer() == Some(b)).count();
    assert_eq!((heard.len(), about_b), (8, 2), "{heard:?}");
}

#[test]
fn what_is_over_before_it_was_polled_is_told_in_its_order_or_not_at_all() {
    let (mut gateway, mut a, mut b) = gateway();
    told(&mut gateway);
    // The health was another for a while, the name was to be resolved until there was an address.
    let peer = peer_of(&gateway, 2);
    let mut change = PeerChange { action: PeerAction::Update, ..PeerChange::new(private(2).public_key()) };
    for endpoint in [Endpoint::Name { host: "a.example".to_string(), port: 1 }, Endpoint::Address(address(2))] {
        change.endpoint = Some(endpoint);
        gateway.tunnel.configure(Instant::ZERO, &[Change::Peer(change.clone())]).expect("a sound change");
    }
    let (mut buf, range) = packet(1, 2, 60);
    let _ = gateway.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    gateway.tunnel.handle_timeout(secs(16));
    assert_eq!(gateway.tunnel.peer(peer).expect("configured").health(secs(16)), Health::Stale);
    assert_eq!(exchange(secs(16), &mut gateway, &mut a), 3);
    assert_eq!(told(&mut gateway), [Event::SessionEstablished { peer, user: 0 }]);

    // A session came to an end and another began; and the other way round.
    let peer = peer_of(&gateway, 3);
    let key = |byte| Change::PrivateKey(Some(private(byte)));
    let again = |gateway: &mut Host, b: &mut Host, now| {
        let at_b = peer_of(b, 1);
        gateway.tunnel.configure(now, &[key(9), key(1)]).expect("a sound change");
        b.tunnel.handle_timeout(now);
        b.tunnel.connect(now, at_b);
        exchange(now, b, gateway);
    };
    again(&mut gateway, &mut b, secs(700));
    let about_b =
        |events: Vec<Event>| events.into_iter().filter(|event| event.peer() == Some(peer)).collect::<Vec<_>>();
    let (expired, established) = (Event::SessionExpired { peer, user: 0 }, Event::SessionEstablished { peer, user: 0 });
    assert_eq!(about_b(told(&mut gateway)), [expired.clone(), established.clone()]);
    again(&mut gateway, &mut b, secs(1400));
    gateway.tunnel.configure(secs(1401), &[key(9)]).expect("a sound change");
    let events = about_b(told(&mut gateway));
    assert_eq!(events[..2], [established, expired]);
    assert!(matches!(events[2..], [Event::HealthChanged { .. }]), "{events:?}");
}

#[test]
fn a_peer_that_goes_takes_its_facts_along() {
    let (mut gateway, ..) = gateway();
    let remove = |number| {
        Change::Peer(PeerChange { action: PeerAction::Remove, ..PeerChange::new(private(number).public_key()) })
    };
    gateway.tunnel.configure(secs(1), &[remove(2)]).expect("a sound change");
    assert_eq!(gateway.tunnel.footprint().events, 2);
    // Peers come with something to tell, and go before anybody asks.
    for _ in 0..1000 {
        let mut change = change_of(2);
        change.endpoint = Some(Endpoint::Name { host: "a.example".to_string(), port: 1 });
        gateway.tunnel.configure(secs(1), &[Change::Peer(change), remove(2)]).expect("sound changes");
    }
    assert!(gateway.tunnel.shared.events.peers().places() <= 2);
    let b = peer_of(&gateway, 3);
    let events = told(&mut gateway);
    assert_eq!(events.iter().map(Event::peer).collect::<Vec<_>>(), [Some(b); 2], "{events:?}");
}
