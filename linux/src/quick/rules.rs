//! Reads the list of routing rules, to delete the very rules that belong to one tunnel.

/// The priorities of the rules in `listing` (the output of `ip rule show`) that send what lacks the mark `table` to the
/// table of that number: one, or several where an earlier tunnel left its own.
#[must_use]
pub fn divert_rules(listing: &str, table: u32) -> Vec<u32> {
    let wanted = divert(table);
    rules(listing).filter(|(_, rule)| *rule == wanted).map(|(priority, _)| priority).collect()
}

/// The priorities of the rules for the main table that belong to those that divert to `table`: each was added just after
/// its partner, and stands just before it. Pairs may be taken down in any order.
#[must_use]
pub fn main_rules(listing: &str, table: u32) -> Vec<u32> {
    let wanted = divert(table);
    let rules: Vec<_> = rules(listing).collect();
    let pairs = rules.windows(2).filter(|pair| pair[0].1 == MAIN && pair[1].1 == wanted);
    pairs.map(|pair| pair[0].0).collect()
}

/// Whether any rule in `listing` looks at `table`.
#[must_use]
pub fn is_used(listing: &str, table: u32) -> bool {
    let lookup = format!("lookup {table}");
    rules(listing).any(|(_, rule)| rule.ends_with(&lookup))
}

const MAIN: &str = "from all lookup main suppress_prefixlength 0";

fn divert(table: u32) -> String {
    format!("not from all fwmark {table:#x} lookup {table}")
}

/// Priorities and rules, in the order in which the kernel asks them.
fn rules(listing: &str) -> impl Iterator<Item = (u32, String)> {
    listing.lines().filter_map(|line| {
        let (priority, rule) = line.split_once(':')?;
        Some((priority.trim().parse().ok()?, rule.split_whitespace().collect::<Vec<_>>().join(" ")))
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
        let pair = |table| (divert_rules(TWO_TUNNELS, table), main_rules(TWO_TUNNELS, table));
        assert_eq!(pair(51820), (vec![32765], vec![32764]));
        assert_eq!(pair(51821), (vec![32763], vec![32762]));
        assert!(is_used(TWO_TUNNELS, 51821) && !is_used(TWO_TUNNELS, 51822));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for listing in [TWO_TUNNELS, "", "nonsense\n:\n"] {
            assert_eq!((divert_rules(listing, 51822), main_rules(listing, 51822)), (vec![], vec![]));
        }
    }

    /// A tunnel that was interrupted between its two rules must not take those of another.
    #[test]
    fn half_a_pair_takes_nothing_of_another() {
        let halved: String =
            TWO_TUNNELS.lines().filter(|line| !line.starts_with("32764")).collect::<Vec<_>>().join("\n");
        assert_eq!((divert_rules(&halved, 51820), main_rules(&halved, 51820)), (vec![32765], vec![]));
        assert_eq!(main_rules(&halved, 51821), [32762]);
    }

    #[test]
    fn what_was_added_twice_is_found_twice() {
        let twice = TWO_TUNNELS.replace("ca6d", "ca6c").replace("51821", "51820");
        assert_eq!(divert_rules(&twice, 51820), [32763, 32765]);
        assert_eq!(main_rules(&twice, 51820), [32762, 32764]);
    }
}
