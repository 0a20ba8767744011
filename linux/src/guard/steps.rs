//! What `up` does for the kill switch, and the warnings where there is none.
use super::split::Split;
use super::{Lock, families, lock_of, uplink, wish};
use crate::quick::plan::has_default_route;
use crate::quick::{Facts, Family, Step};
use anyhow::bail;
use underpass_core::config::{KillSwitch, QuickConfig};
use wish::Wish;

/// The lock that `interface` is to have: as it is asked for, or as it is from before. Its mark may still be to be chosen.
///
/// # Errors
/// The system's file is wrong, or what is written down cannot be read.
pub fn wanted(wish: Option<Wish>, interface: &str, config: &QuickConfig) -> anyhow::Result<Option<Lock>> {
    let switch = wish::kill_switch(wish, config)?;
    let before = lock_of(interface)?;
    let lan = match (switch, &before) {
        (KillSwitch::Off, None) => return Ok(None),
        (KillSwitch::Off, Some(before)) => before.lan,
        _ => switch == KillSwitch::Lan,
    };
    Ok(Some(renewed(before, interface, config, lan)))
}

/// The lock that `interface`, which is up with `running`, is to have once its file says `config`. What the file says anew counts;
/// where it says what it said, the lock stays as it is, whoever asked for it.
///
/// # Errors
/// As those of [`wanted`].
pub fn changed(interface: &str, running: &QuickConfig, config: &QuickConfig) -> anyhow::Result<Option<Lock>> {
    let before = lock_of(interface)?;
    let lan = if running.linux.kill_switch == config.linux.kill_switch {
        before.as_ref().map(|before| before.lan)
    } else {
        match wish::kill_switch(None, config)? {
            KillSwitch::Off => None,
            switch => Some(switch == KillSwitch::Lan),
        }
    };
    Ok(lan.map(|lan| {
        // The rules of the tunnel stay under guard.
        let diverts = before.as_ref().is_some_and(|before| before.diverts);
        Lock { diverts, ..renewed(before, interface, config, lan) }
    }))
}

/// What is to be said when `before` has become `after`.
#[must_use]
pub fn told(before: Option<&Lock>, after: Option<&Lock>) -> Option<&'static str> {
    match (before.map(|lock| lock.lan), after.map(|lock| lock.lan)) {
        (before, after) if before == after => None,
        (_, Some(false)) => Some("kill switch on: from here on nothing leaves but through the tunnel"),
        (_, Some(true)) => {
            Some("kill switch on: from here on nothing leaves but through the tunnel and to the private local network")
        }
        (_, None) => Some("kill switch off: from here on anything may leave outside the tunnel"),
    }
}

/// The lock of the tunnel `interface` with `config`, with what is known from the one `before`.
#[must_use]
pub fn renewed(before: Option<Lock>, interface: &str, config: &QuickConfig, lan: bool) -> Lock {
    let mut lock = Lock { stays: before.is_some(), ..Lock::new(interface, config, lan) };
    if let Some(before) = before {
        lock.mark = if lock.mark == 0 { before.mark } else { lock.mark };
        lock.addresses = before.addresses;
        lock.servers = before.servers;
    }
    let servers = uplink(&config.dns);
    if !servers.is_empty() {
        lock.servers = servers;
    }
    lock
}

/// What comes before everything else.
#[must_use]
pub fn first(facts: &Facts) -> Vec<Step> {
    let lock = facts.guard.clone().map(Step::Lock);
    lock.into_iter().chain(facts.split.clone().map(Step::Split)).collect()
}

/// Whether only some programs use the tunnel, so that nothing sends all the others there.
#[must_use]
pub fn is_for_some(facts: &Facts) -> bool {
    facts.split.as_ref().is_some_and(|split| split.alone)
}

/// The last routes of the table, and the rules that lead there: of families of which the tunnel has no default route, or of programs.
#[must_use]
pub fn barriers(config: &QuickConfig, facts: &Facts) -> Vec<Step> {
    let (table, is_for_some) = (facts.table, is_for_some(facts));
    if !has_default_route(config) || (facts.guard.is_none() && !is_for_some) {
        return Vec::new();
    }
    let mut steps: Vec<Step> = families().map(|family| Step::Barrier { family, table }).collect();
    if let Some(split) = facts.split.as_ref().filter(|split| split.alone) {
        steps.extend(families().map(|family| Step::InsideRule { family, mark: split.inside(), table }));
        return steps;
    }
    for family in missing(config, facts.ipv6) {
        steps.push(Step::DivertRule { family, table });
        steps.push(Step::MainRule { family, table });
    }
    steps
}

