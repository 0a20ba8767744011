//! How often a tunnel that carries nothing makes its host wake up, in simulated time.
use crate::figures::Table;
use crate::harness::Effort;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;
use underpass_budget::{as_peer, boundless, forget_events, key, path, room, tunnel_with, write_packet};
use underpass_core::limits::DEFAULT_MTU;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Inbound, Outbound};
use underpass_core::{Instant, NewPeer, Tunnel};

const HOUR: Duration = Duration::from_secs(3600);
/// Seconds between persistent keepalives.
const KEEPALIVE: u16 = 25;
/// Peers of sanstun that are simulated for many: they know nothing of each other.
#[cfg(feature = "peers")]
const FEW: u32 = 20;
/// A host serves all deadlines of one millisecond in one wake-up.
const GRAIN: u64 = 1_000_000;

/// Wake-ups in an hour.
pub fn wakeups(effort: Effort) -> Table {
    let crowd = effort.pick(100, 1000);
    let named = |words: &str| format!("{crowd} peers, {words}");
    let columns = [
        "1 peer, first hour",
        "1 peer, second hour",
        &named("first hour"),
        &named("second hour"),
        "1 peer, keepalive",
        &named("keepalive"),
    ];
    let mut table = Table::new(
        "Wake-ups for timers in an hour, simulated",
        "Every peer has a session and has just exchanged a packet when the first hour begins; nothing is sent after it. \
         The second hour follows the first. With keepalives of 25 seconds every peer is on the line and answers \
         handshakes. boringtun and gotatun: the fixed ticks of their daemons (250 ms, and 1 s more in boringtun: their \
         `device/mod.rs`), whatever the number of peers. sanstun: its `poll_timeout`, one deadline for each peer, 20 \
         peers simulated for many.",
        &columns,
    );
    let figure = |count: usize| Some((count as f64).into());
    let [one, many] = [1, crowd].map(|peers| ours(peers, 0));
    let [one_alive, many_alive] = [1, crowd].map(|peers| ours(peers, KEEPALIVE));
    table.row(
        "Underpass",
        vec![
            figure(one[0]),
            figure(one[1]),
            figure(many[0]),
            figure(many[1]),
            figure(one_alive[1]),
            figure(many_alive[1]),
        ],
    );
    #[cfg(feature = "peers")]
    {
        let alive = Some(Duration::from_secs(KEEPALIVE.into()));
        let [one, few] = [1, FEW].map(|peers| sanstun(peers, None));
        let [one_alive, few_alive] = [1, FEW].map(|peers| sanstun(peers, alive));
        let scaled = |hours: [usize; 2]| hours.map(|count| count * (crowd / FEW) as usize);
        let (many, many_alive) = (scaled(few), scaled(few_alive));
        table.row("boringtun", vec![figure(3600 * 5); 6]);
        table.row("gotatun", vec![figure(3600 * 4); 6]);
        table.row(
            "sanstun",
            vec![
                figure(one[0]),
                figure(one[1]),
                figure(many[0]),
                figure(many[1]),
                figure(one_alive[1]),
                figure(many_alive[1]),
            ],
        );
    }
    table
}

/// A tunnel and those it talks to, whose datagrams arrive at once.
pub(super) struct World {
    gateway: Tunnel,
    others: Vec<Tunnel>,
    /// The next deadline of each of the others.
    deadlines: Vec<Instant>,
    /// Who is reached at which address.
    numbers: HashMap<SocketAddr, usize>,
}

impl World {
    pub(super) fn new(peers: u32, keepalive: u16) -> Self {
        let everyone = (1..=peers).map(|number| NewPeer { persistent_keepalive: keepalive, ..as_peer(number) });
        let gateway = tunnel_with(0, everyone.collect(), DEFAULT_MTU, boundless());
        let others = (1..=peers).map(|number| tunnel_with(number, vec![as_peer(0)], DEFAULT_MTU, boundless()));
        Self {
            gateway,
            others: others.collect(),
            deadlines: vec![Instant::MAX; peers as usize],
            numbers: (1..=peers).map(|number| path(number).remote).zip(0..).collect(),
        }
    }

    /// A handshake and a packet with every peer, a tenth of a second apart.
    pub(super) fn exchange(&mut self) -> Instant {
        let mut now = Instant::ZERO;
        let mut buf = vec![0; room(100)];
        for (place, number) in (0..self.others.len()).zip(1..) {
            now = now + Duration::from_millis(100);
            let id = self.gateway.peer_by_key(&key(number).public_key()).expect("known");
            self.gateway.connect(now, id);
            self.settle(now);
            let outcome = self.gateway.handle_packet(now, write_packet(&mut buf, 100, 0, number));
            let Outbound::Datagram { transmit, .. } = outcome else { panic!("{outcome:?}") };
            let outcome = self.others[place].handle_datagram(now, path(0), Ecn::NotCapable, &mut buf[..transmit.len]);
            assert!(matches!(outcome, Inbound::Packet { .. }), "{outcome:?}");
            self.settle_with(now, place);
        }
        now
    }

