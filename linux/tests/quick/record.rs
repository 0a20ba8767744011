//! What runs decides, not what the file says by now: `down`, `restart`, `reload` and `save` after the file was edited, broken
//! or removed, after a program was killed or uninstalled.
use crate::premises::Firewall::{Iptables, Nft};
use crate::premises::{NAME, PATIENCE, PEER, Premises, UNDERPASS, well};
use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Instant;

/// The public key of nobody.
const OTHER: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
const ALL: &str = "AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 127.0.0.1:7000";
const ADDRESS: &str = "Address = 10.9.0.1/24, fd09::1/64\n";

/// Kills the tunnel's own program, and waits until the kernel has taken its interface.
fn kill_program(premises: &Premises) -> Result<()> {
    let programs = premises.machine.processes()?;
    ensure!(programs.len() == 1, "{programs:?}");
    kill(Pid::from_raw(i32::try_from(programs[0])?), Signal::SIGKILL)?;
    let until = Instant::now() + PATIENCE;
    let stands = || premises.machine.run("ip", &["-o", "link"]).map(|links| links.contains(NAME));
    while stands()? || !premises.machine.processes()?.is_empty() {
        ensure!(Instant::now() < until, "the dead stay");
    }
    Ok(())
}

#[test]
fn a_file_that_was_edited_changes_nothing_of_down() -> Result<()> {
    for firewall in [Nft, Iptables] {
        let premises = Premises::new(firewall)?;
        let hook = format!("PostDown = echo $INTERFACE $CONFIG_FILE > {}", premises.path("mark").display());
        let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53\n{hook}"), ALL)?;
        well(&premises.underpass(&["up", &file])?)?;
        premises.config("Address = 10.8.0.1/24\nPostDown = false", "AllowedIPs = 10.8.0.0/24")?;
        well(&premises.underpass(&["down", &file])?)?;
        premises.is_clean()?;
        ensure!(fs::read_to_string(premises.path("mark"))? == format!("{NAME} {file}\n"));
    }
    Ok(())
}

#[test]
fn a_file_that_is_faulty_or_gone_hinders_nobody() -> Result<()> {
    let premises = Premises::new(Nft)?;
    for broken in ["[Interface]\nAdress = 10.9.0.1\n", ""] {
        let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53"), ALL)?;
        well(&premises.underpass(&["up", &file])?)?;
        if broken.is_empty() {
            fs::remove_file(&file)?;
        } else {
            fs::write(&file, broken)?;
        }
        // What would end it is found out before it ends.
        let up = premises.settled()?;
        let restart = premises.underpass(&["restart", &file])?;
        ensure!(restart.status.code() == Some(1), "{restart:?}");
        premises.comes_to(&up)?;
        well(&premises.underpass(&["down", &file])?)?;
        premises.is_clean()?;
    }
    Ok(())
}

#[test]
fn programs_that_are_gone_hinder_nobody() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53"), ALL)?;
    well(&premises.underpass(&["up", &file])?)?;
    premises.without("resolvconf")?;
    // With the program went what it wrote.
    premises.machine.run("cp", &[&premises.path("original").to_string_lossy(), "/etc/resolv.conf"])?;
    fs::remove_file(premises.path("records").join(NAME))?;
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}

#[test]
fn a_program_that_was_killed_is_followed_by_down() -> Result<()> {
    for firewall in [Nft, Iptables] {
        let premises = Premises::new(firewall)?;
        for peer in [ALL, "AllowedIPs = 10.9.0.0/24"] {
            let mark = premises.path("mark");
            let hook = format!("PostDown = echo down >> {}", mark.display());
            let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53\n{hook}"), peer)?;
            well(&premises.underpass(&["up", &file])?)?;
            kill_program(&premises)?;
            ensure!(premises.snapshot()? != premises.before, "something is left");
            well(&premises.underpass(&["down", &file])?)?;
            premises.is_clean()?;
            ensure!(fs::read_to_string(&mark)? == "down\n");
            fs::remove_file(&mark)?;
        }
    }
    Ok(())
}

