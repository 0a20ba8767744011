//! `underpass strip`: what `wg setconf` takes of a configuration, line by line as it stands there.
use super::{Outcome, up};
use std::io::{self, Write};
use std::process::ExitCode;
use underpass_core::config::Section;
use underpass_core::config::settings::{self, Setting};

/// Writes the lines of the configuration that `what` names, without those that only `up` understands.
///
/// # Errors
/// It cannot be read or is wrong, or there is nowhere to write to.
pub fn run(what: &str) -> Outcome {
    let (file, _) = up::read(what)?;
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    for line in kept(&file.text) {
        writeln!(stdout, "{line}")?;
    }
    // As `wg-quick strip` ends.
    writeln!(stdout)?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The lines of `text` that `wg` understands, and those that say nothing.
fn kept(text: &str) -> impl Iterator<Item = &str> {
    let mut in_interface = false;
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().filter(move |line| {
        let said = line.split('#').next().unwrap_or_default().trim();
        if let Some(section) = said.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            in_interface = settings::same_name(section, "Interface");
        }
        match said.split_once('=') {
            Some((key, _)) => is_for_wg(key.trim(), in_interface),
            None => true,
        }
    })
}

/// Whether `wg` knows the key; keys of other products, which are warned of, it refuses.
fn is_for_wg(key: &str, in_interface: bool) -> bool {
    let Some(row) = settings::find(key) else { return false };
    let of_interface = matches!(row.setting, Setting::PrivateKey | Setting::ListenPort | Setting::FwMark);
    if in_interface { of_interface } else { row.section == Section::Peer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wg_gets_its_lines() {
        let text = "# ours\n[Interface] # a\nPrivateKey = x # k\nAddress = 10.0.0.1\nPostUp = echo a=b # c\nDNS=1.1.1.1\n\
                    BlockDNS = true\nJc = 5\nFwMark=1\n\n[Peer]\nPublicKey = y\n#Endpoint = z\nAllowedIPs =\n";
        let expected = "# ours\n[Interface] # a\nPrivateKey = x # k\nFwMark=1\n\n[Peer]\nPublicKey = y\n#Endpoint = z\nAllowedIPs =";
        assert_eq!(kept(text).collect::<Vec<_>>().join("\n"), expected);
    }
}
