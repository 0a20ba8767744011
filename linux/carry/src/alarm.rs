//! Two timers: one for the tunnel's next deadline, one that hears when the wall clock is set.
use crate::fault::Fault;
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use underpass_core::Instant;

/// Readable when the deadline is due; counts time asleep.
#[derive(Debug)]
pub struct Alarm {
    timer: TimerFd,
    armed: Option<Instant>,
}

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// [`Fault`] when there is no descriptor left.
    pub fn new() -> Result<Self, Fault> {
        Ok(Self { timer: timer(ClockId::CLOCK_BOOTTIME)?, armed: None })
    }

    /// Sets the alarm to `deadline`. An alarm set to an earlier time is left: waking once for nothing is cheaper than a
    /// system call for every packet that moves a deadline.
    pub fn set(&mut self, deadline: Option<Instant>) {
        let result = match (deadline, self.armed) {
            (None, None) => return,
            (Some(at), Some(armed)) if armed <= at => return,
            (None, Some(_)) => self.timer.unset(),
            (Some(at), _) => {
                // Zero would turn the timer off.
                let at = TimeSpec::from_duration(Duration::from_nanos(at.as_nanos().clamp(1, i64::MAX as u64)));
                self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
            }
        };
        self.armed = deadline.filter(|_| result.is_ok());
    }

    /// The alarm went off: it is not set any more.
    pub fn ring(&mut self) {
        _ = drain(&self.timer);
        self.armed = None;
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

/// Readable when the wall clock was set, or the machine woke up.
#[derive(Debug)]
pub struct WallClockWatch {
    timer: TimerFd,
}

impl WallClockWatch {
    /// A watch on the wall clock.
    ///
    /// # Errors
    /// [`Fault`] when there is no descriptor left.
    pub fn new() -> Result<Self, Fault> {
        let watch = Self { timer: timer(ClockId::CLOCK_REALTIME)? };
        watch.arm().map_err(|errno| Fault::system("watching the wall clock", errno.into()))?;
        Ok(watch)
    }

    /// A timer far ahead, cancelled when its clock is set.
    fn arm(&self) -> Result<(), Errno> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let far = TimeSpec::from_duration(wall + Duration::from_secs(50 * 365 * 86400));
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        self.timer.set(Expiration::OneShot(far), flags)
    }

    /// The watch was readable: the clock was set. Watches on.
    ///
    /// # Errors
    /// The system's: the wall clock is no longer watched.
    pub fn acknowledge(&self) -> Result<(), Errno> {
        _ = drain(&self.timer);
        self.arm()
    }
}

impl AsFd for WallClockWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

fn timer(clock: ClockId) -> Result<TimerFd, Fault> {
    TimerFd::new(clock, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)
        .map_err(|errno| Fault::system("making a timer", errno.into()))
}

fn drain(timer: &TimerFd) -> io::Result<usize> {
    Ok(nix::unistd::read(timer, &mut [0; 8])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use nix::poll::{PollFd, PollFlags, poll};

    fn is_readable_within(alarm: &impl AsFd, millis: u16) -> bool {
        poll(&mut [PollFd::new(alarm.as_fd(), PollFlags::POLLIN)], millis) == Ok(1)
    }

    #[test]
    fn rings_when_due_and_once() {
        let mut alarm = Alarm::new().expect("a descriptor");
        assert!(!is_readable_within(&alarm, 20), "not set");
        let start = clock::now();
        alarm.set(Some(start + Duration::from_millis(40)));
        assert!(is_readable_within(&alarm, 5000));
        assert!(clock::now().since(start) >= Duration::from_millis(40));
        alarm.ring();
        assert!(!is_readable_within(&alarm, 20), "rung");
    }

    #[test]
    fn an_earlier_deadline_moves_it_and_none_turns_it_off() {
        let mut alarm = Alarm::new().expect("a descriptor");
        alarm.set(Some(clock::now() + Duration::from_secs(3600)));
        alarm.set(Some(clock::now() + Duration::from_millis(10)));
        assert!(is_readable_within(&alarm, 5000));
        alarm.ring();
        alarm.set(Some(clock::now() + Duration::from_millis(10)));
        alarm.set(None);
        assert!(!is_readable_within(&alarm, 50));
        alarm.set(Some(Instant::ZERO));
        assert!(is_readable_within(&alarm, 5000), "the past is due at once");
    }

    #[test]
    fn the_wall_clock_watch_is_silent_while_nobody_sets_the_clock() {
        let watch = WallClockWatch::new().expect("a descriptor");
        assert!(!is_readable_within(&watch, 20));
        watch.acknowledge().expect("it watches on");
        assert!(!is_readable_within(&watch, 20));
    }
}
