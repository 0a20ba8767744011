use super::{with_keys, without_keys};
use crate::crypto::{PresharedKey, PrivateKey, PublicKey};
use crate::time::UnixTime;
use crate::uapi::HostState;
use crate::uapi::get::{PeerFigures, write_allowed_ips, write_interface, write_peer};
use core::time::Duration;
use std::string::String;
use std::vec::Vec;

#[test]
fn an_interface_without_anything_is_nothing() {
    let mut text = String::new();
    write_interface(None, &HostState::default(), &mut text).unwrap();
    assert_eq!(text, "");
}

#[test]
fn an_interface_in_the_order_of_wireguard_go() {
    let mut text = String::new();
    let key = PrivateKey::from_hex(&with_keys("%priv%")).unwrap();
    write_interface(Some(&key), &HostState { listen_port: 51820, fwmark: u32::MAX }, &mut text).unwrap();
    assert_eq!(without_keys(&text), "private_key=%priv%\nlisten_port=51820\nfwmark=4294967295\n");
}

#[test]
fn a_peer_never_heard_of() {
    let mut text = String::new();
    let figures = PeerFigures {
        public_key: &PublicKey::from_hex(&with_keys("%a%")).unwrap(),
        preshared_key: None,
        endpoint: None,
        latest_handshake: None,
        tx_bytes: 0,
        rx_bytes: 0,
        persistent_keepalive: 0,
    };
    write_peer(&figures, &mut text).unwrap();
    write_allowed_ips(core::iter::empty(), &mut text).unwrap();
    let expected = "public_key=%a%\npreshared_key=%zero%\nprotocol_version=1\nlast_handshake_time_sec=0\n\
                    last_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\npersistent_keepalive_interval=0\n";
    assert_eq!(without_keys(&text), expected);
}

#[test]
fn a_peer_with_everything() {
    let endpoints = [
        ("192.0.2.1:51820", "192.0.2.1:51820"),
        ("[2001:db8::1]:1", "[2001:db8::1]:1"),
        ("[fe80::1%3]:65535", "[fe80::1%3]:65535"),
    ];
    for (i, (endpoint, written)) in endpoints.into_iter().enumerate() {
        let mut text = String::new();
        let figures = PeerFigures {
            public_key: &PublicKey::from_hex(&with_keys("%a%")).unwrap(),
            preshared_key: Some(&PresharedKey::from_hex(&with_keys("%psk%")).unwrap()),
            endpoint: Some(endpoint.parse().unwrap()),
            latest_handshake: Some(UnixTime::from_duration(Duration::new(1_700_000_000, 5))),
            tx_bytes: u64::MAX,
            rx_bytes: 92,
            persistent_keepalive: 25,
        };
        write_peer(&figures, &mut text).unwrap();
        let allowed: Vec<_> = ["10.0.0.0/8", "fd00::/8"].iter().map(|text| text.parse().unwrap()).collect();
        write_allowed_ips(allowed.into_iter(), &mut text).unwrap();
        let expected = "public_key=%a%\npreshared_key=%psk%\nprotocol_version=1\nendpoint=";
        let after = "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\ntx_bytes=18446744073709551615\n\
                     rx_bytes=92\npersistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\n";
        assert_eq!(without_keys(&text), [expected, written, "\n", after].concat(), "row {i}");
    }
}
