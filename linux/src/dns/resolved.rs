//! systemd-resolved, by resolvectl(1).
//!
//! It forgets what it was told of an interface when that goes: after the end of the tunnel's program, by whatever cause,
//! names are asked for outside again.
use super::{Dns, Server};
use crate::quick::invocation::Invocation;
use crate::quick::machine;
use nix::net::if_::if_nametoindex;
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take to hear of a new interface.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to ask again.
const GLANCE: Duration = Duration::from_millis(50);
/// What it says of an interface that it has not heard of.
const UNKNOWN: &str = "not known";

/// What it is told. The servers come last: only with them does the interface count.
pub(super) fn commands(dns: &Dns) -> [Invocation; 3] {
    let name = &dns.interface;
    let everything = if dns.everything { "~. " } else { "" };
    let servers: Vec<_> = dns.servers.iter().map(ToString::to_string).collect();
    [
        Invocation::new("resolvectl", &format!("domain {name} {everything}{}", dns.search.join(" "))),
        Invocation::new("resolvectl", &format!("default-route {name} {}", if dns.everything { "yes" } else { "no" })),
        Invocation::new("resolvectl", &format!("dns {name} {}", servers.join(" "))),
    ]
}

pub(super) fn set(dns: &Dns) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for command in commands(dns) {
        loop {
            match machine::run(&command) {
                Err(fault) if fault.to_string().contains(UNKNOWN) && Instant::now() < deadline => {
                    thread::sleep(GLANCE);
                }
                outcome => break outcome?,
            }
        }
    }
    Ok(())
}

/// Whether it asks the tunnel's servers for the interface.
pub(super) fn is_set(dns: &Dns) -> bool {
    let Some(told) = machine::output("resolvectl", &["dns", &dns.interface]) else { return false };
    let asked: Vec<&str> = told.split_whitespace().collect();
    // It may know a zone by another name.
    let asks = |server: &Server| {
        asked.iter().any(|word| word.parse().is_ok_and(|asked: Server| asked.address == server.address))
    };
    dns.servers.iter().all(asks)
}

pub(super) fn unset(interface: &str) -> anyhow::Result<()> {
    let exists = || if_nametoindex(interface).is_ok();
    if !exists() || machine::find_program("resolvectl").is_none() {
        return Ok(());
    }
    let outcome = machine::run(&Invocation::new("resolvectl", &format!("revert {interface}")));
    // The interface, or the resolver, may go at any time, and all it was told with it.
    outcome.or_else(|fault| {
        if exists() && !fault.to_string().contains(UNKNOWN) && super::find::runs_resolved(&super::Places::default()) {
            Err(fault)
        } else {
            Ok(())
        }
    })
}
