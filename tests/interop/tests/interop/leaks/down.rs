//! `down`, held up at the call that opens the machine.
//!
//! What counts: with the kill switch, every packet that leaves before the call that removes the switch, which is the last one that
//! `down` makes. Without it, every packet to a network inside the tunnel that leaves before the call that deletes the rule by which
//! packets of its family go there.
use super::{ENDPOINT, EVERYTHING, carries, state};
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use underpass_interop::{Finished, Leak, PATIENCE, eventually, play};

/// `down`, held up at some calls of a program.
struct HeldUp<'l> {
    leak: &'l Leak,
    path: String,
    /// Is there while a call waits.
    waits: PathBuf,
}

impl<'l> HeldUp<'l> {
    /// It will be held up where the shell says yes to `condition` of a call of `program`, whose standard input is `$input` then.
    fn new(leak: &'l Leak, program: &str, condition: &str) -> Result<Self> {
        let (bin, waits) = (leak.folder.path("bin"), PathBuf::from(leak.folder.path("waits")));
        let real = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(|folder| Path::new(folder).join(program));
        let real = real.into_iter().find(|path| path.exists()).with_context(|| format!("no {program}"))?;
        let (waits_shown, real) = (waits.display(), real.display());
        let script = format!(
            "#!/bin/sh\ninput=\n[ \"$2\" != - ] || input=$(cat)\nif {condition}; then\n\
             touch {waits_shown}; while [ -e {waits_shown} ]; do sleep 0.01; done\nfi\n\
             printf '%s\\n' \"$input\" | {real} \"$@\"\n"
        );
        let written = leak.folder.path("written");
        fs::write(&written, script)?;
        // Not written in place: another thread that forks just then would have it open, and it could not be run.
        leak.client.run("install", &["-D", "-m", "755", &written, &format!("{bin}/{program}")])?;
        let path = format!("{bin}:{}", std::env::var("PATH")?);
        Ok(Self { leak, path, waits })
    }

    /// Takes the tunnel down, and does each of `looks` in turn while a call waits.
    fn down(&self, looks: &[&dyn Fn() -> Result<()>]) -> Result<Finished> {
        std::thread::scope(|scope| {
            let down = scope.spawn(|| self.leak.try_underpass(&["down", &self.leak.file], &[("PATH", &self.path)]));
            let outcome = looks.iter().try_for_each(|look| {
                let waits = || Ok(down.is_finished() || self.waits.exists());
                eventually("a call waits", PATIENCE, waits)?;
                ensure!(!down.is_finished(), "no call was held up");
                let outcome = look();
                fs::remove_file(&self.waits)?;
                outcome
            });
            // Whatever happened, it goes on.
            while !down.is_finished() {
                let _ = fs::remove_file(&self.waits);
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            let down = down.join().map_err(|_| anyhow::anyhow!("it panicked"))?;
            outcome.and(down)
        })
    }
}

#[test]
fn nothing_leaves_until_the_call_that_removes_the_switch() {
    play(|stage| {
        let leak = Leak::new(stage, "down", "KillSwitch = on", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        let last =
            "case $input in *'table inet underpass {'*) false;; *'delete table inet underpass'*) ;; *) false;; esac";
        let held_up = HeldUp::new(&leak, "nft", last)?;
        for round in 1..=2 {
            leak.nothing_leaves_while_up(&["up", &leak.file])?;
            leak.nothing_leaves("carrying", || carries(&leak))?;
            leak.restart_count()?;
            let down = held_up.down(&[&|| {
                let count = leak.during_more(|| Ok(()))?;
                println!("down until the switch goes, round {round}: {count} packets in cleartext");
                ensure!(count == 0, "{count} packets left in cleartext");
                let rules = leak.client.run("ip", &["rule"])?;
                ensure!(!rules.contains("51820"), "the call is not the last one: {rules}");
                Ok(())
            }])?;
            ensure!(down.status.success(), "{down:?}");
            ensure!(leak.during(|| Ok(()))? > 0, "`down` opens");
            ensure!(state(&leak.client)? == before, "{}\n--- before:\n{before}", state(&leak.client)?);
        }
        Ok(())
    });
}

#[test]
fn without_a_switch_a_family_leaves_when_its_rule_is_deleted_and_not_before() {
    play(|stage| {
        let leak = Leak::new(stage, "down-open", "", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        let rule = "case \"$*\" in *'rule delete'*'not fwmark'*) ;; *) false;; esac";
        let held_up = HeldUp::new(&leak, "ip", rule)?;
        leak.underpass(&["up", &leak.file])?;
        carries(&leak)?;
        leak.during(|| Ok(()))?;
        leak.restart_count()?;
        let looks = |families: &'static [&'static str]| {
            let leak = &leak;
            move || -> Result<()> {
                leak.during_more(|| Ok(()))?;
                families.iter().try_for_each(|counter| {
                    let count = leak.count(counter)?;
                    println!("down without a switch, {counter}: {count} packets in cleartext");
                    ensure!(count == 0, "{counter}: {count} packets left");
                    Ok(())
                })
            }
        };
        let down = held_up.down(&[&looks(&["far4", "far6"]), &looks(&["far4"])])?;
        ensure!(down.status.success(), "{down:?}");
        ensure!(leak.during(|| Ok(()))? > 0 && leak.count("far4")? > 0 && leak.count("far6")? > 0, "`down` opens");
        ensure!(state(&leak.client)? == before, "{}\n--- before:\n{before}", state(&leak.client)?);
        Ok(())
    });
}