/// What comes behind the routes: rules that go before those of all others, and that somebody keeps all of it.
#[must_use]
pub fn last(name: &str, config: &QuickConfig, facts: &Facts) -> Vec<Step> {
    if !has_default_route(config) || is_for_some(facts) {
        return Vec::new();
    }
    let users = facts.split.iter().flat_map(|split| &split.users);
    let rules = users.flat_map(|user| families().map(|family| Step::UserRule { family, user: *user }));
    let keep = facts.guard.iter().map(|_| Step::Keep { name: name.into() });
    rules.chain(keep).collect()
}

/// What is to be said of programs that go another way than all others.
///
/// # Errors
/// Some would leave outside the tunnel that are to leave inside.
pub fn split_warnings(name: &str, config: &QuickConfig, facts: &Facts) -> anyhow::Result<Vec<String>> {
    let (wanted, missing) = Split::of(name, config, facts.table);
    if wanted.is_some() && facts.split.is_none() {
        bail!(
            "programs are told apart only where a default route goes into the tunnel: AllowedIPs lacks it, or Table is not `auto`"
        );
    }
    if is_for_some(facts) && facts.guard.is_some() {
        bail!(
            "programs that alone use the tunnel never leave by another way; the kill switch would stop all others: choose one"
        );
    }
    Split::check(wanted.as_ref(), &missing)
}

/// What is to be said to whoever brings `config` up with these `facts`.
#[must_use]
pub fn warnings(config: &QuickConfig, facts: &Facts) -> Vec<String> {
    let mut warnings = kill_switch_warnings(config, facts);
    let addresses = config.addresses.iter().chain(config.tunnel.peers.iter().flat_map(|peer| &peer.allowed_ips));
    if !facts.ipv6 && addresses.into_iter().any(|network| Family::of(network) == Family::V6) {
        let otherwise =
            if facts.guard.is_some() { "" } else { ", and would not go through it if IPv6 were switched on" };
        warnings
            .push(format!("IPv6 is off on this machine: its addresses and networks are not in the tunnel{otherwise}"));
    }
    warnings
}

fn kill_switch_warnings(config: &QuickConfig, facts: &Facts) -> Vec<String> {
    let Some(lock) = &facts.guard else {
        let word = |family| if family == Family::V4 { ("IPv4", "0.0.0.0/0") } else { ("IPv6", "::/0") };
        let warning = |(family, network)| {
            format!(
                "{family} does not go through the tunnel: add {network} to AllowedIPs, or use --kill-switch to let nothing \
                 pass outside of it"
            )
        };
        let families = missing(config, true).into_iter().filter(|family| facts.ipv6 || *family == Family::V4);
        return families.map(word).map(warning).collect();
    };
    super::session::warning(lock).map(str::to_owned).into_iter().collect()
}

