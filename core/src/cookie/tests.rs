use super::*;
use crate::crypto::{PrivateKey, PublicKey, Rng};
use crate::error::NoRandomness;
use crate::limits::COOKIE_LIFETIME;
use crate::time::Instant;
use crate::wire::{COOKIE_REPLY_LEN, CookieReply, INITIATION_LEN, Macs, Message, RESPONSE_LEN};
use core::net::SocketAddr;
use std::format;

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

const START: Instant = Instant::from_nanos(1_000_000_000);
const NANO: Duration = Duration::from_nanos(1);

fn public(byte: u8) -> PublicKey {
    PrivateKey::from_bytes([byte; 32]).public_key()
}

fn source(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn message() -> [u8; INITIATION_LEN] {
    core::array::from_fn(|n| n as u8)
}

fn reply_view(bytes: &[u8; COOKIE_REPLY_LEN]) -> CookieReply<'_> {
    match Message::parse(bytes) {
        Some(Message::CookieReply(view)) => view,
        other => panic!("{other:?}"),
    }
}

/// A responder under load, and a sender who speaks to it.
struct Pair {
    keys: MacKeys,
    jar: CookieJar,
    rng: Counting,
    stamp: Stamp,
    at: SocketAddr,
}

impl Pair {
    fn new() -> Self {
        Self {
            keys: MacKeys::new(&public(1)),
            jar: CookieJar::new(),
            rng: Counting(1),
            stamp: Stamp::default(),
            at: source("192.0.2.1:51820"),
        }
    }

    fn stamped(&mut self, now: Instant) -> [u8; INITIATION_LEN] {
        let mut bytes = message();
        self.stamp.stamp(now, &self.keys, &mut bytes);
        bytes
    }

    fn reply(&mut self, now: Instant, bytes: &[u8]) -> [u8; COOKIE_REPLY_LEN] {
        let mut out = [0; COOKIE_REPLY_LEN];
        self.jar.reply(now, &self.keys, self.at, bytes, &mut self.rng, &mut out).expect("randomness");
        out
    }

    /// Speaks, is asked for a cookie and takes it.
    fn exchange(&mut self, now: Instant) {
        let bytes = self.stamped(now);
        let reply = self.reply(now, &bytes);
        assert!(self.stamp.accept(now, &self.keys, reply_view(&reply)));
    }

    fn verifies(&mut self, now: Instant) -> bool {
        let bytes = self.stamped(now);
        self.jar.verify_mac2(now, self.at, &bytes)
    }
}

fn mac2_of(bytes: &[u8]) -> [u8; 16] {
    *Macs::of(bytes).unwrap().mac2
}

#[test]
fn mac1_covers_every_bit_before_it_and_itself() {
    let mut pair = Pair::new();
    let bytes = pair.stamped(START);
    assert!(pair.keys.verify_mac1(&bytes));
    for byte in 0..INITIATION_LEN - 16 {
        for bit in 0..8 {
            let mut wrong = bytes;
            wrong[byte] ^= 1 << bit;
            assert!(!pair.keys.verify_mac1(&wrong), "byte {byte}, bit {bit}");
        }
    }
    assert!(!MacKeys::new(&public(2)).verify_mac1(&bytes), "made for another key");
}

#[test]
fn what_is_too_short_for_its_macs_verifies_never_and_is_left_alone() {
    let mut pair = Pair::new();
    pair.exchange(START);
    for len in 0..32 {
        let mut short = [0xaa; 32];
        let short = &mut short[..len];
        assert!(!pair.keys.verify_mac1(short));
        assert!(!pair.jar.verify_mac2(START, pair.at, short));
        pair.stamp.stamp(START, &pair.keys, short);
        assert!(short.iter().all(|byte| *byte == 0xaa), "{len} bytes");
    }
    for len in 0..40 {
        assert_eq!(pair.reply(START, &[0xaa; 40][..len]), [0; COOKIE_REPLY_LEN], "{len} bytes");
    }
}

