//! How long flows live without packets: to the millisecond, in both directions, for both families.
use super::build::{echo, ip, tcp, udp};
use super::*;

const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;
const ENDS: [(&str, &str); 2] = [("10.9.0.1:4000", "192.0.2.1:53"), ("[fd00::1]:4000", "[2001:db8::1]:53")];

/// After the flow was set up, an answer passes one millisecond before `patience` is over, and after that passes another as long.
/// Then none.
fn lives(
    patience: u64,
    set_up: impl Fn(&mut World, SocketAddr, SocketAddr),
    answer: impl Fn(SocketAddr, SocketAddr) -> Vec<u8>,
) {
    for (client, server) in ENDS.map(|(client, server)| (at(client), at(server))) {
        let mut world = World::open();
        set_up(&mut world, client, server);
        for _ in 0..2 {
            world.pass_time(patience - 1);
            assert_eq!(world.receive(answer(server, client)), PASS, "{client}");
        }
        world.pass_time(patience);
        let ruling = world.receive(answer(server, client));
        assert!(matches!(ruling, Ruling::Drop(Reason::NoFlow | Reason::Denied)), "{client}: {ruling:?}");
        assert_eq!(world.filter.flows(), 0, "what is spent is gone when it is asked for");
        assert_eq!(world.filter.poll_timeout(), None);
    }
}

#[test]
fn udp_lives_5_minutes() {
    lives(5 * MINUTE, |world, client, server| assert_eq!(world.send(udp(client, server)), PASS), udp);
}

#[test]
fn icmp_lives_60_seconds() {
    let ask = |world: &mut World, client: SocketAddr, server: SocketAddr| {
        assert_eq!(world.send(echo(client.ip(), server.ip(), 9, false)), PASS);
    };
    lives(MINUTE, ask, |server, client| echo(server.ip(), client.ip(), 9, true));
}

#[test]
fn other_protocols_live_5_minutes() {
    let sctp = |from: SocketAddr, to: SocketAddr| ip(from.ip(), to.ip(), 132, b"chunks");
    lives(5 * MINUTE, |world, client, server| assert_eq!(world.send(sctp(client, server)), PASS), sctp);
}

#[test]
fn half_open_tcp_lives_4_minutes() {
    let half = |world: &mut World, client, server| assert_eq!(world.send(tcp(client, server, SYN)), PASS);
    lives(4 * MINUTE, half, |server, client| tcp(server, client, SYN | ACK));
}

#[test]
fn established_tcp_lives_2_hours_and_4_minutes() {
    let set_up = |world: &mut World, client, server| world.connect(client, server);
    lives(2 * HOUR + 4 * MINUTE, set_up, |server, client| tcp(server, client, ACK));
}

#[test]
fn closing_tcp_lives_4_minutes() {
    for flags in [FIN | ACK, RST, RST | ACK] {
        for by_client in [true, false] {
            let set_up = |world: &mut World, client, server| {
                world.connect(client, server);
                let ruling = if by_client {
                    world.send(tcp(client, server, flags))
                } else {
                    world.receive(tcp(server, client, flags))
                };
                assert_eq!(ruling, PASS);
            };
            lives(4 * MINUTE, set_up, |server, client| tcp(server, client, ACK));
        }
    }
}

#[test]
fn the_sender_keeps_its_flow_alive_too() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let mut world = World::open();
    for _ in 0..20 {
        assert_eq!(world.send(udp(client, server)), PASS);
        world.pass_time(4 * MINUTE);
    }
    assert_eq!(world.receive(udp(server, client)), PASS);
    assert_eq!(world.filter.flows(), 1);
}

#[test]
fn a_filter_at_rest_has_no_deadline() {
    let mut world = World::open();
    assert_eq!(world.filter.poll_timeout(), None);
    world.connect(at(ENDS[0].0), at(ENDS[0].1));
    assert_eq!(world.send(udp(at(ENDS[1].0), at(ENDS[1].1))), PASS);
    assert_eq!(world.filter.poll_timeout(), None);
}

#[test]
fn what_nobody_asks_for_is_swept_up() {
    let server = at("192.0.2.1:53");
    let mut world = World::open();
    for port in 1..=1000 {
        assert_eq!(world.send(udp(SocketAddr::new(at(ENDS[0].0).ip(), port), server)), PASS);
    }
    world.pass_time(5 * MINUTE);
    // Each new flow looks at four places.
    for port in 2001..=2260 {
        assert_eq!(world.send(udp(SocketAddr::new(at(ENDS[0].0).ip(), port), server)), PASS);
    }
    assert!(world.filter.flows() <= 260, "{} flows", world.filter.flows());
    assert_eq!(world.filter.account(ALICE).unwrap().flows as usize, world.filter.flows());
}

#[test]
fn a_clock_that_stands_or_steps_back_ends_no_flow() {
    let (client, server) = (at(ENDS[0].0), at(ENDS[0].1));
    let mut world = World::open();
    world.pass_time(HOUR);
    assert_eq!(world.send(udp(client, server)), PASS);
    world.now = world.now - Duration::from_secs(3000);
    assert_eq!(world.receive(udp(server, client)), PASS);
    world.now = Instant::MAX;
    assert_eq!(world.receive(udp(server, client)), DENIED);
}
