//! Sockets on loopback.
use super::*;
use quinn_udp::RecvMeta;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::Path;

/// Receives until `bytes` have come; each datagram with what is known of it.
fn receive(socket: &Socket, bytes: usize) -> Vec<(RecvMeta, Vec<u8>)> {
    let mut datagrams = Vec::new();
    let mut buf = vec![0; 65536];
    let until = Instant::now() + Duration::from_secs(5);
    while datagrams.iter().map(|(_, d): &(RecvMeta, Vec<u8>)| d.len()).sum::<usize>() < bytes {
        assert!(Instant::now() < until, "datagrams got lost on loopback");
        let mut meta = [RecvMeta::default()];
        match socket.receive(&mut [IoSliceMut::new(&mut buf)], &mut meta) {
            Ok(_) => {
                let [meta] = meta;
                datagrams.extend(buf[..meta.len].chunks(meta.stride).map(|datagram| (meta, datagram.to_vec())));
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    datagrams
}

fn pair(offload: bool) -> (Sockets, Sockets) {
    let bind = || Sockets::bind(0, Options { offload, ..Options::default() }).expect("loopback has IPv4");
    (bind(), bind())
}

fn to(remote: impl Into<IpAddr>, port: u16) -> Path {
    Path::new(SocketAddr::new(remote.into(), port))
}

#[test]
fn runs_arrive_as_the_datagrams_they_were() {
    for offload in [true, false] {
        let (a, b) = pair(offload);
        for remote in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let path = to(remote, b.port());
            let datagrams: Vec<u8> = (0..100 * 1452 + 700u32).map(|i| (i % 251) as u8).collect();
            let run = Run { path, ecn: Ecn::Capable0, datagrams: &datagrams, size: 1452 };
            assert_eq!(a.send(&run), Sent::Yes);
            let received = receive(b.of(&path.remote).expect("both families"), datagrams.len());
            assert_eq!(received.len(), 101);
            let bytes: Vec<u8> = received.iter().flat_map(|(_, datagram)| datagram.clone()).collect();
            assert!(bytes == datagrams, "in order and intact");
            for (meta, datagram) in &received[..100] {
                assert_eq!((datagram.len(), meta.addr), (1452, SocketAddr::new(remote, a.port())));
                assert_eq!(meta.dst_ip, Some(remote));
                assert_eq!(meta.ecn.map(|ecn| ecn as u8), Some(Ecn::Capable0 as u8));
            }
        }
    }
}

#[test]
fn a_lost_source_address_is_left_out() {
    a_lost_source(true);
    a_lost_source(false);
}

fn a_lost_source(offload: bool) {
    let (a, b) = pair(offload);
    let nowhere: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    for (remote, local) in nowhere {
        let path = to(remote, b.port()).with_local(Some(local));
        let datagrams = vec![7; 3000];
        assert_eq!(a.send(&Run { path, ecn: Ecn::Capable1, datagrams: &datagrams, size: 1000 }), Sent::FromElsewhere);
        let received = receive(b.of(&path.remote).expect("both families"), 3000);
        assert_eq!(received.len(), 3, "each once");
        assert_eq!(received[0].0.ecn.map(|ecn| ecn as u8), Some(1), "ECN survives");
        let socket = a.of(&path.remote).expect("both families");
        assert!(!offload || socket.state.borrow().max_gso_segments() > 1, "bundles survive");
    }
}

#[test]
fn a_named_source_address_is_used() {
    let (a, b) = pair(true);
    let local = Ipv4Addr::new(127, 0, 0, 9);
    let path = to(Ipv4Addr::new(127, 0, 0, 8), b.port()).with_local(Some(local.into()));
    assert_eq!(a.send(&Run { path, ecn: Ecn::NotCapable, datagrams: b"hello", size: 5 }), Sent::Yes);
    let received = receive(b.of(&path.remote).expect("IPv4"), 5);
    assert_eq!(received[0].0.addr, SocketAddr::new(local.into(), a.port()));
    assert_eq!(received[0].0.dst_ip, Some(Ipv4Addr::new(127, 0, 0, 8).into()));
}

#[test]
fn many_leave_in_one_call_from_where_they_are_to() {
    let (a, b) = pair(false);
    let cases: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::new(127, 0, 0, 8).into(), Ipv4Addr::new(127, 0, 0, 9).into()),
        (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()),
    ];
    for (remote, local) in cases {
        for ecn in [Ecn::NotCapable, Ecn::Capable0, Ecn::Congested] {
            let path = to(remote, b.port()).with_local(Some(local));
            let datagrams: Vec<u8> = (0..64 * 1000 + 700u32).map(|i| (i % 251) as u8).collect();
            let run = Run { path, ecn, datagrams: &datagrams, size: 1000 };
            let from = a.of(&path.remote).expect("both families");
            assert_eq!(many::send(&from.io, &run), Ok(64), "as many as one call takes");
            let received = receive(b.of(&path.remote).expect("both families"), 64_000);
            let bytes: Vec<u8> = received.iter().flat_map(|(_, datagram)| datagram.clone()).collect();
            assert!(bytes == datagrams[..64_000] && received.len() == 64);
            for (meta, _) in &received {
                assert_eq!(meta.addr, SocketAddr::new(local, a.port()));
                assert_eq!(meta.ecn.map_or(0, |ecn| ecn as u8), ecn as u8);
            }
        }
    }
    let nowhere = to(Ipv4Addr::BROADCAST, 9);
    let run = Run { path: nowhere, ecn: Ecn::NotCapable, datagrams: &[0; 20], size: 10 };
    assert_eq!(many::send(&a.of(&nowhere.remote).expect("IPv4").io, &run), Err(Errno::EACCES));
}

