//! The demonstration without root: three TCP/IP stacks over the simulated internet, a tunnel between them.
//!
//! A phone in a café fetches pages from an office server through a gateway, by real TCP, and walks out of the café in the
//! middle of a download. Every number in the story was measured in simulated time, every claim was checked.
mod scene;
mod stack;
mod web;

use crate::network::{Datagram, Kind};
use crate::rng::Rng;
use core::net::Ipv4Addr;
use core::time::Duration;
use scene::{CAFE, MOBILE, OFFICE, Scene};
use std::collections::BTreeMap;
use std::io::Write;
use underpass_core::internals::crypto::hash::hash;
use underpass_core::tunnel::Health;
use underpass_core::{DropReason, Rng as _};
use web::Fetch;

const SECOND: Duration = Duration::from_secs(1);
const SEED: u64 = 2026;
const MAP: usize = 6_000_000;
const SECRET: &str = "the office is open from nine to five";

/// Tells the story to `out`.
///
/// # Errors
/// What did not happen as told, or why `out` could not be written.
pub fn run(out: &mut dyn Write) -> Result<(), String> {
    let mut map = vec![0; MAP];
    Rng::new(SEED).fill(&mut map).expect("randomness");
    let page = format!("<title>Office</title><p>Welcome: {SECRET}.</p>\n");
    let pages = BTreeMap::from([("/", page.clone().into_bytes()), ("/map", map.clone())]);
    let mut story = Story { out, scene: Scene::new(SEED, pages), port: 49_152 };
    story.draw()?;
    story.connect()?;
    story.ping("the gateway", Ipv4Addr::new(10, 0, 0, 2))?;
    story.ping("the office server", OFFICE)?;
    story.read_page(page.as_bytes())?;
    story.download_and_leave(&map)?;
    story.eavesdrop()?;
    story.replay()?;
    story.rest()?;
    story.sum_up()
}

struct Story<'o> {
    out: &'o mut dyn Write,
    scene: Scene,
    port: u16,
}

