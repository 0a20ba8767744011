//! What the command tells of tunnels that run, beside what `wg` tells, on machines of their own.
//!
//! Root is needed: machines are network namespaces. Without it every test here fails.
mod doctor;
mod fields;
mod log;
mod scene;
mod waiting;
