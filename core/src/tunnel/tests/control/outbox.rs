//! The outbox: its bounds, what may wait in it and for how long, and whom a message wakes.
use super::*;
use crate::limits::{CONTROL_BYTES, CONTROL_BYTES_PER_PEER, CONTROL_MESSAGES, CONTROL_MESSAGES_PER_PEER};

fn after(secs: u64) -> Instant {
    NOW + Duration::from_secs(secs)
}

fn waiting(host: &Host) -> (usize, usize) {
    let held = host.tunnel.footprint();
    (held.control_messages, held.control_bytes)
}

#[test]
fn a_full_outbox_says_so_and_empties() {
    let (mut client, mut gateway) = pair();
    let peer = only(&gateway);
    for number in 0..CONTROL_MESSAGES_PER_PEER {
        gateway.tunnel.send_control(NOW, peer, &[number as u8; 10]).expect("room");
    }
    assert_eq!(gateway.tunnel.send_control(NOW, peer, &[99]), Err(Backpressure::Full));
    assert_eq!(gateway.tunnel.send_control_waking(NOW, peer, &[99]), Err(Backpressure::Full));
    assert_eq!(waiting(&gateway), (CONTROL_MESSAGES_PER_PEER, 10 * CONTROL_MESSAGES_PER_PEER));
    assert_eq!(gateway.tunnel.footprint().intents, 1);
    let got = carry(NOW, &mut gateway, &mut client);
    let want: Vec<_> = (0..CONTROL_MESSAGES_PER_PEER).map(|number| Got::Message(vec![number as u8; 10])).collect();
    assert_eq!(got, want, "all, in order");
    assert_eq!(waiting(&gateway), (0, 0));
    // Bytes count too.
    let fit = CONTROL_BYTES_PER_PEER / 1300;
    for _ in 0..fit {
        gateway.tunnel.send_control(NOW, peer, &[1; 1300]).expect("room");
    }
    assert_eq!(gateway.tunnel.send_control(NOW, peer, &[1; 1300]), Err(Backpressure::Full));
    assert_eq!(waiting(&gateway), (fit, fit * 1300));
}

