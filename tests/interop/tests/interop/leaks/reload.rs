//! The kill switch of a tunnel that is up changes with its file.
use super::{ENDPOINT, EVERYTHING, carries, keepers, state};
use anyhow::{Result, ensure};
use std::fs;
use underpass_interop::{Leak, PATIENCE, answers, eventually, play};

/// A machine in the private local network.
const NEAR: &str = "10.1.1.2";

/// Has the file ask for this kill switch, or for none.
fn ask(leak: &Leak, value: Option<&str>) -> Result<()> {
    let text = fs::read_to_string(&leak.file)?;
    let kept = text.lines().filter(|line| !line.starts_with("KillSwitch"));
    let line = value.map(|value| format!("KillSwitch = {value}"));
    let lines = kept.flat_map(|line_of_file| {
        let is_begin = line_of_file == "[Interface]";
        [Some(line_of_file.to_owned()), line.clone().filter(|_| is_begin)].into_iter().flatten()
    });
    Ok(fs::write(&leak.file, lines.map(|line| line + "\n").collect::<String>())?)
}

/// Runs `verb` and finds that it says `expected`, and nothing else.
fn says(leak: &Leak, verb: &str, expected: &str) -> Result<()> {
    let said = leak.try_underpass(&[verb, &leak.file], &[])?;
    ensure!(said.status.success() && said.stderr == expected, "{verb}: {said:?}");
    Ok(())
}

const ON: &str = "underpass: kill switch on: from here on nothing leaves but through the tunnel\n";
const LAN: &str = "underpass: kill switch on: from here on nothing leaves but through the tunnel and to the private local \
                   network\n";
const OFF: &str = "underpass: kill switch off: from here on anything may leave outside the tunnel\n";

fn reaches_near(leak: &Leak) -> Result<bool> {
    Ok(leak.client.try_run("ping", &["-c", "1", "-W", "1", NEAR])?.status.success())
}

#[test]
fn reload_changes_the_kill_switch_without_a_gap() {
    play(|stage| {
        let leak = Leak::new(stage, "reload", "", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        leak.underpass(&["up", &leak.file])?;
        let open = state(&leak.client)?;
        ensure!(leak.during(|| Ok(()))? > 0, "what is near leaves without a switch");
        ask(&leak, Some("on"))?;
        says(&leak, "reload", ON)?;
        leak.nothing_leaves("switched on", || carries(&leak))?;
        ensure!(!reaches_near(&leak)?, "the local network is let pass");
        leak.nothing_leaves("a rule deleted", || leak.client.ip("-4 rule del not fwmark 51820 table 51820"))?;
        leak.nothing_leaves("the rule is back", || carries(&leak))?;
        // With the numbers that rules get when they are made, and without counters.
        let there =
            || -> Result<_> { Ok((keepers::there(&leak)?, leak.client.run("nft", &["-a", "-s", "list", "ruleset"])?)) };
        let kept = there()?;
        leak.nothing_leaves("reloaded as it is", || says(&leak, "reload", ""))?;
        ensure!(there()? == kept, "something was done: {:?}, {kept:?}", there()?);
        ask(&leak, Some("lan"))?;
        leak.nothing_leaves("the local network too", || says(&leak, "reload", LAN))?;
        answers(&leak.client, NEAR)?;
        ask(&leak, Some("on"))?;
        leak.nothing_leaves("strict again", || says(&leak, "reload", ON))?;
        ensure!(!reaches_near(&leak)?, "the local network is let pass");
        leak.nothing_leaves("a rule deleted again", || leak.client.ip("-6 rule del not fwmark 51820 table 51820"))?;
        leak.nothing_leaves("that rule is back", || carries(&leak))?;
        for off in [None, Some("off")] {
            ask(&leak, off)?;
            ensure!(leak.during(|| says(&leak, "reload", OFF))? > 0, "{off:?} opens nothing");
            ensure!(state(&leak.client)? == open, "{}\n--- expected:\n{open}", state(&leak.client)?);
            eventually("nobody keeps it", PATIENCE, || Ok(keepers::there(&leak)?.is_empty()))?;
            carries(&leak)?;
            ask(&leak, Some("on"))?;
            says(&leak, "reload", ON)?;
            leak.nothing_leaves("on once more", || carries(&leak))?;
        }
        leak.nothing_leaves("the daemon killed", || leak.kill("underpass"))?;
        leak.underpass(&["down", &leak.file])?;
        ensure!(state(&leak.client)? == before, "{}\n--- before:\n{before}", state(&leak.client)?);
        Ok(())
    });
}

#[test]
fn restart_changes_the_kill_switch_and_keeps_one_that_the_file_does_not_speak_of() {
    play(|stage| {
        let leak = Leak::new(stage, "restart", "", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        leak.nothing_leaves_while_up(&["up", "--kill-switch", &leak.file])?;
        for verb in ["reload", "restart"] {
            leak.nothing_leaves(verb, || says(&leak, verb, ""))?;
        }
        leak.nothing_leaves("carrying", || carries(&leak))?;
        for (value, said) in [(Some("lan"), LAN), (Some("on"), ON)] {
            ask(&leak, value)?;
            leak.nothing_leaves(&format!("{value:?}"), || says(&leak, "restart", said))?;
            ensure!(reaches_near(&leak)? == (value == Some("lan")), "{value:?}");
        }
        ask(&leak, None)?;
        ensure!(leak.during(|| says(&leak, "restart", OFF))? > 0, "it opens nothing");
        carries(&leak)?;
        ask(&leak, Some("on"))?;
        says(&leak, "restart", ON)?;
        leak.nothing_leaves("on again", || carries(&leak))?;
        leak.underpass(&["down", &leak.file])?;
        ensure!(state(&leak.client)? == before, "{}\n--- before:\n{before}", state(&leak.client)?);
        Ok(())
    });
}

/// A tunnel that takes part of the addresses has no mark: it gets one with the switch.
#[test]
fn a_tunnel_for_few_addresses_gets_a_mark_with_the_switch() {
    play(|stage| {
        let leak = Leak::new(stage, "few", "", "10.9.0.0/24", ENDPOINT)?;
        let before = state(&leak.client)?;
        leak.underpass(&["up", &leak.file])?;
        answers(&leak.client, "10.9.0.2")?;
        ask(&leak, Some("on"))?;
        says(&leak, "reload", ON)?;
        leak.nothing_leaves("switched on", || answers(&leak.client, "10.9.0.2"))?;
        ask(&leak, None)?;
        ensure!(leak.during(|| says(&leak, "reload", OFF))? > 0, "it opens nothing");
        answers(&leak.client, "10.9.0.2")?;
        leak.underpass(&["down", &leak.file])?;
        ensure!(state(&leak.client)? == before, "{}\n--- before:\n{before}", state(&leak.client)?);
        Ok(())
    });
}