#[test]
fn without_a_cookie_mac2_is_zero_and_never_verifies() {
    let mut pair = Pair::new();
    let bytes = pair.stamped(START);
    assert_eq!(mac2_of(&bytes), [0; 16]);
    assert!(!pair.jar.verify_mac2(START, pair.at, &bytes), "a jar with no secret");
    pair.reply(START, &bytes);
    assert!(!pair.jar.verify_mac2(START, pair.at, &bytes), "a jar with a secret");
}

#[test]
fn a_cookie_makes_a_mac2_that_verifies_for_its_owner_only() {
    let mut pair = Pair::new();
    pair.exchange(START);
    let bytes = pair.stamped(START);
    for (number, from, wanted) in [
        (1, "192.0.2.1:51820", true),
        (2, "[::ffff:192.0.2.1]:51820", true),
        (3, "192.0.2.1:51821", false),
        (4, "192.0.2.1:27850", false),
        (5, "192.0.2.2:51820", false),
        (6, "[2001:db8::1]:51820", false),
    ] {
        assert_eq!(pair.jar.verify_mac2(START, source(from), &bytes), wanted, "row {number}");
    }
    for byte in 0..INITIATION_LEN {
        let mut wrong = bytes;
        wrong[byte] ^= 1;
        assert!(!pair.jar.verify_mac2(START, pair.at, &wrong), "byte {byte}");
    }
}

#[test]
fn ipv6_sources_are_told_apart_by_address_and_port() {
    let mut pair = Pair::new();
    pair.at = source("[2001:db8::1]:51820");
    pair.exchange(START);
    let bytes = pair.stamped(START);
    assert!(pair.jar.verify_mac2(START, pair.at, &bytes));
    for from in ["[2001:db8::1]:51821", "[2001:db8::2]:51820", "[2001:db8:1::1]:51820"] {
        assert!(!pair.jar.verify_mac2(START, source(from), &bytes), "{from}");
    }
}

#[test]
fn a_response_is_answered_like_an_initiation() {
    let mut pair = Pair::new();
    let mut bytes: [u8; RESPONSE_LEN] = core::array::from_fn(|n| n as u8);
    pair.stamp.stamp(START, &pair.keys, &mut bytes);
    let reply = pair.reply(START, &bytes);
    assert_eq!(reply_view(&reply).receiver(), u32::from_le_bytes([4, 5, 6, 7]));
    assert!(pair.stamp.accept(START, &pair.keys, reply_view(&reply)));
    pair.stamp.stamp(START, &pair.keys, &mut bytes);
    assert!(pair.jar.verify_mac2(START, pair.at, &bytes));
}

#[test]
fn the_secret_lives_120_seconds() {
    for (number, age, wanted) in [
        (1, Duration::ZERO, true),
        (2, Duration::from_secs(114), true),
        (3, COOKIE_LIFETIME - NANO, true),
        (4, COOKIE_LIFETIME, false),
        (5, Duration::from_secs(86_400), false),
    ] {
        let mut pair = Pair::new();
        pair.exchange(START);
        let bytes = pair.stamped(START);
        assert_eq!(pair.jar.verify_mac2(START + age, pair.at, &bytes), wanted, "row {number}");
        assert!(pair.jar.verify_mac2(Instant::ZERO, pair.at, &bytes), "row {number}, a clock that stepped back");
    }
}

#[test]
fn the_reply_after_120_seconds_carries_another_cookie() {
    let mut pair = Pair::new();
    pair.exchange(START);
    let before = mac2_of(&pair.stamped(START));
    pair.exchange(START + COOKIE_LIFETIME - NANO);
    assert_eq!(mac2_of(&pair.stamped(START)), before, "the same secret");
    let later = START + COOKIE_LIFETIME;
    pair.exchange(later);
    assert_ne!(mac2_of(&pair.stamped(later)), before, "another secret");
    assert!(pair.verifies(later));
}

#[test]
fn the_sender_uses_a_cookie_for_115_seconds() {
    for (number, age, wanted) in [
        (1, Duration::ZERO, true),
        (2, Duration::from_secs(115) - NANO, true),
        (3, Duration::from_secs(115), false),
        (4, Duration::from_secs(86_400), false),
    ] {
        let mut pair = Pair::new();
        pair.exchange(START);
        let now = START + age;
        assert_eq!(mac2_of(&pair.stamped(now)) != [0; 16], wanted, "row {number}");
        assert_eq!(pair.verifies(now), wanted, "row {number}");
    }
}

