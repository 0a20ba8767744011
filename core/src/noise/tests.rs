use super::*;
use crate::crypto::hash::hash;
use crate::crypto::{PresharedKey, Rng, SharedSecret, dh};
use crate::error::NoRandomness;
use crate::time::UnixTime;
use crate::wire::initiation::field as initiation_field;
use crate::wire::response::field as response_field;
use crate::wire::{INITIATION_LEN, Initiation, Message, RESPONSE_LEN, Response};
use core::ops::Range;
use std::format;

/// Points of small order and their twins above the field's prime, as X25519 reads them.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Bytes that differ from call to call and are the same in every run.
struct Counting(u8);
impl Rng for Counting {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in dest {
            *byte = self.0;
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
        }
        Ok(())
    }
}

struct Pair {
    initiator: Identity,
    responder: Identity,
    static_static: SharedSecret,
    preshared: PresharedKey,
}

const INDEX_I: u32 = 0x1122_3344;
const INDEX_R: u32 = 0x5566_7788;

impl Pair {
    fn new() -> Self {
        let initiator = Identity::new(PrivateKey::from_bytes([3; 32]));
        let responder = Identity::new(PrivateKey::from_bytes([9; 32]));
        let static_static = dh::exchange(initiator.private(), responder.public()).unwrap();
        Self { initiator, responder, static_static, preshared: PresharedKey::from_bytes([5; 32]) }
    }

    fn timestamp() -> Tai64N {
        Tai64N::from_wall(UnixTime::from_secs(1_700_000_000))
    }

    fn initiate(&self) -> (Initiator, [u8; INITIATION_LEN]) {
        let mut out = [0; INITIATION_LEN];
        let initiator = Initiator::initiate(
            &self.initiator,
            self.responder.public(),
            &self.static_static,
            Self::timestamp(),
            INDEX_I,
            &mut Counting(1),
            &mut out,
        )
        .unwrap();
        (initiator, out)
    }

    fn consume(&self, message: &[u8; INITIATION_LEN]) -> Result<Responder, HandshakeError> {
        let unveiled = Unveiled::unveil(&self.responder, initiation(message))?;
        assert_eq!(unveiled.remote(), self.initiator.public());
        unveiled.authenticate(&self.static_static)
    }

    fn respond(&self, message: &[u8; INITIATION_LEN]) -> (TransportKeys, [u8; RESPONSE_LEN]) {
        let mut out = [0; RESPONSE_LEN];
        let keys =
            self.consume(message).unwrap().respond(&self.preshared, INDEX_R, &mut Counting(77), &mut out).unwrap();
        (keys, out)
    }
}

