//! Time passes: from happening to happening.
use super::{HostId, World};
use crate::clock::Time;
use crate::host::{Departure, Host};
use crate::network::Datagram;
use crate::outcome::Outcome;
use crate::trace::Happening;
use core::time::Duration;
use underpass_core::config::Endpoint;
use underpass_core::tunnel::{Event, Path};

impl World {
    /// Lets `duration` pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.time + duration);
    }

    /// Lets time pass until `end`.
    pub fn run_until(&mut self, end: Time) {
        while let Some(next) = self.next_time().filter(|next| *next <= end) {
            self.step(next);
        }
        self.time = self.time.max(end);
    }

    /// Lets time pass until nothing is left to happen, or `at_most` has passed. Answers whether nothing is left.
    pub fn run_until_quiet(&mut self, at_most: Duration) -> bool {
        let end = self.time + at_most;
        while let Some(next) = self.next_time() {
            if next > end {
                self.time = end;
                return false;
            }
            self.step(next);
        }
        true
    }

    /// Lets time pass until `done`; panics when it takes longer than `at_most`.
    pub fn run_until_that(&mut self, at_most: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.time + at_most;
        while !done(self) {
            let next = self.next_time().filter(|next| *next <= end);
            self.step(next.unwrap_or_else(|| panic!("it did not happen within {at_most:?}")));
        }
    }

    /// When something happens next.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        [self.network.next_time(), deadline].into_iter().flatten().min().map(|at| at.max(self.time))
    }

    /// Everything that happens at `time`: first arrivals, then deadlines.
    fn step(&mut self, time: Time) {
        self.time = time;
        let mut arrivals = Vec::new();
        while let Some(arrival) = self.network.advance(time) {
            arrivals.push(arrival);
        }
        for group in arrivals.chunk_by(|a, b| a.0 == b.0) {
            let datagrams = group.iter().map(|(_, datagram)| datagram.clone()).collect();
            self.arrive(HostId(group[0].0.0), datagrams);
        }
        while let Some((at, host)) = self.deadlines.first().copied().filter(|(at, _)| *at <= time) {
            debug_assert!(at <= time);
            self.wake_by_deadline(HostId(host));
        }
    }

    fn arrive(&mut self, host: HostId, datagrams: Vec<Datagram>) {
        if self.hosts[host.0].asleep {
            return;
        }
        let incoming = |d: &Datagram| (Path::new(d.from).with_local(Some(d.to.ip())), d.ecn, d.bytes.clone());
        let mut slots: Vec<_> = datagrams.iter().map(incoming).collect();
        let outcomes = self.hosts[host.0].receive(self.time, &mut slots);
        for (datagram, outcome) in datagrams.into_iter().zip(outcomes) {
            self.trace.note(self.time, host.0, Happening::Received(datagram, outcome));
        }
        self.settle(host);
    }

    /// Hands a datagram to a host at once, past all wires.
    pub fn hand(&mut self, host: HostId, datagram: Datagram) -> Outcome {
        let path = Path::new(datagram.from).with_local(Some(datagram.to.ip()));
        let mut slots = [(path, datagram.ecn, datagram.bytes.clone())];
        let outcome = self.hosts[host.0].receive(self.time, &mut slots)[0];
        self.trace.note(self.time, host.0, Happening::Received(datagram, outcome));
        self.settle(host);
        outcome
    }

    fn wake_by_deadline(&mut self, host: HostId) {
        self.trace.note(self.time, host.0, Happening::Woke);
        self.hosts[host.0].wake(self.time);
        self.settle(host);
    }

    /// Writes packets to a host's virtual interface.
    pub(super) fn write_all(&mut self, host: HostId, packets: Vec<Vec<u8>>) -> Vec<Outcome> {
        let outcomes = self.hosts[host.0].write(self.time, &packets);
        for (packet, outcome) in packets.into_iter().zip(&outcomes) {
            self.trace.note(self.time, host.0, Happening::Written(packet, *outcome));
        }
        self.settle(host);
        outcomes
    }

    /// Calls something on a host and carries on what came of it.
    pub(super) fn call<T>(&mut self, host: HostId, call: impl FnOnce(&mut Host, Time) -> T) -> T {
        let answer = call(&mut self.hosts[host.0], self.time);
        self.settle(host);
        answer
    }

    /// Carries on what a call into a host's tunnel left: datagrams to the wire, packets to the ledger, events to the log.
    fn settle(&mut self, host: HostId) {
        loop {
            let outbox = core::mem::take(&mut self.hosts[host.0].outbox);
            for datagram in outbox.datagrams {
                self.hosts[host.0].check_counter(&datagram);
                let Departure { path: Path { remote: to, .. }, ecn, bytes, .. } = datagram;
                let from = self.network.address(host.station());
                let sent = Datagram { from, to, ecn, bytes: bytes.clone() };
                self.trace.note(self.time, host.0, Happening::Sent(sent));
                self.network.send(self.time, host.station(), to, ecn, bytes);
            }
            for (_, packet) in outbox.packets {
                self.trace.note(self.time, host.0, Happening::Delivered(packet.clone()));
                if let Some(identity) = self.hosts[host.0].deliver(packet) {
                    assert_eq!(identity.flow & 0xffff, host.0 as u32, "delivered to another than it was sent to");
                    self.ledger.arrive(identity);
                }
            }
            if outbox.events.is_empty() {
                break;
            }
            for event in outbox.events {
                self.trace.note(self.time, host.0, Happening::Event(event.clone()));
                self.hosts[host.0].events.push((self.time, event.clone()));
                self.answer(host, &event);
            }
        }
        self.note_deadline(host);
    }

    /// Answers an event as a host does: names are resolved, unless the peer is gone or has another endpoint by now.
    fn answer(&mut self, host: HostId, event: &Event) {
        let Event::ResolveEndpoint { peer, .. } = *event else { return };
        let view = self.hosts[host.0].tunnel().peer(peer);
        let Some(Endpoint::Name { host: name, .. }) = view.and_then(|view| view.configured_endpoint()) else { return };
        if let Some(remote) = self.names.get(name).copied() {
            self.hosts[host.0].command(self.time, |tunnel, now| tunnel.set_endpoint(now, peer, remote));
        }
    }

    pub(super) fn note_deadline(&mut self, host: HostId) {
        let new = self.hosts[host.0].deadline().map(|at| at.max(self.time));
        let old = core::mem::replace(&mut self.deadline_of[host.0], new);
        if old != new {
            if let Some(at) = old {
                self.deadlines.remove(&(at, host.0));
            }
            if let Some(at) = new {
                self.deadlines.insert((at, host.0));
            }
        }
    }
}
