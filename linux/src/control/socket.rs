//! The socket file: where it is, how it is made, and when it is ours to remove.
use super::abort;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Where every userspace WireGuard implementation has its sockets.
pub const DIRECTORY: &str = "/var/run/wireguard";
/// Environment variable that names another directory; `wg` does not know it.
pub const DIRECTORY_VARIABLE: &str = "UNDERPASS_CONTROL_DIR";

/// The directory of the control sockets: [`DIRECTORY`], unless the environment names another.
#[must_use]
pub fn directory() -> PathBuf {
    std::env::var_os(DIRECTORY_VARIABLE).filter(|dir| !dir.is_empty()).map_or_else(|| DIRECTORY.into(), PathBuf::from)
}

/// The path of the socket of interface `name` in `directory`.
#[must_use]
pub fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.sock"))
}

/// Why a control socket could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Another program answers there.
    #[error("another program serves the control socket {}", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// The directory could not be made.
    #[error("cannot create the directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The socket could not be made.
    #[error("cannot create the control socket {}: {source}", path.display())]
    Create {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A listening control socket. Its file is removed on drop, and when the program aborts, unless someone has put another in
/// its place. A program has one.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
}

impl ControlSocket {
    /// Makes the socket of interface `name` in `directory`, which is made if missing. A file left by a program that is
    /// gone is replaced.
    ///
    /// # Errors
    /// [`SocketError`]; nothing is left behind.
    pub fn bind(directory: &Path, name: &str) -> Result<Self, SocketError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)
            .map_err(|source| SocketError::Directory { path: directory.into(), source })?;
        let path = path(directory, name);
        let create = |source| SocketError::Create { path: path.clone(), source };
        if is_served(&path) {
            return Err(SocketError::InUse { path });
        }
        // Made before there is a file, for from then on nothing is allocated until an abort would remove it.
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| create(error.into()))?;
        let listener = listen_at(&path, SockType::Stream).map_err(create)?.into();
        let identity = identity(&path).map_err(create)?;
        abort::remove_on_abort(name, identity).map_err(|error| create(error.into()))?;
        Ok(Self { listener, path, identity })
    }

    /// The socket itself, non-blocking.
    #[must_use]
    pub const fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is still there and still ours.
    #[must_use]
    pub fn exists(&self) -> bool {
        identity(&self.path).is_ok_and(|found| found == self.identity)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if self.exists() {
            let _ = fs::remove_file(&self.path);
        }
        abort::keep();
    }
}

/// Connects to the socket at `path` without waiting.
///
/// # Errors
/// `WouldBlock` when a program has the socket, but does not take its clients; otherwise the system's.
pub fn connect_now(path: &Path) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(fd.into())
}

/// Whether a program has the socket at `path`, be it stopped.
#[must_use]
pub fn is_served(path: &Path) -> bool {
    connect_now(path).map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |_| true)
}

/// Removes the socket at `path` if no program has it any more. Returns whether there was one.
pub fn remove_dead(path: &Path) -> bool {
    let is_dead = connect_now(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    is_dead && fs::remove_file(path).is_ok()
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Listens at `path`, in the place of whatever is there.
///
/// The file has mode 0600 from its first moment: bind gives it the mode of the unbound socket. It gets its name when
/// it listens already: `wg` takes a socket that refuses to connect for a dead one and removes it.
pub(crate) fn listen_at(path: &Path, kind: SockType) -> io::Result<OwnedFd> {
    let mut unnamed = path.as_os_str().to_owned();
    unnamed.push(".new");
    let _ = fs::remove_file(&unnamed);
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, kind, flags, None)?;
    fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(fd.as_raw_fd(), &UnixAddr::new(Path::new(&unnamed))?)?;
    let named = listen(&fd, Backlog::new(64)?).map_err(io::Error::from).and_then(|()| fs::rename(&unnamed, path));
    named.inspect_err(|_| drop(fs::remove_file(&unnamed)))?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("exists").permissions().mode() & 0o777
    }

    #[test]
    fn the_socket_is_private_and_goes_with_its_owner() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let directory = dir.path().join("run/wireguard");
        let socket = ControlSocket::bind(&directory, "wg0").expect("binds");
        assert_eq!(socket.path(), directory.join("wg0.sock"));
        assert_eq!(mode(socket.path()), 0o600);
        assert_eq!(mode(&directory) & 0o022, 0, "nobody else may put a socket there");
        drop(socket);
        assert_eq!(fs::read_dir(&directory).expect("directory").count(), 0);
    }

    #[test]
    fn a_socket_in_use_is_refused_and_a_stale_one_replaced() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let first = ControlSocket::bind(dir.path(), "wg0").expect("binds");
        let second = ControlSocket::bind(dir.path(), "wg0");
        assert!(matches!(second, Err(SocketError::InUse { .. })), "{second:?}");
        assert!(first.exists(), "the refused one left it alone");

        let path = path(dir.path(), "wg1");
        drop(UnixListener::bind(&path).expect("binds"));
        assert!(path.exists(), "the standard library leaves the file");
        let replaced = ControlSocket::bind(dir.path(), "wg1").expect("replaces");
        assert!(replaced.exists());
    }

    #[test]
    fn a_file_of_someone_else_is_not_removed_on_drop() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let socket = ControlSocket::bind(dir.path(), "wg0").expect("binds");
        let path = socket.path().to_owned();
        fs::remove_file(&path).expect("removes");
        let other = UnixListener::bind(&path).expect("binds");
        assert!(!socket.exists());
        drop(socket);
        assert!(path.exists());
        drop(other);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("writes");
        let message = ControlSocket::bind(&file.join("sub"), "wg0").expect_err("no directory").to_string();
        assert!(message.contains("cannot create the directory"), "{message}");
    }
}
