//! Times both crypto backends, the seam and raw ring side by side and prints medians and ratios.
//!
//! `cargo run --release -p underpass-core --example crypto_speed`
//!
//! The contenders take turns in short slices, so a busy machine slows all of them alike and the ratios hold.
#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]
use core::hint::black_box;
use std::time::Instant;
use underpass_core::internals::crypto::{AeadKey, TransportKey, aead, dh, hash, portable};
use underpass_core::{PrivateKey, PublicKey};

/// Rounds in which every contender gets one slice.
const ROUNDS: usize = 201;
/// Roughly how long a slice takes, in nanoseconds.
const SLICE: f64 = 200_000.0;
const KEY: [u8; 32] = [7; 32];

/// A name and what it does once.
type Contender<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// Nanoseconds per call over `calls` calls.
fn slice(calls: u32, work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        work();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

/// Runs the contenders in turns; prints each median, also as a multiple of the first one's.
fn race(title: &str, contenders: &mut [Contender<'_>]) {
    let mut lanes: Vec<(u32, Vec<f64>)> = Vec::new();
    for (_, work) in contenders.iter_mut() {
        let once = slice(20, work).max(1.0);
        lanes.push(((SLICE / once).clamp(1.0, 10_000.0) as u32, Vec::with_capacity(ROUNDS)));
    }
    for _ in 0..ROUNDS {
        for ((_, work), (calls, times)) in contenders.iter_mut().zip(&mut lanes) {
            times.push(slice(*calls, work));
        }
    }
    println!("{title}");
    let mut first = None;
    for ((name, _), (_, times)) in contenders.iter().zip(&mut lanes) {
        times.sort_by(f64::total_cmp);
        let median = times[ROUNDS / 2];
        let ratio = median / *first.get_or_insert(median);
        println!("  {name:<10} {median:>9.0} ns  x{ratio:.2}");
    }
}

/// Whether the `fast` backend and ring are compiled in.
macro_rules! where_fast {
    ($($item:tt)*) => {
        #[cfg(all(feature = "fast", any(target_arch = "x86_64", target_arch = "aarch64")))]
        { $($item)* }
    };
}

fn seals(len: usize) {
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    let key = TransportKey::from_bytes(KEY);
    where_fast! {
        let raw = raw_ring();
        let mut text = vec![1; len];
        contenders.push(("raw ring", Box::new(move || {
            let nonce = ring::aead::Nonce::assume_unique_for_key([3; 12]);
            let tag = raw.seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), black_box(&mut text));
            black_box(tag.is_ok());
        })));
        let fast = underpass_core::internals::crypto::fast::aead::AeadKey::new(&key);
        let mut text = vec![1; len];
        contenders.push(("fast", Box::new(move || { black_box(fast.seal(&[3; 12], &[], black_box(&mut text))); })));
    }
    let seam = AeadKey::new(&key);
    let mut text = vec![1; len];
    contenders.push((
        "seam",
        Box::new(move || {
            black_box(seam.seal(3, &[], black_box(&mut text)));
        }),
    ));
    let portable = portable::aead::AeadKey::new(&key);
    let mut text = vec![1; len];
    contenders.push((
        "portable",
        Box::new(move || {
            black_box(portable.seal(&[3; 12], &[], black_box(&mut text)));
        }),
    ));
    race(&format!("seal {len} bytes"), &mut contenders);
}

