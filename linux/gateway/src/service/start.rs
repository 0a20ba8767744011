//! A service is made, and takes up what was open before.
use super::certify;
use super::plan::{self, Plan};
use super::rules::Rulebook;
use super::work::RULES;
use super::{LOOK, MINUTE, Now, Peer, Peers, Service, address, enrol};
use crate::admin::RECOVERY_KEY;
use crate::audit::{AuditError, Event, Recorder, Text};
use crate::name::Name;
use crate::password::{Cost, HashError, Password, Workers, hash};
use crate::settings::Settings;
use crate::store::{Owner, Store, StoreError};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use underpass_core::control::{Fault, Server, ServerLimits};
use underpass_core::policy::lease::{AddressRange, Holder, LeaseConfig, LeaseConfigError, Leases, ReservedFor};
use underpass_core::policy::session::{
    self, Output, PeerKind, Resumed, SecretText, SessionError, SessionId, Sessions, UserId,
};
use underpass_core::{Change, ControlRole, Instant, NewPeer, NoRandomness, PresharedKey, PublicKey, Rng};

/// What a service is made of, beside its settings.
pub struct Parts {
    /// Where users, devices, leases and sessions are.
    pub store: Box<dyn Store>,
    /// Where lines go.
    pub recorder: Recorder,
    /// The threads that hash passwords. What they are to call when they have an answer leads to
    /// [`Service::handle_passwords`].
    pub workers: Workers,
    /// What hashing costs: the same that the workers were told.
    pub cost: Cost,
    /// The gateway's public key: signatures of clients are for it.
    pub public_key: PublicKey,
    /// The preshared keys of sites, by their public keys.
    pub preshared: BTreeMap<PublicKey, PresharedKey>,
    /// Randomness for the channel, and for logins.
    pub rng: [Box<dyn Rng>; 2],
}

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings ask for something that is not done yet. Without it, somebody could reach what they should not.
    #[error("the settings have {0}, which the service does not do yet")]
    NotServed(&'static str),
    /// Nobody could log in.
    #[error("the settings have no method to log in")]
    NoMethod,
    /// What clients are told to set is more than they would read.
    #[error("what clients are told to set cannot be told: {0}")]
    Push(Fault),
    /// The preshared key of this site was not given.
    #[error("the preshared key of the site {0} is missing")]
    Preshared(Name),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log failed.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Passwords could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A file of authorities or of revocations.
    #[error("{}: {}", .0.display(), .1)]
    File(PathBuf, std::io::Error),
    /// The pools make no sense.
    #[error(transparent)]
    Leases(#[from] LeaseConfigError),
    /// There is no memory for a peer.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// There is no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// Finds out whether a service can be made of `settings`, as far as they alone tell.
///
/// # Errors
/// [`StartError`]: what they ask for and the service does not do, above all.
pub fn serves(settings: &Settings) -> Result<(), StartError> {
    plan_of(settings).map(drop)
}

fn plan_of(settings: &Settings) -> Result<Plan, StartError> {
    let plan = Plan::of(settings)?;
    enrol::longest(plan.config.clone()).encode().map_err(StartError::Push)?;
    Ok(plan)
}

/// No peer is connected yet.
struct Nobody;

impl Peers for Nobody {
    fn heard(&self, _: &PublicKey) -> Option<Instant> {
        None
    }

    fn source(&self, _: &PublicKey) -> Option<SocketAddr> {
        None
    }

    fn carried(&self, _: &PublicKey) -> (u64, u64) {
        (0, 0)
    }
}

impl Service {
    /// Makes a service, with the sessions and leases that are open in the store. Its first actions make the tunnel a gateway
    /// and add all peers.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(settings: &Settings, parts: Parts, now: Now) -> Result<Self, StartError> {
        let Parts { mut store, mut recorder, workers, cost, public_key, preshared, rng: [mut rng, login_rng] } = parts;
        let plan = plan_of(settings)?;
        let trust = certify::Trust::of(settings, public_key)?;
        let started = Event::GatewayStarted { version: Text::new(env!("CARGO_PKG_VERSION")) };
        let nobodys_hash = nobodys_hash(&mut *rng, cost)?;
        let leases = leases(settings, &mut *store, &mut *rng, now)?;
        let policy = policy(settings, &plan, nobodys_hash);
        let sessions = Sessions::new(policy, RECOVERY_KEY, login_rng, now.at, Some(now.wall))?;
        let seen = store.newest_change()?;
        recorder.emit(now.time(), started)?;
        let mut service = Self {
            plan,
            store,
            is_away: false,
            recorder,
            is_unsynced: true,
            lost_lines: 0,
            workers,
            jobs: BTreeMap::new(),
            next_job: 0,
            rng,
            server: Server::new(ServerLimits::default()),
            sessions,
            leases,
            peers: BTreeMap::new(),
            enrolling: BTreeMap::new(),
            trust,
            names: BTreeMap::new(),
            actions: VecDeque::new(),
            seen,
            look_at: now.at + LOOK,
            minute_at: now.at + MINUTE,
            failures: 0,
            is_exhaustion_told: false,
            unended: BTreeMap::new(),
            clocks: now,
            // Later than all that was said before a restart.
            version: now.wall.as_duration().as_secs(),
            rulebook: Rulebook::of(settings),
            subjects: BTreeMap::new(),
            last_subject: 0,
            unruled: BTreeSet::new(),
            denials: 0,
        };
        service.change(Change::Control(ControlRole::Gateway));
        service.add_sites(settings, &preshared, now)?;
        service.read_again(now, &Nobody)?;
        service.resume(now)?;
        service.restore(now)?;
        service.recall_failures(now)?;
        service.sync();
        Ok(service)
    }

    fn add_sites(
        &mut self,
        settings: &Settings,
        preshared: &BTreeMap<PublicKey, PresharedKey>,
        now: Now,
    ) -> Result<(), StartError> {
        for site in &settings.sites {
            let key = site.public_key;
            let preshared_key = preshared.get(&key).cloned();
            if site.preshared_key_file.is_some() && preshared_key.is_none() {
                return Err(StartError::Preshared(site.name.clone()));
            }
            self.sessions.add_peer(now.at, key, PeerKind::Free(RULES))?;
            self.peers.insert(key, Peer { is_site: true, ..Peer::default() });
            let peer = NewPeer {
                preshared_key,
                endpoint: site.endpoints.first().and_then(|text| plan::endpoint(text)),
                persistent_keepalive: site.keepalive,
                allowed_ips: site.networks.clone(),
                access: Some(self.access_of_site(key)),
                ..NewPeer::new(key)
            };
            self.change(Change::Peer(peer.into()));
        }
        Ok(())
    }

    /// Takes up the sessions that were open at this gateway. Those whose time is over are told of.
    fn resume(&mut self, now: Now) -> Result<(), StartError> {
        for ended in self.store.expire_sessions(now.time())? {
            let (user, device, session) = (ended.name, ended.device.into(), ended.epoch);
            let reason = Text::new("expired");
            self.emit(now, Event::SessionEnded { user, device, session, reason, received: 0, sent: 0 });
        }
        for open in self.store.sessions(None)?.into_iter().filter(|open| open.gateway == self.plan.name) {
            let user = UserId(open.user.0 as u64);
            let resumed = Resumed {
                session: SessionId(open.epoch),
                user,
                rules: RULES,
                groups: Vec::new(),
                left: open.until.since(now.time()),
                idle: self.plan.idle,
                not_after: None,
            };
            match self.sessions.resume(now.at, &open.device, resumed) {
                Ok(()) => {
                    self.names.insert(user, open.name);
                    if let Some(state) = self.peers.get_mut(&open.device) {
                        state.since = u64::try_from(open.since.as_millis() / 1000).ok();
                    }
                }
                Err(SessionError::NoMemory) => return Err(SessionError::NoMemory.into()),
                // The device is a site's now: nobody needs the session.
                Err(_) => drop(self.store.end_session(now.time(), &open.device, Some(open.epoch))?),
            }
        }
        while let Some(output) = self.sessions.poll_output() {
            if matches!(output, Output::Access { .. }) {
                self.carry_out(now, output);
            }
        }
        // That sessions are open was recorded when they were opened.
        while self.sessions.poll_fact().is_some() {}
        Ok(())
    }

    /// Takes up the leases of open sessions, and remembers the others.
    fn restore(&mut self, now: Now) -> Result<(), StartError> {
        let names: Vec<_> = self.plan.pools.iter().map(|pool| pool.name.clone()).collect();
        let mut held: BTreeMap<PublicKey, Vec<IpAddr>> = BTreeMap::new();
        for pool in names {
            for lease in self.store.leases(&pool)? {
                let Some(device) = lease.device else { continue };
                let owner = match self.store.device(&device)?.map(|device| device.owner) {
                    Some(Owner::User(user)) => Some(UserId(user.0 as u64)),
                    _ => None,
                };
                let user = self.sessions.view(&device).and_then(|view| view.user);
                let left = user.map(|_| lease.until.since(now.time())).filter(|left| !left.is_zero());
                let holder = Holder { user: user.or(owner), device };
                let is_held = self.leases.restore(now.at, holder, lease.address, left).is_ok() && left.is_some();
                if is_held {
                    held.entry(device).or_default().push(lease.address);
                } else if lease.until > now.time() {
                    self.store.release(now.time(), &pool, &device)?;
                }
            }
        }
        for (device, mut addresses) in held {
            // IPv4 first, as they are given.
            addresses.sort();
            self.set_addresses(now, device, addresses);
        }
        Ok(())
    }
}

/// The hash of a password that nobody knows.
fn nobodys_hash(rng: &mut dyn Rng, cost: Cost) -> Result<SecretText, StartError> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    rng.fill(&mut *bytes)?;
    let text = zeroize::Zeroizing::new(hex::encode(*bytes));
    let password = Password::new(&text).map_err(|_| HashError::Form)?;
    let mut phc = hash(&password, cost)?;
    Ok(SecretText::new(std::mem::take(&mut *phc)))
}

