//! What the JVM costs: packets by feed mode beside the same call from Rust, and what a call into each plane costs.
use crate::figures::Table;
use crate::harness::{Effort, cell, contest, median};
use crate::parties::jvm::Jvm;
use crate::parties::ours::Crowd;
use crate::parties::{Boringtun, FLIGHT, Manner, Ours, Party};
use anyhow::{Context as _, Result};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use underpass_core::limits::DEFAULT_MTU;
use underpass_interop::device::root;

const SIZES: [usize; 2] = [64, 1420];
/// Flights until Java has compiled what it runs.
const WARM: usize = 4000;
/// Calls of one sample.
const CALLS: usize = 1000;

/// A library that `bench/run.sh` builds.
pub fn library(profile: &str) -> Result<PathBuf> {
    let path = root().join(format!("target/{profile}/libunderpass_jni.so"));
    std::fs::canonicalize(&path).with_context(|| format!("no {}", path.display()))
}

/// Someone who takes turns: in this process or on the JVM.
enum Contestant<'j> {
    Here(Box<dyn Party>),
    There { name: &'static str, jvm: &'j RefCell<Jvm>, word: &'static str, len: usize },
}

impl Contestant<'_> {
    fn name(&self) -> String {
        match self {
            Self::Here(party) => format!("{} from Rust", party.name()),
            Self::There { name, .. } => (*name).to_owned(),
        }
    }

    /// Nanoseconds a packet, sealed and opened.
    fn turn(&mut self, flights: usize) -> Result<[f64; 2]> {
        let sums = match self {
            Self::Here(party) => {
                let mut sums = [0.0; 2];
                for _ in 0..flights {
                    let (seal, open) = party.flight();
                    sums[0] += seal.as_nanos() as f64;
                    sums[1] += open.as_nanos() as f64;
                }
                sums
            }
            Self::There { jvm, word, len, .. } => jvm.borrow_mut().ask(&format!("{word} {len} {flights}"))?,
        };
        Ok(sums.map(|sum| sum / (flights * FLIGHT) as f64))
    }
}

/// Both tables.
pub fn jvm(effort: Effort) -> Result<Vec<Table>> {
    let boringtun = root().join("bench/target/release/libboringtun_jni.so").canonicalize().ok();
    let fast = RefCell::new(Jvm::start(&library("release")?, boringtun.as_deref())?);
    let small = RefCell::new(Jvm::start(&library("mobile")?, None)?);
    let missing = if boringtun.is_some() { "" } else { " boringtun's JNI did not build here." };
    let mut table = Table::new(
        "On the JVM, nanoseconds a packet",
        format!(
            "One peer, one thread, batches of 64 through `PacketEngine` in slots of 2048 bytes. `for phones`: the library \
             as `android/native.sh` optimises it, for size (profile `mobile`); the other is built as the Rust program is. \
             boringtun: a call for each packet, which copies it out of an array. Only the calls are timed. A billion \
             divided by the figure is packets in a second. In brackets the speed in terms of the same call from \
             Rust.{missing}"
        ),
        &["seal 64 B", "open 64 B", "seal 1420 B", "open 1420 B"],
    );
    let (mut names, mut cells) = (Vec::new(), Vec::new());
    for len in SIZES {
        let crowd = Rc::new(RefCell::new(Crowd::new(1, DEFAULT_MTU)));
        // Each with the place of whom it is compared with.
        let mut everyone = vec![
            (0, Contestant::Here(Box::new(Ours::new("Underpass, batches of 64,", &crowd, Manner::Batch, len)))),
            (0, Contestant::There { name: "Underpass, feed mode on the JVM", jvm: &fast, word: "feed", len }),
            (0, Contestant::There { name: "Underpass, feed mode, for phones", jvm: &small, word: "feed", len }),
            (3, Contestant::Here(Box::new(Boringtun::new(len)))),
        ];
        if boringtun.is_some() {
            everyone.push((3, Contestant::There { name: "boringtun's JNI", jvm: &fast, word: "boringtun", len }));
        }
        for (_, contestant) in &mut everyone {
            if let Contestant::There { .. } = contestant {
                contestant.turn(WARM)?;
            }
        }
        names = everyone.iter().map(|(_, contestant)| contestant.name()).collect();
        // Some milliseconds for each turn, so that waking the other process does not count.
        let flights = (32_768 / len).clamp(8, 128);
        let mut failed = None;
        let samples = contest(everyone.len(), effort.pick(40, 300), |number| {
            everyone[number].1.turn(flights).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                [f64::NAN; 2]
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        for samples in samples {
            let in_terms = |(own, (other, _)): (&Vec<f64>, &(usize, _))| cell(own, Some(&samples[*other]));
            cells.push(samples.iter().zip(&everyone).map(in_terms).collect::<Vec<_>>());
        }
    }
    for (contestant, name) in names.iter().enumerate() {
        table.row(name, cells.iter().map(|column| column.get(contestant).copied()).collect());
    }
    Ok(vec![table, calls(&fast, effort)?])
}

/// What a call costs that does next to nothing.
fn calls(jvm: &RefCell<Jvm>, effort: Effort) -> Result<Table> {
    let mut table = Table::new(
        "A call from the JVM, nanoseconds",
        "What crossing the boundary costs: a batch of no packets through JNI, and `dataPlaneId`, which answers with a number \
         of the tunnel, through uniffi. A library that carried packets through uniffi would pay the latter at least \
         once for each packet.",
        &["a call"],
    );
    let question = format!("calls {CALLS}");
    let mut samples = [Vec::new(), Vec::new()];
    // The first are not compiled yet.
    for round in 0..effort.pick(20, 60) + 5 {
        let took = jvm.borrow_mut().ask(&question)?;
        if round >= 5 {
            for (samples, took) in samples.iter_mut().zip(took) {
                samples.push(took / CALLS as f64);
            }
        }
    }
    for (name, samples) in ["feed mode, an empty batch", "uniffi, a number"].into_iter().zip(&samples) {
        assert!(median(samples) > 0.0);
        table.row(name, vec![Some(cell(samples, None))]);
    }
    Ok(table)
}
