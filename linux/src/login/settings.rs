//! From what was granted to a configuration, within the client's own.
//!
//! The gateway says addresses and routes. What the file says itself of name servers, MTU and keepalives counts before what the
//! gateway says. Of the routes those are taken that are within the allowed IPs of the file ([`underpass_core::control::local`]).
use ipnet::IpNet;
use std::net::IpAddr;
use underpass_core::PrivateKey;
use underpass_core::config::{Endpoint, KillSwitch, LinuxSettings, QuickConfig};
use underpass_core::control::local::{self, Granted, LocalPolicy, Reason, Refused, Setting};
use underpass_core::control::message::Config;

/// Pieces at most that a route falls into when excluded routes are taken out of it.
const MOST_ROUTES: usize = 4096;

/// What the client's own file lets the gateway say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The allowed IPs of the gateway.
    pub allowed_ips: Vec<IpNet>,
    /// The address of the gateway's endpoint, if it is known.
    pub endpoint: Option<IpAddr>,
}

impl Policy {
    /// As the core takes it.
    #[must_use]
    pub fn as_local(&self) -> LocalPolicy<'_> {
        LocalPolicy { allowed_ips: &self.allowed_ips, endpoint: self.endpoint, any_route: false, any_excluded: false }
    }
}

/// The configuration with which a tunnel waits for what will be granted: the file's, without addresses, routes and name servers,
/// and without what depends on them.
#[must_use]
pub fn before_login(file: &QuickConfig) -> QuickConfig {
    let mut config = QuickConfig {
        save_config: false,
        addresses: Vec::new(),
        dns: Vec::new(),
        search_domains: Vec::new(),
        linux: LinuxSettings { kill_switch: file.linux.kill_switch, ..LinuxSettings::default() },
        ..file.clone()
    };
    config.tunnel.peers.iter_mut().for_each(|peer| peer.allowed_ips.clear());
    config
}

/// The configuration of the file with what was granted. `switch` is the kill switch that is asked for, or that is on already: with
/// none, there is one where everything goes through the tunnel, or where the gateway wants it.
#[must_use]
pub fn after_login(file: &QuickConfig, config: &Config, switch: Option<KillSwitch>) -> QuickConfig {
    let mut merged = QuickConfig { save_config: false, ..file.clone() };
    let v4 = config.v4.map(IpNet::V4);
    merged.addresses = v4.into_iter().chain(config.v6.map(IpNet::V6)).collect();
    let routes = routes(&config.routes, &config.excluded);
    let takes_all = config.routes.iter().any(|route| route.prefix_len() == 0);
    for peer in &mut merged.tunnel.peers {
        peer.allowed_ips.clone_from(&routes);
        if peer.persistent_keepalive == 0 {
            peer.persistent_keepalive = config.keepalive.unwrap_or(0);
        }
    }
    if merged.dns.is_empty() {
        merged.dns.clone_from(&config.dns);
        let split = config.split.iter().filter(|domain| !config.search.contains(domain));
        merged.search_domains = config.search.iter().chain(split).cloned().collect();
    }
    merged.mtu = merged.mtu.or(config.mtu);
    let wanted = if config.lan { KillSwitch::Lan } else { KillSwitch::On };
    let by_grant = (takes_all || config.kill_switch).then_some(wanted);
    merged.linux.kill_switch = switch.or(file.linux.kill_switch).or(by_grant);
    merged
}

/// The configuration of the file that enrolled a device, made one to log in with: with the device's own `key`, and with what the
/// gateway has to route, as far as nothing reserved and not its own endpoint is in it.
#[must_use]
pub fn enrolled(file: &QuickConfig, config: &Config, key: PrivateKey) -> QuickConfig {
    let mut merged = file.clone();
    merged.tunnel.private_key = Some(key);
    for peer in &mut merged.tunnel.peers {
        let endpoint = match &peer.endpoint {
            Some(Endpoint::Address(address)) => Some(address.ip()),
            _ => None,
        };
        let policy = LocalPolicy { allowed_ips: &[], endpoint, any_route: true, any_excluded: false };
        let routes = local::check(config, &policy).map(|granted| granted.config.routes).unwrap_or_default();
        let news = routes.into_iter().filter(|route| !peer.allowed_ips.contains(route)).collect::<Vec<_>>();
        peer.allowed_ips.extend(news);
    }
    merged
}

