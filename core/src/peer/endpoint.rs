//! Where a peer is reached: as configured, and as authenticated datagrams have shown.
use crate::config::Endpoint;
use crate::memory::Boxed;
use crate::route::RoutingTable;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// The two outer addresses of a datagram. Those that the core gives out are IPv4 where they are IPv4, never
/// `::ffff:a.b.c.d`; it takes both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Path {
    /// Our own address: where a datagram arrived, or where one should leave from; `None`: the host decides.
    pub local: Option<IpAddr>,
    /// The other side's address and port.
    pub remote: SocketAddr,
    /// Which of the host's sockets or interfaces, by a number of the host's own; 0 where there is but one. Answers go out by
    /// the link that the peer was last heard on.
    pub link: u32,
}

impl Path {
    /// To or from `remote`: our own address is the host's choice, the link is 0.
    #[must_use]
    pub const fn new(remote: SocketAddr) -> Self {
        Self { local: None, remote, link: 0 }
    }

    /// The same with our own address.
    #[must_use]
    pub const fn with_local(self, local: Option<IpAddr>) -> Self {
        Self { local, ..self }
    }

    /// The same over another link.
    #[must_use]
    pub const fn with_link(self, link: u32) -> Self {
        Self { link, ..self }
    }
}

/// What is known of where the routes lead the endpoint, and for which revision of the routes. The stamp of a revision means:
/// in that revision the endpoint lies in no allowed IPs. Its complement means: it lies in the peer's own. 0: not known.
#[derive(Clone, Copy, Debug, Default)]
struct Routed(u32);

/// A peer's endpoint.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct PeerEndpoint {
    /// First, with what follows it, for the packet path reads nothing else.
    path: Option<Path>,
    /// What is known of where routes lead the endpoint: see [`Routed`].
    routed: Routed,
    pub(crate) pinned: bool,
    /// As configured; boxed, for most peers of a gateway have none.
    configured: Option<Boxed<Endpoint>>,
    /// When the host was last asked to resolve the name; `Instant::MAX`: not yet.
    asked: Instant,
}

impl Default for PeerEndpoint {
    fn default() -> Self {
        Self { path: None, routed: Routed::default(), configured: None, pinned: false, asked: Instant::MAX }
    }
}

impl PeerEndpoint {
    /// Bytes at its beginning that sealing reads.
    #[cfg(test)]
    pub(crate) const READ_TO_SEAL: usize = core::mem::offset_of!(Self, routed) + size_of::<Routed>();

    pub(crate) fn path(&self) -> Option<Path> {
        self.path
    }

    /// The path where it lies: to be copied once, into a verdict.
    #[inline]
    pub(crate) fn path_in_place(&self) -> Option<&Path> {
        self.path.as_ref()
    }

    pub(crate) fn configured(&self) -> Option<&Endpoint> {
        self.configured.as_deref()
    }

    /// A new endpoint from the configuration. The name that it has already leaves it where it is until the host answers.
    pub(crate) fn configure(&mut self, endpoint: Boxed<Endpoint>) {
        match &*endpoint {
            Endpoint::Address(remote) => self.set_remote(*remote),
            Endpoint::Name { .. } if self.configured() == Some(&*endpoint) => {}
            Endpoint::Name { .. } => {
                self.path = None;
                self.routed = Routed::default();
            }
        }
        self.configured = Some(endpoint);
        self.asked = Instant::MAX;
    }

    /// The host resolved the name, or knows better.
    pub(crate) fn set_remote(&mut self, remote: SocketAddr) {
        let remote = canonical(remote);
        if self.path.is_none_or(|path| path.remote != remote) {
            self.path = Some(Path::new(remote));
            self.routed = Routed::default();
        }
    }

    /// What was found when [`note_routed`](Self::note_routed) was called, if neither the endpoint nor the routes have
    /// changed since.
    #[inline]
    pub(crate) fn is_unrouted(&self, routes: &RoutingTable) -> bool {
        self.routed.0 == routes.stamp()
    }

    /// Likewise: whether the endpoint lies in the peer's own allowed IPs.
    pub(crate) fn is_routed_to_itself(&self, routes: &RoutingTable) -> bool {
        self.routed.0 == !routes.stamp()
    }

    /// Remembers whether the endpoint lies in nobody's allowed IPs, or in those of the peer itself.
    pub(crate) fn note_routed(&mut self, routes: &RoutingTable, to_itself: bool) {
        self.routed = Routed(if to_itself { !routes.stamp() } else { routes.stamp() });
    }

    /// Whether the peer is reached at `remote`.
    pub(crate) fn leads_to(&self, remote: SocketAddr) -> bool {
        self.path.is_some_and(|path| path.remote == canonical(remote))
    }

