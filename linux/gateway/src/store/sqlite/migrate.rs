//! Brings a database to the version that this program knows: forward only, in one transaction, after a copy.
use super::{Result, StoreError, copy};
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};

/// Marks our databases ("UPGW"), so that nobody takes the file of another program for one.
const APPLICATION: i32 = 0x5550_4757;
/// The tables of traces, see [`super::Keep`].
pub(super) const TRACES: &str = include_str!("migrations/traces.sql");
/// What leads from each version to the next; the first from nothing to 1. What is here was released: steps are only added.
pub(super) const STEPS: &[&[&str]] =
    &[&[include_str!("migrations/0001.sql"), TRACES], &[include_str!("migrations/0002.sql")]];

/// Does what is missing of `steps`.
pub(super) fn migrate(connection: &mut Connection, path: &Path, steps: &[&[&str]]) -> Result<()> {
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    // Another program may migrate at the same time: then what was found is asked for again.
    loop {
        let found = version(connection, path)?;
        if found > known {
            return Err(StoreError::Newer { path: path.to_owned(), found, known });
        }
        keep_a_log(connection)?;
        if found == known {
            return Ok(());
        }
        let kept = if found > 0 { Some(copy_of(connection, path, found)?) } else { None };
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if version(&change, path)? != found {
            kept.map(std::fs::remove_file);
            continue;
        }
        let missing = steps.iter().skip(usize::try_from(found).unwrap_or(usize::MAX));
        for part in missing.flat_map(|step| step.iter()) {
            change.execute_batch(part)?;
        }
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", known)?;
        change.commit()?;
        return Ok(());
    }
}

/// The version of a database; 0 when it is empty.
fn version(connection: &Connection, path: &Path) -> Result<u32> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let tables = || connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, version) => Ok(u32::try_from(version).unwrap_or(u32::MAX)),
        (0, 0) if tables()? == 0 => Ok(0),
        _ => Err(StoreError::Foreign(path.to_owned())),
    }
}

/// Switches the write-ahead log on, which stays with the file.
fn keep_a_log(connection: &Connection) -> Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(StoreError::Failed(format!("no write-ahead log here, but `{mode}`"))) }
}

/// Copies what is about to be changed. A copy of this version that lies there already is of an attempt that was cut short, or
/// of a database that was put back; it is kept.
fn copy_of(connection: &Connection, path: &Path, version: u32) -> Result<PathBuf> {
    for number in 0_u32.. {
        let suffix = if number == 0 { String::new() } else { format!(".{number}") };
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".before-{version}{suffix}"));
        let copied = PathBuf::from(name);
        if !copied.exists() {
            return copy(connection, &copied).map(|()| copied);
        }
    }
    Err(StoreError::Failed("too many copies of old versions".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[&str] = &["CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)"];
    const SECOND: &[&str] = &["ALTER TABLE a ADD COLUMN y TEXT", "UPDATE a SET y = 'new'"];
    const FAULTY: &[&str] = &["UPDATE a SET x = 2; DROP TABLE nothing"];

    struct Scene {
        folder: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().expect("a folder") }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("db")
        }

        fn migrate(&self, steps: &[&[&str]]) -> Result<Connection> {
            let mut connection = Connection::open(self.path())?;
            migrate(&mut connection, &self.path(), steps).map(|()| connection)
        }

        fn files(&self) -> Vec<String> {
            let entries = self.folder.path().read_dir().expect("the folder is there");
            let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
            let mut names: Vec<_> = names.filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm")).collect();
            names.sort();
            names
        }
    }

    fn x(connection: &Connection) -> i64 {
        connection.query_row("SELECT x FROM a", [], |row| row.get(0)).expect("the table is there")
    }

    #[test]
    fn an_older_database_is_copied_and_brought_forward() {
        let scene = Scene::new();
        drop(scene.migrate(&[FIRST]).expect("an empty file"));
        assert_eq!(scene.files(), ["db"], "nothing to copy");
        let connection = scene.migrate(&[FIRST, SECOND]).expect("an older one");
        let y: String = connection.query_row("SELECT y FROM a", [], |row| row.get(0)).expect("the new column");
        assert_eq!((x(&connection), y.as_str()), (1, "new"));
        assert_eq!(scene.files(), ["db", "db.before-1"]);
        let old = Connection::open(scene.folder.path().join("db.before-1")).expect("the copy");
        assert_eq!((version(&old, &scene.path()).expect("a version"), x(&old)), (1, 1));
        old.query_row("SELECT y FROM a", [], |_| Ok(())).expect_err("the copy is of the old version");
        drop(scene.migrate(&[FIRST, SECOND]).expect("nothing to do"));
        assert_eq!(scene.files(), ["db", "db.before-1"]);
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let scene = Scene::new();
        drop(scene.migrate(&[FIRST]).expect("an empty file"));
        scene.migrate(&[FIRST, SECOND, FAULTY]).expect_err("the third step fails");
        let connection = scene.migrate(&[FIRST]).expect("it is of version 1 still");
        assert_eq!(x(&connection), 1);
        connection.query_row("SELECT y FROM a", [], |_| Ok(())).expect_err("the second step is undone, too");
    }

    #[test]
    fn a_newer_database_is_refused_by_both_numbers() {
        let scene = Scene::new();
        drop(scene.migrate(&[FIRST, SECOND]).expect("an empty file"));
        let refusal = scene.migrate(&[FIRST]).expect_err("a newer one").to_string();
        assert!(refusal.contains("version 2,") && refusal.contains("up to 1:"), "{refusal}");
        assert_eq!(scene.files(), ["db"], "and nothing is touched");
    }

    #[test]
    fn a_database_of_something_else_is_left_alone() {
        let scene = Scene::new();
        let other = Connection::open(scene.path()).expect("a database");
        other.execute_batch("CREATE TABLE theirs (x)").expect("their table");
        assert!(matches!(scene.migrate(&[FIRST]), Err(StoreError::Foreign(_))));
        other.query_row("SELECT count(*) FROM theirs", [], |_| Ok(())).expect("it is as it was");
    }
}
