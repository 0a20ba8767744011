//! The tree as it is, held against the rules of the house. CONTRIBUTING.md tells the rules.
use std::path::Path;
use std::process::Command;
use underpass_house::layers::Layers;
use underpass_house::rust_version::{declared, needed, newer_language};
use underpass_house::{Source, Tree, licences, prose, purity, sizes, swift};

/// Fails with one finding a line.
#[track_caller]
fn none(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}

fn core_root(tree: &Tree) -> Source {
    Source::new("core/src/lib.rs", &tree.text("core/src/lib.rs").expect("the root is text"))
}

#[test]
fn the_tree_is_the_whole_project() {
    let tree = Tree::here();
    for path in ["Cargo.toml", "core/src/lib.rs", "linux/src/lib.rs", "tests/house/tests/house.rs"] {
        assert!(tree.paths.iter().any(|known| known == path), "{path} is not in the tree");
    }
    assert!(tree.rust("core/src/").len() > 50);
}

#[test]
fn rooms_of_the_core_import_downward_only() {
    let tree = Tree::here();
    let layers = Layers::of_root(&core_root(&tree));
    let order = ["time", "crypto", "noise", "config", "peer", "tunnel", "uapi"].map(|room| layers.layer(room));
    assert!(order.windows(2).all(|pair| pair[0].is_some() && pair[0] < pair[1]), "{order:?}");
    let findings = tree.rust("core/src/").iter().flat_map(|source| layers.upward_arrows(source)).collect();
    none("a room imports from the layers above it in core/src/lib.rs", findings);
}

#[test]
fn files_and_functions_keep_their_size() {
    let tree = Tree::here();
    let files = tree.paths.iter().filter_map(|path| sizes::long_file(path, &tree.text(path)?));
    let functions = tree.rust("").iter().flat_map(sizes::long_functions).collect::<Vec<_>>();
    none("files and functions are short", files.chain(functions).collect());
}

#[test]
fn the_core_has_no_clock_no_chance_no_socket_and_no_state() {
    let tree = Tree::here();
    let mut findings = purity::missing_promises(&core_root(&tree), &["no_std", "forbid(unsafe_code)"]);
    findings.extend(tree.rust("core/src/").iter().flat_map(purity::ambient));
    none("what the core needs is an argument", findings);
}

#[test]
fn swift_ends_nobodys_program() {
    let tree = Tree::here();
    let files: Vec<_> =
        tree.paths.iter().filter(|path| path.starts_with("ios/S") && path.ends_with(".swift")).collect();
    assert!(files.len() > 20, "the package has its sources");
    let findings = files.iter().flat_map(|path| swift::traps(path, &tree.text(path).unwrap_or_default()));
    none("what is not as thought is an error, or passed over", findings.collect());
}

#[test]
fn the_core_denies_what_may_panic() {
    let tree = Tree::here();
    let everywhere = ["clippy::indexing_slicing", "clippy::panic", "clippy::unwrap_used"];
    let mut findings = purity::missing_promises(&core_root(&tree), &everywhere);
    let parsers =
        ["config", "cookie", "control/cbor", "control/coap", "control/message", "noise", "packet", "uapi", "wire"];
    for room in parsers {
        let path = format!("core/src/{room}/mod.rs");
        let source = Source::new(&path, &tree.text(&path).expect("a source is text"));
        findings.extend(purity::missing_promises(&source, &["clippy::arithmetic_side_effects"]));
    }
    none("no input can panic", findings);
}

#[test]
fn unsafe_code_is_glue_with_reasons() {
    none(
        "unsafe code stands in few files and says why",
        Tree::here().rust("").iter().flat_map(purity::unsafe_code).collect(),
    );
}

#[test]
fn no_thread_of_the_linux_host_ends_unnoticed() {
    let sources = Tree::here().rust("linux/src/");
    none("threads start by watched::start", sources.iter().flat_map(purity::unwatched_threads).collect());
}

