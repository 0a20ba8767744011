//! What the shared library exports, held against `include/underpass.symbols`. With `UNDERPASS_REWRITE=1` that is written anew.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Entries for tests, which no library that is installed has.
const PROVOKE: &str = "underpass_provoke_";

/// The library that cargo builds beside these tests.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let library = test.with_file_name("libunderpass.so");
    assert!(library.is_file(), "{} is not built", library.display());
    library
}

fn exported() -> String {
    let listed = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().expect("nm is there");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).expect("symbols are text");
    let mut names: Vec<&str> = listed.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    names.retain(|name| !name.starts_with(PROVOKE));
    names.sort_unstable();
    names.iter().map(|name| format!("{name}\n")).collect()
}

#[test]
fn the_library_exports_what_is_committed_and_nothing_else() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/underpass.symbols");
    let exported = exported();
    if std::env::var_os("UNDERPASS_REWRITE").is_some() {
        fs::write(&path, &exported).expect("the list is writable");
    }
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), exported);
}

/// What is in the header is in the library, and the other way round; all begins with `underpass_`.
#[test]
fn lesson_25_the_header_declares_what_the_library_exports() {
    let header = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/underpass.h"))
        .expect("the header is there");
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| line.starts_with("UNDERPASS_API") || line.starts_with("UNDERPASS_STATUS"))
        .filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next())
        .collect();
    declared.sort_unstable();
    let exported = exported();
    assert_eq!(declared, exported.lines().collect::<Vec<_>>());
    assert!(declared.iter().all(|name| name.starts_with("underpass_")));
}
