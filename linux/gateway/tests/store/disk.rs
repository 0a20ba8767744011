//! Disks that are full, files that are damaged, and files of others. Of SQLite alone.
use crate::place::{Place, add_user, at, name, open_at};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::thread;
use underpass_gateway::store::StoreError;
use underpass_gateway::store::sqlite::{Keep, Sqlite};

/// Runs `story` where the folder of `place` is a disk of its own, of 2 MiB. What is mounted is seen by this thread alone, and
/// gone with it.
fn on_a_small_disk(place: &Place, story: impl FnOnce() + Send) {
    let mounted = || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a namespace of its own needs root");
        let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        mount(none, "/", none, private, none).expect("what is mounted stays inside");
        mount(none, place.folder(), Some("tmpfs"), MsFlags::empty(), Some("size=2m")).expect("a small disk");
        story();
    };
    thread::scope(|scope| scope.spawn(mounted).join().expect("the story holds"));
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let place = Place::new();
    on_a_small_disk(&place, || {
        let mut store = place.open();
        let mut known = Vec::new();
        let refusal = loop {
            let user = name(&format!("user-{}", known.len()));
            match store.add_user(at(0), &user, None) {
                Ok(_) => known.push(user),
                Err(refusal) => break refusal,
            }
            assert!(known.len() < 100_000, "the disk is never full");
        };
        assert!(matches!(refusal, StoreError::Full), "{refusal}");
        assert!(known.len() > 50, "there was room for some: {}", known.len());
        store.add_user(at(0), &name("another"), None).expect_err("it stays full");
        assert_eq!(store.users(None, 100_000).expect("reading goes on").len(), known.len());
        drop(store);
        let mut store = place.open();
        for user in &known {
            assert!(store.user(user).expect("an answer").is_some(), "{user} was acknowledged");
        }
        assert_eq!(store.users(None, 100_000).expect("a list").len(), known.len(), "and nothing else is there");
    });
}

#[test]
fn a_damaged_file_is_refused() {
    for (what, damage) in [
        ("the beginning", (|_| (0, 100)) as fn(u64) -> (u64, usize)),
        ("the table of tables", |_| (100, 60)),
        ("a page in the middle", |length| (length / 2 / 4096 * 4096, 4096)),
    ] {
        let place = Place::new();
        let mut store = place.open();
        for number in 0..200 {
            add_user(&mut *store, &format!("user-{number}"));
        }
        drop(store);
        let mut file = OpenOptions::new().read(true).write(true).open(place.path()).expect("the file");
        let (begin, bytes) = damage(file.metadata().expect("its length").len());
        file.seek(SeekFrom::Start(begin)).expect("the place");
        let mut before = vec![0; bytes];
        file.read_exact(&mut before).expect("it was written");
        file.seek(SeekFrom::Start(begin)).expect("the place");
        file.write_all(&before.iter().map(|byte| byte ^ 0xa5).collect::<Vec<_>>()).expect("damage");
        let refusal = Sqlite::open(&place.path(), Keep::Traces).expect_err(what);
        assert!(matches!(refusal, StoreError::Damaged(_)), "{what}: {refusal:?}");
    }
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let place = Place::new();
    let text = "this is a letter, and no database, however long one looks at it\n".repeat(100);
    fs::write(place.path(), &text).expect("a file");
    fs::set_permissions(place.path(), Permissions::from_mode(0o600)).expect("its mode");
    let refusal = Sqlite::open(&place.path(), Keep::Traces).expect_err("no database");
    assert!(matches!(refusal, StoreError::Damaged(_)), "{refusal:?}");
    assert_eq!(fs::read_to_string(place.path()).expect("a file"), text);
    let missing = Sqlite::open(&place.folder().join("nowhere/gateway.db"), Keep::Traces).expect_err("no folder");
    assert!(missing.to_string().contains("nowhere"), "{missing}");
}

#[test]
fn nobody_else_can_read_the_files() {
    let place = Place::new();
    let mut store = place.open();
    add_user(&mut *store, "alice");
    let copy = place.folder().join("copy.db");
    Sqlite::open(&place.path(), Keep::Traces).expect("it opens").copy_to(&copy).expect("a copy");
    let entries = place.folder().read_dir().expect("the folder").map(|entry| entry.expect("an entry"));
    let modes: Vec<_> =
        entries.map(|entry| (entry.file_name(), entry.metadata().expect("it is there").mode() & 0o777)).collect();
    assert_eq!(modes.len(), 4, "database, log, index of the log, copy: {modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    assert!(open_at(&format!("sqlite:{}", copy.display())).user(&name("alice")).expect("an answer").is_some());
    drop(store);
    fs::set_permissions(place.path(), Permissions::from_mode(0o640)).expect("its mode");
    let refusal = Sqlite::open(&place.path(), Keep::Traces).expect_err("a group can read it");
    assert!(refusal.to_string().contains("mode 640"), "{refusal}");
}

#[test]
fn a_database_of_a_newer_program_is_refused_and_not_touched() {
    let place = Place::new();
    drop(place.open());
    let newer = rusqlite::Connection::open(place.path()).expect("the file");
    newer.pragma_update(None, "user_version", 7).expect("a version");
    drop(newer);
    let before = fs::read(place.path()).expect("the file");
    let refusal = Sqlite::open(&place.path(), Keep::Traces).expect_err("a newer one").to_string();
    assert!(refusal.contains("has version 7") && refusal.contains("up to 2"), "{refusal}");
    assert_eq!(fs::read(place.path()).expect("the file"), before);
}
