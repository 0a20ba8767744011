//! Texts. They reach terminals and files of settings, so that control characters are refused.
use super::{Fault, Reader};
use crate::memory;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes of a domain name at most (RFC 1035 § 2.3.4).
const MAX_DOMAIN: usize = 253;
/// Bytes of a label at most.
const MAX_LABEL: usize = 63;

/// A text of one line.
pub fn line(from: &mut Reader<'_>, max: usize) -> Result<String, Fault> {
    let text = from.text(max)?;
    if text.chars().any(char::is_control) { Err(Fault::Text) } else { Ok(memory::copy_text(text)?) }
}

/// A text that may have several lines.
pub fn lines(from: &mut Reader<'_>, max: usize) -> Result<String, Fault> {
    let text = from.text(max)?;
    let is_odd = |c: char| c.is_control() && c != '\n';
    if text.chars().any(is_odd) { Err(Fault::Text) } else { Ok(memory::copy_text(text)?) }
}

/// A list of at most `max` items.
pub fn list<'a, T>(
    from: &mut Reader<'a>,
    max: usize,
    item: impl Fn(&mut Reader<'a>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let count = from.array(max)?;
    let mut list = memory::list(count)?;
    for _ in 0..count {
        list.push(item(from)?);
    }
    Ok(list)
}

/// A domain name.
pub fn domain(from: &mut Reader<'_>) -> Result<String, Fault> {
    let text = from.text(MAX_DOMAIN)?;
    if is_domain(text) { Ok(memory::copy_text(text)?) } else { Err(Fault::Text) }
}

/// Whether a text is a domain name in the form that DNS carries: labels of letters, digits, `-` and `_`, without a dot at the
/// end. Names of other scripts are written with `xn--` (RFC 5890).
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        let edge = label.starts_with('-') || label.ends_with('-');
        (1..=MAX_LABEL).contains(&label.len()) && !edge && label.bytes().all(is_letter)
    };
    text.len() <= MAX_DOMAIN && text.split('.').all(is_label)
}
