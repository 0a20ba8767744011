//! Times the filter: nanoseconds a packet with 10 000 rules and 100 000 flows, and what the rules take to compile.
//!
//! `cargo run --release -p underpass-core --features filter --example filter_speed`
//!
//! Packets come in random order, so that every one of them finds its flow cold: what a gateway with many users sees. Medians of
//! rounds, the best and the worst of them, in time on the CPU where the system tells it (Linux): a busy machine shares its caches all
//! the same.
#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant as Stopwatch};
use underpass_core::filter::{
    Action, Ahead, Filter, FilterConfig, Passage, Protocol, Reason, Rule, Ruling, SessionConfig, Way,
};
use underpass_core::limits::AHEAD;
use underpass_core::{Instant, NoRandomness, Rng, UnixTime};

const RULES: u32 = 10_000;
const PEERS: u32 = 32;
const FLOWS_PER_PEER: u32 = 3125;
const ROUNDS: usize = 21;

/// Numbers from a seed (xorshift64).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }
}

impl Rng for Seeded {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        dest.fill_with(|| self.next() as u8);
        Ok(())
    }
}

/// A packet of 40 bytes, TCP, without checksums, which nobody here reads.
type Packet = [u8; 40];

fn packet(from: (u32, u16), to: (u32, u16), flags: u8) -> Packet {
    let mut packet = [0; 40];
    (packet[0], packet[3], packet[8], packet[9], packet[32], packet[33]) = (0x45, 40, 64, 6, 0x50, flags);
    packet[12..16].copy_from_slice(&from.0.to_be_bytes());
    packet[16..20].copy_from_slice(&to.0.to_be_bytes());
    packet[20..22].copy_from_slice(&from.1.to_be_bytes());
    packet[22..24].copy_from_slice(&to.1.to_be_bytes());
    packet
}

/// The address of a peer.
fn client(peer: u32) -> u32 {
    0x0a80_0000 + peer
}

/// 10 000 rules: nested networks of 10.0.0.0/9, every third one denying, with ports of their own. The last allows the rest of it.
fn rules(random: &mut Seeded) -> Vec<Rule> {
    let mut rules: Vec<Rule> = (1..RULES)
        .map(|number| {
            let len = 12 + random.below(21) as u8;
            let network =
                ipnet::Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 | random.below(1 << 23)), len).expect("a length");
            let port = 1 + random.below(60_000) as u16;
            Rule {
                action: if number % 3 == 0 { Action::Deny } else { Action::Allow },
                protocol: Protocol::Tcp,
                ports: vec![port..=port + random.below(500) as u16],
                ..Rule::allow(number, vec![network.trunc().into()])
            }
        })
        .collect();
    rules.push(Rule { way: Way::FromPeer, ..Rule::allow(RULES, vec!["10.0.0.0/9".parse().expect("a network")]) });
    rules
}

/// Nanoseconds that this thread has been on a CPU, or that have passed since the first call.
fn nanos() -> f64 {
    static BEGUN: std::sync::OnceLock<Stopwatch> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let on_cpu = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
    on_cpu.unwrap_or_else(|| BEGUN.get_or_init(Stopwatch::now).elapsed().as_secs_f64() * 1e9)
}

/// Nanoseconds of each of `items`, median and worst round.
fn time<T>(what: &str, items: &mut [T], work: impl FnMut(&mut T)) {
    time_each(what, 1.0, items, work);
}

/// The same of `each`, so many of which are in an item.
fn time_each<T>(what: &str, each: f64, items: &mut [T], mut work: impl FnMut(&mut T)) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = nanos();
        items.iter_mut().for_each(&mut work);
        rounds.push((nanos() - begun) / (items.len() as f64 * each));
    }
    rounds.sort_by(f64::total_cmp);
    println!(
        "  {what:<44} {:>7.1} ns   (best round {:.1}, worst {:.1})",
        rounds[ROUNDS / 2],
        rounds[0],
        rounds[ROUNDS - 1]
    );
}

/// A packet, its peer, and whether it comes from it.
type Passing = (u32, bool, Packet);

fn pass(filter: &mut Filter, now: Instant, (peer, inbound, packet): &mut Passing) -> Ruling {
    if *inbound { filter.inbound(now, *peer, None, packet) } else { filter.outbound(now, *peer, None, packet) }
}

fn passage(peer: u32, inbound: bool) -> Passage {
    Passage { peer, way: if inbound { Way::FromPeer } else { Way::ToPeer }, owner: None }
}

