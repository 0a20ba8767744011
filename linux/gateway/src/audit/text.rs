//! Texts in lines that strangers may have written.
use serde::{Serialize, Serializer};
use std::fmt::{self, Write as _};

/// The longest text in characters; of longer ones, the beginning is kept.
pub const LONGEST: usize = 80;

/// A text from outside: cut to [`LONGEST_TEXT`](super::LONGEST_TEXT) characters. Control characters, line separators and what turns the direction of
/// writing are written as `\u{..}`, a backslash as `\\`, so that no text looks like another line, whatever shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Takes a text from outside.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut shown = String::new();
        for c in text.chars().take(LONGEST) {
            if c == '\\' {
                shown.push_str("\\\\");
            } else if is_odd(c) {
                // Writing to a string does not fail.
                let _ = write!(shown, "{}", c.escape_unicode());
            } else {
                shown.push(c);
            }
        }
        if text.chars().nth(LONGEST).is_some() {
            shown.push('\u{2026}');
        }
        Self(shown)
    }
}

/// Characters that are not seen, or that move others.
fn is_odd(c: char) -> bool {
    let invisible = ['\u{ad}', '\u{61c}', '\u{feff}'];
    let ranges = ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{fff9}'..='\u{fffb}'];
    c.is_control() || invisible.contains(&c) || ranges.iter().any(|range| range.contains(&c))
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<&crate::Name> for Text {
    fn from(name: &crate::Name) -> Self {
        Self(name.to_string())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_write_stays_on_its_line() {
        let long = "x".repeat(LONGEST + 1);
        for (text, want) in [
            ("alice", "alice"),
            ("J\u{fc}rgen \u{5c71}", "J\u{fc}rgen \u{5c71}"),
            ("a\nb\r\0", "a\\u{a}b\\u{d}\\u{0}"),
            ("\u{1b}[2J\u{9b}1m", "\\u{1b}[2J\\u{9b}1m"),
            ("a\u{2028}b\u{202e}c\u{feff}", "a\\u{2028}b\\u{202e}c\\u{feff}"),
            ("\\u{a}", "\\\\u{a}"),
            (&long, &format!("{}\u{2026}", "x".repeat(LONGEST))),
        ] {
            assert_eq!(Text::new(text).to_string(), want, "{text:?}");
        }
    }
}
