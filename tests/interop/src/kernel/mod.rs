//! The WireGuard of the Linux kernel as a peer, in a guest.
//!
//! The kernel of the machine at hand may have none, and it is nobody's to load modules into. So Debian's own kernel runs
//! in an emulated machine, a [`Guest`]. `tests/setup.sh` makes what it boots from. Emulation is slow, and starting costs
//! seconds: stories share a guest, and each has a [`Seat`] in it, with a wire and a command line of its own. A seat is to
//! the guest what a machine is to us. A story that puts the whole kernel under load has a guest for itself.
//!
//! How long anything takes here says nothing. Stories wait for what is to happen, for up to [`PATIENCE`].
mod console;
mod device;
mod emulator;
mod guest;
mod pair;
mod seat;
mod transfer;

pub use console::{Answer, Console};
pub use device::KernelDevice;
pub use guest::Guest;
pub use pair::{First, KernelPair, Outer};
pub use seat::Seat;
pub use transfer::{into_guest, out_of_guest};

use crate::{play, seconds};
use anyhow::Result;
use std::time::Duration;
use underpass_linux::demo::stage::Stage;

/// How long a story waits for what the guest has to do with: many times what it takes on an idle machine.
pub const PATIENCE: Duration = seconds(300);

/// Tells a story on a seat of the guest that stories share; when it fails, prints what the guest said too.
///
/// # Panics
/// As [`play`].
pub fn play_with_kernel(story: impl FnOnce(&Stage, Seat) -> Result<()>) {
    play(|stage| {
        let guest = Guest::shared()?;
        told_by(&guest, story(stage, guest.seat()?))
    });
}

/// Tells a story with a guest that nobody else has.
///
/// # Panics
/// As [`play`].
pub fn play_with_kernel_alone(story: impl FnOnce(&Stage, Seat) -> Result<()>) {
    play(|stage| {
        let guest = Guest::alone()?;
        told_by(&guest, story(stage, guest.seat()?))
    });
}

fn told_by(guest: &Guest, outcome: Result<()>) -> Result<()> {
    if outcome.is_err() {
        println!("{}", guest.journal());
    }
    outcome
}
