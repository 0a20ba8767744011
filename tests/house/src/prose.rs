//! Words and addresses: the vocabulary of names, and what no file may say.
use crate::Source;
use crate::source::flatten;

/// Parts of module names that say nothing about what is inside.
const EMPTY_WORDS: &[&str] = &["util", "utils", "utilities", "helper", "helpers", "manager", "mgr", "misc", "common"];
/// Hosts that links in the project lead to.
const HOSTS: &[&str] = &[
    "cr.yp.to",
    "example.com",
    "github.com",
    "keepachangelog.com",
    "maven.apache.org",
    "schemas.android.com",
    "semver.org",
    "www.apache.org",
    "www.rfc-editor.org",
    "www.w3.org",
    "www.wireguard.com",
];
/// Files that a tool of somebody else's writes, with links of its own.
const GENERATED: &str = "/generated/";
/// Where somebody's own files are; written apart so that this file does not find itself.
const MACHINE: &[&str] = &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Functions and modules whose names the vocabulary does not know.
#[must_use]
pub fn odd_names(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for pair in flatten(&source.tokens).windows(2) {
        let [keyword, name] = pair else { continue };
        let is_odd = match keyword.text.as_str() {
            "fn" => name.text.starts_with("get_"),
            "mod" => name.text.split('_').any(|word| EMPTY_WORDS.contains(&word)),
            _ => false,
        };
        if is_odd {
            findings.push(format!("{}:{}: `{} {}`", source.path, name.line, keyword.text, name.text));
        }
    }
    findings
}

/// Links to hosts that the project does not know, and paths of somebody's machine.
#[must_use]
pub fn foreign_places(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let is_ours = !path.contains(GENERATED);
        for host in hosts(line).filter(|host| is_ours && !is_known(host)) {
            findings.push(format!("{path}:{number}: a link to `{host}`"));
        }
        for place in MACHINE.iter().filter(|place| begins_a_path(line, place)) {
            findings.push(format!("{path}:{number}: a path below `{place}`"));
        }
    }
    findings
}

/// The hosts of the links of `line`.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("://").filter_map(|(at, mark)| {
        let is_web = ["http", "https"].iter().any(|scheme| line[..at].ends_with(scheme));
        let rest = &line[at + mark.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(rest.len());
        let host = &rest[..end];
        (is_web && host.contains(|c: char| c.is_ascii_alphabetic())).then_some(host)
    })
}

/// A host of the list, or one of the names and addresses that are kept for examples (RFC 2606).
fn is_known(host: &str) -> bool {
    HOSTS.contains(&host) || ["example", "invalid", "test"].iter().any(|tld| host.rsplit('.').next() == Some(tld))
}

/// Whether `place` stands in `line` at the beginning of a path.
fn begins_a_path(line: &str, place: &str) -> bool {
    let before = |at: usize| line[..at].chars().next_back();
    line.match_indices(place).any(|(at, _)| before(at).is_none_or(|c| !c.is_alphanumeric() && !"._-})".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_vocabulary_pass_and_others_do_not() {
        for (text, found) in [
            ("fn peers() {} mod wire {}", 0),
            ("fn get_peers() {}", 1),
            ("fn getter() {}", 0),
            ("mod utils;", 1),
            ("mod peer_manager {}", 1),
            ("mod common_prefix;", 1),
            ("impl A { fn get_b(&self) {} }", 1),
        ] {
            assert_eq!(odd_names(&Source::new("a.rs", text)).len(), found, "{text}");
        }
    }

    #[test]
    fn links_and_machine_paths_are_found() {
        let registry = concat!("https", "://registry.internal/index");
        for (text, found) in [
            ("see https://www.wireguard.com/papers/ and https://semver.org/x", 0),
            ("http://10.0.0.1:8080/ and http://[fd00::1]/ and http://server.example/", 0),
            (registry, 1),
            (concat!("cd /ho", "me/someone/project"), 1),
            (concat!("\"/wo", "rk/main\""), 1),
            (concat!("network/wo", "rk/done target/wo", "rk/x"), 0),
            (concat!("rooted: a/ro", "ot/b"), 0),
        ] {
            assert_eq!(foreign_places("a.md", text).len(), found, "{text}");
        }
        assert_eq!(foreign_places("b/generated/a.kt", registry).len(), 0);
        assert_eq!(foreign_places("b/generated/a.kt", concat!("cd /ho", "me/someone")).len(), 1);
    }
}
