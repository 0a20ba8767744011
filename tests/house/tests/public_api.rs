//! The public surface of the core, held against the committed list of it.
use underpass_house::public_api::{Surface, differences};
use underpass_house::{Source, Tree};

/// The committed list.
const LIST: &str = "core/public-api.txt";
/// What rewrites it.
const COMMAND: &str = "UPDATE_PUBLIC_API=1 cargo test -p underpass-house --test public_api";

fn surface(tree: &Tree) -> Surface {
    Surface::of(&tree.rust("core/src/"))
}

#[test]
fn the_public_surface_is_the_one_that_is_committed() {
    let tree = Tree::here();
    let found = surface(&tree);
    assert!(found.lines.len() > 300, "only {} lines: the reader has lost its way", found.lines.len());
    let path = tree.root().join(LIST);
    if std::env::var_os("UPDATE_PUBLIC_API").is_some() {
        std::fs::write(&path, found.lines.join("\n") + "\n").expect("the list can be written");
    }
    let known: Vec<String> = std::fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();
    let changed = differences(&known, &found.lines);
    assert!(
        changed.is_empty(),
        "the surface of the core differs from {LIST}:\n  {}\nIf it is meant to: {COMMAND}\n",
        changed.join("\n  ")
    );
}

#[test]
fn every_type_of_the_public_surface_can_be_named() {
    let findings = surface(&Tree::here()).findings;
    assert!(findings.is_empty(), "words without a public path:\n  {}\n", findings.join("\n  "));
}

#[test]
fn hosts_do_without_the_hidden_door() {
    let tree = Tree::here();
    let hosts: Vec<Source> = ["linux/src/", "bindings/c/src/"].iter().flat_map(|folder| tree.rust(folder)).collect();
    assert!(hosts.len() > 50);
    let through: Vec<&str> = hosts.iter().filter(|host| names_the_door(host)).map(|host| host.path.as_str()).collect();
    assert!(through.is_empty(), "hosts that use `internals` of the core: {through:?}");
}

fn names_the_door(source: &Source) -> bool {
    underpass_house::source::flatten(&source.tokens).iter().any(|token| token.text == "internals")
}
