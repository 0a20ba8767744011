//! The control server over a real socket in a temporary directory, in front of a device that only remembers.
use super::socket;
use super::{ControlServer, ControlSocket, Device, Over, client};
use crate::watched::Died;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen};
use std::fmt;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use underpass_core::uapi::EADDRINUSE;

/// Long enough for a loaded machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Remembers what was set, and answers with it.
#[derive(Default)]
struct Memory {
    state: Mutex<String>,
}

impl Device for Memory {
    fn status(&self, answer: &mut dyn fmt::Write) -> fmt::Result {
        answer.write_str(&self.state.lock().expect("not poisoned"))
    }

    fn apply(&self, request: &str) -> Result<(), i32> {
        if request.contains("listen_port=1\n") {
            return Err(EADDRINUSE);
        }
        request.clone_into(&mut self.state.lock().expect("not poisoned"));
        Ok(())
    }
}

struct Served {
    directory: tempfile::TempDir,
    device: Arc<Memory>,
    server: Option<ControlServer>,
    over: Receiver<Result<Over, Died>>,
}

impl Served {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let socket = ControlSocket::bind(directory.path(), "wg0").expect("binds");
        let device = Arc::new(Memory::default());
        let (sender, over) = channel();
        let served: Arc<dyn Device> = device.clone();
        // A test that has ended listens no more.
        let server = ControlServer::start(socket, served, move |outcome| drop(sender.send(outcome)));
        Self { directory, device, server: Some(server.expect("starts")), over }
    }

    fn path(&self) -> PathBuf {
        socket::path(self.directory.path(), "wg0")
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("timeout");
        stream
    }
}

/// Reads one answer.
fn answer(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\n\n") {
        stream.read_exact(&mut byte).expect("an answer");
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("text")
}

fn ask(stream: &mut UnixStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("sends");
    answer(stream)
}

/// What comes until the server hangs up.
fn rest(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(_) => text,
        // Closed with bytes of ours unread.
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            text
        }
    }
}

#[test]
fn one_client_asks_many_times() {
    let served = Served::start();
    let mut stream = served.connect();
    assert_eq!(ask(&mut stream, "get=1\n\n"), "errno=0\n\n");
    assert_eq!(ask(&mut stream, "set=1\nfwmark=7\n\n"), "errno=0\n\n");
    assert_eq!(ask(&mut stream, "get=1\n\n"), "fwmark=7\nerrno=0\n\n");
    assert_eq!(ask(&mut stream, "set=1\nlisten_port=1\n\n"), "errno=-98\n\n");
    stream.write_all(b"get=1\n\nget=1\n\nset=1\n\n").expect("sends three at once");
    let answers: Vec<String> = (0..3).map(|_| answer(&mut stream)).collect();
    assert_eq!(answers, ["fwmark=7\nerrno=0\n\n", "fwmark=7\nerrno=0\n\n", "errno=0\n\n"]);
}

#[test]
fn a_client_that_ends_its_side_gets_its_answer() {
    let served = Served::start();
    let mut stream = served.connect();
    stream.write_all(b"get=1\n\n").expect("sends");
    stream.shutdown(Shutdown::Write).expect("half closes");
    assert_eq!(rest(&mut stream), "errno=0\n\n");
}

#[test]
fn half_a_request_changes_nothing() {
    let served = Served::start();
    let mut stream = served.connect();
    stream.write_all(b"set=1\nfwmark=7\nreplace_peers=true\n").expect("sends");
    stream.shutdown(Shutdown::Write).expect("half closes");
    assert_eq!(rest(&mut stream), "errno=-71\n\n");
    assert_eq!(*served.device.state.lock().expect("not poisoned"), "");
}

#[test]
fn garbage_is_cut_off() {
    let served = Served::start();
    let table: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", ""),
        (&[0xff; 10_000], ""),
        (b"\n\n\n", ""),
        (b"set=1\nfwmark=\xff\n\n", "errno=-71\n\n"),
        (b"get=1\nextra\n\n", "errno=-22\n\n"),
    ];
    for (bytes, expected) in table {
        let mut stream = served.connect();
        // The server may hang up before all is sent.
        let _ = stream.write_all(bytes);
        assert_eq!(rest(&mut stream), expected);
    }
}

#[test]
fn slow_and_deaf_clients_keep_nobody_waiting() {
    let served = Served::start();
    *served.device.state.lock().expect("not poisoned") = "k=v\n".repeat(500_000);
    let mut slow = served.connect();
    slow.write_all(b"get=").expect("sends");
    let mut deaf = served.connect();
    deaf.write_all(b"get=1\n\nget=1\n\nget=1\n\n").expect("sends");
    // Two megabytes are on their way to it, far more than the socket holds.
    deaf.read_exact(&mut [0]).expect("the answer begins");

    *served.device.state.lock().expect("not poisoned") = String::new();
    for _ in 0..50 {
        assert_eq!(ask(&mut served.connect(), "get=1\n\n"), "errno=0\n\n");
    }
    assert_eq!(ask(&mut slow, "1\n\n"), "errno=0\n\n");
    let lengths: Vec<usize> = (0..3).map(|_| answer(&mut deaf).len()).collect();
    assert_eq!(lengths, [4 * 500_000 + 9 - 1, 9, 9], "and it misses nothing when it listens at last");
}

