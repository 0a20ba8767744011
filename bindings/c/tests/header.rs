//! The header as it is committed, held against what the sources make of it. With `UNDERPASS_REWRITE=1` it is written anew.
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const REWRITE: &str = "UNDERPASS_REWRITE";
/// Characters of a line.
const WIDTH: usize = 120;

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

/// Comments of one line on one line, declarations across the page, numbers as C wants them, and related constants side by
/// side.
fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut declared = String::new();
    for line in text.lines() {
        if !declared.is_empty() || line.starts_with("UNDERPASS_API") {
            declared = format!("{declared} {}", line.trim());
            if line.ends_with(");") {
                lines.push(declaration(&nullable(&checked(&untagged(std::mem::take(&mut declared).trim())))));
            }
            continue;
        }
        match lines.as_slice() {
            // A comment begins and ends in the lines of its text.
            [.., open] if open.trim() == "/**" => {
                let opened = format!("{open} {}", line.trim().trim_start_matches("* "));
                lines.pop();
                lines.push(opened);
            }
            [.., said] if line.trim() == "*/" && said.len() + 3 <= WIDTH => {
                let closed = format!("{said} */");
                lines.pop();
                lines.push(closed);
            }
            _ => lines.push(number(&nullable_field(&untagged(line)))),
        }
    }
    // Every C has these comments.
    for line in &mut lines {
        if let Some((code, said)) = line.split_once("  // ").or_else(|| line.split_once(" // ")) {
            *line = format!("{code} /* {said} */");
        }
    }
    let includes = lines.iter().rposition(|line| line.starts_with("#include")).expect("there are includes");
    lines.insert(includes + 1, String::new());
    let mut tidied = String::new();
    for (at, line) in lines.iter().enumerate() {
        let family = |at: Option<usize>| at.and_then(|at| lines.get(at)).and_then(|line| family(line));
        let between = line.is_empty() && family(at.checked_sub(1)).is_some_and(|is| Some(is) == family(Some(at + 2)));
        if !between {
            tidied.push_str(line);
            tidied.push('\n');
        }
    }
    beside(&tidied).replace("\n#endif  /* UNDERPASS_H */", "\nUNDERPASS_NONNULL_END\n\n#endif /* UNDERPASS_H */")
}

