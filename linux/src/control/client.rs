//! The other side of the control socket: asks any userspace WireGuard implementation for its state.
use super::socket;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long an implementation may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why an interface could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no control socket of that name.
    #[error("there is no userspace WireGuard interface `{name}`")]
    Absent {
        /// The interface.
        name: String,
    },
    /// The socket may not be used.
    #[error("no permission to ask interface `{name}`: run as root")]
    Permission {
        /// The interface.
        name: String,
    },
    /// The socket is there, but its program is gone, hangs or says what is not in the protocol.
    #[error("interface `{name}` does not answer: {source}")]
    NoAnswer {
        /// The interface.
        name: String,
        /// What happened.
        source: io::Error,
    },
    /// It was asked for a change, and refuses.
    #[error("interface `{name}` refuses the change: {source}")]
    Refused {
        /// The interface.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl AskError {
    fn new(name: &str, source: io::Error) -> Self {
        let name = name.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Absent { name },
            io::ErrorKind::PermissionDenied => Self::Permission { name },
            _ => Self::NoAnswer { name, source },
        }
    }
}

/// The names of the interfaces whose control socket in `directory` is answered, sorted.
///
/// # Errors
/// The directory cannot be read; a missing one is no error.
pub fn interfaces(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(|file| file.strip_suffix(".sock")).map(str::to_owned)
        else {
            continue;
        };
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if !name.is_empty() && is_socket && !UnixStream::connect(entry.path()).is_err_and(refused) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a program answers the control socket of `name`.
#[must_use]
pub fn is_served(directory: &Path, name: &str) -> bool {
    UnixStream::connect(socket::path(directory, name)).is_ok()
}

/// The answer of interface `name` to `get=1`, whole, with its private key in it: wiped on drop.
///
/// # Errors
/// [`AskError`].
pub fn status(directory: &Path, name: &str) -> Result<Zeroizing<String>, AskError> {
    if name.contains('/') {
        return Err(AskError::Absent { name: name.into() });
    }
    ask(&socket::path(directory, name), b"get=1\n\n").map_err(|error| AskError::new(name, error))
}

/// Has interface `name` apply `lines`, the lines of a `set=1` request: all or nothing.
///
/// # Errors
/// [`AskError`].
pub fn change(directory: &Path, name: &str, lines: &str) -> Result<(), AskError> {
    let request = Zeroizing::new(["set=1\n", lines, "\n"].concat());
    let answer = ask(&socket::path(directory, name), request.as_bytes()).map_err(|error| AskError::new(name, error))?;
    match answer.trim_end().strip_prefix("errno=").and_then(|errno| errno.parse::<i32>().ok()) {
        Some(0) => Ok(()),
        Some(errno) => {
            let source = io::Error::from_raw_os_error(errno.saturating_abs());
            Err(AskError::Refused { name: name.into(), source })
        }
        None => Err(AskError::new(name, io::ErrorKind::InvalidData.into())),
    }
}

/// Sends `request` and reads to the empty line that ends the answer.
fn ask(path: &Path, request: &[u8]) -> io::Result<Zeroizing<String>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let mut chunk = Zeroizing::new([0; 16 * 1024]);
    while !answer.ends_with(b"\n\n") {
        match stream.read(&mut chunk[..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => answer.extend_from_slice(&chunk[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error),
        }
    }
    let text = std::str::from_utf8(&answer).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Zeroizing::new(text.to_owned()))
}
