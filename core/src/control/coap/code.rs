//! Codes: what a message asks for, or how a request ended.
use core::fmt;

/// A CoAP code (RFC 7252 § 12.1). It prints as in the RFC: `4.04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u8);

impl Code {
    /// The code of a message that is neither request nor response.
    pub(crate) const EMPTY: Self = Self::of(0, 0);
    /// Gives a representation.
    pub(crate) const GET: Self = Self::of(0, 1);
    /// Has the body processed.
    pub(crate) const POST: Self = Self::of(0, 2);
    /// Ends what the resource stands for.
    pub(crate) const DELETE: Self = Self::of(0, 4);
    /// The answer to a DELETE that was done.
    pub(crate) const DELETED: Self = Self::of(2, 2);
    /// The answer to a POST that was done.
    pub(crate) const CHANGED: Self = Self::of(2, 4);
    /// The answer to a GET.
    pub(crate) const CONTENT: Self = Self::of(2, 5);
    /// A block was taken, more may come (RFC 7959 § 2.9.1).
    pub(crate) const CONTINUE: Self = Self::of(2, 31);
    /// The request cannot be read.
    pub const BAD_REQUEST: Self = Self::of(4, 0);
    /// The peer has to log in first.
    pub const UNAUTHORIZED: Self = Self::of(4, 1);
    /// The request has a critical option that is not known.
    pub const BAD_OPTION: Self = Self::of(4, 2);
    /// The peer may not.
    pub const FORBIDDEN: Self = Self::of(4, 3);
    /// There is no such resource.
    pub const NOT_FOUND: Self = Self::of(4, 4);
    /// The resource does not take this method.
    pub const METHOD_NOT_ALLOWED: Self = Self::of(4, 5);
    /// The client takes no CBOR.
    pub const NOT_ACCEPTABLE: Self = Self::of(4, 6);
    /// Blocks are missing: begin again (RFC 7959 § 2.9.2).
    pub const INCOMPLETE: Self = Self::of(4, 8);
    /// What is asked for is another's already (RFC 8132 § 4).
    pub const CONFLICT: Self = Self::of(4, 9);
    /// The body is too long (RFC 7959 § 2.9.3).
    pub const TOO_LARGE: Self = Self::of(4, 13);
    /// The body is not CBOR.
    pub const UNSUPPORTED_FORMAT: Self = Self::of(4, 15);
    /// The body is CBOR and cannot be processed (RFC 8132 § 4).
    pub const UNPROCESSABLE: Self = Self::of(4, 22);
    /// Too many requests: try again later (RFC 8516).
    pub const TOO_MANY_REQUESTS: Self = Self::of(4, 29);
    /// Something went wrong inside.
    pub const INTERNAL: Self = Self::of(5, 0);
    /// Not now: try again later.
    pub const UNAVAILABLE: Self = Self::of(5, 3);
    /// We are no proxy.
    pub(crate) const NO_PROXY: Self = Self::of(5, 5);

    const fn of(class: u8, detail: u8) -> Self {
        Self(class << 5 | detail & 0x1f)
    }

    /// From the byte on the wire.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn as_byte(self) -> u8 {
        self.0
    }

    /// The digit before the point: 0 for requests, 2 for success, 4 for faults of the client, 5 for faults of the server.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.0 >> 5
    }

    /// Whether it says that a request failed.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self.class(), 4 | 5)
    }

    /// Whether it is that of a request.
    #[must_use]
    pub(crate) const fn is_request(self) -> bool {
        self.class() == 0 && self.0 != 0
    }

    /// Whether it is that of a response.
    #[must_use]
    pub(crate) const fn is_response(self) -> bool {
        matches!(self.class(), 2 | 4 | 5)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.0 & 0x1f)
    }
}
