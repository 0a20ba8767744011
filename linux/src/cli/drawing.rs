//! Drawing QR codes: in the terminal, or as a picture in a file. What is drawn is a secret.
use super::terminal::Paint;
use qrcode::{Color, EcLevel, QrCode};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Light modules around a code (ISO/IEC 18004 § 9.1).
const QUIET: usize = 4;
/// Pixels of a module in a picture.
const SCALE: usize = 8;
/// Black on white, whatever the colours of the terminal are (ECMA-48 § 8.3.117).
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";

/// Draws `content`: as text for standard output, or as a picture in the file at `to`, where nothing may be yet; then the text is
/// empty.
///
/// # Errors
/// It is too long for a code, or the file cannot be made.
pub fn draw(content: &str, to: Option<&Path>) -> io::Result<Zeroizing<String>> {
    let code = QrCode::with_error_correction_level(content.as_bytes(), EcLevel::L)
        .map_err(|_| io::Error::other(format!("{} bytes are too much for a QR code", content.len())))?;
    match to {
        Some(path) => save(&code, path).map(|()| Zeroizing::default()),
        None => Ok(Zeroizing::new(render(&code, Paint::on(&io::stdout())))),
    }
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
fn save(code: &QrCode, path: &Path) -> io::Result<()> {
    let failed = |error: io::Error| io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()));
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
