//! The header as it is committed, held against what the sources make of it. With `UNDERPASS_REWRITE=1` it is written anew.
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(here("cbindgen.toml")).expect("cbindgen.toml is sound");
    let made = cbindgen::Builder::new()
        .with_config(config)
        .with_src(here("../feed/src/facts.rs"))
        .with_src(here("src/door.rs"))
        .generate()
        .expect("the sources make a header");
    let mut text = Vec::new();
    made.write(&mut text);
    String::from_utf8(text).expect("a header is text")
}

#[test]
fn the_committed_header_is_what_the_sources_make() {
    let (path, made) = (here("include/underpass_feed.h"), generated());
    if std::env::var_os("UNDERPASS_REWRITE").is_some() {
        fs::write(&path, &made).expect("the header can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "run UNDERPASS_REWRITE=1 cargo test -p underpass-swift --test header");
    assert!(made.contains("#define UNDERPASS_FEED_LONGS 16"), "the places of the facts are in it");
}

#[test]
fn lesson_25_the_header_compiles_by_itself_as_c_and_cpp() {
    for (compiler, standard) in [("cc", "-std=c99"), ("c++", "-std=c++17")] {
        let said = Command::new(compiler)
            .args([standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-include"])
            .arg(here("include/underpass_feed.h"))
            .args(["-x", if compiler == "cc" { "c" } else { "c++" }, "/dev/null"])
            .output()
            .expect("there is a compiler");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}