#[test]
fn lesson_28_the_c_interface_has_no_state_no_hook_and_no_voice() {
    let sources = Tree::here().rust("bindings/c/src/");
    assert!(sources.len() > 10);
    none("a library leaves the program around it alone", sources.iter().flat_map(purity::manners).collect());
}

#[test]
fn nothing_is_unfinished_or_skipped() {
    none("code is whole and tests run", Tree::here().rust("").iter().flat_map(purity::unfinished).collect());
}

#[test]
fn names_are_those_of_the_vocabulary() {
    let tree = Tree::here();
    none("no get_, no drawer of odds and ends", tree.rust("").iter().flat_map(prose::odd_names).collect());
}

#[test]
fn no_file_names_a_foreign_host_or_somebodys_machine() {
    let tree = Tree::here();
    let texts =
        tree.paths.iter().filter(|path| !path.contains("/corpus/")).filter_map(|path| Some((path, tree.text(path)?)));
    none("links lead to known hosts", texts.flat_map(|(path, text)| prose::foreign_places(path, &text)).collect());
}

#[test]
fn everything_that_ships_is_permissive() {
    let root = Tree::here().root().to_owned();
    let metadata = metadata(&root);
    assert!(licences::shipped(&metadata).len() > 20, "the metadata lists what ships");
    none("what ships may be shipped", licences::unfit(&metadata));
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root.join(name).is_file(), "{name} is missing");
    }
}

#[test]
fn the_declared_rust_is_what_is_needed_and_no_more() {
    let tree = Tree::here();
    let metadata = metadata(tree.root());
    let mut findings = Vec::new();
    for name in ["underpass-core", "underpass-c", "underpass-gateway", "underpass-linux"] {
        let (declared, needed) = (declared(&metadata, name), needed(&metadata, name));
        if declared != Some(needed.0) {
            findings.push(format!("{name} declares {declared:?}, and {} needs {}", needed.1, needed.0));
        }
    }
    // The rest is built for tests: it may declare more than it needs, but not less.
    for package in ["sim", "interop", "house", "budget", "fuzz"].map(|name| format!("underpass-{name}")) {
        let needed = needed(&metadata, &package);
        if declared(&metadata, &package).is_none_or(|declared| declared < needed.0) {
            findings.push(format!("{package} declares too little: {} needs {}", needed.1, needed.0));
        }
    }
    let built = |source: &&Source| !source.path.starts_with("bench/");
    findings.extend(tree.rust("").iter().filter(built).flat_map(newer_language));
    none("rust-version is what the code and its dependencies ask for", findings);
}

#[test]
fn where_the_needed_rust_is_written_it_is_the_declared_one() {
    let tree = Tree::here();
    let metadata = metadata(tree.root());
    let library = declared(&metadata, "underpass-c").expect("the C library declares its Rust");
    let program = declared(&metadata, "underpass-linux").expect("the Linux host declares its Rust");
    let wanted = [
        ("README.md", format!("Rust {program} or newer is needed")),
        ("docs/c-guide.md", format!("Rust {library} or newer")),
        ("bindings/c/packaging/debian/control", format!("cargo (>= {library}), rustc (>= {library})")),
        ("bindings/c/packaging/openwrt/underpass/Makefile", format!("Rust {library}")),
        ("bindings/c/packaging/buildroot/underpass/underpass.mk", format!("Rust {library}")),
        ("Cargo.toml", "incompatible_msrv = \"warn\"".to_owned()),
    ];
    let missing = wanted.iter().filter(|(path, words)| !tree.text(path).is_some_and(|text| text.contains(words)));
    none(
        "documents and recipes name the Rust that is needed",
        missing.map(|(path, words)| format!("{path}: {words}")).collect(),
    );
}

/// What cargo knows of the packages built here, without asking the network.
fn metadata(root: &Path) -> serde_json::Value {
    let target = Command::new("rustc").args(["--print", "host-tuple"]).output().expect("rustc runs");
    let target = String::from_utf8(target.stdout).expect("a target is text");
    let listed = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", target.trim()])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(listed.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&listed.stderr));
    serde_json::from_slice(&listed.stdout).expect("cargo prints JSON")
}
