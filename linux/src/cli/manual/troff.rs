//! Text as troff.

/// `text` as it is, line by line: nothing in it is taken for a request, and a hyphen can be copied as the minus sign that it is.
#[must_use]
pub fn text(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    let line = |line: &str| if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_a_request() {
        assert_eq!(text(".TH a-b\n'c' \\d `e`"), "\\&.TH a\\-b\n\\(aqc\\(aq \\ed \\(gae\\(ga");
    }
}