/// What is said of a constant or a field in one line stands behind it, where there is room.
fn beside(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let said = lines.last().map(|last| last.trim()).filter(|last| last.starts_with("/** ") && last.ends_with("*/"));
        let is_short = line.starts_with("#define ") || line.starts_with("    ") && line.ends_with(';');
        let joined = said.map(|said| format!("{line} /**<{}", said.trim_start_matches("/**")));
        match joined.filter(|joined| is_short && joined.len() <= WIDTH) {
            Some(joined) => {
                lines.pop();
                lines.push(joined);
            }
            None => lines.push(line.to_owned()),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A function whose status is to be looked at: each that has one, but those that release, after which there is nothing to do.
fn checked(text: &str) -> String {
    let releases = ["_free(", "_discard("].iter().any(|end| text.contains(end));
    if releases { text.to_owned() } else { text.replacen("UNDERPASS_API int32_t", "UNDERPASS_STATUS", 1) }
}

/// Parameters that are measured by a len or cap: they may be NULL when that is 0.
const MEMORY: [&str; 10] =
    ["allowed_ips", "changes", "counts", "host", "jobs", "memory", "peers", "slots", "sockaddr", "text"];
/// Parameters that may be NULL besides. tests/c/nulls.c holds the library to it.
const NULLABLE: [(&str, &str); 7] = [
    ("underpass_config_free", "config"),
    ("underpass_tunnel_free", "tunnel"),
    ("underpass_tunnel_new", "options"),
    ("underpass_tunnel_new_from_config", "options"),
    ("underpass_tunnel_configure_peers", "peers"),
    ("underpass_tunnel_set_private_key", "private_key"),
    ("underpass_entropy", "data"),
];
/// Fields that are never NULL. The others may be, for callers begin with zeros.
const NEVER_NULL: [&str; 4] = ["section", "key", "reason", "table_name"];

/// Marks the parameters of a function, or of a pointer to one, that may be NULL.
fn nullable(text: &str) -> String {
    let (head, parameters) = text.rsplit_once('(').expect("a function has parameters");
    let function = head.trim_end_matches(')').rsplit([' ', '*']).next().unwrap_or_default();
    let marked = parameters.split_inclusive(", ").map(|parameter| {
        let Some((kind, name)) = parameter.rsplit_once('*') else { return parameter.to_owned() };
        let name_alone = name.trim_end_matches([',', ' ', ')', ';']);
        let has_length =
            MEMORY.contains(&name_alone) && ["size_t len", "size_t cap"].iter().any(|len| parameters.contains(len));
        // The place for a handle holds none before.
        match kind.strip_suffix('*') {
            Some(kind) => format!("{kind}*UNDERPASS_NULLABLE *UNDERPASS_NONNULL {name}"),
            None if has_length || NULLABLE.contains(&(function, name_alone)) => {
                format!("{kind}*UNDERPASS_NULLABLE {name}")
            }
            None => parameter.to_owned(),
        }
    });
    format!("{head}({}", marked.collect::<String>())
}

/// Marks a field that may be NULL.
fn nullable_field(line: &str) -> String {
    let name = line.trim_end_matches(';').rsplit(['*', ' ']).next().unwrap_or_default();
    let is_pointer = line.starts_with("    ") && line.ends_with(';') && !NEVER_NULL.contains(&name);
    match line.rsplit_once('*') {
        Some((kind, _)) if is_pointer => format!("{kind}*UNDERPASS_NULLABLE {name};"),
        None if is_pointer && name == "entropy" => line.replace(" entropy;", " UNDERPASS_NULLABLE entropy;"),
        _ if line.starts_with("typedef") && line.ends_with(");") => nullable(line),
        _ => line.to_owned(),
    }
}

/// A declaration in lines of a page's width, broken between parameters.
fn declaration(text: &str) -> String {
    let mut lines = vec![String::new()];
    for parameter in text.split_inclusive(", ") {
        let line = lines.last_mut().expect("there is a first line");
        if line.len() + parameter.trim_end().len() <= WIDTH {
            line.push_str(parameter);
        } else {
            *line = line.trim_end().to_owned();
            lines.push(format!("    {parameter}"));
        }
    }
    lines.join("\n")
}

/// Types by their names alone, where they are not declared.
fn untagged(line: &str) -> String {
    if line.starts_with("typedef") { line.to_owned() } else { line.replace("struct underpass_", "underpass_") }
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

/// A macro may name one of its parts twice and forget another: with three numbers of which no two are the same, it shows.
#[test]
fn lesson_29_the_version_macro_uses_each_of_its_parts() {
    let program = "\
        #include \"underpass.h\"\n\
        #undef UNDERPASS_VERSION_MAJOR\n#undef UNDERPASS_VERSION_MINOR\n#undef UNDERPASS_VERSION_PATCH\n\
        #define UNDERPASS_VERSION_MAJOR 3\n#define UNDERPASS_VERSION_MINOR 5\n#define UNDERPASS_VERSION_PATCH 7\n\
        #if UNDERPASS_VERSION != 0x03050700\n#error \"parts are mixed up\"\n#endif\n\
        _Static_assert(UNDERPASS_VERSION == 0x03050700, \"parts are mixed up\");\n";
    compiles("version.c", program, &["-std=c11"]);
}

/// What a compiler has in one language and not in the next does not stand in it.
#[test]
fn lesson_25_the_header_is_c99_and_cpp11() {
    let program = "#include \"underpass.h\"\n#include \"underpass.h\"\nint main(void) { return underpass_version() != UNDERPASS_VERSION; }\n";
    compiles("c99.c", program, &["-std=c99"]);
    compiles("cpp11.cpp", program, &["-std=c++11", "-x", "c++"]);
}

/// What a firmware defines is declared with the types that it is defined with, and only for a firmware.
#[test]
fn a_firmware_finds_its_four_functions_declared() {
    let program = "\
        #include \"underpass.h\"\n\
        void *underpass_host_allocate(size_t size, size_t alignment) { return size > alignment ? (void *)1 : (void *)0; }\n\
        void underpass_host_release(void *memory, size_t size, size_t alignment) { (void)memory; (void)size; (void)alignment; }\n\
        int32_t underpass_host_entropy(uint8_t *out, size_t len) { return len > 0 ? out[0] : 1; }\n\
        void underpass_host_panic(const char *message, size_t message_len, const char *file, size_t file_len, uint32_t line)\n\
        { (void)message; (void)message_len; (void)file; (void)file_len; (void)line; for (;;) {} }\n";
    let strict = ["-Wmissing-declarations", "-DUNDERPASS_NO_OS"];
    compiles("firmware.c", program, &[&["-std=c99"], &strict[..]].concat());
    compiles("firmware.cpp", program, &[&["-std=c++11", "-x", "c++"], &strict[..]].concat());
    let without =
        "#include \"underpass.h\"\nstatic int underpass_host_panic;\nint main(void) { return underpass_host_panic; }\n";
    compiles("no_firmware.c", without, &["-std=c99"]);
}

/// Compiles `program` with all warnings as errors.
fn compiles(name: &str, program: &str, options: &[&str]) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join(name);
    fs::write(&source, program).expect("the program is written");
    let compiled = Command::new("cc")
        .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-c", "-o"])
        .arg(source.with_extension("o"))
        .arg("-I")
        .arg(here("../../include"))
        .args(options)
        .arg(&source)
        .output()
        .expect("a C compiler is there: tests/setup.sh");
    assert!(compiled.status.success(), "{name}: {}", String::from_utf8_lossy(&compiled.stderr));
}
