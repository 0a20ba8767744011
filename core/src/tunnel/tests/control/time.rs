//! Control traffic over time: rates, keepalives, roaming, rekeying.
use super::*;

fn at(millis: u64) -> Instant {
    NOW + Duration::from_millis(millis)
}

#[test]
fn a_locked_peer_may_not_flood_the_channel_and_an_open_one_is_not_limited() {
    let ask_and_carry = |now, client: &mut Host, gateway: &mut Host| {
        ask(now, client, b"x");
        carry(now, client, gateway).remove(0)
    };
    let (mut client, mut gateway) = pair();
    let heard = |times: usize, now, client: &mut Host, gateway: &mut Host| {
        let got: Vec<_> = (0..times).map(|_| ask_and_carry(now, client, gateway)).collect();
        let flood = got.iter().filter(|one| **one == Got::Dropped(DropReason::ControlFlood)).count();
        let heard = got.iter().filter(|one| **one == Got::Message(b"x".to_vec())).count();
        assert_eq!(heard + flood, times, "{got:?}");
        heard
    };
    assert_eq!(heard(100, at(0), &mut client, &mut gateway), 40, "at once");
    assert_eq!(heard(10, at(1000), &mut client, &mut gateway), 10);
    assert_eq!(heard(100, at(1000), &mut client, &mut gateway), 10, "20 in a second");
    assert_eq!(gateway.tunnel.stats().drops.of(DropReason::ControlFlood), 150);
    open(&mut gateway);
    assert_eq!(heard(100, at(1000), &mut client, &mut gateway), 100);
    lock(&mut gateway);
    assert_eq!(heard(1, at(1000), &mut client, &mut gateway), 0, "a lock does not fill the bucket");
}

/// A message that came and was not answered is answered by a keepalive after 10 s, as a packet is, locked or not; then there is
/// nothing to wait for.
#[test]
fn messages_are_answered_by_keepalives_as_packets_are() {
    for locked in [true, false] {
        let (mut client, mut gateway) = pair();
        if !locked {
            open(&mut gateway);
        }
        ask(at(500), &mut client, b"a question");
        carry(at(500), &mut client, &mut gateway);
        assert_eq!(gateway.tunnel.poll_timeout(), Some(at(10_500)), "locked: {locked}");
        // Not, if an answer says it.
        let keepalive = at(10_500);
        gateway.tunnel.handle_timeout(keepalive);
        let datagrams = polled(keepalive, &mut gateway);
        assert_eq!(datagrams.iter().map(Vec::len).collect::<Vec<_>>(), [32], "locked: {locked}");
        assert_eq!(take(keepalive, gateway.path, &mut client, &mut datagrams[0].clone()), Got::Other);
        ask(at(11_000), &mut client, b"a question");
        carry(at(11_000), &mut client, &mut gateway);
        say(at(11_500), &mut gateway, b"an answer");
        assert_eq!(carry(at(11_500), &mut gateway, &mut client), [Got::Message(b"an answer".to_vec())]);
        assert_eq!(gateway.tunnel.poll_timeout(), Some(at(180_000)), "its keys are wiped then");
        assert_eq!(client.tunnel.poll_timeout(), Some(at(21_500)), "it owes the gateway a sign of life");
    }
}

/// A persistent keepalive is put off by messages as by any datagram.
#[test]
fn a_persistent_keepalive_is_postponed_by_messages() {
    let (mut client, mut gateway) = pair();
    let keepalive = PeerChange { persistent_keepalive: Some(25), ..PeerChange::new(key(OFFICE)) };
    change(&mut client, Change::Peer(keepalive));
    talk(NOW, &mut client, &mut gateway);
    say(at(20_000), &mut client, b"I am here");
    carry(at(20_000), &mut client, &mut gateway);
    assert_eq!(client.tunnel.poll_timeout(), Some(at(45_000)));
}

