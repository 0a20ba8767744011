//! Clients of the relay, good and bad.
use super::*;
use crate::login::link::{Link, Received};
use std::sync::mpsc::{Receiver, Sender, channel};

const GATEWAY: [u8; 32] = [7; 32];
/// How long anything may take: no verdict hangs on it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Opened(bool),
    Sent(Vec<u8>, bool),
    Closed,
}

struct Fake(Sender<Heard>);

impl Channel for Fake {
    fn open(&self, gateway: PublicKey) -> bool {
        let is_known = *gateway.as_bytes() == GATEWAY;
        self.0.send(Heard::Opened(is_known)).expect("the test listens");
        is_known
    }

    fn send(&self, gateway: &PublicKey, message: &[u8], may_wake: bool) {
        assert_eq!(*gateway.as_bytes(), GATEWAY);
        self.0.send(Heard::Sent(message.to_vec(), may_wake)).expect("the test listens");
    }

    fn close(&self) {
        self.0.send(Heard::Closed).expect("the test listens");
    }
}

struct Scene {
    directory: tempfile::TempDir,
    inbox: Inbox,
    heard: Receiver<Heard>,
    relay: Relay,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (inbox, (sender, heard)) = (Inbox::new().expect("a descriptor"), channel());
        let over = |outcome: Result<(), Died>| outcome.expect("no panic");
        let relay = Relay::serve(&path(directory.path(), "wg0"), Fake(sender), inbox.clone(), over);
        Self { directory, inbox, heard, relay: relay.expect("it starts") }
    }

    fn connect(&self, key: [u8; 32]) -> Link {
        Link::connect(self.directory.path(), "wg0", &PublicKey::from_bytes(key)).expect("it is there")
    }

    #[track_caller]
    fn hears(&self, expected: Heard) {
        assert_eq!(self.heard.recv_timeout(PATIENCE).expect("it is heard"), expected);
    }
}

#[test]
fn messages_go_both_ways_while_a_client_is_connected_and_for_its_gateway_alone() {
    let scene = Scene::new();
    let gateway = PublicKey::from_bytes(GATEWAY);
    scene.inbox.put(gateway, b"before");
    let link = scene.connect(GATEWAY);
    scene.hears(Heard::Opened(true));
    link.send(b"question", true).expect("sends");
    link.send(b"thanks", false).expect("sends");
    scene.hears(Heard::Sent(b"question".to_vec(), true));
    scene.hears(Heard::Sent(b"thanks".to_vec(), false));
    scene.inbox.put(PublicKey::from_bytes([8; 32]), b"of another");
    scene.inbox.put(gateway, b"answer");
    scene.inbox.session_began();
    let mut link = link;
    assert_eq!(link.wait(PATIENCE).expect("receives"), Some(Received::Message(b"answer".to_vec())));
    assert_eq!(link.wait(PATIENCE).expect("receives"), Some(Received::Session));
    drop(link);
    scene.hears(Heard::Closed);
    scene.inbox.put(gateway, b"after");
    assert!(scene.inbox.state().packets.is_empty(), "nobody wants it");
}

#[test]
fn one_client_at_a_time() {
    let scene = Scene::new();
    let first = scene.connect(GATEWAY);
    scene.hears(Heard::Opened(true));
    let mut second = scene.connect(GATEWAY);
    assert_eq!(second.wait(PATIENCE).expect("receives"), Some(Received::Gone));
    first.send(b"still here", true).expect("sends");
    scene.hears(Heard::Sent(b"still here".to_vec(), true));
    drop(first);
    scene.hears(Heard::Closed);
    let _third = scene.connect(GATEWAY);
    scene.hears(Heard::Opened(true));
}

#[test]
fn a_client_that_speaks_otherwise_is_let_go() {
    let scene = Scene::new();
    let mut unknown = scene.connect([9; 32]);
    scene.hears(Heard::Opened(false));
    assert_eq!(unknown.wait(PATIENCE).expect("receives"), Some(Received::Gone));
    scene.hears(Heard::Closed);
    for bad in [&[SESSION][..], &[77, 1, 2], &[1; LONGEST + 1], &[1; LONGEST + 50]] {
        let mut link = scene.connect(GATEWAY);
        scene.hears(Heard::Opened(true));
        link.send_raw(bad).expect("sends");
        assert_eq!(link.wait(PATIENCE).expect("receives"), Some(Received::Gone), "{} bytes", bad.len());
        scene.hears(Heard::Closed);
    }
    let mut short = Link::open(scene.directory.path(), "wg0").expect("it is there");
    short.send_raw(&[7; 31]).expect("sends");
    assert_eq!(short.wait(PATIENCE).expect("receives"), Some(Received::Gone));
    scene.hears(Heard::Closed);
}

#[test]
fn a_client_that_takes_nothing_costs_no_more_than_what_waits() {
    let scene = Scene::new();
    let _link = scene.connect(GATEWAY);
    scene.hears(Heard::Opened(true));
    for _ in 0..100_000 {
        scene.inbox.put(PublicKey::from_bytes(GATEWAY), &[1; 1000]);
        assert!(scene.inbox.state().packets.len() <= WAITING);
    }
}

#[test]
fn the_socket_is_private_and_goes_with_its_relay() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let path = path(scene.directory.path(), "wg0");
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    let mut link = scene.connect(GATEWAY);
    scene.hears(Heard::Opened(true));
    drop(scene.relay);
    assert_eq!(scene.heard.recv_timeout(PATIENCE), Ok(Heard::Closed));
    assert_eq!(link.wait(PATIENCE).expect("receives"), Some(Received::Gone));
    assert_eq!(fs::read_dir(scene.directory.path()).expect("directory").count(), 0);
}
