//! Sealing and opening in process, on one thread.
use crate::figures::Table;
use crate::harness::{Effort, Samples, cell, contest};
use crate::parties::ours::Crowd;
use crate::parties::{FLIGHT, Manner, Ours, Party, Raw};
use std::cell::RefCell;
use std::rc::Rc;
use underpass_core::limits::DEFAULT_MTU;

/// Sizes of packets.
const SIZES: [usize; 5] = [64, 256, 576, 1420, 8900];

pub type Parties = Vec<Box<dyn Party>>;

/// Everyone with one peer, at every size.
pub fn one_peer(effort: Effort) -> Vec<Table> {
    let columns: Vec<String> = SIZES.iter().map(|size| format!("{size} B")).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let note = "Nanoseconds for one packet, one peer, one thread; in brackets the speed in terms of the bare cipher \
                of the same backend (the median of ratios taken round by round) and half the width of the middle half \
                of the samples.";
    let [mut seal, mut open] =
        ["Sealing", "Opening"].map(|what| Table::new(format!("{what}, nanoseconds a packet"), note, &columns));
    let mut cells: [Vec<Vec<_>>; 2] = Default::default();
    let mut names = Vec::new();
    for size in SIZES {
        let mut parties = everyone(size);
        names = parties.iter().map(|party| party.name()).collect();
        let samples = play(&mut parties, size, effort.pick(60, 400));
        for (direction, samples) in samples.iter().enumerate() {
            cells[direction].push(samples.iter().map(|own| cell(own, Some(&samples[0]))).collect());
        }
    }
    for (contestant, name) in names.iter().enumerate() {
        for (table, cells) in [&mut seal, &mut open].into_iter().zip(&cells) {
            table.row(name, cells.iter().map(|by_size| by_size.get(contestant).copied()).collect());
        }
    }
    vec![seal, open]
}

/// The parties of one contest: the reference first.
pub fn everyone(size: usize) -> Parties {
    let mtu = u16::try_from(size).unwrap_or(u16::MAX).max(DEFAULT_MTU);
    let crowd = Rc::new(RefCell::new(Crowd::new(1, mtu)));
    let mut parties: Parties = vec![
        Box::new(Raw::new(size)),
        Box::new(Ours::new("Underpass, batches of 64", &crowd, Manner::Batch, size)),
        Box::new(Ours::new("Underpass, one by one", &crowd, Manner::Single, size)),
    ];
    #[cfg(feature = "peers")]
    {
        use crate::parties::{Boringtun, Gotatun, Sanstun};
        parties.push(Box::new(Boringtun::new(size)));
        parties.push(Box::new(Gotatun::new(size)));
        parties.push(Box::new(Sanstun::new(size)));
    }
    parties.shrink_to_fit();
    parties
}

/// One contest: samples of sealing, then of opening, in nanoseconds a packet.
pub fn play(parties: &mut Parties, size: usize, rounds: usize) -> [Vec<Samples>; 2] {
    // About a millisecond for each turn, so that reading the clock does not count.
    let flights = (8192 / size).clamp(2, 32);
    contest(parties.len(), rounds, |contestant| {
        let mut sums = [0.0; 2];
        for _ in 0..flights {
            let (seal, open) = parties[contestant].flight();
            sums[0] += seal.as_nanos() as f64;
            sums[1] += open.as_nanos() as f64;
        }
        sums.map(|sum| sum / (flights * FLIGHT) as f64)
    })
}

/// The core with many peers that all have a session.
pub fn crowds(effort: Effort) -> Table {
    let sizes = [64, 1420];
    let mut table = Table::new(
        "Many peers, nanoseconds a packet",
        "A gateway whose peers all have a live session. `one talks`: all packets are of one peer; `all talk`: each \
         packet is of a peer drawn at random, so that nothing of it is in the caches. In brackets the speed in terms \
         of a gateway with one peer.",
        &["seal 64 B", "open 64 B", "seal 1420 B", "open 1420 B"],
    );
    let crowds: Vec<(u32, Rc<RefCell<Crowd>>)> = effort
        .pick(vec![1, 1000, 10_000], vec![1, 1000, 100_000])
        .into_iter()
        .map(|peers| (peers, Rc::new(RefCell::new(Crowd::new(peers, DEFAULT_MTU)))))
        .collect();
    let mut cells: Vec<Vec<_>> = Vec::new();
    let mut names = Vec::new();
    for size in sizes {
        let mut parties: Parties = Vec::new();
        for (peers, crowd) in &crowds {
            parties.push(Box::new(Ours::new(&format!("{peers} peers, one talks"), crowd, Manner::Batch, size)));
            if *peers > 1 {
                parties.push(Box::new(Ours::new(&format!("{peers} peers, all talk"), crowd, Manner::Spread, size)));
            }
        }
        names = parties.iter().map(|party| party.name()).collect();
        for samples in play(&mut parties, size, effort.pick(40, 300)) {
            cells.push(samples.iter().map(|own| cell(own, Some(&samples[0]))).collect());
        }
    }
    for (contestant, name) in names.iter().enumerate() {
        table.row(name, cells.iter().map(|column| column.get(contestant).copied()).collect());
    }
    table
}
