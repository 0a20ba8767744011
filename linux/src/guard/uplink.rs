//! The name servers of the network that the machine is on, as they are written down outside the tunnel.
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

/// Where they may be, the first that names one counts: what programs ask, and what lies behind a resolver of this machine's own.
const FILES: [&str; 3] =
    ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"];

/// Where openresolv keeps what it was told of each interface, also while a tunnel's servers are the only ones that it names.
const INTERFACES: &str = "/run/resolvconf/interfaces";

/// The name servers of the uplink, without those of the tunnel.
#[must_use]
pub fn name_servers(of_tunnel: &[IpAddr]) -> Vec<IpAddr> {
    let interfaces = fs::read_dir(INTERFACES).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut interfaces: Vec<PathBuf> = interfaces.collect();
    interfaces.sort();
    first(FILES.iter().map(PathBuf::from).chain(interfaces), of_tunnel)
}

/// The servers of the first of `files` that names one.
fn first(files: impl Iterator<Item = PathBuf>, of_tunnel: &[IpAddr]) -> Vec<IpAddr> {
    let mut named = files.map(|path| servers(&fs::read_to_string(path).unwrap_or_default(), of_tunnel));
    named.find(|servers| !servers.is_empty()).unwrap_or_default()
}

/// The servers that `text` (resolv.conf(5)) names, but for resolvers of this machine and those of the tunnel.
fn servers(text: &str, of_tunnel: &[IpAddr]) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let server = words.next().filter(|word| *word == "nameserver").and(words.next());
        let Some(server) = server.and_then(|server| server.parse::<IpAddr>().ok()) else { continue };
        if !server.is_loopback() && !of_tunnel.contains(&server) && !found.contains(&server) {
            found.push(server);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_the_machine_and_of_the_tunnel_are_no_servers_of_the_uplink() {
        let text = "# by hand\nsearch lan\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver\noptions edns0\n\
                    nameserver 10.9.0.53\nnameserver 2001:db8::53\nnameserver ::1\nnameserver 192.0.2.53\n";
        let expected: [IpAddr; 2] = [[192, 0, 2, 53].into(), "2001:db8::53".parse().expect("address")];
        assert_eq!(servers(text, &[[10, 9, 0, 53].into()]), expected);
        assert!(servers("", &[]).is_empty());
    }

    #[test]
    fn the_first_file_that_names_a_server_counts() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            path
        };
        let of_tunnel = file("resolv.conf", "nameserver 10.9.0.53\n");
        let (eth0, eth1) = (file("eth0", "nameserver 192.0.2.1\n"), file("eth1", "nameserver 192.0.2.2\n"));
        let missing = folder.path().join("none");
        let found = first([of_tunnel, missing, eth0, eth1].into_iter(), &[[10, 9, 0, 53].into()]);
        assert_eq!(found, [IpAddr::from([192, 0, 2, 1])]);
    }
}
