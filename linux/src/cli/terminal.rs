//! Colour, where it is wanted.
use std::fmt::{self, Display};
use std::io::IsTerminal;

/// Whether text is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

/// A way to make text stand out, as the parameters of an SGR sequence (ECMA-48 § 8.3.117).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bold.
    Bold,
    /// Bold red.
    Error,
    /// Bold yellow.
    Warning,
    /// Cyan.
    Unit,
    /// Green.
    Interface,
    /// Yellow.
    Peer,
    /// Bold green.
    InterfaceLabel,
    /// Bold yellow.
    PeerLabel,
    /// Red.
    Alarm,
}

impl Style {
    const fn parameters(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Error => "1;31",
            Self::Warning | Self::PeerLabel => "1;33",
            Self::Unit => "36",
            Self::Interface => "32",
            Self::Peer => "33",
            Self::InterfaceLabel => "1;32",
            Self::Alarm => "31",
        }
    }
}

impl Paint {
    /// No colour.
    pub const PLAIN: Self = Self(false);
    /// Colour.
    pub const COLOURED: Self = Self(true);

    /// Colour if `stream` is a terminal that can show it and the environment does not object (NO_COLOR,
    /// WG_COLOR_MODE, TERM).
    #[must_use]
    pub fn on(stream: &impl IsTerminal) -> Self {
        Self::decide(stream.is_terminal(), |name| std::env::var(name).ok())
    }

    fn decide(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        match variable("WG_COLOR_MODE").as_deref() {
            Some("always") => Self::COLOURED,
            Some("never") => Self::PLAIN,
            _ => Self(
                terminal
                    && variable("NO_COLOR").is_none_or(|value| value.is_empty())
                    && variable("TERM").is_none_or(|term| term != "dumb"),
            ),
        }
    }

    /// `text` in `style`.
    pub fn paint<T: Display>(self, style: Style, text: T) -> Painted<T> {
        Painted { paint: self, style, text }
    }
}

/// Text in a style.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    paint: Paint,
    style: Style,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.paint == Paint::PLAIN {
            return self.text.fmt(f);
        }
        write!(f, "\x1b[{}m", self.style.parameters())?;
        self.text.fmt(f)?;
        f.write_str("\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_whose_owner_wants_it() {
        type Case = (u32, bool, &'static [(&'static str, &'static str)], bool);
        let table: &[Case] = &[
            (1, true, &[], true),
            (2, false, &[], false),
            (3, true, &[("NO_COLOR", "1")], false),
            (4, true, &[("NO_COLOR", "")], true),
            (5, true, &[("TERM", "dumb")], false),
            (6, true, &[("WG_COLOR_MODE", "never")], false),
            (7, false, &[("WG_COLOR_MODE", "always"), ("NO_COLOR", "1")], true),
            (8, false, &[("WG_COLOR_MODE", "auto")], false),
        ];
        for (number, terminal, variables, expected) in table {
            let variable =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Paint::decide(*terminal, variable), Paint(*expected), "case {number}");
        }
    }

    #[test]
    fn plain_text_is_untouched() {
        assert_eq!(Paint::PLAIN.paint(Style::Error, "x").to_string(), "x");
        assert_eq!(Paint::COLOURED.paint(Style::Error, 7).to_string(), "\x1b[1;31m7\x1b[0m");
    }
}