/// The families that a tunnel for everything leaves out; IPv6 too where that is off, unless `ipv6`.
fn missing(config: &QuickConfig, ipv6: bool) -> Vec<Family> {
    if !has_default_route(config) {
        return Vec::new();
    }
    let allowed = || config.tunnel.peers.iter().flat_map(|peer| &peer.allowed_ips);
    let has = |family| {
        (ipv6 || family == Family::V4)
            && allowed().any(|network| network.prefix_len() == 0 && Family::of(network) == family)
    };
    families().filter(|family| !has(*family)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quick::Plan;
    use crate::quick::change::Change;
    use crate::quick::firewall::Program;
    use underpass_core::config::parse;

    fn config(allowed: &str) -> QuickConfig {
        let text = format!(
            "[Interface]\nPrivateKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\nAddress = 10.9.0.2/24\n[Peer]\n\
             PublicKey = 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=\nAllowedIPs = {allowed}\n"
        );
        parse(&text).config.expect("valid")
    }

    fn facts(guard: bool, split: Option<Split>) -> Facts {
        Facts {
            mtu: 1420,
            table: 7,
            firewall: Program::Nft,
            resolvers: Vec::new(),
            guard: guard.then(|| Lock { mark: 7, ..Lock::default() }),
            split,
            ipv6: true,
        }
    }

    fn shown(steps: &[Step]) -> Vec<String> {
        steps.iter().map(|step| step.does("wg0").to_string()).collect()
    }

    const BARRIERS: [&str; 2] = [
        "ip -4 route replace unreachable default metric 4294967295 table 7",
        "ip -6 route replace unreachable default metric 4294967295 table 7",
    ];

    #[test]
    fn both_families_end_at_a_barrier() {
        let of = |allowed| shown(&barriers(&config(allowed), &facts(true, None)));
        assert_eq!(of("0.0.0.0/0, ::/0"), BARRIERS);
        let rules = ["ip -6 rule add not fwmark 7 table 7", "ip -6 rule add table main suppress_prefixlength 0"];
        assert_eq!(of("0.0.0.0/0"), [BARRIERS, rules].concat());
        assert_eq!(of("10.0.0.0/8"), Vec::<String>::new());
        assert_eq!(barriers(&config("0.0.0.0/0"), &facts(false, None)), []);
    }

    #[test]
    fn programs_alone_in_the_tunnel_end_at_a_barrier_too_and_nobody_else_is_sent_there() {
        let mut config = config("0.0.0.0/0, ::/0");
        config.linux.only_users = vec!["1000".into()];
        let split = Split::of("wg0", &config, 7).0;
        let facts = facts(false, split);
        let rules = ["ip -4 rule add fwmark 1073741831 table 7", "ip -6 rule add fwmark 1073741831 table 7"];
        assert_eq!(shown(&barriers(&config, &facts)), [BARRIERS, rules].concat());
        let plan = Plan::up("wg0", &config, &facts);
        assert!(plan.steps.iter().all(|step| !matches!(step, Step::DivertRule { .. } | Step::MainRule { .. })));
        assert!(matches!(plan.steps.first(), Some(Step::Split(_))), "before anything else");
    }

    #[test]
    fn what_is_replaced_is_not_removed() {
        let mut config = config("0.0.0.0/0, ::/0");
        config.linux.exclude_users = vec!["1000".into()];
        let plan = |config: &QuickConfig, lan| {
            let mut facts = facts(true, Split::of("wg0", config, 7).0);
            facts.guard = facts.guard.map(|lock| Lock { lan, stays: true, ..lock });
            Plan::up("wg0", config, &facts)
        };
        let old = plan(&config, false);
        config.dns = vec!["10.9.0.53".parse().expect("address")];
        let change = Change::between(&old.steps, &plan(&config, true));
        let is_anew = |step: &Step| matches!(step, Step::Lock(_) | Step::Split(_));
        assert_eq!(change.added.iter().filter(|step| is_anew(step)).count(), 2, "{change:?}");
        assert_eq!(change.removed, []);
    }

    #[test]
    fn users_outside_are_routed_as_if_there_were_no_tunnel() {
        let mut config = config("0.0.0.0/0");
        config.linux.exclude_users = vec!["1000".into()];
        let facts = facts(false, Split::of("wg0", &config, 7).0);
        let rules = ["ip -4 rule add uidrange 1000-1000 table main", "ip -6 rule add uidrange 1000-1000 table main"];
        assert_eq!(shown(&last("wg0", &config, &facts)), rules);
        config.linux.exclude_users = vec!["underpass-nobody-of-this-name".into()];
        assert!(split_warnings("wg0", &config, &facts).expect("a warning")[0].contains("like all others"));
        config.linux.only_users = std::mem::take(&mut config.linux.exclude_users);
        assert!(split_warnings("wg0", &config, &facts).is_err());
    }

    #[test]
    fn a_change_of_the_kill_switch_is_told() {
        let lock = |lan| Lock { lan, ..Lock::default() };
        let (strict, lan) = (lock(false), lock(true));
        let said = |before, after| told(before, after).unwrap_or("nothing").to_owned();
        assert!(said(None, Some(&strict)).ends_with("but through the tunnel"));
        assert!(said(Some(&strict), Some(&lan)).ends_with("to the private local network"));
        assert!(said(Some(&lan), Some(&strict)).ends_with("but through the tunnel"));
        assert!(said(Some(&lan), None).starts_with("kill switch off"));
        for same in [None, Some(&strict), Some(&lan)] {
            assert_eq!(told(same, same), None);
        }
    }

    #[test]
    fn a_family_that_is_left_out_is_told_of() {
        let warned = |allowed| warnings(&config(allowed), &facts(false, None)).join("");
        assert!(warned("0.0.0.0/0").starts_with("IPv6 does not go through the tunnel: add ::/0"));
        assert!(warned("::/0").starts_with("IPv4 does not go through the tunnel: add 0.0.0.0/0"));
        assert_eq!((warned("0.0.0.0/0, ::/0"), warned("10.0.0.0/8")), (String::new(), String::new()));
    }

    #[test]
    fn a_machine_without_ipv6_gets_a_tunnel_without() {
        let config = config("0.0.0.0/0, ::/0, fd00::/8");
        let of = |guard| {
            let facts = Facts { ipv6: false, ..facts(guard, None) };
            (shown(&Plan::up("wg0", &config, &facts).steps), warnings(&config, &facts).join("\n"))
        };
        let (steps, said) = of(false);
        assert!(!steps.iter().any(|step| step.contains("ip -6") || step.contains("::")), "{steps:?}");
        assert!(said.starts_with("IPv6 is off on this machine") && said.ends_with("switched on"), "{said}");
        let (steps, said) = of(true);
        assert!(
            !steps.iter().any(|step| step.contains("address add fd") || step.contains("route add ::")),
            "{steps:?}"
        );
        assert!(steps.contains(&"ip -6 rule add not fwmark 7 table 7".into()), "it ends at a barrier: {steps:?}");
        assert!(said.ends_with("are not in the tunnel"), "{said}");
    }
}
