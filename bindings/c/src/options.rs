//! A tunnel is made, and released.
use crate::boundary::{Answer, enter};
use crate::config::underpass_config;
use crate::configure::as_change;
use crate::handle::underpass_tunnel;
use crate::memory::Caller;
use core::time::Duration;
use underpass_core::Tai64N;
use underpass_core::limits::DEFAULT_MTU;
use underpass_core::tunnel::Padding;
use underpass_core::{Change, Instant, Limits, NewPeer, PrivateKey, Rng, Status, Tunnel, TunnelConfig, UnixTime};

/// private_key is set.
pub const UNDERPASS_OPTION_PRIVATE_KEY: u32 = 1;

/// What a tunnel is made from. Begin with underpass_options_init(), and change what should be otherwise.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_options {
    /// sizeof(underpass_options), set by underpass_options_init().
    pub size: u32,
    /// UNDERPASS_OPTION_*.
    pub flags: u32,
    /// Without one the tunnel drops everything until it gets one.
    pub private_key: [u8; 32],
    /// What underpass_timestamp_floor() gave in an earlier life, so that a clock set back does not lock us out. Zeros: none.
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
}

/// Fills options with the defaults, which suit a phone or a small router.
///
/// - out: out, size bytes.
/// - size: sizeof(underpass_options).
///
/// Threads: any, at any time.
///
/// Returns:
///
/// - UNDERPASS_OK: the options are there. Change what should be otherwise.
/// - UNDERPASS_E_NULL: out is NULL. Mend the call.
/// - UNDERPASS_E_SIZE: size is not the sizeof of the struct. Mend the call.
/// - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_options_init(out: *mut underpass_options, size: u32) -> i32 {
    enter(|caller| caller.init(out, size, underpass_options { size, ..underpass_options::defaults() }))
}

/// Makes a tunnel without peers.
///
/// - options: borrowed for the call; NULL: the defaults.
/// - now: nanoseconds on the clock of the tunnel, see the top of this file.
/// - wall: nanoseconds since 1970 UTC.
/// - out: out; to be released with underpass_tunnel_free().
///
/// Threads: any, at any time.
///
/// Returns:
///
/// - UNDERPASS_OK: the tunnel is there. Configure its peers.
/// - UNDERPASS_E_MTU: the MTU of the options is outside 68 to 65535. Mend the options.
/// - UNDERPASS_E_RANDOM: the system gives no randomness. Try again later.
/// - UNDERPASS_E_LIMIT: a limit of the options is zero or too great. Mend the options.
/// - UNDERPASS_E_ARGUMENT: an unknown flag. Mend the options.
/// - UNDERPASS_E_NULL: a pointer other than options is NULL. Mend the call.
/// - UNDERPASS_E_SIZE: the options were not made by underpass_options_init(). Mend the call.
/// - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_new(
    options: *const underpass_options,
    now: u64,
    wall: u64,
    out: *mut *mut underpass_tunnel,
) -> i32 {
    enter(|caller| {
        let config = match options.is_null() {
            true => TunnelConfig::default(),
            false => caller.record(options, underpass_options::defaults())?.config()?,
        };
        make(caller, config, &[], now, wall, out)
    })
}

/// Makes a tunnel with the private key, the MTU and the peers of a configuration. What else that says (addresses,
/// name servers, listen port, commands) is the host's to do.
///
/// - config: the configuration; borrowed for the call.
/// - options: borrowed for the call; its private key and MTU are not looked at; NULL: the defaults.
/// - now: nanoseconds on the clock of the tunnel, see the top of this file.
/// - wall: nanoseconds since 1970 UTC.
/// - out: out; to be released with underpass_tunnel_free().
///
/// Threads: any, at any time.
///
/// Returns:
///
/// - UNDERPASS_OK: the tunnel is there. Poll it.
/// - UNDERPASS_E_CONFIG: the text has errors. Show its diagnostics.
/// - UNDERPASS_E_TOO_MANY_PEERS: more peers than max_peers of the options. Raise that.
/// - UNDERPASS_E_RANDOM: the system gives no randomness. Try again later.
/// - UNDERPASS_E_LIMIT: a limit of the options is zero or too great. Mend the options.
/// - UNDERPASS_E_ARGUMENT: an unknown flag. Mend the options.
/// - UNDERPASS_E_NULL: a pointer other than options is NULL. Mend the call.
/// - UNDERPASS_E_SIZE: the options were not made by underpass_options_init(). Mend the call.
/// - UNDERPASS_E_PANIC: a bug in the library. There is nothing to undo; report it.
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
        if !options.is_null() {
            let options = caller.record(options, underpass_options::defaults())?;
            (config.limits, config.timestamp_floor) = (options.limits()?, Tai64N::from_bytes(options.timestamp_floor));
        }
        make(caller, config, &said.peers, now, wall, out)
    })
}

