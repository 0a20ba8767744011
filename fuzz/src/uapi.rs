//! The control protocol of `wg`.
use crate::pair::{NOW, side};
use std::fmt::Write;
use underpass_core::uapi::{HostState, Request, RequestBuffer, parse_set, write_get, write_status};
use underpass_core::{Limits, Tunnel};

/// The longest request the target takes in.
const LIMIT: usize = 64 * 1024;

/// Feeds `data` to a control socket in pieces whose size is its first byte, and carries out each request.
pub fn uapi(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else { return };
    let limits = Limits { peers: 64, ..Limits::default() };
    let mut tunnel = side(1, 2, limits);
    let mut host = HostState { listen_port: 51820, fwmark: 0 };
    let mut buffer = RequestBuffer::with_limit(LIMIT);
    for piece in bytes.chunks(usize::from(*piece) + 1) {
        if buffer.push(piece).is_err() || !answer_all(&mut buffer, &mut tunnel, &mut host) {
            return;
        }
    }
}

/// Answers what has come in whole. `false`: nothing more can be understood.
fn answer_all(buffer: &mut RequestBuffer, tunnel: &mut Tunnel, host: &mut HostState) -> bool {
    loop {
        match buffer.poll() {
            Ok(None) => return true,
            Ok(Some(Request::Get)) => drop(got(tunnel, host)),
            Ok(Some(Request::Set(text))) => set(text, tunnel, host),
            Err(error) => {
                assert!(!format!("{error} {error:?}").is_empty());
                return false;
            }
        }
    }
}

/// A request is applied whole or not at all, and the second time it changes nothing more.
fn set(text: &str, tunnel: &mut Tunnel, host: &mut HostState) {
    let Ok(request) = parse_set(text) else { return };
    let before = got(tunnel, host);
    if tunnel.configure(NOW, &request.changes).is_err() {
        assert_eq!(got(tunnel, host), before, "a refused request left something behind");
        return;
    }
    host.listen_port = request.listen_port.unwrap_or(host.listen_port);
    host.fwmark = request.fwmark.unwrap_or(host.fwmark);
    let peers = tunnel.footprint().peers;
    assert!(peers <= 64);
    assert_eq!(tunnel.peers().count(), peers);
    assert_eq!(tunnel.peers().map(|peer| peer.allowed_ips().count()).sum::<usize>(), tunnel.footprint().allowed_ips);
}

/// The answer to `get=1`: lines of key and value.
fn got(tunnel: &Tunnel, host: &HostState) -> String {
    let mut text = String::new();
    write_get(tunnel, host, &mut text).expect("a string takes everything");
    assert!(text.lines().all(|line| line.split_once('=').is_some_and(|(key, _)| !key.is_empty())));
    write_status(0, &mut text).expect("a string takes everything");
    assert!(text.ends_with("errno=0\n\n"));
    let _ = text.write_char('\n');
    text
}
