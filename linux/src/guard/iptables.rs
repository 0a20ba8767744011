//! The rules of the kill switch for iptables-restore(8) and ip6tables-restore(8), where there is no nft.
use super::Lock;
use super::filter::{Hook, Packets, Rule, rules};
use crate::quick::Family;
use crate::quick::invocation::Invocation;

/// The chains, and the built-in ones of the mangle table from which they are called: those have few other rules that could let
/// packets pass before.
const CHAINS: [(&str, &str, Hook); 3] = [
    ("UNDERPASS-OUT", "OUTPUT", Hook::Output),
    ("UNDERPASS-FWD", "FORWARD", Hook::Forward),
    ("UNDERPASS-POST", "POSTROUTING", Hook::Last),
];

/// The program for `family`, with its options.
fn program(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::V4 => ("iptables-restore", "iptables"),
        Family::V6 => ("ip6tables-restore", "ip6tables"),
    }
}

/// What lists what is there.
#[must_use]
pub fn list(family: Family) -> (&'static str, [&'static str; 4]) {
    (program(family).1, ["-w", "-t", "mangle", "-S"])
}

/// What puts the rules of `locks` in the place of those that `listing` (what [`list`] says) has.
#[must_use]
pub fn replace(family: Family, locks: &[Lock], listing: &str) -> Invocation {
    let mut text = String::from("*mangle\n");
    for (chain, caller, hook) in CHAINS {
        // Named so, a chain is made, or emptied.
        text.push_str(&format!(":{chain} - [0:0]\n"));
        for line in rules(locks, hook).iter().flat_map(|rule| lines(rule, family)) {
            text.push_str(&format!("-A {chain} {line}\n"));
        }
        text.push_str(&format!("-A {chain} -j DROP\n"));
        for _ in 0..calls(listing, caller, chain) {
            text.push_str(&format!("-D {caller} -j {chain}\n"));
        }
        text.push_str(&format!("-I {caller} -j {chain}\n"));
    }
    text.push_str("COMMIT\n");
    Invocation::new(program(family).0, "-n").reading(text)
}

/// What removes the rules that `listing` has; `None` when it has none.
#[must_use]
pub fn remove(family: Family, listing: &str) -> Option<Invocation> {
    let mut text = String::new();
    for (chain, caller, _) in CHAINS {
        for _ in 0..calls(listing, caller, chain) {
            text.push_str(&format!("-D {caller} -j {chain}\n"));
        }
        if listing.lines().any(|line| line == format!("-N {chain}")) {
            text.push_str(&format!("-F {chain}\n-X {chain}\n"));
        }
    }
    (!text.is_empty()).then(|| Invocation::new(program(family).0, "-n").reading(format!("*mangle\n{text}COMMIT\n")))
}

/// The lines of `listing` that are ours, with the place of the calls.
#[must_use]
pub fn ours(listing: &str) -> Vec<String> {
    let mut places = [0; CHAINS.len()];
    let mut found = Vec::new();
    for line in listing.lines() {
        if let Some(at) = CHAINS.iter().position(|(_, caller, _)| line.starts_with(&format!("-A {caller} "))) {
            places[at] += 1;
            if line.contains(CHAINS[at].0) {
                found.push(format!("{}: {line}", places[at]));
            }
        } else if CHAINS.iter().any(|(chain, ..)| line.contains(chain)) {
            found.push(line.into());
        }
    }
    found
}

fn calls(listing: &str, caller: &str, chain: &str) -> usize {
    listing.lines().filter(|line| *line == format!("-A {caller} -j {chain}")).count()
}

fn lines(rule: &Rule, family: Family) -> Vec<String> {
    // What passes goes on to the rules of others.
    let verdict = if rule.pass { "RETURN" } else { "DROP" };
    let matches = match &rule.packets {
        Packets::To(interface) => vec![format!("-o {interface}")],
        Packets::From(interface) => vec![format!("-i {interface}")],
        Packets::PassedOn => vec!["-m addrtype ! --src-type LOCAL".into()],
        Packets::Marked(mark) => vec![format!("-m mark --mark {mark}")],
        Packets::Dhcp(of, from, to) if *of == family => {
            let source = if family == Family::V6 { "-s fe80::/10 " } else { "" };
            vec![format!("{source}-p udp --sport {from} --dport {to}")]
        }
        Packets::Icmp6(kind, hops) if family == Family::V6 => {
            vec![format!("-p ipv6-icmp --icmpv6-type {kind} -m hl --hl-eq {hops}")]
        }
        Packets::Port(port) => vec![format!("-p udp --dport {port}"), format!("-p tcp --dport {port}")],
        Packets::Network(network) if Family::of(network) == family => vec![format!("-d {network}")],
        Packets::Dhcp(..) | Packets::Icmp6(..) | Packets::Network(_) => Vec::new(),
    };
    matches.into_iter().map(|matches| format!("{matches} -j {verdict}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "-P OUTPUT ACCEPT\n-N UNDERPASS-FWD\n-N UNDERPASS-OUT\n-A FORWARD -j UNDERPASS-FWD\n\
                           -A OUTPUT -p udp -j ACCEPT\n-A OUTPUT -j UNDERPASS-OUT\n-A UNDERPASS-OUT -j DROP\n";

    #[test]
    fn each_family_gets_its_rules() {
        let lock = Lock { interface: "wg0".into(), mark: 51820, lan: true, ..Lock::default() };
        let text = |family| replace(family, std::slice::from_ref(&lock), "").input.unwrap_or_default();
        let (v4, v6) = (text(Family::V4), text(Family::V6));
        for line in ["-A UNDERPASS-OUT -o wg0 -j RETURN", "-A UNDERPASS-OUT -m mark --mark 51820 -j RETURN"] {
            assert!(v4.contains(line) && v6.contains(line), "{v4}\n{v6}");
        }
        assert!(v4.contains("-A UNDERPASS-OUT -d 10.0.0.0/8 -j RETURN") && !v4.contains("icmpv6"), "{v4}");
        assert!(v6.contains("--icmpv6-type 135 -m hl --hl-eq 255 -j RETURN") && !v6.contains("10.0.0.0"), "{v6}");
        assert!(v4.ends_with("-A UNDERPASS-POST -j DROP\n-I POSTROUTING -j UNDERPASS-POST\nCOMMIT\n"), "{v4}");
    }

    #[test]
    fn what_is_there_is_called_once_and_first() {
        let again = replace(Family::V4, &[Lock::default()], LISTING).input.expect("text");
        assert!(again.contains("-D OUTPUT -j UNDERPASS-OUT\n-I OUTPUT -j UNDERPASS-OUT\n"), "{again}");
        let remove = remove(Family::V4, LISTING).expect("something is there").input.expect("text");
        assert_eq!(remove.matches("-D ").count(), 2);
        assert_eq!(super::remove(Family::V4, "-P OUTPUT ACCEPT\n"), None);
        assert!(ours(LISTING).contains(&"2: -A OUTPUT -j UNDERPASS-OUT".into()), "it is no longer the first");
    }
}
