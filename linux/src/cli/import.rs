//! `underpass import`: takes a configuration over, from a file, standard input, or a picture of its QR code.
use super::args::Import;
use super::{Outcome, check, progress};
use crate::quick::file::{is_interface_name, read_all};
use anyhow::{anyhow, bail};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// The first bytes of a picture in PNG (PNG § 5.2).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The first bytes of a picture in JPEG.
const JPEG: &[u8] = b"\xff\xd8\xff";
/// The most that is read: a picture of a screen has less, and so has a configuration of a million peers.
const LARGEST: u64 = 256 * 1024 * 1024;
/// The most pixels of a picture.
const MOST_PIXELS: usize = 64 * 1024 * 1024;

/// Reads a configuration, checks it, and puts it where `up` finds it.
///
/// # Errors
/// It cannot be read or is wrong, or there is one of its name already.
pub fn run(import: &Import) -> Outcome {
    let (shown, bytes) = read(&import.source)?;
    let text = text_of(&bytes).map_err(|fault| anyhow!("{shown}: {fault}"))?;
    let parsed = check::parse_here(&text);
    check::report(&shown, &text, &parsed);
    if parsed.config.is_none() {
        bail!("{shown}: {}", check::summary(&parsed));
    }
    let name = name_of(import)?;
    let path = import.directory.join(format!("{name}.conf"));
    install(&path, text.as_bytes(), import.force)?;
    progress(format_args!("{}: `underpass up {name}` brings it up", path.display()));
    Ok(ExitCode::SUCCESS)
}

fn read(source: &Path) -> anyhow::Result<(String, Zeroizing<Vec<u8>>)> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    if source == Path::new("-") {
        io::stdin().lock().take(LARGEST).read_to_end(&mut bytes)?;
        return Ok(("<stdin>".into(), bytes));
    }
    let failed = |error| anyhow!("cannot read {}: {error}", source.display());
    let file = File::open(source).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len().min(LARGEST);
    bytes.reserve_exact(usize::try_from(length).unwrap_or(0) + 1);
    file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
    Ok((source.display().to_string(), bytes))
}

/// The configuration in a text or in a picture.
fn text_of(bytes: &[u8]) -> anyhow::Result<Zeroizing<String>> {
    match bytes {
        _ if bytes.starts_with(PNG) => scan(bytes),
        _ if bytes.starts_with(JPEG) => bail!("it is a picture in JPEG: save it as PNG"),
        _ => read_all(bytes, bytes.len()),
    }
}

/// Reads the one QR code in a picture.
fn scan(picture: &[u8]) -> anyhow::Result<Zeroizing<String>> {
    let (width, height, light) = luminance(picture)?;
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| light[y * width + x]);
    let grids = prepared.detect_grids();
    match &grids[..] {
        [] => bail!("there is no QR code in the picture"),
        [grid] => match grid.decode() {
            Ok((_, content)) => Ok(Zeroizing::new(content)),
            Err(_) => bail!("the QR code in the picture cannot be read: take a sharper one, without its surroundings"),
        },
        more => bail!("there are {} QR codes in the picture: cut one out", more.len()),
    }
}

/// Width, height, and how light each pixel is.
fn luminance(picture: &[u8]) -> anyhow::Result<(usize, usize, Zeroizing<Vec<u8>>)> {
    let failed = |error: png::DecodingError| anyhow!("the picture cannot be read: {error}");
    let mut decoder = png::Decoder::new(Cursor::new(picture));
    // To 8 bits of a channel each, and palettes to colours.
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width.saturating_mul(height) > MOST_PIXELS {
        bail!("the picture is too large: {width} x {height} pixels");
    }
    let size = reader.output_buffer_size().ok_or_else(|| anyhow!("the picture is too large"))?;
    let mut pixels = Zeroizing::new(vec![0; size]);
    let info = reader.next_frame(&mut pixels).map_err(failed)?;
    let channels = info.color_type.samples();
    let light = pixels.chunks_exact(channels).take(width * height).map(|pixel| match *pixel {
        [grey] => grey,
        [grey, alpha] => over_white(grey, alpha),
        [red, green, blue] => luma(red, green, blue),
        [red, green, blue, alpha] => over_white(luma(red, green, blue), alpha),
        _ => u8::MAX,
    });
    let light = Zeroizing::new(light.collect::<Vec<u8>>());
    if light.len() < width * height {
        bail!("the picture cannot be read: it is not whole");
    }
    Ok((width, height, light))
}

/// How light a colour looks (ITU-R BT.601).
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let sum = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
    u8::try_from(sum / 1000).unwrap_or(u8::MAX)
}

fn over_white(light: u8, alpha: u8) -> u8 {
    let (light, alpha) = (u32::from(light), u32::from(alpha));
    u8::try_from((light * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
}

/// The interface it is for.
fn name_of(import: &Import) -> anyhow::Result<String> {
    let stem = import.source.file_stem().and_then(|stem| stem.to_str()).filter(|_| import.source != Path::new("-"));
    match (&import.name, stem) {
        (Some(name), _) if is_interface_name(name) => Ok(name.clone()),
        (None, Some(stem)) if is_interface_name(stem) => Ok(stem.into()),
        (Some(name), _) => bail!("`{name}` is no interface name: 1 to 15 of a-z, A-Z, 0-9 and _=+.-"),
        (None, _) => bail!("which interface is it for? --name says it"),
    }
}

/// Puts `content` at `path`, for its owner only, whole or not at all.
fn install(path: &Path, content: &[u8], force: bool) -> anyhow::Result<()> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => anyhow!("{} exists already; --force replaces it", path.display()),
        _ => anyhow!("cannot write {}: {error}", path.display()),
    };
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        // A link is refused where there is a file already; a rename replaces it.
        if force { fs::rename(&temporary, path) } else { fs::hard_link(&temporary, path) }
    };
    let _ = fs::remove_file(&temporary);
    let written = write();
    let _ = fs::remove_file(&temporary);
    written.map_err(failed)
}
