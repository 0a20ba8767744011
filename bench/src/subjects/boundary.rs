//! What the C interface costs: the same work by a call from Rust and by one through the C interface.
use crate::figures::Table;
use crate::harness::{Effort, cell};
use crate::parties::boringtun_c::boringtun_c;
use crate::parties::ours::Crowd;
use crate::parties::ours_c::OursC;
use crate::parties::{Boringtun, Manner, Ours};
use crate::subjects::packets::{Parties, play};
use std::cell::RefCell;
use std::rc::Rc;
use underpass_core::limits::DEFAULT_MTU;

const SIZES: [usize; 2] = [64, 1420];

/// Pairs of contestants: called from Rust, called through C.
pub fn boundary(effort: Effort) -> Table {
    let mut table = Table::new(
        "Through the C interface, nanoseconds a packet",
        "One peer, one thread; the functions of the C interface are called by address, so that nothing of them is \
         inlined. In brackets the speed in terms of the same call from Rust.",
        &["seal 64 B", "open 64 B", "seal 1420 B", "open 1420 B"],
    );
    let (mut names, mut cells) = (Vec::new(), Vec::new());
    for size in SIZES {
        let crowd = Rc::new(RefCell::new(Crowd::new(1, DEFAULT_MTU)));
        let mut parties: Parties = vec![
            Box::new(Ours::new("Underpass in Rust, batches of 64", &crowd, Manner::Batch, size)),
            Box::new(OursC::new(Manner::Batch, size)),
            Box::new(Ours::new("Underpass in Rust, one by one", &crowd, Manner::Single, size)),
            Box::new(OursC::new(Manner::Single, size)),
            Box::new(Boringtun::new(size)),
            boringtun_c(size),
        ];
        names = parties.iter().map(|party| party.name()).collect();
        for samples in play(&mut parties, size, effort.pick(60, 400)) {
            let in_terms = |(contestant, own): (usize, &Vec<f64>)| cell(own, Some(&samples[contestant / 2 * 2]));
            cells.push(samples.iter().enumerate().map(in_terms).collect::<Vec<_>>());
        }
    }
    for (contestant, name) in names.iter().enumerate() {
        table.row(name, cells.iter().map(|column| column.get(contestant).copied()).collect());
    }
    table
}
