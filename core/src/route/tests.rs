//! Numbered tables, and a list that does the same the slow way.
use super::*;
use proptest::prelude::*;
use std::vec::Vec;

/// Four peers.
const A: u32 = 0;
const B: u32 = 1;
const C: u32 = 2;
const D: u32 = 700;

fn net(text: &str) -> IpNet {
    text.parse().unwrap_or_else(|_| panic!("{text} is no network"))
}

/// A table of networks and owners, inserted in order.
fn table(entries: &[(&str, u32)]) -> RoutingTable {
    let mut table = RoutingTable::new();
    for (network, owner) in entries {
        table.insert(net(network), *owner);
    }
    assert_sound(&table);
    table
}

/// Each row: its number, an address, and who owns it.
fn assert_owners(table: &RoutingTable, rows: &[(u32, &str, Option<u32>)]) {
    for (number, address, owner) in rows {
        let address: IpAddr = address.parse().unwrap_or_else(|_| panic!("{address} is no address"));
        assert_eq!(table.lookup(address), *owner, "row {number}: {address}");
        match address {
            IpAddr::V4(address) => assert_eq!(table.lookup_v4(address.into()), *owner, "row {number}"),
            IpAddr::V6(address) => assert_eq!(table.lookup_v6(address.into()), *owner, "row {number}"),
        }
    }
}

/// The tries are in order, and every network is in the list of its owner once.
fn assert_sound(table: &RoutingTable) {
    assert_eq!(table.v4.assert_sound() + table.v6.assert_sound(), table.len());
    let owners = 0..table.latest.len() as u32;
    assert_eq!(owners.clone().map(|owner| table.networks_of(owner).count()).sum::<usize>(), table.len());
    for owner in owners {
        assert!(table.networks_of(owner).all(|network| table.owner_of_exactly(network) == Some(owner)));
    }
}

impl RoutingTable {
    /// The owner of exactly this network.
    fn owner_of_exactly(&self, network: IpNet) -> Option<u32> {
        let name = match network {
            IpNet::V4(network) => self.v4.find(network.addr().into(), network.prefix_len()),
            IpNet::V6(network) => {
                self.v6.find(u128::from(network.addr()).into(), network.prefix_len()).map(|node| node | WIDE)
            }
        };
        name.map(|name| self.owner_of(name))
    }
}

#[test]
fn nobody_owns_anything_at_first() {
    let table = RoutingTable::new();
    assert_eq!(table.len(), 0);
    assert_owners(&table, &[(1, "0.0.0.0", None), (2, "10.0.0.1", None), (3, "::", None), (4, "2001:db8::1", None)]);
    assert_eq!(table.networks_of(A).count(), 0);
}

#[test]
fn the_longest_prefix_wins() {
    let rows = [
        (1, "10.0.0.0", Some(A)),
        (2, "10.255.255.255", Some(A)),
        (3, "9.255.255.255", None),
        (4, "11.0.0.0", None),
        (5, "10.1.0.0", Some(B)),
        (6, "10.1.255.255", Some(B)),
        (7, "10.1.2.0", Some(C)),
        (8, "10.1.2.127", Some(C)),
        (9, "10.1.2.128", Some(D)),
        (10, "10.1.2.255", Some(D)),
        (11, "10.1.2.77", Some(A)),
        (12, "10.1.2.76", Some(C)),
        (13, "10.1.2.78", Some(C)),
        (14, "10.1.3.77", Some(B)),
    ];
    let mut entries = Vec::from([
        ("10.0.0.0/8", A),
        ("10.1.0.0/16", B),
        ("10.1.2.0/24", C),
        ("10.1.2.128/25", D),
        ("10.1.2.77/32", A),
    ]);
    // Every order of insertion gives the same answers.
    for _ in 0..entries.len() {
        entries.rotate_left(1);
        assert_owners(&table(&entries), &rows);
        entries.reverse();
        assert_owners(&table(&entries), &rows);
        entries.reverse();
    }
}

