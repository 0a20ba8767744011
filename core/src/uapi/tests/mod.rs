//! The control protocol as `wg` and wireguard-go speak it.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
mod figures;
mod requests;
mod sets;
mod tunnels;

use std::string::{String, ToString};

/// Texts write keys as these marks; they are the keys of the configuration's tests. Both cases are read.
const KEYS: &[(&str, &str)] = &[
    ("%priv%", "5076d4643860f92ab6eca0069c326331d45a22b9d4614bb1c016a0ce0975ff4f"),
    ("%a%", "7d6a17f2ac1cfdefe66b06f6c6fe85e94a08fc478870ecfa8e325e88cb64bc0d"),
    ("%b%", "E861E69700042334F40D065FB2651A20B1C9182783C4D17129EF84DF6D3D735B"),
    ("%psk%", "1076d2fd04fd70f868f7e8006584356b39be54d2d0865a987bea9c257d346dc2"),
    ("%one%", "0100000000000000000000000000000000000000000000000000000000000000"),
    ("%zero%", "0000000000000000000000000000000000000000000000000000000000000000"),
];

fn with_keys(text: &str) -> String {
    KEYS.iter().fold(text.to_string(), |text, (mark, key)| text.replace(mark, key))
}

fn without_keys(text: &str) -> String {
    KEYS.iter().fold(text.to_string(), |text, (mark, key)| text.replace(&key.to_ascii_lowercase(), mark))
}
