//! Runs a tunnel in this process, from its start to its end.
use super::floor::Floor;
use crate::control::device::EngineDevice;
use crate::control::{ControlServer, ControlSocket, Over, socket};
use crate::dns;
use crate::engine::{Ended, Engine, EngineConfig, Messages, journal};
use crate::guard::heal::{self, Belongings};
use crate::login::relay::{Inbox, Relay};
use crate::notify;
use crate::watched::{self, Died};
use anyhow::{anyhow, bail};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use underpass_core::PeerId;
use underpass_core::tunnel::PeerView;

/// Peers that are called at the start, at most.
const MOST_DIALLED: usize = 16;

/// Why a tunnel ends.
pub(super) enum End {
    /// Someone asked for it by this signal.
    Signal(i32),
    /// The control socket's file was removed.
    SocketRemoved,
    /// The engine ended by itself.
    Engine(Ended),
    /// A thread ended that the tunnel cannot do without.
    Thread(Died),
    /// Signals are no longer heard.
    Deaf,
    /// What decides for the tunnel has failed.
    #[cfg(feature = "gateway")]
    Undecided(anyhow::Error),
}

/// Starts a tunnel, whose interface gets `belongings` back when it was set down and up, and whose name servers those are again that
/// programs ask, if it was brought up with any of these; calls `ready` with the name of its interface, and serves it until it ends: by one of `signals`, by the
/// removal of its socket or its interface. Nothing is left behind. Where somebody `logs_in`, the control channel is offered.
///
/// # Errors
/// It cannot start, or broke down.
pub fn serve(
    mut config: EngineConfig,
    belongings: Option<Belongings>,
    logs_in: bool,
    signals: &[i32],
    ready: impl FnOnce(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (ends, ended) = channel();
    // Before there is anything to clean up, so that a signal never ends us halfway.
    watch_signals(signals, ends.clone())?;
    let floor = Floor::of(&config.name);
    if let Some(floor) = &floor {
        config.tunnel.timestamp_floor = floor.load();
    }
    let inbox = logs_in.then(Inbox::new).transpose().map_err(no_relay)?;
    config.control = inbox.clone().map(|inbox| Messages::new(move |from, message| inbox.put(from, message)));
    let engine = Arc::new(Engine::start(config)?);
    if let Some(belongings) = belongings {
        look_after(engine.name(), belongings, &ends);
    }
    let died = ends.clone();
    journal::keep(&engine, move |outcome| tell_of_death(&died, outcome))
        .map_err(|error| anyhow!("cannot keep a log: {error}"))?;
    dial(&engine);
    let died = ends.clone();
    let keeper = floor.map(|floor| floor.keep(Arc::clone(&engine), move |died_of| tell_of_death(&died, died_of)));
    let outcome = start_control(&engine, ends.clone()).and_then(|control| {
        let relay = inbox.map(|inbox| start_relay(&engine, inbox, ends.clone())).transpose()?;
        watch_engine(Arc::clone(&engine), ends)?;
        ready(engine.name())?;
        tracing::info!(interface = engine.name(), port = engine.listen_port(), "ready");
        let end = ended.recv().map_err(|_| anyhow!("nobody watches the tunnel"))?;
        notify::stopping();
        drop(relay);
        control.stop();
        conclude(end)
    });
    engine.stop();
    if let Some(Ok(keeper)) = keeper {
        // It writes one last time.
        let _ = keeper.join();
    }
    outcome
}

/// Sees to what belongs to the interface `name` around it.
pub(super) fn look_after(name: &str, belongings: Belongings, ends: &Sender<End>) {
    let died = ends.clone();
    if let Err(error) = heal::start(name, belongings, move |outcome| tell_of_death(&died, outcome)) {
        tracing::warn!("routes will not come back when the interface is set down: {error}");
    }
    let died = ends.clone();
    if let Err(error) = dns::watch::start(name, move |outcome| tell_of_death(&died, outcome)) {
        tracing::warn!("what others write to /etc/resolv.conf will not be noticed: {error}");
    }
}

/// Has the tunnel begin with those peers that it knows an endpoint of, once the interface is up, so that no packet has to
/// wait for a handshake. Of many peers, those are left to their first packet.
fn dial(engine: &Engine) {
    engine.with_tunnel(|tunnel, now| {
        let has_endpoint = |peer: &PeerView<'_>| peer.configured_endpoint().is_some();
        let peers: Vec<PeerId> =
            tunnel.peers().filter(has_endpoint).map(|peer| peer.id()).take(MOST_DIALLED + 1).collect();
        if peers.len() <= MOST_DIALLED {
            peers.into_iter().for_each(|peer| tunnel.connect(now, peer));
        }
    });
}

pub(super) fn conclude(end: End) -> anyhow::Result<()> {
    match end {
        End::Signal(number) => tracing::info!(signal = number, "ending"),
        End::SocketRemoved => tracing::info!("ending: the control socket was removed"),
        End::Engine(Ended::InterfaceDeleted) => tracing::info!("ending: the interface was deleted"),
        End::Engine(Ended::Stopped) => {}
        End::Engine(Ended::Failed(fault)) => return Err(fault.into()),
        End::Thread(died) => return Err(died.into()),
        End::Deaf => bail!("signals are no longer heard"),
        #[cfg(feature = "gateway")]
        End::Undecided(fault) => return Err(fault),
    }
    Ok(())
}

/// Ends the tunnel if a thread of it died.
pub(super) fn tell_of_death(ends: &Sender<End>, outcome: Result<(), Died>) {
    if let Err(died) = outcome {
        // When nobody listens, the tunnel is ending already.
        let _ = ends.send(End::Thread(died));
    }
}

pub(super) fn start_control(engine: &Arc<Engine>, ends: Sender<End>) -> anyhow::Result<ControlServer> {
    let socket = ControlSocket::bind(&socket::directory(), engine.name())?;
    let device = Arc::new(EngineDevice::new(Arc::clone(engine)));
    let over = move |outcome: Result<Over, Died>| match outcome {
        Ok(Over::Stopped) => {}
        Ok(Over::SocketRemoved) => drop(ends.send(End::SocketRemoved)),
        Err(died) => drop(ends.send(End::Thread(died))),
    };
    ControlServer::start(socket, device, over).map_err(|error| anyhow!("cannot serve the control socket: {error}"))
}

fn start_relay(engine: &Arc<Engine>, inbox: Inbox, ends: Sender<End>) -> anyhow::Result<Relay> {
    let over = move |outcome| tell_of_death(&ends, outcome);
    Relay::start(&socket::directory(), engine, inbox, over).map_err(no_relay)
}

fn no_relay(error: io::Error) -> anyhow::Error {
    anyhow!("cannot offer the control channel: {error}")
}

pub(super) fn watch_signals(signals: &[i32], ends: Sender<End>) -> anyhow::Result<()> {
    let failed = |error| anyhow!("cannot watch for signals: {error}");
    let mut signals = Signals::new(signals).map_err(failed)?;
    let over = ends.clone();
    let watch = move || {
        for signal in signals.forever() {
            if ends.send(End::Signal(signal)).is_err() {
                return;
            }
        }
    };
    let over = move |outcome: Result<(), Died>| drop(over.send(outcome.map_or_else(End::Thread, |()| End::Deaf)));
    watched::start("signals", watch, over).map(drop).map_err(failed)
}

pub(super) fn watch_engine(engine: Arc<Engine>, ends: Sender<End>) -> anyhow::Result<()> {
    let over = move |outcome: Result<Ended, Died>| drop(ends.send(outcome.map_or_else(End::Thread, End::Engine)));
    let failed = |error| anyhow!("cannot watch the tunnel: {error}");
    watched::start("watch", move || engine.wait(), over).map(drop).map_err(failed)
}
