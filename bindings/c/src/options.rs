//! A tunnel is made, and released.
use crate::boundary::{Answer, enter};
use crate::config::underpass_config;
use crate::configure::{as_change, padding_of};
use crate::entropy::{Source, underpass_entropy};
use crate::handle::boxed;
use crate::handle::underpass_tunnel;
use crate::memory::{Caller, Copied};
use alloc::vec::Vec;
use core::ffi::c_void;
use core::ptr;
use core::time::Duration;
use underpass_core::NoRandomness;
use underpass_core::Tai64N;
use underpass_core::limits::DEFAULT_MTU;
use underpass_core::{Change, Instant, Limits, NewPeer, PrivateKey, Rng, Status, Tunnel, TunnelConfig, UnixTime};

/// private_key is set.
pub const UNDERPASS_OPTION_PRIVATE_KEY: u32 = 1;

/// What a tunnel is made from. Begin with underpass_options_init(), and change what you need. A number that is 0 stands for
/// the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct underpass_options {
    /// sizeof(underpass_options), set by underpass_options_init().
    pub size: u32,
    /// UNDERPASS_OPTION_*.
    pub flags: u32,
    /// Without one the tunnel drops everything until it gets one.
    pub private_key: [u8; 32],
    /// What underpass_tunnel_timestamp_floor() gave before a restart, so that peers accept us although our clock was set
    /// back. Zeros: none.
    pub timestamp_floor: [u8; 12],
    /// Bytes of the largest packet, 68 to 65535.
    pub mtu: u32,
    /// Peers the tunnel accepts.
    pub max_peers: u32,
    /// Packets staged per peer while a handshake is under way, up to 65535; the oldest is dropped beyond it.
    pub staged_packets_per_peer: u32,
    /// Bytes staged per peer.
    pub staged_bytes_per_peer: u32,
    /// Bytes staged by the whole tunnel.
    pub staged_bytes: u32,
    /// Without effect: no event is lost, and what waits is bounded by the peers.
    pub events: u32,
    /// Initiations per second answered without a cookie before the tunnel counts as under load.
    pub handshakes_per_second: u32,
    /// Cookie-verified initiations per second, a lane of their own.
    pub verified_handshakes_per_second: u32,
    /// Handshakes per second from one source (IPv4 /32, IPv6 /64).
    pub handshakes_per_source: u32,
    /// Handshakes one source may send at once.
    pub handshake_burst_per_source: u32,
    /// How packets are padded, see underpass_tunnel_set_padding(); 0: to 16 bytes.
    pub padding: u32,
    /// Where randomness comes from; NULL: the system, whose getrandom() waits, early after the start of a machine, until
    /// there is enough.
    pub entropy: underpass_entropy,
    /// What entropy is given as data. It lives as long as the tunnel.
    pub entropy_data: *mut c_void,
    /// A number of the host's own, or a pointer as uintptr_t: underpass_tunnel_user() and events hand it back.
    pub user: u64,
}

/// Fills options with the defaults, which suit a phone or a small router.
/// - size: sizeof(underpass_options).
#[unsafe(no_mangle)]
pub extern "C" fn underpass_options_init(out: *mut underpass_options, size: u32) -> i32 {
    enter(|caller| caller.init(out, size, underpass_options { size, ..underpass_options::defaults() }))
}

/// Makes a tunnel without peers.
/// - options: NULL: the defaults.
/// - out: out; to be released with underpass_tunnel_free().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_new(
    options: *const underpass_options,
    now: u64,
    wall: u64,
    out: *mut *mut underpass_tunnel,
) -> i32 {
    enter(|caller| {
        let options = read(caller, options)?;
        let config = options.as_ref().map_or_else(|| Ok(TunnelConfig::default()), |options| options.config())?;
        make(caller, config, &[], Hosts::of(options.as_deref()), now, wall, out)
    })
}

/// Makes a tunnel with the private key, the MTU and the peers of a configuration. What else that says (addresses, name
/// servers, listen port, commands) is the host's to do.
/// - options: its private key and MTU are not looked at; NULL: the defaults.
/// - out: out; to be released with underpass_tunnel_free().
/// - UNDERPASS_E_TOO_MANY_PEERS: more peers than max_peers of the options. Raise that.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_new_from_config(
    config: *const underpass_config,
    options: *const underpass_options,
    now: u64,
    wall: u64,
    out: *mut *mut underpass_tunnel,
) -> i32 {
    enter(|caller| {
        let said = &caller.config(config)?.quick()?.tunnel;
        let mut config =
            TunnelConfig { private_key: said.private_key.clone(), mtu: said.mtu, ..TunnelConfig::default() };
        let options = read(caller, options)?;
        if let Some(options) = &options {
            (config.limits, config.timestamp_floor) = (options.limits()?, Tai64N::from_bytes(options.timestamp_floor));
        }
        make(caller, config, &said.peers, Hosts::of(options.as_deref()), now, wall, out)
    })
}

/// Releases a tunnel and wipes its keys, poisoned or not. Jobs begun by it are to be discarded. NULL does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_free(tunnel: *mut underpass_tunnel) -> i32 {
    enter(|caller| caller.free_tunnel(tunnel))
}

