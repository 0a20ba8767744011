//! The loop: one thread that waits for the interface, the sockets, the clocks and its owners, and carries.
//!
//! Each turn reads the clock once, takes a batch from each side that has one, and drains what the tunnel wants.
//! The tunnel is locked per batch, never across a system call, and nothing is allocated per packet.
use super::crew::Crew;
use super::haul::Haul;
use super::namespace::{Abroad, Correspondent, Link, Whereabouts};
use super::network::NetworkWatch;
use super::resolve::{Names, Resolver};
use super::shared::{Order, Shared};
use super::yard::{Means, Yard};
use super::{Ended, HostEvent};
use crate::clock;
use crate::error::HostError;
use crate::tun::device::Device;
use crate::udp::{Options, Socket, Sockets};
use ipnet::IpNet;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use underpass_carry::alarm::{Alarm, WallClockWatch};
use underpass_core::config::Endpoint;
use underpass_core::tunnel::Event;
use underpass_core::{Change, Instant, Tunnel};

/// What woke the loop.
const OWNERS: u64 = 0;
const INTERFACE: u64 = 1;
const ALARM: u64 = 2;
const WALL_CLOCK: u64 = 3;
const NETWORK: u64 = 4;
const SOCKETS_V4: u64 = 5;
const SOCKETS_V6: u64 = 6;
const ABROAD: u64 = 7;
const HANDSHAKES_V4: u64 = 8;
const HANDSHAKES_V6: u64 = 9;

/// Everything the loop owns.
pub struct Loop {
    shared: Arc<Shared>,
    device: Device,
    sockets: Sockets,
    offload: bool,
    epoll: Epoll,
    alarm: Alarm,
    wall_clock: WallClockWatch,
    network: NetworkWatch,
    /// `None`: the kernel does not tell.
    whereabouts: Option<Whereabouts>,
    /// There while the interface is in another network namespace.
    correspondent: Option<Correspondent>,
    resolver: Resolver,
    yard: Yard,
    haul: Haul,
    crew: Crew,
    is_up: bool,
}

