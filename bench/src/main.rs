//! Underpass and its peers, side by side: `make bench` and `make bench-quick`.
mod figures;
mod harness;
mod heap;
mod machine;
mod parties;
mod report;
mod subjects;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use figures::Table;
use harness::{Effort, pinned};
use std::path::{Path, PathBuf};
use std::process::Command;
use subjects::{cores, day, handshakes, instructions, memory, packets, sizes, wakeups};

/// Measures Underpass beside its peers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Under two minutes instead of the figures of the documentation.
    #[arg(long)]
    quick: bool,
    /// Only these subjects: packets, boundary, jvm, crowds, handshakes, memory, engine, churn, wakeups, day, sizes, abis,
    /// cores, instructions, portable, field, pump, counted.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Prints the tables as JSON and nothing else.
    #[arg(long)]
    json: bool,
    /// Writes `benchmarks.md` and its pictures into this folder.
    #[arg(long)]
    docs: Option<PathBuf>,
    /// This program built with the portable backend.
    #[arg(long)]
    portable: Option<PathBuf>,
    /// Measures `counted` as well, which is left out otherwise unless it is named: half an hour.
    #[arg(long)]
    counted: bool,
    /// Plays contestant and packet size for an instruction counter.
    #[arg(long, num_args = 2, hide = true)]
    count: Vec<usize>,
}

impl Arguments {
    fn effort(&self) -> Effort {
        if self.quick { Effort::Quick } else { Effort::Full }
    }

    fn wants(&self, subject: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == subject)
    }

    /// What a person types for this run.
    fn typed(&self) -> String {
        let target = if self.quick { "make bench-quick" } else { "make bench" };
        if self.only.is_empty() { target.to_owned() } else { format!("{target} ONLY={}", self.only.join(",")) }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let [contestant, size] = arguments.count[..] {
        let mut parties = packets::everyone(size);
        instructions::play(parties.get_mut(contestant).context("no such contestant")?.as_mut());
        return Ok(());
    }
    let tables = measure(&arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&tables)?);
    }
    if let Some(docs) = &arguments.docs {
        report::write(docs, &machine::facts(&arguments.typed()), &tables)?;
        println!("written: {}", docs.join("benchmarks.md").display());
    }
    Ok(())
}

/// All that is wanted, one subject after the other, printed as it comes.
fn measure(arguments: &Arguments) -> Result<Vec<Table>> {
    let effort = arguments.effort();
    let mut tables: Vec<Table> = Vec::new();
    let mut keep = |subject: &str, run: &mut dyn FnMut() -> Result<Vec<Table>>| -> Result<()> {
        if !arguments.wants(subject) {
            return Ok(());
        }
        let started = std::time::Instant::now();
        let fresh = run().with_context(|| format!("measuring {subject}"))?;
        for table in fresh {
            if !arguments.json {
                println!("\n{}\n{}", table.title, table.render());
            }
            tables.push(table);
        }
        eprintln!("{subject}: {:.0} s", started.elapsed().as_secs_f64());
        Ok(())
    };
    keep("packets", &mut || pinned(|| packets::one_peer(effort)))?;
    #[cfg(feature = "boundary")]
    keep("boundary", &mut || pinned(|| vec![subjects::boundary::boundary(effort)]))?;
    #[cfg(feature = "phone")]
    keep("jvm", &mut || pinned(|| subjects::jvm::jvm(effort))?)?;
    keep("portable", &mut || portable(arguments))?;
    keep("instructions", &mut || {
        if effort == Effort::Quick && arguments.only.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = packets::everyone(64).iter().map(|party| party.name()).collect();
        instructions::instructions(&names).map(|table| vec![table])
    })?;
    keep("crowds", &mut || pinned(|| vec![packets::crowds(effort)]))?;
    keep("handshakes", &mut || pinned(|| vec![handshakes::handshakes(effort)]))?;
    keep("memory", &mut || pinned(|| vec![memory::heap(effort)]))?;
    #[cfg(feature = "phone")]
    keep("engine", &mut || subjects::engine::engine(effort).map(|table| vec![table]))?;
    keep("churn", &mut || pinned(|| vec![memory::churn(effort)]))?;
    keep("wakeups", &mut || pinned(|| vec![wakeups::wakeups(effort)]))?;
    keep("day", &mut || pinned(|| vec![day::day()]))?;
    keep("sizes", &mut || {
        // Minutes of building.
        if effort == Effort::Quick && arguments.only.is_empty() {
            return Ok(Vec::new());
        }
        sizes::sizes().map(|table| vec![table])
    })?;
    #[cfg(feature = "phone")]
    keep("abis", &mut || sizes::abis().map(|table| vec![table]))?;
    keep("cores", &mut || if arguments.json { Ok(vec![cores::cores(effort)]) } else { before_all_others(arguments) })?;
    #[cfg(feature = "field")]
    keep("field", &mut || subjects::field::field(effort, !arguments.only.is_empty()))?;
    #[cfg(feature = "phone")]
    keep("pump", &mut || subjects::pump::pump(effort).map(|table| vec![table]))?;
    #[cfg(feature = "phone")]
    if arguments.counted || !arguments.only.is_empty() {
        keep("counted", &mut || subjects::counted::counted(effort).map(|table| vec![table]))?;
    }
    Ok(tables)
}

/// The figures that depend on the backend, of the portable one: another build of this program takes them.
fn portable(arguments: &Arguments) -> Result<Vec<Table>> {
    let Some(program) = &arguments.portable else { return Ok(Vec::new()) };
    let mut tables = tables_of(&mut Command::new(program), "packets,handshakes", arguments.quick)?;
    tables.iter_mut().for_each(|table| table.title = format!("Portable backend: {}", table.title.to_lowercase()));
    Ok(tables)
}

/// Several threads that wait for each other measure their neighbours unless they go first: in a process of real-time
/// priority, where we may.
fn before_all_others(arguments: &Arguments) -> Result<Vec<Table>> {
    let ourselves = std::env::current_exe()?;
    let may = Command::new("chrt").args(["-f", "10", "true"]).status().is_ok_and(|status| status.success());
    let mut command = Command::new(if may { Path::new("chrt") } else { &ourselves });
    if may {
        command.args(["-f", "10"]).arg(&ourselves);
    }
    tables_of(&mut command, "cores", arguments.quick)
}

/// The tables of `subjects`, measured by another process of this program.
fn tables_of(command: &mut Command, subjects: &str, quick: bool) -> Result<Vec<Table>> {
    command.args(["--json", "--only", subjects]);
    if quick {
        command.arg("--quick");
    }
    let output = command.stderr(std::process::Stdio::inherit()).output().context("starting another process")?;
    ensure!(output.status.success(), "measuring {subjects} failed with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}
