//! What texts become: one row per oddity that is accepted, one per fault, and the round trip.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
mod faults;
mod oddities;
mod properties;

use crate::config::{Parsed, parse};
use std::string::{String, ToString};
use std::vec::Vec;

/// Texts write keys as these marks, so that rows stay short.
const SETTINGS: &[(&str, &str)] = &[
    ("%priv%", "UHbUZDhg+Sq27KAGnDJjMdRaIrnUYUuxwBagzgl1/08="),
    ("%own%", "DRu+5daKUgjVPdo/d7sEdfVTaazHoXaOcLxV02T9Kn0="),
    ("%a%", "fWoX8qwc/e/mawb2xv6F6UoI/EeIcOz6jjJeiMtkvA0="),
    ("%b%", "6GHmlwAEIzT0DQZfsmUaILHJGCeDxNFxKe+E3209c1s="),
    ("%psk%", "EHbS/QT9cPho9+gAZYQ1azm+VNLQhlqYe+qcJX00bcI="),
    ("%zero%", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("%one%", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
];

fn with_keys(text: &str) -> String {
    SETTINGS.iter().fold(text.to_string(), |text, (mark, key)| text.replace(mark, key))
}

fn without_keys(text: &str) -> String {
    SETTINGS.iter().fold(text.to_string(), |text, (mark, key)| text.replace(key, mark))
}

fn shown(parsed: &Parsed) -> Vec<String> {
    parsed.diagnostics.iter().map(ToString::to_string).collect()
}

/// No diagnostic says more than our own words: of nothing in `text` that looks like a key is there a part in it.
fn says_nothing_of_keys(text: &str) {
    const PART: usize = 6;
    let parsed = parse(text);
    let said = std::format!("{} {:?}", shown(&parsed).join("\n"), parsed.diagnostics);
    for (_, key) in SETTINGS.iter().take(5) {
        let body = key.trim_end_matches('=').as_bytes();
        for part in body.windows(PART) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(!said.contains(part), "{part} of a key is in {said}");
        }
    }
}
