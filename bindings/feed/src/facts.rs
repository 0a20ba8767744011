//! What is said of a slot: sixteen longs, read and written one by one, since another thread of the application may change them at any time.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Inbound, Outbound, Path, Span, Transmit};
use underpass_core::{DropReason, Status};

/// Longs that a slot has.
pub const LONGS: usize = 16;

/// Where in the slot a packet or datagram begins.
pub const START: usize = 0;
/// Its bytes.
pub const LEN: usize = 1;
/// What became of it.
pub const VERDICT: usize = 2;
/// Why it was dropped or bounced.
pub const REASON: usize = 3;
/// The peer that it goes to or comes from.
pub const PEER: usize = 4;
/// The host's own number of that peer.
pub const USER: usize = 5;
/// The ECN bits of the outer header.
pub const ECN: usize = 6;
/// The host's own number of a socket.
pub const LINK: usize = 7;
/// The other side: the higher half of its address.
pub const REMOTE_HIGH: usize = 8;
/// The lower half; of IPv4, all of it.
pub const REMOTE_LOW: usize = 9;
/// 4 or 6.
pub const REMOTE_FAMILY: usize = 10;
/// The port.
pub const REMOTE_PORT: usize = 11;
/// The interface of an IPv6 link-local address.
pub const REMOTE_SCOPE: usize = 12;
/// Our own address: the higher half. It is none where the family is 0.
pub const LOCAL_HIGH: usize = 13;
/// The lower half.
pub const LOCAL_LOW: usize = 14;
/// 0, 4 or 6.
pub const LOCAL_FAMILY: usize = 15;

// The verdicts, by the numbers of `UNDERPASS_VERDICT_*`.
/// Send the bytes of the slot along its path.
pub const SEND: i64 = 1;
/// Give them to the virtual interface: a packet from the peer.
pub const DELIVER: i64 = 2;
/// A cookie reply: send them back where the datagram came from.
pub const REPLY: i64 = 3;
/// An ICMP error: give it to the virtual interface.
pub const BOUNCE: i64 = 4;
/// Taken in: poll.
pub const CONSUMED: i64 = 5;
/// Copied, until there is a session: poll.
pub const STAGED: i64 = 6;
/// Gone, and counted.
pub const DROPPED: i64 = 7;

/// The longs of one slot.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'f>(pub(crate) &'f [AtomicI64; LONGS]);

