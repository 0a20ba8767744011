//! Who knows whom, and what befalls a host: sleep, restarts, clocks, moves.
use super::{HostId, World};
use core::time::Duration;
use ipnet::IpNet;
use underpass_core::Tai64N;
use underpass_core::config::{AllowedIp, Endpoint, PeerAction};
use underpass_core::tunnel::{Event, Footprint};
use underpass_core::{Change, ConfigError, Instant, PeerChange, PeerId, Tunnel};

impl World {
    /// How one host describes another in its configuration: key, endpoint, its two addresses as allowed IPs.
    #[must_use]
    pub fn describe(&self, host: HostId) -> PeerChange {
        let described = self.host(host);
        let allowed = |ipv6| AllowedIp::from(IpNet::from(described.inner(ipv6)));
        PeerChange {
            endpoint: Some(Endpoint::Address(self.address(host))),
            allowed_ips: vec![allowed(false), allowed(true)],
            ..PeerChange::new(described.public_key())
        }
    }

    /// Makes two hosts peers of each other, both knowing the other's endpoint.
    pub fn introduce(&mut self, a: HostId, b: HostId) {
        let (about_a, about_b) = (self.describe(a), self.describe(b));
        self.configure(a, about_b);
        self.configure(b, about_a);
    }

    /// Makes a roaming host and a gateway peers: only the roaming host knows where the other is.
    pub fn enrol(&mut self, roaming: HostId, gateway: HostId) {
        let (roamer, about_gateway) = (self.describe(roaming), self.describe(gateway));
        self.configure(roaming, about_gateway);
        self.configure(gateway, PeerChange { endpoint: None, ..roamer });
    }

    /// Applies one change of a peer.
    pub fn configure(&mut self, host: HostId, change: PeerChange) {
        self.change(host, &[Change::Peer(change)]).expect("the change is sound");
    }

    /// Applies changes, all or nothing.
    ///
    /// # Errors
    /// [`ConfigError`] as the tunnel says.
    pub fn change(&mut self, host: HostId, changes: &[Change]) -> Result<(), ConfigError> {
        self.call(host, |host, time| host.configure(time, changes))
    }

    /// A change of `host`'s peer `of` that changes nothing yet.
    #[must_use]
    pub fn about(&self, of: HostId) -> PeerChange {
        PeerChange { action: PeerAction::Update, ..PeerChange::new(self.host(of).public_key()) }
    }

    /// Sets a persistent keepalive, in seconds.
    pub fn keepalive(&mut self, host: HostId, towards: HostId, seconds: u16) {
        let change = PeerChange { persistent_keepalive: Some(seconds), ..self.about(towards) };
        self.configure(host, change);
    }

    /// Removes a peer.
    pub fn remove(&mut self, host: HostId, peer: HostId) {
        let change = PeerChange { action: PeerAction::Remove, ..self.about(peer) };
        self.configure(host, change);
    }

    /// The name that `host`'s tunnel has for `peer`.
    #[must_use]
    pub fn peer_id(&self, host: HostId, peer: HostId) -> PeerId {
        let key = self.host(peer).public_key();
        self.tunnel(host).peer_by_key(&key).expect("the hosts are peers")
    }

    /// A host's tunnel, to look at.
    #[must_use]
    pub fn tunnel(&self, host: HostId) -> &Tunnel {
        self.host(host).tunnel()
    }

    /// What a host's tunnel holds at present.
    #[must_use]
    pub fn footprint(&self, host: HostId) -> Footprint {
        self.tunnel(host).footprint()
    }

    /// Calls a command of a host's tunnel.
    pub fn command(&mut self, host: HostId, command: impl FnOnce(&mut Tunnel, Instant)) {
        self.call(host, |host, time| host.command(time, command));
    }

    /// Calls a host's tunnel without draining it, as no host should.
    pub fn undrained(&mut self, host: HostId, call: impl FnOnce(&mut Tunnel, Instant)) {
        let time = self.time();
        self.host_mut(host).undrained(time, call);
    }

    /// Starts a handshake.
    pub fn connect(&mut self, host: HostId, peer: HostId) {
        let id = self.peer_id(host, peer);
        self.command(host, |tunnel, now| tunnel.connect(now, id));
    }

    /// Tells a host that its network changed.
    pub fn network_change(&mut self, host: HostId) {
        self.command(host, |tunnel, now| tunnel.handle_network_change(now));
    }

    /// Tells a host's tunnel what the wall clock shows.
    pub fn tell_wall_clock(&mut self, host: HostId) {
        let wall = self.host(host).clock.wall(self.time());
        self.command(host, |tunnel, now| tunnel.handle_wall_clock(now, wall));
    }

    /// Sends a host to sleep: its deadlines pass, what arrives is lost, its clocks go on.
    pub fn sleep(&mut self, host: HostId) {
        self.host_mut(host).asleep = true;
        self.note_deadline(host);
    }

    /// Wakes a host: it reads its wall clock, then serves what is due.
    pub fn wake(&mut self, host: HostId) {
        self.host_mut(host).asleep = false;
        self.tell_wall_clock(host);
    }

    /// Restarts a host's program: same configuration; all else is forgotten but the timestamp floor, if it was saved.
    pub fn restart(&mut self, host: HostId, floor: Tai64N) {
        self.call(host, |host, time| host.restart(time, floor));
    }

    /// Steps a host's monotonic clock.
    pub fn step_monotonic(&mut self, host: HostId, seconds: i64) {
        self.host_mut(host).clock.step_monotonic(seconds);
        self.note_deadline(host);
    }

    /// Steps a host's wall clock and tells its tunnel.
    pub fn step_wall(&mut self, host: HostId, seconds: i64) {
        self.host_mut(host).clock.step_wall(seconds);
        self.tell_wall_clock(host);
    }

    /// How many events of a host satisfy `like`.
    #[must_use]
    pub fn count_events(&self, host: HostId, like: impl Fn(&Event) -> bool) -> usize {
        self.host(host).events.iter().filter(|(_, event)| like(event)).count()
    }

    /// Times a host completed a handshake.
    #[must_use]
    pub fn sessions(&self, host: HostId) -> usize {
        self.count_events(host, |event| matches!(event, Event::SessionEstablished { .. }))
    }

    /// The health of a peer.
    #[must_use]
    pub fn health(&self, host: HostId, peer: HostId) -> underpass_core::tunnel::Health {
        let now = self.host(host).clock.monotonic(self.time());
        self.tunnel(host).peer(self.peer_id(host, peer)).expect("the hosts are peers").health(now)
    }

    /// Lets a handshake and one packet each way happen.
    ///
    /// # Panics
    /// When it takes longer than a second.
    pub fn meet(&mut self, a: HostId, b: HostId) {
        self.send(a, b);
        self.run_for(Duration::from_millis(500));
        self.send(b, a);
        self.run_for(Duration::from_millis(500));
        assert!(self.flow(a, b).is_complete() && self.flow(b, a).is_complete(), "they did not meet");
    }

    /// Lets one packet go each way and arrive, whatever was lost before.
    ///
    /// # Panics
    /// When it takes longer than a second.
    pub fn meet_again(&mut self, a: HostId, b: HostId) {
        let before = (self.arrived(a, b), self.arrived(b, a));
        self.send(a, b);
        self.run_for(Duration::from_millis(500));
        self.send(b, a);
        self.run_for(Duration::from_millis(500));
        assert_eq!((self.arrived(a, b), self.arrived(b, a)), (before.0 + 1, before.1 + 1), "they did not meet again");
    }
}
