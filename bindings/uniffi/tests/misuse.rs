//! What may go wrong in an application: each is an error with a code, and nothing else suffers.
mod scene;

use scene::{Observer, Scene, address, configuration, counting, network};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use underpass_core::Status;
use underpass_uniffi::{
    Clock, Configuration, Endpoint, MAX_TEXT, Padding, PeerAction, PeerChange, PrivateKey, PublicKey, Tunnel,
    TunnelError, TunnelLimits, TunnelOptions, of_data_plane,
};

fn tunnel() -> Arc<Tunnel> {
    Tunnel::new(TunnelOptions::default(), None).expect("a tunnel without anything")
}

fn change(key: &Arc<PublicKey>) -> PeerChange {
    PeerChange {
        public_key: Arc::clone(key),
        action: PeerAction::Set,
        preshared_key: None,
        endpoint: None,
        pin_endpoint: None,
        persistent_keepalive: None,
        user: None,
        timestamp_floor: None,
        replace_allowed_ips: false,
        allowed_ips: Vec::new(),
    }
}

fn key() -> Arc<PrivateKey> {
    PrivateKey::generate().expect("there is chance")
}

/// Every method that may be refused, by name.
fn every_call(tunnel: &Tunnel) -> Vec<(&'static str, Option<TunnelError>)> {
    let configuration = Configuration::build(Default::default(), Vec::new()).expect("an empty one is good");
    let calls = [
        ("apply", tunnel.apply(configuration).err()),
        ("change_peers", tunnel.change_peers(Vec::new()).err()),
        ("remove_all_peers", tunnel.remove_all_peers().err()),
        ("set_private_key", tunnel.set_private_key(None).err()),
        ("set_mtu", tunnel.set_mtu(1280).err()),
        ("set_padding", tunnel.set_padding(Padding::Sixteen).err()),
        ("set_limits", tunnel.set_limits(TunnelLimits::default()).err()),
        ("handle_network_change", tunnel.handle_network_change().err()),
        ("handle_wall_clock", tunnel.handle_wall_clock().err()),
        ("connect", tunnel.connect(1).err()),
        ("set_endpoint", tunnel.set_endpoint(1, address([192, 0, 2, 1], 1)).err()),
        ("end_sessions", tunnel.end_sessions(1).err()),
        ("set_refused", tunnel.set_refused(1, true).err()),
        ("reset_peer_timestamp", tunnel.reset_peer_timestamp(1).err()),
        ("next_event", tunnel.next_event().err()),
        ("peers", tunnel.peers().err()),
        ("peer", tunnel.peer(1).err()),
        ("peer_by_key", tunnel.peer_by_key(key().public_key()).err()),
        ("peer_health", tunnel.peer_health(1).err()),
        ("peer_drops", tunnel.peer_drops(1).err()),
        ("drops", tunnel.drops().err()),
        ("statistics", tunnel.statistics().err()),
        ("public_key", tunnel.public_key().err()),
        ("layout", tunnel.layout().err()),
        ("saved_floors", tunnel.saved_floors().err()),
        ("with_core", tunnel.with_core(|_| ()).err()),
    ];
    calls.into()
}

#[test]
fn a_closed_tunnel_says_so() {
    let tunnel = tunnel();
    let id = tunnel.data_plane_id();
    assert!(of_data_plane(id).is_some());
    tunnel.close();
    tunnel.close();
    for (name, error) in every_call(&tunnel) {
        let error = error.unwrap_or_else(|| panic!("{name} is not refused"));
        assert_eq!((error.clone(), error.code()), (TunnelError::Closed, -1), "{name}");
    }
    assert!(of_data_plane(id).is_none());
}

#[test]
fn lesson_24_a_panic_inside_is_an_error_and_poisons_the_tunnel() {
    let scene = Scene::connected();
    let tunnel = &scene.phone.tunnel;
    let (count, wake) = counting();
    tunnel.set_data_plane(Some(wake));
    let woken = scene.phone.observer.times();
    let panicked = tunnel.with_core(|_| panic!("a bug"));
    assert_eq!(panicked, Err(TunnelError::Panic));
    let told = (scene.phone.observer.times() - woken, *count.lock().expect("no panic under it"));
    assert_eq!(told, (1, 1), "both planes hear of it, once");
    for (name, error) in every_call(tunnel) {
        assert_eq!(error.map(|error| error.code()), Some(Status::Poisoned.code()), "{name}");
    }
    tunnel.close();
    assert_eq!(tunnel.statistics(), Err(TunnelError::Closed));
    scene.gateway.tunnel.statistics().expect("the other tunnel goes on");
}

