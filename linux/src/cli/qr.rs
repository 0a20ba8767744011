//! `underpass qr`: a configuration as a QR code, in the terminal or as a picture.
use super::terminal::Paint;
use super::{Outcome, args::Qr, check};
use crate::quick::ConfigFile;
use crate::quick::file::{DIRECTORY, read_all, read_text};
use anyhow::{anyhow, bail};
use qrcode::{Color, EcLevel, QrCode};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use underpass_core::config::{KillSwitch, LinuxSettings, QuickConfig, Table, write};
use zeroize::Zeroizing;

/// Light modules around a code (ISO/IEC 18004 § 9.1).
const QUIET: usize = 4;
/// Pixels of a module in a picture.
const SCALE: usize = 8;
/// Black on white, whatever the colours of the terminal are (ECMA-48 § 8.3.117).
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";

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
    let code = QrCode::with_error_correction_level(content.as_bytes(), EcLevel::L)
        .map_err(|_| anyhow!("{name}: {} bytes are too much for a QR code", content.len()))?;
    match &asked.output {
        Some(path) => save(&code, path)?,
        None => {
            let stdout = io::stdout();
            let paint = Paint::on(&stdout);
            let mut stdout = stdout.lock();
            stdout.write_all(render(&code, paint).as_bytes())?;
            stdout.flush()?;
        }
    }
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

/// Two modules in a letter, one above the other.
fn render(code: &QrCode, paint: Paint) -> String {
    let side = code.width() + 2 * QUIET;
    let (start, end) = if paint == Paint::COLOURED { (BLACK_ON_WHITE, "\x1b[0m") } else { ("", "") };
    let mut text = String::new();
    for y in (0..side).step_by(2) {
        text.push_str(start);
        for x in 0..side {
            let (upper, lower) = (is_dark(code, x, y), y + 1 < side && is_dark(code, x, y + 1));
            // With colours letters are the dark part; without, they are the light one, as on most terminals.
            let (upper, lower) = if start.is_empty() { (!upper, !lower && y + 1 < side) } else { (upper, lower) };
            text.push(match (upper, lower) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push_str(end);
        text.push('\n');
    }
    text
}

/// Whether the module at this place is dark; those around the code are light.
fn is_dark(code: &QrCode, x: usize, y: usize) -> bool {
    let inside = |place: usize| place.checked_sub(QUIET).filter(|place| *place < code.width());
    matches!((inside(x), inside(y)), (Some(x), Some(y)) if code[(x, y)] == Color::Dark)
}

/// Writes a picture, which holds the private key: for its owner only, and whole or not at all.
fn save(code: &QrCode, path: &Path) -> anyhow::Result<()> {
    let failed = |error: io::Error| anyhow!("cannot write {}: {error}", path.display());
    let picture = picture(code).map_err(|error| failed(error.into()))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(&picture).and_then(|()| file.sync_all()).map_err(|error| {
        let _ = fs::remove_file(path);
        failed(error)
    })
}

/// The code in black and white, in PNG.
fn picture(code: &QrCode) -> Result<Zeroizing<Vec<u8>>, png::EncodingError> {
    let side = (code.width() + 2 * QUIET) * SCALE;
    let pixel = |place: usize| {
        let (x, y) = (place % side, place / side);
        if is_dark(code, x / SCALE, y / SCALE) { 0 } else { u8::MAX }
    };
    let pixels = Zeroizing::new((0..side * side).map(pixel).collect::<Vec<u8>>());
    let mut picture = Zeroizing::new(Vec::with_capacity(pixels.len()));
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut *picture, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(picture)
}
