//! What is wrong in a text, and where it stands.
use std::fmt;
use std::ops::Range;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// There are no settings.
    Error,
    /// It may not be meant.
    Warning,
}

/// Something to be said about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What it is.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(out, "line {}, column {}: {severity}: {}", self.line, self.column, self.text)
    }
}

/// The findings of one text.
pub(super) struct Findings<'t> {
    text: &'t str,
    list: Vec<Finding>,
}

impl<'t> Findings<'t> {
    pub(super) const fn of(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// An error at the bytes `at` of the text.
    pub(super) fn error(&mut self, at: Range<usize>, what: impl fmt::Display) {
        self.add(Severity::Error, at, what);
    }

    /// A warning.
    pub(super) fn warn(&mut self, at: Range<usize>, what: impl fmt::Display) {
        self.add(Severity::Warning, at, what);
    }

    fn add(&mut self, severity: Severity, at: Range<usize>, what: impl fmt::Display) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line_begins = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_begins..).map_or(0, |line| line.chars().count()) + 1;
        self.list.push(Finding { severity, line, column, text: what.to_string() });
    }

    /// The value, or `None` and an error.
    pub(super) fn keep<T, E: fmt::Display>(&mut self, at: Range<usize>, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.error(at, error)).ok()
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All of them, by place.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|finding| (finding.line, finding.column));
        self.list
    }
}
