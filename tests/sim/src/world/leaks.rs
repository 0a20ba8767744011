//! Nothing leaks: what a tunnel held for its peers is gone when they are.
use super::{HostId, World};
use core::time::Duration;
use underpass_core::Change;
use underpass_core::config::PeerAction;
use underpass_core::tunnel::Footprint;

/// The longest that anything may linger, clocks that were stepped back included.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

impl World {
    /// Ends the story: keepalives stop, everyone is awake and the attacker gone. Then, without traffic, every tunnel comes
    /// to rest by itself: no queue, no key, no index, no deadline. Then the peers are removed, and still there is
    /// nothing.
    ///
    /// # Panics
    /// When something is left.
    pub fn assert_nothing_leaked(&mut self) {
        self.network.attacker.relent();
        for host in self.hosts() {
            if self.host(host).asleep {
                self.wake(host);
            }
            self.stop_keepalives(host);
        }
        assert!(self.run_until_quiet(PATIENCE), "something still happens after a week without traffic");
        self.assert_at_rest("after the sessions expired");
        for host in self.hosts() {
            self.change(host, &[Change::RemoveAllPeers]).expect("peers can be removed");
        }
        self.assert_at_rest("after the peers were removed");
    }

    /// Removes all peers at once, whatever is under way, and checks that nothing of them is left.
    ///
    /// # Panics
    /// When something is left.
    pub fn assert_removal_leaks_nothing(&mut self) {
        for host in self.hosts() {
            self.change(host, &[Change::RemoveAllPeers]).expect("peers can be removed");
        }
        self.assert_at_rest("after the peers were removed in full swing");
    }

    fn assert_at_rest(&self, when: &str) {
        for host in self.hosts() {
            let name = self.host(host).name();
            let held = self.footprint(host);
            let peers = self.tunnel(host).peers().count();
            let allowed_ips: usize = self.tunnel(host).peers().map(|peer| peer.allowed_ips().count()).sum();
            assert_eq!(held, Footprint { peers, allowed_ips, ..Footprint::default() }, "{name} {when}");
            assert_eq!(self.tunnel(host).poll_timeout(), None, "{name} {when}");
        }
    }

    fn stop_keepalives(&mut self, host: HostId) {
        let stop = |key| underpass_core::PeerChange {
            action: PeerAction::Update,
            persistent_keepalive: Some(0),
            ..underpass_core::PeerChange::new(key)
        };
        let with = |peer: &underpass_core::tunnel::PeerView<'_>| peer.persistent_keepalive() != 0;
        let keys: Vec<_> = self.tunnel(host).peers().filter(with).map(|peer| *peer.public_key()).collect();
        let changes: Vec<_> = keys.into_iter().map(|key| Change::Peer(stop(key))).collect();
        self.change(host, &changes).expect("keepalives can be turned off");
    }
}
