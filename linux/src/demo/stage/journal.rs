//! The output of every program that ran, kept for the moment something fails.
use anyhow::{Context as _, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};

/// Output by program, in the order they were started.
#[derive(Debug, Default)]
pub struct Journal {
    pages: Mutex<Vec<(String, Page)>>,
}

impl Journal {
    /// Keeps what will be written to `page` under `title`.
    pub(super) fn keep(&self, title: String, page: &Page) -> Result<()> {
        let page = Page(page.0.try_clone()?);
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).push((title, page));
        Ok(())
    }
}

impl std::fmt::Display for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (title, page) in self.pages.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let text = page.read();
            if !text.is_empty() {
                writeln!(f, "--- {title}")?;
                writeln!(f, "{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// A file in memory that a program writes and we read while it does.
#[derive(Debug)]
pub(super) struct Page(File);

impl Page {
    /// An empty page.
    pub(super) fn new() -> Result<Self> {
        Ok(Self(File::from(memfd_create(c"output", MFdFlags::MFD_CLOEXEC).context("a file in memory")?)))
    }

    /// A second handle on it, to write to.
    pub(super) fn writer(&self) -> Result<File> {
        Ok(self.0.try_clone()?)
    }

    /// All that was written so far. The writers' position is theirs: reading does not move it.
    pub(super) fn read(&self) -> String {
        let mut bytes = vec![0; self.0.metadata().map_or(0, |data| data.len() as usize)];
        let read = self.0.read_at(&mut bytes, 0).unwrap_or(0);
        bytes.truncate(read);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
