//! A. Changes of a running tunnel: all or nothing.
use crate::address::{underpass_address, underpass_ip};
use crate::boundary::{enter, enter_tunnel};
use crate::config::underpass_config;
use crate::handle::underpass_tunnel;
use crate::memory::Caller;
use crate::options::underpass_options;
use crate::words::underpass_peer_id;
use alloc::collections::BinaryHeap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_char;
use underpass_core::config::PeerAction;
use underpass_core::tunnel::Padding;
use underpass_core::{
    AllowedIp, Change, Endpoint, Instant, NewPeer, PeerChange, PeerId, PresharedKey, PrivateKey, PublicKey, Status,
    Tai64N,
};

/// The peer is added if it is not there, then changed.
pub const UNDERPASS_PEER_SET: u32 = 0;
/// The peer is changed if it is there; else nothing happens.
pub const UNDERPASS_PEER_UPDATE: u32 = 1;
/// The peer is removed if it is there.
pub const UNDERPASS_PEER_REMOVE: u32 = 2;

/// preshared_key is set; all zeros removes it.
pub const UNDERPASS_PEER_HAS_PRESHARED_KEY: u32 = 1;
/// endpoint, or endpoint_host and endpoint_port, are set.
pub const UNDERPASS_PEER_HAS_ENDPOINT: u32 = 2;
/// persistent_keepalive is set.
pub const UNDERPASS_PEER_HAS_KEEPALIVE: u32 = 4;
/// The endpoint stays as configured although datagrams come from elsewhere.
pub const UNDERPASS_PEER_PIN: u32 = 8;
/// The endpoint follows the peer again.
pub const UNDERPASS_PEER_UNPIN: u32 = 16;
/// The allowed IPs are emptied before those of this change are added.
pub const UNDERPASS_PEER_REPLACE_ALLOWED_IPS: u32 = 32;

/// user is set.
pub const UNDERPASS_PEER_HAS_USER: u32 = 64;
/// timestamp_floor is set, unless the peer has a higher one.
pub const UNDERPASS_PEER_HAS_TIMESTAMP_FLOOR: u32 = 128;

/// Padding to the MTU: every packet has the same length.
pub const UNDERPASS_PADDING_MTU: u32 = 65535;

/// The longest host name of an endpoint (RFC 1035, section 2.3.4).
const HOST: usize = 255;
const FLAGS: u32 = (UNDERPASS_PEER_HAS_TIMESTAMP_FLOOR << 1) - 1;

/// An allowed IP to add or take away. Never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct underpass_allowed_ip {
    /// With its prefix; bits behind the prefix are ignored.
    pub network: underpass_ip,
    /// Not 0: take it away.
    pub remove: u32,
}

/// The room that packets and datagrams need. When MTU or padding change it: UNDERPASS_EVENT_LAYOUT_CHANGED.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_layout {
    /// sizeof(underpass_layout), set by the caller.
    pub size: u32,
    /// Bytes of the largest packet.
    pub mtu: u32,
    /// Bytes that must be free before a packet, in its buffer.
    pub headroom: u32,
    /// Bytes that must be free behind a packet. A buffer of transmit_buffer bytes has room for every packet.
    pub tailroom: u32,
    /// Bytes of the buffer for underpass_tunnel_poll_transmit().
    pub transmit_buffer: u32,
    /// 0.
    pub reserved: u32,
}

/// A change of one peer. Begin with underpass_peer_change_init(); what no flag speaks of stays as it is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_peer_change {
    /// sizeof(underpass_peer_change), set by underpass_peer_change_init().
    pub size: u32,
    /// UNDERPASS_PEER_SET, UNDERPASS_PEER_UPDATE or UNDERPASS_PEER_REMOVE.
    pub action: u32,
    /// UNDERPASS_PEER_HAS_*, UNDERPASS_PEER_PIN, UNDERPASS_PEER_UNPIN, UNDERPASS_PEER_REPLACE_ALLOWED_IPS.
    pub flags: u32,
    /// Seconds between persistent keepalives; 0: none.
    pub persistent_keepalive: u16,
    /// The port of endpoint_host, in host order.
    pub endpoint_port: u16,
    /// Which peer.
    pub public_key: [u8; 32],
    /// All zeros: none. Used from the next handshake on.
    pub preshared_key: [u8; 32],
    /// Where the peer is reached, unless endpoint_host is given.
    pub endpoint: underpass_address,
    /// A host name with a NUL that the host is to resolve, see UNDERPASS_EVENT_RESOLVE_ENDPOINT; or NULL.
    pub endpoint_host: *const c_char,
    /// Allowed IPs to add or take away; borrowed for the call.
    pub allowed_ips: *const underpass_allowed_ip,
    /// How many.
    pub allowed_ips_len: usize,
    /// A number of the host's own, or a pointer as uintptr_t: verdicts, events and underpass_peer_info hand it back.
    pub user: u64,
    /// What underpass_peer_info had before a restart, so that no initiation from before is taken for a new one.
    pub timestamp_floor: [u8; 12],
    /// 0.
    pub reserved: u32,
}