impl Story<'_> {
    fn line(&mut self, text: &str) -> Result<(), String> {
        writeln!(self.out, "{text}").map_err(|error| error.to_string())
    }

    /// A line with the simulated time.
    fn tell(&mut self, text: &str) -> Result<(), String> {
        let seconds = self.scene.world.time().as_secs_f64();
        self.line(&format!("{seconds:>9.3} s  {text}"))
    }

    fn draw(&mut self) -> Result<(), String> {
        self.line(&format!(
            "\
A phone, a gateway and an office server, all in this process: the TCP/IP stacks
are smoltcp, the internet is simulated, its seconds too. The tunnel is real.

  phone 10.0.0.1                         gateway 10.0.0.2   office {OFFICE}
  +---------+                            +---------+        +------------+
  | browser |      ~ the internet ~      |         |  LAN   | web server |
  | tunnel  |==[NAT]==================[]==  tunnel  |--------|            |
  +---------+                            +---------+        +------------+
             first  the cafe's NAT {CAFE}
             then   the mobile network's NAT {MOBILE}
"
        ))
    }

    fn connect(&mut self) -> Result<(), String> {
        self.tell("The phone calls the office. There is no session yet: its packet waits.")?;
        let began = self.scene.world.time();
        let mut fetch = self.fetch("/")?;
        self.scene.until("the handshake", 5 * SECOND, |scene| {
            fetch.go_on(&mut scene.stack);
            scene.world.sessions(scene.gateway) == 1
        })?;
        let took = (self.scene.world.time() - began).as_millis();
        self.tell(&format!("Handshake done after {took} ms: 148 bytes there, 92 back, and the packet behind."))?;
        self.scene.until("the first page", 5 * SECOND, |scene| {
            fetch.go_on(&mut scene.stack);
            fetch.page(&mut scene.stack).is_some()
        })
    }

    fn ping(&mut self, whom: &str, address: Ipv4Addr) -> Result<(), String> {
        let began = self.scene.world.time();
        self.scene.stack.ping(address, 1)?;
        let mut from = None;
        self.scene.until("an echo reply", 5 * SECOND, |scene| {
            from = from.or(scene.stack.pong());
            from.is_some()
        })?;
        if from != Some((address.into(), 1)) {
            return Err(format!("{whom} was asked, and {from:?} answered"));
        }
        let took = (self.scene.world.time() - began).as_millis();
        self.tell(&format!("ping {address}: {whom} answers after {took} ms."))
    }

    fn read_page(&mut self, expected: &[u8]) -> Result<(), String> {
        let mut fetch = self.fetch("/")?;
        self.scene.until("the page", 5 * SECOND, |scene| {
            fetch.go_on(&mut scene.stack);
            fetch.page(&mut scene.stack).is_some()
        })?;
        let page = fetch.page(&mut self.scene.stack).ok_or("no page")??;
        if page != expected {
            return Err("the page is not the one the server holds".into());
        }
        let text = String::from_utf8_lossy(page).trim_end().to_owned();
        self.tell(&format!("GET http://{OFFICE}/ brings {} bytes:", page.len()))?;
        self.line(&format!("             {text}"))
    }

    fn download_and_leave(&mut self, map: &[u8]) -> Result<(), String> {
        let mut fetch = self.fetch("/map")?;
        self.tell(&format!("GET http://{OFFICE}/map begins: {} bytes.", map.len()))?;
        self.scene.until("the first third of the map", 60 * SECOND, |scene| {
            fetch.go_on(&mut scene.stack);
            fetch.received() > MAP / 3
        })?;
        let sessions = self.scene.world.sessions(self.scene.phone);
        let share = fetch.received() * 100 / MAP;
        self.scene.leave_the_cafe();
        let left = self.scene.world.time();
        self.tell(&format!("{share} % are there. The phone leaves the cafe: {CAFE} no more, now {MOBILE}."))?;
        let gateway = self.scene.gateway;
        self.scene.until("the gateway's move", 5 * SECOND, |scene| {
            fetch.go_on(&mut scene.stack);
            let id = scene.world.peer_id(gateway, scene.phone);
            let path = scene.world.tunnel(gateway).peer(id).and_then(|peer| peer.path());
            path.is_some_and(|path| path.remote.ip() == MOBILE)
        })?;
        let took = (self.scene.world.time() - left).as_millis();
        self.tell(&format!("{took} ms later the gateway has a sealed datagram from there, and follows."))?;
        let before = fetch.received();
        self.scene.until("the download to go on", 30 * SECOND, |scene| {
            fetch.go_on(&mut scene.stack);
            fetch.received() > before
        })?;
        if !fetch.is_connected(&mut self.scene.stack) {
            return Err("the connection did not survive".into());
        }
        let paused = (self.scene.world.time() - left).as_millis();
        self.tell(&format!("The download goes on, {paused} ms after the move, on the same TCP connection."))?;
        self.finish(fetch, map)?;
        if self.scene.world.sessions(self.scene.phone) != sessions {
            return Err("the move cost a handshake".into());
        }
        self.line("             The move cost no handshake: the session went along.")
    }

    fn finish(&mut self, mut fetch: Fetch, map: &[u8]) -> Result<(), String> {
        self.scene.until("the whole map", 120 * SECOND, |scene| {
            fetch.go_on(&mut scene.stack);
            fetch.page(&mut scene.stack).is_some()
        })?;
        let page = fetch.page(&mut self.scene.stack).ok_or("no map")??;
        let (sent, got) = (digest(map), digest(page));
        if page != map {
            return Err(format!("the map is damaged: {got} instead of {sent}"));
        }
        self.tell(&format!("All {} bytes are there. BLAKE2s of what was sent {sent}", page.len()))?;
        self.line(&format!("{:>13}            and of what arrived {got}", ""))
    }

    fn eavesdrop(&mut self) -> Result<(), String> {
        let seen = self.scene.world.network.attacker.everything();
        let bytes: usize = seen.iter().map(|(_, datagram)| datagram.bytes.len()).sum();
        let reads = |datagram: &Datagram| datagram.bytes.windows(SECRET.len()).any(|text| text == SECRET.as_bytes());
        if seen.iter().any(|(_, datagram)| reads(datagram)) {
            return Err("the page crossed the internet in the clear".into());
        }
        let count = seen.len();
        self.tell(&format!("A listener has {count} datagrams, {bytes} bytes, and not a word of the page."))
    }

    fn replay(&mut self) -> Result<(), String> {
        let world = &mut self.scene.world;
        let gateway = self.scene.gateway;
        let place = world.address(gateway);
        let captured: Vec<_> =
            world.network.attacker.captured(Kind::Data).filter(|d| d.to == place).take(1000).cloned().collect();
        let before =
            (world.tunnel(gateway).stats().drops.of(DropReason::Replay), world.tunnel(gateway).stats().rx_packets);
        let count = captured.len() as u64;
        for datagram in captured {
            world.hand(gateway, datagram);
        }
        let stats = world.tunnel(gateway).stats();
        if stats.drops.of(DropReason::Replay) != before.0 + count || stats.rx_packets != before.1 {
            return Err("a replayed datagram was taken".into());
        }
        self.tell(&format!("It sends {count} of them again. The gateway drops every one: seen before."))
    }

    fn rest(&mut self) -> Result<(), String> {
        let (phone, gateway) = (self.scene.phone, self.scene.gateway);
        self.scene.until("rest", 30 * SECOND, |scene| {
            scene.world.next_time().is_none_or(|at| at > scene.world.time() + 60 * SECOND)
        })?;
        let health = self.scene.world.health(phone, gateway);
        if health != Health::Up {
            return Err(format!("the phone says that the tunnel is {health:?}"));
        }
        self.tell("Nobody says anything any more.")?;
        self.scene.world.run_for(700 * SECOND);
        self.scene.world.host_mut(phone).forget();
        self.scene.world.host_mut(gateway).forget();
        self.scene.world.run_for(12 * 3600 * SECOND);
        let wakeups = self.scene.world.host(phone).wakeups.len() + self.scene.world.host(gateway).wakeups.len();
        if wakeups != 0 {
            return Err(format!("the idle tunnels woke {wakeups} times"));
        }
        self.tell("Twelve hours later: the keys are wiped, and neither side woke up once meanwhile.")
    }

    fn sum_up(&mut self) -> Result<(), String> {
        self.line("")?;
        for (name, host) in [("phone", self.scene.phone), ("gateway", self.scene.gateway)] {
            let stats = self.scene.world.tunnel(host).stats();
            let text = format!(
                "  {name:<8} {:>8} packets out {:>8} in   {:>9} bytes out {:>9} in   {} handshake",
                stats.tx_packets, stats.rx_packets, stats.tx_bytes, stats.rx_bytes, stats.handshakes
            );
            self.line(&text)?;
        }
        self.line("\nEvery step was checked; nothing left this process.")
    }

    fn fetch(&mut self, path: &str) -> Result<Fetch, String> {
        self.port += 1;
        Fetch::begin(&mut self.scene.stack, OFFICE, self.port, path)
    }
}

/// The first eight bytes of a hash in hexadecimal digits, for people to compare.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hash(&[bytes]).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
