//! Where hosts believe each other to be: what stories about endpoints look at.
use crate::{HostId, World};
use core::net::SocketAddr;
use underpass_core::tunnel::Event;

/// An address and port that is no host's own.
pub const ELSEWHERE: &str = "203.0.113.77:40404";

/// Reads an address and port.
///
/// # Panics
/// When `text` is none.
#[must_use]
pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Where a host believes another to be.
#[must_use]
pub fn believed(world: &World, host: HostId, peer: HostId) -> Option<SocketAddr> {
    let id = world.peer_id(host, peer);
    world.tunnel(host).peer(id).and_then(|view| view.path()).map(|path| path.remote)
}

/// How often a host was told that an endpoint moved.
#[must_use]
pub fn moves(world: &World, host: HostId) -> usize {
    world.count_events(host, |event| matches!(event, Event::EndpointMoved { .. }))
}