#[test]
fn a_program_that_was_killed_is_followed_by_up() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53"), ALL)?;
    well(&premises.underpass(&["up", &file])?)?;
    let up = premises.settled()?;
    for _ in 0..2 {
        kill_program(&premises)?;
        well(&premises.underpass(&["up", &file])?)?;
        premises.comes_to(&up)?;
    }
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}

/// What the next `up` will do anew stays until it does: nobody is without name servers and guard in between.
#[test]
fn what_stays_for_the_next_up_goes_with_it_or_with_down() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let rich = format!("{ADDRESS}DNS = 10.9.0.53");
    let file = premises.config(ADDRESS, "AllowedIPs = 10.9.0.0/24")?;
    well(&premises.underpass(&["up", &file])?)?;
    let split = premises.settled()?;
    well(&premises.underpass(&["down", &file])?)?;

    premises.config(&rich, ALL)?;
    well(&premises.underpass(&["up", &file])?)?;
    kill_program(&premises)?;
    premises.config(&format!("{rich}\nPreUp = false"), ALL)?;
    ensure!(premises.underpass(&["up", &file])?.status.code() == Some(1));
    let between = premises.snapshot()?;
    ensure!(between.contains("nameserver") && between.contains("wg-quick-wgt0"), "{between}");
    premises.config(ADDRESS, "AllowedIPs = 10.9.0.0/24")?;
    well(&premises.underpass(&["up", &file])?)?;
    premises.comes_to(&split)?;

    premises.config(&rich, ALL)?;
    well(&premises.underpass(&["restart", &file])?)?;
    premises.config(&format!("{rich}\nPreUp = false"), ALL)?;
    ensure!(premises.underpass(&["restart", &file])?.status.code() == Some(1));
    let between = premises.snapshot()?;
    ensure!(between.contains("nameserver") && between.contains("wg-quick-wgt0"), "{between}");
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}

/// A tunnel without a mark, of whose name servers only the record tells, is found by the next program of the same interface.
#[test]
fn the_start_of_another_program_clears_away_too() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53"), "AllowedIPs = 10.9.0.0/24")?;
    well(&premises.underpass(&["up", &file])?)?;
    kill_program(&premises)?;
    well(&premises.underpass(&[NAME])?)?;
    ensure!(!premises.snapshot()?.contains("10.9.0.53"), "{}", premises.snapshot()?);
    premises.machine.ip(&format!("link delete {NAME}"))?;
    premises.is_clean()
}

#[test]
fn without_a_record_the_firewall_tells() -> Result<()> {
    for firewall in [Nft, Iptables] {
        let premises = Premises::new(firewall)?;
        let file = premises.config(ADDRESS, ALL)?;
        for verb in ["down", "up"] {
            well(&premises.underpass(&["up", &file])?)?;
            let up = premises.settled()?;
            kill_program(&premises)?;
            premises.machine.inside(|| fs::remove_file(format!("/run/underpass/{NAME}.json")))?;
            well(&premises.underpass(&[verb, &file])?)?;
            if verb == "up" {
                premises.comes_to(&up)?;
                well(&premises.underpass(&["down", &file])?)?;
            }
            premises.machine.inside(|| drop(fs::remove_file(format!("/var/run/wireguard/{NAME}.sock"))));
            premises.is_clean()?;
        }
    }
    Ok(())
}

#[test]
fn a_record_that_cannot_be_read_is_told_of_and_hinders_nobody() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53"), ALL)?;
    well(&premises.underpass(&["up", &file])?)?;
    premises.machine.inside(|| fs::write(format!("/run/underpass/{NAME}.json"), "{"))?;
    let down = premises.underpass(&["down", &file])?;
    ensure!(down.status.success() && down.stderr.contains("cannot be used"), "{down:?}");
    premises.is_clean()
}

#[test]
fn one_at_a_time() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let command = format!("{UNDERPASS} down $CONFIG_FILE > {} 2>&1 || true", premises.path("said").display());
    let file = premises.config(&format!("{ADDRESS}PostUp = {command}"), "")?;
    well(&premises.underpass(&["up", &file])?)?;
    let said = fs::read_to_string(premises.path("said"))?;
    ensure!(said == format!("underpass: another underpass is at work on interface `{NAME}`\n"), "{said}");
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}

