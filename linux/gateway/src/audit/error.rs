//! What can go wrong with the audit log.
use std::io;
use std::path::{Path, PathBuf};

/// Why an event is not in the log, or the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The disk, or the file system.
    #[error("{path}: {error}")]
    Disk {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The last line of the log is none, so that no line can follow it. `verify` says more.
    #[error("{0}: the last line is none of an audit log; see what `verify` says and move the file away")]
    Broken(PathBuf),
    /// The signing key is none, or others have access to it.
    #[error("{path}: {reason}")]
    Key {
        /// Where the key is.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The system has no randomness for a key.
    #[error("no randomness for a signing key")]
    Randomness,
    /// A line would be longer than lines can be; a bug.
    #[error("an event of {0} bytes is too long for a line")]
    TooLong(usize),
}

impl AuditError {
    /// Wraps what the system said about `path`.
    pub(crate) fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Disk { path: path.to_owned(), error }
    }
}
