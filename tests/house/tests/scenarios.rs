//! Every scenario of tests/scenarios.txt is a test in Rust, C, Kotlin and Swift.
use underpass_house::Tree;
use underpass_house::languages::Language;
use underpass_house::scenarios::Scenarios;

#[test]
fn every_language_runs_every_scenario() {
    let tree = Tree::here();
    let text = |path: &str| tree.text(path).unwrap_or_else(|| panic!("{path} is no text"));
    let paths = tree.paths.iter().filter(|path| Language::of(path).is_some());
    let files: Vec<_> = paths.map(|path| (path.clone(), text(path))).collect();
    let scenarios = Scenarios::of(&text("tests/scenarios.txt"), &files);
    assert!(scenarios.sentences().len() > 12, "the list is there");
    let findings = scenarios.findings();
    assert!(findings.is_empty(), "scenarios that are not run:\n  {}\n", findings.join("\n  "));
}
