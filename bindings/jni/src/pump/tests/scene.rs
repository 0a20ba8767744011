//! Pumps over loopback, whose virtual interfaces are pairs of sockets that keep packets apart.
use crate::pump::{Pump, PumpError};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, getsockname, recv, send, socketpair,
};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use underpass_carry::udp::{Options, Protect};
use underpass_uniffi::{Configuration, PrivateKey, Tunnel, TunnelObserver, TunnelOptions};

/// How long anything may take on the slowest machine: no verdict hangs on it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What a test does with the sockets that are to be protected.
#[derive(Clone, Default)]
pub(super) struct Guard {
    /// Copies of all that were asked about.
    pub(super) sockets: Arc<Mutex<Vec<OwnedFd>>>,
    /// Refuse from now on.
    pub(super) refuses: Arc<std::sync::atomic::AtomicBool>,
}

impl Guard {
    pub(super) fn protect(&self) -> Protect {
        let guard = self.clone();
        Arc::new(move |socket: BorrowedFd<'_>| {
            let copy = socket.try_clone_to_owned().expect("a descriptor");
            guard.sockets.lock().expect("no panic").push(copy);
            !guard.refuses.load(std::sync::atomic::Ordering::SeqCst)
        })
    }

    /// The ports of all that were asked about; 0: not bound.
    pub(super) fn ports(&self) -> Vec<u16> {
        let sockets = self.sockets.lock().expect("no panic");
        let port = |socket: &OwnedFd| {
            let name: SockaddrStorage = getsockname(socket.as_raw_fd()).expect("a socket has a name");
            name.as_sockaddr_in().map(|v4| v4.port()).or(name.as_sockaddr_in6().map(|v6| v6.port()))
        };
        sockets.iter().filter_map(port).collect()
    }
}

/// One end: a tunnel, its pump, and the world behind its interface.
pub(super) struct End {
    pub(super) tunnel: Arc<Tunnel>,
    pub(super) pump: Pump,
    pub(super) guard: Guard,
    /// The far side of the interface.
    pub(super) world: OwnedFd,
    /// The descriptor that the pump was given.
    pub(super) number: i32,
    pub(super) stopped: Receiver<PumpError>,
}

/// An interface, and the world behind it.
pub(super) fn interface() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).expect("descriptors")
}

pub(super) fn tunnel(text: String, observer: Option<Arc<dyn TunnelObserver>>) -> Arc<Tunnel> {
    let configuration = Some(Configuration::parse(text).expect("it is sound"));
    Tunnel::new(TunnelOptions { configuration, ..TunnelOptions::default() }, observer).expect("a tunnel")
}

impl End {
    pub(super) fn start(tunnel: Arc<Tunnel>) -> Self {
        Self::start_by(tunnel, true)
    }

    /// `offload`: on a kernel that takes and gives datagrams in bundles.
    fn start_by(tunnel: Arc<Tunnel>, offload: bool) -> Self {
        let (tun, world) = interface();
        let (number, guard) = (tun.as_raw_fd(), Guard::default());
        let (tell, stopped) = channel();
        let on_stopped = Box::new(move |error| _ = tell.send(error));
        let options = Options { mark: 0, offload, lane: false, protect: Some(guard.protect()) };
        let pump = Pump::start_by(Arc::clone(&tunnel), tun, options, Some(on_stopped));
        let pump = pump.map_err(|(error, _)| error).expect("it starts");
        Self { tunnel, pump, guard, world, number, stopped }
    }

    pub(super) fn port(&self) -> u16 {
        self.guard.ports().last().copied().expect("a socket")
    }

    /// Sends a packet out of the world into the tunnel.
    pub(super) fn send(&self, packet: &[u8]) {
        put(&self.world, packet);
    }

    /// The next packet that comes out of the tunnel.
    pub(super) fn receive(&self) -> Vec<u8> {
        receive(&self.world)
    }
}

/// Sends a packet out of a world.
pub(super) fn put(world: &OwnedFd, packet: &[u8]) {
    send(world.as_raw_fd(), packet, MsgFlags::empty()).expect("the interface takes it");
}

pub(super) fn receive(world: &OwnedFd) -> Vec<u8> {
    let mut packet = vec![0; 70_000];
    let started = Instant::now();
    loop {
        match recv(world.as_raw_fd(), &mut packet, MsgFlags::MSG_DONTWAIT) {
            Ok(len) => {
                packet.truncate(len);
                return packet;
            }
            Err(errno) => assert_eq!(errno, nix::errno::Errno::EAGAIN),
        }
        assert!(started.elapsed() < PATIENCE, "no packet came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Two ends that know each other over loopback: the left one is 10.0.0.1 inside, the right one 10.0.0.2, and only the left one
/// knows where the other is.
pub(super) fn pair(remote: IpAddr) -> (End, End) {
    pair_by(remote, true)
}

/// Likewise, on a kernel that knows of bundles or does not.
pub(super) fn pair_by(remote: IpAddr, offload: bool) -> (End, End) {
    let (left_key, right_key) =
        (PrivateKey::generate().expect("randomness"), PrivateKey::generate().expect("randomness"));
    let right = End::start_by(tunnel(text(&right_key, &left_key, "10.0.0.1", None), None), offload);
    let endpoint = std::net::SocketAddr::new(remote, right.port()).to_string();
    let left = End::start_by(tunnel(text(&left_key, &right_key, "10.0.0.2", Some(&endpoint)), None), offload);
    (left, right)
}

/// The configuration of one end.
pub(super) fn text(own: &PrivateKey, other: &PrivateKey, allowed: &str, endpoint: Option<&str>) -> String {
    let endpoint = endpoint.map_or(String::new(), |endpoint| format!("Endpoint = {endpoint}\n"));
    format!(
        "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nAllowedIPs = {allowed}/32\n{endpoint}",
        own.to_base64(),
        other.public_key().to_base64()
    )
}

/// An IPv4 packet from 10.0.0.`from` to 10.0.0.`to`, of `len` bytes, that says `word`.
pub(super) fn packet(from: u8, to: u8, len: u16, word: u8) -> Vec<u8> {
    let mut packet = vec![word; len.into()];
    packet[..20].fill(0);
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[8..10].copy_from_slice(&[64, 253]);
    packet[12..20].copy_from_slice(&[10, 0, 0, from, 10, 0, 0, to]);
    let sum: u32 = packet[..20].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&folded.to_be_bytes());
    packet
}

/// Waits until `look` says yes.
pub(super) fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let started = Instant::now();
    while !look() {
        assert!(started.elapsed() < PATIENCE, "still not: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
