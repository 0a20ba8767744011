//! Which Rust is needed: `rust-version` of a package is what its code and its dependencies ask for, and no more.
//!
//! That the code uses nothing of the standard library that is newer, clippy's lint `incompatible_msrv` says. What the
//! language has learnt since is looked for here, as far as these sources might use it.
use crate::Source;
use crate::source::{Flat, flatten};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use syn::spanned::Spanned;
use syn::visit::Visit;

/// What the code itself needs, without its dependencies: `if let .. && ..`, `as_chunks`, and a `Default` of raw pointers.
pub const LANGUAGE: Version = Version(1, 88);

/// A version of Rust, without the third number: releases that differ in it take the same code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// Reads `1.89` or `1.89.0`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        Some(Self(numbers.next()??, numbers.next()??))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}

/// What a package of the project declares.
#[must_use]
pub fn declared(metadata: &Value, name: &str) -> Option<Version> {
    let mut packages = array(metadata, "packages");
    packages.find(|package| text(package, "name") == name && package["source"].is_null()).and_then(version_of)
}

/// The newest Rust that a package of the project needs: for its own code and for everything that it is built from. Beside
/// it, the name of what needs it.
#[must_use]
pub fn needed<'m>(metadata: &'m Value, name: &str) -> (Version, &'m str) {
    let packages: BTreeMap<&str, &Value> =
        array(metadata, "packages").map(|package| (text(package, "id"), package)).collect();
    let foreign = |id: &&&str| packages.get(**id).is_some_and(|package| !package["source"].is_null());
    let wants = |id: &&str| packages.get(*id).and_then(|package| Some((version_of(package)?, text(package, "name"))));
    let built_from = built_from(metadata, name);
    let newest = built_from.iter().filter(foreign).filter_map(wants).max();
    newest.unwrap_or((LANGUAGE, "")).max((LANGUAGE, "its own code"))
}

/// The ids of everything that a package is built from, itself included: what it links, and what runs while it is built.
fn built_from<'m>(metadata: &'m Value, name: &str) -> BTreeSet<&'m str> {
    let wanted = |dep: &&Value| array(dep, "dep_kinds").any(|kind| kind["kind"] != "dev");
    let links: BTreeMap<&str, Vec<&str>> = array(&metadata["resolve"], "nodes")
        .map(|node| (text(node, "id"), array(node, "deps").filter(wanted).map(|dep| text(dep, "pkg")).collect()))
        .collect();
    let is_root = |package: &&Value| text(package, "name") == name && package["source"].is_null();
    let mut todo: Vec<&str> = array(metadata, "packages").filter(is_root).map(|package| text(package, "id")).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if seen.insert(id) {
            todo.extend(links.get(id).into_iter().flatten());
        }
    }
    seen
}

/// Uses of what the language has learnt since [`LANGUAGE`]: `if let` behind a pattern of `match`, and `cfg_select!`, both
/// of 1.95.
#[must_use]
pub fn newer_language(source: &Source) -> Vec<String> {
    struct Guards(Vec<usize>);
    impl Visit<'_> for Guards {
        fn visit_pat_guard(&mut self, guard: &syn::PatGuard) {
            if has_let(&guard.guard) {
                self.0.push(guard.if_token.span().start().line);
            }
            syn::visit::visit_pat_guard(self, guard);
        }
    }
    let mut guards = Guards(Vec::new());
    guards.visit_file(&source.file);
    let guards =
        guards.0.into_iter().map(|line| format!("{}:{line}: `if let` in a guard is of Rust 1.95", source.path));
    let tokens = flatten(&source.tokens);
    let named = |pair: &&[Flat]| pair[0].text == "cfg_select" && pair[1].text == "!";
    let selects = tokens.windows(2).filter(named);
    let selects = selects.map(|pair| format!("{}:{}: `cfg_select!` is of Rust 1.95", source.path, pair[0].line));
    guards.chain(selects).collect()
}

/// Whether `let` stands in a condition, outside blocks that it may hold.
fn has_let(condition: &syn::Expr) -> bool {
    match condition {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(both) => has_let(&both.left) || has_let(&both.right),
        _ => false,
    }
}

fn version_of(package: &Value) -> Option<Version> {
    Version::read(text(package, "rust_version"))
}

fn array<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn versions_are_read_and_in_order() {
        assert_eq!(Version::read("1.89"), Some(Version(1, 89)));
        assert_eq!(Version::read("1.85.1"), Some(Version(1, 85)));
        assert_eq!(Version::read("1"), None);
        assert_eq!(Version::read(""), None);
        assert!(Version(1, 9) < Version(1, 88) && Version(1, 95) < Version(2, 0));
    }

    #[test]
    fn what_is_needed_is_the_newest_of_what_a_package_is_built_from() {
        let package = |id: &str, version: &str, source: Value| json!({ "id": id, "name": id, "rust_version": version, "source": source });
        let foreign = || json!("registry");
        let dep = |id: &str, kind: Value| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("ours", "1.89", Value::Null), package("near", "1.90", foreign()), package("far", "1.92.0", foreign()),
                package("test", "1.94", foreign()), package("old", "1.60", foreign()), package("plain", "1.89", Value::Null),
            ],
            "resolve": { "nodes": [
                { "id": "ours", "deps": [dep("near", Value::Null), dep("test", json!("dev"))] },
                { "id": "near", "deps": [dep("far", json!("build"))] },
                { "id": "plain", "deps": [dep("old", Value::Null)] },
            ] },
        });
        assert_eq!(needed(&metadata, "ours"), (Version(1, 92), "far"));
        assert_eq!(needed(&metadata, "plain"), (LANGUAGE, "its own code"));
        assert_eq!(declared(&metadata, "ours"), Some(Version(1, 89)));
        assert_eq!(declared(&metadata, "nobody"), None);
    }

    #[test]
    fn newer_words_of_the_language_are_seen() {
        let text = "fn f(x: Option<u8>) {\n match x {\n Some(y) if let 1 = y => {}\n Some(y) if y > 1 && let 2 = y => {}\n \
                    Some(y) if y > 2 => { if let 3 = y {} }\n _ => {}\n }\n cfg_select! { _ => {} }\n}";
        let found = newer_language(&Source::new("a.rs", text));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].starts_with("a.rs:3:") && found[1].starts_with("a.rs:4:") && found[2].starts_with("a.rs:8:"),
            "{found:?}"
        );
    }
}
