//! Assembly on x86-64 and aarch64: ring's AEAD, graviola's X25519 where the CPU has what graviola asks for.
//! Needs `std` (to ask the CPU) and, for ring, a C compiler.
pub mod aead;
pub mod dh;
