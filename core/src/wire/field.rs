//! A field of a message: a named range whose bounds are proven when the program is compiled.
use core::ops::Range;

/// `LEN` bytes at offset `AT` of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<const AT: usize, const LEN: usize>;

impl<const AT: usize, const LEN: usize> Field<AT, LEN> {
    /// Where the field lies, in bytes from the start of the message.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        AT..AT.saturating_add(LEN)
    }

    /// The field's bytes in a message of `N` bytes. A field outside the message does not compile.
    #[inline]
    #[must_use]
    pub fn of<const N: usize>(self, message: &[u8; N]) -> &[u8; LEN] {
        const { assert!(AT <= N && LEN <= N.saturating_sub(AT), "the field lies outside the message") };
        message.get(AT..).and_then(<[u8]>::first_chunk).expect("the bounds were proven at compile time")
    }

    /// Writes the field's bytes into a message of `N` bytes. A field outside the message does not compile.
    #[inline]
    pub fn put<const N: usize>(self, message: &mut [u8; N], bytes: &[u8; LEN]) {
        const { assert!(AT <= N && LEN <= N.saturating_sub(AT), "the field lies outside the message") };
        *message.get_mut(AT..).and_then(<[u8]>::first_chunk_mut).expect("the bounds were proven at compile time") =
            *bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_and_writes_its_own_bytes_only() {
        const MIDDLE: Field<2, 3> = Field;
        let mut message = [1, 2, 3, 4, 5, 6];
        assert_eq!(MIDDLE.of(&message), &[3, 4, 5]);
        assert_eq!(MIDDLE.range(), 2..5);
        MIDDLE.put(&mut message, &[9, 8, 7]);
        assert_eq!(message, [1, 2, 9, 8, 7, 6]);
    }

    #[test]
    fn a_field_may_end_where_the_message_ends() {
        const LAST: Field<4, 2> = Field;
        const WHOLE: Field<0, 6> = Field;
        let mut message = [0; 6];
        LAST.put(&mut message, &[1, 2]);
        assert_eq!(WHOLE.of(&message), &[0, 0, 0, 0, 1, 2]);
    }
}
