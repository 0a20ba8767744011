//! What the settings say, in the types of the core.
use super::StartError;
use crate::name::Name;
use crate::settings::{self, Settings};
use crate::store;
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;
use underpass_core::Endpoint;
use underpass_core::control::message::{Config, Method};
use underpass_core::policy::lease::AddressRange;
use underpass_core::policy::session::{Alternatives, Factor};

/// What a gateway does, as the settings say.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: Name,
    /// Who has to show what; the first that fits counts.
    methods: Vec<(settings::Method, Alternatives)>,
    pub(super) pools: Vec<Pool>,
    /// What clients are told to set, without addresses.
    pub(super) config: Config,
    pub(super) idle: Option<Duration>,
}

/// A pool.
#[derive(Debug)]
pub(super) struct Pool {
    /// Its name in the store.
    pub(super) name: Name,
    pub(super) network: IpNet,
}

impl Plan {
    /// Refuses what is not served yet.
    pub(super) fn of(settings: &Settings) -> Result<Self, StartError> {
        if let Some(what) = unserved(settings) {
            return Err(StartError::NotServed(what));
        }
        let methods = settings.methods.iter().map(|method| Ok((method.clone(), alternatives(method)?)));
        let methods = methods.collect::<Result<Vec<_>, StartError>>()?;
        if methods.is_empty() {
            return Err(StartError::NoMethod);
        }
        let push = &settings.push;
        let config = Config {
            routes: push.routes.clone(),
            excluded: push.excluded_routes.clone(),
            dns: push.dns.clone(),
            search: push.search.clone(),
            split: push.split_dns.clone(),
            mtu: Some(settings.mtu),
            keepalive: Some(push.keepalive).filter(|seconds| *seconds > 0),
            kill_switch: push.kill_switch,
            ..Config::default()
        };
        let pools = settings.pools.iter().map(|pool| Pool { name: name_of(pool.network), network: pool.network });
        let (name, idle) = (settings.name.clone(), settings.session.idle);
        Ok(Self { name, methods, pools: pools.collect(), config, idle })
    }

    /// What a user has to show. Where no method fits, nothing is enough.
    pub(super) fn requires(&self, user: &Name, groups: &[Name]) -> Alternatives {
        let fits = |method: &settings::Method| {
            is_for_all(method)
                || method.users.contains(user)
                || method.groups.iter().any(|group| groups.contains(group))
        };
        self.methods.iter().find(|(method, _)| fits(method)).map_or(Alternatives::NONE, |(_, requires)| *requires)
    }

    /// What is asked of a name that there is not: what is asked of everybody, else what is asked last.
    pub(super) fn requires_of_nobody(&self) -> Alternatives {
        let for_all = self.methods.iter().find(|(method, _)| is_for_all(method));
        for_all.or_else(|| self.methods.last()).map_or(Alternatives::NONE, |(_, requires)| *requires)
    }

    /// The pool that an address is of.
    pub(super) fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.network.contains(&address))
    }

    /// The pool with the one address in it: so the store gives this one or none.
    pub(super) fn only(&self, address: IpAddr) -> Option<store::Pool> {
        self.pool_of(address).map(|pool| store::Pool { name: pool.name.clone(), first: address, last: address })
    }
}

/// What is asked for and not done yet. It would be wrong to begin without it.
fn unserved(settings: &Settings) -> Option<&'static str> {
    let served = |factor: &settings::Factor| {
        matches!(factor, settings::Factor::Password | settings::Factor::Totp | settings::Factor::Certificate)
    };
    let mut factors = settings.methods.iter().flat_map(|method| method.factors.iter().flatten());
    let asks = [
        (super::rules::names_strangers(settings), "rules for peers that are no sites"),
        (settings.login == settings::Login::Off, "`login` that is off"),
        (!factors.all(served), "factors other than password, totp and certificate"),
        (settings.log.forget_idle.is_some(), "`forget_idle`"),
        (settings.pools.iter().any(|pool| !pool.sticky), "a pool that is not sticky"),
        (settings.sites.iter().any(|site| site.endpoints.len() > 1), "several endpoints of a site"),
    ];
    asks.into_iter().find(|(asked, _)| *asked).map(|(_, what)| what)
}

fn is_for_all(method: &settings::Method) -> bool {
    method.groups.is_empty() && method.users.is_empty()
}

fn alternatives(method: &settings::Method) -> Result<Alternatives, StartError> {
    let factor = |factor: &settings::Factor| match factor {
        settings::Factor::Password => Factor::Password,
        settings::Factor::Totp => Factor::Code,
        settings::Factor::Certificate => Factor::Certificate,
        settings::Factor::Challenge => Factor::Text,
        settings::Factor::Web => Factor::Web,
    };
    let sets: Vec<Vec<Factor>> = method.factors.iter().map(|set| set.iter().map(factor).collect()).collect();
    let sets: Vec<&[Factor]> = sets.iter().map(Vec::as_slice).collect();
    Alternatives::new(&sets).ok_or(StartError::NotServed("more than eight alternatives of factors"))
}

/// Ways to log in that a client reads at most.
const MOST_WAYS: usize = 8;

/// The factors of a client's choice, as hello tells them.
pub(super) fn ways(requires: &Alternatives) -> Vec<Vec<Method>> {
    let mut ways = Vec::new();
    for set in requires.iter() {
        let way: Vec<Method> = set.iter().map(super::reply::method).collect();
        // A certificate is of the peer's key, or of one that signs.
        let of_key =
            |method: &Method| if *method == Method::SigningCertificate { Method::KeyCertificate } else { *method };
        if way.contains(&Method::SigningCertificate) {
            ways.push(way.iter().map(of_key).collect());
        }
        ways.push(way);
    }
    ways.truncate(MOST_WAYS);
    ways
}

/// The name of a pool in the store: its network, without what names do not have.
fn name_of(network: IpNet) -> Name {
    let address = network.network().to_string().replace(':', ".");
    let named = format!("pool-{address}-{}", network.prefix_len()).parse();
    named.expect("at most 48 characters, all of them of names")
}

/// Every address of a network.
pub(super) fn whole(network: IpNet) -> Option<AddressRange> {
    AddressRange::new(network.network(), network.broadcast())
}

/// `host:port`, as the settings have checked it.
pub(super) fn endpoint(text: &str) -> Option<Endpoint> {
    if let Ok(address) = text.parse() {
        return Some(Endpoint::Address(address));
    }
    let (host, port) = text.rsplit_once(':')?;
    Some(Endpoint::Name { host: host.to_owned(), port: port.parse().ok()? })
}
