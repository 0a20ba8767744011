//! Certificates made by openssl, as an authority of a company would.
mod pki;

use pki::{Leaf, Pki};
use std::fs;
use underpass_core::PublicKey;
use underpass_gateway::Time;
use underpass_gateway::certificate::{AlternativeName, Authority, BadAuthority, Refused, Scheme, Statement};

const CLIENT: &str = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n";
const NAMES: &str =
    "subjectAltName=email:alice@example.org,URI:urn:example:alice,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice@corp\n";

fn authority(pki: &Pki) -> Authority {
    Authority::read(&fs::read(pki.path("ca.pem")).expect("made"), b"").expect("read")
}

fn statement() -> Statement {
    Statement {
        gateway: PublicKey::from_bytes([1; 32]),
        peer: PublicKey::from_bytes([2; 32]),
        gateway_nonce: [3; 32],
        client_nonce: [4; 16],
    }
}

#[test]
fn the_certificate_of_a_wireguard_key_names_its_holder() {
    let pki = Pki::new();
    let leaf = pki.issue(&Leaf { name: "alice", key: "x25519", extensions: &[CLIENT, NAMES].concat() });
    let key = pki.wireguard_key("alice");
    let identity = authority(&pki).verify_key(&leaf, &key, Time::now()).expect("accepted");
    let names = [
        AlternativeName::Email("alice@example.org".into()),
        AlternativeName::Uri("urn:example:alice".into()),
        AlternativeName::Upn("alice@corp".into()),
    ];
    assert_eq!(identity.names, names);
    assert_eq!((identity.subject.as_str(), identity.issuer.as_str()), ("CN=alice", "CN=Test CA"));
    assert!(identity.not_after > Time::now() && !identity.serial.is_empty());

    let other = PublicKey::from_bytes([9; 32]);
    assert_eq!(authority(&pki).verify_key(&leaf, &other, Time::now()), Err(Refused::OtherKey));
    // A key for signatures of the same 32 bytes would be another key.
    let signing = pki.issue(&Leaf { name: "carol", key: "ed25519", extensions: CLIENT });
    let same_bytes = pki.wireguard_key("carol");
    assert_eq!(authority(&pki).verify_key(&signing, &same_bytes, Time::now()), Err(Refused::OtherKey));
}

#[test]
fn signatures_of_every_scheme_are_verified() {
    let pki = Pki::new();
    let authority = authority(&pki);
    let rows = [
        ("ed25519", Scheme::Ed25519),
        ("p256", Scheme::EcdsaSecp256r1Sha256),
        ("p384", Scheme::EcdsaSecp384r1Sha384),
        ("rsa", Scheme::RsaPssRsaeSha256),
        ("rsa", Scheme::RsaPssRsaeSha384),
        ("rsa", Scheme::RsaPssRsaeSha512),
    ];
    for (key, scheme) in rows {
        let leaf = pki.issue(&Leaf { name: "alice", key, extensions: CLIENT });
        let statement = statement();
        let signature = pki.sign("alice", scheme, &statement.message(&leaf));
        let verify = |statement: &Statement, scheme, signature: &[u8]| {
            authority
                .verify_signature(&leaf, statement, scheme, signature, Time::now())
                .map(|identity| identity.subject)
        };
        assert_eq!(verify(&statement, scheme, &signature), Ok("CN=alice".into()), "{scheme:?}");
        for wrong in Scheme::ALL.into_iter().filter(|wrong| *wrong != scheme) {
            assert_eq!(verify(&statement, wrong, &signature), Err(Refused::Signature), "{scheme:?} as {wrong:?}");
        }
        for change in 0..4 {
            let mut other = statement.clone();
            match change {
                0 => other.gateway = PublicKey::from_bytes([8; 32]),
                1 => other.peer = PublicKey::from_bytes([8; 32]),
                2 => other.gateway_nonce[0] ^= 1,
                _ => other.client_nonce[0] ^= 1,
            }
            assert_eq!(verify(&other, scheme, &signature), Err(Refused::Signature), "{scheme:?}, change {change}");
        }
        for length in [0, 1, signature.len() - 1] {
            assert_eq!(verify(&statement, scheme, &signature[..length]), Err(Refused::Signature));
        }
        // What TLS signs in the same place is no login here.
        let tls = [&[b' '; 64][..], b"TLS 1.3, client CertificateVerify\0", &[7; 32]].concat();
        assert_eq!(verify(&statement, scheme, &pki.sign("alice", scheme, &tls)), Err(Refused::Signature));
    }
    assert_eq!(Scheme::of(0x0403), Some(Scheme::EcdsaSecp256r1Sha256));
    assert_eq!(Scheme::of(0x0401), None, "PKCS #1 v1.5");
}

