//! The networks of one address family: a path-compressed binary trie for the short prefixes, a hash table for the long.
//!
//! A trie finds the longest prefix in as many steps as prefixes and branches lie on the way. Where each of many peers owns
//! an address or a subnet, that is one cache miss for each doubling of their number: 0.1 us for 100 000 peers, 1 us for
//! a million. The hash table finds one in two misses, asking for each length in use, the longest first; peers by the
//! thousand have few lengths between them.
use super::bits::Bits;
use crate::memory::{NoMemory, make_room, put};
use alloc::vec::Vec;
use hashbrown::HashTable;

/// More than the lengths that long prefixes can have.
const LENGTHS: usize = 128;
/// No node, and no owner.
pub(super) const NONE: u32 = u32::MAX;

/// A network, or a branch of the trie that nobody owns. 28 bytes for IPv4, 40 for IPv6.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<K> {
    /// The network's address, host bits zero.
    pub(super) bits: K,
    /// Who owns it; `NONE` for a branch.
    pub(super) owner: u32,
    /// The longer prefixes whose next bit is 0, and is 1. Both there in a branch; neither used by a long prefix.
    children: [u32; 2],
    /// Its place in the list of its owner's networks.
    pub(super) links: Links,
    /// Bits of the prefix.
    pub(super) len: u8,
}

/// Neighbours in a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    pub(super) next: u32,
    pub(super) previous: u32,
}

impl Links {
    pub(super) const NONE: Self = Self { next: NONE, previous: NONE };
}

/// All networks of one family. Nodes are named by their place in an arena and keep it for life.
#[derive(Debug)]
pub(super) struct Family<K> {
    nodes: Vec<Node<K>>,
    /// The first of the unused nodes, linked by `links.next`.
    unused: u32,
    /// Unused nodes.
    unused_len: usize,
    /// The top of the trie, which holds the prefixes of fewer than [`Bits::LONG`] bits.
    root: u32,
    /// The nodes of the other prefixes.
    long: HashTable<u32>,
    /// The lengths of those, the longest first.
    lengths: Vec<Length<K>>,
    /// Memory stays, for a list of changes is being applied that must not want for it.
    held: bool,
}

/// What networks need that are to be added.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Nodes, at most.
    nodes: usize,
    /// Places in the hash table.
    long: usize,
}

/// A length that long prefixes have.
#[derive(Clone, Copy, Debug)]
struct Length<K> {
    /// The bits of a prefix of this length.
    mask: K,
    /// Prefixes of this length.
    count: u32,
    len: u8,
}

