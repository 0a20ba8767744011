//! Reads the list of routing rules, to delete the very rules that belong to one tunnel.

/// The priority of the rule in `listing` (the output of `ip rule show`) that sends what lacks the mark `table` to the
/// table of that number.
#[must_use]
pub fn divert_rule(listing: &str, table: u32) -> Option<u32> {
    let end = format!("not from all fwmark {table:#x} lookup {table}");
    priorities(listing, |rule| rule == end).next()
}

/// The priority of the rule for the main table that was added after the one that diverts to `table`: the nearest before
/// it. Every tunnel with a default route has such a pair, and pairs may be taken down in any order.
#[must_use]
pub fn main_rule(listing: &str, table: u32) -> Option<u32> {
    let divert = divert_rule(listing, table)?;
    priorities(listing, |rule| rule == "from all lookup main suppress_prefixlength 0")
        .filter(|priority| *priority < divert)
        .max()
}

fn priorities(listing: &str, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = u32> {
    listing.lines().filter_map(move |line| {
        let (priority, rule) = line.split_once(':')?;
        let rule = rule.split_whitespace().collect::<Vec<_>>().join(" ");
        let priority = priority.trim().parse().ok()?;
        wanted(&rule).then_some(priority)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_TUNNELS: &str = "\
0:\tfrom all lookup local
32762:\tfrom all lookup main suppress_prefixlength 0
32763:\tnot from all fwmark 0xca6d lookup 51821
32764:\tfrom all lookup main suppress_prefixlength 0
32765:\tnot from all fwmark 0xca6c lookup 51820
32766:\tfrom all lookup main
32767:\tfrom all lookup default
";

    #[test]
    fn each_tunnel_finds_its_own_pair() {
        assert_eq!((divert_rule(TWO_TUNNELS, 51820), main_rule(TWO_TUNNELS, 51820)), (Some(32765), Some(32764)));
        assert_eq!((divert_rule(TWO_TUNNELS, 51821), main_rule(TWO_TUNNELS, 51821)), (Some(32763), Some(32762)));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert_eq!(divert_rule(TWO_TUNNELS, 51822), None);
        assert_eq!(main_rule(TWO_TUNNELS, 51822), None);
        assert_eq!(divert_rule("", 51820), None);
        assert_eq!(divert_rule("nonsense\n:\n", 51820), None);
    }
}
