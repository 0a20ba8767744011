//! Load through a tunnel: TCP streams, paced UDP packets, pings.
use anyhow::{Context as _, Result, anyhow, ensure};
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt::RcvBuf,
};
use std::io::{IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use underpass_interop::Machine;

/// The port that load goes to.
const PORT: u16 = 5201;
/// Bytes written and read at once.
const BLOCK: usize = 256 * 1024;
/// Packets of one system call.
const TRAIN: usize = 32;
/// How long the last packets of a step may be under way.
const DRAIN: Duration = Duration::from_millis(150);

/// Runs `streams` TCP streams from one machine to another, calls `settled` once they are up to speed, and calls
/// `during` while they run; returns the bytes that arrived meanwhile, the time, and what `during` returned.
pub fn tcp<T>(
    from: &Machine,
    to: &Machine,
    address: [u8; 4],
    streams: usize,
    during: impl FnOnce() -> Result<T>,
) -> Result<(f64, Duration, T)> {
    let address = SocketAddr::from((address, PORT));
    let listener = to.inside(|| TcpListener::bind(address)).context("listening")?;
    let (arrived, over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (arrived, over) = (&arrived, &over);
        let mut pairs = Vec::new();
        for _ in 0..streams {
            let out = from.inside(|| TcpStream::connect_timeout(&address, Duration::from_secs(15)));
            let out = out.context("connecting through the tunnel")?;
            let (back, _) = listener.accept()?;
            out.set_write_timeout(Some(Duration::from_millis(500)))?;
            back.set_read_timeout(Some(Duration::from_millis(500)))?;
            pairs.push((out, back));
        }
        for (mut out, mut back) in pairs {
            scope.spawn(move || {
                let block = vec![0; BLOCK];
                // An error is the end of the measurement, or a stall that shows in the figures.
                while !over.load(Relaxed) {
                    let _ = out.write(&block);
                }
            });
            scope.spawn(move || {
                let mut block = vec![0; BLOCK];
                while !over.load(Relaxed) {
                    arrived.fetch_add(back.read(&mut block).unwrap_or(0) as u64, Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        let (before, started) = (arrived.load(Relaxed), Instant::now());
        let outcome = during();
        let (bytes, took) = (arrived.load(Relaxed) - before, started.elapsed());
        over.store(true, Relaxed);
        Ok((bytes as f64, took, outcome?))
    })
}

/// What became of a step of paced packets.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Packets sent.
    pub sent: u64,
    /// Packets that arrived.
    pub arrived: u64,
    /// How long they were sent for.
    pub took: Duration,
}

impl Step {
    /// Packets that arrived in a second.
    pub fn rate(&self) -> f64 {
        self.arrived as f64 / self.took.as_secs_f64()
    }

    /// The part that was lost.
    pub fn loss(&self) -> f64 {
        1.0 - self.arrived as f64 / self.sent.max(1) as f64
    }
}

/// A pair of UDP sockets through a tunnel.
pub struct Packets {
    out: UdpSocket,
    back: UdpSocket,
    payload: usize,
}

impl Packets {
    /// Packets of `len` bytes, IP and UDP headers included.
    pub fn new(from: &Machine, to: &Machine, address: [u8; 4], len: usize) -> Result<Self> {
        let address = SocketAddr::from((address, PORT));
        let back = to.inside(|| UdpSocket::bind(address))?;
        back.set_read_timeout(Some(Duration::from_millis(50)))?;
        // So that what is measured is the tunnel, not the patience of the reader.
        setsockopt(&back, RcvBuf, &(4 << 20))?;
        let out = from.inside(|| {
            let out = UdpSocket::bind("0.0.0.0:0")?;
            out.connect(address)?;
            std::io::Result::Ok(out)
        })?;
        Ok(Self { out, back, payload: len.checked_sub(28).context("a packet has headers")? })
    }

    /// Sends `rate` packets a second for `time`, in trains a millisecond apart.
    pub fn step(&self, rate: f64, time: Duration) -> Result<Step> {
        let (arrived, over) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| self.read(&arrived, &over));
            let started = Instant::now();
            let sent = self.send(rate, started, time);
            let took = started.elapsed();
            std::thread::sleep(DRAIN);
            over.store(true, Relaxed);
            reader.join().map_err(|_| anyhow!("the reader panicked"))??;
            Ok(Step { sent: sent?, arrived: arrived.load(Relaxed), took })
        })
    }

    fn send(&self, rate: f64, started: Instant, time: Duration) -> Result<u64> {
        let payload = vec![0; self.payload];
        let slices = [IoSlice::new(&payload)];
        let trains = vec![slices; TRAIN];
        let nowhere: Vec<Option<SockaddrIn>> = vec![None; TRAIN];
        let nothing: [ControlMessage<'_>; 0] = [];
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(TRAIN, None);
        let mut sent = 0_u64;
        loop {
            let elapsed = started.elapsed();
            if elapsed >= time {
                return Ok(sent);
            }
            let due = (rate * elapsed.as_secs_f64()) as u64;
            let mut count = due.saturating_sub(sent).min(4096) as usize;
            while count > 0 {
                let train = count.min(TRAIN);
                let fd = self.out.as_raw_fd();
                let result =
                    sendmmsg(fd, &mut headers, &trains[..train], &nowhere[..train], nothing, MsgFlags::empty());
                match result {
                    Ok(results) => sent += results.count() as u64,
                    // The interface's queue is full: what could not be sent was offered, and is lost.
                    Err(nix::Error::ENOBUFS | nix::Error::EAGAIN) => sent += train as u64,
                    Err(error) => return Err(error).context("sending"),
                }
                count -= train;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn read(&self, arrived: &AtomicU64, over: &AtomicBool) -> Result<()> {
        let mut bufs = [[0_u8; 2048]; TRAIN];
        while !over.load(Relaxed) {
            let fd = self.back.as_raw_fd();
            let mut slices = bufs.each_mut().map(|buf| [IoSliceMut::new(buf)]);
            let mut headers = MultiHeaders::<SockaddrIn>::preallocate(TRAIN, None);
            match recvmmsg(fd, &mut headers, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None) {
                Ok(results) => {
                    arrived.fetch_add(results.count() as u64, Relaxed);
                }
                Err(nix::Error::EAGAIN | nix::Error::EINTR) => {}
                Err(error) => return Err(error).context("receiving"),
            }
        }
        Ok(())
    }
}

/// Round-trip times of `count` pings `interval` seconds apart, in microseconds.
pub fn pings(from: &Machine, to: &str, count: usize, interval: &str) -> Result<Vec<f64>> {
    let outcome = from.try_run("ping", &["-n", "-c", &count.to_string(), "-i", interval, "-W", "2", to])?;
    let times: Vec<f64> = outcome
        .stdout
        .lines()
        .filter_map(|line| line.split_once("time=")?.1.split_whitespace().next()?.parse::<f64>().ok())
        .map(|millis| millis * 1000.0)
        .collect();
    // Under load some are lost with the rest.
    ensure!(times.len() * 2 >= count, "{} of {count} pings came back\n{}", times.len(), outcome.stderr);
    Ok(times)
}
