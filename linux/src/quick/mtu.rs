//! The MTU of a tunnel from the MTU of the path below it, by the rule of wg-quick(8).
use underpass_core::limits::MIN_MTU;

/// Bytes a datagram adds at most: IPv6 40, UDP 8, transport header 16, tag 16.
pub const OVERHEAD: u16 = 80;
/// The MTU of the path where nothing tells: Ethernet's.
pub const ETHERNET: u16 = 1500;

/// The MTU of the path from `route` (the output of `ip route get` or `ip route show default`): that of the route, or
/// that of its interface, which `link` knows.
pub fn of_route(route: &str, link: impl FnOnce(&str) -> Option<u32>) -> Option<u32> {
    let mut words = route.split_whitespace();
    let mut interface = None;
    while let Some(word) = words.next() {
        match word {
            "mtu" => {
                // `mtu lock 1400` has a word more.
                let number = words.find(|word| *word != "lock").and_then(|word| word.parse().ok());
                if number.is_some() {
                    return number;
                }
            }
            "dev" => interface = words.next(),
            _ => {}
        }
    }
    link(interface?)
}

/// The MTU of an interface from `link` (the output of `ip link show`).
#[must_use]
pub fn of_link(link: &str) -> Option<u32> {
    link.split_whitespace().skip_while(|word| *word != "mtu").nth(1)?.parse().ok()
}

/// The MTU of the tunnel over the narrowest of `paths`.
#[must_use]
pub fn of_tunnel(paths: impl IntoIterator<Item = u32>) -> u16 {
    let narrowest = paths.into_iter().min().unwrap_or(ETHERNET.into());
    u16::try_from(narrowest.saturating_sub(OVERHEAD.into())).unwrap_or(u16::MAX).max(MIN_MTU)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_or_its_interface_tells() {
        let link = |name: &str| (name == "eth0").then_some(1492);
        let table = [
            (1, "203.0.113.9 via 192.0.2.1 dev eth0 src 192.0.2.5 uid 0\n    cache\n", Some(1492)),
            (2, "203.0.113.9 via 192.0.2.1 dev eth0 src 192.0.2.5 uid 0\n    cache mtu 1400\n", Some(1400)),
            (3, "default via 192.0.2.1 dev eth0 mtu 1400\n", Some(1400)),
            (4, "default via 192.0.2.1 dev eth0 mtu lock 1300\n", Some(1300)),
            (5, "default via 192.0.2.1 dev eth9\n", None),
            (6, "", None),
            (7, "unreachable 203.0.113.9", None),
            (8, "default dev", None),
        ];
        for (number, route, expected) in table {
            assert_eq!(of_route(route, link), expected, "case {number}");
        }
    }

    #[test]
    fn an_interface_tells_too() {
        let link = "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1492 qdisc noqueue state UP mode DEFAULT group default\n";
        assert_eq!(of_link(link), Some(1492));
        assert_eq!(of_link("mtu"), None);
    }

    #[test]
    fn the_tunnel_gets_what_is_left() {
        assert_eq!(of_tunnel([]), 1420);
        assert_eq!(of_tunnel([9000, 1500]), 1420);
        assert_eq!(of_tunnel([65536]), 65456);
        assert_eq!(of_tunnel([100]), 68);
    }
}
