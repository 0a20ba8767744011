//! /etc/resolv.conf where nobody else writes it, or where who does cannot be told.
//!
//! What is there, be it a file, a link or nothing, is kept beside it under a second name, and comes back by a rename: it is
//! at no time half there, and a loss of power loses nothing. Where that cannot be, for the file is mounted, as in
//! containers, or its folder is read-only, the file is overwritten in place and a copy of it kept in /run. What somebody
//! else wrote in the meantime stays.
use super::find::Resolver;
use super::places::Places;
use super::server::Server;
use super::store::Record;
use anyhow::anyhow;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How what we write begins.
const MARK: &str = "# Written by underpass for ";

/// The first line of the file while `interface` is up.
pub(super) fn header(interface: &str) -> String {
    format!("{MARK}{interface}. `underpass down {interface}` brings back what was here before.\n")
}

/// The name servers in `text`, in the form of resolv.conf(5).
pub(super) fn servers(text: &str) -> Vec<Server> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?.parse().ok()
    };
    text.lines().filter_map(server).collect()
}

/// The file, and where it is kept.
#[derive(Debug)]
pub struct ResolvConf {
    path: PathBuf,
    /// What was there before, under a second name.
    kept: PathBuf,
    /// A copy of what was there before, where it is overwritten in place.
    copy: PathBuf,
    temporary: PathBuf,
}

impl ResolvConf {
    /// The file at `places`.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            path: places.resolv_conf(),
            kept: places.etc.join("resolv.conf.before-underpass"),
            copy: places.own_file("resolv.conf"),
            temporary: places.etc.join(".resolv.conf.underpass"),
        }
    }

    /// What is in it.
    pub(super) fn now(&self) -> String {
        read(&self.path)
    }

    /// What was in it before us, while it is ours.
    pub(super) fn kept(&self) -> Option<String> {
        let kept = if fs::symlink_metadata(&self.kept).is_ok() { &self.kept } else { &self.copy };
        self.writer().map(|_| read(kept))
    }

    /// Whether what was kept is a link, to what somebody else may go on writing.
    pub(super) fn kept_a_link(&self) -> bool {
        self.kept.is_symlink()
    }

    /// Whether whoever reads it asks `servers` alone, or a resolver of this machine.
    #[must_use]
    pub fn asks_only(&self, servers: &[Server]) -> bool {
        let asked = self.servers();
        let is_ours = |asked: &Server| servers.iter().any(|server| server.address == asked.address);
        !asked.is_empty() && asked.iter().all(|server| server.address.is_loopback() || is_ours(server))
    }

    /// Whom whoever reads it asks.
    #[must_use]
    pub fn servers(&self) -> Vec<Server> {
        servers(&self.now())
    }

    /// Puts `text`, which begins with a [`header`], there.
    pub(super) fn put(&self, text: &str) -> anyhow::Result<()> {
        let put = || -> io::Result<()> {
            if self.writer().is_none() {
                self.keep()?;
            }
            self.replace(text.as_bytes())
        };
        put().map_err(|error| self.fault(&error))
    }

    /// Takes back what was put there for `interface`. Of `others`, which want it as well, the first gets it; without them
    /// what was there before comes back.
    pub(super) fn take_back(&self, interface: &str, others: &[Record]) -> anyhow::Result<()> {
        let wants = |resolver: &Resolver| matches!(resolver, Resolver::File | Resolver::Stub);
        let heir = others.iter().find(|record| record.resolvers.iter().any(wants));
        let outcome = match (self.writer(), heir) {
            // Somebody else wrote it since: it is theirs, and what was there before is past.
            (None, _) => self.forget(),
            (Some(writer), Some(heir)) if writer == interface => self.replace(heir.text.as_bytes()),
            // Another tunnel took it over, and will take it back.
            (Some(writer), Some(_)) if others.iter().any(|record| record.interface == writer) => Ok(()),
            (Some(_), Some(heir)) => self.replace(heir.text.as_bytes()),
            (Some(_), None) => self.bring_back(),
        };
        outcome.map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &io::Error) -> anyhow::Error {
        anyhow!("cannot replace {}: {error}", self.path.display())
    }

    /// The interface that it was written for, if by us.
    fn writer(&self) -> Option<String> {
        let text = fs::read(&self.path).ok()?;
        let rest = text.strip_prefix(MARK.as_bytes())?;
        let name = rest.split(|byte| *byte == b' ').next()?;
        Some(String::from_utf8_lossy(name.strip_suffix(b".").unwrap_or(name)).into_owned())
    }

    fn keep(&self) -> io::Result<()> {
        self.forget()?;
        if is_gone(fs::symlink_metadata(&self.path).map(drop)) {
            return Ok(());
        }
        // A link is kept as the link that it is.
        fs::hard_link(&self.path, &self.kept).or_else(|_| {
            let text =
                fs::read(&self.path).or_else(|error| if is_gone_error(&error) { Ok(vec![]) } else { Err(error) })?;
            let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.copy)?;
            copy.write_all(&text)?;
            copy.sync_all()
        })
    }

    /// Lets go of what was kept.
    fn forget(&self) -> io::Result<()> {
        for path in [&self.kept, &self.copy] {
            match fs::remove_file(path) {
                Err(error) if !is_gone_error(&error) && error.kind() != io::ErrorKind::ReadOnlyFilesystem => {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let rename = || -> io::Result<()> {
            let _ = fs::remove_file(&self.temporary);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&self.temporary)?;
            // Everybody reads it, whatever the mask is of who starts us.
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.write_all(text)?;
            file.sync_all()?;
            fs::rename(&self.temporary, &self.path)
        };
        rename().or_else(|error| {
            let _ = fs::remove_file(&self.temporary);
            match error.kind() {
                // Its folder may belong to somebody else: outside of a user namespace, root is nobody.
                io::ErrorKind::ResourceBusy | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    self.overwrite(text)
                }
                _ => Err(error),
            }
        })
    }

    /// Where it is mounted, it cannot be replaced, only written.
    fn overwrite(&self, text: &[u8]) -> io::Result<()> {
        let mut file: File = OpenOptions::new().write(true).open(&self.path)?;
        file.write_all(text)?;
        file.set_len(text.len() as u64)
    }

    fn bring_back(&self) -> io::Result<()> {
        if fs::symlink_metadata(&self.kept).is_ok() {
            return fs::rename(&self.kept, &self.path);
        }
        match fs::read(&self.copy) {
            Ok(text) => {
                self.overwrite(&text)?;
                fs::remove_file(&self.copy)
            }
            Err(error) if is_gone_error(&error) => fs::remove_file(&self.path),
            Err(error) => Err(error),
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn is_gone(outcome: io::Result<()>) -> bool {
    outcome.is_err_and(|error| is_gone_error(&error))
}

fn is_gone_error(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
