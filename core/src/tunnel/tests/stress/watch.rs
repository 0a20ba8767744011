//! What leaves a host, held against what left before.
use super::*;
use std::collections::BTreeSet;

/// What left a host.
#[derive(Default)]
pub(super) struct Watch {
    /// The latest timestamp of its initiations since it started, or the floor with which it did.
    pub(super) latest: Tai64N,
    /// The latest timestamp that it forgot to have sent.
    forgotten: Tai64N,
    /// Which counters left under which session, by the other side's index.
    counters: BTreeSet<(u32, u64)>,
}

impl Watch {
    /// The host starts again and does not know what it sent.
    pub(super) fn forget(&mut self) {
        self.forgotten = self.forgotten.max(self.latest);
    }

    /// What its wall clock must show at least, or its peers take it for a replay of its former self.
    pub(super) fn least_wall(&self) -> UnixTime {
        self.forgotten.to_wall() + Duration::from_secs(1)
    }

    /// No counter leaves twice under one key.
    pub(super) fn see(&mut self, datagram: &[u8]) {
        let [4, _, _, _, rest @ ..] = datagram else { return };
        let (index, rest) = rest.split_first_chunk().expect("an index");
        let counter = rest.first_chunk().expect("a counter");
        let (index, counter) = (u32::from_le_bytes(*index), u64::from_le_bytes(*counter));
        assert!(self.counters.insert((index, counter)), "counter {counter} of session {index:#x} leaves twice");
    }

    /// An initiation leaves when the wall clock shows `wall`. Its timestamp is not later than that, unless an earlier one was
    /// at least as late: then it is the next step after the latest.
    fn see_timestamp(&mut self, wall: UnixTime, timestamp: Tai64N) {
        let bound = Tai64N::from_wall(wall).after(self.latest);
        assert!(timestamp <= bound, "{timestamp:?} when it is {wall:?}, after {:?}", self.latest);
        self.latest = self.latest.max(timestamp);
    }
}

impl Story {
    /// A datagram leaves for the other side.
    pub(super) fn launch(&mut self, who: usize, datagram: Vec<u8>) {
        self.watch[who].see(&datagram);
        let (from, link) = (self.address(who), self.below(3));
        let local = (self.below(2) == 0).then(|| IpAddr::from([192, 0, 2, 2 - who as u8]));
        self.wire.push((1 - who, Path::new(from).with_local(local).with_link(link), datagram));
    }

    /// The tunnel wants this to be sent.
    fn transmitted(&mut self, who: usize, transmit: &Transmit, datagram: &[u8]) {
        let tunnel = &self.hosts[who].tunnel;
        let (kind, actual) = (datagram[0], tunnel.shared.clock.now());
        if matches!(kind, 1 | 2) {
            let last = self.sent.insert((who, transmit.peer), actual).filter(|_| kind == 1);
            assert!(last.is_none_or(|last| actual.since(last) >= REKEY_TIMEOUT), "{last:?} {actual:?}");
        }
        if kind == 1 {
            let peer = tunnel.peers.find(transmit.peer).expect("somebody is initiated to");
            self.watch[who].see_timestamp(self.clocks[who].wall, peer.timestamp_sent);
        }
        self.launch(who, datagram.to_vec());
    }

    /// Drains a tunnel; now and then with a buffer that is too short at first.
    pub(super) fn drain(&mut self, who: usize) {
        let mut buf = vec![0; self.hosts[who].tunnel.layout().transmit_buffer()];
        if self.below(8) == 0 {
            let len = self.below(buf.len() as u32) as usize;
            self.poll_short(who, &mut buf, len);
        }
        let now = self.clocks[who].now;
        while let Some(transmit) = self.hosts[who].tunnel.poll_transmit(now, &mut buf).expect("there is room") {
            self.transmitted(who, &transmit, &buf[..transmit.len]);
        }
        while self.hosts[who].tunnel.poll_event().is_some() {}
        let intents = self.hosts[who].tunnel.peers.iter().filter(|peer| peer.has_intents() || peer.queued).count();
        assert_eq!((intents, self.hosts[who].tunnel.shared.transmits.peers.len()), (0, 0), "drained");
    }

    /// Polls once with the first `len` bytes of `buf`: what fits leaves, what does not says what it needs.
    fn poll_short(&mut self, who: usize, buf: &mut [u8], len: usize) {
        let tunnel = &mut self.hosts[who].tunnel;
        let waiting = tunnel.shared.transmits.peers.len() > 0;
        match tunnel.poll_transmit(self.clocks[who].now, &mut buf[..len]) {
            Ok(Some(transmit)) => self.transmitted(who, &transmit, &buf[..transmit.len]),
            Ok(None) => assert!(!waiting || len >= 148, "something waits"),
            Err(TransmitError::ShortBuffer { needed }) => {
                assert!(waiting && (len + 1..=buf.len()).contains(&needed), "{needed}")
            }
            Err(error) => panic!("{error}"),
        }
    }
}
