//! What is to be known beside the options, once, for `--help` and for the man page.
use super::manual::troff;
use std::fmt::Write;

/// Columns of the help text.
const WIDTH: usize = 100;
/// Columns of the terms in it.
const INDENT: usize = 25;

/// A section: its title, and terms with what they mean.
pub struct Section {
    title: &'static str,
    terms: &'static [(&'static str, &'static str)],
}

/// All sections.
const SECTIONS: [Section; 4] = [
    Section {
        title: "Interface names",
        terms: &[
            ("wg%d", "a number that the kernel picks takes the place of %d"),
            (
                "-f show, -- show",
                "an interface with the name of a command, or a word near one, needs -f or -- before it",
            ),
        ],
    },
    Section {
        title: "Exit status",
        terms: &[
            ("0", "done; of `underpass IFNAME`: the interface and its control socket are ready"),
            ("1", "it failed; the reason is on standard error, and nothing is left behind"),
            ("2", "the command line is wrong"),
        ],
    },
    Section {
        title: "Environment",
        terms: &[
            (
                "LOG_LEVEL",
                "what a tunnel writes to standard error: silent, error (default), warn, info, debug or verbose. With it \
                 set, and not to silent, a tunnel in the background keeps its standard error; without it, it writes to \
                 the system's log, at level info",
            ),
            ("UNDERPASS_LOG_SOCKET", "where the system's log listens, instead of /dev/log"),
            ("WG_PROCESS_FOREGROUND", "1: stay in the foreground, as -f"),
            ("UNDERPASS_WORKERS", "threads that seal and open beside the main one: auto (default), or 0 to 64"),
            ("UNDERPASS_OFFLOAD", "off: packets one by one, without segmentation offloads"),
            (
                "UNDERPASS_CONFINE",
                "what a tunnel gives up once it runs: on (default): capabilities that it does not need, new privileges, core \
                 dumps, swapping, and system calls that it does not make; all-calls: the same but for system calls; off: \
                 nothing",
            ),
            ("UNDERPASS_CONTROL_DIR", "where control sockets are, instead of /var/run/wireguard; wg does not know it"),
            ("UNDERPASS_RUN_DIR", "where `up` notes what it does, and kill switches, instead of /run/underpass"),
            (
                "UNDERPASS_STATE_DIR",
                "where to keep the latest handshake timestamp, for machines whose clock starts anew with every boot; \
                 nothing is kept without it, or systemd's STATE_DIRECTORY",
            ),
            ("UNDERPASS_SYSTEM_FILE", "the file for the whole system, instead of /etc/underpass.conf"),
            ("NOTIFY_SOCKET", "the service manager to tell when all is done, as sd_notify(3) says"),
            ("WG_COLOR_MODE", "always, never or auto (default): colour on a terminal unless NO_COLOR is set"),
            ("WG_HIDE_KEYS", "never: `show` prints private and preshared keys"),
            ("WG_TUN_FD, WG_UAPI_FD", "refused: descriptors of another program are not taken"),
        ],
    },
    Section {
        title: "Files",
        terms: &[
            ("/etc/wireguard/NAME.conf", "what `up NAME` and `down NAME` read"),
            (
                "/etc/underpass.conf",
                "KillSwitch = on, lan or off: of tunnels for everything whose own file says nothing of it; LockAtBoot = NAME, \
                 ...: what `lock --boot` locks",
            ),
            ("/etc/underpass/gateway.toml", "the configuration of a gateway"),
            (
                "/run/underpass/gateway.forwarding",
                "whether this machine forwarded packets before there was a gateway; the last one that ends sets it so",
            ),
            ("/run/underpass/IFNAME.gateway-status", "how a gateway is that runs, for `gateway status`"),
            ("/run/underpass/IFNAME.guard", "a kill switch: `down` and `unlock` remove it"),
            ("/run/underpass/IFNAME.json", "what `up` did, for `down` to undo whatever the configuration says by then"),
            ("/var/run/wireguard/IFNAME.sock", "the control socket, for wg and `underpass show`"),
            ("/run/underpass", "what `up` did, so that `down` can take it back; for root alone"),
            ("/etc/resolv.conf.before-underpass", "what /etc/resolv.conf was before a tunnel came up"),
        ],
    },
];

/// The sections for a terminal.
#[must_use]
pub fn help() -> String {
    let mut text = String::new();
    for Section { title, terms } in &SECTIONS {
        let _ = write!(text, "{}{title}:", if text.is_empty() { "" } else { "\n\n" });
        for (term, meaning) in *terms {
            let _ = write!(text, "\n  {term:<width$}", width = INDENT - 2);
            let mut column = if term.len() + 2 < INDENT { INDENT } else { WIDTH };
            for word in meaning.split_whitespace() {
                if column + 1 + word.len() > WIDTH {
                    let _ = write!(text, "\n{:INDENT$}", "");
                    column = INDENT;
                }
                let _ = write!(text, " {word}");
                column += 1 + word.len();
            }
        }
    }
    text
}

/// The sections as troff, with the macros of man(7).
#[must_use]
pub fn troff() -> String {
    let mut text = String::new();
    for Section { title, terms } in &SECTIONS {
        let _ = writeln!(text, ".SH \"{}\"", title.to_uppercase());
        for (term, meaning) in *terms {
            let _ = writeln!(text, ".TP\n\\fB{}\\fR\n{}", troff::text(term), troff::text(meaning));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_its_width_and_says_all() {
        let help = help();
        assert!(help.lines().all(|line| line.chars().count() <= WIDTH), "{help}");
        for Section { terms, .. } in &SECTIONS {
            for (term, meaning) in *terms {
                assert!(help.contains(term) && help.contains(meaning.split(' ').next_back().expect("words")), "{term}");
            }
        }
    }

    #[test]
    fn troff_takes_no_text_for_a_request() {
        let troff = troff();
        assert!(troff.contains(".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\ndone; of"), "{troff}");
        let requests = troff.lines().filter(|line| line.starts_with(['.', '\'']));
        assert!(requests.into_iter().all(|line| line == ".TP" || line.starts_with(".SH ")), "{troff}");
    }
}
