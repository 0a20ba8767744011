//! The kill switch: nothing leaves the machine but through the tunnel, whatever becomes of the tunnel and its program.
//!
//! - A [`Lock`] is what is let pass for the sake of one tunnel. [`record`] writes it down; whoever comes after a crash, or at
//!   boot, goes by the same mark.
//! - `filter` are the rules, [`nft`] and [`iptables`] how they are written. There is one table for all locks, replaced in one step.
//!   It belongs to no program, and goes only when the last lock goes.
//! - A second barrier is a last route in the tunnel's own table ([`lock::barrier`]): it outlives the interface.
//! - [`keeper`] is a process of its own that puts back what others take away, and holds a table that they cannot take away
//!   (`own_table`); [`standby`] is another that takes its place when it is killed.
//! - [`heal`] gives an interface its addresses and routes back when it was set down and up.
//! - [`names`] resolves endpoints from the outside, by `query`.
//! - [`split`] are programs that stay outside the tunnel, or that alone use it.
//! - [`wish`] is who may ask for it, [`steps`] what `up` does for it, [`session`] a warning to those who would lock themselves out.
mod filter;
pub mod heal;
pub mod iptables;
pub mod keeper;
pub mod lock;
pub mod names;
pub mod nft;
mod own_table;
mod query;
pub mod record;
mod rest;
mod rtnetlink;
pub mod session;
pub mod split;
pub mod standby;
pub mod steps;
mod watch;
pub mod wish;

pub use lock::Lock;
pub use wish::Wish;

use crate::dns;
use crate::quick::Family;
use crate::quick::invocation::Invocation;
use crate::quick::machine::{find_program, output, run};
use anyhow::{anyhow, bail};
use nix::unistd::geteuid;
use record::Records;
use std::net::IpAddr;
use std::path::Path;

/// The lock of `interface`, if it has one.
///
/// # Errors
/// What is written down of it cannot be read.
pub fn lock_of(interface: &str) -> anyhow::Result<Option<Lock>> {
    if !geteuid().is_root() {
        // Who may not look may only ask what would be done.
        return Ok(None);
    }
    match Records::find()? {
        Some(records) => records.lock(interface),
        None => Ok(None),
    }
}

/// The marks of all locks but that of `interface`.
#[must_use]
pub fn other_marks(interface: &str) -> Vec<u32> {
    let locks = Records::find().ok().flatten().and_then(|records| records.locks().ok()).unwrap_or_default();
    locks.into_iter().filter(|lock| lock.interface != interface).map(|lock| lock.mark).collect()
}

/// Locks: writes `lock` down, then lets nothing pass but what it and other locks say.
///
/// # Errors
/// There is no firewall program, or it refuses; then nothing was changed.
pub fn close(lock: &Lock) -> anyhow::Result<()> {
    let records = Records::open()?;
    let before = records.lock(&lock.interface)?;
    records.keep(lock)?;
    apply(&records).inspect_err(|_| {
        let _ = match &before {
            Some(before) => records.keep(before),
            None => records.forget(&lock.interface),
        };
    })
}

/// Unlocks: forgets the lock of `interface`, and lets pass what no other lock forbids.
///
/// # Errors
/// The firewall program refuses.
pub fn open(interface: &str) -> anyhow::Result<()> {
    let Some(records) = Records::find()? else { return Ok(()) };
    records.forget(interface)?;
    apply(&records)
}

/// Makes the firewall what the records say.
///
/// # Errors
/// There is no firewall program, or it refuses.
pub fn apply(records: &Records) -> anyhow::Result<()> {
    let locks = records.locks()?;
    if find_program("nft").is_some() {
        return run(&if locks.is_empty() { nft::remove() } else { nft::replace(&locks) });
    }
    if find_program("iptables-restore").is_none() || find_program("ip6tables-restore").is_none() {
        if locks.is_empty() {
            // What no program is there to set was not set.
            return Ok(());
        }
        bail!(
            "neither `nft` nor `iptables-restore` with `ip6tables-restore` is there to stop packets: install nftables"
        );
    }
    for family in families() {
        let (program, arguments) = iptables::list(family);
        let listing = output(program, &arguments).ok_or_else(|| anyhow!("`{program} -t mangle -S` failed"))?;
        let change = match locks.is_empty() {
            true => iptables::remove(family, &listing),
            false => Some(iptables::replace(family, &locks, &listing)),
        };
        if let Some(change) = change {
            run(&change)?;
        }
    }
    Ok(())
}

/// What [`close`] runs, to be shown.
#[must_use]
pub fn shown(lock: &Lock) -> Invocation {
    match find_program("nft").is_some() || find_program("iptables-restore").is_none() {
        true => nft::replace(std::slice::from_ref(lock)),
        false => iptables::replace(Family::V4, std::slice::from_ref(lock), ""),
    }
}

/// What the firewall has of ours, in a form to compare.
fn listing() -> Vec<String> {
    if find_program("nft").is_some() {
        return output("nft", &["-s", "list", "table", "inet", nft::TABLE]).into_iter().collect();
    }
    let list = |family| {
        let (program, arguments) = iptables::list(family);
        iptables::ours(&output(program, &arguments).unwrap_or_default())
    };
    families().flat_map(list).collect()
}

/// The families of addresses that this kernel has: IPv6 may be off since boot, and then even its rules and routes are.
pub(crate) fn families() -> impl Iterator<Item = Family> {
    let is_there = |family: &Family| *family == Family::V4 || Path::new("/proc/sys/net/ipv6").exists();
    Family::ALL.into_iter().filter(is_there)
}

/// The name servers of the network that the machine is on, without those of the tunnel.
fn uplink(of_tunnel: &[IpAddr]) -> Vec<IpAddr> {
    dns::uplink_servers().into_iter().filter(|server| !of_tunnel.contains(server)).collect()
}
