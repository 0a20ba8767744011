//! Fragments and extension headers.
use super::build::{datagram, echo, ip, ip_fragment, segment, sums_up, udp};
use super::*;

const ENDS: [(&str, &str); 2] = [("10.9.0.1:4000", "192.0.2.1:53"), ("[fd00::1]:4000", "[2001:db8::1]:53")];
const ALONE: Ruling = Ruling::Drop(Reason::Fragment);
const MALFORMED: Ruling = Ruling::Drop(Reason::Malformed);

/// A fragment of the UDP datagram `id` from one end to the other: a first one has its header and 24 bytes.
fn part(from: SocketAddr, to: SocketAddr, id: u32, offset: u16, more: bool) -> Vec<u8> {
    let payload = if offset == 0 { datagram(from, to, &[7; 24]) } else { vec![8; 32] };
    ip_fragment(from.ip(), to.ip(), 17, Some((id, offset, more)), &payload)
}

#[test]
fn what_follows_a_first_fragment_passes() {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        let mut world = World::open();
        assert_eq!(world.send(part(client, server, 1, 32, true)), ALONE, "out of order");
        assert_eq!(world.send(part(client, server, 1, 0, true)), PASS);
        assert_eq!(world.send(part(client, server, 1, 64, false)), PASS);
        assert_eq!(world.send(part(client, server, 1, 32, true)), PASS, "the order of the rest does not matter");
        assert_eq!(world.send(part(client, server, 2, 32, false)), ALONE, "another packet");
        assert_eq!(world.receive(part(server, client, 1, 32, false)), ALONE, "the other way");
        assert_eq!(world.receive(part(server, client, 1, 0, true)), PASS);
        assert_eq!(world.receive(part(server, client, 1, 32, false)), PASS);
        let account = world.filter.account(ALICE).unwrap();
        assert_eq!((account.from_peer.packets, account.to_peer.packets, account.dropped), (3, 2, 3));
        assert_eq!(account.flows, 1);
    }
}

#[test]
fn a_fragment_that_overlaps_the_first_does_not_pass() {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        for offset in [8, 16, 24] {
            let mut world = World::open();
            assert_eq!(world.send(part(client, server, 1, 0, true)), PASS);
            assert_eq!(world.send(part(client, server, 1, offset, true)), ALONE, "at {offset}");
            assert_eq!(world.send(part(client, server, 1, 32, true)), PASS);
        }
    }
}

#[test]
fn a_first_fragment_is_remembered_30_seconds() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let mut world = World::open();
    assert_eq!(world.send(part(client, server, 1, 0, true)), PASS);
    world.pass_time(29_999);
    assert_eq!(world.send(part(client, server, 1, 32, true)), PASS);
    world.pass_time(1);
    assert_eq!(world.send(part(client, server, 1, 64, false)), ALONE);
}

#[test]
fn a_first_fragment_holds_the_whole_header() {
    let (client, server) = (at("10.9.0.1:4000"), at("192.0.2.1:443"));
    let syn = segment(client, server, SYN, &[2, 4, 5, 180, 1, 1, 1, 0], &[]);
    for (len, expected) in [(8, MALFORMED), (16, MALFORMED), (24, MALFORMED)] {
        let tiny = ip_fragment(client.ip(), server.ip(), 6, Some((1, 0, true)), &syn[..len]);
        assert_eq!(World::open().send(tiny), expected, "{len} bytes");
    }
    let mut padded = syn.clone();
    padded.resize(32, 0);
    assert_eq!(World::open().send(ip_fragment(client.ip(), server.ip(), 6, Some((1, 0, true)), &padded)), PASS);
}

#[test]
fn fragments_that_fit_no_packet_do_not_pass() {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        let mut world = World::open();
        assert_eq!(world.send(part(client, server, 1, 0, true)), PASS);
        for (what, offset, more, len) in
            [("not a multiple of 8", 32, true, 33), ("empty", 32, false, 0), ("too long", 65_528, false, 100)]
        {
            let fragment = ip_fragment(client.ip(), server.ip(), 17, Some((1, offset, more)), &vec![0; len]);
            assert_eq!(world.send(fragment), MALFORMED, "{what}");
        }
    }
}

#[test]
fn a_flood_of_first_fragments_leaves_others_theirs() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let mut world = World::open();
    let session = SessionConfig { rules: vec![Rule::allow(1, everything())].into(), ..SessionConfig::default() };
    world.filter.open(world.now, BOB, session).unwrap();
    let bob = at("10.9.0.2:4000");
    let mut first = part(bob, server, 7, 0, true);
    assert_eq!(world.filter.inbound(world.now, BOB, None, &mut first), PASS);
    let before = world.filter.footprint().flows;
    for id in 0..10_000 {
        assert_eq!(world.send(part(client, server, id, 0, true)), PASS);
    }
    let mut rest = part(bob, server, 7, 32, false);
    assert_eq!(world.filter.inbound(world.now, BOB, None, &mut rest), PASS, "Bob's is remembered");
    assert_eq!(world.send(part(client, server, 9999, 32, false)), PASS);
    assert_eq!(world.send(part(client, server, 9983, 32, false)), ALONE, "Alice has the last 16");
    assert!(world.filter.footprint().flows < before + 64 * 200);
}