#[test]
fn the_longest_ipv6_prefix_wins() {
    let table = table(&[
        ("2001:db8::/32", A),
        ("2001:db8:0:1::/64", B),
        ("2001:db8:0:1::/65", C),
        ("2001:db8:0:1:8000::/65", D),
        ("2001:db8::5/128", B),
        ("2001:db8::4/127", C),
        ("fe80::/10", D),
    ]);
    assert_owners(
        &table,
        &[
            (1, "2001:db7:ffff::", None),
            (2, "2001:db8::", Some(A)),
            (3, "2001:db8:ffff::1", Some(A)),
            (4, "2001:db8:0:1::1", Some(C)),
            (5, "2001:db8:0:1:7fff::1", Some(C)),
            (6, "2001:db8:0:1:8000::1", Some(D)),
            (7, "2001:db8::5", Some(B)),
            (8, "2001:db8::4", Some(C)),
            (9, "2001:db8::6", Some(A)),
            (10, "fe80::1", Some(D)),
            (11, "febf:ffff::", Some(D)),
            (12, "fec0::", None),
            (13, "32.1.13.184", None),
        ],
    );
}

#[test]
fn the_shortest_and_the_longest_prefixes() {
    let table = table(&[
        ("0.0.0.0/0", A),
        ("128.0.0.0/1", B),
        ("255.255.255.255/32", C),
        ("0.0.0.0/32", D),
        ("::/0", B),
        ("8000::/1", C),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", D),
        ("::/128", A),
    ]);
    assert_owners(
        &table,
        &[
            (1, "0.0.0.0", Some(D)),
            (2, "0.0.0.1", Some(A)),
            (3, "127.255.255.255", Some(A)),
            (4, "128.0.0.0", Some(B)),
            (5, "255.255.255.254", Some(B)),
            (6, "255.255.255.255", Some(C)),
            (7, "::", Some(A)),
            (8, "::1", Some(B)),
            (9, "7fff::", Some(B)),
            (10, "8000::", Some(C)),
            (11, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", Some(C)),
            (12, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(D)),
        ],
    );
    assert_eq!(table.len(), 8);
}

#[test]
fn each_length_by_itself() {
    // A chain of all prefixes of one address: an address that leaves the chain after n bits belongs to the n-th.
    let mut chain = RoutingTable::new();
    let (v4, v6) = (0x0a55_aa0f_u32, 0x2001_0db8_1234_5678_9abc_def0_1357_9bdf_u128);
    for len in 0..=128u8 {
        chain.insert(IpNet::new(Ipv6Addr::from(v6).into(), len).expect("a length"), len.into());
        if len <= 32 {
            chain.insert(IpNet::new(Ipv4Addr::from(v4).into(), len).expect("a length"), len.into());
        }
    }
    assert_sound(&chain);
    assert_eq!(chain.len(), 129 + 33);
    for len in 0..128 {
        assert_eq!(chain.lookup_v6(v6 ^ 1 << (127 - len)), Some(len));
        if len < 32 {
            assert_eq!(chain.lookup_v4(v4 ^ 1 << (31 - len)), Some(len));
        }
    }
    assert_eq!((chain.lookup_v4(v4), chain.lookup_v6(v6)), (Some(32), Some(128)));
    // Taken away from the middle outwards, each leaves its addresses to the next shorter one.
    for len in (1..128u32).step_by(2) {
        chain.remove_all(len);
        assert_sound(&chain);
        assert_eq!(chain.lookup_v6(v6 ^ 1 << (127 - len)), Some(len - 1));
    }
}

#[test]
fn host_bits_are_ignored() {
    let table = table(&[("10.1.2.3/8", A), ("2001:db8::dead:beef/32", B)]);
    assert_owners(&table, &[(1, "10.200.0.1", Some(A)), (2, "2001:db8:ffff::", Some(B))]);
    assert_eq!(table.networks_of(A).collect::<Vec<_>>(), [net("10.0.0.0/8")]);
    assert_eq!(table.networks_of(B).collect::<Vec<_>>(), [net("2001:db8::/32")]);
}

#[test]
fn a_network_changes_hands() {
    for network in ["192.168.4.0/24", "192.168.4.4/32", "0.0.0.0/0", "fd00::/8", "fd00::1/128", "::/0"] {
        let mut table = table(&[("192.168.0.0/16", D), ("fd00::/7", D)]);
        let inside = net(network).addr();
        assert_eq!(table.insert(net(network), A), None);
        assert_eq!(table.insert(net(network), A), None, "its own already");
        assert_eq!(table.insert(net(network), B), Some(A));
        assert_eq!((table.len(), table.owner_of_exactly(net(network))), (3, Some(B)), "{network} at {inside}");
        assert_eq!(table.networks_of(A).count(), 0);
        assert_eq!(table.networks_of(B).collect::<Vec<_>>(), [net(network)]);
        assert!(!table.remove(net(network), A), "not its any more");
        assert!(table.remove(net(network), B));
        assert!(!table.remove(net(network), B), "gone");
        assert_eq!(table.len(), 2);
        assert_sound(&table);
    }
}

#[test]
fn what_is_taken_out_uncovers_what_is_shorter() {
    let mut table = table(&[("10.0.0.0/8", A), ("10.64.0.0/10", B), ("10.64.0.0/16", C), ("10.64.0.9/32", D)]);
    assert_owners(&table, &[(1, "10.64.0.9", Some(D)), (2, "10.64.0.8", Some(C)), (3, "10.65.0.0", Some(B))]);
    assert!(table.remove(net("10.64.0.0/10"), B), "one in the middle");
    assert_owners(&table, &[(4, "10.64.0.9", Some(D)), (5, "10.64.0.8", Some(C)), (6, "10.65.0.0", Some(A))]);
    assert!(table.remove(net("10.64.0.9/32"), D), "a single address");
    assert_owners(&table, &[(7, "10.64.0.9", Some(C))]);
    assert!(table.remove(net("10.0.0.0/8"), A), "the top");
    assert_owners(&table, &[(8, "10.64.0.9", Some(C)), (9, "10.65.0.0", None)]);
    assert!(table.remove(net("10.64.0.0/16"), C), "the last");
    assert_owners(&table, &[(10, "10.64.0.9", None)]);
    assert_eq!(table.len(), 0);
    assert_eq!(table.v4.heap_bytes(), 0, "an empty family keeps no memory");
}

#[test]
fn what_is_not_there_is_not_removed() {
    let mut table = table(&[("10.0.0.0/9", A), ("10.128.0.0/9", A), ("10.0.0.1/32", B), ("fd00::/64", C)]);
    for (number, network, owner) in [
        // The branch above the two.
        (1, "10.0.0.0/8", A),
        (2, "10.0.0.0/10", A),
        (3, "0.0.0.0/0", A),
        (4, "10.0.0.0/9", B),
        (5, "10.0.0.2/32", B),
        (6, "10.0.0.1/31", B),
        (7, "fd00::/63", C),
        (8, "fd00::/128", C),
        (9, "10.0.0.0/8", u32::MAX),
    ] {
        assert!(!table.remove(net(network), owner), "row {number}");
    }
    assert_eq!(table.len(), 4);
    assert_sound(&table);
}

#[test]
fn a_branch_becomes_a_network_and_a_branch_again() {
    let mut table = table(&[("10.0.0.0/9", A), ("10.128.0.0/9", B)]);
    assert_eq!(table.insert(net("10.0.0.0/8"), C), None);
    assert_eq!((table.len(), table.networks_of(C).count()), (3, 1));
    assert!(table.remove(net("10.0.0.0/8"), C));
    assert_owners(&table, &[(1, "10.0.0.0", Some(A)), (2, "10.128.0.0", Some(B)), (3, "11.0.0.0", None)]);
    assert_sound(&table);
}

#[test]
fn networks_of_one_owner_are_listed_latest_first() {
    let mut table =
        table(&[("10.0.0.0/8", A), ("fd00::/8", A), ("10.0.0.1/32", B), ("fd00::1/128", A), ("0.0.0.0/0", A)]);
    let of_a = |table: &RoutingTable| table.networks_of(A).collect::<Vec<_>>();
    assert_eq!(of_a(&table), ["0.0.0.0/0", "fd00::1/128", "fd00::/8", "10.0.0.0/8"].map(net));
    table.remove(net("fd00::/8"), A);
    assert_eq!(of_a(&table), ["0.0.0.0/0", "fd00::1/128", "10.0.0.0/8"].map(net), "from the middle");
    table.insert(net("0.0.0.0/0"), B);
    assert_eq!(of_a(&table), ["fd00::1/128", "10.0.0.0/8"].map(net), "from the front");
    table.remove(net("10.0.0.0/8"), A);
    assert_eq!(of_a(&table), ["fd00::1/128"].map(net), "from the end");
    assert_eq!(table.networks_of(B).collect::<Vec<_>>(), ["0.0.0.0/0", "10.0.0.1/32"].map(net));
}

#[test]
fn an_owner_leaves_with_everything() {
    let mut table =
        table(&[("10.0.0.0/8", A), ("10.1.0.0/16", B), ("10.1.0.5/32", A), ("fd00::/8", A), ("fd00::1/128", B)]);
    table.remove_all(A);
    assert_sound(&table);
    assert_eq!((table.len(), table.networks_of(A).count()), (2, 0));
    assert_owners(
        &table,
        &[(1, "10.1.0.5", Some(B)), (2, "10.0.0.1", None), (3, "fd00::1", Some(B)), (4, "fd00::2", None)],
    );
    table.remove_all(A);
    table.remove_all(u32::MAX);
    table.remove_all(B);
    assert_eq!(table.len(), 0);
}

#[test]
fn nobody_is_no_owner() {
    let mut table = RoutingTable::new();
    assert_eq!(table.insert(net("10.0.0.0/8"), u32::MAX), None);
    assert_eq!(table.len(), 0);
    assert_sound(&table);
}

#[test]
fn memory_for_each_peer_is_bounded() {
    assert_eq!((size_of::<family::Node<u32>>(), size_of::<family::Node<Wide>>()), (28, 40));
    let peers = 20_000u32;
    let (mut hosts, mut prefixes, mut short) = (RoutingTable::new(), RoutingTable::new(), RoutingTable::new());
    for peer in 0..peers {
        hosts.insert(IpNet::new(Ipv4Addr::from(0x0a00_0000 + peer).into(), 32).expect("a length"), peer);
        let prefix = Ipv6Addr::from((0x2001_0db8 << 96) + (u128::from(peer) << 64));
        prefixes.insert(IpNet::new(prefix.into(), 64).expect("a length"), peer);
        let prefix = Ipv6Addr::from((0x2001 << 112) + (u128::from(peer) << 88));
        short.insert(IpNet::new(prefix.into(), 40).expect("a length"), peer);
    }
    let each = |table: &RoutingTable| (table.v4.heap_bytes() + table.v6.heap_bytes()) / peers as usize;
    assert!(each(&hosts) <= 60, "{} bytes for an IPv4 address", each(&hosts));
    assert!(each(&prefixes) <= 80, "{} bytes for an IPv6 prefix", each(&prefixes));
    assert!(each(&short) <= 160, "{} bytes for a short IPv6 prefix", each(&short));
}

#[test]
fn churn_takes_no_more_memory() {
    let mut table = RoutingTable::new();
    for round in 0..20u32 {
        for peer in 0..1000u32 {
            table.insert(IpNet::new(Ipv4Addr::from(peer * 7919 + round).into(), 32).expect("a length"), peer);
            let prefix = 24 + (peer % 8) as u8;
            table.insert(IpNet::new(Ipv4Addr::from(peer << 8 ^ round << 28).into(), prefix).expect("a length"), peer);
        }
        assert_sound(&table);
        assert!(table.v4.heap_bytes() <= 4096 * 28 + 4096 * 8, "round {round}: {} bytes", table.v4.heap_bytes());
        // All but one leave, so that the arena never starts afresh.
        (1..1000).for_each(|peer| table.remove_all(peer));
        assert!(round > 0 || table.len() == 2);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(IpNet, u32),
    Remove(IpNet, u32),
    RemoveKnown(usize),
    RemoveAll(u32),
    Lookup(IpAddr),
}

/// Addresses that share many leading bits with each other.
fn addresses() -> impl Strategy<Value = IpAddr> {
    let v4 = (0..32u32, any::<u32>())
        .prop_map(|(flip, noise)| IpAddr::V4((0xac10_0000 ^ 1 << flip ^ noise & 0x8120_0105).into()));
    let v6 = (0..128u32, any::<u128>()).prop_map(|(flip, noise)| {
        let few = 0x8000_0500_0000_0000_8005_0000_0000_0003;
        IpAddr::V6((0x2001_0db8 << 96 ^ 1 << flip ^ noise & few).into())
    });
    prop_oneof![v4, v6]
}

/// Short ones for the trie, long ones for the hash table, and those around the border of the two.
fn networks() -> impl Strategy<Value = IpNet> {
    let lens =
        prop_oneof![4 => 0..24u8, 2 => 20..50u8, 2 => 28..=32u8, 2 => 60..=66u8, 2 => Just(128u8), 1 => 0..=128u8];
    (addresses(), lens).prop_map(|(address, len)| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        IpNet::new(address, len.min(most)).expect("a length").trunc()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (networks(), 0..6u32).prop_map(|(network, owner)| Step::Insert(network, owner)),
        1 => (networks(), 0..6u32).prop_map(|(network, owner)| Step::Remove(network, owner)),
        3 => any::<usize>().prop_map(Step::RemoveKnown),
        1 => (0..6u32).prop_map(Step::RemoveAll),
        4 => addresses().prop_map(Step::Lookup),
    ];
    prop::collection::vec(step, 0..200)
}

/// The same the slow way: all networks, latest last.
#[derive(Default)]
struct Model(Vec<(IpNet, u32)>);

impl Model {
    fn insert(&mut self, network: IpNet, owner: u32) -> Option<u32> {
        let at = self.0.iter().position(|(held, _)| *held == network);
        let previous = at.map(|at| self.0[at].1);
        if previous != Some(owner) {
            at.map(|at| self.0.remove(at));
            self.0.push((network, owner));
        }
        previous.filter(|previous| *previous != owner)
    }

    fn remove(&mut self, network: IpNet, owner: u32) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| *entry != (network, owner));
        self.0.len() < before
    }

    fn lookup(&self, address: IpAddr) -> Option<u32> {
        let holds = self.0.iter().filter(|(network, _)| network.contains(&address));
        holds.max_by_key(|(network, _)| network.prefix_len()).map(|(_, owner)| *owner)
    }

    fn networks_of(&self, owner: u32) -> Vec<IpNet> {
        self.0.iter().rev().filter(|entry| entry.1 == owner).map(|(network, _)| *network).collect()
    }
}

