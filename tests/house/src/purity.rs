//! What the core must not do, and where `unsafe` may stand.
use crate::Source;
use crate::source::{Flat, flatten};

/// The one file of the core that asks `std` for something: which instructions the CPU has.
const STD: &[&str] = &["core/src/crypto/fast/dh.rs"];
/// Paths that mean time, randomness, threads or shared state.
const AMBIENT: &[&str] = &["std", "getrandom", "rand", "spin", "once_cell", "atomic", "OsRng", "thread_local"];
/// Files in which `unsafe` is allowed: two ask the kernel what nobody wraps, two prepare what is forked (its namespace, and its signals), one removes a file in a signal handler, one looks at memory that was wiped, one becomes
/// nobody, allocators count, a test forks, datagrams are listed for the kernel, the C interface touches memory of C, the clock of Kotlin and Swift is asked of the system, JNI lends memory of Java and hands over descriptors, Swift lends its own, its fuzz target reads the texts it hands out, and a
/// measurement calls the C interface of another.
const UNSAFE: &[&str] = &[
    "bindings/c/src/handle.rs",
    "bindings/c/src/entropy.rs",
    "bindings/c/src/fork.rs",
    "bindings/c/src/job.rs",
    "bindings/c/src/memory.rs",
    "bindings/c/src/no_os.rs",
    "fuzz/src/c_api/ask.rs",
    "linux/carry/src/udp/many.rs",
    "linux/src/confine/kernel.rs",
    "linux/src/control/abort.rs",
    "linux/src/engine/namespace/kernel.rs",
    "linux/src/demo/stage/machine.rs",
    "linux/src/demo/stage/start.rs",
    "core/tests/crypto_keys.rs",
    "linux/tests/engine.rs",
    "bench/src/heap.rs",
    "bench/src/parties/boringtun_c.rs",
    "bench/src/subjects/engine.rs",
    "core/tests/memory.rs",
    "core/tests/junk.rs",
    "core/tests/out_of_memory.rs",
    "bindings/c/tests/out_of_memory.rs",
    "bindings/feed/src/memory.rs",
    "bindings/jni/src/door.rs",
    "bindings/swift/src/door.rs",
    "bindings/swift/tests/door.rs",
    "bindings/jni/src/pump/door.rs",
    "bindings/uniffi/src/clock.rs",
    "bindings/uniffi/tests/fork.rs",
    "bindings/uniffi/tests/leaks.rs",
    "linux/tests/allocations.rs",
    "tests/sim/tests/allocations.rs",
];
/// Where functions may have the names that other languages call them by: `#[unsafe(no_mangle)]`.
const NAMED: &str = "bindings/";
/// Words for what a library leaves to the program around it.
const RUDE: &[&str] = &[
    "dbg",
    "eprint",
    "eprintln",
    "log",
    "print",
    "println",
    "set_hook",
    "sigaction",
    "spawn",
    "take_hook",
    "thread_local",
    "tracing",
];
/// How the types of changing statics begin.
const STATE: &[&str] = &["Atomic", "Lazy", "Mutex", "Once", "RefCell", "RwLock", "UnsafeCell", "mut"];
/// How many lines above an `unsafe` its SAFETY comment may begin.
const SAFETY_WITHIN: usize = 8;

/// Uses of what the core takes as an argument or does without, outside tests.
#[must_use]
pub fn ambient(source: &Source) -> Vec<String> {
    let tokens = flatten(&source.tokens);
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_path = next_is(&tokens, at, "::") || next_is(&tokens, at, "!");
        let follows_extern = at > 0 && tokens[at - 1].text == "crate";
        let is_ambient = AMBIENT.contains(&token.text.as_str()) && (is_path || follows_extern);
        let is_state = token.text == "static" && tokens.get(at.wrapping_sub(1)).is_none_or(|t| t.text != "'");
        let excused = is_ambient && STD.contains(&source.path.as_str());
        if (is_ambient || is_state) && !excused && !source.is_test_line(token.line) {
            findings.push(format!("{}:{}: `{}` in the core", source.path, token.line, token.text));
        }
    }
    findings
}

