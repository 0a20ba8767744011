//! What is wrong or odd in a configuration text, and where.
use crate::config::reason::Reason;
use core::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration works, but perhaps not as meant.
    Warning,
    /// There is no configuration.
    Error,
}

/// A section of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Our own side.
    Interface,
    /// One peer.
    Peer,
}

/// One finding. It repeats nothing of the text, so it can be logged and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters; a byte order mark is not counted.
    pub column: u32,
    /// The section the line stands in.
    pub section: Option<Section>,
    /// The key of the line in its usual spelling, if it is a known one.
    pub key: Option<&'static str>,
    /// What it is.
    pub reason: Reason,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interface => "[Interface]",
            Self::Peer => "[Peer]",
        })
    }
}

/// As a compiler prints it, without the file's name: `7:14: error: AllowedIPs in [Peer]: not an IP address`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: ", self.line, self.column, self.severity)?;
        match (self.key, self.section) {
            (Some(key), Some(section)) => write!(f, "{key} in {section}: ")?,
            (Some(key), None) => write!(f, "{key}: ")?,
            (None, Some(section)) => write!(f, "{section}: ")?,
            (None, None) => {}
        }
        self.reason.fmt(f)
    }
}
