//! The firewall rules of a tunnel that carries a default route.
//!
//! An attacker on the local network may send packets to an address inside the tunnel and learn from the answers which
//! connections there are (CVE-2019-14899): whatever is addressed to one of the tunnel's addresses but arrives elsewhere
//! is dropped. The answers to the tunnel's own datagrams get the mark of the datagrams back, so that the reverse path
//! check finds the route they took.
use super::invocation::Invocation;
use super::machine::{find_program, output, run};
use super::step::Family;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Which firewall program the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// nft(8)
    Nft,
    /// iptables-restore(8) and ip6tables-restore(8)
    Iptables,
}

/// The rules of one tunnel in one address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

impl Firewall {
    /// Adds them to this machine, in the place of those that are there.
    ///
    /// # Errors
    /// The firewall program cannot be run, or refuses.
    pub fn add_to_machine(&self) -> anyhow::Result<()> {
        if self.is_there() {
            self.remove_from_machine()?;
        }
        run(&self.add())
    }

    /// Removes them from this machine, as far as they are there.
    ///
    /// # Errors
    /// The firewall program cannot be run, or refuses.
    pub fn remove_from_machine(&self) -> anyhow::Result<()> {
        match self.program {
            Program::Nft => run(&self.remove()),
            // What the addresses are now does not matter: the comment tells which rules there are.
            Program::Iptables => match removal(&self.saved().unwrap_or_default(), &self.name) {
                Some(rules) => run(&Invocation { input: Some(rules), ..self.remove() }),
                None => Ok(()),
            },
        }
    }

    /// Whether any of them is there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        match self.program {
            Program::Nft => {
                let table = format!("table {}", self.table());
                output("nft", &["list", "tables"]).is_some_and(|tables| tables.lines().any(|line| line == table))
            }
            Program::Iptables => self.saved().is_some_and(|saved| removal(&saved, &self.name).is_some()),
        }
    }

    /// All rules of the family, as iptables-save(8) has them.
    fn saved(&self) -> Option<String> {
        output(if self.family == Family::V4 { "iptables-save" } else { "ip6tables-save" }, &[])
    }
}

/// What removes the rules of interface `name` in `saved` (the output of iptables-save), if there are any.
fn removal(saved: &str, name: &str) -> Option<String> {
    let comment = format!("-m comment --comment \"wg-quick(8) rule for {name}\"");
    let mut rules = String::new();
    let mut found = false;
    for line in saved.lines() {
        if let Some(rule) = line.strip_prefix("-A ").filter(|rule| rule.contains(&comment)) {
            rules.push_str(&format!("-D {rule}\n"));
            found = true;
        } else if line.starts_with('*') || line == "COMMIT" {
            rules.push_str(&format!("{line}\n"));
        }
    }
    found.then_some(rules)
}

/// The rules of interface `name` that are there, by whatever program and with the mark in them: they stay when a tunnel's
/// program dies.
#[must_use]
pub fn left_behind(name: &str) -> Vec<Firewall> {
    let mut found = Vec::new();
    for program in [Program::Nft, Program::Iptables] {
        for family in Family::ALL {
            let mut rules = Firewall { program, name: name.into(), family, addresses: Vec::new(), mark: 0 };
            if find_program(if program == Program::Nft { "nft" } else { "iptables-save" }).is_some() && rules.is_there()
            {
                let listing = match program {
                    Program::Nft => output("nft", &["list", "table", rules.word(), &rules.table_name()]),
                    Program::Iptables => rules.saved().and_then(|saved| removal(&saved, name)),
                };
                rules.mark = listing.as_deref().and_then(mark_in).unwrap_or(0);
                found.push(rules);
            }
        }
    }
    found
}

/// The mark that a rule of ours in `listing` (the output of `nft list table`, or of iptables-save) looks for.
fn mark_in(listing: &str) -> Option<u32> {
    let rule = listing.lines().find(|line| line.contains("ct mark set") || line.contains("--save-mark"))?;
    let (_, mark) = rule.split_once(" --mark ").or_else(|| rule.split_once(" mark "))?;
    let mark = mark.split_whitespace().next()?.split('/').next()?;
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

    #[test]
    fn iptables_rules_are_found_by_their_comment() {
        let saved = "*mangle\n:PREROUTING ACCEPT [0:0]\n\
            -A PREROUTING -p udp -m comment --comment \"wg-quick(8) rule for wg0\" -j CONNMARK --restore-mark\n\
            -A POSTROUTING -p udp -m mark --mark 0xca6c -m comment --comment \"wg-quick(8) rule for wg0\" -j CONNMARK --save-mark\n\
            -A PREROUTING -p udp -m comment --comment \"wg-quick(8) rule for wg00\" -j CONNMARK --restore-mark\n\
            -A INPUT -j ACCEPT\nCOMMIT\n";
        let removal = removal(saved, "wg0").expect("rules");
        assert_eq!((removal.lines().count(), removal.matches("-D ").count()), (4, 2), "{removal}");
        assert_eq!(mark_in(&removal), Some(51820));
        assert_eq!(super::removal(saved, "wg"), None);
    }
}