#[test]
fn too_many_clients_cost_the_most_silent_one_its_place() {
    let served = Served::start();
    let mut first = served.connect();
    assert_eq!(ask(&mut first, "get=1\n\n"), "errno=0\n\n");
    let mut crowd: Vec<UnixStream> = (0..16).map(|_| served.connect()).collect();
    for stream in &mut crowd {
        assert_eq!(ask(stream, "get=1\n\n"), "errno=0\n\n");
    }
    assert_eq!(rest(&mut first), "");
    assert_eq!(ask(&mut crowd[0], "get=1\n\n"), "errno=0\n\n");
}

#[test]
fn removing_the_socket_ends_the_server() {
    let served = Served::start();
    let mut stream = served.connect();
    assert_eq!(ask(&mut stream, "get=1\n\n"), "errno=0\n\n");
    std::fs::remove_file(served.path()).expect("removes");
    assert_eq!(served.over.recv_timeout(PATIENCE), Ok(Ok(Over::SocketRemoved)));
    assert_eq!(rest(&mut stream), "");
}

#[test]
fn replacing_the_socket_ends_the_server_and_leaves_the_new_one() {
    let served = Served::start();
    let other = served.directory.path().join("other");
    let _listener = std::os::unix::net::UnixListener::bind(&other).expect("binds");
    std::fs::rename(&other, served.path()).expect("replaces");
    assert_eq!(served.over.recv_timeout(PATIENCE), Ok(Ok(Over::SocketRemoved)));
    assert!(served.path().exists());
}

#[test]
fn stopping_removes_the_socket() {
    let mut served = Served::start();
    let mut stream = served.connect();
    served.server.take().expect("running").stop();
    assert!(!served.path().exists());
    assert_eq!(rest(&mut stream), "");
    assert_eq!(served.over.recv(), Ok(Ok(Over::Stopped)));
}

/// A device with a bug.
struct Broken;

impl Device for Broken {
    fn status(&self, _: &mut dyn fmt::Write) -> fmt::Result {
        panic!("a bug")
    }

    fn apply(&self, _: &str) -> Result<(), i32> {
        Ok(())
    }
}

#[test]
fn a_server_that_dies_says_so_and_takes_its_socket_along() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let socket = ControlSocket::bind(directory.path(), "wg0").expect("binds");
    let path = socket.path().to_owned();
    let (sender, over) = channel();
    let _server = ControlServer::start(socket, Arc::new(Broken), move |outcome| {
        sender.send((outcome, path.exists())).expect("the test waits");
    });
    let mut stream = UnixStream::connect(socket::path(directory.path(), "wg0")).expect("connects");
    stream.write_all(b"get=1\n\n").expect("sends");
    let (outcome, exists) = over.recv_timeout(PATIENCE).expect("it tells");
    let said = outcome.expect_err("it died").to_string();
    assert_eq!((said.as_str(), exists), ("internal error: the thread `control` panicked: a bug", false));
}

#[test]
fn a_program_that_hangs_is_given_up() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = socket::path(directory.path(), "wg0");
    let hangs = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
    let hangs = hangs.expect("a descriptor");
    bind(hangs.as_raw_fd(), &UnixAddr::new(&path).expect("an address")).expect("binds");
    listen(&hangs, Backlog::new(1).expect("small")).expect("listens");
    let patience = Duration::from_millis(50);
    let gives_up = || {
        let fault = client::status_within(directory.path(), "wg0", patience).expect_err("it hangs").to_string();
        assert_eq!(fault, "interface `wg0` does not answer: timed out");
    };
    gives_up();
    // As many clients as it lets wait, so that a connection would wait for ever.
    let mut waiting = Vec::new();
    while let Ok(stream) = socket::connect_now(&path) {
        waiting.push(stream);
    }
    gives_up();
    assert_eq!(client::interfaces(directory.path()).expect("lists"), ["wg0"]);
    assert!(client::is_served(directory.path(), "wg0"));
    let taken = ControlSocket::bind(directory.path(), "wg0");
    assert!(matches!(taken, Err(super::SocketError::InUse { .. })), "{taken:?}");
}

#[test]
fn the_client_side_asks_and_lists() {
    let served = Served::start();
    let directory = served.directory.path();
    *served.device.state.lock().expect("not poisoned") = "fwmark=7\n".into();
    assert_eq!(*client::status(directory, "wg0").expect("answers"), "fwmark=7\nerrno=0\n\n");
    // A file that is no socket, and a socket whose program is gone.
    std::fs::write(directory.join("wg8.sock"), "").expect("writes");
    drop(std::os::unix::net::UnixListener::bind(directory.join("wg9.sock")).expect("binds"));
    assert_eq!(client::interfaces(directory).expect("lists"), ["wg0"]);
    assert_eq!(client::interfaces(&directory.join("missing")).expect("none"), [""; 0]);
    for (name, message) in [
        ("wg1", "there is no userspace WireGuard interface `wg1`"),
        ("../wg0", "there is no userspace WireGuard interface `../wg0`"),
        ("wg9", "interface `wg9` does not answer: Connection refused (os error 111)"),
    ] {
        assert_eq!(client::status(directory, name).expect_err(name).to_string(), message);
    }
}
