//! Name servers: tells the machine's resolvers to ask those of the tunnel, and takes that back.
//!
//! Who answers a program that asks for a name differs from machine to machine: systemd-resolved, whatever /etc/resolv.conf
//! leads to, or both. [`find()`] looks which it is. [`Dns`] is what one tunnel wants; it is told to each of them, and what was
//! told is recorded (`store`) before it is done, so that it can be taken back after a crash too, any number of times.
//! [`watch`] notices who else writes /etc/resolv.conf. [`uplink`] reads which servers the machine asks when there is no tunnel.
pub mod find;
pub mod places;
pub mod resolv_conf;
mod resolved;
pub mod server;
pub mod store;
pub mod uplink;
pub mod watch;

pub use find::{Resolver, find};
pub use places::Places;
pub use server::Server;
pub use uplink::uplink_servers;

use crate::quick::invocation::Invocation;
use crate::quick::machine;
use anyhow::anyhow;
use resolv_conf::ResolvConf;
use serde::{Deserialize, Serialize};
use std::fmt;
use store::{Record, Store};

/// What a tunnel wants of the machine's resolvers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// The interface.
    pub interface: String,
    /// Who is told.
    pub resolvers: Vec<Resolver>,
    /// The tunnel's name servers.
    pub servers: Vec<Server>,
    /// Domains to search.
    pub search: Vec<String>,
    /// Whether all names are asked for through the tunnel, or those below `search` alone. systemd-resolved can do the
    /// latter; the others ask for all names there in either case.
    pub everything: bool,
}

impl Dns {
    /// Tells the resolvers of this machine.
    ///
    /// # Errors
    /// One could not be told; then none is.
    pub fn set(&self) -> anyhow::Result<()> {
        self.set_at(&Places::default())
    }

    /// Takes back what was told for the interface, now or by an earlier program. What is gone already is no error.
    ///
    /// # Errors
    /// Something is left.
    pub fn unset(&self) -> anyhow::Result<()> {
        self.unset_at(&Places::default())
    }

    /// Whether all of it is told, and nobody has changed it since.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.is_set_at(&Places::default())
    }

    fn is_set_at(&self, places: &Places) -> bool {
        let record = store::all(&places.own()[1]).into_iter().find(|record| record.interface == self.interface);
        let Some(record) = record else { return false };
        let is_told = |resolver: &Resolver| match resolver {
            Resolver::Resolved => resolved::is_set(self),
            Resolver::Resolvconf { record } => uplink::has_record(places, record),
            Resolver::File | Resolver::Stub => ResolvConf::new(places).now() == record.text,
        };
        record.text == self.text()
            && self.resolvers.iter().all(|resolver| record.resolvers.contains(resolver))
            && record.resolvers.iter().all(is_told)
    }

    fn set_at(&self, places: &Places) -> anyhow::Result<()> {
        let store = Store::open(places)?;
        let mut record = Record::new(self, &store);
        // What a tunnel of the same name left behind would otherwise be forgotten.
        for resolver in store.read(&self.interface).map(|old| old.resolvers).unwrap_or_default() {
            if !record.resolvers.contains(&resolver) {
                record.resolvers.push(resolver);
            }
        }
        store.write(&record)?;
        let told = self.tell(places, &store, &mut record);
        if told.is_err() {
            // The fault that is told is the first.
            let _ = take_back(places, &store, &self.interface, &record.resolvers);
        }
        told
    }

    fn tell(&self, places: &Places, store: &Store, record: &mut Record) -> anyhow::Result<()> {
        let file = ResolvConf::new(places);
        for resolver in &self.resolvers {
            match resolver {
                Resolver::Resolved => resolved::set(self)?,
                Resolver::Resolvconf { .. } => machine::run(&self.resolvconf(resolver))?,
                Resolver::File | Resolver::Stub => file.put(&self.text())?,
            }
        }
        // Debian's resolvconf lists the servers of all interfaces, and either may be told not to write the file.
        if !file.asks_only(&self.servers) {
            record.resolvers.push(Resolver::File);
            store.write(record)?;
            file.put(&self.text())?;
        }
        Ok(())
    }

    fn unset_at(&self, places: &Places) -> anyhow::Result<()> {
        let store = Store::open(places)?;
        // Without a record wg-quick(8) told them, or nobody.
        let resolvers = store.read(&self.interface).map_or_else(|| self.resolvers.clone(), |record| record.resolvers);
        take_back(places, &store, &self.interface, &resolvers)
    }

    /// What resolvconf(8) is told.
    fn resolvconf(&self, resolver: &Resolver) -> Invocation {
        let Resolver::Resolvconf { record } = resolver else { return Invocation::new("true", "") };
        Invocation::new("resolvconf", &format!("-a {record} -m 0 -x")).reading(self.lines())
    }

    /// The tunnel's servers and domains as in resolv.conf(5).
    fn lines(&self) -> String {
        lines(&self.servers, &self.search)
    }

    /// The whole of /etc/resolv.conf.
    fn text(&self) -> String {
        let lines = if self.resolvers.contains(&Resolver::Stub) {
            format!("{}options edns0\n", lines(&[find::STUBS[0].into()], &self.search))
        } else {
            self.lines()
        };
        format!("{}{lines}", resolv_conf::header(&self.interface))
    }

    /// The commands that take it back, as they are shown.
    #[must_use]
    pub fn undoing(&self) -> String {
        let lines = self.resolvers.iter().rev().map(|resolver| match resolver {
            Resolver::Resolved => format!("resolvectl revert {}", self.interface),
            Resolver::Resolvconf { record } => format!("resolvconf -d {record} -f"),
            Resolver::File | Resolver::Stub => "# put /etc/resolv.conf back".into(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn lines(servers: &[Server], search: &[String]) -> String {
    let mut text: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    if !search.is_empty() {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    text
}

/// Takes back what was told to `resolvers`, the last first, whatever fails.
fn take_back(places: &Places, store: &Store, interface: &str, resolvers: &[Resolver]) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for resolver in resolvers.iter().rev() {
        let outcome = match resolver {
            Resolver::Resolved => resolved::unset(interface),
            Resolver::Resolvconf { record } if find::has_resolvconf() => {
                machine::run(&Invocation::new("resolvconf", &format!("-d {record} -f")))
            }
            // It went, and took its records with it.
            Resolver::Resolvconf { .. } => Ok(()),
            Resolver::File | Resolver::Stub => ResolvConf::new(places).take_back(interface, &store.others(interface)),
        };
        faults.extend(outcome.err().map(|fault| fault.to_string()));
    }
    if !faults.is_empty() {
        return Err(anyhow!("{}", faults.join("; ")));
    }
    store.delete(interface)
}

/// The commands that tell them, as one would type them.
impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, resolver) in self.resolvers.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            match resolver {
                Resolver::Resolved => {
                    let lines: Vec<_> = resolved::commands(self).iter().map(ToString::to_string).collect();
                    f.write_str(&lines.join("\n"))?;
                }
                Resolver::Resolvconf { .. } => self.resolvconf(resolver).fmt(f)?,
                Resolver::File | Resolver::Stub => {
                    write!(f, "cat > /etc/resolv.conf <<'END'\n{}\nEND", self.text().trim_end())?
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
