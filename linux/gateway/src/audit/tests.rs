//! What becomes of events at each level.
use super::event::samples;
use super::*;
use crate::time::Time;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

fn settings(folder: &Path, level: Level) -> Settings {
    Settings {
        level,
        folder: folder.join("audit"),
        gateway: "gw".parse().expect("a name"),
        rotate_at: ROTATE_AT,
        checkpoints: Some((folder.join("key"), folder.join("checkpoints"))),
        syslog: Some(folder.join("syslog")),
    }
}

/// Records an event of each kind at `level`. Gives the lines, and the datagrams that the system's log got.
fn record_all(folder: &Path, level: Level) -> (Vec<serde_json::Value>, Vec<String>) {
    let syslog = UnixDatagram::bind(folder.join("syslog")).expect("a socket");
    syslog.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
    let mut datagrams = Vec::new();
    let mut recorder = Recorder::open(&settings(folder, level), Time::ZERO).expect("it opens");
    let mut collect = || {
        let mut bytes = [0; 65536];
        while let Ok(length) = syslog.recv(&mut bytes) {
            datagrams.push(String::from_utf8(bytes[..length].to_vec()).expect("text"));
        }
    };
    for event in samples() {
        recorder.emit(Time::ZERO, event).expect("recorded");
        collect();
    }
    recorder.checkpoint(Time::ZERO).expect("noted");
    recorder.sync().expect("synchronised");
    collect();
    let mut lines = Vec::new();
    if level != Level::None {
        let each = |_: &str, line: &serde_json::Value| {
            lines.push(line.clone());
            true
        };
        query::look_up(&folder.join("audit"), &query::Query::default(), each).expect("lines");
    }
    (lines, datagrams)
}

#[test]
fn each_level_has_its_kinds_and_each_line_its_fields() {
    for level in [Level::Minimal, Level::Audit, Level::Full] {
        let folder = tempfile::tempdir().expect("a folder");
        let (lines, datagrams) = record_all(folder.path(), level);
        let want: Vec<_> = KINDS.iter().filter(|kind| kind.level <= level).collect();
        // One more line begins the file.
        assert_eq!(lines.len(), want.len() + 1, "{level:?}");
        for (line, kind) in lines[1..].iter().zip(&want) {
            let fields: Vec<_> = line.as_object().expect("an object").keys().map(String::as_str).collect();
            let own = kind.fields.iter().map(|(field, _)| *field);
            let mut wanted: Vec<_> =
                ["seq", "time", "gateway", "event"].into_iter().chain(own).chain(["hash"]).collect();
            wanted.sort_unstable();
            assert_eq!((line["event"].as_str(), fields), (Some(kind.name), wanted));
        }
        // And one datagram more is the checkpoint.
        assert_eq!(datagrams.len(), want.len() + 1, "{level:?}");
        assert!(datagrams.iter().all(|datagram| datagram.starts_with("<85>underpass-audit[")));
    }
    assert!(KINDS.iter().any(|kind| kind.level == Level::Full) && KINDS.iter().any(|kind| kind.level == Level::Audit));
}

#[test]
fn at_level_none_nothing_is_made_and_nothing_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, datagrams) = record_all(folder.path(), Level::None);
    assert_eq!(datagrams, Vec::<String>::new());
    let entries = folder.path().read_dir().expect("the folder").map(|entry| entry.expect("an entry").file_name());
    assert_eq!(entries.collect::<Vec<_>>(), ["syslog"], "the socket of this test, and no other file");
}

#[test]
fn levels_have_their_words() {
    for level in Level::ALL {
        assert_eq!(level.word().parse(), Ok(level));
    }
    assert_eq!("All".parse::<Level>(), Err(level::BadLevel));
}

#[test]
fn what_syslog_loses_is_told_in_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = Recorder::open(&settings(folder.path(), Level::Audit), Time::ZERO).expect("it opens");
    let event = || Event::HandshakesInvalid { count: 1 };
    for _ in 0..3 {
        recorder.emit(Time::ZERO, event()).expect("nobody listens, and the log has it");
    }
    let syslog = UnixDatagram::bind(folder.path().join("syslog")).expect("a socket");
    for _ in 0..2 {
        recorder.emit(Time::ZERO, event()).expect("recorded");
    }
    let mut counts = Vec::new();
    query::look_up(&folder.path().join("audit"), &query::Query::default(), |_, line| {
        counts.push((line["event"].as_str().unwrap_or_default().to_owned(), line["count"].as_u64()));
        true
    })
    .expect("lines");
    let invalid = || ("handshake.invalid".to_owned(), Some(1));
    let lost = ("log.lost".to_owned(), Some(3));
    assert_eq!(counts[1..], [invalid(), invalid(), invalid(), invalid(), lost, invalid()]);
    drop(syslog);
}
