//! Keys in files of their own: one line of base64, that nobody but the owner can read.
use anyhow::{anyhow, bail};
use nix::unistd::geteuid;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use underpass_core::{PresharedKey, PrivateKey, PublicKey};
use underpass_gateway::settings::Settings;
use zeroize::Zeroizing;

/// A key file is not longer, in bytes.
const LONGEST: usize = 256;

/// The private key in the file at `path`.
///
/// # Errors
/// It cannot be read, others can, or there is no key in it.
pub fn private_key(path: &Path) -> anyhow::Result<PrivateKey> {
    let text = read_private(path)?;
    PrivateKey::from_base64(text.trim_end()).map_err(|_| no_key(path))
}

/// The preshared keys of all sites that have one, by the sites' public keys.
///
/// # Errors
/// As [`private_key`].
pub fn preshared(settings: &Settings) -> anyhow::Result<BTreeMap<PublicKey, PresharedKey>> {
    let mut keys = BTreeMap::new();
    for site in &settings.sites {
        if let Some(path) = &site.preshared_key_file {
            let text = read_private(path)?;
            let key = PresharedKey::from_base64(text.trim_end()).map_err(|_| no_key(path))?;
            keys.insert(site.public_key, key);
        }
    }
    Ok(keys)
}

/// What is wrong is said without a byte of the file.
fn no_key(path: &Path) -> anyhow::Error {
    anyhow!("{}: there is no key in it: a key is 44 characters of base64", path.display())
}

/// The text of a file that belongs to whoever runs this, or to root, and that nobody else has access to.
///
/// # Errors
/// It cannot be read, or others have access to it.
pub fn read_private(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let failed = |error| anyhow!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        bail!("{}: it is no file", path.display());
    }
    if found.uid() != 0 && found.uid() != geteuid().as_raw() {
        bail!("{}: it belongs to another user", path.display());
    }
    if found.mode() & 0o077 != 0 {
        let mode = found.mode() & 0o777;
        bail!("{}: others have access to it (mode {mode:04o}); try `chmod 600`", path.display());
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    file.take(LONGEST as u64).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const KEY: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";

    #[test]
    fn a_key_is_read_if_nobody_else_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, format!("{KEY}\n")).expect("writes");
        for (mode, is_read) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
            match private_key(&path) {
                Ok(key) => assert!(is_read && *key.to_base64() == *KEY, "{mode:o}"),
                Err(error) => {
                    assert!(!is_read && error.to_string().contains("others have access"), "{mode:o}: {error}")
                }
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        for text in ["", &KEY[..43], &KEY.repeat(9), "dwdt\n"] {
            fs::write(&path, text).expect("writes");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
            let error = private_key(&path).expect_err("refused").to_string();
            assert!(error.contains("there is no key in it") && !error.contains("dwdt"), "{error}");
        }
        assert!(private_key(folder.path()).expect_err("refused").to_string().contains("it is no file"));
        assert!(private_key(&folder.path().join("none")).is_err());
    }
}
