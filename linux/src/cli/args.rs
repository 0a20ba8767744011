//! The command line.
#[cfg(feature = "gateway")]
use super::gateway;
use super::reference;
use super::show::fields::Field;
use crate::guard::Wish;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
#[cfg(feature = "gateway")]
use underpass_gateway::command;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "underpass",
    version,
    about = "A WireGuard tunnel in userspace",
    long_about = "A WireGuard tunnel in userspace.\n\n\
        `underpass IFNAME` creates the interface and serves its control socket, so that wg(8) can configure it, in the \
        background: it stands in for wireguard-go, also as WG_QUICK_USERSPACE_IMPLEMENTATION. The tunnel ends when the \
        interface is deleted, when the socket is removed, or on SIGINT or SIGTERM.\n\n\
        `underpass up` does the whole of wg-quick(8) by itself.",
    after_long_help = reference::help(),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// Stays in the foreground
    #[arg(short, long)]
    pub foreground: bool,

    /// The interface to create; a `%d` in it is a number the kernel picks
    #[arg(value_name = "IFNAME", required = true)]
    pub interface: Option<String>,

    /// What else can be done
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring a tunnel up with its addresses, routes and name servers, from a wg-quick configuration
    Up(Up),
    /// Take a tunnel down that `up` or wg-quick brought up
    Down(Down),
    /// Log in at a gateway: bring its tunnel up, with the addresses, routes and name servers that it grants, until the logout
    ///
    /// The configuration is that of a tunnel whose one peer is the gateway. It needs no Address and no DNS: those come from the
    /// gateway, once it has let the user in. Its AllowedIPs say what the gateway may have routed at most. DNS, MTU and
    /// PersistentKeepalive of the file count before what the gateway says.
    ///
    /// What is asked (name, password, one-time code, or what else the gateway wants to know) is typed on a terminal, or read from
    /// standard input, an answer a line.
    ///
    /// The command stays, in the background with --background, renews what was granted and applies changes. SIGINT, SIGTERM
    /// or `underpass logout` log out: then everything is as it was before. When the gateway ends the session, the tunnel is taken down, the exit status is 1, and
    /// a kill switch stays until the next logout, or `underpass unlock`.
    Login(Login),
    /// Log out at a gateway, and take its tunnel down
    ///
    /// It ends the `underpass login` that has the tunnel, wherever that runs. If that was killed, it logs out in its place.
    Logout {
        /// The configuration: IFNAME for /etc/wireguard/IFNAME.conf, or a file named IFNAME.conf
        #[arg(value_name = "FILE|IFNAME")]
        config: String,
    },
    /// Make this machine a device that may log in at a gateway, by a configuration that enrols one
    ///
    /// The configuration is what `underpass user enroll` printed at the gateway. The machine makes its own key, which the gateway
    /// never sees. Where the gateway will ask for codes, it shows the secret for an authenticator, and asks for a code of it. Then
    /// the file is one to log in with.
    Enroll(Enroll),
    /// Let nothing leave the machine but through a tunnel, before that is up and without it
    Lock(Lock),
    /// Remove the kill switch, of one tunnel or of all
    Unlock {
        /// The interface; without one, every kill switch is removed
        #[arg(value_name = "IFNAME")]
        interface: Option<String>,
    },
    /// Take a tunnel down and bring it up again; a configuration that is wrong leaves it as it is
    Restart(Tunnel),
    /// Apply what has changed in the configuration of a running tunnel, without ending its sessions
    Reload(Tunnel),
    /// Write what a tunnel runs with to its configuration
    Save(Tunnel),
    /// Show interfaces: their peers, endpoints, handshakes and transfer
    Show(Show),
    /// Show all tunnels at a glance: whether they are connected, since when, and what passes through them
    Status(Status),
    /// Change a tunnel that runs, as `wg set` does
    Set(Set),
    /// Find out why a tunnel does not work: walk its path, and say what is wrong and what to do
    Doctor(Doctor),
    /// Write a configuration without what only `up` understands, for `wg setconf`
    Strip {
        /// The configuration: IFNAME for /etc/wireguard/IFNAME.conf, or a file named IFNAME.conf
        #[arg(value_name = "FILE|IFNAME")]
        config: String,
    },
    /// Show a configuration as a QR code, for a phone to take
    Qr(Qr),
    /// Take a configuration over into /etc/wireguard, from a file, standard input or a picture of a QR code
    Import(Import),
    /// Check a configuration file, and say what is wrong and where
    Check {
        /// The file; `-` for standard input
        file: PathBuf,
    },
    /// Write a new private key to standard output
    Genkey,
    /// Read a private key from standard input and write its public key to standard output
    Pubkey,
    /// Write a new preshared key to standard output
    Genpsk,
    /// Run a gateway, where people log in with passwords and one-time codes
    #[cfg(feature = "gateway")]
    Gateway {
        /// What to do
        #[command(subcommand)]
        command: gateway::GatewayCommand,
    },
    /// Add, show, disable and remove the users of a gateway, and set what they log in with
    #[cfg(feature = "gateway")]
    User(gateway::Office<command::UserCommand>),
    /// Add and remove groups of users, and who belongs to them
    #[cfg(feature = "gateway")]
    Group(gateway::Office<command::GroupCommand>),
    /// List and revoke the sessions of a gateway
    #[cfg(feature = "gateway")]
    Session(gateway::Office<command::SessionCommand>),
    /// Say which rule of a gateway decides what a user reaches
    #[cfg(feature = "gateway")]
    Rules(gateway::Office<command::RulesCommand>),
    /// Show, verify and export the audit log of a gateway
    #[cfg(feature = "gateway")]
    Audit(gateway::Office<command::AuditCommand>),
    /// Show a tunnel at work: on machines made for the purpose as root, in one process otherwise
    Demo,
    /// Write a completion script for a shell to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a page of the manual to standard output
    Man {
        /// The page, such as underpass-up or underpass.conf; underpass without it
        page: Option<String>,

        /// Write all pages into man5 and man8 in this directory instead
        #[arg(long, value_name = "DIR", conflicts_with = "page")]
        output_dir: Option<PathBuf>,
    },
}

