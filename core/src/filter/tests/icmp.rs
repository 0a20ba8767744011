//! Questions, answers, and errors about known and unknown flows.
use super::build::{echo, icmp, tcp, udp, unreachable};
use super::*;

const ENDS: [(&str, &str); 2] = [("10.9.0.1:4000", "192.0.2.1:443"), ("[fd00::1]:4000", "[2001:db8::1]:443")];
const UNKNOWN: Ruling = Ruling::Drop(Reason::UnknownError);

#[test]
fn an_answer_needs_its_question() {
    for (client, server) in ENDS.map(|(client, server)| (at(client).ip(), at(server).ip())) {
        let mut world = World::open();
        assert_eq!(world.receive(echo(server, client, 5, true)), NO_FLOW);
        assert_eq!(world.send(echo(client, server, 5, true)), NO_FLOW, "an answer begins nothing");
        assert_eq!(world.send(echo(client, server, 5, false)), PASS);
        assert_eq!(world.receive(echo(server, client, 5, true)), PASS);
        assert_eq!(world.receive(echo(server, client, 6, true)), NO_FLOW, "another identifier");
        assert_eq!(world.receive(echo(server, client, 5, false)), DENIED, "a question is no answer");
        assert_eq!(world.send(echo(client, server, 5, true)), NO_FLOW, "to a question that did not pass");
    }
}

#[test]
fn both_ends_may_ask_with_the_same_identifier() {
    let (client, server) = (at(ENDS[0].0).ip(), at(ENDS[0].1).ip());
    let mut back = Rule::allow(2, everything());
    back.way = Way::ToPeer;
    let mut world = World::new(vec![Rule::allow(1, everything()), back]);
    assert_eq!(world.send(echo(client, server, 5, false)), PASS);
    assert_eq!(world.send(echo(client, server, 5, true)), NO_FLOW);
    assert_eq!(world.receive(echo(server, client, 5, false)), PASS);
    assert_eq!(world.send(echo(client, server, 5, true)), PASS);
    assert_eq!(world.receive(echo(server, client, 5, true)), PASS);
    assert_eq!(world.filter.flows(), 2);
}

#[test]
fn an_error_passes_for_the_sake_of_what_it_quotes() {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        // A router on the way says it, not the server.
        let router = if client.is_ipv4() { at("198.51.100.1:1") } else { at("[2001:db8:ffff::1]:1") }.ip();
        for packet in [tcp(client, server, SYN), udp(client, server), echo(client.ip(), server.ip(), 5, false)] {
            let mut world = World::open();
            let error = unreachable(router, client.ip(), &packet, 500);
            assert_eq!(world.receive(error.clone()), UNKNOWN, "nothing was sent yet");
            assert_eq!(world.send(packet.clone()), PASS);
            assert_eq!(world.receive(error), PASS);
            let header = if client.is_ipv4() { 20 } else { 40 };
            assert_eq!(world.receive(unreachable(router, client.ip(), &packet, header + 8)), PASS, "8 bytes will do");
            assert_eq!(world.receive(unreachable(router, client.ip(), &packet, header + 3)), UNKNOWN);
            let mut other = packet.clone();
            other[header + 1] ^= 1;
            other[header + 5] ^= 1;
            assert_eq!(world.receive(unreachable(router, client.ip(), &other, 500)), UNKNOWN, "another source port");
            assert_eq!(world.filter.flows(), 1);
        }
    }
}

#[test]
fn an_error_about_an_answer_passes_the_other_way() {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        let mut world = World::open();
        assert_eq!(world.send(udp(client, server)), PASS);
        let answer = udp(server, client);
        assert_eq!(world.receive(answer.clone()), PASS);
        assert_eq!(world.send(unreachable(client.ip(), server.ip(), &answer, 500)), PASS);
        assert_eq!(
            world.send(unreachable(client.ip(), server.ip(), &udp(client, server), 500)),
            UNKNOWN,
            "its own packet"
        );
    }
}

#[test]
fn an_error_must_go_to_who_sent_the_packet() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let mut world = World::open();
    let packet = udp(client, server);
    assert_eq!(world.send(packet.clone()), PASS);
    let elsewhere = at("10.9.0.2:1").ip();
    assert_eq!(world.receive(unreachable(server.ip(), elsewhere, &packet, 500)), UNKNOWN);
    let about_an_error =
        unreachable(server.ip(), client.ip(), &unreachable(client.ip(), server.ip(), &packet, 60), 500);
    assert_eq!(world.receive(about_an_error), UNKNOWN);
}

#[test]
fn an_error_neither_ends_a_flow_nor_keeps_it() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let mut world = World::open();
    let packet = udp(client, server);
    assert_eq!(world.send(packet.clone()), PASS);
    for _ in 0..2 {
        world.pass_time(149_999);
        assert_eq!(world.receive(unreachable(server.ip(), client.ip(), &packet, 500)), PASS);
    }
    world.pass_time(2);
    assert_eq!(world.receive(unreachable(server.ip(), client.ip(), &packet, 500)), UNKNOWN);
    assert_eq!(world.receive(udp(server, client)), DENIED);
}

#[test]
fn what_has_no_place_in_a_tunnel_does_not_pass() {
    let mut any = Rule::allow(2, everything());
    any.way = Way::ToPeer;
    let mut world = World::new(vec![Rule::allow(1, everything()), any]);
    for ((client, server), kinds) in
        ENDS.iter().zip([&[4, 5, 9, 10, 17, 40][..], &[133, 134, 135, 136, 137, 143, 0, 5]])
    {
        let (client, server) = (at(client).ip(), at(server).ip());
        for kind in kinds {
            let ruling = world.send(icmp(client, server, *kind, 0, &[0; 24]));
            assert_eq!(ruling, Ruling::Drop(Reason::NotTracked), "type {kind}");
            assert_eq!(world.receive(icmp(server, client, *kind, 0, &[0; 24])), ruling, "type {kind}");
        }
    }
    // ICMP of the other family.
    let (client, server) = (at(ENDS[0].0).ip(), at(ENDS[0].1).ip());
    let strange = build::ip(client, server, 58, &[128, 0, 0, 0, 0, 1, 0, 1]);
    assert_eq!(world.send(strange), Ruling::Drop(Reason::NotTracked));
}
