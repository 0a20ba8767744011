//! Writing.
use super::{ARRAY, BYTES, FALSE, MAP, MUST, TEXT, TRUE, UINT};

/// Writes items one after the other into memory of a fixed length. What does not fit is only counted, so that writing into
/// nothing tells how long a body is.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut [u8],
    len: usize,
}

impl<'o> Writer<'o> {
    /// A writer at the first byte of `out`.
    pub const fn new(out: &'o mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Bytes that all items take, whether they fit or not.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// A number.
    pub fn uint(&mut self, number: impl Into<u64>) {
        self.head(UINT, number.into());
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, bytes.len() as u64);
        self.put(bytes);
    }

    /// A byte string of `len` zeros.
    pub fn zeros(&mut self, len: usize) {
        self.head(BYTES, len as u64);
        let end = self.len.saturating_add(len);
        if let Some(room) = self.out.get_mut(self.len..end) {
            room.fill(0);
        }
        self.len = end;
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.put(text.as_bytes());
    }

    /// `false` or `true`.
    pub fn bool(&mut self, truth: bool) {
        self.put(&[if truth { TRUE } else { FALSE }]);
    }

    /// The items of `list`, each written by `item`.
    pub fn array<T>(&mut self, list: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.head(ARRAY, list.len() as u64);
        list.iter().for_each(|one| item(self, one));
    }

    /// An array of two items.
    pub fn pair(&mut self, first: impl FnOnce(&mut Self), second: impl FnOnce(&mut Self)) {
        self.head(ARRAY, 2);
        first(self);
        second(self);
    }

    /// A map of at most 23 keys, which `entries` writes in rising order.
    pub fn map(&mut self, entries: impl FnOnce(&mut MapWriter<'_, 'o>)) {
        let head = self.len;
        self.put(&[0]);
        let mut map = MapWriter { writer: self, count: 0, last: MUST };
        entries(&mut map);
        let count = map.count;
        debug_assert!(count <= 23, "the head of the map has one byte");
        if let Some(byte) = self.out.get_mut(head) {
            *byte = MAP << 5 | count;
        }
    }

    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let [.., b3, b2, b1, b0] = argument.to_be_bytes();
        match argument {
            0..=23 => self.put(&[major | b0]),
            24..=0xff => self.put(&[major | 24, b0]),
            0x100..=0xffff => self.put(&[major | 25, b1, b0]),
            0x1_0000..=0xffff_ffff => self.put(&[major | 26, b3, b2, b1, b0]),
            _ => {
                self.put(&[major | 27]);
                self.put(&argument.to_be_bytes());
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.out.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }
}

/// Writes the entries of a map.
#[derive(Debug)]
pub struct MapWriter<'w, 'o> {
    writer: &'w mut Writer<'o>,
    count: u8,
    last: u8,
}

impl<'o> MapWriter<'_, 'o> {
    /// Writes `key`; the value is written next, by what this returns.
    pub fn key(&mut self, key: u8) -> &mut Writer<'o> {
        debug_assert!(key > self.last, "keys rise");
        self.last = key;
        self.count = self.count.saturating_add(1);
        self.writer.uint(key);
        self.writer
    }

    /// Writes `key` and a value, if there is one.
    pub fn optional<T>(&mut self, key: u8, value: Option<T>, write: impl FnOnce(&mut Writer<'o>, T)) {
        if let Some(value) = value {
            write(self.key(key), value);
        }
    }
}
