//! What an interface answers to `get=1`, read.
use ipnet::IpNet;
use std::str::FromStr;
use std::time::Duration;
use underpass_core::tunnel::SendError;
use underpass_core::{PresharedKey, PrivateKey, PublicKey};

/// The state of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// Its private key, if it has one.
    pub private_key: Option<PrivateKey>,
    /// The UDP port, 0 for none.
    pub listen_port: u16,
    /// The mark of its datagrams, 0 for none.
    pub fwmark: u32,
    /// Its peers, in the order in which it lists them.
    pub peers: Vec<PeerStatus>,
}

/// The state of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its public key.
    pub public_key: PublicKey,
    /// The preshared key, if there is one.
    pub preshared_key: Option<PresharedKey>,
    /// Where it is reached, as the interface writes it; without control characters.
    pub endpoint: Option<String>,
    /// Its allowed IPs.
    pub allowed_ips: Vec<IpNet>,
    /// When the latest handshake was, since 1970.
    pub latest_handshake: Option<Duration>,
    /// Bytes received from it.
    pub rx_bytes: u64,
    /// Bytes sent to it.
    pub tx_bytes: u64,
    /// Seconds between persistent keepalives, 0 for none.
    pub persistent_keepalive: u16,
    /// Why nothing could be sent to it the last time, unless it was heard from since.
    pub last_send_error: Option<SendError>,
}

impl PeerStatus {
    fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            preshared_key: None,
            endpoint: None,
            allowed_ips: Vec::new(),
            latest_handshake: None,
            rx_bytes: 0,
            tx_bytes: 0,
            persistent_keepalive: 0,
            last_send_error: None,
        }
    }
}

/// Why an answer could not be read. Does not repeat what was answered, as keys are in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The interface reported an error.
    #[error("error {0}")]
    Errno(i64),
    /// The answer broke off.
    #[error("the answer has no end")]
    Unfinished,
    /// A line is not of the protocol.
    #[error("line {line} (`{key}`)")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Its key.
        key: String,
    },
}

impl InterfaceStatus {
    /// Reads the answer of interface `name`. Keys that are not known are passed over.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn parse(name: &str, answer: &str) -> Result<Self, Fault> {
        let mut interface = Self { name: name.into(), ..Self::default() };
        for (number, line) in answer.lines().enumerate() {
            let (key, value) = line.split_once('=').unwrap_or(("", line));
            if key == "errno" {
                return match value.parse() {
                    Ok(0) => Ok(interface),
                    Ok(errno) => Err(Fault::Errno(errno)),
                    Err(_) => Err(Fault::Line { line: number + 1, key: key.into() }),
                };
            }
            let read = match (key, interface.peers.last_mut()) {
                ("", _) => None,
                ("public_key", _) => {
                    PublicKey::from_hex(value).ok().map(|key| interface.peers.push(PeerStatus::new(key)))
                }
                (_, None) => interface.read(key, value),
                (_, Some(peer)) => peer.read(key, value),
            };
            read.ok_or_else(|| Fault::Line { line: number + 1, key: printable(key) })?;
        }
        Err(Fault::Unfinished)
    }

    fn read(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "private_key" => {
                let key = PrivateKey::from_hex(value).ok()?;
                self.private_key = (!key.is_zero()).then_some(key);
            }
            "listen_port" => self.listen_port = number(value)?,
            "fwmark" => self.fwmark = number(value)?,
            _ => {}
        }
        Some(())
    }

    /// The same, the peer with the latest handshake first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.peers.sort_by_key(|peer| std::cmp::Reverse(peer.latest_handshake));
        self
    }
}

