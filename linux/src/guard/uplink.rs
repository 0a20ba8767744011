//! The name servers of the network that the machine is on, as they are written down outside the tunnel.
use std::fs;
use std::net::IpAddr;

/// Where they may be, the first that names one counts: what programs ask, and what lies behind a resolver of this machine's own.
const FILES: [&str; 3] =
    ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"];

/// The name servers of the uplink, without those of the tunnel.
#[must_use]
pub fn name_servers(of_tunnel: &[IpAddr]) -> Vec<IpAddr> {
    let read = |path: &&str| servers(&fs::read_to_string(path).unwrap_or_default(), of_tunnel);
    FILES.iter().map(read).find(|servers| !servers.is_empty()).unwrap_or_default()
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
}
