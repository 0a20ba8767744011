//! Words that are meant for commands, where the name of an interface may stand.
//!
//! `underpass stop` is nobody's wish for an interface called `stop`. Such a word is refused with a hint, unless it is plain
//! that an interface is meant: behind `-f` or `--`, or when wg-quick(8) asks by `WG_QUICK_USERSPACE_IMPLEMENTATION`.
use super::args::Arguments;
use clap::CommandFactory;
use std::env;
use std::ffi::OsString;
use std::path::Path;

/// Set by whoever has wg-quick(8) start this program, with nothing but the name of an interface.
const BY_WG_QUICK: &str = "WG_QUICK_USERSPACE_IMPLEMENTATION";

/// Verbs of other programs, and what does the same here.
const USUAL: [(&str, &str); 53] = [
    ("start", "underpass up"),
    ("connect", "underpass up"),
    ("on", "underpass up"),
    ("enable", "underpass up"),
    ("open", "underpass up"),
    ("run", "underpass up"),
    ("bringup", "underpass up"),
    ("stop", "underpass down"),
    ("disconnect", "underpass down"),
    ("off", "underpass down"),
    ("disable", "underpass down"),
    ("close", "underpass down"),
    ("kill", "underpass down"),
    ("quit", "underpass down"),
    ("exit", "underpass down"),
    ("end", "underpass down"),
    ("delete", "underpass down"),
    ("del", "underpass down"),
    ("remove", "underpass down"),
    ("rm", "underpass down"),
    ("list", "underpass status"),
    ("ls", "underpass status"),
    ("ps", "underpass status"),
    ("info", "underpass status"),
    ("state", "underpass status"),
    ("stats", "underpass status --watch"),
    ("top", "underpass status --watch"),
    ("watch", "underpass status --watch"),
    ("monitor", "underpass status --watch"),
    ("showconf", "underpass show IFNAME dump"),
    ("dump", "underpass show IFNAME dump"),
    ("peers", "underpass show IFNAME peers"),
    ("peer", "underpass set IFNAME peer"),
    ("add", "underpass set IFNAME peer"),
    ("addpeer", "underpass set IFNAME peer"),
    ("setconf", "wg setconf"),
    ("addconf", "wg addconf"),
    ("syncconf", "wg syncconf"),
    ("test", "underpass doctor"),
    ("ping", "underpass doctor"),
    ("diagnose", "underpass doctor"),
    ("debug", "underpass doctor"),
    ("validate", "underpass check"),
    ("lint", "underpass check"),
    ("verify", "underpass check"),
    ("edit", "underpass check"),
    ("key", "underpass genkey"),
    ("keygen", "underpass genkey"),
    ("init", "underpass genkey"),
    ("qrcode", "underpass qr"),
    ("export", "underpass qr"),
    ("version", "underpass --version"),
    ("completion", "underpass completions"),
];

/// Why `word`, given as an interface by the command line `arguments`, is taken for a command that does not exist: what the
/// user reads. `None`: an interface is meant.
#[must_use]
pub fn mistaken(word: &str, foreground: bool, arguments: &[OsString]) -> Option<String> {
    let is_plain =
        foreground || arguments.iter().any(|argument| argument == "--") || env::var_os(BY_WG_QUICK).is_some();
    if is_plain {
        return None;
    }
    let said = match file_meant(word) {
        Some(meant) => format!("`{word}` names a configuration; did you mean `{meant}`?"),
        None => format!("there is no command `{word}`; did you mean `{}`?", meant(word)?),
    };
    Some(format!("{said}\nFor an interface of this name: underpass -- {word}"))
}

/// The command for the configuration that `word` is likely to name.
fn file_meant(word: &str) -> Option<String> {
    let name = word.strip_suffix(".conf")?;
    let is_here = word.contains('/') || Path::new(word).exists();
    Some(match (is_here, word.contains('/')) {
        (true, false) => format!("underpass up ./{word}"),
        (true, true) => format!("underpass up {word}"),
        (false, _) => format!("underpass up {name}"),
    })
}

/// What was meant by a command line that is none, as far as its first words tell: what the user reads.
#[must_use]
pub fn misplaced(arguments: &[OsString]) -> Option<String> {
    let word = |place| arguments.get(place).and_then(|word: &OsString| word.to_str());
    let is_command = |word: &str| Arguments::command().get_subcommands().any(|command| command.get_name() == word);
    let first = word(1).filter(|word| !word.starts_with('-') && !is_command(word))?;
    let meant = match word(2) {
        Some(second) if is_command(second) => format!("underpass {second} {first}"),
        _ => meant(first)?,
    };
    Some(format!("there is no command `{first}`; did you mean `{meant}`?"))
}