#[test]
fn who_is_refused_and_why() {
    let pki = Pki::new();
    let ours = authority(&pki);
    let key = |name: &str| pki.wireguard_key(name);
    let issue = |name: &'static str, extensions: &str| pki.issue(&Leaf { name, key: "x25519", extensions });
    let good = issue("alice", CLIENT);
    let day = |text: &str| {
        Time::from(underpass_core::UnixTime::from_duration(
            humantime::parse_rfc3339(text).expect("a day").duration_since(std::time::UNIX_EPOCH).expect("after 1970"),
        ))
    };
    assert_eq!(ours.verify_key(&good, &key("alice"), day("2010-01-01T00:00:00Z")), Err(Refused::NotYet));
    assert_eq!(ours.verify_key(&good, &key("alice"), day("2190-01-01T00:00:00Z")), Err(Refused::Expired));

    let server = issue("bob", "extendedKeyUsage=serverAuth\n");
    assert_eq!(ours.verify_key(&server, &key("bob"), Time::now()), Err(Refused::Purpose));
    let anything = issue("bob", "basicConstraints=CA:FALSE\n");
    assert_eq!(ours.verify_key(&anything, &key("bob"), Time::now()), Err(Refused::Purpose), "without a purpose");

    let stranger = Pki::new();
    let foreign = stranger.issue(&Leaf { name: "eve", key: "x25519", extensions: CLIENT });
    // The same name of the issuer, and another key.
    assert!(ours.verify_key(&foreign, &stranger.wireguard_key("eve"), Time::now()).is_err());

    assert_eq!(ours.verify_key(&[], &key("alice"), Time::now()), Err(Refused::Chain));
    assert_eq!(ours.verify_key(&vec![good[0].clone(); 9], &key("alice"), Time::now()), Err(Refused::Chain));
    let long = vec![good[0].clone(), vec![0; 16 * 1024]];
    assert_eq!(ours.verify_key(&long, &key("alice"), Time::now()), Err(Refused::Chain));

    // A holder cannot be an authority.
    let by_holder =
        pki.issue_by("alice-signs", "alice-signing", &Leaf { name: "mallory", key: "x25519", extensions: CLIENT });
    assert!(ours.verify_key(&by_holder, &key("mallory"), Time::now()).is_err());
}

#[test]
fn no_byte_of_a_chain_can_be_changed_and_none_brings_it_down() {
    let pki = Pki::new();
    let ours = authority(&pki);
    let good = pki.issue(&Leaf { name: "alice", key: "x25519", extensions: &[CLIENT, NAMES].concat() });
    let key = pki.wireguard_key("alice");
    for at in 0..good[0].len() {
        for bit in [0x01, 0x80] {
            let mut changed = good.clone();
            changed[0][at] ^= bit;
            assert!(ours.verify_key(&changed, &key, Time::now()).is_err(), "byte {at}");
        }
        assert!(ours.verify_key(&[good[0][..at].to_vec()], &key, Time::now()).is_err(), "{at} bytes");
    }
}

#[test]
fn intermediate_authorities_are_sent_along() {
    let pki = Pki::new();
    let ours = authority(&pki);
    let leaf = pki.issue_by("department", "department", &Leaf { name: "alice", key: "x25519", extensions: CLIENT });
    let key = pki.wireguard_key("alice");
    assert_eq!(ours.verify_key(&leaf[..1], &key, Time::now()), Err(Refused::UnknownIssuer));
    let identity = ours.verify_key(&leaf, &key, Time::now()).expect("accepted");
    assert_eq!(identity.issuer, "CN=department");
}

#[test]
fn who_was_revoked_stays_outside() {
    let pki = Pki::new();
    let alice = pki.issue(&Leaf { name: "alice", key: "x25519", extensions: CLIENT });
    let bob = pki.issue(&Leaf { name: "bob", key: "x25519", extensions: CLIENT });
    let below = pki.issue_by("department", "department", &Leaf { name: "carol", key: "x25519", extensions: CLIENT });
    let certificates = fs::read(pki.path("ca.pem")).expect("made");
    let with = |list: &[u8]| Authority::read(&certificates, list).expect("read");
    let verify = |list: &[u8], chain: &[Vec<u8>], name: &str, now: Time| {
        with(list).verify_key(chain, &pki.wireguard_key(name), now).map(|identity| identity.subject)
    };
    let empty = pki.revocations();
    assert_eq!(verify(&empty, &alice, "alice", Time::now()), Ok("CN=alice".into()));
    pki.revoke("bob");
    let list = pki.revocations();
    assert_eq!(verify(&list, &alice, "alice", Time::now()), Ok("CN=alice".into()));
    assert_eq!(verify(&list, &bob, "bob", Time::now()), Err(Refused::Revoked));
    assert_eq!(verify(b"", &bob, "bob", Time::now()), Ok("CN=bob".into()), "without a list");
    // The list is good for seven days, the certificate for thirty.
    let later = Time::now().after(std::time::Duration::from_secs(10 * 24 * 3600));
    assert_eq!(verify(&list, &alice, "alice", later), Err(Refused::RevocationUnknown));
    // The authority below has none.
    assert_eq!(verify(&list, &below, "carol", Time::now()), Err(Refused::RevocationUnknown));
}

#[test]
fn authorities_are_read_or_refused() {
    let pki = Pki::new();
    let certificates = fs::read(pki.path("ca.pem")).expect("made");
    for (certificates, lists, why) in [
        (&b""[..], &b""[..], BadAuthority::Certificates),
        (b"no certificate", b"", BadAuthority::Certificates),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"", BadAuthority::Certificates),
        (&certificates, b"no list", BadAuthority::Lists),
        (&certificates, b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", BadAuthority::Lists),
    ] {
        assert_eq!(Authority::read(certificates, lists).map(drop), Err(why));
    }
}
