//! Resets and errors as answers, and the maximum segment size: every checksum is verified by the method of `build`.
use super::build::{echo, ip, remainder, segment, sums_up, tcp, udp, unreachable};
use super::*;

const ENDS: [(&str, &str); 2] = [("10.9.0.1:4000", "192.0.2.1:443"), ("[fd00::1]:4000", "[2001:db8::1]:443")];

/// A world in which Alice may reach nothing, and hears of it.
fn rejecting() -> World {
    World::with(FilterConfig::default(), SessionConfig { unmatched: Action::Reject, ..SessionConfig::default() })
}

fn written(reject: Reject, packet: &[u8], room: usize) -> Option<Vec<u8>> {
    let mut out = vec![0xee; room];
    let len = reject.write(packet, &mut out)?;
    out.truncate(len);
    Some(out)
}

/// Bytes of the IP header.
fn header(packet: &[u8]) -> usize {
    if packet[0] >> 4 == 4 { 20 } else { 40 }
}

#[test]
fn a_segment_is_answered_by_a_reset() {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        // Flags, bytes of data; flags of the reset, and whether it takes its number from the acknowledgement.
        for (number, flags, data, answer, by_ack) in [
            (1, SYN, 0, RST | ACK, false),
            (2, SYN, 10, RST | ACK, false),
            (3, ACK, 0, RST, true),
            (4, FIN | ACK, 7, RST, true),
            (5, SYN | ACK, 0, RST, true),
        ] {
            let packet = ip(client.ip(), server.ip(), 6, &segment(client, server, flags, &[], &vec![7; data]));
            let reset = written(Reject::Reset, &packet, 100).expect("an answer");
            let at = header(&packet);
            assert_eq!(reset.len(), at + 20, "row {number}");
            assert!(sums_up(&reset), "row {number}");
            let parsed = crate::packet::parse(&reset).unwrap();
            assert_eq!((parsed.source, parsed.destination), (server.ip(), client.ip()));
            let tcp = &reset[at..];
            assert_eq!((&tcp[..2], &tcp[2..4]), (&server.port().to_be_bytes()[..], &client.port().to_be_bytes()[..]));
            let (sequence, acknowledged) = (tcp[4..8].to_vec(), tcp[8..12].to_vec());
            if by_ack {
                assert_eq!((sequence, acknowledged), (vec![5, 6, 7, 8], vec![0; 4]), "row {number}");
            } else {
                assert_eq!((sequence, acknowledged), (vec![0; 4], vec![1, 2, 3, 5 + data as u8]), "row {number}");
            }
            assert_eq!((tcp[12], tcp[13], &tcp[14..16], &tcp[18..]), (0x50, answer, &[0, 0][..], &[0, 0][..]));
        }
    }
}

#[test]
fn what_a_reset_answers_not() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    for packet in [
        tcp(client, server, RST),
        tcp(client, server, RST | ACK),
        udp(client, server),
        tcp(client, at("224.0.0.1:1"), SYN),
        tcp(at("0.0.0.0:1"), server, SYN),
    ] {
        assert_eq!(written(Reject::Reset, &packet, 100), None);
    }
    let mut broken = tcp(client, server, SYN);
    broken[8] ^= 1;
    assert_eq!(written(Reject::Reset, &broken, 100), None, "a broken header");
    assert_eq!(written(Reject::Reset, &tcp(client, server, SYN), 39), None, "no room");
    assert_eq!(written(Reject::Reset, &tcp(client, server, SYN)[..39], 100), None, "cut");
}

#[test]
fn all_else_is_answered_by_an_error() {
    for ((client, server), kind) in ENDS.iter().zip([[3, 13], [1, 1]]) {
        let (client, server) = (at(client), at(server));
        for packet in [
            udp(client, server),
            echo(client.ip(), server.ip(), 1, false),
            ip(client.ip(), server.ip(), 47, &[1; 2000]),
        ] {
            let error = written(Reject::Prohibited, &packet, 1280).expect("an answer");
            assert!(sums_up(&error));
            let at = header(&packet);
            assert_eq!(error[at..at + 2], kind);
            assert!(packet.starts_with(&error[at + 8..]) && error.len() <= if at == 20 { 576 } else { 1280 });
            assert_eq!(written(Reject::Prohibited, &error, 1280), None, "no error about an error");
            assert_eq!(written(Reject::Prohibited, &packet, at + 8 + at + 7), None, "no room");
        }
        assert_eq!(
            written(Reject::Prohibited, &unreachable(client.ip(), server.ip(), &udp(server, client), 500), 1280),
            None
        );
    }
}

