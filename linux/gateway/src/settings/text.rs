//! The file as it is written: every key, and where its value stands. What values mean is read later.
use serde::Deserialize;
use toml::Spanned;

/// A text and where it stands.
pub(super) type Word = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) gateway: Spanned<Gateway>,
    #[serde(default)]
    pub(super) pool: Vec<Spanned<Pool>>,
    #[serde(default)]
    pub(super) session: Session,
    #[serde(default)]
    pub(super) method: Vec<Spanned<Method>>,
    pub(super) certificates: Option<Spanned<Certificates>>,
    #[serde(default)]
    pub(super) rule: Vec<Spanned<Rule>>,
    #[serde(default)]
    pub(super) site: Vec<Spanned<Site>>,
    #[serde(default)]
    pub(super) push: Push,
    #[serde(default)]
    pub(super) log: Log,
    #[serde(default)]
    pub(super) nat: Nat,
    pub(super) store: Spanned<Store>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gateway {
    pub(super) name: Word,
    pub(super) interface: Word,
    pub(super) listen: Spanned<u16>,
    pub(super) endpoint: Option<Word>,
    pub(super) mtu: Option<Spanned<u16>>,
    pub(super) private_key_file: Word,
    pub(super) addresses: Vec<Word>,
    pub(super) login: Option<Word>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    pub(super) network: Word,
    #[serde(default)]
    pub(super) exclude: Vec<Word>,
    #[serde(default)]
    pub(super) reserve: Vec<Reserve>,
    pub(super) sticky: Option<Spanned<bool>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reserve {
    pub(super) user: Word,
    pub(super) address: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    pub(super) lifetime: Option<Word>,
    pub(super) reauthenticate: Option<Word>,
    pub(super) idle: Option<Word>,
    pub(super) offline_limit: Option<Word>,
    pub(super) lease: Option<Word>,
    pub(super) quota: Option<Word>,
    pub(super) rate: Option<Word>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Method {
    #[serde(default)]
    pub(super) groups: Vec<Word>,
    #[serde(default)]
    pub(super) users: Vec<Word>,
    pub(super) factors: Vec<Spanned<Vec<Word>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificates {
    pub(super) ca: Word,
    pub(super) crl: Option<Word>,
    #[serde(default)]
    pub(super) domains: Vec<Word>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: Word,
    pub(super) action: Word,
    #[serde(default)]
    pub(super) groups: Vec<Word>,
    #[serde(default)]
    pub(super) users: Vec<Word>,
    #[serde(default)]
    pub(super) peers: Vec<Word>,
    #[serde(default)]
    pub(super) to: Vec<Word>,
    pub(super) protocol: Option<Word>,
    #[serde(default)]
    pub(super) ports: Vec<Word>,
    pub(super) hours: Option<Word>,
    pub(super) not_after: Option<Word>,
    #[serde(default)]
    pub(super) from: Vec<Word>,
    #[serde(default)]
    pub(super) reject: bool,
    #[serde(default)]
    pub(super) log: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Site {
    pub(super) name: Word,
    pub(super) public_key: Word,
    pub(super) preshared_key_file: Option<Word>,
    pub(super) networks: Vec<Word>,
    #[serde(default)]
    pub(super) endpoints: Vec<Word>,
    #[serde(default)]
    pub(super) keepalive: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Push {
    #[serde(default)]
    pub(super) routes: Vec<Word>,
    #[serde(default)]
    pub(super) excluded_routes: Vec<Word>,
    #[serde(default)]
    pub(super) dns: Vec<Word>,
    #[serde(default)]
    pub(super) search: Vec<Word>,
    #[serde(default)]
    pub(super) split_dns: Vec<Word>,
    pub(super) kill_switch: Option<bool>,
    #[serde(default)]
    pub(super) keepalive: Option<Spanned<u16>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) level: Option<Word>,
    pub(super) file: Option<Word>,
    pub(super) checkpoints: Option<Word>,
    #[serde(default)]
    pub(super) syslog: Option<Spanned<bool>>,
    pub(super) forget_idle: Option<Word>,
    pub(super) metrics: Option<Word>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nat {
    #[serde(default)]
    pub(super) masquerade: Vec<Word>,
    #[serde(default)]
    pub(super) forward: Vec<Word>,
    pub(super) clamp_mss: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) sqlite: Option<Word>,
    pub(super) postgres: Option<Word>,
    pub(super) password_file: Option<Word>,
}
