//! Rules: which rules of the settings apply to a user or a site, and what the tunnel reports about them.
//!
//! This decides which rules apply to whom. The tunnel decides for each packet whether the time and the outer address fit. Users with
//! the same rules share one list.
use super::{Now, Peers, Service, work};
use crate::audit::{Event, Level, Text};
use crate::name::Name;
use crate::settings::{self, Settings};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use underpass_core::filter::{self, Action, Contact, Hours, Rate, Rule, Rules, SessionConfig, Way};
use underpass_core::policy::session::{Access, Reason, SessionId, UserId};
use underpass_core::{Change, Instant, PublicKey, UnixTime};

/// Shared lists of rules that are kept at most.
const LISTS: usize = 1024;
/// How long after a session events about it may still come.
const AFTERMATH: Duration = Duration::from_secs(60);
/// The smallest burst in bytes of a peer with a rate.
const LEAST_BURST: u64 = 65_536;
/// The number of the rule that lets the gateway's side reach a site with rules.
const INTO_SITE: u32 = u32::MAX;
const MINUTES_OF_DAY: u16 = 1440;

/// The rules of the settings.
#[derive(Debug)]
pub(super) struct Rulebook {
    rules: Vec<settings::Rule>,
    /// Where peers are: pools, and networks of sites.
    places: Vec<IpNet>,
    sites: BTreeMap<PublicKey, Name>,
    /// What all sessions have in common.
    common: SessionConfig,
    is_full: bool,
    /// Lists by which rules are in them.
    lists: BTreeMap<Vec<usize>, Rules>,
}

impl Rulebook {
    pub(super) fn of(settings: &Settings) -> Self {
        let rate = settings.session.rate.map(|bits| {
            let bytes_per_second = (bits / 8).max(1);
            Rate { bytes_per_second, burst: (bytes_per_second / 4).max(LEAST_BURST) }
        });
        let common = SessionConfig {
            log_unmatched: settings.log.level > Level::None,
            from_peer: rate,
            to_peer: rate,
            quota: settings.session.quota,
            ..SessionConfig::default()
        };
        let of_pools = settings.pools.iter().map(|pool| pool.network);
        let of_sites = settings.sites.iter().flat_map(|site| site.networks.iter().copied());
        Self {
            rules: settings.rules.clone(),
            places: of_pools.chain(of_sites).collect(),
            sites: settings.sites.iter().map(|site| (site.public_key, site.name.clone())).collect(),
            common,
            is_full: settings.log.level == Level::Full,
            lists: BTreeMap::new(),
        }
    }

    /// The rules of a user. A rule that names sites only does not apply to users.
    pub(super) fn of_user(&mut self, user: &Name, groups: &[Name]) -> SessionConfig {
        let applies = |rule: &settings::Rule| {
            is_for_all(rule) || rule.users.contains(user) || rule.groups.iter().any(|group| groups.contains(group))
        };
        let which = (0..).zip(&self.rules).filter(|(_, rule)| applies(rule)).map(|(place, _)| place).collect();
        SessionConfig { rules: self.list(which), ..self.common.clone() }
    }

    /// The rules of a site; `None`: no rule names it, and everything from its networks passes.
    pub(super) fn of_site(&self, key: &PublicKey) -> Option<SessionConfig> {
        let site = self.sites.get(key)?;
        if !self.rules.iter().any(|rule| rule.peers.contains(site)) {
            return None;
        }
        let applies = |rule: &settings::Rule| is_for_all(rule) || rule.peers.contains(site);
        let which = (0..).zip(&self.rules).filter(|(_, rule)| applies(rule));
        let mut rules: Vec<Rule> = which.flat_map(|(place, _)| self.rule(place)).collect();
        rules.push(Rule { way: Way::ToPeer, ..Rule::allow(INTO_SITE, everything()) });
        let log_unmatched = self.common.log_unmatched;
        Some(SessionConfig { rules: rules.into(), log_unmatched, ..SessionConfig::default() })
    }

    /// The list of these rules, shared by all who have the same.
    fn list(&mut self, which: Vec<usize>) -> Rules {
        if let Some(known) = self.lists.get(&which) {
            return known.clone();
        }
        if self.lists.len() >= LISTS {
            self.lists.clear();
        }
        let rules: Vec<Rule> = which.iter().flat_map(|place| self.rule(*place)).collect();
        let rules = Rules::from(rules);
        self.lists.insert(which, rules.clone());
        rules
    }

