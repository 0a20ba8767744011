//! Configurations from text and from records, and that nothing secret is printed.
mod scene;

use scene::{address, network};
use std::sync::Arc;
use underpass_uniffi::{
    Configuration, Endpoint, InterfaceConfiguration, PeerConfiguration, PresharedKey, PrivateKey, PublicKey,
    RoutingTable, Section, Severity, Tunnel, TunnelError, TunnelOptions,
};

const SECRET: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const SHARED: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
const PEER: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

fn text() -> String {
    format!(
        "[Interface]\nPrivateKey = {SECRET}\nAddress = 10.0.0.2/24, fd00::2/64\nDNS = 10.0.0.1, corp.example\nMTU = 1380\n\
         ListenPort = 51000\nFwMark = 0x10\nTable = 200\nPostUp = run --token hunter2\nIncludedApplications = org.example.mail\n\
         Jc = 4\n\n[Peer]\nPublicKey = {PEER}\nPresharedKey = {SHARED}\nAllowedIPs = 0.0.0.0/0, ::/0\n\
         Endpoint = vpn.example:51820\nPersistentKeepalive = 25\n"
    )
}

#[test]
fn all_that_a_text_says_is_told() {
    let configuration = Configuration::parse(text()).expect("the text is good");
    let interface = configuration.interface();
    assert_eq!(interface.private_key.as_ref().map(|key| key.to_base64()).as_deref(), Some(SECRET));
    assert_eq!(interface.addresses, [network("10.0.0.2/24"), network("fd00::2/64")]);
    assert_eq!(
        (interface.dns.as_slice(), interface.search_domains.as_slice()),
        (&["10.0.0.1".to_owned()][..], &["corp.example".to_owned()][..])
    );
    assert_eq!((interface.mtu, interface.listen_port, interface.fwmark), (Some(1380), Some(51000), Some(16)));
    assert_eq!(interface.table, Some(RoutingTable::Number { number: 200 }));
    assert_eq!(interface.post_up, ["run --token hunter2"]);
    assert_eq!(interface.included_applications, ["org.example.mail"]);
    let peers = configuration.peers();
    assert_eq!(peers.len(), 1);
    assert_eq!(peers[0].public_key.to_base64(), PEER);
    assert_eq!(peers[0].preshared_key.as_ref().map(|key| key.to_base64()).as_deref(), Some(SHARED));
    assert_eq!(peers[0].endpoint, Some(Endpoint::Name { host: "vpn.example".into(), port: 51820 }));
    assert_eq!(peers[0].allowed_ips, [network("0.0.0.0/0"), network("::/0")]);
    assert_eq!(peers[0].persistent_keepalive, 25);
    let warned: Vec<_> = configuration.diagnostics().into_iter().map(|one| (one.severity, one.line, one.key)).collect();
    assert_eq!(warned, [(Severity::Warning, 11, Some("Jc".to_owned()))]);
    assert_eq!(configuration.more_diagnostics(), 0);

    let options = TunnelOptions { configuration: Some(configuration), ..Default::default() };
    let tunnel = Tunnel::new(options, None).expect("a tunnel");
    let own = PrivateKey::from_base64(SECRET.into()).expect("a key").public_key();
    assert_eq!(tunnel.public_key().expect("it is open"), Some(own));
    assert_eq!(tunnel.layout().expect("it is open").mtu, 1380);
    assert!(tunnel.peer_by_key(PublicKey::from_base64(PEER.into()).expect("a key")).is_ok());
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let first = Configuration::parse(text()).expect("the text is good");
    let written = first.to_text();
    let second = Configuration::parse(written.clone()).expect("what is written is good");
    assert_eq!((first.interface(), first.peers()), (second.interface(), second.peers()));
    assert_eq!(second.to_text(), written);
    assert!(written.contains("Jc = 4"));
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    let wrong = text().replace("AllowedIPs = 0.0.0.0/0, ::/0", "AllowedIPs = 0.0.0.0/0, ::/129");
    let Err(TunnelError::Config { diagnostics, more }) = Configuration::parse(wrong) else { panic!("it has an error") };
    let error = diagnostics.iter().find(|one| one.severity == Severity::Error).expect("an error");
    assert_eq!((error.line, error.column, error.section), (16, 25, Some(Section::Peer)));
    assert_eq!((error.key.as_deref(), more), (Some("AllowedIPs"), 0));
    assert!(!error.reason.is_empty());
}

