//! Leases in SQLite.
use super::super::columns::Range;
use super::super::{Lease, LeaseAnswer, LeaseRequest, Leases, Pool, Result, StoreError};
use super::values::{Address, Key};
use super::{Sqlite, Writing, devices};
use crate::name::Name;
use crate::time::Time;
use rusqlite::OptionalExtension as _;
use std::net::IpAddr;
use underpass_core::PublicKey;

impl Leases for Sqlite {
    fn lease(&mut self, at: Time, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        let range = Range::of(request.pool)?;
        self.write(|change| {
            devices::find(change, request.device)?.ok_or_else(|| StoreError::missing("device", request.device))?;
            let giving = Giving { change, at, request, range };
            if let Some(address) = giving.keep()? {
                return Ok(LeaseAnswer::Kept(address));
            }
            let wanted = request.wanted.filter(|wanted| range.contains(*wanted));
            if let Some(wanted) = wanted
                && giving.claim(wanted)?
            {
                return Ok(LeaseAnswer::Given(wanted));
            }
            let given = giving.never_given()?;
            let given = if given.is_some() { given } else { giving.ended_longest_ago()? };
            Ok(given.map_or(LeaseAnswer::Exhausted, LeaseAnswer::Given))
        })
    }

    fn reserve(&mut self, at: Time, pool: &Pool, address: IpAddr, device: Option<&PublicKey>) -> Result<bool> {
        if !Range::of(pool)?.contains(address) {
            return Err(StoreError::Range(pool.name.clone()));
        }
        let device = device.copied();
        self.write(|change| {
            if let Some(device) = &device {
                devices::find(change, device)?.ok_or_else(|| StoreError::missing("device", device))?;
                let mut other = change.prepare_cached(
                    "UPDATE leases SET device = NULL, until = ?3, reserved = 0 WHERE pool = ?1 AND device = ?2 AND address <> ?4",
                )?;
                other.execute((&pool.name, Key(*device), at, Address(address)))?;
            }
            let mut reserve = change.prepare_cached(
                "INSERT INTO leases (pool, address, device, until, reserved) VALUES (?1, ?2, ?3, ?4, 1)
                 ON CONFLICT (pool, address) DO UPDATE SET device = excluded.device, until = excluded.until, reserved = 1
                 WHERE leases.reserved = 1 OR leases.device IS excluded.device OR leases.until <= ?5",
            )?;
            let values = (&pool.name, Address(address), device.map(Key), Time::NEVER, at);
            Ok(reserve.execute(values)? == 1)
        })
    }

    fn release(&mut self, at: Time, pool: &Name, device: &PublicKey) -> Result<bool> {
        let mut update = self.connection.prepare_cached(
            "UPDATE leases SET until = ?3 WHERE pool = ?1 AND device = ?2 AND reserved = 0 AND until > ?3",
        )?;
        Ok(update.execute((pool, Key(*device), at))? == 1)
    }

    fn leases(&mut self, pool: &Name) -> Result<Vec<Lease>> {
        let mut select = self
            .connection
            .prepare_cached("SELECT address, device, until FROM leases WHERE pool = ?1 ORDER BY address")?;
        let rows = select.query_map([pool], |row| {
            let device: Option<Key> = row.get(1)?;
            let address = row.get::<_, Address>(0)?.0;
            Ok(Lease { pool: pool.clone(), address, device: device.map(|key| key.0), until: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// One request being met.
struct Giving<'a> {
    change: &'a Writing<'a>,
    at: Time,
    request: &'a LeaseRequest<'a>,
    range: Range,
}

impl Giving<'_> {
    /// Prolongs the lease that the device has. One outside of the pool's range is given up.
    fn keep(&self) -> Result<Option<IpAddr>> {
        let key = (&self.request.pool.name, Key(*self.request.device));
        let mut held = self.change.prepare_cached("SELECT address FROM leases WHERE pool = ?1 AND device = ?2")?;
        let held = held.query_row((&key.0, &key.1), |row| row.get::<_, Address>(0)).optional()?;
        let Some(Address(address)) = held else { return Ok(None) };
        if !self.range.contains(address) {
            let mut give_up = self.change.prepare_cached(
                "UPDATE leases SET device = NULL, until = ?3, reserved = 0 WHERE pool = ?1 AND device = ?2",
            )?;
            give_up.execute((&key.0, &key.1, self.at))?;
            return Ok(None);
        }
        let mut prolong = self
            .change
            .prepare_cached("UPDATE leases SET until = ?3 WHERE pool = ?1 AND device = ?2 AND reserved = 0")?;
        prolong.execute((&key.0, &key.1, self.request.until))?;
        Ok(Some(address))
    }

    /// Takes this address, unless it is somebody's.
    fn claim(&self, address: IpAddr) -> Result<bool> {
        let mut claim = self.change.prepare_cached(
            "INSERT INTO leases (pool, address, device, until) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (pool, address) DO UPDATE SET device = excluded.device, until = excluded.until
             WHERE leases.reserved = 0 AND leases.until < ?5",
        )?;
        let request = self.request;
        let values =
            (&request.pool.name, Address(address), Key(*request.device), request.until, self.at.before(request.rest));
        Ok(claim.execute(values)? == 1)
    }

    /// Takes the first address that nobody has had yet.
    fn never_given(&self) -> Result<Option<IpAddr>> {
        let name = &self.request.pool.name;
        let first = self.range.address(self.range.first);
        let mut known = self.change.prepare_cached("SELECT next FROM pools WHERE name = ?1 AND first = ?2")?;
        let next = known.query_row((name, Address(first)), |row| row.get::<_, Address>(0)).optional()?;
        let mut next = next.map_or(self.range.first, |Address(next)| Range::number(next));
        let mut claim = self.change.prepare_cached(
            "INSERT INTO leases (pool, address, device, until) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?;
        let mut given = None;
        while given.is_none() && next <= self.range.last {
            let address = self.range.address(next);
            let values = (name, Address(address), Key(*self.request.device), self.request.until);
            given = (claim.execute(values)? == 1).then_some(address);
            // Behind the last address of all there is none: then the last one is looked at again each time.
            let Some(following) = next.checked_add(1).filter(|following| *following <= self.range.highest()) else {
                break;
            };
            next = following;
        }
        let mut note = self.change.prepare_cached(
            "INSERT INTO pools (name, first, next) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET first = excluded.first, next = excluded.next",
        )?;
        note.execute((name, Address(first), Address(self.range.address(next))))?;
        Ok(given)
    }

    /// Takes the address whose lease ended longest ago.
    fn ended_longest_ago(&self) -> Result<Option<IpAddr>> {
        let request = self.request;
        let mut take = self.change.prepare_cached(
            "UPDATE leases SET device = ?2, until = ?3 WHERE pool = ?1 AND address = (
                 SELECT address FROM leases WHERE pool = ?1 AND reserved = 0 AND until < ?4 AND address BETWEEN ?5 AND ?6
                 ORDER BY until LIMIT 1
             ) RETURNING address",
        )?;
        let (first, last) = (self.range.address(self.range.first), self.range.address(self.range.last));
        let values = (
            &request.pool.name,
            Key(*request.device),
            request.until,
            self.at.before(request.rest),
            Address(first),
            Address(last),
        );
        Ok(take.query_row(values, |row| row.get::<_, Address>(0)).optional()?.map(|Address(address)| address))
    }
}
