//! Cuts a text into lines, and lines into spans that know where they stand.
use crate::config::reason::Reason;
use crate::memory::NoMemory;
use alloc::string::String;
use zeroize::Zeroizing;

/// A place in the text: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A piece of a line without white space around it.
#[derive(Clone, Copy)]
pub(super) struct Span<'t> {
    pub(super) text: &'t str,
    pub(super) at: Position,
}

/// What a line says.
pub(super) enum Line<'t> {
    /// `[name]`, the name without its brackets.
    Section(Span<'t>),
    /// `key = value`.
    Entry {
        key: Span<'t>,
        /// The value up to a comment.
        value: Span<'t>,
        /// The value with the comment, for commands: a shell has its own idea of `#`.
        whole: Span<'t>,
    },
    /// Neither.
    Malformed(Position, Reason),
}

/// The lines of `text` that say something. A byte order mark, comments and carriage returns are taken off.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n').zip(1..=u32::MAX).filter_map(|(line, number)| cut(line, number))
}

fn cut(line: &str, number: u32) -> Option<Line<'_>> {
    let body = before(line, '#');
    let all = Span::trimmed(body, Position { line: number, column: 1 });
    if all.text.is_empty() {
        return None;
    }
    if let Some(rest) = all.text.strip_prefix('[') {
        return Some(match rest.strip_suffix(']') {
            Some(name) if !name.contains(']') => Line::Section(Span { text: name, at: all.at }),
            _ => Line::Malformed(all.at, Reason::MalformedSection),
        });
    }
    let Some((key, value)) = parted(body, '=') else {
        return Some(Line::Malformed(all.at, Reason::MissingEquals));
    };
    let after = Position { line: number, column: count(key).saturating_add(2) };
    let whole = parted(line, '=').map_or("", |(_, whole)| whole);
    Some(Line::Entry {
        key: Span::trimmed(key, all.at.first_column()),
        value: Span::trimmed(value, after),
        whole: Span::trimmed(whole, after),
    })
}

fn before(line: &str, mark: char) -> &str {
    parted(line, mark).map_or(line, |(body, _)| body)
}

/// What is before the first `mark`, and what is behind it. It stands here once for all who cut a text.
#[inline(never)]
pub(super) fn parted(text: &str, mark: char) -> Option<(&str, &str)> {
    text.split_once(mark)
}

fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

impl Position {
    const fn first_column(self) -> Self {
        Self { line: self.line, column: 1 }
    }
}

impl<'t> Span<'t> {
    /// `text`, which begins at `at`, without the white space around it. Nothing but white space stays at its beginning.
    fn trimmed(text: &'t str, at: Position) -> Self {
        let start = text.trim_start();
        let skipped = if start.is_empty() { 0 } else { count(text).saturating_sub(count(start)) };
        Self { text: start.trim_end(), at: Position { line: at.line, column: at.column.saturating_add(skipped) } }
    }

    /// The pieces between the characters that `separates`; some may be empty.
    pub(super) fn split(self, separates: fn(char) -> bool) -> impl Iterator<Item = Span<'t>> {
        let mut at = self.at;
        self.text.split(separates).map(move |piece| {
            let span = Self::trimmed(piece, at);
            at.column = at.column.saturating_add(count(piece)).saturating_add(1);
            span
        })
    }

    /// The text without any white space, as `wg` reads it. Wiped when dropped: it may be a key.
    pub(super) fn squeezed(self) -> Result<Zeroizing<String>, NoMemory> {
        let mut text = Zeroizing::new(String::new());
        text.try_reserve_exact(self.text.len())?;
        text.extend(self.text.chars().filter(|c| !c.is_whitespace()));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::vec::Vec;

    #[test]
    fn lines_are_cut() {
        #[rustfmt::skip]
        let rows = [
            ("", ""), (" \t\r", ""), ("# [Peer]", ""), ("  # a = b", ""),
            ("[Peer]", "S1 Peer"), ("\u{feff}[Peer]", "S1 Peer"), ("  [ Peer ]\r", "S3  Peer "),
            ("[Peer] # x", "S1 Peer"), ("[Peer", "M1"), ("[Peer] x", "M1"), ("[a][b]", "M1"), ("  [Peer]=", "M3"),
            ("a", "M1"), ("  a # = b", "M3"), ("=", "K1  V2  W2 "),
            ("a=b", "K1 a V3 b W3 b"), (" a\t=\t b c \r", "K2 a V7 b c W7 b c"),
            ("a = b # c", "K1 a V5 b W5 b # c"), ("a = #c", "K1 a V4  W5 #c"), ("a=b=c", "K1 a V3 b=c W3 b=c"),
            ("é = ü", "K1 é V5 ü W5 ü"),
        ];
        for (i, (text, expected)) in rows.into_iter().enumerate() {
            let shown: Vec<_> = lines(text)
                .map(|line| match line {
                    Line::Section(s) => format!("S{} {}", s.at.column, s.text),
                    Line::Malformed(at, _) => format!("M{}", at.column),
                    Line::Entry { key: k, value: v, whole: w } => {
                        format!("K{} {} V{} {} W{} {}", k.at.column, k.text, v.at.column, v.text, w.at.column, w.text)
                    }
                })
                .collect();
            assert_eq!(shown.concat(), expected, "row {i}");
        }
    }

    #[test]
    #[allow(clippy::panic, reason = "a test")]
    fn lists_know_their_columns() {
        let Some(Line::Entry { value, .. }) = lines("a = x, é ,,z").next() else { panic!("not an entry") };
        let shown: Vec<_> = value.split(|c| c == ',').map(|s| (s.text, s.at.column)).collect();
        assert_eq!(shown, [("x", 5), ("é", 8), ("", 11), ("z", 12)]);
    }
}
