//! Keys as types of their own: wiped on drop, redacted in `Debug`, secrets compared in constant time.
//!
//! Text forms go through constant-time codecs, so neither a key nor its encoding steers a branch or a table.
use crate::crypto::Rng;
use crate::error::KeyError;
use crate::error::NoRandomness;
use alloc::string::String;
use base64ct::{Base64, Encoding};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of every key here.
const KEY_LEN: usize = 32;
/// Characters of a key in base64, one of them padding.
const BASE64_LEN: usize = 44;
/// Digits of a key in hexadecimal.
const HEX_LEN: usize = 64;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; KEY_LEN]);
        impl $name {
            /// Takes the 32 bytes of the secret.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self { Self(bytes) }
            /// The 32 bytes of the secret.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; KEY_LEN] { &self.0 }
            /// Whether all bytes are zero; constant time.
            #[must_use]
            pub fn is_zero(&self) -> bool { self.0.iter().fold(0, |any, byte| any | byte).ct_eq(&0).into() }
        }
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
        impl ConstantTimeEq for $name {
            fn ct_eq(&self, other: &Self) -> Choice { self.0.ct_eq(&other.0) }
        }
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool { self.ct_eq(other).into() }
        }
        impl Eq for $name {}
    };
}
macro_rules! secret_text {
    ($name:ident) => {
        impl $name {
            /// Reads 44 base64 characters.
            ///
            /// # Errors
            /// [`KeyError`] when the text is no key.
            pub fn from_base64(text: &str) -> Result<Self, KeyError> {
                let mut key = Self([0; KEY_LEN]);
                decode_base64(text, &mut key.0).map(|()| key)
            }
            /// Reads 64 hexadecimal digits of either case.
            ///
            /// # Errors
            /// [`KeyError`] when the text is no key.
            pub fn from_hex(text: &str) -> Result<Self, KeyError> {
                let mut key = Self([0; KEY_LEN]);
                decode_hex(text, &mut key.0).map(|()| key)
            }
            /// Writes the key as 44 base64 characters. Takes no memory from the heap.
            ///
            /// # Errors
            /// Those of `out`.
            pub fn write_base64(&self, out: &mut impl core::fmt::Write) -> core::fmt::Result {
                write!(out, "{}", InBase64(&self.0))
            }
            /// Writes the key as 64 lower-case hexadecimal digits. Takes no memory from the heap.
            ///
            /// # Errors
            /// Those of `out`.
            pub fn write_hex(&self, out: &mut impl core::fmt::Write) -> core::fmt::Result {
                write!(out, "{}", InHex(&self.0))
            }
            /// The key as 44 base64 characters, wiped on drop.
            #[must_use]
            pub fn to_base64(&self) -> Zeroizing<String> {
                Zeroizing::new(Base64::encode_string(&self.0))
            }
            /// The key as 64 lower-case hexadecimal digits, wiped on drop.
            #[must_use]
            pub fn to_hex(&self) -> Zeroizing<String> {
                Zeroizing::new(base16ct::lower::encode_string(&self.0))
            }
        }
    };
}
secret!(/** An X25519 private key, clamped when used. */ PrivateKey);
secret!(/** A preshared key; all zero means none (paper § 5.2). */ PresharedKey);
secret!(/** The outcome of an X25519 exchange, never zero. */ SharedSecret);
secret!(/** The raw 32 bytes of one direction of a keypair. */ TransportKey);
secret_text!(PrivateKey);
secret_text!(PresharedKey);

impl PrivateKey {
    /// A fresh private key, clamped (RFC 7748 § 5).
    ///
    /// # Errors
    /// [`NoRandomness`], from `rng`.
    pub fn generate(rng: &mut dyn Rng) -> Result<Self, NoRandomness> {
        let mut key = Self([0; KEY_LEN]);
        rng.fill(&mut key.0)?;
        Ok(key.clamped())
    }
    /// The same key with the bits that X25519 ignores set as RFC 7748 § 5 says; its public key stays the same.
    #[must_use]
    pub fn clamped(mut self) -> Self {
        let [first, .., last] = &mut self.0;
        *first &= 0b1111_1000;
        *last = *last & 0b0111_1111 | 0b0100_0000;
        self
    }
    /// The public key that belongs to it.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        crate::crypto::dh::public_key(self)
    }
}

