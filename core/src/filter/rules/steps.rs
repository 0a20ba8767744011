//! Which rule applies to which ports, for packets to one network: a function of protocol and port that changes in steps.
use crate::memory::{self, NoMemory};
use crate::order;
use crate::packet::tcp::TCP;
use crate::packet::udp::UDP;
use alloc::vec::Vec;

/// No rule.
pub(super) const NONE: u32 = u32::MAX;

/// The last key there is.
pub(super) const LAST_KEY: u32 = OTHER | 0xff;
const UDP_KEYS: u32 = 1 << 16;
const OTHER: u32 = 2 << 16;

/// Protocol and port as one number: TCP ports, UDP ports, then the protocols that have none.
#[inline]
pub(super) const fn key(protocol: u8, port: u16) -> u32 {
    match protocol {
        TCP => port as u32,
        UDP => UDP_KEYS | port as u32,
        other => OTHER | other as u32,
    }
}

/// From this key on, up to the next step, this rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub key: u32,
    pub rule: u32,
}

/// Keys that a rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interval {
    pub rule: u32,
    pub first: u32,
    pub last: u32,
}

/// Appends the steps of `intervals`, in the order of their rules, of which the lowest wins. O(n log n).
pub(super) fn paint(intervals: &[Interval], steps: &mut Vec<Step>) -> Result<(), NoMemory> {
    let mut edges = memory::list(intervals.len().saturating_mul(2))?;
    edges.extend(intervals.iter().flat_map(|interval| [interval.first, interval.last.saturating_add(1)]));
    order::sort(&mut edges);
    edges.dedup();
    // What each stretch between two edges is painted with, and where to look for the next unpainted one.
    let mut rules = memory::list(edges.len())?;
    rules.resize(edges.len(), NONE);
    let mut next: Vec<usize> = memory::list(edges.len())?;
    next.extend(0..edges.len());
    for interval in intervals {
        let end = edges.partition_point(|edge| *edge <= interval.last);
        let mut at = unpainted(&mut next, edges.partition_point(|edge| *edge < interval.first));
        while at < end {
            if let (Some(rule), Some(after)) = (rules.get_mut(at), next.get_mut(at)) {
                (*rule, *after) = (interval.rule, at.saturating_add(1));
            }
            at = unpainted(&mut next, at.saturating_add(1));
        }
    }
    let mut last = NONE;
    for (key, rule) in edges.into_iter().zip(rules) {
        if rule != last {
            memory::push(steps, Step { key, rule })?;
            last = rule;
        }
    }
    Ok(())
}

/// The first unpainted stretch from `at` on. Ways that were gone are made shorter.
fn unpainted(next: &mut [usize], mut at: usize) -> usize {
    while let Some(after) = next.get(at).copied().filter(|after| *after != at) {
        let beyond = next.get(after).copied().unwrap_or(after);
        if let Some(place) = next.get_mut(at) {
            *place = beyond;
        }
        at = after;
    }
    at
}

/// The rule that applies to `key`.
#[inline]
pub(super) fn look(steps: &[Step], key: u32) -> u32 {
    let at = steps.partition_point(|step| step.key <= key);
    at.checked_sub(1).and_then(|at| steps.get(at)).map_or(NONE, |step| step.rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_apart() {
        assert_eq!([key(6, 0), key(6, 0xffff), key(17, 0), key(17, 0xffff)], [0, 0xffff, 0x1_0000, 0x1_ffff]);
        assert_eq!([key(0, 9), key(1, 0), key(255, 1), LAST_KEY], [0x2_0000, 0x2_0001, 0x2_00ff, 0x2_00ff]);
    }

    proptest! {
        #[test]
        fn the_lowest_rule_wins(
            mut intervals in prop::collection::vec((0..20_u32, 0..60_u32, 0..20_u32), 0..30),
            whole: bool,
        ) {
            if whole {
                intervals.push((3, 0, LAST_KEY));
            }
            let mut intervals: Vec<_> = intervals
                .into_iter()
                .map(|(rule, first, more)| Interval { rule, first, last: (first + more).min(LAST_KEY) })
                .collect();
            intervals.sort();
            let mut steps = Vec::new();
            paint(&intervals, &mut steps).unwrap();
            for key in (0..90).chain([LAST_KEY]) {
                let of_key = intervals.iter().find(|interval| (interval.first..=interval.last).contains(&key));
                prop_assert_eq!(look(&steps, key), of_key.map_or(NONE, |interval| interval.rule), "key {}", key);
            }
            prop_assert!(steps.windows(2).all(|pair| pair[0].key < pair[1].key && pair[0].rule != pair[1].rule));
        }
    }
}
