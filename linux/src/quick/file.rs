//! Finds and reads a configuration file.
use anyhow::{anyhow, bail};
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
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
        let name = interface_of(&path)?;
        let text = read_text(&path)?;
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

/// Reads `input`, of which about `length` bytes are expected, to its end.
///
/// # Errors
/// It cannot be read or is no text.
pub fn read_all(input: impl Read, length: usize) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(length + 1));
    match input.take(LARGEST).read_to_string(&mut text) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => bail!("it is no text in UTF-8"),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(text),
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

fn is_interface_name(name: &str) -> bool {
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
        assert_eq!(read_all(&b"\xff"[..], 0).expect_err("no text").to_string(), "it is no text in UTF-8");
    }
}
