//! What every tunnel needs of the machine.
use super::Finding;
use crate::quick::machine::find_program;
use nix::unistd::geteuid;
use std::fs::OpenOptions;
use std::io;
use std::time::Duration;

/// The start of the year 2024: a clock before it was never set.
const RECENT: Duration = Duration::from_secs(1_704_067_200);

/// Privileges, the driver of virtual interfaces, programs and the clock.
pub(super) fn all() -> Vec<Finding> {
    let clock = crate::clock::wall().as_duration();
    vec![root(geteuid().is_root()), tun(), programs(|program| find_program(program).is_some()), clock_of(clock)]
}

fn root(is_root: bool) -> Finding {
    match is_root {
        true => Finding::good("root", "allowed to look and to change"),
        false => {
            Finding::warning("root", "not run by root: most cannot be seen, and nothing changed", "run it as root")
        }
    }
}

fn tun() -> Finding {
    let (check, device) = ("driver", "/dev/net/tun");
    match OpenOptions::new().read(true).write(true).open(device) {
        Ok(_) => Finding::good(check, device),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Finding::unknown(check, format!("{device} cannot be opened by this user"))
        }
        Err(error) => Finding::fault(
            check,
            format!("{device}: {error}"),
            "`modprobe tun`, or give the container access to the device",
        ),
    }
}

fn programs(is_there: impl Fn(&str) -> bool) -> Finding {
    let check = "programs";
    match (is_there("ip"), is_there("nft"), is_there("iptables-restore")) {
        (false, ..) => Finding::fault(check, "`ip` is missing: no tunnel can be brought up", "install iproute2"),
        (true, true, _) => Finding::good(check, "`ip` and `nft` are there"),
        (true, false, true) => Finding::good(check, "`ip` and `iptables` are there"),
        (true, false, false) => Finding::warning(
            check,
            "neither `nft` nor `iptables-restore` is there: no tunnel for everything can be brought up",
            "install nftables",
        ),
    }
}

fn clock_of(now: Duration) -> Finding {
    match now >= RECENT {
        true => Finding::good("clock", "it was set"),
        false => Finding::fault(
            "clock",
            "it is years behind: what peers have seen from a later time, they take no more",
            "set the clock, or set UNDERPASS_STATE_DIR so that time never goes back",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let without = |missing: &'static [&'static str]| programs(move |program| !missing.contains(&program)).verdict;
        assert_eq!(without(&[]), Verdict::Good);
        assert_eq!(without(&["nft"]), Verdict::Good);
        assert_eq!(without(&["nft", "iptables-restore"]), Verdict::Warning);
        assert_eq!(without(&["ip"]), Verdict::Fault);
        assert_eq!(clock_of(Duration::from_secs(1)).verdict, Verdict::Fault);
        assert_eq!(clock_of(RECENT).verdict, Verdict::Good);
        assert_eq!((root(true).verdict, root(false).verdict), (Verdict::Good, Verdict::Warning));
    }
}
