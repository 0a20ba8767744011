//! Writes the seeds of the corpus: `cargo run -p underpass-fuzz --example seeds`. What fuzzers added stays.
use std::path::Path;
use underpass_fuzz::mutate::Chance;
use underpass_fuzz::pair::inner;

const KEY_A: &str = "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const KEY_B: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const KEY_C: &str = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

fn main() {
    let known = std::fs::read_to_string(root().join("tests/vectors/wireguard-kat.json")).expect("the known answers");
    let known: serde_json::Value = serde_json::from_str(&known).expect("JSON");
    let messages = messages(&known);
    for (name, bytes) in &messages {
        write("wire", name, bytes);
        write("datagram", &format!("noise-{name}"), &[&[4], bytes.as_slice()].concat());
        write("datagram", &format!("noise-to-a-session-{name}"), &[&[5], bytes.as_slice()].concat());
    }
    write("wire", "empty", &[]);
    datagrams();
    packets();
    rulings();
    configurations();
    requests();
    scripts();
    calls();
    channel();
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = root().join("fuzz/corpus").join(target);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), bytes).expect("a file");
}

/// One message of each kind from the known answers, data with and without content.
fn messages(known: &serde_json::Value) -> Vec<(String, Vec<u8>)> {
    let handshakes = known.as_array().or_else(|| known["handshakes"].as_array()).expect("handshakes");
    let last = handshakes.last().expect("one at least");
    let bytes = |value: &serde_json::Value| hex::decode(value.as_str().expect("hexadecimal")).expect("hexadecimal");
    let mut messages = vec![
        ("initiation".to_owned(), bytes(&last["initiation"])),
        ("initiation-with-mac2".to_owned(), bytes(&last["cookie"]["initiation_with_mac2"])),
        ("response".to_owned(), bytes(&last["response"])),
        ("cookie-reply".to_owned(), bytes(&last["cookie"]["reply"])),
    ];
    for (number, message) in last["transport"].as_array().expect("messages").iter().enumerate() {
        messages.push((format!("data-{number}"), bytes(&message["message"])));
    }
    messages
}

/// Genuine datagrams, then some with a byte changed, the first MAC mended or not, cut and grown.
fn datagrams() {
    for (kind, name) in ["initiation", "response", "data", "cookie-reply"].into_iter().enumerate() {
        let kind = u8::try_from(kind).expect("few");
        write("datagram", &format!("genuine-{name}"), &[kind]);
        for (what, script) in [
            ("index", [1, 0, 4, 1]),
            ("ephemeral", [1, 0, 20, 0x80]),
            ("reserved", [1, 0, 1, 1]),
            ("end", [0, 0, 31, 1]),
            ("cut", [1, 1, 0, 0]),
            ("grown", [1, 144, 0, 0]),
        ] {
            write("datagram", &format!("{name}-{what}"), &[&[kind], script.as_slice()].concat());
        }
    }
}

fn packets() {
    for (name, ipv6) in [("ipv4", false), ("ipv6", true)] {
        write("packet", name, &inner(1, 2, ipv6, 128, b"payload"));
        let mut congested = inner(1, 2, ipv6, 96, b"payload");
        if ipv6 {
            congested[1] |= 0x30
        } else {
            congested[1] = 3
        }
        write("packet", &format!("{name}-congested"), &congested);
        write("packet", &format!("{name}-padded"), &[inner(1, 2, ipv6, 61, b"x"), vec![0; 16]].concat());
        write("packet", &format!("{name}-cut"), &inner(1, 2, ipv6, 128, b"payload")[..64]);
    }
    let mut options = inner(1, 2, false, 84, b"payload");
    (options[0], options[20]) = (0x48, 7);
    write("packet", "ipv4-options", &options);
    let mut fragment = inner(1, 2, false, 84, b"payload");
    fragment[7] = 9;
    write("packet", "ipv4-fragment", &fragment);
    let mut hops = inner(1, 2, true, 96, &[0]);
    (hops[6], hops[40], hops[48]) = (0, 43, 58);
    write("packet", "ipv6-extensions", &hops);
    let mut error = inner(1, 2, true, 96, b"payload");
    (error[6], error[40]) = (58, 1);
    write("packet", "icmpv6-error", &error);
}

