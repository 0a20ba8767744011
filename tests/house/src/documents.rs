//! Documents that speak of the code: what they name must be there.
//!
//! In a table, an item is written as its path from the root of its package (`wire::Initiation`, or with the package,
//! `underpass_linux::engine::Engine`), a test by its name alone, a module of tests
//! that a macro makes by its file and name, `matrix::over_ipv4`.
use crate::Source;
use crate::languages;
use crate::source::{Flat, flatten};
use std::collections::{BTreeMap, BTreeSet};

/// What the code has.
#[derive(Debug, Default)]
pub struct Index {
    /// The names that each module defines, by package and path: `underpass_core::wire::field`.
    modules: BTreeMap<String, BTreeSet<String>>,
    /// The names of all tests.
    tests: BTreeSet<String>,
}

/// Packages whose items documents may name, by folder.
const PACKAGES: &[(&str, &str)] =
    &[("core/src/", "underpass_core"), ("linux/src/", "underpass_linux"), ("linux/gateway/src/", "underpass_gateway")];
/// Words before the name of what they define.
const DEFINE: &[&str] = &["fn", "struct", "enum", "trait", "type", "const", "static", "mod", "macro_rules"];

impl Index {
    /// Reads all of `sources`.
    #[must_use]
    pub fn of(sources: &[Source]) -> Self {
        let mut index = Self::default();
        for source in sources {
            let tokens = flatten(&source.tokens);
            index.tests.extend(tests(&tokens));
            index.tests.extend(groups(source, &tokens));
            let package = PACKAGES.iter().find(|(folder, _)| source.path.starts_with(folder));
            if let (Some((_, package)), Some(module)) = (package, source.module()) {
                let path = [&[*package], module.as_slice()].concat().join("::");
                index.modules.entry(path).or_default().extend(defined(source, &tokens));
            }
        }
        index
    }

    /// Adds the tests of a file in another language.
    pub fn add(&mut self, path: &str, text: &str) {
        self.tests.extend(languages::tests(path, text));
    }

    /// Whether there is a test of this name, perhaps with its modules before it.
    #[must_use]
    pub fn has_test(&self, name: &str) -> bool {
        let bare = name.rsplit("::").next().unwrap_or(name);
        self.tests.contains(name) || self.tests.contains(bare)
    }

    /// Whether there is an item of this path: a module, then at most a type and a member, each defined in that module or
    /// below.
    #[must_use]
    pub fn has_item(&self, path: &str) -> bool {
        let own = PACKAGES.iter().any(|(_, package)| path.starts_with(package));
        let path = if own { path.to_owned() } else { format!("underpass_core::{path}") };
        let parts: Vec<&str> = path.split("::").collect();
        let lengths = (1..=parts.len()).rev();
        let known = lengths.map(|n| parts.split_at(n)).find(|(head, _)| self.modules.contains_key(&head.join("::")));
        let Some((head, names)) = known else { return false };
        names.len() <= 2 && names.iter().all(|name| self.defines(&head.join("::"), name))
    }

    fn defines(&self, module: &str, name: &str) -> bool {
        let below = |path: &str| path == module || path.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"));
        self.modules.iter().any(|(path, names)| below(path) && names.contains(name))
    }
}

/// The names of the functions behind `#[test]`.
pub(crate) fn tests(tokens: &[Flat]) -> impl Iterator<Item = String> + '_ {
    let marked =
        |at: &usize| tokens[*at..].iter().zip(["#", "[", "test", "]"]).filter(|(t, w)| t.text == *w).count() == 4;
    (0..tokens.len()).filter(marked).filter_map(|at| {
        let rest = &tokens[at + 4..];
        let name = rest.iter().take_while(|token| token.text != "{").position(|token| token.text == "fn")? + 1;
        rest.get(name).map(|token| token.text.clone())
    })
}

/// The modules of tests in a test file, for tests that a macro makes: `matrix::over_ipv4`.
fn groups(source: &Source, tokens: &[Flat]) -> Vec<String> {
    let stem = source.path.rsplit('/').next().and_then(|file| file.strip_suffix(".rs")).unwrap_or_default();
    let makes_tests = source.is_test() && tokens.iter().any(|token| token.text == "for_every_pair");
    let modules = tokens.windows(3).filter(|three| makes_tests && three[0].text == "mod" && three[2].text == "{");
    modules.map(|three| format!("{stem}::{}", three[1].text)).collect()
}

