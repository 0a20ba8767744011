//! Spans, slots and jobs: what they say when the caller errs.
use super::*;

#[test]
fn a_span_that_does_not_lie_within_a_buffer_yields_nothing() {
    let mut buf = [1, 2, 3, 4];
    for (start, len, want) in [
        (0, 4, Some(&[1, 2, 3, 4][..])),
        (1, 2, Some(&[2, 3])),
        (4, 0, Some(&[])),
        (3, 2, None),
        (5, 0, None),
        (u32::MAX, u32::MAX, None),
    ] {
        let span = Span { start, len };
        assert_eq!(span.of(&buf), want, "{span:?}");
        assert_eq!(span.of_mut(&mut buf).map(|bytes| &*bytes), want, "{span:?}");
    }
}

#[test]
fn a_slot_has_room_for_a_verdict_and_says_so_before_the_call() {
    let (mut a, mut b) = connected();
    let (mut buf, packet) = packet(1, 2, 61);
    let mut batch = [PacketSlot::new(PacketBuf { buf: &mut buf, packet })];
    assert_eq!(batch[0].outcome(), Outbound::Dropped(DropReason::NoRoom));
    a.tunnel.handle_packets(Instant::ZERO, &mut batch);
    let [slot] = batch;
    let Outbound::Datagram { transmit, datagram } = slot.into_outcome() else { panic!("a live session seals") };
    assert_eq!(transmit.len, datagram.len());
    let mut datagram = datagram.to_vec();
    let mut batch = [DatagramSlot::new(a.path, Ecn::NotCapable, &mut datagram)];
    assert_eq!(batch[0].outcome(), Inbound::Dropped(DropReason::NoRoom));
    b.tunnel.handle_datagrams(Instant::ZERO, &mut batch);
    let Inbound::Packet { packet, .. } = batch[0].outcome() else { panic!("it authenticates") };
    assert_eq!(packet.len(), 61);
    let verdict = batch[0].verdict;
    assert_eq!(verdict.of_mut(&mut [0; 60]), Inbound::Dropped(DropReason::NoRoom), "another buffer");
}

/// A buffer that does not travel with its job; and one that is too short, for which the packet is dropped and counted.
#[test]
fn jobs_come_to_the_same_without_their_buffers() {
    let (mut a, mut b) = connected();
    let now = Instant::ZERO;
    for (cut, want) in [(0, 1), (1, 0)] {
        let (mut buf, range) = packet(1, 2, 61);
        let Begin::Crypt(job) = a.tunnel.begin_seal(now, PacketBuf { buf: &mut buf, packet: range }) else {
            panic!("a live session seals")
        };
        let end = HEADROOM + 64 + 16 - cut;
        let (sealed, _) = job.crypt(&mut buf[..end]).detach();
        let (verdict, ()) = a.tunnel.finish_seal(now, sealed);
        let Outbound::Datagram { datagram, .. } = verdict else {
            assert_eq!((verdict, want), (Outbound::Dropped(DropReason::NoRoom), 0));
            continue;
        };
        let mut datagram = datagram.of(&buf).expect("within its buffer").to_vec();
        let Begin::Crypt(job) = b.tunnel.begin_open(now, a.path, Ecn::NotCapable, &mut datagram) else {
            panic!("a live session opens")
        };
        let (opened, datagram) = job.crypt(datagram).detach();
        let (verdict, mut datagram) = b.tunnel.finish_open(now, opened.attach(datagram));
        let Inbound::Packet { packet, .. } = verdict.of_mut(&mut datagram) else { panic!("it authenticates") };
        assert_eq!((packet.len(), want), (61, 1));
    }
    assert_eq!(a.tunnel.stats().drops.of(DropReason::NoRoom), 1);
    assert_eq!(b.tunnel.stats().rx_packets, 1);
}
