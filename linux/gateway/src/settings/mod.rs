//! The configuration of a gateway: one TOML file, read to its end, with everything that is wrong in it and where.
//!
//! - `text` is the file as it is written, `value` reads the forms of single values, `place` knows lines and columns;
//! - `read` makes [`Settings`] of it, section by section; `rule` reads rules;
//! - `check` is what concerns several sections: overlaps, contradictions, what a log level forbids.
//!
//! A key that nobody knows is an error: without what it was to say, somebody could reach what they should not.
mod check;
mod place;
mod read;
mod rule;
mod text;
mod value;

pub use place::{Finding, Severity};
pub use rule::{Hours, Rule};
pub use underpass_core::filter::{Action, Protocol};

use crate::Name;
use crate::audit::Level;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use underpass_core::PublicKey;

/// What a gateway is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name, in audit lines and among several gateways.
    pub name: Name,
    /// The virtual interface.
    pub interface: String,
    /// The UDP port.
    pub listen: u16,
    /// Where clients find it: `host:port`. Enrolments need it.
    pub endpoint: Option<String>,
    /// The MTU of the virtual interface.
    pub mtu: u16,
    /// The file with the private key.
    pub private_key_file: PathBuf,
    /// Its own addresses inside the tunnel.
    pub addresses: Vec<IpNet>,
    /// Whether peers have to log in.
    pub login: Login,
    /// Ranges from which addresses are given.
    pub pools: Vec<Pool>,
    /// How long logins last.
    pub session: Session,
    /// Which factors who needs, in order: the first that fits a user counts.
    pub methods: Vec<Method>,
    /// The issuers whose certificates count; `None`: none.
    pub certificates: Option<Certificates>,
    /// Who may reach what, in order: the first that fits decides, and what none fits is denied.
    pub rules: Vec<Rule>,
    /// Peers that need no login: other offices, and devices that know nothing but WireGuard.
    pub sites: Vec<Site>,
    /// What clients are told to set.
    pub push: Push,
    /// What is recorded.
    pub log: Log,
    /// What the kernel does with forwarded packets.
    pub nat: Nat,
    /// Where users, leases and codes are kept.
    pub store: StorePlace,
}

/// Whether peers have to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// All but sites.
    #[default]
    Required,
    /// Nobody: keys are enough, and the control channel is off.
    Off,
}

/// Ranges of addresses that are given to users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The network.
    pub network: IpNet,
    /// Addresses and networks in it that are never given.
    pub excluded: Vec<IpNet>,
    /// Addresses that belong to one user.
    pub reserved: Vec<(Name, IpAddr)>,
    /// Whether a user gets the same address again, as far as possible.
    pub sticky: bool,
}

/// How long logins last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// From login to end.
    pub lifetime: Duration,
    /// Before the end: the client is told to log in anew, and goes on meanwhile.
    pub reauthenticate: Duration,
    /// Without a packet.
    pub idle: Option<Duration>,
    /// How long an open session outlives a store that cannot be reached: the worst latency of a revocation.
    pub offline_limit: Duration,
    /// How long an address belongs to a user who is gone.
    pub lease: Duration,
    /// Bytes a session may carry, both ways together.
    pub quota: Option<u64>,
    /// Bits a second that a session may carry, each way.
    pub rate: Option<u64>,
}

/// A factor by which somebody proves who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// A password.
    Password,
    /// A one-time code.
    Totp,
    /// A certificate.
    Certificate,
    /// A question of another system: LDAP or RADIUS.
    Challenge,
    /// A browser: OpenID Connect.
    Web,
}

/// Which factors who needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Members of these groups; with `users` empty too: everybody.
    pub groups: Vec<Name>,
    /// These users.
    pub users: Vec<Name>,
    /// Alternatives, each a list of factors that are all needed.
    pub factors: Vec<Vec<Factor>>,
}

/// Whom certificates are believed of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The file with the certificates of authorities, in PEM.
    pub ca: PathBuf,
    /// The file with lists of revoked certificates, in PEM. With it, there has to be one of each authority.
    pub crl: Option<PathBuf>,
    /// Domains of which the part of an address before `@` is a user. Without them, users are called as their certificates say.
    pub domains: Vec<String>,
}

/// A peer that needs no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name, for rules.
    pub name: Name,
    /// Its key.
    pub public_key: PublicKey,
    /// The file with the preshared key.
    pub preshared_key_file: Option<PathBuf>,
    /// The networks behind it.
    pub networks: Vec<IpNet>,
    /// Where it is, if it does not call first: `host:port`, several to be tried in turn.
    pub endpoints: Vec<String>,
    /// Seconds between keepalives; 0: none.
    pub keepalive: u16,
}

/// What clients are told to set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// Networks that are reached through the tunnel.
    pub routes: Vec<IpNet>,
    /// Networks that are not.
    pub excluded_routes: Vec<IpNet>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Domains that are searched.
    pub search: Vec<String>,
    /// Domains for which alone the name servers are asked; empty: all.
    pub split_dns: Vec<String>,
    /// Whether clients are asked to have a kill switch.
    pub kill_switch: bool,
    /// Seconds between keepalives; 0: none.
    pub keepalive: u16,
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How much.
    pub level: Level,
    /// The folder of the audit log; `None` only in [`Level::None`].
    pub file: Option<PathBuf>,
    /// Where signed checkpoints go: another disk, or another machine's.
    pub checkpoints: Option<PathBuf>,
    /// Whether the system's log gets each line too.
    pub syslog: bool,
    /// After how much silence a peer's endpoint, keypairs and counters are forgotten.
    pub forget_idle: Option<Duration>,
    /// Where metrics are read.
    pub metrics: Option<SocketAddr>,
}

/// What the kernel does with forwarded packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    /// Interfaces behind which clients' addresses are hidden.
    pub masquerade: Vec<String>,
    /// Networks to which clients are forwarded; empty: all.
    pub forward: Vec<IpNet>,
    /// Whether TCP's segments are made to fit the path.
    pub clamp_mss: bool,
}

/// Where users, leases and codes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database of PostgreSQL, which several gateways share.
    Postgres {
        /// How to connect: words of libpq, without a password.
        connection: String,
        /// The file with the password.
        password_file: Option<PathBuf>,
    },
}

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Read {
    /// The settings, if no finding is an error.
    pub settings: Option<Settings>,
    /// Errors and warnings, in the order of the text.
    pub findings: Vec<Finding>,
}

/// Reads the text of a configuration.
#[must_use]
pub fn read(text: &str) -> Read {
    read::read(text)
}

#[cfg(test)]
mod tests;
