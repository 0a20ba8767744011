//! End to end: two daemons in two network namespaces with a wire between them, real packets through real TUN devices.
pub(super) mod daemon;
pub(super) mod load;

use crate::figures::{Cell, Table};
use crate::harness::{self, Effort, cell, quantile};
use anyhow::Result;
use daemon::{Contestant, contestants, cpu_seconds, peak_memory};
use load::{Packets, pings, tcp};
use std::time::Duration;
use underpass_interop::scenery::{Pair, Wire};
use underpass_interop::{Machine, Stage};

const RIGHT: [u8; 4] = [10, 9, 0, 2];
const RIGHT_NAME: &str = "10.9.0.2";
/// The part of UDP packets that may be lost at a rate that counts.
const LOSS: f64 = 0.005;
/// Where the search for that rate begins, in packets a second.
const SLOW: f64 = 20_000.0;

/// The figures of one turn.
const FIGURES: usize = 11;
const COLUMNS: [&str; FIGURES] = [
    "TCP 1 stream, Gbit/s",
    "TCP 8 streams, Gbit/s",
    "CPU s/GB, 1 stream",
    "CPU s/GB, 8 streams",
    "UDP 64 B, packets/s",
    "UDP 1400 B, packets/s",
    "CPU µs/packet, 64 B",
    "CPU µs/packet, 1400 B",
    "ping idle, µs",
    "ping loaded, µs",
    "peak memory, MB",
];

/// All of it, in two tables; of a quick run of all subjects, only the two that matter most.
pub fn field(effort: Effort, only_this: bool) -> Result<Vec<Table>> {
    let (mut contestants, missing) = contestants()?;
    if effort == Effort::Quick && !only_this {
        contestants.truncate(2);
    }
    let samples = harness::play::<FIGURES>(contestants.len(), effort.pick(1, 3), |contestant| {
        let contestant = &contestants[contestant];
        let stage = Stage::new().expect("measuring end to end needs root");
        turn(&stage, contestant, effort).unwrap_or_else(|error| {
            let story = format!("{}: {error:#}\n{}", contestant.name, stage.journal());
            assert!(contestant.name != "Underpass", "{story}");
            // What another daemon cannot do is no figure of its, and stops nobody else.
            eprintln!("{story}");
            [f64::NAN; FIGURES]
        })
    });
    let note = format!(
        "Two daemons with a thread for each CPU, a virtual wire between them, everything on this machine's CPUs, the \
         load included. CPU is that of both daemons. UDP: the highest rate of packets (of so many bytes, headers \
         included, no segmentation offload asked for) of which at most 0.5 % are lost. `ping loaded`: beside eight TCP \
         streams. Peak memory: the larger of both. In brackets: in terms of the newest wireguard-go, and the spread of \
         the rounds.{}",
        if missing.is_empty() { String::new() } else { format!(" Not installed: {}.", missing.join(", ")) }
    );
    let tables = [
        ("End to end: TCP and memory", [0, 1, 2, 3, 10].as_slice()),
        ("End to end: UDP and pings", &[4, 5, 6, 7, 8, 9]),
    ];
    Ok(tables
        .into_iter()
        .map(|(title, figures)| {
            let columns: Vec<&str> = figures.iter().map(|figure| COLUMNS[*figure]).collect();
            let mut table = Table::new(title, &note, &columns);
            for (number, contestant) in contestants.iter().enumerate() {
                let cells = figures.iter().map(|figure| Some(against(&samples[*figure], number)));
                let cells = cells.map(|cell| cell.filter(|cell| cell.value.is_finite()));
                table.row(contestant.name, cells.collect());
            }
            table
        })
        .collect())
}

/// A figure of one contestant in terms of the first.
fn against(samples: &[Vec<f64>], number: usize) -> Cell {
    let inverse = cell(&samples[number], Some(&samples[0]));
    Cell { ratio: inverse.ratio.map(|ratio| 1.0 / ratio), ..inverse }
}

/// One turn of one contestant: a fresh pair of daemons.
fn turn(stage: &Stage, contestant: &Contestant, effort: Effort) -> Result<[f64; FIGURES]> {
    let wire = Wire::new(stage)?;
    let pair = Pair { left: contestant.start(&wire.left)?, right: contestant.start(&wire.right)?, wire };
    pair.introduce("192.0.2.2:51820", None)?;
    pair.ping()?;
    let Wire { left, right } = &pair.wire;
    let cpu = || Ok(cpu_seconds(&pair.left)? + cpu_seconds(&pair.right)?);

    let idle = pings(left, RIGHT_NAME, effort.pick(50, 200), "0.01")?;
    let time = effort.pick(Duration::from_millis(1000), Duration::from_secs(4));
    let (one, one_cost, ()) = stream(left, right, 1, &cpu, || {
        std::thread::sleep(time);
        Ok(())
    })?;
    let (many, many_cost, loaded) =
        stream(left, right, 8, &cpu, || pings(left, RIGHT_NAME, effort.pick(50, 200), "0.02"))?;
    let (small, small_cost) = packets(left, right, 64, effort, &cpu)?;
    let (large, large_cost) = packets(left, right, 1400, effort, &cpu)?;
    let memory = peak_memory(&pair.left)?.max(peak_memory(&pair.right)?) / 1e6;
    Ok([
        one,
        many,
        one_cost,
        many_cost,
        small,
        large,
        small_cost,
        large_cost,
        quantile(&idle, 0.5),
        quantile(&loaded, 0.5),
        memory,
    ])
}

/// TCP: gigabits a second, CPU seconds a gigabyte, and what `during` brought.
fn stream<T>(
    left: &Machine,
    right: &Machine,
    streams: usize,
    cpu: &dyn Fn() -> Result<f64>,
    during: impl FnOnce() -> Result<T>,
) -> Result<(f64, f64, T)> {
    let (bytes, took, (used, outcome)) = tcp(left, right, RIGHT, streams, || {
        let before = cpu()?;
        let outcome = during()?;
        Ok((cpu()? - before, outcome))
    })?;
    Ok((bytes * 8e-9 / took.as_secs_f64(), used / (bytes * 1e-9), outcome))
}

/// UDP: the highest rate that hardly loses, and the microseconds of CPU of a packet at that rate.
fn packets(
    left: &Machine,
    right: &Machine,
    len: usize,
    effort: Effort,
    cpu: &dyn Fn() -> Result<f64>,
) -> Result<(f64, f64)> {
    let sockets = Packets::new(left, right, RIGHT, len)?;
    let time = effort.pick(Duration::from_millis(300), Duration::from_millis(600));
    let mut best = (0.0, f64::NAN);
    let mut attempt = |rate: f64| -> Result<bool> {
        let before = cpu()?;
        let step = sockets.step(rate, time)?;
        let used = cpu()? - before;
        let kept_pace = step.sent as f64 >= 0.95 * rate * step.took.as_secs_f64();
        let well = step.loss() <= LOSS;
        if well && step.rate() > best.0 {
            best = (step.rate(), used * 1e6 / step.arrived.max(1) as f64);
        }
        Ok(well && kept_pace)
    };
    let mut rate = SLOW;
    while attempt(rate)? {
        rate *= 1.6;
    }
    let (mut low, mut high) = (rate / 1.6, rate);
    for _ in 0..effort.pick(2, 4) {
        let middle = (low + high) / 2.0;
        if attempt(middle)? { low = middle } else { high = middle }
    }
    Ok(best)
}
