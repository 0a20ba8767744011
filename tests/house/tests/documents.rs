//! The documents, held against the tree.
use underpass_house::Tree;
use underpass_house::documents::{self, Index};
use underpass_house::languages::Language;

/// Lessons whose subject is built. The others name the part they wait for.
const LESSONS: &[u32] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32,
    33, 34, 35, 39, 40, 41, 42, 43, 44, 45, 46, 47,
];

/// Fails with one finding a line.
#[track_caller]
fn none(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}

fn index(tree: &Tree) -> Index {
    let mut index = Index::of(&tree.rust(""));
    for path in tree.paths.iter().filter(|path| Language::of(path).is_some()) {
        index.add(path, &text(tree, path));
    }
    index
}

fn text(tree: &Tree, path: &str) -> String {
    tree.text(path).unwrap_or_else(|| panic!("{path} is no text"))
}

#[test]
fn the_map_of_specifications_names_what_exists() {
    let tree = Tree::here();
    let path = "docs/spec-map.md";
    let text = text(&tree, path);
    assert!(documents::rows(&text).count() > 30, "{path} has its tables");
    none("items and tests of the map exist", documents::broken_map(path, &text, &index(&tree)));
}

#[test]
fn every_lesson_names_a_test_that_exists() {
    let tree = Tree::here();
    let path = "docs/lessons.md";
    none("lessons are proven", documents::broken_lessons(path, &text(&tree, path), LESSONS, &index(&tree)));
}

#[test]
fn the_threat_model_names_tests_that_exist() {
    let tree = Tree::here();
    let path = "docs/threat-model.md";
    let text = text(&tree, path);
    assert!(documents::rows(&text).count() > 20, "{path} has its table");
    none("threats are met by tests that exist", documents::missing_tests(path, &text, &index(&tree)));
}

#[test]
fn the_list_of_stories_names_tests_that_exist() {
    let tree = Tree::here();
    let path = "tests/sim/README.md";
    none("stories exist", documents::missing_tests(path, &text(&tree, path), &index(&tree)));
}

#[test]
fn links_lead_to_files_and_commands_are_targets() {
    let tree = Tree::here();
    let makefile = |folder: &str| tree.text(format!("{folder}/Makefile").trim_start_matches('/'));
    let exists = |path: &str| tree.root().join(path).exists();
    let mut findings = Vec::new();
    for path in tree.paths.iter().filter(|path| path.ends_with(".md")) {
        let text = text(&tree, path);
        findings.extend(documents::broken_links(path, &text, exists));
        findings.extend(documents::unknown_targets(path, &text, makefile));
    }
    none("documents lead somewhere", findings);
}

#[test]
fn the_example_of_the_readme_is_the_one_that_compiles() {
    let tree = Tree::here();
    let readme = text(&tree, "README.md");
    let example = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let root = text(&tree, "core/src/lib.rs");
    let docs: String = root
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .fold(String::new(), |all, line| all + line.strip_prefix(' ').unwrap_or(line) + "\n");
    assert!(docs.contains(example), "the example of README.md is not that of core/src/lib.rs:\n{example}");
}
