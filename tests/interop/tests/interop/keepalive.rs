//! A peer behind a router that translates addresses and forgets.
use anyhow::{Result, ensure};
use underpass_interop::Capture;
use underpass_interop::scenery::Nat;
use underpass_interop::{Device, Implementation, Stage, eventually, seconds};

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
        nat.server.run("ping", &["-c", "1", "-W", "2", HOME])?;
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
        nat.home.run("ping", &["-c", "1", "-w", "12", SERVER])?;
        // A keepalive or a second handshake may still pass and be remembered for a while; then there is silence.
        eventually("the router forgets home", seconds(40), || {
            std::thread::sleep(seconds(5));
            let ping = nat.server.try_run("ping", &["-c", "1", "-W", "2", HOME])?;
            Ok(!ping.status.success())
        })?;
        nat.home.run("ping", &["-c", "1", "-w", "12", SERVER])?;
        nat.server.run("ping", &["-c", "1", "-W", "2", HOME]).map(drop)
    }
    crate::for_every_pair!(story);
}

mod comes_when_due {
    use super::*;
    /// Every 2 s in silence; none while data flows.
    fn story(stage: &Stage, home: Implementation, server: Implementation) -> Result<()> {
        let (nat, _left, _right) = behind_nat(stage, home, server, FORGETFUL, "PersistentKeepalive = 2")?;
        nat.home.run("ping", &["-c", "1", "-w", "12", SERVER])?;
        let capture = Capture::start(&nat.home, 300)?;
        let keepalives = || -> Result<usize> {
            let mut sent = capture.messages("10.1.1.2".parse()?, DATA);
            sent.retain(|datagram| datagram.payload.len() == KEEPALIVE);
            Ok(sent.len())
        };
        std::thread::sleep(seconds(9));
        let in_silence = keepalives()?;
        ensure!((4..=5).contains(&in_silence), "{in_silence} keepalives in 9 s, not one every 2 s");
        nat.home.run("ping", &["-q", "-i", "0.5", "-c", "13", SERVER])?;
        let beside_data = keepalives()? - in_silence;
        // One may have been due in the moment before the first ping.
        ensure!(beside_data <= 1, "{beside_data} keepalives beside 6 s of data");
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
        std::thread::sleep(seconds(24));
        let from_server = capture.messages("198.51.100.2".parse()?, DATA);
        let from_home = capture.messages("198.51.100.1".parse()?, DATA);
        ensure!(from_server.len() == 1, "{} answers to data, not one keepalive", from_server.len());
        ensure!(from_server[0].payload.len() == KEEPALIVE, "no keepalive: {} bytes", from_server[0].payload.len());
        ensure!(from_home.len() == 1, "home sent {} datagrams, not the ping alone", from_home.len());
        let waited = from_server[0].at.duration_since(from_home[0].at)?;
        ensure!((seconds(9)..seconds(12)).contains(&waited), "the keepalive came after {waited:?}");
        drop((left, right));
        Ok(())
    }
    crate::for_every_pair!(story;
        underpass_to_underpass: Underpass, Underpass;
        underpass_to_go_newest: Underpass, GoNewest;
    );
}
