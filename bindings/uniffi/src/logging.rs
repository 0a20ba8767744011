//! What the library says of itself: to the log of the platform (logcat, Apple's unified log), and to the application if it wants.
//!
//! Errors, warnings and a few lines of a tunnel's life. Never a key, nor the text of a configuration; addresses and names of
//! peers on the level `Debug` alone, which is off until somebody asks for it.
use crate::error::TunnelError;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How important a line is, and how much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, uniffi::Enum)]
#[repr(u8)]
pub enum LogLevel {
    /// Nothing is said.
    Off = 0,
    /// Something ended that was not to end.
    Error = 1,
    /// Something is wrong, and the library goes on.
    Warn = 2,
    /// What became of tunnels and their data plane.
    Info = 3,
    /// Single failures of the network, with addresses.
    Debug = 4,
}

/// Gets the lines, beside the log of the platform.
#[uniffi::export(with_foreign)]
pub trait LogSink: Send + Sync {
    /// One line. It is called by any thread that the library works on: it must not wait, and what it calls of the library says
    /// nothing.
    ///
    /// # Errors
    /// What it throws is passed over.
    fn log(&self, level: LogLevel, line: String) -> Result<(), TunnelError>;
}

static LEVEL: AtomicU8 = AtomicU8::new(LogLevel::Info as u8);
/// No code of the application runs while it is locked.
static SINK: RwLock<Option<Arc<dyn LogSink>>> = RwLock::new(None);

thread_local! {
    /// A line is being said by this thread.
    static SPEAKING: Cell<bool> = const { Cell::new(false) };
}

/// Sets how much is said, by all tunnels of this library; at first it is `Info`. `sink` gets it too, in place of an earlier one;
/// without one, it goes to the log of the platform alone, and where there is none, nowhere.
#[uniffi::export]
pub fn set_logging(level: LogLevel, sink: Option<Arc<dyn LogSink>>) {
    LEVEL.store(level as u8, Ordering::Relaxed);
    let before = std::mem::replace(&mut *SINK.write().unwrap_or_else(PoisonError::into_inner), sink);
    // Not under the lock: it may be the last reference.
    drop(before);
}

/// Says a line. No lock of a tunnel may be held.
pub fn say(level: LogLevel, line: fmt::Arguments<'_>) {
    if level as u8 > LEVEL.load(Ordering::Relaxed) || level == LogLevel::Off {
        return;
    }
    // A thread that is about to end has no such flag any more, and says nothing.
    if SPEAKING.try_with(|speaking| speaking.replace(true)).unwrap_or(true) {
        return;
    }
    platform::say(level, line);
    let sink = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(sink) = sink {
        _ = catch_unwind(AssertUnwindSafe(|| sink.log(level, line.to_string())));
    }
    _ = SPEAKING.try_with(|speaking| speaking.set(false));
}

#[cfg(target_os = "android")]
mod platform {
    use super::LogLevel;
    use log::{Level, Log as _, Record};
    use std::fmt;
    use std::sync::OnceLock;

    const TAG: &str = "underpass";

    /// Not the logger of the whole process, which is the application's to set.
    static LOGCAT: OnceLock<android_logger::AndroidLogger> = OnceLock::new();

    pub(super) fn say(level: LogLevel, line: fmt::Arguments<'_>) {
        let level = match level {
            LogLevel::Off => return,
            LogLevel::Error => Level::Error,
            LogLevel::Warn => Level::Warn,
            LogLevel::Info => Level::Info,
            LogLevel::Debug => Level::Debug,
        };
        let everything = || android_logger::Config::default().with_tag(TAG).with_max_level(log::LevelFilter::Trace);
        let logcat = LOGCAT.get_or_init(|| android_logger::AndroidLogger::new(everything()));
        logcat.log(&Record::builder().args(line).level(level).target(TAG).build());
    }
}

#[cfg(target_vendor = "apple")]
mod platform {
    use super::LogLevel;
    use oslog::{Level, OsLog};
    use std::fmt;
    use std::sync::OnceLock;

    static UNIFIED: OnceLock<OsLog> = OnceLock::new();

    pub(super) fn say(level: LogLevel, line: fmt::Arguments<'_>) {
        let level = match level {
            LogLevel::Off => return,
            LogLevel::Error => Level::Fault,
            LogLevel::Warn => Level::Error,
            LogLevel::Info => Level::Default,
            LogLevel::Debug => Level::Debug,
        };
        UNIFIED.get_or_init(|| OsLog::new("org.underpass", "tunnel")).with_level(level, &line.to_string());
    }
}

#[cfg(not(any(target_os = "android", target_vendor = "apple")))]
mod platform {
    use super::LogLevel;
    use std::fmt;

    /// A library has no business on the standard streams of somebody else's program.
    pub(super) fn say(_level: LogLevel, _line: fmt::Arguments<'_>) {}
}
