//! Which rule decides, found by going through the list: for people, and apart from the lookups that rule packets.
use super::rules::hours::Wall;
use super::rules::{Action, Rule, Way};
use crate::packet::tcp::TCP;
use crate::packet::udp::UDP;
use core::net::IpAddr;

/// A first packet that one wants to know about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who would begin.
    pub way: Way,
    /// The address of the other end.
    pub address: IpAddr,
    /// Whether a peer owns that address.
    pub is_peer: bool,
    /// The protocol number.
    pub protocol: u8,
    /// The destination port, where the protocol has one.
    pub port: u16,
}

/// What would become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What would be done.
    pub action: Action,
    /// The number of the rule that decides; `None`: no rule applies.
    pub rule: Option<u32>,
    /// The number of the first rule before that one which would decide at another time or from another endpoint.
    pub inactive: Option<u32>,
}

/// The answer to `question` under `rules`; `unmatched` is done where none applies.
pub(super) fn explain(
    rules: &[Rule],
    wall: &Wall,
    outer: Option<IpAddr>,
    unmatched: Action,
    question: &Question,
) -> Explanation {
    let mut inactive = None;
    for rule in rules.iter().filter(|rule| applies(rule, question)) {
        if rule.is_active(wall, outer) {
            return Explanation { action: rule.action, rule: Some(rule.number), inactive };
        }
        inactive = inactive.or(Some(rule.number));
    }
    Explanation { action: unmatched, rule: None, inactive }
}

/// Whether a rule is about such a packet, at some time and from some endpoint.
fn applies(rule: &Rule, question: &Question) -> bool {
    let at = rule.networks.iter().any(|network| network.contains(&question.address));
    let has_port = matches!(question.protocol, TCP | UDP);
    let by = rule.ports.is_empty() || has_port && rule.ports.iter().any(|ports| ports.contains(&question.port));
    let whose = rule.peers || !question.is_peer || rule.action != Action::Allow;
    rule.way == question.way && at && rule.protocol.has(question.protocol) && by && whose
}