impl<K: Bits> Family<K> {
    pub(super) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            unused: NONE,
            unused_len: 0,
            root: NONE,
            long: HashTable::new(),
            lengths: Vec::new(),
            held: false,
        }
    }

    /// The owner of the longest prefix that holds `address`.
    #[inline]
    pub(super) fn lookup(&self, address: K) -> Option<u32> {
        for length in &self.lengths {
            if let Some(node) = self.find_long(address.masked(length.mask), length.len) {
                return self.node(node).map(|node| node.owner);
            }
        }
        let (mut owner, mut at) = (NONE, self.root);
        while let Some(node) = self.node(at) {
            if address.shared_bits(node.bits) < node.len {
                break;
            }
            if node.owner != NONE {
                owner = node.owner;
            }
            let [zero, one] = node.children;
            at = if address.bit(node.len) { one } else { zero };
        }
        (owner != NONE).then_some(owner)
    }

    /// The node of exactly this network.
    pub(super) fn find(&self, bits: K, len: u8) -> Option<u32> {
        let bits = bits.first_bits(len);
        if len < K::LONG { self.path_to(bits, len).map(|path| path.node) } else { self.find_long(bits, len) }
    }

    /// The node of this network, made if need be; a new one has no owner and must be given one.
    pub(super) fn find_or_add(&mut self, bits: K, len: u8) -> u32 {
        let bits = bits.first_bits(len);
        if len < K::LONG {
            return self.add_to_trie(bits, len);
        }
        self.find_long(bits, len).unwrap_or_else(|| self.add_long(bits, len))
    }

    /// Counts what one more network needs. A short one that is new may need a branch beside its node; at no time does the
    /// trie have more nodes than for all networks that there were or are to be.
    pub(super) fn count(&self, bits: K, len: u8, wanted: &mut Wanted) {
        let is_new = self.find(bits, len).is_none();
        let is_long = len >= K::LONG;
        wanted.nodes = wanted.nodes.saturating_add(usize::from(is_new)).saturating_add(usize::from(is_new && !is_long));
        wanted.long = wanted.long.saturating_add(usize::from(is_long));
    }

    /// Makes room for them.
    pub(super) fn try_reserve(&mut self, wanted: &Wanted) -> Result<(), NoMemory> {
        self.nodes.try_reserve(wanted.nodes.saturating_sub(self.unused_len))?;
        self.lengths.try_reserve(wanted.long.min(LENGTHS))?;
        make_room(&mut self.long, wanted.long, &|other| hash_of(&self.nodes, *other))
    }

    /// Keeps all memory, or ends that and gives back what is too much.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
        self.give_back();
    }

    fn give_back(&mut self) {
        if self.held {
            return;
        }
        if self.unused_len == self.nodes.len() {
            *self = Self::new();
        } else if self.long.len() < self.long.capacity() / 8 {
            let mut smaller = HashTable::new();
            // Without memory for the smaller table it stays as large as it is.
            if make_room(&mut smaller, self.long.len().saturating_mul(2), &|_| 0).is_ok() {
                for at in &self.long {
                    put(&mut smaller, hash_of(&self.nodes, *at), *at, &|other| hash_of(&self.nodes, *other));
                }
                self.long = smaller;
            }
        }
    }

    /// Takes a network out. The node's owner and links must not be used after.
    pub(super) fn remove(&mut self, at: u32) {
        let Some(&Node { bits, len, .. }) = self.node(at) else { return };
        if len < K::LONG {
            self.remove_from_trie(bits, len);
        } else {
            self.remove_long(at, bits, len);
        }
        self.give_back();
    }

    /// A node by its name.
    #[inline]
    pub(super) fn node(&self, at: u32) -> Option<&Node<K>> {
        self.nodes.get(at as usize)
    }

    /// A node by its name.
    pub(super) fn node_mut(&mut self, at: u32) -> Option<&mut Node<K>> {
        self.nodes.get_mut(at as usize)
    }

    /// An unused node, filled in.
    fn allocate(&mut self, bits: K, len: u8) -> u32 {
        let fresh = Node { bits, owner: NONE, children: [NONE; 2], links: Links::NONE, len };
        let at = self.unused;
        if let Some(node) = self.nodes.get_mut(at as usize) {
            self.unused = node.links.next;
            self.unused_len = self.unused_len.saturating_sub(1);
            *node = fresh;
            return at;
        }
        self.nodes.push(fresh);
        self.nodes.len().saturating_sub(1) as u32
    }

    /// Gives a node back.
    fn release(&mut self, at: u32) {
        let next = self.unused;
        if let Some(node) = self.node_mut(at) {
            node.links.next = next;
            self.unused = at;
            self.unused_len = self.unused_len.saturating_add(1);
        }
    }
}

/// The long prefixes.
impl<K: Bits> Family<K> {
    /// The node of exactly this prefix.
    #[inline]
    fn find_long(&self, bits: K, len: u8) -> Option<u32> {
        let is_it = |at: &u32| self.node(*at).is_some_and(|node| node.bits == bits && node.len == len);
        self.long.find(bits.hash(len), is_it).copied()
    }

    /// A node for a prefix that has none.
    fn add_long(&mut self, bits: K, len: u8) -> u32 {
        let at = self.allocate(bits, len);
        put(&mut self.long, bits.hash(len), at, &|other| hash_of(&self.nodes, *other));
        match self.lengths.binary_search_by(|length| len.cmp(&length.len)) {
            Ok(found) => {
                if let Some(length) = self.lengths.get_mut(found) {
                    length.count = length.count.saturating_add(1);
                }
            }
            Err(place) => self.lengths.insert(place, Length { mask: K::ONES.first_bits(len), count: 1, len }),
        }
        at
    }

    /// Takes a long prefix out, and its length when it was the last one.
    fn remove_long(&mut self, at: u32, bits: K, len: u8) {
        let Ok(entry) = self.long.find_entry(bits.hash(len), |node| *node == at) else { return };
        entry.remove();
        if let Some(length) = self.lengths.iter_mut().find(|length| length.len == len) {
            length.count = length.count.saturating_sub(1);
        }
        self.lengths.retain(|length| length.count > 0);
        self.release(at);
    }
}

/// The hash under which the hash table keeps a node.
fn hash_of<K: Bits>(nodes: &[Node<K>], at: u32) -> u64 {
    nodes.get(at as usize).map_or(0, |node| node.bits.hash(node.len))
}

/// A node of the trie and the two above it, `NONE` where there are none.
struct Path {
    grandparent: u32,
    parent: u32,
    node: u32,
}

