//! Reads lines of bounded length.
use super::super::AuditError;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// The lines of a file.
pub(in crate::audit) struct Lines {
    file: BufReader<File>,
    path: PathBuf,
    longest: usize,
    bytes: Vec<u8>,
    /// The number of the last line that was read, from 1.
    pub(in crate::audit) number: u64,
}

/// What was read.
pub(in crate::audit) enum Line<'a> {
    /// A line without its line break.
    Whole(&'a [u8]),
    /// More bytes than a line can have; they were passed over.
    TooLong,
    /// Bytes without a line break, at the end of the file.
    Unfinished,
}

impl Lines {
    pub(in crate::audit) fn open(path: &Path, longest: usize) -> Result<Self, AuditError> {
        let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(AuditError::disk(path))?);
        Ok(Self { file, path: path.to_owned(), longest, bytes: Vec::new(), number: 0 })
    }

    /// The next line; `None` at the end.
    pub(in crate::audit) fn next(&mut self) -> Result<Option<Line<'_>>, AuditError> {
        self.bytes.clear();
        let (mut any, mut fits) = (false, true);
        loop {
            let read = self.file.fill_buf().map_err(AuditError::disk(&self.path))?;
            if read.is_empty() {
                self.number += u64::from(any);
                return Ok(any.then_some(Line::Unfinished));
            }
            any = true;
            let found = read.iter().position(|byte| *byte == b'\n');
            let piece = read.get(..found.unwrap_or(read.len())).unwrap_or_default();
            fits &= self.bytes.len() + piece.len() < self.longest;
            if fits {
                self.bytes.extend_from_slice(piece);
            }
            let used = piece.len() + usize::from(found.is_some());
            self.file.consume(used);
            if found.is_some() {
                self.number += 1;
                return Ok(Some(if fits { Line::Whole(&self.bytes) } else { Line::TooLong }));
            }
        }
    }
}
