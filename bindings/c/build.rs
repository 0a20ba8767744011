//! Gives the shared library its name for the dynamic linker.

/// The number in it rises when programs that were linked to the one before would break.
const SONAME: &str = "libunderpass.so.0";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    }
}
