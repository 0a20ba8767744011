//! The copy of a tunnel in a forked process. Here it is told so without one: `tests/c/fork.c` really forks.
use super::*;

#[test]
fn a_forked_tunnel_seals_under_no_key_of_its_twin() {
    let (mut a, mut b) = connected();
    let (mut buf, range) = packet(1, 2, 60);
    let before = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(before, Outbound::Datagram { .. }));
    a.tunnel.handle_fork();
    assert_eq!((a.tunnel.footprint().keypairs, a.tunnel.footprint().session_indices), (0, 0));
    let (mut buf, range) = packet(1, 2, 60);
    let after = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(after, Outbound::Staged));
    // Never within REKEY_TIMEOUT of the initiation before.
    let due = a.tunnel.poll_timeout().expect("an initiation waits for its turn");
    a.tunnel.handle_timeout(due);
    assert_eq!(exchange(due, &mut a, &mut b), 3, "initiation, response, the packet");
    assert_eq!(b.tunnel.stats().rx_packets, 1, "the datagram from before the fork was not carried");
}

#[test]
fn a_forked_tunnel_without_sessions_stays_silent() {
    let mut a = host(1, 2);
    a.tunnel.handle_fork();
    assert_eq!(a.tunnel.poll_transmit(Instant::ZERO, &mut [0; 2048]), Ok(None));
    assert_eq!(a.tunnel.poll_timeout(), None);
}
