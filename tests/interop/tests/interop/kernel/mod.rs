//! Underpass and the WireGuard of the Linux kernel.
mod contact;
mod cookies;
mod guest;
mod rekey;
mod roaming;
