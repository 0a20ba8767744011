//! The control channel: messages come by return value, and leave from a bounded outbox as an intent of the peer.
//!
//! The addresses of the channel are nobody's allowed IPs. Which two a peer may use follows from its key and our role; a packet
//! with any other is not looked at further. Locked peers have this channel and nothing else.
use super::call::Call;
use super::check::Means;
use super::inbound::admit;
use super::outbound::seal_there;
use super::shared::Shared;
use super::transmit::Step;
use super::{DatagramSlot, Inbound, Span, Tunnel};
use crate::config::{Access, ControlRole, Gate};
use crate::control::address::{GATEWAY, interface_of, is_link_local, with_interface};
use crate::control::frame::{self, Ends, HEADERS};
use crate::crypto::{PublicKey, TAG_LEN};
use crate::limits::{CONTROL_BYTES_PER_PEER, HEADROOM};
use crate::memory::NoMemory;
use crate::packet::{self, Address, ecn};
use crate::peer::channel::{Refusal, WaitingTotal};
use crate::peer::{Peer, PeerId, Troubles};
use crate::stats::DropReason;
use crate::time::Instant;
use core::fmt;

/// Why a control message was not taken. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backpressure {
    /// The outbox of the peer or that of the tunnel is full. [`poll_transmit`](Tunnel::poll_transmit) empties it, where there is
    /// a session.
    Full,
    /// The message is longer than this, which is what the MTU leaves of a packet.
    TooLong {
        /// Bytes of the longest message.
        most: usize,
    },
    /// There is no session, and the message is not worth a handshake or none can be begun: we have no private key, or the peer has
    /// no endpoint or is refused.
    NoSession,
    /// There is no channel with this peer: it is gone, or our role does not make it the other side of one.
    NoChannel,
    /// There is no memory for it.
    NoMemory,
}

impl fmt::Display for Backpressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the outbox is full"),
            Self::TooLong { most } => write!(f, "the message is too long: {most} bytes at most"),
            Self::NoSession => f.write_str("there is no session with the peer"),
            Self::NoChannel => f.write_str("there is no control channel with the peer"),
            Self::NoMemory => f.write_str("there is no memory for the message"),
        }
    }
}

impl core::error::Error for Backpressure {}

impl From<Refusal> for Backpressure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full => Self::Full,
            Refusal::NoMemory => Self::NoMemory,
        }
    }
}

impl From<NoMemory> for Backpressure {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl Tunnel {
    /// Sends a message to `peer` over the control channel, under the session that there is; [`poll_transmit`](Self::poll_transmit)
    /// gives it out, before packets that are staged. It never wakes a peer that is silent: without a session it is not taken, an
    /// answer is not missed, and no session is replaced for it. So it suits answers, and news that the peer hears of otherwise
    /// when it comes back.
    ///
    /// # Errors
    /// [`Backpressure`]: the message was not taken.
    pub fn send_control(&mut self, now: Instant, peer: PeerId, message: &[u8]) -> Result<(), Backpressure> {
        self.post(now, peer, message, false)
    }

    /// The same for a message that is worth a handshake, such as a request of a client: it counts as a packet does. Without a session
    /// it waits for one, for as long as a staged packet would; where none answers it within 15 s, a handshake begins.
    ///
    /// # Errors
    /// [`Backpressure`]: the message was not taken.
    pub fn send_control_waking(&mut self, now: Instant, peer: PeerId, message: &[u8]) -> Result<(), Backpressure> {
        self.post(now, peer, message, true)
    }

    fn post(&mut self, now: Instant, peer: PeerId, message: &[u8], wakes: bool) -> Result<(), Backpressure> {
        let mut call = self.enter(now);
        let now = call.now;
        let posted = call.with_known(peer, |peer, shared| shared.post(peer, now, message, wakes));
        posted.unwrap_or(Err(Backpressure::NoChannel))
    }

    /// Which side of the control channel we are.
    #[must_use]
    pub fn control_role(&self) -> ControlRole {
        self.shared.control.role
    }
}

/// The control channel of a tunnel.
#[derive(Debug, Default)]
pub(super) struct Control {
    role: ControlRole,
    /// The lower half of our address as a client; `None`: we have no key.
    own: Option<u64>,
    pub(super) waiting: WaitingTotal,
}

impl Control {
    /// Our key is another, or none.
    pub(super) fn know(&mut self, own: Option<&PublicKey>) {
        self.own = own.map(interface_of);
    }

    /// Whether packets to this address are none of the virtual interface's.
    #[inline]
    pub(super) fn claims(&self, destination: Address) -> bool {
        matches!(destination, Address::V6(address) if is_link_local(address)) && self.role != ControlRole::Off
    }

    /// What a peer may do that is added and of which nothing else is said.
    pub(super) fn access_of_newcomers(&self) -> Gate {
        if self.role == ControlRole::Gateway { Gate::Locked } else { Gate::Open }
    }

