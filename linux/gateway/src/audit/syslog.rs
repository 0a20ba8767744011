//! Lines to the system's log, as a second place that other programs may carry elsewhere.
//!
//! A line is a datagram `<85>underpass-audit[PID]: LINE`: facility "security/authorization", severity "notice" (RFC 3164 § 4.1), to
//! `/dev/log`, where the receiver adds the time. Nothing waits for it: what is not taken at once is lost there, counted, and
//! told of in the log.
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Where the system's log listens.
pub const SOCKET: &str = "/dev/log";
/// Facility 10, severity 5.
const PRIORITY: u8 = 85;

/// The way to the system's log.
#[derive(Debug)]
pub struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    lost: u64,
}

impl Syslog {
    /// Will send to the socket at `path`.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), socket: None, lost: 0 }
    }

    /// Sends a line. Returns how many were lost before it, when it was taken and some were: they are told of now.
    pub fn send(&mut self, line: &str) -> Option<u64> {
        if !self.was_taken(line) {
            self.lost += 1;
            return None;
        }
        (self.lost > 0).then(|| std::mem::take(&mut self.lost))
    }

    /// Sends a line; a log that was started anew is found again.
    fn was_taken(&mut self, line: &str) -> bool {
        let datagram = format!("<{PRIORITY}>underpass-audit[{}]: {line}", std::process::id());
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect(&self.path).ok();
            }
            match self.socket.as_ref().map(|socket| socket.send(datagram.as_bytes())) {
                Some(Ok(_)) => return true,
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return false,
                _ => self.socket = None,
            }
        }
        false
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
