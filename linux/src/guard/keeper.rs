//! Keeps a kill switch as it is: a process of its own, which outlives the tunnel's.
//!
//! It puts the table back when somebody flushes the firewall, and the rules and the last routes when somebody deletes them.
//! So that nothing leaves meanwhile, it holds a second table with the same rules, which the kernel lets nobody else touch (Linux
//! 5.12). Should the keeper be killed, that one goes with it, and the first one stays: only who ends the keeper and flushes the
//! firewall opens the machine.
use super::lock::{Lock, barrier};
use super::record::Records;
use super::watch::Watch;
use super::{apply, families, listing, nft};
use crate::quick::invocation::Invocation;
use crate::quick::machine::{find_program, output, run};
use crate::quick::shelf::directory;
use crate::quick::{Family, rules};
use anyhow::{anyhow, bail};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a keeper may take to end, and a table of its own to appear.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether it has.
const GLANCE: Duration = Duration::from_millis(5);

/// Keeps the lock of `interface` until it is dismissed; calls `ready` when everything is in its place. Returns at once when there
/// is a keeper already.
///
/// # Errors
/// Changes cannot be heard of.
pub fn keep(interface: &str, ready: impl FnOnce()) -> anyhow::Result<()> {
    let records = Records::open()?;
    let Some(file) = records.keeper_file(interface, true)? else { return Ok(()) };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            ready();
            return Ok(());
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    let mut watch = Watch::new(&directory(), find_program("nft").is_some())?;
    let mut keeper = Keeper::new(interface);
    let mut ready = Some(ready);
    while !is_dismissed(&file)? {
        if let Err(fault) = keeper.put_back(&records) {
            // What cannot be put back now is tried again at the next change.
            tracing::error!("the kill switch of {interface}: {fault}");
        }
        if let Some(ready) = ready.take() {
            ready();
        }
        watch.wait()?;
    }
    Ok(())
}

fn is_dismissed(file: &File) -> anyhow::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

/// Tells the keeper of `interface` to end, and waits until it has.
///
/// # Errors
/// It does not end.
pub fn dismiss(interface: &str) -> anyhow::Result<()> {
    let Some(records) = Records::find()? else { return Ok(()) };
    let Some(file) = records.keeper_file(interface, false)? else { return Ok(()) };
    records.dismiss_keeper(interface)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(GLANCE),
            Err(TryLockError::WouldBlock) => {
                bail!("the process that keeps the kill switch of {interface} does not end")
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

/// What the keeper knows.
struct Keeper {
    interface: String,
    /// The locks when it last looked, and what the firewall had of them.
    locks: Vec<Lock>,
    listed: Vec<String>,
    table: OwnTable,
    /// The place of the rule of each family that diverts, when it was last seen.
    places: [Option<u32>; 2],
}

impl Keeper {
    fn new(interface: &str) -> Self {
        let table = OwnTable::default();
        Self { interface: interface.into(), locks: Vec::new(), listed: Vec::new(), table, places: [None; 2] }
    }

    fn put_back(&mut self, records: &Records) -> anyhow::Result<()> {
        let locks = records.locks()?;
        let Some(own) = locks.iter().find(|lock| lock.interface == self.interface).cloned() else { return Ok(()) };
        if locks.iter().map(passes).ne(self.locks.iter().map(passes)) || listing() != self.listed {
            apply(records)?;
            self.table.hold(&format!("{}-keeper-{}", nft::TABLE, own.mark), &locks);
            self.listed = listing();
            self.locks = locks;
        }
        if own.diverts {
            for (at, family) in families().enumerate() {
                self.put_rules_back(&own, family, at)?;
            }
        }
        Ok(())
    }

    fn put_rules_back(&mut self, lock: &Lock, family: Family, at: usize) -> anyhow::Result<()> {
        let table = lock.table();
        let routes = output("ip", &[family.option(), "route", "show", "table", &table.to_string()]).unwrap_or_default();
        if !routes.contains("unreachable default") {
            ip(&barrier("replace", family, table))?;
        }
        let place = |place: Option<u32>| place.map(|place| format!(" priority {place}")).unwrap_or_default();
        let mut listing = rules_of(family)?;
        if rules::divert_rules(&listing, table).is_empty() {
            ip(&format!("{}{}", lock.divert(family), place(self.places[at])))?;
            listing = rules_of(family)?;
        }
        let divert = rules::divert_rules(&listing, table).first().copied();
        if let Some(divert) = divert.filter(|_| rules::main_rules(&listing, table).is_empty()) {
            // Just before its partner.
            let before = place(Some(divert.saturating_sub(1)));
            ip(&format!("{} rule add table main suppress_prefixlength 0{before}", family.option()))?;
        }
        self.places[at] = divert;
        Ok(())
    }
}

/// What of a lock the firewall is made from.
fn passes(lock: &Lock) -> (&str, u32, bool, &[ipnet::IpNet]) {
    (&lock.interface, lock.mark, lock.lan, &lock.networks)
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    run(&Invocation::new("ip", arguments))
}

fn rules_of(family: Family) -> anyhow::Result<String> {
    output("ip", &[family.option(), "rule", "show"]).ok_or_else(|| anyhow!("`ip {} rule show` failed", family.option()))
}

/// A table of the firewall that belongs to an nft(8) of ours, and so to nobody else. Older kernels have no such tables.
#[derive(Default)]
struct OwnTable {
    nft: Option<Child>,
}

impl OwnTable {
    /// Makes it hold the rules of `locks`, and waits until it does.
    fn hold(&mut self, name: &str, locks: &[Lock]) {
        if self.nft.as_mut().is_none_or(|nft| !matches!(nft.try_wait(), Ok(None))) {
            self.nft = find_program("nft").and_then(|program| {
                let mut command = Command::new(program);
                command.arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
            });
        }
        let Some(stdin) = self.nft.as_mut().and_then(|nft| nft.stdin.as_mut()) else { return };
        if writeln!(stdin, "{}", nft::owned(name, locks)).is_err() {
            return;
        }
        let (until, wanted) = (Instant::now() + GLANCE * 100, locks.last().map(|lock| lock.mark));
        let wanted = wanted.map(|mark| format!("meta mark {mark:#010x} accept")).unwrap_or_default();
        let is_held =
            || output("nft", &["-n", "list", "table", "inet", name]).is_some_and(|text| text.contains(&wanted));
        while !is_held() && Instant::now() < until {
            thread::sleep(GLANCE);
        }
    }
}

impl Drop for OwnTable {
    fn drop(&mut self) {
        if let Some(mut nft) = self.nft.take() {
            // At the end of what it reads it ends, and its table with it.
            drop(nft.stdin.take());
            let _ = nft.wait();
        }
    }
}
