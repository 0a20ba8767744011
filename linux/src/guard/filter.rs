//! The rules of the kill switch, whatever program applies them.
//!
//! Packets leave through a tunnel or with the mark of one, over the loopback, or because the machine would lose the network
//! without them: DHCP, and the neighbours of IPv6. Where the private local network is let pass, questions to name servers
//! in it are not, nor what only pretends to be local: networks that are inside a tunnel.
use super::Lock;
use crate::quick::Family;
use ipnet::IpNet;

/// Where packets are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Those that this machine makes.
    Output,
    /// Those that pass through: of containers, and of a network behind this machine.
    Forward,
    /// Those of the first kind once more, on the interface that they really leave by: whoever marks packets on their way has them
    /// routed anew, which the first look does not see.
    Last,
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packets {
    /// Those that leave by this interface.
    To(String),
    /// Those that came by this interface.
    From(String),
    /// Those that did not begin on this machine.
    PassedOn,
    /// Those with this mark.
    Marked(u32),
    /// Those of a DHCP client: UDP from the first to the second port.
    Dhcp(Family, u16, u16),
    /// ICMPv6 of this type with this hop limit, which no router lets out of the local network.
    Icmp6(u8, u8),
    /// Those to this port, over TCP and over UDP.
    Port(u16),
    /// Those to this network.
    Network(IpNet),
}

/// A rule: these packets pass, or are dropped. What no rule is about is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which packets.
    pub packets: Packets,
    /// What becomes of them.
    pub pass: bool,
}

/// The neighbours of IPv6: routers and hosts are found and told (RFC 4861), with a hop limit of 255.
const NEIGHBOURS: std::ops::RangeInclusive<u8> = 133..=137;
/// Groups of IPv6 that neighbours are found in are joined and left (RFC 2710, RFC 3810), with a hop limit of 1.
const GROUPS: [u8; 4] = [130, 131, 132, 143];
/// DNS, and DNS over TLS or QUIC.
const NAMES: [u16; 2] = [53, 853];
/// The private local network: RFC 1918, link-local, local groups and everybody; link-local, RFC 4193 and local groups. No
/// other network is local because a router says so (CVE-2023-36672, CVE-2023-35838).
const LAN: [&str; 11] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "224.0.0.0/24",
    "239.0.0.0/8",
    "255.255.255.255/32",
    "fe80::/10",
    "fc00::/7",
    "ff02::/16",
    "ff05::/16",
];

/// Whether `network` lies in what may be a private local network.
#[must_use]
pub fn is_private(network: &IpNet) -> bool {
    lan().any(|lan| lan.contains(network))
}

fn lan() -> impl Iterator<Item = IpNet> {
    LAN.iter().filter_map(|network| network.parse().ok())
}

/// The rules at `hook`, the first that fits counts. Several tunnels at a time are all let pass, the local network only if all of
/// them want it.
#[must_use]
pub fn rules(locks: &[Lock], hook: Hook) -> Vec<Rule> {
    let pass = |packets| Rule { packets, pass: true };
    let drop = |packets| Rule { packets, pass: false };
    let mut rules: Vec<Rule> = locks.iter().map(|lock| pass(Packets::To(lock.interface.clone()))).collect();
    match hook {
        Hook::Output | Hook::Last => {
            rules.insert(0, pass(Packets::To("lo".into())));
            rules.extend((hook == Hook::Last).then(|| pass(Packets::PassedOn)));
            rules.extend(locks.iter().map(|lock| pass(Packets::Marked(lock.mark))));
            rules.push(pass(Packets::Dhcp(Family::V4, 68, 67)));
            rules.push(pass(Packets::Dhcp(Family::V6, 546, 547)));
            rules.extend(NEIGHBOURS.map(|kind| pass(Packets::Icmp6(kind, 255))));
            rules.extend(GROUPS.map(|kind| pass(Packets::Icmp6(kind, 1))));
        }
        // What came out of the tunnel was protected on its way; it goes to whom it is for.
        Hook::Forward => rules.extend(locks.iter().map(|lock| pass(Packets::From(lock.interface.clone())))),
    }
    if !locks.is_empty() && locks.iter().all(|lock| lock.lan) {
        rules.extend(NAMES.map(|port| drop(Packets::Port(port))));
        let inside: Vec<IpNet> = locks.iter().flat_map(|lock| lock.networks.iter().copied()).collect();
        let is_near = |network: &IpNet| lan().any(|lan| lan.contains(network) || network.contains(&lan));
        rules.extend(IpNet::aggregate(&inside).into_iter().filter(is_near).map(|net| drop(Packets::Network(net))));
        rules.extend(lan().map(|net| pass(Packets::Network(net))));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(interface: &str, mark: u32, lan: bool) -> Lock {
        let networks = vec!["10.9.0.0/24".parse().expect("network"), "203.0.113.0/24".parse().expect("network")];
        Lock { interface: interface.into(), mark, lan, networks, ..Lock::default() }
    }

    fn at<'r>(rules: &'r [Rule], packets: &Packets) -> (usize, &'r Rule) {
        rules.iter().enumerate().find(|(_, rule)| rule.packets == *packets).expect("a rule")
    }

    #[test]
    fn the_local_network_passes_only_where_it_is_wanted_and_is_local() {
        let rules_of = |lan| rules(&[lock("wg0", 7, lan)], Hook::Output);
        let is_lan = |rule: &Rule| matches!(rule.packets, Packets::Network(_) | Packets::Port(_));
        assert!(!rules_of(false).iter().any(is_lan));
        let rules = rules_of(true);
        let network = |text: &str| Packets::Network(text.parse().expect("network"));
        let (inside, rule) = at(&rules, &network("10.9.0.0/24"));
        assert!(!rule.pass, "it is inside the tunnel, whatever a router says");
        let (outside, rule) = at(&rules, &network("10.0.0.0/8"));
        assert!(rule.pass && inside < outside);
        assert!(!rules.iter().any(|rule| rule.packets == network("203.0.113.0/24")), "never local");
        for port in [53, 853] {
            let (names, rule) = at(&rules, &Packets::Port(port));
            assert!(!rule.pass && names < outside, "names are not asked for in the local network");
        }
    }

    #[test]
    fn several_tunnels_pass_and_the_strictest_of_them_counts() {
        let rules = rules(&[lock("wg0", 7, true), lock("wg1", 8, false)], Hook::Output);
        for packets in [Packets::To("wg1".into()), Packets::Marked(7), Packets::Marked(8)] {
            assert!(at(&rules, &packets).1.pass);
        }
        assert!(!rules.iter().any(|rule| matches!(rule.packets, Packets::Network(_))));
    }

    #[test]
    fn what_passes_through_has_no_mark_and_no_dhcp_of_ours() {
        let rules = rules(&[lock("wg0", 7, false)], Hook::Forward);
        let expected = [Packets::To("wg0".into()), Packets::From("wg0".into())];
        assert_eq!(rules.iter().map(|rule| &rule.packets).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    }
}
