//! The one door through which the tunnel starts threads: none of them ends unnoticed.
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

/// A thread panicked: a bug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("internal error: the thread `{thread}` panicked: {said}")]
pub struct Died {
    thread: String,
    said: String,
}

impl Died {
    /// The thread called `thread` panicked with what `catch_unwind` caught.
    #[must_use]
    pub fn of(thread: &str, panic: &(dyn Any + Send)) -> Self {
        let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        Self { thread: thread.into(), said: said.unwrap_or("it did not say why").into() }
    }
}

/// Starts a thread called `name` that runs `body` and then tells `over` what came of it, whether it returned or panicked.
///
/// # Errors
/// The machine has no room for another thread; then neither is called.
pub fn start<T>(
    name: impl Into<String>,
    body: impl FnOnce() -> T + Send + 'static,
    over: impl FnOnce(Result<T, Died>) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let name = name.into();
    let called = name.clone();
    Builder::new().name(name).spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(body));
        over(outcome.map_err(|panic| Died::of(&called, &*panic)));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn outcome_of(body: impl FnOnce() -> u8 + Send + 'static) -> Result<u8, Died> {
        let (sender, receiver) = channel();
        start("worker", body, move |outcome| sender.send(outcome).expect("the test waits")).expect("a thread");
        receiver.recv().expect("it tells")
    }

    #[test]
    fn a_thread_tells_how_it_ended() {
        assert_eq!(outcome_of(|| 7), Ok(7));
        let number = 3;
        let died = outcome_of(move || panic!("number {number}")).expect_err("it panicked");
        assert_eq!(died.to_string(), "internal error: the thread `worker` panicked: number 3");
        let died = outcome_of(|| std::panic::panic_any(1_u8)).expect_err("it panicked");
        assert_eq!(died.to_string(), "internal error: the thread `worker` panicked: it did not say why");
    }
}
