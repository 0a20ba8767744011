//! The one door for events.
use super::checkpoint::{Notary, SigningKey};
use super::log::{Held, Log};
use super::syslog::Syslog;
use super::{AuditError, Event, Level, Permitted, Text};
use crate::name::Name;
use crate::time::Time;
use std::path::PathBuf;

/// Files of the log get no longer than this by much.
pub const ROTATE_AT: u64 = 64 * 1024 * 1024;

/// How a gateway records.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How much.
    pub level: Level,
    /// The folder of the log.
    pub folder: PathBuf,
    /// The name of the gateway, in each line.
    pub gateway: Name,
    /// When a file is long enough, in bytes; usually [`ROTATE_AT`].
    pub rotate_at: u64,
    /// Where the signing key is and where checkpoints go; `None`: there are none.
    pub checkpoints: Option<(PathBuf, PathBuf)>,
    /// The socket of the system's log; `None`: it is told nothing.
    pub syslog: Option<PathBuf>,
}

/// The one door for events: it asks the level first. At level `none`, it has nothing that it could write to.
#[derive(Debug)]
pub struct Recorder {
    level: Level,
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    gateway: Name,
    log: Log,
    notary: Option<Notary>,
    /// The number of the last line that a checkpoint of this program covers.
    noted: u64,
    syslog: Option<Syslog>,
}

/// The right to record, see [`Recorder::hold`].
#[derive(Debug)]
pub struct Hold(Option<Held>);

impl Recorder {
    /// Opens the log and what goes with it. At level `none`, nothing is opened or made.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open(settings: &Settings, at: Time) -> Result<Self, AuditError> {
        if settings.level == Level::None {
            return Ok(Self { level: Level::None, writing: None });
        }
        let Settings { folder, gateway, rotate_at, .. } = settings;
        let log = Log::open(folder, gateway, *rotate_at, at)?;
        let notary = settings.checkpoints.as_ref().map(|(key, file)| Ok(Notary::new(SigningKey::at(key)?, file)));
        let writing = Writing {
            gateway: gateway.clone(),
            log,
            notary: notary.transpose()?,
            noted: 0,
            syslog: settings.syslog.as_deref().map(Syslog::at),
        };
        Ok(Self { level: settings.level, writing: Some(writing) })
    }

    /// The level in force.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Records an event, if the level permits it.
    ///
    /// # Errors
    /// [`AuditError`]. Then it is not recorded.
    pub fn emit(&mut self, at: Time, event: Event) -> Result<(), AuditError> {
        let hold = self.hold()?;
        self.emit_in(&hold, at, event)
    }

    /// Waits until no other program records, and keeps them waiting: what happens meanwhile and the lines about it belong
    /// together.
    ///
    /// # Errors
    /// [`AuditError::Disk`].
    pub fn hold(&self) -> Result<Hold, AuditError> {
        self.writing.as_ref().map(|writing| writing.log.hold()).transpose().map(Hold)
    }

    /// Records an event under a hold that was taken before.
    ///
    /// # Errors
    /// [`AuditError`]. Then it is not recorded.
    pub fn emit_in(&mut self, hold: &Hold, at: Time, event: Event) -> Result<(), AuditError> {
        match (&mut self.writing, hold, self.level.permit(event)) {
            (Some(writing), Hold(Some(held)), Some(event)) => writing.record(held, at, &event),
            _ => Ok(()),
        }
    }

    /// Finds out whether lines can follow the last one, before something is done that has to be recorded.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn is_ready(&mut self, hold: &Hold, at: Time) -> Result<(), AuditError> {
        match (&mut self.writing, hold) {
            (Some(writing), Hold(Some(held))) => writing.log.head(held, at).map(drop),
            _ => Ok(()),
        }
    }

    /// Makes what was recorded outlast a loss of power.
    ///
    /// # Errors
    /// [`AuditError::Disk`].
    pub fn sync(&self) -> Result<(), AuditError> {
        self.writing.as_ref().map_or(Ok(()), |writing| writing.log.sync())
    }

    /// Notes in the second place how far the log goes, if it goes further than last time. To be called each minute.
    ///
    /// # Errors
    /// [`AuditError`]. The log itself is as it was.
    pub fn checkpoint(&mut self, at: Time) -> Result<(), AuditError> {
        self.writing.as_mut().map_or(Ok(()), |writing| writing.checkpoint(at))
    }
}

impl Writing {
    fn record(&mut self, held: &Held, at: Time, event: &Permitted) -> Result<(), AuditError> {
        let line = self.log.append(held, at, event)?;
        let Some(count) = self.syslog.as_mut().and_then(|syslog| syslog.send(&line)) else { return Ok(()) };
        let lost = Level::Minimal.permit(Event::LogLost { sink: Text::new("syslog"), count });
        match lost {
            Some(lost) => self.log.append(held, at, &lost).map(drop),
            None => Ok(()),
        }
    }

    fn checkpoint(&mut self, at: Time) -> Result<(), AuditError> {
        let Some(notary) = &self.notary else { return Ok(()) };
        let held = self.log.hold()?;
        let (seq, hash) = self.log.head(&held, at)?;
        if seq == self.noted {
            return Ok(());
        }
        // What is signed for is on the disk.
        self.log.sync()?;
        let line = notary.note(at, &self.gateway, seq, hash)?;
        self.noted = seq;
        // What the system's log loses of these, it loses: the file has them.
        self.syslog.as_mut().map(|syslog| syslog.send(&line));
        Ok(())
    }
}
