//! C. What the tunnel wants, to be drained after every A, B and D.
use crate::address::underpass_path;
use crate::batch::{every, opened, underpass_slot};
use crate::boundary::{enter_marked, enter_tunnel};
use crate::handle::underpass_tunnel;
use crate::words::{UNDERPASS_NEVER, underpass_peer_id};
use underpass_core::tunnel::{Event, Health, Outbound, Span, TransmitError};
use underpass_core::{Instant, PeerId, Status};

/// A handshake completed: a new session is live.
pub const UNDERPASS_EVENT_SESSION_ESTABLISHED: u32 = 1;
/// The handshake was given up after 90 s without an answer.
pub const UNDERPASS_EVENT_HANDSHAKE_FAILED: u32 = 2;
/// The last session ended without a successor, and its keys were wiped.
pub const UNDERPASS_EVENT_SESSION_EXPIRED: u32 = 3;
/// An authenticated datagram came from elsewhere: path is where the peer is now.
pub const UNDERPASS_EVENT_ENDPOINT_MOVED: u32 = 4;
/// Resolve the peer's endpoint name (underpass_tunnel_peer_endpoint_name()) and answer with
/// underpass_tunnel_set_endpoint().
pub const UNDERPASS_EVENT_RESOLVE_ENDPOINT: u32 = 5;
/// The peer's health changed: health is what it is now.
pub const UNDERPASS_EVENT_HEALTH_CHANGED: u32 = 6;
/// The peer's timestamp is more than a day ahead of our wall clock: if its clock is mended later, it will be refused
/// until underpass_tunnel_reset_peer_timestamp().
pub const UNDERPASS_EVENT_TIMESTAMP_AHEAD: u32 = 7;
/// Does not come: no event is lost. The number stays taken.
pub const UNDERPASS_EVENT_LOST: u32 = 8;
/// The clock given as now leapt ahead by more than a day: every session has expired. If the machine has not slept for
/// so long, a reading of the clock failed. peer is 0.
pub const UNDERPASS_EVENT_CLOCK_LEAPT: u32 = 9;
/// Packets or datagrams need other room than before, since the MTU changed. peer is 0.
pub const UNDERPASS_EVENT_LAYOUT_CHANGED: u32 = 10;

/// No session yet under our present key: a handshake is to come or under way.
pub const UNDERPASS_HEALTH_CONNECTING: u32 = 0;
/// A session is live, and nothing that we sent is unanswered.
pub const UNDERPASS_HEALTH_UP: u32 = 1;
/// What we sent is unanswered: a packet for 15 s, or, since the last session ended, an initiation for 5 s.
pub const UNDERPASS_HEALTH_STALE: u32 = 2;
/// A handshake was given up after 90 s, and the peer was not heard since; traffic starts another.
pub const UNDERPASS_HEALTH_FAILED: u32 = 3;
/// The last session ended for its age, 180 s, and nothing that we sent is unanswered; traffic starts another.
pub const UNDERPASS_HEALTH_IDLE: u32 = 4;

/// A datagram to send.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_transmit {
    /// sizeof(underpass_transmit), set by the caller.
    pub size: u32,
    /// Bytes of the datagram, at the beginning of the buffer.
    pub len: u32,
    /// Where it goes to; 0: no peer.
    pub peer: underpass_peer_id,
    /// Where it goes, and from where.
    pub path: underpass_path,
    /// The ECN bits of its outer IP header, 0 to 3.
    pub ecn: u8,
    /// 0.
    pub reserved: [u8; 3],
    /// What the host calls that peer, see underpass_peer_change.
    pub user: u64,
}

/// A fact the host may want to show or act on. What the kind does not speak of is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_event {
    /// sizeof(underpass_event), set by the caller.
    pub size: u32,
    /// UNDERPASS_EVENT_*. Leave alone what you do not know.
    pub kind: u32,
    /// Whom it is about; 0: no peer.
    pub peer: underpass_peer_id,
    /// With UNDERPASS_EVENT_ENDPOINT_MOVED.
    pub path: underpass_path,
    /// With UNDERPASS_EVENT_HEALTH_CHANGED: UNDERPASS_HEALTH_*.
    pub health: u32,
    /// 0.
    pub lost: u32,
    /// 0.
    pub reserved: u32,
    /// What the host calls that peer, see underpass_peer_change.
    pub user: u64,
    /// What the host calls the tunnel, see underpass_options.
    pub tunnel_user: u64,
}

