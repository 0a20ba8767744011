//! `up` waits for the peers to answer, and when they do not, says why that may be and what to do.
use super::args::Up;
use super::probe::probe;
use super::show::ask;
use super::signals;
use crate::control::socket;
use crate::control::status::{InterfaceStatus, PeerStatus};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use underpass_core::PublicKey;
use underpass_core::config::{Endpoint, QuickConfig};
use underpass_core::tunnel::SendError;

/// How long to wait for answers.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look.
const GLANCE: Duration = Duration::from_millis(10);
/// Peers that are told of one by one.
const MOST_TOLD: usize = 8;

/// Peers to wait for.
#[derive(Debug)]
pub struct Wait {
    peers: Vec<Waited>,
    began: Instant,
}

/// A peer that has an endpoint: the others call us.
#[derive(Debug)]
struct Waited {
    /// Its place in the file, from 1.
    number: usize,
    key: PublicKey,
    endpoint: Endpoint,
}

/// What is known of a peer that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// A handshake is done.
    Connected,
    /// Its name has no address yet.
    NameNotFound,
    /// What is sent to it does not leave.
    NotSent(SendError),
    /// What is sent to it leaves, and nothing comes back.
    None,
}

impl Wait {
    /// Waits for the peers of `config`, as `up` asks: by default on a terminal. The time counts from here.
    #[must_use]
    pub fn new(up: &Up, config: &QuickConfig) -> Self {
        let is_wanted = up.wait || (!up.no_wait && io::stderr().is_terminal());
        let waited = |(place, peer): (usize, &underpass_core::NewPeer)| {
            let endpoint = peer.endpoint.clone()?;
            Some(Waited { number: place + 1, key: peer.public_key, endpoint })
        };
        let peers = match (is_wanted, &config.tunnel.private_key) {
            (true, Some(_)) => config.tunnel.peers.iter().enumerate().filter_map(waited).collect(),
            _ => Vec::new(),
        };
        Self { peers, began: Instant::now() }
    }

    /// Waits until every peer has answered, some seconds at most, or the user wants to go on, and tells what came of it.
    /// The tunnel stays in any case.
    pub fn until_connected(&self, name: &str) {
        if self.peers.is_empty() {
            return;
        }
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in signals::heard() {
            // Where that fails, the signal ends this process, and not the tunnel.
            let _ = signal_hook::flag::register(signal, Arc::clone(&interrupted));
        }
        let mut stderr = io::stderr();
        let is_terminal = stderr.is_terminal();
        if is_terminal {
            let _ = write!(stderr, "waiting for an answer (Ctrl-C: go on without)");
        }
        let deadline = Instant::now() + PATIENCE;
        let answers = loop {
            // It has just been there: whoever took it away knows.
            let Ok(status) = ask(&socket::directory(), name) else { break None };
            let answers = self.answers(&status);
            let is_done = answers.iter().all(|answer| *answer == Answer::Connected);
            if is_done || interrupted.load(Ordering::Relaxed) {
                break Some(answers);
            }
            if Instant::now() >= deadline {
                break Some(self.looked_into(answers, &status));
            }
            thread::sleep(GLANCE);
        };
        if is_terminal {
            // Back to the first column, and the line is empty again (ECMA-48 § 8.3.41).
            let _ = write!(stderr, "\r\x1b[K");
        }
        let told = match answers {
            Some(answers) => self.tell(name, &answers, self.began.elapsed()),
            None => format!("the tunnel `{name}` is gone\n"),
        };
        let _ = stderr.write_all(told.as_bytes());
    }

    fn answers(&self, status: &InterfaceStatus) -> Vec<Answer> {
        let find = |key: &PublicKey| status.peers.iter().find(|peer| peer.public_key == *key);
        self.peers.iter().map(|waited| find(&waited.key).map_or(Answer::None, Answer::of)).collect()
    }