/// `unsafe` where it may not stand, or without a SAFETY comment.
#[must_use]
pub fn unsafe_code(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut findings = Vec::new();
    let tokens = flatten(&source.tokens);
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "unsafe") {
        let place = format!("{}:{}", source.path, token.line);
        if is_no_mangle(&tokens[at.saturating_sub(2)..]) {
            if !source.path.starts_with(NAMED) {
                findings.push(format!("{place}: `no_mangle` outside {NAMED}"));
            }
            continue;
        }
        if !UNSAFE.contains(&source.path.as_str()) {
            findings.push(format!("{place}: `unsafe` outside the files of tests/house/src/purity.rs"));
        }
        let above = lines.get(token.line.saturating_sub(SAFETY_WITHIN)..token.line).unwrap_or_default();
        if !above.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety")) {
            findings.push(format!("{place}: `unsafe` without a SAFETY comment"));
        }
    }
    findings
}

/// Whether `#[unsafe(no_mangle)]` begins here: an attribute, no unsafe code.
fn is_no_mangle(tokens: &[Flat]) -> bool {
    let wanted = ["#", "[", "unsafe", "(", "no_mangle", ")", "]"];
    tokens.len() >= wanted.len() && tokens.iter().zip(wanted).all(|(token, wanted)| token.text == wanted)
}

/// What a library must not bring into somebody else's program: state for all of it, threads, hooks, and words of its own.
#[must_use]
pub fn manners(source: &Source) -> Vec<String> {
    let tokens = flatten(&source.tokens);
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| !source.is_test_line(token.line)) {
        let is_rude = RUDE.contains(&token.text.as_str());
        let is_static = token.text == "static" && tokens.get(at.wrapping_sub(1)).is_none_or(|t| t.text != "'");
        let type_of = tokens[at..].iter().take_while(|token| token.text != "=" && is_static);
        let is_state = type_of.clone().any(|token| STATE.iter().any(|state| token.text.starts_with(state)));
        if is_rude || is_state {
            findings.push(format!("{}:{}: `{}` in a library", source.path, token.line, token.text));
        }
    }
    findings
}

/// Threads of the Linux host that start elsewhere than at the door where their end is noticed.
#[must_use]
pub fn unwatched_threads(source: &Source) -> Vec<String> {
    let tokens = flatten(&source.tokens);
    let starts = |at: usize| tokens.get(at).is_some_and(|token| token.text == "Builder" || token.text == "spawn");
    let watched = source.path == "linux/src/watched.rs" || source.path.starts_with("linux/src/demo/");
    tokens
        .iter()
        .enumerate()
        .filter(|(at, token)| token.text == "thread" && next_is(&tokens, *at, "::") && starts(at + 2))
        .filter(|(_, token)| !watched && !source.is_test_line(token.line))
        .map(|(_, token)| format!("{}:{}: a thread that nobody watches", source.path, token.line))
        .collect()
}

/// Inner attributes that must be at the root of the core, or of a room that reads bytes: `promises` are what they hold.
#[must_use]
pub fn missing_promises(root: &Source, promises: &[&str]) -> Vec<String> {
    let has = |wanted: &str| root.file.attrs.iter().any(|attr| written(attr).contains(wanted));
    promises
        .iter()
        .filter(|wanted| !has(wanted))
        .map(|wanted| format!("{}: `#![{wanted}]` is missing", root.path))
        .collect()
}

/// Code that is not finished, and tests that do not run.
#[must_use]
pub fn unfinished(source: &Source) -> Vec<String> {
    let tokens = flatten(&source.tokens);
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_stub = matches!(token.text.as_str(), "todo" | "unimplemented") && next_is(&tokens, at, "!");
        let is_ignored = token.text == "ignore" && at > 1 && tokens[at - 1].text == "[" && tokens[at - 2].text == "#";
        if is_stub || is_ignored {
            findings.push(format!("{}:{}: `{}`", source.path, token.line, token.text));
        }
    }
    findings
}

fn next_is(tokens: &[Flat], at: usize, text: &str) -> bool {
    tokens.get(at + 1).is_some_and(|token| token.text == text)
}