#[test]
fn data_does_not_stand_behind_a_flood_of_handshake_messages() {
    let options = || Options { offload: true, lane: true, ..Options::default() };
    let (a, b) = (pair(true).0, Sockets::bind(0, options()).expect("loopback has IPv4"));
    for remote in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let path = to(remote, b.port());
        let send =
            |datagram: &[u8]| a.send(&Run { path, ecn: Ecn::NotCapable, datagrams: datagram, size: datagram.len() });
        // More than any queue takes.
        (0..30_000).for_each(|number: u32| _ = send(&[1 + (number % 3) as u8; 148]));
        assert_eq!(send(&[4; 100]), Sent::Yes);
        let socket = b.of(&path.remote).expect("both families");
        let received = receive(socket, 100);
        assert!(received.len() == 1 && received[0].1 == [4; 100], "and nothing else");
        let mut buf = [0; 148];
        let lane = socket.lane().expect("the kernel has lanes");
        let taken = lane.receive(&mut [IoSliceMut::new(&mut buf)], &mut [RecvMeta::default()]);
        assert!(matches!(taken, Ok(1)) && buf == [1; 148], "the first of the flood");
    }
    let again = Sockets::bind(b.port(), options());
    assert!(matches!(again, Err(Fault::PortInUse { .. })), "nobody shares the port: {again:?}");
}

#[test]
fn a_taken_port_says_so() {
    let taken = UdpSocket::bind("0.0.0.0:0").expect("a port");
    let port = taken.local_addr().expect("its address").port();
    assert!(matches!(Sockets::bind(port, Options::default()), Err(Fault::PortInUse { port: p }) if p == port));
    let v6 = UdpSocket::bind("[::]:0").expect("a port");
    let port = v6.local_addr().expect("its address").port();
    assert!(matches!(Sockets::bind(port, Options::default()), Err(Fault::PortInUse { .. })), "IPv6 alone");
}

#[test]
fn an_unreachable_destination_fails_and_harms_nothing() {
    let (a, b) = pair(true);
    let datagrams = vec![1; 2000];
    let broadcast = to(Ipv4Addr::BROADCAST, 9);
    assert!(matches!(
        a.send(&Run { path: broadcast, ecn: Ecn::NotCapable, datagrams: &datagrams, size: 1000 }),
        Sent::Failed(Errno::EACCES, 2000)
    ));
    let socket = a.of(&broadcast.remote).expect("IPv4");
    assert!(socket.bundling.allows(1000) && socket.state.borrow().max_gso_segments() > 1, "bundles survive");
    // Nor does one that is about a single datagram, where quinn-udp gives bundles up.
    let nowhere = to(Ipv4Addr::LOCALHOST, 0);
    let refused = a.send(&Run { path: nowhere, ecn: Ecn::NotCapable, datagrams: &datagrams[..9], size: 9 });
    assert!(matches!(refused, Sent::Failed(Errno::EINVAL, 9)), "{refused:?}");
    let socket = a.of(&broadcast.remote).expect("IPv4");
    assert!(socket.bundling.allows(1000) && socket.state.borrow().max_gso_segments() > 1, "bundles survive");
    let path = to(Ipv4Addr::LOCALHOST, b.port());
    assert_eq!(a.send(&Run { path, ecn: Ecn::NotCapable, datagrams: &datagrams, size: 1000 }), Sent::Yes);
    assert_eq!(receive(b.of(&path.remote).expect("IPv4"), 2000).len(), 2);
}

#[test]
fn lesson_30_a_socket_that_is_not_protected_is_not_used() {
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    for refused in 1..=2 {
        asked.store(0, std::sync::atomic::Ordering::Relaxed);
        let count = Arc::clone(&asked);
        let protect: Protect = Arc::new(move |fd| {
            // Neither bound nor spoken to yet.
            let name = nix::sys::socket::getsockname::<nix::sys::socket::SockaddrStorage>(fd.as_raw_fd());
            let name = name.expect("a socket has a name");
            let port = name.as_sockaddr_in().map(|v4| v4.port()).or(name.as_sockaddr_in6().map(|v6| v6.port()));
            assert_eq!(port, Some(0));
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 != refused
        });
        let bound = Sockets::bind(0, Options { protect: Some(protect), ..Options::default() });
        assert!(matches!(bound, Err(Fault::NotProtected)), "{refused}");
        assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), refused, "each is asked about once, in turn");
    }
}