/// What to bring up.
#[derive(Args, Debug)]
pub struct Up {
    /// The configuration: IFNAME for /etc/wireguard/IFNAME.conf, or a file named IFNAME.conf
    #[arg(value_name = "FILE|IFNAME")]
    pub config: String,

    /// Lets nothing leave but through the tunnel, until `down` or `unlock`
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "on", require_equals = true)]
    pub kill_switch: Option<Wish>,

    /// Writes what would be done, as commands, and does nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Waits until a peer has answered, 5 s at most; the default on a terminal
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,

    /// Does not wait for peers
    #[arg(long, overrides_with = "wait")]
    pub no_wait: bool,
}

/// What to enrol by.
#[derive(Args, Debug)]
pub struct Enroll {
    /// The configuration: IFNAME for /etc/wireguard/IFNAME.conf, or a file named IFNAME.conf
    #[arg(value_name = "FILE|IFNAME")]
    pub config: String,

    /// What administrators see the device by; without it, the name of the machine
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<String>,
}

/// Where to log in.
#[derive(Args, Debug)]
pub struct Login {
    /// The configuration: IFNAME for /etc/wireguard/IFNAME.conf, or a file named IFNAME.conf; its one peer is the gateway
    #[arg(value_name = "FILE|IFNAME")]
    pub config: String,

    /// Who logs in; without it, the name is asked for, and a session that is open is taken up
    #[arg(short, long, value_name = "NAME")]
    pub user: Option<String>,

    /// Goes on without the terminal once the user is logged in; what is to be said then goes to the system's log
    #[arg(short, long)]
    pub background: bool,

    /// This is the process that goes on
    #[arg(long, hide = true, conflicts_with = "background")]
    pub leaves_terminal: bool,

    /// Lets nothing leave but through the tunnel; the default where everything is to go through it, or the gateway wants it
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "on", require_equals = true)]
    pub kill_switch: Option<Wish>,
}

/// What to lock.
#[derive(Args, Debug)]
pub struct Lock {
    /// The tunnels that may be used: IFNAME for /etc/wireguard/IFNAME.conf, or files named IFNAME.conf
    #[arg(value_name = "FILE|IFNAME", required_unless_present = "boot")]
    pub configs: Vec<String>,

    /// Locks the tunnels that `LockAtBoot` in /etc/underpass.conf names
    #[arg(long, conflicts_with = "configs")]
    pub boot: bool,

    /// Lets the private local network pass, whatever the configuration says
    #[arg(long)]
    pub lan: bool,
}

/// What to take down.
#[derive(Args, Debug)]
pub struct Down {
    /// The configuration: IFNAME for /etc/wireguard/IFNAME.conf, or a file named IFNAME.conf
    #[arg(value_name = "FILE|IFNAME")]
    pub config: String,

