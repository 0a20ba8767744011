//! What concerns several sections at once.
use super::place::Findings;
use super::text::{File, Word};
use super::{Action, Factor, Login, Settings, StorePlace};
use crate::Name;
use crate::audit::Level;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::ops::Range;

/// A network, what it is for, and where it stands.
type Claim<'s> = (IpNet, String, &'s Word);

pub(super) fn check(settings: &Settings, file: &File, found: &mut Findings<'_>) {
    names_are_unique(file, found);
    networks_do_not_overlap(file, found);
    pools_fit(settings, file, found);
    logins_are_possible(settings, file, found);
    log_keeps_its_word(settings, file, found);
    rules_let_somebody_in(settings, file, found);
    sessions_make_sense(settings, file, found);
    nat_leads_somewhere(settings, file, found);
}

/// Rules and sites are called by their names.
fn names_are_unique(file: &File, found: &mut Findings<'_>) {
    let rules = file.rule.iter().map(|rule| &rule.get_ref().name);
    let sites = file.site.iter().map(|site| &site.get_ref().name);
    for (words, what) in [(rules.collect::<Vec<_>>(), "rule"), (sites.collect(), "site")] {
        let mut seen = BTreeMap::new();
        for word in words {
            let Ok(name) = word.get_ref().parse::<Name>() else { continue };
            if seen.insert(name, ()).is_some() {
                found.error(word.span(), format!("another {what} has this name"));
            }
        }
    }
    let mut keys = BTreeMap::new();
    for site in &file.site {
        let word = &site.get_ref().public_key;
        if keys.insert(word.get_ref().as_str(), ()).is_some() {
            found.error(word.span(), "another site has this key: each peer has its own");
        }
    }
}

/// No address belongs to two: pools, and networks behind sites.
fn networks_do_not_overlap(file: &File, found: &mut Findings<'_>) {
    let pools = file.pool.iter().map(|pool| (&pool.get_ref().network, "a pool".to_owned()));
    let sites = file.site.iter().flat_map(|site| {
        let site = site.get_ref();
        site.networks.iter().map(|word| (word, format!("the site {}", site.name.get_ref())))
    });
    let mut claims: Vec<Claim<'_>> = Vec::new();
    for (word, owner) in pools.chain(sites) {
        let Ok(network) = word.get_ref().parse::<IpNet>() else { continue };
        claims.push((network, owner, word));
    }
    // Sorted, a network stands before all that lie in it.
    claims.sort_by_key(|(network, ..)| *network);
    let mut around: Vec<&Claim<'_>> = Vec::new();
    for claim in &claims {
        around.retain(|outer| outer.0.contains(&claim.0));
        if let Some((network, owner, _)) = around.last() {
            let hint = "; one of both has to be renumbered or translated";
            found.error(claim.2.span(), format!("overlaps {network}, which belongs to {owner}{hint}"));
        }
        around.push(claim);
    }
}

fn pools_fit(settings: &Settings, file: &File, found: &mut Findings<'_>) {
    for (pool, text) in settings.pools.iter().zip(&file.pool) {
        let text = text.get_ref();
        for word in &text.exclude {
            if word.get_ref().parse::<IpNet>().is_ok_and(|excluded| !pool.network.contains(&excluded)) {
                found.error(word.span(), format!("lies outside of {}", pool.network));
            }
        }
        let mut taken = BTreeMap::new();
        for ((user, address), reserve) in pool.reserved.iter().zip(&text.reserve) {
            let at = reserve.address.span();
            if !pool.network.contains(address) {
                found.error(at, format!("lies outside of {}", pool.network));
            } else if let Some(other) = taken.insert(*address, user) {
                found.error(at, format!("is reserved for {other} too"));
            } else if settings.addresses.iter().any(|own| own.addr() == *address) {
                found.error(at, "is the gateway's own");
            }
        }
    }
    if settings.login == Login::Required && settings.pools.is_empty() {
        found.error(file.gateway.span(), "there is no [[pool]]: who logs in gets no address");
    }
}

