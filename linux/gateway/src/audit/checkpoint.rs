//! Checkpoints: signed notes of how far the log went, in a second place. With them, a log that was rewritten as a whole, or cut,
//! is told from the true one.
//!
//! A checkpoint is a line `{"number":3,"time":"..","gateway":"..","seq":7,"hash":"..","signature":"128 digits"}`. The signature is
//! Ed25519 (RFC 8032) over `underpass audit checkpoint 1`, a zero byte, and the line without the signature, closed by its brace.
//! They are worth as much as the second place is out of reach of who can change the log, and the key with it.
use super::AuditError;
use super::line::Hash;
use super::places::{append_to, read_private, sync_folder, tail};
use crate::name::Name;
use crate::time::Time;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What a signature is over, before the line.
const CONTEXT: &[u8] = b"underpass audit checkpoint 1\0";
/// What stands before a signature.
const MARK: &str = ",\"signature\":\"";
/// Digits of a signature.
const DIGITS: usize = 128;
/// The longest checkpoint in bytes.
pub(super) const LONGEST: usize = 1024;

/// The key that signs checkpoints.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads the key from a file, or makes both. The file is for its owner alone: 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`AuditError`]: among others when others than its owner have access to it.
    pub fn at(path: &Path) -> Result<Self, AuditError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| AuditError::Randomness)?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(mut file) => {
                let digits = Zeroizing::new(hex::encode(*seed) + "\n");
                file.write_all(digits.as_bytes()).and_then(|()| file.sync_all()).map_err(AuditError::disk(path))?;
                sync_folder(path)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let digits = Zeroizing::new(read_private(path, 100)?);
                let read = hex::decode_to_slice(digits.trim_end(), seed.as_mut_slice());
                read.map_err(|_| AuditError::Key { path: path.to_owned(), reason: "no signing key: not 64 digits" })?;
            }
            Err(error) => return Err(AuditError::disk(path)(error)),
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
        pair.map(Self).map_err(|_| AuditError::Key { path: path.to_owned(), reason: "no signing key" })
    }

    /// The public key, which whoever verifies needs to have from elsewhere.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey(of {})", self.public())
    }
}

/// The key that checkpoints are verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = hex::FromHexError;

    fn from_str(digits: &str) -> Result<Self, hex::FromHexError> {
        let mut key = [0; 32];
        hex::decode_to_slice(digits, &mut key).map(|()| Self(key))
    }
}

/// Writes checkpoints.
#[derive(Debug)]
pub struct Notary {
    key: SigningKey,
    path: PathBuf,
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The number of the checkpoint.
    pub number: u64,
    /// When it was written, in the form of RFC 3339.
    pub time: String,
    /// By which gateway.
    pub gateway: Name,
    /// The number of the last line by then.
    pub seq: u64,
    /// The hash of that line, in hexadecimal digits.
    hash: String,
}

impl Checkpoint {
    /// The hash of the last line.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::read(self.hash.as_bytes()).unwrap_or(Hash::ZERO)
    }

    /// Reads a line without its line break. `None`: it is no checkpoint, or not of the owner of `key`.
    #[must_use]
    pub fn read(line: &[u8], key: &PublicKey) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let rest = line.strip_suffix("\"}")?;
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        let body = format!("{}}}", rest.strip_suffix(MARK)?);
        let signature = hex::decode(digits).ok()?;
        let signed = [CONTEXT, body.as_bytes()].concat();
        UnparsedPublicKey::new(&ED25519, key.0).verify(&signed, &signature).ok()?;
        let checkpoint: Self = serde_json::from_str(&body).ok()?;
        Hash::read(checkpoint.hash.as_bytes()).map(|_| checkpoint)
    }
}

impl Notary {
    /// Will write to the file at `path`, which should be on another disk, or a machine's that only takes additions.
    #[must_use]
    pub fn new(key: SigningKey, path: &Path) -> Self {
        Self { key, path: path.to_owned() }
    }

    /// The public key, see [`SigningKey::public`].
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// Appends a checkpoint, which is on the disk when this returns. Returns its line.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn note(&self, at: Time, gateway: &Name, seq: u64, hash: Hash) -> Result<String, AuditError> {
        let mut file = append_to(&self.path)?;
        let found = tail(&file, &self.path, LONGEST)?;
        if found.torn > 0 {
            file.set_len(found.end).map_err(AuditError::disk(&self.path))?;
        }
        let before = match &found.last {
            None => 0,
            Some(line) => {
                let read = Checkpoint::read(line, &self.key.public());
                read.ok_or_else(|| AuditError::Broken(self.path.clone()))?.number
            }
        };
        let (time, hash) = (at.to_string(), hash.to_string());
        let checkpoint = Checkpoint { number: before + 1, time, gateway: gateway.clone(), seq, hash };
        let mut line = self.signed(&checkpoint);
        line.push('\n');
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(AuditError::disk(&self.path))?;
        line.truncate(line.len() - 1);
        Ok(line)
    }

    fn signed(&self, checkpoint: &Checkpoint) -> String {
        // Serialising strings and numbers does not fail.
        let body = serde_json::to_string(checkpoint).unwrap_or_default();
        let signature = self.key.0.sign(&[CONTEXT, body.as_bytes()].concat());
        format!("{}{MARK}{}\"}}", body.strip_suffix('}').unwrap_or_default(), hex::encode(signature))
    }
}
