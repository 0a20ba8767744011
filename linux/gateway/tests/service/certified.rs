//! Logging in with a certificate: of the peer's key, and with a signature.
use crate::pki::{Leaf, Pki};
use crate::place::{GATEWAY, WALL, client_with, key, name, private, settings, starts};
use crate::world::World;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use underpass_core::PrivateKey;
use underpass_core::control::message::{LoginNext, LoginStart, Method, Outcome, Reply, Request};
use underpass_gateway::certificate::{Evidence, Scheme, Statement};
use underpass_gateway::service::StartError;
use underpass_gateway::settings::{Factor, Settings};
use underpass_gateway::store::{Devices as _, NewDevice, Owner, Users as _};

const CLIENT: &str = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n";

/// A gateway that believes an authority, and asks for certificates and codes. It is now, for certificates begin when they are made.
fn world(pki: &Pki) -> World {
    let mut world = World::with(certified(pki));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    world.set = ((now - WALL) / 30 + 2) * 30;
    world.restart();
    world.run(Duration::from_secs(30));
    world
}

fn certified(pki: &Pki) -> Settings {
    fs::write(pki.path("crl.pem"), pki.revocations()).expect("written");
    let (ca, crl) = (pki.path("ca.pem"), pki.path("crl.pem"));
    let more = format!(
        "[certificates]\nca = \"{}\"\ncrl = \"{}\"\ndomains = [\"example.org\"]\n",
        ca.display(),
        crl.display()
    );
    let mut settings = settings(&more);
    settings.methods[0].factors = vec![vec![Factor::Totp, Factor::Certificate]];
    settings
}

fn leaf(pki: &Pki, user: &str, key: &str) -> Vec<Vec<u8>> {
    let extensions = format!("{CLIENT}subjectAltName=URI:urn:example:x,email:{user}@Example.org\n");
    pki.issue(&Leaf { name: user, key, extensions: &extensions })
}

/// Begins a login with a certificate.
fn show(world: &mut World, client: usize, method: Method, evidence: &[u8]) -> Outcome {
    let start = LoginStart { nonce: [3; 16], user: String::new(), method, data: evidence.to_vec().into() };
    let Reply::Login(reply) = world.reply_to(client, &Request::Login(start)) else { panic!("no answer to a login") };
    world.clients[client].login = reply.login;
    reply.outcome
}

/// Goes on with a code.
fn code(world: &mut World, client: usize, asked: &Outcome, user: &str) -> Outcome {
    let Outcome::Challenge(challenge) = asked else { panic!("{asked:?}") };
    assert_eq!(challenge.method, Method::Code, "right or wrong, the next factor is asked for");
    let (challenge, code) = (challenge.id, world.code(user));
    world.answer(client, challenge, &code)
}

/// Says hello, and signs what the gateway says.
fn signed(world: &mut World, pki: &Pki, client: usize, user: &str, chain: &[Vec<u8>]) -> Vec<u8> {
    let Reply::Hello(hello) = world.reply_to(client, &Request::Hello) else { panic!("no hello") };
    let statement = Statement {
        gateway: private(GATEWAY).public_key(),
        peer: key(client),
        gateway_nonce: hello.nonce,
        client_nonce: [3; 16],
    };
    let scheme = Scheme::EcdsaSecp256r1Sha256;
    let signature = pki.sign(user, scheme, &statement.message(chain));
    Evidence::Signed { scheme, signature, chain: chain.to_vec() }.write()
}

/// The private key that openssl made, which ends its form (RFC 8410 § 7).
fn private_key(pki: &Pki, user: &str) -> PrivateKey {
    let pem = fs::read_to_string(pki.path(&format!("{user}.key"))).expect("made");
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = data_encoding::BASE64.decode(text.as_bytes()).expect("base64");
    PrivateKey::from_bytes(der[der.len() - 32..].try_into().expect("32 bytes"))
}

#[test]
fn the_certificate_of_the_devices_own_key_is_a_factor() {
    let pki = Pki::new();
    let mut world = world(&pki);
    let chain = leaf(&pki, "alice", "x25519");
    let private = private_key(&pki, "alice");
    assert_eq!(private.public_key(), pki.wireguard_key("alice"));
    let (mut store, time) = (world.store(), world.time());
    let alice = store.user(&name("alice")).expect("an answer").expect("alice").id;
    let device = NewDevice { key: private.public_key(), name: name("certified") };
    store.add_device(time, Owner::User(alice), &device).expect("a device");
    world.run(Duration::from_secs(1));
    world.clients.push(client_with(3, private));
    world.settle();
    let Reply::Hello(hello) = world.reply_to(3, &Request::Hello) else { panic!("no hello") };
    let ways = [[Method::KeyCertificate, Method::Code], [Method::SigningCertificate, Method::Code]];
    assert_eq!(hello.methods, ways);
    let evidence = Evidence::Key { chain }.write();
    let asked = show(&mut world, 3, Method::KeyCertificate, &evidence);
    assert_eq!(code(&mut world, 3, &asked, "alice"), Outcome::Done);
    let Reply::Session(session) = world.reply_to(3, &Request::Session) else { panic!("no session") };
    assert_eq!(session.user.as_deref(), Some("alice"));
    assert_eq!(world.lines_of("session.opened")[0]["methods"], "certificate totp");
    // At another device, which is hers too, it is a certificate of another key.
    world.run(Duration::from_secs(30));
    let asked = show(&mut world, 0, Method::KeyCertificate, &evidence);
    assert!(!matches!(code(&mut world, 0, &asked, "alice"), Outcome::Done));
    assert_eq!(world.lines_of("certificate.rejected")[0]["reason"], "for another key than the peer's");
}

