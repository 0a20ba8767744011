//! Names of endpoints become addresses, though nothing but the tunnel may leave.
//!
//! The system's resolver asks its servers through the tunnel, which is not up before the name is known. So the name servers of
//! the uplink are asked, from a socket with the tunnel's mark. Where none answers, the last address that was right is taken.
use super::Lock;
use super::query::{Answer, Kind, answer, question};
use super::record::Records;
use crate::engine::Names;
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often each is asked.
const ROUNDS: usize = 2;
/// The port of name servers.
const PORT: u16 = 53;

/// Who resolves the names of the endpoints of `interface`: we, as long as it has a kill switch, and else the system.
#[must_use]
pub fn of(interface: &str) -> Names {
    let (interface, system) = (interface.to_owned(), Names::default());
    Names::new(move |host, port, reach| match super::lock_of(&interface) {
        Ok(None) => system.look_up(host, port, reach),
        Ok(Some(lock)) => look_up(&interface, &lock, host, reach).map(|address| SocketAddr::new(address, port)),
        // Nobody knows whom it may ask.
        Err(_) => None,
    })
}

/// Where `host` is, an endpoint of `interface`, which has the kill switch `lock`.
fn look_up(interface: &str, lock: &Lock, host: &str, (v4, v6): (bool, bool)) -> Option<IpAddr> {
    let is_reached = |address: &IpAddr| if address.is_ipv4() { v4 } else { v6 };
    let mut servers = lock.servers.clone();
    servers.extend(super::uplink(&lock.dns).into_iter().filter(|server| !lock.servers.contains(server)));
    let mut found = from_hosts(&fs::read_to_string("/etc/hosts").unwrap_or_default(), host);
    if found.is_empty() {
        let at = |server: &IpAddr| SocketAddr::new(*server, PORT);
        found = servers.iter().find_map(|server| ask(at(server), host, lock.mark)).unwrap_or_default();
    }
    found.retain(is_reached);
    let address = found.iter().find(|address| has_route(**address, lock.mark)).or(found.first()).copied();
    match address {
        Some(address) => {
            let remember = |records: Records| {
                records.change(interface, |lock| {
                    lock.addresses.insert(host.to_owned(), address);
                })
            };
            if let Err(fault) = Records::open().and_then(remember) {
                tracing::warn!("the address of an endpoint cannot be kept: {fault}");
            }
            Some(address)
        }
        None => lock.addresses.get(host).copied().filter(is_reached),
    }
}

/// What `text` (hosts(5)) says of `host`.
fn from_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    };
    text.lines().filter_map(address).collect()
}

/// The addresses that `server` knows of `host`, those of IPv6 first; `None` when it does not answer.
fn ask(server: SocketAddr, host: &str, mark: u32) -> Option<Vec<IpAddr>> {
    let mut known = None;
    for kind in [Kind::V6, Kind::V4] {
        let asked = (0..ROUNDS).find_map(|_| ask_once(server, host, kind, mark).ok().flatten());
        if let Some(mut addresses) = asked {
            known.get_or_insert_with(Vec::new).append(&mut addresses);
        } else if known.is_none() {
            // It said nothing to one question, and will say nothing to another.
            return None;
        }
    }
    known.filter(|addresses| !addresses.is_empty())
}

fn ask_once(server: SocketAddr, host: &str, kind: Kind, mark: u32) -> io::Result<Option<Vec<IpAddr>>> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|_| io::ErrorKind::Other)?;
    let Some(question) = question(u16::from_be_bytes(id), host, kind) else { return Ok(None) };
    let socket = marked(server, Type::DGRAM, mark)?;
    socket.connect(&server.into())?;
    socket.send(&question)?;
    let until = Instant::now() + PATIENCE;
    let mut buf = [0; 4096];
    let said = loop {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left))?;
        let len = (&socket).read(&mut buf)?;
        // Somebody may send us something else, as often as he likes, and so win no time.
        if let Some(said) = answer(&buf[..len], &question, kind) {
            break said;
        }
        if Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
    };
    match said {
        Answer::Addresses(addresses) => Ok(Some(addresses)),
        Answer::Failure => Ok(None),
        Answer::Truncated => ask_by_stream(server, &question, kind, mark),
    }
}

