//! What a filter tells: what was denied, added up; flows whose rules ask for it; quotas. Bounded, and it says what was lost.
use super::flows::Traffic;
use super::rules::Way;
use crate::memory;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

/// How long packets of one peer that one rule denied, or its rate did, are added up before they are told.
const ADDED_UP: Duration = Duration::from_secs(10);
/// Such sums at a time.
const SUMS: usize = 256;

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
    /// Packets came or were to leave faster than the peer's rate: at most one event in 10 s for each peer.
    RateLimited {
        /// The peer.
        peer: u32,
        /// The caller's number of its session.
        user: u64,
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

/// Why packets that are added up did not pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// A rule, or that there is none, and the first of them.
    Rule(Option<u32>, Contact),
    /// The rate.
    Rate,
}

impl Cause {
    /// Whether both count as one.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rule(one, _), Self::Rule(other, _)) => one == other,
            (Self::Rate, Self::Rate) => true,
            _ => false,
        }
    }
}

/// Packets that did not pass and are being added up.
#[derive(Clone, Copy, Debug)]
struct Sum {
    peer: u32,
    user: u64,
    cause: Cause,
    packets: u64,
    /// When it is told.
    due: Instant,
}

impl Sum {
    fn event(self) -> Event {
        let Self { peer, user, packets, .. } = self;
        match self.cause {
            Cause::Rule(rule, first) => Event::Denied { peer, user, rule, first, packets },
            Cause::Rate => Event::RateLimited { peer, user, packets },
        }
    }
}

/// Events that wait to be polled.
#[derive(Debug)]
pub(super) struct Events {
    waiting: VecDeque<Event>,
    most: usize,
    lost: u64,
    /// In the order in which they are due.
    sums: Vec<Sum>,
}

impl Events {
    pub(super) fn new(most: usize) -> Self {
        Self { waiting: VecDeque::new(), most, lost: 0, sums: Vec::new() }
    }

    pub(super) fn tell(&mut self, event: Event) {
        if self.waiting.len() < self.most && self.waiting.try_reserve(1).is_ok() {
            self.waiting.push_back(event);
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Adds a packet that did not pass.
    pub(super) fn add(&mut self, (peer, user): (u32, u64), cause: Cause, now: Instant) {
        let is_it = |sum: &&mut Sum| (sum.peer, sum.user) == (peer, user) && sum.cause.is_same(&cause);
        if let Some(known) = self.sums.iter_mut().find(is_it) {
            known.packets = known.packets.saturating_add(1);
            return;
        }
        let sum = Sum { peer, user, cause, packets: 1, due: now + ADDED_UP };
        if self.sums.len() >= SUMS || memory::push(&mut self.sums, sum).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// When the next sum is due to be told.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.sums.first().map(|sum| sum.due)
    }

    /// Tells the sums that are due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.tell_sums(|sum| sum.due <= now);
    }

    /// Tells those of a peer whose session ends.
    pub(super) fn forget(&mut self, peer: u32) {
        self.tell_sums(|sum| sum.peer == peer);
    }

    fn tell_sums(&mut self, is_due: impl Fn(&Sum) -> bool) {
        let mut sums = core::mem::take(&mut self.sums);
        sums.retain(|sum| {
            let is_due = is_due(sum);
            if is_due {
                self.tell(sum.event());
            }
            !is_due
        });
        if !sums.is_empty() {
            self.sums = sums;
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
        waiting.saturating_add(self.sums.capacity().saturating_mul(size_of::<Sum>()))
    }
}
