//! What every entry goes through: a panic stays inside, a handle has one call at a time. Without an operating system a panic
//! ends everything (`no_os`), so there is nothing to catch.
use crate::handle::{Marks, underpass_tunnel};
use crate::memory::Caller;
use underpass_core::{Status, Tunnel};

/// What an entry answers: nothing special, or a status that ends it at once.
pub(crate) type Answer = Result<(), Status>;

/// An entry. A panic in it, which is a bug, becomes a status.
pub(crate) fn enter(body: impl for<'c> FnOnce(Caller<'c>) -> Answer) -> i32 {
    match caught(|| Caller::attend(body)) {
        Ok(()) => Status::Ok.code(),
        Err(status) => status.code(),
    }
}

/// Runs it; a panic is a status.
#[cfg(feature = "std")]
fn caught(body: impl FnOnce() -> Answer) -> Answer {
    // What a panic leaves behind is not looked at again: a tunnel is poisoned, the rest is dropped.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(Err(Status::Panic))
}

/// Runs it; a panic does not come back from it.
#[cfg(not(feature = "std"))]
fn caught(body: impl FnOnce() -> Answer) -> Answer {
    body()
}

/// An entry with a tunnel, which is its own until it returns.
pub(crate) fn enter_tunnel(
    handle: *const underpass_tunnel,
    body: impl for<'c> FnOnce(Caller<'c>, &mut Tunnel) -> Answer,
) -> i32 {
    enter_marked(handle, |caller, tunnel, _| body(caller, tunnel))
}

/// The same, with how the tunnel is known outside the core.
pub(crate) fn enter_marked(
    handle: *const underpass_tunnel,
    body: impl for<'c> FnOnce(Caller<'c>, &mut Tunnel, Marks) -> Answer,
) -> i32 {
    enter(|caller| {
        let mut claim = caller.claim(handle)?;
        let marks = claim.marks();
        let answer = body(caller, claim.tunnel(), marks);
        claim.release();
        answer
    })
}
