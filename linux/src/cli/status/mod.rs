//! `underpass status`: all tunnels at a glance, once or from second to second.
mod table;
mod watch;

use super::args::Status;
use super::show::ask;
use super::terminal::Paint;
use super::{Outcome, progress};
use crate::control::status::{InterfaceStatus, PeerStatus};
use crate::control::{client, socket};
use crate::guard::record::Records;
use anyhow::anyhow;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

/// How old a handshake may be for its session to be in use: sessions are replaced every two minutes, and none seals after
/// three (REJECT_AFTER_TIME).
const SESSION: Duration = Duration::from_secs(180);

/// Shows one tunnel, or all of them; with `--watch` until it is interrupted.
///
/// # Errors
/// The tunnel is not there or does not answer.
pub fn run(status: &Status) -> Outcome {
    if status.watch {
        return watch::run(status.interface.as_deref());
    }
    let (tunnels, code) = look(status.interface.as_deref())?;
    let locked = locked_without(&tunnels, status.interface.as_deref());
    if tunnels.is_empty() && locked.is_empty() {
        progress(format_args!("no tunnel is up"));
        return Ok(code);
    }
    let stdout = io::stdout();
    let paint = Paint::on(&stdout);
    let mut stdout = stdout.lock();
    if !tunnels.is_empty() {
        stdout.write_all(table::render(&tunnels, paint).as_bytes())?;
    }
    for name in locked {
        writeln!(
            stdout,
            "the kill switch of {name} is on: nothing leaves the machine until `underpass up {name}` or `underpass unlock {name}`"
        )?;
    }
    stdout.flush()?;
    Ok(code)
}

/// The interfaces, or the one called `name`, that have a kill switch and no tunnel. Only root can tell.
fn locked_without(tunnels: &[Tunnel], name: Option<&str>) -> Vec<String> {
    let mut locked = Records::find().ok().flatten().and_then(|records| records.interfaces().ok()).unwrap_or_default();
    locked
        .retain(|one| name.is_none_or(|name| name == one) && !tunnels.iter().any(|tunnel| tunnel.status.name == *one));
    locked
}

/// A tunnel and how it is.
#[derive(Debug)]
struct Tunnel {
    status: InterfaceStatus,
    state: State,
    /// Peers with a session in use.
    live: usize,
    /// How long ago the latest handshake was.
    heard: Option<Duration>,
}

/// How a tunnel is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A peer has a session in use.
    Connected,
    /// Peers were heard from once, and not of late.
    Idle,
    /// No peer was ever heard from.
    NoAnswer,
    /// The system did not take what was to be sent.
    NotSent(underpass_core::tunnel::SendError),
    /// The interface is not up.
    LinkDown,
    /// There is nobody to talk to.
    NoPeers,
}

/// Looks at the tunnel `name`, or at all. Of one that does not answer it is told why, and the status is a failure.
fn look(name: Option<&str>) -> anyhow::Result<(Vec<Tunnel>, ExitCode)> {
    let directory = socket::directory();
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            client::interfaces(&directory).map_err(|error| anyhow!("cannot list {}: {error}", directory.display()))?
        }
    };
    let now = crate::clock::wall().as_duration();
    let up = links_up();
    let mut code = ExitCode::SUCCESS;
    let mut tunnels = Vec::new();
    for one in names {
        match ask(&directory, &one) {
            Ok(status) => tunnels.push(Tunnel::new(status, up.contains(&one), now)),
            Err(error) if name.is_some() => return Err(error),
            Err(error) => {
                let _ = writeln!(io::stderr(), "underpass: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok((tunnels, code))
}

/// The names of the interfaces that are up.
fn links_up() -> Vec<String> {
    let Ok(all) = getifaddrs() else { return Vec::new() };
    all.filter(|one| one.flags.contains(InterfaceFlags::IFF_UP)).map(|one| one.interface_name).collect()
}

impl Tunnel {
    fn new(status: InterfaceStatus, is_up: bool, now: Duration) -> Self {
        let age = |peer: &PeerStatus| peer.latest_handshake.map(|at| now.saturating_sub(at));
        let live = status.peers.iter().filter_map(age).filter(|age| *age < SESSION).count();
        let heard = status.peers.iter().filter_map(age).min();
        let error = status.peers.iter().find_map(|peer| peer.last_send_error);
        let state = match (is_up, live, error, heard) {
            (false, ..) => State::LinkDown,
            _ if status.peers.is_empty() => State::NoPeers,
            (_, 1.., ..) => State::Connected,
            (_, _, Some(error), _) => State::NotSent(error),
            (_, _, None, Some(_)) => State::Idle,
            (_, _, None, None) => State::NoAnswer,
        };
        Self { status, state, live, heard }
    }

    /// Bytes received and sent, of all peers.
    fn transfer(&self) -> (u64, u64) {
        let add = |(rx, tx): (u64, u64), peer: &PeerStatus| (rx + peer.rx_bytes, tx + peer.tx_bytes);
        self.status.peers.iter().fold((0, 0), add)
    }
}
