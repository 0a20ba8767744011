//! What a gateway counts, for Prometheus: its text format, version 0.0.4, over HTTP/1.1 (RFC 9112) on one address.
//!
//! One connection is served after the other, each within a bounded time. There are numbers and no names of people in it.
use super::status::Counts;
use crate::watched::{self, Died};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a client may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest request in bytes.
const LONGEST: usize = 8 * 1024;

/// What the gateway counted last.
pub type Shared = Arc<Mutex<Counts>>;

/// Answers at `address` from `counts`, as long as this process lives. Returns where, should the port be 0; `over` is told how it
/// ended.
///
/// # Errors
/// The address cannot be had.
pub fn start(
    address: SocketAddr,
    counts: Shared,
    over: impl FnOnce(Result<(), Died>) + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    watched::start("metrics", move || serve(&listener, &counts), over)?;
    Ok(address)
}

fn serve(listener: &TcpListener, counts: &Shared) {
    for stream in listener.incoming() {
        // Whoever does not ask, or does not listen, gets nothing.
        match stream {
            Ok(stream) => drop(answer(stream, counts)),
            // Out of descriptors, for example: there may be some again.
            Err(error) => {
                tracing::warn!("metrics: {error}");
                std::thread::sleep(PATIENCE);
            }
        }
    }
}

fn answer(mut stream: TcpStream, counts: &Shared) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let (status, body) = match request(&mut stream)?.as_str() {
        "GET /metrics" => ("200 OK", text(&counts.lock().unwrap_or_else(PoisonError::into_inner))),
        other if other.starts_with("GET ") => ("404 Not Found", "see /metrics\n".into()),
        _ => ("405 Method Not Allowed", String::new()),
    };
    let kind = "text/plain; version=0.0.4";
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The method and the target of a request, which is read to the end of its header.
fn request(stream: &mut TcpStream) -> io::Result<String> {
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::with_capacity(LONGEST);
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() >= LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        stream.set_read_timeout(Some(left))?;
        let mut piece = [0; 1024];
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => bytes.extend_from_slice(&piece[..length]),
        }
    }
    let line = String::from_utf8_lossy(&bytes);
    let mut words = line.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(format!("{method} {}", target.split('?').next().unwrap_or_default()))
}

/// All of it, as text.
fn text(counts: &Counts) -> String {
    let number = |count: usize| count.to_string();
    let mut text = String::new();
    for (name, kind, help, value) in [
        ("devices", "gauge", "Devices of users.", number(counts.devices)),
        ("sites", "gauge", "Sites, which need no login.", number(counts.sites)),
        ("sessions", "gauge", "Sessions that are open.", number(counts.sessions)),
        (
            "store_up",
            "gauge",
            "Whether the store can be reached: without it, nobody logs in.",
            u8::from(counts.store).to_string(),
        ),
        ("passwords_waiting", "gauge", "Passwords that are being looked at.", number(counts.passwords)),
        (
            "audit_lines_lost_total",
            "counter",
            "Lines of audit that could not be written.",
            counts.lost_lines.to_string(),
        ),
        ("messages_lost_total", "counter", "Messages of peers that found no room.", counts.lost_messages.to_string()),
    ] {
        let _ = write!(
            text,
            "# HELP underpass_gateway_{name} {help}\n# TYPE underpass_gateway_{name} {kind}\nunderpass_gateway_{name} {value}\n"
        );
    }
    text.push_str("# HELP underpass_gateway_leases Addresses that are given.\n# TYPE underpass_gateway_leases gauge\n");
    for leases in &counts.leases {
        let _ = writeln!(text, "underpass_gateway_leases{{pool=\"{}\"}} {}", leases.pool, leases.used);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::status::Leases;

    fn asked(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.write_all(request).expect("asks");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("hears");
        said
    }

    #[test]
    fn what_is_counted_is_told_to_whoever_asks_for_it() {
        let leases = vec![Leases { pool: "10.8.0.0/24".into(), used: 3 }];
        let counts = Shared::new(Mutex::new(Counts { sessions: 2, store: true, leases, ..Counts::default() }));
        let address = start(([127, 0, 0, 1], 0).into(), Arc::clone(&counts), |_| {}).expect("starts");
        let said = asked(address, b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        let (head, body) = said.split_once("\r\n\r\n").expect("a header");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        for line in [
            "underpass_gateway_sessions 2",
            "underpass_gateway_store_up 1",
            "underpass_gateway_leases{pool=\"10.8.0.0/24\"} 3",
            "# TYPE underpass_gateway_audit_lines_lost_total counter",
        ] {
            assert!(body.lines().any(|one| one == line), "{line} is not in\n{body}");
        }
        counts.lock().expect("no panic").sessions = 5;
        assert!(asked(address, b"GET /metrics HTTP/1.1\r\n\r\n").contains("\nunderpass_gateway_sessions 5\n"));
    }

    #[test]
    fn other_requests_get_nothing_and_keep_nobody_away() {
        let address = start(([127, 0, 0, 1], 0).into(), Shared::default(), |_| {}).expect("starts");
        assert!(asked(address, b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(asked(address, b"POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        drop(TcpStream::connect(address).expect("connects"));
        let mut flood = TcpStream::connect(address).expect("connects");
        // More than a request may have; it need not all be taken.
        let _ = flood.write_all(&[b'x'; 2 * LONGEST]);
        assert!(asked(address, b"GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    }
}
