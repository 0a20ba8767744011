//! `underpass gateway run`: a gateway as a process, in the foreground.
//!
//! Rules of the firewall are there before the interface, and go after it. The peers are there, locked, before the first datagram is
//! answered by the service. Whatever of the gateway ends, ends all of it: there is no tunnel without its service.
use super::super::daemon::give_up_and_log;
use super::super::environment::Environment;
use super::super::floor::Floor;
use super::super::serve::{End, conclude, look_after, start_control, tell_of_death, watch_engine, watch_signals};
use super::super::{Outcome, log, signals};
use crate::confine::Confinement;
use crate::engine::{Ended, Engine, EngineConfig, Messages, SystemRng, journal};
use crate::gateway::driver::{self, Driver};
use crate::gateway::inbox::Inbox;
use crate::gateway::status::Board;
use crate::gateway::surroundings::{self, Surroundings, belongings, furnish};
use crate::gateway::{config, keys, local, metrics, places};
use crate::notify;
use anyhow::anyhow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use underpass_core::{PrivateKey, TunnelConfig};
use underpass_gateway::Time;
use underpass_gateway::password::{Cost, Workers};
use underpass_gateway::service::{Parts, Service, serves};
use underpass_gateway::settings::Settings;

/// Passwords that may wait to be looked at; a login that finds no room is to be tried again.
const WAITING: usize = 64;

/// Runs the gateway that is configured at `path`.
///
/// # Errors
/// It cannot start. That it broke down is logged, and an exit status.
pub(super) fn run(path: &Path) -> Outcome {
    let environment = confined(Environment::read()?);
    let signals = signals::heard();
    let settings = config::settings(path)?;
    config::is_ours(path)?;
    serves(&settings).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let log = give_up_and_log(&environment, Environment::start_log)?;
    let outcome = serve(&settings, &environment, &signals);
    if let Err(fault) = &outcome {
        log.add(format!("underpass: {fault}\n"));
    }
    log.finish(log::PATIENCE);
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// At its end a gateway runs nft(8), so that programs have to be possible.
fn confined(environment: Environment) -> Environment {
    let confinement = match environment.confinement {
        Confinement::Full => Confinement::AllCalls,
        less => less,
    };
    Environment { confinement, ..environment }
}

fn serve(settings: &Settings, environment: &Environment, signals: &[i32]) -> anyhow::Result<()> {
    let (ends, ended) = channel();
    // Before there is anything to clean up, so that a signal never ends us halfway.
    watch_signals(signals, ends.clone())?;
    let key = keys::private_key(&settings.private_key_file)?;
    // It outlives the engine: there is no interface without its rules.
    let _surroundings = Surroundings::prepare(settings)?;
    let inbox = Inbox::default();
    let mut service = service(settings, &key, &inbox)?;
    match start(settings, environment, &key, &inbox, &mut service, &ends) {
        Ok(engine) => {
            let outcome = serve_engine(settings, &engine, &key, &inbox, service, (ends, ended));
            engine.stop();
            outcome
        }
        Err(fault) => {
            service.stop(driver::now(), "it could not start");
            Err(fault)
        }
    }
}

fn service(settings: &Settings, key: &PrivateKey, inbox: &Inbox) -> anyhow::Result<Service> {
    let waker = inbox.clone();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // One core is the tunnel's.
    let workers = Workers::start(cores.saturating_sub(1), WAITING, Cost::default(), move || waker.answered());
    let now = driver::now();
    let parts = Parts {
        store: places::store(settings)?,
        recorder: places::recorder(settings, Time::now())?,
        workers: workers.map_err(|error| anyhow!("cannot start threads for passwords: {error}"))?,
        cost: Cost::default(),
        public_key: key.public_key(),
        preshared: keys::preshared(settings)?,
        rng: [Box::new(SystemRng), Box::new(SystemRng)],
    };
    let mut service = Service::new(settings, parts, now)?;
    service.handle_local_time(local::seconds_ahead().unwrap_or_default());
    Ok(service)
}

/// The interface, with the peers that the service knows, and addresses and routes.
fn start(
    settings: &Settings,
    environment: &Environment,
    key: &PrivateKey,
    inbox: &Inbox,
    service: &mut Service,
    ends: &Sender<End>,
) -> anyhow::Result<Arc<Engine>> {
    let hears = inbox.clone();
    let mut tunnel = TunnelConfig { private_key: Some(key.clone()), ..TunnelConfig::default() };
    if let Some(floor) = Floor::of(&settings.interface) {
        tunnel.timestamp_floor = floor.load();
    }
    let config = EngineConfig {
        mtu: settings.mtu,
        listen_port: settings.listen,
        tunnel,
        control: Some(Messages::new(move |from, message| hears.put(from, message))),
        ..EngineConfig::new(&settings.interface)
    };
    let engine = Arc::new(Engine::start(environment.apply(config))?);
    driver::carry_out(&engine, service)?;
    look_after(engine.name(), belongings(settings), ends);
    furnish(settings)?;
    Ok(engine)
}

/// Serves until it ends.
fn serve_engine(
    settings: &Settings,
    engine: &Arc<Engine>,
    key: &PrivateKey,
    inbox: &Inbox,
    service: Service,
    (ends, ended): (Sender<End>, Receiver<End>),
) -> anyhow::Result<()> {
    let died = ends.clone();
    journal::keep(engine, move |outcome| tell_of_death(&died, outcome))
        .map_err(|error| anyhow!("cannot keep a log: {error}"))?;
    let board = Board::new(surroundings::directory()?, settings, &key.public_key());
    let mut board = board.map_err(|error| anyhow!("cannot show how the gateway is: {error}"))?;
    // Whoever hears that it is ready may look.
    board.show(&service, inbox.lost());
    if let Some(address) = settings.log.metrics {
        let died = ends.clone();
        metrics::start(address, board.shared(), move |outcome| tell_of_death(&died, outcome))
            .map_err(|error| anyhow!("cannot show metrics at {address}: {error}"))?;
    }
    let died = ends.clone();
    let over = move |fault: driver::Fault| drop(died.send(End::Undecided(fault.into())));
    let driver = Driver::start(engine, inbox, service, board, over)
        .map_err(|error| anyhow!("cannot start a thread for the service: {error}"))?;
    let died = ends.clone();
    let keeper = Floor::of(&settings.interface)
        .map(|floor| floor.keep(Arc::clone(engine), move |died_of| tell_of_death(&died, died_of)));
    let outcome = start_control(engine, ends.clone()).and_then(|control| {
        watch_engine(Arc::clone(engine), ends)?;
        notify::ready();
        tracing::info!(gateway = %settings.name, interface = engine.name(), port = engine.listen_port(), "ready");
        let end = ended.recv().map_err(|_| anyhow!("nobody watches the tunnel"))?;
        notify::stopping();
        control.stop();
        Ok(end)
    });
    driver.stop(outcome.as_ref().map_or("it could not start", reason));
    engine.stop();
    if let Some(Ok(keeper)) = keeper {
        // It writes one last time.
        let _ = keeper.join();
    }
    conclude(outcome?)
}

/// Why a gateway ends, for its audit log.
const fn reason(end: &End) -> &'static str {
    match end {
        End::Signal(_) => "it was told to",
        End::SocketRemoved => "the control socket was removed",
        End::Engine(Ended::InterfaceDeleted) => "the interface was deleted",
        _ => "it broke down",
    }
}
