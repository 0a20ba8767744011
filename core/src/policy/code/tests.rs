use super::*;
use crate::policy::tests::Seeded;
use crate::time::UnixTime;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

fn factor(secret: &[u8], algorithm: Algorithm, digits: u8, moving: Moving) -> OneTimeCode {
    let secret = OtpSecret::from_bytes(secret).expect("the length of a secret");
    OneTimeCode { secret, algorithm, digits: Digits::new(digits).expect("6 to 8"), moving }
}

const SECRET: &[u8] = b"12345678901234567890";
const TIME: Moving = Moving::Time { period: 30 };

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

#[test]
fn hotp_gives_the_codes_of_rfc_4226_appendix_d() {
    let factor = factor(SECRET, Algorithm::Sha1, 6, Moving::Counter);
    let codes = [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
    for (counter, code) in (0..).zip(codes) {
        assert_eq!(factor.code(counter), code, "counter {counter}");
    }
}

#[test]
fn totp_gives_the_codes_of_rfc_6238_appendix_b() {
    let seed = SECRET.repeat(4);
    let sha1 = factor(&seed[..20], Algorithm::Sha1, 8, TIME);
    let sha256 = factor(&seed[..32], Algorithm::Sha256, 8, TIME);
    let sha512 = factor(&seed[..64], Algorithm::Sha512, 8, TIME);
    for (secs, one, two, three) in [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ] {
        for (factor, code) in [(&sha1, one), (&sha256, two), (&sha512, three)] {
            let name = format!("{:?} at {secs}", factor.algorithm);
            assert_eq!(totp::verify(factor, at(secs), None, code), Some(secs / 30), "{name}");
        }
        assert_eq!(totp::verify(&sha1, at(secs), None, two), None, "{secs}: of another hash");
    }
}

#[test]
fn lesson_38_a_code_is_taken_one_step_early_or_late_and_never_twice() {
    let factor = factor(SECRET, Algorithm::Sha1, 6, TIME);
    let code = |step: u64| format!("{:06}", factor.code(step));
    let now = at(1000 * 30 + 29);
    for (step, last, taken) in [
        (998, None, false),
        (999, None, true),
        (1000, None, true),
        (1001, None, true),
        (1002, None, false),
        (1000, Some(999), true),
        (1000, Some(1000), false),
        (999, Some(1000), false),
        (1001, Some(1000), true),
        (1001, Some(u64::MAX), false),
    ] {
        let want = taken.then_some(step);
        assert_eq!(totp::verify(&factor, now, last, &code(step)), want, "step {step} after {last:?}");
    }
    assert_eq!(totp::verify(&factor, at(5), None, &code(0)), Some(0), "in the first step there is none before");
}

#[test]
fn hotp_looks_ahead_ten_counters_and_never_back() {
    let factor = factor(SECRET, Algorithm::Sha1, 6, Moving::Counter);
    let code = |counter: u64| format!("{:06}", factor.code(counter));
    for (counter, last, taken) in [
        (0, None, true),
        (9, None, true),
        (10, None, false),
        (5, Some(5), false),
        (4, Some(5), false),
        (6, Some(5), true),
        (15, Some(5), true),
        (16, Some(5), false),
        (u64::MAX, Some(u64::MAX - 1), true),
        (u64::MAX, Some(u64::MAX), false),
    ] {
        let want = taken.then_some(counter);
        assert_eq!(hotp::verify(&factor, last, &code(counter)), want, "counter {counter} after {last:?}");
    }
}

#[test]
fn hotp_is_resynchronised_by_two_consecutive_codes() {
    let factor = factor(SECRET, Algorithm::Sha1, 6, Moving::Counter);
    let code = |counter: u64| format!("{:06}", factor.code(counter));
    for (first, second, last, taken) in [
        (50, 51, Some(5), true),
        (50, 52, Some(5), false),
        (51, 50, Some(5), false),
        (50, 50, Some(5), false),
        (6, 7, Some(5), true),
        (5, 6, Some(5), false),
        (105, 106, Some(5), true),
        (106, 107, Some(5), false),
        (0, 1, None, true),
    ] {
        let want = taken.then_some(second);
        assert_eq!(hotp::resync(&factor, last, &code(first), &code(second)), want, "{first}, {second} after {last:?}");
    }
}

#[test]
fn a_first_code_that_several_counters_have_resynchronises_all_the_same() {
    // Among codes of six digits of 5000 factors, some have the same code twice within the window.
    let found = (0..5000_u32).find_map(|n| {
        let factor = factor(&[&SECRET[..16], &n.to_be_bytes()].concat(), Algorithm::Sha1, 6, Moving::Counter);
        let codes: Vec<u32> = (0..100).map(|counter| factor.code(counter)).collect();
        let later = (1..100).find(|at| codes[..*at].contains(&codes[*at]) && codes[*at] != codes[*at - 1])?;
        Some((factor, later as u64))
    });
    let (factor, later) = found.expect("one in a few hundred has");
    let code = |counter: u64| format!("{:06}", factor.code(counter));
    assert_eq!(hotp::resync(&factor, None, &code(later), &code(later + 1)), Some(later + 1));
}

#[test]
fn what_is_no_code_is_none() {
    let factor = factor(SECRET, Algorithm::Sha1, 6, Moving::Counter);
    for (text, taken) in [
        ("755224", true),
        ("755 224", true),
        (" 755224 ", true),
        ("", false),
        ("75522", false),
        ("7552240", false),
        ("0755224", false),
        ("75522x", false),
        ("+55224", false),
        ("٧٥٥٢٢٤", false),
    ] {
        assert_eq!(hotp::verify(&factor, None, text).is_some(), taken, "{text:?}");
    }
    assert_eq!((5..10).filter_map(Digits::new).map(Digits::count).collect::<Vec<_>>(), [6, 7, 8]);
}

/// RFC 4648 § 10, which pads; and what people type.
#[test]
fn base32_is_that_of_rfc_4648() {
    for (bytes, text) in [
        ("f", "MY"),
        ("fo", "MZXQ"),
        ("foo", "MZXW6"),
        ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ] {
        let mut written = String::new();
        secret::encode(bytes.as_bytes(), &mut written).expect("a string takes all");
        assert_eq!(written, text);
        let mut read = [0; 8];
        assert_eq!(secret::decode(text, &mut read), Ok(bytes.len()));
        assert_eq!(&read[..bytes.len()], bytes.as_bytes());
    }
    for (text, outcome) in [
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Ok(())),
        ("gezd gnbv gy3t qojq gezd gnbv gy3t qojq", Ok(())),
        ("GEZDGNBV-GY3TQOJQ-GEZDGNBV-GY3TQOJQ====", Ok(())),
        ("GEZDGNBVGY3TQOJQ", Err(SecretError::Length)),
        ("", Err(SecretError::Length)),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", Err(SecretError::Encoding)),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ8", Err(SecretError::Encoding)),
        ("GEZDGNBVGY3TQOJQ=GEZDGNBVGY3TQOJ", Err(SecretError::Encoding)),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ\u{1}", Err(SecretError::Encoding)),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJé", Err(SecretError::Encoding)),
    ] {
        let read = OtpSecret::from_base32(text);
        assert_eq!(
            read.as_ref().map(|secret| assert_eq!(secret.as_bytes(), SECRET)).map_err(|e| *e),
            outcome,
            "{text:?}"
        );
    }
    assert_eq!(OtpSecret::from_base32(&"A".repeat(200)), Err(SecretError::Length));
}

