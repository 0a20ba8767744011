//! Packets that wait for a session: order kept, the oldest dropped at the caps.
use crate::limits::Limits;
use crate::memory::{NoMemory, copy, push};
use crate::peer::PeerId;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

/// The staged packets of one peer.
#[derive(Default)]
pub(crate) struct Staged {
    packets: VecDeque<Waiting>,
    bytes: u32,
    /// Whether the peer stands among the holders.
    listed: bool,
}

/// A packet and since when it waits.
struct Waiting {
    since: Instant,
    packet: Box<[u8]>,
}

/// What all peers of a tunnel have staged.
#[derive(Debug, Default)]
pub(crate) struct StagedTotal {
    pub(crate) bytes: u32,
    /// How many peers have packets staged.
    peers: usize,
    /// Those peers, and some that no longer have any. Those are taken out when a sample meets them.
    holders: Vec<PeerId>,
    /// Where among them the next sample begins.
    cursor: usize,
}

/// Holders that are compared when one of them has to give way.
const SAMPLE: usize = 8;

impl StagedTotal {
    /// Whether `size` more bytes exceed what the tunnel may stage.
    pub(crate) fn is_full(&self, size: usize, limits: &Limits) -> bool {
        let bytes = u32::try_from(size).ok().and_then(|size| self.bytes.checked_add(size));
        bytes.is_none_or(|bytes| bytes > limits.staged_bytes)
    }

    /// Lists `peer`, which has packets staged. Without memory for that it is not asked to give way before it stages the next.
    pub(crate) fn list(&mut self, id: PeerId, staged: &mut Staged) {
        if !staged.is_empty() && !staged.listed {
            staged.listed = push(&mut self.holders, id).is_ok();
        }
    }

    /// Who is to give way when the tunnel is full: of a few holders, which differ from call to call, the one with the most
    /// bytes, and how many these are. `held_by` finds the peer and asks [`Staged::still_listed`].
    pub(crate) fn largest_of_a_few(&mut self, mut held_by: impl FnMut(PeerId) -> Option<u32>) -> Option<(PeerId, u32)> {
        let mut largest = None;
        let mut looked = 0;
        while looked < SAMPLE.min(self.holders.len()) {
            self.cursor = self.cursor.checked_add(1).filter(|next| *next < self.holders.len()).unwrap_or(0);
            let id = *self.holders.get(self.cursor)?;
            match held_by(id) {
                Some(bytes) => {
                    looked += 1;
                    largest = largest.filter(|(_, most)| *most >= bytes).or(Some((id, bytes)));
                }
                None => drop(self.holders.swap_remove(self.cursor)),
            }
        }
        largest
    }

    /// Peers in the list.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> usize {
        self.holders.len()
    }

    /// Takes those out of the list who have nothing staged any more, when they are more than half of it.
    pub(crate) fn tidy(&mut self, mut held_by: impl FnMut(PeerId) -> Option<u32>) {
        if self.holders.len() > 2 * self.peers + SAMPLE {
            self.holders.retain(|id| held_by(*id).is_some());
        }
    }
}

impl Staged {
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(crate) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The oldest packet.
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.packets.front().map(|waiting| waiting.packet.as_ref())
    }

    /// The bytes staged, for a peer that stands in the list of holders. `None`: it has none, and must be taken out of the list.
    pub(crate) fn still_listed(&mut self) -> Option<u32> {
        self.listed = !self.is_empty();
        self.listed.then_some(self.bytes)
    }

    /// A copy of `packet`, for which there is a place at the end. At the cap, that is the place of one that gives way.
    pub(crate) fn prepare(&mut self, packet: &[u8], limits: &Limits) -> Result<Box<[u8]>, NoMemory> {
        let packet = copy(packet)?.into_boxed_slice();
        if self.packets.len() < usize::from(limits.staged_packets_per_peer) {
            self.packets.try_reserve(1)?;
        }
        Ok(packet)
    }

    /// Puts `packet`, which is [prepared](Self::prepare), at the end, dropping this peer's oldest packets to stay within the
    /// caps. Returns how many packets were dropped for it; `None`: it would not fit even if all others went, and is gone.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        packet: Box<[u8]>,
        limits: &Limits,
        total: &mut StagedTotal,
    ) -> Option<u32> {
        let others = total.bytes.saturating_sub(self.bytes);
        let size = match u32::try_from(packet.len()) {
            Ok(size) if fits(0, 0, others, size, limits) => size,
            _ => {
                self.give_back();
                return None;
            }
        };
        let mut dropped = 0;
        while !fits(self.packets.len(), self.bytes, total.bytes, size, limits) && self.take(total) {
            dropped += 1;
        }
        total.peers += usize::from(self.is_empty());
        self.packets.push_back(Waiting { since: now, packet });
        self.bytes = self.bytes.saturating_add(size);
        total.bytes = total.bytes.saturating_add(size);
        Some(dropped)
    }

    /// Removes the oldest packet; `false` when there is none. The last one gone, the queue's memory is given back.
    pub(crate) fn pop(&mut self, total: &mut StagedTotal) -> bool {
        let taken = self.take(total);
        self.give_back();
        taken
    }

    /// Gives the queue's memory back if nothing is in it.
    fn give_back(&mut self) {
        if self.packets.is_empty() {
            self.packets = VecDeque::new();
        }
    }

    /// Removes the oldest packet and keeps the queue's memory.
    fn take(&mut self, total: &mut StagedTotal) -> bool {
        let Some(Waiting { packet, .. }) = self.packets.pop_front() else { return false };
        let size = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        self.bytes = self.bytes.saturating_sub(size);
        total.bytes = total.bytes.saturating_sub(size);
        if self.packets.is_empty() {
            total.peers = total.peers.saturating_sub(1);
        }
        true
    }

    /// Removes the oldest packets until the rest fits the limits of one peer; returns how many.
    pub(crate) fn shrink(&mut self, limits: &Limits, total: &mut StagedTotal) -> u32 {
        let mut count = 0;
        while self.packets.len() > usize::from(limits.staged_packets_per_peer)
            || self.bytes > limits.staged_bytes_per_peer
        {
            self.pop(total);
            count += 1;
        }
        count
    }

    /// Removes the packets that have waited for `time`; returns how many.
    pub(crate) fn drop_older(&mut self, now: Instant, time: Duration, total: &mut StagedTotal) -> u32 {
        let mut count = 0;
        while self.packets.front().is_some_and(|waiting| now.since(waiting.since) >= time) && self.pop(total) {
            count += 1;
        }
        count
    }

    /// Removes every packet and returns how many there were.
    pub(crate) fn clear(&mut self, total: &mut StagedTotal) -> u32 {
        let mut count = 0;
        while self.pop(total) {
            count += 1;
        }
        count
    }
}

