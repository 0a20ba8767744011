//! Examples for every verb.

/// A command, and what it is good for.
pub type Example = (&'static str, &'static str);

/// Pages that the command's own page leads to beside those of its verbs.
pub const RELATED: &[&str] = &["underpass.conf(5)", "wg(8)", "wg-quick(8)", "resolvectl(1)", "resolvconf(8)", "nft(8)"];

/// Examples by verb, and those of the command itself. A verb that the command does not have here is no harm.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "underpass",
        &[
            (
                "underpass up wg0",
                "Bring the tunnel of /etc/wireguard/wg0.conf up, and its addresses, routes and name servers:",
            ),
            ("underpass show", "See whether it is connected, and with whom:"),
            ("underpass down wg0", "Take it down again:"),
            ("systemctl enable --now underpass@wg0", "Have it come up with the machine:"),
            ("WG_QUICK_USERSPACE_IMPLEMENTATION=underpass wg-quick up wg0", "Use it where wg-quick(8) is used today:"),
        ],
    ),
    (
        "up",
        &[
            ("underpass up wg0", "Bring the tunnel of /etc/wireguard/wg0.conf up:"),
            ("underpass up ./office.conf", "The same with a file elsewhere; the interface is called office:"),
            ("underpass up --dry-run wg0", "See what would be done, without doing it:"),
        ],
    ),
    (
        "down",
        &[
            ("underpass down wg0", "Take a tunnel down, and what came with it:"),
            ("underpass down --dry-run wg0", "See what would be done, without doing it:"),
        ],
    ),
    (
        "login",
        &[
            ("underpass login office", "Log in at the gateway of /etc/wireguard/office.conf, and stay until ^C:"),
            ("underpass login --user ann ./office.conf", "The same with a file elsewhere, as ann:"),
        ],
    ),
    ("enroll", &[("underpass enroll ./office.conf", "Become a device of whoever that file was made for:")]),
    ("logout", &[("underpass logout office", "End the login of another terminal, and take its tunnel down:")]),
    (
        "show",
        &[
            ("underpass show", "See all tunnels, their peers and when these were heard from:"),
            ("underpass show wg0 --json | jq '.interfaces[].peers[].latest_handshake'", "The same for programs:"),
        ],
    ),
    ("check", &[("underpass check /etc/wireguard/wg0.conf", "See what is wrong with a configuration, and where:")]),
    (
        "genkey",
        &[(
            "(umask 077; underpass genkey | tee private | underpass pubkey > public)",
            "Make a key, and the public key that the other side needs:",
        )],
    ),
    ("pubkey", &[("underpass pubkey < private", "Print the public key that belongs to a private key:")]),
    ("genpsk", &[("(umask 077; underpass genpsk > psk)", "Make a key that both sides share beside their own:")]),
    ("demo", &[("underpass demo", "See two tunnels at work, on machines that are made for it:")]),
    (
        "completions",
        &[(
            "underpass completions bash > /etc/bash_completion.d/underpass",
            "Have bash complete the words of this command:",
        )],
    ),
    (
        "man",
        &[
            ("underpass man underpass.conf | man -l -", "Read a page of this manual where it is not installed:"),
            ("underpass man --output-dir /usr/local/share/man", "Install the manual:"),
        ],
    ),
    (
        "status",
        &[
            ("underpass status", "See all tunnels at a glance:"),
            ("underpass status --watch", "Watch what passes through them, until Ctrl-C:"),
        ],
    ),
    (
        "doctor",
        &[
            ("underpass doctor wg0", "Find out why a tunnel does not work, from the file to the far end:"),
            ("underpass doctor wg0 --json", "The same for programs:"),
        ],
    ),
    ("restart", &[("underpass restart wg0", "Take a tunnel down and bring it up again:")]),
    ("reload", &[("underpass reload wg0", "Have a tunnel that is up take over a changed configuration:")]),
    ("save", &[("underpass save wg0", "Write what a tunnel runs with back to its configuration:")]),
    ("strip", &[("underpass strip wg0 > plain.conf", "Write what wg setconf understands of a configuration:")]),
    (
        "set",
        &[(
            "underpass set wg0 peer 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08= endpoint 192.0.2.7:51820",
            "Tell a tunnel that is up where a peer is now:",
        )],
    ),
    (
        "qr",
        &[
            ("underpass qr phone.conf", "Show a configuration as a picture that a phone reads:"),
            ("underpass qr phone.conf --output phone.png", "The same in a file:"),
        ],
    ),
    (
        "import",
        &[
            ("underpass import ~/Downloads/office.conf", "Take a configuration over into /etc/wireguard:"),
            ("underpass import picture.png --name office", "The same from a picture of its QR code:"),
        ],
    ),
    (
        "lock",
        &[(
            "underpass lock --boot",
            "Let nothing leave the machine but through a tunnel; the unit underpass-lockdown does so at boot:",
        )],
    ),
    (
        "gateway",
        &[
            ("underpass gateway init --name hq", "Write what a gateway needs, and see what to do next:"),
            ("underpass gateway check", "See what is wrong with its configuration, and where:"),
            ("underpass gateway check --show-nft", "See what it would have the kernel forward:"),
            ("underpass gateway run", "Run it, in the foreground:"),
            ("underpass gateway status", "See how a gateway that runs is doing:"),
            ("underpass gateway backup /var/backups/gateway.db", "Copy its users, factors and devices to a file:"),
        ],
    ),
    (
        "user",
        &[
            ("underpass user add alice --group engineers", "Add a user, who cannot log in yet:"),
            ("underpass user passwd alice", "Give her a password, which is asked for:"),
            ("underpass user totp alice", "Make the secret for her authenticator app, and show it this once:"),
            (
                "underpass user device add alice laptop xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
                "Say by which key her laptop is known:",
            ),
            ("underpass user disable alice", "Keep her from logging in, and end her sessions:"),
            ("underpass user list --json", "List all users, for programs:"),
        ],
    ),
    ("group", &[("underpass group join alice engineers", "Make a user a member of a group:")]),
    (
        "session",
        &[
            ("underpass session list", "See who is logged in:"),
            ("underpass session revoke alice", "End all sessions of a user:"),
        ],
    ),
    ("rules", &[("underpass rules explain alice 10.1.3.5 5432/tcp", "See which rule decides what a user reaches:")]),
    (
        "audit",
        &[
            ("underpass audit show --since 2026-11-30T08:00 --event login", "See logins since a time:"),
            ("underpass audit verify", "Find out whether the log is as it was written:"),
        ],
    ),
    ("unlock", &[("underpass unlock", "Let packets leave outside of tunnels again:")]),
];

/// The examples of `verb`.
#[must_use]
pub fn of(verb: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(name, _)| *name == verb).map_or(&[], |(_, examples)| examples)
}