#[test]
fn an_observer_that_fails_harms_nothing_and_is_woken_again() {
    for throws in [1, 2] {
        let scene = Scene::new();
        scene.phone.observer.throws.store(throws, Ordering::SeqCst);
        scene.phone.tunnel.set_mtu(1280).expect("the call is done all the same");
        assert_eq!(scene.phone.observer.times(), 1);
        scene.phone.observer.throws.store(0, Ordering::SeqCst);
        scene.phone.tunnel.statistics().expect("it is open");
        assert_eq!(scene.phone.observer.times(), 2, "events wait still");
        scene.phone.tunnel.statistics().expect("it is open");
        assert_eq!(scene.phone.observer.times(), 2, "it knows");
        assert_eq!(scene.phone.events().len(), 1);
    }
}

/// Calls the tunnel while it is woken.
struct Eager(std::sync::Mutex<Option<Arc<Tunnel>>>);

impl underpass_uniffi::TunnelObserver for Eager {
    fn wake(&self) -> Result<(), TunnelError> {
        if let Some(tunnel) = self.0.lock().expect("no panic under it").as_ref() {
            while tunnel.next_event()?.is_some() {}
            tunnel.statistics()?;
        }
        Ok(())
    }
}

#[test]
fn the_observer_may_call_the_tunnel_for_no_lock_is_held() {
    let observer = Arc::new(Eager(std::sync::Mutex::new(None)));
    let tunnel = Tunnel::new(TunnelOptions::default(), Some(Arc::clone(&observer) as _)).expect("a tunnel");
    *observer.0.lock().expect("no panic under it") = Some(Arc::clone(&tunnel));
    tunnel.set_mtu(1280).expect("it is open");
    assert_eq!(tunnel.next_event(), Ok(None), "the observer took it");
    let weak = Arc::downgrade(&observer);
    tunnel.close();
    drop(observer);
    assert!(weak.upgrade().is_none(), "a closed tunnel holds nobody");
}

#[test]
fn closing_during_a_call_of_another_thread_waits_for_it() {
    let tunnel = tunnel();
    let other = Arc::clone(&tunnel);
    let (inside, told) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel();
    let call = std::thread::spawn(move || {
        other.with_core(|core| {
            inside.send(()).expect("the test waits");
            gone.recv().expect("the test goes on");
            core.mtu()
        })
    });
    told.recv().expect("the call began");
    let closer = Arc::clone(&tunnel);
    let close = std::thread::spawn(move || closer.close());
    scene::eventually(|| of_data_plane(tunnel.data_plane_id()).is_none());
    go.send(()).expect("the call waits");
    assert_eq!(call.join().expect("no panic"), Ok(1420));
    close.join().expect("no panic");
    assert_eq!(tunnel.statistics(), Err(TunnelError::Closed));
}

