//! Tests in the languages that the library is used from: where they lie, how a test is named there, and which there are.
use crate::source::{Source, flatten};
use std::collections::BTreeSet;

/// A language with tests of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Tests of the facade that Kotlin and Swift are made from.
    Rust,
    /// Tests in C, and those that hold the header against the core.
    C,
    /// Tests on the JVM.
    Kotlin,
    /// Tests of the package for Apple's systems.
    Swift,
}

/// What begins a test, and what keeps tests from being run.
const SKIPS: &[&str] = &[
    "#if 0",
    "@Disabled",
    "@Enabled",
    "@Ignore",
    ".disabled(",
    ".enabled(",
    "#[ignore",
    "#[cfg_attr",
    "assumeTrue",
    "assumeFalse",
];

impl Language {
    /// Every language.
    pub const ALL: [Self; 4] = [Self::Rust, Self::C, Self::Kotlin, Self::Swift];

    /// The language in which a file has tests.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let lies_in = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        let (_, ending) = path.rsplit_once('.')?;
        match ending {
            "rs" if lies_in(&["bindings/uniffi/src/", "bindings/uniffi/tests/"]) => Some(Self::Rust),
            "rs" if path == "bindings/c/tests/codes.rs" => Some(Self::C),
            "c" | "cpp" if lies_in(&["tests/c/"]) => Some(Self::C),
            "kt" if lies_in(&["tests/kotlin/src/test/", "android/tunnel/src/test/"]) => Some(Self::Kotlin),
            "swift" if lies_in(&["ios/Tests/"]) => Some(Self::Swift),
            _ => None,
        }
    }

    /// How a sentence is spelled as the name of a test.
    #[must_use]
    pub fn spelled(self, sentence: &str) -> String {
        match self {
            Self::Rust | Self::C => sentence.replace(' ', "_"),
            Self::Kotlin => sentence.to_owned(),
            Self::Swift => {
                let mut name = String::new();
                for word in sentence.split(' ') {
                    let mut letters = word.chars();
                    let first = letters.next().into_iter();
                    if name.is_empty() {
                        name.extend(first);
                    } else {
                        name.extend(first.flat_map(char::to_uppercase));
                    }
                    name.extend(letters);
                }
                name
            }
        }
    }
}

/// The names of the tests of a file that are run: those in comments are not, and none of a file that skips some.
#[must_use]
pub fn tests(path: &str, text: &str) -> BTreeSet<String> {
    if SKIPS.iter().any(|skip| text.contains(skip)) {
        return BTreeSet::new();
    }
    match path.rsplit('.').next() {
        Some("rs") => crate::documents::tests(&flatten(&Source::new(path, text).tokens)).collect(),
        Some("c" | "cpp") => {
            let code = code(text);
            let named = |macro_name| names(&code, macro_name, ")");
            named("\nTEST(").intersection(&named(" ENTRY(")).cloned().collect()
        }
        Some("kt") => marked(&code(text), "fun `", '`'),
        Some("swift") => marked(&code(text), "func ", '('),
        _ => BTreeSet::new(),
    }
}

/// What stands behind each `before`, up to `after`.
fn names(code: &str, before: &str, after: &str) -> BTreeSet<String> {
    code.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0.to_owned())).collect()
}

/// The functions behind `@Test`.
fn marked(code: &str, before: &str, after: char) -> BTreeSet<String> {
    let behind = code.split("@Test").skip(1).filter(|rest| !rest.starts_with(char::is_alphanumeric));
    behind.filter_map(|rest| Some(rest.split_once(before)?.1.split_once(after)?.0.to_owned())).collect()
}

/// A text in C, Kotlin or Swift without its comments and without what its strings say.
#[must_use]
pub fn code(text: &str) -> String {
    // Names may begin with the line.
    let mut code = String::from("\n");
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let passed = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(inside) = rest.strip_prefix("\"\"\"") {
            inside.find("\"\"\"").map_or(rest.len(), |end| end + 6)
        } else if next == '"' {
            literal(rest, '"').unwrap_or(rest.len())
        } else if next == '\'' {
            // A character; elsewhere, as in a word, it is itself.
            literal(rest, '\'').filter(|length| *length <= 8).unwrap_or(1)
        } else if let Some(inside) = rest.strip_prefix('`') {
            let length = inside.find('`').map_or(rest.len(), |end| end + 2);
            code.push_str(&rest[..length]);
            length
        } else {
            code.push(next);
            next.len_utf8()
        };
        rest = &rest[passed..];
    }
    code
}

/// The bytes of a literal, both quotes counted; `None` when it has no end on its line.
fn literal(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn sentences_become_names() {
        for (language, name) in [
            (Language::Rust, "a_name_is_asked_for"),
            (Language::C, "a_name_is_asked_for"),
            (Language::Kotlin, "a name is asked for"),
            (Language::Swift, "aNameIsAskedFor"),
        ] {
            assert_eq!(language.spelled("a name is asked for"), name);
        }
    }

    #[test]
    fn what_is_said_in_comments_and_strings_is_no_code() {
        for (text, left) in [
            ("a // b\nc", "\na \nc"),
            ("a /* b\n */ c", "\na  c"),
            ("a(\"// b\") // c", "\na() "),
            ("a(\"\\\" // b\")", "\na()"),
            ("a(\"\"\"\n\" // b\"\"\")", "\na()"),
            ("a('\"') // b", "\na() "),
            ("fun `the caller's // own`() // b", "\nfun `the caller's // own`() "),
        ] {
            assert_eq!(code(text), left, "{text}");
        }
    }

    #[test]
    fn tests_are_found_in_each_language() {
        for (path, text, found) in [
            ("tests/c/a.c", "TEST(one)\n{\n}\nconst check_test a[] = {\n    ENTRY(one),\n};\n", "one"),
            ("tests/c/a.c", "TEST(one)\n{\n}\n/* ENTRY(one) */\n", ""),
            ("tests/c/a.c", "// TEST(one)\n    ENTRY(one),\n", ""),
            ("tests/c/a.c", "#define TEST(name) static void name(void)\n#define ENTRY(name) { #name, name }\n", ""),
            ("tests/c/a.c", "#if 0\nTEST(one)\n    ENTRY(one),\n#endif\n", ""),
            ("a.kt", "    @Test\n    fun `one, two`() {\n    fun helper() {}", "one, two"),
            ("a.kt", "    // @Test\n    fun `one`() {", ""),
            ("a.kt", "    @Test\n    // fun `one`() {\n", ""),
            ("a.kt", "    @Test\n    @Disabled\n    fun `one`() {", ""),
            ("a.swift", "    @Test(arguments: [f()]) func one(x: Int) {\n    func helper() {}", "one"),
            ("a.swift", "/* @Test func one() {} */", ""),
            ("a.swift", "    @Test(.disabled()) func one() {", ""),
            ("a.rs", "#[test] fn one() {}\n// #[test] fn two() {}\nfn three() {}", "one"),
            ("a.rs", "#[test] #[ignore] fn one() {}", ""),
        ] {
            assert_eq!(tests(path, text).into_iter().collect::<Vec<_>>().join(" "), found, "{text}");
        }
    }
}
