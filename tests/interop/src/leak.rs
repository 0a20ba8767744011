//! Somebody who sends without end, and a counter on the outer wire of all that is not the tunnel's.
use crate::device::Implementation;
use crate::scenery::Wire;
use crate::{Device, Folder, KeyPair, Machine, Stage};
use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is sent to again and again: IPv4 and IPv6 behind the router, names at a server far away and at one in the local network.
const EVERYWHERE: [&str; 7] = [
    "203.0.113.9:9",
    "[2001:db8:f::9]:9",
    "198.51.100.53:53",
    "192.0.2.53:53",
    "192.0.2.2:53",
    "[2001:db8::2]:53",
    "192.0.2.2:9",
];
/// What a machine behind the first one sends to.
const FROM_BEHIND: [&str; 3] = ["203.0.113.10:9", "[2001:db8:f::10]:9", "198.51.100.54:53"];
/// How long a round of a sender rests.
const REST: Duration = Duration::from_millis(2);
/// How long to go on counting after something has happened.
const AFTER: Duration = Duration::from_millis(400);

/// A machine on the way to the world, somebody behind it, and the world, which has the tunnel's server and counts.
///
/// behind 10.1.1.2 - 10.1.1.1 `lan` client `eth0` 192.0.2.1 - 192.0.2.2 `eth0` world
#[derive(Debug)]
pub struct Leak {
    /// Whose packets are counted.
    pub client: Machine,
    /// Who uses it as a router.
    pub behind: Machine,
    /// Everybody else.
    pub world: Machine,
    /// The tunnel's server.
    pub server: Device,
    /// The client's configuration.
    pub file: String,
    /// The folder of it, and of records.
    pub folder: Folder,
    floods: Vec<Flood>,
    /// Whether nothing left the last time that it was counted.
    is_calm: AtomicBool,
}