/// Fills a change with what sets nothing. Fill in the public key, and what is to be otherwise.
/// - size: sizeof(underpass_peer_change).
#[unsafe(no_mangle)]
pub extern "C" fn underpass_peer_change_init(out: *mut underpass_peer_change, size: u32) -> i32 {
    enter(|caller| caller.init(out, size, underpass_peer_change { size, ..Default::default() }))
}

/// Adds, changes and removes peers, in the order of the changes, all or none. Sessions go on. Then poll.
/// - changes: len of them, all of the size of the first.
/// - peers: out, len of them: the number of the peer of each change, 0 where it is not there afterwards (it was removed, or the
///   key is our own); or NULL.
/// - UNDERPASS_E_LOW_ORDER_KEY: a public key that no peer can have. All zeros is taken: nothing is ever sent to that
///   peer.
/// - UNDERPASS_E_TOO_MANY_PEERS: more than max_peers of the options. Remove some first.
/// - UNDERPASS_E_PREFIX: the prefix of an allowed IP is too long.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_configure_peers(
    tunnel: *mut underpass_tunnel,
    now: u64,
    changes: *const underpass_peer_change,
    len: usize,
    peers: *mut underpass_peer_id,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let peers = if peers.is_null() { None } else { Some(caller.outs(peers, len)?) };
        let given = caller.records(changes, len, underpass_peer_change::default())?;
        // Reserved at once, so that no reallocation leaves a copy of a key behind.
        let mut changes = Vec::new();
        changes.try_reserve_exact(len).map_err(|_| Status::Memory)?;
        for change in given {
            changes.push(Change::Peer(change?.change(caller)?));
        }
        tunnel.configure(Instant::from_nanos(now), &changes)?;
        if let Some(peers) = peers {
            let keys = || {
                changes.iter().filter_map(|change| match change {
                    Change::Peer(change) => Some(change.public_key),
                    _ => None,
                })
            };
            peers.put_what_fits(|| keys().map(|key| tunnel.peer_by_key(&key).map_or(0, PeerId::to_u64)));
        }
        Ok(())
    })
}

/// Removes every peer, with its sessions and staged packets. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_remove_all_peers(tunnel: *mut underpass_tunnel, now: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| Ok(tunnel.configure(Instant::from_nanos(now), &[Change::RemoveAllPeers])?))
}

/// Sets the private key, or removes it: NULL or all zeros. Sessions end, unless the key is the same. A
/// peer that has the public key of the new one is removed. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_set_private_key(
    tunnel: *mut underpass_tunnel,
    now: u64,
    private_key: *const u8,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let key = match private_key.is_null() {
            true => None,
            false => Some(PrivateKey::from_bytes(caller.read(private_key.cast())?)).filter(|key| !key.is_zero()),
        };
        Ok(tunnel.configure(Instant::from_nanos(now), &[Change::PrivateKey(key)])?)
    })
}

/// Sets the MTU of the virtual interface, 68 to 65535 bytes. Datagrams need other room then, see
/// underpass_tunnel_layout(). Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_set_mtu(tunnel: *mut underpass_tunnel, now: u64, mtu: u32) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        let mtu = u16::try_from(mtu).map_err(|_| Status::Mtu)?;
        Ok(tunnel.configure(Instant::from_nanos(now), &[Change::Mtu(mtu)])?)
    })
}

/// Sets how packets are padded before they are sealed, so that lengths tell less to whoever watches the network. Any
/// WireGuard peer takes padded packets; nothing is padded beyond the MTU. Datagrams need other room then, see
/// underpass_tunnel_layout(). Then poll.
/// - padding: to a multiple of so many bytes: 16, which is what every implementation does, or a power of two from 32 to
///   32768; UNDERPASS_PADDING_MTU; 0: 16.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_set_padding(tunnel: *mut underpass_tunnel, now: u64, padding: u32) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        let padding = padding_of(padding)?;
        Ok(tunnel.configure(Instant::from_nanos(now), &[Change::Padding(padding)])?)
    })
}

/// Raises or lowers the bounds on memory and work of a running tunnel. What is staged beyond them is dropped, the
/// oldest first. Peers beyond max_peers stay, but none are added.
/// - options: its limits, from max_peers on; the rest is not looked at.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_set_limits(
    tunnel: *mut underpass_tunnel,
    now: u64,
    options: *const underpass_options,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let limits = caller.record(options, underpass_options::defaults())?.limits()?;
        Ok(tunnel.configure(Instant::from_nanos(now), &[Change::Limits(limits)])?)
    })
}

