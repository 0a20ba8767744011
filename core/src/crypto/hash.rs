//! BLAKE2s as hash, keyed MAC, HMAC and KDF (paper § 5.4; RFC 7693, RFC 2104, RFC 5869).
use blake2::digest::consts::{U16, U32};
use blake2::digest::{FixedOutput, KeyInit, Update};
use blake2::{Blake2s256, Blake2sMac};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes that BLAKE2s compresses at once, which HMAC pads its key to.
const BLOCK_LEN: usize = 64;
/// HMAC's inner and outer pad (RFC 2104 § 2).
const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

/// BLAKE2s-256 over the concatenation of `parts`.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> [u8; 32] {
    digest(Blake2s256::default(), parts)
}

/// Keyed BLAKE2s with 16 bytes of output over the concatenation of `parts`.
///
/// A key of other than 1 to 32 bytes does not compile.
#[must_use]
pub fn mac<const K: usize>(key: &[u8; K], parts: &[&[u8]]) -> [u8; 16] {
    const { assert!(K >= 1 && K <= 32, "BLAKE2s takes keys of 1 to 32 bytes") };
    let mut state = Blake2sMac::<U16>::new_from_slice(key).expect("the length was checked at compile time");
    for part in parts {
        state.update(part);
    }
    let mut out = [0; 16];
    state.finalize_into((&mut out).into());
    out
}

/// Keyed BLAKE2s with 32 bytes of output: BLAKE2s-256 keyed, over `parts` (not HMAC).
#[must_use]
pub fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    digest(Blake2sMac::<U32>::new(key.into()), parts)
}

/// HMAC-BLAKE2s-256.
#[must_use]
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut pads = Pads::default();
    if key.len() <= BLOCK_LEN {
        pads.key(key);
    } else {
        let mut short = hash(&[key]);
        pads.key(&short);
        short.zeroize();
    }
    pads.mac(parts)
}

/// What HMAC works on. Wiped on drop, once for all the outputs of a KDF: wiping goes byte by byte.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Pads {
    block: [u8; BLOCK_LEN],
    inner: [u8; 32],
}

impl Default for Pads {
    fn default() -> Self {
        Self { block: [0; BLOCK_LEN], inner: [0; 32] }
    }
}

impl Pads {
    /// Takes the key, of at most [`BLOCK_LEN`] bytes.
    #[inline(always)]
    fn key(&mut self, key: &[u8]) {
        self.block = [INNER_PAD; BLOCK_LEN];
        self.block.iter_mut().zip(key).for_each(|(pad, byte)| *pad ^= byte);
    }

    /// The MAC of `parts` under the key, which has to be taken again for another.
    fn mac(&mut self, parts: &[&[u8]]) -> [u8; 32] {
        let mut state = Blake2s256::default();
        state.update(&self.block);
        self.inner = digest(state, parts);
        self.block.iter_mut().for_each(|byte| *byte ^= INNER_PAD ^ OUTER_PAD);
        hash(&[&self.block, &self.inner])
    }
}

/// The paper's KDF_n: `N` outputs of 32 bytes from a chaining key and input.
///
/// The outputs are secrets that the caller puts into types that wipe them.
#[must_use]
pub fn kdf<const N: usize>(chaining_key: &[u8; 32], input: &[u8]) -> [[u8; 32]; N] {
    const { assert!(N >= 1 && N <= 255, "RFC 5869 numbers its outputs with one byte") };
    let mut pads = Pads::default();
    pads.key(chaining_key);
    let mut root = pads.mac(&[input]);
    let mut outputs = [[0; 32]; N];
    let mut previous: &[u8] = &[];
    for (number, output) in (1u8..).zip(&mut outputs) {
        pads.key(&root);
        *output = pads.mac(&[previous, &[number]]);
        previous = output;
    }
    root.zeroize();
    outputs
}

/// Feeds `parts` to `state` and ends it; the state wipes itself.
fn digest<H: Update + FixedOutput<OutputSize = U32>>(mut state: H, parts: &[&[u8]]) -> [u8; 32] {
    for part in parts {
        state.update(part);
    }
    let mut out = [0; 32];
    state.finalize_into((&mut out).into());
    out
}
