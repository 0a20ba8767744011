//! How long a handshake is tried, and what ends it.
use super::*;

const fn secs(secs: u64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

fn only(host: &Host) -> &Peer {
    host.tunnel.peers.iter().next().expect("one peer")
}

/// Sends a packet and throws away what leaves; returns how many initiations that were.
fn speak(host: &mut Host, now: Instant) -> usize {
    let (mut buf, range) = packet(1, 2, 60);
    let _ = host.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range });
    initiations(host, now)
}

fn initiations(host: &mut Host, now: Instant) -> usize {
    let mut buf = [0; 2048];
    let mut count = 0;
    while let Ok(Some(_)) = host.tunnel.poll_transmit(now, &mut buf) {
        count += usize::from(buf[0] == 1);
    }
    count
}

/// Serves the deadlines until `until`; returns how many initiations left.
fn wait(host: &mut Host, until: Instant) -> usize {
    let mut count = 0;
    while let Some(at) = host.tunnel.poll_timeout().filter(|at| *at <= until) {
        host.tunnel.handle_timeout(at);
        count += initiations(host, at);
    }
    count
}

fn events(host: &mut Host) -> Vec<Event> {
    core::iter::from_fn(|| host.tunnel.poll_event()).collect()
}

/// The kernel and wireguard-go count attempts from the last packet that wanted a session. So does this; only packets
/// that waited 90 s are dropped, and the host hears of the failure when it has lasted 90 s.
#[test]
fn traffic_keeps_a_handshake_going_beyond_90_seconds() {
    let mut a = host(1, 2);
    let failed = Event::HandshakeFailed { peer: only(&a).id, user: 0 };
    let mut left = 0;
    for second in 0..200 {
        left += wait(&mut a, secs(second)) + speak(&mut a, secs(second));
        let waiting = a.tunnel.footprint().staged_packets;
        assert!(waiting <= 96 && (second < 90 || waiting >= 85), "{waiting} after {second} s");
        if second == 89 {
            assert!(!events(&mut a).contains(&failed));
        }
    }
    assert!(left >= 36, "an initiation every five seconds and a bit, not {left}");
    assert_eq!(events(&mut a).iter().filter(|event| **event == failed).count(), 1, "said once");
    assert_eq!(only(&a).health(secs(200)), Health::Failed);
    // The last packet was sent at 199 s.
    assert!(wait(&mut a, secs(284)) > 10);
    assert!(only(&a).handshake.is_under_way());
    let _ = wait(&mut a, secs(295));
    let held = a.tunnel.footprint();
    assert_eq!((held.staged_packets, held.handshakes, a.tunnel.poll_timeout()), (0, 0, None));
    assert_eq!(a.tunnel.stats().drops.of(DropReason::HandshakeFailed), 200);
    assert_eq!(events(&mut a), []);
}

/// A pending handshake does not wait out its five seconds when the network changes.
#[test]
fn a_network_change_sends_a_pending_initiation_at_once() {
    let mut a = host(1, 2);
    assert_eq!(speak(&mut a, secs(0)), 1);
    assert_eq!(initiations(&mut a, secs(1)), 0);
    a.tunnel.handle_network_change(secs(1));
    assert_eq!(initiations(&mut a, secs(1)), 1);
    assert!(a.tunnel.poll_timeout().is_some_and(|at| at >= secs(6)), "and then waits anew");
    a.tunnel.handle_network_change(secs(2));
    assert_eq!(initiations(&mut a, secs(2)), 1);
}

/// Brings B to have answered an initiation of A whose confirmation is still on its way; returns that.
fn unconfirmed(a: &mut Host, b: &mut Host, now: Instant) -> Vec<u8> {
    let mut buf = [0; 2048];
    let id = only(a).id;
    a.tunnel.connect(now, id);
    for forward in [true, false] {
        let (from, to) = if forward { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
        let sent = from.tunnel.poll_transmit(now, &mut buf).expect("room").expect("a handshake message");
        let _ = to.tunnel.handle_datagram(now, from.path, Ecn::NotCapable, &mut buf[..sent.len]);
    }
    let sent = a.tunnel.poll_transmit(now, &mut buf).expect("room").expect("the confirmation");
    buf[..sent.len].to_vec()
}

/// A confirmation that comes when we have a newer session of our own changes nothing: it cancels no handshake under way
/// and is no new session.
#[test]
fn a_late_confirmation_is_no_new_session() {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    let mut late = unconfirmed(&mut a, &mut b, secs(0));
    // B's own session, 10 s later; that of A is not confirmed yet.
    let id = only(&b).id;
    b.tunnel.connect(secs(10), id);
    assert!(exchange(secs(10), &mut b, &mut a) >= 3);
    let (before, latest) = (b.tunnel.stats().handshakes, only(&b).latest_handshake);
    let _ = events(&mut b);
    // 125 s later B wants to replace it.
    let (mut buf, range) = packet(2, 1, 60);
    let _ = b.tunnel.handle_packet(secs(135), PacketBuf { buf: &mut buf, packet: range });
    assert_eq!(initiations(&mut b, secs(135)), 1);
    let came = b.tunnel.handle_datagram(secs(136), a.path, Ecn::NotCapable, &mut late);
    assert!(matches!(came, Inbound::Consumed), "{came:?}");
    assert!(only(&b).handshake.is_under_way(), "the handshake goes on");
    assert_eq!((b.tunnel.stats().handshakes, only(&b).latest_handshake), (before, latest));
    assert_eq!(events(&mut b), []);
}
