//! From a configuration and the facts about the machine to a list of steps.
use super::facts::Facts;
use super::firewall::Firewall;
use super::step::{Family, Phase, Step};
use crate::dns::{Dns, Server};
use crate::guard;
use ipnet::IpNet;
use std::collections::BTreeSet;
use underpass_core::PrivateKey;
use underpass_core::config::{QuickConfig, Table};

/// The least MTU of an IPv6 link (RFC 8200 § 5).
const IPV6_MIN_MTU: u16 = 1280;

/// What to do to bring a tunnel up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The interface.
    pub name: String,
    /// Its MTU in bytes.
    pub mtu: u16,
    /// The mark of the tunnel's datagrams, 0 for none.
    pub mark: u32,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan to bring `config` up as interface `name`.
    #[must_use]
    pub fn up(name: &str, config: &QuickConfig, facts: &Facts) -> Self {
        let mtu = config.mtu.unwrap_or(facts.mtu);
        let mark =
            if has_default_route(config) || facts.guard.is_some() { facts.table } else { config.fwmark.unwrap_or(0) };
        // Before anything else, so that nothing leaves meanwhile.
        let mut steps = guard::steps::first(facts);
        steps.push(Step::Start);
        steps.extend(hooks(name, Phase::PreUp, &config.pre_up));
        // Below its least MTU Linux has no IPv6 on an interface, and takes no address.
        let has_ipv6 = mtu >= IPV6_MIN_MTU && facts.ipv6;
        let addresses = config.addresses.iter().filter(|address| has_ipv6 || Family::of(address) == Family::V4);
        steps.extend(addresses.copied().map(Step::Address));
        steps.push(Step::LinkUp { mtu });
        if !config.dns.is_empty() {
            steps.push(Step::Dns(dns(name, config, facts)));
        }
        steps.extend(guard::steps::barriers(config, facts));
        for network in networks(config).filter(|network| facts.ipv6 || Family::of(network) == Family::V4) {
            route(&mut steps, name, network, config, facts);
        }
        steps.extend(guard::steps::last(name, config, facts));
        steps.extend(hooks(name, Phase::PostUp, &config.post_up));
        Self { name: name.into(), mtu, mark, steps }
    }

    /// The hooks to run before `down`.
    #[must_use]
    pub fn pre_down(name: &str, config: &QuickConfig) -> Vec<Step> {
        hooks(name, Phase::PreDown, &config.pre_down)
    }

    /// The hooks to run after `down`.
    #[must_use]
    pub fn post_down(name: &str, config: &QuickConfig) -> Vec<Step> {
        hooks(name, Phase::PostDown, &config.post_down)
    }
}

/// Whether `config` sends everything through the tunnel, so that the tunnel's own datagrams need a way around it.
#[must_use]
pub fn has_default_route(config: &QuickConfig) -> bool {
    config.table == Table::Auto && networks(config).any(|network| network.prefix_len() == 0)
}

fn hooks(name: &str, phase: Phase, commands: &[String]) -> Vec<Step> {
    commands.iter().map(|command| Step::Hook { phase, command: command.replace("%i", name) }).collect()
}

/// The allowed IPs of all peers, each once, the most specific first. A peer with our own key is none.
fn networks(config: &QuickConfig) -> impl Iterator<Item = IpNet> {
    let own = config.tunnel.private_key.as_ref().map(PrivateKey::public_key);
    let peers = config.tunnel.peers.iter().filter(|peer| Some(peer.public_key) != own);
    let allowed = peers.flat_map(|peer| &peer.allowed_ips);
    let mut networks: Vec<IpNet> = allowed.map(IpNet::trunc).collect::<BTreeSet<_>>().into_iter().collect();
    networks.sort_by_key(|network| std::cmp::Reverse(network.prefix_len()));
    networks.into_iter()
}

/// A tunnel that takes part of the addresses answers for the domains it names, or for all names when it names none.
fn dns(name: &str, config: &QuickConfig, facts: &Facts) -> Dns {
    // Two halves are as good as a default route.
    let takes_all = networks(config).any(|network| network.prefix_len() <= 1);
    Dns {
        interface: name.into(),
        resolvers: facts.resolvers.clone(),
        servers: Server::of(config),
        search: config.search_domains.clone(),
        everything: takes_all || config.search_domains.is_empty(),
    }
}

fn route(steps: &mut Vec<Step>, name: &str, network: IpNet, config: &QuickConfig, facts: &Facts) {
    match &config.table {
        Table::Off => {}
        Table::Number(table) => steps.push(Step::Route { network, table: Some(table.to_string()) }),
        Table::Name(table) => steps.push(Step::Route { network, table: Some(table.clone()) }),
        Table::Auto if network.prefix_len() == 0 => default_route(steps, name, network, config, facts),
        Table::Auto if config.addresses.iter().any(|address| is_connected(address, &network)) => {}
        Table::Auto => steps.push(Step::Route { network, table: None }),
    }
}

/// Whether the kernel routes `network` to the interface by itself, because it has `address` there.
fn is_connected(address: &IpNet, network: &IpNet) -> bool {
    let routed = address.prefix_len() < address.max_prefix_len() || Family::of(address) == Family::V6;
    routed && address.contains(network)
}

fn default_route(steps: &mut Vec<Step>, name: &str, network: IpNet, config: &QuickConfig, facts: &Facts) {
    let (family, table) = (Family::of(&network), facts.table);
    steps.push(Step::Route { network, table: Some(table.to_string()) });
    if !guard::steps::is_for_some(facts) {
        steps.push(Step::DivertRule { family, table });
        steps.push(Step::MainRule { family, table });
    }
    if family == Family::V4 {
        steps.push(Step::SourceValidMark);
    }
    let addresses = config.addresses.iter().filter(|address| Family::of(address) == family).map(IpNet::addr).collect();
    steps.push(Step::Firewall(Firewall { program: facts.firewall, name: name.into(), family, addresses, mark: table }));
}
