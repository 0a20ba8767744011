//! Asks the network about the way to an endpoint. The peer drops what is sent: it is no message of the protocol. Whoever
//! cannot pass it on, or has nobody listening, may say so to this machine's kernel.
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// How long somebody on the way may take to say that it does not go on there.
const ROUND_TRIP: Duration = Duration::from_millis(500);

/// Sends `len` bytes to `address`, with `mark` if that is not 0, in a datagram that nobody may cut to pieces (as the kernel has it
/// by default), and waits for somebody to refuse it.
///
/// # Errors
/// What this machine, or somebody on the way, says of it. Silence is none.
pub fn probe(address: &SocketAddr, mark: u32, len: usize) -> io::Result<()> {
    let any: SocketAddr = match address.ip() {
        IpAddr::V4(_) => ([0; 4], 0).into(),
        IpAddr::V6(_) => ([0; 16], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    if mark != 0 {
        setsockopt(&socket, sockopt::Mark, &mark)?;
    }
    socket.connect(address)?;
    socket.send(&vec![0; len])?;
    socket.set_read_timeout(Some(ROUND_TRIP))?;
    match socket.recv(&mut [0; 1]) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_listens_is_told() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("an address");
        assert!(probe(&address, 0, 1).is_ok(), "silence is no fault");
        // From here on it hears somebody else alone. The port stays taken, so that nobody else gets it meanwhile.
        socket.connect("127.0.0.1:9").expect("a peer");
        let refused = probe(&address, 0, 1).expect_err("nobody listens");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
