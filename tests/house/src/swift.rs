//! What Swift code of the package must not do: end the program of whoever uses it.

/// Words that end the program when something is not as thought.
const TRAPS: &[&str] =
    &["fatalError", "precondition", "preconditionFailure", "assertionFailure", "unowned", "exit", "abort"];

/// Traps in a Swift file: those words, and `!` behind a value, a `try` or an `as`.
#[must_use]
pub fn traps(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        let found = words.into_iter().find(|word| TRAPS.contains(word));
        let found = found.or_else(|| forced(code).then_some("!"));
        findings.extend(found.map(|word| format!("{path}:{number}: `{word}` ends the program")));
    }
    findings
}

/// Whether a `!` takes a value by force: it stands right behind it, and no `=` follows.
fn forced(code: &str) -> bool {
    let chars: Vec<char> = code.chars().collect();
    chars.windows(2).enumerate().any(|(at, pair)| {
        let behind_value = pair[0].is_alphanumeric() || [')', ']', '}', '_'].contains(&pair[0]);
        behind_value && pair[1] == '!' && chars.get(at + 2) != Some(&'=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_the_program_is_found() {
        for (text, found) in [
            ("let a = try! f()", 1),
            ("let a = b as! C", 1),
            ("let a = b!", 1),
            ("let a = b()!.c", 1),
            ("fatalError(\"no\")", 1),
            ("guard !a, b != c, d! == e else { return }", 1),
            ("guard !a, b != c else { return } // never fatalError!", 0),
            ("[unowned self]", 1),
        ] {
            assert_eq!(traps("a.swift", text).len(), found, "{text}");
        }
    }
}
