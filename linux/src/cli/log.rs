//! The log: lines for a stream that may be full, stuck or gone. Whoever logs waits for nothing and hears of no fault.
//!
//! A thread writes the lines. Those for which its queue has no room, and those that the stream does not take, are counted;
//! the count is written before the next line that the stream takes.
use super::lost::Lost;
use crate::watched;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait for the stream.
const QUEUE: usize = 512;
/// How long the end of the program waits for lines to be written.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Takes lines for the log. Clones write to the same stream.
#[derive(Clone)]
pub struct Log {
    queue: SyncSender<Piece>,
    lost: Arc<Lost>,
}

/// What goes to the thread.
enum Piece {
    Line(Vec<u8>),
    /// Everything before it was written, or lost.
    End(std::sync::mpsc::Sender<()>),
}

impl Log {
    /// A log that writes to `stream`.
    ///
    /// # Errors
    /// The machine has no room for another thread.
    pub fn to(stream: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, pieces) = sync_channel(QUEUE);
        let lost = Arc::new(Lost::default());
        let counted = Arc::clone(&lost);
        // Without its thread, lines are counted and the tunnel goes on.
        watched::start("log", move || write_all(&pieces, stream, &counted), drop)?;
        Ok(Self { queue, lost })
    }

    /// Adds `line`, which ends with a line feed.
    pub fn add(&self, line: impl Into<Vec<u8>>) {
        if self.queue.try_send(Piece::Line(line.into())).is_err() {
            self.lost.add();
        }
    }

    /// Waits until all lines were written, at most `patience`.
    pub fn finish(&self, patience: Duration) {
        let (done, is_done) = channel();
        if self.queue.try_send(Piece::End(done)).is_ok() {
            let _ = is_done.recv_timeout(patience);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("lost", &self.lost).finish_non_exhaustive()
    }
}

/// Each call of `write` is one line: that is how events are written.
impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Standard error without its lock, which a writer that is stuck holds for ever.
#[derive(Debug)]
pub struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(io::stderr(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(pieces: &Receiver<Piece>, mut stream: impl Write, lost: &Lost) {
    for piece in pieces {
        match piece {
            Piece::Line(line) => {
                tell_of_lost(&mut stream, lost);
                if stream.write_all(&line).is_err() {
                    lost.add();
                }
            }
            Piece::End(done) => {
                tell_of_lost(&mut stream, lost);
                let _ = done.send(());
            }
        }
    }
}

fn tell_of_lost(stream: &mut impl Write, lost: &Lost) {
    lost.tell(|count| stream.write_all(format!("underpass: {count} lines of the log were lost\n").as_bytes()).is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::Sender;

    /// A stream that takes what the test lets it take.
    struct Stream {
        written: Arc<Mutex<Vec<u8>>>,
        is_full: Arc<Mutex<bool>>,
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if *self.is_full.lock().expect("not poisoned") {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A stream that is stuck until somebody says that it may go on.
    struct Stuck(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Long enough for a loaded machine; only a failing test waits for it.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_the_count_is_told() {
        let (written, is_full) = (Arc::new(Mutex::default()), Arc::new(Mutex::new(true)));
        let log = Log::to(Stream { written: Arc::clone(&written), is_full: Arc::clone(&is_full) }).expect("a thread");
        log.add("one\n");
        log.add("two\n");
        log.finish(LONG);
        *is_full.lock().expect("not poisoned") = false;
        log.add("three\n");
        log.finish(LONG);
        let text = String::from_utf8(written.lock().expect("not poisoned").clone()).expect("text");
        assert_eq!(text, "underpass: 2 lines of the log were lost\nthree\n");
    }

    #[test]
    fn a_stream_that_is_stuck_keeps_nobody_waiting() {
        let (go_on, may_go_on) = channel();
        let (sender, written) = channel();
        let log = Log::to(Stuck(may_go_on, sender)).expect("a thread");
        let lines = 2 * QUEUE;
        for number in 0..lines {
            log.add(format!("{number}\n"));
        }
        log.finish(Duration::from_millis(1));
        // Each line needs leave, and so does the count.
        (0..=lines).for_each(|_| go_on.send(()).expect("the thread waits"));
        let mut lost = 0;
        for expected in 0.. {
            let line = String::from_utf8(written.recv_timeout(LONG).expect("a line")).expect("text");
            match line.split(' ').nth(1).and_then(|count| count.parse::<usize>().ok()) {
                Some(count) => lost += count,
                None => assert_eq!(line, format!("{expected}\n"), "in order"),
            }
            if lost > 0 {
                assert!(lost >= lines - QUEUE - 2, "{lost} of {lines}");
                break;
            }
        }
    }
}
