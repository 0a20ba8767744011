//! A message as it stands in a datagram.
use super::options::Options;
use super::{Code, HEADER_LEN, Kind, MAX_TOKEN, Token, VERSION};

/// A message whose format was checked.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What becomes of it when it is lost.
    pub kind: Kind,
    /// Method or response code.
    pub code: Code,
    /// The message id.
    pub id: u16,
    /// The token.
    pub token: Token,
    options: &'a [u8],
    /// The payload, empty if there is none.
    pub payload: &'a [u8],
}

/// What to do about bytes that are no message (RFC 7252 § 4.2, § 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Pass over it.
    Ignore,
    /// Tell the sender by a Reset of this message id.
    Reset(u16),
}

impl<'a> View<'a> {
    /// Reads a message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Broken> {
        let (&[first, code, high, low], rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Broken::Ignore)?;
        if first >> 6 != VERSION {
            return Err(Broken::Ignore);
        }
        let (kind, id) = (Kind::from_bits(first >> 4), u16::from_be_bytes([high, low]));
        let broken = if kind == Kind::Confirmable { Broken::Reset(id) } else { Broken::Ignore };
        let code = Code::from_byte(code);
        if !fits(kind, code) {
            return Err(broken);
        }
        let view = Self::body(kind, code, id, first & 0x0f, rest).ok_or(broken)?;
        let is_bare = view.token == Token::default() && rest.is_empty();
        if code == Code::EMPTY && !is_bare { Err(broken) } else { Ok(view) }
    }

    /// The options, in their order.
    #[must_use]
    pub const fn options(&self) -> Options<'a> {
        Options::new(self.options)
    }

    /// The value of the first option of this number.
    #[must_use]
    pub fn option(&self, number: u16) -> Option<&'a [u8]> {
        self.options().find(|(present, _)| *present == number).map(|(_, value)| value)
    }

    fn body(kind: Kind, code: Code, id: u16, token_len: u8, rest: &'a [u8]) -> Option<Self> {
        let token_len = usize::from(token_len);
        if token_len > MAX_TOKEN {
            return None;
        }
        let (token, rest) = rest.split_at_checked(token_len)?;
        let mut options = Options::new(rest);
        while options.step()?.is_some() {}
        let tail = options.rest();
        let (options, _) = rest.split_at_checked(rest.len().checked_sub(tail.len())?)?;
        let payload = match tail.split_first() {
            None => tail,
            // A marker with nothing behind it is a fault.
            Some((_, payload)) => Some(payload).filter(|payload| !payload.is_empty())?,
        };
        Some(Self { kind, code, id, token: Token::new(token)?, options, payload })
    }
}

/// Which codes a message of a kind may have (RFC 7252 § 4.3, table 1).
const fn fits(kind: Kind, code: Code) -> bool {
    let is_empty = code.as_byte() == Code::EMPTY.as_byte();
    match kind {
        Kind::Confirmable => is_empty || code.is_request() || code.is_response(),
        Kind::NonConfirmable => code.is_request() || code.is_response(),
        Kind::Acknowledgement => is_empty || code.is_response(),
        Kind::Reset => is_empty,
    }
}