impl Loop {
    /// A loop that is ready to run.
    ///
    /// # Errors
    /// [`HostError`] when there is no descriptor left.
    pub fn new(
        shared: Arc<Shared>,
        device: Device,
        sockets: Sockets,
        crew: Crew,
        offload: bool,
        names: Names,
    ) -> Result<Self, HostError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(unwatched)?;
        let alarm = Alarm::new()?;
        let wall_clock = WallClockWatch::new()?;
        let network = NetworkWatch::new(device.index(), device.name())?;
        let readable = |token| EpollEvent::new(EpollFlags::EPOLLIN, token);
        epoll.add(shared.wakeup(), readable(OWNERS)).map_err(unwatched)?;
        epoll.add(&device, readable(INTERFACE)).map_err(unwatched)?;
        epoll.add(&alarm, readable(ALARM)).map_err(unwatched)?;
        epoll.add(&wall_clock, readable(WALL_CLOCK)).map_err(unwatched)?;
        epoll.add(&network, readable(NETWORK)).map_err(unwatched)?;
        watch_sockets(&epoll, &sockets)?;
        shared.publish(sockets.port(), sockets.mark());
        let yard = Yard::new(shared.tunnel().layout());
        let (haul, is_up) = (Haul::new(&device), device.is_up().unwrap_or(false));
        let resolver = Resolver::new(names);
        let whereabouts = Whereabouts::at_home(&device).ok();
        Ok(Self {
            shared,
            device,
            sockets,
            offload,
            epoll,
            alarm,
            wall_clock,
            network,
            whereabouts,
            correspondent: None,
            resolver,
            yard,
            haul,
            crew,
            is_up,
        })
    }

    /// Carries until the end.
    pub fn run(mut self) -> Ended {
        self.drain(clock::now());
        loop {
            if let Err(ended) = self.turn() {
                return ended;
            }
        }
    }

    fn turn(&mut self) -> Result<(), Ended> {
        let mut events = [EpollEvent::empty(); 10];
        let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(Ended::Failed(HostError::system("waiting for work", errno.into()))),
        };
        let now = clock::now();
        let mut handshakes = [false; 2];
        for event in &events[..count] {
            match event.data() {
                OWNERS => self.obey()?,
                INTERFACE => self.carry_out(now)?,
                ALARM => self.alarm.ring(),
                WALL_CLOCK => {
                    if let Err(errno) = self.wall_clock.acknowledge() {
                        tracing::warn!(%errno, "the wall clock is no longer watched");
                    }
                    self.shared.tunnel().handle_wall_clock(now, clock::wall());
                }
                NETWORK => {
                    if self.network.listen(now) {
                        self.look_at_interface(now)?;
                    }
                }
                ABROAD => {
                    self.correspondent.iter().for_each(Correspondent::listen);
                    self.look_at_interface(now)?;
                }
                HANDSHAKES_V4 => handshakes[0] = true,
                HANDSHAKES_V6 => handshakes[1] = true,
                token => self.carry_in(now, token == SOCKETS_V6)?,
            }
        }
        self.carry_handshakes(now, handshakes)?;
        let shared = &self.shared;
        if self.network.settled(now, |networks| has_peers(&shared.tunnel(), networks)) {
            self.network_changed(now);
        }
        self.drain(now);
        Ok(())
    }

    /// Interface to network.
    fn carry_out(&mut self, now: Instant) -> Result<(), Ended> {
        self.yard.carry_out(&mut Means {
            device: &self.device,
            sockets: &self.sockets,
            tunnel: self.shared.mutex(),
            crew: &mut self.crew,
            now,
        })
    }

    /// Network to interface.
    fn carry_in(&mut self, now: Instant, from_v6: bool) -> Result<(), Ended> {
        let Some(socket) = self.sockets.each().find(|socket| socket.is_v6() == from_v6) else { return Ok(()) };
        let received = self.haul.receive(|bufs, meta| socket.receive(bufs, meta));
        self.take_in(now, received)
    }

    /// A batch of the handshake messages of each family that has some. Data comes first, but never alone: whoever is new gets
    /// in while others carry much.
    fn carry_handshakes(&mut self, now: Instant, waiting: [bool; 2]) -> Result<(), Ended> {
        for from_v6 in [false, true].into_iter().filter(|from_v6| waiting[usize::from(*from_v6)]) {
            let socket = self.sockets.each().find(|socket| socket.is_v6() == from_v6);
            let Some(lane) = socket.and_then(Socket::lane) else { continue };
            let received = self.haul.receive(|bufs, meta| lane.receive(bufs, meta));
            self.take_in(now, received)?;
        }
        Ok(())
    }

    /// What was received goes where it belongs.
    fn take_in(&mut self, now: Instant, received: std::io::Result<bool>) -> Result<(), Ended> {
        match received {
            Ok(true) => {
                self.haul.open(self.shared.mutex(), now, &mut self.crew);
                if let Some(messages) = self.shared.messages() {
                    self.haul.hand_on(self.shared.mutex(), messages);
                }
                self.haul.reply(&self.sockets);
                self.haul.deliver(&self.device).map_err(|_| Ended::InterfaceDeleted)
            }
            Ok(false) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "receiving failed");
                Ok(())
            }
        }
    }

    /// Does what the tunnel wants until it wants nothing more, and sets the alarm. What it wants to send waits while the
    /// interface is down: a tunnel that is not up is not heard of, as with the kernel's.
    fn drain(&mut self, now: Instant) {
        loop {
            let mut tunnel = self.shared.tunnel();
            for failure in self.yard.failures.drain(..) {
                if let Some(errno) = failure.errno {
                    tracing::debug!(%errno, remote = %failure.path.remote, "not sent");
                }
                failure.tell(&mut tunnel);
            }
            if tunnel.poll_timeout().is_some_and(|at| at <= now) {
                tunnel.handle_timeout(now);
            }
            let more = self.is_up && self.yard.collect(&mut tunnel, now);
            if tracing::enabled!(tracing::Level::DEBUG) {
                let tell = |(peer, step)| self.shared.tell(&HostEvent::Handshake { peer, step });
                self.yard.handshakes().for_each(tell);
            }
            while let Some(event) = tunnel.poll_event() {
                let name = name_to_resolve(&tunnel, &event);
                if let (Event::ResolveEndpoint { peer, .. }, Some((host, port))) = (&event, name) {
                    let reach = self.sockets.families();
                    self.resolver.resolve(&self.shared, *peer, host, port, reach);
                }
                self.shared.tell(&HostEvent::Tunnel(event));
            }
            self.yard.layout = tunnel.layout();
            let deadline = tunnel.poll_timeout();
            drop(tunnel);
            self.yard.depart_collected(&self.sockets);
            if !more && self.yard.failures.is_empty() {
                self.alarm.set(deadline.into_iter().chain(self.network.deadline()).min());
                return;
            }
        }
    }

    fn obey(&mut self) -> Result<(), Ended> {
        _ = self.shared.wakeup().read();
        for order in self.shared.take_orders() {
            match order {
                Order::Stop => return Err(Ended::Stopped),
                Order::Fail(died) => return Err(Ended::Failed(died.into())),
                Order::ListenPort(port, answer) => _ = answer.send(self.move_to(port)),
                Order::Mark(mark, answer) => {
                    let outcome = self.sockets.set_mark(mark);
                    self.shared.publish(self.sockets.port(), self.sockets.mark());
                    _ = answer.send(outcome.map_err(Into::into));
                }
            }
        }
        Ok(())
    }

    /// Opens sockets on another port; the old ones close only when that worked.
    fn move_to(&mut self, port: u16) -> Result<(), HostError> {
        if port == self.sockets.port() {
            return Ok(());
        }
        let options = Options { mark: self.sockets.mark(), offload: self.offload, lane: true, protect: None };
        let sockets = Sockets::bind(port, options)?;
        watch_sockets(&self.epoll, &sockets)?;
        self.sockets = sockets;
        self.shared.publish(self.sockets.port(), self.sockets.mark());
        self.shared.tell(&HostEvent::ListenPortChanged(self.sockets.port()));
        Ok(())
    }

    /// Someone may have changed our interface.
    fn look_at_interface(&mut self, now: Instant) -> Result<(), Ended> {
        let Link { mtu, is_up } = self.look()?;
        if mtu != self.yard.layout.mtu() {
            let changed = self.shared.tunnel().configure(now, &[Change::Mtu(mtu)]);
            match changed {
                Ok(()) => self.shared.tell(&HostEvent::MtuChanged(mtu)),
                Err(error) => tracing::warn!(mtu, %error, "the tunnel did not follow the interface"),
            }
        }
        if is_up != self.is_up {
            self.is_up = is_up;
            self.shared.tell(&HostEvent::LinkChanged(is_up));
        }
        Ok(())
    }

    /// What the interface is like, wherever it is. Where nobody tells, it is taken for unchanged, and for up.
    fn look(&mut self) -> Result<Link, Ended> {
        let unknown = Link { mtu: self.yard.layout.mtu(), is_up: true };
        match self.whereabouts.as_ref().map(|whereabouts| whereabouts.abroad(&self.device)) {
            Some(Err(Errno::EBADFD)) => return Err(Ended::InterfaceDeleted),
            Some(Ok(Some(abroad))) => {
                let link = self.look_abroad(&abroad);
                return Ok(link.inspect_err(|error| tracing::warn!(%error, "the interface moved")).unwrap_or(unknown));
            }
            Some(Ok(None)) if self.correspondent.take().is_some() => self.come_home(),
            _ => {}
        }
        if let (Ok(mtu), is_up) = (self.device.mtu(), self.device.is_up()) {
            return Ok(Link { mtu, is_up: is_up.unwrap_or(self.is_up) });
        }
        // It was deleted, or moved where a kernel before 5.11 does not tell.
        match nix::unistd::read(&self.device, &mut [0; 1]) {
            Err(Errno::EBADFD) => Err(Ended::InterfaceDeleted),
            _ => Ok(unknown),
        }
    }

    fn look_abroad(&mut self, abroad: &Abroad) -> Result<Link, HostError> {
        if self.correspondent.is_none() {
            let correspondent = Correspondent::new().map_err(unwatched)?;
            self.epoll.add(&correspondent, EpollEvent::new(EpollFlags::EPOLLIN, ABROAD)).map_err(unwatched)?;
            self.correspondent = Some(correspondent);
        }
        let name = self.device.present_name().map_err(|source| HostError::system("reading a name", source))?;
        let looked = self.correspondent.as_ref().map(|correspondent| correspondent.look(&name, abroad));
        looked.unwrap_or(Err(Errno::ENODEV)).map_err(unwatched)
    }

    /// The interface is back, perhaps by another number and name.
    fn come_home(&mut self) {
        if let Ok(name) = self.device.present_name()
            && let Ok(index) = nix::net::if_::if_nametoindex(name.as_str())
        {
            self.network.follow(index, &name);
        }
    }

    fn network_changed(&mut self, now: Instant) {
        if self.sockets.refresh()
            && let Err(error) = watch_sockets(&self.epoll, &self.sockets)
        {
            tracing::warn!(%error, "a socket that was opened is not heard");
        }
        self.shared.tunnel().handle_network_change(now);
        self.shared.tell(&HostEvent::NetworkChanged);
    }
}

