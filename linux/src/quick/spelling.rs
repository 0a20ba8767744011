//! Values that `wg` reads by way of the system, getaddrinfo(3): ports by the names of services, and addresses of IPv4 in short
//! forms. The core knows neither, so they are spelled out before it reads a text.
use dns_lookup::{AddrInfoHints, SockType, getaddrinfo};
use std::net::{Ipv4Addr, SocketAddr};
use underpass_core::config::settings::same_name;
use zeroize::Zeroizing;

/// Host and port of an endpoint, cut where `wg` cuts it; neither is looked at.
#[must_use]
pub fn cut(endpoint: &str) -> Option<(&str, &str)> {
    let (host, port) = match endpoint.strip_prefix('[') {
        Some(rest) => rest.split_once(']').and_then(|(host, rest)| Some((host, rest.strip_prefix(':')?)))?,
        None => endpoint.rsplit_once(':')?,
    };
    (!port.is_empty()).then_some((host, port))
}

/// The port that `text` is the number or the name of. A number beyond 65535 is none.
#[must_use]
pub fn port(text: &str) -> Option<u16> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits.parse().ok();
    }
    look_up(None, Some(text), libc::AI_PASSIVE).map(|found| found.port())
}

/// The address that `host` is in one of the forms of inet_aton(3), where it is not the usual one. No name is looked up.
fn short_form(host: &str) -> Option<Ipv4Addr> {
    if !host.starts_with(|first: char| first.is_ascii_digit()) || host.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    match look_up(Some(host), None, libc::AI_NUMERICHOST)? {
        SocketAddr::V4(found) => Some(*found.ip()),
        SocketAddr::V6(_) => None,
    }
}

/// Asks as `wg` asks; the first answer counts.
fn look_up(host: Option<&str>, service: Option<&str>, flags: i32) -> Option<SocketAddr> {
    let hints = AddrInfoHints {
        flags,
        address: libc::AF_UNSPEC,
        socktype: SockType::DGram.into(),
        protocol: libc::IPPROTO_UDP,
    };
    getaddrinfo(host, service, Some(hints)).ok()?.next()?.ok().map(|found| found.sockaddr)
}

/// The text of a configuration with its ports and endpoints spelled out, if there is something to spell out. All else stays
/// where it was, in its line and column.
#[must_use]
pub fn spelled_out(text: &str) -> Option<Zeroizing<String>> {
    let mut changes = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let said = line.split('#').next().unwrap_or_default();
        if let Some((key, value)) = said.split_once('=')
            && let Some(better) = better(key, value)
        {
            let at = start + key.len() + 1 + (value.len() - value.trim_start().len());
            changes.push((at, at + value.trim().len(), better));
        }
        start += line.len();
    }
    if changes.is_empty() {
        return None;
    }
    // No reallocation leaves a copy of a key behind.
    let growth: usize = changes.iter().map(|(_, _, better)| better.len()).sum();
    let mut spelled = Zeroizing::new(String::with_capacity(text.len() + growth));
    let mut done = 0;
    for (from, to, better) in changes {
        spelled.push_str(&text[done..from]);
        spelled.push_str(&better);
        done = to;
    }
    spelled.push_str(&text[done..]);
    Some(spelled)
}

/// What the core reads in the place of `value`, where that is another one.
fn better(key: &str, value: &str) -> Option<String> {
    let squeezed = || value.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
    if same_name(key, "ListenPort") {
        let value = squeezed();
        return port(&value).filter(|_| !is_number(&value)).map(|port| port.to_string());
    }
    if !same_name(key, "Endpoint") {
        return None;
    }
    let endpoint = squeezed();
    let (host, service) = cut(&endpoint)?;
    let number = if is_number(service) { None } else { port(service) };
    let shown = number.map_or_else(|| service.to_owned(), |number| number.to_string());
    match short_form(host) {
        Some(address) => Some(format!("{address}:{shown}")),
        None if number.is_some() => Some(format!("{}{shown}", &endpoint[..endpoint.len() - service.len()])),
        None => None,
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_cut_as_wg_cuts_them() {
        let rows = [
            ("a:1", Some(("a", "1"))),
            ("[a]:1", Some(("a", "1"))),
            ("::1:5", Some(("::1", "5"))),
            ("[::1%eth0]:5", Some(("::1%eth0", "5"))),
            (":5", Some(("", "5"))),
            ("a", None),
            ("a:", None),
            ("[a", None),
            ("[a]", None),
            ("[a]5", None),
        ];
        for (text, parts) in rows {
            assert_eq!(cut(text), parts, "{text}");
        }
    }

    #[test]
    fn what_the_core_reads_as_well_stays() {
        for text in [
            "",
            "[Interface]\nListenPort = 7\n[Peer]\nEndpoint = vpn.example.com:51820\nEndpoint = [::1]:5",
            "# Endpoint = 127.1:5\nPostUp = Endpoint=127.1:5\n",
            "Endpoint = 127.1\nEndpoint = 1.2.3.256:1\nEndpoint = a:no-such-service\nListenPort = -1\nListenPort = \n",
        ] {
            assert_eq!(spelled_out(text), None, "{text}");
        }
    }

    #[test]
    fn the_rest_keeps_its_place() {
        let text = "[Interface]\r\nlisten port =\t+7 # x\r\n[Peer]\nEndpoint=  127 .1:5 # of é\nEndpoint = [0x7f.2]:6\nMTU = 1";
        let expected = "[Interface]\r\nlisten port =\t7 # x\r\n[Peer]\nEndpoint=  127.0.0.1:5 # of é\nEndpoint = 127.0.0.2:6\nMTU = 1";
        assert_eq!(spelled_out(text).as_ref().map(|text| text.as_str()), Some(expected));
    }
}
