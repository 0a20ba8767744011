//! Says what happens to a tunnel, in lines for the log.
//!
//! A peer is called by its number: the place of its section in the file, which is its place in `underpass show IFNAME peers`
//! too, as long as none before it is removed. Keys are never in a line, and addresses only in those of level debug.
//! Many peers have much to tell at once: of what exceeds the budget, only the number is said.
use super::shared::Shared;
use super::{Engine, HandshakeStep, HostEvent};
use crate::watched::{self, Died};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tracing::Level;
use underpass_core::PeerId;
use underpass_core::tunnel::{Event, Health};

/// Lines in a row.
const BURST: u32 = 50;
/// Lines a second, on average.
const RATE: u32 = 10;
/// How long the number of lines that were left out may wait.
const PAUSE: Duration = Duration::from_secs(5);

/// Logs the events of `engine` from here on, until it ends, on a thread of its own, and tells `over` how that thread ended.
///
/// # Errors
/// The machine has no room for another thread.
pub fn keep(engine: &Engine, over: impl FnOnce(Result<(), Died>) + Send + 'static) -> io::Result<()> {
    let (events, shared) = (engine.events(), Arc::clone(&engine.shared));
    let journal = Journal::new(engine.name().to_owned(), shared);
    watched::start("journal", move || journal.write(&events), over).map(drop)
}

/// What is written, and how much more may be.
struct Journal {
    interface: String,
    shared: Arc<Shared>,
    /// Of lines up to level info, and of the others.
    budgets: [Budget; 2],
}

impl Journal {
    fn new(interface: String, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self { interface, shared, budgets: [Budget::new(now), Budget::new(now)] }
    }

    fn write(mut self, events: &Receiver<HostEvent>) {
        loop {
            // Only what was left out needs a clock: a tunnel that is idle wakes nobody.
            let owes = self.budgets.iter().any(|budget| budget.exceeded > 0);
            let next = if owes {
                events.recv_timeout(PAUSE)
            } else {
                events.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(HostEvent::Ended) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(event) => self.event(&event, Instant::now()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.tell_left_out(Instant::now());
        }
    }

    fn event(&mut self, event: &HostEvent, now: Instant) {
        let (level, text) = line(event);
        let is_wanted =
            if level == Level::DEBUG { tracing::enabled!(Level::DEBUG) } else { tracing::enabled!(Level::INFO) };
        if is_wanted && self.budgets[usize::from(level == Level::DEBUG)].take(now) {
            say(level, &self.interface, &text);
            if let HostEvent::Tunnel(Event::EndpointMoved { peer, path, .. }) = event {
                tracing::debug!(interface = self.interface, remote = %path.remote, "peer {}: where", number(*peer));
            }
        }
    }

    fn tell_left_out(&mut self, now: Instant) {
        self.budgets[0].exceeded += self.shared.take_missed();
        for budget in &mut self.budgets {
            if let Some(count) = budget.left_out(now) {
                tracing::info!(interface = self.interface, count, "more happened than is logged line by line");
            }
        }
    }
}

fn say(level: Level, interface: &str, text: &str) {
    match level {
        Level::WARN => tracing::warn!(interface, "{text}"),
        Level::INFO => tracing::info!(interface, "{text}"),
        _ => tracing::debug!(interface, "{text}"),
    }
}

/// The number by which people know a peer, from 1.
fn number(peer: PeerId) -> u64 {
    // The lower half is its place in the table of peers.
    (peer.to_u64() & u64::from(u32::MAX)) + 1
}

/// How important an event is, and what is said of it.
fn line(event: &HostEvent) -> (Level, String) {
    let peer = |peer: &PeerId, text: &str| format!("peer {}: {text}", number(*peer));
    match event {
        HostEvent::Tunnel(event) => match event {
            Event::SessionEstablished { peer: id, .. } => (Level::DEBUG, peer(id, "handshake completed")),
            Event::HandshakeFailed { peer: id, .. } => {
                (Level::INFO, peer(id, "no answer to handshakes for 90 s; the next packet for it begins anew"))
            }
            Event::SessionExpired { peer: id, .. } => (Level::DEBUG, peer(id, "the session ended, its keys are wiped")),
            Event::EndpointMoved { peer: id, .. } => (Level::INFO, peer(id, "its endpoint moved")),
            Event::ResolveEndpoint { peer: id, .. } => {
                (Level::DEBUG, peer(id, "the name of its endpoint is looked up"))
            }
            Event::HealthChanged { peer: id, health, .. } => (Level::INFO, peer(id, health_text(*health))),
            Event::TimestampAhead { peer: id, .. } => {
                (Level::WARN, peer(id, "its clock is more than a day ahead of ours; one of both is wrong"))
            }
            Event::ClockLeapt => (Level::WARN, "the clock leapt ahead by more than a day; every session ends".into()),
            Event::LayoutChanged => (Level::DEBUG, "packets need other room than before".into()),
            _ => (Level::DEBUG, format!("event: {}", event.kind().name())),
        },
        HostEvent::Handshake { peer: id, step: HandshakeStep::Initiation } => {
            (Level::DEBUG, peer(id, "handshake initiation sent"))
        }
        HostEvent::Handshake { peer: id, step: HandshakeStep::Response } => {
            (Level::DEBUG, peer(id, "handshake response sent"))
        }
        HostEvent::MtuChanged(mtu) => (Level::INFO, format!("the MTU is now {mtu}")),
        HostEvent::LinkChanged(true) => (Level::INFO, "the interface is up".into()),
        HostEvent::LinkChanged(false) => (Level::INFO, "the interface is down".into()),
        HostEvent::NetworkChanged => (Level::DEBUG, "the network of the machine changed".into()),
        HostEvent::ListenPortChanged(port) => (Level::INFO, format!("listening on port {port}")),
        HostEvent::Ended => (Level::DEBUG, "the tunnel has ended".into()),
    }
}

const fn health_text(health: Health) -> &'static str {
    match health {
        Health::Connecting => "connecting",
        Health::Up => "connected",
        Health::Idle => "the session ended, as nobody needs it",
        Health::Stale => "what is sent to it is not answered",
        Health::Failed => "not reached",
    }
}

/// Lines that may be written: [`BURST`] at once, [`RATE`] a second on average.
struct Budget {
    left: u32,
    filled: Instant,
    /// Lines that exceeded it and were not told of.
    exceeded: u64,
}

impl Budget {
    const fn new(now: Instant) -> Self {
        Self { left: BURST, filled: now, exceeded: 0 }
    }

