//! Leases in PostgreSQL.
use super::super::columns::Range;
use super::super::{Lease, LeaseAnswer, LeaseRequest, Leases, Pool, Result, StoreError};
use super::{Postgres, Writing, devices, values};
use crate::name::Name;
use crate::time::Time;
use std::net::IpAddr;
use underpass_core::PublicKey;

impl Leases for Postgres {
    fn lease(&mut self, at: Time, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
        let range = Range::of(request.pool)?;
        self.write(|change| {
            devices::find(change, request.device)?.ok_or_else(|| StoreError::missing("device", request.device))?;
            let mut giving = Giving { change, at, request, range };
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
        let (name, bytes, at) = (pool.name.as_str(), values::bytes(address), at.as_millis());
        self.write(|change| {
            let key = device.map(|device| device.as_bytes().as_slice());
            if let Some(device) = device {
                devices::find(change, device)?.ok_or_else(|| StoreError::missing("device", device))?;
                change.run(
                    "UPDATE leases SET device = NULL, until = $3, reserved = false
                     WHERE pool = $1 AND device = $2 AND address <> $4",
                    &[&name, &key, &at, &bytes],
                )?;
            }
            let reserved = change.run(
                "INSERT INTO leases (pool, address, device, until, reserved) VALUES ($1, $2, $3, $4, true)
                 ON CONFLICT (pool, address) DO UPDATE
                 SET device = excluded.device, until = excluded.until, reserved = true
                 WHERE leases.reserved OR leases.device IS NOT DISTINCT FROM excluded.device OR leases.until <= $5",
                &[&name, &bytes, &key, &Time::NEVER.as_millis(), &at],
            )?;
            Ok(reserved == 1)
        })
    }

    fn release(&mut self, at: Time, pool: &Name, device: &PublicKey) -> Result<bool> {
        let released = self.run(
            "UPDATE leases SET until = $3 WHERE pool = $1 AND device = $2 AND NOT reserved AND until > $3",
            &[&pool.as_str(), &device.as_bytes().as_slice(), &at.as_millis()],
        )?;
        Ok(released == 1)
    }

    fn leases(&mut self, pool: &Name) -> Result<Vec<Lease>> {
        let statement = "SELECT address, device, until FROM leases WHERE pool = $1 ORDER BY address";
        let rows = self.rows(statement, &[&pool.as_str()])?;
        let lease = |row: &::postgres::Row| {
            let device: Option<&[u8]> = row.try_get(1)?;
            let device = device.map(|_| values::key(row, 1)).transpose()?;
            Ok(Lease { pool: pool.clone(), address: values::address(row, 0)?, device, until: values::time(row, 2)? })
        };
        rows.iter().map(lease).collect()
    }
}

/// One request being met.
struct Giving<'a, 'c> {
    change: &'a mut Writing<'c>,
    at: Time,
    request: &'a LeaseRequest<'a>,
    range: Range,
}

impl Giving<'_, '_> {
    /// Prolongs the lease that the device has. One outside of the pool's range is given up.
    fn keep(&mut self) -> Result<Option<IpAddr>> {
        let (pool, key) = (self.request.pool.name.as_str(), self.request.device.as_bytes().as_slice());
        let held = self.change.row("SELECT address FROM leases WHERE pool = $1 AND device = $2", &[&pool, &key])?;
        let Some(held) = held else { return Ok(None) };
        let address = values::address(&held, 0)?;
        if !self.range.contains(address) {
            let statement =
                "UPDATE leases SET device = NULL, until = $3, reserved = false WHERE pool = $1 AND device = $2";
            self.change.run(statement, &[&pool, &key, &self.at.as_millis()])?;
            return Ok(None);
        }
        let statement = "UPDATE leases SET until = $3 WHERE pool = $1 AND device = $2 AND NOT reserved";
        self.change.run(statement, &[&pool, &key, &self.request.until.as_millis()])?;
        Ok(Some(address))
    }

    /// Takes this address, unless it is somebody's.
    fn claim(&mut self, address: IpAddr) -> Result<bool> {
        let (pool, key) = (self.request.pool.name.as_str(), self.request.device.as_bytes().as_slice());
        let (until, ended) = (self.request.until.as_millis(), self.at.before(self.request.rest).as_millis());
        let claimed = self.change.run(
            "INSERT INTO leases (pool, address, device, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (pool, address) DO UPDATE SET device = excluded.device, until = excluded.until
             WHERE NOT leases.reserved AND leases.until < $5",
            &[&pool, &values::bytes(address), &key, &until, &ended],
        )?;
        Ok(claimed == 1)
    }

    /// Takes the first address that nobody has had yet.
    fn never_given(&mut self) -> Result<Option<IpAddr>> {
        let (pool, key) = (self.request.pool.name.as_str(), self.request.device.as_bytes().as_slice());
        let first = values::bytes(self.range.address(self.range.first));
        let known = self.change.row("SELECT next FROM pools WHERE name = $1 AND first = $2", &[&pool, &first])?;
        let known = known.map(|row| values::address(&row, 0)).transpose()?;
        let mut next = known.map_or(self.range.first, Range::number);
        let mut given = None;
        while given.is_none() && next <= self.range.last {
            let address = self.range.address(next);
            let inserted = self.change.run(
                "INSERT INTO leases (pool, address, device, until) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                &[&pool, &values::bytes(address), &key, &self.request.until.as_millis()],
            )?;
            given = (inserted == 1).then_some(address);
            // Behind the last address of all there is none: then the last one is looked at again each time.
            let Some(following) = next.checked_add(1).filter(|next| *next <= self.range.highest()) else { break };
            next = following;
        }
        self.change.run(
            "INSERT INTO pools (name, first, next) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET first = excluded.first, next = excluded.next",
            &[&pool, &first, &values::bytes(self.range.address(next))],
        )?;
        Ok(given)
    }

    /// Takes the address whose lease ended longest ago.
    fn ended_longest_ago(&mut self) -> Result<Option<IpAddr>> {
        let (pool, key) = (self.request.pool.name.as_str(), self.request.device.as_bytes().as_slice());
        let (first, last) = (self.range.address(self.range.first), self.range.address(self.range.last));
        let (until, ended) = (self.request.until.as_millis(), self.at.before(self.request.rest).as_millis());
        let taken = self.change.row(
            "UPDATE leases SET device = $2, until = $3 WHERE pool = $1 AND address = (
                 SELECT address FROM leases WHERE pool = $1 AND NOT reserved AND until < $4 AND address BETWEEN $5 AND $6
                 ORDER BY until LIMIT 1
             ) RETURNING address",
            &[&pool, &key, &until, &ended, &values::bytes(first), &values::bytes(last)],
        )?;
        taken.map(|row| values::address(&row, 0)).transpose()
    }
}
