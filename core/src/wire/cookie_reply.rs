//! The answer of a responder under load (paper § 5.4.7).
use super::field::Field;

/// Bytes of a cookie reply.
pub const COOKIE_REPLY_LEN: usize = 64;

/// The type word of a cookie reply: type 3, three zero bytes.
pub const TYPE: u32 = 3;

/// Where each field lies.
pub mod field {
    use super::Field;
    /// Type and reserved bytes.
    pub const TYPE: Field<0, 4> = Field;
    /// The sender index of the message that is answered, little-endian.
    pub const RECEIVER: Field<4, 4> = Field;
    /// The nonce of the sealed cookie.
    pub const NONCE: Field<8, 24> = Field;
    /// The cookie, sealed.
    pub const COOKIE: Field<32, 32> = Field;
}

/// A view of a cookie reply: receiver index, nonce, sealed cookie.
#[derive(Clone, Copy, Debug)]
pub struct CookieReply<'a>(&'a [u8; COOKIE_REPLY_LEN]);

impl<'a> CookieReply<'a> {
    /// Views `datagram` as a cookie reply, whose type word was read already; `None` unless the length is exact.
    pub(super) fn view(datagram: &'a [u8]) -> Option<Self> {
        datagram.try_into().ok().map(Self)
    }
    /// The session index that the answered message announced.
    #[must_use]
    pub fn receiver(self) -> u32 {
        u32::from_le_bytes(*field::RECEIVER.of(self.0))
    }
    /// The nonce.
    #[must_use]
    pub fn nonce(self) -> &'a [u8; 24] {
        field::NONCE.of(self.0)
    }
    /// The cookie and its tag.
    #[must_use]
    pub fn sealed_cookie(self) -> &'a [u8; 32] {
        field::COOKIE.of(self.0)
    }
    /// The whole message.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8; COOKIE_REPLY_LEN] {
        self.0
    }
}

/// The fields of a cookie reply to be written.
#[derive(Clone, Copy, Debug)]
pub struct CookieReplyFields<'a> {
    /// The session index that the answered message announced.
    pub receiver: u32,
    /// The nonce.
    pub nonce: &'a [u8; 24],
    /// The cookie and its tag.
    pub sealed_cookie: &'a [u8; 32],
}

impl CookieReplyFields<'_> {
    /// Writes the message.
    pub fn write(&self, out: &mut [u8; COOKIE_REPLY_LEN]) {
        field::TYPE.put(out, &TYPE.to_le_bytes());
        field::RECEIVER.put(out, &self.receiver.to_le_bytes());
        field::NONCE.put(out, self.nonce);
        field::COOKIE.put(out, self.sealed_cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_follow_one_another_and_fill_the_message() {
        let ranges = [field::TYPE.range(), field::RECEIVER.range(), field::NONCE.range(), field::COOKIE.range()];
        let end = ranges.into_iter().fold(0, |at, range| {
            assert_eq!(range.start, at);
            range.end
        });
        assert_eq!(end, COOKIE_REPLY_LEN);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut message = [0xff; COOKIE_REPLY_LEN];
        CookieReplyFields { receiver: 0x0403_0201, nonce: &[1; 24], sealed_cookie: &[2; 32] }.write(&mut message);
        assert_eq!(message[..8], [3, 0, 0, 0, 1, 2, 3, 4]);
        let view = CookieReply::view(&message).unwrap();
        assert_eq!(view.receiver(), 0x0403_0201);
        assert_eq!(view.nonce(), &[1; 24]);
        assert_eq!(view.sealed_cookie(), &[2; 32]);
        assert_eq!(view.as_bytes(), &message);
    }
}
