//! From the text to settings, section by section.
use super::place::Findings;
use super::rule::{list, name, names};
use super::text::{self, File, Word};
use super::{
    Certificates, Factor, Log, Login, Method, Nat, Pool, Push, Read, Session, Settings, Site, StorePlace, check, rule,
    value,
};
use crate::audit::Level;
use std::fmt::Display;
use std::time::Duration;
use toml::Spanned;

/// What holds where the text does not say.
const MTU: u16 = 1420;
const MIN_MTU: u16 = 576;
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
const REAUTHENTICATE: Duration = Duration::from_secs(15 * 60);
const OFFLINE_LIMIT: Duration = Duration::from_secs(3600);
const LEASE: Duration = Duration::from_secs(24 * 3600);
/// Lists that clients take no more of.
const MOST_ROUTES: usize = 256;
const MOST_DNS: usize = 8;
const MOST_DOMAINS: usize = 64;

pub(super) fn read(text: &str) -> Read {
    let mut found = Findings::of(text);
    let file = match toml::from_str::<File>(text) {
        Ok(file) => file,
        Err(error) => {
            found.error(error.span().unwrap_or_default(), error.message());
            return Read { settings: None, findings: found.sorted() };
        }
    };
    let settings = whole(&file, &mut found);
    // What follows from an error would only be noise.
    if let Some(settings) = settings.as_ref().filter(|_| !found.is_faulty()) {
        check::check(settings, &file, &mut found);
    }
    let settings = settings.filter(|_| !found.is_faulty());
    Read { settings, findings: found.sorted() }
}

fn whole(file: &File, found: &mut Findings<'_>) -> Option<Settings> {
    let gateway = file.gateway.get_ref();
    let name = name(&gateway.name, found);
    let interface = one(&gateway.interface, found, value::interface);
    let private_key_file = one(&gateway.private_key_file, found, value::path);
    let mtu = gateway.mtu.as_ref().map_or(MTU, |mtu| *mtu.get_ref());
    if let Some(mtu) = gateway.mtu.as_ref().filter(|mtu| *mtu.get_ref() < MIN_MTU) {
        found.error(mtu.span(), format!("{MIN_MTU} bytes at least"));
    }
    if *gateway.listen.get_ref() == 0 {
        found.error(gateway.listen.span(), "clients have to know the port: 1 to 65535");
    }
    let pools: Vec<_> = file.pool.iter().filter_map(|entry| pool(entry.get_ref(), found)).collect();
    let methods = file.method.iter().map(|entry| method(entry, found)).collect();
    let certificates = file.certificates.as_ref().and_then(|entry| certificates(entry.get_ref(), found));
    let rules = file.rule.iter().filter_map(|entry| rule::read(entry, found)).collect();
    let sites = file.site.iter().filter_map(|entry| site(entry, found)).collect();
    let store = store(&file.store, found);
    let (session, push, log, nat) =
        (session(&file.session, found), push(&file.push, found), log(&file.log, found), nat(&file.nat, found));
    Some(Settings {
        name: name?,
        interface: interface?,
        listen: *gateway.listen.get_ref(),
        endpoint: gateway.endpoint.as_ref().and_then(|word| one(word, found, value::endpoint)),
        mtu,
        private_key_file: private_key_file?,
        addresses: list(&gateway.addresses, found, value::own_address),
        login: login(gateway.login.as_ref(), found),
        pools,
        session,
        methods,
        certificates,
        rules,
        sites,
        push,
        log: log?,
        nat,
        store: store?,
    })
}

fn one<T, E: Display>(word: &Word, found: &mut Findings<'_>, read: fn(&str) -> Result<T, E>) -> Option<T> {
    found.keep(word.span(), read(word.get_ref()))
}

/// The value of an optional key, or what holds without it.
fn or<T, E: Display>(word: Option<&Word>, otherwise: T, found: &mut Findings<'_>, read: fn(&str) -> Result<T, E>) -> T {
    word.and_then(|word| one(word, found, read)).unwrap_or(otherwise)
}

fn login(word: Option<&Word>, found: &mut Findings<'_>) -> Login {
    let read = |text: &str| match text {
        "required" => Ok(Login::Required),
        "off" => Ok(Login::Off),
        _ => Err("expected required or off"),
    };
    or(word, Login::Required, found, read)
}

fn pool(pool: &text::Pool, found: &mut Findings<'_>) -> Option<Pool> {
    let network = one(&pool.network, found, value::network);
    let excluded = list(&pool.exclude, found, value::network);
    let reserved = pool
        .reserve
        .iter()
        .filter_map(|reserve| Some((name(&reserve.user, found)?, one(&reserve.address, found, value::address)?)));
    let reserved = reserved.collect();
    Some(Pool {
        network: network?,
        excluded,
        reserved,
        sticky: pool.sticky.as_ref().is_none_or(|sticky| *sticky.get_ref()),
    })
}

fn session(session: &text::Session, found: &mut Findings<'_>) -> Session {
    Session {
        lifetime: or(session.lifetime.as_ref(), LIFETIME, found, value::duration),
        reauthenticate: or(session.reauthenticate.as_ref(), REAUTHENTICATE, found, value::duration),
        idle: session.idle.as_ref().and_then(|word| one(word, found, value::duration)),
        offline_limit: or(session.offline_limit.as_ref(), OFFLINE_LIMIT, found, value::duration),
        lease: or(session.lease.as_ref(), LEASE, found, value::duration),
        quota: session.quota.as_ref().and_then(|word| one(word, found, value::bytes)),
        rate: session.rate.as_ref().and_then(|word| one(word, found, value::rate)),
    }
}

