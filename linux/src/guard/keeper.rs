//! Keeps a kill switch as it is: two processes of their own, which outlive the tunnel's.
//!
//! One of them works: it puts the table back when somebody flushes the firewall, and the rules and the last routes when somebody
//! deletes them. So that nothing leaves meanwhile, it holds a second table with the same rules (`own_table`), which the kernel
//! lets nobody else touch (Linux 5.12). The other one stands by ([`Standby`]): each notices at once when the other is killed, and
//! the one that is left makes them two again. Only who ends both at a time and flushes the firewall opens the machine.
//!
//! Who works holds the keeper's file locked. Who stands by waits for that lock, which the kernel gives it when the other ends in
//! whatever way. The file is removed to dismiss both.
use super::lock::{Lock, barrier};
use super::own_table::OwnTable;
use super::record::Records;
use super::rest::Rest;
use super::standby::{Role, Standby};
use super::watch::Watch;
use super::{apply, families, listing, nft};
use crate::quick::invocation::Invocation;
use crate::quick::machine::{find_program, output, run};
use crate::quick::shelf::directory;
use crate::quick::{Family, rules};
use anyhow::{anyhow, bail};
use std::fs::{File, TryLockError};
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long a keeper may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether it has.
const GLANCE: Duration = Duration::from_millis(5);
/// How often the rules are applied and read back, at most, until two readings agree.
const TRIES: u32 = 8;

/// Keeps the lock of `interface` until it is dismissed; calls `ready` when everything is in its place. Returns at once when there
/// is a keeper already, unless it is this one's `role` to stand by. `command` starts a process that does the same in another role.
///
/// # Errors
/// Changes cannot be heard of.
pub fn keep(
    interface: &str,
    role: Role,
    command: impl Fn(Role) -> Command,
    ready: impl FnOnce(),
) -> anyhow::Result<()> {
    let records = Records::open()?;
    let Some(file) = records.keeper_file(interface, role == Role::First)? else { return Ok(()) };
    let mut ready = Some(ready);
    match role {
        Role::First => match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                ready.into_iter().for_each(|ready| ready());
                return Ok(());
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        },
        // It is the file of another keeper: ours was dismissed meanwhile.
        Role::Second { file: number } if file.metadata()?.ino() != number => return Ok(()),
        Role::Second { .. } => file.lock()?,
    }
    if is_dismissed(&file)? {
        return Ok(());
    }
    let mut watch = Watch::new(&directory(), find_program("nft").is_some())?;
    let (mut keeper, mut standby, mut rest) = (Keeper::new(interface, role), Standby::default(), Rest::default());
    let second = Role::Second { file: file.metadata()?.ino() };
    if role != Role::First {
        tracing::warn!("who kept the kill switch of {interface} was ended: this process goes on");
    }
    while !is_dismissed(&file)? {
        if keeper.table.lives().is_some() {
            // First of all: as long as there is one keeper alone, whoever ends it opens the machine by a flush.
            standby.see_to_it(interface, &keeper.table, || command(second));
        }
        match keeper.put_back(&records) {
            Ok(()) => rest.forget(),
            Err(fault) => {
                tracing::error!("the kill switch of {interface}: {fault}");
                rest.begin();
            }
        }
        standby.see_to_it(interface, &keeper.table, || command(second));
        if let Some(ready) = ready.take() {
            ready();
        }
        let others = [standby.lives(), keeper.table.lives()];
        let pause = [standby.pause(), keeper.table.pause(), rest.left()].into_iter().flatten().min();
        watch.wait(others.into_iter().flatten(), pause)?;
    }
    standby.end();
    keeper.table.remove();
    Ok(())
}

fn is_dismissed(file: &File) -> anyhow::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

/// Whether somebody keeps the lock of `interface`.
///
/// # Errors
/// It cannot be told.
pub fn is_there(interface: &str) -> anyhow::Result<bool> {
    let Some(records) = Records::find()? else { return Ok(false) };
    let Some(file) = records.keeper_file(interface, false)? else { return Ok(false) };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
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
    fn new(interface: &str, role: Role) -> Self {
        let table = if role == Role::First { OwnTable::default() } else { OwnTable::inherited() };
        Self { interface: interface.into(), locks: Vec::new(), listed: Vec::new(), table, places: [None; 2] }
    }

    fn put_back(&mut self, records: &Records) -> anyhow::Result<()> {
        let locks = records.locks()?;
        let Some(own) = locks.iter().find(|lock| lock.interface == self.interface).cloned() else { return Ok(()) };
        let has_changed = locks.iter().map(passes).ne(self.locks.iter().map(passes));
        let is_settled = !has_changed && !self.listed.is_empty() && listing() == self.listed;
        let settled = if is_settled { None } else { Some(settle(records)) };
        if settled.is_some() || self.table.is_lost() || self.table.is_due() {
            // Even if the other table could not be put back.
            self.table.hold(&format!("{}-keeper-{}", nft::TABLE, own.mark), &locks);
        }
        if let Some(settled) = settled {
            self.listed.clear();
            self.listed = settled?;
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

/// Applies the rules and reads them back. Others may change them between the two, and the changed rules would then be kept. So
/// both are repeated until two readings agree.
fn settle(records: &Records) -> anyhow::Result<Vec<String>> {
    let mut listed = Vec::new();
    for _ in 0..TRIES {
        apply(records)?;
        let before = mem::replace(&mut listed, listing());
        if listed == before && !listed.is_empty() {
            return Ok(listed);
        }
    }
    bail!("the rules change each time they are put back")
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
