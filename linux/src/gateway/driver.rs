//! Drives the service beside an engine, on a thread of its own.
//!
//! Each message, each answer about a password and each deadline goes to the service, and what it wants done then is done to the
//! tunnel, in order. If the tunnel does not take a change of a peer that it has, nobody knows what that peer may do: the driver
//! gives up, and the gateway with it.
use super::inbox::{Inbox, Told};
use super::local;
use super::status::Board;
use crate::clock;
use crate::engine::Engine;
use crate::watched::{self, Died};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use underpass_core::error::ConfigError;
use underpass_core::{Change, Instant, PublicKey, Tunnel};
use underpass_gateway::service::{Action, Now, Peers, Service};

/// Actions that are done while packets wait, at most.
const BATCH: usize = 32;

/// The tunnel did not take a change of a peer that it has.
#[derive(Debug, thiserror::Error)]
#[error("the tunnel does not take what the service decides: {0}")]
pub struct Refused(ConfigError);

/// How the driver ended, if nobody stopped it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A bug.
    #[error(transparent)]
    Died(#[from] Died),
    /// See [`Refused`].
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// A service that is being driven.
#[derive(Debug)]
pub struct Driver {
    inbox: Inbox,
    thread: JoinHandle<()>,
}

impl Driver {
    /// Drives `service` beside `engine`, from `inbox`, and shows on `board` how it is. `over` is told when that ends by itself.
    ///
    /// # Errors
    /// The machine has no room for another thread.
    pub fn start(
        engine: &Arc<Engine>,
        inbox: &Inbox,
        service: Service,
        board: Board,
        over: impl FnOnce(Fault) + Send + 'static,
    ) -> io::Result<Self> {
        let (engine, own) = (Arc::clone(engine), inbox.clone());
        let over = move |outcome: Result<Result<(), Refused>, Died>| match outcome {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => over(refused.into()),
            Err(died) => over(died.into()),
        };
        let thread = watched::start("gateway", move || drive(&engine, &own, service, board), over)?;
        Ok(Self { inbox: inbox.clone(), thread })
    }

    /// Ends it: the audit log says why, and sessions stay open in the store.
    pub fn stop(self, reason: &'static str) {
        self.inbox.stop(reason);
        // The body catches panics: joining cannot fail.
        let _ = self.thread.join();
    }
}

/// Both clocks.
#[must_use]
pub fn now() -> Now {
    Now { at: clock::now(), wall: clock::wall() }
}

fn drive(engine: &Engine, inbox: &Inbox, mut service: Service, mut board: Board) -> Result<(), Refused> {
    let peers = OfEngine(engine);
    // The service was told when it was made.
    let mut ahead = local::seconds_ahead().unwrap_or_default();
    loop {
        carry_out(engine, &mut service)?;
        board.show(&service, inbox.lost());
        match inbox.wait(service.poll_timeout().since(clock::now())) {
            Told::Message(from, message) => service.handle_message(now(), &peers, from, &message),
            Told::Answers => service.handle_passwords(now(), &peers),
            Told::Stop(reason) => {
                service.stop(now(), reason);
                return Ok(());
            }
            Told::Nothing => {}
        }
        // However many messages come: what is due is done. Something is twice a second, and then what the tunnel tells of peers
        // that are ruled is fetched, too.
        if service.poll_timeout() <= clock::now() {
            service.handle_timeout(now(), &peers);
            tell(engine, &mut service, &peers);
            if let Some(other) = local::seconds_ahead().filter(|other| *other != ahead) {
                ahead = other;
                service.handle_local_time(ahead);
            }
        }
    }
}

/// Tells the service what the tunnel has to tell of peers that are ruled.
fn tell(engine: &Engine, service: &mut Service, peers: &OfEngine<'_>) {
    loop {
        let next = |tunnel: &mut Tunnel| std::iter::from_fn(|| tunnel.poll_filter_event()).take(BATCH).collect();
        let events: Vec<_> = engine.with_tunnel(|tunnel, _| next(tunnel));
        if events.is_empty() {
            return;
        }
        events.iter().for_each(|event| service.handle_filter_event(now(), peers, event));
    }
}

/// Does everything that the service wants done.
///
/// # Errors
/// [`Refused`].
pub fn carry_out(engine: &Engine, service: &mut Service) -> Result<(), Refused> {
    loop {
        let actions: Vec<Action> = std::iter::from_fn(|| service.poll_action()).take(BATCH).collect();
        if actions.is_empty() {
            return Ok(());
        }
        engine.with_tunnel(|tunnel, now| actions.into_iter().try_for_each(|action| act(tunnel, now, action)))?;
    }
}

fn act(tunnel: &mut Tunnel, now: Instant, action: Action) -> Result<(), Refused> {
    match action {
        Action::Change(change) => return configure(tunnel, now, change),
        Action::EndSessions(key) => {
            if let Some(peer) = tunnel.peer_by_key(&key) {
                tunnel.end_sessions(now, peer);
            }
        }
        Action::Send { peer, message } => {
            if let Some(peer) = tunnel.peer_by_key(&peer) {
                // What is not taken is sent again, or asked for again.
                let _ = tunnel.send_control(now, peer, &message);
            }
        }
    }
    Ok(())
}

/// A peer that the tunnel does not have cannot do anything: a change of it that is not taken, or a peer that is not, such as one
/// with the gateway's own key, is told of and no more.
fn configure(tunnel: &mut Tunnel, now: Instant, change: Change) -> Result<(), Refused> {
    let concerns = match &change {
        Change::Peer(peer) => Some(peer.public_key),
        Change::Access { peer, .. } => Some(*peer),
        _ => None,
    };
    match tunnel.configure(now, &[change]) {
        Ok(()) => Ok(()),
        Err(error) if concerns.is_some_and(|key| tunnel.peer_by_key(&key).is_none()) => {
            tracing::error!("a peer is left out: {error}");
            Ok(())
        }
        Err(error) => Err(Refused(error)),
    }
}

/// What the engine's tunnel knows of its peers.
struct OfEngine<'a>(&'a Engine);

impl Peers for OfEngine<'_> {
    fn heard(&self, peer: &PublicKey) -> Option<Instant> {
        self.0.look(|tunnel| tunnel.heard(peer))
    }

    fn source(&self, peer: &PublicKey) -> Option<SocketAddr> {
        self.0.look(|tunnel| tunnel.source(peer))
    }

    fn carried(&self, peer: &PublicKey) -> (u64, u64) {
        self.0.look(|tunnel| tunnel.carried(peer))
    }
}
