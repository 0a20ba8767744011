//! Which name servers the machine asks when there is no tunnel.
use super::places::Places;
use super::resolv_conf::{ResolvConf, servers};
use super::store::{self, Record};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Where openresolv and Debian's resolvconf keep what they were told.
const RECORDS: [&str; 3] = ["resolvconf/interfaces", "resolvconf/interface", "resolvconf/keys"];

/// The name servers of the networks that this machine is on, each once, in the order in which it asks them: those that it
/// asked before a tunnel came up, or will ask when the last has gone. Addresses of this machine are none.
#[must_use]
pub fn uplink_servers() -> Vec<IpAddr> {
    uplink_servers_at(&Places::default())
}

pub(super) fn uplink_servers_at(places: &Places) -> Vec<IpAddr> {
    let tunnels = store::all(&places.own()[1]);
    let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    // A zone counts on its own link only.
    let servers = |text: &str| servers(text).into_iter().map(|server| server.address).collect::<Vec<_>>();
    let is_of_tunnel =
        |server: &IpAddr| tunnels.iter().flat_map(|record| &record.servers).any(|own| own.address == *server);
    let file = ResolvConf::new(places);
    let resolved = read(&places.resolved().join("resolv.conf"));
    let without_tunnels = |text: String| servers(&text).into_iter().filter(|server| !is_of_tunnel(server)).collect();
    // A file that was kept is as it was; a link may lead to a list of what is asked now.
    let kept = file.kept().map(|text| if file.kept_a_link() { without_tunnels(text) } else { servers(&text) });
    let now = [file.now(), resolved].map(without_tunnels);
    let told = ["NetworkManager/no-stub-resolv.conf", "NetworkManager/resolv.conf"].map(|name| places.run.join(name));
    let told = told.into_iter().chain(resolvconf_records(places, &tunnels)).flat_map(|path| servers(&read(&path)));
    let sources = kept.into_iter().chain(now).chain([told.collect()]);
    sources.map(usable).find(|servers| !servers.is_empty()).unwrap_or_default()
}

/// Those that are on the network, each once.
fn usable(servers: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut usable: Vec<IpAddr> = Vec::new();
    for server in servers {
        if !server.is_loopback() && !server.is_unspecified() && !usable.contains(&server) {
            usable.push(server);
        }
    }
    usable
}

/// Whether resolvconf has the record `name`.
pub(super) fn has_record(places: &Places, name: &str) -> bool {
    RECORDS.iter().any(|folder| places.run.join(folder).join(name).exists())
}

/// What resolvconf was told of each interface but those of tunnels: openresolv and Debian's resolvconf have a file for each.
fn resolvconf_records(places: &Places, tunnels: &[Record]) -> Vec<PathBuf> {
    let entries =
        RECORDS.iter().flat_map(|folder| fs::read_dir(places.run.join(folder)).into_iter().flatten().flatten());
    let mut records: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    let is_of_tunnel = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tunnels.iter().any(|tunnel| name == tunnel.interface || name.ends_with(&format!(".{}", tunnel.interface)))
    };
    records.retain(|path| !is_of_tunnel(path));
    records.sort();
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uplinks_servers_are_found_wherever_they_are_written() {
        let cases = [
            (1, "etc/resolv.conf", "nameserver 192.0.2.53\nnameserver 2001:db8::53\nnameserver 192.0.2.53\n"),
            (2, "run/systemd/resolve/resolv.conf", "nameserver 192.0.2.53\nnameserver 2001:db8::53%2\n"),
            (3, "run/NetworkManager/no-stub-resolv.conf", "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"),
            (4, "run/resolvconf/interfaces/eth0", "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"),
            (5, "run/resolvconf/interface/eth0.dhclient", "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"),
        ];
        for (number, path, text) in cases {
            let root = tempfile::tempdir().expect("temporary directory");
            let places = Places {
                etc: root.path().join("etc"),
                run: root.path().join("run"),
                own: root.path().join("run/underpass"),
            };
            let write = |path: &str, text: &str| {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().expect("folder")).expect("folder");
                fs::write(path, text).expect("writes");
            };
            write("etc/resolv.conf", "nameserver 127.0.0.53\nnameserver ::1\n");
            write(path, text);
            let expected: [IpAddr; 2] = ["192.0.2.53", "2001:db8::53"].map(|text| text.parse().expect("address"));
            assert_eq!(uplink_servers_at(&places), expected, "case {number}");
        }
    }
}
