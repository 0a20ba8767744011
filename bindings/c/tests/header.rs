//! The header as it is committed, held against what the sources make of it. With `UNDERPASS_REWRITE=1` it is written anew.
use std::fs;
use std::path::PathBuf;

const REWRITE: &str = "UNDERPASS_REWRITE";

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The header that the sources make.
fn generated() -> String {
    let config = cbindgen::Config::from_file(here("cbindgen.toml")).expect("cbindgen.toml is sound");
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(here("src/lib.rs"))
        .generate()
        .expect("the sources make a header");
    let mut text = Vec::new();
    bindings.write(&mut text);
    tidy(&String::from_utf8(text).expect("a header is text"))
}

/// Comments of one line on one line, numbers as C wants them, and related constants side by side.
fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.as_slice() {
            [.., open, said] if open.trim() == "/**" && line.trim() == "*/" => {
                let comment = format!("{open} {} */", said.trim().trim_start_matches("* "));
                lines.truncate(lines.len() - 2);
                lines.push(comment);
            }
            _ => lines.push(number(line)),
        }
    }
    let mut tidied = String::new();
    for (at, line) in lines.iter().enumerate() {
        let family = |at: Option<usize>| at.and_then(|at| lines.get(at)).and_then(|line| family(line));
        let between = line.is_empty() && family(at.checked_sub(1)).is_some_and(|is| Some(is) == family(Some(at + 2)));
        if !between {
            tidied.push_str(line);
            tidied.push('\n');
        }
    }
    tidied
}

/// A constant that is not negative is unsigned, but for those that are compared with an `int32_t`.
fn number(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let ["#define", name, value] = words.as_slice() else { return line.to_owned() };
    let signed = ["UNDERPASS_OK", "UNDERPASS_NOTHING", "UNDERPASS_VERDICT_", "UNDERPASS_VERSION_"];
    let is_signed = signed.iter().any(|prefix| name.starts_with(prefix));
    match value.parse::<i64>() {
        Ok(negative) if negative < 0 => format!("#define {name} ({value})"),
        Ok(_) if !is_signed => format!("#define {name} {value}u"),
        _ => line.to_owned(),
    }
}

/// `UNDERPASS_DROP` of `#define UNDERPASS_DROP_NO_ROOM 18`.
fn family(line: &str) -> Option<&str> {
    let name = line.strip_prefix("#define ")?.split(' ').next()?;
    name.match_indices('_').nth(1).map(|(at, _)| &name[..at])
}

#[test]
fn the_header_is_what_the_sources_make() {
    let (path, made) = (here("../../include/underpass.h"), generated());
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, &made).expect("the header is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "include/underpass.h is not what bindings/c/src makes: set {REWRITE}=1 and run this again"
    );
}
