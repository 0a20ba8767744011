//! Mutations from a seed: what the tests use where no fuzzer is at hand.

/// Chance from a seed (xorshift64*).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Chance that `seed` decides.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`; 0 when `end` is.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() >> 33).unwrap_or(0).checked_rem(end).unwrap_or(0)
    }
}

/// Bytes that often stand at edges.
const EDGES: [u8; 8] = [0, 1, 0x0f, 0x20, 0x7f, 0x80, 0xfe, 0xff];
/// The longest input a mutation grows to.
const LONGEST: usize = 4096;

/// A mutation of `input`: one to eight steps, each a flip, an edge, a copy, a cut, an insertion or a graft of `other`.
#[must_use]
pub fn mutated(input: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=chance.below(8) {
        step(&mut bytes, other, chance);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn step(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(bytes.len());
    let run = chance.below(16).min(bytes.len() - at);
    match chance.below(7) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = EDGES[chance.below(EDGES.len())];
            }
        }
        3 => bytes.extend_from_within(at..at + run),
        4 => drop(bytes.drain(at..at + run)),
        5 => bytes.insert(at, chance.bits() as u8),
        _ => {
            let from = chance.below(other.len());
            let len = chance.below(64).min(other.len() - from);
            bytes.splice(at..at + run, other[from..from + len].iter().copied());
        }
    }
}