    fn fill(&mut self, now: Instant) {
        const SHARE: Duration = Duration::from_millis(1000 / RATE as u64);
        let shares = (now - self.filled).as_nanos() / SHARE.as_nanos();
        if let Ok(shares @ 1..) = u32::try_from(shares) {
            self.left = self.left.saturating_add(shares).min(BURST);
            self.filled += SHARE * shares;
        }
    }

    /// Takes one line; `false`, and counted, when there is none.
    fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let left = self.left.checked_sub(1);
        self.exceeded += u64::from(left.is_none());
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// How many lines were left out, once there is peace again.
    fn left_out(&mut self, now: Instant) -> Option<u64> {
        self.fill(now);
        (self.exceeded > 0 && self.left >= RATE).then(|| std::mem::take(&mut self.exceeded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use underpass_core::tunnel::Path;

    const PEER: PeerId = PeerId::from_u64(0x1234_5678_0000_0002);

    #[test]
    fn lines_name_numbers_and_no_addresses() {
        let (peer, user) = (PEER, 0);
        let path = Path::new(SocketAddr::from(([192, 0, 2, 1], 51820)));
        let rows = [
            (Event::SessionEstablished { peer, user }, Level::DEBUG, "peer 3: handshake completed"),
            (Event::EndpointMoved { peer, user, path }, Level::INFO, "peer 3: its endpoint moved"),
            (Event::HealthChanged { peer, user, health: Health::Up }, Level::INFO, "peer 3: connected"),
            (
                Event::HandshakeFailed { peer, user },
                Level::INFO,
                "peer 3: no answer to handshakes for 90 s; the next packet for it begins anew",
            ),
        ];
        for (event, level, text) in rows {
            assert_eq!(line(&HostEvent::Tunnel(event)), (level, text.into()));
        }
        let initiation = HostEvent::Handshake { peer, step: HandshakeStep::Initiation };
        assert_eq!(line(&initiation), (Level::DEBUG, "peer 3: handshake initiation sent".into()));
    }

    #[test]
    fn what_exceeds_the_budget_is_counted_and_told_later() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let taken = (0..1000).filter(|_| budget.take(start)).count();
        assert_eq!(taken, BURST as usize);
        assert_eq!(budget.left_out(start), None, "not in the middle of it");
        let later = start + Duration::from_secs(1);
        assert_eq!(budget.left_out(later), Some(1000 - u64::from(BURST)));
        assert_eq!(budget.left_out(later), None, "told once");
        assert_eq!((0..1000).filter(|_| budget.take(later)).count(), RATE as usize);
        let much_later = start + Duration::from_secs(1000);
        assert_eq!((0..1000).filter(|_| budget.take(much_later)).count(), BURST as usize);
    }
}
