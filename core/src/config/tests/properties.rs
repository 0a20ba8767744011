//! What holds for every text and every configuration.
use super::{SETTINGS, with_keys};
use crate::config::{
    AmneziaSetting, Endpoint, KillSwitch, LinuxSettings, NewPeer, Parsed, QuickConfig, Severity, Table,
};
use crate::config::{parse, parse_with, settings, write};
use crate::crypto::{PresharedKey, PrivateKey, PublicKey};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use ipnet::IpNet;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use std::string::{String, ToString};
use zeroize::Zeroizing;

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|a| IpAddr::from(Ipv4Addr::from(a))),
        any::<[u8; 16]>().prop_map(|a| IpAddr::from(Ipv6Addr::from(a))),
    ]
}

fn network() -> impl Strategy<Value = IpNet> {
    (address(), 0..=128u8).prop_map(|(a, len)| IpNet::new(a, if a.is_ipv4() { len.min(32) } else { len }).unwrap())
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        (address(), 1..=u16::MAX).prop_map(|(a, port)| Endpoint::Address(SocketAddr::new(a, port))),
        ("[a-z][a-z0-9_-]{0,9}(\\.[a-z][a-z0-9]{0,9}){0,3}", 1..=u16::MAX)
            .prop_map(|(host, port)| Endpoint::Name { host, port }),
    ]
}

fn public_key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(PublicKey::from_bytes).prop_filter("low order", |key| !key.is_low_order())
}

/// A peer as the parser yields it.
fn peer(public_key: PublicKey) -> impl Strategy<Value = NewPeer> {
    let allowed = vec(network(), 0..4);
    (of(any::<[u8; 32]>()), of(endpoint()), any::<u16>(), allowed).prop_map(
        move |(preshared, endpoint, persistent_keepalive, allowed)| NewPeer {
            preshared_key: preshared.map(PresharedKey::from_bytes),
            endpoint,
            persistent_keepalive,
            allowed_ips: allowed.iter().map(IpNet::trunc).collect(),
            ..NewPeer::new(public_key)
        },
    )
}

fn table() -> impl Strategy<Value = Table> {
    prop_oneof![
        Just(Table::Auto),
        Just(Table::Off),
        any::<u32>().prop_map(Table::Number),
        "[b-z][a-z0-9_.-]{3,8}".prop_map(Table::Name),
    ]
}

fn command() -> impl Strategy<Value = String> {
    "[^\n]{1,40}".prop_map(|text| text.trim().to_string()).prop_filter("empty", |text| !text.is_empty())
}

prop_compose! {
    fn linux()(
        kill_switch in of(prop::sample::select(&[KillSwitch::Off, KillSwitch::On, KillSwitch::Lan][..])),
        users in vec("[a-z_][a-z0-9_.-]{0,8}|[0-9]{1,5}", 0..3), cgroups in vec("[a-z.]{3,9}(/[a-z.]{3,9})?", 0..3),
        out in any::<bool>(),
    ) -> LinuxSettings {
        let settings = LinuxSettings { kill_switch, ..LinuxSettings::default() };
        if out {
            LinuxSettings { exclude_users: users, exclude_cgroups: cgroups, ..settings }
        } else {
            LinuxSettings { only_users: users, only_cgroups: cgroups, ..settings }
        }
    }
}

prop_compose! {
    fn around()(
        addresses in vec(network(), 0..3), dns in vec(address(), 0..3), search_domains in vec("~?[a-z]{1,9}", 0..3),
        mtu in of(68..=u16::MAX), listen_port in of(any::<u16>()), fwmark in of(any::<u32>()), table in table(),
        commands in vec(vec(command(), 0..3), 4), save_config in any::<bool>(), applications in vec("[a-z.]{1,9}", 0..3),
        included in any::<bool>(), amnezia in btree_map("Jc|S1|I5|HeaderProtectionKey", "[!-\"$-~]{1,9}", 0..3), linux in linux(),
    ) -> QuickConfig {
        let [pre_up, post_up, pre_down, post_down] = <[_; 4]>::try_from(commands).unwrap();
        let setting = |(key, value): (String, String)| AmneziaSetting {
            key: settings::find(&key).unwrap().name, value: Zeroizing::new(value),
        };
        let (included_applications, excluded_applications) =
            if included { (applications, Default::default()) } else { (Default::default(), applications) };
        QuickConfig {
            tunnel: Default::default(), addresses, dns, search_domains, mtu, listen_port, fwmark, table, pre_up, post_up,
            pre_down, post_down, save_config, linux, included_applications, excluded_applications,
            amnezia: amnezia.into_iter().map(setting).collect(),
        }
    }
}

