//! What was done to a log is found, and said.
use crate::place::{Place, added, at};
use std::fs;
use underpass_gateway::audit::verify::{Finding, Report, Second, verify};
use underpass_gateway::audit::{Recorder, Settings};

/// A log of 30 lines in one file, with checkpoints at 10, 20 and 30.
fn scene() -> Place {
    let place = Place::new();
    write(&place, |number| format!("user-{number}"));
    assert_eq!(place.verify(), Report { lines: 30, first: 1, last: 30, checkpoints: 3, covered: 30, findings: vec![] });
    place
}

/// Writes the log, line 1 of which begins the file; the others add the user that `user` says.
fn write(place: &Place, user: impl Fn(u64) -> String) {
    let mut recorder = Recorder::open(&one_file(place), at(0)).expect("it opens");
    for seq in 2..=30 {
        recorder.emit(at(0), added(&user(seq))).expect("recorded");
        if seq % 10 == 0 {
            recorder.checkpoint(at(0)).expect("noted");
        }
    }
}

fn one_file(place: &Place) -> Settings {
    Settings { rotate_at: u64::MAX, ..place.settings() }
}

/// Changes the lines of the log, and gives what is found with and without checkpoints.
fn tamper(change: impl FnOnce(&mut Vec<String>)) -> (Vec<Finding>, Vec<Finding>) {
    let place = scene();
    Place::edit(&place.files()[0], |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        lines.iter().map(|line| format!("{line}\n")).collect()
    });
    (place.verify().findings, place.verify_alone().findings)
}

/// What is found both with and without checkpoints.
fn found(change: impl FnOnce(&mut Vec<String>)) -> Vec<Finding> {
    let (with, without) = tamper(change);
    assert_eq!(with, without);
    with
}

#[test]
fn a_changed_line_is_found() {
    let changed = |seq| vec![Finding::Changed { seq }];
    assert_eq!(found(|lines| lines[6] = lines[6].replace("user-7", "user-x")), changed(7));
    assert_eq!(found(|lines| lines[6] = lines[6].replace("root", "r00t")), changed(7));
    assert_eq!(found(|lines| lines[6] = lines[6].replace("\"user\"", " \"user\"")), changed(7), "bytes count");
    assert_eq!(found(|lines| lines[0] = lines[0].replace("log.opened", "log.openef")), changed(1));
    assert_eq!(found(|lines| lines[29] = lines[29].replace("user-30", "user-31")), changed(30));
    let two = |lines: &mut Vec<String>| {
        lines[6] = lines[6].replace("user-7", "user-x");
        lines[7] = lines[7].replace("user-8", "user-y");
    };
    assert_eq!(found(two), [Finding::Changed { seq: 7 }, Finding::Changed { seq: 8 }]);
}

#[test]
fn a_changed_hash_is_found_at_its_own_line() {
    let flip = |line: &mut String| {
        let at = line.len() - 3;
        let digit = if line.as_bytes()[at] == b'0' { "1" } else { "0" };
        line.replace_range(at..=at, digit);
    };
    assert_eq!(found(|lines| flip(&mut lines[6])), [Finding::Changed { seq: 7 }]);
    let (with, without) = tamper(|lines| flip(&mut lines[29]));
    assert_eq!(without, [Finding::Changed { seq: 30 }]);
    assert_eq!(with, [Finding::Changed { seq: 30 }, Finding::Rewritten { after: 20, seq: 30 }]);
}

#[test]
fn removed_lines_are_found() {
    assert_eq!(found(|lines| drop(lines.remove(6))), [Finding::Removed { first: 7, last: 7 }]);
    assert_eq!(found(|lines| drop(lines.drain(6..9))), [Finding::Removed { first: 7, last: 9 }]);
    assert_eq!(found(|lines| drop(lines.drain(..4))), [Finding::HeadMissing { first: 5 }]);
    assert_eq!(found(|lines| lines[6] = "{}".into()).len(), 2, "a line that is none, where one is missing");
}