    /// The answers, of silent peers those that the network gives.
    fn looked_into(&self, mut answers: Vec<Answer>, status: &InterfaceStatus) -> Vec<Answer> {
        let silent = self.peers.iter().zip(&mut answers).filter(|(_, answer)| **answer == Answer::None);
        for (waited, answer) in silent.take(MOST_TOLD) {
            let peer = status.peers.iter().find(|peer| peer.public_key == waited.key);
            let address = peer.and_then(|peer| peer.endpoint.as_ref()?.parse().ok());
            if let Some(error) = address.and_then(|address| probe(&address, status.fwmark, 1).err()) {
                *answer = match error.kind() {
                    io::ErrorKind::ConnectionRefused => Answer::NotSent(SendError::Refused),
                    io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                        Answer::NotSent(SendError::Unreachable)
                    }
                    io::ErrorKind::PermissionDenied => Answer::NotSent(SendError::Denied),
                    _ => Answer::None,
                };
            }
        }
        answers
    }

    /// What came of it, in lines.
    fn tell(&self, name: &str, answers: &[Answer], time: Duration) -> String {
        let connected = answers.iter().filter(|answer| **answer == Answer::Connected).count();
        let (all, millis) = (self.peers.len(), time.as_millis());
        match (connected, all) {
            (1, 1) => return format!("connected in {millis} ms\n"),
            _ if connected == all => return format!("connected to {all} peers in {millis} ms\n"),
            _ => {}
        }
        let mut text = String::new();
        if all > 1 {
            let _ = writeln!(text, "connected to {connected} of {all} peers");
        }
        let without = self.peers.iter().zip(answers).filter(|(_, answer)| **answer != Answer::Connected);
        for (peer, answer) in without.clone().take(MOST_TOLD) {
            let who = if all > 1 { format!("peer {}: ", peer.number) } else { String::new() };
            let _ = writeln!(text, "{who}{}", answer.text(&peer.endpoint));
        }
        if let Some(more @ 1..) = without.clone().count().checked_sub(MOST_TOLD) {
            let _ = writeln!(text, "and {more} more");
        }
        if without.clone().any(|(_, answer)| *answer == Answer::None) {
            text.push_str(CAUSES);
        }
        let _ = writeln!(text, "The tunnel stays up and goes on trying; `underpass doctor {name}` looks closer.");
        text
    }
}

/// Why a peer may be silent. Whoever does not know us, or is asked in the wrong way, does not answer at all.
#[rustfmt::skip]
pub(super) const CAUSES: &str = concat!(
    "  key       the peer does not know our public key, or PublicKey or PresharedKey are not those of the peer\n",
    "  endpoint  the address or the port of Endpoint is not the one that the peer listens on\n",
    "  clock     this machine's clock is behind: what the peer has seen from a later time, it takes no more\n",
    "  firewall  something on the way, or at the peer, drops UDP\n",
);

impl Answer {
    fn of(peer: &PeerStatus) -> Self {
        match (peer.latest_handshake, &peer.endpoint, peer.last_send_error) {
            (Some(_), ..) => Self::Connected,
            (None, None, _) => Self::NameNotFound,
            (None, Some(_), Some(error)) => Self::NotSent(error),
            (None, Some(_), None) => Self::None,
        }
    }

