//! Deadlines: the queue that knows the earliest one.
pub mod queue;
pub use queue::DeadlineQueue;
