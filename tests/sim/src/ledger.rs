//! Who sent what to whom, and what arrived: nothing may arrive that was not sent, or twice.
use crate::inner::Identity;
use std::collections::BTreeMap;

/// A flow of packets from one host to another.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    sent: u64,
    arrived: Vec<u64>,
    seen: Vec<bool>,
}

impl Flow {
    /// Packets sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// The numbers of the packets that arrived, in the order of their arrival.
    #[must_use]
    pub fn arrived(&self) -> &[u64] {
        &self.arrived
    }

    /// The numbers of the packets that did not arrive.
    #[must_use]
    pub fn missing(&self) -> Vec<u64> {
        (0..self.sent).filter(|n| !self.seen.get(*n as usize).copied().unwrap_or(false)).collect()
    }

    /// Whether all that was sent arrived.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.arrived.len() as u64 == self.sent
    }

    /// Whether the packets arrived in the order they were sent.
    #[must_use]
    pub fn in_order(&self) -> bool {
        self.arrived.is_sorted()
    }
}

/// The flows of a world.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    flows: BTreeMap<u32, Flow>,
}

impl Ledger {
    /// Notes one more packet of `flow` and names it.
    pub fn send(&mut self, flow: u32) -> Identity {
        let entry = self.flows.entry(flow).or_default();
        let number = entry.sent;
        entry.sent += 1;
        Identity { flow, number }
    }

    /// Notes an arrival.
    ///
    /// # Panics
    /// When the packet was never sent, or arrived before.
    pub fn arrive(&mut self, identity: Identity) {
        let Identity { flow, number } = identity;
        let entry = self.flows.get_mut(&flow).unwrap_or_else(|| panic!("flow {flow:#x} was never sent"));
        assert!(number < entry.sent, "packet {number} of flow {flow:#x} was never sent");
        let slot = number as usize;
        if entry.seen.len() <= slot {
            entry.seen.resize(slot + 1, false);
        }
        assert!(!entry.seen[slot], "packet {number} of flow {flow:#x} arrived twice");
        entry.seen[slot] = true;
        entry.arrived.push(number);
    }

    /// A flow; empty when nothing was sent.
    #[must_use]
    pub fn flow(&self, flow: u32) -> Flow {
        self.flows.get(&flow).cloned().unwrap_or_default()
    }

    /// How many packets of a flow arrived.
    #[must_use]
    pub fn arrived(&self, flow: u32) -> usize {
        self.flows.get(&flow).map_or(0, |f| f.arrived.len())
    }

    /// Packets sent and packets arrived, all flows together.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let add = |(sent, arrived): (u64, u64), f: &Flow| (sent + f.sent, arrived + f.arrived.len() as u64);
        self.flows.values().fold((0, 0), add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_knows_order_and_gaps() {
        let mut ledger = Ledger::default();
        let ids: Vec<_> = (0..4).map(|_| ledger.send(1)).collect();
        ledger.arrive(ids[0]);
        ledger.arrive(ids[3]);
        ledger.arrive(ids[1]);
        let flow = ledger.flow(1);
        assert_eq!((flow.missing(), flow.in_order(), flow.is_complete()), (vec![2], false, false));
        ledger.arrive(ids[2]);
        assert!(ledger.flow(1).is_complete());
        assert_eq!(ledger.totals(), (4, 4));
    }

    #[test]
    #[should_panic(expected = "arrived twice")]
    fn duplicates_are_found_out() {
        let mut ledger = Ledger::default();
        let id = ledger.send(1);
        ledger.arrive(id);
        ledger.arrive(id);
    }

    #[test]
    #[should_panic(expected = "never sent")]
    fn inventions_are_found_out() {
        let mut ledger = Ledger::default();
        ledger.send(1);
        ledger.arrive(Identity { flow: 1, number: 1 });
    }
}