impl PresharedKey {
    /// A fresh preshared key.
    ///
    /// # Errors
    /// [`NoRandomness`], from `rng`.
    pub fn generate(rng: &mut dyn Rng) -> Result<Self, NoRandomness> {
        let mut key = Self([0; KEY_LEN]);
        rng.fill(&mut key.0)?;
        Ok(key)
    }
}

impl SharedSecret {
    /// The secret itself, or `None` when all its bytes are zero (RFC 7748 § 6.1); constant time.
    pub(super) fn nonzero(self) -> Option<Self> {
        if self.is_zero() { None } else { Some(self) }
    }
}

/// An X25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_LEN]);

impl PublicKey {
    /// Takes the 32 bytes of the key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }
    /// The 32 bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
    /// Reads 44 base64 characters.
    ///
    /// # Errors
    /// [`KeyError`] when the text is no key.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let mut key = Self([0; KEY_LEN]);
        decode_base64(text, &mut key.0).map(|()| key)
    }
    /// Reads 64 hexadecimal digits of either case.
    ///
    /// # Errors
    /// [`KeyError`] when the text is no key.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut key = Self([0; KEY_LEN]);
        decode_hex(text, &mut key.0).map(|()| key)
    }
    /// The key as 44 base64 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        Base64::encode_string(&self.0)
    }
    /// The key as 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        base16ct::lower::encode_string(&self.0)
    }
    /// Whether the key is a point of low order: every exchange with it would yield zero.
    #[must_use]
    pub fn is_low_order(&self) -> bool {
        let mut masked = self.0;
        let [.., last] = &mut masked;
        *last &= 0b0111_1111;
        LOW_ORDER.contains(&masked)
    }
}

impl core::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        InBase64(&self.0).fmt(f)
    }
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Writes a key as its 44 base64 characters, without memory of its own but on the stack, which it wipes.
pub(crate) struct InBase64<'k>(pub(crate) &'k [u8; KEY_LEN]);

/// Writes a key as its 64 lower-case hexadecimal digits, likewise.
pub(crate) struct InHex<'k>(pub(crate) &'k [u8; KEY_LEN]);

impl core::fmt::Display for InBase64<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut text = Zeroizing::new([0; BASE64_LEN]);
        f.write_str(Base64::encode(self.0, &mut *text).map_err(|_| core::fmt::Error)?)
    }
}

impl core::fmt::Display for InHex<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut text = Zeroizing::new([0; HEX_LEN]);
        f.write_str(base16ct::lower::encode_str(self.0, &mut *text).map_err(|_| core::fmt::Error)?)
    }
}

/// Reads a key from base64 (RFC 4648 § 4, with padding, unused bits zero).
fn decode_base64(text: &str, key: &mut [u8; KEY_LEN]) -> Result<(), KeyError> {
    if text.len() != BASE64_LEN {
        return Err(KeyError::Length);
    }
    match Base64::decode(text, key) {
        Ok(bytes) if bytes.len() == KEY_LEN => Ok(()),
        _ => Err(KeyError::Encoding),
    }
}

/// Reads a key from hexadecimal digits (RFC 4648 § 8, either case).
fn decode_hex(text: &str, key: &mut [u8; KEY_LEN]) -> Result<(), KeyError> {
    if text.len() != HEX_LEN {
        return Err(KeyError::Length);
    }
    base16ct::mixed::decode(text, key).map(|_| ()).map_err(|_| KeyError::Encoding)
}

/// A field element in its 32 bytes, given by its first, its inner and its last byte.
const fn element(first: u8, inner: u8, last: u8) -> [u8; KEY_LEN] {
    let mut bytes = [inner; KEY_LEN];
    bytes[0] = first;
    bytes[KEY_LEN - 1] = last;
    bytes
}

/// Every u-coordinate below 2^255 whose point on Curve25519 or its twist has an order that divides 8 (the list of
/// <https://cr.yp.to/ecdh.html#validate> without its entries of 2^255 and more, which X25519 masks; RFC 7748 § 6.1).
#[rustfmt::skip]
const LOW_ORDER: [[u8; KEY_LEN]; 7] = [
    element(0, 0, 0),
    element(1, 0, 0),
    // The two u-coordinates of order 8.
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
        0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
        0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    element(0xec, 0xff, 0x7f), // p - 1
    element(0xed, 0xff, 0x7f), // p, another way to write 0
    element(0xee, 0xff, 0x7f), // p + 1, another way to write 1
];