/// What a file defines: after a keyword, as a variant, or by a macro that is called where items stand.
fn defined(source: &Source, tokens: &[Flat]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for pair in tokens.windows(3) {
        let [word, name, after] = pair else { continue };
        if DEFINE.contains(&word.text.as_str()) {
            let name = if name.text == "!" { after } else { name };
            names.insert(name.text.clone());
        }
    }
    for item in &source.file.items {
        match item {
            syn::Item::Enum(item) => names.extend(item.variants.iter().map(|variant| variant.ident.to_string())),
            syn::Item::Struct(item) => {
                names.extend(item.fields.iter().filter_map(|field| field.ident.as_ref().map(ToString::to_string)));
            }
            syn::Item::Macro(item) => names.extend(flatten(&item.mac.tokens).into_iter().map(|token| token.text)),
            _ => {}
        }
    }
    names
}

/// The cells of a document's table rows, headings left out.
pub fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    (1..).zip(text.lines()).filter_map(|(number, line)| {
        let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<&str> = inside.split('|').map(str::trim).collect();
        let is_rule = cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':' | ' ')));
        (!is_rule).then_some((number, cells))
    })
}

/// What stands between backquotes.
pub fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Items (third column) and tests (last column) that a map of four columns names and that do not exist, and rows without.
#[must_use]
pub fn broken_map(path: &str, text: &str, index: &Index) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, cells) in rows(text).filter(|(_, cells)| !is_heading(cells)) {
        let [_, _, items, tests] = cells.as_slice() else {
            findings.push(format!("{path}:{number}: {} columns, not 4", cells.len()));
            continue;
        };
        let missing_items = quoted(items).filter(|item| !index.has_item(item));
        findings.extend(missing_items.map(|item| format!("{path}:{number}: no item `{item}`")));
        let missing_tests = quoted(tests).filter(|test| !index.has_test(test));
        findings.extend(missing_tests.map(|test| format!("{path}:{number}: no test `{test}`")));
        for (what, cell) in [("item", items), ("test", tests)] {
            if quoted(cell).next().is_none() {
                findings.push(format!("{path}:{number}: names no {what}"));
            }
        }
    }
    findings
}

/// Lessons of `wanted` that the table lacks or that name no test, and tests (last column) that do not exist.
#[must_use]
pub fn broken_lessons(path: &str, text: &str, wanted: &[u32], index: &Index) -> Vec<String> {
    let mut findings = Vec::new();
    let mut told = BTreeSet::new();
    for (number, cells) in rows(text).filter(|(_, cells)| !is_heading(cells)) {
        let Some(lesson) = cells.first().and_then(|cell| cell.parse::<u32>().ok()) else {
            findings.push(format!("{path}:{number}: no number of a lesson"));
            continue;
        };
        let tests: Vec<&str> = cells.last().map(|cell| quoted(cell).collect()).unwrap_or_default();
        if !tests.is_empty() {
            told.insert(lesson);
        }
        let missing = tests.into_iter().filter(|test| !index.has_test(test));
        findings.extend(missing.map(|test| format!("{path}:{number}: no test `{test}`")));
    }
    let untold = wanted.iter().filter(|lesson| !told.contains(*lesson));
    findings.extend(untold.map(|lesson| format!("{path}: lesson {lesson} names no test")));
    findings
}

/// Names of tests in the last column of a document's tables that do not exist.
#[must_use]
pub fn missing_tests(path: &str, text: &str, index: &Index) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, cells) in rows(text).filter(|(_, cells)| !is_heading(cells)) {
        let tests = cells.last().into_iter().flat_map(|cell| quoted(cell));
        let missing = tests.filter(|test| !index.has_test(test));
        findings.extend(missing.map(|test| format!("{path}:{number}: no test `{test}`")));
    }
    findings
}

/// A row of the words that head a table.
fn is_heading(cells: &[&str]) -> bool {
    matches!(cells.last(), Some(&("Tests" | "Test")))
}

/// Links inside the project that lead nowhere; `exists` knows its paths.
pub fn broken_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links
        .filter(|link| !link.contains("://") && !link.starts_with('#'))
        .map(|link| link.split('#').next().unwrap_or(link))
        .filter(|link| !exists(&resolve(folder, link)))
        .map(|link| format!("{path}: a link to `{link}`, which does not exist"))
        .collect()
}

fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Targets of make that a document names and the makefile lacks; `makefile` is that of a folder, `""` the root.
pub fn unknown_targets(path: &str, text: &str, makefile: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let is_target = |folder: &str, name: &str| {
        let begins = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
        makefile(folder).is_some_and(|text| text.lines().any(begins))
    };
    let named = text.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("make "));
    named
        .filter_map(|command| {
            let (folder, words) = match command.strip_prefix("-C ") {
                Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
                None => ("", command),
            };
            Some((folder, words.split_whitespace().find(|word| !word.contains('='))?))
        })
        .filter(|(folder, name)| !is_target(folder, name))
        .map(|(_, name)| format!("{path}: `make {name}` is no target"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        Index::of(&[
            Source::new("core/src/wire/mod.rs", "mod field; pub struct Message; make! { Made = 1 }"),
            Source::new("core/src/wire/field.rs", "impl A { fn of(&self) {} } enum E { One, Two }"),
            Source::new("core/src/time.rs", "pub struct Instant(u64); impl Instant { const ZERO: u8 = 0; }"),
            Source::new(
                "core/tests/kat.rs",
                "#[test] fn known() {} #[test] #[should_panic] fn panics() {} fn other() {}",
            ),
            Source::new("tests/interop/tests/interop/matrix.rs", "mod over_ipv4 { for_every_pair!(story); }"),
            Source::new("tests/sim/a.rs", "proptest! { #[test] fn random(x in 0..9) { g() } }"),
        ])
    }

    #[test]
    fn items_are_found_by_their_paths() {
        for (path, want) in [
            ("wire", true),
            ("wire::Message", true),
            ("underpass_core::wire::Message", true),
            ("wire::field", true),
            ("wire::field::E::Two", true),
            ("wire::E::of", true),
            ("wire::Made", true),
            ("time::Instant::ZERO", true),
            ("time::Message", false),
            ("wire::Gone", false),
            ("Message", false),
            ("underpass_linux::wire", false),
        ] {
            assert_eq!(index().has_item(path), want, "{path}");
        }
    }

    #[test]
    fn tests_are_found_by_their_names() {
        for (name, want) in [
            ("known", true),
            ("panics", true),
            ("random", true),
            ("matrix::over_ipv4", true),
            ("other", false),
            ("x", false),
        ] {
            assert_eq!(index().has_test(name), want, "{name}");
        }
    }

    #[test]
    fn a_map_that_names_what_is_gone_is_broken() {
        let map = |items, tests| {
            format!("| Source | What | Item | Tests |\n|---|---|---|---|\n| a | b | {items} | {tests} |")
        };
        for (items, tests, found) in [
            ("`wire::Message`", "`known`, `random`", 0),
            ("`wire::Gone`", "`known`", 1),
            ("`wire::Message`", "`gone`", 1),
            ("", "`known`", 1),
            ("`wire`", "none", 1),
            ("`wire` | more", "`known`", 1),
        ] {
            assert_eq!(broken_map("m.md", &map(items, tests), &index()).len(), found, "{items}, {tests}");
        }
    }

    #[test]
    fn a_lesson_without_a_test_is_broken() {
        let text = "| # | Trap | Here | Tests |\n|--|--|--|--|\n| 1 | a | b | `known` |\n| 2 | a | b | planned |\n| 3 | a | b | `gone` |";
        assert_eq!(broken_lessons("l.md", text, &[1], &index()).len(), 1);
        assert_eq!(broken_lessons("l.md", text, &[1, 2], &index()).len(), 2);
        assert_eq!(broken_lessons("l.md", text, &[1, 4], &index()).len(), 2);
        assert_eq!(missing_tests("l.md", text, &index()).len(), 1);
    }

    #[test]
    fn links_and_targets_must_lead_somewhere() {
        let exists = |path: &str| ["README.md", "docs/a.md", "core"].contains(&path);
        for (text, found) in [
            ("[a](a.md) [b](../README.md#top) [c](../core/) [d](https://semver.org/) [e](#here)", 0),
            ("[a](b.md)", 1),
            ("[a](README.md)", 1),
        ] {
            assert_eq!(broken_links("docs/a.md", text, exists).len(), found, "{text}");
        }
        let makefile = "demo: ## see\n\techo\n";
        let unknown = |text: &str| {
            let of = |folder: &str| ["", "bindings/c"].contains(&folder).then(|| makefile.to_owned());
            unknown_targets("a.md", text, of).len()
        };
        assert_eq!(unknown("run `make demo`, `make PREFIX=/usr demo`, `make -C bindings/c demo`"), 0);
        assert_eq!(unknown("run `make tests`"), 1);
        assert_eq!(unknown("run `make -C bindings/c tests`, `make -C elsewhere demo`"), 2);
    }
}