fn initiation(message: &[u8; INITIATION_LEN]) -> Initiation<'_> {
    match Message::parse(message) {
        Some(Message::Initiation(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn response(message: &[u8; RESPONSE_LEN]) -> Response<'_> {
    match Message::parse(message) {
        Some(Message::Response(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn low_order() -> impl Iterator<Item = [u8; 32]> {
    // The top bit of a public key is not looked at (RFC 7748 § 5).
    LOW_ORDER.into_iter().flat_map(|text| {
        let point: [u8; 32] = hex::decode(text).unwrap().try_into().unwrap();
        let mut twin = point;
        twin[31] |= 0x80;
        [point, twin]
    })
}

fn agree(ours: &TransportKeys, theirs: &TransportKeys) -> bool {
    ours.send.as_bytes() == theirs.receive.as_bytes() && ours.receive.as_bytes() == theirs.send.as_bytes()
}

#[test]
fn the_initial_values_are_those_of_the_names() {
    assert_eq!(INITIAL_CHAINING_KEY, hash(&[CONSTRUCTION]));
    assert_eq!(INITIAL_HASH, hash(&[&INITIAL_CHAINING_KEY, IDENTIFIER]));
}

#[test]
fn a_handshake_gives_both_sides_the_same_keys() {
    let pair = Pair::new();
    let (initiator, message) = pair.initiate();
    let responder = pair.consume(&message).unwrap();
    assert_eq!(responder.timestamp(), Pair::timestamp());
    assert_eq!(responder.remote_index(), INDEX_I);

    let (theirs, answer) = pair.respond(&message);
    assert_eq!((response(&answer).sender(), response(&answer).receiver()), (INDEX_R, INDEX_I));
    let ours = initiator.finish(&pair.initiator, &pair.preshared, response(&answer)).unwrap();
    assert!(agree(&ours, &theirs));
    assert_ne!(ours.send.as_bytes(), ours.receive.as_bytes());
}

#[test]
fn every_flipped_bit_of_an_initiation_is_refused() {
    let pair = Pair::new();
    let (_, message) = pair.initiate();
    let fields: [(&str, Range<usize>); 3] = [
        ("ephemeral", initiation_field::EPHEMERAL.range()),
        ("static", initiation_field::STATIC.range()),
        ("timestamp", initiation_field::TIMESTAMP.range()),
    ];
    for (name, range) in fields {
        for byte in range {
            for bit in 0..8 {
                let mut wrong = message;
                wrong[byte] ^= 1 << bit;
                let refusal = pair.consume(&wrong).err();
                assert_eq!(refusal, Some(HandshakeError::BadTag), "{name}: byte {byte}, bit {bit}");
            }
        }
    }
    assert!(pair.consume(&message).is_ok());
}

#[test]
fn every_flipped_bit_of_a_response_is_refused_and_the_true_one_still_taken() {
    let pair = Pair::new();
    let (initiator, message) = pair.initiate();
    let (theirs, answer) = pair.respond(&message);
    for (name, range) in [("ephemeral", response_field::EPHEMERAL.range()), ("empty", response_field::EMPTY.range())] {
        for byte in range {
            for bit in 0..8 {
                let mut wrong = answer;
                wrong[byte] ^= 1 << bit;
                let refusal = initiator.finish(&pair.initiator, &pair.preshared, response(&wrong)).err();
                assert_eq!(refusal, Some(HandshakeError::BadTag), "{name}: byte {byte}, bit {bit}");
            }
        }
    }
    let ours = initiator.finish(&pair.initiator, &pair.preshared, response(&answer)).unwrap();
    assert!(agree(&ours, &theirs));
}

#[test]
fn another_preshared_key_is_refused_by_the_initiator() {
    let pair = Pair::new();
    let (initiator, message) = pair.initiate();
    let (_, answer) = pair.respond(&message);
    for other in [[0; 32], [6; 32]] {
        let refusal = initiator.finish(&pair.initiator, &PresharedKey::from_bytes(other), response(&answer)).err();
        assert_eq!(refusal, Some(HandshakeError::BadTag));
    }
}

#[test]
fn an_initiation_to_another_key_is_not_unveiled() {
    let pair = Pair::new();
    let (_, message) = pair.initiate();
    let stranger = Identity::new(PrivateKey::from_bytes([21; 32]));
    let refusal = Unveiled::unveil(&stranger, initiation(&message)).err();
    assert_eq!(refusal, Some(HandshakeError::BadTag));
}

#[test]
fn a_claim_to_be_a_peer_without_its_private_key_is_refused() {
    let pair = Pair::new();
    // Mallory says the initiator's name but can make no exchange with its private key.
    let mallory = Identity { private: PrivateKey::from_bytes([33; 32]), ..Pair::new().initiator };
    let guess = dh::exchange(mallory.private(), pair.responder.public()).unwrap();
    let mut message = [0; INITIATION_LEN];
    Initiator::initiate(
        &mallory,
        pair.responder.public(),
        &guess,
        Pair::timestamp(),
        INDEX_I,
        &mut Counting(1),
        &mut message,
    )
    .unwrap();
    assert_eq!(pair.consume(&message).err(), Some(HandshakeError::BadTag));
}

#[test]
fn a_response_made_for_another_initiation_is_refused() {
    let pair = Pair::new();
    let (_, message) = pair.initiate();
    let (_, answer) = pair.respond(&message);
    let mut out = [0; INITIATION_LEN];
    let later = Initiator::initiate(
        &pair.initiator,
        pair.responder.public(),
        &pair.static_static,
        Pair::timestamp(),
        INDEX_I,
        &mut Counting(2),
        &mut out,
    )
    .unwrap();
    let refusal = later.finish(&pair.initiator, &pair.preshared, response(&answer)).err();
    assert_eq!(refusal, Some(HandshakeError::BadTag));
}

#[test]
fn a_static_key_of_low_order_is_refused_before_anything_is_written() {
    let pair = Pair::new();
    for point in low_order() {
        let mut out = [0xaa; INITIATION_LEN];
        let refusal = Initiator::initiate(
            &pair.initiator,
            &PublicKey::from_bytes(point),
            &pair.static_static,
            Pair::timestamp(),
            INDEX_I,
            &mut Counting(1),
            &mut out,
        )
        .err();
        assert_eq!(refusal, Some(HandshakeError::LowOrderKey), "{}", hex::encode(point));
        assert_eq!(out, [0xaa; INITIATION_LEN]);
    }
}

#[test]
fn an_ephemeral_key_of_low_order_is_refused_by_both_sides() {
    let pair = Pair::new();
    let (initiator, message) = pair.initiate();
    let (_, answer) = pair.respond(&message);
    for point in low_order() {
        let mut wrong = message;
        initiation_field::EPHEMERAL.put(&mut wrong, &point);
        let refusal = Unveiled::unveil(&pair.responder, initiation(&wrong)).err();
        assert_eq!(refusal, Some(HandshakeError::LowOrderKey), "initiation, {}", hex::encode(point));

        let mut wrong = answer;
        response_field::EPHEMERAL.put(&mut wrong, &point);
        let refusal = initiator.finish(&pair.initiator, &pair.preshared, response(&wrong)).err();
        assert_eq!(refusal, Some(HandshakeError::LowOrderKey), "response, {}", hex::encode(point));
    }
}

#[test]
fn a_responder_refuses_either_remote_key_of_low_order_and_writes_nothing() {
    let pair = Pair::new();
    let (_, message) = pair.initiate();
    for point in low_order() {
        let point = PublicKey::from_bytes(point);
        let healthy = || pair.consume(&message).unwrap();
        let mut low_static = healthy();
        low_static.set_remote(point);
        let mut low_ephemeral = healthy();
        low_ephemeral.set_remote_ephemeral(point);
        for responder in [low_static, low_ephemeral] {
            let mut out = [0xaa; RESPONSE_LEN];
            let refusal = responder.respond(&pair.preshared, INDEX_R, &mut Counting(77), &mut out).err();
            assert_eq!(refusal, Some(HandshakeError::LowOrderKey), "{point:?}");
            assert_eq!(out, [0xaa; RESPONSE_LEN]);
        }
    }
}

#[test]
fn what_holds_a_secret_wipes_it_on_drop() {
    // States have no `Drop` of their own: each of their secrets does.
    fn wiped<T: zeroize::ZeroizeOnDrop>() {}
    wiped::<symmetric::Symmetric>();
    wiped::<PrivateKey>();
    wiped::<SharedSecret>();
    wiped::<TransportKey>();
    for state in [
        core::mem::needs_drop::<Identity>(),
        core::mem::needs_drop::<Initiator>(),
        core::mem::needs_drop::<Unveiled>(),
        core::mem::needs_drop::<Responder>(),
        core::mem::needs_drop::<TransportKeys>(),
    ] {
        assert!(state);
    }
}

#[test]
fn debug_shows_no_secret() {
    let pair = Pair::new();
    let (initiator, message) = pair.initiate();
    let (keys, _) = pair.respond(&message);
    let shown = [
        format!("{:?}", pair.initiator),
        format!("{initiator:?}"),
        format!("{:?}", Unveiled::unveil(&pair.responder, initiation(&message)).unwrap()),
        format!("{:?}", pair.consume(&message).unwrap()),
        format!("{keys:?}"),
    ];
    for text in &shown {
        assert!(text.contains("redacted"), "{text}");
        assert!(!text.contains("3, 3, 3") && !text.contains("030303"), "{text}");
    }
}