/// Writes the next datagram that is to be sent: a handshake message, a keepalive, or a packet that was staged. Send it
/// along its path, and call again.
/// - buf: out, cap bytes, at least transmit_buffer of underpass_tunnel_layout().
/// - UNDERPASS_E_RANDOM: a handshake message could not be made for want of randomness. An initiation is tried again
///   after 5 s; for a response, the peer has to initiate again. All else has gone out.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_poll_transmit(
    tunnel: *mut underpass_tunnel,
    now: u64,
    buf: *mut u8,
    cap: usize,
    out: *mut underpass_transmit,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.record_out(out)?;
        if cap < tunnel.layout().transmit_buffer() {
            return Err(Status::Buffer);
        }
        let buf = caller.buffer(buf, cap)?;
        let transmit = tunnel.poll_transmit(Instant::from_nanos(now), buf).map_err(status_of)?;
        let transmit = transmit.ok_or(Status::Nothing)?;
        out.put(underpass_transmit {
            size: 0,
            len: transmit.len as u32,
            peer: transmit.peer.to_u64(),
            path: transmit.path.into(),
            ecn: transmit.ecn as u8,
            reserved: [0; 3],
            user: transmit.user,
        });
        Ok(())
    })
}

/// Writes as many of the datagrams that are to be sent as there are slots: one call instead of one for each.
/// UNDERPASS_NOTHING: there is nothing to send.
/// - slots: of each, buf and cap are looked at, which is as much as underpass_tunnel_poll_transmit() needs. Those that
///   were filled are UNDERPASS_VERDICT_SEND, from start 0.
/// - count: out, how many were filled, from the first on. Fewer than len: there are no more.
/// - UNDERPASS_E_RANDOM: as of underpass_tunnel_poll_transmit(), if nothing else was there to be sent.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_poll_transmits(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    len: usize,
    count: *mut usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let (slots, count) = (caller.slots(slots, len, every)?, caller.out(count)?);
        if slots.look().iter().any(|slot| (slot.cap as usize) < tunnel.layout().transmit_buffer()) {
            return Err(Status::Buffer);
        }
        let (mut filled, mut failed) = (0, Status::Nothing);
        for (slot, buf) in opened(slots) {
            let transmit = match tunnel.poll_transmit(Instant::from_nanos(now), buf) {
                Ok(Some(transmit)) => transmit,
                Ok(None) => break,
                Err(error) => {
                    failed = status_of(error);
                    break;
                }
            };
            let datagram = Span { start: 0, len: transmit.len as u32 };
            slot.settle_packet(&Outbound::Datagram { transmit, datagram });
            filled += 1;
        }
        if filled == 0 && len > 0 {
            return Err(failed);
        }
        count.put(filled);
        Ok(())
    })
}

/// The status for a datagram that could not be written.
const fn status_of(error: TransmitError) -> Status {
    match error {
        TransmitError::NoRandomness => Status::Random,
        _ => Status::Buffer,
    }
}

/// Hands out the next event. Act on it as its kind says, and call again.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_poll_event(tunnel: *mut underpass_tunnel, out: *mut underpass_event) -> i32 {
    enter_marked(tunnel, |caller, tunnel, marks| {
        let out = caller.record_out(out)?;
        let event = tunnel.poll_event().ok_or(Status::Nothing)?;
        out.put(underpass_event { tunnel_user: marks.user, ..event.into() });
        Ok(())
    })
}

/// Tells when underpass_tunnel_handle_timeout() is to be called. It may move with every call that handles or
/// configures.
/// - deadline: out, on the clock of the tunnel; UNDERPASS_NEVER: not before something else happens.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_poll_timeout(tunnel: *const underpass_tunnel, deadline: *mut u64) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        caller.out(deadline)?.put(tunnel.poll_timeout().map_or(UNDERPASS_NEVER, Instant::as_nanos));
        Ok(())
    })
}

/// The number of a health.
pub(crate) const fn health_code(health: Health) -> u32 {
    match health {
        Health::Connecting => UNDERPASS_HEALTH_CONNECTING,
        Health::Up => UNDERPASS_HEALTH_UP,
        Health::Stale => UNDERPASS_HEALTH_STALE,
        Health::Failed => UNDERPASS_HEALTH_FAILED,
        Health::Idle => UNDERPASS_HEALTH_IDLE,
    }
}

impl From<Event> for underpass_event {
    fn from(event: Event) -> Self {
        let user = event.user().unwrap_or(0);
        let about = |peer: PeerId| Self { peer: peer.to_u64(), user, ..Self::default() };
        let shape = match event {
            Event::EndpointMoved { peer, path, .. } => Self { path: path.into(), ..about(peer) },
            Event::HealthChanged { peer, health, .. } => Self { health: health_code(health), ..about(peer) },
            _ => event.peer().map(about).unwrap_or_default(),
        };
        Self { kind: event.kind() as u32, ..shape }
    }
}
