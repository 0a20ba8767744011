use super::{KEYS, with_keys, without_keys};
use crate::config::{Change, Endpoint, PeerAction, PeerChange};
use crate::uapi::{EINVAL, EPROTO, SetRequest, parse_set};
use proptest::prelude::*;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// A request told in short.
fn shown(request: &SetRequest) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(request.listen_port.map(|port| format!("port {port}")));
    words.extend(request.fwmark.map(|mark| format!("mark {mark}")));
    words.extend(request.changes.iter().map(|change| match change {
        Change::PrivateKey(None) => "no key".to_string(),
        Change::PrivateKey(Some(key)) => format!("key {}", *key.to_hex()),
        Change::RemoveAllPeers => "no peers".to_string(),
        Change::Mtu(mtu) => format!("mtu {mtu}"),
        Change::Padding(padding) => format!("{padding:?}"),
        Change::Limits(limits) => format!("{limits:?}"),
        Change::Peer(peer) => peer_shown(peer),
        #[cfg(feature = "control")]
        Change::Access { .. } | Change::Control(_) => "nothing that wg can say".to_string(),
        #[cfg(feature = "filter")]
        Change::Filter(_) => "nothing that wg can say".to_string(),
    }));
    without_keys(&words.join("; "))
}

fn peer_shown(peer: &PeerChange) -> String {
    let verb = match peer.action {
        PeerAction::Set => "set",
        PeerAction::Update => "update",
        PeerAction::Remove => "remove",
        #[cfg(feature = "control")]
        PeerAction::Admit(_) => "nothing that wg can say",
    };
    let mut words = std::vec![verb.to_string(), peer.public_key.to_hex()];
    words.extend(peer.preshared_key.as_ref().map(|key| format!("psk {}", *key.to_hex())));
    words.extend(peer.endpoint.as_ref().map(|endpoint| match endpoint {
        Endpoint::Address(address) => format!("at {address}"),
        Endpoint::Name { host, port } => format!("at name {host} {port}"),
    }));
    words.extend(peer.persistent_keepalive.map(|seconds| format!("every {seconds}")));
    words.extend(peer.replace_allowed_ips.then(|| "only".to_string()));
    let sign = |remove| if remove { "-" } else { "" };
    words.extend(peer.allowed_ips.iter().map(|a| format!("{}{}", sign(a.remove), a.network)));
    assert_eq!(peer.pin_endpoint, None);
    words.join(" ")
}

#[test]
fn accepted() {
    let rows = [
        // 0
        ("", ""),
        ("private_key=%priv%\n", "key %priv%"),
        ("private_key=%zero%\n", "no key"),
        ("listen_port=0\nfwmark=0\n", "port 0; mark 0"),
        ("listen_port=65535\nfwmark=4294967295\n", "port 65535; mark 4294967295"),
        // 5: as `wg setconf` sends it
        (
            "private_key=%priv%\nlisten_port=51820\nfwmark=0\nreplace_peers=true\npublic_key=%a%\npreshared_key=%psk%\n\
             endpoint=192.0.2.1:51820\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\n\
             allowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\npublic_key=%b%\nreplace_allowed_ips=true\n",
            "port 51820; mark 0; key %priv%; no peers; \
             set %a% psk %psk% at 192.0.2.1:51820 every 25 only 10.0.0.0/8 fd00::/8; set %b% only",
        ),
        // 6: as `wg set ... remove` sends it; a line of the peer that follows is read but changes nothing
        ("public_key=%a%\nremove=true\n", "remove %a%"),
        ("public_key=%a%\nallowed_ip=::/0\nremove=true\nendpoint=192.0.2.1:1\nupdate_only=true\n", "remove %a%"),
        ("public_key=%a%\nupdate_only=true\npreshared_key=%zero%\n", "update %a% psk %zero%"),
        ("public_key=%a%\nupdate_only=true\nremove=true\n", "remove %a%"),
        // 10: the same peer again is another change
        ("public_key=%a%\nremove=true\npublic_key=%a%\nallowed_ip=::/0\n", "remove %a%; set %a% ::/0"),
        ("public_key=%a%\nprotocol_version=1\n", "set %a%"),
        ("public_key=%a%\nendpoint=[2001:db8::1]:1\n", "set %a% at [2001:db8::1]:1"),
        ("public_key=%a%\nendpoint=[fe80::1%7]:1\n", "set %a% at [fe80::1%7]:1"),
        ("public_key=%a%\nendpoint=[fe80::1%eth0.2]:1\n", "set %a% at name fe80::1%eth0.2 1"),
        // 15
        ("public_key=%a%\nallowed_ip=-10.0.0.0/8\nallowed_ip=10.0.0.1/8\n", "set %a% -10.0.0.0/8 10.0.0.0/8"),
        (
            "public_key=%a%\nallowed_ip=1.0.0.0/8\nreplace_allowed_ips=true\nallowed_ip=2.0.0.0/8\n",
            "set %a% only 2.0.0.0/8",
        ),
        ("public_key=%a%\npersistent_keepalive_interval=0", "set %a% every 0"),
        // 18: nothing behind the empty line counts; carriage returns do not either
        ("listen_port=1\n\nlisten_port=x\n", "port 1"),
        ("listen_port=1\r\nfwmark=2\r\n", "port 1; mark 2"),
    ];
    for (i, (text, expected)) in rows.into_iter().enumerate() {
        let request = parse_set(&with_keys(text)).unwrap_or_else(|error| panic!("row {i}: {error}"));
        assert_eq!(shown(&request), expected, "row {i}");
    }
}

