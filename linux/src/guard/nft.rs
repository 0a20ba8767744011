//! The rules of the kill switch for nft(8).
use super::Lock;
use super::filter::{Hook, Packets, Rule, rules};
use crate::quick::Family;
use crate::quick::invocation::Invocation;

/// The table that outlives every program.
pub const TABLE: &str = "underpass";

/// What puts the table of `locks` in the place of the one that is there, in one step.
#[must_use]
pub fn replace(locks: &[Lock]) -> Invocation {
    Invocation::new("nft", "-f -").reading(format!("{}{}", remove_text(TABLE), table(TABLE, locks, "")))
}

/// What removes the table; no error when it is not there.
#[must_use]
pub fn remove() -> Invocation {
    Invocation::new("nft", "-f -").reading(remove_text(TABLE))
}

/// The same rules as a table that belongs to whoever makes it: nobody else can remove or flush it, and it ends with him. Its
/// comment says who that is. One line, for nft in interactive mode.
#[must_use]
pub fn owned(name: &str, locks: &[Lock], owner: &str) -> String {
    let options = format!("  flags owner\n  comment \"{owner}\"\n");
    one_line(&format!("{}{}", remove_owned_text(name), table(name, locks, &options)))
}

/// What removes such a table, for whom it belongs to.
#[must_use]
pub fn removed(name: &str) -> String {
    one_line(&remove_owned_text(name))
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 64);
    for part in text.lines().map(str::trim) {
        line.push_str(part);
        line.push_str(if part.ends_with(['{', ';']) { " " } else { "; " });
    }
    line
}

fn remove_text(name: &str) -> String {
    format!("add table inet {name}\ndelete table inet {name}\n")
}

fn remove_owned_text(name: &str) -> String {
    format!("add table inet {name} {{ flags owner; }}\ndelete table inet {name}\n")
}

fn table(name: &str, locks: &[Lock], flags: &str) -> String {
    let chains = [("output", Hook::Output, 100), ("forward", Hook::Forward, 100), ("postrouting", Hook::Last, 50)];
    let chains = chains.map(|(hook, at, priority)| chain(hook, at, priority, locks)).concat();
    format!("table inet {name} {{\n{flags}{chains}}}\n")
}

/// A chain behind those in which packets are marked, and before their source address is translated.
fn chain(hook: &str, at: Hook, priority: u32, locks: &[Lock]) -> String {
    let rules: String = rules(locks, at).iter().flat_map(lines).map(|line| format!("    {line}\n")).collect();
    format!(
        "  chain {hook} {{\n    type filter hook {hook} priority {priority}; policy drop;\n{rules}    counter drop\n  }}\n"
    )
}

fn lines(rule: &Rule) -> Vec<String> {
    let verdict = if rule.pass { "accept" } else { "drop" };
    let matches = match &rule.packets {
        Packets::To(interface) => vec![format!("oifname \"{interface}\"")],
        Packets::From(interface) => vec![format!("iifname \"{interface}\"")],
        Packets::PassedOn => vec!["fib saddr type != local".into()],
        Packets::Marked(mark) => vec![format!("meta mark {mark}")],
        Packets::Dhcp(Family::V4, from, to) => vec![format!("meta nfproto ipv4 udp sport {from} udp dport {to}")],
        Packets::Dhcp(Family::V6, from, to) => vec![format!("ip6 saddr fe80::/10 udp sport {from} udp dport {to}")],
        Packets::Icmp6(kind, hops) => vec![format!("icmpv6 type {kind} ip6 hoplimit {hops}")],
        Packets::Port(port) => vec![format!("udp dport {port}"), format!("tcp dport {port}")],
        Packets::Network(network) => match Family::of(network) {
            Family::V4 => vec![format!("ip daddr {network}")],
            Family::V6 => vec![format!("ip6 daddr {network}")],
        },
    };
    matches.into_iter().map(|matches| format!("{matches} {verdict}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
add table inet underpass
delete table inet underpass
table inet underpass {
  chain output {
    type filter hook output priority 100; policy drop;
    oifname \"lo\" accept
    oifname \"wg0\" accept
    meta mark 51820 accept
    meta nfproto ipv4 udp sport 68 udp dport 67 accept
    ip6 saddr fe80::/10 udp sport 546 udp dport 547 accept
    icmpv6 type 133 ip6 hoplimit 255 accept
    icmpv6 type 134 ip6 hoplimit 255 accept
    icmpv6 type 135 ip6 hoplimit 255 accept
    icmpv6 type 136 ip6 hoplimit 255 accept
    icmpv6 type 137 ip6 hoplimit 255 accept
    icmpv6 type 130 ip6 hoplimit 1 accept
    icmpv6 type 131 ip6 hoplimit 1 accept
    icmpv6 type 132 ip6 hoplimit 1 accept
    icmpv6 type 143 ip6 hoplimit 1 accept
    counter drop
  }
  chain forward {
    type filter hook forward priority 100; policy drop;
    oifname \"wg0\" accept
    iifname \"wg0\" accept
    counter drop
  }
  chain postrouting {
    type filter hook postrouting priority 50; policy drop;
    oifname \"lo\" accept
    oifname \"wg0\" accept
    fib saddr type != local accept
    meta mark 51820 accept
    meta nfproto ipv4 udp sport 68 udp dport 67 accept
    ip6 saddr fe80::/10 udp sport 546 udp dport 547 accept
    icmpv6 type 133 ip6 hoplimit 255 accept
    icmpv6 type 134 ip6 hoplimit 255 accept
    icmpv6 type 135 ip6 hoplimit 255 accept
    icmpv6 type 136 ip6 hoplimit 255 accept
    icmpv6 type 137 ip6 hoplimit 255 accept
    icmpv6 type 130 ip6 hoplimit 1 accept
    icmpv6 type 131 ip6 hoplimit 1 accept
    icmpv6 type 132 ip6 hoplimit 1 accept
    icmpv6 type 143 ip6 hoplimit 1 accept
    counter drop
  }
}
";

    #[test]
    fn the_table_is_replaced_in_one_step() {
        let lock = Lock { interface: "wg0".into(), mark: 51820, ..Lock::default() };
        let invocation = replace(&[lock]);
        assert_eq!(
            (invocation.to_string().lines().next(), invocation.input.as_deref()),
            (Some("nft -f - <<'END'"), Some(TEXT))
        );
        assert_eq!(remove().input.as_deref(), TEXT.split_inclusive('\n').take(2).collect::<String>().as_str().into());
    }

    #[test]
    fn a_table_of_ones_own_is_one_line_with_the_same_rules() {
        let lock = Lock { interface: "wg0".into(), mark: 51820, lan: true, ..Lock::default() };
        let line = owned("underpass-keeper-51820", &[lock], "7.1");
        assert!(
            !line.contains('\n') && line.contains("table inet underpass-keeper-51820 { flags owner; comment \"7.1\"; ")
        );
        assert!(line.contains("tcp dport 853 drop; ") && line.ends_with("counter drop; }; }; "), "{line}");
    }
}