/// The routes without what is excluded. A route of everything stays whole: hosts find their way around it by a mark, and the local
/// network has routes of its own.
fn routes(routes: &[IpNet], excluded: &[IpNet]) -> Vec<IpNet> {
    let mut left = Vec::new();
    for route in routes {
        if route.prefix_len() == 0 { left.push(*route) } else { take_out(route.trunc(), excluded, &mut left) }
    }
    left
}

/// Adds to `left` what of `route` is outside `excluded`.
fn take_out(route: IpNet, excluded: &[IpNet], left: &mut Vec<IpNet>) {
    if excluded.iter().any(|other| other.contains(&route)) || left.len() >= MOST_ROUTES {
        return;
    }
    if !excluded.iter().any(|other| route.contains(other)) {
        left.push(route);
        return;
    }
    let halves = route.subnets(route.prefix_len() + 1).into_iter().flatten();
    halves.for_each(|half| take_out(half, excluded, left));
}

/// What is shown of what was granted, a line each.
#[must_use]
pub fn shown(config: &Config) -> Vec<String> {
    let list = |items: Vec<String>| items.join(", ");
    let nets = |nets: &[IpNet]| list(nets.iter().map(ToString::to_string).collect());
    let addresses: Vec<IpNet> = config.v4.map(IpNet::V4).into_iter().chain(config.v6.map(IpNet::V6)).collect();
    let rows = [
        ("addresses", nets(&addresses)),
        ("routes", nets(&config.routes)),
        ("excluded routes", nets(&config.excluded)),
        ("name servers", list(config.dns.iter().map(ToString::to_string).collect())),
        ("domains", list(config.search.iter().chain(&config.split).cloned().collect())),
    ];
    rows.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}: {value}")).collect()
}

/// What was not taken of it, and why.
#[must_use]
pub fn refused(said: &Refused) -> String {
    let what = match said.setting {
        Setting::V4 => "the IPv4 address".into(),
        Setting::V6 => "the IPv6 address".into(),
        Setting::Route(place) => format!("route {}", place + 1),
        Setting::Excluded(place) => format!("excluded route {}", place + 1),
        Setting::Dns(place) => format!("name server {}", place + 1),
        Setting::Search(place) => format!("search domain {}", place + 1),
        Setting::Split(place) => format!("split domain {}", place + 1),
        Setting::Mtu => "the MTU".into(),
        Setting::Keepalive => "the persistent keepalive".into(),
        _ => "a setting".into(),
    };
    let why = match said.reason {
        Reason::CoversEndpoint => "it covers the gateway's own endpoint",
        Reason::Reserved => "its addresses are reserved",
        Reason::OutsideAllowedIps => "it is outside AllowedIPs of the configuration",
        Reason::NotPrivate => "it would lead packets for public addresses past the tunnel",
        Reason::TooMany => "there are too many",
        Reason::Range => "it is out of range",
        Reason::Domain => "it is no name of a domain",
        _ => "the configuration does not allow it",
    };
    format!("{what} of the gateway is not taken: {why}")
}