impl PeerStatus {
    fn read(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "preshared_key" => {
                let key = PresharedKey::from_hex(value).ok()?;
                self.preshared_key = (!key.is_zero()).then_some(key);
            }
            "endpoint" => self.endpoint = Some(printable(value)),
            "allowed_ip" => self.allowed_ips.push(value.parse().ok()?),
            "last_handshake_time_sec" => self.add_handshake(Duration::from_secs(number(value)?))?,
            "last_handshake_time_nsec" => self.add_handshake(Duration::from_nanos(number(value)?))?,
            "rx_bytes" => self.rx_bytes = number(value)?,
            "tx_bytes" => self.tx_bytes = number(value)?,
            "persistent_keepalive_interval" => self.persistent_keepalive = number(value)?,
            "last_send_error" => self.last_send_error = Some(SendError::from_name(value).unwrap_or(SendError::Other)),
            _ => {}
        }
        Some(())
    }

    /// Seconds and nanoseconds come in lines of their own; both zero means never.
    fn add_handshake(&mut self, part: Duration) -> Option<()> {
        let sum = self.latest_handshake.unwrap_or_default().checked_add(part)?;
        self.latest_handshake = (!sum.is_zero()).then_some(sum);
        Some(())
    }
}

/// A decimal number without sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What may go to a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";

    #[test]
    fn an_answer_is_read_whole() {
        // The example of the protocol's description (wireguard.com/xplatform), with an unknown key added.
        let answer = "\
private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a
listen_port=12912
fwmark=51820
some_future_key=1
public_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33
preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52
allowed_ip=192.168.4.4/32
endpoint=[abcd:23::33%2]:51820
public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376
tx_bytes=38333
rx_bytes=2224
allowed_ip=192.168.4.6/32
persistent_keepalive_interval=111
endpoint=182.122.22.19:3233
last_handshake_time_sec=7
last_handshake_time_nsec=500000000
errno=0

";
        let interface = InterfaceStatus::parse("wg0", answer).expect("valid").sorted();
        assert_eq!((interface.listen_port, interface.fwmark, interface.peers.len()), (12912, 51820, 2));
        assert_eq!(interface.private_key.as_ref().map(|key| key.to_hex().to_string()).as_deref(), Some(KEY));
        let [first, second] = &interface.peers[..] else { panic!("two peers") };
        assert_eq!(first.latest_handshake, Some(Duration::from_millis(7500)), "the one just heard from is first");
        assert_eq!((first.tx_bytes, first.rx_bytes, first.persistent_keepalive), (38333, 2224, 111));
        assert_eq!(first.preshared_key, None);
        assert_eq!(second.endpoint.as_deref(), Some("[abcd:23::33%2]:51820"));
        assert_eq!(second.allowed_ips, ["192.168.4.4/32".parse::<IpNet>().expect("network")]);
        assert_eq!(second.latest_handshake, None);
        assert!(second.preshared_key.is_some());
    }

    #[test]
    fn a_bad_answer_is_refused_without_being_repeated() {
        let zero = "0".repeat(64);
        let line = |line, key: &str| Fault::Line { line, key: key.into() };
        let table = [
            (1, String::new(), Fault::Unfinished),
            (2, "fwmark=1\n".into(), Fault::Unfinished),
            (3, "errno=-22\n\n".into(), Fault::Errno(-22)),
            (4, "errno=x\n\n".into(), line(1, "errno")),
            (5, format!("private_key={KEY}0\nerrno=0\n\n"), line(1, "private_key")),
            (6, "listen_port=65536\nerrno=0\n\n".into(), line(1, "listen_port")),
            (7, "fwmark=+1\nerrno=0\n\n".into(), line(1, "fwmark")),
            (8, format!("public_key={KEY}\nallowed_ip=1.2.3.4\nerrno=0\n\n"), line(2, "allowed_ip")),
            (9, "nonsense\nerrno=0\n\n".into(), line(1, "")),
            (10, "\n".into(), line(1, "")),
        ];
        for (number, answer, fault) in table {
            assert_eq!(InterfaceStatus::parse("wg0", &answer), Err(fault), "case {number}");
        }
        let none = InterfaceStatus::parse("wg0", &format!("private_key={zero}\nerrno=0\n\n")).expect("valid");
        assert_eq!(none.private_key, None);
    }
}
