//! Bytes through a TCP connection, compared by hash.
use crate::{PATIENCE, eventually};
use anyhow::{Context as _, Result, anyhow, ensure};
use ring::digest::{Context, Digest, SHA256};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;
use underpass_linux::demo::stage::Machine;

/// A transfer under way.
#[derive(Debug)]
pub struct Transfer {
    sender: JoinHandle<Result<Sent>>,
    receiver: JoinHandle<Result<Digest>>,
    arrived: Arc<AtomicU64>,
    enough: Arc<AtomicBool>,
    started: Instant,
}

/// What a sender sent.
#[derive(Debug)]
struct Sent {
    bytes: u64,
    hash: Digest,
}

impl Transfer {
    /// Starts sending pseudo-random bytes from one machine to `address` on another, without end: however fast the machine,
    /// what happens before [`finish`](Self::finish) happens in the middle of it.
    ///
    /// # Errors
    /// When no connection comes about.
    pub fn start(from: &Machine, to: &Machine, address: SocketAddr) -> Result<Self> {
        Self::start_of(from, to, address, u64::MAX)
    }

    fn start_of(from: &Machine, to: &Machine, address: SocketAddr, bytes: u64) -> Result<Self> {
        let listener = to.inside(|| TcpListener::bind(address)).with_context(|| format!("listening on {address}"))?;
        let outgoing = from
            .inside(|| TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE))
            .with_context(|| format!("connecting from {} to {address}", from.name()))?;
        let (incoming, _) = listener.accept()?;
        outgoing.set_write_timeout(Some(PATIENCE))?;
        incoming.set_read_timeout(Some(PATIENCE))?;
        let arrived = Arc::new(AtomicU64::new(0));
        let enough = Arc::new(AtomicBool::new(false));
        let (counter, told) = (Arc::clone(&arrived), Arc::clone(&enough));
        Ok(Self {
            sender: std::thread::spawn(move || send(outgoing, bytes, &told)),
            receiver: std::thread::spawn(move || receive(incoming, &counter)),
            arrived,
            enough,
            started: Instant::now(),
        })
    }

    /// Bytes that have arrived.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// Waits until `bytes` more than now have arrived.
    ///
    /// # Errors
    /// When they do not.
    pub fn wait_for_more(&self, bytes: u64) -> Result<()> {
        let goal = self.arrived() + bytes;
        eventually(&format!("{goal} bytes have arrived"), PATIENCE, || Ok(self.arrived() >= goal))
    }

    /// Has it end, and compares what was sent with what arrived.
    ///
    /// # Errors
    /// When the connection broke or stood still, or when the hashes differ.
    pub fn finish(self) -> Result<()> {
        self.enough.store(true, Ordering::Relaxed);
        self.compare().map(drop)
    }

    /// Waits for the end and compares what was sent with what arrived. Returns bytes per second.
    ///
    /// # Errors
    /// When the connection broke or stood still, or when the hashes differ.
    fn compare(self) -> Result<f64> {
        let sent = self.sender.join().map_err(|_| anyhow!("the sender panicked"))?.context("sending")?;
        let received = self.receiver.join().map_err(|_| anyhow!("the receiver panicked"))?.context("receiving")?;
        let arrived = self.arrived.load(Ordering::Relaxed);
        ensure!(arrived == sent.bytes, "{arrived} of {} bytes arrived", sent.bytes);
        ensure!(sent.hash.as_ref() == received.as_ref(), "sent {sent:?}, received {received:?}");
        Ok(arrived as f64 / self.started.elapsed().as_secs_f64())
    }
}

/// Sends `bytes` from one machine to `address` on another and compares hashes. Returns bytes per second.
///
/// # Errors
/// As [`Transfer::finish`].
pub fn transfer(from: &Machine, to: &Machine, address: SocketAddr, bytes: u64) -> Result<f64> {
    Transfer::start_of(from, to, address, bytes)?.compare()
}

/// Sends `bytes`, or fewer when that is `enough`.
fn send(mut stream: TcpStream, bytes: u64, enough: &AtomicBool) -> Result<Sent> {
    let mut hash = Context::new(&SHA256);
    let mut block = vec![0; 256 * 1024];
    let mut state = bytes | 1;
    let mut left = bytes;
    while left > 0 && !enough.load(Ordering::Relaxed) {
        scramble(&mut block, &mut state);
        let piece = &block[..block.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        hash.update(piece);
        stream.write_all(piece)?;
        left -= piece.len() as u64;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // The peer closes when it has everything: an error here means it gave up.
    ensure!(stream.read(&mut [0; 1])? == 0, "the receiver answered");
    Ok(Sent { bytes: bytes - left, hash: hash.finish() })
}

fn receive(mut stream: TcpStream, arrived: &AtomicU64) -> Result<Digest> {
    let mut hash = Context::new(&SHA256);
    let mut block = vec![0; 256 * 1024];
    loop {
        match stream.read(&mut block)? {
            0 => return Ok(hash.finish()),
            read => {
                hash.update(&block[..read]);
                arrived.fetch_add(read as u64, Ordering::Relaxed);
            }
        }
    }
}

/// Fills `block` from a xorshift sequence, so that no two blocks are alike.
fn scramble(block: &mut [u8], state: &mut u64) {
    for chunk in block.chunks_exact_mut(8) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        chunk.copy_from_slice(&state.to_le_bytes());
    }
}
