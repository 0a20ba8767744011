//! Why a body could not be read.
use crate::memory::NoMemory;
use core::fmt;

/// Why the body of a control message could not be read. It says nothing of what the body contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes end within an item.
    Cut,
    /// Bytes follow the item.
    Trailing,
    /// A head is longer than it has to be.
    NotShortest,
    /// A string, array or map of indefinite length.
    Indefinite,
    /// A head that RFC 8949 reserves.
    Reserved,
    /// An item of another type than the schema has there.
    Type,
    /// A key that is no number from 0 to 63.
    Key,
    /// A key that stands twice in a map.
    Duplicate,
    /// The map lacks this key.
    Missing(u8),
    /// The map lists this key as one that has to be known, and it is not.
    Must(u8),
    /// Nested too deeply.
    Deep,
    /// A number outside its range, or a string of a length that it cannot have.
    Range,
    /// More items than the schema allows.
    TooMany,
    /// Longer than [`MAX_BODY`](crate::control::MAX_BODY).
    TooLong,
    /// A text that is no UTF-8, or has control characters.
    Text,
    /// There is no memory for it.
    NoMemory,
}

impl From<NoMemory> for Fault {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "the body is cut short",
            Self::Trailing => "bytes follow the body",
            Self::NotShortest => "a head is longer than it has to be",
            Self::Indefinite => "an item has no definite length",
            Self::Reserved => "a head is reserved",
            Self::Type => "an item has the wrong type",
            Self::Key => "a key is no number from 0 to 63",
            Self::Duplicate => "a key stands twice",
            Self::Missing(key) => return write!(f, "key {key} is missing"),
            Self::Must(key) => return write!(f, "key {key} has to be known and is not"),
            Self::Deep => "items are nested too deeply",
            Self::Range => "a value is out of range",
            Self::TooMany => "there are too many items",
            Self::TooLong => "the body is too long",
            Self::Text => "a text is not UTF-8 or has control characters",
            Self::NoMemory => "there is no memory for it",
        })
    }
}

impl core::error::Error for Fault {}