    fn text(self, endpoint: &Endpoint) -> String {
        let (place, port) = match endpoint {
            Endpoint::Address(address) => (address.to_string(), address.port()),
            Endpoint::Name { host, port } => (format!("{host}:{port}"), *port),
        };
        match self {
            Self::Connected => "connected".into(),
            Self::NameNotFound => format!(
                "name not found: `{place}` has no address yet; check Endpoint, and the name servers in /etc/resolv.conf"
            ),
            Self::NotSent(SendError::Unreachable) => {
                format!("no route to {place}: is the network up? `ip route get` shows the way that is taken")
            }
            Self::NotSent(SendError::FamilyGone) => {
                format!("no route to {place}: this machine has no address of its family")
            }
            Self::NotSent(SendError::Denied) => {
                format!("refused locally: a firewall of this machine does not let UDP to {place} out")
            }
            Self::NotSent(SendError::Refused) => {
                format!("refused: nobody listens at {place}; check the port, and that the peer is running")
            }
            Self::NotSent(_) if port == 0 => {
                format!("not sent to {place}: nobody is reached at port 0; check Endpoint")
            }
            Self::NotSent(error) => format!("not sent to {place}: {}", error.text()),
            Self::None => format!("no answer from {place} within {} s; possible causes:", PATIENCE.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Arguments, Command};
    use clap::Parser;
    use underpass_core::config::parse;

    const CONFIG: &str = "\
[Interface]
PrivateKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=
[Peer]
PublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
[Peer]
PublicKey = 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=
Endpoint = vpn.example.com:51820
";
    /// The second peer, in the words of the protocol.
    const PEER: &str = "public_key=de9edb7d7b7dbdb4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f\n";

    fn up(options: &[&str]) -> Up {
        let arguments = Arguments::try_parse_from([&["underpass", "up", "wg0"], options].concat()).expect("valid");
        let Some(Command::Up(up)) = arguments.command else { panic!("it is `up`") };
        up
    }

    fn told(lines: &str) -> String {
        let wait = Wait::new(&up(&["--wait"]), parse(CONFIG).config.as_ref().expect("valid"));
        let status = InterfaceStatus::parse("wg0", &format!("{PEER}{lines}errno=0\n\n")).expect("valid");
        wait.tell("wg0", &wait.answers(&status), Duration::from_millis(43))
    }

    #[test]
    fn only_peers_with_an_endpoint_are_waited_for() {
        let config = parse(CONFIG).config.expect("valid");
        let wait = Wait::new(&up(&["--wait"]), &config);
        assert_eq!(wait.peers.iter().map(|peer| peer.number).collect::<Vec<_>>(), [2]);
        assert!(Wait::new(&up(&["--no-wait"]), &config).peers.is_empty());
        assert!(!Wait::new(&up(&["--no-wait", "--wait"]), &config).peers.is_empty(), "the last one counts");
    }

    #[test]
    fn it_says_what_came_of_it() {
        let endpoint = "endpoint=192.0.2.1:51820\n";
        let rows = [
            (format!("{endpoint}last_handshake_time_sec=7\n"), "connected in 43 ms\n"),
            (String::new(), "name not found: `vpn.example.com:51820` has no address yet"),
            (format!("{endpoint}last_send_error=unreachable\n"), "no route to vpn.example.com:51820: "),
            (format!("{endpoint}last_send_error=denied\n"), "refused locally: "),
            (format!("{endpoint}last_send_error=refused\n"), "refused: nobody listens at "),
            (endpoint.into(), "no answer from vpn.example.com:51820 within 5 s; possible causes:\n  key "),
        ];
        for (lines, expected) in rows {
            let told = told(&lines);
            assert!(told.starts_with(expected), "{told}");
            let stays = told.contains("stays up") && told.contains("underpass doctor wg0");
            assert!(stays != told.starts_with("connected"), "{told}");
            assert_eq!(told.contains("firewall  "), told.starts_with("no answer"), "{told}");
        }
    }

    #[test]
    fn port_0_is_told_of() {
        let endpoint = Endpoint::Address(([192, 0, 2, 1], 0).into());
        let told = Answer::NotSent(SendError::Other).text(&endpoint);
        assert!(told.contains("nobody is reached at port 0"), "{told}");
    }

    #[test]
    fn several_peers_are_told_apart() {
        let text = format!(
            "{CONFIG}[Peer]\nPublicKey = uFmW/sycfx/G0lcqdu2hHVm80gvo5UOxXOS9hajnWjM=\nEndpoint = 192.0.2.7:1\n"
        );
        let wait = Wait::new(&up(&["--wait"]), parse(&text).config.as_ref().expect("valid"));
        let told = wait.tell("wg0", &[Answer::Connected, Answer::NotSent(SendError::Denied)], Duration::ZERO);
        assert!(told.starts_with("connected to 1 of 2 peers\npeer 3: refused locally"), "{told}");
        let told = wait.tell("wg0", &[Answer::Connected; 2], Duration::from_millis(7));
        assert_eq!(told, "connected to 2 peers in 7 ms\n");
    }
}