    /// Kills the tunnel's program first, which need not answer, and clears away what is left of it
    #[arg(long, conflicts_with = "dry_run")]
    pub force: bool,

    /// Leaves the kill switch: nothing leaves the machine until the tunnel is up again
    #[arg(long)]
    pub keep_lock: bool,

    /// Writes what would be done, as commands, and does nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// A tunnel.
#[derive(Args, Debug)]
pub struct Tunnel {
    /// The configuration: IFNAME for /etc/wireguard/IFNAME.conf, or a file named IFNAME.conf
    #[arg(value_name = "FILE|IFNAME")]
    pub config: String,
}

/// What to show.
#[derive(Args, Debug)]
pub struct Show {
    /// The interface; `all` for every one, `interfaces` for their names alone
    #[arg(value_name = "IFNAME", default_value = "all")]
    pub interface: String,

    /// Writes this field alone, as `wg show` does; `private-key`, `preshared-keys` and `dump` show secrets
    #[arg(value_name = "FIELD", conflicts_with = "json")]
    pub field: Option<Field>,

    /// Writes JSON, without private and preshared keys
    #[arg(long)]
    pub json: bool,
}

/// What to change.
#[derive(Args, Debug)]
pub struct Set {
    /// The interface
    #[arg(value_name = "IFNAME")]
    pub interface: String,

    /// What to set: listen-port PORT, fwmark MARK, private-key FILE, then for each peer: peer KEY, remove,
    /// preshared-key FILE, endpoint HOST:PORT, persistent-keepalive SECONDS, allowed-ips [+|-]NETWORK,...
    #[arg(value_name = "SETTING", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub settings: Vec<String>,
}

/// Whose state to show at a glance.
#[derive(Args, Debug)]
pub struct Status {
    /// The interface; every one without it
    #[arg(value_name = "IFNAME")]
    pub interface: Option<String>,

    /// Goes on, and shows what passes through each tunnel, every second until it is interrupted
    #[arg(short, long)]
    pub watch: bool,
}

/// What to look at.
#[derive(Args, Debug)]
pub struct Doctor {
    /// A tunnel or its configuration; every tunnel that is up without it
    #[arg(value_name = "FILE|IFNAME")]
    pub config: Option<String>,

    /// Writes JSON
    #[arg(long)]
    pub json: bool,
}

/// What to draw.
#[derive(Args, Debug)]
pub struct Qr {
    /// The configuration: IFNAME for /etc/wireguard/IFNAME.conf, or a file; `-` for standard input
    #[arg(value_name = "FILE|IFNAME")]
    pub config: String,

    /// Writes a picture to this file instead, in PNG, for its owner only
    #[arg(short, long, value_name = "FILE.png")]
    pub output: Option<PathBuf>,
}

/// What to take over.
#[derive(Args, Debug)]
pub struct Import {
    /// A configuration, or a picture of its QR code in PNG; `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub source: PathBuf,

    /// The interface it is for; without it, the name of the file
    #[arg(short, long, value_name = "IFNAME")]
    pub name: Option<String>,

    /// Where to put it
    #[arg(long, value_name = "DIR", default_value = "/etc/wireguard")]
    pub directory: PathBuf,

    /// Replaces a configuration of this name
    #[arg(long)]
    pub force: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Arguments, clap::error::ErrorKind> {
        Arguments::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_interface_is_named_as_wireguard_go_takes_it() {
        let table = [
            (1, "underpass wg0", "wg0", false),
            (2, "underpass -f wg0", "wg0", true),
            (3, "underpass --foreground wg0", "wg0", true),
            (4, "underpass -f show", "show", true),
            (5, "underpass -- show", "show", false),
            (6, "underpass -f -- show", "show", true),
            (7, "underpass wg%d", "wg%d", false),
            (8, "underpass wg0 -f", "wg0", true),
        ];
        for (number, line, interface, foreground) in table {
            let arguments = parse(line).unwrap_or_else(|error| panic!("case {number}: {error}"));
            assert!(arguments.command.is_none(), "case {number}");
            assert_eq!(
                (arguments.interface.as_deref(), arguments.foreground),
                (Some(interface), foreground),
                "case {number}"
            );
        }
    }

    #[test]
    fn a_command_is_a_command() {
        assert!(matches!(parse("underpass show").map(|a| a.command), Ok(Some(Command::Show(_)))));
        assert!(matches!(parse("underpass genkey").map(|a| a.command), Ok(Some(Command::Genkey))));
        for line in ["underpass", "underpass -f", "underpass wg0 wg1", "underpass wg0 show", "underpass genkey x"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