impl Facts<'_> {
    #[inline]
    pub(crate) fn read(self, at: usize) -> i64 {
        self.0.get(at).map_or(0, |long| long.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn write(self, at: usize, value: i64) {
        if let Some(long) = self.0.get(at) {
            long.store(value, Ordering::Relaxed);
        }
    }

    /// Where the packet or datagram lies, when that is within a slot of `stride` bytes.
    #[inline]
    pub(crate) fn range(self, stride: usize) -> Result<Range<usize>, Status> {
        let start = usize::try_from(self.read(START)).map_err(|_| Status::Argument)?;
        let len = usize::try_from(self.read(LEN)).map_err(|_| Status::Argument)?;
        let end = start.checked_add(len).filter(|end| *end <= stride).ok_or(Status::Argument)?;
        Ok(start..end)
    }

    /// The ECN bits.
    #[inline]
    pub(crate) fn ecn(self) -> Result<Ecn, Status> {
        let bits = u8::try_from(self.read(ECN)).ok().filter(|bits| *bits <= 3);
        bits.map(Ecn::from_bits).ok_or(Status::Argument)
    }

    /// The way of a datagram; it must have the other side's address.
    #[inline]
    pub(crate) fn path(self) -> Result<Path, Status> {
        let port = u16::try_from(self.read(REMOTE_PORT)).map_err(|_| Status::Argument)?;
        let scope = u32::try_from(self.read(REMOTE_SCOPE)).map_err(|_| Status::Argument)?;
        let link = u32::try_from(self.read(LINK)).map_err(|_| Status::Argument)?;
        let remote = match self.address(REMOTE_FAMILY, REMOTE_HIGH, REMOTE_LOW)?.ok_or(Status::Argument)? {
            IpAddr::V4(ip) => SocketAddr::from((ip, port)),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
        };
        let local = self.address(LOCAL_FAMILY, LOCAL_HIGH, LOCAL_LOW)?;
        Ok(Path::new(remote).with_local(local).with_link(link))
    }

    fn address(self, family: usize, high: usize, low: usize) -> Result<Option<IpAddr>, Status> {
        match self.read(family) {
            0 => Ok(None),
            4 => {
                let bits = u32::try_from(self.read(low)).map_err(|_| Status::Argument)?;
                Ok(Some(Ipv4Addr::from(bits).into()))
            }
            6 => {
                let (high, low) = (self.read(high).cast_unsigned(), self.read(low).cast_unsigned());
                Ok(Some(Ipv6Addr::from(u128::from(high) << 64 | u128::from(low)).into()))
            }
            _ => Err(Status::Argument),
        }
    }

    fn set_address(self, address: Option<IpAddr>, family: usize, high: usize, low: usize) {
        let (number, bits) = match address {
            None => (0, 0),
            Some(IpAddr::V4(ip)) => (4, u128::from(ip.to_bits())),
            Some(IpAddr::V6(ip)) => (6, ip.to_bits()),
        };
        self.write(family, number);
        self.write(high, ((bits >> 64) as u64).cast_signed());
        self.write(low, (bits as u64).cast_signed());
    }

    /// Writes a way down.
    #[inline]
    pub(crate) fn set_path(self, path: &Path) {
        self.set_address(Some(path.remote.ip()), REMOTE_FAMILY, REMOTE_HIGH, REMOTE_LOW);
        self.write(REMOTE_PORT, path.remote.port().into());
        let scope = match path.remote {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(remote) => remote.scope_id(),
        };
        self.write(REMOTE_SCOPE, scope.into());
        self.set_address(path.local, LOCAL_FAMILY, LOCAL_HIGH, LOCAL_LOW);
        self.write(LINK, path.link.into());
    }

    /// Says what became of a packet.
    #[inline]
    pub(crate) fn settle_packet(self, verdict: &Outbound<Span>) {
        match verdict {
            Outbound::Datagram { transmit, datagram } => self.send(transmit, *datagram),
            Outbound::Bounce { reason, packet } => {
                self.place(BOUNCE, packet.start.into(), packet.len);
                self.write(REASON, *reason as i64);
            }
            Outbound::Staged => self.place(STAGED, 0, 0),
            Outbound::Dropped(reason) => self.drop(*reason),
            // There is no word for it yet: nothing is sent.
            _ => self.drop(DropReason::NoRoom),
        }
    }

    /// Says what became of the datagram that began at `start`.
    #[inline]
    pub(crate) fn settle_datagram(self, start: usize, verdict: &Inbound<Span>) {
        let start = start as i64;
        match verdict {
            Inbound::Packet { peer, user, packet } => {
                self.place(DELIVER, start + i64::from(packet.start), packet.len);
                self.whose(peer.to_u64(), *user);
            }
            Inbound::Reply(reply) => {
                self.place(REPLY, start + i64::from(reply.start), reply.len);
                self.write(ECN, 0);
            }
            Inbound::Dropped(reason) => self.drop(*reason),
            // Taken in; or there is no word for it yet, and nothing is delivered.
            _ => self.place(CONSUMED, 0, 0),
        }
    }

    /// Says that a datagram is to be sent.
    #[inline]
    pub(crate) fn send(self, transmit: &Transmit, datagram: Span) {
        self.place(SEND, datagram.start.into(), datagram.len);
        self.whose(transmit.peer.to_u64(), transmit.user);
        self.write(ECN, transmit.ecn as i64);
        self.set_path(&transmit.path);
    }

    fn drop(self, reason: DropReason) {
        self.place(DROPPED, 0, 0);
        self.write(REASON, reason as i64);
    }

    fn whose(self, peer: u64, user: u64) {
        self.write(PEER, peer.cast_signed());
        self.write(USER, user.cast_signed());
    }

    fn place(self, verdict: i64, start: i64, len: u32) {
        self.write(VERDICT, verdict);
        self.write(START, start);
        self.write(LEN, len.into());
        self.write(REASON, 0);
        self.whose(0, 0);
    }
}
