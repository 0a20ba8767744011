//! The commands and their arguments.
use crate::name::Name;
use crate::time::Time;
use clap::Subcommand;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use underpass_core::PublicKey;

/// What administrators do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Add, show, disable and remove users, and set what they log in with
    User {
        /// What to do
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Add and remove groups, and who belongs to them
    Group {
        /// What to do
        #[command(subcommand)]
        command: GroupCommand,
    },
    /// List and revoke sessions
    Session {
        /// What to do
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Find out what the rules say
    Rules {
        /// What to do
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Show, verify and export the audit log
    Audit {
        /// What to do
        #[command(subcommand)]
        command: AuditCommand,
    },
}

/// What is done with users.
#[derive(Clone, Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user, who has no factor yet and cannot log in before there is one
    Add {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
        /// A group to join; may be given more than once
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<Name>,
    },
    /// Show a user
    Show {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
    },
    /// Show all users
    List,
    /// Keep a user from logging in, and end all sessions
    Disable {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
    },
    /// Let a user log in again
    Enable {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
    },
    /// Set a password, which is asked for
    Passwd {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
        /// Remove the password instead
        #[arg(long)]
        remove: bool,
    },
    /// Add one-time codes, and show the secret for the authenticator app this once
    Totp {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
        /// Remove all one-time codes and recovery codes instead
        #[arg(long)]
        remove: bool,
    },
    /// Make ten recovery codes, and show them this once; older ones are void
    Recovery {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
    },
    /// Begin an enrolment: show, this once, a configuration with which one device makes itself known, and on a terminal its QR code
    Enroll {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
        /// For how many hours it is good
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=720))]
        hours: u16,
        /// Draw the QR code into this file, in PNG, which may not be there yet; not in the terminal
        #[arg(long, value_name = "FILE")]
        png: Option<PathBuf>,
    },
    /// Remove a user, with all devices, factors and sessions
    Remove {
        /// The name
        #[arg(value_name = "USER")]
        name: Name,
    },
    /// Add, list and remove devices of a user
    Device {
        /// What to do
        #[command(subcommand)]
        command: DeviceCommand,
    },
}

/// What is done with devices.
#[derive(Clone, Debug, Subcommand)]
pub enum DeviceCommand {
    /// Add a device by its public key
    Add {
        /// Whose device
        user: Name,
        /// What the device is called
        name: Name,
        /// The public key, in base64
        #[arg(value_parser = |text: &str| PublicKey::from_base64(text))]
        key: PublicKey,
    },
    /// List the devices of a user
    List {
        /// Whose devices
        user: Name,
    },
    /// Remove a device, and end its session
    Remove {
        /// Whose device
        user: Name,
        /// What the device is called
        name: Name,
        /// Its key may never come back: the device is lost or stolen
        #[arg(long)]
        revoke: bool,
    },
}

/// What is done with groups.
#[derive(Clone, Debug, Subcommand)]
pub enum GroupCommand {
    /// Add a group
    Add {
        /// The name
        group: Name,
    },
    /// Remove a group
    Remove {
        /// The name
        group: Name,
    },
    /// List all groups
    List,
    /// List the members of a group
    Members {
        /// The name
        group: Name,
    },
    /// Make a user a member of a group
    Join {
        /// The user
        user: Name,
        /// The group
        group: Name,
    },
    /// Make a user no member of a group any more
    Leave {
        /// The user
        user: Name,
        /// The group
        group: Name,
    },
}

/// What is done with sessions.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionCommand {
    /// List sessions
    List {
        /// Of this user alone
        #[arg(long)]
        user: Option<Name>,
    },
    /// End all sessions of a user
    Revoke {
        /// The user
        user: Name,
    },
}

/// What is asked of rules.
#[derive(Clone, Debug, Subcommand)]
pub enum RulesCommand {
    /// Say which rule decides when a user begins something with a destination
    Explain {
        /// The user
        #[arg(value_name = "USER")]
        user: Name,
        /// The address
        #[arg(value_name = "DEST")]
        to: IpAddr,
        /// The port and the protocol, such as 443/tcp, or a protocol alone: icmp, or its number
        #[arg(value_name = "PORT/PROTO", default_value = "icmp")]
        what: Wanted,
        /// The address that the user's device has in the internet, for rules that ask for it
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
        /// The time, such as 2026-11-30T08:00:00Z; now, without it
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<Time>,
    },
}

/// A protocol, and a port where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its number.
    pub protocol: u8,
    /// The destination port; 0 where there is none.
    pub port: u16,
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

impl FromStr for Wanted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "expected a port and a protocol, such as 443/tcp, or a protocol, such as icmp";
        let (port, protocol) = match text.split_once('/') {
            Some((port, protocol)) => (Some(port.parse::<u16>().map_err(|_| wrong)?), protocol),
            None => (None, text),
        };
        let protocol = match protocol {
            "tcp" => TCP,
            "udp" => UDP,
            "icmp" => ICMP,
            number => number.parse().map_err(|_| wrong)?,
        };
        match (port, matches!(protocol, TCP | UDP)) {
            (Some(port), true) if port > 0 => Ok(Self { protocol, port }),
            (None, false) => Ok(Self { protocol, port: 0 }),
            (None, true) => Err("a port is needed: 443/tcp"),
            _ => Err(wrong),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            TCP => write!(out, "{}/tcp", self.port),
            UDP => write!(out, "{}/udp", self.port),
            ICMP => out.write_str("icmp"),
            number => write!(out, "protocol {number}"),
        }
    }
}

/// An instant as RFC 3339 writes it.
fn time(text: &str) -> Result<Time, &'static str> {
    let wrong = "expected a time such as 2026-11-30T08:00:00Z";
    let at = humantime::parse_rfc3339(text).map_err(|_| wrong)?;
    let since_1970 = at.duration_since(std::time::UNIX_EPOCH).map_err(|_| wrong)?;
    Ok(Time::from_millis(i64::try_from(since_1970.as_millis()).map_err(|_| wrong)?))
}

/// What is done with the audit log.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// Show lines for people to read
    Show(Lines),
    /// Write lines as they are
    Export {
        /// Which lines
        #[command(flatten)]
        lines: Lines,
        /// To this file, which may not be there yet; without it, to standard output
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Find out whether the log is as it was written
    Verify,
}

/// Which lines.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Lines {
    /// From this number on
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// From this time on, such as 2026-11-30T08:00
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Of this kind, such as user.added, or of all that begin so, such as user
    #[arg(long)]
    pub event: Option<String>,
    /// About this user, or done by this one
    #[arg(long)]
    pub user: Option<String>,
}
