//! The threads that hash passwords.
use super::{Cost, HashError, Password, Verdict, hash, verify};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use zeroize::Zeroizing;

/// The most threads, hence the most jobs at work at once: each takes 19 MiB.
pub const MOST_THREADS: usize = 4;

/// The number by which whoever asks knows the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What is to be done.
#[derive(Debug)]
pub enum Work {
    /// Compare a password with a stored hash; `None`: there is no such user.
    Verify {
        /// The password.
        password: Password,
        /// The PHC string.
        phc: Option<Zeroizing<String>>,
    },
    /// Hash a new password.
    Hash {
        /// The password.
        password: Password,
    },
}

/// A request.
#[derive(Debug)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What is to be done.
    pub work: Work,
}

/// What came of a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Whether the password was the right one.
    Verified(Verdict),
    /// The PHC string of a new password.
    Hashed(Zeroizing<String>),
    /// It could not be done. The password counts as wrong.
    Failed(HashError),
    /// The thread panicked, which is a bug. The password counts as wrong.
    Died,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// Of this request.
    pub id: JobId,
    /// What came of it.
    pub outcome: Outcome,
}

/// Threads that hash passwords, at most [`MOST_THREADS`]. Requests wait in a queue of bounded length; every request that was
/// taken is answered exactly once, in no particular order.
#[derive(Debug)]
pub struct Workers {
    jobs: Option<Sender<Job>>,
    done: Receiver<Done>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Requests that may be under way at once, answers that were not collected included.
    room: usize,
}

#[derive(Debug, Default)]
struct Shared {
    /// Requests whose answers were not collected.
    pending: AtomicUsize,
    over: AtomicBool,
}

impl Workers {
    /// Starts `threads` threads, 1 to [`MOST_THREADS`], before which `waiting` more requests may wait. `wake` is called by them
    /// whenever there is an answer to collect.
    ///
    /// # Errors
    /// The machine has no room for the threads.
    pub fn start(
        threads: usize,
        waiting: usize,
        cost: Cost,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let threads = threads.clamp(1, MOST_THREADS);
        let ((jobs, queue), (sender, done)) = (channel(), channel());
        let queue = Arc::new(Mutex::new(queue));
        let room = threads.saturating_add(waiting);
        let mut workers =
            Self { jobs: Some(jobs), done, shared: Arc::default(), threads: Vec::with_capacity(threads), room };
        for number in 0..threads {
            let (queue, sender, shared, wake) =
                (Arc::clone(&queue), sender.clone(), Arc::clone(&workers.shared), wake.clone());
            let named = Builder::new().name(format!("password-{number}"));
            workers.threads.push(named.spawn(move || work(&queue, &sender, &shared, cost, wake))?);
        }
        Ok(workers)
    }

    /// Hands a request in.
    ///
    /// # Errors
    /// The request itself, when too many are under way: tell whoever asks to try again later.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        let taken = self
            .shared
            .pending
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |pending| (pending < self.room).then_some(pending + 1));
        let (Ok(_), Some(jobs)) = (taken, &self.jobs) else { return Err(job) };
        jobs.send(job).map_err(|refused| {
            self.shared.pending.fetch_sub(1, Ordering::AcqRel);
            refused.0
        })
    }

    /// The next answer, if there is one.
    pub fn collect(&self) -> Option<Done> {
        self.wait(Duration::ZERO).ok()
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// There was none in this time.
    pub fn wait(&self, patience: Duration) -> Result<Done, RecvTimeoutError> {
        let done = self.done.recv_timeout(patience)?;
        self.shared.pending.fetch_sub(1, Ordering::AcqRel);
        Ok(done)
    }
}

/// Requests that no thread has begun are dropped, and their passwords wiped; those that were begun are waited for.
impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A job's panic is caught, see `work`; one outside of a job has said so on standard error.
            let _ = thread.join();
        }
    }
}

/// The life of a thread.
fn work(queue: &Mutex<Receiver<Job>>, done: &Sender<Done>, shared: &Shared, cost: Cost, wake: impl Fn()) {
    loop {
        // The lock is held while waiting: the others wait for it instead of for the queue.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { id, work }) = next else { return };
        if shared.over.load(Ordering::Acquire) {
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| outcome_of(&work, cost))).unwrap_or(Outcome::Died);
        drop(work);
        if done.send(Done { id, outcome }).is_err() {
            return;
        }
        wake();
    }
}