    /// A rule of the settings in the types of the core. It becomes two rules if some of its networks lie within pools or sites and
    /// others do not. A network that merely contains a pool or a site does not allow access to that.
    fn rule(&self, place: usize) -> Vec<Rule> {
        let Some(rule) = self.rules.get(place) else { return Vec::new() };
        let networks = if rule.to.is_empty() { everything() } else { rule.to.clone() };
        let whole = Rule {
            number: u32::try_from(place).unwrap_or(INTO_SITE),
            action: rule.action,
            way: Way::FromPeer,
            networks: Vec::new(),
            protocol: rule.protocol,
            ports: rule.ports.clone(),
            peers: false,
            hours: rule.hours.map(hours).unwrap_or_default(),
            not_after: rule.not_after.map(UnixTime::from),
            outer: rule.from.clone(),
            // For allowed packets the flows are logged, and only at level `full`.
            log: rule.log && self.common.log_unmatched && (rule.action != Action::Allow || self.is_full),
        };
        let is_of_peers = |network: &IpNet| self.places.iter().any(|place| place.contains(network));
        let (of_peers, others): (Vec<_>, Vec<_>) = networks.into_iter().partition(is_of_peers);
        [(of_peers, true), (others, false)]
            .into_iter()
            .filter(|(networks, _)| !networks.is_empty())
            .map(|(networks, peers)| Rule { networks, peers, ..whole.clone() })
            .collect()
    }

    /// The name of the rule with this number.
    pub(super) fn name(&self, number: u32) -> Option<&Name> {
        self.rules.get(usize::try_from(number).ok()?).map(|rule| &rule.name)
    }

    /// Whether an address is one of a peer's.
    pub(super) fn is_of_peers(&self, address: std::net::IpAddr) -> bool {
        self.places.iter().any(|place| place.contains(&address))
    }
}

/// Whether a rule names a peer that is no site: such rules are not served.
pub(super) fn names_strangers(settings: &Settings) -> bool {
    let sites: BTreeSet<_> = settings.sites.iter().map(|site| &site.name).collect();
    settings.rules.iter().flat_map(|rule| &rule.peers).any(|peer| !sites.contains(peer))
}

fn is_for_all(rule: &settings::Rule) -> bool {
    rule.groups.is_empty() && rule.users.is_empty() && rule.peers.is_empty()
}

fn everything() -> Vec<IpNet> {
    vec![IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())]
}

/// Hours of days as times of the week.
fn hours(hours: settings::Hours) -> Vec<Hours> {
    let days = (0..7).filter(|day| hours.days & (1 << day) != 0);
    days.map(|day| Hours { from: day * MINUTES_OF_DAY + hours.from, to: day * MINUTES_OF_DAY + hours.until }).collect()
}

/// The user or site that an event of the tunnel is about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    peer: PublicKey,
    /// `None`: a site.
    user: Option<Name>,
    session: Option<SessionId>,
    /// When its rules ended; `None`: they apply.
    over: Option<Instant>,
}

impl Service {
    /// Says how far local time, which hours of rules are in, is ahead of UTC. Until it is said, hours are those of UTC.
    pub fn handle_local_time(&mut self, seconds_ahead: i32) {
        self.change(Change::Filter(filter::FilterConfig { seconds_ahead, ..filter::FilterConfig::default() }));
    }

    /// The tunnel tells of a peer that is ruled: each event of
    /// [`Tunnel::poll_filter_event`](underpass_core::Tunnel::poll_filter_event).
    pub fn handle_filter_event(&mut self, now: Now, peers: &dyn Peers, event: &filter::Event) {
        self.enter(now);
        match *event {
            filter::Event::Denied { user, rule, first, packets, .. } => self.denied(now, user, rule, &first, packets),
            filter::Event::RateLimited { user, packets, .. } => {
                if let Some(subject) = self.subjects.get(&user) {
                    self.emit(now, Event::RateLimited { device: subject.peer.into(), count: packets });
                }
            }
            filter::Event::QuotaWarning { user, .. } => self.quota_reached(now, user, false),
            filter::Event::QuotaExceeded { user, .. } => self.quota_reached(now, user, true),
            filter::Event::FlowStart { user, rule, contact, .. } => self.flow_began(now, user, rule, &contact),
            filter::Event::FlowEnd { user, contact, sent, received, .. } => {
                if let Some(subject) = self.subjects.get(&user) {
                    let (source, destination) = ends(&contact);
                    let packets = sent.packets.saturating_add(received.packets);
                    let bytes = sent.bytes.saturating_add(received.bytes);
                    let (device, protocol) = (subject.peer.into(), contact.protocol);
                    self.emit(now, Event::FlowEnded { device, source, destination, protocol, packets, bytes });
                }
            }
            filter::Event::Lost { events } => self.lost_lines = self.lost_lines.saturating_add(events),
            _ => {}
        }
        self.drain(now, peers);
    }