#[test]
fn refused() {
    let rows = [
        // 0
        ("listen_port\n", EPROTO, "line 1: expected key=value"),
        ("%psk%\n", EPROTO, "line 1: expected key=value"),
        ("listen_port=1\n \n", EPROTO, "line 2: expected key=value"),
        ("%psk%=true\n", EINVAL, "line 1: unknown key"),
        ("Listen_Port=1\n", EINVAL, "line 1: unknown key"),
        // 5: keys of the other part
        ("endpoint=192.0.2.1:1\n", EINVAL, "line 1: endpoint: unknown key"),
        ("protocol_version=1\n", EINVAL, "line 1: protocol_version: unknown key"),
        ("public_key=%a%\nlisten_port=1\n", EINVAL, "line 2: listen_port: unknown key"),
        ("private_key=\n", EINVAL, "line 1: private_key: key has the wrong length"),
        ("private_key=%priv%0\n", EINVAL, "line 1: private_key: key has the wrong length"),
        // 10
        ("public_key=g%.63%\n", EINVAL, "line 1: public_key: key is not correctly encoded"),
        ("public_key=%a%\npreshared_key= %psk%\n", EINVAL, "line 2: preshared_key: key has the wrong length"),
        ("listen_port=65536\n", EINVAL, "line 1: listen_port: not a number in range"),
        ("listen_port=+1\n", EINVAL, "line 1: listen_port: not a number in range"),
        ("listen_port=\n", EINVAL, "line 1: listen_port: not a number in range"),
        // 15
        ("fwmark=0x1\n", EINVAL, "line 1: fwmark: not a number in range"),
        ("fwmark=4294967296\n", EINVAL, "line 1: fwmark: not a number in range"),
        ("replace_peers=false\n", EINVAL, "line 1: replace_peers: expected true"),
        ("public_key=%a%\nremove=1\n", EINVAL, "line 2: remove: expected true"),
        ("public_key=%a%\nremove=true\nupdate_only=\n", EINVAL, "line 3: update_only: expected true"),
        // 20
        ("public_key=%a%\nreplace_allowed_ips=TRUE\n", EINVAL, "line 2: replace_allowed_ips: expected true"),
        ("public_key=%a%\nendpoint=example.com:1\n", EINVAL, "line 2: endpoint: not an address and port"),
        ("public_key=%a%\nendpoint=192.0.2.1\n", EINVAL, "line 2: endpoint: not an address and port"),
        ("public_key=%a%\nendpoint=::1:1\n", EINVAL, "line 2: endpoint: not an address and port"),
        ("public_key=%a%\nendpoint=[::1]:65536\n", EINVAL, "line 2: endpoint: not an address and port"),
        // 25
        ("public_key=%a%\nendpoint=[::1%]:1\n", EINVAL, "line 2: endpoint: not an address and port"),
        ("public_key=%a%\nendpoint=[::1%a b]:1\n", EINVAL, "line 2: endpoint: not an address and port"),
        (
            "public_key=%a%\npersistent_keepalive_interval=65536\n",
            EINVAL,
            "line 2: persistent_keepalive_interval: not a number in range",
        ),
        (
            "public_key=%a%\npersistent_keepalive_interval=off\n",
            EINVAL,
            "line 2: persistent_keepalive_interval: not a number in range",
        ),
        ("public_key=%a%\nallowed_ip=10.0.0.1\n", EINVAL, "line 2: allowed_ip: not an address and prefix length"),
        // 30
        ("public_key=%a%\nallowed_ip=10.0.0.0/33\n", EINVAL, "line 2: allowed_ip: not an address and prefix length"),
        ("public_key=%a%\nallowed_ip=+10.0.0.0/8\n", EINVAL, "line 2: allowed_ip: not an address and prefix length"),
        ("public_key=%a%\nallowed_ip=--10.0.0.0/8\n", EINVAL, "line 2: allowed_ip: not an address and prefix length"),
        ("public_key=%a%\nprotocol_version=2\n", EINVAL, "line 2: protocol_version: unknown version of the protocol"),
        ("listen_port=1\nfwmark=2\npublic_key=%a%\n=\n", EINVAL, "line 4: unknown key"),
    ];
    for (i, (text, errno, expected)) in rows.into_iter().enumerate() {
        let text = with_keys(text).replace("%.63%", &"0".repeat(63));
        let error = parse_set(&text).expect_err(expected);
        assert_eq!(error.to_string(), expected, "row {i}");
        assert_eq!(error.errno(), errno, "row {i}");
        says_nothing_of_keys(&format!("{error} {error:?}"));
    }
}