impl Leak {
    /// Builds it; `interface` are lines for the client's `[Interface]`, `allowed` is what its peer may have, `endpoint` where it is.
    ///
    /// # Errors
    /// When the kernel refuses or a daemon does not start.
    pub fn new(stage: &Stage, name: &str, interface: &str, allowed: &str, endpoint: &str) -> Result<Self> {
        let (Wire { left: client, right: world }, behind) = (Wire::new(stage)?, stage.machine("behind")?);
        client.wire("lan", &behind, "eth0")?;
        for setting in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0"] {
            client.sysctl(setting)?;
        }
        client.ip("addr add 10.1.1.1/24 dev lan")?;
        client.ip("addr add fd01::1/64 dev lan nodad")?;
        behind.ip("addr add 10.1.1.2/24 dev eth0")?;
        behind.ip("addr add fd01::2/64 dev eth0 nodad")?;
        for (machine, v4, v6) in [(&client, "192.0.2.2", "2001:db8::2"), (&behind, "10.1.1.1", "fd01::1")] {
            machine.ip(&format!("route add default via {v4}"))?;
            machine.ip(&format!("-6 route add default via {v6}"))?;
        }
        world.ip("addr add 192.0.2.53/24 dev eth0")?;
        world.ip("addr add 203.0.113.1/32 dev lo")?;
        world.nft(COUNTER)?;
        let server = Device::start(&world, Implementation::Underpass)?;
        let keys = KeyPair::generate(&client)?;
        let peer = format!(
            "[Peer]\nPublicKey = {}\nAllowedIPs = 10.9.0.1/32, fd09::1/128, 10.1.1.0/24, fd01::/64\n",
            keys.public
        );
        server.bring_up(&["10.9.0.2/24", "fd09::2/64"], "ListenPort = 51820", &peer)?;
        world.ip("route add 10.1.1.0/24 dev wg0")?;
        world.ip("-6 route add fd01::/64 dev wg0")?;
        let folder = Folder::new(&format!("leak-{name}"))?;
        let file = folder.path("wgl.conf");
        let text = format!(
            "[Interface]\nPrivateKey = {}\nAddress = 10.9.0.1/24, fd09::1/64\nMTU = 1400\n\
             PreUp = touch {}; while [ -e {} ]; do sleep 0.01; done\n{interface}\n\n\
             {}Endpoint = {endpoint}\nPersistentKeepalive = 1\n",
            keys.private,
            folder.path("begun"),
            folder.path("wait"),
            server.as_peer(allowed)
        );
        std::fs::write(&file, text)?;
        let floods = vec![Flood::start(&client, &EVERYWHERE)?, Flood::start(&behind, &FROM_BEHIND)?];
        Ok(Self { client, behind, world, server, file, folder, floods, is_calm: AtomicBool::new(false) })
    }

    /// Runs `underpass` with `arguments` on the client.
    ///
    /// # Errors
    /// When it fails: what it said.
    pub fn underpass(&self, arguments: &[&str]) -> Result<String> {
        let finished = self.try_underpass(arguments, &[])?;
        finished.success()
    }

    /// The same, whatever becomes of it, with `variables` in its environment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn try_underpass(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<crate::Finished> {
        let mut command = self.client.command(&Implementation::Underpass.program()?.to_string_lossy());
        command
            .args(arguments)
            .envs(variables.iter().copied())
            .env("UNDERPASS_SYSTEM_FILE", self.folder.path("system.conf"));
        self.client.start(command)?.wait(crate::PATIENCE)
    }

    /// How many packets left the client in cleartext while `act` and a while after it.
    ///
    /// # Errors
    /// Those of `act`, and when the senders do not send.
    pub fn during(&self, act: impl FnOnce() -> Result<()>) -> Result<u64> {
        self.restart_count()?;
        self.during_more(act)
    }

    /// Counts from nothing.
    ///
    /// # Errors
    /// When the counters cannot be reset.
    pub fn restart_count(&self) -> Result<()> {
        self.is_calm.store(false, Ordering::Relaxed);
        self.world.run("nft", &["reset", "counters", "table", "inet", "leak"]).map(drop)
    }

    /// How many packets left the client in cleartext since the count began, while `act` and a while after it.
    ///
    /// # Errors
    /// As those of [`during`](Self::during).
    pub fn during_more(&self, act: impl FnOnce() -> Result<()>) -> Result<u64> {
        let before: Vec<u64> = self.floods.iter().map(Flood::rounds).collect();
        act()?;
        std::thread::sleep(AFTER);
        for (flood, before) in self.floods.iter().zip(before).filter(|(flood, _)| !flood.has_ended()) {
            crate::eventually("senders send", crate::PATIENCE, || Ok(flood.rounds() > before + 10))?;
        }
        self.count(CLEARTEXT)
    }

    /// The programs on the client that call themselves `name`.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn programs(&self, name: &str) -> Result<Vec<Pid>> {
        let first = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).next().is_some_and(|word| word == name.as_bytes())
        };
        let found = self.client.processes()?.into_iter().filter(first);
        Ok(found.filter_map(|pid| i32::try_from(pid).ok()).map(Pid::from_raw).collect())
    }

    /// Kills the one program on the client that calls itself `name`, and waits until it is gone.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn kill(&self, name: &str) -> Result<()> {
        let found = self.programs(name)?;
        ensure!(found.len() == 1, "{} programs are called {name}", found.len());
        kill(found[0], Signal::SIGKILL)?;
        crate::eventually(&format!("{name} is gone"), crate::PATIENCE, || Ok(!self.programs(name)?.contains(&found[0])))
    }

    /// Kills all programs on the client that call themselves `name`, none of which sees another one die, and waits until they are
    /// gone.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill_all(&self, name: &str) -> Result<()> {
        let found = self.programs(name)?;
        ensure!(!found.is_empty(), "no program is called {name}");
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            // One of them may have been about to end by itself.
            let is_gone = |outcome| if outcome == Err(Errno::ESRCH) { Ok(()) } else { outcome };
            found.iter().try_for_each(|pid| is_gone(kill(*pid, signal)))?;
        }
        crate::eventually(&format!("{name} is gone"), crate::PATIENCE, || Ok(self.programs(name)?.is_empty()))
    }

    /// What a counter has: `cleartext` of everything, `far4` and `far6` of what is sent beyond the network that the client is on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn count(&self, counter: &str) -> Result<u64> {
        let said = self.world.run("nft", &["list", "counter", "inet", "leak", counter])?;
        let number = said.split("packets ").nth(1).and_then(|rest| rest.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).with_context(|| format!("no counter: {said}"))
    }

    /// Waits until what left before has arrived.
    fn settle(&self) -> Result<()> {
        // A machine with much else to do takes its time to receive what was sent; where nothing left before, nothing is under way.
        let looks = if self.is_calm.load(Ordering::Relaxed) { 1 } else { 8 };
        let (mut before, mut same) = (None, 0);
        crate::eventually("nothing more arrives", crate::PATIENCE, || {
            std::thread::sleep(AFTER / 4);
            let now = Some(self.count(CLEARTEXT)?);
            same = if std::mem::replace(&mut before, now) == now { same + 1 } else { 0 };
            Ok(same >= looks)
        })
    }

    /// Fails unless nothing leaves while `act`.
    ///
    /// # Errors
    /// When something does, and those of `act`.
    pub fn nothing_leaves(&self, phase: &str, act: impl FnOnce() -> Result<()>) -> Result<()> {
        self.settle().with_context(|| format!("before: {phase}"))?;
        let count = self.during(act).with_context(|| phase.to_owned())?;
        println!("{phase}: {count} packets in cleartext");
        self.is_calm.store(count == 0, Ordering::Relaxed);
        ensure!(count == 0, "{phase}: {count} packets left in cleartext\n{}", self.firewall());
        Ok(())
    }

    /// Fails unless nothing leaves from the first step of `up` on, which is the lock: `arguments` bring the tunnel up.
    ///
    /// # Errors
    /// When something does, or `up` fails.
    pub fn nothing_leaves_while_up(&self, arguments: &[&str]) -> Result<()> {
        let (begun, wait) = (self.folder.path("begun"), self.folder.path("wait"));
        let _ = std::fs::remove_file(&begun);
        std::fs::write(&wait, "")?;
        std::thread::scope(|scope| {
            let up = scope.spawn(|| self.underpass(arguments));
            let has_begun = || Ok(up.is_finished() || std::path::Path::new(&begun).exists());
            let begins = crate::eventually("the first hook", crate::PATIENCE, has_begun);
            let outcome = begins.and_then(|()| {
                self.nothing_leaves("while it comes up", || {
                    std::fs::remove_file(&wait)?;
                    up.join().map_err(|_| anyhow::anyhow!("it panicked"))?.map(drop)
                })
            });
            // Whatever happened, it goes on.
            let _ = std::fs::remove_file(&wait);
            outcome
        })
    }

    /// Has those who send end, for stories that have senders of their own.
    ///
    /// # Errors
    /// When they do not.
    pub fn silence(&self) -> Result<()> {
        self.floods.iter().for_each(Flood::end);
        let are_silent =
            || Ok(self.floods.iter().all(|flood| flood.thread.as_ref().is_none_or(JoinHandle::is_finished)));
        crate::eventually("nobody sends", crate::PATIENCE, are_silent)?;
        self.settle()
    }

    /// What the client's firewall has, for messages.
    fn firewall(&self) -> String {
        let said = self.client.try_run("nft", &["list", "ruleset"]);
        said.map(|said| said.stdout).unwrap_or_else(|_| "(no nft)".into())
    }
}

