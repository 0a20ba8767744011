//! The store and the audit log that a configuration names.
use super::keys::read_private;
use anyhow::{anyhow, bail};
use std::path::{Path, PathBuf};
use underpass_gateway::audit::checkpoint::{PublicKey, SigningKey};
use underpass_gateway::audit::syslog::SOCKET;
use underpass_gateway::audit::{self, Level, Recorder};
use underpass_gateway::settings::{Settings, StorePlace};
use underpass_gateway::store::Store;
use underpass_gateway::store::sqlite::{Keep, Sqlite};
use underpass_gateway::{Name, Time};

/// How the file ends with the key that signs checkpoints. It lies beside the private key.
const CHECKPOINT_KEY: &str = "audit-key";

/// Opens the store.
///
/// # Errors
/// It cannot be opened.
pub fn store(settings: &Settings) -> anyhow::Result<Box<dyn Store>> {
    match &settings.store {
        StorePlace::Sqlite(path) => {
            let keep = if settings.log.level == Level::None { Keep::Nothing } else { Keep::Traces };
            let store = Sqlite::open(path, keep);
            Ok(Box::new(store.map_err(|error| anyhow!("the store {} cannot be opened: {error}", path.display()))?))
        }
        StorePlace::Postgres { connection, password_file } => postgres(connection, password_file.as_deref()),
    }
}

#[cfg(feature = "postgres")]
fn postgres(connection: &str, password_file: Option<&Path>) -> anyhow::Result<Box<dyn Store>> {
    let mut words = zeroize::Zeroizing::new(connection.to_owned());
    if let Some(path) = password_file {
        // As libpq reads values in quotes.
        let password = read_private(path)?;
        words.push_str(" password='");
        for letter in password.trim_end_matches(['\r', '\n']).chars() {
            words.extend(matches!(letter, '\'' | '\\').then_some('\\').into_iter().chain([letter]));
        }
        words.push('\'');
    }
    let store = underpass_gateway::store::postgres::Postgres::open(&words);
    Ok(Box::new(store.map_err(|error| anyhow!("the store in PostgreSQL cannot be opened: {error}"))?))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str, password_file: Option<&Path>) -> anyhow::Result<Box<dyn Store>> {
    password_file.map(read_private).transpose()?;
    bail!("this program was built without PostgreSQL (feature `postgres`)")
}

/// Opens the audit log, with its checkpoints and the system's log, as far as there are to be any.
///
/// # Errors
/// It cannot be opened.
pub fn recorder(settings: &Settings, at: Time) -> anyhow::Result<Recorder> {
    let log = &settings.log;
    let recorder = Recorder::open(
        &audit::Settings {
            level: log.level,
            folder: log.file.clone().unwrap_or_default(),
            gateway: settings.name.clone(),
            rotate_at: audit::ROTATE_AT,
            checkpoints: log.checkpoints.clone().map(|file| (checkpoint_key(settings), file)),
            syslog: log.syslog.then(|| SOCKET.into()),
        },
        at,
    );
    recorder.map_err(|error| anyhow!("the audit log cannot be opened: {error}"))
}

/// One that records nothing.
///
/// # Errors
/// None.
pub fn no_recorder() -> anyhow::Result<Recorder> {
    let gateway: Name = "nobody".parse()?;
    let (level, rotate_at) = (Level::None, audit::ROTATE_AT);
    let nothing =
        audit::Settings { level, folder: PathBuf::new(), gateway, rotate_at, checkpoints: None, syslog: None };
    Ok(Recorder::open(&nothing, Time::ZERO)?)
}

/// The file of checkpoints and the key to verify them, if there are to be any.
///
/// # Errors
/// The key cannot be read. It is not made here: one that was made later has signed nothing.
pub fn checkpoints(settings: &Settings) -> anyhow::Result<Option<(PathBuf, PublicKey)>> {
    let Some(file) = settings.log.checkpoints.clone() else { return Ok(None) };
    let path = checkpoint_key(settings);
    if !path.exists() {
        bail!("the key of the checkpoints is missing: {}", path.display());
    }
    let key = SigningKey::at(&path).map_err(|error| anyhow!("the key of the checkpoints cannot be read: {error}"))?;
    Ok(Some((file, key.public())))
}

/// The file with the key that signs checkpoints.
fn checkpoint_key(settings: &Settings) -> PathBuf {
    settings.private_key_file.with_extension(CHECKPOINT_KEY)
}