#[test]
fn a_signature_is_a_factor_once_at_this_gateway_and_peer() {
    let pki = Pki::new();
    let mut world = world(&pki);
    let chain = leaf(&pki, "alice", "p256");
    let evidence = signed(&mut world, &pki, 0, "alice", &chain);
    let asked = show(&mut world, 0, Method::SigningCertificate, &evidence);
    assert_eq!(code(&mut world, 0, &asked, "alice"), Outcome::Done);
    // Again: the gateway has said something else since, or nothing.
    for says_hello in [false, true] {
        world.run(Duration::from_secs(60));
        if says_hello {
            world.reply_to(0, &Request::Hello);
        }
        let asked = show(&mut world, 0, Method::SigningCertificate, &evidence);
        assert!(!matches!(code(&mut world, 0, &asked, "alice"), Outcome::Done));
    }
    let rejected = world.lines_of("certificate.rejected");
    assert_eq!((rejected.len(), &rejected[0]["reason"]), (2, &"the signature is wrong".into()));
    // Bert's certificate at Alice's device is Bert, who may not log in there.
    world.run(Duration::from_secs(60));
    let his = leaf(&pki, "bert", "p256");
    let evidence = signed(&mut world, &pki, 0, "bert", &his);
    let asked = show(&mut world, 0, Method::SigningCertificate, &evidence);
    assert!(matches!(code(&mut world, 0, &asked, "bert"), Outcome::Rejected { .. }));
    let evidence = signed(&mut world, &pki, 1, "bert", &his);
    world.run(Duration::from_secs(30));
    let asked = show(&mut world, 1, Method::SigningCertificate, &evidence);
    assert_eq!(code(&mut world, 1, &asked, "bert"), Outcome::Done);
}

#[test]
fn a_certificate_may_come_after_a_code_and_has_to_be_of_the_same_user() {
    let pki = Pki::new();
    let mut world = world(&pki);
    for (user, is_good) in [("bert", false), ("alice", true)] {
        world.run(Duration::from_secs(60));
        let chain = leaf(&pki, user, "p256");
        let evidence = signed(&mut world, &pki, 0, user, &chain);
        let data = world.code("alice").into_bytes().into();
        let start = LoginStart { nonce: [3; 16], user: "alice".into(), method: Method::Code, data };
        let Reply::Login(reply) = world.reply_to(0, &Request::Login(start)) else { panic!("no answer") };
        let Outcome::Challenge(challenge) = reply.outcome else { panic!("{reply:?}") };
        assert_eq!(challenge.method, Method::SigningCertificate);
        let next = LoginNext { login: reply.login, challenge: challenge.id, data: evidence.into() };
        let Reply::Login(reply) = world.reply_to(0, &Request::LoginNext(next)) else { panic!("no answer") };
        assert_eq!(reply.outcome == Outcome::Done, is_good, "{user}: {:?}", reply.outcome);
    }
}

#[test]
fn who_is_refused_is_on_record_and_hears_no_more_than_others() {
    let pki = Pki::new();
    let mut world = world(&pki);
    let chain = leaf(&pki, "alice", "p256");
    let nobodys = leaf(&pki, "nobody", "p256");
    let evidence = signed(&mut world, &pki, 0, "nobody", &nobodys);
    let asked = show(&mut world, 0, Method::SigningCertificate, &evidence);
    assert!(!matches!(code(&mut world, 0, &asked, "alice"), Outcome::Done));
    pki.revoke("alice");
    fs::write(pki.path("crl.pem"), pki.revocations()).expect("written");
    world.run(Duration::from_secs(61));
    let evidence = signed(&mut world, &pki, 0, "alice", &chain);
    let asked = show(&mut world, 0, Method::SigningCertificate, &evidence);
    assert!(!matches!(code(&mut world, 0, &asked, "alice"), Outcome::Done));
    // A list that cannot be read leaves the one before it in force.
    fs::write(pki.path("crl.pem"), "").expect("written");
    world.run(Duration::from_secs(61));
    let evidence = signed(&mut world, &pki, 0, "alice", &chain);
    show(&mut world, 0, Method::SigningCertificate, &evidence);
    let rejected = world.lines_of("certificate.rejected");
    let reasons: Vec<_> = rejected.iter().map(|line| line["reason"].as_str().expect("a text")).collect();
    assert_eq!(reasons, ["it names no user", "revoked", "revoked"]);
    assert!(rejected[0]["serial"].as_str().is_some_and(|serial| !serial.is_empty()));
    // What is no certificate at all, and one kind as the other.
    for (method, data) in [
        (Method::KeyCertificate, evidence.as_slice()),
        (Method::SigningCertificate, chain[0].as_slice()),
        (Method::KeyCertificate, b""),
    ] {
        assert!(matches!(show(&mut world, 1, method, data), Outcome::Rejected { .. }), "{method:?}");
    }
    assert_eq!(world.service.open_sessions(), 0);
}

#[test]
fn without_its_files_no_service_starts() {
    let pki = Pki::new();
    let good = certified(&pki);
    starts(&good).expect("a service");
    for (file, content) in [("crl.pem", Some("")), ("crl.pem", Some("no list")), ("ca.pem", Some("")), ("ca.pem", None)]
    {
        let before = fs::read(pki.path(file)).expect("there");
        match content {
            Some(content) => fs::write(pki.path(file), content).expect("written"),
            None => fs::remove_file(pki.path(file)).expect("removed"),
        }
        let refused = starts(&good).expect_err(file);
        assert!(matches!(refused, StartError::File(..)), "{refused}");
        fs::write(pki.path(file), before).expect("written");
    }
    starts(&good).expect("a service");
}
