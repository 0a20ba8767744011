//! A source of randomness that gives none for a while.
use super::*;

/// Gives nothing.
struct Dry;

impl Rng for Dry {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), NoRandomness> {
        Err(NoRandomness)
    }
}

/// From now on there is randomness, or none.
fn set_dry(host: &mut Host, is_dry: bool) {
    host.tunnel.shared.rng = if is_dry { Box::new(Dry) } else { Box::new(Seeded(77)) };
}

fn at(secs: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(secs)
}

#[test]
fn a_tunnel_does_not_begin_without_randomness() {
    let made = Tunnel::new(TunnelConfig::default(), Box::new(Dry), Instant::ZERO, UnixTime::from_secs(1));
    assert_eq!(made.err(), Some(ConfigError { change: None, reason: ConfigReason::NoRandomness }));
}

/// The initiation is tried again after 5 s; what needs no randomness goes on, and nothing is held that is not used.
#[test]
fn an_initiation_without_randomness_is_tried_again() {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    set_dry(&mut a, true);
    let (mut buf, range) = packet(1, 2, 60);
    let outcome = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(outcome, Outbound::Staged));
    let mut buf = [0; 2048];
    assert_eq!(a.tunnel.poll_transmit(Instant::ZERO, &mut buf), Err(TransmitError::NoRandomness));
    assert_eq!(a.tunnel.poll_transmit(Instant::ZERO, &mut buf), Ok(None), "told once");
    assert_eq!(a.tunnel.footprint().session_indices, 0);
    assert_eq!(a.tunnel.poll_timeout(), Some(at(5)));
    a.tunnel.handle_timeout(at(5));
    assert_eq!(a.tunnel.poll_transmit(at(5), &mut buf), Err(TransmitError::NoRandomness));
    set_dry(&mut a, false);
    a.tunnel.handle_timeout(at(10));
    assert_eq!(exchange(at(10), &mut a, &mut b), 3, "initiation, response, the packet");
    assert_eq!(b.tunnel.stats().rx_packets, 1);
    set_dry(&mut a, true);
    let (mut buf, range) = packet(1, 2, 60);
    let outcome = a.tunnel.handle_packet(at(10), PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(outcome, Outbound::Datagram { .. }), "a session needs no randomness");
}

#[test]
fn a_response_without_randomness_is_not_made() {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    set_dry(&mut b, true);
    let id = a.tunnel.peers().next().expect("one peer").id();
    a.tunnel.connect(Instant::ZERO, id);
    let mut buf = [0; 2048];
    let sent = a.tunnel.poll_transmit(Instant::ZERO, &mut buf).expect("room").expect("an initiation");
    let _ = b.tunnel.handle_datagram(Instant::ZERO, a.path, Ecn::NotCapable, &mut buf[..sent.len]);
    assert_eq!(b.tunnel.poll_transmit(Instant::ZERO, &mut buf), Err(TransmitError::NoRandomness));
    assert_eq!((b.tunnel.footprint().session_indices, b.tunnel.footprint().keypairs), (0, 0));
    set_dry(&mut b, false);
    // Our peer initiates again when nothing came for 5 s.
    let again = a.tunnel.poll_timeout().expect("it waits for the response");
    a.tunnel.handle_timeout(again);
    assert_eq!(exchange(again, &mut a, &mut b), 3, "initiation, response, confirmation");
}

/// Under load, whoever should get a cookie gets nothing.
#[test]
fn a_cookie_without_randomness_is_a_counted_drop() {
    let mut b = host(2, 1);
    let limits = Limits { handshakes_per_second: 1, ..Limits::default() };
    b.tunnel.configure(Instant::ZERO, &[Change::Limits(limits)]).expect("sound");
    set_dry(&mut b, true);
    let mut buf = [0; 2048];
    let mut verdicts = Vec::new();
    for attempt in 0..3 {
        let mut a = host_at(1, 2, at(attempt));
        let id = a.tunnel.peers().next().expect("one peer").id();
        a.tunnel.connect(at(attempt), id);
        let sent = a.tunnel.poll_transmit(at(attempt), &mut buf).expect("room").expect("an initiation");
        verdicts.push(match b.tunnel.handle_datagram(Instant::ZERO, a.path, Ecn::NotCapable, &mut buf[..sent.len]) {
            Inbound::Dropped(reason) => Some(reason),
            _ => None,
        });
    }
    assert!(verdicts.contains(&Some(DropReason::UnderLoad)), "{verdicts:?}");
    assert_eq!(b.tunnel.stats().cookie_replies, 0);
}
