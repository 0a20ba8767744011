//! Places with an empty store, of every implementation in turn.
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use underpass_core::PublicKey;
use underpass_gateway::store::sqlite::{Keep, Sqlite};
use underpass_gateway::store::{NewDevice, Owner, Store, User};
use underpass_gateway::{Name, Time};

/// A place with a store that any number of callers can open.
pub struct Place {
    folder: TempDir,
    /// Where the store is: `sqlite:PATH` or `postgres:SETTINGS`.
    pub address: String,
}

impl Place {
    /// An empty store of SQLite.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("sqlite:{}", folder.path().join("gateway.db").display());
        Self { folder, address }
    }

    /// An empty store of PostgreSQL.
    #[cfg(feature = "postgres")]
    pub fn on_a_server() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, address: format!("postgres:{}", crate::server::empty_database()) }
    }

    /// Opens the store, which may be open already.
    pub fn open(&self) -> Box<dyn Store> {
        open_at(&self.address)
    }

    /// The file of a store of SQLite.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("gateway.db")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Opens the store at an address.
pub fn open_at(address: &str) -> Box<dyn Store> {
    match address.split_once(':') {
        Some(("sqlite", path)) => Box::new(Sqlite::open(Path::new(path), Keep::Traces).expect("the store opens")),
        #[cfg(feature = "postgres")]
        Some(("postgres", settings)) => {
            let opened = underpass_gateway::store::postgres::Postgres::open(settings);
            Box::new(opened.expect("the store opens"))
        }
        _ => panic!("no address of a store: {address}"),
    }
}

/// Tells a story to every implementation.
pub fn for_each_store(story: impl Fn(&Place)) {
    let places = [
        Place::new(),
        #[cfg(feature = "postgres")]
        Place::on_a_server(),
    ];
    for place in &places {
        // Shown when the story fails.
        println!("{}", place.address);
        story(place);
    }
}

/// The same for stories with one caller.
pub fn for_each(story: impl Fn(&mut dyn Store)) {
    for_each_store(|place| story(&mut *place.open()));
}

/// A moment in the middle of the story: `secs` seconds after its beginning.
pub fn at(secs: i64) -> Time {
    Time::from_secs(1_700_000_000 + secs)
}

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// A key that is told apart from others by its number.
pub fn key(number: u32) -> PublicKey {
    let mut bytes = [9; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    PublicKey::from_bytes(bytes)
}

pub fn add_user(store: &mut dyn Store, text: &str) -> User {
    store.add_user(at(0), &name(text), None).expect("a user")
}

/// A user with one device.
pub fn add_user_with(store: &mut dyn Store, text: &str, device: u32) -> User {
    let user = add_user(store, text);
    add_device(store, Owner::User(user.id), device);
    user
}

pub fn add_device(store: &mut dyn Store, owner: Owner, number: u32) {
    let device = NewDevice { key: key(number), name: name(&format!("device-{number}")) };
    store.add_device(at(0), owner, &device).expect("a device");
}
