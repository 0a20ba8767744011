//! What is wrong or odd in the text of a configuration.
use std::fmt;
use underpass_core::config;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Severity {
    /// The configuration works, but perhaps not as meant.
    Warning,
    /// There is no configuration.
    Error,
}

/// A section of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Section {
    /// Our own side.
    Interface,
    /// One peer.
    Peer,
}

/// One finding in a configuration text. It repeats nothing of the text's values, so it can be logged and shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Record)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The section that the line stands in.
    pub section: Option<Section>,
    /// The key of the line in its usual spelling, if it is a known one.
    pub key: Option<String>,
    /// What it is, in English.
    pub reason: String,
}

impl Diagnostic {
    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl From<config::Diagnostic> for Diagnostic {
    fn from(found: config::Diagnostic) -> Self {
        Self {
            severity: match found.severity {
                config::Severity::Warning => Severity::Warning,
                config::Severity::Error => Severity::Error,
            },
            line: found.line,
            column: found.column,
            section: found.section.map(|section| match section {
                config::Section::Interface => Section::Interface,
                config::Section::Peer => Section::Peer,
            }),
            key: found.key.map(str::to_owned),
            reason: found.reason.to_string(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.reason)
    }
}
