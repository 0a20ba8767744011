//! The Wycheproof suites for X25519, ChaCha20-Poly1305 and XChaCha20-Poly1305 against every backend.
mod backends;

use underpass_core::internals::crypto::aead;
use underpass_core::{PrivateKey, PublicKey};
use wycheproof::TestResult;
use wycheproof::aead as suites;

/// Vectors in the suites of the `wycheproof` crate, so that none is lost on the way.
const X25519_VECTORS: usize = 518;
const X25519_ZERO_VECTORS: usize = 31;
const CHACHA_VECTORS: usize = 316;
const XCHACHA_VECTORS: usize = 306;
/// Vectors with nonces of other lengths, which the types here cannot express.
const OTHER_NONCE_VECTORS: usize = 9;

#[test]
fn x25519() {
    for backend in backends::all() {
        let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).expect("the suite loads");
        let (mut ran, mut zero) = (0, 0);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let private = PrivateKey::from_bytes(test.private_key.as_slice().try_into().expect("32 bytes"));
            let public = PublicKey::from_bytes(test.public_key.as_slice().try_into().expect("32 bytes"));
            let expected: [u8; 32] = test.shared_secret.as_slice().try_into().expect("32 bytes");
            let nonzero = (expected != [0; 32]).then_some(expected);
            assert_eq!((backend.exchange)(&private, &public), nonzero, "{} test {}", backend.name, test.tc_id);
            assert_eq!(public.is_low_order(), nonzero.is_none(), "test {}: is_low_order", test.tc_id);
            ran += 1;
            zero += usize::from(nonzero.is_none());
        }
        assert_eq!((ran, zero), (X25519_VECTORS, X25519_ZERO_VECTORS), "{}", backend.name);
    }
}

/// Runs one vector: sealing must give its bytes, opening must give them back or refuse.
fn check<const N: usize>(
    test: &suites::Test,
    who: &str,
    seal: impl Fn(&[u8; 32], &[u8; N], &[u8], &mut [u8]) -> [u8; aead::TAG_LEN],
    open: impl Fn(&[u8; 32], &[u8; N], &[u8], &mut [u8]) -> Result<(), aead::BadTag>,
) {
    let key = test.key.as_slice().try_into().expect("32 bytes");
    let nonce = test.nonce.as_slice().try_into().expect("nonce of the group's length");
    let vector = [test.ct.as_slice(), test.tag.as_slice()].concat();

    let mut text = test.pt.to_vec();
    let tag = seal(key, nonce, &test.aad, &mut text);
    let same = [text.as_slice(), &tag].concat() == vector;
    assert_eq!(same, test.result == TestResult::Valid, "{who} test {}: seal", test.tc_id);

    let mut sealed = vector;
    let opened = open(key, nonce, &test.aad, &mut sealed);
    assert_eq!(opened.is_ok(), test.result == TestResult::Valid, "{who} test {}: open", test.tc_id);
    if opened.is_ok() {
        assert_eq!(sealed[..test.pt.len()], test.pt[..], "{who} test {}: plaintext", test.tc_id);
    }
}

/// Calls `run` for each vector whose nonce has `nonce_len` bytes; the number of those and of the others.
fn each(name: suites::TestName, nonce_len: usize, mut run: impl FnMut(&suites::Test)) -> (usize, usize) {
    let set = suites::TestSet::load(name).expect("the suite loads");
    let (mut ran, mut others) = (0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            if group.nonce_size == nonce_len * 8 {
                run(test);
                ran += 1;
            } else {
                assert!(test.result.must_fail(), "test {} wants a nonce of another length to work", test.tc_id);
                others += 1;
            }
        }
    }
    (ran, others)
}

#[test]
fn chacha20_poly1305() {
    for backend in backends::all() {
        let counted = each(suites::TestName::ChaCha20Poly1305, aead::NONCE_LEN, |test| {
            check(test, backend.name, backend.seal, backend.open);
        });
        assert_eq!(counted, (CHACHA_VECTORS, OTHER_NONCE_VECTORS), "{}", backend.name);
    }
}

#[test]
fn xchacha20_poly1305() {
    let counted = each(suites::TestName::XChaCha20Poly1305, 24, |test| check(test, "seam", aead::xseal, aead::xopen));
    assert_eq!(counted, (XCHACHA_VECTORS, OTHER_NONCE_VECTORS));
}

#[test]
fn xchacha20_poly1305_on_every_backend() {
    for backend in backends::all() {
        let inner = |key: &[u8; 32], nonce: &[u8; 24]| {
            let (key, counter) = aead::extend(key, nonce);
            (*key.as_bytes(), aead::nonce(counter))
        };
        let counted = each(suites::TestName::XChaCha20Poly1305, 24, |test| {
            check(
                test,
                backend.name,
                |key, nonce: &[u8; 24], aad, text| {
                    let (key, nonce) = inner(key, nonce);
                    (backend.seal)(&key, &nonce, aad, text)
                },
                |key, nonce, aad, sealed| {
                    let (key, nonce) = inner(key, nonce);
                    (backend.open)(&key, &nonce, aad, sealed)
                },
            );
        });
        assert_eq!(counted, (XCHACHA_VECTORS, OTHER_NONCE_VECTORS), "{}", backend.name);
    }
}