fn outcome_of(work: &Work, cost: Cost) -> Outcome {
    match work {
        Work::Verify { password, phc } => {
            let phc = phc.as_ref().map(|phc| phc.as_str());
            verify(password, phc, cost).map_or_else(Outcome::Failed, Outcome::Verified)
        }
        Work::Hash { password } => hash(password, cost).map_or_else(Outcome::Failed, Outcome::Hashed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::mpsc::{self, TryRecvError};

    const LITTLE: Cost = Cost { memory: 8, passes: 1, lanes: 1 };
    /// Ends a test that hangs; nothing takes that long.
    const PATIENCE: Duration = Duration::from_secs(120);

    fn job(id: u64, work: impl FnOnce(Password) -> Work) -> Job {
        Job { id: JobId(id), work: work(Password::new("correct horse").expect("a password")) }
    }

    #[test]
    fn answers_come_by_number_and_each_once() {
        let (woken, wakes) = mpsc::channel();
        let workers = Workers::start(3, 100, LITTLE, move || assert!(woken.send(()).is_ok())).expect("threads");
        let phc = hash(&Password::new("correct horse").expect("a password"), LITTLE).expect("a hash");
        let wrong = hash(&Password::new("another").expect("a password"), LITTLE).expect("a hash");
        for id in 0..90 {
            let phc = match id % 3 {
                0 => Some(phc.clone()),
                1 => Some(wrong.clone()),
                _ => None,
            };
            workers.submit(job(id, |password| Work::Verify { password, phc })).expect("there is room");
        }
        let mut answers = BTreeMap::new();
        for _ in 0..90 {
            let done = workers.wait(PATIENCE).expect("an answer");
            assert!(answers.insert(done.id.0, done.outcome).is_none(), "{:?} was answered twice", done.id);
        }
        for (id, outcome) in answers {
            let want = if id % 3 == 0 { Verdict::Right { rehash: false } } else { Verdict::Wrong };
            assert_eq!(outcome, Outcome::Verified(want), "job {id}");
        }
        assert_eq!(workers.collect(), None);
        for _ in 0..90 {
            wakes.recv_timeout(PATIENCE).expect("each answer wakes");
        }
    }

    #[test]
    fn beyond_its_room_a_request_is_given_back_and_room_comes_with_answers() {
        let (hold, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        // The first answer wakes, and waking is held up: from there on nothing goes on.
        let wake = move || held.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap_or_default();
        let workers = Workers::start(1, 2, LITTLE, wake).expect("a thread");
        for id in 0..3 {
            workers.submit(job(id, |password| Work::Hash { password })).expect("there is room");
        }
        let refused = workers.submit(job(3, |password| Work::Hash { password })).expect_err("there is none");
        assert_eq!(refused.id, JobId(3));
        assert!(matches!(workers.wait(PATIENCE).expect("an answer").outcome, Outcome::Hashed(_)));
        workers.submit(refused).expect("there is room for one");
        workers.submit(job(4, |password| Work::Hash { password })).expect_err("and for no more");
        drop(hold);
        for id in 1..4 {
            assert_eq!(workers.wait(PATIENCE).expect("an answer").id, JobId(id));
        }
    }

    #[test]
    fn what_cannot_be_verified_is_answered_too() {
        let workers = Workers::start(9, 1, LITTLE, || {}).expect("threads");
        assert_eq!(workers.threads.len(), MOST_THREADS);
        let phc = Some(Zeroizing::new("$1$salt$md5".to_owned()));
        workers.submit(job(7, |password| Work::Verify { password, phc })).expect("there is room");
        let done = workers.wait(PATIENCE).expect("an answer");
        assert_eq!(done, Done { id: JobId(7), outcome: Outcome::Failed(HashError::Form) });
    }

    #[test]
    fn dropping_the_workers_ends_their_threads() {
        let (alive, over) = mpsc::channel::<()>();
        let workers = Workers::start(2, 50, LITTLE, move || assert!(alive.send(()).is_ok())).expect("threads");
        for id in 0..50 {
            workers.submit(job(id, |password| Work::Hash { password })).expect("there is room");
        }
        drop(workers);
        while over.try_recv() == Ok(()) {}
        assert_eq!(over.try_recv(), Err(TryRecvError::Disconnected), "no thread is left that could wake");
    }
}
