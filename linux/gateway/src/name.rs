//! Names of users, groups, devices, pools and gateways.
use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes.
pub const LONGEST: usize = 64;

/// A checked name: 1 to 64 ASCII letters, digits and `.` `_` `-` `@` `+`, the first a letter or a digit.
///
/// Capital letters become small ones, so that `Alice` and `alice` are one user. There is no room for line breaks, control
/// characters, or letters that look like others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no name. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// It is empty.
    #[error("a name has at least one character")]
    Empty,
    /// It is too long.
    #[error("a name has at most {LONGEST} bytes")]
    TooLong,
    /// The first character is no letter and no digit.
    #[error("a name begins with a letter or a digit")]
    Beginning,
    /// A character that names do not have, counted from 1.
    #[error("character {0} is none of a-z, 0-9, '.', '_', '-', '@', '+'")]
    Character(usize),
}

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let first = text.chars().next().ok_or(BadName::Empty)?;
        if text.len() > LONGEST {
            return Err(BadName::TooLong);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
        if let Some(at) = text.chars().position(|c| !allowed(c)) {
            return Err(BadName::Character(at + 1));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(BadName::Beginning);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_name_and_what_is_not() {
        let longest = "a".repeat(LONGEST);
        let too_long = "a".repeat(LONGEST + 1);
        for (text, want) in [
            ("alice", Ok("alice")),
            ("Alice.B+vpn@Example.org", Ok("alice.b+vpn@example.org")),
            ("0", Ok("0")),
            (&longest, Ok(longest.as_str())),
            ("", Err(BadName::Empty)),
            (&too_long, Err(BadName::TooLong)),
            ("-rf", Err(BadName::Beginning)),
            (".hidden", Err(BadName::Beginning)),
            ("a b", Err(BadName::Character(2))),
            ("a\nb", Err(BadName::Character(2))),
            ("a\0", Err(BadName::Character(2))),
            ("al\u{456}ce", Err(BadName::Character(3))),
            ("a\u{202e}", Err(BadName::Character(2))),
        ] {
            let name = text.parse::<Name>();
            assert_eq!(name.as_ref().map(Name::as_str), want.as_ref().map(|name| *name), "{text:?}");
        }
    }
}
