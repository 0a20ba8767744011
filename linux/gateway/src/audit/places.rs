//! Where lines are kept: a folder of files `audit-NUMBER.jsonl`, named by the number of their first line; and how a file ends.
use super::AuditError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How much is read at once when the end of a file is looked for.
const PIECE: u64 = 64 * 1024;
/// Digits of the number in a name, so that names are in order.
const DIGITS: usize = 12;

/// Where the file that begins with line `first` is.
pub(super) fn path_of(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("audit-{first:0DIGITS$}.jsonl"))
}

/// Makes the folder, for its owner alone, if it is not there.
pub(super) fn make(folder: &Path) -> Result<(), AuditError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(AuditError::disk(folder))
}

/// The files of a folder by the numbers of their first lines, in order.
pub(super) fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, AuditError> {
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(AuditError::disk(folder))? {
        let path = entry.map_err(AuditError::disk(folder))?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_prefix("audit-")?.strip_suffix(".jsonl"));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Opens a file to append to, or makes it, readable by its owner alone.
pub(super) fn append_to(path: &Path) -> Result<File, AuditError> {
    let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    opened.map_err(AuditError::disk(path))
}

/// Makes what was created in the folder of `path` outlast a loss of power.
pub(super) fn sync_folder(path: &Path) -> Result<(), AuditError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(AuditError::disk(folder))
}

/// How a file ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last whole line without its line break; `None`: there is none.
    pub(super) last: Option<Vec<u8>>,
    /// Bytes up to and with the last line break.
    pub(super) end: u64,
    /// Bytes behind it: a line that was begun and not finished.
    pub(super) torn: u64,
}

/// Reads how a file ends, whose lines have at most `longest` bytes, their line breaks included.
pub(super) fn tail(file: &File, path: &Path, longest: usize) -> Result<Tail, AuditError> {
    let length = file.metadata().map_err(AuditError::disk(path))?.len();
    let end = break_before(file, length).map_err(AuditError::disk(path))?;
    let torn = length - end;
    if end == 0 {
        return Ok(Tail { last: None, end, torn });
    }
    let begin = end.saturating_sub(longest as u64 + 1);
    let window = piece(file, begin, end - 1).map_err(AuditError::disk(path))?;
    let line = match window.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => window.get(at + 1..).unwrap_or_default().to_vec(),
        None if begin == 0 => window,
        None => return Err(AuditError::Broken(path.to_owned())),
    };
    Ok(Tail { last: Some(line), end, torn })
}

/// The place behind the last line break before `end`; 0 when there is none.
fn break_before(file: &File, mut end: u64) -> io::Result<u64> {
    while end > 0 {
        let begin = end.saturating_sub(PIECE);
        if let Some(at) = piece(file, begin, end)?.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

fn piece(file: &File, begin: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, begin)?;
    Ok(bytes)
}

/// Reads a small file that only its owner may read.
pub(super) fn read_private(path: &Path, most: u64) -> Result<String, AuditError> {
    use std::os::unix::fs::MetadataExt as _;
    let file = File::open(path).map_err(AuditError::disk(path))?;
    if file.metadata().map_err(AuditError::disk(path))?.mode() & 0o077 != 0 {
        return Err(AuditError::Key { path: path.to_owned(), reason: "others than its owner have access to the key" });
    }
    let mut text = String::new();
    file.take(most).read_to_string(&mut text).map_err(AuditError::disk(path))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_file_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let (zeros, long) = ("\0".repeat(200_000), "x".repeat(99));
        for (text, last, torn) in [
            ("", None, 0),
            ("torn", None, 4),
            ("one\n", Some("one"), 0),
            ("one\ntwo\n", Some("two"), 0),
            ("one\ntwo\nthr", Some("two"), 3),
            ("\n", Some(""), 0),
            (&format!("one\n{zeros}"), Some("one"), 200_000),
            (&format!("{long}\n"), Some(long.as_str()), 0),
            (&format!("a\n{long}\n"), Some(long.as_str()), 0),
        ] {
            fs::write(&path, text).expect("a file");
            let found = tail(&File::open(&path).expect("it is there"), &path, 100).expect("an end");
            let want = Tail { last: last.map(|line| line.as_bytes().to_vec()), end: text.len() as u64 - torn, torn };
            assert_eq!(found, want, "{} bytes", text.len());
        }
        fs::write(&path, format!("a\n{long}x\n")).expect("a file");
        let too_long = tail(&File::open(&path).expect("it is there"), &path, 100).expect_err("no line is so long");
        assert!(matches!(too_long, AuditError::Broken(_)), "{too_long}");
    }
}
