//! The system's log, for a tunnel in the background: a line is a datagram to `/dev/log`, where journald or a syslog daemon
//! listens.
//!
//! A datagram is `<PRIORITY>underpass[PID]: TEXT` (RFC 3164 § 4.1), the form of syslog(3) but for the time, which the receiver
//! adds (§ 4.3.2): it knows the zone that its file is kept in. Nothing waits for the log: a line that is not taken at once is
//! lost, counted, and told of with the next that is.
use super::lost::Lost;
use std::env;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Where the system's log listens.
const SOCKET: &str = "/dev/log";
/// Environment variable that names another socket.
pub const SOCKET_VARIABLE: &str = "UNDERPASS_LOG_SOCKET";
/// Facility "system daemons" (RFC 3164 § 4.1.1).
const DAEMON: u8 = 3;
/// The longest text; syslog daemons cut longer ones.
const LONGEST: usize = 2000;

/// The way to the system's log.
#[derive(Debug)]
pub struct Syslog {
    path: PathBuf,
    socket: Mutex<Option<UnixDatagram>>,
    lost: Lost,
}

impl Syslog {
    /// The log of this system.
    #[must_use]
    pub fn of_system() -> Self {
        let named = env::var_os(SOCKET_VARIABLE).filter(|path| !path.is_empty());
        Self::at(named.map_or_else(|| SOCKET.into(), PathBuf::from))
    }

    fn at(path: PathBuf) -> Self {
        Self { path, socket: Mutex::default(), lost: Lost::default() }
    }

    fn send(&self, severity: u8, text: &str) {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        self.lost.tell(|count| {
            let note = format!("{count} lines before this one are lost: the log did not take them");
            self.send_one(&mut socket, severity_of(&Level::WARN), &note)
        });
        if !self.send_one(&mut socket, severity, text) {
            self.lost.add();
        }
    }

    /// Sends a line; a log that was started anew is found again. `false`: it is lost.
    fn send_one(&self, socket: &mut Option<UnixDatagram>, severity: u8, text: &str) -> bool {
        let datagram = format!("<{}>underpass[{}]: {text}", DAEMON * 8 + severity, std::process::id());
        for _ in 0..2 {
            if socket.is_none() {
                *socket = self.connect().ok();
            }
            match socket.as_ref().map(|socket| socket.send(datagram.as_bytes())) {
                Some(Ok(_)) => return true,
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return false,
                _ => *socket = None,
            }
        }
        false
    }

    fn connect(&self) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(&self.path)?;
        Ok(socket)
    }
}

impl<'s> MakeWriter<'s> for Syslog {
    type Writer = Line<'s>;

    fn make_writer(&'s self) -> Line<'s> {
        Line { syslog: self, severity: severity_of(&Level::INFO), text: Vec::new() }
    }

    fn make_writer_for(&'s self, meta: &Metadata<'_>) -> Line<'s> {
        Line { syslog: self, severity: severity_of(meta.level()), text: Vec::new() }
    }
}

/// The severity of RFC 3164 § 4.1.1.
fn severity_of(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// A line that is sent when it is whole.
#[derive(Debug)]
pub struct Line<'s> {
    syslog: &'s Syslog,
    severity: u8,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
        let text: String = text.trim_end().chars().take(LONGEST).map(printable).collect();
        if !text.is_empty() {
            self.syslog.send(self.severity, &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    fn received(socket: &UnixDatagram) -> String {
        let mut datagram = [0; 4096];
        let len = socket.recv(&mut datagram).expect("a datagram");
        let text = String::from_utf8_lossy(&datagram[..len]).into_owned();
        text.replace(&std::process::id().to_string(), "PID")
    }

    #[test]
    fn a_line_is_a_datagram_with_its_priority() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("log");
        let socket = UnixDatagram::bind(&path).expect("binds");
        let layer =
            tracing_subscriber::fmt::layer().without_time().with_level(false).with_target(false).with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(Syslog::at(path)));
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!("broken\ntwice");
            tracing::info!(peers = 2, "fine");
        });
        assert_eq!(received(&socket), "<27>underpass[PID]: broken twice");
        assert_eq!(received(&socket), "<30>underpass[PID]: fine peers=2");
    }

    #[test]
    fn a_log_that_comes_back_is_told_what_was_lost() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("log");
        let log = Syslog::at(path.clone());
        log.send(6, "nobody listens");
        log.send(6, "still nobody");
        let socket = UnixDatagram::bind(&path).expect("binds");
        log.send(6, "here I am");
        assert_eq!(
            received(&socket),
            "<28>underpass[PID]: 2 lines before this one are lost: the log did not take them"
        );
        assert_eq!(received(&socket), "<30>underpass[PID]: here I am");
        drop(socket);
        std::fs::remove_file(&path).expect("removes");
        let socket = UnixDatagram::bind(&path).expect("binds");
        socket.set_nonblocking(true).expect("sets");
        // A program that another test starts just then has the old socket a moment longer.
        let is_heard = |_| {
            log.send(6, "to the new one");
            std::thread::sleep(std::time::Duration::from_millis(10));
            socket.recv(&mut [0; 4096]).is_ok()
        };
        assert!((0..1000).any(is_heard), "a log that was started anew is found");
    }

    /// A log that hangs holds nothing up.
    #[test]
    fn a_full_log_loses_lines_and_blocks_nobody() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("log");
        let socket = UnixDatagram::bind(&path).expect("binds");
        let log = Syslog::at(path);
        (0..10_000).for_each(|_| log.send(6, "line"));
        let mut lost = 0;
        log.lost.tell(|count| {
            lost = count;
            true
        });
        assert!(lost > 0, "the queue of a socket has an end");
        assert_eq!(received(&socket), "<30>underpass[PID]: line");
    }
}