#[test]
fn lines_in_other_places_are_found() {
    assert_eq!(found(|lines| lines.swap(6, 7)), [Finding::Reordered { seq: 7 },]);
    let moved = |lines: &mut Vec<String>| {
        let line = lines.remove(6);
        lines.insert(20, line);
    };
    assert_eq!(found(moved), [Finding::Reordered { seq: 7 }]);
    assert_eq!(found(|lines| lines.insert(7, lines[6].clone())), [Finding::Repeated { seq: 7 }]);
    let inserted = |lines: &mut Vec<String>| {
        let mut line = lines[6].replace("user-7", "mallory");
        line = line.replace("\"seq\":7", "\"seq\":31");
        lines.push(line);
    };
    assert_eq!(found(inserted), [Finding::Changed { seq: 31 }], "a line that was made up");
}

#[test]
fn a_cut_tail_is_found_by_checkpoints() {
    let cut = |keep: usize| tamper(|lines| lines.truncate(keep));
    assert_eq!(cut(25), (vec![Finding::Cut { last: 25, was: 30 }], vec![]));
    assert_eq!(cut(0), (vec![Finding::Cut { last: 0, was: 30 }], vec![]));
    let place = scene();
    fs::remove_file(&place.files()[0]).expect("the file");
    assert_eq!(place.verify().findings, [Finding::Cut { last: 0, was: 30 }]);
}

#[test]
fn a_cut_within_a_line_is_found_without_checkpoints() {
    let place = scene();
    Place::edit(&place.files()[0], |text| text[..text.len() - 40].to_owned());
    assert!(matches!(place.verify_alone().findings[..], [Finding::Torn { .. }]));
    assert!(matches!(place.verify().findings[..], [Finding::Torn { .. }, Finding::Cut { last: 29, was: 30 }]));
}

#[test]
fn a_log_that_was_written_anew_is_found_by_checkpoints() {
    for (from, after, seq) in [(2, 0, 10), (11, 10, 20), (15, 10, 20), (30, 20, 30)] {
        let place = scene();
        let other = Place::new();
        // The same lines up to there, and others from there on: a chain without a fault.
        write(&other, |number| if number < from { format!("user-{number}") } else { format!("nobody-{number}") });
        fs::copy(&other.files()[0], &place.files()[0]).expect("the file");
        assert_eq!(place.verify_alone().findings, [], "in itself it is consistent");
        let report = place.verify();
        assert_eq!(report.findings, [Finding::Rewritten { after, seq }], "from line {from} on");
        assert_eq!(report.covered, after);
    }
}

#[test]
fn checkpoints_that_were_tampered_with_are_found() {
    let edit = |change: fn(&mut Vec<&str>)| {
        let place = scene();
        Place::edit(&place.checkpoints(), |text| {
            let mut lines = text.lines().collect();
            change(&mut lines);
            lines.iter().map(|line| format!("{line}\n")).collect()
        });
        place.verify()
    };
    assert_eq!(edit(|lines| assert!(!lines.remove(1).is_empty())).findings, [Finding::CheckpointsMissing { after: 1 }]);
    assert_eq!(edit(|lines| assert!(!lines.remove(0).is_empty())).findings, [Finding::CheckpointsMissing { after: 0 }]);
    let changed = edit(|lines| lines[2] = "{}");
    assert_eq!((changed.findings, changed.covered), (vec![Finding::NoCheckpoint { line: 3 }], 20));
    let place = scene();
    Place::edit(&place.checkpoints(), |text| text.replace("\"seq\":30", "\"seq\":29"));
    assert_eq!(place.verify().findings, [Finding::NoCheckpoint { line: 3 }], "the signature is over the number");
    let (place, other) = (scene(), scene());
    let second = Second { path: &place.checkpoints(), key: &other.key() };
    let report = verify(&place.folder(), Some(second)).expect("a report");
    assert_eq!((report.findings.len(), report.checkpoints, report.covered), (3, 0, 0), "none is of this key");
}

#[test]
fn a_log_that_was_torn_to_pieces_ends_in_a_bounded_report() {
    let place = scene();
    Place::edit(&place.files()[0], |text| {
        let lines: Vec<_> = text.lines().collect();
        (0..3000).map(|number| format!("{}\n{number}\n", lines[number % 7 * 3])).collect::<String>()
            + &"x".repeat(100_000)
    });
    let findings = place.verify().findings;
    assert!(findings.len() <= 1001 && matches!(findings.last(), Some(Finding::More { .. })), "{}", findings.len());
}
