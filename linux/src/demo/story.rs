//! The story on real machines. Every step looks at what came of it.
use super::scene::{CAFE, DRAWING, GATEWAY, GATEWAY_INSIDE, MOBILE, OFFICE, PHONE_INSIDE, Scene};
use super::stage::{Capture, Datagram, Stage};
use super::tunnel::{End, NAME};
use super::web::{Fetch, Pages, Server, throughput};
use anyhow::{Context as _, Result, ensure};
use std::io::Write;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::{Duration, Instant};
use underpass_sim::demo::digest;

const SECRET: &str = "the office is open from nine to five";
const WEB: SocketAddr = SocketAddr::new(IpAddr::V4(OFFICE), 80);
/// Bytes of the long page.
const MAP: usize = 48_000_000;
/// How long throughput is measured, each way.
const SPAN: Duration = Duration::from_secs(2);

/// Tells the story to `out`.
pub(super) fn tell(stage: &Stage, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{DRAWING}")?;
    let scene = Scene::new(stage).context("making the machines")?;
    let mut map = vec![0; MAP];
    scramble(&mut map);
    let page = format!("<title>Office</title><p>Welcome: {SECRET}.</p>\n");
    let pages = Pages::from([("/", page.clone().into_bytes()), ("/map", map.clone())]);
    let _server = Server::start(&scene.office, WEB, pages)?;
    let mut story = Story { out, started: Instant::now(), scene: Rc::new(scene) };

    story.without_a_tunnel()?;
    let listener = Capture::start(&story.scene.internet, 64 * 1024)?;
    let (phone, gateway) = story.set_up_tunnel()?;
    story.shake_hands(&phone, &listener)?;
    story.ping("the gateway", IpAddr::V4(GATEWAY_INSIDE))?;
    story.ping("the office server", IpAddr::V4(OFFICE))?;
    story.read_page(&page)?;
    story.eavesdrop(&listener)?;
    story.replay(&gateway, &listener)?;
    drop(listener);
    story.download_and_leave(&gateway, &map)?;
    story.measure()?;
    story.show()?;
    story.clean_up(phone, gateway)?;
    #[cfg(feature = "gateway")]
    story.ask_who_it_is(&page)?;
    Ok(writeln!(story.out, "\nEvery step was checked; nothing is left behind.")?)
}

struct Story<'o> {
    out: &'o mut dyn Write,
    started: Instant,
    scene: Rc<Scene>,
}