#[test]
fn many_threads_call_while_one_closes() {
    let scene = Scene::connected();
    let tunnel = &scene.phone.tunnel;
    let answers = std::thread::scope(|threads| {
        let calls: Vec<_> = (0..4)
            .map(|_| {
                threads.spawn(|| {
                    for calls in 0.. {
                        match tunnel.set_mtu(1280 + calls % 8).and_then(|()| tunnel.next_event()) {
                            Ok(_) => {}
                            Err(error) => return (calls, error),
                        }
                    }
                    unreachable!()
                })
            })
            .collect();
        scene::eventually(|| tunnel.layout().expect("it is open").mtu > 1283);
        tunnel.close();
        calls.into_iter().map(|call| call.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert!(answers.iter().all(|(_, error)| *error == TunnelError::Closed), "{answers:?}");
}

#[test]
fn wrong_values_are_told_apart_and_change_nothing() {
    let tunnel = tunnel();
    let peer = key().public_key();
    let low = PublicKey::from_bytes([vec![1], vec![0; 31]].concat()).expect("32 bytes");
    let with = |endpoint| PeerChange { endpoint: Some(endpoint), ..change(&peer) };
    let name = |host: &str| with(Endpoint::Name { host: host.into(), port: 1 });
    let ip = |text: &str| PeerChange {
        allowed_ips: vec![underpass_uniffi::AllowedIp { network: network(text), remove: false }],
        ..change(&peer)
    };
    let rows = [
        (change(&low), Status::LowOrderKey),
        (ip("10.0.0.0/33"), Status::Prefix),
        (ip("10.0.0/8"), Status::Argument),
        (name(""), Status::Argument),
        (name("a b"), Status::Argument),
        (name(&"a".repeat(256)), Status::Argument),
        (PeerChange { timestamp_floor: Some(vec![0; 11]), ..change(&peer) }, Status::Argument),
    ];
    for (row, (wrong, status)) in rows.into_iter().enumerate() {
        let error = tunnel.change_peers(vec![change(&peer), wrong]).expect_err("it is wrong");
        assert_eq!(error.code(), status.code(), "row {row}: {error}");
        if status == Status::LowOrderKey {
            assert_eq!(error, TunnelError::LowOrderKey { index: Some(1) });
        }
        assert_eq!(tunnel.statistics().expect("it is open").peers, 0, "all or nothing");
    }
    let codes = |answer: Result<(), TunnelError>| answer.expect_err("it is wrong").code();
    assert_eq!(codes(tunnel.set_mtu(67)), Status::Mtu.code());
    assert_eq!(codes(tunnel.set_padding(Padding::Buckets { size: 33 })), Status::Argument.code());
    let none = TunnelLimits { peers: Some(0), ..Default::default() };
    assert_eq!(codes(tunnel.set_limits(none)), Status::Limit.code());
    assert_eq!(codes(tunnel.connect(5)), Status::NoPeer.code());
    assert_eq!(tunnel.layout().expect("it is open").mtu, 1420);
}

#[test]
fn options_are_checked_before_a_tunnel_is() {
    let refused = |options| Tunnel::new(options, None).expect_err("the options are wrong").code();
    assert_eq!(refused(TunnelOptions { mtu: Some(1), ..Default::default() }), Status::Mtu.code());
    let saved_floors = Some(vec![9; 13]);
    assert_eq!(refused(TunnelOptions { saved_floors, ..Default::default() }), Status::Argument.code());
    let configuration = Some(configuration(&key(), &key().public_key(), None, "10.0.0.2/32"));
    let limits = Some(TunnelLimits { peers: Some(0), ..Default::default() });
    assert_eq!(refused(TunnelOptions { configuration, limits, ..Default::default() }), Status::Limit.code());
}

#[test]
fn a_phone_has_a_thousand_peers_at_most_unless_it_asks_for_more() {
    let tunnel = tunnel();
    let peers = |count| (0..count).map(|_| change(&key().public_key())).collect::<Vec<_>>();
    let error = tunnel.change_peers(peers(1001)).expect_err("one too many");
    assert_eq!(error, TunnelError::TooManyPeers { index: Some(1000) });
    tunnel.set_limits(TunnelLimits { peers: Some(1001), ..Default::default() }).expect("a good limit");
    assert_eq!(tunnel.change_peers(peers(1001)).expect("there is room").len(), 1001);
}

#[test]
fn huge_texts_are_refused_or_bounded() {
    let long = "#".repeat(MAX_TEXT + 1);
    assert_eq!(Configuration::parse(long).expect_err("too long").code(), Status::Argument.code());
    // One more than lines: there is no private key.
    let junk = "nonsense\n".repeat(10_000);
    for (kept, listed) in [(None, 100), (Some(7), 7), (Some(0), 0)] {
        let parsed = match kept {
            None => Configuration::parse(junk.clone()),
            Some(kept) => Configuration::parse_with(junk.clone(), kept),
        };
        let Err(TunnelError::Config { diagnostics, more }) = parsed else { panic!("it has errors") };
        assert_eq!((diagnostics.len(), diagnostics.len() as u64 + more), (listed, 10_001));
    }
}

#[test]
fn keys_that_are_none_are_refused() {
    for text in ["", "AAAA", &"=".repeat(44), &"z".repeat(64), "\u{1F511}"] {
        assert_eq!(PrivateKey::from_base64(text.into()).expect_err("no key").code(), Status::Key.code());
        assert_eq!(PublicKey::from_hex(text.into()).expect_err("no key").code(), Status::Key.code());
    }
    for len in [0, 31, 33] {
        assert_eq!(PrivateKey::from_bytes(vec![1; len]).expect_err("no key"), TunnelError::Key);
    }
}

#[test]
fn a_panic_of_the_data_planes_wake_is_its_own() {
    let tunnel = tunnel();
    tunnel.set_data_plane(Some(Arc::new(|| panic!("the data plane panics"))));
    tunnel.set_mtu(1300).expect("the call is done all the same");
    let (count, wake) = counting();
    tunnel.set_data_plane(Some(wake));
    tunnel.set_mtu(1280).expect("it is open");
    assert_eq!(*count.lock().expect("no panic"), 1);
}

#[test]
fn a_clock_that_leaps_is_told() {
    let clock = Clock::manual(0, scene::WALL);
    let observer = Arc::new(Observer::default());
    let options = TunnelOptions { clock: Some(Arc::clone(&clock)), ..Default::default() };
    let tunnel = Tunnel::new(options, Some(Arc::clone(&observer) as _)).expect("a tunnel");
    clock.advance(3 * 24 * 3600 * scene::SECOND);
    tunnel.handle_network_change().expect("it is open");
    assert_eq!(tunnel.next_event(), Ok(Some(underpass_uniffi::TunnelEvent::ClockLeapt)));
    assert_eq!(observer.times(), 1);
}
