//! Which key a misspelt one may have been meant for.
use crate::config::diagnostic::Section;
use crate::config::settings::SETTINGS;
use alloc::string::String;
use alloc::vec::Vec;

/// Letters in the longest text that is looked at.
const LONGEST: usize = 24;

/// Beginnings of words that mean the opposite of each other.
const OPPOSITES: &[(&str, &str)] = &[
    ("includ", "exclud"),
    ("allow", "exclud"),
    ("allow", "den"),
    ("allow", "block"),
    ("pre", "post"),
    ("up", "down"),
    ("priv", "pub"),
    ("enabl", "disabl"),
    ("before", "after"),
    ("min", "max"),
];

/// Beginnings that turn a word into its opposite.
const NEGATIONS: &[&str] = &["dis", "un", "non", "no", "in", "ex", "de"];

/// The key of `section` that `text` is most likely a misspelling of: at most one letter in three is wrong, no other key
/// is as near or begins like it, and it does not mean the opposite.
pub(super) fn similar(text: &str, section: Section) -> Option<&'static str> {
    if text.len() > LONGEST {
        return None;
    }
    let names = || SETTINGS.iter().filter(|row| row.section == section).map(|row| row.name);
    let mut near: Vec<(usize, &str)> = names().filter_map(|name| Some((near(text, name)?, name))).collect();
    near.sort_unstable();
    let (least, name) = *near.first()?;
    let has_rival = near.get(1).is_some_and(|(wrong, _)| *wrong == least);
    let begins = |name: &&str| name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    let is_alone = !has_rival && names().filter(begins).count() < 2;
    (is_alone && !contradicts(text, name)).then_some(name)
}

/// How many letters of `text` are wrong, if it is near enough to `name`.
fn near(text: &str, name: &str) -> Option<usize> {
    let is_near = |wrong: usize| wrong.saturating_mul(3) <= name.len();
    let longer = text.len().abs_diff(name.len());
    is_near(longer).then(|| distance(text, name)).filter(|wrong| is_near(*wrong))
}

/// Whether one of both says the opposite of the other.
fn contradicts(text: &str, name: &str) -> bool {
    let lower = |word: &str| -> String { word.chars().map(|letter| letter.to_ascii_lowercase()).collect() };
    let (text, name) = (lower(text), lower(name));
    let says = |word: &str| (text.contains(word), name.contains(word));
    let opposed = |(one, other): &(&str, &str)| {
        let (one, other) = (says(one), says(other));
        (one == (true, false) && other == (false, true)) || (one == (false, true) && other == (true, false))
    };
    let negated = |negation: &&str| {
        let negates = |word: &str, other: &str| word.starts_with(*negation) && !other.starts_with(*negation);
        negates(&text, &name) && text.len() > name.len()
    };
    OPPOSITES.iter().any(opposed) || NEGATIONS.iter().any(negated)
}

/// The number of letters to change, add, take away or swap with the next to get from `a` to `b`, regardless of case
/// (Damerau and Levenshtein, each letter touched once).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<u8> = a.bytes().map(|letter| letter.to_ascii_lowercase()).collect();
    let b: Vec<u8> = b.bytes().map(|letter| letter.to_ascii_lowercase()).collect();
    let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX);
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i.saturating_add(1));
        for (j, y) in b.iter().enumerate() {
            let replaced = at(&last, j).saturating_add(usize::from(x != y));
            let shifted = at(&last, j.saturating_add(1)).min(at(&row, j)).saturating_add(1);
            let previous = |letters: &[u8], i: usize| i.checked_sub(1).and_then(|i| letters.get(i).copied());
            let swapped = match (previous(&a, i) == Some(*y), previous(&b, j) == Some(*x)) {
                (true, true) => at(&before_last, j.saturating_sub(1)).saturating_add(1),
                _ => usize::MAX,
            };
            row.push(replaced.min(shifted).min(swapped));
        }
        before_last = core::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Section::{Interface, Peer};
    use std::string::ToString;

    #[test]
    fn misspellings_are_recognised() {
        #[rustfmt::skip]
        let rows = [
            ("AllowedIP", Peer, Some("AllowedIPs")), ("AlowedIps", Peer, Some("AllowedIPs")),
            ("PreshareKey", Peer, Some("PresharedKey")), ("Adress", Interface, Some("Address")),
            ("DNSS", Interface, Some("DNS")), ("Name", Interface, None), ("Endpiont", Peer, Some("Endpoint")),
            ("", Peer, None), ("Endpoint", Interface, None), ("PersistentKeepaliveeeeeeeee", Peer, None),
            ("DSN", Interface, Some("DNS")), ("PrivKey", Interface, Some("PrivateKey")), ("DN", Interface, Some("DNS")),
            ("PubKey", Peer, Some("PublicKey")), ("Persistent Keep-Alive", Peer, Some("PersistentKeepalive")),
        ];
        for (i, (text, section, expected)) in rows.into_iter().enumerate() {
            assert_eq!(similar(text, section), expected, "row {i}");
        }
    }

    #[test]
    fn an_opposite_is_never_suggested() {
        #[rustfmt::skip]
        let rows = [
            ("DisallowedIPs", Peer), ("DisalowedIPs", Peer), ("UnallowedIPs", Peer), ("NotAllowedIPs", Peer),
            ("NonAllowedIPs", Peer), ("NoAllowedIPs", Peer), ("PrivateKey", Peer), ("PublicKey", Interface),
            ("PublicKye", Interface), ("EnableCookies", Interface), ("Post", Interface), ("Pre", Interface),
            ("PostDn", Interface), ("cludedApplications", Interface), ("RekeyBeforeTime", Interface),
        ];
        for (i, (text, section)) in rows.into_iter().enumerate() {
            assert_eq!(similar(text, section), None, "row {i}: {text}");
        }
        #[rustfmt::skip]
        let rows = [
            ("PreUpp", "PreUp"), ("PostUpp", "PostUp"), ("PreDonw", "PreDown"), ("PostDwn", "PostDown"),
            ("ExcludeApplications", "ExcludedApplications"), ("IncludeApplication", "IncludedApplications"),
        ];
        for (text, name) in rows {
            assert_eq!(similar(text, Interface), Some(name));
        }
    }

    /// A letter left out, doubled, or swapped with the next one, in every key of three letters or more.
    #[test]
    fn every_near_miss_of_every_key_is_recognised() {
        for row in SETTINGS.iter().filter(|row| row.name.len() > 2) {
            for i in 0..row.name.len() {
                let (before, after) = row.name.split_at(i);
                let mut swapped = row.name.as_bytes().to_vec();
                swapped.swap(i, (i + 1).min(row.name.len() - 1));
                let misses = [
                    [before, &after[1..]].concat(),
                    [before, &after[..1], after].concat(),
                    std::str::from_utf8(&swapped).expect("ASCII").to_string(),
                ];
                for miss in misses {
                    assert_eq!(similar(&miss, row.section), Some(row.name), "{miss}");
                }
            }
        }
    }
}
