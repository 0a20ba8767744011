//! Warns whoever is about to cut the session that he types in.
use super::Lock;
use super::filter::is_private;
use ipnet::IpNet;
use std::net::IpAddr;

/// Set by sshd(8): addresses and ports of both ends.
const VARIABLE: &str = "SSH_CONNECTION";

/// What to say to whoever is connected by SSH, if `lock` cuts his session.
#[must_use]
pub fn warning(lock: &Lock) -> Option<&'static str> {
    let session = std::env::var(VARIABLE).ok()?;
    is_cut(lock, &session).then_some(
        "this session came over SSH from outside the tunnel: the kill switch cuts it. With --kill-switch=lan, sessions from \
         the private local network stay",
    )
}

fn is_cut(lock: &Lock, session: &str) -> bool {
    let client = session.split_whitespace().next().unwrap_or_default();
    // A link-local address has its interface behind it.
    let Ok(client) = client.split('%').next().unwrap_or_default().parse::<IpAddr>() else { return false };
    let is_inside = lock.networks.iter().any(|network| network.contains(&client));
    let is_let_pass = lock.lan && is_private(&IpNet::from(client));
    !client.is_loopback() && !is_inside && !is_let_pass
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_from_outside_are_cut() {
        let networks = vec!["10.9.0.0/24".parse().expect("network")];
        let table = [
            (1, "192.0.2.9 40000 192.0.2.1 22", true, true),
            (2, "192.168.1.9 40000 192.168.1.1 22", true, false),
            (3, "10.9.0.2 40000 10.9.0.1 22", false, false),
            (4, "127.0.0.1 40000 127.0.0.1 22", false, false),
            (5, "fe80::1%eth0 40000 fe80::2%eth0 22", true, false),
            (6, "", false, false),
        ];
        for (number, session, strict, lan) in table {
            let lock = |lan| Lock { lan, networks: networks.clone(), ..Lock::default() };
            assert_eq!((is_cut(&lock(false), session), is_cut(&lock(true), session)), (strict, lan), "case {number}");
        }
    }
}
