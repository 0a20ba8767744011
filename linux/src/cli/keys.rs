//! `genkey`, `pubkey` and `genpsk`: byte for byte what `wg` reads and writes.
use super::Outcome;
use anyhow::{anyhow, bail};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::io::{self, Read, Write};
use std::process::ExitCode;
use underpass_core::{PresharedKey, PrivateKey};
use zeroize::Zeroizing;

/// Characters of a key in base64.
const KEY_LEN: usize = 44;

/// Writes a new private key.
///
/// # Errors
/// No randomness, or nowhere to write to.
pub fn genkey() -> Outcome {
    warn_of_readers();
    write_line(&PrivateKey::from_bytes(*random()?).clamped().to_base64())
}

/// Writes a new preshared key.
///
/// # Errors
/// No randomness, or nowhere to write to.
pub fn genpsk() -> Outcome {
    warn_of_readers();
    write_line(&PresharedKey::from_bytes(*random()?).to_base64())
}

/// Reads a private key and writes its public key.
///
/// # Errors
/// What was read is no key.
pub fn pubkey() -> Outcome {
    let key = read_private_key(&mut io::stdin().lock())?;
    write_line(&key.public_key().to_base64())
}

fn random() -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| anyhow!("no randomness from the system: {error}"))?;
    Ok(bytes)
}

fn write_line(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    let line = Zeroizing::new([text, "\n"].concat());
    stdout.write_all(line.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What is said of standard input without a key.
const MALFORMED: &str = "standard input holds no key: a key is 44 characters of base64";

fn read_private_key(input: &mut impl Read) -> anyhow::Result<PrivateKey> {
    let text = read_key(input)?.ok_or_else(|| anyhow!(MALFORMED))?;
    PrivateKey::from_base64(&text).map_err(|_| anyhow!(MALFORMED))
}

/// Reads a key in base64, which only white space may follow; `None` when there is nothing to read.
///
/// # Errors
/// There is something else. It is not repeated.
pub(super) fn read_key(input: &mut impl Read) -> anyhow::Result<Option<Zeroizing<String>>> {
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LEN));
    match input.take(KEY_LEN as u64).read_to_string(&mut text) {
        Ok(0) => return Ok(None),
        Ok(KEY_LEN) => {}
        Ok(_) => bail!(MALFORMED),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => bail!(MALFORMED),
        Err(error) => return Err(error.into()),
    }
    let mut rest = Zeroizing::new([0; 256]);
    loop {
        match input.read(&mut *rest)? {
            0 => break,
            len if rest[..len].iter().all(|byte| matches!(byte, 0 | b' ' | b'\t'..=b'\r')) => {}
            _ => bail!("something other than white space follows the key"),
        }
    }
    Ok(Some(text))
}

/// Warns when the key goes to a file that others can use.
fn warn_of_readers() {
    let Ok(output) = fstat(io::stdout()) else { return };
    let mode = Mode::from_bits_truncate(output.st_mode);
    let regular = SFlag::from_bits_truncate(output.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    if regular && mode.intersects(Mode::S_IRWXO) {
        let _ = writeln!(
            io::stderr(),
            "underpass: warning: other users can use the file the key goes to (try `umask 077`)"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";

    #[test]
    fn a_key_is_read_as_wg_reads_it() {
        for (number, end) in ["", "\n", "\r\n", " \t\n\n", "\0", "\u{b}\u{c}"].into_iter().enumerate() {
            let text = format!("{KEY}{end}");
            let key = read_private_key(&mut text.as_bytes()).unwrap_or_else(|error| panic!("case {number}: {error}"));
            assert_eq!(*key.to_base64(), KEY, "case {number}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        let short = &KEY[..43];
        let (leading, two, trailing) = (format!(" {KEY}"), format!("{KEY}{KEY}"), format!("{KEY}\nx"));
        let bad = KEY.replace('X', "-");
        for (number, text) in ["", "\n", short, &leading, &two, &trailing, &bad].into_iter().enumerate() {
            let message = read_private_key(&mut text.as_bytes()).expect_err(text).to_string();
            assert!(!message.contains("dwdt"), "case {number}: {message}");
        }
        assert!(read_private_key(&mut [0xff; 44].as_slice()).is_err());
    }
}
