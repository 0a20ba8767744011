//! Looks up the names of many endpoints at once: together they may take as long as one.
use crate::watched;
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long all names together may take. Whoever is not found by then has no say; the tunnel asks again.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Names that are looked up at once.
const AT_ONCE: usize = 32;

/// A name and a port.
pub type Name = (String, u16);

/// The addresses of those `names` that are found within `patience`, in the order of the system's preference.
#[must_use]
pub fn look_up(names: impl IntoIterator<Item = Name>, patience: Duration) -> BTreeMap<Name, Vec<SocketAddr>> {
    let mut left: Vec<Name> = names.into_iter().collect();
    left.sort();
    left.dedup();
    let deadline = Instant::now() + patience;
    let (tell, told) = channel();
    let (mut found, mut under_way) = (BTreeMap::new(), 0);
    loop {
        while under_way < AT_ONCE {
            let Some(name) = left.pop() else { break };
            let tell = tell.clone();
            // The system's resolver cannot be interrupted: a thread that comes too late tells nobody.
            let look = move || {
                let addresses = (name.0.as_str(), name.1).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
                let _ = tell.send((name, addresses));
            };
            // One that dies tells nobody either.
            if watched::start("resolve", look, drop).is_ok() {
                under_way += 1;
            }
        }
        if under_way == 0 {
            return found;
        }
        match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((name, addresses)) => {
                under_way -= 1;
                found.insert(name, addresses);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_looked_up_once() {
        let name = |host: &str| (host.to_owned(), 7);
        let found = look_up(
            [name("127.0.0.1"), name("::1"), name("127.0.0.1"), name("nobody.invalid")],
            Duration::from_secs(600),
        );
        assert_eq!(found.len(), 3);
        assert_eq!(found[&name("127.0.0.1")], [SocketAddr::from(([127, 0, 0, 1], 7))]);
        assert!(found[&name("nobody.invalid")].is_empty());
        assert!(look_up([], PATIENCE).is_empty());
    }

    #[test]
    fn more_names_than_are_looked_up_at_once() {
        let names = (0..200u8).map(|last| (format!("127.0.0.{last}"), 1));
        assert_eq!(look_up(names, Duration::from_secs(600)).len(), 200);
    }
}