/// Shows how much there is, never what: these are the user's packets, not yet sealed.
impl core::fmt::Debug for Staged {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Staged").field("packets", &self.packets.len()).field("bytes", &self.bytes).finish()
    }
}

/// Whether `size` more bytes fit, beside what a peer and its tunnel hold.
fn fits(packets: usize, peer_bytes: u32, bytes: u32, size: u32, limits: &Limits) -> bool {
    packets < usize::from(limits.staged_packets_per_peer)
        && peer_bytes.checked_add(size).is_some_and(|bytes| bytes <= limits.staged_bytes_per_peer)
        && bytes.checked_add(size).is_some_and(|bytes| bytes <= limits.staged_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(packets: u16, peer_bytes: u32, bytes: u32) -> Limits {
        Limits {
            staged_packets_per_peer: packets,
            staged_bytes_per_peer: peer_bytes,
            staged_bytes: bytes,
            ..Limits::default()
        }
    }

    /// Lesson 4: order kept, oldest dropped. Lesson 22: caps in packets and bytes, per peer and per tunnel.
    #[test]
    fn keeps_order_and_drops_the_oldest_at_each_cap() {
        let table = [
            // limits, packet sizes pushed, first bytes left, dropped
            (limits(3, 1000, 1000), &[10usize, 10, 10, 10, 10][..], &[2u8, 3, 4][..], 2),
            (limits(9, 25, 1000), &[10, 10, 10], &[1, 2], 1),
            (limits(9, 1000, 25), &[10, 10, 10], &[1, 2], 1),
            (limits(9, 25, 1000), &[10, 26], &[0], 1),
            (limits(9, 1000, 25), &[10, 26], &[0], 1),
            (limits(0, 25, 1000), &[10], &[], 1),
        ];
        for (row, (limits, sizes, left, dropped)) in table.into_iter().enumerate() {
            let (mut staged, mut total) = (Staged::default(), StagedTotal::default());
            let mut count = 0;
            for (number, size) in sizes.iter().enumerate() {
                let packet = std::vec![u8::try_from(number).expect("small"); *size];
                count += staged.push(Instant::ZERO, packet.clone().into(), &limits, &mut total).unwrap_or(1);
            }
            assert_eq!(count, dropped, "row {row}");
            for want in left {
                assert_eq!(staged.front().and_then(|p| p.first()), Some(want), "row {row}");
                assert!(staged.pop(&mut total));
            }
            assert!(staged.is_empty() && total.bytes == 0 && staged.bytes == 0, "row {row}");
        }
    }

    #[test]
    fn a_tunnel_that_is_full_of_others_packets_costs_nobody_its_own() {
        let limits = limits(9, 1000, 25);
        let (mut ours, mut others, mut total) = (Staged::default(), Staged::default(), StagedTotal::default());
        assert_eq!(
            (
                ours.push(Instant::ZERO, Box::new([1; 5]), &limits, &mut total),
                others.push(Instant::ZERO, Box::new([2; 18]), &limits, &mut total)
            ),
            (Some(0), Some(0))
        );
        assert_eq!(ours.push(Instant::ZERO, Box::new([3; 8]), &limits, &mut total), None);
        assert_eq!((ours.front(), ours.len(), total.bytes), (Some(&[1; 5][..]), 1, 23));
        assert_eq!(
            ours.push(Instant::ZERO, Box::new([4; 7]), &limits, &mut total),
            Some(1),
            "its own oldest gives way"
        );
        assert_eq!((ours.front(), ours.len(), total.bytes), (Some(&[4; 7][..]), 1, 25));
    }

    #[test]
    fn debug_shows_no_packet() {
        let (mut staged, mut total) = (Staged::default(), StagedTotal::default());
        staged.push(Instant::ZERO, Box::new([77; 20]), &Limits::default(), &mut total);
        assert_eq!(std::format!("{staged:?}"), "Staged { packets: 1, bytes: 20 }");
    }
}