#[test]
fn a_command_that_is_interrupted_leaves_nothing_running() -> Result<()> {
    let premises = Premises::new(Nft)?;
    // The parent of the command shall be `up` itself.
    premises.without("bash")?;
    let file = premises.config(&format!("{ADDRESS}PostUp = kill -TERM $PPID; (sleep 1000; true); true"), "")?;
    let up = premises.underpass(&["up", &file])?;
    ensure!(up.status.code() == Some(1) && up.stderr.contains("interrupted during"), "{up:?}");
    premises.is_clean()
}

#[test]
fn what_a_command_leaves_in_the_background_goes_on_and_holds_nobody_up() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let pid = premises.path("pid");
    let file = premises.config(&format!("{ADDRESS}PostUp = sleep 1000 & echo $! > {}", pid.display()), "")?;
    well(&premises.underpass(&["up", &file])?)?;
    well(&premises.underpass(&["down", &file])?)?;
    kill(Pid::from_raw(fs::read_to_string(&pid)?.trim().parse()?), Signal::SIGKILL)?;
    premises.is_clean()
}

#[test]
fn a_setting_that_is_right_already_need_not_be_written() -> Result<()> {
    let premises = Premises::new(Nft)?;
    premises.machine.run("mount", &["--bind", "/proc/sys", "/proc/sys"])?;
    premises.machine.run("mount", &["-o", "remount,bind,ro", "/proc/sys"])?;
    let file = premises.config(ADDRESS, ALL)?;
    well(&premises.underpass(&["up", &file])?)?;
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}

#[test]
fn an_interface_that_another_tool_replaced_is_left_alone() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(ADDRESS, ALL)?;
    well(&premises.underpass(&["up", &file])?)?;
    kill_program(&premises)?;
    premises.machine.ip(&format!("link add {NAME} type veth peer name other"))?;
    let up = premises.underpass(&["up", &file])?;
    ensure!(up.status.code() == Some(1) && up.stderr.contains("exists already"), "{up:?}");
    let down = premises.underpass(&["down", &file])?;
    ensure!(down.status.code() == Some(1), "{down:?}");
    ensure!(premises.machine.run("ip", &["link", "show", NAME])?.contains("other"), "it is still there");
    ensure!(!premises.snapshot()?.contains("lookup 51820"), "the rules of the dead one are gone");
    Ok(())
}

#[test]
fn a_tunnel_in_another_namespace_is_neither_taken_down_nor_doubled() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(ADDRESS, ALL)?;
    well(&premises.underpass(&["up", &file])?)?;
    for verb in ["up", "down"] {
        let mut command = premises.command("unshare");
        command.args(["--net", UNDERPASS, verb, &file]);
        let refused = premises.machine.start(command)?.wait(PATIENCE)?;
        let right = refused.status.code() == Some(1) && refused.stderr.contains("in another network namespace");
        ensure!(right, "{refused:?}");
    }
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}

#[test]
fn reload_applies_what_has_changed_and_nothing_else() -> Result<()> {
    for firewall in [Nft, Iptables] {
        let premises = Premises::new(firewall)?;
        let split = "AllowedIPs = 10.9.0.0/24, 192.0.2.0/24";
        let mark = format!("PostUp = echo up >> {}", premises.path("mark").display());
        let old = format!("{ADDRESS}MTU = 1400\n{mark}");
        // What is up after a reload is what is up after a new start, whatever came before.
        let steps = [
            (old.clone(), split.to_owned()),
            (format!("Address = 10.9.0.2/24, 10.9.0.7/24\nMTU = 1300\nDNS = 10.9.0.9\n{mark}"), ALL.to_owned()),
            (format!("Address = 10.9.0.7/24, fd09::1/64\nMTU = 1300\nDNS = 10.9.0.8\n{mark}"), ALL.to_owned()),
            (format!("{old}\nTable = 77"), split.to_owned()),
            (
                old.clone(),
                format!("{split}, 198.51.100.0/24\n[Peer]\nPublicKey = {OTHER}\nAllowedIPs = 203.0.113.0/24"),
            ),
            (old, split.to_owned()),
        ];
        let mut expected = Vec::new();
        for (interface, peer) in &steps {
            let file = premises.config(interface, peer)?;
            well(&premises.underpass(&["up", &file])?)?;
            expected.push((premises.settled()?, premises.machine.run("wg", &["show", NAME, "allowed-ips"])?));
            well(&premises.underpass(&["down", &file])?)?;
            premises.is_clean()?;
        }
        fs::remove_file(premises.path("mark"))?;
        let file = premises.config(&steps[0].0, &steps[0].1)?;
        well(&premises.underpass(&["up", &file])?)?;
        for ((interface, peer), (state, allowed)) in steps.iter().zip(&expected) {
            premises.config(interface, peer)?;
            well(&premises.underpass(&["reload", &file])?)?;
            premises.comes_to(state)?;
            let now = premises.machine.run("wg", &["show", NAME, "allowed-ips"])?;
            let sorted = |text: &str| {
                let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
                words.sort();
                words
            };
            ensure!(sorted(&now) == sorted(allowed), "{now}");
        }
        well(&premises.underpass(&["down", &file])?)?;
        premises.is_clean()?;
        ensure!(fs::read_to_string(premises.path("mark"))? == "up\n", "reload runs no commands");
    }
    Ok(())
}

