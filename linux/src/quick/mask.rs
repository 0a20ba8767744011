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
    match cut(text) {
        Some((name, sign, value)) if is_secret(name.trim()) => {
            // A key has neither white space nor `#` in it; a password may have.
            let comment = if is_key(name.trim()) { value.find(" #").or_else(|| value.find("\t#")) } else { None };
            let (value, comment) = value.split_at(comment.unwrap_or(value.len()));
            let value: String = value.chars().map(|letter| if letter.is_whitespace() { letter } else { '*' }).collect();
            // A key may stand where the name should.
            let name = if is_known(name.trim()) { name.to_owned() } else { runs(name, SUSPICIOUS) };
            format!("{name}{sign}{value}{}", runs(comment, SUSPICIOUS))
        }
        _ => runs(text, SUSPICIOUS),
    }
}

/// The name, the sign behind it, and the value, also where another sign stands for `=`, or none behind a name of one word.
fn cut(text: &str) -> Option<(&str, &str, &str)> {
    let at = |place: usize| (&text[..place], &text[place..=place], &text[place + 1..]);
    let first = text.len() - text.trim_start().len();
    let end = text[first..].find(|letter: char| letter.is_ascii_whitespace()).map(|end| first + end);
    let is_word = |end: &usize| is_secret(&text[first..*end]) && !text[*end..].trim_start().starts_with(['=', ':']);
    end.filter(is_word).or_else(|| text.find(['=', ':'])).map(at)
}

/// Whether a program knows the key `name`.
fn is_known(name: &str) -> bool {
    find(name).is_some() || foreign::find(name).is_some()
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

/// Whether `name` is set to a key, and nothing else.
fn is_key(name: &str) -> bool {
    find(name).is_some_and(|row| matches!(row.setting, Setting::PrivateKey | Setting::PresharedKey))
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
        if belongs(first) && run.len() >= limit && is_mixed(run) {
            masked.extend(run.chars().map(|_| '*'))
        } else {
            masked.push_str(run)
        }
        rest = after;
    }
    masked
}

/// Whether letters in a row may be part of a key. In base64, 20 of them have large and small letters among them but for one key
/// in 17 000; in hexadecimal, they have digits and no other letters. Names of hosts and files have small letters alone.
fn is_mixed(run: &str) -> bool {
    let has = |what: fn(&u8) -> bool| run.as_bytes().iter().any(&what);
    let is_hex = run.bytes().all(|byte| byte.is_ascii_hexdigit()) && has(u8::is_ascii_digit);
    is_hex || (has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
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
            format!("PrivateKey = {key} # {key}"),
            format!("PrivateKey = {}#{}", &key[..9], &key[..9]),
            format!("Socks5ProxyPassword = x #{}", &key[..5]),
            format!("PrivateKey: {key}"),
            format!("PrivateKey {key}"),
            format!("  Private Key {key}"),
            format!("PrivateKey:{}", &key[..5]),
            format!("Password {}", &key[..5]),
            format!("{key} = PrivateKey"),
            format!("é {key}: x"),
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
            "Address: fd00::1/64 = x",
            "[Peer]: x",
        ] {
            assert_eq!(line(text), text);
        }
        for text in [
            "Endpoint = averylongnameofahostthatnobodytypes.example.com:51820",
            "PostUp = /usr/local/libexec/routing/announce wg0",
            "# ==========================================",
        ] {
            assert_eq!(line(text), text);
        }
        let key = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
        assert_eq!(
            line(&format!("PrivateKey = {key} # of the phone")),
            format!("PrivateKey = {} # of the phone", "*".repeat(44))
        );
        let hexadecimal = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        assert_eq!(line(&format!("# {hexadecimal}")), format!("# {}", "*".repeat(64)));
        let hook = "iptables -A FORWARD -i wg0 -j ACCEPT; /usr/local/libexec/routing/announce wg0";
        assert_eq!(command(hook), hook);
    }
}
