//! What a client takes of the settings that its gateway gives it.
//!
//! A gateway may be wrong or hostile. So the client's own configuration has the last word: settings that would lead packets
//! past the tunnel, the tunnel into itself, or the machine's own traffic elsewhere are left out, each with a reason, and the
//! rest applies.
use super::message::{Config, MAX_DNS, MAX_DOMAINS, MAX_ROUTES, is_domain};
use crate::memory::{self, NoMemory};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The MTUs that are taken.
pub const MTU: RangeInclusive<u16> = 576..=9000;
/// The persistent keepalive intervals that are taken, in seconds.
pub const KEEPALIVE: RangeInclusive<u16> = 0..=3600;

/// What the client's own configuration says.
#[derive(Clone, Copy, Debug)]
pub struct LocalPolicy<'a> {
    /// The allowed IPs of the gateway.
    pub allowed_ips: &'a [IpNet],
    /// The address of the gateway's endpoint, if it is known.
    pub endpoint: Option<IpAddr>,
    /// Whether routes outside the allowed IPs are taken.
    pub any_route: bool,
    /// Whether networks other than private ones may be excluded from the tunnel.
    pub any_excluded: bool,
}

/// What is taken, and what is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// The settings without what was refused.
    pub config: Config,
    /// What was refused, in the order of the settings.
    pub refused: Vec<Refused>,
}

/// A setting that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub setting: Setting,
    /// Why.
    pub reason: Reason,
}

/// A setting, or an entry of a list, by its place from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// The inner IPv4 address.
    V4,
    /// The inner IPv6 address.
    V6,
    /// A route.
    Route(usize),
    /// An excluded route.
    Excluded(usize),
    /// A name server.
    Dns(usize),
    /// A search domain.
    Search(usize),
    /// A split domain.
    Split(usize),
    /// The MTU.
    Mtu,
    /// The persistent keepalive.
    Keepalive,
}

/// Why a setting is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It covers the gateway's endpoint: the tunnel would be led into itself.
    CoversEndpoint,
    /// It has loopback, link-local, multicast or unspecified addresses.
    Reserved,
    /// It is outside the allowed IPs, and the client's configuration does not allow that.
    OutsideAllowedIps,
    /// It would lead packets for public addresses past the tunnel.
    NotPrivate,
    /// There are more than are taken.
    TooMany,
    /// The value is out of range.
    Range,
    /// It is no domain name.
    Domain,
}

/// Networks whose addresses a gateway has no say in. A route of everything, which has no address of its own, is none of them.
const RESERVED: [IpNet; 9] = [
    v4([0, 0, 0, 0], 8),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([224, 0, 0, 0], 4),
    v4([255, 255, 255, 255], 32),
    v6(0, 127),
    v6(0xfe80 << 112, 10),
    v6(0xff00 << 112, 8),
    v6(0xffff << 32, 96),
];
/// Networks that are nobody's on the Internet (RFC 1918, RFC 3927, RFC 4193, RFC 4291 § 2.5.6).
const PRIVATE: [IpNet; 6] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([169, 254, 0, 0], 16),
    v6(0xfc00 << 112, 7),
    v6(0xfe80 << 112, 10),
];

/// Holds the settings of a gateway against the client's own configuration.
///
/// A route of everything (`0.0.0.0/0`, `::/0`) covers loopback and the endpoint and is taken all the same where the allowed IPs
/// have it or any route is allowed: hosts lead their own datagrams and loopback around it, as they do for the allowed IPs. Two halves of
/// everything are not.
///
/// `None`: there is no memory for the result.
#[must_use]
pub fn check(config: &Config, policy: &LocalPolicy<'_>) -> Option<Granted> {
    granted(config, policy).ok()
}

fn granted(config: &Config, policy: &LocalPolicy<'_>) -> Result<Granted, NoMemory> {
    let mut granted = Granted::default();
    let refused = &mut granted.refused;
    let v4 = one(refused, Setting::V4, config.v4, |net| inner_address(net.addr().into()))?;
    let v6 = one(refused, Setting::V6, config.v6, |net| inner_address(net.addr().into()))?;
    let routes = each(refused, Setting::Route, MAX_ROUTES, &config.routes, |net| route(net, policy), copied)?;
    let excluded = each(refused, Setting::Excluded, MAX_ROUTES, &config.excluded, |net| excluded(net, policy), copied)?;
    let dns = each(refused, Setting::Dns, MAX_DNS, &config.dns, |server| inner_address(*server), copied)?;
    let search = each(
        refused,
        Setting::Search,
        MAX_DOMAINS,
        &config.search,
        |text| domain(text),
        |text| memory::copy_text(text),
    )?;
    let split =
        each(refused, Setting::Split, MAX_DOMAINS, &config.split, |text| domain(text), |text| memory::copy_text(text))?;
    let mtu = one(refused, Setting::Mtu, config.mtu, |mtu| in_range(&MTU, *mtu))?;
    let keepalive = one(refused, Setting::Keepalive, config.keepalive, |seconds| in_range(&KEEPALIVE, *seconds))?;
    granted.config = Config {
        version: config.version,
        v4,
        v6,
        routes,
        excluded,
        dns,
        search,
        split,
        mtu,
        keepalive,
        lan: config.lan,
        kill_switch: config.kill_switch,
    };
    Ok(granted)
}