#[test]
fn rejections_have_a_rate() {
    let mut world = rejecting();
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    for (packet, expected) in [(tcp(client, server, SYN), Reject::Reset), (udp(client, server), Reject::Prohibited)] {
        for _ in 0..100 {
            assert_eq!(world.send(packet.clone()), Ruling::Reject(expected));
        }
        assert_eq!(world.send(packet.clone()), DENIED, "beyond the rate it is dropped");
        world.pass_time(10);
        assert_eq!(world.send(packet.clone()), Ruling::Reject(expected));
        assert_eq!(world.send(packet), DENIED);
        world.pass_time(1000);
    }
    assert_eq!(world.filter.drops(Reason::Denied), 206);
    // What belongs to no flow is dropped.
    assert_eq!(world.send(tcp(client, server, ACK)), NO_FLOW);
}

#[test]
fn a_rule_may_reject() {
    let reject = Rule { action: Action::Reject, ..Rule::allow(1, vec![net("192.0.2.0/24")]) };
    let mut world = World::new(vec![reject]);
    assert_eq!(world.send(tcp(at(ENDS[0].0), at(ENDS[0].1), SYN)), Ruling::Reject(Reject::Reset));
    assert_eq!(world.send(tcp(at(ENDS[0].0), at("198.51.100.1:1"), SYN)), DENIED, "where no rule applies");
}

/// A SYN with `options`, as a packet.
fn syn(client: SocketAddr, server: SocketAddr, flags: u8, options: &[u8]) -> Vec<u8> {
    ip(client.ip(), server.ip(), 6, &segment(client, server, flags, options, &[]))
}

#[test]
fn the_maximum_segment_size_is_lowered() {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        let headers = if client.is_ipv4() { 40 } else { 60 };
        for (number, options, offset) in [
            (1, &[2, 4, 5, 180][..], 2),
            (2, &[1, 1, 2, 4, 5, 180, 0, 0], 4),
            // At odd offsets the value lies across two words.
            (3, &[1, 2, 4, 5, 180, 0, 0, 0], 3),
            (4, &[3, 3, 7, 2, 4, 5, 180, 1], 5),
            (5, &[4, 2, 2, 4, 255, 255, 1, 1], 4),
        ] {
            for flags in [SYN, SYN | ACK] {
                let before = syn(client, server, flags, options);
                let mut after = before.clone();
                assert!(mss::clamp(&mut after, 1280), "row {number}");
                assert!(sums_up(&before) && sums_up(&after), "row {number}: the checksum");
                let at = header(&before) + 20 + offset;
                assert_eq!(after[at..at + 2], (1280_u16 - headers).to_be_bytes(), "row {number}");
                let differ = before.iter().zip(&after).filter(|(one, other)| one != other).count();
                assert!(differ <= 4, "row {number}: nothing else");
                assert!(!mss::clamp(&mut after, 1280), "row {number}: once");
            }
        }
    }
}

#[test]
fn what_announces_no_size_or_fits_stays() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    for (number, mut packet) in [
        (1, syn(client, server, SYN, &[])),
        (2, syn(client, server, ACK, &[2, 4, 5, 180])),
        (3, syn(client, server, SYN, &[2, 4, 2, 0])),
        (4, syn(client, server, SYN, &[0, 0, 0, 0, 2, 4, 5, 180])),
        (5, syn(client, server, SYN, &[3, 0, 2, 4, 5, 180, 0, 0])),
        (6, syn(client, server, SYN, &[2, 3, 5, 0])),
        (7, syn(client, server, SYN, &[2, 4, 5, 180])[..30].to_vec()),
        (8, udp(client, server)),
        (9, Vec::new()),
    ] {
        let before = packet.clone();
        assert!(!mss::clamp(&mut packet, 1280), "row {number}");
        assert_eq!(packet, before, "row {number}");
    }
    let mut none = syn(client, server, SYN, &[2, 4, 5, 180]);
    assert!(mss::clamp(&mut none, 0) && sums_up(&none) && none[42..44] == [0, 0]);
}

#[test]
fn a_filter_lowers_it_both_ways() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let config = FilterConfig { mtu: Some(1280), ..FilterConfig::default() };
    let rules = vec![Rule::allow(1, everything())];
    let mut world = World::with(config, SessionConfig { rules: rules.into(), ..SessionConfig::default() });
    let (mut asked, mut answered) =
        (syn(client, server, SYN, &[2, 4, 5, 180]), syn(server, client, SYN | ACK, &[2, 4, 5, 180]));
    assert_eq!(world.filter.inbound(world.now, ALICE, None, &mut asked), PASS);
    assert_eq!(world.filter.outbound(world.now, ALICE, None, &mut answered), PASS);
    for packet in [asked, answered] {
        assert_eq!(packet[42..44], 1240_u16.to_be_bytes());
        assert!(sums_up(&packet));
    }
}

#[test]
fn the_second_opinion_finds_a_wrong_bit() {
    let mut packet = tcp(at(ENDS[0].0), at(ENDS[0].1), SYN);
    packet[30] ^= 4;
    assert!(!sums_up(&packet) && remainder(&[0xff, 0xff, 0, 0]) == 0);
}
