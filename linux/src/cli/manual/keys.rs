//! The keys of a configuration, for underpass.conf(5).
use super::troff;
use std::fmt::Write;
use underpass_core::config::settings::find;

/// A key: what its value is, what it does, and an example.
pub(super) type Key = (&'static str, &'static str, &'static str, &'static str);

/// The keys of `[Interface]`, in the order in which they are explained. Those that the parser does not know are left out.
pub(super) const INTERFACE: &[Key] = &[
    (
        "PrivateKey",
        "key",
        "The private key of this end, in base64. Without it the tunnel is silent until it is given one, by PostUp for example.",
        "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=",
    ),
    (
        "Address",
        "address/length, ...",
        "The addresses of this end inside the tunnel. May stand several times.",
        "10.0.0.2/24, fd00::2/64",
    ),
    (
        "ListenPort",
        "port",
        "The UDP port to listen on, or the name of its service. Without it the kernel picks one.",
        "51820",
    ),
    (
        "DNS",
        "address or domain, ...",
        "The name servers to ask while the tunnel is up, and domains to search. When the tunnel takes everything, or names no \
         domain, all names are asked for there; otherwise systemd-resolved asks there for the domains alone. A link-local server \
         may have its zone behind it, as in fe80::1%eth0. May stand several times.",
        "10.0.0.1, corp.example",
    ),
    (
        "MTU",
        "bytes",
        "The largest packet inside the tunnel, in bytes. Without it, it follows from the path to the peer.",
        "1420",
    ),
    (
        "FwMark",
        "number or off",
        "The firewall mark of the tunnel's own datagrams. Without it a default route gets one by itself.",
        "0xca6c",
    ),
    (
        "Table",
        "auto, off, number or name",
        "The routing table for the allowed IPs of the peers. auto, which is the default, takes the main one, and leads a \
         default route around the tunnel's own datagrams; off adds no routes.",
        "off",
    ),
    (
        "KillSwitch",
        "on, off or lan",
        "Whether nothing may leave this machine but through the tunnel, also after the tunnel's program has died, until \
         underpass down or underpass unlock. lan lets the private networks that this machine is on be reached all the same.",
        "on",
    ),
    (
        "ExcludeUser",
        "user, ...",
        "Users, by name or number, whose programs stay outside the tunnel. May stand several times.",
        "backup",
    ),
    (
        "ExcludeCgroup",
        "path, ...",
        "Control groups, by their path, whose programs stay outside the tunnel. May stand several times.",
        "system.slice/backup.service",
    ),
    (
        "OnlyUser",
        "user, ...",
        "Users, by name or number, whose programs alone use the tunnel. May stand several times.",
        "torrent",
    ),
    (
        "OnlyCgroup",
        "path, ...",
        "Control groups, by their path, whose programs alone use the tunnel. May stand several times.",
        "user.slice/tunnelled.slice",
    ),
    (
        "PreUp",
        "command",
        "A command for bash to run when the interface is there and not yet up, as root. %i in it is the name of the interface. May stand several \
         times. When a command fails, all that was done is undone.",
        "sysctl -w net.ipv4.ip_forward=1",
    ),
    ("PostUp", "command", "The same after all is up.", "nft add rule inet filter input udp dport 51820 accept"),
    (
        "PreDown",
        "command",
        "The same before the tunnel is taken down. What fails is told, and the rest done.",
        "logger %i goes",
    ),
    ("PostDown", "command", "The same after it is down.", "logger %i has gone"),
    (
        "SaveConfig",
        "true or false",
        "Whether underpass down writes what the tunnel runs with back to its configuration.",
        "false",
    ),
    (
        "IncludedApplications",
        "application, ...",
        "For phones: the applications that use the tunnel. On Linux it is ignored with a warning.",
        "com.example.mail",
    ),
    (
        "ExcludedApplications",
        "application, ...",
        "For phones: the applications that do not use the tunnel. On Linux it is ignored with a warning.",
        "com.example.player",
    ),
];

