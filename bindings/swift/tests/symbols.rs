//! What the libraries for Swift have: the functions of both committed headers, and of ours no others.
use std::collections::BTreeSet;
use std::process::Command;

/// What uniffi puts beside its functions for its generator to read.
const DESCRIPTIONS: &str = "UNIFFI_META_";
const OWN: [&str; 3] = ["uniffi_underpass_uniffi_", "ffi_underpass_uniffi_", "underpass_feed_"];

/// The names that a library beside these tests defines for others.
fn defined(library: &str, how: &[&str]) -> BTreeSet<String> {
    let test = std::env::current_exe().expect("a test knows where it is");
    // Cargo puts a static library only where whoever builds looks for it.
    let beside = test.with_file_name(library);
    let library = if beside.exists() { beside } else { test.parent().expect("a folder").with_file_name(library) };
    let listed = Command::new("nm").args(how).arg("--defined-only").arg(&library).output().expect("nm is there");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = listed.lines().filter_map(|line| line.rsplit(' ').next());
    names.filter(|name| !name.starts_with(DESCRIPTIONS)).map(str::to_owned).collect()
}

/// The functions that both headers declare.
fn declared() -> BTreeSet<String> {
    let headers =
        [include_str!("../../uniffi/generated/swift/UnderpassFFI.h"), include_str!("../include/underpass_feed.h")];
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '(';
    let words = headers.iter().flat_map(|header| header.split(|c: char| !is_name(c)));
    let names = words.filter_map(|word| word.split_once('(').map(|(name, _)| name));
    names.filter(|name| OWN.iter().any(|own| name.starts_with(own))).map(str::to_owned).collect()
}

#[test]
fn lesson_25_the_shared_library_has_both_doors_and_no_other() {
    let (exported, declared) = (defined("libunderpass_swift.so", &["-D"]), declared());
    assert!(declared.len() > 200, "the headers have the functions of both doors");
    assert_eq!(declared.iter().filter(|name| name.starts_with("underpass_feed_")).count(), 12);
    let missing: Vec<_> = declared.difference(&exported).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let sums = "uniffi_underpass_uniffi_checksum_";
    let more: Vec<_> = exported.difference(&declared).filter(|name| !name.starts_with(sums)).collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn the_static_library_has_both_doors() {
    let (defined, declared) = (defined("libunderpass_swift.a", &["-g"]), declared());
    let missing: Vec<_> = declared.difference(&defined).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
