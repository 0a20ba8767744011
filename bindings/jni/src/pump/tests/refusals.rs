//! What is refused, and what ends a pump.
use super::scene::{End, Guard, PATIENCE, eventually, interface, pair, text, tunnel};
use crate::pump::{Pump, PumpError};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use underpass_core::Status;
use underpass_uniffi::{Clock, PrivateKey, Tunnel, TunnelOptions};

fn lone() -> Arc<Tunnel> {
    let (own, other) = (PrivateKey::generate().expect("randomness"), PrivateKey::generate().expect("randomness"));
    tunnel(text(&own, &other, "10.0.0.2", Some("127.0.0.1:9")), None)
}

fn refused(tunnel: &Arc<Tunnel>, tun: OwnedFd, guard: &Guard) -> (PumpError, OwnedFd) {
    let refusal = Pump::start(Arc::clone(tunnel), tun, guard.protect(), None).err();
    refusal.expect("it is refused")
}

#[test]
fn lesson_30_a_pump_whose_socket_is_refused_sends_nothing_and_gives_the_interface_back() {
    let (tunnel, guard) = (lone(), Guard::default());
    guard.refuses.store(true, Ordering::SeqCst);
    let (tun, world) = interface();
    let number = tun.as_raw_fd();
    // It would begin a handshake at once.
    tunnel.connect(tunnel.peers().expect("open")[0].peer).expect("the peer is known");
    let (error, tun) = refused(&tunnel, tun, &guard);
    assert_eq!((error, error.code()), (PumpError::NotProtected, -101));
    assert_eq!(tun.as_raw_fd(), number, "and open");
    assert_eq!(guard.ports(), [0], "the first was refused, and never bound");
    assert_eq!(tunnel.statistics().expect("open").tx_bytes, 0);
    // The tunnel is free for a pump that may.
    guard.refuses.store(false, Ordering::SeqCst);
    let pump = Pump::start(Arc::clone(&tunnel), tun, guard.protect(), None).map_err(|(error, _)| error);
    let pump = pump.expect("now it starts");
    eventually("the handshake begins", || tunnel.statistics().expect("open").tx_bytes > 0);
    drop((pump, world));
}

#[test]
fn what_is_no_interface_is_refused_and_stays_open() {
    let (tunnel, guard) = (lone(), Guard::default());
    let file = std::fs::File::open("/proc/self/status").expect("a file");
    let epoll_cannot_wait_for_it = OwnedFd::from(std::fs::File::open("Cargo.toml").expect("a file"));
    drop(file);
    let (error, file) = refused(&tunnel, epoll_cannot_wait_for_it, &guard);
    assert_eq!(error, PumpError::Status(Status::Argument));
    assert!(nix::sys::stat::fstat(&file).is_ok());
}

#[test]
fn a_tunnel_has_one_pump_and_a_real_clock() {
    let end = End::start(lone());
    let (tun, _world) = interface();
    let (error, tun) = refused(&end.tunnel, tun, &Guard::default());
    assert_eq!(error, PumpError::Status(Status::Busy));
    let old = end.pump.stop().expect("not from its own thread");
    let pump = Pump::start(Arc::clone(&end.tunnel), tun, Guard::default().protect(), None);
    assert!(pump.is_ok(), "one after the other");
    drop((old, pump));

    let options = TunnelOptions { clock: Some(Clock::manual(5, 5)), ..TunnelOptions::default() };
    let still = Tunnel::new(options, None).expect("a tunnel");
    let (tun, _world) = interface();
    assert_eq!(refused(&still, tun, &Guard::default()).0, PumpError::Status(Status::Argument));
    let closed = lone();
    closed.close();
    let (tun, _world) = interface();
    assert_eq!(refused(&closed, tun, &Guard::default()).0, PumpError::Status(Status::Null));
}

#[test]
fn an_interface_that_is_gone_ends_the_pump_and_that_is_told() {
    let (left, right) = pair(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let End { tunnel, pump, world, number, stopped, .. } = left;
    drop(world);
    assert_eq!(stopped.recv_timeout(PATIENCE), Ok(PumpError::TunGone));
    assert_eq!(pump.rebind(), Err(PumpError::Ended));
    let (tun, _world) = interface();
    let (error, tun) = pump.replace_tun(tun).expect_err("it has ended");
    assert_eq!((error, tun.is_some()), (PumpError::Ended, true));
    assert_eq!(pump.stop().expect("not from its own thread").map(|tun| tun.as_raw_fd()), Some(number));
    assert!(tunnel.layout().is_ok(), "the tunnel lives");
    drop(right);
}

#[test]
fn the_end_of_the_tunnel_is_the_end_of_the_pump() {
    let end = End::start(lone());
    end.tunnel.close();
    assert_eq!(end.stopped.recv_timeout(PATIENCE), Ok(PumpError::Status(Status::Null)));
    let end = End::start(lone());
    assert!(end.tunnel.with_core(|_| panic!("a bug")).is_err());
    assert_eq!(end.stopped.recv_timeout(PATIENCE), Ok(PumpError::Status(Status::Poisoned)));
    assert!(end.pump.stop().expect("not from its own thread").is_some());
}

/// The numbers that Kotlin has, and none that other calls answer with.
#[test]
fn lesson_25_codes_are_those_of_kotlin() {
    let kotlin = include_str!("../../../../../android/tunnel/src/main/kotlin/org/underpass/tunnel/PacketPump.kt");
    for (name, code) in [
        ("NOT_PROTECTED", PumpError::NOT_PROTECTED),
        ("TUN_GONE", PumpError::TUN_GONE),
        ("SOCKET", PumpError::SOCKET),
        ("NO_FAMILY", PumpError::NO_FAMILY),
        ("DESCRIPTORS", PumpError::DESCRIPTORS),
        ("SYSTEM", PumpError::SYSTEM),
        ("ENDED", PumpError::ENDED),
    ] {
        assert!(kotlin.contains(&format!("const val {name}: Int = {code}\n")), "{name}");
        assert!(Status::ALL.iter().all(|status| status.code() != code), "{name}");
    }
}
