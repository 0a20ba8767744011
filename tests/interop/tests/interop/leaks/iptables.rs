//! A machine that has iptables and no nft.
use super::{ENDPOINT, EVERYTHING, add_routes, carries, delete_routes, keepers};
use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use underpass_interop::{Leak, PATIENCE, eventually, play};

/// Has the client see no program `nft`.
fn without_nft(leak: &Leak) -> Result<()> {
    for path in ["/usr/sbin/nft", "/sbin/nft"] {
        let path = std::path::Path::new(path);
        // On most machines the second is the first.
        if path.is_file() && !leak.client.inside(|| std::fs::read(path).is_ok_and(|bytes| bytes.is_empty())) {
            leak.client.run("mount", &["--bind", "/dev/null", &path.to_string_lossy()])?;
        }
    }
    Ok(())
}

fn chains(leak: &Leak) -> Result<bool> {
    let listing = |program: &str| leak.client.run(program, &["-t", "mangle", "-S"]);
    let has =
        |listing: &str| listing.contains("-A OUTPUT -j UNDERPASS-OUT") && listing.contains("UNDERPASS-FWD -j DROP");
    Ok(has(&listing("iptables")?) && has(&listing("ip6tables")?))
}

#[test]
fn nothing_leaves_with_iptables_alone() {
    play(|stage| {
        let leak = Leak::new(stage, "iptables", "KillSwitch = on", EVERYTHING, ENDPOINT)?;
        without_nft(&leak)?;
        leak.nothing_leaves_while_up(&["up", &leak.file])?;
        leak.nothing_leaves("carrying", || carries(&leak))?;
        ensure!(chains(&leak)?, "no chains");
        leak.nothing_leaves("set down and up", || {
            leak.client.ip("link set wgl down")?;
            leak.client.ip("link set wgl up")
        })?;
        leak.nothing_leaves("healed", || carries(&leak))?;
        leak.nothing_leaves("more specific routes", || add_routes(&leak))?;
        leak.nothing_leaves("the daemon killed", || leak.kill("underpass"))?;
        delete_routes(&leak)?;
        leak.client.run("iptables", &["-t", "mangle", "-F"])?;
        eventually("the rules are back", PATIENCE, || chains(&leak))?;
        leak.nothing_leaves("back again", || Ok(()))?;
        for _ in 0..2 {
            let killed = keepers::there(&leak)?[0];
            leak.nothing_leaves("who keeps it killed", || Ok(kill(killed, Signal::SIGKILL)?))?;
            let are_two = || Ok(keepers::there(&leak)?.iter().filter(|pid| **pid != killed).count() == 2);
            eventually("two keep it", PATIENCE, are_two)?;
            leak.client.run("ip6tables", &["-t", "mangle", "-F"])?;
            eventually("the rules are back once more", PATIENCE, || chains(&leak))?;
        }
        ensure!(leak.during(|| leak.underpass(&["unlock"]).map(drop))? > 0, "`unlock` opens");
        let left = leak.client.run("iptables", &["-t", "mangle", "-S"])?;
        ensure!(!left.contains("UNDERPASS"), "{left}");
        eventually("no program is left", PATIENCE, || Ok(leak.client.processes()?.is_empty()))
    });
}
