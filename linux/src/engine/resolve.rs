//! Endpoint names become addresses on threads of their own: a name server may take its time.
use super::shared::{Order, Shared};
use crate::watched::{self, Died};
use std::collections::HashSet;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use underpass_core::PeerId;

/// Names looked up at once; the tunnel asks again for those that found no place.
const AT_ONCE: usize = 16;

/// What finds the address behind a name and a port, of IPv4 and IPv6 as far as each is reached.
type LookUp = dyn Fn(&str, u16, (bool, bool)) -> Option<SocketAddr> + Send + Sync;

/// Who turns names of endpoints into addresses: the system, unless somebody else is named.
#[derive(Clone)]
pub struct Names(Arc<LookUp>);

impl Names {
    /// `look_up` does. It may take its time.
    pub fn new(look_up: impl Fn(&str, u16, (bool, bool)) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }

    /// Where `host` is, of IPv4 and IPv6 as far as each is reached.
    #[must_use]
    pub fn look_up(&self, host: &str, port: u16, reach: (bool, bool)) -> Option<SocketAddr> {
        (self.0)(host, port, reach)
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new(|host, port, reach| first_reachable((host, port), reach))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// Looks names up.
#[derive(Debug)]
pub struct Resolver {
    names: Names,
    under_way: Arc<Mutex<HashSet<PeerId>>>,
}

impl Resolver {
    /// Looks them up at `names`.
    #[must_use]
    pub fn new(names: Names) -> Self {
        Self { names, under_way: Arc::default() }
    }

    /// Looks up `host` for `peer` and tells the tunnel. Of several addresses the system's preference is followed, as
    /// far as `reach` (IPv4, IPv6) allows. Failure is silent: the tunnel asks again.
    pub fn resolve(&self, shared: &Arc<Shared>, peer: PeerId, host: String, port: u16, reach: (bool, bool)) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.len() >= AT_ONCE || !under_way.insert(peer) {
            return;
        }
        drop(under_way);
        let under_way = Arc::clone(&self.under_way);
        let is_over = move || _ = under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&peer);
        let of_thread = Arc::clone(shared);
        let over = {
            let is_over = is_over.clone();
            move |outcome: Result<(), Died>| {
                is_over();
                if let Err(died) = outcome {
                    of_thread.order(Order::Fail(died));
                }
            }
        };
        let shared = Arc::clone(shared);
        let names = self.names.clone();
        let look_up = move || {
            let found = names.look_up(&host, port, reach);
            match found {
                Some(remote) => {
                    tracing::debug!(host, %remote, "resolved");
                    shared.with_tunnel(|tunnel, now| tunnel.set_endpoint(now, peer, remote));
                }
                None => tracing::warn!("an endpoint's name could not be resolved; trying again when it is needed"),
            }
        };
        if watched::start("resolve", look_up, over).is_err() {
            is_over();
        }
    }
}

fn first_reachable(name: impl ToSocketAddrs, (v4, v6): (bool, bool)) -> Option<SocketAddr> {
    name.to_socket_addrs().ok()?.find(|address| if address.is_ipv4() { v4 } else { v6 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_of_a_family_we_have_is_taken() {
        let (a, b) = (SocketAddr::from(([0; 16], 1)), SocketAddr::from(([10, 0, 0, 1], 1)));
        let name = [a, b];
        for (reach, expected) in [((true, true), Some(a)), ((true, false), Some(b)), ((false, false), None)] {
            assert_eq!(first_reachable(&name[..], reach), expected);
        }
        assert_eq!(first_reachable(("name.invalid", 1), (true, true)), None);
    }
}