    fn denied(&mut self, now: Now, number: u64, rule: Option<u32>, first: &Contact, count: u64) {
        self.denials = self.denials.saturating_add(count);
        // The user is not responsible for what others sent to the device.
        let Some(subject) = self.subjects.get(&number).filter(|_| first.way == Way::FromPeer) else { return };
        let rule = rule.and_then(|rule| self.rulebook.name(rule)).map(|name| Text::new(name.as_str()));
        let (user, device) = (subject.user.clone(), subject.peer.into());
        let Contact { destination, protocol, destination_port: port, .. } = *first;
        self.emit(now, Event::AccessDenied { user, device, destination, protocol, port, rule, count });
    }

    fn flow_began(&mut self, now: Now, number: u64, rule: u32, contact: &Contact) {
        let Some(subject) = self.subjects.get(&number) else { return };
        let (source, destination) = ends(contact);
        let (user, device, protocol) = (subject.user.clone(), subject.peer.into(), contact.protocol);
        let rule = Text::new(self.rulebook.name(rule).map_or("", Name::as_str));
        self.emit(now, Event::FlowBegun { user, device, source, destination, protocol, rule });
    }

    /// 90 % or 100 % of a quota are used. With 100 % the session ends.
    fn quota_reached(&mut self, now: Now, number: u64, is_all: bool) {
        let Some(Subject { peer, user: Some(user), session, .. }) = self.subjects.get(&number).cloned() else { return };
        self.emit(now, Event::QuotaReached { user, percent: if is_all { 100 } else { 90 } });
        let is_current = self.sessions.view(&peer).is_some_and(|view| view.session == session);
        if is_all && is_current {
            // The peer is known, for it has a session.
            let _ended = self.sessions.end_session(now.at, &peer, Reason::Quota);
        }
    }

    /// Sets which packets of a peer pass from now on. Provisional access is for logins by browser, which are not served.
    pub(super) fn set_access(&mut self, now: Now, peer: PublicKey, access: Access) {
        match access {
            Access::Open(_) => self.admit(now, peer),
            Access::Locked | Access::Provisional => self.lock(now, peer),
        }
    }

    fn lock(&mut self, now: Now, peer: PublicKey) {
        let number = self.peers.get_mut(&peer).and_then(|state| state.subject.take());
        if let Some(subject) = number.and_then(|number| self.subjects.get_mut(&number)) {
            subject.over = Some(now.at);
        }
        self.change(Change::Access { peer, access: underpass_core::Access::Locked });
    }

    /// Lets a peer in under its rules. If the store does not say which they are, nothing passes until it does.
    fn admit(&mut self, now: Now, peer: PublicKey) {
        if self.peers.get(&peer).is_none_or(|state| state.is_site) {
            let access = self.access_of_site(peer);
            return self.change(Change::Access { peer, access });
        }
        let view = self.sessions.view(&peer);
        let (user, session) = view.map_or((None, None), |view| (view.user, view.session));
        let Some(user) = user else { return self.lock(now, peer) };
        let had = self.peers.get(&peer).and_then(|state| state.subject);
        if had.is_some_and(|number| self.subjects.get(&number).is_none_or(|subject| subject.session != session)) {
            // The flows and the usage of the session before must not count for this one.
            self.lock(now, peer);
        }
        let known = self.peers.get(&peer).and_then(|state| state.subject);
        let number = known.unwrap_or_else(|| {
            let user = self.names.get(&user).cloned();
            self.new_subject(Subject { peer, user, session, over: None })
        });
        let rules = self.rules_of(now, user);
        if rules.is_none() {
            self.unruled.insert(peer);
        }
        let config = SessionConfig { user: number, ..rules.unwrap_or_default() };
        self.change(Change::Access { peer, access: underpass_core::Access::Ruled(config) });
    }

    /// What a site may do: what the rules say that name it, or everything from its networks.
    pub(super) fn access_of_site(&mut self, peer: PublicKey) -> underpass_core::Access {
        let Some(config) = self.rulebook.of_site(&peer) else { return underpass_core::Access::Open };
        let known = self.peers.get(&peer).and_then(|state| state.subject);
        let subject = Subject { peer, user: None, session: None, over: None };
        let number = known.unwrap_or_else(|| self.new_subject(subject));
        underpass_core::Access::Ruled(SessionConfig { user: number, ..config })
    }

    fn new_subject(&mut self, subject: Subject) -> u64 {
        self.last_subject = self.last_subject.wrapping_add(1);
        let number = self.last_subject;
        if let Some(state) = self.peers.get_mut(&subject.peer) {
            state.subject = Some(number);
        }
        self.subjects.insert(number, subject);
        number
    }

