//! What an application does with a running tunnel.
use crate::address::SocketAddress;
use crate::changes::{Padding, PeerChange, TunnelLimits};
use crate::config::Configuration;
use crate::error::TunnelError;
use crate::events::TunnelEvent;
use crate::floors;
use crate::keys::{PrivateKey, PublicKey};
use crate::peers::{DropCount, PeerInfo, TunnelLayout, TunnelStatistics, counts};
use crate::tunnel::Tunnel;
use crate::words::Health;
use std::collections::HashSet;
use std::sync::Arc;
use underpass_core as core;
use underpass_core::config::PeerAction;
use underpass_core::tunnel::PeerView;
use underpass_core::{AllowedIp, Change, NewPeer, PeerId, PresharedKey};

/// Configuration. All of a call is done, or nothing of it.
#[uniffi::export]
impl Tunnel {
    /// Makes the tunnel what a configuration says, as `wg syncconf` does: peers that are not in it go, the rest keep their
    /// sessions; private key and MTU are set too.
    ///
    /// # Errors
    /// `TooManyPeers`, `Closed`, `Poisoned`.
    pub fn apply(&self, configuration: Arc<Configuration>) -> Result<(), TunnelError> {
        let said = &configuration.said.tunnel;
        let wanted: HashSet<_> = said.peers.iter().map(|peer| peer.public_key).collect();
        self.command(|core, now| {
            let gone: Vec<_> =
                core.peers().map(|peer| *peer.public_key()).filter(|key| !wanted.contains(key)).collect();
            // Reserved at once, so that no reallocation leaves a copy of a key behind.
            let mut changes = Vec::with_capacity(gone.len() + said.peers.len() + 2);
            changes.extend(gone.into_iter().map(removal));
            changes.push(Change::PrivateKey(said.private_key.clone()));
            changes.push(Change::Mtu(said.mtu));
            changes.extend(said.peers.iter().map(as_change));
            Ok(core.configure(now, &changes).map_err(|error| core::ConfigError { change: None, ..error })?)
        })
    }

    /// Adds, changes and removes peers, in the order of the changes. Sessions go on. The answer is the number of the peer of
    /// each change; none where it is not there afterwards.
    ///
    /// # Errors
    /// `LowOrderKey`, `TooManyPeers`, `Argument`, `Prefix`, `Closed`, `Poisoned`.
    pub fn change_peers(&self, changes: Vec<PeerChange>) -> Result<Vec<Option<u64>>, TunnelError> {
        let mut list = Vec::with_capacity(changes.len());
        for change in &changes {
            list.push(Change::Peer(change.to_core()?));
        }
        self.command(|core, now| {
            core.configure(now, &list)?;
            let number = |change: &PeerChange| core.peer_by_key(&change.public_key.0).map(PeerId::to_u64);
            Ok(changes.iter().map(number).collect())
        })
    }

    /// Removes every peer, with its sessions and staged packets.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn remove_all_peers(&self) -> Result<(), TunnelError> {
        self.configure(Change::RemoveAllPeers)
    }

    /// Sets the private key, or removes it. Sessions end, unless it is the key that is set.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn set_private_key(&self, key: Option<Arc<PrivateKey>>) -> Result<(), TunnelError> {
        self.configure(Change::PrivateKey(key.map(|key| key.0.clone()).filter(|key| !key.is_zero())))
    }

    /// Sets the MTU of the virtual interface, 68 to 65535 bytes. Datagrams need other room then, see `layout`.
    ///
    /// # Errors
    /// `Mtu`, `Closed`, `Poisoned`.
    pub fn set_mtu(&self, mtu: u16) -> Result<(), TunnelError> {
        self.configure(Change::Mtu(mtu))
    }

    /// Sets how packets are padded. Datagrams need other room then, see `layout`.
    ///
    /// # Errors
    /// `Argument`, `Closed`, `Poisoned`.
    pub fn set_padding(&self, padding: Padding) -> Result<(), TunnelError> {
        self.configure(Change::Padding(padding.into()))
    }

    /// Raises or lowers the bounds on memory and work. What is staged beyond them is dropped, the oldest first; peers beyond
    /// them stay, but none are added.
    ///
    /// # Errors
    /// `Limit`, `Closed`, `Poisoned`.
    pub fn set_limits(&self, limits: TunnelLimits) -> Result<(), TunnelError> {
        self.configure(Change::Limits(limits.to_core()))
    }
}

