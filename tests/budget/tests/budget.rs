//! What the core adds to the bare cryptography, in instructions: the one figure of speed that every machine agrees on.
//!
//! The cipher picks its code by the CPU, so its instructions, counted in the same run, are taken off.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Hundredths by which a figure may exceed its budget: compilers differ.
const SLACK: u64 = 5;

/// A line of `budget.txt`.
struct Line {
    subject: String,
    bytes: String,
    budget: u64,
    /// The feature that the core is built with beside the default ones, or none.
    feature: String,
}

#[test]
fn the_core_stays_within_its_instructions() {
    let mut programs = BTreeMap::new();
    let mut over = Vec::new();
    println!("{:<10} {:>5} {:>9} {:>9} {:>9} {:>9} feature", "subject", "bytes", "whole", "raw", "core", "budget");
    for Line { subject, bytes, budget, feature } in budget() {
        let program = programs.entry(feature.clone()).or_insert_with(|| build(&feature));
        let whole = instructions(program, &subject, &bytes);
        let raw = instructions(program, &format!("raw-{subject}"), &bytes);
        let own = whole.checked_sub(raw).expect("the whole contains its cryptography");
        println!("{subject:<10} {bytes:>5} {whole:>9} {raw:>9} {own:>9} {budget:>9} {feature}");
        if own * 100 > budget * (100 + SLACK) {
            over.push(format!("{subject} {bytes} {feature}: {own} instructions, the budget is {budget}"));
        } else if own * 100 < budget * (100 - SLACK) {
            println!("{subject} {bytes} has become cheaper: its line in tests/budget/budget.txt may say {own}");
        }
    }
    assert!(over.is_empty(), "over budget (tests/budget/budget.txt):\n{}", over.join("\n"));
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn budget() -> Vec<Line> {
    let text = std::fs::read_to_string(folder().join("budget.txt")).expect("budget.txt");
    let lines: Vec<Line> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let mut word = || words.next().expect("a line is: subject, bytes, instructions");
            let (subject, bytes) = (word(), word());
            let budget = word().parse().expect("a number of instructions");
            Line { subject, bytes, budget, feature: words.next().unwrap_or_default() }
        })
        .collect();
    assert!(!lines.is_empty(), "budget.txt budgets nothing");
    lines
}

/// Builds the program under measurement as it is shipped: optimised. Programs with other features stand beside each other.
fn build(feature: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").expect("run by cargo");
    let output = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", "underpass-budget", "--message-format", "short"])
        .args(["--features", feature])
        .current_dir(folder())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // This test stands in <target>/debug/deps.
    let test = std::env::current_exe().expect("a test has a path");
    let target = test.ancestors().nth(3).expect("a test stands in the target folder");
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("underpass-budget.{feature}"));
    std::fs::copy(target.join("release/underpass-budget"), &own).expect("cargo has built it");
    own
}

/// Instructions for each unit of work of `subject`.
fn instructions(program: &Path, subject: &str, bytes: &str) -> u64 {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{subject}.{bytes}"));
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured_*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([subject, bytes])
        .output()
        .expect("valgrind counts the instructions: `make setup` installs it");
    assert!(run.status.success(), "{subject} {bytes}: {}", String::from_utf8_lossy(&run.stderr));
    let units: u64 = String::from_utf8_lossy(&run.stdout).trim().parse().expect("units of work");
    let profile = std::fs::read_to_string(&out).expect("callgrind wrote a profile");
    let total = profile.lines().find_map(|line| line.strip_prefix("summary: ")).expect("a profile has a sum");
    total.trim().parse::<u64>().expect("a number") / units
}