/// Opening spoils its buffer, so every contender also pays for copying the sealed message into it.
fn opens(len: usize) {
    let key = TransportKey::from_bytes(KEY);
    let mut sealed = vec![1; len];
    let tag = AeadKey::new(&key).seal(3, &[], &mut sealed);
    sealed.extend(tag);
    let nonce = aead::nonce(3);
    let sealed = sealed.as_slice();
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    where_fast! {
        let raw = raw_ring();
        let mut text = sealed.to_vec();
        contenders.push(("raw ring", Box::new(move || {
            text.copy_from_slice(sealed);
            let nonce = ring::aead::Nonce::assume_unique_for_key(nonce);
            assert!(raw.open_in_place(nonce, ring::aead::Aad::empty(), black_box(&mut text)).is_ok());
        })));
        let fast = underpass_core::internals::crypto::fast::aead::AeadKey::new(&key);
        let mut text = sealed.to_vec();
        contenders.push(("fast", Box::new(move || {
            text.copy_from_slice(sealed);
            assert!(fast.open(&nonce, &[], black_box(&mut text)).is_ok());
        })));
    }
    let seam = AeadKey::new(&key);
    let mut text = sealed.to_vec();
    contenders.push((
        "seam",
        Box::new(move || {
            text.copy_from_slice(sealed);
            assert!(seam.open(3, &[], black_box(&mut text)).is_ok());
        }),
    ));
    let portable = portable::aead::AeadKey::new(&key);
    let mut text = sealed.to_vec();
    contenders.push((
        "portable",
        Box::new(move || {
            text.copy_from_slice(sealed);
            assert!(portable.open(&nonce, &[], black_box(&mut text)).is_ok());
        }),
    ));
    race(&format!("open {len} bytes"), &mut contenders);
}

fn exchanges() {
    let (private, public) = (PrivateKey::from_bytes(KEY), PublicKey::from_bytes([9; 32]));
    let (private, public) = (&private, &public);
    let mut agree: Vec<Contender<'_>> = Vec::new();
    let mut derive: Vec<Contender<'_>> = Vec::new();
    where_fast! {
        use underpass_core::internals::crypto::fast;
        println!("graviola on this CPU: {}", if fast::dh::supported() { "yes" } else { "no, portable instead" });
        agree.push(("fast", Box::new(|| { black_box(fast::dh::exchange(black_box(private), black_box(public))); })));
        derive.push(("fast", Box::new(|| { black_box(fast::dh::public_key(black_box(private))); })));
    }
    agree.push((
        "seam",
        Box::new(|| {
            black_box(dh::exchange(black_box(private), black_box(public)));
        }),
    ));
    derive.push((
        "seam",
        Box::new(|| {
            black_box(dh::public_key(black_box(private)));
        }),
    ));
    agree.push((
        "portable",
        Box::new(|| {
            black_box(portable::dh::exchange(black_box(private), black_box(public)));
        }),
    ));
    derive.push((
        "portable",
        Box::new(|| {
            black_box(portable::dh::public_key(black_box(private)));
        }),
    ));
    race("X25519 exchange", &mut agree);
    race("X25519 public key", &mut derive);
}

fn hashes() {
    let key = TransportKey::from_bytes(KEY);
    let mut cookie = [1; 16];
    race(
        "keys and handshake pieces",
        &mut [
            (
                "AEAD key",
                Box::new(|| {
                    black_box(AeadKey::new(black_box(&key)));
                }),
            ),
            (
                "mac1",
                Box::new(|| {
                    black_box(hash::mac(black_box(&KEY), &[black_box(&[1; 116])]));
                }),
            ),
            (
                "KDF 2",
                Box::new(|| {
                    black_box(hash::kdf::<2>(black_box(&KEY), black_box(&KEY)));
                }),
            ),
            (
                "xseal 16",
                Box::new(|| {
                    black_box(aead::xseal(black_box(&KEY), &[3; 24], &KEY[..16], &mut cookie));
                }),
            ),
        ],
    );
}

#[cfg(all(feature = "fast", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn raw_ring() -> ring::aead::LessSafeKey {
    let key = ring::aead::UnboundKey::new(&ring::aead::CHACHA20_POLY1305, &KEY).expect("the key has 32 bytes");
    ring::aead::LessSafeKey::new(key)
}

fn main() {
    for len in [64, 256, 1420] {
        seals(len);
    }
    for len in [64, 256, 1420] {
        opens(len);
    }
    exchanges();
    hashes();
    println!(
        "an AEAD key takes {} bytes, a portable one {}",
        size_of::<AeadKey>(),
        size_of::<portable::aead::AeadKey>()
    );
}
