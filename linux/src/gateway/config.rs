//! The configuration of a gateway, read from its file.
use crate::quick::file::read_text;
use anyhow::{anyhow, bail};
use nix::unistd::geteuid;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use underpass_gateway::settings::{self, Finding, Read, Settings, Severity};

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where.
    pub path: PathBuf,
    /// What is in the file.
    pub text: String,
    /// What came of it.
    pub read: Read,
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read. A configuration that is wrong is no error here.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = read_text(path)?.as_str().to_owned();
        let read = settings::read(&text);
        Ok(Self { path: path.to_owned(), text, read })
    }

    /// Findings of one kind.
    pub fn findings(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.read.findings.iter().filter(move |finding| finding.severity == severity)
    }
}

/// The settings in the file at `path`.
///
/// # Errors
/// It cannot be read, or something is wrong in it: the first of that is said.
pub fn settings(path: &Path) -> anyhow::Result<Settings> {
    let config = Config::read(path)?;
    let mut errors = config.findings(Severity::Error);
    match (errors.next(), errors.count(), config.read.settings.clone()) {
        (None, _, Some(settings)) => Ok(settings),
        (None, ..) => bail!("{}: there are no settings in it", path.display()),
        (Some(first), 0, _) => bail!("{}: {first}", path.display()),
        (Some(first), more, _) => bail!("{}: {first} (and {more} more: underpass gateway check)", path.display()),
    }
}

/// Refuses a file that others may write to: whoever can decides who gets in.
///
/// # Errors
/// They may, or it cannot be found out.
pub fn is_ours(path: &Path) -> anyhow::Result<()> {
    let found = fs::metadata(path).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    if found.mode() & 0o022 != 0 || found.uid() != 0 && found.uid() != geteuid().as_raw() {
        bail!("{}: others may write to it; try `chown root` and `chmod 600`", path.display());
    }
    Ok(())
}
