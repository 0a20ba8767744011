//! `underpass qr`: a configuration as a QR code, in the terminal or as a picture.
use super::{Outcome, args::Qr, check, drawing};
use crate::quick::ConfigFile;
use crate::quick::file::{DIRECTORY, read_all, read_text};
use anyhow::{anyhow, bail};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use underpass_core::config::{KillSwitch, LinuxSettings, QuickConfig, Table, write};
use zeroize::Zeroizing;

/// Draws the configuration that is asked for.
///
/// # Errors
/// It cannot be read, is wrong, or is too long for a code.
pub fn run(asked: &Qr) -> Outcome {
    let (name, text) = read(&asked.config)?;
    let parsed = check::parse_here(&text);
    check::report(&name, &text, &parsed);
    let Some(config) = &parsed.config else { bail!("{name}: {}", check::summary(&parsed)) };
    let (config, left_out) = for_phone(config);
    if !left_out.is_empty() {
        let _ = writeln!(io::stderr(), "underpass: not in the code, as no phone takes it: {}", left_out.join(", "));
    }
    let content = Zeroizing::new(write(&config));
    let drawn = drawing::draw(&content, asked.output.as_deref()).map_err(|fault| anyhow!("{name}: {fault}"))?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(drawn.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A configuration need not be named like an interface to be shown.
fn read(what: &str) -> anyhow::Result<(String, Zeroizing<String>)> {
    if what == "-" {
        let text = read_all(io::stdin().lock(), 4096);
        return Ok(("<stdin>".into(), text.map_err(|fault| anyhow!("cannot read standard input: {fault}"))?));
    }
    if what.contains('/') || Path::new(what).exists() {
        return Ok((what.into(), read_text(Path::new(what))?));
    }
    let file = ConfigFile::read(what).map_err(|fault| anyhow!("{fault} (a name stands for {DIRECTORY}/NAME.conf)"))?;
    Ok((file.path.display().to_string(), file.text))
}

/// What the applications for phones take: they refuse a text with a key that they do not know. Returns what is left out.
fn for_phone(config: &QuickConfig) -> (QuickConfig, Vec<&'static str>) {
    let mut phone = config.clone();
    let mut left_out = Vec::new();
    let mut note = |is_there: bool, name| {
        if is_there {
            left_out.push(name);
        }
    };
    note(phone.fwmark.take().is_some(), "FwMark");
    note(std::mem::take(&mut phone.table) != Table::Auto, "Table");
    for (hooks, name) in [
        (&mut phone.pre_up, "PreUp"),
        (&mut phone.post_up, "PostUp"),
        (&mut phone.pre_down, "PreDown"),
        (&mut phone.post_down, "PostDown"),
    ] {
        note(!std::mem::take(hooks).is_empty(), name);
    }
    note(std::mem::take(&mut phone.save_config), "SaveConfig");
    let LinuxSettings { dns_zones, kill_switch, exclude_users, exclude_cgroups, only_users, only_cgroups } =
        std::mem::take(&mut phone.linux);
    note(!dns_zones.is_empty(), "zones in DNS");
    note(kill_switch.is_some_and(|switch| switch != KillSwitch::Off), "KillSwitch");
    for (programs, name) in [
        (exclude_users, "ExcludeUser"),
        (exclude_cgroups, "ExcludeCgroup"),
        (only_users, "OnlyUser"),
        (only_cgroups, "OnlyCgroup"),
    ] {
        note(!programs.is_empty(), name);
    }
    (phone, left_out)
}
