//! Finds out who answers programs that ask for a name.
use super::places::Places;
use super::resolv_conf::ResolvConf;
use crate::quick::machine::find_program;
use anyhow::bail;
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;

/// One who answers, or who says who does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolver {
    /// systemd-resolved: told by resolvectl(1).
    Resolved,
    /// openresolv, or Debian's resolvconf: told by resolvconf(8).
    Resolvconf {
        /// What it calls the interface.
        record: String,
    },
    /// /etc/resolv.conf, which nobody else writes: it is to name the tunnel's servers.
    File,
    /// /etc/resolv.conf, which leads past systemd-resolved, though that runs: it is to lead there. With the tunnel's servers
    /// in it, systemd-resolved would take them for the machine's own, and keep them.
    Stub,
}

/// Where systemd-resolved listens on loopback, if it is not told not to.
pub(crate) const STUBS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54))];
/// Debian's resolvconf sorts records by interface; the first pattern of its list puts a record before all others.
const INTERFACE_ORDER: &str = "resolvconf/interface-order";

/// Who has to be told of the name servers of `interface`.
///
/// # Errors
/// Someone has to be told, but the program for that is missing.
pub fn find(interface: &str, places: &Places) -> anyhow::Result<Vec<Resolver>> {
    let mut found = Vec::new();
    if runs_resolved(places) {
        if find_program("resolvectl").is_none() {
            bail!("systemd-resolved runs, but the program `resolvectl` is missing: install systemd-resolved whole");
        }
        found.push(Resolver::Resolved);
        if leads_to_resolved(places) {
            return Ok(found);
        }
    }
    found.push(if has_resolvconf() {
        let order = fs::read_to_string(places.etc.join(INTERFACE_ORDER)).unwrap_or_default();
        Resolver::Resolvconf { record: record(interface, &order) }
    } else if found.is_empty() || !listens(&fs::read_to_string("/proc/self/net/udp").unwrap_or_default()) {
        Resolver::File
    } else {
        Resolver::Stub
    });
    Ok(found)
}

/// Whether somebody in `sockets`, the kernel's list of UDP sockets, listens where systemd-resolved does.
fn listens(sockets: &str) -> bool {
    // An address is written as the number that it is in memory.
    let IpAddr::V4(stub) = STUBS[0] else { return false };
    let local = format!("{:08X}:0035", u32::from_ne_bytes(stub.octets()));
    sockets.lines().any(|line| line.split_whitespace().nth(1) == Some(&local))
}

/// Whether systemd-resolved runs. Its folder stays when it has ended; nobody listens then.
pub(super) fn runs_resolved(places: &Places) -> bool {
    UnixStream::connect(places.resolved().join("io.systemd.Resolve")).is_ok()
}

/// Whether who reads /etc/resolv.conf asks systemd-resolved, and nobody else. Its list of the servers of all interfaces,
/// which that file may be a link to as well, leads past it.
fn leads_to_resolved(places: &Places) -> bool {
    let asked = ResolvConf::new(places).servers();
    !asked.is_empty() && asked.iter().all(|server| STUBS.contains(&server.address))
}

/// Whether there is a resolvconf(8) that keeps records. resolvectl(1) plays it under that name, for systemd-resolved.
pub(super) fn has_resolvconf() -> bool {
    let Some(program) = find_program("resolvconf") else { return false };
    let target = program.canonicalize().unwrap_or(program);
    target.file_name().is_some_and(|name| name != "resolvectl")
}

/// What resolvconf calls `interface`.
fn record(interface: &str, interface_order: &str) -> String {
    let is_prefix = |prefix: &&str| {
        !prefix.is_empty() && prefix.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    };
    let first = interface_order.lines().filter_map(|line| line.strip_suffix('*')).find(is_prefix);
    first.map_or_else(|| interface.into(), |prefix| format!("{prefix}.{interface}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_record_goes_where_resolvconf_looks_first() {
        assert_eq!(record("wg0", ""), "wg0");
        let order = "# interface-order(5)\nlo.inet6\nlo.inet\nlo.@(dhclient|pump)*\ntun*\ntap*\n";
        assert_eq!(record("wg0", order), "tun.wg0");
    }

    #[test]
    fn the_kernel_tells_who_listens() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";
        let local = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 53]));
        assert!(listens(&format!("{head}  517: {local}:0035 00000000:0000 07 00000000:00000000 00:00000000\n")));
        for line in [
            format!("  517: {local}:0036 00000000:0000 07"),
            format!("  517: 00000000:0000 {local}:0035 07"),
            String::new(),
        ] {
            assert!(!listens(&format!("{head}{line}\n")), "{line}");
        }
    }

    #[test]
    fn resolved_counts_while_it_listens() {
        let root = tempfile::tempdir().expect("temporary directory");
        let places = Places {
            etc: root.path().join("etc"),
            run: root.path().join("run"),
            own: root.path().join("run/underpass"),
        };
        fs::create_dir_all(places.resolved()).expect("folder");
        assert!(!runs_resolved(&places), "a folder alone");
        let listener = UnixListener::bind(places.resolved().join("io.systemd.Resolve")).expect("socket");
        assert!(runs_resolved(&places));
        drop(listener);
        assert!(!runs_resolved(&places), "what it left behind");
    }

    #[test]
    fn only_its_own_addresses_lead_to_resolved() {
        let root = tempfile::tempdir().expect("temporary directory");
        let places = Places {
            etc: root.path().to_owned(),
            run: root.path().join("run"),
            own: root.path().join("run/underpass"),
        };
        assert!(!leads_to_resolved(&places), "no file");
        for (text, leads) in [
            ("nameserver 127.0.0.53\noptions edns0\n", true),
            ("nameserver 127.0.0.53\nnameserver 192.0.2.1\n", false),
            ("nameserver 192.0.2.1\n", false),
            ("", false),
        ] {
            fs::write(places.resolv_conf(), text).expect("writes");
            assert_eq!(leads_to_resolved(&places), leads, "{text}");
        }
    }
}
