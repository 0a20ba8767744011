//! How much room packets and datagrams need: the only place that knows.
use crate::crypto::TAG_LEN;
use crate::limits::{HEADROOM, MIN_TRANSMIT_BUFFER, TAILROOM};

/// How packets are padded before they are sealed, so that lengths tell less to whoever watches the network. Any WireGuard
/// peer takes padded packets: it goes by the length in the IP header. Nothing is ever padded beyond the MTU, and keepalives
/// stay empty, since an empty packet is what makes a keepalive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding {
    /// To a multiple of 16 bytes (paper § 5.4.6): what every implementation does.
    #[default]
    Sixteen,
    /// To a multiple of this many bytes: a power of two from 32 to 32768.
    Buckets(u16),
    /// To the MTU: every packet has the same length.
    Mtu,
}

impl Padding {
    /// Whether the size of its buckets is allowed.
    pub(crate) const fn is_valid(self) -> bool {
        match self {
            Self::Buckets(size) => size.is_power_of_two() && size >= 32,
            Self::Sixteen | Self::Mtu => true,
        }
    }

    /// One less than the power of two that lengths are rounded up to.
    const fn mask(self) -> u16 {
        match self {
            Self::Sixteen => 15,
            Self::Buckets(size) => size.saturating_sub(1),
            Self::Mtu => u16::MAX,
        }
    }
}

/// The room that packets and datagrams need under the present configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    mtu: u16,
    mask: u16,
}

impl Layout {
    /// The room under this MTU and this padding.
    #[must_use]
    pub const fn new(mtu: u16, padding: Padding) -> Self {
        Self { mtu, mask: padding.mask() }
    }

    /// The largest inner packet in bytes.
    #[must_use]
    pub const fn mtu(self) -> u16 {
        self.mtu
    }

    /// Bytes that a buffer needs before a packet.
    #[must_use]
    pub const fn headroom(self) -> usize {
        HEADROOM
    }

    /// Bytes that a buffer needs behind a packet of any length, at most. A buffer of
    /// [`transmit_buffer`](Self::transmit_buffer) bytes has room for every packet up to the MTU and what is behind it.
    #[must_use]
    pub const fn tailroom(self) -> usize {
        let padding = if self.mask < self.mtu { self.mask } else { self.mtu } as usize;
        let needed = padding.saturating_add(TAG_LEN);
        if needed < TAILROOM { TAILROOM } else { needed }
    }

    /// Bytes of the buffer for [`poll_transmit`](crate::Tunnel::poll_transmit).
    #[must_use]
    pub const fn transmit_buffer(self) -> usize {
        let needed = (self.mtu as usize).saturating_add(HEADROOM).saturating_add(TAILROOM);
        if needed < MIN_TRANSMIT_BUFFER { MIN_TRANSMIT_BUFFER } else { needed }
    }

    /// Bytes of the datagram that a packet of `packet` bytes becomes.
    #[must_use]
    #[inline]
    pub fn datagram_len(self, packet: usize) -> usize {
        self.padded(packet).saturating_add(HEADROOM + TAG_LEN)
    }

    /// The packet's length when padded. A length of 0, which is a keepalive's, stays 0.
    #[inline]
    pub(crate) fn padded(self, len: usize) -> usize {
        let mask = usize::from(self.mask);
        // Packets are shorter than 2^16.
        (len.wrapping_add(mask) & !mask).min(len.max(self.mtu.into()))
    }

    /// Whether padding is at most 15 bytes.
    #[inline]
    pub(crate) const fn pads_little(self) -> bool {
        self.mask == 15
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_up_and_never_beyond_the_mtu() {
        use Padding::{Buckets, Mtu, Sixteen};
        for (padding, len, mtu, want) in [
            (Sixteen, 0, 1420, 0),
            (Sixteen, 1, 1420, 16),
            (Sixteen, 16, 1420, 16),
            (Sixteen, 1400, 1420, 1408),
            (Sixteen, 1409, 1420, 1420),
            (Sixteen, 1420, 1420, 1420),
            (Buckets(256), 0, 1420, 0),
            (Buckets(256), 20, 1420, 256),
            (Buckets(256), 256, 1420, 256),
            (Buckets(256), 257, 1420, 512),
            (Buckets(256), 1281, 1420, 1420),
            (Buckets(32768), 20, 65535, 32768),
            (Mtu, 0, 1420, 0),
            (Mtu, 1, 1420, 1420),
            (Mtu, 1420, 1420, 1420),
            (Mtu, 1, 65535, 65535),
        ] {
            let layout = Layout::new(mtu, padding);
            assert_eq!(layout.padded(len), want, "{len} of {mtu}, {padding:?}");
            assert_eq!(layout.datagram_len(len), want + 32);
            assert!(layout.datagram_len(len) <= layout.transmit_buffer());
            assert!(layout.datagram_len(len) <= HEADROOM + len + layout.tailroom(), "{len} of {mtu}, {padding:?}");
        }
        for (size, valid) in [(0, false), (16, false), (32, true), (100, false), (512, true), (32768, true)] {
            assert_eq!(Buckets(size).is_valid(), valid, "{size}");
        }
    }
}