fn says_nothing_of_keys(said: &str) {
    for (_, key) in &KEYS[..4] {
        for part in key.as_bytes().windows(6) {
            assert!(!said.contains(std::str::from_utf8(part).unwrap()), "a part of a key is in {said}");
        }
    }
}

#[test]
fn a_request_shows_no_secret() {
    let request = parse_set(&with_keys("private_key=%priv%\npublic_key=%a%\npreshared_key=%psk%\n")).unwrap();
    let shown = format!("{request:?}");
    assert!(shown.contains("PrivateKey(redacted)") && shown.contains("PresharedKey(redacted)"));
}

/// Lines of known keys with values that are right or nearly so.
fn plausible() -> impl Strategy<Value = String> {
    let key = "private_key|listen_port|fwmark|replace_peers|public_key|remove|update_only|preshared_key|endpoint|\
               persistent_keepalive_interval|replace_allowed_ips|allowed_ip|protocol_version|.{0,5}";
    let value =
        "true|1|%a%|%psk%|%zero%|-?[0-9a-f.:]{0,12}/[0-9]{0,3}|\\[?[0-9a-f.:%]{0,12}\\]?:[0-9]{0,5}|[0-9]{0,12}|.{0,9}";
    prop::collection::vec((key, value), 0..12)
        .prop_map(|lines| lines.iter().map(|(key, value)| with_keys(&format!("{key}={value}\n"))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in prop_oneof!["(?s).{0,200}".boxed(), plausible().boxed()]) {
        let lines = text.lines().count();
        match parse_set(&text) {
            Ok(request) => prop_assert!(request.changes.len() <= lines),
            Err(error) => prop_assert!((1..=lines).contains(&(error.line as usize))),
        }
    }

    #[test]
    fn a_piece_replaced_is_answered(place in any::<prop::sample::Index>(), length in 0..9usize, piece in ".{0,9}") {
        let text = with_keys("private_key=%priv%\nfwmark=5\npublic_key=%a%\nendpoint=[fe80::1%7]:1\nallowed_ip=-::/0\n");
        let start = place.index(text.len());
        let end = (start + length).min(text.len());
        let _ = parse_set(&[&text[..start], &piece, &text[end..]].concat());
    }
}