#[test]
fn every_flipped_bit_of_a_cookie_reply_is_refused_and_the_true_one_still_taken() {
    let mut pair = Pair::new();
    let bytes = pair.stamped(START);
    let reply = pair.reply(START, &bytes);
    // The receiver index finds the peer; the MAC covers nonce and cookie.
    for byte in 8..COOKIE_REPLY_LEN {
        for bit in 0..8 {
            let mut wrong = reply;
            wrong[byte] ^= 1 << bit;
            assert!(!pair.stamp.accept(START, &pair.keys, reply_view(&wrong)), "byte {byte}, bit {bit}");
        }
    }
    assert_eq!(mac2_of(&pair.stamped(START)), [0; 16], "no forgery left a cookie");
    assert!(pair.stamp.accept(START, &pair.keys, reply_view(&reply)));
}

#[test]
fn a_reply_is_taken_once_and_only_for_the_last_mac1() {
    let mut pair = Pair::new();
    let first = pair.stamped(START);
    let reply = pair.reply(START, &first);
    let again = pair.reply(START, &first);
    assert!(pair.stamp.accept(START, &pair.keys, reply_view(&reply)));
    assert!(!pair.stamp.accept(START, &pair.keys, reply_view(&reply)), "a replay");
    assert!(!pair.stamp.accept(START, &pair.keys, reply_view(&again)), "a second reply to one mac1");

    let mut other = message();
    other[40] ^= 1;
    pair.stamp.stamp(START, &pair.keys, &mut other);
    assert!(!pair.stamp.accept(START, &pair.keys, reply_view(&again)), "a reply to an earlier mac1");
}

#[test]
fn a_reply_sealed_for_another_key_or_unasked_is_refused() {
    let mut pair = Pair::new();
    let bytes = pair.stamped(START);
    let mut reply = [0; COOKIE_REPLY_LEN];
    pair.jar.reply(START, &MacKeys::new(&public(2)), pair.at, &bytes, &mut pair.rng, &mut reply).expect("randomness");
    assert!(!pair.stamp.accept(START, &pair.keys, reply_view(&reply)));

    let honest = pair.reply(START, &bytes);
    assert!(!Stamp::default().accept(START, &pair.keys, reply_view(&honest)), "nothing was sent");
}

#[test]
fn a_refused_reply_leaves_the_cookie_in_force() {
    let mut pair = Pair::new();
    pair.exchange(START);
    pair.stamped(START);
    assert!(!pair.stamp.accept(
        START,
        &pair.keys,
        reply_view(&{
            let mut junk = [0; COOKIE_REPLY_LEN];
            junk[0] = 3;
            junk
        })
    ));
    assert!(pair.verifies(START));
}

#[test]
fn clearing_forgets_cookie_and_mac1() {
    let mut pair = Pair::new();
    pair.exchange(START);
    let bytes = pair.stamped(START);
    let reply = pair.reply(START, &bytes);
    pair.stamp.clear();
    assert!(!pair.stamp.accept(START, &pair.keys, reply_view(&reply)));
    assert_eq!(mac2_of(&pair.stamped(START)), [0; 16]);
}

#[test]
fn nonces_differ_from_reply_to_reply() {
    let mut pair = Pair::new();
    let bytes = pair.stamped(START);
    let (one, two) = (pair.reply(START, &bytes), pair.reply(START, &bytes));
    assert_ne!(reply_view(&one).nonce(), reply_view(&two).nonce());
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    let mut pair = Pair::new();
    pair.exchange(Instant::MAX);
    pair.exchange(Instant::ZERO);
    assert!(pair.verifies(Instant::ZERO));
}

#[test]
fn a_million_stamps_fit_in_48_megabytes() {
    assert!(size_of::<Stamp>() <= 48, "{}", size_of::<Stamp>());
}

#[test]
fn debug_shows_no_secret() {
    let mut pair = Pair::new();
    pair.exchange(START);
    // No array of bytes is printed at all.
    for text in [format!("{:?}", pair.keys), format!("{:?}", pair.jar), format!("{:?}", pair.stamp)] {
        assert!(!text.contains('['), "{text}");
    }
}