/// The command that `word` is likely to stand for.
fn meant(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    if let Some((_, meant)) = USUAL.iter().find(|(verb, _)| *verb == lower) {
        return Some((*meant).to_owned());
    }
    let commands = Arguments::command();
    let near = commands.get_subcommands().map(clap::Command::get_name).filter(|verb| is_near(&lower, verb));
    let nearest = near.min_by_key(|verb| strsim::osa_distance(&lower, verb))?;
    Some(format!("underpass {nearest}"))
}

/// Whether a word is a misspelt verb. Names of interfaces end in numbers, and verbs do not. In a short verb only one letter
/// may be wrong, and not the first: `lan` is no `man`.
fn is_near(word: &str, verb: &str) -> bool {
    let distance = strsim::osa_distance(word, verb);
    let is_swapped = || {
        let letters = |text: &str| {
            let mut letters: Vec<char> = text.chars().collect();
            letters.sort_unstable();
            letters
        };
        letters(word) == letters(verb)
    };
    match verb.len() {
        _ if word.contains(|letter: char| letter.is_ascii_digit() || letter == '%') => false,
        0..=4 => distance <= 1 && (word.starts_with(&verb[..1]) || is_swapped()),
        _ => distance <= 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_word_near_a_command_is_no_interface() {
        for (word, meant) in [
            ("stop", "underpass down"),
            ("START", "underpass up"),
            ("version", "underpass --version"),
            ("shwo", "underpass show"),
            ("dwon", "underpass down"),
            ("pu", "underpass up"),
            ("upp", "underpass up"),
            ("statsu", "underpass status"),
            ("chekc", "underpass check"),
            ("doctro", "underpass doctor"),
            ("genkye", "underpass genkey"),
            ("wg0.conf", "underpass up wg0"),
            ("./wg0.conf", "underpass up ./wg0.conf"),
            ("/srv/wg0.conf", "underpass up /srv/wg0.conf"),
        ] {
            let said = mistaken(word, false, &["underpass".into(), word.into()]).expect(word);
            assert!(said.contains(&format!("did you mean `{meant}`?")), "{said}");
            assert!(said.ends_with(&format!("underpass -- {word}")), "{said}");
        }
    }

    #[test]
    fn names_of_interfaces_stay_names() {
        for word in ["wg0", "wg%d", "tun", "lan", "wan", "vpn", "corp", "home", "office", "up0", "show1", "dmz", "mesh"]
        {
            assert_eq!(mistaken(word, false, &["underpass".into(), word.into()]), None, "{word}");
        }
        assert_eq!(mistaken("stop", true, &["underpass".into(), "-f".into(), "stop".into()]), None);
        assert_eq!(mistaken("stop", false, &["underpass".into(), "--".into(), "stop".into()]), None);
    }

    #[test]
    fn what_follows_a_mistaken_word_hides_no_hint() {
        for (line, meant) in [
            ("start wg0", Some("underpass up")),
            ("upp wg0", Some("underpass up")),
            ("UP wg0", Some("underpass up")),
            ("wg0 up", Some("underpass up wg0")),
            ("wg0 down --force", Some("underpass down wg0")),
            ("up wg0 wg1", None),
            ("-f wg0 wg1", None),
            ("wg0 wg1", None),
        ] {
            let arguments: Vec<OsString> = format!("underpass {line}").split(' ').map(OsString::from).collect();
            assert!(Arguments::try_parse_from(&arguments).is_err(), "{line}");
            let said = misplaced(&arguments);
            assert_eq!(said.is_some(), meant.is_some(), "{line}: {said:?}");
            if let (Some(said), Some(meant)) = (said, meant) {
                assert!(said.ends_with(&format!("did you mean `{meant}`?")), "{line}: {said}");
            }
        }
    }

    /// Each command that is recommended exists.
    #[test]
    fn hints_name_commands() {
        let commands = Arguments::command();
        for (word, meant) in USUAL {
            let mut words = meant.split(' ');
            let (program, verb) = (words.next().expect("a program"), words.next().expect("a verb"));
            let exists = commands.get_subcommands().any(|command| command.get_name() == verb);
            assert!(program == "wg" || verb.starts_with("--") || exists, "{word}: {meant}");
            assert!(
                Arguments::try_parse_from(["underpass", word]).is_ok_and(|parsed| parsed.command.is_none()),
                "{word}"
            );
        }
    }
}
