//! Runs programs on this machine.
use super::invocation::Invocation;
use super::mask;
use super::process;
use super::step::Family;
use crate::notify;
use anyhow::{anyhow, bail};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Whether the check of the reverse path sees the marks of packets. Where nothing is checked strictly, it may say no.
pub(super) const SEEN_MARK: &str = "net/ipv4/conf/all/src_valid_mark";
/// What is set of interfaces.
const PATHS: &str = "/proc/sys/net/ipv4/conf";

/// Where system programs are, should PATH lack it.
const SYSTEM_DIRECTORIES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/bin"];

/// How long a command of the configuration may have ended before that is noticed.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Where `program` is.
#[must_use]
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_DIRECTORIES.map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}

fn command(program: &str) -> anyhow::Result<Command> {
    let path = find_program(program).ok_or_else(|| anyhow!("the program `{program}` is missing"))?;
    let mut command = Command::new(path);
    command.env("LC_ALL", "C");
    Ok(command)
}

/// What `program` writes to standard output, or `None` when it fails.
#[must_use]
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(program).ok()?.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `invocation` and waits for it.
///
/// # Errors
/// It could not be run or failed; what it wrote is in the message.
pub fn run(invocation: &Invocation) -> anyhow::Result<()> {
    let shown = [invocation.program.to_owned()].into_iter().chain(invocation.arguments.iter().cloned());
    let shown = shown.collect::<Vec<_>>().join(" ");
    let mut command = command(invocation.program)?;
    let stdin = if invocation.input.is_some() { Stdio::piped() } else { Stdio::null() };
    let child = command.args(&invocation.arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| anyhow!("`{shown}` cannot be run: {error}"))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), &invocation.input) {
        // A program that does not read to the end says why below.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| anyhow!("`{shown}` got lost: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    match said.trim() {
        "" => bail!("`{shown}` failed ({})", output.status),
        said => bail!("`{shown}` failed: {said}"),
    }
}

/// Runs a command of the configuration by bash, as wg-quick(8) does: it ends at the first part that fails, also within a
/// pipe, and has `variables` in its environment. Where there is no bash it is run by sh, without an eye for pipes. Once
/// `interrupted` turns true it is ended.
///
/// # Errors
/// It could not be run or failed.
pub fn shell(script: &str, variables: &[(&str, &OsStr)], interrupted: &AtomicBool) -> anyhow::Result<()> {
    const BASH: &[&str] = &["-O", "extglob", "-e", "-o", "pipefail", "-c"];
    let (shell, options) =
        find_program("bash").map_or_else(|| (PathBuf::from("/bin/sh"), &["-e", "-c"][..]), |bash| (bash, BASH));
    let was_interrupted = interrupted.load(Ordering::Relaxed);
    let mut child = Command::new(&shell)
        .args(options)
        .arg(script)
        .env("LC_ALL", "C")
        .envs(variables.iter().copied())
        .env_remove(notify::VARIABLE)
        .spawn()
        .map_err(|error| anyhow!("{} cannot be run: {error}", shell.display()))?;
    let mut pause = Duration::from_millis(1);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if !was_interrupted && interrupted.load(Ordering::Relaxed) {
            process::kill_family(child.id());
            child.wait()?;
            bail!("interrupted during: {}", mask::command(script));
        }
        thread::sleep(pause);
        pause = LONGEST_PAUSE.min(pause * 2);
    };
    match status.success() {
        true => Ok(()),
        false => bail!("a command of the configuration failed ({status}): {}", mask::command(script)),
    }
}

/// Deletes the routing rules of the form `selector` whose priorities `find` picks from the list of rules.
///
/// # Errors
/// The list cannot be had, or a rule cannot be deleted; that none is there is no error.
pub fn delete_rules(family: Family, selector: &str, find: impl FnOnce(&str) -> Vec<u32>) -> anyhow::Result<()> {
    let family = family.option();
    let listing = output("ip", &[family, "rule", "show"]).ok_or_else(|| anyhow!("`ip {family} rule show` failed"))?;
    for priority in find(&listing) {
        run(&Invocation::new("ip", &format!("{family} rule delete priority {priority} {selector}")))?;
    }
    Ok(())
}

/// Writes `value` to the setting of the kernel at `path` below /proc/sys, if it is not there already.
///
/// # Errors
/// It cannot be written.
pub fn set(path: &str, value: &str) -> anyhow::Result<()> {
    let file = Path::new("/proc/sys").join(path);
    // What is right already need not be written: in a container it often cannot be.
    if fs::read_to_string(&file).is_ok_and(|now| now.trim_end() == value) {
        return Ok(());
    }
    match fs::write(&file, value) {
        Err(error) if path == SEEN_MARK && !is_strict(Path::new(PATHS)) => {
            tracing::debug!("{} stays as it is, and nobody looks at it: {error}", file.display());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            let key = path.replace('/', ".");
            bail!("cannot write {}: {error}; have the container started with `--sysctl {key}={value}`", file.display())
        }
        outcome => outcome.map_err(|error| anyhow!("cannot write {}: {error}", file.display())),
    }
}

/// Whether the kernel drops what came by an interface by which it would not send the answer (`rp_filter` of 1, RFC 3704): the
/// greater counts of what `folder` says of an interface, and of all.
fn is_strict(folder: &Path) -> bool {
    let of = |interface: PathBuf| -> u32 {
        fs::read_to_string(interface.join("rp_filter"))
            .ok()
            .and_then(|value| value.trim_end().parse().ok())
            .unwrap_or(0)
    };
    let all = of(folder.join("all"));
    let interfaces = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| entry.file_name() != "all");
    interfaces.map(|entry| of(entry.path()).max(all)).any(|value| value == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_says_why() {
        let missing = run(&Invocation::new("underpass-no-such-program", "")).expect_err("missing").to_string();
        assert_eq!(missing, "the program `underpass-no-such-program` is missing");
        let failed = run(&Invocation::new("ls", "/underpass/no/such/file")).expect_err("fails").to_string();
        assert!(
            failed.starts_with("`ls /underpass/no/such/file` failed: ") && failed.contains("No such file"),
            "{failed}"
        );
        assert_eq!(
            run(&Invocation::new("false", "")).expect_err("fails").to_string(),
            "`false` failed (exit status: 1)"
        );
        assert!(run(&Invocation::new("grep", "-q b").reading("a\nb\n".into())).is_ok());
        assert!(run(&Invocation::new("grep", "-q c").reading("a\nb\n".into())).is_err());
    }

    #[test]
    fn the_reverse_path_is_strict_where_the_greater_of_two_settings_is_one() {
        let table =
            [(1, 0, 0, false), (2, 1, 0, true), (3, 0, 1, true), (4, 2, 1, false), (5, 1, 2, false), (6, 2, 2, false)];
        for (number, all, own, strict) in table {
            let root = tempfile::tempdir().expect("temporary directory");
            for (interface, value) in [("all", all), ("eth0", own)] {
                fs::create_dir(root.path().join(interface)).expect("folder");
                fs::write(root.path().join(interface).join("rp_filter"), format!("{value}\n")).expect("writes");
            }
            assert_eq!(is_strict(root.path()), strict, "case {number}");
        }
        assert!(!is_strict(Path::new("/underpass/no/such/folder")));
    }

    #[test]
    fn output_is_of_success_only() {
        assert_eq!(output("echo", &["a b"]).as_deref(), Some("a b\n"));
        assert_eq!(output("false", &[]), None);
    }
}
