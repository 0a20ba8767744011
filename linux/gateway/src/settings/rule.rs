//! Rules: who may reach what, and when.
use super::place::Findings;
use super::text::{self, Word};
use super::value;
use crate::{Name, Time};
use ipnet::IpNet;
use std::ops::{Range, RangeInclusive};
use std::time::UNIX_EPOCH;
use toml::Spanned;
use underpass_core::filter::{Action, Protocol};

/// Hours of days of the week, in the gateway's own time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Days, one bit each; bit 0 is Monday.
    pub days: u8,
    /// Minutes since midnight from which it holds.
    pub from: u16,
    /// Minutes since midnight from which it does not; 1440: midnight.
    pub until: u16,
}

/// Who may reach what. An empty list fits everything of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, in audit lines.
    pub name: Name,
    /// What it does.
    pub action: Action,
    /// Members of these groups, these users, or these peers: any of the three lists. All empty: everybody.
    pub groups: Vec<Name>,
    /// See `groups`.
    pub users: Vec<Name>,
    /// Sites; see `groups`. A service refuses a rule for another device: what a device is called is its user's to say.
    pub peers: Vec<Name>,
    /// Destinations.
    pub to: Vec<IpNet>,
    /// The protocol.
    pub protocol: Protocol,
    /// Ports of the destination.
    pub ports: Vec<RangeInclusive<u16>>,
    /// When it holds; `None`: always.
    pub hours: Option<Hours>,
    /// Until when.
    pub not_after: Option<Time>,
    /// Networks in which the peer's endpoint lies.
    pub from: Vec<IpNet>,
    /// Whether what fits is recorded.
    pub log: bool,
}

/// Reads one rule; `None` and errors if it is none.
pub(super) fn read(rule: &Spanned<text::Rule>, found: &mut Findings<'_>) -> Option<Rule> {
    let place = rule.span();
    let rule = rule.get_ref();
    let name = name(&rule.name, found);
    let action = match (rule.action.get_ref().as_str(), rule.reject) {
        ("allow", false) => Some(Action::Allow),
        ("deny", false) => Some(Action::Deny),
        ("deny", true) => Some(Action::Reject),
        ("allow", true) => {
            found.error(rule.action.span(), "`reject` is for rules that deny");
            None
        }
        _ => {
            found.error(rule.action.span(), "expected allow or deny");
            None
        }
    };
    let protocol = match &rule.protocol {
        Some(word) => found.keep(word.span(), protocol(word.get_ref())),
        None => Some(Protocol::Any),
    };
    let has_no_ports = matches!(protocol, Some(Protocol::Any | Protocol::Icmp));
    if let Some(first) = rule.ports.first().filter(|_| has_no_ports) {
        found.error(first.span(), "ports are for a rule whose protocol is tcp or udp");
    }
    let groups = names(&rule.groups, found);
    let users = names(&rule.users, found);
    let peers = names(&rule.peers, found);
    if rule.to.is_empty() && action == Some(Action::Allow) {
        found.warn(place, "allows every destination; `to` says which");
    }
    Some(Rule {
        name: name?,
        action: action?,
        groups,
        users,
        peers,
        to: list(&rule.to, found, value::network),
        ports: list(&rule.ports, found, port_range),
        hours: rule.hours.as_ref().and_then(|word| found.keep(word.span(), hours(word.get_ref()))),
        not_after: rule.not_after.as_ref().and_then(|word| found.keep(word.span(), day(word.get_ref()))),
        from: list(&rule.from, found, value::network),
        log: rule.log,
        protocol: protocol?,
    })
}

pub(super) fn name(word: &Word, found: &mut Findings<'_>) -> Option<Name> {
    found.keep(word.span(), word.get_ref().parse::<Name>())
}

pub(super) fn names(words: &[Word], found: &mut Findings<'_>) -> Vec<Name> {
    words.iter().filter_map(|word| name(word, found)).collect()
}

/// The values of a list; each that is none is an error.
pub(super) fn list<T, E: std::fmt::Display>(
    words: &[Word],
    found: &mut Findings<'_>,
    read: fn(&str) -> Result<T, E>,
) -> Vec<T> {
    words.iter().filter_map(|word| found.keep(word.span(), read(word.get_ref()))).collect()
}

fn protocol(text: &str) -> Result<Protocol, &'static str> {
    match text {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "icmp" => Ok(Protocol::Icmp),
        _ => Err("expected tcp, udp or icmp"),
    }
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    let wrong = "expected a port or a range of ports, such as 443 or 8000-8100";
    let port = |text: &str| -> Option<u16> {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten().filter(|port| *port > 0)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first).ok_or(wrong)?, port(last).ok_or(wrong)?);
    if first <= last { Ok(first..=last) } else { Err("the range ends before it begins") }
}

/// `Mon-Fri 07:00-20:00`, `Sat,Sun`, `22:00-24:00`.
fn hours(text: &str) -> Result<Hours, &'static str> {
    let wrong = "expected days, hours or both, such as Mon-Fri 07:00-20:00";
    let mut words = text.split_ascii_whitespace();
    let (first, second) = (words.next().ok_or(wrong)?, words.next());
    if words.next().is_some() {
        return Err(wrong);
    }
    let (days, clock) = match (first.starts_with(|c: char| c.is_ascii_digit()), second) {
        (true, None) => (0x7f, Some(first)),
        (false, clock) => (week(first).ok_or(wrong)?, clock),
        (true, Some(_)) => return Err(wrong),
    };
    let Range { start: from, end: until } = match clock {
        Some(clock) => minutes(clock).ok_or(wrong)?,
        None => 0..1440,
    };
    if from < until {
        Ok(Hours { days, from, until })
    } else {
        Err("ends before it begins; a night takes two rules, one until 24:00 and one from 00:00")
    }
}

fn week(text: &str) -> Option<u8> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let day = |text: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(text));
    let mut days = 0_u8;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // Over the end of the week, too: Fri-Mon.
        let count = (last + 7 - first) % 7;
        for number in first..=first + count {
            days |= 1 << (number % 7);
        }
    }
    Some(days)
}

fn minutes(text: &str) -> Option<Range<u16>> {
    let time = |text: &str| -> Option<u16> {
        let (hour, minute) = text.split_once(':')?;
        let number = |text: &str| {
            (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<u16>().ok())?
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        let whole = hour * 60 + minute;
        (minute < 60 && whole <= 1440).then_some(whole)
    };
    let (from, until) = text.split_once('-')?;
    Some(time(from)?..time(until)?)
}

/// A day or an instant, UTC.
fn day(text: &str) -> Result<Time, &'static str> {
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    let instant = humantime::parse_rfc3339(&whole).map_err(|_| "expected a day or an instant, such as 2027-01-01")?;
    let since_1970 = instant.duration_since(UNIX_EPOCH).map_err(|_| "before 1970")?;
    Ok(Time::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)))
}
