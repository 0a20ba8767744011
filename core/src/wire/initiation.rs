//! The first message, initiator to responder (paper § 5.4.2).
use super::field::Field;

/// Bytes of an initiation.
pub const INITIATION_LEN: usize = 148;

/// The type word of an initiation: type 1, three zero bytes.
pub const TYPE: u32 = 1;

/// Where each field lies.
pub mod field {
    use super::Field;
    /// Type and reserved bytes.
    pub const TYPE: Field<0, 4> = Field;
    /// The sender's session index, little-endian.
    pub const SENDER: Field<4, 4> = Field;
    /// The sender's ephemeral public key, in clear.
    pub const EPHEMERAL: Field<8, 32> = Field;
    /// The sender's static public key, sealed.
    pub const STATIC: Field<40, 48> = Field;
    /// The TAI64N timestamp, sealed.
    pub const TIMESTAMP: Field<88, 28> = Field;
    /// MAC over everything before it, under a key that all who know the responder's public key can make.
    pub const MAC1: Field<116, 16> = Field;
    /// MAC over everything before it, under a cookie; zero without one.
    pub const MAC2: Field<132, 16> = Field;
}

/// A view of an initiation: sender index, ephemeral, static, timestamp, mac1, mac2.
#[derive(Clone, Copy, Debug)]
pub struct Initiation<'a>(&'a [u8; INITIATION_LEN]);

impl<'a> Initiation<'a> {
    /// Views `datagram` as an initiation, whose type word was read already; `None` unless the length is exact.
    pub(super) fn view(datagram: &'a [u8]) -> Option<Self> {
        datagram.try_into().ok().map(Self)
    }
    /// The sender's session index.
    #[must_use]
    pub fn sender(self) -> u32 {
        u32::from_le_bytes(*field::SENDER.of(self.0))
    }
    /// The sender's ephemeral public key.
    #[must_use]
    pub fn ephemeral(self) -> &'a [u8; 32] {
        field::EPHEMERAL.of(self.0)
    }
    /// The sender's static public key and its tag.
    #[must_use]
    pub fn static_sealed(self) -> &'a [u8; 48] {
        field::STATIC.of(self.0)
    }
    /// The timestamp and its tag.
    #[must_use]
    pub fn timestamp_sealed(self) -> &'a [u8; 28] {
        field::TIMESTAMP.of(self.0)
    }
    /// The whole message.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8; INITIATION_LEN] {
        self.0
    }
}

/// The fields of an initiation to be written; its MACs come later.
#[derive(Clone, Copy, Debug)]
pub struct InitiationFields<'a> {
    /// The sender's session index.
    pub sender: u32,
    /// The sender's ephemeral public key.
    pub ephemeral: &'a [u8; 32],
    /// The sender's static public key and its tag.
    pub static_sealed: &'a [u8; 48],
    /// The timestamp and its tag.
    pub timestamp_sealed: &'a [u8; 28],
}

impl InitiationFields<'_> {
    /// Writes the message, both MACs zero.
    pub fn write(&self, out: &mut [u8; INITIATION_LEN]) {
        field::TYPE.put(out, &TYPE.to_le_bytes());
        field::SENDER.put(out, &self.sender.to_le_bytes());
        field::EPHEMERAL.put(out, self.ephemeral);
        field::STATIC.put(out, self.static_sealed);
        field::TIMESTAMP.put(out, self.timestamp_sealed);
        field::MAC1.put(out, &[0; 16]);
        field::MAC2.put(out, &[0; 16]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_follow_one_another_and_fill_the_message() {
        let ranges = [
            field::TYPE.range(),
            field::SENDER.range(),
            field::EPHEMERAL.range(),
            field::STATIC.range(),
            field::TIMESTAMP.range(),
            field::MAC1.range(),
            field::MAC2.range(),
        ];
        let end = ranges.into_iter().fold(0, |at, range| {
            assert_eq!(range.start, at);
            range.end
        });
        assert_eq!(end, INITIATION_LEN);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut message = [0xff; INITIATION_LEN];
        InitiationFields {
            sender: 0x0403_0201,
            ephemeral: &[1; 32],
            static_sealed: &[2; 48],
            timestamp_sealed: &[3; 28],
        }
        .write(&mut message);
        assert_eq!(message[..8], [1, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(message[116..], [0; 32]);
        let view = Initiation::view(&message).unwrap();
        assert_eq!(view.sender(), 0x0403_0201);
        assert_eq!(view.ephemeral(), &[1; 32]);
        assert_eq!(view.static_sealed(), &[2; 48]);
        assert_eq!(view.timestamp_sealed(), &[3; 28]);
        assert_eq!(view.as_bytes(), &message);
    }
}
