//! What is around the interface of a gateway: the firewall's rules, forwarding, addresses and routes.
use super::forwarding::Forwarding;
use crate::guard::heal::Belongings;
use crate::own_directory::OwnDirectory;
use crate::quick::invocation::Invocation;
use crate::quick::{Action, Family, Step, machine, shelf};
use anyhow::{anyhow, bail};
use ipnet::IpNet;
use std::fs::File;
use underpass_gateway::nat;
use underpass_gateway::settings::Settings;

/// Rules and forwarding of a gateway. They are there before its interface is, and go when this is dropped, after the interface.
/// Nobody else prepares anything for an interface of this name meanwhile.
#[derive(Debug)]
pub struct Surroundings {
    interface: String,
    forwarding: Option<Forwarding>,
    _lock: File,
}

impl Surroundings {
    /// Puts up what `settings` ask for. What a gateway left behind that was killed is replaced.
    ///
    /// # Errors
    /// A gateway with this interface runs already, or something cannot be put up. Then nothing is left.
    pub fn prepare(settings: &Settings) -> anyhow::Result<Self> {
        let lock = lock(&settings.interface)?;
        let mut own = Self { interface: settings.interface.clone(), forwarding: None, _lock: lock };
        run_nft(nat::rules(settings))?;
        own.forwarding = Some(Forwarding::turn_on(directory()?, &own.interface, &families(settings))?);
        Ok(own)
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        let outcomes =
            [self.forwarding.as_ref().map_or(Ok(()), Forwarding::turn_off), run_nft(nat::removal(&self.interface))];
        for error in outcomes.into_iter().filter_map(Result::err) {
            tracing::error!("something is left on the machine: {error}");
        }
    }
}

/// The runtime directory.
///
/// # Errors
/// It cannot be made, or others can write to it.
pub fn directory() -> anyhow::Result<OwnDirectory> {
    let path = shelf::directory();
    OwnDirectory::make(&path).map_err(|error| anyhow!("cannot use the directory {}: {error}", path.display()))
}

fn lock(interface: &str) -> anyhow::Result<File> {
    let name = format!("{interface}.gateway-lock");
    let file = directory()?.file(&name, true)?.ok_or_else(|| anyhow!("cannot make {name}"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => bail!("a gateway with the interface {interface} runs already"),
        Err(std::fs::TryLockError::Error(error)) => bail!("cannot lock {name}: {error}"),
    }
}

fn run_nft(rules: String) -> anyhow::Result<()> {
    machine::run(&Invocation::new("nft", "-f -").reading(rules))
}

/// The families of all addresses inside the tunnel.
fn families(settings: &Settings) -> Vec<Family> {
    let sites = settings.sites.iter().flat_map(|site| site.networks.iter());
    let all: Vec<Family> = settings
        .pools
        .iter()
        .map(|pool| &pool.network)
        .chain(sites)
        .chain(&settings.addresses)
        .map(Family::of)
        .collect();
    Family::ALL.into_iter().filter(|family| all.contains(family)).collect()
}

/// The networks that are routed into the tunnel and that no own address brings along.
fn routes(settings: &Settings) -> Vec<IpNet> {
    let pools = settings.pools.iter().map(|pool| pool.network);
    let sites = settings.sites.iter().flat_map(|site| site.networks.iter().copied());
    let is_there = |network: &IpNet| settings.addresses.iter().any(|own| own.contains(network));
    pools.chain(sites).filter(|network| !is_there(network)).collect()
}

/// What the interface gets, in this order.
fn steps(settings: &Settings) -> Vec<Step> {
    let addresses = settings.addresses.iter().map(|address| Step::Address(*address));
    let up = Step::LinkUp { mtu: settings.mtu };
    let routes = routes(settings).into_iter().map(|network| Step::Route { network, table: None });
    addresses.chain([up]).chain(routes).collect()
}

/// Gives the interface, which is there, its addresses and routes, and sets it up.
///
/// # Errors
/// The kernel refuses something: a route is there already, for example.
pub fn furnish(settings: &Settings) -> anyhow::Result<()> {
    for step in steps(settings) {
        if let Action::Run(invocation) = step.does(&settings.interface) {
            machine::run(&invocation)?;
        }
    }
    Ok(())
}

/// What the interface gets back after it was set down and up.
#[must_use]
pub fn belongings(settings: &Settings) -> Belongings {
    Belongings::of_main(settings.addresses.clone(), routes(settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_gateway::settings::read;

    #[test]
    fn networks_of_sites_and_pools_without_an_address_are_routed() {
        let text = r#"
            [gateway]
            name = "hq"
            interface = "wg0"
            listen = 51820
            private_key_file = "/k"
            addresses = ["10.8.0.1/24"]
            [[pool]]
            network = "10.8.0.0/24"
            [[pool]]
            network = "fd00:8::/64"
            [[method]]
            factors = [["password", "totp"]]
            [[site]]
            name = "lyon"
            public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
            networks = ["10.20.0.0/16"]
            [log]
            file = "/log"
            [store]
            sqlite = "/db"
        "#;
        let settings = read(text).settings.expect("settings");
        let done: Vec<String> = steps(&settings).iter().map(|step| step.does("wg0").to_string()).collect();
        let wanted = [
            "ip -4 address add 10.8.0.1/24 dev wg0",
            "ip link set mtu 1420 up dev wg0",
            "ip -6 route add fd00:8::/64 dev wg0",
            "ip -4 route add 10.20.0.0/16 dev wg0",
        ];
        assert_eq!(done, wanted);
        assert_eq!(families(&settings), Family::ALL);
    }
}