proptest! {
    #[test]
    fn it_agrees_with_a_list(steps in steps()) {
        let (mut table, mut model) = (RoutingTable::new(), Model::default());
        let (mut memo, mut known) = (Memo::default(), Vec::new());
        for step in steps {
            match step {
                Step::Insert(network, owner) => {
                    prop_assert_eq!(table.insert(network, owner), model.insert(network, owner));
                }
                Step::Remove(network, owner) => {
                    prop_assert_eq!(table.remove(network, owner), model.remove(network, owner));
                }
                Step::RemoveKnown(at) if !model.0.is_empty() => {
                    let (network, owner) = model.0.remove(at % model.0.len());
                    prop_assert!(table.remove(network, owner));
                }
                Step::RemoveKnown(_) => {}
                Step::RemoveAll(owner) => {
                    table.remove_all(owner);
                    model.0.retain(|entry| entry.1 != owner);
                }
                Step::Lookup(address) => {
                    prop_assert_eq!(table.lookup(address), model.lookup(address));
                    known.push(address);
                }
            }
            // What was asked for last is asked for again after every change, twice: looked up, then remembered.
            for address in known.iter().rev().take(2).flat_map(|address| [*address; 2]) {
                prop_assert_eq!(table.owner_with(&mut memo, address.into()), model.lookup(address));
            }
            prop_assert_eq!(table.len(), model.0.len());
        }
        assert_sound(&table);
        for owner in 0..6 {
            prop_assert_eq!(table.networks_of(owner).collect::<Vec<_>>(), model.networks_of(owner));
        }
        for (network, _) in &model.0 {
            for address in [network.network(), network.broadcast()] {
                prop_assert_eq!(table.lookup(address), model.lookup(address));
            }
        }
    }
}