fn main() {
    let mut random = Seeded(0x9e37_79b9_7f4a_7c15);
    let mut now = Instant::ZERO;
    let wall = UnixTime::from_secs(1_700_000_000);
    let config = FilterConfig { flows: PEERS * FLOWS_PER_PEER, mtu: Some(1280), ..FilterConfig::default() };
    let mut filter = Filter::new(config, &mut random, now, wall).expect("randomness");
    let begun = nanos();
    for peer in 0..PEERS {
        let session = SessionConfig { rules: rules(&mut random).into(), ..SessionConfig::default() };
        filter.open(now, peer, session).expect("rules that make sense");
    }
    println!(
        "{RULES} rules for each of {PEERS} peers: compiled in {:.1} ms each",
        (nanos() - begun) / f64::from(PEERS) / 1e6
    );
    let firsts = begin(&mut filter, &mut random, now);
    let mut flows = establish(&mut filter, now, &firsts);
    for place in (1..flows.len()).rev() {
        flows.swap(place, random.below(place as u32 + 1) as usize);
    }
    println!(
        "{} flows, {} bytes each, rules {} bytes a peer",
        filter.flows(),
        filter.footprint().flows / filter.flows(),
        filter.footprint().sessions / PEERS as usize
    );
    println!("with them:");
    yardstick(&mut random);
    time("a packet of an established flow", &mut flows, |passing| {
        now = now + Duration::from_nanos(100);
        assert_eq!(pass(&mut filter, now, black_box(passing)), Ruling::Pass);
    });
    let mut batches: Vec<Vec<Passing>> = flows.chunks(AHEAD).map(<[Passing]>::to_vec).collect();
    let each = AHEAD as f64;
    time_each("the same, 16 at a time, read ahead", each, &mut batches, |batch| {
        let mut ahead = [Ahead::NONE; AHEAD];
        for (place, (peer, inbound, packet)) in ahead.iter_mut().zip(&*batch) {
            *place = filter.read_ahead(&passage(*peer, *inbound), packet);
        }
        for (ahead, (peer, inbound, packet)) in ahead.into_iter().zip(batch) {
            assert_eq!(filter.rule(now, passage(*peer, *inbound), ahead, black_box(packet)), Ruling::Pass);
        }
    });
    let mut run: Vec<Passing> = flows.iter().take(4000).flat_map(|passing| [*passing; 32]).collect();
    time("the same in runs of 32 packets", &mut run, |passing| {
        assert_eq!(pass(&mut filter, now, black_box(passing)), Ruling::Pass);
    });
    let mut denied: Vec<Passing> = (0..50_000)
        .map(|_| {
            let peer = random.below(PEERS);
            (peer, true, packet((client(peer), 9), (0x0b00_0000 | random.below(1 << 24), 80), 2))
        })
        .collect();
    time("a first packet that is denied", &mut denied, |passing| {
        assert_eq!(pass(&mut filter, now, black_box(passing)), Ruling::Drop(Reason::Denied));
    });
    first_packets(&mut random, wall);
}

/// As many first packets as there are to be flows, all of which passed.
fn begin(filter: &mut Filter, random: &mut Seeded, now: Instant) -> Vec<Passing> {
    let mut firsts: Vec<Passing> = Vec::new();
    for peer in 0..PEERS {
        let mut begun = 0;
        while begun < FLOWS_PER_PEER {
            let to = (0x0a00_0000 | random.below(1 << 23), random.below(65_535) as u16 + 1);
            let from = (client(peer), 1 + begun as u16);
            let mut first = (peer, true, packet(from, to, 2));
            if pass(filter, now, &mut first) == Ruling::Pass {
                begun += 1;
                firsts.push(first);
            }
        }
    }
    firsts
}

/// What the machine takes to read one place after the other of as much memory as the flows are: a packet needs two such reads at
/// least, one of the index and one of its flow.
fn yardstick(random: &mut Seeded) {
    let mut order: Vec<usize> = (0..100_000).collect();
    for place in (1..order.len()).rev() {
        order.swap(place, random.below(place as u32 + 1) as usize);
    }
    let mut memory = vec![[0_usize; 16]; order.len()];
    for pair in order.windows(2) {
        memory[pair[0]][0] = pair[1];
    }
    let mut at = order[0];
    time("yardstick: one read of memory in random order", &mut order, |_| at = black_box(memory[at][0]));
}

/// The flows that the first packets began, established; one packet of each, every other one from the server.
fn establish(filter: &mut Filter, now: Instant, firsts: &[Passing]) -> Vec<Passing> {
    let mut flows = Vec::new();
    for (place, (peer, _, first)) in firsts.iter().enumerate() {
        let address = |at: usize| u32::from_be_bytes([first[at], first[at + 1], first[at + 2], first[at + 3]]);
        let port = |at: usize| u16::from_be_bytes([first[at], first[at + 1]]);
        let (from, to) = ((address(12), port(20)), (address(16), port(22)));
        for (inbound, packet) in [(false, packet(to, from, 18)), (true, packet(from, to, 16))] {
            assert_eq!(pass(filter, now, &mut (*peer, inbound, packet)), Ruling::Pass);
        }
        let back = place % 2 == 0;
        flows.push((*peer, !back, if back { packet(to, from, 16) } else { packet(from, to, 16) }));
    }
    flows
}

/// First packets that rules decide: one flow each, the table growing and full.
fn first_packets(random: &mut Seeded, wall: UnixTime) {
    let now = Instant::ZERO;
    let config = FilterConfig { flows: 100_000, flows_per_peer: 100_000, ..FilterConfig::default() };
    let mut filter = Filter::new(config, random, now, wall).expect("randomness");
    filter.open(now, 0, SessionConfig { rules: rules(random).into(), ..SessionConfig::default() }).expect("rules");
    let mut firsts: Vec<Passing> = (0..100_000)
        .map(|_| {
            (
                0,
                true,
                packet(
                    (client(0), random.below(65_535) as u16),
                    (0x0a00_0000 | random.below(1 << 23), random.below(65_536) as u16),
                    2,
                ),
            )
        })
        .collect();
    let begun = nanos();
    let allowed =
        firsts.iter_mut().filter_map(|passing| (pass(&mut filter, now, passing) == Ruling::Pass).then_some(())).count();
    let each = (nanos() - begun) / firsts.len() as f64;
    println!("  {:<44} {each:>7.1} ns   ({allowed} of {} allowed)", "a first packet, the table growing", firsts.len());
    let mut number = 0_u32;
    time("a first packet, the table full", &mut firsts, |passing| {
        // Another source each time: one flow gives way, one begins.
        number = number.wrapping_add(1);
        passing.2[12..16].copy_from_slice(&number.to_be_bytes());
        black_box(pass(&mut filter, now, passing));
    });
}
