//! Every file of the corpus, and mutations of them from fixed seeds: what fuzzing found once stays found.
use std::path::Path;
use underpass_fuzz::mutate::{Chance, mutated};
use underpass_fuzz::{TARGETS, Target};

/// The files of a target's corpus, in the order of their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("the folder can be read").path();
            (path.file_name().expect("a name").to_string_lossy().into_owned(), std::fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|(known, _)| *known == name).expect("a target")
}

/// Runs `input`, and on a fault says which it was, so that it can be kept.
fn run((name, body): Target, input: &[u8], what: &str) {
    let outcome = std::panic::catch_unwind(|| body(input));
    assert!(outcome.is_ok(), "{name}: {what} fails: {}", hex::encode(input));
}

fn replay(name: &str) {
    let files = corpus(name);
    assert!(files.len() >= 4, "{name} has a corpus");
    for (file, input) in files {
        run(target(name), &input, &file);
    }
}

/// `count` mutations, the same in every run.
fn survive(name: &str, count: u64) {
    let files = corpus(name);
    for seed in 0..count {
        let mut chance = Chance::new(seed);
        let (file, input) = &files[chance.below(files.len())];
        let (_, other) = &files[chance.below(files.len())];
        run(target(name), &mutated(input, other, &mut chance), &format!("mutation {seed}, of {file},"));
    }
}

#[test]
fn every_target_replays_its_corpus() {
    for (name, _) in TARGETS {
        replay(name);
    }
}

#[test]
fn the_corpus_is_small_and_has_no_strangers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(TARGETS.iter().any(|(known, _)| *known == name), "{name} is the corpus of no target");
        let bytes: usize = corpus(&name).iter().map(|(_, input)| input.len()).sum();
        assert!(bytes < 1 << 20, "the corpus of {name} has {bytes} bytes");
    }
}

#[test]
fn c_api_survives_mutations() {
    survive("c_api", 300);
}

#[test]
fn config_survives_mutations() {
    survive("config", 4000);
}

#[test]
fn control_survives_mutations() {
    survive("control", 6000);
}

#[test]
fn datagram_survives_mutations() {
    survive("datagram", 2000);
}

#[test]
fn filter_survives_mutations() {
    survive("filter", 20_000);
}

#[test]
fn packet_survives_mutations() {
    survive("packet", 20_000);
}

#[test]
fn tunnel_ops_survives_mutations() {
    survive("tunnel_ops", 1500);
}

#[test]
fn uapi_survives_mutations() {
    survive("uapi", 4000);
}

#[test]
fn wire_survives_mutations() {
    survive("wire", 20_000);
}
