//! The vectors of `tests/vectors` against the hash and against every backend.
mod backends;

use serde_json::Value;
use underpass_core::internals::crypto::{AeadKey, BadTag, TransportKey, hash};
use underpass_core::{PrivateKey, PublicKey};

const RFC: &str = include_str!("../../tests/vectors/rfc.json");
const BLAKE2S: &str = include_str!("../../tests/vectors/blake2s.json");
const WIREGUARD: &str = include_str!("../../tests/vectors/wireguard-kat.json");

/// The entry of `file` under `name`.
fn entry(file: &str, name: &str) -> Value {
    let all: Value = serde_json::from_str(file).expect("valid JSON");
    all.get(name).unwrap_or_else(|| panic!("no entry {name}")).clone()
}

/// The entries of `file` under `name`, of which there must be `count`.
fn list(file: &str, name: &str, count: usize) -> Vec<Value> {
    let list = entry(file, name).as_array().expect("a list").clone();
    assert_eq!(list.len(), count, "entries of {name}");
    list
}

/// The bytes of a hexadecimal string.
fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a string")).expect("hexadecimal")
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap_or_else(|_| panic!("not {N} bytes"))
}

#[test]
fn blake2s_of_abc() {
    assert_eq!(hash::hash(&[b"abc"]).to_vec(), bytes(&entry(RFC, "rfc7693_blake2s_abc")));
    assert_eq!(hash::hash(&[b"a", b"", b"bc"]), hash::hash(&[b"abc"]));
}