#[test]
fn fragments_end_with_their_flow() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let mut world = World::open();
    assert_eq!(world.send(part(client, server, 1, 0, true)), PASS);
    world.filter.set_rules(world.now, ALICE, Rules::default()).unwrap();
    assert_eq!(world.send(part(client, server, 1, 32, false)), DENIED);
    assert_eq!(world.send(part(client, server, 1, 64, false)), ALONE, "the flow is gone");
    world.filter.set_rules(world.now, ALICE, vec![Rule::allow(1, everything())].into()).unwrap();
    // Another flow takes the place of that one in memory, and is not taken for it.
    assert_eq!(world.send(udp(at("10.9.0.1:9"), server)), PASS);
    assert_eq!(world.send(part(client, server, 1, 64, false)), ALONE);
}

#[test]
fn fragments_of_questions_pass() {
    let (client, server) = (at(ENDS[0].0).ip(), at(ENDS[0].1).ip());
    let whole = echo(client, server, 5, false);
    let mut world = World::open();
    let mut message = whole[20..].to_vec();
    message.resize(16, 0);
    assert_eq!(world.send(ip_fragment(client, server, 1, Some((3, 0, true)), &message)), PASS);
    assert_eq!(world.send(ip_fragment(client, server, 1, Some((3, 16, false)), &message)), PASS);
    assert_eq!(world.receive(echo(server, client, 5, true)), PASS);
}

/// An IPv6 packet whose payload begins with extension headers of these kinds, 8 bytes each (RFC 8200 § 4), then UDP.
fn chain(kinds: &[u8]) -> Vec<u8> {
    let (client, server) = (at(ENDS[1].0), at(ENDS[1].1));
    let mut payload = Vec::new();
    for next in kinds.iter().skip(1).chain([&17]) {
        payload.extend([*next, 0, 0, 0, 0, 0, 0, 0]);
    }
    payload.extend(datagram(client, server, b"12345678"));
    ip(client.ip(), server.ip(), kinds[0], &payload)
}

#[test]
fn eight_extension_headers_are_followed() {
    const CHAIN: Ruling = Ruling::Drop(Reason::ExtensionChain);
    let table: [(u32, Vec<u8>, Ruling); 9] = [
        (1, chain(&[60]), PASS),
        (2, chain(&[0, 60, 43, 60, 135, 139, 140, 51]), PASS),
        (3, chain(&[60; 8]), PASS),
        (4, chain(&[60; 9]), CHAIN),
        (5, chain(&[60; 20]), CHAIN),
        (6, chain(&[60, 0]), CHAIN),
        (7, chain(&[44, 44]), CHAIN),
        // A fragment that is first and last at once is a whole packet.
        (8, chain(&[44]), PASS),
        (9, chain(&[0, 44, 60]), PASS),
    ];
    for (number, packet, expected) in table {
        let mut world = World::open();
        assert_eq!(world.send(packet), expected, "row {number}");
        if expected == PASS {
            // It is the flow of the packet without them.
            assert_eq!(world.receive(udp(at(ENDS[1].1), at(ENDS[1].0))), PASS, "row {number}");
        }
    }
    for cut in 41..56 {
        let mut packet = chain(&[60, 60]);
        packet.truncate(cut);
        packet[4..6].copy_from_slice(&(cut as u16 - 40).to_be_bytes());
        assert_eq!(World::open().send(packet), CHAIN, "cut to {cut}");
    }
}

#[test]
fn packets_that_choose_their_route_do_not_pass() {
    const ROUTED: Ruling = Ruling::Drop(Reason::SourceRoute);
    for kind in [0, 2, 4] {
        let mut packet = chain(&[60, 43]);
        packet[50] = kind;
        assert_eq!(World::open().send(packet.clone()), PASS, "type {kind}, at its end");
        packet[51] = 1;
        assert_eq!(World::open().send(packet), ROUTED, "type {kind}");
    }
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let with_options = |options: [u8; 8]| {
        let mut packet = udp(client, server);
        packet.splice(20..20, options);
        (packet[0], packet[3]) = (0x47, packet[3] + 8);
        packet
    };
    for (number, options, expected) in [
        (1, [1, 1, 1, 1, 0, 131, 4, 4], PASS),
        (2, [7, 7, 4, 0, 0, 0, 0, 0], PASS),
        (3, [131, 7, 4, 10, 0, 0, 1, 0], ROUTED),
        (4, [1, 137, 7, 4, 10, 0, 0, 1], ROUTED),
        (5, [7, 9, 4, 0, 0, 0, 0, 0], ROUTED),
        (6, [7, 1, 4, 0, 0, 0, 0, 0], ROUTED),
        (7, [1, 1, 1, 1, 1, 1, 1, 148], ROUTED),
    ] {
        assert_eq!(World::open().send(with_options(options)), expected, "row {number}");
    }
}

#[test]
fn the_packets_of_these_tests_are_sound() {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        assert!(sums_up(&udp(client, server)) && sums_up(&echo(client.ip(), server.ip(), 1, true)));
    }
}