/// The options, if there are any. They hold a key: one copy is enough.
fn read(caller: Caller<'_>, options: *const underpass_options) -> Result<Option<Copied<underpass_options>>, Status> {
    if options.is_null() { Ok(None) } else { caller.record(options, underpass_options::defaults()).map(Some) }
}

/// What options say that is not the core's to know.
struct Hosts {
    source: Source,
    user: u64,
}

impl Hosts {
    fn of(options: Option<&underpass_options>) -> Self {
        match options {
            Some(options) => Self { source: Source::new(options.entropy, options.entropy_data), user: options.user },
            None => Self { source: Source::system(), user: 0 },
        }
    }
}

fn make(
    caller: Caller<'_>,
    config: TunnelConfig,
    peers: &[NewPeer],
    hosts: Hosts,
    now: u64,
    wall: u64,
    out: *mut *mut underpass_tunnel,
) -> Answer {
    let out = caller.out(out)?;
    let Hosts { mut source, user } = hosts;
    let mut mark = [0; 8];
    source.fill(&mut mark).map_err(|NoRandomness| Status::Random)?;
    let mark = u64::from_ne_bytes(mark);
    let (now, wall) = (Instant::from_nanos(now), UnixTime::from_duration(Duration::from_nanos(wall)));
    let mut tunnel = Tunnel::new(config, boxed(source)?, now, wall)?;
    // Reserved at once, so that no reallocation leaves a copy of a key behind.
    let mut changes = Vec::new();
    changes.try_reserve_exact(peers.len()).map_err(|_| Status::Memory)?;
    for peer in peers {
        changes.push(Change::Peer(as_change(peer)?));
    }
    tunnel.configure(now, &changes)?;
    out.put(underpass_tunnel::give(tunnel, mark, user)?);
    Ok(())
}

impl Default for underpass_options {
    fn default() -> Self {
        Self {
            size: 0,
            flags: 0,
            private_key: [0; 32],
            timestamp_floor: [0; 12],
            mtu: 0,
            max_peers: 0,
            staged_packets_per_peer: 0,
            staged_bytes_per_peer: 0,
            staged_bytes: 0,
            events: 0,
            handshakes_per_second: 0,
            verified_handshakes_per_second: 0,
            handshakes_per_source: 0,
            handshake_burst_per_source: 0,
            padding: 0,
            entropy: None,
            entropy_data: ptr::null_mut(),
            user: 0,
        }
    }
}

impl underpass_options {
    pub(crate) fn defaults() -> Self {
        let limits = Limits::default();
        Self {
            size: size_of::<Self>() as u32,
            flags: 0,
            private_key: [0; 32],
            timestamp_floor: *Tai64N::ZERO.as_bytes(),
            mtu: DEFAULT_MTU.into(),
            max_peers: limits.peers,
            staged_packets_per_peer: limits.staged_packets_per_peer.into(),
            staged_bytes_per_peer: limits.staged_bytes_per_peer,
            staged_bytes: limits.staged_bytes,
            events: 0,
            handshakes_per_second: limits.handshakes_per_second,
            verified_handshakes_per_second: limits.verified_handshakes_per_second,
            handshakes_per_source: limits.handshakes_per_source,
            handshake_burst_per_source: limits.handshake_burst_per_source,
            padding: 0,
            entropy: None,
            entropy_data: ptr::null_mut(),
            user: 0,
        }
    }

    fn config(&self) -> Result<TunnelConfig, Status> {
        let has_key = self.flags & UNDERPASS_OPTION_PRIVATE_KEY != 0;
        Ok(TunnelConfig {
            private_key: has_key.then(|| PrivateKey::from_bytes(self.private_key)).filter(|key| !key.is_zero()),
            mtu: u16::try_from(given(self.mtu, DEFAULT_MTU.into())).map_err(|_| Status::Mtu)?,
            padding: padding_of(self.padding)?,
            limits: self.limits()?,
            timestamp_floor: Tai64N::from_bytes(self.timestamp_floor),
            peers: Vec::new(),
        })
    }

    /// What no configuration says. Here the flags are looked at too.
    pub(crate) fn limits(&self) -> Result<Limits, Status> {
        if self.flags & !UNDERPASS_OPTION_PRIVATE_KEY != 0 {
            return Err(Status::Argument);
        }
        let usual = Limits::default();
        let staged_packets = given(self.staged_packets_per_peer, usual.staged_packets_per_peer.into());
        Ok(Limits {
            peers: given(self.max_peers, usual.peers),
            staged_packets_per_peer: u16::try_from(staged_packets).map_err(|_| Status::Limit)?,
            staged_bytes_per_peer: given(self.staged_bytes_per_peer, usual.staged_bytes_per_peer),
            staged_bytes: given(self.staged_bytes, usual.staged_bytes),
            handshakes_per_second: given(self.handshakes_per_second, usual.handshakes_per_second),
            verified_handshakes_per_second: given(
                self.verified_handshakes_per_second,
                usual.verified_handshakes_per_second,
            ),
            handshakes_per_source: given(self.handshakes_per_source, usual.handshakes_per_source),
            handshake_burst_per_source: given(self.handshake_burst_per_source, usual.handshake_burst_per_source),
        })
    }
}

/// A number of the options: 0 stands for the default.
const fn given(number: u32, usual: u32) -> u32 {
    if number == 0 { usual } else { number }
}
