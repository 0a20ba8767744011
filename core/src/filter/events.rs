//! What a filter tells: what was denied, added up; flows whose rules ask for it; quotas. Bounded, and it says what was lost.
use super::flows::Traffic;
use super::rules::Way;
use crate::memory;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

/// How long denials of one rule and peer are added up before they are told.
const ADDED_UP: Duration = Duration::from_secs(10);
/// Pairs of peer and rule whose denials are added up at a time.
const DENIALS: usize = 256;

/// What a packet was, as far as rules are about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who began.
    pub way: Way,
    /// Where the first packet came from.
    pub source: IpAddr,
    /// Where it went to.
    pub destination: IpAddr,
    /// Its protocol number.
    pub protocol: u8,
    /// Its source port, the identifier of ICMP, or zero.
    pub source_port: u16,
    /// Its destination port, the identifier of ICMP, or zero.
    pub destination_port: u16,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowEnd {
    /// No packet passed for too long.
    Silent,
    /// A new connection between the same ports took its place.
    Replaced,
    /// Rules that were changed, or the time, do not allow it any more.
    Denied,
    /// It gave way to a newer one, since there were too many.
    Evicted,
    /// The session of one of its peers was closed or flushed.
    Flushed,
}

/// A fact that an operator or an audit log may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// First packets were denied: at most one event in 10 s for each peer and rule.
    Denied {
        /// The peer whose rules decided.
        peer: u32,
        /// The caller's number of its session.
        user: u64,
        /// The number of the rule; `None`: no rule applied.
        rule: Option<u32>,
        /// The first of them.
        first: Contact,
        /// How many.
        packets: u64,
    },
    /// A flow began whose rule asks to be told.
    FlowStart {
        /// The peer whose rule allowed it.
        peer: u32,
        /// The caller's number of its session.
        user: u64,
        /// The number of the rule.
        rule: u32,
        /// What it is.
        contact: Contact,
    },
    /// Such a flow ended.
    FlowEnd {
        /// The peer whose rule allowed it.
        peer: u32,
        /// The caller's number of its session.
        user: u64,
        /// The number of the rule.
        rule: u32,
        /// What it was.
        contact: Contact,
        /// What who began has sent.
        sent: Traffic,
        /// What came back.
        received: Traffic,
        /// From the first packet to the last.
        lasted: Duration,
        /// Why.
        why: FlowEnd,
    },
    /// Nine tenths of a peer's quota are used.
    QuotaWarning {
        /// The peer.
        peer: u32,
        /// The caller's number of its session.
        user: u64,
    },
    /// A peer's quota is used up.
    QuotaExceeded {
        /// The peer.
        peer: u32,
        /// The caller's number of its session.
        user: u64,
    },
    /// Events were lost: nobody polled them in time, or there was no memory.
    Lost {
        /// How many.
        events: u64,
    },
}

/// Denials that are being added up.
#[derive(Debug)]
struct Denial {
    peer: u32,
    user: u64,
    rule: Option<u32>,
    first: Contact,
    packets: u64,
    /// When it is told.
    due: Instant,
}

/// Events that wait to be polled.
#[derive(Debug)]
pub(super) struct Events {
    waiting: VecDeque<Event>,
    most: usize,
    lost: u64,
    /// In the order in which they are due.
    denials: Vec<Denial>,
}

impl Events {
    pub(super) fn new(most: usize) -> Self {
        Self { waiting: VecDeque::new(), most, lost: 0, denials: Vec::new() }
    }

    pub(super) fn tell(&mut self, event: Event) {
        if self.waiting.len() < self.most && self.waiting.try_reserve(1).is_ok() {
            self.waiting.push_back(event);
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Adds a denied packet.
    pub(super) fn denied(&mut self, (peer, user): (u32, u64), rule: Option<u32>, first: Contact, now: Instant) {
        if let Some(known) =
            self.denials.iter_mut().find(|denial| (denial.peer, denial.user, denial.rule) == (peer, user, rule))
        {
            known.packets = known.packets.saturating_add(1);
            return;
        }
        let denial = Denial { peer, user, rule, first, packets: 1, due: now + ADDED_UP };
        if self.denials.len() >= DENIALS || memory::push(&mut self.denials, denial).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// When the next denials are due to be told.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.denials.first().map(|denial| denial.due)
    }

    /// Tells the denials that are due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.tell_denials(|denial| denial.due <= now);
    }

    /// Tells those of a peer whose session ends.
    pub(super) fn forget(&mut self, peer: u32) {
        self.tell_denials(|denial| denial.peer == peer);
    }

    fn tell_denials(&mut self, is_due: impl Fn(&Denial) -> bool) {
        let mut denials = core::mem::take(&mut self.denials);
        denials.retain(|denial| {
            let is_due = is_due(denial);
            if is_due {
                let Denial { peer, user, rule, first, packets, .. } = *denial;
                self.tell(Event::Denied { peer, user, rule, first, packets });
            }
            !is_due
        });
        if !denials.is_empty() {
            self.denials = denials;
        }
    }

    /// Keeps at most so many from here on.
    pub(super) fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// The next event.
    pub(super) fn poll(&mut self) -> Option<Event> {
        if let Some(event) = self.waiting.pop_front() {
            return Some(event);
        }
        self.waiting = VecDeque::new();
        (self.lost > 0).then(|| Event::Lost { events: core::mem::take(&mut self.lost) })
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let waiting = self.waiting.capacity().saturating_mul(size_of::<Event>());
        waiting.saturating_add(self.denials.capacity().saturating_mul(size_of::<Denial>()))
    }
}