/// The trie: a node's children extend its prefix; the next bit says which of the two it is.
impl<K: Bits> Family<K> {
    /// The way to exactly this prefix.
    fn path_to(&self, bits: K, len: u8) -> Option<Path> {
        let mut path = Path { grandparent: NONE, parent: NONE, node: self.root };
        loop {
            let node = self.node(path.node)?;
            if node.len == len && node.bits == bits {
                return Some(path);
            }
            if node.len >= len || bits.shared_bits(node.bits) < node.len {
                return None;
            }
            path = Path { grandparent: path.parent, parent: path.node, node: self.below(path.node, bits) };
        }
    }

    /// What hangs below `parent` (`NONE`: the root) on the way to `bits`.
    fn below(&self, parent: u32, bits: K) -> u32 {
        let Some(node) = self.node(parent) else { return self.root };
        let [zero, one] = node.children;
        if bits.bit(node.len) { one } else { zero }
    }

    /// Hangs `child` below `parent` (`NONE`: as the root) on the way to `bits`.
    fn hang(&mut self, parent: u32, bits: K, child: u32) {
        let Some(node) = self.node_mut(parent) else {
            self.root = child;
            return;
        };
        let [zero, one] = &mut node.children;
        *(if bits.bit(node.len) { one } else { zero }) = child;
    }

    /// The node of this prefix, made if need be.
    fn add_to_trie(&mut self, bits: K, len: u8) -> u32 {
        let mut parent = NONE;
        loop {
            let at = self.below(parent, bits);
            let Some(&Node { bits: its_bits, len: its_len, .. }) = self.node(at) else {
                let node = self.allocate(bits, len);
                self.hang(parent, bits, node);
                return node;
            };
            let shared = bits.shared_bits(its_bits).min(its_len).min(len);
            if shared < its_len {
                let node = self.allocate(bits, len);
                self.split(parent, at, node, shared);
                return node;
            }
            if its_len == len {
                return at;
            }
            parent = at;
        }
    }

    /// Hangs `node` between `parent` and `old`, which it shares `shared` bits with: above `old` when that is all of it,
    /// else beside it under a branch.
    fn split(&mut self, parent: u32, old: u32, node: u32, shared: u8) {
        let (Some(&Node { bits, len, .. }), Some(&Node { bits: old_bits, .. })) = (self.node(node), self.node(old))
        else {
            return;
        };
        if shared == len {
            self.hang(node, old_bits, old);
            self.hang(parent, bits, node);
            return;
        }
        let branch = self.allocate(bits.first_bits(shared), shared);
        self.hang(branch, bits, node);
        self.hang(branch, old_bits, old);
        self.hang(parent, bits, branch);
    }

    /// Takes a prefix out, and the branch above it when that has only one child left.
    fn remove_from_trie(&mut self, bits: K, len: u8) {
        let Some(Path { grandparent, parent, node: at }) = self.path_to(bits, len) else { return };
        let Some(node) = self.node_mut(at) else { return };
        node.owner = NONE;
        let child = match node.children {
            [NONE, child] | [child, NONE] => child,
            // It stays as a branch.
            _ => return,
        };
        self.hang(parent, bits, child);
        self.release(at);
        let Some(&Node { bits: above, owner: NONE, children, .. }) = self.node(parent) else { return };
        if let [NONE, only] | [only, NONE] = children {
            self.hang(grandparent, above, only);
            self.release(parent);
        }
    }
}

#[cfg(test)]
impl<K: Bits> Family<K> {
    /// Checks that each node is in its place and none is lost; returns how many networks there are.
    pub(super) fn assert_sound(&self) -> usize {
        let (mut networks, mut in_trie) = (0, 0);
        let mut open = std::vec![self.root];
        while let Some(at) = open.pop() {
            let Some(node) = self.node(at) else { continue };
            in_trie += 1;
            networks += usize::from(node.owner != NONE);
            assert!(node.len < K::LONG && node.bits.first_bits(node.len) == node.bits);
            assert!(node.owner != NONE || !node.children.contains(&NONE), "a branch has two children");
            for (side, child) in [false, true].into_iter().zip(node.children) {
                let Some(below) = self.node(child) else { continue };
                assert!(below.len > node.len && below.bits.shared_bits(node.bits) >= node.len);
                assert_eq!(below.bits.bit(node.len), side);
                open.push(child);
            }
        }
        assert_eq!(self.nodes.len(), in_trie + self.long.len() + self.unused_len, "no node is lost");
        assert!(self.lengths.is_sorted_by(|longer, shorter| longer.len > shorter.len && shorter.len >= K::LONG));
        assert_eq!(self.lengths.iter().map(|length| length.count as usize).sum::<usize>(), self.long.len());
        networks + self.long.len()
    }

    /// Bytes of the heap this takes, room to grow included.
    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<K>>()
            + self.long.allocation_size()
            + self.lengths.capacity() * size_of::<Length<K>>()
    }
}