/// A gateway with peers that never answer. `size` is that of the messages, `most` how many of them the tunnel takes.
fn filled(size: usize, most: usize) {
    let per_peer = CONTROL_MESSAGES_PER_PEER.min(CONTROL_BYTES_PER_PEER / size);
    let peers = (most / per_peer + 2) as u32;
    let peer = |number: u32| {
        let mut key = [7; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        NewPeer {
            endpoint: Some(Endpoint::Address(address(9))),
            ..NewPeer::new(PrivateKey::from_bytes(key).public_key())
        }
    };
    let config = TunnelConfig {
        private_key: Some(private(OFFICE)),
        peers: (0..peers).map(peer).collect(),
        ..TunnelConfig::default()
    };
    let tunnel = Tunnel::new(config, Box::new(Seeded(3)), NOW, UnixTime::default()).expect("sound");
    let mut gateway = Host { tunnel, path: Path::new(address(OFFICE)) };
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    let ids: Vec<_> = gateway.tunnel.peers().map(|peer| peer.id()).collect();
    let message = vec![1; size];
    let mut taken = 0;
    for id in &ids {
        while gateway.tunnel.send_control_waking(NOW, *id, &message).is_ok() {
            taken += 1;
        }
    }
    assert_eq!((taken, waiting(&gateway)), (most, (most, most * size)));
    // Who goes makes room for others.
    gateway.tunnel.end_sessions(NOW, ids[0]);
    assert_eq!(waiting(&gateway).0, most - per_peer);
    assert_eq!(gateway.tunnel.send_control_waking(NOW, ids[ids.len() - 1], &message), Ok(()));
}

#[test]
fn the_messages_of_a_tunnel_are_bounded_over_all_peers() {
    filled(10, CONTROL_MESSAGES);
}

#[test]
fn the_bytes_of_a_tunnel_are_bounded_over_all_peers() {
    filled(1024, CONTROL_BYTES / 1024);
}

#[test]
fn what_cannot_be_sent_is_not_taken() {
    let (mut client, _) = pair();
    let mut alone = host(CLIENT, OFFICE);
    let stranger = PeerId::from_u64(u64::MAX);
    assert_eq!(client.tunnel.send_control(NOW, stranger, b"x"), Err(Backpressure::NoChannel));
    let peer = only(&alone);
    assert_eq!(alone.tunnel.send_control_waking(NOW, peer, b"x"), Err(Backpressure::NoChannel), "no role");
    change(&mut alone, Change::Control(ControlRole::Client { gateway: key(OFFICE) }));
    assert_eq!(alone.tunnel.send_control(NOW, peer, b"x"), Err(Backpressure::NoSession));
    change(&mut alone, Change::PrivateKey(None));
    assert_eq!(alone.tunnel.send_control_waking(NOW, peer, b"x"), Err(Backpressure::NoChannel), "no address");
    change(&mut alone, Change::Control(ControlRole::Gateway));
    assert_eq!(alone.tunnel.send_control_waking(NOW, peer, b"x"), Err(Backpressure::NoSession), "no key");
    // A peer that was never heard of and has no endpoint.
    let mut gateway = host(OFFICE, 9);
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    change(&mut gateway, Change::Peer(PeerChange::new(key(CLIENT))));
    let roaming = gateway.tunnel.peer_by_key(&key(CLIENT)).expect("just added");
    assert_eq!(gateway.tunnel.send_control_waking(NOW, roaming, b"x"), Err(Backpressure::NoSession));
    change(&mut client, Change::Mtu(68));
    let peer = only(&client);
    assert_eq!(client.tunnel.send_control(NOW, peer, &[0; 21]), Err(Backpressure::TooLong { most: 20 }));
    assert_eq!([waiting(&client), waiting(&alone), waiting(&gateway)], [(0, 0); 3]);
    assert_eq!((alone.tunnel.footprint().intents, gateway.tunnel.footprint().intents), (0, 0));
}

/// Each error has words.
#[test]
fn every_backpressure_says_what_it_is() {
    use Backpressure::{Full, NoChannel, NoMemory, NoSession, TooLong};
    let texts: Vec<_> = [Full, TooLong { most: 7 }, NoSession, NoChannel, NoMemory].map(|one| one.to_string()).into();
    let mut different = texts.clone();
    different.dedup();
    assert_eq!((different.len(), &*texts[1]), (5, "the message is too long: 7 bytes at most"));
}

/// News for a peer that sleeps: no handshake, no timer, nothing kept.
#[test]
fn a_silent_peer_is_not_woken() {
    let (mut client, mut gateway) = pair();
    talk(NOW, &mut client, &mut gateway);
    // Under a live session a message leaves. That nobody answers is nothing to act upon.
    say(after(1), &mut gateway, b"news");
    assert_eq!(polled(after(1), &mut gateway).len(), 1, "lost on its way");
    while let Some(at) = gateway.tunnel.poll_timeout() {
        assert!(at <= after(180), "{at:?}");
        gateway.tunnel.handle_timeout(at);
        assert!(polled(at, &mut gateway).is_empty(), "nothing is sent to who sleeps");
    }
    let peer = only(&gateway);
    assert_eq!(gateway.tunnel.send_control(after(181), peer, b"news"), Err(Backpressure::NoSession));
    assert!(polled(after(181), &mut gateway).is_empty());
    assert_eq!(gateway.tunnel.poll_timeout(), None);
    let held = gateway.tunnel.footprint();
    assert_eq!((held.keypairs, held.intents, held.control_messages), (0, 0, 0));
}

/// A message that is worth it counts as a packet does: unanswered for 15 s, a handshake begins.
#[test]
fn an_unanswered_question_begins_a_handshake() {
    let (mut client, _) = pair();
    ask(NOW, &mut client, b"a question");
    assert_eq!(polled(NOW, &mut client).len(), 1, "lost on its way");
    let at = client.tunnel.poll_timeout().expect("an answer is missed");
    assert!((after(15)..after(16)).contains(&at), "{at:?}");
    client.tunnel.handle_timeout(at);
    assert_eq!(polled(at, &mut client).iter().map(Vec::len).collect::<Vec<_>>(), [148]);
}

#[test]
fn a_question_without_a_session_brings_one_up_and_arrives_first() {
    let (mut client, mut gateway) = (host(CLIENT, OFFICE), host(OFFICE, CLIENT));
    change(&mut client, Change::Control(ControlRole::Client { gateway: key(OFFICE) }));
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    open(&mut gateway);
    let (mut buf, range) = packet(CLIENT, OFFICE, 60);
    let staged = client.tunnel.handle_packet(NOW, PacketBuf { buf: &mut buf, packet: range });
    assert_eq!(staged, Outbound::Staged);
    ask(NOW, &mut client, b"first");
    ask(NOW, &mut client, b"second");
    let initiation = carry(NOW, &mut client, &mut gateway);
    assert_eq!((initiation, waiting(&client)), (vec![Got::Other], (2, 11)));
    // Until the session is confirmed, the responder has none to say anything under.
    let peer = only(&gateway);
    assert_eq!(gateway.tunnel.send_control(NOW, peer, b"x"), Err(Backpressure::NoSession));
    assert_eq!(gateway.tunnel.send_control_waking(NOW, peer, b"third"), Ok(()));
    let response = polled(NOW, &mut gateway).remove(0);
    assert_eq!(take(NOW, gateway.path, &mut client, &mut response.clone()), Got::Other);
    let got = carry(NOW, &mut client, &mut gateway);
    let messages = [b"first".to_vec(), b"second".to_vec()].map(Got::Message);
    assert_eq!(got, [&messages[..], &[Got::Packet(60)]].concat(), "no keepalive is needed");
    assert_eq!(talk(NOW, &mut client, &mut gateway), [b"third".to_vec()], "the confirmation sends what waited");
    assert_eq!((waiting(&client), waiting(&gateway)), ((0, 0), (0, 0)));
}

#[test]
fn questions_that_nobody_answers_are_given_up_with_the_handshake() {
    let mut client = host(CLIENT, OFFICE);
    change(&mut client, Change::Control(ControlRole::Client { gateway: key(OFFICE) }));
    ask(NOW, &mut client, b"a question");
    let mut last = NOW;
    polled(last, &mut client);
    while let Some(at) = client.tunnel.poll_timeout() {
        last = at;
        client.tunnel.handle_timeout(at);
        polled(at, &mut client);
    }
    assert!((after(90)..after(96)).contains(&last), "{last:?}");
    assert_eq!((waiting(&client), client.tunnel.stats().drops.of(DropReason::HandshakeFailed)), ((0, 0), 1));
}

/// One that is asked again and again keeps the handshake going; what is older than 90 s goes.
#[test]
fn old_questions_go_while_newer_ones_wait() {
    let mut client = host(CLIENT, OFFICE);
    change(&mut client, Change::Control(ControlRole::Client { gateway: key(OFFICE) }));
    for secs in 0..200 {
        if secs % 20 == 0 {
            ask(after(secs), &mut client, &[secs as u8]);
        }
        client.tunnel.handle_timeout(after(secs));
        polled(after(secs), &mut client);
        assert!(waiting(&client).0 <= 6, "{} wait after {secs} s", waiting(&client).0);
    }
    let dropped = client.tunnel.stats().drops.of(DropReason::HandshakeFailed);
    assert_eq!(dropped + waiting(&client).0 as u64, 10);
    assert!(dropped >= 4, "{dropped} dropped");
}

#[test]
fn a_message_that_became_too_long_is_dropped_and_a_short_buffer_says_what_is_needed() {
    let (mut client, mut gateway) = pair();
    ask(NOW, &mut client, &[1; 1000]);
    ask(NOW, &mut client, &[2; 20]);
    let needed = client.tunnel.layout().datagram_len(1000 + HEADERS);
    let short = client.tunnel.poll_transmit(NOW, &mut [0; 500]);
    assert_eq!(short, Err(TransmitError::ShortBuffer { needed }));
    assert_eq!(waiting(&client), (2, 1020), "both stay");
    change(&mut client, Change::Mtu(600));
    assert_eq!(carry(NOW, &mut client, &mut gateway), [Got::Message(vec![2; 20])]);
    assert_eq!(client.tunnel.stats().drops.of(DropReason::TooBig), 1);
}

/// What is about to leave when its session ends waits for the next one only if it is worth it; without a channel nothing waits.
#[test]
fn a_session_that_ends_before_messages_leave() {
    let (mut client, mut gateway) = pair();
    ask(NOW, &mut client, b"a question");
    say(NOW, &mut client, b"news");
    let late = after(185);
    client.tunnel.handle_timeout(late);
    let initiation = polled(late, &mut client);
    assert_eq!(initiation.iter().map(Vec::len).collect::<Vec<_>>(), [148]);
    assert_eq!((waiting(&client), client.tunnel.stats().drops.of(DropReason::KeyExpired)), ((1, 10), 1));
    let _ = take(late, client.path, &mut gateway, &mut initiation[0].clone());
    assert_eq!(talk(late, &mut client, &mut gateway), [b"a question".to_vec()]);
    ask(late, &mut client, b"a question");
    change(&mut client, Change::Control(ControlRole::Off));
    assert!(polled(late, &mut client).is_empty());
    assert_eq!((waiting(&client), client.tunnel.stats().drops.of(DropReason::NoRoute)), ((0, 0), 1));
}

/// Another key of our own: what waits is sent under it.
#[test]
fn questions_outlive_a_change_of_our_key() {
    let (mut client, mut gateway) = pair();
    change(&mut gateway, Change::Peer(NewPeer { allowed_ips: Vec::new(), ..NewPeer::new(key(5)) }.into()));
    ask(NOW, &mut client, b"a question");
    change(&mut client, Change::PrivateKey(Some(private(5))));
    let later = after(6);
    client.tunnel.handle_timeout(later);
    assert_eq!(talk(later, &mut client, &mut gateway), [b"a question".to_vec()]);
}

/// The same while it waits for a session: a handshake under the new key begins at once.
#[test]
fn questions_that_wait_for_a_session_outlive_a_change_of_our_key() {
    let (mut client, mut gateway) = (host(CLIENT, OFFICE), host(OFFICE, 5));
    change(&mut client, Change::Control(ControlRole::Client { gateway: key(OFFICE) }));
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    ask(NOW, &mut client, b"a question");
    assert_eq!(polled(NOW, &mut client).len(), 1, "an initiation, lost on its way");
    change(&mut client, Change::PrivateKey(Some(private(5))));
    assert_eq!(talk(NOW, &mut client, &mut gateway), [b"a question".to_vec()]);
}

/// A question to a gateway whose name is not resolved yet asks for that, and leaves as soon as it is.
#[test]
fn a_question_waits_for_the_endpoint() {
    let (mut client, mut gateway) = pair();
    let name = Endpoint::Name { host: "vpn.example".to_string(), port: 51820 };
    change(&mut client, Change::Peer(PeerChange { endpoint: Some(name), ..PeerChange::new(key(OFFICE)) }));
    while client.tunnel.poll_event().is_some() {}
    ask(after(6), &mut client, b"a question");
    let peer = only(&client);
    assert!(polled(after(6), &mut client).is_empty());
    let resolve = Event::ResolveEndpoint { peer, user: 0 };
    assert!(core::iter::from_fn(|| client.tunnel.poll_event()).any(|event| event == resolve));
    client.tunnel.set_endpoint(after(7), peer, address(OFFICE));
    let first = polled(after(7), &mut client).remove(0);
    let got = take(after(7), client.path, &mut gateway, &mut first.clone());
    assert_eq!(got, Got::Message(b"a question".to_vec()), "under the session that there is");
}

/// News under keys that are old enough to be replaced do not begin a handshake; a question does.
#[test]
fn no_keys_are_replaced_for_news() {
    let (mut client, _) = pair();
    let lengths = |host: &mut Host| polled(after(125), host).iter().map(Vec::len).collect::<Vec<_>>();
    say(after(125), &mut client, b"news");
    assert_eq!(lengths(&mut client), [96]);
    ask(after(125), &mut client, b"a question");
    assert_eq!(lengths(&mut client), [96, 148]);
}
