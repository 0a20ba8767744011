//! Which key a misspelt one may have been meant for.
use crate::config::diagnostic::Section;
use crate::config::settings::SETTINGS;

/// Letters in the longest text, and in the longest name, that is looked at.
const LONGEST: usize = 24;
/// A row of distances, one for each beginning of a name.
type Distances = [usize; LONGEST + 1];

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
    let near = || names().filter_map(|name| Some((near(text, name)?, name)));
    let (least, name) = near().min()?;
    let has_rival = near().filter(|(wrong, _)| *wrong == least).count() > 1;
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
    let says = |word: &str| (has(text, word), has(name, word));
    let opposed = |(one, other): &(&str, &str)| {
        let (one, other) = (says(one), says(other));
        (one == (true, false) && other == (false, true)) || (one == (false, true) && other == (true, false))
    };
    let negated = |negation: &&str| begins(text, negation) && !begins(name, negation) && text.len() > name.len();
    OPPOSITES.iter().any(opposed) || NEGATIONS.iter().any(negated)
}

/// Whether `text` has `word`, which is in lower case, in it, regardless of case.
fn has(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|piece| piece.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether `text` begins with `word`, regardless of case.
fn begins(text: &str, word: &str) -> bool {
    text.as_bytes().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

/// The number of letters to change, add, take away or swap with the next to get from `a` to `b`, regardless of case
/// (Damerau and Levenshtein, each letter touched once).
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let at = |row: &Distances, i: usize| row.get(i).copied().unwrap_or(usize::MAX);
    let (mut before_last, mut last): (Distances, Distances) = ([0; LONGEST + 1], core::array::from_fn(|i| i));
    for (i, x) in a.iter().enumerate() {
        let mut row = [0; LONGEST + 1];
        let (first, rest) = row.split_at_mut(1);
        first.fill(i.saturating_add(1));
        let mut left = i.saturating_add(1);
        for ((j, y), place) in b.iter().enumerate().zip(rest) {
            let replaced = at(&last, j).saturating_add(usize::from(!x.eq_ignore_ascii_case(y)));
            let shifted = at(&last, j.saturating_add(1)).min(left).saturating_add(1);
            let previous = |letters: &[u8], i: usize| i.checked_sub(1).and_then(|i| letters.get(i).copied());
            let same = |one: Option<u8>, other: &u8| one.is_some_and(|one| one.eq_ignore_ascii_case(other));
            let swapped = match (same(previous(a, i), y), same(previous(b, j), x)) {
                (true, true) => at(&before_last, j.saturating_sub(1)).saturating_add(1),
                _ => usize::MAX,
            };
            left = replaced.min(shifted).min(swapped);
            *place = left;
        }
        before_last = core::mem::replace(&mut last, row);
    }
    at(&last, b.len())
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