    /// The rules of a user; `None`: the store did not say which groups the user belongs to.
    fn rules_of(&mut self, now: Now, user: UserId) -> Option<SessionConfig> {
        let name = self.names.get(&user).cloned()?;
        let groups = self.store.groups_of(work::row_of(user));
        let groups = self.stored(now, groups)?;
        Some(self.rulebook.of_user(&name, &groups))
    }

    /// A user's groups have changed: the sessions go on under the new rules.
    pub(super) fn regroup(&mut self, now: Now, name: &Name) {
        let is_his =
            |number: &u64| self.subjects.get(number).is_some_and(|subject| subject.user.as_ref() == Some(name));
        let of_user = |(peer, state): (&PublicKey, &super::Peer)| state.subject.filter(is_his).map(|_| *peer);
        let devices: Vec<_> = self.peers.iter().filter_map(of_user).collect();
        devices.into_iter().for_each(|peer| self.admit(now, peer));
    }

    /// Looks rules up again: for everybody, or for those for whom the store had no answer.
    pub(super) fn rule_again(&mut self, now: Now, everybody: bool) {
        if self.unruled.is_empty() && !everybody {
            return;
        }
        let without = std::mem::take(&mut self.unruled);
        let is_open = |(peer, state): (&PublicKey, &super::Peer)| {
            (!state.is_site && state.subject.is_some() && (everybody || without.contains(peer))).then_some(*peer)
        };
        let again: Vec<_> = self.peers.iter().filter_map(is_open).collect();
        again.into_iter().for_each(|peer| self.admit(now, peer));
    }

    /// Records the number of denied packets, and forgets sessions that ended long enough ago.
    pub(super) fn sum_up_rules(&mut self, now: Now) {
        let count = std::mem::take(&mut self.denials);
        if count > 0 {
            self.emit(now, Event::PacketsDenied { count });
        }
        let is_over = |subject: &Subject| subject.over.is_some_and(|over| now.at.since(over) > AFTERMATH);
        self.subjects.retain(|_, subject| !is_over(subject));
    }
}

fn ends(contact: &Contact) -> (SocketAddr, SocketAddr) {
    let source = SocketAddr::new(contact.source, contact.source_port);
    (source, SocketAddr::new(contact.destination, contact.destination_port))
}

/// What would happen to the first packet of a user's flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What would be done.
    pub action: Action,
    /// The rule that decides; `None`: none applies, and what no rule allows is denied.
    pub rule: Option<Name>,
    /// The first rule before that one which would decide at another time, or from another outer address.
    pub inactive: Option<Name>,
}

/// Where a user wants to go.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The destination.
    pub to: std::net::IpAddr,
    /// The number of the protocol.
    pub protocol: u8,
    /// The destination port, where the protocol has one.
    pub port: u16,
    /// The outer address of the user's device; `None`: rules that allow by it do not apply.
    pub from: Option<std::net::IpAddr>,
    /// When.
    pub at: UnixTime,
    /// Seconds by which local time is ahead of UTC.
    pub seconds_ahead: i32,
}

/// Says which rule of the settings decides about a user of these groups: as the tunnel would.
///
/// # Errors
/// [`filter::RulesError`]: the rules are too many.
pub fn explain(
    settings: &Settings,
    user: &Name,
    groups: &[Name],
    question: &Question,
) -> Result<Explained, filter::RulesError> {
    let mut rulebook = Rulebook::of(settings);
    let session = SessionConfig { outer: question.from, ..rulebook.of_user(user, groups) };
    let config = filter::FilterConfig { seconds_ahead: question.seconds_ahead, ..filter::FilterConfig::default() };
    // No packet goes through this filter, so its hash table needs no secret.
    let made = filter::Filter::new(config, &mut Zeros, Instant::ZERO, question.at);
    let mut filter = made.map_err(|_| filter::RulesError::NoMemory)?;
    filter.open(Instant::ZERO, 0, session)?;
    let asked = filter::Question {
        way: Way::FromPeer,
        address: question.to,
        is_peer: rulebook.is_of_peers(question.to) && !settings.addresses.iter().any(|own| own.addr() == question.to),
        protocol: question.protocol,
        port: question.port,
    };
    let found = filter.explain(0, question.at, &asked).ok_or(filter::RulesError::NoSession)?;
    let name = |number: u32| rulebook.name(number).cloned();
    Ok(Explained { action: found.action, rule: found.rule.and_then(name), inactive: found.inactive.and_then(name) })
}

/// Randomness for a hash table that stays empty.
struct Zeros;

impl underpass_core::Rng for Zeros {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), underpass_core::NoRandomness> {
        dest.fill(0);
        Ok(())
    }
}
