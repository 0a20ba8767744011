//! `underpass enroll`: makes this machine a device of a user, by the configuration that `underpass user enroll` printed at the gateway.
//!
//! The machine makes its own key, which never leaves it. It is on the disk before the gateway hears of it, so that an answer which
//! is lost costs nothing: the next try has the same key, and the gateway gives the same answer.
use super::args;
use super::converse::{Asked, Conversation, Over, Place};
use super::login::{finish, gateway_of, start};
use super::up::{read, require_root};
use super::{Outcome, drawing};
use crate::clock;
use crate::control::socket;
use crate::engine::SystemRng;
use crate::guard;
use crate::login::link::Link;
use crate::login::{Driver, End, settings};
use crate::quick::ConfigFile;
use crate::quick::file::read_text;
use crate::quick::shelf::replace;
use anyhow::{anyhow, bail};
use nix::unistd::gethostname;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use underpass_core::PrivateKey;
use underpass_core::config::{QuickConfig, write};
use underpass_core::control::message::Config;
use zeroize::Zeroizing;

/// Bytes of a device's name at most.
const LONGEST_NAME: usize = 64;

/// Enrols this machine, and makes of the file one to log in with.
///
/// # Errors
/// The configuration is wrong, or the gateway refuses. Then the file is as it was.
pub fn run(asked: &args::Enroll) -> Outcome {
    let (file, config) = read(&asked.config)?;
    let gateway = gateway_of(&config)?;
    require_root()?;
    let name = asked.name.clone().unwrap_or_else(name_of_machine);
    let mut signals = Asked::watch()?;
    let pending = pending(&file.path);
    let key = own_key(&pending)?;
    let had_lock = guard::lock_of(&file.name)?.is_some();
    start(&file, &config, None)?;
    let mut device = Device { file: &file, config: &config, key: &key, is_kept: false };
    let outcome = Link::connect(&socket::directory(), &file.name, &gateway).and_then(|link| {
        let driver = Driver::enrolling(clock::now(), Box::new(SystemRng), key.public_key(), name);
        Conversation::new(driver, link, &mut signals).carry(&mut device)
    });
    let is_kept = device.is_kept;
    let all = finish(&file.name, had_lock);
    match outcome? {
        Over::End(End::Enrolled) if is_kept => {
            // The key is in the configuration now.
            fs::remove_file(&pending)?;
            writeln!(io::stdout(), "log in by: underpass login {}", asked.config)?;
            Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Over::End(End::LoggedOut { .. }) => bail!("not enrolled: broken off"),
        Over::End(End::Unanswered) => bail!("not enrolled: there is no code"),
        Over::End(end) => bail!("not enrolled: {end}"),
        Over::Gone => bail!("not enrolled: the tunnel was taken down"),
    }
}

/// The file of the key until the enrolment is complete.
fn pending(path: &Path) -> PathBuf {
    let mut pending = path.as_os_str().to_owned();
    pending.push(".enrolling");
    pending.into()
}

/// The key of an earlier attempt, or a new one. Either is on the disk.
fn own_key(pending: &Path) -> anyhow::Result<PrivateKey> {
    if pending.exists() {
        let text = read_text(pending)?;
        return PrivateKey::from_base64(text.trim())
            .map_err(|_| anyhow!("{} is no key: remove it to make a new one", pending.display()));
    }
    let key = PrivateKey::generate(&mut SystemRng)?;
    let text = Zeroizing::new(format!("{}\n", *key.to_base64()));
    replace(pending, text.as_bytes()).map_err(|error| anyhow!("cannot write {}: {error}", pending.display()))?;
    Ok(key)
}

/// What the machine is called, as far as names of devices go.
fn name_of_machine() -> String {
    let host = gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    device_name(&host)
}

fn device_name(host: &str) -> String {
    let is_letter = |letter: &char| letter.is_ascii_alphanumeric() || ".-_".contains(*letter);
    let name: String = host.chars().filter(is_letter).skip_while(|letter| !letter.is_ascii_alphanumeric()).collect();
    let name = name.chars().take(LONGEST_NAME).collect::<String>();
    if name.is_empty() { "device".into() } else { name }
}

/// This machine, which becomes a device.
struct Device<'a> {
    file: &'a ConfigFile,
    config: &'a QuickConfig,
    key: &'a PrivateKey,
    is_kept: bool,
}

impl Place for Device<'_> {
    fn show_authenticator(&mut self, user: &str, uri: &str) -> anyhow::Result<()> {
        let drawn = drawing::draw(uri, None)?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "Add this to the authenticator of {user}:\n{uri}")?;
        stdout.write_all(drawn.as_bytes())?;
        Ok(stdout.flush()?)
    }

    fn keep(&mut self, user: &str, granted: &Config) -> anyhow::Result<()> {
        let config = settings::enrolled(self.config, granted, self.key.clone());
        let text = Zeroizing::new(write(&config).to_string());
        let path = &self.file.path;
        replace(path, text.as_bytes()).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))?;
        self.is_kept = true;
        Ok(writeln!(io::stdout(), "enrolled as a device of {user}")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_machine_is_one_for_a_device() {
        for (host, expected) in
            [("Laptop-7.example", "Laptop-7.example"), ("--x y", "xy"), ("", "device"), ("é", "device")]
        {
            assert_eq!(device_name(host), expected);
        }
        assert_eq!(device_name(&"a".repeat(100)).len(), LONGEST_NAME);
    }

    #[test]
    fn the_key_is_on_the_disk_before_it_is_told_and_the_same_the_next_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = pending(&directory.path().join("office.conf"));
        let key = own_key(&path).expect("a key");
        assert_eq!(own_key(&path).expect("a key").public_key(), key.public_key());
        fs::write(&path, "no key").expect("writes");
        assert!(own_key(&path).expect_err("no key").to_string().ends_with("remove it to make a new one"));
    }
}