/// Releases a tunnel and wipes its keys, poisoned or not. Jobs begun by it are to be discarded.
///
/// - tunnel: NULL does nothing.
///
/// Threads: none may be inside or use it afterwards.
///
/// Returns:
///
/// - UNDERPASS_OK: it is gone.
/// - UNDERPASS_E_BUSY: another thread is inside; nothing was freed. Stop that thread, then call again.
/// - UNDERPASS_E_ARGUMENT: this is no tunnel. Mend the call.
/// - UNDERPASS_E_PANIC: a bug in the library. The tunnel is gone, though perhaps not all of its memory.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_free(tunnel: *mut underpass_tunnel) -> i32 {
    enter(|caller| caller.free_tunnel(tunnel))
}

/// The randomness of the system.
struct System;

impl Rng for System {
    fn fill(&mut self, dest: &mut [u8]) {
        getrandom::fill(dest).expect("the system gave randomness when the tunnel was made");
    }
}

fn make(
    caller: Caller<'_>,
    config: TunnelConfig,
    peers: &[NewPeer],
    now: u64,
    wall: u64,
    out: *mut *mut underpass_tunnel,
) -> Answer {
    let out = caller.out(out)?;
    let mark = getrandom::u64().map_err(|_| Status::Random)?;
    let (now, wall) = (Instant::from_nanos(now), UnixTime::from_duration(Duration::from_nanos(wall)));
    // What has no size takes no memory.
    let mut tunnel = Tunnel::new(config, Box::new(System), now, wall)?;
    // Reserved at once, so that no reallocation leaves a copy of a key behind.
    let mut changes = Vec::new();
    changes.try_reserve_exact(peers.len()).map_err(|_| Status::Memory)?;
    for peer in peers {
        changes.push(Change::Peer(as_change(peer)?));
    }
    tunnel.configure(now, &changes)?;
    out.put(underpass_tunnel::give(tunnel, mark)?);
    Ok(())
}

impl underpass_options {
    fn defaults() -> Self {
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
        }
    }

    fn config(&self) -> Result<TunnelConfig, Status> {
        let has_key = self.flags & UNDERPASS_OPTION_PRIVATE_KEY != 0;
        Ok(TunnelConfig {
            private_key: has_key.then(|| PrivateKey::from_bytes(self.private_key)).filter(|key| !key.is_zero()),
            mtu: u16::try_from(self.mtu).map_err(|_| Status::Mtu)?,
            padding: Padding::default(),
            limits: self.limits()?,
            timestamp_floor: Tai64N::from_bytes(self.timestamp_floor),
            peers: Vec::new(),
        })
    }

    /// What no configuration says. Here the flags are looked at too.
    fn limits(&self) -> Result<Limits, Status> {
        if self.flags & !UNDERPASS_OPTION_PRIVATE_KEY != 0 {
            return Err(Status::Argument);
        }
        let short = |number: u32| u16::try_from(number).map_err(|_| Status::Limit);
        Ok(Limits {
            peers: self.max_peers,
            staged_packets_per_peer: short(self.staged_packets_per_peer)?,
            staged_bytes_per_peer: self.staged_bytes_per_peer,
            staged_bytes: self.staged_bytes,
            handshakes_per_second: self.handshakes_per_second,
            verified_handshakes_per_second: self.verified_handshakes_per_second,
            handshakes_per_source: self.handshakes_per_source,
            handshake_burst_per_source: self.handshake_burst_per_source,
        })
    }
}
