//! Programs that run on a machine.
use super::journal::Page;
use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How long a program may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How often a program is asked whether it ended.
const GLANCE: Duration = Duration::from_millis(5);

/// A program that runs; it is ended when this is dropped.
#[derive(Debug)]
pub struct Running {
    title: String,
    child: Child,
    stdout: Page,
    stderr: Page,
}

/// A program that ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command, for messages.
    pub title: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

impl Running {
    pub(super) fn new(title: String, child: Child, stdout: Page, stderr: Page) -> Self {
        Self { title, child, stdout, stderr }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.read()
    }

    /// What it complained so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.read()
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended and was waited for.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.process(), signal).with_context(|| format!("signalling `{}`", self.title))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it still runs after `patience`; it is killed then.
    pub fn wait(mut self, patience: Duration) -> Result<Finished> {
        match self.wait_for(patience)? {
            Some(status) => Ok(self.finished(status)),
            None => bail!("`{}` did not end within {patience:?}\n{}{}", self.title, self.stdout(), self.stderr()),
        }
    }

    fn wait_for(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if started.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(GLANCE);
        }
    }

    fn finished(&self, status: ExitStatus) -> Finished {
        Finished { title: self.title.clone(), status, stdout: self.stdout(), stderr: self.stderr() }
    }

    fn process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("process ids are positive and fit an i32"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Neither call can fail in a way that leaves more to do: the process is ours and not yet waited for.
            let _ = kill(self.process(), Signal::SIGTERM);
            if !matches!(self.wait_for(GRACE), Ok(Some(_))) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

impl Finished {
    /// What it printed, when it succeeded.
    ///
    /// # Errors
    /// When it did not: its output.
    pub fn success(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        bail!("`{}` failed with {}\n{}{}", self.title, self.status, self.stdout, self.stderr)
    }
}
