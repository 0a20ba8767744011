//! Roles, locks and messages at any moment.
use super::*;
use crate::config::{Access, ControlRole, Gate};
#[cfg(feature = "filter")]
use crate::filter::{Action, Rule, SessionConfig, Way};
use crate::limits::{CONTROL_BYTES, CONTROL_BYTES_PER_PEER, CONTROL_MESSAGES, CONTROL_MESSAGES_PER_PEER};
use crate::tunnel::channel::Backpressure;

impl Story {
    /// Everything is allowed, rejected, or nothing said of it.
    #[cfg(feature = "filter")]
    fn rules(&mut self) -> SessionConfig {
        let everything = || ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network")).into();
        let rules = match self.below(3) {
            0 => Vec::new(),
            1 => vec![Rule::allow(1, everything()), Rule { way: Way::ToPeer, ..Rule::allow(2, everything()) }],
            _ => vec![Rule { action: Action::Reject, log: true, ..Rule::allow(3, everything()) }],
        };
        SessionConfig {
            rules: rules.into(),
            unmatched: Action::Reject,
            log_unmatched: true,
            ..SessionConfig::default()
        }
    }

    pub(super) fn change_of_channel(&mut self, who: usize) {
        let other = private(self.keys[1 - who]).public_key();
        let access = match self.below(3) {
            0 => Access::Locked,
            #[cfg(feature = "filter")]
            1 => Access::Ruled(self.rules()),
            _ => Access::Open,
        };
        let change = match self.below(6) {
            0 => Change::Control(ControlRole::Off),
            1 => Change::Control(ControlRole::Gateway),
            2 => Change::Control(ControlRole::Client { gateway: other }),
            3 => Change::Peer(NewPeer { access: Some(access), ..NewPeer::new(other) }.into()),
            _ => Change::Access { peer: other, access },
        };
        let outcome = self.hosts[who].tunnel.configure(self.clocks[who].now, &[change]);
        let reason = outcome.err().map(|error| error.reason);
        assert!(matches!(reason, None | Some(ConfigReason::TooManyPeers)), "{reason:?}");
        self.drain(who);
    }

    /// Sends a message of any kind to a peer, if there is one.
    pub(super) fn post(&mut self, who: usize) {
        let now = self.clocks[who].now;
        let (len, wakes) = (self.below(1500) as usize, self.below(2) == 0);
        let tunnel = &mut self.hosts[who].tunnel;
        let Some(peer) = tunnel.peers().next().map(|peer| peer.id()) else { return };
        let before = tunnel.footprint();
        let posted = match wakes {
            true => tunnel.send_control_waking(now, peer, &vec![7; len]),
            false => tunnel.send_control(now, peer, &vec![7; len]),
        };
        let after = tunnel.footprint();
        match posted {
            Ok(()) => assert_eq!(after.control_messages, before.control_messages + 1),
            Err(Backpressure::NoMemory) => panic!("there is memory"),
            Err(_) => assert_eq!(after, before),
        }
    }

    /// One of them is the gateway, and nobody is locked any more.
    pub(super) fn open_channel(&mut self, who: usize) {
        let (now, other) = (self.clocks[who].now, private(self.keys[1 - who]).public_key());
        let role = if who == 0 { ControlRole::Client { gateway: other } } else { ControlRole::Gateway };
        let changes = [Change::Control(role), Change::Access { peer: other, access: Access::Open }];
        self.hosts[who].tunnel.configure(now, &changes).expect("sound changes");
    }

    /// One message to the other.
    pub(super) fn ask(&mut self, who: usize) {
        let (now, other) = (self.clocks[who].now, private(self.keys[1 - who]).public_key());
        let tunnel = &mut self.hosts[who].tunnel;
        let id = tunnel.peer_by_key(&other).expect("they know each other");
        tunnel.send_control_waking(now, id, b"a question").expect("room for it");
    }
}

/// What waits for a peer is due or has a handshake to wait for, and nothing passes a lock.
pub(super) fn check(tunnel: &Tunnel, peer: &Peer, drained: bool) {
    let waiting = peer.channel().map_or(0, |channel| channel.len());
    let handshake = peer.handshake.is_under_way();
    assert!(!peer.has_messages_due() || waiting > 0, "{peer:?}");
    assert!(waiting == 0 || peer.has_messages_due() || handshake, "messages that nobody sends: {peer:?}");
    assert!(!(drained && peer.has_messages_due()), "{peer:?}");
    assert!(peer.access != Gate::Locked || peer.staged.is_empty(), "{peer:?}");
    if tunnel.shared.local.is_none() || peer.refused {
        assert_eq!(waiting, 0, "{peer:?}");
    }
}

/// The outboxes hold what is counted, and no more than they may.
pub(super) fn check_bounds(tunnel: &Tunnel) {
    let held = tunnel.footprint();
    let channels = || tunnel.peers.iter().filter_map(|peer| peer.channel());
    assert_eq!(held.control_messages, channels().map(|channel| channel.len()).sum::<usize>());
    assert_eq!(held.control_bytes, channels().map(|channel| channel.bytes()).sum::<usize>());
    assert!(held.control_messages <= CONTROL_MESSAGES.min(held.peers * CONTROL_MESSAGES_PER_PEER), "{held:?}");
    assert!(held.control_bytes <= CONTROL_BYTES.min(held.peers * CONTROL_BYTES_PER_PEER), "{held:?}");
}
