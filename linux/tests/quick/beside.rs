//! `underpass up` and `down` beside `wg-quick up` and `down` of Debian: what they leave on the machine, how they end, and
//! what the commands of the configuration see. What is different on purpose stands in linux/README.md.
use crate::corpus::{BAD, DIFFERENT, GOOD};
use crate::premises::Firewall::{self, Iptables, Nft};
use crate::premises::{NAME, PATIENCE, Premises, UNDERPASS};
use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use underpass_linux::demo::stage::Finished;

/// The public key of nobody, the second peer's.
const OTHER: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
/// Alice's public key, whose private key the interface has.
const OWN: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

/// What came of one program with one file.
struct Outcome {
    /// Whether it ended well: the numbers of other endings are told in linux/README.md.
    up: String,
    while_up: String,
    tunnel: String,
    down: String,
    after: String,
    noted: String,
    /// What it complained, for whoever reads of a difference.
    said: String,
}

#[derive(Clone, Copy, Debug)]
enum Program {
    Underpass,
    WgQuick,
}

fn run(premises: &Premises, program: Program, verb: &str, file: &str) -> Result<Finished> {
    let (name, arguments) = match program {
        Program::Underpass => (UNDERPASS, [verb, file]),
        Program::WgQuick => ("wg-quick", [verb, file]),
    };
    let mut command = premises.command(name);
    command.args(arguments).env("WG_QUICK_USERSPACE_IMPLEMENTATION", UNDERPASS);
    premises.machine.start(command)?.wait(PATIENCE)
}

/// How the machine is, once it has settled; `likely` is how it will be.
fn state(premises: &Premises, likely: &str) -> Result<String> {
    let now = without_record(&premises.snapshot()?);
    if now == likely { Ok(now) } else { premises.settled().map(|text| without_record(&text)) }
}

/// Without our own record, which wg-quick does not have, and in an order of its own: that of what is dropped says nothing, and
/// rules carry their places.
fn without_record(text: &str) -> String {
    let mut lines: Vec<_> =
        text.lines().filter(|line| !line.starts_with("state: ") && !line.starts_with("name servers: ")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// What comes of `program` with `file`; `likely` is how the machine will be meanwhile and afterwards.
fn outcome(premises: &Premises, program: Program, file: &str, likely: (&str, &str)) -> Result<Outcome> {
    let _ = fs::remove_file(premises.path("notes"));
    let up = run(premises, program, "up", file)?;
    let while_up = state(premises, likely.0)?;
    let tunnel = premises.machine.try_run("wg", &["showconf", NAME])?.stdout;
    let (mut down, mut said) = (String::new(), up.stderr.clone());
    if up.status.success() {
        let finished = run(premises, program, "down", file)?;
        down = finished.status.success().to_string();
        said += &finished.stderr;
    }
    premises.comes_to_rest(0)?;
    let after = state(premises, likely.1)?;
    let noted = fs::read_to_string(premises.path("notes")).unwrap_or_default();
    // The port is any where none is given.
    let tunnel = tunnel.lines().filter(|line| !line.starts_with("ListenPort")).collect::<Vec<_>>().join("\n");
    Ok(Outcome { up: up.status.success().to_string(), while_up, tunnel, down, after, noted, said })
}

fn compare(premises: &Premises, line: &str) -> Result<Vec<String>> {
    let (interface, peer) = line.rsplit_once('|').expect("every line has a bar");
    let lines = |text: &str| text.split(" / ").map(str::trim).collect::<Vec<_>>().join("\n");
    let peer = lines(peer)
        .replace("PublicKey = K", &format!("PublicKey = {OTHER}"))
        .replace("PublicKey = I", &format!("PublicKey = {OWN}"));
    let file = premises.config(&lines(interface), &peer)?;
    let before = without_record(&premises.before);
    let theirs = outcome(premises, Program::WgQuick, &file, (&before, &before))?;
    let ours = outcome(premises, Program::Underpass, &file, (&theirs.while_up, &theirs.after))?;
    let fields = [
        ("up", theirs.up, ours.up),
        ("machine while up", theirs.while_up, ours.while_up),
        ("tunnel", theirs.tunnel, ours.tunnel),
        ("down", theirs.down, ours.down),
        ("machine after down", theirs.after, ours.after),
        ("notes of commands", theirs.noted, ours.noted),
    ];
    let different = fields.iter().filter(|(_, theirs, ours)| theirs != ours);
    let mut differences: Vec<_> =
        different.map(|(title, theirs, ours)| format!("{title}:\n{}", lines_apart(theirs, ours))).collect();
    if !differences.is_empty() {
        differences.insert(0, format!("=== {line}\nwg-quick says: {}\nunderpass says: {}", theirs.said, ours.said));
    }
    Ok(differences)
}

/// The lines that only one of two texts has.
fn lines_apart(theirs: &str, ours: &str) -> String {
    let only = |sign: char, text: &str, other: &str| -> String {
        text.lines()
            .filter(|line| !other.lines().any(|found| found == *line))
            .map(|line| format!("{sign} {line}\n"))
            .collect()
    };
    only('-', theirs, ours) + &only('+', ours, theirs)
}

fn compare_all(firewall: Firewall, lines: &[&str]) -> Result<()> {
    ensure!(Path::new("/usr/bin/wg-quick").exists(), "wg-quick is missing: run tests/setup.sh");
    let premises = Premises::new(firewall)?;
    premises.program("note", &format!("echo \"$@\" >> {}\n", premises.path("notes").display()))?;
    let mut differences = Vec::new();
    for line in lines {
        differences.extend(compare(&premises, line)?);
    }
    ensure!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    Ok(())
}

#[test]
fn the_corpus_is_as_large_as_it_says() {
    assert!(GOOD.len() >= 80 && BAD.len() >= 20, "{} and {}", GOOD.len(), BAD.len());
}

#[test]
fn files_that_are_right_have_the_same_effect_as_by_wg_quick() -> Result<()> {
    compare_all(Nft, &GOOD[..GOOD.len() / 2])
}

#[test]
fn more_files_that_are_right_have_the_same_effect_as_by_wg_quick() -> Result<()> {
    compare_all(Nft, &GOOD[GOOD.len() / 2..])
}

#[test]
fn files_that_are_faulty_have_the_same_effect_as_by_wg_quick() -> Result<()> {
    compare_all(Nft, BAD)
}

#[test]
fn what_is_different_on_purpose_is_different() -> Result<()> {
    let premises = Premises::new(Nft)?;
    for line in DIFFERENT {
        ensure!(!compare(&premises, line)?.is_empty(), "{line}");
    }
    Ok(())
}

#[test]
fn without_nft_everything_has_the_same_effect_as_by_wg_quick() -> Result<()> {
    compare_all(Iptables, &GOOD[..20])
}
