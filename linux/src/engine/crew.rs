//! Threads that do the crypt step of large batches, while the loop goes on with the rest.
//!
//! Work is handed over whole, buffers and jobs, and comes back whole: nothing is shared, nothing is allocated.
use crate::error::HostError;
use crate::watched::{self, Died};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use underpass_carry::bundle::Bundle;
use underpass_carry::train::Train;

/// What the threads are called.
const NAME: &str = "crypt";
/// Pieces of work that wait for one thread at most; the loop hands out fewer.
const QUEUE: usize = 32;
/// Threads there are on the largest machine.
const MOST: usize = 7;

/// Something to seal or to open, between begin and finish.
#[derive(Debug)]
pub enum Work {
    /// Packets to seal.
    Seal(Box<Train>),
    /// Datagrams to open.
    Open(Box<Bundle>),
    /// A bug.
    #[cfg(test)]
    Panic,
}

/// The threads.
#[derive(Debug)]
pub struct Crew {
    threads: Vec<Thread>,
    done: Receiver<(usize, Work)>,
    next: usize,
}

#[derive(Debug)]
struct Thread {
    /// `None` while the crew is dismissed.
    todo: Option<SyncSender<(usize, Work)>>,
    handle: Option<JoinHandle<()>>,
}

impl Crew {
    /// A crew of as many threads as `workers` says. Should one of them fail, its work still comes back, and `failed` is told.
    ///
    /// # Errors
    /// [`HostError`] when the machine has no room for another thread.
    pub fn new(workers: super::Workers, failed: impl Fn(Died) + Clone + Send + 'static) -> Result<Self, HostError> {
        let count = match workers {
            super::Workers::None => 0,
            super::Workers::Count(count) => count.get(),
            super::Workers::Auto => std::thread::available_parallelism().map_or(0, spare_cores),
        };
        let (finished, done) = sync_channel(count * QUEUE);
        let threads = (0..count).map(|_| Thread::start(finished.clone(), failed.clone())).collect::<Result<_, _>>()?;
        Ok(Self { threads, done, next: 0 })
    }

    /// Whether the loop is alone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// How many threads there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Gives `work` to the next thread, under a number. Gives it back when there is none, or it died.
    #[must_use]
    pub fn hand_over(&mut self, number: usize, work: Work) -> Option<Work> {
        self.next = (self.next + 1) % self.threads.len().max(1);
        match self.threads.get(self.next).and_then(|thread| thread.todo.as_ref()) {
            Some(todo) => todo.send((number, work)).err().map(|unsent| unsent.0.1),
            None => Some(work),
        }
    }

    /// Waits for the next piece that is done. `None`: there will be none.
    pub fn take_back(&self) -> Option<(usize, Work)> {
        self.done.recv().ok()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.threads.iter_mut().for_each(|thread| thread.todo = None);
        for handle in self.threads.iter_mut().filter_map(|thread| thread.handle.take()) {
            _ = handle.join();
        }
    }
}

impl Thread {
    fn start(
        done: SyncSender<(usize, Work)>,
        failed: impl Fn(Died) + Clone + Send + 'static,
    ) -> Result<Self, HostError> {
        let (todo, work) = sync_channel::<(usize, Work)>(QUEUE);
        let of_work = failed.clone();
        let body = move || {
            for (number, mut work) in work {
                // After a panic the jobs that are left come to nothing, and their packets are dropped.
                let outcome = catch_unwind(AssertUnwindSafe(|| work.crypt()));
                if done.send((number, work)).is_err() {
                    return;
                }
                if let Err(panic) = outcome {
                    of_work(Died::of(NAME, &*panic));
                }
            }
        };
        let over = move |outcome: Result<(), Died>| {
            if let Err(died) = outcome {
                failed(died);
            }
        };
        let handle =
            watched::start(NAME, body, over).map_err(|source| HostError::system("starting a thread", source))?;
        Ok(Self { todo: Some(todo), handle: Some(handle) })
    }
}

impl Work {
    fn crypt(&mut self) {
        match self {
            Self::Seal(train) => train.crypt(),
            Self::Open(bundle) => bundle.crypt(),
            #[cfg(test)]
            Self::Panic => panic!("as it should"),
        }
    }
}

/// One core is the loop's own, another that of the programs whose packets these are. Handing work over costs about a
/// quarter more processor time per byte than the loop needs alone: on two cores it makes nothing faster.
fn spare_cores(cores: NonZeroUsize) -> usize {
    cores.get().saturating_sub(2).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cores_are_left_to_the_loop_and_to_programs() {
        for (cores, spare) in [(1, 0), (2, 0), (3, 1), (8, 6), (64, 7)] {
            assert_eq!(NonZeroUsize::new(cores).map(spare_cores), Some(spare), "{cores}");
        }
    }

    #[test]
    fn work_comes_back_under_its_number() {
        let mut crew =
            Crew::new(super::super::Workers::Count(NonZeroUsize::new(3).expect("3")), drop).expect("threads");
        for number in 0..20 {
            assert!(crew.hand_over(number, Work::Seal(Box::default())).is_none());
        }
        let mut numbers: Vec<_> = (0..20).filter_map(|_| crew.take_back()).map(|(number, _)| number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(0..20));
    }

    #[test]
    fn a_bug_is_told_and_its_work_comes_back() {
        let (told, heard) = std::sync::mpsc::channel();
        let failed = move |died: Died| told.send(died.to_string()).expect("the test listens");
        let mut crew = Crew::new(super::super::Workers::Count(NonZeroUsize::MIN), failed).expect("a thread");
        for number in [1, 2] {
            assert!(crew.hand_over(number, Work::Panic).is_none());
            assert_eq!(crew.take_back().map(|(number, _)| number), Some(number));
            assert_eq!(heard.recv().as_deref(), Ok("internal error: the thread `crypt` panicked: as it should"));
        }
    }

    #[test]
    fn a_crew_of_none_takes_nothing() {
        let mut crew = Crew::new(super::super::Workers::None, drop).expect("nothing");
        assert!(crew.hand_over(0, Work::Seal(Box::default())).is_some());
    }
}