fn config() -> impl Strategy<Value = QuickConfig> {
    let peers = vec(public_key().prop_flat_map(peer), 0..4);
    (around(), of(any::<[u8; 32]>()), peers).prop_map(|(mut config, private, peers)| {
        config.tunnel.private_key = private.map(PrivateKey::from_bytes);
        config.tunnel.mtu = config.mtu.unwrap_or(config.tunnel.mtu);
        config.tunnel.peers = peers;
        config
    })
}

/// A valid text with one piece replaced.
fn mutated() -> impl Strategy<Value = String> {
    (config(), any::<prop::sample::Index>(), 0..9usize, ".{0,9}").prop_map(|(config, place, length, piece)| {
        let text: std::vec::Vec<char> = write(&config).chars().collect();
        let start = place.index(text.len());
        let end = (start + length).min(text.len());
        text[..start].iter().copied().chain(piece.chars()).chain(text[end..].iter().copied()).collect()
    })
}

/// Lines of known keys with values that are nearly right.
fn plausible() -> impl Strategy<Value = String> {
    let key = prop::sample::select(settings::SETTINGS).prop_map(|row| row.name.to_string());
    let marks = SETTINGS.iter().map(|(mark, _)| mark.to_string()).collect::<std::vec::Vec<_>>();
    let value = prop_oneof![
        prop::sample::select(marks),
        "[-+]?[0-9./:, xa-f%\\[\\]]{0,20}",
        "off|auto|true|a\\.b:1|\\[::1\\]:5|10\\.0\\.0\\.0/8,|",
        ".{0,12}",
    ];
    let line = prop_oneof![
        3 => (key, value).prop_map(|(key, value)| [&key, " = ", &value].concat()),
        1 => Just("[Interface]".to_string()), 1 => Just("[Peer]".to_string()),
    ];
    vec(line, 0..20).prop_map(|lines| with_keys(&lines.join("\n")))
}

fn holds_for(text: &str) -> Result<(), TestCaseError> {
    let parsed = parse(text);
    let faulty = parsed.diagnostics.iter().any(|d| d.severity == Severity::Error);
    prop_assert_eq!(parsed.config.is_none(), faulty);
    let lines: std::vec::Vec<_> = text.split('\n').collect();
    for d in &parsed.diagnostics {
        let line = lines.get(d.line as usize - 1);
        let width = line.map(|line| line.chars().count()).unwrap_or_default();
        prop_assert!((1..=width.max(1) + 1).contains(&(d.column as usize)), "{} is beyond the text", d);
        prop_assert_eq!(d.severity, d.reason.severity());
    }
    for max in [0, 1, 3] {
        bounded(text, max, &parsed)?;
    }
    if let Some(config) = parsed.config {
        prop_assert_eq!(parse(&write(&config)).config, Some(config));
    }
    Ok(())
}

/// A bound on the diagnostics changes nothing but how many are kept; errors are kept before warnings.
fn bounded(text: &str, max: usize, whole: &Parsed) -> Result<(), TestCaseError> {
    let some = parse_with(text, max);
    prop_assert_eq!(&some.config, &whole.config);
    prop_assert_eq!(some.diagnostics.len(), whole.diagnostics.len().min(max));
    prop_assert_eq!(some.diagnostics.len() + some.more, whole.diagnostics.len());
    let errors = |parsed: &Parsed| parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    prop_assert_eq!(errors(&some), errors(whole).min(max));
    prop_assert!(some.diagnostics.is_sorted_by_key(|d| (d.line, d.column)));
    prop_assert!(some.diagnostics.iter().all(|d| whole.diagnostics.iter().any(|w| w.line == d.line)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(config in config()) {
        let parsed = parse(&write(&config));
        prop_assert_eq!(parsed.config, Some(config));
    }

    #[test]
    fn any_text_is_answered(text in "(?s).{0,200}") { holds_for(&text)?; }

    #[test]
    fn mutated_texts_are_answered(text in mutated()) { holds_for(&text)?; }

    #[test]
    fn plausible_texts_are_answered(text in plausible()) { holds_for(&text)?; }
}
