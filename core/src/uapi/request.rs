//! Finds requests in the bytes of a control socket.
use super::fault::{Fault, UapiError};
use crate::memory::list;
use alloc::vec::Vec;
use zeroize::{Zeroize, Zeroizing};

/// The longest request by default: room for a million peers of 500 bytes each. The socket is for the
/// administrator only, and memory is taken only for what has arrived.
pub const MAX_REQUEST_LEN: usize = 512 << 20;

const GET: &[u8] = b"get=1\n";
const SET: &[u8] = b"set=1\n";
/// The least memory to take at once.
const CHUNK: usize = 4096;

/// A request of the control protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Write the tunnel's state: [`write_get`](super::write_get).
    Get,
    /// Change the tunnel: the text is for [`parse_set`](super::parse_set).
    Set(&'a str),
}

/// The bytes that came in on one connection and are no answered request yet. They are wiped when dropped or moved:
/// keys are among them.
pub struct RequestBuffer {
    bytes: Zeroizing<Vec<u8>>,
    /// Bytes at the beginning that the latest request took.
    taken: usize,
    /// Bytes in which no end of the request was found.
    searched: usize,
    limit: usize,
}

impl Default for RequestBuffer {
    fn default() -> Self {
        Self::with_limit(MAX_REQUEST_LEN)
    }
}

impl RequestBuffer {
    /// A buffer for requests of up to [`MAX_REQUEST_LEN`] bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A buffer for requests of up to `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::new()), taken: 0, searched: 0, limit }
    }

    /// Takes in what the socket gave.
    ///
    /// # Errors
    /// [`Fault::TooLong`] or [`Fault::NoMemory`]: nothing was taken in; answer with the error and close the connection.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), UapiError> {
        self.discard_taken();
        let needed = self.bytes.len().saturating_add(bytes.len());
        if needed > self.limit {
            return Err(UapiError::of_operation(Fault::TooLong));
        }
        if needed > self.bytes.capacity() {
            // A new vector instead of a grown one, whose old memory would not be wiped.
            let capacity = needed.max(self.bytes.capacity().saturating_mul(2)).max(CHUNK);
            let mut wider = Zeroizing::new(list(capacity).map_err(|error| UapiError::of_operation(error.into()))?);
            wider.extend_from_slice(&self.bytes);
            self.bytes = wider;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole request, or `None` until more has come in. The next call of `push` or `poll` forgets it.
    ///
    /// # Errors
    /// [`UapiError`]: these bytes are no request, nor will any that follow be found; answer with the error and close
    /// the connection.
    pub fn poll(&mut self) -> Result<Option<Request<'_>>, UapiError> {
        self.discard_taken();
        if self.bytes.starts_with(GET) {
            return match self.bytes.get(GET.len()) {
                None => Ok(None),
                Some(b'\n') => {
                    self.taken = GET.len().saturating_add(1);
                    Ok(Some(Request::Get))
                }
                Some(_) => Err(UapiError::of_operation(Fault::TrailingText)),
            };
        }
        if self.bytes.starts_with(SET) {
            return self.poll_set();
        }
        if GET.starts_with(&self.bytes) || SET.starts_with(&self.bytes) {
            return Ok(None);
        }
        Err(UapiError::of_operation(Fault::UnknownOperation))
    }

    /// Looks for the empty line; the newline that ends the operation may be the one before it.
    fn poll_set(&mut self) -> Result<Option<Request<'_>>, UapiError> {
        let from = self.searched.saturating_sub(1).max(SET.len().saturating_sub(1));
        let unseen = self.bytes.get(from..).unwrap_or_default();
        let Some(found) = unseen.windows(2).position(|pair| pair == b"\n\n") else {
            self.searched = self.bytes.len();
            return Ok(None);
        };
        let end = from.saturating_add(found).saturating_add(1);
        self.taken = end.saturating_add(1);
        let text = self.bytes.get(SET.len()..end).unwrap_or_default();
        match core::str::from_utf8(text) {
            Ok(text) => Ok(Some(Request::Set(text))),
            Err(_) => Err(UapiError::of_operation(Fault::NotUtf8)),
        }
    }

    fn discard_taken(&mut self) {
        if self.taken == 0 {
            return;
        }
        let taken = self.taken.min(self.bytes.len());
        if let Some(answered) = self.bytes.get_mut(..taken) {
            answered.zeroize();
        }
        self.bytes.drain(..taken);
        self.taken = 0;
        self.searched = 0;
    }
}

impl core::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Get => f.write_str("Get"),
            Self::Set(text) => write!(f, "Set({} bytes)", text.len()),
        }
    }
}

impl core::fmt::Debug for RequestBuffer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RequestBuffer({} of {} bytes)", self.bytes.len(), self.limit)
    }
}