/// Scripts of `filter`: a session of each kind, packets of each protocol both ways, then time or other rules.
fn rulings() {
    for (name, protocol, upper) in [
        ("tcp", 6, [0, 80, 0, 90, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 2, 0, 9, 0, 0, 0, 0, 2, 4, 5, 180].as_slice()),
        ("udp", 17, &[0, 53, 0, 54, 0, 12, 0, 0, 1, 2, 3, 4]),
        ("icmp", 1, &[8, 0, 0, 0, 0, 7, 0, 1]),
        ("icmpv6", 58, &[128, 0, 0, 0, 0, 7, 0, 1]),
        ("esp", 50, &[0; 16]),
    ] {
        for ipv6 in [false, true] {
            let there = bare(1, 2, ipv6, protocol, upper);
            let mut turned = upper.to_vec();
            match protocol {
                6 => (turned[1], turned[3], turned[13]) = (90, 80, 18),
                17 => (turned[1], turned[3]) = (54, 53),
                1 => turned[0] = 0,
                58 => turned[0] = 129,
                _ => {}
            }
            let back = bare(2, 1, ipv6, protocol, &turned);
            let error = bare(2, 1, ipv6, if ipv6 { 58 } else { 1 }, &[&[3, 3, 0, 0, 0, 0, 0, 0], &there[..]].concat());
            let both = [packet(0, &there), packet(1, &back), packet(1, &error), packet(0, &there)].concat();
            let family = if ipv6 { "over-ipv6" } else { "over-ipv4" };
            for (way, what) in [(0, "from"), (4, "to"), (3, "rejected")] {
                let script = [&open(way)[..], &both, &[4, 0, 90], &both, &[5, 0, 0], &both, &[7, 0]].concat();
                write("filter", &format!("{name}-{family}-{what}"), &script);
            }
        }
    }
    fragments();
    let all = [9, 0, 255, 3, 32, 9, 9, 64, 40, 90, 152, 60, 7, 9, 1, 0, 0, 8, 1, 9, 9, 9, 6, 0];
    write("filter", "sessions-of-all-kinds", &[&all[..], &packet(0, &bare(1, 2, false, 17, &[0; 40]))].concat());
}

