//! The forms of values, each read from a piece of text without white space around it.
use crate::config::change::{AllowedIp, Endpoint};
use crate::config::lines::parted;
use crate::config::quick::{KillSwitch, Table};
use crate::config::reason::Reason;
use crate::memory::{NoMemory, copy_text};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use ipnet::IpNet;

/// Characters in a host or domain name (RFC 1035 § 2.3.4, without the final dot).
const NAME_LEN: usize = 253;

/// A decimal number in `min..=max`: digits only, no sign.
pub(super) fn number(text: &str, min: u32, max: u32) -> Result<u32, Reason> {
    decimal(text).filter(|n| (min..=max).contains(n)).ok_or(Reason::Number { min, max })
}

/// As [`number`], for ports. That of an endpoint may be 0, where nobody is reached: `wg` takes it.
pub(super) fn port(text: &str) -> Result<u16, Reason> {
    let wrong = Reason::Number { min: 0, max: u16::MAX.into() };
    decimal(text).and_then(|n| u16::try_from(n).ok()).ok_or(wrong)
}

/// Whether `text` is `word`, in letters of any case.
#[inline(never)]
fn is(text: &str, word: &str) -> bool {
    text.eq_ignore_ascii_case(word)
}

/// A number of decimal digits and nothing else.
pub(crate) fn decimal(text: &str) -> Option<u32> {
    digits(text, 10)
}

/// A firewall mark: decimal, hexadecimal after `0x`, or `off` for 0.
pub(super) fn fwmark(text: &str) -> Result<u32, Reason> {
    if is(text, "off") {
        return Ok(0);
    }
    // `wg` takes no capital X.
    let is_other = text.starts_with("0X");
    hexadecimal(text).unwrap_or_else(|| decimal(text)).filter(|_| !is_other).ok_or(Reason::FwMark)
}

/// Seconds between keepalives, or `off` for 0.
pub(super) fn keepalive(text: &str) -> Result<u16, Reason> {
    if is(text, "off") {
        return Ok(0);
    }
    port(text).map_err(|_| Reason::Keepalive)
}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Result<bool, Reason> {
    match text {
        t if is(t, "true") => Ok(true),
        t if is(t, "false") => Ok(false),
        _ => Err(Reason::Boolean),
    }
}

/// `on`, `off` or `lan`.
pub(super) fn kill_switch(text: &str) -> Result<KillSwitch, Reason> {
    let known = [KillSwitch::Off, KillSwitch::On, KillSwitch::Lan];
    known.into_iter().find(|one| is(text, one.word())).ok_or(Reason::KillSwitch)
}

/// The name or the number of a user.
pub(super) fn user(text: &str) -> Result<(), Reason> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-$@".contains(&byte);
    let is_name = !text.starts_with('-') && text.len() <= NAME_LEN && text.bytes().all(letter);
    if is_name { Ok(()) } else { Err(Reason::User) }
}

/// The path of a control group below the root of their file system.
pub(super) fn cgroup(text: &str) -> Result<(), Reason> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    let mut path = text.as_bytes();
    while let [b'/', rest @ ..] | [rest @ .., b'/'] = path {
        path = rest;
    }
    let leads_down = path.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."));
    if is_visible && leads_down { Ok(()) } else { Err(Reason::Cgroup) }
}

/// Which routing table a text means.
pub(super) enum Wanted {
    /// This one.
    To(Table),
    /// The one of this name.
    Named,
}

/// `auto`, `off`, a number or the name of a routing table.
pub(super) fn table(text: &str) -> Result<Wanted, Reason> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match text {
        t if is(t, "auto") => Ok(Wanted::To(Table::Auto)),
        t if is(t, "off") => Ok(Wanted::To(Table::Off)),
        t if t.starts_with(|c: char| c.is_ascii_digit()) => {
            c_number(t).map(|number| Wanted::To(Table::Number(number))).ok_or(Reason::Table)
        }
        t if !t.is_empty() && !t.starts_with('-') && t.chars().all(fits) => Ok(Wanted::Named),
        _ => Err(Reason::Table),
    }
}

/// A number as C writes it and `ip` reads it: hexadecimal behind `0x`, octal behind `0`, or decimal.
fn c_number(text: &str) -> Option<u32> {
    let is_octal = text.len() > 1 && text.starts_with('0');
    hexadecimal(text).unwrap_or_else(|| if is_octal { digits(text, 8) } else { decimal(text) })
}

/// A number behind `0x`, or that it is none; `None` without that.
fn hexadecimal(text: &str) -> Option<Option<u32>> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    hex.map(|hex| digits(hex, 16))
}

/// A number of digits and nothing else: no sign.
#[inline(never)]
fn digits(text: &str, radix: u32) -> Option<u32> {
    if text.starts_with('+') { None } else { u32::from_str_radix(text, radix).ok() }
}

/// An address of our own: as [`network`], and with a netmask in the place of the prefix length, as `ip` takes it too.
pub(super) fn address(text: &str) -> Result<IpNet, Reason> {
    match parted(text, '/').map(|(address, mask)| (address.parse::<Ipv4Addr>(), mask.parse::<Ipv4Addr>())) {
        Some((Ok(address), Ok(mask))) => {
            IpNet::with_netmask(address.into(), mask.into()).map_err(|_| Reason::PrefixLength { max: 32 })
        }
        _ => network(text),
    }
}

