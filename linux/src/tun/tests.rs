//! Splitting and gathering against packets built and checked by hand.
use super::coalesce::{Coalescer, MAX_GROUP};
use super::flow::MAX_HEADERS;
use super::segment::Segments;
use super::vnet::{self, Bundle, Header};

/// A packet to build.
#[derive(Clone, Debug)]
struct Packet {
    v6: bool,
    tcp: bool,
    source_port: u16,
    sequence: u32,
    acknowledgement: u32,
    flags: u8,
    options: Vec<u8>,
    identification: u16,
    dont_fragment: bool,
    traffic_class: u8,
    hop_limit: u8,
    payload: Vec<u8>,
}

impl Packet {
    fn new(v6: bool, tcp: bool, len: usize) -> Self {
        Self {
            v6,
            tcp,
            source_port: 4000,
            sequence: 0xffff_fc00,
            acknowledgement: 7,
            flags: 0x10,
            options: if tcp { vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8] } else { Vec::new() },
            identification: 0xfffe,
            dont_fragment: true,
            traffic_class: 0,
            hop_limit: 64,
            payload: (0..len).map(|i| (i * 31 + i / 256) as u8).collect(),
        }
    }

    fn ip_len(&self) -> usize {
        if self.v6 { 40 } else { 20 }
    }

    fn transport_len(&self) -> usize {
        if self.tcp { 20 + self.options.len() } else { 8 }
    }

    fn bytes(&self) -> Vec<u8> {
        let above = self.transport_len() + self.payload.len();
        let protocol = if self.tcp { 6 } else { 17 };
        let mut bytes = Vec::new();
        if self.v6 {
            bytes.extend([0x60 | self.traffic_class >> 4, self.traffic_class << 4, 0x12, 0x34]);
            bytes.extend((above as u16).to_be_bytes());
            bytes.extend([protocol, self.hop_limit]);
            bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        } else {
            bytes.extend([0x45, self.traffic_class]);
            bytes.extend((20 + above as u16).to_be_bytes());
            bytes.extend(self.identification.to_be_bytes());
            bytes.extend([if self.dont_fragment { 0x40 } else { 0 }, 0, self.hop_limit, protocol, 0, 0]);
            bytes.extend([10, 0, 0, 1, 10, 0, 0, 2]);
            let sum = plain_checksum(&bytes);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(5201u16.to_be_bytes());
        if self.tcp {
            bytes.extend(self.sequence.to_be_bytes());
            bytes.extend(self.acknowledgement.to_be_bytes());
            bytes.extend([(self.transport_len() as u8 / 4) << 4, self.flags, 2, 0, 0, 0, 0, 0]);
            bytes.extend(&self.options);
        } else {
            bytes.extend((above as u16).to_be_bytes());
            bytes.extend([0, 0]);
        }
        bytes.extend(&self.payload);
        let at = self.ip_len() + if self.tcp { 16 } else { 6 };
        let sum = transport_checksum(&bytes);
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// As the kernel would hand it over for splitting into packets of `size` bytes of payload.
    fn bundle(&self, size: u16) -> (Header, Vec<u8>) {
        let bundle = match (self.tcp, self.v6) {
            (true, false) => Bundle::TcpV4,
            (true, true) => Bundle::TcpV6,
            (false, _) => Bundle::Udp,
        };
        let offset = if self.tcp { 16 } else { 6 };
        let headers = (self.ip_len() + self.transport_len()) as u16;
        let mut bytes = self.bytes();
        // The partial checksum is of no interest to splitting.
        let at = self.ip_len() + usize::from(offset);
        bytes[at..at + 2].fill(0xaa);
        (Header { bundle, size, headers, checksum: Some((self.ip_len() as u16, offset)) }, bytes)
    }
}

/// RFC 1071, word by word.
fn plain_checksum(bytes: &[u8]) -> u16 {
    let sum: u64 = bytes.chunks(2).map(|b| u64::from(b[0]) << 8 | u64::from(*b.get(1).unwrap_or(&0))).sum();
    !((sum % 0xffff) as u16)
}

/// The checksum of a packet's TCP or UDP part, with zeros in the checksum's place.
fn transport_checksum(packet: &[u8]) -> u16 {
    let v6 = packet[0] >> 4 == 6;
    let (ip, addresses, protocol) = if v6 { (40, 8..40, packet[6]) } else { (20, 12..20, packet[9]) };
    let mut bytes = packet[addresses].to_vec();
    bytes.extend(((packet.len() - ip) as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    let at = bytes.len() + if protocol == 6 { 16 } else { 6 };
    bytes.extend(&packet[ip..]);
    bytes[at..at + 2].fill(0);
    plain_checksum(&bytes)
}

fn split(header: Header, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut segments = Segments::new(header, bytes)?;
    let mut packets = Vec::new();
    while let Some(len) = segments.next_len() {
        let mut packet = vec![0; len];
        segments.write_next(&mut packet);
        packets.push(packet);
    }
    Some(packets)
}

/// What would be written to the interface: for each write the header and the bytes.
fn gather(packets: &[Vec<u8>]) -> Vec<(Header, Vec<u8>)> {
    let mut coalescer = Coalescer::new(packets.len(), true);
    packets.iter().for_each(|packet| coalescer.push(packet));
    let write = |group| {
        let mut out = [0; vnet::LEN + MAX_HEADERS];
        let len = super::coalesce::Group::write_header(group, &mut out);
        let mut bytes = out[vnet::LEN..len].to_vec();
        coalescer.packets(group).for_each(|i| bytes.extend(&packets[i][group.replaced()..]));
        (Header::parse(&out).expect("a header"), bytes)
    };
    coalescer.groups().map(write).collect()
}

#[test]
fn splits_as_the_kernel_would() {
    for (v6, tcp) in [(false, true), (true, true), (false, false), (true, false)] {
        let mut whole = Packet::new(v6, tcp, 5000);
        whole.flags = 0x10 | 0x08 | 0x80 | 0x01;
        let (header, bytes) = whole.bundle(1300);
        let packets = split(header, &bytes).expect("sound");
        assert_eq!(packets.len(), 4);
        for (i, packet) in packets.iter().enumerate() {
            let mut expected = whole.clone();
            expected.payload = whole.payload.chunks(1300).nth(i).expect("as many").to_vec();
            expected.sequence = whole.sequence.wrapping_add(1300 * i as u32);
            expected.identification = whole.identification.wrapping_add(i as u16);
            expected.flags = match i {
                0 => 0x10 | 0x80,
                3 => 0x10 | 0x08 | 0x01,
                _ => 0x10,
            };
            assert_eq!(*packet, expected.bytes(), "v6 {v6}, tcp {tcp}, packet {i}");
        }
    }
}

#[test]
fn a_single_packet_gets_its_checksum() {
    for (v6, tcp) in [(false, true), (true, true), (false, false), (true, false)] {
        let packet = Packet::new(v6, tcp, 333);
        let offset = if tcp { 16 } else { 6 };
        let expected = packet.bytes();
        let mut partial = expected.clone();
        let at = packet.ip_len() + offset;
        // What the kernel leaves: the sum of the pseudo-header.
        let protocol = if tcp { 6 } else { 17 };
        let mut pseudo = expected[if v6 { 8..40 } else { 12..20 }].to_vec();
        pseudo.extend([0, protocol]);
        pseudo.extend(((expected.len() - packet.ip_len()) as u16).to_be_bytes());
        partial[at..at + 2].copy_from_slice(&(!plain_checksum(&pseudo)).to_be_bytes());
        let header = Header { checksum: Some((packet.ip_len() as u16, offset as u16)), ..Header::default() };
        assert_eq!(split(header, &partial), Some(vec![expected.clone()]));
        assert_eq!(split(Header::default(), &expected), Some(vec![expected]), "untouched when complete");
    }
}

#[test]
fn a_bundle_that_contradicts_its_header_is_refused() {
    let (header, bytes) = Packet::new(false, true, 3000).bundle(1000);
    let (udp6, bytes_udp6) = Packet::new(true, false, 3000).bundle(1000);
    let mut short_tcp = bytes.clone();
    short_tcp[20 + 12] = 0x40;
    let cases: [(&str, Header, &[u8]); 9] = [
        ("no size", Header { size: 0, ..header }, &bytes),
        ("no checksum", Header { checksum: None, ..header }, &bytes),
        ("the other family", Header { bundle: Bundle::TcpV6, ..header }, &bytes),
        ("transport inside the IP header", Header { checksum: Some((10, 16)), ..header }, &bytes),
        ("transport beyond the end", Header { checksum: Some((4000, 16)), ..header }, &bytes),
        ("TCP header too short", header, &short_tcp),
        ("headers only", header, &bytes[..52]),
        ("IPv6 header cut", Header { checksum: Some((30, 6)), ..udp6 }, &bytes_udp6),
        ("checksum beyond the end", Header { checksum: Some((3040, 16)), ..Header::default() }, &bytes),
    ];
    for (what, header, bytes) in cases {
        assert_eq!(split(header, bytes), None, "{what}");
    }
    assert_eq!(split(Header::default(), &[]), Some(vec![]), "nothing is no packet");
}

#[test]
fn gathering_undoes_splitting_and_splitting_undoes_gathering() {
    for (v6, tcp) in [(false, true), (true, true), (false, false), (true, false)] {
        for len in [1301, 2600, 5000, 64000] {
            let mut whole = Packet::new(v6, tcp, len);
            whole.flags |= 0x08;
            let (header, bytes) = whole.bundle(1300);
            let packets = split(header, &bytes).expect("sound");
            let writes = gather(&packets);
            assert_eq!(writes.len(), 1, "v6 {v6}, tcp {tcp}, {len} bytes");
            let (written, gathered) = &writes[0];
            assert_eq!(*written, header);
            let at = whole.ip_len() + if tcp { 16 } else { 6 };
            assert_eq!(gathered[..at], whole.bytes()[..at]);
            assert_eq!(gathered[at + 2..], whole.bytes()[at + 2..]);
            assert_eq!(split(*written, gathered), Some(packets));
            // The kernel completes what stands in the checksum's place by summing everything.
            let partial = Header { checksum: written.checksum, ..Header::default() };
            assert_eq!(split(partial, gathered), Some(vec![whole.bytes()]), "partial checksum");
        }
    }
}

/// Two packets, the second changed, and whether they go together.
#[test]
fn only_what_the_kernel_would_split_alike_is_gathered() {
    type Change = fn(&mut Packet);
    let table: &[(&str, bool, bool, Change, bool)] = &[
        ("the next of TCP", false, true, |_| {}, true),
        ("the next of TCP over IPv6", true, true, |_| {}, true),
        ("the next of UDP", false, false, |_| {}, true),
        ("a shorter one", false, true, |p| p.payload.truncate(10), true),
        ("a longer one", false, true, |p| p.payload.push(1), false),
        ("a longer one of UDP", true, false, |p| p.payload.push(1), false),
        ("a pushed one", false, true, |p| p.flags |= 0x08, true),
        ("a gap", false, true, |p| p.sequence += 1, false),
        ("a retransmission", false, true, |p| p.sequence -= 100, false),
        ("another acknowledgement", false, true, |p| p.acknowledgement += 1, false),
        ("another timestamp", false, true, |p| p.options[5] ^= 1, false),
        ("options of another length", false, true, |p| p.options = vec![1; 4], false),
        ("FIN", false, true, |p| p.flags |= 0x01, false),
        ("SYN", false, true, |p| p.flags |= 0x02, false),
        ("RST", false, true, |p| p.flags |= 0x04, false),
        ("URG", false, true, |p| p.flags |= 0x20, false),
        ("ECE", false, true, |p| p.flags |= 0x40, false),
        ("CWR", false, true, |p| p.flags |= 0x80, false),
        ("no ACK", false, true, |p| p.flags = 0, false),
        ("no data", false, true, |p| p.payload.clear(), false),
        ("no data in UDP", false, false, |p| p.payload.clear(), false),
        ("another port", false, true, |p| p.source_port += 1, false),
        ("another traffic class", false, true, |p| p.traffic_class = 3, false),
        ("another traffic class over IPv6", true, true, |p| p.traffic_class = 3, false),
        ("another hop limit", false, true, |p| p.hop_limit -= 1, false),
        ("another hop limit over IPv6", true, false, |p| p.hop_limit -= 1, false),
        ("fragments allowed", false, true, |p| p.dont_fragment = false, false),
        ("another identification", false, true, |p| p.identification = 9, true),
    ];
    for (what, v6, tcp, change, together) in table {
        let first = Packet::new(*v6, *tcp, 100);
        let mut second = first.clone();
        second.sequence = first.sequence.wrapping_add(100);
        second.identification = first.identification.wrapping_add(1);
        change(&mut second);
        let packets = [first.bytes(), second.bytes()];
        let writes = gather(&packets);
        assert_eq!(writes.len(), if *together { 1 } else { 2 }, "{what}");
        let split: Vec<_> = writes.iter().flat_map(|(header, bytes)| split(*header, bytes).expect("sound")).collect();
        if *what != "another identification" {
            assert_eq!(split, packets, "{what}: nothing is lost or changed");
        }
    }
}

#[test]
fn identifications_count_where_fragments_are_allowed() {
    let first = Packet { dont_fragment: false, ..Packet::new(false, true, 100) };
    for (identification, writes) in [(0xffff, 1), (0xfffe, 2), (0, 2)] {
        let second = Packet { sequence: first.sequence + 100, identification, ..first.clone() };
        assert_eq!(gather(&[first.bytes(), second.bytes()]).len(), writes, "{identification:#x}");
    }
}

#[test]
fn a_damaged_packet_stays_alone_and_damaged() {
    for (v6, tcp) in [(false, true), (true, true), (false, false), (true, false)] {
        let (header, bytes) = Packet::new(v6, tcp, 3000).bundle(1000);
        for damaged in 0..3 {
            let mut packets = split(header, &bytes).expect("sound");
            *packets[damaged].last_mut().expect("data") ^= 1;
            let writes = gather(&packets);
            assert!(writes.contains(&(Header::default(), packets[damaged].clone())), "packet {damaged}");
        }
    }
}

#[test]
fn packets_that_are_not_plain_tcp_or_udp_pass_untouched() {
    let tcp = Packet::new(false, true, 100).bytes();
    let mut options = tcp.clone();
    options[0] = 0x46;
    let mut fragment = tcp.clone();
    fragment[6] = 0x20;
    let mut icmp = tcp.clone();
    icmp[9] = 1;
    let mut unsummed = Packet::new(false, false, 100).bytes();
    unsummed[26..28].fill(0);
    let mut trailing = tcp.clone();
    trailing.push(0);
    for packet in [options, fragment, icmp, unsummed, trailing, tcp[..30].to_vec(), vec![0x45], vec![0x60; 39], vec![]]
    {
        let writes = gather(&[packet.clone(), packet.clone()]);
        assert_eq!(writes, [(Header::default(), packet.clone()), (Header::default(), packet)]);
    }
}

#[test]
fn interleaved_flows_are_gathered_each_and_stay_in_order() {
    let flow = |port, from: usize, to: usize, flags| {
        (from..to).map(move |i| {
            let base = Packet::new(false, true, 100);
            let identification = base.identification.wrapping_add(i as u16);
            let sequence = base.sequence.wrapping_add(100 * i as u32);
            Packet { source_port: port, sequence, identification, flags, ..base }.bytes()
        })
    };
    let mut packets = Vec::new();
    for (a, b) in flow(1, 0, 5, 0x10).zip(flow(2, 0, 5, 0x10)) {
        packets.extend([a, b]);
    }
    assert_eq!(gather(&packets).len(), 2);
    // A FIN of the first flow closes its group: what follows it is written after it.
    let fin: Vec<_> = flow(1, 5, 6, 0x11).collect();
    let late: Vec<_> = flow(1, 6, 8, 0x10).collect();
    packets.extend(fin.clone());
    packets.extend(late.clone());
    let writes = gather(&packets);
    assert_eq!(writes.len(), 4);
    assert_eq!(writes[2].1, fin[0]);
    assert_eq!(split(writes[3].0, &writes[3].1), Some(late));
}

#[test]
fn groups_end_at_their_bounds() {
    let stream = |len: usize, n: usize| -> Vec<Vec<u8>> {
        let base = Packet::new(false, true, len);
        let at = |i: usize| base.sequence.wrapping_add((len * i) as u32);
        (0..n).map(|i| Packet { sequence: at(i), ..base.clone() }.bytes()).collect()
    };
    let writes = gather(&stream(100, 2 * MAX_GROUP + 1));
    assert_eq!(writes.iter().map(|w| w.1.len()).collect::<Vec<_>>(), [6452, 6452, 152]);
    let writes = gather(&stream(1368, 50));
    assert_eq!(writes.len(), 2, "no packet is longer than its length field can say");
    assert_eq!(writes[0].1.len(), 52 + 47 * 1368);
    // Nothing follows a shorter packet or a push.
    let mut packets = stream(100, 4);
    packets[1] = Packet { flags: 0x18, sequence: 0xffff_fc00 + 100, ..Packet::new(false, true, 100) }.bytes();
    assert_eq!(gather(&packets).len(), 2);
}

#[test]
fn no_bytes_make_it_panic() {
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for _ in 0..20_000 {
        let (v6, tcp) = (random() & 1 == 0, random() & 1 == 0);
        let mut bytes = Packet::new(v6, tcp, random() as usize % 90).bytes();
        for _ in 0..random() % 4 {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        bytes.truncate(random() as usize % (bytes.len() + 1));
        gather(&[bytes.clone(), bytes.clone()]);
        let mut header = [0; vnet::LEN];
        header.iter_mut().for_each(|byte| *byte = random() as u8);
        header[0] = 1;
        header[1] = [0, 1, 4, 5][random() as usize % 4];
        (header[7], header[9]) = (0, 0);
        if let Some(header) = Header::parse(&header) {
            split(header, &bytes);
        }
    }
}