/// The sequence that RFC 7693 appendix E fills its inputs and keys with.
fn selftest_sequence(len: usize) -> Vec<u8> {
    let seed = u32::try_from(len).expect("short");
    let (mut a, mut b) = (0xdead_4bad_u32.wrapping_mul(seed), 1_u32);
    let mut next = || {
        (a, b) = (b, a.wrapping_add(b));
        b.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// The digest of `data` made by the crate below the core, with `Size` bytes, under a key of as many bytes if any.
macro_rules! below {
    ($Size:ident, $key:expr, $data:expr) => {{
        use blake2::digest::{FixedOutput, KeyInit, Update, consts::$Size};
        match $key {
            Some(key) => {
                blake2::Blake2sMac::<$Size>::new_from_slice(key).expect("short").chain($data).finalize_fixed().to_vec()
            }
            None => blake2::Blake2s::<$Size>::default().chain($data).finalize_fixed().to_vec(),
        }
    }};
}

/// RFC 7693 appendix E hashes all digests of its grid together. The forms that the core lacks come from the crate
/// below it; the total still depends on each of ours.
#[test]
fn blake2s_selftest_of_rfc_7693_appendix_e() {
    let (mut all, mut ours) = (Vec::new(), 0);
    for len in [16, 20, 28, 32] {
        let key = selftest_sequence(len);
        for data in [0, 3, 64, 65, 255, 1024].map(selftest_sequence) {
            for key in [None, Some(key.as_slice())] {
                let (digest, own) = match (len, key) {
                    (16, Some(key)) => (hash::mac::<16>(key.try_into().expect("16 bytes"), &[&data]).to_vec(), 1),
                    (32, None) => (hash::hash(&[&data]).to_vec(), 1),
                    (32, Some(key)) => (hash::keyed_hash(key.try_into().expect("32 bytes"), &[&data]).to_vec(), 1),
                    (16, None) => (below!(U16, key, &data), 0),
                    (20, _) => (below!(U20, key, &data), 0),
                    (28, _) => (below!(U28, key, &data), 0),
                    _ => unreachable!("no such length in the grid"),
                };
                all.extend(digest);
                ours += own;
            }
        }
    }
    assert_eq!(ours, 18, "digests made by the core");
    assert_eq!(hash::hash(&[&all]).to_vec(), bytes(&entry(RFC, "rfc7693_appendix_e_blake2s")));
}

#[test]
fn blake2s_plain_and_keyed() {
    for case in list(BLAKE2S, "hash", 8) {
        assert_eq!(hash::hash(&[&bytes(&case["data"])]).to_vec(), bytes(&case["out"]));
    }
    for case in list(BLAKE2S, "mac16", 10) {
        let (key, data) = (bytes(&case["key"]), bytes(&case["data"]));
        let mac = match key.len() {
            16 => hash::mac(&array::<16>(&case["key"]), &[&data]),
            _ => hash::mac(&array::<32>(&case["key"]), &[&data]),
        };
        assert_eq!(mac.to_vec(), bytes(&case["out"]), "key of {} bytes", key.len());
    }
    for case in list(BLAKE2S, "keyed", 4) {
        assert_eq!(hash::keyed_hash(&array(&case["key"]), &[&bytes(&case["data"])]).to_vec(), bytes(&case["out"]));
    }
}

#[test]
fn hmac_and_kdf() {
    for case in list(BLAKE2S, "hmac", 21) {
        let (key, data) = (bytes(&case["key"]), bytes(&case["data"]));
        let (head, tail) = data.split_at(data.len() / 3);
        let out = bytes(&case["out"]);
        assert_eq!(hash::hmac(&key, &[&data]).to_vec(), out, "key of {} bytes", key.len());
        assert_eq!(hash::hmac(&key, &[head, tail]).to_vec(), out, "key of {} bytes, two parts", key.len());
    }
    for case in list(BLAKE2S, "kdf", 2) {
        let (chaining_key, input) = (array(&case["chaining_key"]), bytes(&case["input"]));
        let outputs: Vec<[u8; 32]> = case["outputs"].as_array().expect("a list").iter().map(array).collect();
        assert_eq!(hash::kdf::<3>(&chaining_key, &input).as_slice(), outputs);
        assert_eq!(hash::kdf::<2>(&chaining_key, &input).as_slice(), &outputs[..2]);
        assert_eq!(hash::kdf::<1>(&chaining_key, &input).as_slice(), &outputs[..1]);
    }
}

#[test]
fn x25519_of_rfc_7748() {
    let vector = entry(RFC, "rfc7748_x25519");
    let private = PrivateKey::from_bytes(array(&vector["scalar"]));
    let public = PublicKey::from_bytes(array(&vector["u"]));
    for backend in backends::all() {
        assert_eq!((backend.exchange)(&private, &public), Some(array(&vector["out"])), "{}", backend.name);
    }
}

/// RFC 7748 § 5.2: after one and after a thousand rounds in which scalar and point take turns.
#[test]
fn x25519_iterated() {
    const ONCE: &str = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
    const THOUSAND: &str = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
    for backend in backends::all() {
        let mut scalar = [0; 32];
        scalar[0] = 9;
        let mut point = scalar;
        for round in 1..=1000 {
            let shared = (backend.exchange)(&PrivateKey::from_bytes(scalar), &PublicKey::from_bytes(point));
            (scalar, point) = (shared.expect("not zero"), scalar);
            if round == 1 {
                assert_eq!(hex::encode(scalar), ONCE, "{}", backend.name);
            }
        }
        assert_eq!(hex::encode(scalar), THOUSAND, "{}", backend.name);
    }
}

#[test]
fn aead_of_rfc_8439() {
    let vector = entry(RFC, "rfc8439_aead");
    let (key, nonce, aad) = (array(&vector["key"]), array(&vector["nonce"]), bytes(&vector["aad"]));
    let (plain, sealed) = (bytes(&vector["plaintext"]), bytes(&vector["ciphertext_tag"]));
    for backend in backends::all() {
        let mut buffer = plain.clone();
        let tag = (backend.seal)(&key, &nonce, &aad, &mut buffer);
        buffer.extend(tag);
        assert_eq!(buffer, sealed, "{}", backend.name);
        assert_eq!((backend.open)(&key, &nonce, &aad, &mut buffer), Ok(()), "{}", backend.name);
        assert_eq!(buffer[..plain.len()], plain, "{}", backend.name);
    }
}

/// Whatever is shorter than a tag is refused, as is each message with one bit changed anywhere.
#[test]
fn aead_refuses_what_was_not_sealed() {
    let (key, nonce, aad) = ([7; 32], [3; 12], b"header");
    for backend in backends::all() {
        for len in 0..16 {
            assert_eq!((backend.open)(&key, &nonce, aad, &mut vec![0; len]), Err(BadTag), "{} {len}", backend.name);
        }
        for len in [0, 1, 16, 33] {
            let mut sealed = vec![0x5a; len];
            let tag = (backend.seal)(&key, &nonce, aad, &mut sealed);
            sealed.extend(tag);
            for bit in 0..sealed.len() * 8 {
                let mut changed = sealed.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!((backend.open)(&key, &nonce, aad, &mut changed), Err(BadTag), "{} bit {bit}", backend.name);
            }
            assert_eq!((backend.open)(&key, &nonce, b"Header", &mut sealed.clone()), Err(BadTag), "{}", backend.name);
            assert_eq!((backend.open)(&key, &nonce, aad, &mut sealed), Ok(()), "{}", backend.name);
        }
    }
}

/// The seam's nonce and layout, on real transport messages: counter at 8, ciphertext and tag from 16.
#[test]
fn transport_messages() {
    let handshakes: Vec<Value> = serde_json::from_str(WIREGUARD).expect("valid JSON");
    let mut ran = 0;
    for handshake in &handshakes {
        for message in handshake["transport"].as_array().expect("a list") {
            let direction = message["dir"].as_str().expect("a string");
            let key = AeadKey::new(&TransportKey::from_bytes(array(&handshake[format!("key_{direction}")])));
            let counter: u64 = message["counter"].as_str().expect("a string").parse().expect("a number");
            let (padded, whole) = (bytes(&message["padded"]), bytes(&message["message"]));
            assert_eq!(whole[8..16], counter.to_le_bytes());
            let mut text = padded.clone();
            let tag = key.seal(counter, &[], &mut text);
            assert_eq!([&text, &tag[..]].concat(), whole[16..], "counter {counter}");
            let mut sealed = whole[16..].to_vec();
            assert_eq!(key.open(counter, &[], &mut sealed), Ok(()), "counter {counter}");
            assert_eq!(sealed[..padded.len()], padded);
            ran += 1;
        }
    }
    assert_eq!(handshakes.len(), 8);
    assert!(ran >= handshakes.len(), "only {ran} messages");
}

#[test]
fn public_keys_of_the_recorded_handshakes() {
    let handshakes: Vec<Value> = serde_json::from_str(WIREGUARD).expect("valid JSON");
    for handshake in &handshakes {
        for role in ["static_i", "static_r"] {
            let private = PrivateKey::from_bytes(array(&handshake[role]));
            let public = PublicKey::from_bytes(array(&handshake[format!("{role}_pub")]));
            assert_eq!(private.public_key(), public);
            for backend in backends::all() {
                assert_eq!((backend.public_key)(&private), public, "{}", backend.name);
            }
        }
    }
    assert_eq!(handshakes.len(), 8);
}
