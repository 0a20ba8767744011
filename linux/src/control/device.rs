//! What the control socket asks: the state of an interface, and changes to it.
use crate::engine::Engine;
use crate::error::HostError;
use nix::errno::Errno;
use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use underpass_carry::Fault;
use underpass_core::uapi::{EADDRINUSE, EINVAL, EIO, HostState, SetRequest, parse_set, write_get};
use underpass_core::{Change, Endpoint, PeerChange};

/// An interface as its control socket sees it. Calls come one at a time.
pub trait Device: Send + Sync {
    /// Writes the answer to `get=1`, without the status that ends it.
    ///
    /// # Errors
    /// Those of `answer`.
    fn status(&self, answer: &mut dyn fmt::Write) -> fmt::Result;

    /// Applies the lines of a `set=1` request, all or nothing.
    ///
    /// # Errors
    /// The number of the system error that `wg` shows.
    fn apply(&self, request: &str) -> Result<(), i32>;
}

/// A running tunnel behind its control socket.
#[derive(Debug)]
pub struct EngineDevice {
    engine: Arc<Engine>,
}

impl EngineDevice {
    /// The device in front of `engine`.
    #[must_use]
    pub const fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Sets port and mark, then what the tunnel takes; `Err` leaves some of it done.
    fn apply_parts(&self, request: &SetRequest, before: &HostState) -> Result<(), i32> {
        if let Some(port) = request.listen_port.filter(|port| *port != before.listen_port) {
            self.engine.set_listen_port(port).map_err(|fault| errno_of(&fault))?;
        }
        if let Some(mark) = request.fwmark.filter(|mark| *mark != before.fwmark) {
            self.engine.set_fwmark(mark).map_err(|fault| errno_of(&fault))?;
        }
        self.engine.with_tunnel(|tunnel, now| tunnel.configure(now, &request.changes)).map_err(|fault| {
            tracing::error!("control socket: {fault}");
            EINVAL
        })
    }

    fn host_state(&self) -> HostState {
        HostState { listen_port: self.engine.listen_port(), fwmark: self.engine.fwmark() }
    }
}

impl Device for EngineDevice {
    fn status(&self, mut answer: &mut dyn fmt::Write) -> fmt::Result {
        let host = self.host_state();
        self.engine.look(|tunnel| write_get(tunnel, &host, &mut answer))
    }

    fn apply(&self, request: &str) -> Result<(), i32> {
        let mut request = parse_set(request).map_err(|fault| {
            tracing::error!("control socket: {fault}");
            fault.errno()
        })?;
        request.changes.iter_mut().for_each(number_zone);
        let before = self.host_state();
        self.apply_parts(&request, &before).inspect_err(|_| {
            // What was there a moment ago can be had again, and if not, nothing better is left to do.
            let _ = self.engine.set_fwmark(before.fwmark);
            if self.engine.listen_port() != before.listen_port {
                let _ = self.engine.set_listen_port(before.listen_port);
            }
        })
    }
}

/// Gives an endpoint whose zone has the name of an interface that interface's number, at once: whoever asks next is shown it. No
/// name server has a say in it. Where there is no such interface, the tunnel asks later.
fn number_zone(change: &mut Change) {
    let Change::Peer(PeerChange { endpoint: Some(endpoint), .. }) = change else { return };
    let Endpoint::Name { host, port } = endpoint else { return };
    if !host.contains('%') {
        return;
    }
    if let Some(address) = (host.as_str(), *port).to_socket_addrs().ok().and_then(|mut found| found.next()) {
        *endpoint = Endpoint::Address(address);
    }
}

/// The number `wg` shows for `fault`.
fn errno_of(fault: &HostError) -> i32 {
    tracing::error!("control socket: {fault}");
    match fault {
        HostError::NoPermission { .. } => Errno::EPERM as i32,
        HostError::Ended => Errno::ENODEV as i32,
        HostError::Carry(fault) => match fault {
            Fault::PortInUse { .. } => EADDRINUSE,
            Fault::SocketPermission { .. } => Errno::EPERM as i32,
            Fault::OutOfDescriptors { .. } => Errno::EMFILE as i32,
            Fault::Socket { source, .. } | Fault::System { source, .. } => source.raw_os_error().unwrap_or(EIO),
            _ => EIO,
        },
        _ => EIO,
    }
}