/// The keys of `[Peer]`.
pub(super) const PEER: &[Key] = &[
    (
        "PublicKey",
        "key",
        "The public key of the peer, in base64. Required, once.",
        "3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=",
    ),
    (
        "PresharedKey",
        "key",
        "A key that both ends share, in base64, against those who record today and compute tomorrow.",
        "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=",
    ),
    (
        "AllowedIPs",
        "network, ...",
        "The networks that the peer is responsible for: packets to them go to it, and only packets from them are taken from it. \
         0.0.0.0/0 and ::/0 are everything. May stand several times.",
        "0.0.0.0/0, ::/0",
    ),
    (
        "Endpoint",
        "host:port",
        "Where the peer is: an address or a name, and a port. Without it this end waits until the peer calls.",
        "vpn.example.com:51820",
    ),
    (
        "PersistentKeepalive",
        "seconds or off",
        "How often to send something when there is nothing to send, so that a router between the ends does not forget. Only an \
         end that is behind a router and is to be called needs it.",
        "25",
    ),
];

/// What else may stand where, once for all tunnels.
const SYSTEM: &str = "\
/etc/underpass.conf is for the whole system. KillSwitch = on (or lan) there is meant for every tunnel with a default route and \
Table = auto whose own configuration does not say KillSwitch. LockAtBoot = NAME, ... names the tunnels that underpass lock \
--boot locks.";

/// A whole configuration.
pub(super) const WHOLE: &str = "\
[Interface]
PrivateKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=
Address = 10.0.0.2/32, fd00::2/128
DNS = 10.0.0.1

[Peer]
PublicKey = 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = 192.0.2.1:51820
";

const DESCRIPTION: &str = "\
A configuration describes one tunnel. underpass up NAME reads /etc/wireguard/NAME.conf, and the interface is called NAME. The \
form is that of wg-quick(8): lines KEY = VALUE, in a section [Interface] for this end and a section [Peer] for each peer. Case \
and white space do not matter in keys; what follows a # is a comment. As it holds keys, only root should be able to read it.";

const UNKNOWN: &str = "\
A key that nobody knows is an error, for it may be a misspelt one that packets depend on; keys of other products are ignored with \
a warning that says what is lost. underpass check FILE tells all of that, with lines and columns. The keys of AmneziaWG are kept \
and not used.";

/// The page from its description on.
pub(super) fn troff() -> String {
    let mut text = format!(
        ".SH SYNOPSIS\n.I /etc/wireguard/NAME.conf\n.SH DESCRIPTION\n{}\n.PP\n{}\n",
        troff::text(DESCRIPTION),
        troff::text(UNKNOWN)
    );
    for (title, keys) in [("KEYS OF [INTERFACE]", INTERFACE), ("KEYS OF [PEER]", PEER)] {
        let _ = writeln!(text, ".SH \"{title}\"");
        for (name, value, meaning, example) in keys.iter().filter(|(name, ..)| find(name).is_some()) {
            let [value, meaning, example] = [value, meaning, example].map(|words| troff::text(words));
            let _ = write!(
                text,
                ".TP\n\\fB{name}\\fR = \\fI{value}\\fR\n{meaning}\n.RS\n.PP\n.EX\n{name} = {example}\n.EE\n.RE\n"
            );
        }
    }
    if find("KillSwitch").is_some() {
        let _ = writeln!(text, ".SH \"FOR ALL TUNNELS\"\n{}", troff::text(SYSTEM));
    }
    let _ = write!(
        text,
        ".SH EXAMPLE\nEverything goes through the tunnel, the names of hosts included:\n.PP\n.RS 4\n.EX\n{}.EE\n.RE\n",
        troff::text(WHOLE)
    );
    text.push_str(".SH FILES\n.TP\n.I /etc/wireguard/NAME.conf\nthe configuration of the tunnel NAME\n");
    text
}