/// Facts and commands.
#[uniffi::export]
impl Tunnel {
    /// Tells that the machine has other addresses, or another way to the network: endpoint names are asked for again, and
    /// peers hear from us.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn handle_network_change(&self) -> Result<(), TunnelError> {
        self.command(|core, now| {
            core.handle_network_change(now);
            Ok(())
        })
    }

    /// Tells that the wall clock was set: it is read again.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn handle_wall_clock(&self) -> Result<(), TunnelError> {
        self.command(|core, now| {
            core.handle_wall_clock(now, self.clock().wall());
            Ok(())
        })
    }

    /// Starts a handshake with a peer, unless a session is live or one is under way.
    ///
    /// # Errors
    /// `NoPeer`, `Closed`, `Poisoned`.
    pub fn connect(&self, peer: u64) -> Result<(), TunnelError> {
        self.command(|core, now| {
            core.connect(now, known(core, peer)?);
            Ok(())
        })
    }

    /// Tells where a peer is reached: the answer to `ResolveEndpoint`, or what the application knows otherwise.
    ///
    /// # Errors
    /// `NoPeer`, `Argument`, `Closed`, `Poisoned`.
    pub fn set_endpoint(&self, peer: u64, address: SocketAddress) -> Result<(), TunnelError> {
        let remote = address.to_core("address")?;
        self.command(|core, now| {
            core.set_endpoint(now, known(core, peer)?, remote);
            Ok(())
        })
    }

    /// Ends the sessions and handshakes of a peer at once, wipes their keys and drops what is staged for it. The peer stays;
    /// the next packet or initiation begins a new session, unless it is refused.
    ///
    /// # Errors
    /// `NoPeer`, `Closed`, `Poisoned`.
    pub fn end_sessions(&self, peer: u64) -> Result<(), TunnelError> {
        self.command(|core, now| {
            core.end_sessions(now, known(core, peer)?);
            Ok(())
        })
    }

    /// Refuses a peer, or no longer. Its sessions end; its initiations and packets to it are dropped. Its configuration
    /// stays.
    ///
    /// # Errors
    /// `NoPeer`, `Closed`, `Poisoned`.
    pub fn set_refused(&self, peer: u64, refused: bool) -> Result<(), TunnelError> {
        self.command(|core, now| {
            core.set_refused(now, known(core, peer)?, refused);
            Ok(())
        })
    }

    /// Forgets the last timestamp accepted from a peer, whose clock was once far ahead and has been mended. Until its next
    /// handshake, an old initiation of its could be replayed; it reaches no session by that.
    ///
    /// # Errors
    /// `NoPeer`, `Closed`, `Poisoned`.
    pub fn reset_peer_timestamp(&self, peer: u64) -> Result<(), TunnelError> {
        self.command(|core, _| {
            core.reset_peer_timestamp(known(core, peer)?);
            Ok(())
        })
    }
}

