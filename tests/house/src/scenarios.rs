//! The scenarios that every language runs: tests/scenarios.txt, held against the tests that there are.
use crate::languages::{self, Language};
use std::collections::{BTreeMap, BTreeSet};

/// The list, and the tests of each language.
#[derive(Debug)]
pub struct Scenarios {
    sentences: Vec<String>,
    tests: BTreeMap<&'static str, BTreeSet<String>>,
    /// What is odd about the list or a file.
    oddities: Vec<String>,
}

/// Where C's tables of tests are called from.
const MAIN: &str = "tests/c/main.c";

impl Scenarios {
    /// Reads the list and all `files`, each with its path.
    #[must_use]
    pub fn of(list: &str, files: &[(String, String)]) -> Self {
        let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let sentences: Vec<String> = lines.map(str::to_owned).collect();
        let mut oddities = Vec::new();
        for (number, sentence) in sentences.iter().enumerate() {
            let is_plain =
                sentence.split(' ').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()));
            if !is_plain {
                oddities.push(format!("`{sentence}` has more than words in lower case with a space between them"));
            }
            if sentences[..number].contains(sentence) {
                oddities.push(format!("`{sentence}` is there twice"));
            }
        }
        let main = files.iter().find(|(path, _)| path == MAIN).map_or(String::new(), |(_, text)| languages::code(text));
        let mut tests: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (path, text) in files {
            let Some(language) = Language::of(path) else { continue };
            if !path.ends_with(".c") || is_called(text, &main) {
                tests.entry(name(language)).or_default().extend(languages::tests(path, text));
            }
        }
        Self { sentences, tests, oddities }
    }

    /// The scenarios.
    #[must_use]
    pub fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// What a language misses, and what is odd about the list.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut findings = self.oddities.clone();
        for language in Language::ALL {
            let tests = self.tests.get(name(language));
            let missing = self.sentences.iter().map(|sentence| language.spelled(sentence));
            let missing = missing.filter(|test| !tests.is_some_and(|tests| tests.contains(test)));
            findings.extend(missing.map(|test| format!("{} has no test `{test}`", name(language))));
        }
        findings
    }
}

fn name(language: Language) -> &'static str {
    match language {
        Language::Rust => "Rust",
        Language::C => "C",
        Language::Kotlin => "Kotlin",
        Language::Swift => "Swift",
    }
}

/// Whether the table of a file in C is one of those that `main` runs.
fn is_called(text: &str, main: &str) -> bool {
    let code = languages::code(text);
    let table = code.split_once("\nconst check_test ").and_then(|(_, rest)| rest.split_once('['));
    table.is_some_and(|(table, _)| main.contains(&format!("    {table},")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: &str = "TEST(all_is_well)\n{\n}\nconst check_test a_tests[] = {\n    ENTRY(all_is_well),\n};\n";

    /// The findings when one file has another text.
    fn findings(list: &str, path: &str, text: &str) -> Vec<String> {
        let files = [
            ("bindings/uniffi/tests/a.rs", "#[test] fn all_is_well() {}"),
            ("tests/c/a.c", C),
            (MAIN, "static const check_test *const tables[] = {\n    a_tests,\n    NULL,\n};\n"),
            ("tests/kotlin/src/test/A.kt", "@Test\nfun `all is well`() {}"),
            ("ios/Tests/A.swift", "@Test func allIsWell() {}"),
        ];
        let text_of =
            |(at, here): (&str, &str)| (at.to_owned(), if at == path { text.to_owned() } else { here.to_owned() });
        Scenarios::of(list, &files.map(text_of)).findings()
    }

    #[test]
    fn what_a_language_misses_is_found() {
        let list = "# A list\n\nall is well\n";
        assert_eq!(findings(list, "", ""), Vec::<String>::new());
        for (path, text, found) in [
            ("bindings/uniffi/tests/a.rs", "// #[test] fn all_is_well() {}", "Rust has no test `all_is_well`"),
            ("tests/c/a.c", "", "C has no test `all_is_well`"),
            (MAIN, "tables[] = {\n    /* a_tests, */\n};\n", "C has no test `all_is_well`"),
            ("tests/kotlin/src/test/A.kt", "fun `all is well`() {}", "Kotlin has no test `all is well`"),
            ("ios/Tests/A.swift", "@Test func allIsSwell() {}", "Swift has no test `allIsWell`"),
        ] {
            assert_eq!(findings(list, path, text), [found]);
        }
    }

    #[test]
    fn a_list_has_plain_sentences_each_once() {
        assert_eq!(findings("all is well\nall is well\n", "", "").len(), 1);
        assert_eq!(findings("all is well!\n", "", "").len(), 5, "and nobody has it");
    }
}
