//! The store that several gateways share: a database of PostgreSQL.
//!
//! A transaction that writes takes one lock of the whole database first, so that they follow each other as in SQLite: changes are
//! numbered in the order in which they are committed, and what a transaction has looked at stays so until its end. What is one
//! statement (a code, a recovery code, a failure) does without: the lock of its row is enough.
//!
//! A connection that is lost is made anew by the next call. The connection is not encrypted: a server is reached by a socket of
//! this machine or by a loopback address, and nothing else is connected to.
mod attempts;
mod changes;
mod devices;
mod enrolments;
mod factors;
mod leases;
mod migrate;
mod restored;
mod sessions;
mod users;
mod values;

use super::{ChangeKind, Result, StoreError};
use crate::time::Time;
use ::postgres::config::Host;
use ::postgres::types::ToSql;
use ::postgres::{Client, Config, GenericClient, NoTls, Row, Transaction};
use std::net::IpAddr;
use std::time::Duration;

/// For how long a connection, or a lock, is waited for.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The lock of those who write ("UPGW").
const WRITERS: i64 = 0x5550_4757;
/// Settings that a connection has for itself: a commit is on the disk of the server, and nothing is waited for without end.
const SETTINGS: &str = "SET synchronous_commit = on; SET lock_timeout = '5s'; SET statement_timeout = '15s';
    SET idle_in_transaction_session_timeout = '15s'; SET standard_conforming_strings = on";

/// A value of a statement.
type Value<'a> = &'a (dyn ToSql + Sync);

/// The store that several gateways share.
pub struct Postgres {
    config: Config,
    client: Option<Client>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration may have a password.
        out.write_str("Postgres(..)")
    }
}

impl Postgres {
    /// Connects to the database that `settings` names, in the form of libpq (`host=/run/postgresql dbname=underpass user=underpass`),
    /// and brings it to this version.
    ///
    /// # Errors
    /// [`StoreError`]: among others when the server is on another machine, or does not write commits to its disk.
    pub fn open(settings: &str) -> Result<Self> {
        // What is wrong with it is not repeated: it may have a password.
        let mut config: Config =
            settings.parse().map_err(|_| StoreError::Failed("no settings of PostgreSQL".into()))?;
        config.connect_timeout(PATIENCE).tcp_user_timeout(PATIENCE).application_name("underpass");
        if config.get_hosts().is_empty() || !config.get_hosts().iter().all(is_here) {
            return Err(StoreError::Failed(
                "the server is not on this machine, and the way to it is not encrypted".into(),
            ));
        }
        let mut store = Self { config, client: None };
        migrate::migrate(store.client()?)?;
        Ok(store)
    }

    /// The connection, made anew if it was lost.
    fn client(&mut self) -> Result<&mut Client> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = None;
            let mut client = self.config.connect(NoTls)?;
            client.batch_execute(SETTINGS)?;
            let fsync: String = client.query_one("SHOW fsync", &[])?.try_get(0)?;
            if fsync != "on" {
                return Err(StoreError::Failed("the server has fsync = off: it loses what it has acknowledged".into()));
            }
            self.client = Some(client);
        }
        self.client.as_mut().ok_or_else(|| StoreError::Away("no connection".into()))
    }

    /// Does `work` in one transaction that has the lock of the writers from its beginning. An error undoes all of it.
    fn write<T>(&mut self, work: impl FnOnce(&mut Writing<'_>) -> Result<T>) -> Result<T> {
        let mut change = self.client()?.transaction()?;
        change.execute("SELECT pg_advisory_xact_lock($1)", &[&WRITERS])?;
        let mut writing = Writing { change };
        let done = work(&mut writing)?;
        writing.change.commit()?;
        Ok(done)
    }

    fn rows(&mut self, statement: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        rows(self.client()?, statement, values)
    }

    fn row(&mut self, statement: &str, values: &[Value<'_>]) -> Result<Option<Row>> {
        row(self.client()?, statement, values)
    }

    fn run(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64> {
        Ok(self.client()?.execute(statement, values)?)
    }
}

/// A transaction that writes.
struct Writing<'c> {
    change: Transaction<'c>,
}

impl Writing<'_> {
    /// Notes a change for others.
    fn note(&mut self, at: Time, kind: ChangeKind, subject: impl ToString) -> Result<()> {
        self.run(
            "INSERT INTO changes (seq, at, kind, subject, told)
             SELECT coalesce(max(seq), 0) + 1, $1, $2, $3, $4 FROM changes",
            &[&at.as_millis(), &kind.number(), &subject.to_string(), &(kind == ChangeKind::Session)],
        )?;
        Ok(())
    }

    fn rows(&mut self, statement: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        rows(&mut self.change, statement, values)
    }

    fn row(&mut self, statement: &str, values: &[Value<'_>]) -> Result<Option<Row>> {
        row(&mut self.change, statement, values)
    }

    fn run(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64> {
        Ok(self.change.execute(statement, values)?)
    }
}

fn rows(on: &mut impl GenericClient, statement: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
    Ok(on.query(statement, values)?)
}

fn row(on: &mut impl GenericClient, statement: &str, values: &[Value<'_>]) -> Result<Option<Row>> {
    Ok(on.query_opt(statement, values)?)
}

/// Whether a server is on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_elsewhere_and_settings_that_are_none_are_refused_without_repeating_them() {
        for settings in [
            "host=db.example password=hunter2",
            "host=192.0.2.1 password=hunter2",
            "host=/run,192.0.2.1 password=hunter2",
            "password=hunter2",
            "password=hunter2 port=x",
        ] {
            let refused = Postgres::open(settings).expect_err("not here").to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        let away = Postgres::open("host=/nonexistent user=x password=hunter2").expect_err("nobody is there");
        assert!(matches!(&away, StoreError::Away(said) if !said.contains("hunter2")), "{away:?}");
    }
}
