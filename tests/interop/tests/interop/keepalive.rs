//! A peer behind a router that translates addresses and forgets.
use anyhow::{Result, ensure};
use std::net::IpAddr;
use std::time::Duration;
use underpass_interop::scenery::Nat;
use underpass_interop::{Capture, Datagram, Device, Implementation, PATIENCE, Stage, answers, eventually, seconds};

/// Type of transport data, and its length when it is a keepalive (paper § 5.4.6).
const DATA: u8 = 4;
const KEEPALIVE: usize = 32;
/// Seconds after which a forgetful router forgets an idle flow, and a patient one.
const FORGETFUL: u32 = 3;
const PATIENT: u32 = 60;

/// The server inside the tunnel, seen from home, and home, seen from the server.
const SERVER: &str = "10.9.0.2";
const HOME: &str = "10.9.0.1";

fn behind_nat(
    stage: &Stage,
    home: Implementation,
    server: Implementation,
    memory: u32,
    keepalive: &str,
) -> Result<(Nat, Device, Device)> {
    let nat = Nat::new(stage, memory)?;
    let (left, right) = (Device::start(&nat.home, home)?, Device::start(&nat.server, server)?);
    right.bring_up(&["10.9.0.2/24"], "ListenPort = 51820", &left.as_peer("10.9.0.1/32"))?;
    let peer = right.as_peer("10.9.0.2/32") + &format!("Endpoint = 198.51.100.2:51820\n{keepalive}\n");
    left.bring_up(&["10.9.0.1/24"], "", &peer)?;
    Ok((nat, left, right))
}

mod keeps_the_way_open {
    use super::*;
    /// With a keepalive every second the server reaches home after 8 s of silence, though the router forgets after 3.
    /// Nobody at home ever spoke: the keepalive alone made the session.
    fn story(stage: &Stage, home: Implementation, server: Implementation) -> Result<()> {
        let (nat, _left, right) = behind_nat(stage, home, server, FORGETFUL, "PersistentKeepalive = 1")?;
        std::thread::sleep(seconds(8));
        answers(&nat.server, HOME)?;
        let status = right.status()?;
        let endpoint = status.only_peer()?.endpoint.map(|endpoint| endpoint.ip().to_string());
        ensure!(endpoint.as_deref() == Some("198.51.100.1"), "the server does not see the router: {status:?}");
        Ok(())
    }
    crate::for_every_pair!(story);
}

mod is_missed_where_there_is_none {
    use super::*;
    /// The control to the story above: without keepalives the router forgets, and the server does not reach home; home
    /// speaking up once is enough to be reached again.
    fn story(stage: &Stage, home: Implementation, server: Implementation) -> Result<()> {
        let (nat, _left, _right) = behind_nat(stage, home, server, FORGETFUL, "")?;
        answers(&nat.home, SERVER)?;
        // A keepalive or a second handshake may still pass and be remembered for a while; then there is silence.
        let is_reached =
            || -> Result<bool> { Ok(nat.server.try_run("ping", &["-c", "1", "-W", "2", HOME])?.status.success()) };
        eventually("the router forgets home", PATIENCE, || {
            std::thread::sleep(seconds(5));
            Ok(!is_reached()?)
        })?;
        // The router remembers it for 3 s: on a busy machine that may take more than one attempt.
        eventually("home is reached once it has spoken", PATIENCE, || {
            answers(&nat.home, SERVER)?;
            is_reached()
        })
    }
    crate::for_every_pair!(story);
}

mod comes_when_due {
    use super::*;

    /// What home is told to keep to, and by how much a timer of the kernel and the clock of a capture may be off.
    const INTERVAL: Duration = seconds(2);
    const GRAIN: Duration = Duration::from_millis(50);

    /// How long the tunnel had been silent, on the wire of home, before each keepalive of home.
    fn silences(capture: &Capture) -> Result<Vec<Duration>> {
        let said: Vec<Datagram> =
            capture.datagrams().into_iter().filter(|datagram| datagram.message_type() == DATA).collect();
        let home: IpAddr = "10.1.1.2".parse()?;
        let pairs = said.iter().zip(said.iter().skip(1));
        let keepalives = pairs.filter(|(_, next)| next.source.ip() == home && next.payload.len() == KEEPALIVE);
        keepalives.map(|(before, keepalive)| Ok(keepalive.at.duration_since(before.at)?)).collect()
    }

    /// Every 2 s in silence; none while data flows. So each comes after 2 s of silence, not sooner, and at least one not
    /// much later, which a machine of any speed brings about.
    fn story(stage: &Stage, home: Implementation, server: Implementation) -> Result<()> {
        let (nat, _left, _right) = behind_nat(stage, home, server, FORGETFUL, "PersistentKeepalive = 2")?;
        answers(&nat.home, SERVER)?;
        let capture = Capture::start(&nat.home, 300)?;
        eventually("a keepalive after 2 s of silence, four in all", PATIENCE, || {
            let silences = silences(&capture)?;
            Ok(silences.len() >= 4 && silences.iter().any(|silence| *silence < INTERVAL + 10 * GRAIN))
        })?;
        nat.home.run("ping", &["-q", "-i", "0.5", "-c", "13", SERVER])?;
        for silence in silences(&capture)? {
            ensure!(silence + GRAIN >= INTERVAL, "a keepalive {silence:?} after something else was said");
        }
        Ok(())
    }
    crate::for_every_pair!(story;
        underpass_to_underpass: Underpass, Underpass;
        underpass_to_go_newest: Underpass, GoNewest;
    );
}

mod answers_data {
    use super::*;
    /// Who received data and has nothing to say sends one keepalive after 10 s (KEEPALIVE_TIMEOUT); a keepalive is never
    /// answered.
    fn story(stage: &Stage, home: Implementation, server: Implementation) -> Result<()> {
        let (nat, left, right) = behind_nat(stage, home, server, PATIENT, "")?;
        // A server that hears but never answers: inner replies are dropped before they reach the tunnel.
        nat.server
            .nft("table inet mute {\n chain out {\n type filter hook output priority 0;\n oifname wg0 drop;\n }\n }")?;
        let capture = Capture::start(&nat.server, 300)?;
        let ping = nat.home.try_run("ping", &["-c", "1", "-W", "1", SERVER])?;
        ensure!(!ping.status.success(), "the server is not mute: {}", ping.stdout);
        let from = |source: &str| -> Result<_> { Ok(capture.messages(source.parse()?, DATA)) };
        eventually("the server answers", PATIENCE, || Ok(!from("198.51.100.2")?.is_empty()))?;
        // Longer than anybody who had something to answer would wait.
        std::thread::sleep(seconds(13));
        let (from_server, from_home) = (from("198.51.100.2")?, from("198.51.100.1")?);
        ensure!(from_server.len() == 1, "{} answers to data, not one keepalive", from_server.len());
        ensure!(from_server[0].payload.len() == KEEPALIVE, "no keepalive: {} bytes", from_server[0].payload.len());
        ensure!(from_home.len() == 1, "home sent {} datagrams, not the ping alone", from_home.len());
        // Home, unanswered, would begin anew after 15 s (KEEPALIVE_TIMEOUT and REKEY_TIMEOUT).
        let waited = from_server[0].at.duration_since(from_home[0].at)?;
        ensure!((Duration::from_millis(9950)..seconds(15)).contains(&waited), "the keepalive came after {waited:?}");
        drop((left, right));
        Ok(())
    }
    crate::for_every_pair!(story;
        underpass_to_underpass: Underpass, Underpass;
        underpass_to_go_newest: Underpass, GoNewest;
    );
}
