//! Making messages.
use super::{Code, HEADER_LEN, Kind, MAX_TOKEN, PAYLOAD_MARKER, Token, VERSION};
use crate::control::wiped::Wiped;
use crate::memory::NoMemory;

/// Bytes that all options of a message of ours take at most.
const OPTIONS_LEN: usize = 96;

/// A message in the making. Its memory is taken at once and is wiped with it.
#[derive(Debug)]
pub struct Builder {
    out: Wiped,
    number: u16,
    is_whole: bool,
}

impl Builder {
    /// Begins a message with a payload of `payload_len` bytes at most.
    pub fn new(kind: Kind, code: Code, id: u16, token: &Token, payload_len: usize) -> Result<Self, NoMemory> {
        let head = HEADER_LEN.saturating_add(MAX_TOKEN).saturating_add(OPTIONS_LEN).saturating_add(1);
        let out = Wiped::with_room(head.saturating_add(payload_len))?;
        let mut builder = Self { out, number: 0, is_whole: true };
        let [high, low] = id.to_be_bytes();
        let token = token.as_bytes();
        builder.put(&[VERSION << 6 | kind.bits() << 4 | token.len() as u8, code.as_byte(), high, low]);
        builder.put(token);
        Ok(builder)
    }

    /// A message of a header alone: an empty acknowledgement, or a Reset.
    pub fn empty(kind: Kind, id: u16) -> Result<Wiped, NoMemory> {
        let [high, low] = id.to_be_bytes();
        Wiped::copy(&[VERSION << 6 | kind.bits() << 4, Code::EMPTY.as_byte(), high, low])
    }

    /// Adds an option. Their numbers rise.
    pub fn option(&mut self, number: u16, value: &[u8]) {
        debug_assert!(number >= self.number, "options stand in order");
        let delta = number.saturating_sub(self.number);
        self.number = number;
        let (delta, delta_bytes) = shortened(delta.into());
        let (len, len_bytes) = shortened(value.len());
        self.put(&[delta << 4 | len]);
        self.put_extension(delta, delta_bytes);
        self.put_extension(len, len_bytes);
        self.put(value);
    }

    /// Adds an option whose value is a number.
    pub fn uint(&mut self, number: u16, value: u32) {
        let bytes = value.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        self.option(number, bytes.get(zeros..).unwrap_or_default());
    }

    /// Adds the payload and ends the message.
    pub fn finish(mut self, payload: &[u8]) -> Result<Wiped, NoMemory> {
        if !payload.is_empty() {
            self.put(&[PAYLOAD_MARKER]);
            self.put(payload);
        }
        if self.is_whole { Ok(self.out) } else { Err(NoMemory) }
    }

    fn put_extension(&mut self, bits: u8, [high, low]: [u8; 2]) {
        match bits {
            13 => self.put(&[low]),
            14 => self.put(&[high, low]),
            _ => {}
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.is_whole &= self.out.append(bytes);
    }
}

/// The four bits that stand for a delta or a length, and the bytes that may extend them.
fn shortened(number: usize) -> (u8, [u8; 2]) {
    match number {
        0..=12 => (number as u8, [0; 2]),
        13..=268 => (13, [0, number.saturating_sub(13) as u8]),
        _ => (14, (number.saturating_sub(269) as u16).to_be_bytes()),
    }
}
