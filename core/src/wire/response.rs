//! The second message, responder to initiator (paper § 5.4.3).
use super::field::Field;

/// Bytes of a response.
pub const RESPONSE_LEN: usize = 92;

/// The type word of a response: type 2, three zero bytes.
pub const TYPE: u32 = 2;

/// Where each field lies.
pub mod field {
    use super::Field;
    /// Type and reserved bytes.
    pub const TYPE: Field<0, 4> = Field;
    /// The sender's session index, little-endian.
    pub const SENDER: Field<4, 4> = Field;
    /// The sender index of the initiation that is answered, little-endian.
    pub const RECEIVER: Field<8, 4> = Field;
    /// The sender's ephemeral public key, in clear.
    pub const EPHEMERAL: Field<12, 32> = Field;
    /// The tag over nothing that proves the keys.
    pub const EMPTY: Field<44, 16> = Field;
    /// MAC over everything before it, under a key that all who know the initiator's public key can make.
    pub const MAC1: Field<60, 16> = Field;
    /// MAC over everything before it, under a cookie; zero without one.
    pub const MAC2: Field<76, 16> = Field;
}

/// A view of a response: sender and receiver index, ephemeral, empty, mac1, mac2.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a>(&'a [u8; RESPONSE_LEN]);

impl<'a> Response<'a> {
    /// Views `datagram` as a response, whose type word was read already; `None` unless the length is exact.
    pub(super) fn view(datagram: &'a [u8]) -> Option<Self> {
        datagram.try_into().ok().map(Self)
    }
    /// The sender's session index.
    #[must_use]
    pub fn sender(self) -> u32 {
        u32::from_le_bytes(*field::SENDER.of(self.0))
    }
    /// The session index that the initiation announced.
    #[must_use]
    pub fn receiver(self) -> u32 {
        u32::from_le_bytes(*field::RECEIVER.of(self.0))
    }
    /// The sender's ephemeral public key.
    #[must_use]
    pub fn ephemeral(self) -> &'a [u8; 32] {
        field::EPHEMERAL.of(self.0)
    }
    /// The tag over nothing.
    #[must_use]
    pub fn empty_sealed(self) -> &'a [u8; 16] {
        field::EMPTY.of(self.0)
    }
    /// The whole message.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8; RESPONSE_LEN] {
        self.0
    }
}

/// The fields of a response to be written; its MACs come later.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFields<'a> {
    /// The sender's session index.
    pub sender: u32,
    /// The session index that the initiation announced.
    pub receiver: u32,
    /// The sender's ephemeral public key.
    pub ephemeral: &'a [u8; 32],
    /// The tag over nothing.
    pub empty_sealed: &'a [u8; 16],
}

impl ResponseFields<'_> {
    /// Writes the message, both MACs zero.
    pub fn write(&self, out: &mut [u8; RESPONSE_LEN]) {
        field::TYPE.put(out, &TYPE.to_le_bytes());
        field::SENDER.put(out, &self.sender.to_le_bytes());
        field::RECEIVER.put(out, &self.receiver.to_le_bytes());
        field::EPHEMERAL.put(out, self.ephemeral);
        field::EMPTY.put(out, self.empty_sealed);
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
            field::RECEIVER.range(),
            field::EPHEMERAL.range(),
            field::EMPTY.range(),
            field::MAC1.range(),
            field::MAC2.range(),
        ];
        let end = ranges.into_iter().fold(0, |at, range| {
            assert_eq!(range.start, at);
            range.end
        });
        assert_eq!(end, RESPONSE_LEN);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut message = [0xff; RESPONSE_LEN];
        ResponseFields { sender: 0x0403_0201, receiver: 0x0807_0605, ephemeral: &[1; 32], empty_sealed: &[2; 16] }
            .write(&mut message);
        assert_eq!(message[..12], [2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(message[60..], [0; 32]);
        let view = Response::view(&message).unwrap();
        assert_eq!((view.sender(), view.receiver()), (0x0403_0201, 0x0807_0605));
        assert_eq!(view.ephemeral(), &[1; 32]);
        assert_eq!(view.empty_sealed(), &[2; 16]);
        assert_eq!(view.as_bytes(), &message);
    }
}
