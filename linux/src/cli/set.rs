//! `underpass set`: changes a tunnel that runs, with the words of `wg set`.
use super::Outcome;
use super::args::Set;
use super::keys::read_key;
use crate::control::{client, socket};
use crate::quick::{mask, spelling};
use anyhow::{anyhow, bail};
use ipnet::IpNet;
use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, ToSocketAddrs};
use std::process::ExitCode;
use underpass_core::{PresharedKey, PrivateKey, PublicKey};
use zeroize::Zeroizing;

/// Applies what is asked for, all or nothing.
///
/// # Errors
/// A setting makes no sense, or the interface does not take it.
pub fn run(set: &Set) -> Outcome {
    let lines = request(&mut set.settings.iter().map(String::as_str))?;
    client::change(&socket::directory(), &set.interface, &lines)?;
    Ok(ExitCode::SUCCESS)
}

/// The lines of the request that `words` stand for.
fn request<'w>(words: &mut impl Iterator<Item = &'w str>) -> anyhow::Result<Zeroizing<String>> {
    let mut lines = Zeroizing::new(String::with_capacity(4096));
    let mut in_peer = false;
    while let Some(word) = words.next() {
        if word.contains(char::is_control) {
            bail!("there is no setting with control characters");
        }
        let mut value = || words.next().ok_or_else(|| anyhow!("`{word}` lacks its value"));
        match (word, in_peer) {
            ("listen-port", false) => writeln!(lines, "listen_port={}", port(word, value()?)?)?,
            ("fwmark", false) => writeln!(lines, "fwmark={}", mark(value()?)?)?,
            ("private-key", false) => {
                let key = key_of(value()?, |text| PrivateKey::from_base64(text).ok().map(|key| key.to_hex()))?;
                writeln!(lines, "private_key={}", *key)?;
            }
            ("peer", _) => {
                let key = PublicKey::from_base64(value()?).map_err(|error| anyhow!("peer: {error}"))?;
                writeln!(lines, "public_key={}", key.to_hex())?;
                in_peer = true;
            }
            ("remove", true) => writeln!(lines, "remove=true")?,
            ("preshared-key", true) => {
                let key = key_of(value()?, |text| PresharedKey::from_base64(text).ok().map(|key| key.to_hex()))?;
                writeln!(lines, "preshared_key={}", *key)?;
            }
            ("endpoint", true) => writeln!(lines, "endpoint={}", endpoint(value()?)?)?,
            ("persistent-keepalive", true) => {
                let text = value()?;
                let seconds = if text.eq_ignore_ascii_case("off") { 0 } else { seconds(word, text)? };
                writeln!(lines, "persistent_keepalive_interval={seconds}")?;
            }
            ("allowed-ips", true) => allowed_ips(&mut lines, value()?)?,
            ("listen-port" | "fwmark" | "private-key", true) => {
                bail!("`{word}` is of the interface: it stands before `peer`")
            }
            ("remove" | "preshared-key" | "endpoint" | "persistent-keepalive" | "allowed-ips", false) => {
                bail!("`{word}` is of a peer: it stands behind `peer KEY`")
            }
            _ => bail!("there is no setting `{}`: see `underpass set --help`", mask::command(word)),
        }
    }
    Ok(lines)
}

fn port(word: &str, text: &str) -> anyhow::Result<u16> {
    spelling::port(text)
        .ok_or_else(|| anyhow!("{word}: expected the number of a port, up to 65535, or the name of a service"))
}

fn seconds(word: &str, text: &str) -> anyhow::Result<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| anyhow!("{word}: expected seconds up to 65535, or `off`"))
}

/// Decimal, hexadecimal behind `0x`, or `off`.
fn mark(text: &str) -> anyhow::Result<u32> {
    let read = match text.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
        None if text.eq_ignore_ascii_case("off") => Some(0),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    read.ok_or_else(|| anyhow!("fwmark: expected a number up to 0xffffffff, or `off`"))
}

/// The key in the file at `path`, in hexadecimal. An empty file, as /dev/null, means none: a key of zeros.
fn key_of(path: &str, hex: impl Fn(&str) -> Option<Zeroizing<String>>) -> anyhow::Result<Zeroizing<String>> {
    let mut file = File::open(path).map_err(|error| anyhow!("cannot read {}: {error}", mask::command(path)))?;
    match read_key(&mut file) {
        Ok(None) => Ok(Zeroizing::new("0".repeat(64))),
        Ok(Some(text)) => hex(&text).ok_or_else(|| anyhow!("{path} holds no key: a key is 44 characters of base64")),
        Err(_) => bail!("{path} holds no key: a key is 44 characters of base64, and nothing may follow"),
    }
}

