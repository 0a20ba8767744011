//! Our own datagrams, come back as packets.
//!
//! A host whose routing table leads an endpoint into the tunnel gets each datagram back as a packet, seals it, and so on for
//! ever. Where an endpoint lies in allowed IPs, packets to it are therefore looked into: a handshake message or transport
//! data of a session of just this peer goes no further. All else passes, other WireGuard to the same address included.
//!
//! An endpoint that lies in nobody's allowed IPs costs one comparison a run: the peer remembers for which state of the
//! routes that was found.
use super::PacketBuf;
use super::call::Call;
use super::shared::Shared;
use crate::packet::{self, Address};
use crate::peer::Peer;
use core::net::{IpAddr, SocketAddr};

/// Peers in a ring of endpoints, each in the allowed IPs of the next, that are looked at.
const LONGEST_RING: usize = 4;

const UDP: u8 = 17;
const FRAGMENT: u8 = 44;

impl Call<'_> {
    /// How many packets at the front of a run to the peer in `slot` are none of our own datagrams.
    #[cold]
    #[inline(never)]
    pub(super) fn others<'p, 'b: 'p>(&mut self, slot: u32, run: impl IntoIterator<Item = &'p PacketBuf<'b>>) -> usize {
        let run = run.into_iter();
        let ring = self.ring_of(slot);
        let remote = self.peers.at(slot).and_then(|peer| peer.endpoint.path_in_place()).map(|path| path.remote.ip());
        match remote {
            // A tunnel for all traffic: most packets go elsewhere, which two numbers tell.
            Some(remote) if ring == 1 => {
                run.take_while(|packet| !may_go_to(remote, packet) || !self.is_our_own(slot, ring, packet)).count()
            }
            _ => run.take_while(|packet| !self.is_our_own(slot, ring, packet)).count(),
        }
    }

    /// How many endpoints a packet to the peer in `slot` is to be compared with.
    fn ring_of(&mut self, slot: u32) -> usize {
        let routes = &self.shared.routes;
        let Some(peer) = self.peers.at_mut(slot) else { return 0 };
        if peer.endpoint.is_routed_to_itself(routes) {
            return 1;
        }
        match peer.endpoint.path().map(|path| routes.lookup(path.remote.ip())) {
            Some(Some(owner)) if owner != slot => LONGEST_RING,
            Some(Some(_)) => {
                peer.endpoint.note_routed(routes, true);
                1
            }
            Some(None) | None => {
                peer.endpoint.note_routed(routes, false);
                0
            }
        }
    }

    /// Whether a packet to the peer in `slot` is a datagram of ours that comes round: to the endpoint of this peer, or of
    /// one whose allowed IPs hold the endpoint of this one, and so on. An endpoint that is reached through another peer,
    /// whose own lies outside the tunnel, is not in the ring: that works, and is meant.
    fn is_our_own(&self, slot: u32, ring: usize, packet: &PacketBuf<'_>) -> bool {
        let Some(packet) = packet.buf.get(packet.packet.clone()) else { return false };
        let Some((destination, _)) = packet::destination(packet) else { return false };
        let mut at = slot;
        for step in 1..=ring {
            let peer = self.peers.at(at);
            let Some((peer, path)) = peer.and_then(|peer| Some((peer, peer.endpoint.path_in_place()?))) else { break };
            if Address::from(path.remote.ip()) == destination {
                return self.shared.has_sent(peer, path.remote, packet);
            }
            if step == ring {
                break;
            }
            match self.shared.routes.lookup(path.remote.ip()) {
                Some(next) if next != slot => at = next,
                _ => break,
            }
        }
        false
    }
}

impl Shared {
    /// Whether a packet to the address of `remote` holds a datagram that only we can have sent to `peer`.
    #[cold]
    fn has_sent(&self, peer: &Peer, remote: SocketAddr, packet: &[u8]) -> bool {
        let Some((port, [kind, 0, 0, 0, index @ ..])) = udp(packet) else { return false };
        let index = u32::from_le_bytes(index);
        port == remote.port()
            && match kind {
                1 | 2 => self.indices.lookup(index) == Some(peer.id.slot),
                4 => peer.sessions.seals_to(index),
                _ => false,
            }
    }
}

/// Whether the bytes of `packet` where `remote` would stand as destination are those of `remote`.
#[inline]
fn may_go_to(remote: IpAddr, PacketBuf { buf, packet }: &PacketBuf<'_>) -> bool {
    let bytes = buf.get(packet.start..).unwrap_or_default();
    match remote {
        IpAddr::V4(remote) => bytes.get(16..20) == Some(&remote.octets()),
        IpAddr::V6(remote) => bytes.get(24..40) == Some(&remote.octets()),
    }
}

/// The destination port of a UDP packet, or of its first fragment, and the first bytes of the datagram in it.
fn udp(packet: &[u8]) -> Option<(u16, [u8; 8])> {
    let (protocol, header) = match packet.first()? >> 4 {
        4 => {
            let place = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?) & 0x1fff;
            (*packet.get(9).filter(|_| place == 0)?, usize::from(packet.first()? & 0xf) << 2)
        }
        _ if *packet.get(6)? == FRAGMENT => {
            let place = u16::from_be_bytes(*packet.get(42..)?.first_chunk()?) >> 3;
            (*packet.get(40).filter(|_| place == 0)?, 48)
        }
        _ => (*packet.get(6)?, 40),
    };
    let [_, _, port @ .., _, _, _, _] = *packet.get(header..)?.first_chunk::<8>()?;
    let datagram = packet.get(header..)?.get(8..)?.first_chunk()?;
    (protocol == UDP).then_some((u16::from_be_bytes(port), *datagram))
}