/// A setting, if it is good.
fn one<T>(
    refused: &mut Vec<Refused>,
    setting: Setting,
    value: Option<T>,
    check: impl Fn(&T) -> Result<(), Reason>,
) -> Result<Option<T>, NoMemory> {
    match value.as_ref().map(check) {
        Some(Err(reason)) => memory::push(refused, Refused { setting, reason }).map(|()| None),
        _ => Ok(value),
    }
}

/// The good entries of a list.
fn each<T>(
    refused: &mut Vec<Refused>,
    setting: impl Fn(usize) -> Setting,
    max: usize,
    list: &[T],
    check: impl Fn(&T) -> Result<(), Reason>,
    copy: impl Fn(&T) -> Result<T, NoMemory>,
) -> Result<Vec<T>, NoMemory> {
    let mut good = Vec::new();
    for (place, entry) in list.iter().enumerate() {
        let checked = if good.len() < max { check(entry) } else { Err(Reason::TooMany) };
        match checked {
            Ok(()) => memory::push(&mut good, copy(entry)?)?,
            Err(reason) => memory::push(refused, Refused { setting: setting(place), reason })?,
        }
    }
    Ok(good)
}

fn route(net: &IpNet, policy: &LocalPolicy<'_>) -> Result<(), Reason> {
    let is_everything = net.prefix_len() == 0;
    if !is_everything && policy.endpoint.is_some_and(|endpoint| net.contains(&endpoint)) {
        return Err(Reason::CoversEndpoint);
    }
    if !is_everything && is_reserved(net) {
        return Err(Reason::Reserved);
    }
    let is_allowed = policy.any_route || policy.allowed_ips.iter().any(|allowed| allowed.contains(net));
    if is_allowed { Ok(()) } else { Err(Reason::OutsideAllowedIps) }
}

/// The local network may stay in reach; the Internet may not be led past the tunnel unless the client wants that.
fn excluded(net: &IpNet, policy: &LocalPolicy<'_>) -> Result<(), Reason> {
    let is_private = PRIVATE.iter().any(|private| private.contains(net));
    if policy.any_excluded || is_private { Ok(()) } else { Err(Reason::NotPrivate) }
}

fn inner_address(address: IpAddr) -> Result<(), Reason> {
    if RESERVED.iter().any(|reserved| reserved.contains(&address)) { Err(Reason::Reserved) } else { Ok(()) }
}

fn is_reserved(net: &IpNet) -> bool {
    RESERVED.iter().any(|reserved| reserved.contains(net) || net.contains(reserved))
}

fn domain(text: &str) -> Result<(), Reason> {
    if is_domain(text) { Ok(()) } else { Err(Reason::Domain) }
}

fn in_range(range: &RangeInclusive<u16>, value: u16) -> Result<(), Reason> {
    if range.contains(&value) { Ok(()) } else { Err(Reason::Range) }
}

fn copied<T: Copy>(value: &T) -> Result<T, NoMemory> {
    Ok(*value)
}

const fn v4([a, b, c, d]: [u8; 4], len: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), len))
}