#[test]
fn reload_leaves_what_runs_when_the_file_is_faulty() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(ADDRESS, ALL)?;
    let refused = premises.underpass(&["reload", &file])?;
    ensure!(refused.status.code() == Some(1) && refused.stderr.contains("is not up"), "{refused:?}");
    well(&premises.underpass(&["up", &file])?)?;
    let up = premises.settled()?;
    premises.config(ADDRESS, "AllowedIP = 0.0.0.0/0")?;
    ensure!(premises.underpass(&["reload", &file])?.status.code() == Some(1));
    premises.comes_to(&up)?;
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}

#[test]
fn restart_takes_down_what_runs_and_brings_up_what_the_file_says() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53"), "AllowedIPs = 10.9.0.0/24")?;
    well(&premises.underpass(&["restart", &file])?)?;
    let split = premises.settled()?;
    premises.config(ADDRESS, ALL)?;
    well(&premises.underpass(&["restart", &file])?)?;
    let full = premises.settled()?;
    ensure!(full.contains("lookup 51820") && !full.contains("10.9.0.53"), "{full}");
    premises.config(&format!("{ADDRESS}DNS = 10.9.0.53"), "AllowedIPs = 10.9.0.0/24")?;
    well(&premises.underpass(&["restart", &file])?)?;
    premises.comes_to(&split)?;
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}

#[test]
fn save_writes_what_runs() -> Result<()> {
    let premises = Premises::new(Nft)?;
    let file = premises.config(&format!("{ADDRESS}DNS = 10.9.0.53\nMTU = 1400\nPostUp = true"), ALL)?;
    well(&premises.underpass(&["up", &file])?)?;
    premises.machine.run("wg", &["set", NAME, "listen-port", "7009", "peer", PEER, "persistent-keepalive", "25"])?;
    premises.machine.ip(&format!("link set {NAME} mtu 1333"))?;
    let expected = ["ListenPort = 7009", "MTU = 1333", "DNS = 10.9.0.53", "PersistentKeepalive = 25", "PostUp = true"];
    let is_whole = |path: &str| -> Result<()> {
        let saved = fs::read_to_string(path)?;
        ensure!(expected.iter().all(|line| saved.contains(line)) && !saved.contains("FwMark"), "{saved}");
        Ok(())
    };
    well(&premises.underpass(&["save", &file])?)?;
    is_whole(&file)?;
    fs::remove_file(&file)?;
    well(&premises.underpass(&["save", &file])?)?;
    is_whole(&file)?;
    // Somebody is at work on it.
    fs::write(&file, "[Interface]\nAdress = 10.9.0.1\n")?;
    let saved = premises.underpass(&["save", &file])?;
    ensure!(saved.status.success() && saved.stderr.contains("is faulty and left as it is"), "{saved:?}");
    is_whole(&format!("{file}.running"))?;
    ensure!(fs::read_to_string(&file)? == "[Interface]\nAdress = 10.9.0.1\n");
    well(&premises.underpass(&["down", &file])?)?;
    premises.is_clean()
}
