//! A crowd that sends initiations nobody asked for.
use anyhow::{Context as _, Result, ensure};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use underpass_core::PublicKey;
use underpass_core::internals::crypto::hash::{hash, mac};
use underpass_linux::demo::stage::Machine;

/// Bytes of an initiation, and of the part that mac1 covers (paper § 5.4.2).
const INITIATION: usize = 148;
const BEFORE_MAC1: usize = 116;
/// Bytes of a cookie reply, and its type (paper § 5.4.7).
const COOKIE_REPLY: usize = 64;

/// How often a crowd comes.
const CYCLE: Duration = Duration::from_millis(200);
/// A target that has not answered for so long has lost what was sent.
const STALL: Duration = Duration::from_secs(1);

/// How many initiations are sent, and when.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Per second, one by one.
    pub rate: u32,
    /// Five times a second, as many more at once. Who judges load by how many wait finds them waiting, however fast it is;
    /// and in between, however slow, it hears others.
    pub crowd: u32,
    /// Before the newest that was answered by a cookie reply, unless nothing is answered for a second: so the queue of a
    /// slow target stays as long as that, and what others send is not lost in it.
    pub window: u32,
}

/// Initiations with a good mac1 and nothing else that is good: they cost the receiver a key exchange.
#[derive(Debug)]
pub struct Flood {
    done: Arc<AtomicBool>,
    cookies: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Sends `rate` initiations per second to `target`, whose public key is `public_key`, from `sources` in turn.
    /// The machine needs no such addresses, only the way back: they are routed to its loopback.
    ///
    /// # Errors
    /// When a source cannot be bound, or the key is none.
    pub fn start(
        machine: &Machine,
        sources: &[IpAddr],
        target: SocketAddr,
        public_key: &str,
        rate: u32,
    ) -> Result<Self> {
        Self::start_at(machine, sources, target, public_key, Pace { rate, crowd: 0, window: u32::MAX })
    }

    /// Sends initiations as [`start`](Self::start) does, at this pace.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_at(
        machine: &Machine,
        sources: &[IpAddr],
        target: SocketAddr,
        public_key: &str,
        pace: Pace,
    ) -> Result<Self> {
        ensure!(pace.rate > 0 && !sources.is_empty(), "a flood needs sources and a rate");
        let key = PublicKey::from_base64(public_key).ok().context("no public key")?;
        let mac1_key = hash(&[b"mac1----", key.as_bytes()]);
        let sockets =
            machine.inside(|| sources.iter().map(|source| socket(*source, target)).collect::<Result<Vec<_>>>())?;
        let (done, cookies) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = std::thread::spawn({
            let (done, cookies) = (Arc::clone(&done), Arc::clone(&cookies));
            move || send(&sockets, &mac1_key, pace, &done, &cookies)
        });
        Ok(Self { done, cookies, thread: Some(thread) })
    }

    /// Cookie replies the crowd has got.
    #[must_use]
    pub fn cookie_replies(&self) -> u64 {
        self.cookies.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the sender has been printed; there is nothing else to do with it here.
            let _ = thread.join();
        }
    }
}

impl Pace {
    /// When initiation `number` is due, from the first on.
    fn due(&self, number: u32) -> Duration {
        let pause = Duration::from_secs(1) / self.rate;
        let steady = u32::try_from(CYCLE.as_nanos() / pause.as_nanos().max(1)).unwrap_or(u32::MAX).max(1);
        let a_cycle = self.crowd + steady;
        CYCLE.max(pause) * (number / a_cycle) + pause * (number % a_cycle).saturating_sub(self.crowd)
    }
}

fn socket(source: IpAddr, target: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((source, 0)).with_context(|| format!("binding {source}"))?;
    socket.connect(target)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn send(sockets: &[UdpSocket], mac1_key: &[u8; 32], pace: Pace, done: &AtomicBool, cookies: &AtomicU64) {
    let mut message = [0; INITIATION];
    message[0] = 1;
    let mut started = Instant::now();
    // The newest that was answered, and when that was heard.
    let (mut answered, mut heard) = (0, started);
    let mut hear = |socket: &UdpSocket, number: u32| {
        while let Some(index) = cookie_reply(socket) {
            cookies.fetch_add(1, Ordering::Relaxed);
            (answered, heard) = (index.max(answered), Instant::now());
        }
        if heard.elapsed() > STALL {
            (answered, heard) = (number, Instant::now());
        }
        number.saturating_sub(answered) < pace.window
    };
    for (number, socket) in (0_u32..).zip(sockets.iter().cycle()) {
        while !hear(socket, number) && !done.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if done.load(Ordering::Relaxed) {
            return;
        }
        message[4..8].copy_from_slice(&number.to_le_bytes());
        message[8..40].copy_from_slice(&hash(&[&number.to_le_bytes()]));
        let mac1 = mac(mac1_key, &[&message[..BEFORE_MAC1]]);
        message[BEFORE_MAC1..BEFORE_MAC1 + 16].copy_from_slice(&mac1);
        // A full buffer is a lost datagram, and a flood does not mind.
        let _ = socket.send(&message);
        let due = pace.due(number);
        match due.checked_sub(started.elapsed()) {
            Some(early) => std::thread::sleep(early),
            // Who was kept from sending for long does not catch up.
            None if started.elapsed() > due + CYCLE => started = Instant::now().checked_sub(due).unwrap_or(started),
            None => {}
        }
    }
}

/// The index of the initiation that the next cookie reply answers; `None` when there is no reply.
fn cookie_reply(socket: &UdpSocket) -> Option<u32> {
    let mut reply = [0; INITIATION];
    while let Ok(length) = socket.recv(&mut reply) {
        if length == COOKIE_REPLY && reply[0] == 3 {
            return reply[4..8].try_into().ok().map(u32::from_le_bytes);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_due_at_once_and_the_others_one_by_one() {
        let milliseconds = Duration::from_millis;
        let steady = Pace { rate: 50, crowd: 0, window: u32::MAX };
        let crowds = Pace { rate: 20, crowd: 3, window: u32::MAX };
        for (pace, number, expected) in [
            (&steady, 0, 0),
            (&steady, 9, 180),
            (&steady, 10, 200),
            (&steady, 25, 500),
            (&crowds, 0, 0),
            (&crowds, 3, 0),
        ]
        .into_iter()
        .chain([
            (&crowds, 4, 50),
            (&crowds, 6, 150),
            (&crowds, 7, 200),
            (&crowds, 10, 200),
            (&crowds, 11, 250),
        ]) {
            assert_eq!(pace.due(number), milliseconds(expected), "{pace:?}, initiation {number}");
        }
    }
}