const fn v6(bits: u128, len: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::{format, vec};

    fn nets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|text| text.parse().expect("a network")).collect()
    }

    #[test]
    fn a_route_is_taken_when_it_leads_to_the_gateways_networks_and_nowhere_else() {
        use Reason::{CoversEndpoint, OutsideAllowedIps, Reserved};
        let office = nets(&["10.0.0.0/8", "fd00::/8", "192.0.2.0/24"]);
        let full = nets(&["0.0.0.0/0", "::/0"]);
        let endpoint = "192.0.2.7".parse().ok();
        for (number, (route, in_office, in_full, any)) in [
            ("10.1.0.0/16", Ok(()), Ok(()), Ok(())),
            ("10.0.0.0/8", Ok(()), Ok(()), Ok(())),
            ("fd00:1::/64", Ok(()), Ok(()), Ok(())),
            ("192.0.2.128/25", Ok(()), Ok(()), Ok(())),
            ("192.0.2.0/25", Err(CoversEndpoint), Err(CoversEndpoint), Err(CoversEndpoint)),
            ("192.0.2.7/32", Err(CoversEndpoint), Err(CoversEndpoint), Err(CoversEndpoint)),
            ("128.0.0.0/1", Err(CoversEndpoint), Err(CoversEndpoint), Err(CoversEndpoint)),
            ("0.0.0.0/0", Err(OutsideAllowedIps), Ok(()), Ok(())),
            ("::/0", Err(OutsideAllowedIps), Ok(()), Ok(())),
            ("0.0.0.0/1", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("::/1", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("8.8.8.8/32", Err(OutsideAllowedIps), Ok(()), Ok(())),
            ("127.0.0.0/8", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("127.0.0.53/32", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("126.0.0.0/7", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("::1/128", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("::ffff:127.0.0.1/128", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("fe80::/64", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("ff02::1/128", Err(Reserved), Err(Reserved), Err(Reserved)),
            ("224.0.0.0/4", Err(Reserved), Err(Reserved), Err(Reserved)),
        ]
        .into_iter()
        .enumerate()
        {
            for (allowed_ips, any_route, expected) in
                [(&office, false, in_office), (&full, false, in_full), (&office, true, any)]
            {
                let policy = LocalPolicy { allowed_ips, endpoint, any_route, any_excluded: false };
                let config = Config { routes: nets(&[route]), ..Config::default() };
                let granted = check(&config, &policy).expect("memory");
                let refused: Vec<_> = granted.refused.iter().map(|refused| (refused.setting, refused.reason)).collect();
                match expected {
                    Ok(()) => assert_eq!((granted.config, refused), (config, vec![]), "{number}: {route}"),
                    Err(reason) => {
                        assert_eq!((granted.config, refused), (Config::default(), vec![(Setting::Route(0), reason)]));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_left_out_and_the_rest_applies() {
        let all = nets(&["0.0.0.0/0", "::/0"]);
        let policy = LocalPolicy { allowed_ips: &all, endpoint: None, any_route: false, any_excluded: false };
        let good = Config {
            version: 7,
            v4: "10.9.0.2/24".parse().ok(),
            routes: nets(&["10.0.0.0/8"]),
            excluded: nets(&["192.168.0.0/16"]),
            dns: vec![IpAddr::from([10, 0, 0, 1])],
            search: vec!["office.example".into()],
            mtu: Some(576),
            keepalive: Some(3600),
            lan: true,
            kill_switch: true,
            ..Config::default()
        };
        assert_eq!(check(&good, &policy), Some(Granted { config: good.clone(), refused: vec![] }));
        let mut bad = good.clone();
        bad.v6 = "ff02::1/64".parse().ok();
        bad.excluded.extend(nets(&["8.8.8.0/24", "0.0.0.0/0"]));
        bad.dns.push(IpAddr::from([127, 0, 0, 1]));
        bad.search.push("two words".into());
        bad.split.push(String::new());
        (bad.mtu, bad.keepalive) = (Some(575), Some(3601));
        let granted = check(&bad, &policy).expect("memory");
        assert_eq!(granted.config, Config { mtu: None, keepalive: None, ..good });
        let refused: Vec<_> = granted.refused.iter().map(|refused| (refused.setting, refused.reason)).collect();
        assert_eq!(
            refused,
            [
                (Setting::V6, Reason::Reserved),
                (Setting::Excluded(1), Reason::NotPrivate),
                (Setting::Excluded(2), Reason::NotPrivate),
                (Setting::Dns(1), Reason::Reserved),
                (Setting::Search(1), Reason::Domain),
                (Setting::Split(0), Reason::Domain),
                (Setting::Mtu, Reason::Range),
                (Setting::Keepalive, Reason::Range),
            ]
        );
    }

    #[test]
    fn lists_are_cut_at_their_caps() {
        let all = nets(&["0.0.0.0/0"]);
        let policy = LocalPolicy { allowed_ips: &all, endpoint: None, any_route: false, any_excluded: false };
        let routes: Vec<_> = (0..300_u32).map(|n| format!("10.{}.{}.0/24", n >> 8, n & 255).parse().unwrap()).collect();
        let config = Config {
            routes: routes.clone(),
            dns: vec![IpAddr::from([10, 0, 0, 1]); 9],
            split: vec!["a.example".into(); 65],
            ..Config::default()
        };
        let granted = check(&config, &policy).expect("memory");
        assert_eq!(granted.config.routes, routes[..256]);
        assert_eq!((granted.config.dns.len(), granted.config.split.len()), (8, 64));
        assert_eq!(granted.refused.len(), 44 + 1 + 1);
        assert!(granted.refused.iter().all(|refused| refused.reason == Reason::TooMany));
    }
}