proptest! {
    #[test]
    fn base32_comes_back(bytes in prop::collection::vec(any::<u8>(), 16..=64)) {
        let secret = OtpSecret::from_bytes(&bytes).expect("the length of a secret");
        let mut text = String::new();
        secret.write_base32(&mut text).expect("a string takes all");
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)));
        prop_assert_eq!(OtpSecret::from_base32(&text), Ok(secret));
    }

    #[test]
    fn any_text_is_answered(text: String, wall: u64, last: Option<u64>) {
        let factor = factor(SECRET, Algorithm::Sha1, 6, TIME);
        let _ = OtpSecret::from_base32(&text);
        let _ = RecoveryCode::read(&text);
        let _ = totp::verify(&factor, at(wall), last, &text);
        let _ = hotp::verify(&factor, last, &text);
        let _ = hotp::resync(&factor, last, &text, &text);
    }

    #[test]
    fn the_code_of_any_time_is_taken_then_and_only_once(wall in 0_u64..1 << 40, period in 1_u16..=3600, digits in 6_u8..=8) {
        let factor = factor(SECRET, Algorithm::Sha512, digits, Moving::Time { period });
        let step = totp::step_at(&factor, at(wall));
        let code = format!("{:0width$}", factor.code(step), width = usize::from(digits));
        let found = totp::verify(&factor, at(wall), None, &code);
        prop_assert!(found.is_some_and(|found| found.abs_diff(step) <= 1));
        prop_assert_eq!(totp::verify(&factor, at(wall), Some(step + 1), &code), None);
    }
}

