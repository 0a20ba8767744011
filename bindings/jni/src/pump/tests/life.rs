//! Pumps come and go, from any thread, and leave nothing behind.
use super::scene::{End, Guard, PATIENCE, eventually, interface, packet, pair, put, text, tunnel};
use crate::pump::{Pump, PumpError};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use underpass_core::Status;
use underpass_uniffi::{PrivateKey, TunnelError, TunnelObserver};

type Answers = Vec<Option<PumpError>>;

/// Does something with the pump when the tunnel has events, which is on the pump's own thread.
#[derive(Default)]
struct Meddler {
    pump: Mutex<Option<(Weak<Pump>, Sender<Answers>)>>,
}

impl TunnelObserver for Meddler {
    fn wake(&self) -> Result<(), TunnelError> {
        let Some((pump, tell)) = self.pump.lock().expect("no panic").take() else { return Ok(()) };
        let pump = pump.upgrade().expect("it lives");
        let (tun, _world) = interface();
        let answers = vec![pump.stop().err(), pump.rebind().err(), pump.replace_tun(tun).err().map(|(error, _)| error)];
        pump.close();
        tell.send(answers).expect("the test waits");
        Ok(())
    }
}

#[test]
fn calls_on_the_pumps_own_thread_are_refused_and_closing_does_not_hang() {
    let (own, other) = (PrivateKey::generate().expect("randomness"), PrivateKey::generate().expect("randomness"));
    let peer = End::start(tunnel(text(&other, &own, "10.0.0.1", None), None));
    let endpoint = format!("127.0.0.1:{}", peer.port());
    let meddler = Arc::new(Meddler::default());
    let tunnel = tunnel(text(&own, &other, "10.0.0.2", Some(&endpoint)), Some(Arc::clone(&meddler) as _));
    let (tun, world) = interface();
    let pump = Pump::start(tunnel, tun, Guard::default().protect(), None).map_err(|(error, _)| error);
    let pump = Arc::new(pump.expect("it starts"));
    let (tell, told) = channel();
    *meddler.pump.lock().expect("no panic") = Some((Arc::downgrade(&pump), tell));
    // A session is established, which is an event.
    put(&world, &packet(1, 2, 100, 1));
    let busy = Some(PumpError::Status(Status::Busy));
    assert_eq!(told.recv_timeout(PATIENCE).expect("the observer was woken"), [busy; 3]);
    // It was closed there: it ends, and nobody gets the interface.
    assert!(pump.stop().expect("not from its own thread").is_none());
    assert_eq!(nix::unistd::read(&world, &mut [0; 1]), Ok(0), "the interface is closed");
}

#[test]
fn stopping_while_others_rebind_and_replace_never_hangs() {
    for _ in 0..30 {
        let (left, right) = pair(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for number in 0..2 {
                let (pump, stop) = (&left.pump, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        let error = if number == 0 {
                            pump.rebind().err()
                        } else {
                            let (tun, _world) = interface();
                            match pump.replace_tun(tun) {
                                Ok(_) => None,
                                // The world of the one before is gone, and so may be the pump.
                                Err((error, tun)) => tun.map(|_| error),
                            }
                        };
                        assert!(error.is_none_or(|error| error == PumpError::Ended), "{error:?}");
                    }
                });
            }
            std::thread::sleep(std::time::Duration::from_millis(3));
            assert!(left.pump.stop().expect("not from its own thread").is_some());
            stop.store(true, Ordering::SeqCst);
        });
        drop(right);
    }
}

/// Descriptors, threads and kilobytes of this process.
fn held() -> (usize, usize, i64) {
    let count = |folder| std::fs::read_dir(folder).expect("proc").count();
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a size");
    let resident = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    (count("/proc/self/fd"), count("/proc/self/task"), resident)
}

/// Whether this is the process of its own in which the test of this name runs; else has it run there, where no other test opens
/// anything.
fn alone(name: &str) -> bool {
    const ALONE: &str = "UNDERPASS_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let itself = std::env::current_exe().expect("a test knows where it is");
    let name = format!("pump::tests::life::{name}");
    let run = std::process::Command::new(itself).args(["--exact", &name, "--nocapture"]).env(ALONE, "1").output();
    let run = run.expect("it starts");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{said}");
    false
}

#[test]
fn ten_thousand_pumps_leave_nothing_behind() {
    if !alone("ten_thousand_pumps_leave_nothing_behind") {
        return;
    }
    let (own, other) = (PrivateKey::generate().expect("randomness"), PrivateKey::generate().expect("randomness"));
    let tunnel = tunnel(text(&own, &other, "10.0.0.2", None), None);
    let come_and_go = |times: u32| {
        for number in 0..times {
            let (tun, world) = interface();
            let protect = Arc::new(|_: std::os::fd::BorrowedFd<'_>| true);
            let pump = Pump::start(Arc::clone(&tunnel), tun, protect, None).map_err(|(error, _)| error);
            let pump = pump.expect("it starts");
            match number % 3 {
                0 => assert!(pump.stop().expect("not from its own thread").is_some()),
                1 => pump.close(),
                _ => drop(world),
            }
        }
    };
    // The kernel lists a thread for a moment after it was waited for.
    let threads = held().1;
    let is_quiet = || eventually("the threads are gone", || held().1 == threads);
    come_and_go(300);
    is_quiet();
    let before = held();
    come_and_go(10_000);
    is_quiet();
    let after = held();
    assert_eq!(before.0, after.0);
    assert!(after.2 - before.2 < 4 * 1024, "{} KiB", after.2 - before.2);
}

/// Two tunnels with a pump each, and what is needed to flood one from the other.
#[test]
fn a_pump_takes_less_than_2_mb_at_rest_and_8_mb_at_full_load() {
    if !alone("a_pump_takes_less_than_2_mb_at_rest_and_8_mb_at_full_load") {
        return;
    }
    // The cryptography has tables of its own, which all tunnels share.
    drop(pair(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let none = held().2;
    let (left, right) = pair(IpAddr::V4(Ipv4Addr::LOCALHOST));
    left.send(&packet(1, 2, 100, 0));
    right.receive();
    let rest = held().2 - none;
    super::carrying::flood(&left, &right);
    let load = held().2 - none;
    println!("two tunnels with their pumps: {rest} KiB at rest, {load} KiB at full load");
    assert!(rest < 2 * 2048, "{rest} KiB for two at rest");
    assert!(load < 2 * 8192, "{load} KiB for two at full load");
}
