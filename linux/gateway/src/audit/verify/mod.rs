//! Finds what was done to a log since it was written.
//!
//! The lines are read once, in the order of their files. As long as each has the number after the one before, only the hash of
//! the last is remembered; where that ends, another *run* begins (`chain`). Whatever the length of the log, what is kept grows only
//! with what was done to it, up to a bound.
mod chain;
pub(super) mod lines;

use super::AuditError;
use super::checkpoint::{Checkpoint, PublicKey};
use super::places::files;
use chain::Chain;
use lines::Lines;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// So many findings are told; the rest is counted.
pub const MOST_FINDINGS: usize = 1000;

/// What was done to a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// Lines before this one are not there. That is so, too, when old files were put away.
    HeadMissing {
        /// The first that is there.
        first: u64,
    },
    /// A line was changed.
    Changed {
        /// Its number.
        seq: u64,
    },
    /// Lines are missing.
    Removed {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// A line stands before one with a lower number.
    Reordered {
        /// The line that comes too late.
        seq: u64,
    },
    /// A line is there twice, or another has taken its number.
    Repeated {
        /// Its number.
        seq: u64,
    },
    /// What should be a line is none.
    NoLine {
        /// In which file.
        file: String,
        /// The how manieth line there.
        line: u64,
    },
    /// The last line of a file has no end. The program may have been killed there; it mends that when it starts.
    Torn {
        /// In which file.
        file: String,
    },
    /// The log ended later once: a checkpoint knows of lines that are not there.
    Cut {
        /// The last line that is there.
        last: u64,
        /// The last line that was there.
        was: u64,
    },
    /// The log is in itself consistent, and not what was signed for: it was written anew.
    Rewritten {
        /// The last line that is certainly a true one; 0: none is.
        after: u64,
        /// The line whose checkpoint says otherwise.
        seq: u64,
    },
    /// A line of the second place is no checkpoint, or not signed by this key.
    NoCheckpoint {
        /// The how manieth line there.
        line: u64,
    },
    /// Checkpoints are missing, or out of order.
    CheckpointsMissing {
        /// After this one.
        after: u64,
    },
    /// There is more that is not told.
    More {
        /// How many findings.
        count: u64,
    },
}

/// What verifying found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many lines were read.
    pub lines: u64,
    /// The lowest number of a line.
    pub first: u64,
    /// The highest number of a line.
    pub last: u64,
    /// How many good checkpoints were read.
    pub checkpoints: u64,
    /// The last line that a good checkpoint agrees with. Of later ones, `Cut` and `Rewritten` are not found.
    pub covered: u64,
    /// What was done to the log; nothing, if it is as it was written.
    pub findings: Vec<Finding>,
}

/// The second place and the key that it is signed with.
#[derive(Clone, Copy, Debug)]
pub struct Second<'a> {
    /// The file of checkpoints.
    pub path: &'a Path,
    /// The key. It must not come from where the log is.
    pub key: &'a PublicKey,
}

/// Verifies the log in `folder`, alone or with its checkpoints.
///
/// # Errors
/// [`AuditError::Disk`]: it cannot be read.
pub fn verify(folder: &Path, second: Option<Second<'_>>) -> Result<Report, AuditError> {
    let mut found = Findings::default();
    let checkpoints = second.map(|second| read_checkpoints(&second, &mut found)).transpose()?.unwrap_or_default();
    let mut chain = Chain::new(checkpoints.seqs);
    for (_, path) in files(folder)? {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut lines = Lines::open(&path, super::line::LONGEST)?;
        while let Some(line) = lines.next()? {
            match line {
                lines::Line::Whole(bytes) if chain.take(bytes, &mut found) => {}
                lines::Line::Unfinished => found.add(Finding::Torn { file: file.clone() }),
                _ => found.add(Finding::NoLine { file: file.clone(), line: lines.number }),
            }
        }
    }
    let mut report = chain.end(&mut found);
    report.checkpoints = checkpoints.count;
    report.findings = found.sorted();
    Ok(report)
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings {
    list: Vec<Finding>,
    more: u64,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        if self.list.len() < MOST_FINDINGS { self.list.push(finding) } else { self.more += 1 }
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.list.sort();
        self.list.dedup();
        let more = (self.more > 0).then_some(Finding::More { count: self.more });
        self.list.into_iter().chain(more).collect()
    }
}

/// What the second place says.
#[derive(Default)]
struct Checkpoints {
    count: u64,
    /// The hashes of lines by their numbers.
    seqs: BTreeMap<u64, super::Hash>,
}

fn read_checkpoints(second: &Second<'_>, found: &mut Findings) -> Result<Checkpoints, AuditError> {
    let mut checkpoints = Checkpoints::default();
    let mut lines = Lines::open(second.path, super::checkpoint::LONGEST)?;
    let mut before = 0;
    while let Some(line) = lines.next()? {
        let read = match line {
            lines::Line::Whole(bytes) => Checkpoint::read(bytes, second.key),
            lines::Line::TooLong | lines::Line::Unfinished => None,
        };
        let Some(checkpoint) = read else {
            found.add(Finding::NoCheckpoint { line: lines.number });
            continue;
        };
        if checkpoint.number != before + 1 {
            found.add(Finding::CheckpointsMissing { after: before });
        }
        before = checkpoint.number;
        checkpoints.count += 1;
        checkpoints.seqs.insert(checkpoint.seq, checkpoint.hash());
    }
    Ok(checkpoints)
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadMissing { first } => write!(out, "lines 1 to {} are not there", first.saturating_sub(1)),
            Self::Changed { seq } => write!(out, "line {seq} was changed"),
            Self::Removed { first, last } if first == last => write!(out, "line {first} was removed"),
            Self::Removed { first, last } => write!(out, "lines {first} to {last} were removed"),
            Self::Reordered { seq } => write!(out, "line {seq} is not in its place"),
            Self::Repeated { seq } => write!(out, "line {seq} is there more than once"),
            Self::NoLine { file, line } => write!(out, "{file}:{line} is no line of an audit log"),
            Self::Torn { file } => write!(out, "{file} ends in the middle of a line"),
            Self::Cut { last, was } => write!(out, "the log was cut: it ends with line {last} and once had line {was}"),
            Self::Rewritten { after: 0, seq } => {
                write!(out, "the log was rewritten: line {seq} is not the one that was signed for")
            }
            Self::Rewritten { after, seq } => {
                write!(out, "the log was rewritten after line {after}: line {seq} is not the one that was signed for")
            }
            Self::NoCheckpoint { line } => write!(out, "line {line} of the second place is no checkpoint of this key"),
            Self::CheckpointsMissing { after } => write!(out, "checkpoints after number {after} are missing"),
            Self::More { count } => write!(out, "and {count} more"),
        }
    }
}
