//! Bytes through a TCP connection, compared by hash.
use crate::{eventually, seconds};
use anyhow::{Context as _, Result, anyhow, ensure};
use ring::digest::{Context, Digest, SHA256};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use underpass_linux::demo::stage::Machine;

/// How long a connection may stand still.
const STALL: Duration = seconds(30);
/// How long connecting may take: a handshake that is lost is repeated after 5 s.
const CONNECT: Duration = seconds(20);

/// A transfer under way.
#[derive(Debug)]
pub struct Transfer {
    sender: JoinHandle<Result<Digest>>,
    receiver: JoinHandle<Result<Digest>>,
    arrived: Arc<AtomicU64>,
    bytes: u64,
    started: Instant,
}

impl Transfer {
    /// Starts sending `bytes` pseudo-random bytes from one machine to `address` on another.
    ///
    /// # Errors
    /// When no connection comes about.
    pub fn start(from: &Machine, to: &Machine, address: SocketAddr, bytes: u64) -> Result<Self> {
        let listener = to.inside(|| TcpListener::bind(address)).with_context(|| format!("listening on {address}"))?;
        let outgoing = from
            .inside(|| TcpStream::connect_timeout(&listener.local_addr()?, CONNECT))
            .with_context(|| format!("connecting from {} to {address}", from.name()))?;
        let (incoming, _) = listener.accept()?;
        outgoing.set_write_timeout(Some(STALL))?;
        incoming.set_read_timeout(Some(STALL))?;
        let arrived = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&arrived);
        Ok(Self {
            sender: std::thread::spawn(move || send(outgoing, bytes)),
            receiver: std::thread::spawn(move || receive(incoming, &counter)),
            arrived,
            bytes,
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
    /// When they have not after `patience`.
    pub fn wait_for_more(&self, bytes: u64, patience: Duration) -> Result<()> {
        let goal = self.arrived() + bytes;
        eventually(&format!("{goal} bytes have arrived"), patience, || Ok(self.arrived() >= goal))
    }

    /// Waits for the end and compares what was sent with what arrived. Returns bytes per second.
    ///
    /// # Errors
    /// When the connection broke or stood still, or when the hashes differ.
    pub fn finish(self) -> Result<f64> {
        let sent = self.sender.join().map_err(|_| anyhow!("the sender panicked"))?.context("sending")?;
        let received = self.receiver.join().map_err(|_| anyhow!("the receiver panicked"))?.context("receiving")?;
        let arrived = self.arrived.load(Ordering::Relaxed);
        ensure!(arrived == self.bytes, "{arrived} of {} bytes arrived", self.bytes);
        ensure!(sent.as_ref() == received.as_ref(), "sent {sent:?}, received {received:?}");
        Ok(self.bytes as f64 / self.started.elapsed().as_secs_f64())
    }
}

/// Sends `bytes` from one machine to `address` on another and compares hashes. Returns bytes per second.
///
/// # Errors
/// As [`Transfer::finish`].
pub fn transfer(from: &Machine, to: &Machine, address: SocketAddr, bytes: u64) -> Result<f64> {
    Transfer::start(from, to, address, bytes)?.finish()
}

fn send(mut stream: TcpStream, bytes: u64) -> Result<Digest> {
    let mut hash = Context::new(&SHA256);
    let mut block = vec![0; 256 * 1024];
    let mut state = bytes | 1;
    let mut left = bytes;
    while left > 0 {
        scramble(&mut block, &mut state);
        let piece = &block[..block.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        hash.update(piece);
        stream.write_all(piece)?;
        left -= piece.len() as u64;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // The peer closes when it has everything: an error here means it gave up.
    ensure!(stream.read(&mut [0; 1])? == 0, "the receiver answered");
    Ok(hash.finish())
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
