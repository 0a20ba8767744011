//! What the programs of a stage take over of how this process was started: nothing. Nothing here needs root.
use anyhow::{Context, Result, ensure};
use std::process::Command;
use underpass_linux::demo::stage;

/// Set for the process that is started badly.
const BADLY: &str = "UNDERPASS_TEST_STARTED_BADLY";
/// The two signals that the C library keeps to itself, as bits.
const LIBRARY: u64 = 0b11 << 31;
const SIGNALS: &str = "HUP INT QUIT PIPE TERM USR1 CHLD";

/// Starts this very test as badly as a shell can: signals ignored, a strict umask, a stray descriptor, words in the
/// environment that programs listen to.
#[test]
fn a_program_takes_over_nothing() -> Result<()> {
    if std::env::var_os(BADLY).is_some() {
        return takes_over_nothing();
    }
    let badly =
        format!("trap '' {SIGNALS}; umask 077; exec 7</dev/zero; exec \"$0\" --exact a_program_takes_over_nothing");
    let told = Command::new("sh")
        .args(["-c", &badly])
        .arg(std::env::current_exe()?)
        .envs([
            (BADLY, "1"),
            ("LOG_LEVEL", "debug"),
            ("WG_TUN_FD", "7"),
            ("WG_COLOR_MODE", "always"),
            ("LANG", "de_DE"),
        ])
        .output()?;
    let said = [told.stdout, told.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(told.status.success() && said.contains("1 passed"), "{said}");
    Ok(())
}

fn takes_over_nothing() -> Result<()> {
    let own = std::fs::read_to_string("/proc/self/status")?;
    ensure!(ignored(&own)? & 0b111 == 0b111, "the bad start is none: {own}");

    let status = said_by("cat", &["/proc/self/status"])?;
    ensure!(ignored(&status)? & !LIBRARY == 0, "signals are ignored: {status}");
    ensure!(status.contains("SigBlk:\t0000000000000000"), "signals are blocked: {status}");
    ensure!(status.contains("Umask:\t0022"), "{status}");
    let open = said_by("sh", &["-c", "cd /proc/$$/fd; test -e 2 && ! test -e 7 && ! read line && echo clean"])?;
    ensure!(open == "clean\n", "a descriptor is left over, or input comes from somewhere");
    let environment = said_by("env", &[])?;
    let names: Vec<_> = environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    for name in &names {
        ensure!(["PATH", "HOME", "LC_ALL", "TERM"].contains(name), "{environment}");
    }
    let version = said_by(env!("CARGO_BIN_EXE_underpass"), &["--version"])?;
    ensure!(version.starts_with("underpass "), "{version}");
    Ok(())
}

fn said_by(program: &str, arguments: &[&str]) -> Result<String> {
    let output = stage::command(program).args(arguments).output()?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The set of ignored signals: signal `n` is bit `n - 1`.
fn ignored(status: &str) -> Result<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).context("a set of ignored signals")?;
    Ok(u64::from_str_radix(set.trim(), 16)?)
}
