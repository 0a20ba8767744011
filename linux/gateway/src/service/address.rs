//! Leases: the core's pools decide, the store keeps, and the tunnel routes.
use super::{Now, Service};
use crate::audit::Event;
use crate::store;
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;
use underpass_core::config::PeerAction;
use underpass_core::control::Code;
use underpass_core::control::message::{Lease, LeaseRequest, Refusal, Reply};
use underpass_core::policy::lease::{Holder, LeaseError, Leased, Wish};
use underpass_core::policy::session::{Access, UserId};
use underpass_core::{AllowedIp, Change, PeerChange, PublicKey};

/// How long after its lease an address is given to nobody else.
pub(super) const QUARANTINE: Duration = Duration::from_secs(60);
/// The same in the store: shorter, so that the store never says no for a fraction of a second.
const REST: Duration = Duration::from_secs(30);
/// Seconds after which a client asks again when there was no address.
const RETRY: u32 = 10;

impl Service {
    /// Gives or renews the addresses of whoever is logged in at a peer.
    pub(super) fn lease(&mut self, now: Now, peer: PublicKey, wanted: LeaseRequest) -> Result<Lease, Refusal> {
        let view = self.sessions.view(&peer).filter(|view| matches!(view.access, Access::Open(_)));
        let view = view.ok_or(Refusal::of(Code::UNAUTHORIZED))?;
        // A site has its networks from the settings.
        let user = view.user.ok_or(Refusal::of(Code::FORBIDDEN))?;
        let later = Refusal { code: Code::UNAVAILABLE, retry_after: Some(RETRY) };
        if self.is_away {
            return Err(later);
        }
        let holder = Holder { user: Some(user), device: peer };
        let leased = self.leases.lease(now.at, holder, wish(wanted.want_v4), wish(wanted.want_v6));
        self.tell_of_exhaustion(now, &leased);
        let (v4, v6) = (leased.ip4.ok().flatten(), leased.ip6.ok().flatten());
        let given: Vec<IpAddr> = v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6)).collect();
        let had = self.peers.get(&peer).map_or_else(Vec::new, |state| state.leased.clone());
        let is_kept = given.iter().all(|address| self.keep(now, peer, *address, leased.valid, &had));
        if !is_kept || given.is_empty() {
            // Whoever has addresses keeps them for as long as was said.
            if had.is_empty() {
                self.give_back(now, peer, Some(user));
            }
            return Err(later);
        }
        if given != had {
            self.set_addresses(now, peer, given);
        }
        let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        Ok(Lease {
            v4,
            v6,
            renew_after: seconds(leased.t1),
            rebind_after: seconds(leased.t2),
            valid_for: seconds(leased.valid),
        })
    }

    /// Writes a lease down; `false`: the store cannot, or knows somebody else who has the address.
    fn keep(&mut self, now: Now, device: PublicKey, address: IpAddr, valid: Duration, had: &[IpAddr]) -> bool {
        let Some(pool) = self.plan.only(address) else { return false };
        let until = now.time().after(valid);
        let wanted = Some(address);
        let request = store::LeaseRequest { pool: &pool, device: &device, wanted, until, rest: REST };
        let answer = self.store.lease(now.time(), &request);
        let is_kept = match self.stored(now, answer) {
            Some(store::LeaseAnswer::Kept(kept) | store::LeaseAnswer::Given(kept)) => kept == address,
            Some(store::LeaseAnswer::Exhausted) | None => false,
        };
        if is_kept && !had.contains(&address) {
            let event = Event::LeaseGranted { device: device.into(), address, pool: pool.name.clone(), until };
            self.emit(now, event);
        }
        is_kept
    }

    /// The session is over: its addresses are nobody's.
    pub(super) fn give_back(&mut self, now: Now, peer: PublicKey, user: Option<UserId>) {
        let (v4, v6) = self.leases.release(now.at, &Holder { user, device: peer });
        for address in v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6)) {
            self.release_in_store(now, peer, address);
        }
        if self.peers.get(&peer).is_some_and(|state| !state.leased.is_empty()) {
            self.set_addresses(now, peer, Vec::new());
        }
    }

    /// Closes addresses whose time is over.
    pub(super) fn expire_leases(&mut self, now: Now) {
        while let Some((holder, address)) = self.leases.expire(now.at) {
            self.release_in_store(now, holder.device, address);
            let left = self.peers.get(&holder.device).map(|state| {
                let left = state.leased.iter().copied().filter(|leased| *leased != address);
                (left.collect::<Vec<_>>(), state.leased.len())
            });
            if let Some((left, _)) = left.filter(|(left, before)| left.len() != *before) {
                self.set_addresses(now, holder.device, left);
            }
        }
    }

    /// Ends a lease in the store. There is a line about it if there was one about its beginning.
    fn release_in_store(&mut self, now: Now, device: PublicKey, address: IpAddr) {
        let was_had = self.peers.get(&device).is_some_and(|state| state.leased.contains(&address));
        let Some(pool) = self.plan.pool_of(address) else { return };
        let released = self.store.release(now.time(), &pool.name, &device);
        // Where the store is away, the lease ends there by its own time.
        let was_kept = self.stored(now, released).unwrap_or_default();
        if was_had || was_kept {
            self.emit(now, Event::LeaseReleased { device: device.into(), address });
        }
    }

    /// A peer has these addresses and no other: the tunnel is told, and the client if it watches.
    pub(super) fn set_addresses(&mut self, now: Now, peer: PublicKey, addresses: Vec<IpAddr>) {
        let allowed_ips = addresses.iter().map(|address| AllowedIp::from(IpNet::from(*address))).collect();
        let change =
            PeerChange { action: PeerAction::Update, replace_allowed_ips: true, allowed_ips, ..PeerChange::new(peer) };
        self.change(Change::Peer(change));
        if let Some(state) = self.peers.get_mut(&peer) {
            state.leased = addresses;
        }
        self.version = self.version.wrapping_add(1);
        if self.is_open(&peer) {
            let config = Reply::Config(self.config_of(&peer));
            self.push(now, peer, &config);
        }
    }

    fn tell_of_exhaustion(&mut self, now: Now, leased: &Leased) {
        for (error, is_v4) in [(leased.ip4.err(), true), (leased.ip6.err(), false)] {
            let is_of = |network: IpNet| matches!(network, IpNet::V4(_)) == is_v4;
            let pool = self.plan.pools.iter().find(|pool| is_of(pool.network)).map(|pool| pool.name.clone());
            if let (Some(LeaseError::Exhausted), Some(pool), false) = (error, pool, self.is_exhaustion_told) {
                self.is_exhaustion_told = true;
                self.emit(now, Event::LeaseExhausted { pool });
            }
        }
    }
}

fn wish<A>(address: Option<A>) -> Wish<A> {
    address.map_or(Wish::Any, Wish::This)
}
