//! `underpass check`: says what is wrong with a configuration, as a compiler does.
use super::terminal::{Paint, Style};
use super::{Outcome, progress};
use crate::quick::{file, mask, spelling};
use anyhow::anyhow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use underpass_core::config::{Diagnostic, Parsed, Reason, Severity, parse};

/// Checks the file at `path`; `-` is standard input.
///
/// # Errors
/// It cannot be read. A configuration that is wrong is no error here, but an exit status.
pub fn run(path: &Path) -> Outcome {
    let (name, text) = if path == Path::new("-") {
        let text = file::read_all(io::stdin().lock(), 64 * 1024)
            .map_err(|error| anyhow!("cannot read standard input: {error}"));
        ("<stdin>".into(), text?)
    } else {
        (path.display().to_string(), file::read_text(path)?)
    };
    let parsed = parse_here(&text);
    report(&name, &text, &parsed);
    progress(format_args!("{name}: {}", summary(&parsed)));
    Ok(if parsed.config.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads `text`, and ports and addresses in it as the system does. What is said of keys that only Linux knows is not said here.
#[must_use]
pub fn parse_here(text: &str) -> Parsed {
    let spelled_out = spelling::spelled_out(text);
    let mut parsed = parse(spelled_out.as_ref().map_or(text, |text| text.as_str()));
    parsed.diagnostics.retain(|one| one.reason != Reason::LinuxOnly);
    parsed
}

/// Writes all that is to be said about `text` to standard error.
pub fn report(name: &str, text: &str, parsed: &Parsed) {
    let stderr = io::stderr();
    let mut rendered = render(name, text, &parsed.diagnostics, Paint::on(&stderr));
    if parsed.more > 0 {
        let _ = writeln!(rendered, "{name}: and {} more", parsed.more);
    }
    if parsed.out_of_memory {
        let _ = writeln!(rendered, "{name}: there is not enough memory to read it");
    }
    let _ = stderr.lock().write_all(rendered.as_bytes());
}

/// How many errors and warnings there are, in words.
#[must_use]
pub fn summary(parsed: &Parsed) -> String {
    let count = |severity| parsed.diagnostics.iter().filter(|one| one.severity == severity).count();
    let more = if parsed.more == 0 { String::new() } else { format!(", and {} more", parsed.more) };
    let said = match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) if parsed.out_of_memory => "not enough memory".into(),
        (errors, warnings) => counted(errors, warnings),
    };
    said + &more
}

/// How many errors and warnings there are, in words.
pub(super) fn counted(errors: usize, warnings: usize) -> String {
    let words = |count: usize, word| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "nothing to complain about".into(),
        (0, warnings) => words(warnings, "warning"),
        (errors, 0) => words(errors, "error"),
        (errors, warnings) => format!("{}, {}", words(errors, "error"), words(warnings, "warning")),
    }
}

/// Each diagnostic with the line it is about, keys hidden, and a mark below the place.
fn render(name: &str, text: &str, diagnostics: &[Diagnostic], paint: Paint) -> String {
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').collect();
    let mut output = String::new();
    let mut shown = Excerpt::default();
    for one in diagnostics {
        let place = format!("{name}:{}:{}:", one.line, one.column);
        let style = if one.severity == Severity::Error { Style::Error } else { Style::Warning };
        let severity = format!("{}:", one.severity);
        let message = format!("{}{}", subject(one), one.reason);
        let _ = writeln!(output, "{} {} {message}", paint.paint(Style::Bold, place), paint.paint(style, severity));
        let index = usize::try_from(one.line).unwrap_or(0).saturating_sub(1);
        if let Some(line) = lines.get(index).filter(|line| !line.trim().is_empty()) {
            let column = usize::try_from(one.column).unwrap_or(0).saturating_sub(1);
            shown.turn_to(one.line, line);
            shown.write(&mut output, column, &paint.paint(style, "^").to_string());
        }
    }
    output
}

/// `AllowedIPs in [Peer]: `
fn subject(diagnostic: &Diagnostic) -> String {
    match (diagnostic.key, diagnostic.section) {
        (Some(key), Some(section)) => format!("{key} in {section}: "),
        (Some(key), None) => format!("{key}: "),
        (None, Some(section)) => format!("{section}: "),
        (None, None) => String::new(),
    }
}

