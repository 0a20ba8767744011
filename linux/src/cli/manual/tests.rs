//! Nothing is missing from the manual, and no example is wrong.
use super::*;
use underpass_core::config::settings::{SETTINGS, Setting, find};
use underpass_core::config::{Section, Severity, parse};

fn text(page: &Page) -> String {
    String::from_utf8(page.text.clone()).expect("text")
}

#[test]
fn every_page_has_examples_and_leads_on() {
    for page in pages().expect("pages") {
        let text = text(&page);
        let example = text.split(".SH EXAMPLE\n").nth(1).unwrap_or_else(|| panic!("{}: no example", page.name));
        assert!(
            example.split(".SH").next().is_some_and(|text| text.contains(".EX\n")),
            "{}: an empty example",
            page.name
        );
        assert!(text.contains(".SH \"SEE ALSO\"\n.BR "), "{}: it leads nowhere", page.name);
        let title = format!(".TH {} {} ", page.name, page.section);
        assert!(text.lines().any(|line| line.starts_with(&title)), "{}: {text}", page.name);
    }
}

#[test]
fn the_pages_are_those_of_the_verbs_and_of_the_configuration() {
    let pages = pages().expect("pages");
    let names: Vec<_> = pages.iter().map(|page| format!("{}({})", page.name, page.section)).collect();
    for name in ["underpass(8)", "underpass-up(8)", "underpass-check(8)", "underpass.conf(5)"] {
        assert!(names.iter().any(|one| one == name), "{name} is not among {names:?}");
    }
}

#[cfg(feature = "gateway")]
#[test]
fn commands_of_a_verb_are_on_its_page() {
    let pages = pages().expect("pages");
    let page = pages.iter().find(|page| page.name == "underpass-user").map(text).expect("a page");
    for line in [
        "\\fBunderpass user device add [OPTIONS] <USER> <NAME> <KEY>\\fR",
        "\\fB\\-\\-revoke\\fR",
        "\\fB\\-\\-hours HOURS\\fR",
    ] {
        assert!(page.lines().any(|one| one == line), "{line} is not in {page}");
    }
}

#[test]
fn every_key_is_explained() {
    for row in SETTINGS {
        let keys = if row.section == Section::Interface { keys::INTERFACE } else { keys::PEER };
        let is_explained = row.setting == Setting::Amnezia || keys.iter().any(|(name, ..)| *name == row.name);
        assert!(is_explained, "{} is not in underpass.conf(5)", row.name);
    }
}

/// The example of each key, in a configuration that has what else is needed.
#[test]
fn the_examples_of_keys_are_valid() {
    let parsed = parse(keys::WHOLE);
    assert!(parsed.diagnostics.is_empty() && parsed.config.is_some(), "{:?}", parsed.diagnostics);
    for (section, list) in [("[Interface]", keys::INTERFACE), ("[Peer]", keys::PEER)] {
        for (name, _, _, example) in list.iter().filter(|(name, ..)| find(name).is_some()) {
            let other = |line: &&str| !line.starts_with(&format!("{name} ="));
            let text: String = keys::WHOLE.lines().filter(other).map(|line| format!("{line}\n")).collect();
            let text = text.replace(section, &format!("{section}\n{name} = {example}"));
            let parsed = parse(&text);
            let errors = parsed.diagnostics.iter().filter(|found| found.severity == Severity::Error);
            assert_eq!(errors.count(), 0, "{name} = {example}: {:?}", parsed.diagnostics);
        }
    }
}
