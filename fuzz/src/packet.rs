//! Inner packets: headers, ECN, ICMP errors.
use underpass_core::internals::packet::checksum::Sum;
use underpass_core::internals::packet::icmp;
use underpass_core::limits::{HEADROOM, TAILROOM};
use underpass_core::packet;
use underpass_core::packet::ecn::{self, Ecn};

/// Reads `data` as a packet (with padding behind it, perhaps), carries ECN into it, and answers it with every error.
pub fn packet(data: &[u8]) {
    let header = packet::parse(data);
    assert_eq!(header.map(|h| (h.source, h.total_len)), packet::source(data).map(|(a, len)| (a.into(), len)));
    assert_eq!(header.map(|h| (h.destination, h.total_len)), packet::destination(data).map(|(a, len)| (a.into(), len)));
    assert!(header.is_none_or(|header| (20..=data.len()).contains(&header.total_len)));
    for bits in 0..4 {
        congestion(data, Ecn::from_bits(bits));
    }
    for error in [icmp::Error::NoRoute, icmp::Error::NoEndpoint, icmp::Error::TooBig { mtu: 1280 }] {
        answer(data, error);
    }
}

/// ECN changes two bits and the checksum over them, or says that the packet must be dropped.
fn congestion(data: &[u8], outer: Ecn) {
    let mut changed = data.to_vec();
    let keeps = ecn::decapsulate(outer, &mut changed);
    assert!(
        keeps || (outer == Ecn::Congested && ecn::encapsulate(data) == Ecn::NotCapable),
        "dropped without a reason"
    );
    if header_sums_up(data) {
        assert!(header_sums_up(&changed), "the checksum broke");
    }
    let differ = data.iter().zip(&changed).filter(|(before, after)| before != after).count();
    assert!(differ <= 3 && changed.len() == data.len(), "more than ECN and checksum changed");
    if keeps && outer == Ecn::Congested && ecn::encapsulate(data) != Ecn::NotCapable && header_is_whole(data) {
        assert_eq!(ecn::encapsulate(&changed), Ecn::Congested, "congestion was forgotten");
    }
}

fn header_is_whole(data: &[u8]) -> bool {
    packet::parse(data).is_some()
}

/// Whether `data` begins with an IPv4 header whose checksum is right.
fn header_sums_up(data: &[u8]) -> bool {
    let is_ipv4 = header_is_whole(data) && data[0] >> 4 == 4;
    is_ipv4 && data.get(..usize::from(data[0] & 15) * 4).is_some_and(|header| Sum::new().bytes(header).fold() == 0xffff)
}

/// An error is a packet of its own, and is not answered in turn.
fn answer(data: &[u8], error: icmp::Error) {
    let mut buf = data.to_vec();
    buf.resize(data.len() + HEADROOM + TAILROOM, 0);
    let Some(len) = icmp::write_error(&mut buf, data.len(), error) else { return };
    let asked = packet::parse(data).expect("only packets are answered");
    let reply = packet::parse(&buf[..len]).expect("an error is a packet");
    assert_eq!((reply.total_len, reply.source, reply.destination), (len, asked.destination, asked.source));
    assert!(len <= 1280, "an error is short");
    if buf[0] >> 4 == 4 {
        assert!(header_sums_up(&buf[..len]));
        assert_eq!(Sum::new().bytes(&buf[20..len]).fold(), 0xffff);
    }
    assert_eq!(icmp::write_error(&mut buf, len, error), None, "errors answer errors");
}
