//! wg-quick texts.
use underpass_core::config::{Severity, parse, write};

/// Reads `data` as a configuration. What is read can be written and read again; what is said has a place.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parsed = parse(&text);
    let lines = text.split('\n').count();
    for finding in &parsed.diagnostics {
        let line = usize::try_from(finding.line).expect("lines are counted");
        assert!((1..=lines + 1).contains(&line) && finding.column >= 1, "{finding:?} has no place");
    }
    let is_wrong = parsed.diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(parsed.config.is_none(), is_wrong, "errors and configurations exclude each other");
    if let Some(config) = parsed.config {
        let written = write(&config);
        let again = parse(&written);
        assert_eq!(again.config.as_ref(), Some(&config), "what was written reads differently:\n{}", *written);
        assert_eq!(*write(&config), *written);
    }
}
