//! Looks lines up: for people to read, and as they are for others to keep.
use super::AuditError;
use super::line::LONGEST;
use super::places::files;
use super::verify::lines::{Line, Lines};
use serde_json::Value;
use std::path::Path;

/// Which lines are wanted; each condition that is there must hold.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// From this line on.
    pub from: Option<u64>,
    /// From this time on, in the form of RFC 3339 that lines have.
    pub since: Option<String>,
    /// Up to this time.
    pub until: Option<String>,
    /// Of this kind (`user.added`), or of the kinds that begin so (`user`).
    pub event: Option<String>,
    /// About this user, or done by this one.
    pub user: Option<String>,
}

impl Query {
    /// Whether a line is wanted.
    #[must_use]
    pub fn wants(&self, line: &Value) -> bool {
        let text = |field: &str| line.get(field).and_then(Value::as_str).unwrap_or_default();
        let seq = line.get("seq").and_then(Value::as_u64).unwrap_or_default();
        let is_kind = |wanted: &String| {
            text("event").strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_about = |wanted: &String| ["user", "claimed", "actor"].iter().any(|field| text(field) == wanted);
        self.from.is_none_or(|from| seq >= from)
            && self.since.as_ref().is_none_or(|since| text("time") >= since.as_str())
            && self.until.as_ref().is_none_or(|until| text("time") <= until.as_str())
            && self.event.as_ref().is_none_or(is_kind)
            && self.user.as_ref().is_none_or(is_about)
    }
}

/// Gives each wanted line of the log in `folder`, as it stands there and as what it says, until `each` says `false`. What is no line
/// is passed over; `verify` tells of it.
///
/// # Errors
/// [`AuditError::Disk`]: it cannot be read.
pub fn look_up(folder: &Path, query: &Query, mut each: impl FnMut(&str, &Value) -> bool) -> Result<(), AuditError> {
    for (_, path) in files(folder)? {
        let mut lines = Lines::open(&path, LONGEST)?;
        while let Some(line) = lines.next()? {
            let Line::Whole(bytes) = line else { continue };
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            let Ok(value) = serde_json::from_str(text) else { continue };
            if query.wants(&value) && !each(text, &value) {
                return Ok(());
            }
        }
    }
    Ok(())
}
