//! A server of PostgreSQL for the tests of this program: in a temporary folder, without privileges, on a socket there. It ends, and
//! takes its folder along, when this program ends, however that is.
use postgres::{Client, NoTls};
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use underpass_gateway::store::StoreError;
use underpass_gateway::store::postgres::Postgres;

use crate::place::{Place, add_user, at, name};
use underpass_gateway::store::{Factors as _, Store, Users as _};

/// Who runs the server: the user without files.
const NOBODY: u32 = 65534;
/// Ends a test that hangs; no server takes that long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Makes a database and serves it until standard input ends: until the program that started this has ended.
const SCRIPT: &str = r#"
folder=$1 programs=$2 && shift 2
"$@" "$programs/initdb" -D "$folder/data" -A trust -U underpass --no-sync --no-locale -E UTF8 >"$folder/log" 2>&1 || exit
"$@" "$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=200 >>"$folder/log" 2>&1 </dev/null &
read -r _
kill -INT $!
wait $!
rm -r "$folder"
"#;

/// A running server.
pub struct Server {
    pub folder: PathBuf,
    /// Its standard input is what keeps it.
    keeper: Child,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("underpass-postgres-").tempdir().expect("a folder").keep();
        // Root may not run it, and who runs it owns the folder.
        let drop_privileges: &[&str] = if nix::unistd::geteuid().is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).expect("the folder is ours to give");
            &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        } else {
            &["env"]
        };
        let keeper = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .args([&folder, &programs()])
            .args(drop_privileges)
            .stdin(Stdio::piped())
            .current_dir("/")
            .spawn()
            .expect("a shell");
        let server = Self { folder, keeper };
        let patience = Instant::now() + PATIENCE;
        while server.connect("postgres").is_err() {
            let log = || fs::read_to_string(server.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < patience, "the server does not come up:\n{}", log());
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn settings(&self, database: &str) -> String {
        format!("host={} user=underpass dbname={database}", self.folder.display())
    }

    fn connect(&self, database: &str) -> Result<Client, postgres::Error> {
        Client::connect(&self.settings(database), NoTls)
    }

    /// Makes an empty database. Gives the settings to reach it by.
    pub fn empty_database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let database = format!("store{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = self
            .connect("postgres")
            .and_then(|mut client| client.batch_execute(&format!("CREATE DATABASE {database}")));
        made.expect("a database");
        self.settings(&database)
    }

    /// Ends the server, and waits until it has.
    pub fn stop(mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().expect("it is ours");
        assert!(!self.folder.exists(), "and nothing is left of it");
    }
}

/// Makes an empty database of the server that all tests share. Gives the settings to reach it by.
pub fn empty_database() -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start).empty_database()
}

/// The folder of the programs of the newest PostgreSQL here.
fn programs() -> PathBuf {
    let versions = Path::new("/usr/lib/postgresql").read_dir().expect("PostgreSQL is installed");
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.expect("an entry").path()).max_by_key(number);
    newest.expect("a version").join("bin")
}

#[test]
fn a_server_that_is_away_is_told_and_found_again() {
    let place = Place::on_a_server();
    let settings = place.address.strip_prefix("postgres:").expect("its address");
    let mut store = Postgres::open(settings).expect("it opens");
    let alice = add_user(&mut store, "alice");
    // Another connection ends ours, as a server does that is restarted.
    let mut other = Client::connect(settings, NoTls).expect("a connection");
    let ours = "pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let ended = other.query_one(&format!("SELECT pg_terminate_backend(pid), {ours}"), &[]).expect("one is ended");
    assert!(ended.get::<_, bool>(0));
    // Calls fail until the store has noticed, then they connect anew. How many that are depends on when it is noticed.
    let patience = Instant::now() + PATIENCE;
    let found = loop {
        match store.user(&name("alice")) {
            Ok(found) => break found,
            Err(refusal) => assert!(matches!(refusal, StoreError::Away(_)), "{refusal:?}"),
        }
        assert!(Instant::now() < patience, "the store does not connect anew");
    };
    assert_eq!(found.map(|user| user.id), Some(alice.id));
    while other
        .query(&format!("SELECT {ours}"), &[])
        .expect("a list")
        .iter()
        .any(|row| row.get::<_, i32>(0) == ended.get::<_, i32>(1))
    {
        assert!(Instant::now() < patience, "it was another connection");
    }
}

#[test]
fn without_its_server_a_store_fails_closed() {
    let server = Server::start();
    let mut store = Postgres::open(&server.empty_database()).expect("it opens");
    let alice = add_user(&mut store, "alice");
    let code = crate::factors::add_code(&mut store, alice.id);
    assert!(store.accept_step(code, 1).expect("an answer"));
    server.stop();
    for _ in 0..2 {
        let refusal = store.accept_step(code, 2).expect_err("nobody is there");
        assert!(matches!(refusal, StoreError::Away(_)), "{refusal:?}");
        let store: &mut dyn Store = &mut store;
        store.add_user(at(1), &name("bert"), None).expect_err("nobody is there");
    }
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let place = Place::on_a_server();
    drop(place.open());
    let settings = place.address.strip_prefix("postgres:").expect("its address");
    let mut client = Client::connect(settings, NoTls).expect("a connection");
    client.batch_execute("UPDATE underpass_version SET version = 7").expect("a version");
    let refusal = Postgres::open(settings).expect_err("a newer one").to_string();
    assert!(refusal.contains("has version 7") && refusal.contains("up to 2"), "{refusal}");
}

#[test]
fn a_server_that_forgets_is_refused() {
    let server = Server::start();
    let settings = server.empty_database();
    let mut client = Client::connect(&settings, NoTls).expect("a connection");
    client.batch_execute("ALTER SYSTEM SET fsync = off").expect("a setting");
    client.batch_execute("SELECT pg_reload_conf()").expect("a setting");
    let patience = Instant::now() + PATIENCE;
    while client.query_one("SHOW fsync", &[]).expect("an answer").get::<_, String>(0) != "off" {
        assert!(Instant::now() < patience, "the setting is not taken up");
        thread::sleep(Duration::from_millis(20));
    }
    let refusal = Postgres::open(&settings).expect_err("it loses what it has acknowledged").to_string();
    assert!(refusal.contains("fsync = off"), "{refusal}");
    drop(client);
    server.stop();
}
