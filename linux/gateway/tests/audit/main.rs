//! The audit log as files: how it is written, what is found of what was done to it, and whether its documentation is true.
mod document;
mod killed;
mod place;
mod tampered;
mod written;
