//! Handshakes, cookies and transport data, byte for byte against `tests/vectors/wireguard-kat.json`.
//!
//! Every test drives the core from the side that the vector describes, and asserts how many vectors it used.
use serde::Deserialize;
use std::net::SocketAddr;
use underpass_core::NoRandomness;
use underpass_core::internals::cookie::{CookieJar, MacKeys, Stamp};
use underpass_core::internals::crypto::{AeadKey, SharedSecret, TransportKey, dh};
use underpass_core::internals::noise::{Identity, Initiator, Responder, Tai64N, TransportKeys, Unveiled};
use underpass_core::internals::wire::{
    COOKIE_REPLY_LEN, CookieReply, INITIATION_LEN, Initiation, Message, RESPONSE_LEN, Response, TRANSPORT_HEADER_LEN,
    Transport,
};
use underpass_core::limits::{REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES};
use underpass_core::{Instant, PresharedKey, PrivateKey, PublicKey, Rng};

const VECTORS: &str = include_str!("../../tests/vectors/wireguard-kat.json");
const NOW: Instant = Instant::from_nanos(1_000_000_000);

#[derive(Deserialize)]
struct Vector {
    static_i: Hex,
    static_r: Hex,
    static_i_pub: Hex,
    static_r_pub: Hex,
    ephemeral_i: Hex,
    ephemeral_r: Hex,
    psk: Hex,
    tai64n: Hex,
    index_i: u32,
    index_r: u32,
    initiation: Hex,
    cookie: Option<CookieVector>,
    response: Hex,
    key_i2r: Hex,
    key_r2i: Hex,
    transport: Vec<TransportVector>,
}

#[derive(Deserialize)]
struct CookieVector {
    cookie: Hex,
    nonce: Hex,
    reply: Hex,
    initiation_with_mac2: Hex,
}

#[derive(Deserialize)]
struct TransportVector {
    dir: String,
    counter: String,
    plaintext: Hex,
    padded: Hex,
    message: Hex,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Hex(String);

impl Hex {
    fn bytes(&self) -> Vec<u8> {
        hex::decode(&self.0).expect("hexadecimal digits")
    }
    fn array<const N: usize>(&self) -> [u8; N] {
        self.bytes().try_into().expect("the length that the field has")
    }
}

impl Vector {
    fn initiator(&self) -> Identity {
        Identity::new(PrivateKey::from_bytes(self.static_i.array()))
    }
    fn responder(&self) -> Identity {
        Identity::new(PrivateKey::from_bytes(self.static_r.array()))
    }
    fn static_static(&self) -> SharedSecret {
        dh::exchange(self.responder().private(), self.initiator().public()).expect("no key of low order")
    }
    fn preshared(&self) -> PresharedKey {
        PresharedKey::from_bytes(self.psk.array())
    }

    /// The initiator and the initiation it writes, stamped without a cookie.
    fn initiate(&self, stamp: &mut Stamp) -> (Initiator, [u8; INITIATION_LEN]) {
        let (identity, responder) = (self.initiator(), self.responder());
        let mut out = [0xff; INITIATION_LEN];
        let initiator = Initiator::initiate(
            &identity,
            responder.public(),
            &self.static_static(),
            Tai64N::from_bytes(self.tai64n.array()),
            self.index_i,
            &mut Scripted::of(&self.ephemeral_i),
            &mut out,
        )
        .expect("no key of low order");
        stamp.stamp(NOW, &MacKeys::new(responder.public()), &mut out);
        (initiator, out)
    }

