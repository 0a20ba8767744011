//! Datagrams, from noise to genuine ones with a few bytes changed.
use crate::pair::{NOW, Outcome, exchange, inner, next_datagram, only_peer, path_of, private_key, side};
use underpass_core::internals::cookie::{MacKeys, Stamp};
use underpass_core::limits::{HEADROOM, TAILROOM};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Footprint, Outbound, PacketBuf, Path};
use underpass_core::{Limits, Tunnel};

/// The side that begins, and the side that answers.
const LEFT: u8 = 1;
const RIGHT: u8 = 2;

/// The first byte says which datagram is taken, and for whom; the rest is noise, or what is to be changed in it.
pub fn datagram(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let mut scene = Scene::set(kind % 6, rest);
    let genuine = scene.datagram.clone();
    if kind % 6 < 4 {
        edit(&mut scene.datagram, rest, scene.receiver_number);
    }
    scene.deliver(scene.datagram == genuine);
    scene.live_on();
}

/// Two tunnels and a datagram on its way to one of them.
struct Scene {
    receiver: Tunnel,
    receiver_number: u8,
    sender: Tunnel,
    sender_number: u8,
    datagram: Vec<u8>,
    /// The packet inside.
    packet: Option<Vec<u8>>,
}

impl Scene {
    /// 0 an initiation, 1 a response, 2 transport data, 3 a cookie reply; 4 and 5 noise, without and with a session.
    fn set(kind: u8, noise: &[u8]) -> Self {
        let (mut left, mut right) = (side(LEFT, RIGHT, limits()), side(RIGHT, LEFT, limits()));
        let peer = only_peer(&left);
        left.connect(NOW, peer);
        let (to_left, datagram, packet) = match kind {
            0 => (false, next_datagram(&mut left, NOW), None),
            1 => {
                let mut initiation = next_datagram(&mut left, NOW).expect("an initiation");
                let _ = right.handle_datagram(NOW, path_of(LEFT), Ecn::NotCapable, &mut initiation);
                (true, next_datagram(&mut right, NOW), None)
            }
            3 => (true, Some(cookie_reply(&mut left, &mut right)), None),
            4 => (false, Some(noise.to_vec()), None),
            _ => {
                exchange((&mut left, LEFT), (&mut right, RIGHT), NOW);
                let packet = inner(LEFT, RIGHT, noise.len() % 2 == 1, 100, b"inner");
                let datagram = if kind == 2 { Some(sealed(&mut left, &packet)) } else { Some(noise.to_vec()) };
                (false, datagram, Some(packet))
            }
        };
        let datagram = datagram.expect("there is something to send");
        let ((receiver, receiver_number), (sender, sender_number)) =
            if to_left { ((left, LEFT), (right, RIGHT)) } else { ((right, RIGHT), (left, LEFT)) };
        Self { receiver, receiver_number, sender, sender_number, datagram, packet }
    }

    /// Delivers the datagram. What is not authentic changes nothing but counters, and nobody is answered at length.
    fn deliver(&mut self, is_genuine: bool) {
        // From elsewhere, so that an endpoint that moves shows.
        let path = Path::new(([198, 51, 100, 7], 4000).into());
        let before = state(&self.receiver);
        let mut received = self.datagram.clone();
        let outcome = Outcome::from(self.receiver.handle_datagram(NOW, path, Ecn::NotCapable, &mut received));
        match &outcome {
            Outcome::Packet(packet) => {
                assert!(is_genuine, "a datagram that was changed brought a packet");
                assert_eq!(Some(packet), self.packet.as_ref());
            }
            Outcome::Reply(len) => assert!(*len <= self.datagram.len(), "an answer longer than the question"),
            Outcome::Consumed => {}
            Outcome::Dropped => assert_eq!(state(&self.receiver), before, "a datagram that was dropped left something"),
        }
        // The same again is a replay, whatever it was.
        let mut again = self.datagram.clone();
        let again = Outcome::from(self.receiver.handle_datagram(NOW, path, Ecn::NotCapable, &mut again));
        assert!(!matches!(again, Outcome::Packet(_)), "a packet came twice");
    }

    /// Both go on: they fall silent, no deadline stays due, and memory is bounded.
    fn live_on(mut self) {
        exchange((&mut self.receiver, self.receiver_number), (&mut self.sender, self.sender_number), NOW);
        let mut now = NOW;
        for _ in 0..8 {
            let Some(due) = self.receiver.poll_timeout() else { break };
            now = now.max(due);
            self.receiver.handle_timeout(now);
            assert!(self.receiver.poll_timeout().is_none_or(|next| next > now), "a deadline stays due");
            while next_datagram(&mut self.receiver, now).is_some() {}
        }
        while self.receiver.poll_event().is_some() {}
        let Footprint { session_indices, keypairs, handshakes, .. } = self.receiver.footprint();
        assert!(session_indices <= 4 && keypairs <= 3 && handshakes <= 2);
    }
}

/// So few handshakes that the second initiation is asked for a cookie.
fn limits() -> Limits {
    Limits { handshakes_per_second: 1, ..Limits::default() }
}

/// All that a datagram which is dropped must leave alone.
fn state(tunnel: &Tunnel) -> (Footprint, Option<Path>, u64, u64) {
    let path = tunnel.peers().next().and_then(|peer| peer.path());
    (tunnel.footprint(), path, tunnel.stats().rx_bytes, tunnel.stats().handshakes)
}

/// The right side spends its budget and asks the left one for a cookie.
fn cookie_reply(left: &mut Tunnel, right: &mut Tunnel) -> Vec<u8> {
    let initiation = next_datagram(left, NOW).expect("an initiation");
    for _ in 0..8 {
        let mut copy = initiation.clone();
        let outcome = Outcome::from(right.handle_datagram(NOW, path_of(LEFT), Ecn::NotCapable, &mut copy));
        if let Outcome::Reply(len) = outcome {
            copy.truncate(len);
            return copy;
        }
    }
    panic!("nobody asked for a cookie");
}

/// `packet`, sealed by `tunnel`.
fn sealed(tunnel: &mut Tunnel, packet: &[u8]) -> Vec<u8> {
    let mut buf = vec![0; HEADROOM + packet.len() + TAILROOM];
    let range = HEADROOM..HEADROOM + packet.len();
    buf[range.clone()].copy_from_slice(packet);
    match tunnel.handle_packet(NOW, PacketBuf { buf: &mut buf, packet: range }) {
        Outbound::Datagram { datagram, .. } => datagram.to_vec(),
        other => panic!("no session: {other:?}"),
    }
}

/// Changes `datagram` as `script` says: first whether mac1 is mended afterwards and how many bytes are cut or added,
/// then places and what to flip there.
fn edit(datagram: &mut Vec<u8>, script: &[u8], receiver: u8) {
    let [mend, resize, places @ ..] = script else { return };
    match resize {
        0 => {}
        1..128 => datagram.truncate(datagram.len().saturating_sub(usize::from(*resize))),
        _ => datagram.resize(datagram.len() + usize::from(resize - 128), 0),
    }
    for place in places.chunks_exact(2) {
        if let Some(byte) = datagram.get_mut(usize::from(place[0])) {
            *byte ^= place[1];
        }
    }
    if mend % 2 == 1 && datagram.len() >= 32 {
        Stamp::default().stamp(NOW, &MacKeys::new(&private_key(receiver).public_key()), datagram);
    }
}
