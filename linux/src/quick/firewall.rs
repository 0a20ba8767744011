//! The firewall rules of a tunnel that carries a default route.
//!
//! An attacker on the local network may send packets to an address inside the tunnel and learn from the answers which
//! connections there are (CVE-2019-14899): whatever is addressed to one of the tunnel's addresses but arrives elsewhere
//! is dropped. The answers to the tunnel's own datagrams get the mark of the datagrams back, so that the reverse path
//! check finds the route they took.
use super::invocation::Invocation;
use super::machine::output;
use super::step::Family;
use std::net::IpAddr;

/// Which firewall program the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// nft(8)
    Nft,
    /// iptables-restore(8) and ip6tables-restore(8)
    Iptables,
}

/// The rules of one tunnel in one address family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// What applies them.
    pub program: Program,
    /// The interface.
    pub name: String,
    /// IPv4 or IPv6.
    pub family: Family,
    /// The tunnel's addresses in this family.
    pub addresses: Vec<IpAddr>,
    /// The mark of the tunnel's datagrams.
    pub mark: u32,
}

impl Firewall {
    /// What adds the rules.
    #[must_use]
    pub fn add(&self) -> Invocation {
        match self.program {
            Program::Nft => Invocation::new("nft", "-f -").reading(self.nft_table()),
            Program::Iptables => self.iptables("-I"),
        }
    }

    /// What removes them; with nft it is no error when they are not there.
    #[must_use]
    pub fn remove(&self) -> Invocation {
        match self.program {
            Program::Nft => {
                let table = self.table();
                Invocation::new("nft", "-f -").reading(format!("add table {table}\ndelete table {table}\n"))
            }
            Program::Iptables => self.iptables("-D"),
        }
    }

    const fn word(&self) -> &'static str {
        match self.family {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        }
    }

    /// The table's name, as wg-quick(8) has it. An interface may have letters in its name that a table may not.
    fn table_name(&self) -> String {
        let letter = |letter: char| if letter.is_ascii_alphanumeric() || "_.-".contains(letter) { letter } else { '_' };
        format!("wg-quick-{}", self.name.chars().map(letter).collect::<String>())
    }

    /// The table as nft names it everywhere.
    fn table(&self) -> String {
        format!("{} {}", self.word(), self.table_name())
    }

    fn nft_table(&self) -> String {
        let Self { name, mark, .. } = self;
        let (word, table) = (self.word(), self.table());
        let drops: String = self
            .addresses
            .iter()
            .map(|address| format!("    iifname != \"{name}\" {word} daddr {address} fib saddr type != local drop\n"))
            .collect();
        format!(
            "table {table} {{\n\
             \x20 chain preraw {{\n    type filter hook prerouting priority -300;\n{drops}  }}\n\
             \x20 chain premangle {{\n    type filter hook prerouting priority -150;\n    \
             meta l4proto udp meta mark set ct mark\n  }}\n\
             \x20 chain postmangle {{\n    type filter hook postrouting priority -150;\n    \
             meta l4proto udp meta mark {mark} ct mark set meta mark\n  }}\n}}\n"
        )
    }

    /// The rules with `-I` or `-D` before each, marked with the comment that wg-quick(8) looks for.
    fn iptables(&self, verb: &str) -> Invocation {
        let Self { name, mark, .. } = self;
        let comment = format!("-m comment --comment \"wg-quick(8) rule for {name}\"");
        let drops: String = self
            .addresses
            .iter()
            .map(|address| {
                format!("{verb} PREROUTING ! -i {name} -d {address} -m addrtype ! --src-type LOCAL -j DROP {comment}\n")
            })
            .collect();
        let program = match self.family {
            Family::V4 => "iptables-restore",
            Family::V6 => "ip6tables-restore",
        };
        Invocation::new(program, "-n").reading(format!(
            "*raw\n{drops}COMMIT\n*mangle\n\
             {verb} POSTROUTING -m mark --mark {mark} -p udp -j CONNMARK --save-mark {comment}\n\
             {verb} PREROUTING -p udp -j CONNMARK --restore-mark {comment}\nCOMMIT\n"
        ))
    }
}

/// The mark in the rules of interface `name`, if there are any: they stay when a tunnel's program dies.
#[must_use]
pub fn mark_left_behind(name: &str) -> Option<u32> {
    Family::ALL.into_iter().find_map(|family| {
        let rules = Firewall { program: Program::Nft, name: name.into(), family, addresses: Vec::new(), mark: 0 };
        let listing = output("nft", &["list", "table", rules.word(), &rules.table_name()])?;
        mark_in(&listing)
    })
}

/// The mark that a rule of ours in `listing` (the output of `nft list table`) looks for.
fn mark_in(listing: &str) -> Option<u32> {
    let (_, mark) = listing.lines().find(|line| line.contains("ct mark set"))?.split_once(" mark ")?;
    let mark = mark.split_whitespace().next()?;
    mark.strip_prefix("0x").map_or_else(|| mark.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firewall(program: Program, name: &str) -> Firewall {
        let addresses = vec!["10.0.0.2".parse().expect("address")];
        Firewall { program, name: name.into(), family: Family::V4, addresses, mark: 51820 }
    }

    #[test]
    fn nft_gets_a_table_of_its_own() {
        let add = firewall(Program::Nft, "wg0").add();
        let expected = "\
table ip wg-quick-wg0 {
  chain preraw {
    type filter hook prerouting priority -300;
    iifname != \"wg0\" ip daddr 10.0.0.2 fib saddr type != local drop
  }
  chain premangle {
    type filter hook prerouting priority -150;
    meta l4proto udp meta mark set ct mark
  }
  chain postmangle {
    type filter hook postrouting priority -150;
    meta l4proto udp meta mark 51820 ct mark set meta mark
  }
}
";
        assert_eq!(add.input.as_deref(), Some(expected));
        let remove = firewall(Program::Nft, "a+b=c.d-e").remove();
        assert_eq!(
            remove.input.as_deref(),
            Some("add table ip wg-quick-a_b_c.d-e\ndelete table ip wg-quick-a_b_c.d-e\n")
        );
    }

    #[test]
    fn the_mark_is_found_in_what_nft_lists() {
        let listing = "table ip wg-quick-wg0 {\n\tchain premangle {\n\t\tmeta l4proto udp meta mark set ct mark\n\t}\n\
                       \tchain postmangle {\n\t\tmeta l4proto udp meta mark 0x0000ca6c ct mark set meta mark\n\t}\n}\n";
        assert_eq!(mark_in(listing), Some(51820));
        assert_eq!(mark_in(&firewall(Program::Nft, "wg0").nft_table()), Some(51820));
        assert_eq!(mark_in("table ip wg-quick-wg0 {\n}\n"), None);
    }

    #[test]
    fn iptables_rules_are_removed_as_they_were_added() {
        let rules = firewall(Program::Iptables, "wg0");
        let (add, remove) = (rules.add().input.expect("rules"), rules.remove().input.expect("rules"));
        assert_eq!(add.matches("-I ").count(), 3);
        assert_eq!(add.replace("-I ", "-D "), remove);
        assert!(add.contains("! -i wg0 -d 10.0.0.2 "), "{add}");
    }
}