impl Story<'_> {
    /// A line with the time since the beginning.
    fn tell(&mut self, text: &str) -> Result<()> {
        writeln!(self.out, "{:>9.3} s  {text}", self.started.elapsed().as_secs_f64())?;
        Ok(self.out.flush()?)
    }

    /// A line that belongs to the one before.
    fn add(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.out, "{}", format!("             {text}").trim_end())?)
    }

    /// What the tunnel is for: the phone reaches the gateway's public address, and nothing behind it.
    fn without_a_tunnel(&mut self) -> Result<()> {
        let outside = GATEWAY.ip().to_string();
        self.scene.phone.run("ping", &["-c", "1", "-w", "30", &outside]).context("the internet of the story")?;
        let office = self.scene.phone.try_run("ping", &["-c", "1", "-W", "1", &OFFICE.to_string()])?;
        ensure!(!office.status.success(), "the office server is reached without a tunnel");
        self.tell(&format!("From the cafe the phone reaches the internet, but not the office server {OFFICE}."))
    }

    fn set_up_tunnel(&mut self) -> Result<(End, End)> {
        let (phone, gateway) = (End::start(&self.scene.phone)?, End::start(&self.scene.gateway)?);
        let lines = format!(
            "listen_port={}\npublic_key={}\nallowed_ip={PHONE_INSIDE}/32\n",
            GATEWAY.port(),
            phone.public_key_hex()
        );
        gateway.set_up(&lines, &format!("{GATEWAY_INSIDE}/24"))?;
        let lines = format!(
            "public_key={}\nendpoint={GATEWAY}\nallowed_ip=10.0.0.0/24\nallowed_ip=10.50.0.0/24\n",
            gateway.public_key_hex()
        );
        phone.set_up(&lines, &format!("{PHONE_INSIDE}/24"))?;
        self.scene.phone.ip(&format!("route add 10.50.0.0/24 dev {NAME}"))?;
        self.tell(&format!("`underpass -f {NAME}` runs on the phone and on the gateway, and both are configured."))?;
        self.add("The gateway knows the phone's key, but not where it is. Nobody has spoken yet.")?;
        Ok((phone, gateway))
    }

    /// The first packet makes the handshake; the internet sees four datagrams.
    fn shake_hands(&mut self, phone: &End, listener: &Capture) -> Result<()> {
        let ping = ["-c", "1", "-w", "30", &GATEWAY_INSIDE.to_string()];
        let report = self.scene.phone.run("ping", &ping).context("the first ping")?;
        ensure!(phone.peer()?.latest_handshake.is_some(), "the phone knows of no handshake");
        let started = Instant::now();
        let seen = loop {
            let mut seen = self.at_gateway(listener);
            // What is answered late is said twice.
            seen.dedup_by(|next, last| next.message_type() == last.message_type() && next.message_type() != 4);
            if seen.len() >= 4 || started.elapsed() > Duration::from_secs(30) {
                break seen;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let types: Vec<u8> = seen.iter().map(Datagram::message_type).take(4).collect();
        ensure!(types == [1, 2, 4, 4], "the first datagrams are of types {types:?}");
        self.tell("The phone calls the gateway. The internet sees:")?;
        let names = ["the initiation", "the response", "the ping, sealed", "its answer, sealed"];
        for (datagram, name) in seen.iter().zip(names) {
            let line = format!(
                "{:>21} -> {:<21} {:>3} bytes  {name}",
                datagram.source,
                datagram.destination,
                datagram.payload.len()
            );
            self.add(&line)?;
        }
        self.add(&format!("The ping took {} ms, the handshake before it included.", average(&report)))
    }

    /// What passed the gateway's public port, once each: the wire to the café shows the same behind the NAT.
    fn at_gateway(&self, listener: &Capture) -> Vec<Datagram> {
        let mut seen = listener.datagrams();
        seen.retain(|datagram| {
            let other = if datagram.destination == GATEWAY { datagram.source } else { datagram.destination };
            (datagram.source == GATEWAY || datagram.destination == GATEWAY) && other.ip() == IpAddr::V4(CAFE)
        });
        seen
    }

    fn ping(&mut self, whom: &str, address: IpAddr) -> Result<()> {
        // One after the other: of several, ping gives the last one no more than two round trips, whatever `-W` says.
        let mut sum = 0.0;
        for _ in 0..10 {
            let report = self.scene.phone.run("ping", &["-c", "1", "-W", "30", &address.to_string()])?;
            sum += average(&report).parse::<f64>().context("ping tells how long it took")?;
        }
        let average = sum / 10.0;
        self.tell(&format!("ping {address}: {whom} answers 10 times of 10, after {average:.3} ms on average."))
    }

    fn read_page(&mut self, expected: &str) -> Result<()> {
        let (page, _) = Fetch::begin(&self.scene.phone, WEB, "/")?.finish()?;
        ensure!(page == expected.as_bytes(), "the page is not the one the server holds");
        self.tell(&format!("GET http://{OFFICE}/ brings {} bytes:", page.len()))?;
        self.add(expected.trim_end())
    }

    fn eavesdrop(&mut self, listener: &Capture) -> Result<()> {
        let frames = listener.frames();
        let reads = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|text| text == SECRET.as_bytes());
        ensure!(!frames.iter().any(|frame| reads(&frame.bytes)), "the page crossed the internet in the clear");
        let bytes: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
        self.tell(&format!(
            "A listener on the internet has {} frames, {bytes} bytes, and not a word of it.",
            frames.len()
        ))
    }

    /// Datagrams that were taken once are sent again; the gateway counts only what authenticates and is new.
    fn replay(&mut self, gateway: &End, listener: &Capture) -> Result<()> {
        let mut seen = self.at_gateway(listener);
        seen.retain(|datagram| datagram.destination == GATEWAY && datagram.message_type() == 4);
        ensure!(!seen.is_empty(), "the listener has nothing to replay");
        let before = gateway.peer_at_rest()?;
        let socket = self.scene.internet.inside(|| UdpSocket::bind("0.0.0.0:0"))?;
        for datagram in &seen {
            socket.send_to(&datagram.payload, GATEWAY)?;
        }
        std::thread::sleep(Duration::from_millis(200));
        let after = gateway.peer()?;
        ensure!(before.rx_bytes == after.rx_bytes, "a replayed datagram was counted");
        ensure!(before.endpoint == after.endpoint, "a replayed datagram moved the phone");
        self.tell(&format!("It sends {} of the phone's datagrams again. The gateway takes none.", seen.len()))
    }

    /// The phone moves to another network in the middle of a download, on one TCP connection.
    fn download_and_leave(&mut self, gateway: &End, map: &[u8]) -> Result<()> {
        let mut fetch = Fetch::begin(&self.scene.phone, WEB, "/map")?;
        self.tell(&format!("GET http://{OFFICE}/map begins: {} bytes.", fetch.length()))?;
        fetch.read_to(map.len() / 3)?;
        let before = gateway.peer()?;
        self.scene.leave_the_cafe()?;
        let left = Instant::now();
        self.tell(&format!("A third is there. The phone leaves the cafe: {CAFE} no more, now {MOBILE}."))?;
        let (page, silence) =
            fetch.finish().with_context(|| format!("the download, {:?} after the move", left.elapsed()))?;
        let (sent, got) = (digest(map), digest(&page));
        ensure!(page == map, "the map is damaged: {got} instead of {sent}");
        let after = gateway.peer()?;
        let endpoint = after.endpoint.context("the gateway knows no endpoint")?;
        ensure!(endpoint.starts_with(&format!("{MOBILE}:")), "the gateway still reaches the phone at {endpoint}");
        ensure!(before.latest_handshake == after.latest_handshake, "the move cost a handshake");
        self.tell(&format!("The gateway followed to {endpoint}, and the same TCP connection brought the rest."))?;
        self.add(&format!(
            "The longest silence was {} ms; the session went along without a handshake.",
            silence.as_millis()
        ))?;
        self.add(&format!("BLAKE2s of what was sent {sent}"))?;
        self.add(&format!("   and of what arrived   {got}"))
    }

    fn measure(&mut self) -> Result<()> {
        let (phone, office) = (&self.scene.phone, &self.scene.office);
        let up = throughput(phone, office, SocketAddr::new(OFFICE.into(), 5001), SPAN)?;
        let down = throughput(office, phone, SocketAddr::new(PHONE_INSIDE.into(), 5001), SPAN)?;
        ensure!(up > 0.0 && down > 0.0, "nothing got through");
        let megabits = |rate: f64| rate * 8.0 / 1e6;
        self.tell(&format!(
            "One TCP connection carries {:.0} Mbit/s from the phone and {:.0} Mbit/s to it,",
            megabits(up),
            megabits(down)
        ))?;
        self.add("with all four machines on this one.")
    }

    /// `wg show` where there is one; it takes our daemon for any other. Otherwise our own.
    fn show(&mut self) -> Result<()> {
        let gateway = &self.scene.gateway;
        let own = std::env::current_exe()?;
        let (name, text) = match gateway.run("wg", &["show", NAME]) {
            Ok(text) => ("wg show", text),
            Err(_) => ("underpass show", gateway.run(&own.to_string_lossy(), &["show", NAME])?),
        };
        ensure!(text.contains("latest handshake"), "{name} knows of no handshake: {text}");
        self.tell(&format!("`{name}` on the gateway:"))?;
        for line in text.trim_end().lines() {
            self.add(&format!("  {line}"))?;
        }
        Ok(())
    }

    fn clean_up(&mut self, phone: End, gateway: End) -> Result<()> {
        phone.end()?;
        gateway.end()?;
        self.tell("Both tunnels are down; their interfaces and processes are gone.")
    }

    /// The gateway of a company: a key alone is not enough any more.
    #[cfg(feature = "gateway")]
    fn ask_who_it_is(&mut self, page: &str) -> Result<()> {
        let scene = Rc::clone(&self.scene);
        let (office, typed) = super::people::Office::found(&scene)?;
        self.tell("The same gateway is set up for people. Its operator types:")?;
        typed.iter().try_for_each(|line| self.add(&format!("  underpass {line}")))?;
        let gateway = office.open()?;
        let code = office.code()?;
        let (login, said) = office.log_in(&code)?;
        self.tell("`underpass gateway run` runs. On the phone, alice types name, password and the code of her app:")?;
        self.add("  underpass login office1")?;
        said.lines().try_for_each(|line| self.add(&format!("  {line}")))?;
        self.read_page(page).context("the page, logged in")?;
        office.try_database(&scene.phone)?;
        self.tell("She asks for the database, where no rule lets her. It is refused, and on record.")?;
        let mut fetch = Fetch::begin(&scene.phone, WEB, "/map")?;
        fetch.read_to(fetch.length() / 3)?;
        office.revoke(&mut fetch)?;
        self.tell("`underpass session revoke alice` in the middle of a download: nothing of it comes any more.")?;
        let said = super::people::Office::say_goodbye(login)?;
        said.lines().last().into_iter().try_for_each(|line| self.add(&format!("  {line}")))?;
        office.refuse(&code)?;
        self.tell("She logs in again with the same code. The gateway takes no code twice.")?;
        let (shown, verified) = (office.administer("audit show")?, office.administer("audit verify")?);
        self.tell("`underpass audit show` has who did what, and `underpass audit verify` finds it as it was written:")?;
        for event in ["session.opened", "access.denied", "session.revoked"] {
            let line =
                shown.lines().find(|line| line.contains(event)).with_context(|| format!("{event} is not on record"))?;
            self.add(&format!("  {line}"))?;
        }
        verified.lines().try_for_each(|line| self.add(&format!("  {line}")))?;
        office.close(gateway)?;
        self.tell("The gateway is down; its interface and its rules are gone, the machines go now.")
    }
}

/// The average round trip in milliseconds that `ping` reports.
fn average(report: &str) -> &str {
    report.rsplit_once("mdev = ").and_then(|(_, times)| times.split('/').nth(1)).unwrap_or("?")
}

/// Fills `bytes` from a xorshift sequence (Marsaglia, 2003).
fn scramble(bytes: &mut [u8]) {
    let mut state = 2026_u64;
    for chunk in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        for (to, from) in chunk.iter_mut().zip(state.to_le_bytes()) {
            *to = from;
        }
    }
}
