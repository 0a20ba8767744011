//! Several peers on one interface.
use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use underpass_interop::Implementation::{GoDebian, GoNewest, Underpass};
use underpass_interop::{Device, Implementation, Machine, PATIENCE, Stage, answers, eventually, play};

/// A gateway with three clients, each on a wire of its own, that reach each other through it.
struct Hub {
    gateway: Device,
    clients: Vec<Device>,
}

impl Hub {
    fn new(stage: &Stage, gateway: Implementation) -> Result<Self> {
        let machine = stage.machine("gateway")?;
        machine.sysctl("net.ipv4.ip_forward=1")?;
        let gateway = Device::start(&machine, gateway)?;
        let mut peers = String::new();
        let mut clients = Vec::new();
        for (number, implementation) in (1..).zip([Underpass, GoDebian, GoNewest]) {
            let client = Self::client(stage, &machine, number, implementation)?;
            peers += &client.as_peer(&format!("10.9.0.{number}/32"));
            clients.push(client);
        }
        gateway.bring_up(&["10.9.0.254/24"], "ListenPort = 51820", &peers)?;
        for (number, client) in (1..).zip(&clients) {
            let peer = gateway.as_peer("10.9.0.0/24") + &format!("Endpoint = 198.51.{number}.254:51820\n");
            client.bring_up(&[&format!("10.9.0.{number}/24")], "", &peer)?;
        }
        Ok(Self { gateway, clients })
    }

    fn client(stage: &Stage, gateway: &Machine, number: u8, implementation: Implementation) -> Result<Device> {
        let machine = stage.machine(&format!("client {number}"))?;
        gateway.wire(&format!("eth{number}"), &machine, "eth0")?;
        gateway.ip(&format!("addr add 198.51.{number}.254/24 dev eth{number}"))?;
        machine.ip(&format!("addr add 198.51.{number}.1/24 dev eth0"))?;
        Device::start(&machine, implementation)
    }

    /// Waits until every client is answered by the gateway, which knows no endpoints: whoever is to be reached must have
    /// spoken once.
    fn meet(&self) -> Result<()> {
        self.clients.iter().try_for_each(|client| answers(&client.machine, "10.9.0.254"))
    }

    /// Whether client `number` is answered by `address`, speaking as itself or as `source`.
    fn reaches(&self, number: usize, address: &str, source: Option<&str>) -> Result<bool> {
        let mut arguments = vec!["-c", "1", "-W", "3", address];
        if let Some(source) = source {
            arguments.extend(["-I", source]);
        }
        Ok(self.clients[number - 1].machine.try_run("ping", &arguments)?.status.success())
    }
}

#[test]
fn clients_reach_each_other_through_underpass() {
    play(|stage| {
        let hub = Hub::new(stage, Underpass)?;
        hub.meet()?;
        for from in &hub.clients {
            for to in 1..=3 {
                answers(&from.machine, &format!("10.9.0.{to}"))?;
            }
        }
        ensure!(hub.gateway.status()?.peers.iter().all(|peer| peer.latest_handshake > 0), "a handshake is missing");
        Ok(())
    });
}

#[test]
fn nobody_speaks_with_an_address_that_is_not_his() {
    play(|stage| {
        let hub = Hub::new(stage, Underpass)?;
        hub.meet()?;
        // What arrives at client 3 is counted there, before anything could answer.
        let victim = &hub.clients[2].machine;
        victim.nft(
            "table ip heard {\n chain in {\n type filter hook input priority 0;\n ip saddr 10.9.0.1 counter;\n }\n }",
        )?;
        let heard =
            || -> Result<bool> { Ok(!victim.run("nft", &["list", "table", "ip", "heard"])?.contains("packets 0 ")) };
        // Client 2 speaks as client 1, whose address is allowed to client 1 alone.
        hub.clients[1].machine.ip("addr add 10.9.0.1/32 dev wg0")?;
        hub.reaches(2, "10.9.0.3", Some("10.9.0.1"))?;
        ensure!(!heard()?, "client 2 spoke as client 1");
        // Client 1 itself is heard.
        answers(&hub.clients[0].machine, "10.9.0.3")?;
        ensure!(heard()?, "client 1 is not heard either");
        Ok(())
    });
}

#[test]
fn peers_come_and_go_while_others_talk() {
    play(|stage| {
        let hub = Hub::new(stage, Underpass)?;
        hub.meet()?;
        let talk = hub.clients[0].machine.spawn("ping", &["-q", "-i", "0.1", "10.9.0.254"])?;
        let second = &hub.clients[1];
        hub.gateway.set(&format!("peer {} remove", second.keys.public))?;
        ensure!(hub.gateway.status()?.peers.len() == 2, "three peers after one was removed");
        ensure!(!hub.reaches(2, "10.9.0.254", None)?, "a removed peer is answered");
        hub.gateway.set(&format!("peer {} allowed-ips 10.9.0.2/32", second.keys.public))?;
        // The client's session is unknown to the gateway: it begins anew when it misses answers for 15 s.
        answers(&second.machine, "10.9.0.254").context("the peer that came back")?;
        // Asked to end, ping waits for no answer that is still under way.
        talk.signal(Signal::SIGINT)?;
        let report = talk.wait(PATIENCE)?.success()?;
        let number = |before: &str| -> Result<u32> {
            let text =
                report.split(before).next().and_then(|text| text.rsplit([' ', '\n']).next()).context("no number")?;
            text.parse().with_context(|| report.clone())
        };
        let (sent, received) = (number(" packets transmitted")?, number(" received")?);
        ensure!(received > 0 && sent - received <= 1, "client 1 was disturbed: {report}");
        Ok(())
    });
}

#[test]
fn allowed_ips_move_between_live_peers() {
    play(|stage| {
        let hub = Hub::new(stage, Underpass)?;
        hub.meet()?;
        // A session that were lost would need a handshake, which the gateway, mute from here on, cannot answer. (What it
        // answered before is heard with the pings after it.)
        hub.gateway.machine.nft(
            "table inet mute {\n chain out {\n type filter hook output priority 0;\n udp length 100 drop;\n }\n }",
        )?;
        hub.meet()?;
        hub.gateway.set(&format!("peer {} allowed-ips 10.9.0.3/32,10.9.0.2/32", hub.clients[2].keys.public))?;
        let after = hub.gateway.status()?;
        ensure!(after.peer(&hub.clients[1].keys.public)?.allowed_ips.is_empty(), "10.9.0.2 has two owners: {after:?}");
        ensure!(!hub.reaches(2, "10.9.0.254", None)?, "client 2 speaks with an address it lost");
        hub.clients[2].machine.ip("addr add 10.9.0.2/32 dev wg0")?;
        eventually("client 3 speaks with the address it got", PATIENCE, || {
            hub.reaches(3, "10.9.0.254", Some("10.9.0.2"))
        })?;
        hub.gateway.set(&format!("peer {} allowed-ips 10.9.0.2/32", hub.clients[1].keys.public))?;
        hub.meet().context("allowed IPs cost a session")
    });
}
