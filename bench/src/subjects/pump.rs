//! CPU of the pump beside the Linux host: a Kotlin program with a TUN, and the daemon, against the same server.
use super::field::daemon::{Contestant, cpu_seconds, cpu_seconds_of};
use super::field::load::tcp;
use super::jvm::library;
use crate::figures::{Cell, Table};
use crate::harness::{self, Effort, cell};
use anyhow::Result;
use std::time::Duration;
use underpass_interop::scenery::Wire;
use underpass_interop::{Device, Machine, Phone, Stage, answers};

const LEFT: [u8; 4] = [10, 9, 0, 1];
const RIGHT: [u8; 4] = [10, 9, 0, 2];
const NAMES: [&str; 2] = ["Underpass, Linux host", "Underpass, pump on the JVM"];
const COLUMNS: [&str; 4] = ["upload, CPU s/GB", "download, CPU s/GB", "upload, Gbit/s", "download, Gbit/s"];

/// CPU seconds of a gigabyte.
pub fn pump(effort: Effort) -> Result<Table> {
    let library = library("mobile")?;
    let samples = harness::play::<4>(NAMES.len(), effort.pick(1, 5), |contestant| {
        let stage = Stage::new().expect("measuring end to end needs root");
        let outcome = if contestant == 0 { host(&stage, effort) } else { phone(&stage, &library, effort) };
        outcome.unwrap_or_else(|error| panic!("{}: {error:#}\n{}", NAMES[contestant], stage.journal()))
    });
    let mut table = Table::new(
        "The pump: CPU of a gigabyte",
        "One TCP stream to the Linux host on another machine, and one from it, over a virtual wire, everything on this \
         machine's CPUs. CPU is that of the whole program that carries the tunnel (the JVM around the pump included), in the \
         kernel on its behalf too. The pump is built as for phones (profile `mobile`) and has what Android gives: a TUN with one \
         packet for each read and write. The host's TUN takes and gives many at once. In brackets: in terms of the host, \
         and the spread of the rounds.",
        &COLUMNS,
    );
    for (number, name) in NAMES.iter().enumerate() {
        let against = |samples: &Vec<Vec<f64>>| {
            let inverse = cell(&samples[number], Some(&samples[0]));
            Some(Cell { ratio: inverse.ratio.map(|ratio| 1.0 / ratio), ..inverse })
        };
        table.row(*name, samples.iter().map(against).collect());
    }
    Ok(table)
}

/// The server, which knows whoever has the key.
fn server(wire: &Wire, peer: &str) -> Result<Device> {
    let server = Contestant::underpass()?.start(&wire.right)?;
    server.bring_up(&["10.9.0.2/24"], "ListenPort = 51820", peer)?;
    Ok(server)
}

fn known(server: &Device) -> String {
    format!("{}Endpoint = 192.0.2.2:51820\n", server.as_peer("10.9.0.2/32"))
}

fn host(stage: &Stage, effort: Effort) -> Result<[f64; 4]> {
    let wire = Wire::new(stage)?;
    let host = Contestant::underpass()?.start(&wire.left)?;
    let server = server(&wire, &host.as_peer("10.9.0.1/32"))?;
    host.bring_up(&["10.9.0.1/24"], "", &known(&server))?;
    both_ways(&wire, effort, &|| cpu_seconds(&host))
}

fn phone(stage: &Stage, library: &std::path::Path, effort: Effort) -> Result<[f64; 4]> {
    let wire = Wire::new(stage)?;
    let mut phone = Phone::start_with(library, &wire.left, &["10.9.0.1/24"])?;
    let server = server(&wire, &phone.as_peer("10.9.0.1/32"))?;
    phone.carry(&known(&server))?;
    let program = phone.program.pid();
    both_ways(&wire, effort, &|| cpu_seconds_of(program))
}

/// Upload and download: CPU seconds a gigabyte, then gigabits a second.
fn both_ways(wire: &Wire, effort: Effort, cpu: &dyn Fn() -> Result<f64>) -> Result<[f64; 4]> {
    answers(&wire.left, "10.9.0.2")?;
    let time = effort.pick(Duration::from_secs(1), Duration::from_secs(4));
    let stream = |from: &Machine, to: &Machine, address: [u8; 4]| -> Result<[f64; 2]> {
        let (bytes, took, used) = tcp(from, to, address, 1, || {
            let before = cpu()?;
            std::thread::sleep(time);
            Ok(cpu()? - before)
        })?;
        Ok([used / (bytes * 1e-9), bytes * 8e-9 / took.as_secs_f64()])
    };
    let [up, fast_up] = stream(&wire.left, &wire.right, RIGHT)?;
    let [down, fast_down] = stream(&wire.right, &wire.left, LEFT)?;
    Ok([up, down, fast_up, fast_down])
}