fn policy(settings: &Settings, plan: &Plan, nobodys_hash: SecretText) -> session::Settings {
    session::Settings {
        lifetime: settings.session.lifetime,
        reauth_before: settings.session.reauthenticate,
        idle: settings.session.idle,
        offline_limit: settings.session.offline_limit,
        ..session::Settings::new(plan.requires_of_nobody(), nobodys_hash)
    }
}

/// The pools. What is reserved for a user whom the store does not know is given to nobody.
fn leases(settings: &Settings, store: &mut dyn Store, rng: &mut dyn Rng, now: Now) -> Result<Leases, StartError> {
    let pools = &settings.pools;
    let ranges: Vec<_> = pools.iter().map(|pool| AddressRange::of_network(pool.network)).collect();
    let own = settings.addresses.iter().map(|address| IpNet::from(address.addr()));
    let mut excluded: Vec<_> =
        pools.iter().flat_map(|pool| pool.excluded.iter().copied()).chain(own).filter_map(plan::whole).collect();
    let mut reserved = Vec::new();
    for (user, address) in pools.iter().flat_map(|pool| &pool.reserved) {
        match store.user(user)? {
            Some(user) => reserved.push((*address, ReservedFor::User(UserId(user.id.0 as u64)))),
            None => excluded.extend(plan::whole(IpNet::from(*address))),
        }
    }
    let config = LeaseConfig {
        ranges: &ranges,
        excluded: &excluded,
        reserved: &reserved,
        valid: settings.session.lease,
        quarantine: address::QUARANTINE,
        ..LeaseConfig::new()
    };
    Ok(Leases::new(&config, rng, now.at)?)
}
