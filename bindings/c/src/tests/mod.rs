//! What only the inside can provoke.
mod handles;
mod many;
mod records;
