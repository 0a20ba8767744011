//! What every store does, told once and run for every implementation, and what is told of SQLite alone.
mod changes;
mod devices;
mod disk;
mod enrolments;
mod factors;
mod killed;
mod leases;
mod place;
mod races;
mod restored;
#[cfg(feature = "postgres")]
mod server;
mod sessions;
mod traces;
mod users;
