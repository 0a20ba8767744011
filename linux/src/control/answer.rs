//! Text with keys in it, that grows without leaving copies behind.
use std::fmt;
use zeroize::Zeroizing;

/// The least memory to take at once.
const CHUNK: usize = 4096;

/// An answer to a client: wiped when dropped, and whenever it moves to larger memory.
#[derive(Default)]
pub(super) struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// The text so far.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Write for Answer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let needed = self.0.len() + text.len();
        if needed > self.0.capacity() {
            let mut wider = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity()).max(CHUNK)));
            wider.extend_from_slice(&self.0);
            self.0 = wider;
        }
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Only its length: keys are in it.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes)", self.0.len())
    }
}
