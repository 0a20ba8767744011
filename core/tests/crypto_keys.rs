//! Keys: text forms, redaction, comparison, low order, wiping.
mod backends;

use core::mem::MaybeUninit;
use underpass_core::NoRandomness;
use underpass_core::error::KeyError;
use underpass_core::internals::crypto::{AeadKey, SharedSecret, TransportKey, dh, portable};
use underpass_core::{PresharedKey, PrivateKey, PublicKey, Rng};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A key whose bytes are recognisable in memory and in text.
const BYTES: [u8; 32] = *b"\xa1\xb2\xc3\xd4\xe5\xf6\x97\x88recognisable key bytes!!";
const BASE64: &str = "obLD1OX2l4hyZWNvZ25pc2FibGUga2V5IGJ5dGVzISE=";
const HEX: &str = "a1b2c3d4e5f697887265636f676e697361626c65206b65792062797465732121";

/// Counts up from one, so that what was drawn is known.
struct Counting(u8);

impl Rng for Counting {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in dest {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

#[test]
fn text_forms_round_trip() {
    assert_eq!(PublicKey::from_base64(BASE64), Ok(PublicKey::from_bytes(BYTES)));
    assert_eq!(PrivateKey::from_base64(BASE64), Ok(PrivateKey::from_bytes(BYTES)));
    assert_eq!(PresharedKey::from_base64(BASE64), Ok(PresharedKey::from_bytes(BYTES)));
    for hex in [HEX, &HEX.to_uppercase()] {
        assert_eq!(PublicKey::from_hex(hex), Ok(PublicKey::from_bytes(BYTES)));
        assert_eq!(PrivateKey::from_hex(hex), Ok(PrivateKey::from_bytes(BYTES)));
        assert_eq!(PresharedKey::from_hex(hex), Ok(PresharedKey::from_bytes(BYTES)));
    }
    let public = PublicKey::from_bytes(BYTES);
    assert_eq!((public.to_base64().as_str(), public.to_hex().as_str()), (BASE64, HEX));
    let private = PrivateKey::from_bytes(BYTES);
    assert_eq!((private.to_base64().as_str(), private.to_hex().as_str()), (BASE64, HEX));
    let preshared = PresharedKey::from_bytes(BYTES);
    assert_eq!((preshared.to_base64().as_str(), preshared.to_hex().as_str()), (BASE64, HEX));
}

#[test]
fn text_that_is_no_key() {
    let base64: [(&str, String, KeyError); 11] = [
        ("empty", String::new(), KeyError::Length),
        ("without padding", BASE64[..43].into(), KeyError::Length),
        ("one too many", format!("{BASE64}="), KeyError::Length),
        ("line feed", format!("{BASE64}\n"), KeyError::Length),
        ("33 bytes", BASE64.replace('=', "A"), KeyError::Encoding),
        ("31 bytes", format!("{}==", &BASE64[..42]), KeyError::Encoding),
        ("padding in front", format!("={}", &BASE64[..43]), KeyError::Encoding),
        ("URL alphabet", BASE64.replace('G', "_"), KeyError::Encoding),
        ("space", BASE64.replace('G', " "), KeyError::Encoding),
        ("unused bits set", BASE64.replace("E=", "F="), KeyError::Encoding),
        ("two bytes per character", "é".repeat(22), KeyError::Encoding),
    ];
    for (what, text, error) in &base64 {
        assert_eq!(PublicKey::from_base64(text), Err(*error), "{what}");
        assert_eq!(PrivateKey::from_base64(text), Err(*error), "{what}");
        assert_eq!(PresharedKey::from_base64(text), Err(*error), "{what}");
    }
    let hex: [(&str, String, KeyError); 5] = [
        ("empty", String::new(), KeyError::Length),
        ("odd", HEX[..63].into(), KeyError::Length),
        ("33 bytes", format!("{HEX}00"), KeyError::Length),
        ("no digit", HEX.replace('a', "g"), KeyError::Encoding),
        ("two bytes per character", "é".repeat(32), KeyError::Encoding),
    ];
    for (what, text, error) in &hex {
        assert_eq!(PublicKey::from_hex(text), Err(*error), "{what}");
        assert_eq!(PrivateKey::from_hex(text), Err(*error), "{what}");
        assert_eq!(PresharedKey::from_hex(text), Err(*error), "{what}");
    }
}

#[test]
fn only_public_keys_show_themselves() {
    let public = PublicKey::from_bytes(BYTES);
    assert_eq!((format!("{public}"), format!("{public:?}")), (BASE64.into(), format!("PublicKey({BASE64})")));
    let secrets = [
        ("PrivateKey", format!("{:?}", PrivateKey::from_bytes(BYTES))),
        ("PresharedKey", format!("{:?}", PresharedKey::from_bytes(BYTES))),
        ("SharedSecret", format!("{:?}", SharedSecret::from_bytes(BYTES))),
        ("TransportKey", format!("{:#?}", TransportKey::from_bytes(BYTES))),
        ("AeadKey", format!("{:#?}", AeadKey::new(&TransportKey::from_bytes(BYTES)))),
    ];
    for (name, shown) in secrets {
        assert_eq!(shown, format!("{name}(redacted)"));
    }
}

#[test]
fn secrets_compare_by_all_their_bytes() {
    let key = PresharedKey::from_bytes(BYTES);
    assert_eq!(key, key.clone());
    for at in 0..32 {
        let mut other = BYTES;
        other[at] ^= 0x80;
        assert_ne!(key, PresharedKey::from_bytes(other), "byte {at}");
        let mut zero = [0; 32];
        assert!(PresharedKey::from_bytes(zero).is_zero());
        zero[at] = 1;
        assert!(!PresharedKey::from_bytes(zero).is_zero(), "byte {at}");
    }
}

#[test]
fn generated_keys_come_from_the_source_and_private_ones_are_clamped() {
    let drawn: [u8; 32] = core::array::from_fn(|at| u8::try_from(at).expect("small").wrapping_add(0xf1));
    assert_eq!(PresharedKey::generate(&mut Counting(0xf1)).expect("randomness").as_bytes(), &drawn);
    let private = PrivateKey::generate(&mut Counting(0xf1)).expect("randomness");
    let mut clamped = drawn;
    clamped[0] = 0xf0;
    clamped[31] = 0x50;
    assert_eq!(private.as_bytes(), &clamped);
    assert_eq!(private.clone().clamped(), private);
    assert_eq!(PrivateKey::from_bytes([0xff; 32]).clamped().as_bytes()[..1], [0xf8]);
    assert_eq!(PrivateKey::from_bytes([0xff; 32]).clamped().as_bytes()[31..], [0x7f]);
    assert_eq!(PrivateKey::from_bytes(drawn).public_key(), private.public_key());
}

/// The 19 encodings of p and more, and the neighbourhood of each listed point, judged by the exchange itself.
#[test]
fn low_order_is_what_the_exchange_refuses() {
    const ORDER_8: [&str; 2] = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let mut candidates: Vec<[u8; 32]> = Vec::new();
    for first in 0..=255 {
        candidates.push(core::array::from_fn(|at| if at == 0 { first } else { 0 }));
        candidates.push(core::array::from_fn(|at| [first, 0xff, 0x7f][usize::from(at > 0) + usize::from(at == 31)]));
        for point in ORDER_8 {
            let mut bytes = *PublicKey::from_hex(point).expect("a key").as_bytes();
            bytes[0] = bytes[0].wrapping_add(first);
            candidates.push(bytes);
        }
    }
    let masked = candidates.iter().map(|bytes| core::array::from_fn(|at| bytes[at] | u8::from(at == 31) << 7));
    candidates.extend(masked.collect::<Vec<[u8; 32]>>());

    for backend in backends::all() {
        let mut refused = 0;
        for bytes in &candidates {
            let public = PublicKey::from_bytes(*bytes);
            let shared = (backend.exchange)(&PrivateKey::from_bytes(BYTES), &public);
            assert_eq!(shared.is_none(), public.is_low_order(), "{} {}", backend.name, public.to_hex());
            refused += usize::from(shared.is_none());
        }
        assert_eq!(refused, 14, "{}: seven points with either top bit", backend.name);
    }
    let zero = PublicKey::from_bytes([0; 32]);
    assert!(dh::exchange(&PrivateKey::from_bytes(BYTES), &zero).is_none());
}

#[test]
fn backends_agree() {
    let mut rng = Counting(0);
    for round in 0..64 {
        let (ours, theirs) =
            (PrivateKey::generate(&mut rng).expect("randomness"), PrivateKey::generate(&mut rng).expect("randomness"));
        let public = portable::dh::public_key(&theirs);
        let expected = portable::dh::exchange(&ours, &public).map(|shared| *shared.as_bytes());
        assert!(expected.is_some());
        for backend in backends::all() {
            assert_eq!((backend.public_key)(&theirs), public, "{} round {round}", backend.name);
            assert_eq!((backend.exchange)(&ours, &public), expected, "{} round {round}", backend.name);
            let back = (backend.exchange)(&theirs, &(backend.public_key)(&ours));
            assert_eq!(back, expected, "{} round {round}", backend.name);
        }
    }
    assert_eq!(dh::public_key(&PrivateKey::from_bytes(BYTES)), PrivateKey::from_bytes(BYTES).public_key());
}

#[test]
fn fast_is_there_where_it_should_be() {
    let names: Vec<&str> = backends::all().iter().map(|backend| backend.name).collect();
    let fast = cfg!(feature = "fast") && (cfg!(target_arch = "x86_64") || cfg!(target_arch = "aarch64"));
    assert_eq!(names, if fast { vec!["portable", "fast"] } else { vec!["portable"] });
}

/// Whether four bytes of [`BYTES`] in a row lie in the memory where `value` was, before and after it is dropped.
fn lies_in_memory<T>(value: T) -> (bool, bool) {
    let mut place = MaybeUninit::<T>::zeroed();
    let found = |place: &MaybeUninit<T>| {
        let start = place.as_ptr().cast::<u8>();
        // SAFETY: `place` has `size_of::<T>()` bytes, none of them uninitialised but padding, and is not dropped here.
        let bytes: Vec<u8> = (0..size_of::<T>()).map(|at| unsafe { start.add(at).read_volatile() }).collect();
        BYTES.windows(4).any(|part| bytes.windows(4).any(|window| window == part))
    };
    place.write(value);
    let before = found(&place);
    // SAFETY: `value` was written to `place` above and is dropped once.
    unsafe { place.assume_init_drop() };
    (before, found(&place))
}

#[test]
fn dropped_keys_are_wiped() {
    let transport = || TransportKey::from_bytes(BYTES);
    let places = [
        ("PrivateKey", lies_in_memory(PrivateKey::from_bytes(BYTES))),
        ("PresharedKey", lies_in_memory(PresharedKey::from_bytes(BYTES))),
        ("SharedSecret", lies_in_memory(SharedSecret::from_bytes(BYTES))),
        ("TransportKey", lies_in_memory(transport())),
        ("AeadKey", lies_in_memory(AeadKey::new(&transport()))),
        ("portable", lies_in_memory(portable::aead::AeadKey::new(&transport()))),
        #[cfg(all(feature = "fast", any(target_arch = "x86_64", target_arch = "aarch64")))]
        ("fast", lies_in_memory(underpass_core::internals::crypto::fast::aead::AeadKey::new(&transport()))),
    ];
    for (name, (before, after)) in places {
        assert!(before, "{name} is not found in its own memory, so the test proves nothing");
        assert!(!after, "{name} is left behind");
    }
    // The search finds what nobody wipes.
    assert_eq!(lies_in_memory(BYTES), (true, true));
}

#[test]
fn secrets_can_be_wiped_early_and_are_on_drop() {
    fn wipes_on_drop<T: ZeroizeOnDrop>() {}
    wipes_on_drop::<PrivateKey>();
    wipes_on_drop::<PresharedKey>();
    wipes_on_drop::<SharedSecret>();
    wipes_on_drop::<TransportKey>();
    let mut key = PrivateKey::from_bytes(BYTES);
    key.zeroize();
    assert!(key.is_zero());
}