/// A name is looked up here: what runs is told an address.
fn endpoint(text: &str) -> anyhow::Result<String> {
    if text.contains("://") {
        bail!("endpoint: expected HOST:PORT, without a scheme");
    }
    let (host, number) = spelling::cut(text)
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(|| anyhow!("endpoint: expected HOST:PORT, or [ADDRESS]:PORT for IPv6"))?;
    let port = port("endpoint", number)?;
    if host.contains(':') && host.contains('%') && !host.contains(char::is_control) {
        // The zone of a link-local address may be the name of an interface, which the tunnel looks up.
        return Ok(format!("[{host}]:{port}"));
    }
    let found = (host, port).to_socket_addrs().map_err(|error| anyhow!("endpoint `{text}`: {error}"))?.next();
    Ok(found.ok_or_else(|| anyhow!("endpoint `{text}`: the name has no address"))?.to_string())
}

/// Networks with commas between; `+` adds one to those there are, `-` takes one away, and without either they replace
/// those there are.
fn allowed_ips(lines: &mut String, text: &str) -> anyhow::Result<()> {
    let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let items: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(',').collect() };
    if !items.iter().any(|item| item.starts_with(['+', '-'])) {
        writeln!(lines, "replace_allowed_ips=true")?;
    }
    for item in items {
        let (sign, network) = match item.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", item.strip_prefix('+').unwrap_or(item)),
        };
        let network = read_network(network).ok_or_else(|| anyhow!("allowed-ips: `{item}` is no network"))?;
        writeln!(lines, "allowed_ip={sign}{}", network.trunc())?;
    }
    Ok(())
}

/// An address, and the length of its prefix in decimal; without one, all of it.
fn read_network(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else { return text.parse::<IpAddr>().ok().map(IpNet::from) };
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    IpNet::new(address.parse().ok()?, digits.then(|| length.parse().ok())??).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
    const HEX: &str = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";

    fn read(text: &str) -> Result<String, String> {
        let text = text.replace("KEY", KEY);
        request(&mut text.split(' ')).map(|lines| lines.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn words_become_lines() {
        let rows = [
            ("listen-port 7 fwmark 0xca6c", "listen_port=7\nfwmark=51820\n".to_owned()),
            ("fwmark off", "fwmark=0\n".into()),
            ("private-key /dev/null", format!("private_key={}\n", "0".repeat(64))),
            ("peer KEY remove", format!("public_key={HEX}\nremove=true\n")),
            (
                "peer KEY endpoint [::1]:5 persistent-keepalive off peer KEY persistent-keepalive 25",
                format!(
                    "public_key={HEX}\nendpoint=[::1]:5\npersistent_keepalive_interval=0\npublic_key={HEX}\n\
                     persistent_keepalive_interval=25\n"
                ),
            ),
            (
                "peer KEY allowed-ips 10.1.2.3/8,fd00::1",
                format!("public_key={HEX}\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::1/128\n"),
            ),
            ("peer KEY allowed-ips ", format!("public_key={HEX}\nreplace_allowed_ips=true\n")),
            (
                "peer KEY allowed-ips +10.0.0.0/8,-::/0",
                format!("public_key={HEX}\nallowed_ip=10.0.0.0/8\nallowed_ip=-::/0\n"),
            ),
        ];
        for (words, lines) in rows {
            assert_eq!(read(words), Ok(lines), "{words}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let rows = [
            ("listen-port", "`listen-port` lacks its value"),
            ("listen-port -1", "listen-port: expected the number of a port, up to 65535, or the name of a service"),
            ("listen-port 65536", "listen-port: expected the number of a port, up to 65535, or the name of a service"),
            ("peer KEY persistent-keepalive +1", "persistent-keepalive: expected seconds up to 65535, or `off`"),
            ("peer KEY endpoint udp://a:1", "endpoint: expected HOST:PORT, without a scheme"),
            ("fwmark 0x+1", "fwmark: expected a number up to 0xffffffff, or `off`"),
            ("peer KEY listen-port 7", "`listen-port` is of the interface: it stands before `peer`"),
            ("remove", "`remove` is of a peer: it stands behind `peer KEY`"),
            ("peer x", "peer: key has the wrong length"),
            ("peer KEY endpoint a", "endpoint: expected HOST:PORT, or [ADDRESS]:PORT for IPv6"),
            ("peer KEY allowed-ips 10.0.0.0/33", "allowed-ips: `10.0.0.0/33` is no network"),
            ("mtu 7", "there is no setting `mtu`: see `underpass set --help`"),
        ];
        for (words, message) in rows {
            assert_eq!(read(words), Err(message.into()), "{words}");
        }
        let own = file!();
        let said = read("private-key dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=");
        assert!(said.as_ref().is_err_and(|said| !said.contains("dwdt")), "a key in the place of a file: {said:?}");
        let said = read(&format!("private-key {}/{own}", env!("CARGO_MANIFEST_DIR").trim_end_matches("/linux")));
        assert!(said.as_ref().is_err_and(|said| said.contains("holds no key") && !said.contains("//!")), "{said:?}");
    }
}
