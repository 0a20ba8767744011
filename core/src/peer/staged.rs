//! Packets that wait for a session: order kept, the oldest dropped at the caps.
use crate::limits::Limits;
use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// The staged packets of one peer.
#[derive(Default)]
pub(crate) struct Staged {
    packets: VecDeque<Box<[u8]>>,
    bytes: u32,
}

/// Bytes staged by all peers of a tunnel.
#[derive(Debug, Default)]
pub(crate) struct StagedTotal {
    pub(crate) bytes: u32,
}

impl Staged {
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The oldest packet.
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.packets.front().map(AsRef::as_ref)
    }

    /// Copies `packet` to the end, dropping this peer's oldest packets to stay within the caps. Returns how many packets
    /// were dropped: `packet` alone when it would not fit even if all others went.
    pub(crate) fn push(&mut self, packet: &[u8], limits: &Limits, total: &mut StagedTotal) -> u32 {
        let others = total.bytes.saturating_sub(self.bytes);
        let size = match u32::try_from(packet.len()) {
            Ok(size) if fits(0, 0, others, size, limits) => size,
            _ => return 1,
        };
        let mut dropped = 0;
        while !fits(self.packets.len(), self.bytes, total.bytes, size, limits) && self.pop(total) {
            dropped += 1;
        }
        self.packets.push_back(packet.into());
        self.bytes = self.bytes.saturating_add(size);
        total.bytes = total.bytes.saturating_add(size);
        dropped
    }

    /// Removes the oldest packet; `false` when there is none. The last one gone, the queue's memory is given back.
    pub(crate) fn pop(&mut self, total: &mut StagedTotal) -> bool {
        let Some(packet) = self.packets.pop_front() else { return false };
        let size = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        self.bytes = self.bytes.saturating_sub(size);
        total.bytes = total.bytes.saturating_sub(size);
        if self.packets.is_empty() {
            self.packets = VecDeque::new();
        }
        true
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
                count += staged.push(&packet, &limits, &mut total);
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
        assert_eq!(ours.push(&[1; 5], &limits, &mut total) + others.push(&[2; 18], &limits, &mut total), 0);
        assert_eq!(ours.push(&[3; 8], &limits, &mut total), 1);
        assert_eq!((ours.front(), ours.len(), total.bytes), (Some(&[1; 5][..]), 1, 23));
        assert_eq!(ours.push(&[4; 7], &limits, &mut total), 1, "its own oldest gives way");
        assert_eq!((ours.front(), ours.len(), total.bytes), (Some(&[4; 7][..]), 1, 25));
    }

    #[test]
    fn debug_shows_no_packet() {
        let (mut staged, mut total) = (Staged::default(), StagedTotal::default());
        staged.push(&[77; 20], &Limits::default(), &mut total);
        assert_eq!(std::format!("{staged:?}"), "Staged { packets: 1, bytes: 20 }");
    }
}