/// The phone changes its network. Its next message moves its endpoint, and the answer goes where it came from.
#[test]
fn a_locked_peer_roams_by_its_messages() {
    let (mut client, mut gateway) = pair();
    let elsewhere = Path::new(address(77));
    client.path = elsewhere;
    ask(NOW, &mut client, b"a question");
    carry(NOW, &mut client, &mut gateway);
    let id = only(&gateway);
    assert_eq!(gateway.tunnel.peer(id).and_then(|peer| peer.path()), Some(elsewhere));
    say(NOW, &mut gateway, b"an answer");
    let sent = gateway.tunnel.poll_transmit(NOW, &mut [0; 2048]).expect("room").expect("the answer");
    assert_eq!((sent.path, sent.peer), (elsewhere, id));
    // A packet that is dropped for the lock has moved it too: it was authentic.
    let mut datagram = data(NOW, &mut client, CLIENT, OFFICE).expect("sealed");
    let third = Path::new(address(78));
    assert_eq!(take(NOW, third, &mut gateway, &mut datagram), Got::Dropped(DropReason::Locked));
    assert_eq!(gateway.tunnel.peer(id).and_then(|peer| peer.path()), Some(third));
}

/// Ten minutes of questions and answers, one every second. Keys are replaced underneath, no message is lost, and the peer stays
/// locked.
#[test]
fn keys_are_replaced_under_control_traffic_alone() {
    let (mut client, mut gateway) = pair();
    for second in 1..600_u16 {
        let now = at(u64::from(second) * 1000);
        client.tunnel.handle_timeout(now);
        gateway.tunnel.handle_timeout(now);
        let question = second.to_be_bytes();
        ask(now, &mut client, &question);
        let mut heard = talk(now, &mut client, &mut gateway);
        say(now, &mut gateway, &question);
        heard.extend(talk(now, &mut client, &mut gateway));
        assert_eq!(heard, [question, question], "after {second} s");
    }
    let handshakes = gateway.tunnel.stats().handshakes;
    assert!((5..=6).contains(&handshakes), "{handshakes} handshakes in ten minutes");
    let id = only(&gateway);
    assert_eq!(gateway.tunnel.peer(id).map(|peer| peer.access()), Some(Access::Locked));
    assert_eq!(gateway.tunnel.stats().drops.total() + client.tunnel.stats().drops.total(), 0);
}

/// Messages under the keys before the present ones, and those that confirm the next: the long way of a datagram.
#[test]
fn messages_under_older_and_newer_keys_are_taken() {
    for locked in [true, false] {
        let (mut client, mut gateway) = pair();
        if !locked {
            open(&mut gateway);
        }
        ask(NOW, &mut client, b"late");
        let mut late = polled(NOW, &mut client).remove(0);
        let mut late_packet = data(NOW, &mut client, CLIENT, OFFICE).expect("sealed");
        let now = at(125_000);
        ask(now, &mut client, b"old keys");
        let datagrams = polled(now, &mut client);
        assert_eq!(datagrams.iter().map(Vec::len).collect::<Vec<_>>(), [96, 148], "it replaces its keys");
        for mut datagram in datagrams {
            let _ = take(now, client.path, &mut gateway, &mut datagram);
        }
        let mut response = polled(now, &mut gateway).remove(0);
        let _ = take(now, gateway.path, &mut client, &mut response);
        ask(now, &mut client, b"new keys");
        let got = carry(now, &mut client, &mut gateway);
        assert_eq!(got, [Got::Message(b"new keys".to_vec())], "locked: {locked}");
        assert_eq!(take(now, client.path, &mut gateway, &mut late), Got::Message(b"late".to_vec()));
        let fate = if locked { Got::Dropped(DropReason::Locked) } else { Got::Packet(60) };
        assert_eq!(take(now, client.path, &mut gateway, &mut late_packet), fate);
        assert_eq!(gateway.tunnel.stats().handshakes, 2);
    }
}

/// A keepalive that is due and has not left yet is not needed beside a message.
#[test]
fn a_message_says_what_a_keepalive_would() {
    let (mut client, mut gateway) = pair();
    ask(NOW, &mut client, b"a question");
    carry(NOW, &mut client, &mut gateway);
    gateway.tunnel.handle_timeout(at(10_000));
    say(at(10_000), &mut gateway, b"an answer");
    assert_eq!(carry(at(10_000), &mut gateway, &mut client), [Got::Message(b"an answer".to_vec())]);
}