/// An attribute without white space.
fn written(attr: &syn::Attribute) -> String {
    let path = attr.path().get_ident().map(ToString::to_string).unwrap_or_default();
    match &attr.meta {
        syn::Meta::List(list) => format!("{path}({})", list.tokens).replace(char::is_whitespace, ""),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(text: &str) -> Source {
        Source::new("core/src/wire/field.rs", text)
    }

    #[test]
    fn ambient_time_randomness_and_state_are_found() {
        for (text, found) in [
            ("use core::time::Duration;", 0),
            ("use std::time::Instant;", 1),
            ("fn f() { let _ = std::time::SystemTime::now(); }", 1),
            ("fn f() { getrandom::fill(&mut []); }", 1),
            ("extern crate std;", 1),
            ("#[cfg(test)] extern crate std;", 0),
            ("#[cfg(test)] mod tests { use std::vec; }", 0),
            ("static COUNT: u8 = 0;", 1),
            ("fn f(s: &'static str) {}", 0),
            ("use core::sync::atomic::AtomicU8;", 1),
            ("thread_local! { }", 1),
        ] {
            assert_eq!(ambient(&core(text)).len(), found, "{text}");
        }
        assert_eq!(ambient(&Source::new("core/src/wire/tests.rs", "use std::vec;")).len(), 0);
    }

    #[test]
    fn unsafe_code_needs_its_place_and_its_reason() {
        let bare = "fn f() { unsafe { g() } }";
        let commented = "fn f() {\n // SAFETY: g has no conditions.\n unsafe { g() }\n}";
        let named = "#[unsafe(no_mangle)] pub extern \"C\" fn f() {}";
        let hidden = "#[unsafe(link_section = \"x\")] fn f() {}";
        for (path, text, found) in [
            ("core/src/wire/field.rs", bare, 2),
            ("core/src/wire/field.rs", commented, 1),
            ("linux/src/demo/stage/machine.rs", bare, 1),
            ("linux/src/demo/stage/machine.rs", commented, 0),
            ("bindings/c/src/keys.rs", named, 0),
            ("bindings/c/src/keys.rs", hidden, 2),
            ("linux/src/lib.rs", named, 1),
        ] {
            assert_eq!(unsafe_code(&Source::new(path, text)).len(), found, "{path}: {text}");
        }
    }

    #[test]
    fn bad_manners_are_found() {
        for (text, found) in [
            ("static WORD: &[u8] = b\"x\";", 0),
            ("static mut COUNT: u32 = 0;", 1),
            ("static COUNT: AtomicU32 = AtomicU32::new(0);", 1),
            ("struct A { state: AtomicU32 }", 0),
            ("fn f(s: &'static mut u8) {}", 0),
            ("fn f() { std::panic::set_hook(h); }", 1),
            ("fn f() { eprintln!(\"x\"); }", 1),
            ("fn f() { std::thread::spawn(g); }", 1),
            ("#[cfg(test)] mod tests { fn f() { println!(\"x\"); } }", 0),
        ] {
            assert_eq!(manners(&Source::new("bindings/c/src/a.rs", text)).len(), found, "{text}");
        }
    }

    #[test]
    fn threads_that_nobody_watches_are_found() {
        let spawn = "fn f() { std::thread::spawn(g); }";
        let test = "#[cfg(test)] mod tests { fn f() { thread::spawn(g); } }";
        for (path, text, found) in [
            ("linux/src/cli/serve.rs", spawn, 1),
            ("linux/src/cli/serve.rs", "fn f() { thread::Builder::new(); }", 1),
            ("linux/src/cli/serve.rs", "fn f() { thread::sleep(x); }", 0),
            ("linux/src/cli/serve.rs", test, 0),
            ("linux/src/watched.rs", spawn, 0),
            ("linux/src/demo/web.rs", spawn, 0),
        ] {
            assert_eq!(unwatched_threads(&Source::new(path, text)).len(), found, "{path}: {text}");
        }
    }

    #[test]
    fn promises_and_unfinished_code_are_found() {
        let missing = |text: &str, promises: &[&str]| missing_promises(&Source::new("lib.rs", text), promises).len();
        assert_eq!(missing("#![no_std]\n#![forbid(unsafe_code)]", &["no_std", "forbid(unsafe_code)"]), 0);
        assert_eq!(missing("#![deny(unsafe_code)]", &["no_std", "forbid(unsafe_code)"]), 2);
        assert_eq!(missing("#![cfg_attr(not(test), deny(clippy::panic))]", &["clippy::panic"]), 0);
        assert_eq!(missing("// clippy::panic", &["clippy::panic"]), 1);
        for (text, found) in [
            ("fn f() { todo!() }", 1),
            ("fn f() { unimplemented!(\"x\") }", 1),
            ("#[test] #[ignore] fn f() {}", 1),
            ("#[test] #[ignore = \"slow\"] fn f() {}", 1),
            ("fn todo() { ignore(\"todo!\") }", 0),
        ] {
            assert_eq!(unfinished(&core(text)).len(), found, "{text}");
        }
    }
}