/// Questions.
#[uniffi::export]
impl Tunnel {
    /// The next event; none: no more at present.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn next_event(&self) -> Result<Option<TunnelEvent>, TunnelError> {
        self.cell().take_event()
    }

    /// All peers.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn peers(&self) -> Result<Vec<PeerInfo>, TunnelError> {
        self.ask(|core, now| Ok(core.peers().map(|peer| PeerInfo::of(&peer, now)).collect()))
    }

    /// One peer.
    ///
    /// # Errors
    /// `NoPeer`, `Closed`, `Poisoned`.
    pub fn peer(&self, peer: u64) -> Result<PeerInfo, TunnelError> {
        self.ask(|core, now| Ok(PeerInfo::of(&view(core, peer)?, now)))
    }

    /// The number of the peer with a public key.
    ///
    /// # Errors
    /// `NoPeer`, `Closed`, `Poisoned`.
    pub fn peer_by_key(&self, public_key: Arc<PublicKey>) -> Result<u64, TunnelError> {
        self.ask(|core, _| core.peer_by_key(&public_key.0).map(PeerId::to_u64).ok_or(TunnelError::NoPeer))
    }

    /// The health of one peer.
    ///
    /// # Errors
    /// `NoPeer`, `Closed`, `Poisoned`.
    pub fn peer_health(&self, peer: u64) -> Result<Health, TunnelError> {
        self.ask(|core, now| Ok(view(core, peer)?.health(now).into()))
    }

    /// How often packets and datagrams of one peer went no further, by reason.
    ///
    /// # Errors
    /// `NoPeer`, `Closed`, `Poisoned`.
    pub fn peer_drops(&self, peer: u64) -> Result<Vec<DropCount>, TunnelError> {
        self.ask(|core, _| Ok(counts(&view(core, peer)?.drops())))
    }

    /// The same of the whole tunnel, datagrams of no known peer included.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn drops(&self) -> Result<Vec<DropCount>, TunnelError> {
        self.ask(|core, _| Ok(counts(&core.stats().drops)))
    }

    /// The counters of the tunnel, and what it holds. It visits every peer.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn statistics(&self) -> Result<TunnelStatistics, TunnelError> {
        self.ask(|core, _| Ok(TunnelStatistics::of(core)))
    }

    /// Our public key; none without a private key.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn public_key(&self) -> Result<Option<Arc<PublicKey>>, TunnelError> {
        self.ask(|core, _| Ok(core.public_key().map(PublicKey::shared)))
    }

    /// The room that packets and datagrams need at present.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn layout(&self) -> Result<TunnelLayout, TunnelError> {
        self.ask(|core, _| Ok(core.layout().into()))
    }

    /// What is to be saved from time to time and when the tunnel ends, for `saved_floors` of the next life's options: the
    /// timestamps of the tunnel and of its peers. There is nothing secret in it but who the peers are.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`.
    pub fn saved_floors(&self) -> Result<Vec<u8>, TunnelError> {
        self.ask(|core, _| Ok(floors::write(core)))
    }
}

impl Tunnel {
    fn configure(&self, change: Change) -> Result<(), TunnelError> {
        self.command(|core, now| Ok(core.configure(now, &[change])?))
    }
}

fn view(core: &core::Tunnel, peer: u64) -> Result<PeerView<'_>, TunnelError> {
    core.peer(PeerId::from_u64(peer)).ok_or(TunnelError::NoPeer)
}

fn known(core: &core::Tunnel, peer: u64) -> Result<PeerId, TunnelError> {
    view(core, peer).map(|peer| peer.id())
}

fn removal(public_key: core::PublicKey) -> Change {
    Change::Peer(core::PeerChange { action: PeerAction::Remove, ..core::PeerChange::new(public_key) })
}

/// The change that makes a peer of a running tunnel what a text says of it. What a text cannot say stays.
fn as_change(peer: &NewPeer) -> Change {
    Change::Peer(core::PeerChange {
        preshared_key: Some(peer.preshared_key.clone().unwrap_or(PresharedKey::from_bytes([0; 32]))),
        endpoint: peer.endpoint.clone(),
        persistent_keepalive: Some(peer.persistent_keepalive),
        replace_allowed_ips: true,
        allowed_ips: peer.allowed_ips.iter().copied().map(AllowedIp::from).collect(),
        ..core::PeerChange::new(peer.public_key)
    })
}