/// Fragments out of order, behind their first, and too late.
fn fragments() {
    for ipv6 in [false, true] {
        let part = |offset: u8, more: bool| {
            let mut bytes = bare(
                1,
                2,
                ipv6,
                if ipv6 { 44 } else { 17 },
                &[
                    &[17, 0, 0, 0, 0, 0, 0, 9][8 - 8 * usize::from(ipv6)..],
                    &[0, 53, 0, 54, 0, 99, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
                ]
                .concat(),
            );
            if ipv6 {
                bytes[43] = offset << 3 | u8::from(more);
            } else {
                (bytes[6], bytes[7]) = (u8::from(more) << 5, offset);
            }
            packet(0, &bytes)
        };
        let script = [
            &open(0)[..],
            &part(2, true),
            &part(0, true),
            &part(2, true),
            &part(1, false),
            &[4, 0, 32],
            &part(4, false),
        ];
        write("filter", &format!("fragments-{}", if ipv6 { "ipv6" } else { "ipv4" }), &script.concat());
    }
}

/// A session of peer 0 with one rule about everything: 0 allows it from the peer, 4 to it, 3 rejects.
const fn open(rule: u8) -> [u8; 7] {
    [9, 0, 0, 1, rule, 0, 0]
}

/// A packet from peer 0 (`what` is even) or to it.
fn packet(what: u8, bytes: &[u8]) -> Vec<u8> {
    [&[what, 0, 2, bytes.len() as u8][..], bytes].concat()
}

/// An IP packet between hosts of these numbers, without checksums.
fn bare(from: u8, to: u8, ipv6: bool, protocol: u8, upper: &[u8]) -> Vec<u8> {
    if ipv6 {
        let mut bytes = vec![0; 40];
        (bytes[0], bytes[6], bytes[7]) = (0x60, protocol, 64);
        (bytes[8], bytes[23], bytes[24], bytes[39]) = (0xfd, from, 0xfd, to);
        [bytes, upper.to_vec()].concat()
    } else {
        let header = [0x45, 0, 0, 0, 0, 9, 0, 0, 64, protocol, 0, 0, 10, 0, 0, from, 10, 0, 0, to];
        [&header[..], upper].concat()
    }
}

fn configurations() {
    let office = format!(
        "# An office\n[Interface]\nPrivateKey = {KEY_A}\nAddress = 10.0.0.2/24, fd00::2/64\nDNS = 10.0.0.1, office.example\n\
         MTU = 1380\nListenPort = 51820\nFwMark = 0x10\nTable = auto\nPreUp = echo %i\nPostDown = true\nSaveConfig = false\n\n\
         [Peer]\nPublicKey = {KEY_B}\nPresharedKey = {KEY_C}\nAllowedIPs = 0.0.0.0/0, ::/0\n\
         Endpoint = gateway.example:51820\nPersistentKeepalive = 25\n"
    );
    write("config", "office", office.as_bytes());
    write("config", "office-crlf", office.replace('\n', "\r\n").as_bytes());
    write("config", "office-bom", ["\u{feff}", &office].concat().as_bytes());
    write("config", "faults", office.replace('=', ":").as_bytes());
    let setconf = format!(
        "[interface]\nprivatekey={KEY_A}\nfwmark=off\n[PEER]\npublickey={KEY_B}\nallowedips=+10.0.0.0/8,-10.1.0.0/16,\n\
         endpoint=[fe80::1%3]:1\npersistentkeepalive=off # none\n[Peer]\nPublicKey={KEY_C}\nAllowedIPs=\n"
    );
    write("config", "setconf", setconf.as_bytes());
    let phone = format!(
        "[Interface]\nPrivateKey={KEY_A}\nIncludedApplications=org.example.one,org.example.two\nJc=4\nS1=16\nUnknown=1\n\
         [Peer]\nPublicKey={KEY_B}\nEndpoint=::1:9\n[Other]\nKey=1\n"
    );
    write("config", "phone", phone.as_bytes());
    write("config", "empty", b"");
}

fn requests() {
    let (a, b) = ("02".repeat(32), "03".repeat(32));
    let set = format!(
        "set=1\nprivate_key={a}\nlisten_port=51821\nfwmark=7\nreplace_peers=true\npublic_key={b}\npreshared_key={a}\n\
         endpoint=192.0.2.9:51820\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\n\
         allowed_ip=fd00::/8\npublic_key={a}\nremove=true\n\n"
    );
    for (name, piece, text) in [
        ("get", 255, "get=1\n\n".to_owned()),
        ("get-in-pieces", 0, "get=1\n\nget=1\n\n".to_owned()),
        ("set", 255, set.clone()),
        ("set-then-get", 9, [&set, "get=1\n\n"].concat()),
        (
            "update",
            30,
            format!("set=1\npublic_key={b}\nupdate_only=true\nallowed_ip=10.1.0.0/16\nendpoint=[::1]:1\n\n"),
        ),
        ("low-order", 255, format!("set=1\npublic_key={}\n\n", "00".repeat(32))),
        ("faults", 255, "set=1\nlisten_port=x\nfoo=bar\n\n".to_owned()),
    ] {
        write("uapi", name, &[&[piece], text.as_bytes()].concat());
    }
}

/// Scripts of `tunnel_ops`: each happening by itself on a live session, then long ones by chance.
fn scripts() {
    // A packet, three deliveries of all there is (initiation, response, data), a packet back, its delivery.
    let live = [0, 0, 0, 60, 0, 10, 0, 10, 0, 10, 0, 0, 1, 1, 100, 0, 10, 0];
    write("tunnel_ops", "first-contact", &live);
    for happening in 0..28 {
        let one = [happening, 0, 3, 1, 2, happening, 1, 9, 65, 3, 10, 0, 0, 0, 0, 200, 0, 10, 0];
        write("tunnel_ops", &format!("happening-{happening:02}"), &[live.as_slice(), &one].concat());
    }
    for seed in 0..8 {
        let mut chance = Chance::new(seed);
        let mut script = live.to_vec();
        for _ in 0..150 {
            let happening = if chance.below(12) == 0 { chance.below(28) } else { OFTEN[chance.below(OFTEN.len())] };
            script.push(u8::try_from(happening).expect("few"));
            script.extend((0..=ARGUMENTS[happening]).map(|_| chance.bits() as u8));
        }
        write("tunnel_ops", &format!("chance-{seed}"), &script);
    }
    for (place, arguments) in RARE_ARGUMENTS.into_iter().enumerate() {
        let rare = RARE + u8::try_from(place).expect("few");
        let arguments = &[2, 3, 4][..arguments];
        let one = [&[rare, 0], arguments, &[0, 0, 3, 1, 2, 10, 0, 0, 1, 3, 1, 2, 10, 0, 9, 0, 20, 0, 10, 0]].concat();
        write("tunnel_ops", &format!("rare-{place}"), &[live.as_slice(), &one].concat());
    }
    for seed in 0..4 {
        let mut chance = Chance::new(seed + 50);
        let mut script = live.to_vec();
        for _ in 0..150 {
            let (happening, arguments) = if chance.below(8) == 0 {
                let place = chance.below(RARE_ARGUMENTS.len());
                (usize::from(RARE) + place, RARE_ARGUMENTS[place])
            } else {
                let happening = OFTEN[chance.below(OFTEN.len())];
                (happening, ARGUMENTS[happening])
            };
            script.push(u8::try_from(happening).expect("few"));
            script.extend((0..=arguments).map(|_| chance.bits() as u8));
        }
        write("tunnel_ops", &format!("rare-chance-{seed}"), &script);
    }
}

/// Happenings of which a life is made: packets, batches, jobs, deliveries, losses, a little time.
const OFTEN: [usize; 20] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 10, 10, 10, 10, 10, 13, 14, 15, 16, 18];
/// Bytes of each happening behind the one that says whose it is; noise is empty then.
const ARGUMENTS: [usize; 28] = [3, 3, 3, 3, 3, 1, 9, 2, 1, 2, 0, 0, 0, 1, 1, 1, 4, 1, 0, 1, 0, 2, 2, 1, 2, 1, 1, 2];

