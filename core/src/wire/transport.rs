//! Transport data: a header of 16 bytes, then the sealed packet (paper § 5.4.6).
use super::field::Field;

/// Bytes of transport data without payload: header and tag.
pub const TRANSPORT_MIN_LEN: usize = 32;
/// Bytes of the transport header: type, receiver index, counter.
pub const TRANSPORT_HEADER_LEN: usize = 16;

/// The type word of transport data: type 4, three zero bytes.
pub const TYPE: u32 = 4;

/// Where each field of the header lies.
pub mod field {
    use super::Field;
    /// Type and reserved bytes.
    pub const TYPE: Field<0, 4> = Field;
    /// The receiver's session index, little-endian.
    pub const RECEIVER: Field<4, 4> = Field;
    /// The message counter, little-endian.
    pub const COUNTER: Field<8, 8> = Field;
}

/// The header of transport data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The receiver's session index.
    pub receiver: u32,
    /// The message counter: the nonce.
    pub counter: u64,
}

impl Transport {
    /// Reads the header of `datagram`, whose type word was read already; `None` when there is no room for a tag
    /// behind it. The sealed part may have any length: that it is padded to 16 bytes is the sender's affair.
    #[inline]
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        let header: &[u8; TRANSPORT_MIN_LEN] = datagram.first_chunk()?;
        Some(Self {
            receiver: u32::from_le_bytes(*field::RECEIVER.of(header)),
            counter: u64::from_le_bytes(*field::COUNTER.of(header)),
        })
    }

    /// Where transport data has its receiver's session index; what stands there if `datagram` is anything else.
    #[must_use]
    #[inline]
    pub fn receiver_of(datagram: &[u8]) -> Option<u32> {
        let header: &[u8; TRANSPORT_MIN_LEN] = datagram.first_chunk()?;
        Some(u32::from_le_bytes(*field::RECEIVER.of(header)))
    }

    /// Where transport data has its counter, likewise; 0 where `datagram` is too short.
    #[must_use]
    #[inline]
    pub fn counter_of(datagram: &[u8]) -> u64 {
        let header: Option<&[u8; TRANSPORT_MIN_LEN]> = datagram.first_chunk();
        header.map_or(0, |header| u64::from_le_bytes(*field::COUNTER.of(header)))
    }

    /// Writes the 16 bytes of the header.
    #[inline]
    pub fn write(self, header: &mut [u8; TRANSPORT_HEADER_LEN]) {
        field::TYPE.put(header, &TYPE.to_le_bytes());
        field::RECEIVER.put(header, &self.receiver.to_le_bytes());
        field::COUNTER.put(header, &self.counter.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let header = Transport { receiver: 0x0403_0201, counter: 0x0c0b_0a09_0807_0605 };
        let mut datagram = [0xff; TRANSPORT_MIN_LEN];
        header.write(datagram.first_chunk_mut().unwrap());
        assert_eq!(datagram[..16], [4, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(datagram[16..], [0xff; 16]);
        assert_eq!(Transport::read(&datagram), Some(header));
    }

    #[test]
    fn every_index_and_counter_survives() {
        for receiver in [0, 1, u32::MAX] {
            for counter in [0, 1, u64::from(u32::MAX) + 1, crate::limits::REJECT_AFTER_MESSAGES - 1, u64::MAX] {
                let mut datagram = [0; TRANSPORT_MIN_LEN];
                Transport { receiver, counter }.write(datagram.first_chunk_mut().unwrap());
                assert_eq!(Transport::read(&datagram), Some(Transport { receiver, counter }));
            }
        }
    }
}