    /// The responder that has accepted the vector's initiation.
    fn consume(&self) -> Responder {
        let bytes = self.initiation.bytes();
        let unveiled = Unveiled::unveil(&self.responder(), initiation(&bytes)).expect("the static key authenticates");
        assert_eq!(unveiled.remote().as_bytes(), &self.static_i_pub.array());
        let responder = unveiled.authenticate(&self.static_static()).expect("the timestamp authenticates");
        assert_eq!(responder.timestamp().as_bytes(), &self.tai64n.array());
        assert_eq!(responder.remote_index(), self.index_i);
        responder
    }
}

/// An [`Rng`] that gives the bytes it was given and no more.
struct Scripted(Vec<u8>);
impl Scripted {
    fn of(bytes: &Hex) -> Self {
        Self(bytes.bytes())
    }
}
impl Rng for Scripted {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        let rest = self.0.split_off(dest.len());
        dest.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

fn vectors() -> Vec<Vector> {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).expect("the vectors are well-formed");
    assert_eq!(vectors.len(), 8);
    vectors
}

fn initiation(bytes: &[u8]) -> Initiation<'_> {
    let Some(Message::Initiation(view)) = Message::parse(bytes) else { panic!("no initiation") };
    view
}

fn response(bytes: &[u8]) -> Response<'_> {
    let Some(Message::Response(view)) = Message::parse(bytes) else { panic!("no response") };
    view
}

fn cookie_reply(bytes: &[u8]) -> CookieReply<'_> {
    let Some(Message::CookieReply(view)) = Message::parse(bytes) else { panic!("no cookie reply") };
    view
}

fn assert_keys(keys: &TransportKeys, send: &Hex, receive: &Hex) {
    assert_eq!(keys.send.as_bytes(), &send.array());
    assert_eq!(keys.receive.as_bytes(), &receive.array());
}

#[test]
fn public_keys_follow_from_private_keys() {
    for vector in vectors() {
        assert_eq!(vector.initiator().public().as_bytes(), &vector.static_i_pub.array());
        assert_eq!(vector.responder().public().as_bytes(), &vector.static_r_pub.array());
    }
}

#[test]
fn initiations_are_written_byte_for_byte() {
    for (number, vector) in vectors().iter().enumerate() {
        let (_, out) = vector.initiate(&mut Stamp::default());
        assert_eq!(out.to_vec(), vector.initiation.bytes(), "vector {number}");
    }
}

#[test]
fn responses_are_written_byte_for_byte_and_give_the_keys() {
    for (number, vector) in vectors().iter().enumerate() {
        let mut out = [0xff; RESPONSE_LEN];
        let keys = vector
            .consume()
            .respond(&vector.preshared(), vector.index_r, &mut Scripted::of(&vector.ephemeral_r), &mut out)
            .expect("no key of low order");
        Stamp::default().stamp(NOW, &MacKeys::new(vector.initiator().public()), &mut out);
        assert_eq!(out.to_vec(), vector.response.bytes(), "vector {number}");
        assert_keys(&keys, &vector.key_r2i, &vector.key_i2r);
    }
}

#[test]
fn responses_are_accepted_and_give_the_keys() {
    for vector in vectors() {
        let (initiator, _) = vector.initiate(&mut Stamp::default());
        let bytes = vector.response.bytes();
        let answer = response(&bytes);
        assert_eq!((answer.sender(), answer.receiver()), (vector.index_r, vector.index_i));
        let keys = initiator.finish(&vector.initiator(), &vector.preshared(), answer).expect("it authenticates");
        assert_keys(&keys, &vector.key_i2r, &vector.key_r2i);
    }
}

#[test]
fn mac1_verifies_under_the_receivers_key_only() {
    for vector in vectors() {
        let to_responder = MacKeys::new(&PublicKey::from_bytes(vector.static_r_pub.array()));
        let to_initiator = MacKeys::new(&PublicKey::from_bytes(vector.static_i_pub.array()));
        let (first, second) = (vector.initiation.bytes(), vector.response.bytes());
        assert!(to_responder.verify_mac1(&first) && !to_initiator.verify_mac1(&first));
        assert!(to_initiator.verify_mac1(&second) && !to_responder.verify_mac1(&second));
    }
}

#[test]
fn cookie_replies_are_written_byte_for_byte() {
    let mut used = 0;
    for vector in vectors() {
        let Some(cookie) = &vector.cookie else { continue };
        let bytes = vector.initiation.bytes();
        let mac1 = bytes[116..132].try_into().expect("mac1 has 16 bytes");
        let mut out = [0xff; COOKIE_REPLY_LEN];
        MacKeys::new(vector.responder().public()).seal_cookie(
            vector.index_i,
            &mac1,
            &cookie.cookie.array(),
            &cookie.nonce.array(),
            &mut out,
        );
        assert_eq!(out.to_vec(), cookie.reply.bytes());
        used += 1;
    }
    assert_eq!(used, 4);
}