    /// The addresses of what we send to the peer, whose address as a client is `interface`; `None`: there is no channel with it.
    fn ends(&self, public_key: &PublicKey, interface: u64) -> Option<Ends> {
        let gateway = GATEWAY.to_bits();
        match self.role {
            ControlRole::Gateway => Some(Ends { from: gateway, to: with_interface(interface) }),
            ControlRole::Client { gateway: key } if key == *public_key => {
                Some(Ends { from: with_interface(self.own?), to: gateway })
            }
            ControlRole::Off | ControlRole::Client { .. } => None,
        }
    }
}

/// Whether the channel may be concerned with a packet that came from a peer: one of its addresses is link-local. `source` is what
/// was read of `packet` already.
#[inline(always)]
pub(super) fn concerns(source: Address, packet: &[u8]) -> bool {
    let Address::V6(source) = source else { return false };
    is_link_local(source) || matches!(packet.get(24..26), Some([0xfe, second]) if second >> 6 == 0b10)
}

impl Call<'_> {
    /// Sets our role. To become a gateway locks everybody.
    pub(super) fn set_control_role(&mut self, role: ControlRole) {
        let before = core::mem::replace(&mut self.shared.control.role, role);
        if role == ControlRole::Gateway && before != role {
            self.with_each(|peer, shared| shared.set_gate(peer, Gate::Locked));
        }
    }

    /// Sets what the peer with this key may do, if it is there.
    pub(super) fn set_access(&mut self, peer: &PublicKey, access: &Access, means: Option<Means>) {
        if let Some(slot) = self.peers.slot_of(peer) {
            self.with(slot, |peer, shared| shared.set_access(peer, access, means));
        }
    }
}

impl Shared {
    /// Sets what the peer may do.
    pub(super) fn set_access(&mut self, peer: &mut Peer, access: &Access, means: Option<Means>) {
        #[cfg(feature = "filter")]
        if let Access::Ruled(_) = access {
            return self.rule(peer, means.and_then(|means| means.session));
        }
        drop(means);
        self.set_gate(peer, access.gate());
    }

    /// The same without rules. What waits for a peer that is locked goes.
    pub(super) fn set_gate(&mut self, peer: &mut Peer, gate: Gate) {
        peer.access = gate;
        if gate == Gate::Locked {
            let lost = peer.drop_staged(&mut self.staged);
            self.count_drops(Some(peer), DropReason::Locked, lost);
        }
        #[cfg(feature = "filter")]
        self.end_ruling(peer.id.slot);
    }

    /// What an authentic packet comes to whose sender is locked or ruled or which has a link-local address; the packet lies in the datagram of
    /// `slot`. `Err`: it goes no further.
    #[cold]
    #[inline(never)]
    pub(super) fn arrived_aside(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        slot: &mut DatagramSlot<'_>,
    ) -> Result<Inbound<Span>, DropReason> {
        let end = slot.datagram.len().saturating_sub(TAG_LEN);
        let text = slot.datagram.get_mut(HEADROOM..end).ok_or(DropReason::MalformedPacket)?;
        let (source, len) = packet::source(text).ok_or(DropReason::MalformedPacket)?;
        if self.control.role != ControlRole::Off && concerns(source, text) {
            let text = text.get_mut(..len).ok_or(DropReason::MalformedPacket)?;
            if !ecn::decapsulate(slot.ecn, text) {
                return Err(DropReason::Congestion);
            }
            let len = self.read_control(peer, now, source, text)?;
            let message = Span { start: (HEADROOM + HEADERS) as u32, len };
            return Ok(Inbound::Control { peer: peer.id, user: peer.user, message });
        }
        if peer.access == Gate::Locked {
            return Err(DropReason::Locked);
        }
        let len = admit(&self.routes, peer, slot.ecn, text, source, len)?;
        #[cfg(feature = "filter")]
        if peer.access == Gate::Ruled {
            let packet = text.get_mut(..len as usize).ok_or(DropReason::MalformedPacket)?;
            self.rule_inbound(peer, now, slot.path.remote.ip(), packet)?;
        }
        Ok(Inbound::Packet { peer: peer.id, user: peer.user, packet: Span { start: HEADROOM as u32, len } })
    }

    /// Bytes of the control message in `packet`, whose addresses must be those of the peer and of us.
    fn read_control(&self, peer: &mut Peer, now: Instant, source: Address, packet: &[u8]) -> Result<u32, DropReason> {
        let (public_key, locked) = (peer.public_key, peer.access == Gate::Locked);
        let foreign = if locked { DropReason::Locked } else { DropReason::SourceNotAllowed };
        // Who has no part in the channel costs no memory.
        self.control.ends(&public_key, 0).ok_or(foreign)?;
        let channel = peer.channel_or_new().map_err(|NoMemory| DropReason::NoMemory)?;
        let Ends { from: us, to: them } = self.control.ends(&public_key, channel.interface).ok_or(foreign)?;
        if source != Address::V6(them) {
            return Err(foreign);
        }
        let len = frame::read(packet, Ends { from: them, to: us }).ok_or(DropReason::NotControl)?;
        if locked && !channel.admits(now) {
            return Err(DropReason::ControlFlood);
        }
        u32::try_from(len).map_err(|_| DropReason::NotControl)
    }