    /// A packet to the first of the others, and one back.
    pub(super) fn talk(&mut self, now: Instant) {
        let mut buf = vec![0; room(100)];
        match self.gateway.handle_packet(now, write_packet(&mut buf, 100, 0, 1)) {
            Outbound::Datagram { transmit, .. } => {
                let outcome = self.others[0].handle_datagram(now, path(0), Ecn::NotCapable, &mut buf[..transmit.len]);
                assert!(matches!(outcome, Inbound::Packet { .. }), "{outcome:?}");
            }
            outcome => assert!(matches!(outcome, Outbound::Staged), "{outcome:?}"),
        }
        // A handshake, if one is due; what waited for it has arrived when it is over.
        self.settle(now);
        let Outbound::Datagram { transmit, .. } = self.others[0].handle_packet(now, write_packet(&mut buf, 100, 1, 0))
        else {
            panic!("there is a session");
        };
        let outcome = self.gateway.handle_datagram(now, path(1), Ecn::NotCapable, &mut buf[..transmit.len]);
        assert!(matches!(outcome, Inbound::Packet { .. }), "{outcome:?}");
        self.settle_with(now, 0);
        self.settle(now);
    }

    /// Sends what the gateway has to send, and what is answered.
    pub(super) fn settle(&mut self, now: Instant) {
        let mut buf = [0; 2048];
        while let Some(transmit) = self.gateway.poll_transmit(now, &mut buf).expect("room") {
            let Some(place) = self.numbers.get(&transmit.path.remote).copied() else { continue };
            let _ = self.others[place].handle_datagram(now, path(0), Ecn::NotCapable, &mut buf[..transmit.len]);
            self.settle_with(now, place);
        }
        forget_events(&mut self.gateway);
    }

    /// Sends what one of the others has to send.
    fn settle_with(&mut self, now: Instant, place: usize) {
        let mut buf = [0; 2048];
        let other = &mut self.others[place];
        while let Some(transmit) = other.poll_transmit(now, &mut buf).expect("room") {
            let number = place as u32 + 1;
            let _ = self.gateway.handle_datagram(now, path(number), Ecn::NotCapable, &mut buf[..transmit.len]);
        }
        forget_events(other);
        self.deadlines[place] = other.poll_timeout().unwrap_or(Instant::MAX);
    }

    /// The gateway's wake-ups until `end`.
    pub(super) fn wakeups(&mut self, end: Instant) -> usize {
        let mut moments = BTreeSet::new();
        loop {
            let ours = self.gateway.poll_timeout().unwrap_or(Instant::MAX);
            let (place, theirs) = (0..).zip(&self.deadlines).min_by_key(|(_, at)| **at).expect("a peer");
            let now = ours.min(*theirs);
            if now > end {
                return moments.len();
            }
            if ours == now {
                moments.insert(now.as_nanos() / GRAIN);
                self.gateway.handle_timeout(now);
            } else {
                self.others[place].handle_timeout(now);
                self.settle_with(now, place);
            }
            self.settle(now);
        }
    }
}

/// Wake-ups of the first hour and of the second.
fn ours(peers: u32, keepalive: u16) -> [usize; 2] {
    let mut world = World::new(peers, keepalive);
    world.settle(Instant::ZERO);
    let began = world.exchange();
    world.settle(began);
    [1, 2].map(|hour| world.wakeups(began + HOUR * hour))
}

/// The same of sanstun, whose tunnels know nothing of each other: each is simulated for itself.
#[cfg(feature = "peers")]
fn sanstun(peers: u32, keepalive: Option<Duration>) -> [usize; 2] {
    use crate::parties::sanstun::{End, pair, shake_hands};
    use sanstun::Event;
    let epoch = std::time::Instant::now();
    let mut hours = [BTreeSet::new(), BTreeSet::new()];
    let drain = |from: &mut End, to: &mut End, now| {
        while let Some(event) = from.tunnel.poll_event() {
            let (Event::SendHandshakeInitiation(datagram) | Event::SendKeepalive(datagram)) = event else { continue };
            let mut datagram = datagram.to_vec();
            // What is refused (a stale keepalive) is lost, as on the network.
            let answer = to.take(&mut datagram, now).unwrap_or_default();
            let mut last =
                if answer.is_empty() { continue } else { from.take(&mut answer.clone(), now).unwrap_or_default() };
            let _ = to.take(&mut last, now);
        }
    };
    for number in 0..peers {
        let began = epoch + Duration::from_millis(100) * number;
        let (mut a, mut b) = pair(u64::MAX, keepalive, began);
        shake_hands(&mut a, &mut b, began);
        let start = epoch + Duration::from_millis(100) * peers;
        let end = start + HOUR * 2;
        loop {
            let ours = a.tunnel.poll_timeout().unwrap_or(end);
            let now = ours.min(b.tunnel.poll_timeout().unwrap_or(end));
            if now >= end {
                break;
            }
            if ours == now {
                if now >= start {
                    let hour = usize::from(now >= start + HOUR);
                    hours[hour].insert((now - epoch).as_nanos() as u64 / GRAIN);
                }
                a.tunnel.handle_timeout(now);
                drain(&mut a, &mut b, now);
            } else {
                b.tunnel.handle_timeout(now);
                drain(&mut b, &mut a, now);
            }
        }
    }
    hours.map(|moments| moments.len())
}
