//! Finds and reads a configuration file.
use anyhow::{anyhow, bail};
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use underpass_core::config::settings::{Setting, find};
use zeroize::Zeroizing;

/// Where configurations are found by the name of their interface.
pub const DIRECTORY: &str = "/etc/wireguard";
/// The longest name of an interface: IFNAMSIZ less the terminating zero.
const LONGEST_NAME: usize = 15;
/// No configuration is larger: a million peers take less.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// A configuration file, read.
#[derive(Debug)]
pub struct ConfigFile {
    /// The interface it configures: its own name without `.conf`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What is in it; wiped on drop.
    pub text: Zeroizing<String>,
    /// Whether other users may read or change it.
    pub is_exposed: bool,
}

impl ConfigFile {
    /// Reads the file that `what` names: the name of an interface, for /etc/wireguard/NAME.conf, or a path.
    ///
    /// # Errors
    /// There is no such file, it cannot be read, or its name is no interface's.
    pub fn read(what: &str) -> anyhow::Result<Self> {
        let path = path_of(what);
        let name = interface_of(&path).map_err(|fault| anyhow!("{fault}{}", hint(what, &path)))?;
        let text = read_text(&path).map_err(|fault| anyhow!("{fault}{}", hint(what, &path)))?;
        let path = path.canonicalize().map_err(|error| anyhow!("{}: {error}", path.display()))?;
        let mode = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.mode());
        let is_exposed = mode(&path) & path.parent().map_or(0o7, mode) & 0o7 != 0;
        Ok(Self { name, path, text, is_exposed })
    }
}

/// The interface that `what` names: itself, or by the path of its configuration. Nothing is read.
///
/// # Errors
/// It is no interface's name, nor that of a file for one.
pub fn name_of(what: &str) -> anyhow::Result<String> {
    interface_of(&path_of(what))
}

fn path_of(what: &str) -> PathBuf {
    if is_interface_name(what) { Path::new(DIRECTORY).join(format!("{what}.conf")) } else { what.into() }
}

/// Reads the text at `path`.
///
/// # Errors
/// It cannot be read or is no text.
pub fn read_text(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let failed = |error| anyhow!("cannot read {}: {error}", path.display());
    let file = fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len().min(LARGEST);
    read_all(file, usize::try_from(length).unwrap_or(0))
        .map_err(|fault| anyhow!("cannot read {}: {fault}", path.display()))
}

/// Reads `input`, of which about `length` bytes are expected, to its end. In comments any bytes may stand.
///
/// # Errors
/// It cannot be read, or is no text: where it is not, is said.
pub fn read_all(input: impl Read, length: usize) -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    input.take(LARGEST).read_to_end(&mut bytes)?;
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(other) => without_foreign_comments(&Zeroizing::new(other.into_bytes())),
    }
}

/// The text of which some bytes are not UTF-8, with question marks in their places.
fn without_foreign_comments(bytes: &[u8]) -> anyhow::Result<Zeroizing<String>> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        bail!("it is in UTF-16: save it as UTF-8");
    }
    // A byte becomes three at most: it does not grow, which would leave copies of keys behind.
    let mut text = Zeroizing::new(String::with_capacity(3 * bytes.len()));
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(fault) => {
                let good = String::from_utf8_lossy(&line[..fault.valid_up_to()]);
                if !is_comment(&good) {
                    let column = good.trim_start_matches('\u{feff}').chars().count() + 1;
                    bail!("line {}, column {column}: what stands there is not UTF-8", number + 1);
                }
                text.push_str(&String::from_utf8_lossy(line));
            }
        }
    }
    Ok(text)
}

/// Whether what follows `start` in its line is a comment. In a command, `#` is the shell's to understand.
fn is_comment(start: &str) -> bool {
    let command = [Setting::PreUp, Setting::PostUp, Setting::PreDown, Setting::PostDown];
    let is_command = |(key, _): (&str, &str)| find(key.trim()).is_some_and(|row| command.contains(&row.setting));
    start.split_once('#').is_some_and(|(said, _)| !said.split_once('=').is_some_and(is_command))
}