    /// Takes a message for the peer into its outbox.
    fn post(&mut self, peer: &mut Peer, now: Instant, message: &[u8], wakes: bool) -> Result<(), Backpressure> {
        // Which address it is does not matter yet.
        if self.control.ends(&peer.public_key, 0).is_none() {
            return Err(Backpressure::NoChannel);
        }
        let most = self.longest_message();
        if message.len() > most {
            return Err(Backpressure::TooLong { most });
        }
        let has_path = peer.endpoint.path().is_some();
        let live = has_path && peer.sessions.is_live(now);
        let may_connect = self.local.is_some() && !peer.refused && (has_path || peer.endpoint.is_named());
        if !(live || wakes && may_connect) {
            return Err(Backpressure::NoSession);
        }
        let channel = peer.channel_or_new()?;
        channel.push(now, message, wakes, &mut self.control.waiting)?;
        channel.is_due |= live;
        if live {
            self.transmits.push(peer);
        } else {
            self.want_session(peer, now);
        }
        Ok(())
    }

    /// Bytes of the longest message: what the MTU leaves of a packet, and no more than a peer's outbox holds.
    fn longest_message(&self) -> usize {
        usize::from(self.layout.mtu()).saturating_sub(HEADERS).min(CONTROL_BYTES_PER_PEER)
    }

    /// Seals the oldest message that waits for the peer.
    pub(super) fn send_posted(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        self.drop_unfit_messages(peer);
        let path = peer.endpoint.path();
        let (Some(channel), Some(pair)) = (Troubles::channel_mut(&mut peer.troubles), peer.sessions.sealing(now))
        else {
            return self.await_session(peer, now);
        };
        let ends = self.control.ends(&peer.public_key, channel.interface);
        let (Some(path), Some(ends), Some(waiting)) = (path, ends, channel.front()) else {
            return self.await_session(peer, now);
        };
        let (len, wakes) = (HEADERS.saturating_add(waiting.message.len()), waiting.wakes);
        let needed = self.layout.datagram_len(len);
        let Some(packet) = buf.get_mut(..needed).and_then(|out| out.get_mut(HEADROOM..)?.get_mut(..len)) else {
            return Step::NoRoom(needed);
        };
        if let Some(place) = packet.get_mut(HEADERS..) {
            place.copy_from_slice(&waiting.message);
        }
        let sealed = frame::write(packet, ends).and_then(|()| seal_there(pair, len, self.layout, buf));
        let Some(len) = sealed else { return Step::NoRoom(needed) };
        let rekey = wakes && pair.wants_rekey_on_send(now);
        channel.pop(&mut self.control.waiting);
        if wakes {
            self.data_sent(peer, now, 0, len);
        } else {
            // It says all that a keepalive would, and asks for as little.
            peer.intents.keepalive = false;
            self.sent(peer, now, len);
        }
        if rekey {
            self.want_handshake(peer, now);
        }
        Step::sent(peer, path, len)
    }

    /// Drops the oldest messages as long as they are longer than the MTU allows, which may have changed, and all of them when there is
    /// no channel with the peer any more.
    fn drop_unfit_messages(&mut self, peer: &mut Peer) {
        let most = self.longest_message();
        let has_channel = self.control.ends(&peer.public_key, 0).is_some();
        let Some(channel) = peer.channel_mut() else { return };
        let mut lost = 0;
        while channel.front().is_some_and(|waiting| !has_channel || waiting.message.len() > most) {
            channel.pop(&mut self.control.waiting);
            lost += 1;
        }
        self.count_drops(Some(peer), if has_channel { DropReason::TooBig } else { DropReason::NoRoute }, lost);
    }

    /// The session ended before the messages left: those that are worth one wait for the next.
    #[cold]
    fn await_session(&mut self, peer: &mut Peer, now: Instant) -> Step {
        let Some(channel) = peer.channel_mut() else { return Step::Nothing };
        channel.is_due = false;
        let lost = channel.drop_idle(&mut self.control.waiting);
        let wakes = channel.wakes();
        self.count_drops(Some(peer), DropReason::KeyExpired, lost);
        if wakes {
            self.want_session(peer, now);
        }
        Step::Nothing
    }

    /// A handshake is wanted, and the endpoint for it.
    fn want_session(&mut self, peer: &mut Peer, now: Instant) {
        if peer.endpoint.path().is_none() {
            self.ask_to_resolve(peer, now, super::stage::RESOLVE_PAUSE);
        }
        self.want_handshake(peer, now);
    }
}
