//! Which key a misspelt one may have been meant for.
use crate::config::diagnostic::Section;
use crate::config::keys::KEYS;
use alloc::vec::Vec;

/// The key of `section` that `text` is most likely a misspelling of: at most one letter in three is wrong.
pub(super) fn similar(text: &str, section: Section) -> Option<&'static str> {
    const LONGEST: usize = 24;
    if text.len() > LONGEST {
        return None;
    }
    let near =
        |name: &'static str| Some((distance(text, name), name)).filter(|(d, _)| d.saturating_mul(3) <= name.len());
    let rows = KEYS.iter().filter(|row| row.section == section);
    rows.filter_map(|row| near(row.name)).min_by_key(|(d, _)| *d).map(|(_, name)| name)
}

/// The number of letters to change, add or take away to get from `a` to `b` (Levenshtein), regardless of case.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let replaced = diagonal.saturating_add(usize::from(!x.eq_ignore_ascii_case(&y)));
            diagonal = *cell;
            *cell = replaced.min(left.min(diagonal).saturating_add(1));
            left = *cell;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Section::{Interface, Peer};

    #[test]
    fn misspellings_are_recognised() {
        #[rustfmt::skip]
        let rows = [
            ("AllowedIP", Peer, Some("AllowedIPs")), ("AlowedIps", Peer, Some("AllowedIPs")),
            ("PreshareKey", Peer, Some("PresharedKey")), ("Adress", Interface, Some("Address")),
            ("DNSS", Interface, Some("DNS")), ("Name", Interface, None), ("Endpiont", Peer, Some("Endpoint")),
            ("", Peer, None), ("Endpoint", Interface, None), ("PersistentKeepaliveeeeeeeee", Peer, None),
        ];
        for (i, (text, section, expected)) in rows.into_iter().enumerate() {
            assert_eq!(similar(text, section), expected, "row {i}");
        }
    }
}
