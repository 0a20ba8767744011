//! The office's web server and the phone's browser: just enough of HTTP/1.0 (RFC 1945) for the story.
use super::stage::Machine;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a connection may stand still.
const STALL: Duration = Duration::from_secs(60);
/// How often somebody who waits for a connection looks whether the server has ended.
const GLANCE: Duration = Duration::from_millis(200);
/// A long page is sent in pieces of this many bytes, with this pause between them: 16 MB/s, so that there is time to
/// walk out of the café.
const PIECE: usize = 256 * 1024;
const PAUSE: Duration = Duration::from_millis(16);

/// Pages by path.
pub(super) type Pages = BTreeMap<&'static str, Vec<u8>>;

/// A server; it ends when dropped.
pub(super) struct Server {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `pages` on `machine`.
    pub(super) fn start(machine: &Machine, address: SocketAddr, pages: Pages) -> Result<Self> {
        let listener = machine.inside(|| TcpListener::bind(address)).context("the web server")?;
        listener.set_nonblocking(true)?;
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let thread = std::thread::spawn(move || serve(&listener, &pages, &until));
        Ok(Self { done, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed, and the browser's step has failed for it.
            let _ = thread.join();
        }
    }
}

/// Answers one request after the other. What goes wrong with one shows at the browser's end.
fn serve(listener: &TcpListener, pages: &Pages, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => drop(answer(stream, pages, done)),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn answer(mut stream: TcpStream, pages: &Pages, done: &AtomicBool) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(STALL))?;
    stream.set_write_timeout(Some(GLANCE))?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request);
    let page = request.split(' ').nth(1).and_then(|path| pages.get(path));
    let Some(page) = page else {
        return Ok(stream.write_all(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")?);
    };
    stream.write_all(format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", page.len()).as_bytes())?;
    for piece in page.chunks(PIECE) {
        send(&mut stream, piece, done)?;
        if page.len() > PIECE {
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// Sends all of `bytes`, unless the server ends meanwhile: the other end may be gone without a word.
fn send(stream: &mut TcpStream, bytes: &[u8], done: &AtomicBool) -> Result<()> {
    let (mut rest, mut last) = (bytes, Instant::now());
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(sent) => (rest, last) = (rest.get(sent..).unwrap_or_default(), Instant::now()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                ensure!(!done.load(Ordering::Relaxed) && last.elapsed() < STALL, "the other end takes nothing more");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A page that is being fetched, over one TCP connection from beginning to end.
pub(super) struct Fetch {
    stream: TcpStream,
    length: usize,
    body: Vec<u8>,
    /// The longest that nothing arrived.
    pub(super) longest_silence: Duration,
}

impl Fetch {
    /// Asks for `path` and reads the head of the answer.
    pub(super) fn begin(machine: &Machine, server: SocketAddr, path: &str) -> Result<Self> {
        let mut stream = machine
            .inside(|| TcpStream::connect_timeout(&server, STALL))
            .with_context(|| format!("connecting to {server}"))?;
        stream.set_read_timeout(Some(STALL))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n").as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).context("the head of the answer")?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        ensure!(head.starts_with("HTTP/1.0 200 "), "the server says {:?}", head.lines().next().unwrap_or_default());
        let length =
            head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).context("no length")?.parse()?;
        Ok(Self { stream, length, body: Vec::with_capacity(length), longest_silence: Duration::ZERO })
    }

    /// Reads until `bytes` of the page are there, or all of it.
    pub(super) fn read_to(&mut self, bytes: usize) -> Result<()> {
        let mut block = vec![0; 64 * 1024];
        let mut last = Instant::now();
        while self.body.len() < bytes.min(self.length) {
            let read = match self.stream.read(&mut block) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    anyhow::bail!(
                        "nothing arrived for {STALL:?}, with {} of {} bytes there",
                        self.body.len(),
                        self.length
                    )
                }
                other => other?,
            };
            ensure!(read > 0, "the connection ended after {} of {} bytes", self.body.len(), self.length);
            self.body.extend_from_slice(block.get(..read).unwrap_or_default());
            self.longest_silence = self.longest_silence.max(last.elapsed());
            last = Instant::now();
        }
        Ok(())
    }

    /// Reads until nothing arrives for `span`. `false`: all of it is there.
    pub(super) fn stops(&mut self, span: Duration) -> Result<bool> {
        self.stream.set_read_timeout(Some(span))?;
        let mut block = vec![0; 64 * 1024];
        while self.body.len() < self.length {
            match self.stream.read(&mut block) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(true),
                read => self.body.extend_from_slice(block.get(..read?).unwrap_or_default()),
            }
        }
        Ok(false)
    }

    /// Bytes of the page.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Reads the rest, and returns the page.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, Duration)> {
        self.read_to(usize::MAX)?;
        Ok((self.body, self.longest_silence))
    }
}

/// Sends as fast as it goes for `span`, over one TCP connection; returns bytes that arrived per second.
pub(super) fn throughput(from: &Machine, to: &Machine, address: SocketAddr, span: Duration) -> Result<f64> {
    let listener = to.inside(|| TcpListener::bind(address))?;
    let mut outgoing = from.inside(|| TcpStream::connect_timeout(&address, STALL))?;
    let (mut incoming, _) = listener.accept()?;
    outgoing.set_write_timeout(Some(STALL))?;
    incoming.set_read_timeout(Some(STALL))?;
    let started = Instant::now();
    let sender = std::thread::spawn(move || -> std::io::Result<()> {
        let block = vec![0x5a; PIECE];
        while started.elapsed() < span {
            outgoing.write_all(&block)?;
        }
        Ok(())
    });
    let mut block = vec![0; PIECE];
    let mut arrived = 0;
    loop {
        match incoming.read(&mut block).context("measuring")? {
            0 => break,
            read => arrived += read,
        }
    }
    sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?.context("measuring")?;
    Ok(arrived as f64 / started.elapsed().as_secs_f64())
}