#[test]
fn uris_are_percent_encoded() {
    let mut factor = factor(SECRET, Algorithm::Sha1, 6, TIME);
    let uri = |factor: &OneTimeCode, issuer: &str, account: &str| {
        let mut uri = String::new();
        write_uri(factor, issuer, account, 7, &mut uri).expect("a string takes all");
        uri
    };
    assert_eq!(
        uri(&factor, "Big Corp", "ada@example.org"),
        "otpauth://totp/Big%20Corp:ada%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
         &issuer=Big%20Corp&algorithm=SHA1&digits=6&period=30"
    );
    (factor.algorithm, factor.digits, factor.moving) = (Algorithm::Sha512, Digits::new(8).unwrap(), Moving::Counter);
    assert_eq!(
        uri(&factor, "A&B=C/é:", "a?b#c%d"),
        "otpauth://hotp/A%26B%3DC%2F%C3%A9%3A:a%3Fb%23c%25d?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
         &issuer=A%26B%3DC%2F%C3%A9%3A&algorithm=SHA512&digits=8&counter=7"
    );
}

#[test]
fn recovery_codes_are_typed_as_people_type_them_and_stored_as_hashes() {
    let codes = RecoveryCode::generate(&mut Seeded(1)).expect("randomness");
    let (key, other) = (RecoveryKey::from_bytes([1; 32]), RecoveryKey::from_bytes([2; 32]));
    let mut seen = BTreeSet::new();
    for code in &codes {
        let shown = code.to_string();
        assert_eq!(shown.len(), 19, "{shown}");
        assert!(shown.split('-').all(|group| group.len() == 4), "{shown}");
        let typed = [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', ""),
            shown.replace('-', " "),
            shown.replace('O', "0").replace('I', "1").replace('B', "8"),
        ];
        let hash = code.hash(&key, 5);
        for typed in typed {
            let read = RecoveryCode::read(&typed).expect("it is a code");
            assert_eq!(read.hash(&key, 5), hash, "{typed}");
        }
        assert!(seen.insert(*hash.as_bytes()), "each code is another");
        assert!(seen.insert(*code.hash(&key, 6).as_bytes()), "and of each user");
        assert!(seen.insert(*code.hash(&other, 5).as_bytes()), "and under each key");
    }
    for text in
        ["", "ABCD", "ABCD-EFGH-IJKL-MNO", "ABCD-EFGH-IJKL-MNOP-Q", "ABCD-EFGH-IJKL-MNO9", "ABCD-EFGH-IJKL-MNOé"]
    {
        assert!(RecoveryCode::read(text).is_none(), "{text:?}");
    }
}

#[test]
fn secrets_do_not_show() {
    let factor = factor(SECRET, Algorithm::Sha1, 6, TIME);
    let codes = RecoveryCode::generate(&mut Seeded(1)).expect("randomness");
    let key = RecoveryKey::from_bytes([0x41; 32]);
    let shown = format!("{factor:?} {:?} {key:?} {:?}", codes[0], otp::Entered::read("755224", Digits::SIX));
    for secret in ["1234567890", "49, 50, 51", "GEZDGNBV", "AAAA", "65, 65", "755224", &codes[0].to_string()] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(shown.matches("redacted").count(), 4, "{shown}");
}