#[test]
fn cookies_are_accepted_and_give_mac2_byte_for_byte() {
    let mut used = 0;
    for vector in vectors() {
        let Some(cookie) = &vector.cookie else { continue };
        let keys = MacKeys::new(vector.responder().public());
        let mut stamp = Stamp::default();
        let (_, mut message) = vector.initiate(&mut stamp);
        assert!(stamp.accept(NOW, &keys, cookie_reply(&cookie.reply.bytes())));
        stamp.stamp(NOW, &keys, &mut message);
        assert_eq!(message.to_vec(), cookie.initiation_with_mac2.bytes());
        used += 1;
    }
    assert_eq!(used, 4);
}

/// The jar's cookies are its own; that its replies have the vectors' form is shown by a sender that takes one.
#[test]
fn a_jars_reply_to_an_initiation_is_taken_by_its_sender() {
    let source: SocketAddr = "192.0.2.1:51820".parse().expect("an address");
    for vector in vectors() {
        let keys = MacKeys::new(vector.responder().public());
        let (mut stamp, mut jar) = (Stamp::default(), CookieJar::new());
        let (_, mut message) = vector.initiate(&mut stamp);
        let mut out = [0; COOKIE_REPLY_LEN];
        // 32 bytes of secret, 24 of nonce.
        let mut rng = Scripted((0..56).collect());
        jar.reply(NOW, &keys, source, &message, &mut rng, &mut out).expect("randomness");
        assert_eq!(cookie_reply(&out).receiver(), vector.index_i);
        assert!(stamp.accept(NOW, &keys, cookie_reply(&out)));
        stamp.stamp(NOW, &keys, &mut message);
        assert!(jar.verify_mac2(NOW, source, &message));
        assert!(!jar.verify_mac2(NOW, source, &vector.initiation.bytes()), "mac2 was zero");
    }
}

#[test]
fn transport_data_is_sealed_and_opened_byte_for_byte() {
    let mut counters = Vec::new();
    for vector in vectors() {
        for transport in &vector.transport {
            let (key, receiver) = match transport.dir.as_str() {
                "i2r" => (&vector.key_i2r, vector.index_r),
                "r2i" => (&vector.key_r2i, vector.index_i),
                other => panic!("direction {other}"),
            };
            let key = AeadKey::new(&TransportKey::from_bytes(key.array()));
            let counter: u64 = transport.counter.parse().expect("a number");
            let message = transport.message.bytes();

            let padded = transport.padded.bytes();
            let plaintext = transport.plaintext.bytes();
            assert!(padded.len() % 16 == 0 && padded.starts_with(&plaintext));
            let mut sealed = vec![0; TRANSPORT_HEADER_LEN];
            Transport { receiver, counter }.write(sealed.first_chunk_mut().expect("a header fits"));
            sealed.extend(&padded);
            let tag = key.seal(counter, &[], &mut sealed[TRANSPORT_HEADER_LEN..]);
            sealed.extend(tag);
            assert_eq!(sealed, message, "{} {counter}", transport.dir);

            let Some(Message::Transport(header)) = Message::parse(&message) else { panic!("no transport data") };
            assert_eq!(header, Transport { receiver, counter });
            let mut opened = message[TRANSPORT_HEADER_LEN..].to_vec();
            key.open(counter, &[], &mut opened).expect("it authenticates");
            assert_eq!(opened[..padded.len()], padded);
            assert!(key.open(counter ^ 1, &[], &mut message[TRANSPORT_HEADER_LEN..].to_vec()).is_err());
            counters.push(counter);
        }
    }
    assert_eq!(counters.len(), 8 * 14);
    assert_eq!(counters.iter().filter(|counter| **counter == REKEY_AFTER_MESSAGES).count(), 16);
    assert_eq!(counters.iter().filter(|counter| **counter == REJECT_AFTER_MESSAGES - 1).count(), 16);
}