    /// Whether the peer is reached over just this path: then an authenticated datagram over it changes nothing.
    #[inline]
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.path.as_ref() == Some(path)
    }

    /// An authenticated datagram came over `path`. Returns whether the remote address moved. From where nobody can be
    /// answered nobody is, so the endpoint stays where it was.
    pub(crate) fn roam(&mut self, path: Path) -> bool {
        let Path { local, remote, link } = path;
        let remote = canonical(remote);
        let moved = self.path.is_none_or(|known| known.remote != remote);
        if moved && (self.pinned || !is_answerable(remote)) {
            return false;
        }
        self.path = Some(Path { local: local.map(|local| local.to_canonical()), remote, link });
        if moved {
            self.routed = Routed::default();
        }
        moved
    }

    /// Where to answer a message that came over `path`, if not to the endpoint.
    pub(crate) fn answer_to(&self, path: Path) -> Option<Path> {
        let remote = canonical(path.remote);
        let local = path.local.map(|local| local.to_canonical());
        (!self.pinned && is_answerable(remote)).then_some(Path { local, remote, link: path.link })
    }

    /// Our own address is no longer to be relied on.
    pub(crate) fn forget_local(&mut self) {
        if let Some(path) = &mut self.path {
            path.local = None;
        }
    }

    pub(crate) fn is_named(&self) -> bool {
        matches!(self.configured(), Some(Endpoint::Name { .. }))
    }

    /// Whether the host should be asked to resolve the name: there is one, and it was not asked within `pause`.
    pub(crate) fn ask(&mut self, now: Instant, pause: core::time::Duration) -> bool {
        let due = self.is_named() && (self.asked == Instant::MAX || now.since(self.asked) >= pause);
        if due {
            self.asked = now;
        }
        due
    }
}

/// An IPv4 address as itself, also where a socket of both families writes it as an IPv6 one (RFC 4291 § 2.5.5.2); an IPv6
/// address without the label of the flow that a datagram belonged to (RFC 6437 § 2), which says nothing of where it is.
fn canonical(remote: SocketAddr) -> SocketAddr {
    match remote {
        SocketAddr::V6(mut v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::from((ip, v6.port())),
            None => {
                v6.set_flowinfo(0);
                v6.into()
            }
        },
        SocketAddr::V4(_) => remote,
    }
}

/// Whether a datagram from there can be answered: it names a port (RFC 768: 0 is none) and a single host.
const fn is_answerable(remote: SocketAddr) -> bool {
    let single = match remote.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    single && remote.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::SocketAddrV6;

    fn boxed(endpoint: Endpoint) -> Boxed<Endpoint> {
        Boxed::new(endpoint).expect("memory")
    }

    fn path(local: &str, remote: &str) -> Path {
        Path::new(remote.parse().expect("an address")).with_local(local.parse().ok())
    }

    #[test]
    fn where_an_endpoint_goes() {
        let table = [
            // pinned, from, believed, moved
            (false, "192.0.2.7:7", "192.0.2.7:7", true),
            (false, "192.0.2.1:1", "192.0.2.1:1", false),
            (false, "[::ffff:192.0.2.1]:1", "192.0.2.1:1", false),
            (false, "[::ffff:192.0.2.7]:1", "192.0.2.7:1", true),
            (false, "[2001:db8::1%3]:1", "[2001:db8::1%3]:1", true),
            (false, "192.0.2.7:0", "192.0.2.1:1", false),
            (false, "0.0.0.0:7", "192.0.2.1:1", false),
            (false, "[::]:7", "192.0.2.1:1", false),
            (false, "224.0.0.1:7", "192.0.2.1:1", false),
            (false, "255.255.255.255:7", "192.0.2.1:1", false),
            (false, "[ff02::1]:7", "192.0.2.1:1", false),
            (true, "192.0.2.7:7", "192.0.2.1:1", false),
            (true, "[::ffff:192.0.2.1]:1", "192.0.2.1:1", false),
        ];
        for (row, (pinned, from, believed, moved)) in table.into_iter().enumerate() {
            let mut endpoint = PeerEndpoint { pinned, ..PeerEndpoint::default() };
            endpoint.configure(boxed(Endpoint::Address("[::ffff:192.0.2.1]:1".parse().expect("an address"))));
            assert_eq!(endpoint.roam(path("::ffff:10.0.0.1", from)), moved, "row {row}");
            let then = endpoint.path().expect("configured");
            assert_eq!(then.remote, believed.parse().expect("an address"), "row {row}");
            let heard = then.remote == canonical(from.parse().expect("an address"));
            assert_eq!(then.local, heard.then(|| "10.0.0.1".parse().expect("an address")), "row {row}");
        }
    }

    /// RFC 6437: labels of flows come and go; a scope is part of the address.
    #[test]
    fn flow_labels_are_forgotten_and_scopes_are_not() {
        let from = |flow, scope| SocketAddrV6::new("fe80::1".parse().expect("an address"), 1, flow, scope).into();
        let mut endpoint = PeerEndpoint::default();
        endpoint.configure(boxed(Endpoint::Address(from(7, 3))));
        let table = [
            // flow label, scope, moved
            (7, 3, false),
            (8, 3, false),
            (0, 3, false),
            (0, 4, true),
            (9, 4, false),
        ];
        for (row, (flow, scope, moved)) in table.into_iter().enumerate() {
            assert_eq!(endpoint.roam(Path::new(from(flow, scope))), moved, "row {row}");
            assert_eq!(endpoint.path().map(|path| path.remote), Some(from(0, scope)), "row {row}");
        }
    }

    #[test]
    fn the_same_name_again_leaves_the_endpoint_where_it_is() {
        let name = |host: &str| boxed(Endpoint::Name { host: host.into(), port: 1 });
        let mut endpoint = PeerEndpoint::default();
        endpoint.configure(name("one.example"));
        assert_eq!(endpoint.path(), None);
        endpoint.set_remote("192.0.2.1:1".parse().expect("an address"));
        assert!(endpoint.ask(Instant::ZERO, core::time::Duration::from_secs(5)));
        endpoint.configure(name("one.example"));
        assert!(endpoint.path().is_some());
        assert!(endpoint.ask(Instant::ZERO, core::time::Duration::from_secs(5)), "but it is asked for again");
        endpoint.configure(name("another.example"));
        assert_eq!(endpoint.path(), None);
    }
}