/// The name of the counter of everything.
const CLEARTEXT: &str = "cleartext";

/// Counts what comes from the client, but for the tunnel's datagrams, what finds neighbours, and questions to the name server of
/// the uplink that do not have the length of what the senders send.
const COUNTER: &str = "table inet leak {
    counter cleartext { }
    counter far4 { }
    counter far6 { }
    chain prerouting {
        type filter hook prerouting priority -300;
        iifname != eth0 return
        udp dport 51820 return
        ip daddr 192.0.2.53 udp dport 53 udp length != 17 return
        icmpv6 type { 130, 131, 132, 133, 134, 135, 136, 137, 143 } return
        ip daddr != 192.0.2.0/24 counter name far4
        ip6 daddr != { 2001:db8::/64, fe80::/10, ff00::/8 } counter name far6
        counter name cleartext drop
    }
}";

/// Somebody who sends.
#[derive(Debug)]
struct Flood {
    rounds: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Sends from `machine` to each of `targets`, again and again.
    fn start(machine: &Machine, targets: &'static [&'static str]) -> Result<Self> {
        let sockets = machine.inside(|| [UdpSocket::bind("0.0.0.0:0"), UdpSocket::bind("[::]:0")]);
        let [v4, v6] = sockets;
        let (v4, v6) = (v4?, v6?);
        v4.set_nonblocking(true)?;
        v6.set_nonblocking(true)?;
        let (rounds, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, ended) = (Arc::clone(&rounds), Arc::clone(&done));
        let send = move || {
            while !ended.load(Ordering::Relaxed) {
                for target in targets {
                    // Most of them are refused, which is the point of it.
                    let _ = if target.starts_with('[') { &v6 } else { &v4 }.send_to(b"cleartext", target);
                }
                counted.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(REST);
            }
        };
        Ok(Self { rounds, done, thread: Some(std::thread::spawn(send)) })
    }

    fn end(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    fn has_ended(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