fn method(method: &Spanned<text::Method>, found: &mut Findings<'_>) -> Method {
    let read = method.get_ref();
    if read.factors.is_empty() {
        found.error(method.span(), "no alternative: nobody it is for could log in");
    }
    let mut alternatives = Vec::new();
    for alternative in &read.factors {
        let mut factors = list(alternative.get_ref(), found, factor);
        if alternative.get_ref().is_empty() {
            found.error(alternative.span(), "an alternative without a factor would let everybody in");
        }
        let named = factors.len();
        factors.sort_unstable();
        factors.dedup();
        if factors.len() < named {
            found.error(alternative.span(), "a factor counts once");
            continue;
        }
        alternatives.push(factors);
    }
    Method { groups: names(&read.groups, found), users: names(&read.users, found), factors: alternatives }
}

fn certificates(certificates: &text::Certificates, found: &mut Findings<'_>) -> Option<Certificates> {
    let ca = one(&certificates.ca, found, value::path);
    let crl = certificates.crl.as_ref().and_then(|word| one(word, found, value::path));
    Some(Certificates { ca: ca?, crl, domains: list(&certificates.domains, found, value::domain) })
}

fn factor(text: &str) -> Result<Factor, &'static str> {
    match text {
        "password" => Ok(Factor::Password),
        "totp" => Ok(Factor::Totp),
        "certificate" => Ok(Factor::Certificate),
        "challenge" => Ok(Factor::Challenge),
        "web" => Ok(Factor::Web),
        _ => Err("expected password, totp, certificate, challenge or web"),
    }
}

fn site(site: &Spanned<text::Site>, found: &mut Findings<'_>) -> Option<Site> {
    let place = site.span();
    let site = site.get_ref();
    let name = name(&site.name, found);
    let public_key = one(&site.public_key, found, value::public_key);
    if site.networks.is_empty() {
        found.error(place, "a site without networks is no site");
    }
    Some(Site {
        name: name?,
        public_key: public_key?,
        preshared_key_file: site.preshared_key_file.as_ref().and_then(|word| one(word, found, value::path)),
        networks: list(&site.networks, found, value::network),
        endpoints: list(&site.endpoints, found, value::endpoint),
        keepalive: site.keepalive,
    })
}

fn push(push: &text::Push, found: &mut Findings<'_>) -> Push {
    for (words, most, what) in [
        (&push.routes, MOST_ROUTES, "routes"),
        (&push.excluded_routes, MOST_ROUTES, "routes"),
        (&push.dns, MOST_DNS, "name servers"),
        (&push.search, MOST_DOMAINS, "domains"),
        (&push.split_dns, MOST_DOMAINS, "domains"),
    ] {
        if let Some(word) = words.get(most) {
            found.error(word.span(), format!("clients take at most {most} {what}"));
        }
    }
    let keepalive = push.keepalive.as_ref();
    if let Some(seconds) = keepalive.filter(|seconds| *seconds.get_ref() > 3600) {
        found.error(seconds.span(), "clients take at most 3600 seconds");
    }
    Push {
        routes: list(&push.routes, found, value::network),
        excluded_routes: list(&push.excluded_routes, found, value::network),
        dns: list(&push.dns, found, value::address),
        search: list(&push.search, found, value::domain),
        split_dns: list(&push.split_dns, found, value::domain),
        kill_switch: push.kill_switch.unwrap_or(true),
        keepalive: keepalive.map_or(0, |seconds| *seconds.get_ref()),
    }
}

fn log(log: &text::Log, found: &mut Findings<'_>) -> Option<Log> {
    let level = match &log.level {
        Some(word) => found.keep(word.span(), word.get_ref().parse::<Level>())?,
        None => Level::Audit,
    };
    Some(Log {
        level,
        file: log.file.as_ref().and_then(|word| one(word, found, value::path)),
        checkpoints: log.checkpoints.as_ref().and_then(|word| one(word, found, value::path)),
        syslog: log.syslog.as_ref().is_some_and(|syslog| *syslog.get_ref()),
        forget_idle: log.forget_idle.as_ref().and_then(|word| one(word, found, value::duration)),
        metrics: log.metrics.as_ref().and_then(|word| {
            let address = word.get_ref().parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:9090");
            found.keep(word.span(), address)
        }),
    })
}

fn nat(nat: &text::Nat, found: &mut Findings<'_>) -> Nat {
    Nat {
        masquerade: list(&nat.masquerade, found, value::interface),
        forward: list(&nat.forward, found, value::network),
        clamp_mss: nat.clamp_mss.unwrap_or(true),
    }
}

fn store(store: &Spanned<text::Store>, found: &mut Findings<'_>) -> Option<StorePlace> {
    let read = store.get_ref();
    match (&read.sqlite, &read.postgres) {
        (Some(file), None) => {
            if let Some(word) = &read.password_file {
                found.error(word.span(), "SQLite has no password");
            }
            one(file, found, value::path).map(StorePlace::Sqlite)
        }
        (None, Some(words)) => {
            let has_password = words.get_ref().split_ascii_whitespace().any(|word| word.starts_with("password="));
            if has_password || words.get_ref().contains("://") {
                found.error(
                    words.span(),
                    "expected words such as `host=db user=underpass`; the password is in `password_file`",
                );
            }
            let password_file = read.password_file.as_ref().and_then(|word| one(word, found, value::path));
            Some(StorePlace::Postgres { connection: words.get_ref().clone(), password_file })
        }
        _ => {
            found.error(store.span(), "expected one of sqlite and postgres");
            None
        }
    }
}
