//! Messages of netlink (RFC 3549 § 2.3).
use nix::errno::Errno;
use nix::libc;

/// Bytes of a message's header.
const HEADER: usize = 16;

/// A message that asks for something.
#[derive(Debug)]
pub struct Request(Vec<u8>);

impl Request {
    /// A request of this kind, whose fixed part is `body`.
    pub fn new(kind: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
        bytes.extend(body);
        Self(bytes).measured()
    }

    /// Adds an attribute.
    pub fn add(&mut self, kind: u16, value: &[u8]) {
        self.0.extend((4 + value.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let len = self.0.len() as u32;
        self.0[..4].copy_from_slice(&len.to_ne_bytes());
    }

    /// The same, which is answered even when there is nothing to say.
    pub fn acknowledged(mut self) -> Self {
        self.0[6..8].copy_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
        self
    }

    /// As it is sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn measured(mut self) -> Self {
        let len = self.0.len() as u32;
        self.0[..4].copy_from_slice(&len.to_ne_bytes());
        self
    }
}

/// The body of the first message in `bytes`; empty when it only says that all is well.
///
/// # Errors
/// What the message says, or EPROTO when it is none.
pub fn body(bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    let header = bytes.first_chunk::<HEADER>().ok_or(Errno::EPROTO)?;
    let len = u32_of(&header[..4]).ok_or(Errno::EPROTO)? as usize;
    let body = bytes.get(HEADER..len).ok_or(Errno::EPROTO)?;
    if u16::from_ne_bytes([header[4], header[5]]) != libc::NLMSG_ERROR as u16 {
        return Ok(body.to_vec());
    }
    match body.get(..4).and_then(u32_of).ok_or(Errno::EPROTO)? {
        0 => Ok(Vec::new()),
        errno => Err(Errno::from_raw((errno as i32).wrapping_neg())),
    }
}

/// The value of the attribute `kind` in `bytes`.
pub fn attribute(mut bytes: &[u8], kind: u16) -> Option<&[u8]> {
    while let Some(header) = bytes.first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let value = bytes.get(4..len)?;
        if u16::from_ne_bytes([header[2], header[3]]) == kind {
            return Some(value);
        }
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

/// A number of four bytes.
pub fn u32_of(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_can_be_read() {
        let mut request = Request::new(18, &[7; 4]);
        request.add(3, b"wg0\0\0");
        request.add(46, &5u32.to_ne_bytes());
        let read = body(request.as_bytes()).expect("a message");
        assert_eq!(read.len(), 4 + 12 + 8);
        assert_eq!(attribute(&read[4..], 3), Some(&b"wg0\0\0"[..]));
        assert_eq!(attribute(&read[4..], 46).and_then(u32_of), Some(5));
        assert_eq!(attribute(&read[4..], 1), None);
        for len in 0..request.as_bytes().len() {
            assert_eq!(body(&request.as_bytes()[..len]), Err(Errno::EPROTO));
        }
        assert_eq!(attribute(&[3, 0, 1, 0], 1), None, "shorter than its header");
    }

    #[test]
    fn a_refusal_is_an_error() {
        let answer = |errno: i32| Request::new(libc::NLMSG_ERROR as u16, &errno.to_ne_bytes());
        assert_eq!(body(answer(-libc::EPERM).as_bytes()), Err(Errno::EPERM));
        assert_eq!(body(answer(0).as_bytes()), Ok(Vec::new()));
    }
}
