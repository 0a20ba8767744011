//! Pumps without a Java machine.
mod carrying;
mod life;
mod refusals;
mod scene;
