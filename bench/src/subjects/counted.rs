//! How often daemons really wake up, with little to do and with nothing, scaled to a phone's day.
use super::day::{ASLEEP, AWAKE, BURST, PAUSE};
use super::field::daemon::{Contestant, contestants};
use crate::figures::Table;
use crate::harness::Effort;
use anyhow::{Context as _, Result};
use std::time::{Duration, Instant};
use underpass_interop::scenery::{Pair, Wire};
use underpass_interop::{Device, Stage};

const RIGHT: &str = "10.9.0.2";

/// Wake-ups of the day.
pub fn counted(effort: Effort) -> Result<Table> {
    let phase = effort.pick(Duration::from_secs(30), Duration::from_secs(900));
    let two: Vec<Contestant> = contestants()?.0.into_iter().take(2).collect();
    let mut table = Table::new(
        "Wake-ups in a phone's day, counted and scaled",
        format!(
            "Daemons of this machine: times that a thread of theirs gave up the CPU (`voluntary_ctxt_switches`), each phase \
             counted for {} real seconds and scaled to the hours of its column. With bursts: 20 seconds of pings every 200 ms, \
             in each 5 minutes; here packets wake, too. Then nothing is sent. All at the same time.",
            phase.as_secs()
        ),
        &["16 h with bursts", "8 h of sleep"],
    );
    let rows: Vec<[f64; 2]> = std::thread::scope(|scope| {
        let threads: Vec<_> = two.iter().map(|contestant| scope.spawn(move || play(contestant, phase))).collect();
        threads.into_iter().map(|thread| thread.join().expect("nobody panics")).collect::<Result<_>>()
    })?;
    for (contestant, [awake, asleep]) in two.iter().zip(rows) {
        let scaled = |count: f64, time: Duration| Some((count * (time.as_secs_f64() / phase.as_secs_f64())).into());
        table.row(contestant.name, vec![scaled(awake, AWAKE), scaled(asleep, ASLEEP)]);
    }
    Ok(table)
}

/// Wake-ups of the initiator in both phases.
fn play(contestant: &Contestant, phase: Duration) -> Result<[f64; 2]> {
    let stage = Stage::new()?;
    let wire = Wire::new(&stage)?;
    let pair = Pair { left: contestant.start(&wire.left)?, right: contestant.start(&wire.right)?, wire };
    pair.introduce("192.0.2.2:51820", None)?;
    for machine in [&pair.wire.left, &pair.wire.right] {
        // The system has things to say about a new interface itself.
        machine.sysctl("net.ipv6.conf.wg0.disable_ipv6=1")?;
    }
    pair.ping()?;
    let began = Instant::now();
    let before = wakeups(&pair.left)?;
    let count = (BURST.as_millis() / 200).to_string();
    while began.elapsed() + BURST < phase {
        pair.wire.left.run("ping", &["-n", "-q", "-c", &count, "-i", "0.2", RIGHT])?;
        let next = PAUSE.saturating_sub(BURST).min(phase.saturating_sub(began.elapsed()));
        std::thread::sleep(next);
    }
    let between = wakeups(&pair.left)?;
    std::thread::sleep(phase);
    Ok([between - before, wakeups(&pair.left)? - between])
}

/// Times that any thread of a daemon has waited for something.
fn wakeups(device: &Device) -> Result<f64> {
    let mut sum = 0.0;
    for task in std::fs::read_dir(format!("/proc/{}/task", device.daemon.pid()))? {
        // A thread may end meanwhile.
        let Ok(text) = std::fs::read_to_string(task?.path().join("status")) else { continue };
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.context("voluntary_ctxt_switches")?.trim().parse::<f64>()?;
    }
    Ok(sum)
}