/// The same over TCP (RFC 7766), where an answer does not fit into a datagram.
fn ask_by_stream(server: SocketAddr, question: &[u8], kind: Kind, mark: u32) -> io::Result<Option<Vec<IpAddr>>> {
    let mut socket = marked(server, Type::STREAM, mark)?;
    socket.connect_timeout(&server.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let len = u16::try_from(question.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    socket.write_all(&[&len.to_be_bytes()[..], question].concat())?;
    let mut len = [0; 2];
    socket.read_exact(&mut len)?;
    let mut said = vec![0; u16::from_be_bytes(len).into()];
    socket.read_exact(&mut said)?;
    match answer(&said, question, kind) {
        Some(Answer::Addresses(addresses)) => Ok(Some(addresses)),
        _ => Ok(None),
    }
}

fn marked(to: SocketAddr, of_type: Type, mark: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), of_type, None)?;
    if mark != 0 {
        socket.set_mark(mark)?;
    }
    Ok(socket)
}

/// Whether the tunnel's datagrams would find a way to `address`.
fn has_route(address: IpAddr, mark: u32) -> bool {
    let to = SocketAddr::new(address, PORT);
    marked(to, Type::DGRAM, mark).is_ok_and(|socket| socket.connect(&to.into()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};
    use std::thread;

    /// What a server says to `question`: `flags`, and the one address that it knows if it is asked for one of IPv4.
    fn reply(question: &[u8], flags: u8) -> Vec<u8> {
        let mut reply = question.to_vec();
        let is_v4 = reply[reply.len() - 3] == 1;
        reply[2..8].copy_from_slice(&[0x80 | flags, 0x80, 0, 1, 0, is_v4.into()]);
        if is_v4 {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7]);
        }
        reply
    }

    /// A server that says something else first, and leaves the answer to TCP if `truncates`.
    fn serve(truncates: bool) -> SocketAddr {
        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let at = datagrams.local_addr().expect("bound");
        if truncates {
            let listener = TcpListener::bind(at).expect("the same port");
            thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    let mut len = [0; 2];
                    stream.read_exact(&mut len).expect("a length");
                    let mut question = vec![0; u16::from_be_bytes(len).into()];
                    stream.read_exact(&mut question).expect("a question");
                    let reply = reply(&question, 1);
                    let len = u16::try_from(reply.len()).expect("short").to_be_bytes();
                    stream.write_all(&[&len[..], &reply].concat()).expect("an answer");
                }
            });
        }
        thread::spawn(move || {
            let mut buf = [0; 512];
            while let Ok((len, from)) = datagrams.recv_from(&mut buf) {
                let mut other = reply(&buf[..len], 1);
                other[0] ^= 1;
                for said in [&b"nonsense"[..], &other, &reply(&buf[..len], if truncates { 3 } else { 1 })] {
                    datagrams.send_to(said, from).expect("sent");
                }
            }
        });
        at
    }

    #[test]
    fn a_name_server_is_asked_over_udp_and_over_tcp_where_that_is_too_small() {
        for truncates in [false, true] {
            let found = ask(serve(truncates), "vpn.example.com", 0);
            assert_eq!(found, Some(vec![IpAddr::from([192, 0, 2, 7])]), "truncates: {truncates}");
        }
    }

    #[test]
    fn nobody_there_is_no_answer() {
        let gone = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        assert_eq!(ask(gone, "vpn.example.com", 0), None);
    }

    #[test]
    fn names_of_this_machine_are_asked_of_nobody() {
        let text =
            "127.0.0.1 localhost\n192.0.2.7\tvpn.example.com vpn # ours\n2001:db8::7 VPN\nnonsense vpn\n#1.1.1.1 vpn\n";
        let found: Vec<String> = from_hosts(text, "vpn").iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.7", "2001:db8::7"]);
        assert_eq!(from_hosts(text, "ours"), Vec::<IpAddr>::new());
    }
}
