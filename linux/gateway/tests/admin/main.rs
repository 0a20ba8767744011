//! What administrators do, from the command line to the lines of audit.
mod commands;
mod place;
mod recorded;
