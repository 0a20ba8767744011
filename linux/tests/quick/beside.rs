//! `underpass up` and `down` beside `wg-quick up` and `down`, the machine's own and the newest that Debian has: what they leave on
//! the machine, how they end, and what the commands of the configuration see. What is different on purpose stands in
//! linux/README.md.
use crate::corpus::{BAD, DIFFERENT, GOOD, LIKE_NEWEST};
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
#[derive(Clone)]
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

/// Where `tests/wireguard_tools.sh` has put the newest.
const NEWEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/wireguard-tools/bin/wg-quick");

#[derive(Clone, Copy, Debug)]
enum Program {
    Underpass,
    /// wg-quick of the machine's Debian, which is the oldest that is in use.
    Oldest,
    Newest,
}

/// Every wg-quick.
const BOTH: &[Program] = &[Program::Oldest, Program::Newest];

impl Program {
    const fn path(self) -> &'static str {
        match self {
            Self::Underpass => UNDERPASS,
            Self::Oldest => "/usr/bin/wg-quick",
            Self::Newest => NEWEST,
        }
    }
}

fn run(premises: &Premises, program: Program, verb: &str, file: &str) -> Result<Finished> {
    let mut command = premises.command(program.path());
    command.args([verb, file]).env("WG_QUICK_USERSPACE_IMPLEMENTATION", UNDERPASS);
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

/// What is different by `others` and by us, of the file that `line` stands for.
fn compare(premises: &Premises, line: &str, others: &[Program]) -> Result<Vec<String>> {
    let (interface, peer) = line.rsplit_once('|').expect("every line has a bar");
    let lines = |text: &str| text.split(" / ").map(str::trim).collect::<Vec<_>>().join("\n");
    let peer = lines(peer)
        .replace("PublicKey = K", &format!("PublicKey = {OTHER}"))
        .replace("PublicKey = I", &format!("PublicKey = {OWN}"));
    let file = premises.config(&lines(interface), &peer)?;
    let before = without_record(&premises.before);
    let mut likely = (before.clone(), before);
    let mut all = Vec::new();
    for program in others.iter().chain(&[Program::Underpass]) {
        let outcome = outcome(premises, *program, &file, (&likely.0, &likely.1))?;
        likely = (outcome.while_up.clone(), outcome.after.clone());
        all.push(outcome);
    }
    let ours = all.pop().expect("our own");
    let differences = others.iter().zip(&all).flat_map(|(other, theirs)| differences(line, *other, theirs, &ours));
    Ok(differences.collect())
}

fn differences(line: &str, other: Program, theirs: &Outcome, ours: &Outcome) -> Vec<String> {
    let fields = [
        ("up", &theirs.up, &ours.up),
        ("machine while up", &theirs.while_up, &ours.while_up),
        ("tunnel", &theirs.tunnel, &ours.tunnel),
        ("down", &theirs.down, &ours.down),
        ("machine after down", &theirs.after, &ours.after),
        ("notes of commands", &theirs.noted, &ours.noted),
    ];
    let different = fields.iter().filter(|(_, theirs, ours)| theirs != ours);
    let mut differences: Vec<_> =
        different.map(|(title, theirs, ours)| format!("{title}:\n{}", lines_apart(theirs, ours))).collect();
    if !differences.is_empty() {
        let said = format!("=== {line}\n{other:?} wg-quick says: {}\nunderpass says: {}", theirs.said, ours.said);
        differences.insert(0, said);
    }
    differences
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

fn premises(firewall: Firewall) -> Result<Premises> {
    for program in [Program::Oldest, Program::Newest] {
        ensure!(Path::new(program.path()).exists(), "{} is missing: run tests/setup.sh", program.path());
    }
    let mut premises = Premises::new(firewall)?;
    // A way that takes shorter datagrams than others.
    premises.machine.ip("route add 198.51.100.0/24 dev lo mtu 1300")?;
    premises.before = premises.snapshot()?;
    premises.program("note", &format!("echo \"$@\" >> {}\n", premises.path("notes").display()))?;
    Ok(premises)
}

fn compare_all(firewall: Firewall, lines: &[&str], others: &[Program]) -> Result<()> {
    let premises = premises(firewall)?;
    let mut differences = Vec::new();
    for line in lines {
        differences.extend(compare(&premises, line, others)?);
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
    compare_all(Nft, &GOOD[..GOOD.len() / 2], BOTH)
}

#[test]
fn more_files_that_are_right_have_the_same_effect_as_by_wg_quick() -> Result<()> {
    compare_all(Nft, &GOOD[GOOD.len() / 2..], BOTH)
}

#[test]
fn files_that_are_faulty_have_the_same_effect_as_by_wg_quick() -> Result<()> {
    compare_all(Nft, BAD, BOTH)
}

#[test]
fn what_is_different_on_purpose_is_different() -> Result<()> {
    let premises = premises(Nft)?;
    for (line, other) in DIFFERENT.iter().flat_map(|line| BOTH.iter().map(move |other| (line, other))) {
        ensure!(!compare(&premises, line, &[*other])?.is_empty(), "{line}: {other:?}");
    }
    Ok(())
}

/// Where the two are of two minds, we are with the newest.
#[test]
fn where_they_differ_the_effect_is_that_of_the_newest() -> Result<()> {
    compare_all(Nft, LIKE_NEWEST, &[Program::Newest])?;
    let premises = premises(Nft)?;
    for line in LIKE_NEWEST {
        ensure!(!compare(&premises, line, &[Program::Oldest])?.is_empty(), "they do not differ any more: {line}");
    }
    Ok(())
}

#[test]
fn without_nft_everything_has_the_same_effect_as_by_wg_quick() -> Result<()> {
    compare_all(Iptables, &GOOD[..20], BOTH)
}
