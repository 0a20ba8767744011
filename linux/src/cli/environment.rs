//! The environment variables that steer a tunnel.
use super::log::{Log, StandardError};
use super::syslog::Syslog;
use crate::confine::Confinement;
use crate::engine::{EngineConfig, Workers};
use anyhow::{anyhow, bail};
use std::env;
use std::num::NonZeroUsize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// More crypt workers than any machine has use for.
const MAX_WORKERS: usize = 64;

/// What the environment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environment {
    /// What is logged.
    pub log: LevelFilter,
    /// Whether a tunnel in the background keeps its standard error for the log.
    pub keep_stderr: bool,
    /// Whether to stay in the foreground.
    pub foreground: bool,
    /// Threads that seal and open.
    pub workers: Workers,
    /// Whether segmentation offloads are used.
    pub offload: bool,
    /// What the tunnel gives up.
    pub confinement: Confinement,
}

impl Environment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// A variable has a value that makes no sense, or asks for what cannot be done.
    pub fn read() -> anyhow::Result<Self> {
        Self::from(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn from(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        for name in ["WG_TUN_FD", "WG_UAPI_FD"] {
            if variable(name).is_some_and(|value| !value.is_empty()) {
                bail!("{name} is set: descriptors from another program are not taken");
            }
        }
        let level = variable("LOG_LEVEL").filter(|level| !level.is_empty());
        let log = match level.as_deref() {
            Some("silent") => LevelFilter::OFF,
            Some("warn") => LevelFilter::WARN,
            Some("info") => LevelFilter::INFO,
            Some("verbose" | "debug") => LevelFilter::DEBUG,
            _ => LevelFilter::ERROR,
        };
        Ok(Self {
            log,
            keep_stderr: level.is_some() && log != LevelFilter::OFF,
            foreground: variable("WG_PROCESS_FOREGROUND").as_deref() == Some("1"),
            workers: workers(variable("UNDERPASS_WORKERS").as_deref())?,
            offload: offload(variable("UNDERPASS_OFFLOAD").as_deref())?,
            confinement: confinement(variable("UNDERPASS_CONFINE").as_deref())?,
        })
    }

    /// `config` with what this environment asks for.
    #[must_use]
    pub fn apply(&self, config: EngineConfig) -> EngineConfig {
        EngineConfig { crypt_workers: self.workers, offload: self.offload, ..config }
    }

    /// Logs to standard error, as this environment wants it. Panics are logged too.
    ///
    /// # Errors
    /// The machine has no room for another thread.
    pub fn start_log(&self) -> anyhow::Result<Log> {
        let log = Log::to(StandardError).map_err(|error| anyhow!("cannot start a thread for the log: {error}"))?;
        let format = tracing_subscriber::fmt().with_max_level(self.log).with_writer(log.clone());
        // A second call, as in a test, keeps the first.
        let _ = format
            .with_ansi(super::terminal::Paint::on(&std::io::stderr()) == super::terminal::Paint::COLOURED)
            .log_internal_errors(false)
            .finish()
            .with(filter(self.log))
            .try_init();
        log_panics();
        Ok(log)
    }

    /// Logs as a tunnel in the background does: to the system's log from level info on, or to standard error where the
    /// environment asks for a level.
    ///
    /// # Errors
    /// The machine has no room for another thread.
    pub fn start_log_in_background(&self) -> anyhow::Result<Option<Log>> {
        match (self.log, self.keep_stderr) {
            (LevelFilter::OFF, _) => {}
            (_, true) => return self.start_log().map(Some),
            (_, false) => {
                let layer = tracing_subscriber::fmt::layer().with_ansi(false).without_time();
                let layer = layer.with_level(false).with_target(false).with_writer(Syslog::of_system());
                let layer = layer.log_internal_errors(false);
                // A second call, as in a test, keeps the first.
                let _ = tracing_subscriber::registry().with(filter(LevelFilter::INFO)).with(layer).try_init();
            }
        }
        log_panics();
        Ok(None)
    }
}

/// Panics go to the log: the standard library's hook would wait for standard error.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

/// What is logged at `level`. The library for datagrams has addresses in its warnings: it is heard at level debug only.
fn filter(level: LevelFilter) -> Targets {
    let sockets = if level >= LevelFilter::DEBUG { level } else { LevelFilter::OFF };
    Targets::new().with_default(level).with_target("quinn_udp", sockets)
}

fn workers(text: Option<&str>) -> anyhow::Result<Workers> {
    match text {
        None | Some("" | "auto") => Ok(Workers::Auto),
        Some(text) => match text.parse() {
            Ok(count) if count <= MAX_WORKERS => Ok(NonZeroUsize::new(count).map_or(Workers::None, Workers::Count)),
            _ => Err(anyhow!("UNDERPASS_WORKERS is neither `auto` nor a number from 0 to {MAX_WORKERS}")),
        },
    }
}

fn offload(text: Option<&str>) -> anyhow::Result<bool> {
    match text {
        None | Some("" | "on") => Ok(true),
        Some("off") => Ok(false),
        Some(_) => Err(anyhow!("UNDERPASS_OFFLOAD is neither `on` nor `off`")),
    }
}

fn confinement(text: Option<&str>) -> anyhow::Result<Confinement> {
    match text {
        None | Some("" | "on") => Ok(Confinement::Full),
        Some("all-calls") => Ok(Confinement::AllCalls),
        Some("off") => Ok(Confinement::Off),
        Some(_) => Err(anyhow!("UNDERPASS_CONFINE is neither `on` nor `all-calls` nor `off`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> anyhow::Result<Environment> {
        Environment::from(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn an_empty_environment_is_the_default() {
        let environment = with(&[]).expect("valid");
        assert_eq!(environment.log, LevelFilter::ERROR);
        assert!(!environment.foreground && !environment.keep_stderr && environment.offload);
        assert_eq!((environment.workers, environment.confinement), (Workers::Auto, Confinement::Full));
        assert_eq!(with(&[("WG_TUN_FD", ""), ("LOG_LEVEL", "")]).expect("valid"), environment);
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        let asked = [
            ("LOG_LEVEL", "verbose"),
            ("WG_PROCESS_FOREGROUND", "1"),
            ("UNDERPASS_WORKERS", "3"),
            ("UNDERPASS_OFFLOAD", "off"),
            ("UNDERPASS_CONFINE", "all-calls"),
        ];
        let environment = with(&asked).expect("valid");
        assert_eq!(environment.log, LevelFilter::DEBUG);
        assert!(environment.foreground && environment.keep_stderr && !environment.offload);
        assert_eq!(environment.workers, NonZeroUsize::new(3).map_or(Workers::None, Workers::Count));
        assert_eq!(environment.confinement, Confinement::AllCalls);
        assert_eq!(with(&[("UNDERPASS_CONFINE", "off")]).expect("valid").confinement, Confinement::Off);
        assert_eq!(with(&[("UNDERPASS_WORKERS", "0")]).expect("valid").workers, Workers::None);
        assert!(!with(&[("LOG_LEVEL", "silent")]).expect("valid").keep_stderr);
    }

    #[test]
    fn addresses_are_for_debugging() {
        let warns = |level| filter(level).would_enable("quinn_udp", &tracing::Level::WARN);
        assert!(!warns(LevelFilter::WARN) && !warns(LevelFilter::INFO) && warns(LevelFilter::DEBUG));
        assert!(filter(LevelFilter::INFO).would_enable("underpass_linux", &tracing::Level::WARN));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for variable in [
            ("WG_TUN_FD", "3"),
            ("WG_UAPI_FD", "4"),
            ("UNDERPASS_WORKERS", "many"),
            ("UNDERPASS_WORKERS", "65"),
            ("UNDERPASS_OFFLOAD", "no"),
            ("UNDERPASS_CONFINE", "no"),
        ] {
            let message = with(&[variable]).expect_err(variable.0).to_string();
            assert!(message.contains(variable.0), "{message}");
        }
    }
}