/// The first of the rare happenings: clocks, restarts, what a host may forbid.
const RARE: u8 = 248;
/// Bytes of each of these.
const RARE_ARGUMENTS: [usize; 8] = [2, 0, 3, 0, 1, 1, 1, 1];

/// Scripts of calls in C: a handshake with a packet, a batch in three steps, and chance.
fn calls() {
    let (exchange, packets, handle, datagrams, open) = ([17, 0], [0, 0, 1, 80], [6, 0], [3, 1, 0], [8, 1]);
    write("c_api", "one-packet", &[&exchange[..], &packets, &handle, &[0], &datagrams, &open, &[15]].concat());
    let (begin, crypt, finish) = ([10, 0, 7], [12, 0, 7], [14, 0, 7]);
    let seal = [&exchange[..], &packets, &begin, &crypt, &finish].concat();
    let open = [&datagrams[..], &[11, 1, 7], &crypt, &[15, 1, 7]].concat();
    write("c_api", "a-batch-in-steps", &[seal, open].concat());
    for seed in 0..8 {
        let mut chance = Chance::new(seed + 100);
        let script: Vec<u8> = (0..1500).map(|_| chance.bits() as u8).collect();
        write("c_api", &format!("chance-{seed}"), &[&exchange[..], &script].concat());
    }
}

/// Scripts of the control channel: each request by itself, answered at once, late or never; then noise between the two.
fn channel() {
    for kind in 0..8 {
        for (name, after) in [("at-once", [2, 0]), ("late", [6, 20]), ("never", [6, 255])] {
            write(
                "control",
                &format!("request-{kind}-{name}"),
                &[0, kind, 1, 0, after[0], after[1], 2, 0, 3, 0, 1, 0, 3, 0],
            );
        }
    }
    write("control", "pushed", &[0, 5, 1, 0, 2, 0, 3, 0, 5, 3, 3, 0, 1, 0, 5, 200, 3, 0, 1, 0, 3, 0, 6, 90, 6, 90]);
    write("control", "lost-and-doubled", &[0, 1, 7, 0, 6, 3, 8, 0, 1, 0, 1, 0, 2, 0, 8, 1, 3, 0, 3, 0, 6, 250]);
    let get = b"\x42\x01\x12\x34ab\xb2v1\x06config";
    let block = b"\x42\x02\x12\x35ab\xb2v1\x04auth\xd1\x03\x0d\xff0123456789abcdef";
    for (name, message) in [
        ("get", &get[..]),
        ("block", block),
        ("ping", b"\x40\x00\x00\x01"),
        ("probe", b"\x40\x02\x00\x02\xb2v1\x05probe\xff\xa1\x01\x41\x00"),
    ] {
        write(
            "control",
            &format!("raw-{name}"),
            &[&[9, message.len() as u8], message, &[2, 0, 3, 0, 10, message.len() as u8], message].concat(),
        );
    }
    for seed in 0..6 {
        let mut chance = Chance::new(seed + 300);
        let script: Vec<u8> = (0..400).map(|_| chance.bits() as u8).collect();
        write("control", &format!("chance-{seed}"), &script);
    }
}