/// Whether a peer is reached in one of `networks`.
fn has_peers(tunnel: &Tunnel, networks: &[IpNet]) -> bool {
    let is_there = |address: IpAddr| networks.iter().any(|network| network.contains(&address));
    !networks.is_empty() && tunnel.peers().filter_map(|peer| peer.path()).any(|path| is_there(path.remote.ip()))
}

/// The name behind a request to resolve.
fn name_to_resolve(tunnel: &Tunnel, event: &Event) -> Option<(String, u16)> {
    let Event::ResolveEndpoint { peer, .. } = event else { return None };
    match tunnel.peer(*peer)?.configured_endpoint()? {
        Endpoint::Name { host, port } => Some((host.clone(), *port)),
        Endpoint::Address(_) => None,
    }
}

/// Wakes the loop when datagrams wait; sockets it knows already stay known.
fn watch_sockets(epoll: &Epoll, sockets: &Sockets) -> Result<(), HostError> {
    let add = |socket: BorrowedFd<'_>, token| match epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token)) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(unwatched(errno)),
    };
    sockets.each().try_for_each(|socket| {
        let (data, handshakes) = if socket.is_v6() { (SOCKETS_V6, HANDSHAKES_V6) } else { (SOCKETS_V4, HANDSHAKES_V4) };
        add(socket.as_fd(), data)?;
        socket.lane().map_or(Ok(()), |lane| add(lane.as_fd(), handshakes))
    })
}

fn unwatched(errno: Errno) -> HostError {
    HostError::system("preparing to wait for work", errno.into())
}