/// Tells the room that packets and datagrams need at present.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_layout(tunnel: *const underpass_tunnel, out: *mut underpass_layout) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.record_out(out)?;
        let layout = tunnel.layout();
        out.put(underpass_layout {
            size: 0,
            mtu: layout.mtu().into(),
            headroom: layout.headroom() as u32,
            tailroom: layout.tailroom() as u32,
            transmit_buffer: layout.transmit_buffer() as u32,
            reserved: 0,
        });
        Ok(())
    })
}

/// Tells how many bytes the datagram has that a packet of so many bytes, 65535 at most, becomes.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_datagram_len(
    tunnel: *const underpass_tunnel,
    packet: usize,
    datagram: *mut usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.out(datagram)?;
        // No packet is longer.
        u16::try_from(packet).map_err(|_| Status::Argument)?;
        out.put(tunnel.layout().datagram_len(packet));
        Ok(())
    })
}

/// The padding of this number.
pub(crate) fn padding_of(number: u32) -> Result<Padding, Status> {
    match number {
        0 | 16 => Ok(Padding::Sixteen),
        UNDERPASS_PADDING_MTU => Ok(Padding::Mtu),
        size => u16::try_from(size).map(Padding::Buckets).map_err(|_| Status::Argument),
    }
}

/// Makes the tunnel what a configuration says, as wg syncconf does: peers that are not in it go, the rest keep their
/// sessions; private key and MTU are set too. Then poll.
/// - UNDERPASS_E_TOO_MANY_PEERS: more than max_peers of the options.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_apply_config(
    tunnel: *mut underpass_tunnel,
    now: u64,
    config: *const underpass_config,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let config = &caller.config(config)?.quick()?.tunnel;
        let gone =
            missing(tunnel.peers().map(|peer| *peer.public_key()), config.peers.iter().map(|peer| peer.public_key))?;
        // Reserved at once, so that no reallocation leaves a copy of a key behind.
        let mut changes = Vec::new();
        changes.try_reserve_exact(gone.len() + config.peers.len() + 2).map_err(|_| Status::Memory)?;
        changes.extend(
            gone.into_iter().map(|key| Change::Peer(PeerChange { action: PeerAction::Remove, ..PeerChange::new(key) })),
        );
        changes.push(Change::PrivateKey(config.private_key.clone()));
        changes.push(Change::Mtu(config.mtu));
        for peer in &config.peers {
            changes.push(Change::Peer(as_change(peer)?));
        }
        Ok(tunnel.configure(Instant::from_nanos(now), &changes)?)
    })
}

/// Those of `present` that are not among `wanted`, in n log n comparisons.
pub(crate) fn missing<K: Ord>(
    present: impl Iterator<Item = K>,
    wanted: impl Iterator<Item = K>,
) -> Result<Vec<K>, Status> {
    // By a heap, whose code is small beside that of the standard library's sort; nothing is allocated.
    let wanted = BinaryHeap::from(gather(wanted)?).into_sorted_vec();
    gather(present.filter(|key| wanted.binary_search(key).is_err()))
}

/// A list of what there is memory for.
fn gather<T>(items: impl Iterator<Item = T>) -> Result<Vec<T>, Status> {
    let mut list = Vec::new();
    for item in items {
        list.try_reserve(1).map_err(|_| Status::Memory)?;
        list.push(item);
    }
    Ok(list)
}

/// The change that makes a peer of a running tunnel what a text says of it. What a text cannot say stays.
pub(crate) fn as_change(peer: &NewPeer) -> Result<PeerChange, Status> {
    let endpoint = match &peer.endpoint {
        Some(Endpoint::Name { host, port }) => Some(named(host, *port)?),
        _ => outline(peer).endpoint,
    };
    let mut allowed_ips = Vec::new();
    allowed_ips.try_reserve_exact(peer.allowed_ips.len()).map_err(|_| Status::Memory)?;
    allowed_ips.extend(peer.allowed_ips.iter().copied().map(AllowedIp::from));
    Ok(PeerChange { endpoint, allowed_ips, ..outline(peer) })
}

/// The same without what needs memory: the name of an endpoint and the allowed IPs.
pub(crate) fn outline(peer: &NewPeer) -> PeerChange {
    PeerChange {
        preshared_key: Some(peer.preshared_key.clone().unwrap_or(PresharedKey::from_bytes([0; 32]))),
        endpoint: peer.endpoint.as_ref().map(|endpoint| match endpoint {
            Endpoint::Address(address) => Endpoint::Address(*address),
            Endpoint::Name { port, .. } => Endpoint::Name { host: String::new(), port: *port },
        }),
        persistent_keepalive: Some(peer.persistent_keepalive),
        replace_allowed_ips: true,
        ..PeerChange::new(peer.public_key)
    }
}

