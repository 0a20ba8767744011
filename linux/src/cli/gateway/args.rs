//! The arguments of `underpass gateway`, and those around what administrators do.
use super::super::Outcome;
use super::{Task, office};
use clap::{Args, Subcommand};
use ipnet::IpNet;
use std::path::PathBuf;
use underpass_gateway::Name;

/// Where a gateway is configured.
const FOLDER: &str = "/etc/underpass";
/// The configuration in it.
pub(super) const CONFIG: &str = "/etc/underpass/gateway.toml";
/// Where a gateway keeps what it must not forget.
const STATE: &str = "/var/lib/underpass";

/// What is done with a gateway.
#[derive(Clone, Debug, Subcommand)]
pub enum GatewayCommand {
    /// Write a configuration, a private key, a store and a unit for systemd, where there are none
    Init(Init),
    /// Check a configuration, and say what is wrong and where
    Check(Check),
    /// Run the gateway, in the foreground, until SIGTERM or SIGINT
    Run {
        /// The configuration of the gateway
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
    },
    /// Show how the gateway is that runs: peers, sessions, addresses, its store and its log
    Status(Place),
    /// Write a copy of the store to a file, while the gateway runs
    Backup {
        /// The file, which may not be there yet
        #[arg(value_name = "FILE")]
        to: PathBuf,

        /// With which
        #[command(flatten)]
        place: Place,
    },
    /// Put a copy of the store back, while no gateway runs: sessions, enrolments and recovery codes of then are void
    Restore {
        /// The copy
        #[arg(value_name = "FILE")]
        from: PathBuf,

        /// With which
        #[command(flatten)]
        place: Place,
    },
}

/// What a new gateway is like.
#[derive(Args, Clone, Debug)]
pub struct Init {
    /// Where configuration, key and unit are to be
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    pub dir: PathBuf,

    /// Where users, sessions and the audit log are to be
    #[arg(long, value_name = "DIR", default_value = STATE)]
    pub state_dir: PathBuf,

    /// The gateway's name in the audit log; the machine's without it
    #[arg(long)]
    pub name: Option<Name>,

    /// The virtual interface
    #[arg(long, value_name = "IFNAME", default_value = "wg0")]
    pub interface: String,

    /// The UDP port
    #[arg(long, value_name = "PORT", default_value_t = 51820)]
    pub listen: u16,

    /// Where clients find the gateway; the port is that of `--listen`, if there is none. Enrolments need it
    #[arg(long, value_name = "HOST[:PORT]")]
    pub endpoint: Option<String>,

    /// A network for clients, of which the gateway gets the first address; may be given more than once
    #[arg(long, value_name = "NETWORK", default_value = "10.8.0.0/24")]
    pub network: Vec<IpNet>,

    /// A network that clients reach through the tunnel; may be given more than once. Everything, without it
    #[arg(long, value_name = "NETWORK")]
    pub route: Vec<IpNet>,

    /// An interface behind which clients' addresses are hidden; may be given more than once. That of the default route, without it
    #[arg(long, value_name = "IFNAME")]
    pub masquerade: Vec<String>,
}

/// What is checked.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,

    /// Writes the rules for nft(8) that the gateway would put up
    #[arg(long)]
    pub show_nft: bool,

    /// Writes JSON
    #[arg(long)]
    pub json: bool,
}

/// Which gateway, and how it answers.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", default_value = CONFIG, global = true)]
    pub config: PathBuf,

    /// Writes JSON, one value a line
    #[arg(long, global = true)]
    pub json: bool,
}

/// Something that administrators do with a gateway.
#[derive(Args, Clone, Debug)]
pub struct Office<C: Subcommand> {
    /// With which
    #[command(flatten)]
    pub place: Place,

    /// What to do
    #[command(subcommand)]
    pub command: C,
}

impl<C: Subcommand> Office<C> {
    /// Does it.
    ///
    /// # Errors
    /// What the user reads.
    pub(in super::super) fn run(self, task: impl FnOnce(C) -> Task) -> Outcome {
        office::run(&self.place, &task(self.command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Arguments, Command};
    use clap::Parser;
    use std::path::Path;

    #[test]
    fn the_configuration_is_named_before_or_behind_what_is_to_be_done() {
        for (line, config, json) in [
            ("underpass user list", CONFIG, false),
            ("underpass user --config a.toml list", "a.toml", false),
            ("underpass user --json list --config a.toml", "a.toml", true),
            ("underpass user add alice --group staff --json", CONFIG, true),
            ("underpass user device list alice --config a.toml", "a.toml", false),
        ] {
            let parsed = Arguments::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
            let Some(Command::User(Office { place, .. })) = parsed.command else { panic!("{line}") };
            assert_eq!((place.config.as_path(), place.json), (Path::new(config), json), "{line}");
        }
    }
}
