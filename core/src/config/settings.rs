//! The table of keys: every key of `wg(8)`, `wg-quick(8)`, the Android application and AmneziaWG, once.
use crate::config::diagnostic::Section;
use Empty::{Error, Ignored, Means};
use Repeat::{Adds, LastCounts, Refused};
use Section::{Interface, Peer};

/// Which setting a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the key of the same name in wg(8), wg-quick(8) or the Android application")]
pub enum Setting {
    PrivateKey,
    ListenPort,
    FwMark,
    Address,
    Dns,
    Mtu,
    Table,
    PreUp,
    PostUp,
    PreDown,
    PostDown,
    SaveConfig,
    /// What may leave the machine while the tunnel is up, or down.
    KillSwitch,
    /// Users whose programs stay outside the tunnel.
    ExcludeUser,
    /// Control groups whose programs stay outside the tunnel.
    ExcludeCgroup,
    /// Users whose programs alone use the tunnel.
    OnlyUser,
    /// Control groups whose programs alone use the tunnel.
    OnlyCgroup,
    IncludedApplications,
    ExcludedApplications,
    /// Any of AmneziaWG's keys; the row's name says which.
    Amnezia,
    PublicKey,
    PresharedKey,
    AllowedIps,
    Endpoint,
    PersistentKeepalive,
}

/// What a second line with the same key in the same section does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It replaces the first, with a warning.
    LastCounts,
    /// It is an error: to guess which one is meant could leave packets unprotected, or give them to another peer.
    Refused,
    /// It adds to the first.
    Adds,
}

/// What `key =` without a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// An error.
    Error,
    /// A line to ignore, with a warning.
    Ignored,
    /// An empty list.
    Means,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key as it is written; read without regard to case and white space.
    pub name: &'static str,
    /// The section it belongs into.
    pub section: Section,
    /// The setting.
    pub setting: Setting,
    /// What a second line does.
    pub repeat: Repeat,
    /// What an empty value is.
    pub empty: Empty,
}

const fn row(name: &'static str, section: Section, setting: Setting, repeat: Repeat, empty: Empty) -> Row {
    Row { name, section, setting, repeat, empty }
}

const fn amnezia(name: &'static str) -> Row {
    row(name, Interface, Setting::Amnezia, LastCounts, Ignored)
}

/// Every known key, in the order in which they are written.
#[rustfmt::skip]
pub const SETTINGS: &[Row] = &[
    row("PrivateKey",           Interface, Setting::PrivateKey,           Refused,    Error),
    row("ListenPort",           Interface, Setting::ListenPort,           LastCounts, Error),
    row("FwMark",               Interface, Setting::FwMark,               LastCounts, Error),
    row("Address",              Interface, Setting::Address,              Adds,       Ignored),
    row("DNS",                  Interface, Setting::Dns,                  Adds,       Error),
    row("MTU",                  Interface, Setting::Mtu,                  LastCounts, Ignored),
    row("Table",                Interface, Setting::Table,                Refused,    Ignored),
    row("PreUp",                Interface, Setting::PreUp,                Adds,       Ignored),
    row("PostUp",               Interface, Setting::PostUp,               Adds,       Ignored),
    row("PreDown",              Interface, Setting::PreDown,              Adds,       Ignored),
    row("PostDown",             Interface, Setting::PostDown,             Adds,       Ignored),
    row("SaveConfig",           Interface, Setting::SaveConfig,           LastCounts, Error),
    row("KillSwitch",           Interface, Setting::KillSwitch,           Refused,    Error),
    row("ExcludeUser",          Interface, Setting::ExcludeUser,          Adds,       Ignored),
    row("ExcludeCgroup",        Interface, Setting::ExcludeCgroup,        Adds,       Ignored),
    row("OnlyUser",             Interface, Setting::OnlyUser,             Adds,       Error),
    row("OnlyCgroup",           Interface, Setting::OnlyCgroup,           Adds,       Error),
    row("IncludedApplications", Interface, Setting::IncludedApplications, Adds,       Ignored),
    row("ExcludedApplications", Interface, Setting::ExcludedApplications, Adds,       Ignored),
    amnezia("Jc"), amnezia("Jmin"), amnezia("Jmax"),
    amnezia("S1"), amnezia("S2"), amnezia("S3"), amnezia("S4"),
    amnezia("H1"), amnezia("H2"), amnezia("H3"), amnezia("H4"),
    amnezia("I1"), amnezia("I2"), amnezia("I3"), amnezia("I4"), amnezia("I5"),
    amnezia("J1"), amnezia("J2"), amnezia("J3"), amnezia("Itime"),
    amnezia("HeaderProtectionKey"), amnezia("ContentPaddingAddition"), amnezia("RekeyAfterTime"),
    amnezia("RekeyTimeout"), amnezia("RejectAfterTime"), amnezia("KeepaliveTimeout"),
    amnezia("MaxHandshakeAttempts"), amnezia("RandomTrailers"), amnezia("DisableCookies"),
    row("PublicKey",            Peer,      Setting::PublicKey,            Refused,    Error),
    row("PresharedKey",         Peer,      Setting::PresharedKey,         Refused,    Error),
    row("AllowedIPs",           Peer,      Setting::AllowedIps,           Adds,       Means),
    row("Endpoint",             Peer,      Setting::Endpoint,             LastCounts, Error),
    row("PersistentKeepalive",  Peer,      Setting::PersistentKeepalive,  LastCounts, Error),
];

/// The row of the key written as `text`.
#[must_use]
pub fn find(text: &str) -> Option<&'static Row> {
    SETTINGS.iter().find(|row| same_name(text, row.name))
}

/// The spelling of `key`, empty for [`Setting::Amnezia`], which has many.
#[must_use]
pub fn name(key: Setting) -> &'static str {
    let one = |row: &&Row| row.setting == key && key != Setting::Amnezia;
    SETTINGS.iter().find(one).map_or("", |row| row.name)
}

/// Whether `text` is `name` but for case and white space.
#[must_use]
pub fn same_name(text: &str, name: &str) -> bool {
    let letters = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase());
    letters.eq(name.chars().map(|c| c.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_none_twice() {
        for (i, row) in SETTINGS.iter().enumerate() {
            assert_eq!(find(row.name), Some(row), "row {i}");
            assert_eq!(find(&row.name.to_ascii_uppercase()), Some(row), "row {i}");
            assert!(
                SETTINGS.iter().skip(i + 1).all(|other| !same_name(row.name, other.name)),
                "row {i}: {} twice",
                row.name
            );
        }
    }

    #[test]
    fn every_setting_has_one_name() {
        for row in SETTINGS.iter().filter(|row| row.setting != Setting::Amnezia) {
            assert_eq!(name(row.setting), row.name);
        }
        assert_eq!(name(Setting::Amnezia), "");
    }
}
