//! Changes of the configuration, and commands.
use super::*;

impl Story {
    pub(super) fn change(&mut self, who: usize) {
        #[cfg(feature = "control")]
        if self.below(4) == 0 {
            return self.change_of_channel(who);
        }
        let change = match self.below(12) {
            0 => {
                self.keys[who] = 10 * (1 + self.below(8) as u8) + who as u8;
                self.sent.retain(|(whose, _), _| *whose != who);
                Change::PrivateKey((self.below(4) > 0).then(|| private(self.keys[who])))
            }
            1 => Change::RemoveAllPeers,
            2 => Change::Mtu(68 + self.below(1500) as u16),
            3 => Change::Padding([Padding::Sixteen, Padding::Buckets(256), Padding::Mtu][self.below(3) as usize]),
            4 => Change::Limits(self.limits()),
            _ => Change::Peer(self.peer_change(who)),
        };
        let outcome = self.hosts[who].tunnel.configure(self.clocks[who].now, &[change]);
        let reason = outcome.err().map(|error| error.reason);
        assert!(matches!(reason, None | Some(ConfigReason::TooManyPeers)), "{reason:?}");
        self.drain(who);
    }

    /// Bounds that are reached soon, or the usual ones.
    fn limits(&mut self) -> Limits {
        if self.below(3) == 0 {
            return Limits::default();
        }
        Limits {
            peers: 1 + self.below(3),
            staged_packets_per_peer: self.below(4) as u16,
            staged_bytes_per_peer: self.below(4000),
            staged_bytes: self.below(6000),
            handshakes_per_second: 1 + self.below(3),
            ..Limits::default()
        }
    }

    fn peer_change(&mut self, who: usize) -> PeerChange {
        let mut change = PeerChange::new(private(self.keys[1 - who]).public_key());
        match self.below(7) {
            0 | 1 => change.persistent_keepalive = Some(self.below(40) as u16),
            2 => change.preshared_key = Some(crate::PresharedKey::from_bytes([self.below(2) as u8; 32])),
            3 => {
                let name = std::format!("{}.example", self.below(2));
                change.endpoint = Some(Endpoint::Name { host: name, port: 1 });
            }
            4 => {
                change.pin_endpoint = Some(self.below(2) == 0);
                change.replace_allowed_ips = self.below(2) == 0;
            }
            _ => {
                change.endpoint = Some(Endpoint::Address(self.address(1 - who)));
                change.allowed_ips = vec![Self::network(1 - who)];
            }
        }
        change
    }

    pub(super) fn network(who: usize) -> crate::config::AllowedIp {
        let network: ipnet::IpNet = std::format!("10.0.0.{}/32", who + 1).parse().expect("a network");
        network.into()
    }

    pub(super) fn command(&mut self, who: usize) {
        let remote = self.address(1 - who);
        let now = self.clocks[who].now;
        let peers: Vec<_> = self.hosts[who].tunnel.peers().map(|peer| peer.id()).collect();
        if peers.is_empty() {
            return;
        }
        let peer = peers[self.below(peers.len() as u32) as usize];
        let (choice, how) = (self.below(8), self.below(1 << 16));
        let tunnel = &mut self.hosts[who].tunnel;
        match choice {
            0 => tunnel.connect(now, peer),
            1 => tunnel.set_endpoint(now, peer, remote),
            2 => {
                tunnel.handle_network_change(now);
                // What was sent over the old network holds nothing back.
                self.sent.retain(|(whose, _), _| *whose != who);
            }
            3 => {
                let wall = &mut self.clocks[who].wall;
                // A day and a half back, or as much ahead.
                let back = Duration::from_secs(65536) + Duration::from_secs(how.into());
                let earlier = UnixTime::from_duration(wall.as_duration().saturating_sub(back));
                let least = self.watch[who].least_wall();
                *wall = if how % 2 == 0 { earlier.max(least) } else { *wall + back };
                tunnel.handle_wall_clock(now, *wall);
            }
            4 => tunnel.end_sessions(now, peer),
            5 => tunnel.set_refused(now, peer, how % 2 == 0),
            6 => tunnel.set_refused(now, peer, false),
            _ => {
                let kind = SendError::ALL[how as usize % SendError::ALL.len()];
                let path = tunnel.peer(peer).and_then(|peer| peer.path()).filter(|_| how % 7 != 0);
                tunnel.handle_send_error(peer, path.unwrap_or(Path::new(remote)), how as usize % 2000, kind);
            }
        }
    }
}
