//! A filter with three peers, and a script of packets and happenings.
use ipnet::IpNet;
use std::time::Duration;
use underpass_core::filter::{
    Action, Filter, FilterConfig, FilterFootprint, Hours, Protocol, Rate, Reason, Reject, Rule, Ruling, SessionConfig,
    Way, mss,
};
use underpass_core::{Instant, NoRandomness, Rng, UnixTime, packet};

/// Bounds so small that they are met.
const CONFIG: FilterConfig =
    FilterConfig { flows_per_peer: 5, flows: 8, events: 4, mtu: Some(1280), seconds_ahead: 3600 };
const WALL: UnixTime = UnixTime::from_secs(1_704_067_200);

struct Constant;

impl Rng for Constant {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        dest.fill(5);
        Ok(())
    }
}

/// The script: bytes that are taken from the front. What is missing is zero.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Runs a script: each happening begins with a byte that names it.
pub fn filter(data: &[u8]) {
    let mut script = Script(data);
    let mut now = Instant::from_nanos(1);
    let mut filter = Filter::new(CONFIG, &mut Constant, now, WALL).expect("randomness");
    while !script.0.is_empty() {
        let what = script.byte();
        let peer = u32::from(script.byte() % 3);
        match what % 10 {
            0..=3 => carry(&mut filter, now, peer, what, &mut script),
            4 => now = now + Duration::from_millis(u64::from(script.byte()).pow(3)),
            5 => {
                let _ = filter.set_rules(now, peer, rules(&mut script).into());
            }
            6 => filter.flush(peer),
            7 => {
                let _ = filter.close(peer);
            }
            8 => {
                let wall = WALL + Duration::from_secs(u64::from(script.byte()) * 3000);
                filter.handle_wall_clock(now, wall, i32::from(script.byte()) * 900);
                filter.handle_roaming(now, peer, [10, 0, 0, script.byte()].into());
            }
            _ => open(&mut filter, now, peer, &mut script),
        }
        filter.handle_timeout(now);
        assert!(filter.poll_timeout().is_none_or(|due| due > now), "a deadline stays due");
        assert!(filter.flows() <= 8 && filter.footprint().flows < 32 * 1024, "memory is bounded");
    }
    for peer in 0..3 {
        let _ = filter.close(peer);
    }
    filter.handle_timeout(now + Duration::from_secs(60));
    while filter.poll_event().is_some() {}
    assert_eq!((filter.flows(), filter.poll_timeout()), (0, None));
    assert_eq!(FilterFootprint { events: 0, ..filter.footprint() }, FilterFootprint::default(), "nothing is left");
}

fn open(filter: &mut Filter, now: Instant, peer: u32, script: &mut Script<'_>) {
    let bits = script.byte();
    let rate = Rate { bytes_per_second: 100, burst: 3000 };
    let config = SessionConfig {
        rules: rules(script).into(),
        user: peer.into(),
        unmatched: if bits & 1 == 0 { Action::Reject } else { Action::Deny },
        log_unmatched: bits & 2 == 0,
        outer: (bits & 4 == 0).then(|| [10, 0, 0, 1].into()),
        from_peer: (bits & 0x18 == 0x18).then_some(rate),
        to_peer: (bits & 0x28 == 0x28).then_some(rate),
        quota: (bits & 0xc0 == 0xc0).then_some(4000),
    };
    let _ = filter.open(now, peer, config);
}

/// Up to three rules; some make no sense.
fn rules(script: &mut Script<'_>) -> Vec<Rule> {
    (0..script.byte() % 4).map(|number| rule(number, script)).collect()
}

fn rule(number: u8, script: &mut Script<'_>) -> Rule {
    let (bits, len, port) = (script.byte(), script.byte(), script.byte());
    let v4 = IpNet::new([10, 0, 0, len].into(), len % 33).expect("a length");
    let v6 = IpNet::new([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(len)].into(), len % 129).expect("a length");
    let protocols =
        [Protocol::Any, Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::Number(port), Protocol::Any];
    Rule {
        action: [Action::Allow, Action::Allow, Action::Deny, Action::Reject][usize::from(bits & 3)],
        way: if bits & 4 == 0 { Way::FromPeer } else { Way::ToPeer },
        networks: if bits & 8 == 0 { vec![v4, v6] } else { vec![v6] },
        protocol: protocols[usize::from(port) % protocols.len()],
        ports: if bits & 16 == 0 { Vec::new() } else { vec![0..=u16::from(port), 9..=u16::from(len)] },
        peers: bits & 32 == 0,
        hours: if bits & 64 == 0 {
            Vec::new()
        } else {
            vec![Hours { from: u16::from(len) * 40, to: u16::from(port) * 40 }]
        },
        outer: if bits & 128 == 0 { Vec::new() } else { vec![v4] },
        log: true,
        ..Rule::allow(number.into(), Vec::new())
    }
}

/// Rules a packet, and answers it when that is the ruling.
fn carry(filter: &mut Filter, now: Instant, peer: u32, what: u8, script: &mut Script<'_>) {
    let (bits, len) = (script.byte(), usize::from(script.byte()));
    let mut bytes = script.take(len).to_vec();
    if bits & 1 == 0 {
        mend_length(&mut bytes);
    }
    let owner = (bits & 2 == 0).then(|| u32::from(bits >> 2) % 3).filter(|owner| *owner != peer);
    let before = bytes.clone();
    let (known, has_session) = (filter.flows(), filter.account(peer).is_some());
    let ruling = match what & 1 {
        0 => filter.inbound(now, peer, owner, &mut bytes),
        _ => filter.outbound(now, peer, owner, &mut bytes),
    };
    match ruling {
        Ruling::Pass => {
            assert!(packet::parse(&bytes).is_some() && has_session, "only packets pass");
            let mut lowered = before.clone();
            let _ = mss::clamp(&mut lowered, 1280);
            assert!(bytes == before || bytes == lowered, "more was changed than the segment size");
        }
        _ => assert!(bytes == before && filter.flows() <= known, "what does not pass begins nothing"),
    }
    if let Ruling::Reject(reject) = ruling {
        answer(reject, &bytes);
    }
    if !has_session {
        assert_eq!(ruling, Ruling::Drop(Reason::NoSession));
    }
    for reject in [Reject::Reset, Reject::Prohibited] {
        answer(reject, &bytes);
    }
}

/// An answer is a packet that goes back, and is not answered in turn.
fn answer(reject: Reject, bytes: &[u8]) {
    let mut out = [0xee; 1280];
    let Some(len) = reject.write(bytes, &mut out) else { return };
    let (asked, answer) = (packet::parse(bytes).expect("a packet"), packet::parse(&out[..len]).expect("a packet"));
    assert_eq!((answer.total_len, answer.source, answer.destination), (len, asked.destination, asked.source));
    assert_eq!(reject.write(&out[..len], &mut [0; 1280]), None, "answers answer answers");
    assert_eq!(reject.write(bytes, &mut out[..len.min(40) - 1]), None, "it needs its room");
}

/// Writes the length that a packet has into its header.
fn mend_length(bytes: &mut [u8]) {
    let len = bytes.len() as u16;
    match bytes.first().map(|first| first >> 4) {
        Some(4) if bytes.len() >= 20 => bytes[2..4].copy_from_slice(&len.to_be_bytes()),
        Some(6) if bytes.len() >= 40 => bytes[4..6].copy_from_slice(&(len - 40).to_be_bytes()),
        _ => {}
    }
}
