//! What the one library for Kotlin and Java exports: the door of JNI, and what the generated control plane calls.
use std::collections::BTreeSet;
use std::process::Command;

/// What uniffi puts beside its functions for its generator to read.
const DESCRIPTIONS: &str = "UNIFFI_META_";
/// Sums that only Kotlin asks for.
const SUMS: &str = "uniffi_underpass_uniffi_checksum_";

/// The names that the library exports, which cargo builds beside these tests.
fn exported() -> BTreeSet<String> {
    let test = std::env::current_exe().expect("a test knows where it is");
    let library = test.with_file_name("libunderpass_jni.so");
    let listed = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output().expect("nm is there");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).expect("symbols are text");
    let names = listed.lines().filter_map(|line| line.rsplit(' ').next());
    names.filter(|name| !name.starts_with(DESCRIPTIONS)).map(str::to_owned).collect()
}

/// The functions that the committed header of the control plane declares.
fn declared() -> BTreeSet<String> {
    let header = include_str!("../../uniffi/generated/swift/UnderpassFFI.h");
    let words = header.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(');
    let names = words.filter_map(|word| word.split_once('(').map(|(name, _)| name));
    let own =
        |name: &&str| ["uniffi_underpass_uniffi_", "ffi_underpass_uniffi_"].iter().any(|own| name.starts_with(own));
    names.filter(own).map(str::to_owned).collect()
}

#[test]
fn lesson_25_the_library_has_both_doors_and_no_other() {
    let (exported, declared) = (exported(), declared());
    assert!(declared.len() > 200, "the header has the functions of the control plane");
    let missing: Vec<_> = declared.difference(&exported).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let more: Vec<_> = exported.difference(&declared).filter(|name| !name.starts_with(SUMS)).collect();
    assert_eq!(more, ["JNI_OnLoad"]);
}
