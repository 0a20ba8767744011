//! Hides keys in text that is shown.
use underpass_core::config::foreign;
use underpass_core::config::settings::{Setting, find};

/// Letters in a row, of those that keys are written in, from which on they may be a key: half of one is too much too.
const SUSPICIOUS: usize = 20;
/// Letters in a row that are a whole key, and hardly a path.
const WHOLE_KEY: usize = 43;

/// Parts of names of what is better not shown, where nobody knows the name.
const SECRETIVE: [&str; 6] = ["key", "pass", "psk", "secret", "token", "user"];

/// A line of a configuration without what is or may be a secret. Every letter keeps its place.
#[must_use]
pub fn line(text: &str) -> String {
    match text.split_once('=') {
        Some((name, value)) if is_secret(name.trim()) => {
            let value: String = value.chars().map(|letter| if letter.is_whitespace() { letter } else { '*' }).collect();
            format!("{name}={value}")
        }
        _ => runs(text, SUSPICIOUS),
    }
}

/// Whether what `name` is set to is a secret, or may be one.
fn is_secret(name: &str) -> bool {
    if let Some(row) = find(name) {
        return matches!(row.setting, Setting::PrivateKey | Setting::PresharedKey | Setting::Amnezia);
    }
    if let Some(row) = foreign::find(name) {
        return row.is_secret;
    }
    let name = name.to_lowercase();
    SECRETIVE.iter().any(|part| name.contains(part))
}

/// A shell command without the keys in it.
#[must_use]
pub fn command(text: &str) -> String {
    runs(text, WHOLE_KEY)
}

fn runs(text: &str, limit: usize) -> String {
    let belongs = |letter: char| letter.is_ascii_alphanumeric() || "+/=_".contains(letter);
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter| belongs(letter) != belongs(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if belongs(first) && run.len() >= limit {
            masked.extend(run.chars().map(|_| '*'))
        } else {
            masked.push_str(run)
        }
        rest = after;
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_key_is_left() {
        let key = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
        for text in [
            format!("PrivateKey = {key}"),
            format!("private key={key} # {key}"),
            format!("PresharedKey = {}", &key[..5]),
            format!("PrivatKey = {key}"),
            format!("PublicKey = {}", &key[..22]),
            format!("Endpoint = {key}:51820"),
            key.to_owned(),
            format!("# old: {key}"),
            format!("[{key}]"),
            format!("I1 = {}", &key[..5]),
            format!("Socks5ProxyPassword = {}", &key[..5]),
            format!("socks5 proxy username = {}", &key[..5]),
            format!("Proxy-Password = {}", &key[..5]),
            format!("PreshareKey = {}", &key[..5]),
        ] {
            let masked = line(&text);
            assert!(!masked.contains("dwdtC") && masked.contains('*'), "{text}: {masked}");
            assert_eq!(masked.chars().count(), text.chars().count());
        }
    }

    #[test]
    fn what_is_no_key_stays() {
        for text in [
            "Address = 10.0.0.2/24, fd00:1234:5678:9abc:def0:1234:5678:9abc/64",
            "Endpoint = vpn.example.com:51820",
            "DNS = 192.0.2.1, example.com",
            "Adress = überall",
            "AllowedIP = 0.0.0.0/0",
            "BlockDNS = true",
        ] {
            assert_eq!(line(text), text);
        }
        let hook = "iptables -A FORWARD -i wg0 -j ACCEPT; /usr/local/libexec/routing/announce wg0";
        assert_eq!(command(hook), hook);
    }
}