#[test]
fn records_make_a_configuration_and_edit_one() {
    let key = PrivateKey::generate().expect("there is chance");
    let interface = InterfaceConfiguration {
        private_key: Some(Arc::clone(&key)),
        addresses: vec![network("10.7.0.2/32")],
        excluded_applications: vec!["org.example.game".into()],
        table: Some(RoutingTable::Off),
        ..Default::default()
    };
    let peer = PeerConfiguration {
        public_key: PrivateKey::generate().expect("there is chance").public_key(),
        allowed_ips: vec![network("10.7.1.9/16")],
        endpoint: Some(Endpoint::Address { address: address([192, 0, 2, 1], 51820) }),
        preshared_key: Some(PresharedKey::generate().expect("there is chance")),
        persistent_keepalive: 0,
    };
    let built = Configuration::build(interface.clone(), vec![peer.clone()]).expect("the records are good");
    assert_eq!(built.interface(), interface);
    assert_eq!(built.peers(), [PeerConfiguration { allowed_ips: vec![network("10.7.0.0/16")], ..peer.clone() }]);

    let text = text().replace("Jc = 4", "Jc = 4\nKillSwitch = lan\nExcludeUser = alice");
    let edited = Configuration::parse(text).expect("the text is good").edited(interface, vec![peer]);
    let written = edited.expect("the records are good").to_text();
    for line in ["Jc = 4\n", "KillSwitch = lan\n", "ExcludeUser = alice\n"] {
        assert!(written.contains(line), "what no record holds stays: {line}");
    }
}

#[test]
fn records_that_no_text_can_say_are_refused() {
    let peer = |public_key| PeerConfiguration {
        public_key,
        allowed_ips: Vec::new(),
        endpoint: None,
        preshared_key: None,
        persistent_keepalive: 0,
    };
    let plain = InterfaceConfiguration::default;
    let domain = |name: &str| InterfaceConfiguration {
        search_domains: vec![name.into()],
        dns: vec!["10.0.0.1".into()],
        ..plain()
    };
    let both = InterfaceConfiguration {
        included_applications: vec!["a".into()],
        excluded_applications: vec!["b".into()],
        ..plain()
    };
    let other = || PrivateKey::generate().expect("there is chance").public_key();
    let twin = other();
    let low = PublicKey::from_bytes([vec![1], vec![0; 31]].concat()).expect("32 bytes");
    let rows = [
        (plain(), vec![peer(Arc::clone(&twin)), peer(twin)], -3),
        (plain(), vec![peer(other()), peer(low)], -9),
        (domain("a,b"), vec![], -3),
        (domain("a\nPostUp = run"), vec![], -8),
        (both, vec![], -8),
        (InterfaceConfiguration { mtu: Some(60), ..plain() }, vec![], -12),
        (InterfaceConfiguration { dns: vec!["name".into()], ..plain() }, vec![], -3),
        (InterfaceConfiguration { addresses: vec![network("10.0.0.1/40")], ..plain() }, vec![], -11),
    ];
    for (row, (interface, peers, code)) in rows.into_iter().enumerate() {
        let error = Configuration::build(interface, peers).expect_err("no text says this");
        assert_eq!(error.code(), code, "row {row}: {error:?}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let configuration = Configuration::parse(text()).expect("the text is good");
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let secrets = [SECRET.to_owned(), SHARED.to_owned(), "hunter2".to_owned()];
    let of_bytes = [SECRET, SHARED].map(|key| PrivateKey::from_base64(key.into()).expect("a key").to_bytes());
    let secrets: Vec<String> = secrets.into_iter().chain(of_bytes.map(hex)).collect();
    let misplaced =
        format!("[Interface]\nAddress = {SECRET}\n[Peer]\nPublicKey = {SHARED}x\nAllowedIPs = {SECRET}\n{SHARED}\n");
    let error = Configuration::parse(misplaced).expect_err("it has errors");
    let options = TunnelOptions {
        configuration: Some(Arc::clone(&configuration)),
        private_key: Some(PrivateKey::from_base64(SECRET.into()).expect("a key")),
        ..Default::default()
    };
    let tunnel = Tunnel::new(options.clone(), None).expect("a tunnel");
    let key_error = PrivateKey::from_base64(format!("{SECRET}=")).expect_err("too long");
    let printed = [
        format!("{configuration:?} {:?} {:?}", configuration.interface(), configuration.peers()),
        format!("{options:?} {tunnel:?} {:?} {:?}", tunnel.peers(), tunnel.statistics()),
        format!("{error:?} {error} {key_error:?} {key_error}"),
        format!("{:?} {}", options.private_key, options.private_key.as_ref().expect("it was given")),
    ];
    for text in printed {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
    }
    assert!(configuration.to_text().contains("hunter2"), "the test looks for what is there");
}

#[test]
fn public_keys_are_equal_when_their_bytes_are() {
    let one = PublicKey::from_base64(PEER.into()).expect("a key");
    let same = PublicKey::from_hex(one.to_hex()).expect("a key");
    let other = PrivateKey::generate().expect("there is chance").public_key();
    assert!(one == same && one != other);
    assert_eq!(PublicKey::from_bytes(one.to_bytes()).expect("a key"), one);
    let secret = PrivateKey::generate().expect("there is chance");
    assert_eq!(PrivateKey::from_bytes(secret.to_bytes()).expect("a key"), secret);
    assert_ne!(PrivateKey::generate().expect("there is chance"), secret, "no two keys are the same");
}
