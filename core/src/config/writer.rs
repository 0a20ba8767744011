//! Writes a configuration as wg-quick text: the inverse of the parser.
use crate::config::change::{Endpoint, NewPeer};
use crate::config::quick::{QuickConfig, Table};
use crate::config::settings::{self, Setting};
use crate::crypto::keys::InBase64;
use alloc::string::String;
use core::fmt::{self, Display, Formatter, Write};
use core::net::IpAddr;
use zeroize::Zeroizing;

/// The configuration as text, keys in the order of the table of keys, wiped on drop: it holds the private key.
///
/// [`parse`](crate::config::parse) of it yields the same configuration, if that came from `parse`: limits, timestamp
/// floors, pinned endpoints and the host's own numbers of peers have no place in the text. Characters that would end a
/// line or begin a comment or a new item are left out of names, so no value can bring in a key of its own.
#[must_use]
pub fn write(config: &QuickConfig) -> Zeroizing<String> {
    // Measured first, so that no reallocation leaves a copy of a key behind.
    let mut length = Length(0);
    let _ = write_to(config, &mut length);
    let mut text = Zeroizing::new(String::with_capacity(length.0));
    let _ = write_to(config, &mut *text);
    text
}

/// Writes the configuration to `out`, as [`write()`] does.
///
/// # Errors
/// Those of `out`.
pub fn write_to(config: &QuickConfig, out: &mut impl Write) -> fmt::Result {
    write_interface(config, out)?;
    config.tunnel.peers.iter().try_for_each(|peer| write_peer(peer, out))
}

fn write_interface(config: &QuickConfig, out: &mut impl Write) -> fmt::Result {
    writeln!(out, "[Interface]")?;
    if let Some(key) = &config.tunnel.private_key {
        line(out, Setting::PrivateKey, InBase64(key.as_bytes()))?;
    }
    if let Some(port) = config.listen_port {
        line(out, Setting::ListenPort, port)?;
    }
    if let Some(mark) = config.fwmark {
        line(out, Setting::FwMark, format_args!("{mark:#x}"))?;
    }
    list(out, Setting::Address, config.addresses.iter())?;
    list(
        out,
        Setting::Dns,
        (0..).zip(&config.dns).map(|(place, address)| Server(address, config.linux.dns_zone(place))),
    )?;
    list(out, Setting::Dns, config.search_domains.iter().map(|domain| Plain(domain)))?;
    if let Some(mtu) = config.mtu {
        line(out, Setting::Mtu, mtu)?;
    }
    match &config.table {
        Table::Auto => {}
        Table::Off => line(out, Setting::Table, "off")?,
        Table::Number(number) => line(out, Setting::Table, number)?,
        Table::Name(name) => line(out, Setting::Table, Plain(name))?,
    }
    commands(out, Setting::PreUp, &config.pre_up)?;
    commands(out, Setting::PostUp, &config.post_up)?;
    commands(out, Setting::PreDown, &config.pre_down)?;
    commands(out, Setting::PostDown, &config.post_down)?;
    if config.save_config {
        line(out, Setting::SaveConfig, true)?;
    }
    let linux = &config.linux;
    if let Some(switch) = linux.kill_switch {
        line(out, Setting::KillSwitch, switch.word())?;
    }
    for (key, names) in [
        (Setting::ExcludeUser, &linux.exclude_users),
        (Setting::ExcludeCgroup, &linux.exclude_cgroups),
        (Setting::OnlyUser, &linux.only_users),
        (Setting::OnlyCgroup, &linux.only_cgroups),
    ] {
        list(out, key, names.iter().map(|name| Plain(name)))?;
    }
    list(out, Setting::IncludedApplications, config.included_applications.iter().map(|name| Plain(name)))?;
    list(out, Setting::ExcludedApplications, config.excluded_applications.iter().map(|name| Plain(name)))?;
    config.amnezia.iter().try_for_each(|setting| writeln!(out, "{} = {}", setting.key, Value(&setting.value)))
}

fn write_peer(peer: &NewPeer, out: &mut impl Write) -> fmt::Result {
    writeln!(out, "\n[Peer]")?;
    line(out, Setting::PublicKey, peer.public_key)?;
    if let Some(key) = &peer.preshared_key {
        line(out, Setting::PresharedKey, InBase64(key.as_bytes()))?;
    }
    list(out, Setting::AllowedIps, peer.allowed_ips.iter())?;
    match &peer.endpoint {
        Some(Endpoint::Address(address)) => line(out, Setting::Endpoint, address)?,
        Some(Endpoint::Name { host, port }) if host.contains(':') => {
            line(out, Setting::Endpoint, format_args!("[{}]:{port}", Plain(host)))?;
        }
        Some(Endpoint::Name { host, port }) => line(out, Setting::Endpoint, format_args!("{}:{port}", Plain(host)))?,
        None => {}
    }
    match peer.persistent_keepalive {
        0 => Ok(()),
        seconds => line(out, Setting::PersistentKeepalive, seconds),
    }
}

fn line(out: &mut impl Write, key: Setting, value: impl Display) -> fmt::Result {
    writeln!(out, "{} = {value}", settings::name(key))
}

/// One line for the whole list, none for an empty one.
fn list(out: &mut impl Write, key: Setting, values: impl Iterator<Item = impl Display>) -> fmt::Result {
    let mut any = false;
    for value in values {
        if any {
            write!(out, ", {value}")?;
        } else {
            write!(out, "{} = {value}", settings::name(key))?;
        }
        any = true;
    }
    if any { writeln!(out) } else { Ok(()) }
}

fn commands(out: &mut impl Write, key: Setting, commands: &[String]) -> fmt::Result {
    commands.iter().try_for_each(|command| line(out, key, Command(command)))
}

/// A command: anything but the end of a line.
struct Command<'a>(&'a str);
/// A value that takes a whole line: anything but the end of it and a comment.
struct Value<'a>(&'a str);
/// A name in a list: anything but the end of a line, a comment and a comma.
struct Plain<'a>(&'a str);

impl Display for Command<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().filter(|c| *c != '\n').try_for_each(|c| f.write_char(c))
    }
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().filter(|c| !matches!(c, '\n' | '#')).try_for_each(|c| f.write_char(c))
    }
}

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().filter(|c| !matches!(c, '\n' | '#' | ',')).try_for_each(|c| f.write_char(c))
    }
}

/// A name server, perhaps with a zone.
struct Server<'a>(&'a IpAddr, Option<&'a str>);

impl Display for Server<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        self.1.map_or(Ok(()), |zone| write!(f, "%{}", Plain(zone)))
    }
}

/// Counts bytes instead of keeping them.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}