fn named(host: &str, port: u16) -> Result<Endpoint, Status> {
    let mut copy = String::new();
    copy.try_reserve_exact(host.len()).map_err(|_| Status::Memory)?;
    copy.push_str(host);
    Ok(Endpoint::Name { host: copy, port })
}

impl underpass_peer_change {
    /// The change as the core knows it.
    fn change(&self, caller: Caller<'_>) -> Result<PeerChange, Status> {
        let has = |flag| self.flags & flag != 0;
        if self.flags & !FLAGS != 0 || has(UNDERPASS_PEER_PIN) && has(UNDERPASS_PEER_UNPIN) {
            return Err(Status::Argument);
        }
        let action = match self.action {
            UNDERPASS_PEER_SET => PeerAction::Set,
            UNDERPASS_PEER_UPDATE => PeerAction::Update,
            UNDERPASS_PEER_REMOVE => PeerAction::Remove,
            _ => return Err(Status::Argument),
        };
        let mut allowed_ips = Vec::new();
        let given = caller.list(self.allowed_ips, self.allowed_ips_len)?;
        allowed_ips.try_reserve_exact(self.allowed_ips_len).map_err(|_| Status::Memory)?;
        for ip in given {
            allowed_ips.push(ip.change()?);
        }
        Ok(PeerChange {
            public_key: PublicKey::from_bytes(self.public_key),
            action,
            preshared_key: has(UNDERPASS_PEER_HAS_PRESHARED_KEY).then(|| PresharedKey::from_bytes(self.preshared_key)),
            endpoint: if has(UNDERPASS_PEER_HAS_ENDPOINT) { Some(self.endpoint(caller)?) } else { None },
            pin_endpoint: (has(UNDERPASS_PEER_PIN) || has(UNDERPASS_PEER_UNPIN)).then(|| has(UNDERPASS_PEER_PIN)),
            persistent_keepalive: has(UNDERPASS_PEER_HAS_KEEPALIVE).then_some(self.persistent_keepalive),
            user: has(UNDERPASS_PEER_HAS_USER).then_some(self.user),
            timestamp_floor: has(UNDERPASS_PEER_HAS_TIMESTAMP_FLOOR).then(|| Tai64N::from_bytes(self.timestamp_floor)),
            replace_allowed_ips: has(UNDERPASS_PEER_REPLACE_ALLOWED_IPS),
            allowed_ips,
        })
    }

    fn endpoint(&self, caller: Caller<'_>) -> Result<Endpoint, Status> {
        let Some(host) = caller.word(self.endpoint_host, HOST)? else {
            return Ok(Endpoint::Address(self.endpoint.socket()?));
        };
        if host.is_empty() || host.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(Status::Argument);
        }
        named(host, self.endpoint_port)
    }
}

/// Without what needs memory of its own: host name and allowed IPs.
impl From<&PeerChange> for underpass_peer_change {
    fn from(change: &PeerChange) -> Self {
        let flags = [
            (change.preshared_key.is_some(), UNDERPASS_PEER_HAS_PRESHARED_KEY),
            (change.endpoint.is_some(), UNDERPASS_PEER_HAS_ENDPOINT),
            (change.persistent_keepalive.is_some(), UNDERPASS_PEER_HAS_KEEPALIVE),
            (change.pin_endpoint == Some(true), UNDERPASS_PEER_PIN),
            (change.pin_endpoint == Some(false), UNDERPASS_PEER_UNPIN),
            (change.replace_allowed_ips, UNDERPASS_PEER_REPLACE_ALLOWED_IPS),
        ];
        let (endpoint, endpoint_port) = match &change.endpoint {
            Some(Endpoint::Address(address)) => ((*address).into(), 0),
            Some(Endpoint::Name { port, .. }) => (underpass_address::default(), *port),
            None => (underpass_address::default(), 0),
        };
        Self {
            action: match change.action {
                PeerAction::Update => UNDERPASS_PEER_UPDATE,
                PeerAction::Remove => UNDERPASS_PEER_REMOVE,
                // What a feature of the core adds to it, C has no word for yet.
                _ => UNDERPASS_PEER_SET,
            },
            flags: flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum(),
            persistent_keepalive: change.persistent_keepalive.unwrap_or(0),
            endpoint_port,
            public_key: *change.public_key.as_bytes(),
            preshared_key: change.preshared_key.as_ref().map_or([0; 32], |key| *key.as_bytes()),
            endpoint,
            ..Self::default()
        }
    }
}

impl underpass_allowed_ip {
    fn change(self) -> Result<AllowedIp, Status> {
        Ok(AllowedIp { network: self.network.network()?, remove: self.remove != 0 })
    }
}

impl From<AllowedIp> for underpass_allowed_ip {
    fn from(ip: AllowedIp) -> Self {
        Self { network: ip.network.into(), remove: ip.remove.into() }
    }
}
