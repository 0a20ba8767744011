//! `underpass save`, and what `down` saves before: writes what a tunnel runs with to its file.
use super::args::Tunnel;
use super::check::parse_here;
use super::up::{read, require_root};
use super::{Outcome, down, progress, remains};
use crate::control::status::InterfaceStatus;
use crate::quick::file::{name_of, read_text};
use crate::quick::reconcile::Standing;
use crate::quick::{Record, Shelf, save};
use anyhow::anyhow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use underpass_core::config::{LinuxSettings, QuickConfig};

/// Saves what a tunnel runs with.
///
/// # Errors
/// It does not run, or its file cannot be written.
pub fn run(tunnel: &Tunnel) -> Outcome {
    require_root()?;
    let name = name_of(&tunnel.config)?;
    match remains::look(&Shelf::open()?, &name)? {
        Standing::Up(kept) => {
            kept.record().refuse_login()?;
            let (path, config) = target(kept.record())?;
            write_back(&path, &config, &down::ask(&name)?)?;
        }
        _ => {
            let status = down::ask(&name)?;
            let (file, config) = read(&tunnel.config)?;
            write_back(&file.path, &config, &status)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Saves what the tunnel of `record` runs with, before it is taken down.
///
/// # Errors
/// It cannot be saved.
pub fn before_down(record: &Record) -> anyhow::Result<()> {
    let (path, config) = target(record)?;
    before(&path, &config, &down::ask(&record.name)?)
}

/// Saves what the tunnel `status` runs with to `path`, before it is taken down.
///
/// # Errors
/// It cannot be saved.
pub fn before(path: &Path, config: &QuickConfig, status: &InterfaceStatus) -> anyhow::Result<()> {
    // The only copy of what would be saved is the running tunnel: it stays.
    write_back(path, config, status)
        .map_err(|fault| anyhow!("the tunnel stays up, because what it runs with cannot be saved: {fault}"))
}

fn write_back(path: &Path, config: &QuickConfig, status: &InterfaceStatus) -> anyhow::Result<()> {
    progress(format_args!("[#] # save the running configuration to {}", path.display()));
    save::save(path, config, status)
}

/// Where to save what the tunnel of `record` runs with, and what neither it nor its interface knows: commands, the table and
/// the names of endpoints as the file has them now, the rest as it was brought up. A file that is faulty now is left as it
/// is, for whoever is at work on it.
fn target(record: &Record) -> anyhow::Result<(PathBuf, QuickConfig)> {
    let recorded = record.config()?;
    let path = record.file.clone();
    if !path.exists() {
        return Ok((path, recorded));
    }
    match read_text(&path).ok().and_then(|text| parse_here(&text).config) {
        Some(config) => {
            let (dns, search_domains) = (recorded.dns, recorded.search_domains);
            let linux = LinuxSettings { dns_zones: recorded.linux.dns_zones, ..config.linux };
            Ok((path, QuickConfig { dns, search_domains, linux, ..config }))
        }
        None => {
            let mut beside = path.clone().into_os_string();
            beside.push(".running");
            let beside = PathBuf::from(beside);
            let _ = writeln!(
                io::stderr(),
                "underpass: warning: {} is faulty and left as it is; what runs is saved to {}",
                path.display(),
                beside.display()
            );
            Ok((beside, recorded))
        }
    }
}