fn logins_are_possible(settings: &Settings, file: &File, found: &mut Findings<'_>) {
    if settings.login == Login::Off {
        if let Some(method) = file.method.first() {
            found.warn(method.span(), "nobody logs in: `login` is off");
        }
        return;
    }
    if settings.methods.is_empty() {
        found.error(file.gateway.span(), "there is no [[method]]: nobody can log in");
    }
    let asks = |method: &super::Method| method.factors.iter().flatten().any(|factor| *factor == Factor::Certificate);
    match (settings.methods.iter().zip(&file.method).find(|(method, _)| asks(method)), &file.certificates) {
        (Some((_, text)), None) => {
            found.error(text.span(), "asks for certificates, and there is no [certificates]: nobody is believed");
        }
        (None, Some(text)) => found.warn(text.span(), "no method asks for certificates"),
        (Some(_), Some(text)) if text.get_ref().crl.is_none() => {
            found.warn(text.span(), "no `crl`: a certificate that was revoked is as good as any");
        }
        _ => {}
    }
    for (number, (method, text)) in settings.methods.iter().zip(&file.method).enumerate() {
        let for_all = method.groups.is_empty() && method.users.is_empty();
        if for_all && number + 1 < settings.methods.len() {
            found.warn(text.span(), "fits everybody, so the methods behind it never count");
        }
        for (alternative, text) in method.factors.iter().zip(&text.get_ref().factors) {
            if matches!(alternative[..], [Factor::Password | Factor::Certificate]) {
                found.warn(text.span(), "one factor alone; two are usual");
            } else if alternative[..] == [Factor::Totp] {
                found.warn(text.span(), "a code alone: whoever has the device may have the code too");
            }
        }
    }
}

/// What a level promises not to keep cannot be asked for (docs/audit.md).
fn log_keeps_its_word(settings: &Settings, file: &File, found: &mut Findings<'_>) {
    let log = &settings.log;
    let at = |word: &Option<Word>| word.as_ref().map(Word::span);
    if log.level == Level::None {
        let kept = [
            (at(&file.log.file), "an audit log"),
            (at(&file.log.checkpoints), "checkpoints"),
            (
                file.log.syslog.as_ref().filter(|word| *word.get_ref()).map(toml::Spanned::span),
                "lines for the system's log",
            ),
            (at(&file.session.quota), "a quota, for which somebody has to count"),
            (at(&file.store.get_ref().postgres), "sessions that several gateways know of"),
        ];
        for (place, what) in kept.into_iter().filter_map(|(place, what)| Some((place?, what))) {
            found.error(place, format!("level none keeps no record, and this is {what}"));
        }
        for (pool, text) in settings.pools.iter().zip(&file.pool) {
            if pool.sticky {
                let place = text.get_ref().sticky.as_ref().map_or_else(|| text.span(), toml::Spanned::span);
                found.error(place, "level none keeps no record of who had which address: `sticky = false`");
            }
        }
    } else if log.file.is_none() {
        let place = at(&file.log.level).unwrap_or_else(|| file.gateway.span());
        found.error(place, "[log] has no `file`; without a record, `level` is none");
    } else if log.checkpoints.is_none() {
        found.warn(
            at(&file.log.file).unwrap_or_default(),
            "no `checkpoints`: a log that was cut short or written anew passes for whole",
        );
    }
    if log.level <= Level::Minimal {
        for text in file.rule.iter().filter(|rule| rule.get_ref().log) {
            found.warn(text.span(), format!("`log` has no effect in level {}", log.level.word()));
        }
    }
}

/// What no rule allows is denied.
fn rules_let_somebody_in(settings: &Settings, file: &File, found: &mut Findings<'_>) {
    let allows = settings.rules.iter().any(|rule| rule.action == Action::Allow);
    if settings.login == Login::Required && !allows {
        found.warn(file.gateway.span(), "no [[rule]] allows anything: who logs in reaches nothing");
    }
}

fn sessions_make_sense(settings: &Settings, file: &File, found: &mut Findings<'_>) {
    let session = &settings.session;
    let at = |word: &Option<Word>| -> Range<usize> { word.as_ref().map(Word::span).unwrap_or_default() };
    if session.reauthenticate >= session.lifetime {
        found.error(
            at(&file.session.reauthenticate),
            "is not shorter than `lifetime`: clients would log in without end",
        );
    }
    if session.lease < session.lifetime {
        found.error(at(&file.session.lease), "is shorter than `lifetime`: an address would be given twice");
    }
    if session.offline_limit > session.lifetime {
        found.warn(at(&file.session.offline_limit), "is longer than `lifetime`, which ends sessions before");
    }
    if matches!(settings.store, StorePlace::Sqlite(_)) && file.session.offline_limit.is_some() {
        found.warn(at(&file.session.offline_limit), "matters for a store that is elsewhere; SQLite is here");
    }
}

fn nat_leads_somewhere(settings: &Settings, file: &File, found: &mut Findings<'_>) {
    for (name, word) in settings.nat.masquerade.iter().zip(&file.nat.masquerade) {
        if *name == settings.interface {
            found.error(word.span(), "is the tunnel itself: clients would have the gateway's address among each other");
        }
    }
}