/// An address with or without a prefix length; without, it is a network of one address. Host bits are kept.
pub(crate) fn network(text: &str) -> Result<IpNet, Reason> {
    let (address, length) = match parted(text, '/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| Reason::Address)?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let wrong = Reason::PrefixLength { max };
    let length = length.map_or(Some(max), |l| decimal(l).and_then(|l| u8::try_from(l).ok()));
    IpNet::new(address, length.ok_or(wrong)?).map_err(|_| wrong)
}

/// An allowed IP as `wg` reads it, and whether it is a change to those there are: `+` adds, `-` takes away.
pub(super) fn allowed_ip(text: &str) -> Result<(AllowedIp, bool), Reason> {
    let (text, remove, incremental) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (rest, false, true),
        (_, Some(rest)) => (rest, true, true),
        _ => (text, false, false),
    };
    Ok((AllowedIp { network: network(text)?, remove }, incremental))
}

/// An address and port as the `wg` protocol writes them: IPv6 in brackets, perhaps with a zone. A zone that is an
/// interface's name makes it a name for the host to resolve.
pub(crate) fn socket_address(text: &str) -> Option<Made> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Ok(Endpoint::Address(address)));
    }
    let (host, port) = parted(text.strip_prefix('[')?, ']')?;
    let port = decimal(port.strip_prefix(':')?).and_then(|p| u16::try_from(p).ok())?;
    scoped(host, port)
}

/// An endpoint, or the memory for its name is missing.
type Made = Result<Endpoint, NoMemory>;

fn named(host: &str, port: u16) -> Made {
    copy_text(host).map(|host| Endpoint::Name { host, port })
}

/// An IPv6 address with a zone (RFC 4007 § 11): a number is its index, a name is left to the host.
fn scoped(host: &str, port: u16) -> Option<Made> {
    let (address, zone) = parted(host, '%')?;
    let address: Ipv6Addr = address.parse().ok()?;
    if let Some(index) = decimal(zone) {
        return Some(Ok(Endpoint::Address(SocketAddrV6::new(address, port, 0, index).into())));
    }
    is_zone(zone).then(|| named(host, port))
}

/// Whether this is the name of a zone: that of an interface, or a number.
fn is_zone(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '[' | ']' | '%' | '/' | '#' | ',' | '=' | ':');
    !text.is_empty() && text.len() < 16 && text.chars().all(fits)
}

/// The address of a name server, and the zone behind it, if there is one.
pub(super) fn name_server(text: &str) -> Result<(IpAddr, Option<&str>), Reason> {
    let (address, zone) = match parted(text, '%') {
        Some((address, zone)) if address.contains(':') && is_zone(zone) => (address, Some(zone)),
        _ => (text, None),
    };
    address.parse().map(|address| (address, zone)).map_err(|_| Reason::Address)
}

/// `host:port`, `[IPv6]:port`, and as `wg` takes it too: IPv6 without brackets, for which the second value is true.
pub(super) fn endpoint(text: &str) -> Result<(Made, bool), Reason> {
    let (host, number, bracketed) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = parted(rest, ']').ok_or(Reason::UnclosedBracket)?;
            (host, rest.strip_prefix(':'), true)
        }
        None => match text.rsplit_once(':') {
            Some((host, number)) => (host, Some(number), false),
            None => (text, None, false),
        },
    };
    if text.as_bytes().windows(3).any(|piece| piece == b"://") {
        return Err(Reason::Scheme);
    }
    let number = number.filter(|n| !n.is_empty()).ok_or(Reason::MissingPort)?;
    let port = port(number)?;
    if host.contains(':') {
        let endpoint = match host.parse::<Ipv6Addr>() {
            Ok(address) => Ok(Endpoint::Address((address, port).into())),
            Err(_) => scoped(host, port).ok_or(Reason::Address)?,
        };
        return Ok((endpoint, !bracketed));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok((Ok(Endpoint::Address((address, port).into())), false));
    }
    if looks_like_ipv4(host) {
        return Err(Reason::Address);
    }
    name(host)?;
    Ok((named(host, port), false))
}

/// Whether only an IPv4 address can be meant.
pub(super) fn looks_like_ipv4(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.is_empty()
}

/// The name of a host or domain: labels of letters, digits, `-` and `_`, with single dots between. Every visible character
/// beyond ASCII counts as a letter, vowel signs included; which of them names may have is for the resolver to check (RFC 5892).
pub(super) fn name(text: &str) -> Result<(), Reason> {
    let fits = |c: char| match c {
        '-' | '_' => true,
        c if c.is_ascii() => c.is_ascii_alphanumeric(),
        c => !c.is_whitespace() && !c.is_control() && !is_invisible(c),
    };
    let body = text.strip_suffix('.').unwrap_or(text);
    let good = body.len() <= NAME_LEN
        && body.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && label.chars().all(fits));
    if good { Ok(()) } else { Err(Reason::Name) }
}

/// Whether a character is invisible, or changes the direction in which those after it are written.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// A search domain; `~` before it, or alone, is systemd's mark for a domain to route and not to search.
pub(super) fn domain(text: &str) -> Result<(), Reason> {
    match text.strip_prefix('~') {
        Some(".") => Ok(()),
        Some(rest) => name(rest),
        None => name(text),
    }
}

/// The name of an application: whatever the platform makes of it, without control characters.
pub(super) fn application(text: &str) -> Result<(), Reason> {
    if text.chars().any(char::is_control) { Err(Reason::Application) } else { Ok(()) }
}
