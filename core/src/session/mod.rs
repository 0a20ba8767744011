//! Sessions: keypairs, replay windows, session indices.
pub mod index;
pub mod keypair;
pub mod replay;

pub use index::{IndexTable, Lack};
pub use keypair::{Indices, Keypair, Role};
pub use replay::ReplayWindow;
