//! `up`, `down` and what belongs to them, as root, on machines of their own: whatever is killed, edited, removed or missing,
//! and beside wg-quick(8).
//!
//! Root is needed: machines are network namespaces. Without it every test here fails.
mod beside;
mod corpus;
mod killed;
mod premises;
mod record;
mod taken;
