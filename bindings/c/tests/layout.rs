//! What the header says of its structs, held against the library by a C compiler; `layout/` makes the program.
#[path = "../layout/mod.rs"]
mod layout;

use std::path::Path;
use std::process::Command;

#[test]
fn structs_lie_in_memory_as_the_header_says() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join("layout.c");
    std::fs::write(&program, layout::program()).expect("the program is written");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-c", "-o"])
        .arg(folder.join("layout.o"))
        .arg("-I")
        .arg(include)
        .arg(&program)
        .output()
        .expect("a C compiler is there: tests/setup.sh");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

/// A copy of a struct copies its padding, in which anything may have been left behind.
#[test]
fn structs_that_are_handed_out_have_no_padding() {
    for layout in layout::layouts().iter().filter(|layout| layout.name != "underpass_slot") {
        let used: usize = layout.fields.iter().map(|(_, _, len)| len).sum();
        assert_eq!(used, layout.size, "{}", layout.name);
    }
}

#[test]
fn structs_that_may_grow_begin_with_their_size() {
    let fixed = ["underpass_ip", "underpass_address", "underpass_path", "underpass_allowed_ip"];
    let placed = ["underpass_slot", "underpass_job"];
    for layout in
        layout::layouts().iter().filter(|layout| !fixed.contains(&layout.name) && !placed.contains(&layout.name))
    {
        assert_eq!(layout.fields.first(), Some(&("size", 0, 4)), "{}", layout.name);
    }
}