/// What may have been meant where there is no file at `path`, which `what` stands for.
fn hint(what: &str, path: &Path) -> String {
    let Some(name) = what.strip_suffix(".conf").filter(|_| !path.exists()) else { return String::new() };
    let installed = Path::new(DIRECTORY).join(what);
    match (Path::new(what).exists(), is_interface_name(name) && installed.exists()) {
        (true, _) if !what.contains('/') => format!("; for the file in this directory: ./{what}"),
        (_, true) => format!("; for {}: {name}", installed.display()),
        _ if !what.contains('/') => format!("; a name stands for {DIRECTORY}/NAME.conf, a path has a `/` in it"),
        _ => String::new(),
    }
}

/// The interface that the file at `path` configures.
fn interface_of(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|file| file.to_str()).and_then(|file| file.strip_suffix(".conf"));
    match name.filter(|name| is_interface_name(name)) {
        Some(name) => Ok(name.into()),
        None => bail!(
            "{} does not name an interface: it must be IFNAME.conf, IFNAME being 1 to {LONGEST_NAME} of a-z, A-Z, 0-9 and _=+.-",
            path.display()
        ),
    }
}

/// Whether Linux takes `name` for an interface, and wg-quick(8) for the name of a file.
#[must_use]
pub fn is_interface_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_=+.-".contains(&byte);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(letter) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_names_the_interface() {
        for (path, name) in [("/etc/wireguard/wg0.conf", "wg0"), ("a.b=c+d-e_f.conf", "a.b=c+d-e_f"), ("./x.conf", "x")]
        {
            assert_eq!(interface_of(Path::new(path)).expect(path), name);
        }
        for path in ["wg0", "/tmp/.conf", "/tmp/sixteen-letters-.conf", "/tmp/a b.conf", "/", "...conf"] {
            let message = interface_of(Path::new(path)).expect_err(path).to_string();
            assert!(message.contains("does not name an interface"), "{message}");
        }
    }

    #[test]
    fn an_exposed_file_is_noticed() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("wg0.conf");
        fs::write(&path, "[Interface]\n").expect("writes");
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
        for (file, parent, exposed) in [(0o600, 0o755, false), (0o644, 0o700, false), (0o644, 0o755, true)] {
            set(&path, file);
            set(directory.path(), parent);
            let read = ConfigFile::read(path.to_str().expect("text")).expect("reads");
            assert_eq!((read.name.as_str(), read.is_exposed, read.text.as_str()), ("wg0", exposed, "[Interface]\n"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let message = ConfigFile::read("underpass-none").expect_err("missing").to_string();
        assert!(message.contains("/etc/wireguard/underpass-none.conf"), "{message}");
        let message = ConfigFile::read("none.conf").expect_err("missing").to_string();
        assert!(message.ends_with("; a name stands for /etc/wireguard/NAME.conf, a path has a `/` in it"), "{message}");
    }

    #[test]
    fn comments_may_hold_any_bytes() {
        let latin = b"# caf\xe9\n[Interface]\nMTU = 1400 # gr\xfc\xdfe\n";
        let text = read_all(&latin[..], 0).expect("comments");
        assert_eq!(text.as_str(), "# caf\u{fffd}\n[Interface]\nMTU = 1400 # gr\u{fffd}\u{fffd}e\n");
        let rows: [(&[u8], &str); 6] = [
            (b"\xff", "line 1, column 1: what stands there is not UTF-8"),
            (b"a\n\xc3\xa9 = \xe9 # x\n", "line 2, column 5: what stands there is not UTF-8"),
            (b"\xef\xbb\xbfab\xe9", "line 1, column 3: what stands there is not UTF-8"),
            (b"PostUp = echo '#\xe9'\n", "line 1, column 17: what stands there is not UTF-8"),
            (b"\xff\xfe[\0I\0", "it is in UTF-16: save it as UTF-8"),
            (b"\xfe\xff\0[\0I", "it is in UTF-16: save it as UTF-8"),
        ];
        for (bytes, message) in rows {
            assert_eq!(read_all(bytes, 0).expect_err(message).to_string(), message);
        }
    }
}