/// The line that is shown. It is made ready once, however much there is to say about it.
#[derive(Default)]
pub(super) struct Excerpt {
    number: u32,
    letters: Vec<char>,
}

impl Excerpt {
    /// Letters around the place that are shown of a long line.
    const AROUND: usize = 60;

    pub(super) fn turn_to(&mut self, number: u32, line: &str) {
        if self.number != number {
            self.number = number;
            let hidden = mask::line(line.trim_end());
            self.letters = hidden.chars().map(|letter| if is_unsafe(letter) { '?' } else { letter }).collect();
        }
    }

    /// Writes the line, or what is around `column` (from 0) of a long one, and `mark` below it.
    pub(super) fn write(&self, output: &mut String, column: usize, mark: &str) {
        let len = self.letters.len();
        let (start, end) = match len <= 2 * Self::AROUND {
            true => (0, len),
            false => (column.saturating_sub(Self::AROUND).min(len), (column + Self::AROUND).min(len)),
        };
        let (before, after) = (if start > 0 { "..." } else { "" }, if end < len { "..." } else { "" });
        let shown: String = self.letters[start..end].iter().collect();
        // A tab before the mark is as wide as the tab above it.
        let indent = self.letters[start..].iter().copied().chain(std::iter::repeat(' ')).take(column - start);
        let indent: String = indent.map(|letter| if letter == '\t' { letter } else { ' ' }).collect();
        let (number, gutter) = (self.number, " ".repeat(self.number.to_string().len()));
        let _ = writeln!(output, "  {number} | {before}{shown}{after}");
        let _ = writeln!(output, "  {gutter} | {}{indent}{mark}", " ".repeat(before.len()));
    }
}

/// What must not reach a terminal.
fn is_unsafe(letter: char) -> bool {
    letter.is_control() && letter != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_core::config::parse_with;

    #[test]
    fn what_is_not_shown_is_counted() {
        let parsed = parse(&"a\n".repeat(1000));
        assert_eq!(summary(&parsed), "100 errors, and 901 more");
    }

    #[test]
    fn a_mark_stands_below_the_place() {
        let text = "\u{feff}[Interface]\r\n\tMTU =\tfour\x1b[2J\n";
        let parsed = parse(text);
        let rendered = render("wg0.conf", text, &parsed.diagnostics, Paint::PLAIN);
        let expected = "\
wg0.conf:2:8: error: MTU in [Interface]: expected a number from 68 to 65535
  2 | \tMTU =\tfour?[2J
    | \t     \t^
";
        assert!(rendered.contains(expected), "{rendered}");
    }

    /// A line with much to say about it is long: what is shown grows with the number of findings, not with its square.
    #[test]
    fn of_a_long_line_only_the_place_is_shown() {
        const MANY: usize = 100_000;
        let text = format!("[Peer]\nAllowedIPs = {}\n", vec!["10.0.0.1/8"; MANY].join(", "));
        let parsed = parse_with(&text, 2 * MANY);
        let rendered = render("f", &text, &parsed.diagnostics, Paint::PLAIN);
        assert!(parsed.diagnostics.len() > MANY && rendered.len() < 500 * MANY, "{} bytes", rendered.len());
        let middle = rendered.lines().skip_while(|line| !line.starts_with("f:2:1214:")).skip(1).take(2);
        let [shown, mark] = middle.collect::<Vec<_>>()[..] else { panic!("an excerpt") };
        assert!(shown.starts_with("  2 | ...") && shown.ends_with("..."), "{shown}");
        let at = mark.find('^').expect("a mark");
        assert_eq!(shown.get(at..at + 10), Some("10.0.0.1/8"), "{shown}\n{mark}");
    }

    #[test]
    fn colour_paints_place_and_severity() {
        let parsed = parse("x");
        let rendered = render("f", "x", &parsed.diagnostics, Paint::COLOURED);
        assert!(rendered.starts_with("\x1b[1mf:1:1:\x1b[0m \x1b[1;31merror:\x1b[0m expected"), "{rendered:?}");
    }
}
