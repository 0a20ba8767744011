//! The chain of hashes, as runs of lines whose numbers follow each other.
use super::super::Hash;
use super::super::line::Read;
use super::{Finding, Findings, Report};
use std::collections::BTreeMap;

/// So many runs are kept. Who tears a log into more is told so without saying how they belong together.
const MOST_RUNS: usize = 100_000;

/// Lines whose numbers follow each other, in the order in which they stand.
#[derive(Debug)]
struct Run {
    first: u64,
    /// The hash of the first line's body, and the hash that it says it has.
    body: Hash,
    says: Hash,
    last: Link,
}

/// The line that the next one is linked to.
#[derive(Clone, Copy, Debug)]
struct Link {
    seq: u64,
    /// The hash that the line says it has.
    says: Hash,
    /// The hash that it should have, where the line before it is known. A line whose stored hash alone was changed is told so by
    /// it: the next line is linked to this one.
    should: Option<Hash>,
}

impl Link {
    /// Whether a line of this body and hash follows.
    fn leads_to(&self, body: Hash, hash: Hash) -> bool {
        self.says.then(body) == hash || self.should.is_some_and(|should| should.then(body) == hash)
    }
}

/// What is known of the lines so far.
pub(super) struct Chain {
    checkpoints: BTreeMap<u64, Hash>,
    runs: Vec<Run>,
    report: Report,
    /// The lowest line that a checkpoint disagrees with, and the highest below it that one agrees with.
    disagrees: Option<u64>,
    agreed: Vec<u64>,
}

impl Chain {
    /// Will hold lines against the hashes of `checkpoints`.
    pub(super) fn new(checkpoints: BTreeMap<u64, Hash>) -> Self {
        Self { checkpoints, runs: Vec::new(), report: Report::default(), disagrees: None, agreed: Vec::new() }
    }

    /// Takes the next line. `false`: it is none.
    pub(super) fn take(&mut self, line: &[u8], found: &mut Findings) -> bool {
        let Some(read) = Read::of(line) else { return false };
        let report = &mut self.report;
        report.first = if report.lines == 0 { read.seq } else { report.first.min(read.seq) };
        report.last = report.last.max(read.seq);
        report.lines += 1;
        self.compare(&read);
        let is_full = self.runs.len() >= MOST_RUNS;
        match self.runs.last_mut() {
            Some(run) if run.last.seq.checked_add(1) == Some(read.seq) => run.go_on(&read, found),
            _ if !is_full => self.runs.push(Run::of(&read, found)),
            _ => found.add(Finding::Reordered { seq: read.seq }),
        }
        true
    }

    /// Holds a line against the checkpoint of its number.
    fn compare(&mut self, read: &Read) {
        match self.checkpoints.get(&read.seq) {
            Some(hash) if *hash == read.hash => self.agreed.push(read.seq),
            Some(_) => self.disagrees = Some(self.disagrees.map_or(read.seq, |lowest| lowest.min(read.seq))),
            None => {}
        }
    }

    /// Says what was done to the log as a whole.
    pub(super) fn end(mut self, found: &mut Findings) -> Report {
        self.hold_together(found);
        if self.report.lines > 0 && self.report.first > 1 {
            found.add(Finding::HeadMissing { first: self.report.first });
        }
        let was = self.checkpoints.keys().next_back().copied().unwrap_or_default();
        if was > self.report.last {
            found.add(Finding::Cut { last: self.report.last, was });
        }
        if let Some(seq) = self.disagrees {
            let after = self.agreed.iter().copied().filter(|agreed| *agreed < seq).max().unwrap_or_default();
            found.add(Finding::Rewritten { after, seq });
            self.agreed.retain(|agreed| *agreed < seq);
        }
        self.report.covered = self.agreed.iter().copied().max().unwrap_or_default();
        self.report
    }

    /// Holds the runs against each other: in their order in the files, and in that of their numbers.
    fn hold_together(&mut self, found: &mut Findings) {
        let mut highest = 0;
        let mut late = Vec::new();
        for run in &self.runs {
            if run.first < highest {
                late.push(run.first);
            }
            highest = highest.max(run.last.seq);
        }
        self.runs.sort_by_key(|run| run.first);
        let mut reach: Option<&Run> = None;
        for run in &self.runs {
            if let Some(before) = reach {
                before.join(run, found);
            }
            if reach.is_none_or(|before| before.last.seq <= run.last.seq) {
                reach = Some(run);
            }
        }
        // What is there twice is no line in a wrong place.
        late.retain(|seq| !found.list.contains(&Finding::Repeated { seq: *seq }));
        late.into_iter().for_each(|seq| found.add(Finding::Reordered { seq }));
    }
}

impl Run {
    fn of(read: &Read, found: &mut Findings) -> Self {
        // Only the very first line is linked to something known.
        let should = (read.seq == 1).then(|| Hash::ZERO.then(read.body));
        if should.is_some_and(|should| should != read.hash) {
            found.add(Finding::Changed { seq: 1 });
        }
        let last = Link { seq: read.seq, says: read.hash, should };
        Self { first: read.seq, body: read.body, says: read.hash, last }
    }

    fn go_on(&mut self, read: &Read, found: &mut Findings) {
        if !self.last.leads_to(read.body, read.hash) {
            found.add(Finding::Changed { seq: read.seq });
        }
        let should = Some(self.last.says.then(read.body));
        self.last = Link { seq: read.seq, says: read.hash, should };
    }

    /// Holds the run before against this one's beginning.
    fn join(&self, after: &Self, found: &mut Findings) {
        let next = self.last.seq.saturating_add(1);
        if after.first > next {
            found.add(Finding::Removed { first: next, last: after.first - 1 });
        } else if after.first < next {
            found.add(Finding::Repeated { seq: after.first });
        } else if !self.last.leads_to(after.body, after.says) {
            found.add(Finding::Changed { seq: after.first });
        }
    }
}
