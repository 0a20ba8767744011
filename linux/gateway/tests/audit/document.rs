//! docs/audit.md lists the events as they are.
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use underpass_gateway::audit::KINDS;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit.md");
const BEGIN: &str =
    "<!-- The list of events: written by UPDATE_AUDIT=1 cargo test -p underpass-gateway --test audit -->\n";
const END: &str = "<!-- End of the list of events -->\n";

/// The list as it has to be.
fn list() -> String {
    let mut list = String::from("\n| Event | From level | What happened | Fields |\n|---|---|---|---|\n");
    for kind in KINDS {
        let fields: Vec<_> = kind.fields.iter().map(|(field, what)| format!("`{field}`: {}", what.trim())).collect();
        let (name, level) = (kind.name, kind.level.word());
        writeln!(list, "| `{name}` | {level} | {} | {} |", kind.meaning.trim(), fields.join(" ")).expect("text");
    }
    list + "\n"
}

#[test]
fn the_document_lists_every_event_with_its_fields() {
    let text = fs::read_to_string(DOCUMENT).expect("the document");
    let (before, rest) = text.split_once(BEGIN).expect("the list begins");
    let (found, after) = rest.split_once(END).expect("the list ends");
    if std::env::var_os("UPDATE_AUDIT").is_some() {
        fs::write(Path::new(DOCUMENT), [before, BEGIN, &list(), END, after].concat()).expect("the document");
        return;
    }
    assert_eq!(found, list(), "docs/audit.md is not what the code says: {BEGIN}");
}