/// Whether anything of what was granted can be used.
#[must_use]
pub fn is_of_use(granted: &Granted) -> bool {
    granted.config.v4.is_some() || granted.config.v6.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_core::config::parse;

    fn nets(text: &str) -> Vec<IpNet> {
        text.split(", ").filter(|net| !net.is_empty()).map(|net| net.parse().expect("a network")).collect()
    }

    fn file(interface: &str, peer: &str) -> QuickConfig {
        let text = format!(
            "[Interface]\nPrivateKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=\n{interface}\n\
             [Peer]\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\nAllowedIPs = 0.0.0.0/0\n{peer}\n"
        );
        parse(&text).config.expect("valid")
    }

    fn office() -> Config {
        Config {
            v4: "10.9.0.2/24".parse().ok(),
            v6: "fd09::2/64".parse().ok(),
            routes: nets("10.0.0.0/8, fd00::/8"),
            excluded: nets("10.64.0.0/10"),
            dns: vec!["10.0.0.53".parse().expect("an address")],
            search: vec!["office.example".into()],
            split: vec!["office.example".into(), "lab.example".into()],
            mtu: Some(1280),
            keepalive: Some(25),
            ..Config::default()
        }
    }

    #[test]
    fn before_the_login_nothing_goes_through_the_tunnel() {
        let file = file("Address = 192.0.2.1/24\nDNS = 192.0.2.53\nSaveConfig = true", "");
        let config = before_login(&file);
        assert!(config.addresses.is_empty() && config.tunnel.peers[0].allowed_ips.is_empty() && !config.save_config);
        assert!(config.dns.is_empty(), "they are not in reach");
        assert_eq!(after_login(&file, &office(), None).dns, file.dns, "the user's own choice");
    }

    #[test]
    fn what_was_granted_becomes_part_of_the_configuration() {
        let merged = after_login(&file("Address = 192.0.2.1/24", ""), &office(), None);
        assert_eq!(merged.addresses, nets("10.9.0.2/24, fd09::2/64"));
        let peer = &merged.tunnel.peers[0];
        assert_eq!(peer.allowed_ips, nets("10.0.0.0/10, 10.128.0.0/9, fd00::/8"), "without what is excluded");
        assert_eq!((peer.persistent_keepalive, merged.mtu), (25, Some(1280)));
        assert_eq!(merged.dns, office().dns);
        assert_eq!(merged.search_domains, ["office.example", "lab.example"]);
        assert_eq!(merged.linux.kill_switch, None, "part of the addresses needs none");
    }

    #[test]
    fn what_the_file_says_itself_counts_first() {
        let file = file("DNS = 192.0.2.53, home.example\nMTU = 1400", "PersistentKeepalive = 5");
        let merged = after_login(&file, &office(), None);
        assert_eq!((&merged.dns, &merged.search_domains, merged.mtu), (&file.dns, &file.search_domains, Some(1400)));
        assert_eq!(merged.tunnel.peers[0].persistent_keepalive, 5);
    }

    #[test]
    fn the_kill_switch_is_on_where_everything_goes_through_the_tunnel_or_the_gateway_wants_it() {
        let all = Config { routes: nets("0.0.0.0/0"), ..Config::default() };
        let asked = Config { kill_switch: true, ..office() };
        let lan = Config { lan: true, ..all.clone() };
        use KillSwitch::{Lan, Off, On};
        for (number, (interface, config, switch, expected)) in [
            ("", &all, None, Some(On)),
            ("", &lan, None, Some(Lan)),
            ("", &asked, None, Some(On)),
            ("", &office(), None, None),
            ("", &office(), Some(On), Some(On)),
            ("", &all, Some(Off), Some(Off)),
            ("KillSwitch = off", &all, None, Some(Off)),
            ("KillSwitch = lan", &office(), None, Some(Lan)),
        ]
        .into_iter()
        .enumerate()
        {
            let merged = after_login(&file(interface, ""), config, switch);
            assert_eq!(merged.linux.kill_switch, expected, "case {number}");
        }
    }

    #[test]
    fn a_file_that_enrolled_a_device_becomes_one_to_log_in_with() {
        let text = "[Interface]\nPrivateKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=\n\
                    [Peer]\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\nAllowedIPs = 10.8.0.1/32\n\
                    Endpoint = 192.0.2.1:51820\n";
        let file = parse(text).config.expect("valid");
        let key = PrivateKey::from_bytes([9; 32]).clamped();
        let routes = nets("10.8.0.1/32, 10.1.0.0/16, 192.0.2.0/24, 127.0.0.0/8");
        let merged = enrolled(&file, &Config { routes, ..Config::default() }, key.clone());
        assert_eq!(merged.tunnel.private_key, Some(key));
        assert_eq!(merged.tunnel.peers[0].allowed_ips, nets("10.8.0.1/32, 10.1.0.0/16"));
        assert_eq!(merged.tunnel.peers[0].endpoint, file.tunnel.peers[0].endpoint);
    }

    #[test]
    fn a_route_of_everything_stays_whole_and_one_that_is_all_excluded_goes() {
        assert_eq!(routes(&nets("0.0.0.0/0"), &nets("192.168.0.0/16")), nets("0.0.0.0/0"));
        assert_eq!(routes(&nets("10.1.0.0/16, 10.2.0.0/16"), &nets("10.1.0.0/16")), nets("10.2.0.0/16"));
        assert_eq!(routes(&nets("10.1.0.0/16"), &nets("10.0.0.0/8")), []);
        assert_eq!(routes(&nets("fd00::/8"), &nets("10.0.0.0/8")), nets("fd00::/8"));
        let cut = routes(&nets("10.0.0.0/8"), &nets("10.0.0.1/32"));
        assert_eq!(cut.len(), 24);
        let outside: std::net::IpAddr = "10.0.0.1".parse().expect("an address");
        assert!(cut.iter().all(|net| !net.contains(&outside)));
    }
}
