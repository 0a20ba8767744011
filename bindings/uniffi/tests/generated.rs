//! The committed Kotlin and Swift, held against what phones can bear. That they are up to date, `tests/bindgen.sh` says.
use std::fs;
use std::path::Path;

fn generated(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// JNA on some phones passes at most nine words right; one of them is uniffi's own, for the error.
#[test]
fn lesson_29_no_function_takes_more_than_eight_arguments() {
    let header = generated("swift/UnderpassFFI.h").replace('\n', " ");
    let calls: Vec<&str> = header.split(" uniffi_underpass_uniffi_fn_").skip(1).collect();
    assert!(calls.len() > 60, "the header has the functions of the library");
    for call in calls {
        let (name, rest) = call.split_once('(').expect("a function has arguments");
        let arguments = rest.split(')').next().map_or(0, |list| list.split(',').count());
        assert!(arguments <= 9, "{name}: {arguments} with uniffi's own");
    }
}

#[test]
fn no_type_of_time_and_nothing_asynchronous_crosses() {
    let kotlin = generated("kotlin/org/underpass/tunnel/internal/underpass.kt");
    assert!(kotlin.contains("package org.underpass.tunnel.internal"));
    for word in ["java.time", "suspend fun", "rustCallAsync"] {
        assert!(!kotlin.contains(word), "{word}");
    }
    let swift = generated("swift/UnderpassBindings.swift");
    for word in ["TimeInterval", "async throws", "rustCallAsync"] {
        assert!(!swift.contains(word), "{word}");
    }
}
