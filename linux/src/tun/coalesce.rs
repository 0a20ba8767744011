//! From packets of wire size to few writes to the virtual interface.
//!
//! Packets of one flow that follow each other, and that the kernel could have split from one, are gathered into a
//! group: it is written once, as one header and the payloads behind it. Only packets whose checksum was verified are
//! gathered, because the kernel takes a group's payload on trust. The packets of a flow stay in order.
use super::flow::{self, MAX_HEADERS, Tcp, Transport, View};
use super::vnet::{self, Bundle};

/// Packets in one group at most: what the kernel accepts of UDP, and more than 64 KB of full-sized TCP holds.
pub const MAX_GROUP: usize = 64;
/// Groups that may still grow, looked through from the latest.
const OPEN: usize = 8;
/// Ends a group's chain of packets.
const NONE: u32 = u32::MAX;

/// Gathers the packets of one batch.
#[derive(Debug, Default)]
pub struct Coalescer {
    groups: Vec<Group>,
    /// For each packet the next one of its group.
    next: Vec<u32>,
    /// Indices of groups that may still grow, the latest last.
    open: Vec<usize>,
    udp: bool,
}

/// Packets that are written at once.
#[derive(Clone, Debug)]
pub struct Group {
    first: u32,
    last: u32,
    count: u32,
    grown: Option<Grown>,
}

/// What a group of a flow knows; `None` in its place: one packet that is written as it is.
#[derive(Clone, Debug)]
struct Grown {
    view: View,
    headers: [u8; MAX_HEADERS],
    /// Bytes of payload in each packet but the last.
    size: usize,
    /// Bytes of payload altogether.
    total: usize,
}

impl Coalescer {
    /// A coalescer for batches of up to `packets`; `udp`: whether the kernel takes bundles of UDP.
    #[must_use]
    pub fn new(packets: usize, udp: bool) -> Self {
        Self {
            groups: Vec::with_capacity(packets),
            next: Vec::with_capacity(packets),
            open: Vec::with_capacity(OPEN),
            udp,
        }
    }

    /// Forgets all groups: a new batch begins.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.next.clear();
        self.open.clear();
    }

    /// Takes in the next packet of the batch. Packets are numbered from 0 in the order of the calls.
    pub fn push(&mut self, packet: &[u8]) {
        let index = self.next.len() as u32;
        self.next.push(NONE);
        let view = View::parse(packet);
        let Some(view) = view else { return self.alone(index) };
        let headers = &packet[..view.headers];
        let slot = self.open.iter().rposition(|group| self.groups[*group].is_of_flow(&view, headers));
        let may_join = view.may_join(packet, self.udp);
        if let Some(slot) = slot {
            let group = &mut self.groups[self.open[slot]];
            if may_join && group.accepts(&view, packet) {
                self.next[group.last as usize] = index;
                if group.append(index, &view, packet) {
                    self.open.remove(slot);
                }
                return;
            }
            // Whatever this packet is, what comes after it must not be written before it.
            self.open.remove(slot);
        }
        if !may_join {
            return self.alone(index);
        }
        if self.open.len() == OPEN {
            self.open.remove(0);
        }
        if !view.ends_group() {
            self.open.push(self.groups.len());
        }
        self.groups.push(Group::of_flow(index, view, packet));
    }

    fn alone(&mut self, index: u32) {
        self.groups.push(Group { first: index, last: index, count: 1, grown: None });
    }

    /// The groups, in the order they are to be written.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// The numbers of a group's packets, in order.
    pub fn packets(&self, group: &Group) -> impl Iterator<Item = usize> + '_ {
        let next = |index: &u32| self.next.get(*index as usize).copied().filter(|next| *next != NONE);
        std::iter::successors(Some(group.first), next).map(|index| index as usize)
    }
}

impl Group {
    fn of_flow(index: u32, view: View, packet: &[u8]) -> Self {
        let mut headers = [0; MAX_HEADERS];
        headers[..view.headers].copy_from_slice(&packet[..view.headers]);
        let payload = packet.len() - view.headers;
        let grown = Some(Grown { view, headers, size: payload, total: payload });
        Self { first: index, last: index, count: 1, grown }
    }

    fn is_of_flow(&self, view: &View, headers: &[u8]) -> bool {
        self.grown.as_ref().is_some_and(|grown| flow::same_flow(&grown.view, &grown.headers, view, headers))
    }

    /// Whether the kernel, splitting the group, would arrive at `packet` next.
    fn accepts(&self, view: &View, packet: &[u8]) -> bool {
        let Some(grown) = &self.grown else { return false };
        let payload = packet.len() - view.headers;
        (self.count as usize) < MAX_GROUP
            && payload <= grown.size
            && grown.view.headers + grown.total + payload <= usize::from(u16::MAX)
            && flow::continues(&grown.view, &grown.headers, view, packet, grown.total, self.count)
    }

    /// Adds `packet`; `true`: nothing may follow it.
    fn append(&mut self, index: u32, view: &View, packet: &[u8]) -> bool {
        let Some(grown) = &mut self.grown else { return true };
        let payload = packet.len() - view.headers;
        self.last = index;
        self.count += 1;
        grown.total += payload;
        if let Transport::Tcp(Tcp { push: true, .. }) = view.transport {
            grown.headers[grown.view.ip + 13] |= flow::PSH;
        }
        payload < grown.size || view.ends_group() || self.count as usize == MAX_GROUP
    }

    /// Bytes at the start of each packet that [`write_header`](Self::write_header) replaces; 0: none.
    #[must_use]
    pub fn replaced(&self) -> usize {
        self.grown.as_ref().filter(|_| self.count > 1).map_or(0, |grown| grown.view.headers)
    }

    /// Writes what precedes the payloads: the interface's header and, in a group of many, the headers of the whole.
    /// Returns its length.
    pub fn write_header(&self, out: &mut [u8; vnet::LEN + MAX_HEADERS]) -> usize {
        let Some(grown) = self.grown.as_ref().filter(|_| self.count > 1) else {
            out[..vnet::LEN].copy_from_slice(&vnet::Header::default().to_bytes());
            return vnet::LEN;
        };
        let view = &grown.view;
        let (bundle, checksum) = match view.transport {
            Transport::Tcp(_) if view.is_v6 => (Bundle::TcpV6, 16),
            Transport::Tcp(_) => (Bundle::TcpV4, 16),
            Transport::Udp => (Bundle::Udp, 6),
        };
        let header = vnet::Header {
            bundle,
            size: grown.size as u16,
            headers: view.headers as u16,
            checksum: Some((view.ip as u16, checksum)),
        };
        out[..vnet::LEN].copy_from_slice(&header.to_bytes());
        let headers = &mut out[vnet::LEN..vnet::LEN + view.headers];
        headers.copy_from_slice(&grown.headers[..view.headers]);
        flow::set_length(view, headers, view.headers + grown.total);
        vnet::LEN + view.headers
    }
}
