//! The forms of single values.
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use underpass_core::PublicKey;

/// Bytes in the name of an interface, without the zero at its end (`IFNAMSIZ`, linux/if.h).
const LONGEST_INTERFACE: usize = 15;
/// Bytes of a domain's name (RFC 1035 § 2.3.4).
const LONGEST_DOMAIN: usize = 253;
/// The longest span of time that means anything here.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A network or an address. Bits behind the prefix are refused: a rule about a network that was not meant is none.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = own_address(text)?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(format!("bits are set behind the prefix; {} is the network", network.trunc()))
    }
}

/// An address of our own with the length of its network's prefix.
pub(super) fn own_address(text: &str) -> Result<IpNet, String> {
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    parsed.ok_or_else(|| "expected an address or a network, such as 10.8.0.0/24".into())
}

/// An address.
pub(super) fn address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "expected an address")
}

/// A span of time: `90s`, `10m`, `12h`, `7d`, or several of them.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    let wrong = "expected a span of time, such as 90s, 10m, 12h or 7d";
    let duration = humantime::parse_duration(text).map_err(|_| wrong)?;
    if duration > LONGEST { Err("ten years at most") } else { Ok(duration) }
}

/// A number of bytes: `500M`, `20G`, powers of 1000, or `500Mi`, powers of 1024.
pub(super) fn bytes(text: &str) -> Result<u64, &'static str> {
    scaled(text).ok_or("expected a number of bytes, such as 500M, 20G or 16Gi")
}

/// A number of bits a second: `50M`, `1G`.
pub(super) fn rate(text: &str) -> Result<u64, &'static str> {
    scaled(text).ok_or("expected bits a second, such as 50M or 1G")
}

fn scaled(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale: u64 = match text.get(digits.len()..)? {
        "" => 1,
        "k" | "K" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    let number: u64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
    number.checked_mul(scale).filter(|number| *number > 0)
}

/// A path from the root.
pub(super) fn path(text: &str) -> Result<PathBuf, &'static str> {
    let path = Path::new(text);
    if path.is_absolute() && !text.contains('\0') { Ok(path.into()) } else { Err("expected a path that begins with /") }
}

/// The name of an interface, as the kernel takes it and nft can write it.
pub(super) fn interface(text: &str) -> Result<String, &'static str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@' | b':');
    let good = (1..=LONGEST_INTERFACE).contains(&text.len()) && text.bytes().all(fits) && text != "." && text != "..";
    if good { Ok(text.into()) } else { Err("expected the name of an interface: 1 to 15 letters, digits, . _ - @ :") }
}

/// A domain.
pub(super) fn domain(text: &str) -> Result<String, &'static str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && label.bytes().all(fits);
    let body = text.strip_suffix('.').unwrap_or(text);
    let good = body.len() <= LONGEST_DOMAIN && body.split('.').all(label);
    if good { Ok(body.to_ascii_lowercase()) } else { Err("expected a domain") }
}

/// A public key in base64.
pub(super) fn public_key(text: &str) -> Result<PublicKey, String> {
    let key = PublicKey::from_base64(text).map_err(|error| error.to_string())?;
    if key.is_low_order() { Err("nobody has this key".into()) } else { Ok(key) }
}

/// `host:port`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.
pub(super) fn endpoint(text: &str) -> Result<String, &'static str> {
    let wrong = "expected host:port, an IPv6 address in brackets";
    let (host, port) = text.rsplit_once(':').ok_or(wrong)?;
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            host.parse::<std::net::Ipv4Addr>().is_ok()
                || (domain(host).is_ok() && host.contains(|c: char| !matches!(c, '0'..='9' | '.')))
        }
    };
    if is_port && is_host { Ok(text.into()) } else { Err(wrong) }
}
