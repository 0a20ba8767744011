//! `underpass logout`: ends what `underpass login` began, wherever that runs.
use super::converse::{Asked, Conversation, Place};
use super::login;
use super::up::require_root;
use super::{Outcome, down, guard, remains};
use crate::clock;
use crate::control::socket;
use crate::engine::SystemRng;
use crate::login::Driver;
use crate::login::link::Link;
use crate::quick::Shelf;
use crate::quick::file::name_of;
use crate::quick::process::Process;
use crate::quick::reconcile::Standing;
use anyhow::bail;
use nix::sys::signal::Signal;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// How long the other process may take: the gateway may be silent, and commands of the configuration may run.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look whether it has ended.
const GLANCE: Duration = Duration::from_millis(20);

/// Logs out, and takes the tunnel down.
///
/// # Errors
/// Nobody is logged in by this tunnel, or part of it could not be taken down.
pub fn run(config: &str) -> Outcome {
    let name = name_of(config)?;
    require_root()?;
    let shelf = Shelf::open()?;
    let login = shelf.read(&name)?.and_then(|record| record.login);
    let Some(process) = login else { bail!("nobody is logged in by interface `{name}`") };
    if process.runs() {
        end(&name, &process)?;
        if shelf.read(&name)?.is_none_or(|record| record.login != login) {
            return Ok(ExitCode::SUCCESS);
        }
    }
    // The process was killed, and the tunnel stayed.
    say_goodbye(&name)?;
    let _lock = shelf.lock_within(login::PATIENCE, &name)?;
    let all = match remains::look(&shelf, &name)? {
        Standing::Up(kept) | Standing::Remains(kept) => down::by_record(kept, false, false)?,
        _ => true,
    };
    guard::open(&name)?;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Has the process that logged in log out, and waits until it has done so.
fn end(name: &str, process: &Process) -> anyhow::Result<()> {
    process.signal(Signal::SIGTERM);
    let until = Instant::now() + PATIENCE;
    while process.runs() {
        if Instant::now() > until {
            bail!(
                "the process that logged in by interface `{name}` does not end; `underpass down {name}` takes the tunnel from it"
            );
        }
        thread::sleep(GLANCE);
    }
    Ok(())
}

/// Tells the gateway, if the tunnel is still there.
fn say_goodbye(name: &str) -> anyhow::Result<()> {
    let Ok(status) = down::ask(name) else { return Ok(()) };
    let Some(peer) = status.peers.first() else { return Ok(()) };
    let Ok(link) = Link::connect(&socket::directory(), name, &peer.public_key) else { return Ok(()) };
    let driver = Driver::leaving(clock::now(), Box::new(SystemRng));
    Conversation::new(driver, link, &mut Asked::watch()?).carry(&mut Nowhere).map(drop)
}

/// Nothing is granted to somebody who leaves.
struct Nowhere;

impl Place for Nowhere {}
