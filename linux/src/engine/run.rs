//! The loop: one thread that waits for the interface, the sockets, the clocks and its owners, and carries.
//!
//! Each turn reads the clock once, takes a batch from each side that has one, and drains what the tunnel wants.
//! The tunnel is locked per batch, never across a system call, and nothing is allocated per packet.
use super::crew::Crew;
use super::haul::Haul;
use super::network::NetworkWatch;
use super::resolve::{Names, Resolver};
use super::shared::{Order, Shared};
use super::yard::{Means, Yard};
use super::{Ended, HostEvent};
use crate::clock;
use crate::error::HostError;
use crate::tun::device::Device;
use crate::udp::{Options, Socket, Sockets};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
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
        Ok(Self {
            shared,
            device,
            sockets,
            offload,
            epoll,
            alarm,
            wall_clock,
            network,
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
        let mut events = [EpollEvent::empty(); 8];
        let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(Ended::Failed(HostError::system("waiting for work", errno.into()))),
        };
        let now = clock::now();
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
                token => self.carry_in(now, token == SOCKETS_V6)?,
            }
        }
        if self.network.settled(now) {
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
        match self.haul.receive(socket) {
            Ok(true) => {
                self.haul.open(self.shared.mutex(), now, &mut self.crew);
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
        let options = Options { mark: self.sockets.mark(), offload: self.offload, protect: None };
        let sockets = Sockets::bind(port, options)?;
        watch_sockets(&self.epoll, &sockets)?;
        self.sockets = sockets;
        self.shared.publish(self.sockets.port(), self.sockets.mark());
        self.shared.tell(&HostEvent::ListenPortChanged(self.sockets.port()));
        Ok(())
    }

    /// Someone may have changed our interface.
    fn look_at_interface(&mut self, now: Instant) -> Result<(), Ended> {
        let Ok(mtu) = self.device.mtu() else { return self.interface_unreadable() };
        if mtu != self.yard.layout.mtu() {
            let changed = self.shared.tunnel().configure(now, &[Change::Mtu(mtu)]);
            match changed {
                Ok(()) => self.shared.tell(&HostEvent::MtuChanged(mtu)),
                Err(error) => tracing::warn!(mtu, %error, "the tunnel did not follow the interface"),
            }
        }
        let is_up = self.device.is_up().unwrap_or(self.is_up);
        if is_up != self.is_up {
            self.is_up = is_up;
            self.shared.tell(&HostEvent::LinkChanged(is_up));
        }
        Ok(())
    }

    /// An interface whose MTU cannot be read was deleted, or moved to another namespace, where it works on. Nothing tells
    /// us there whether it is up, so it counts as up.
    fn interface_unreadable(&mut self) -> Result<(), Ended> {
        let mut probe = [0; 1];
        match nix::unistd::read(&self.device, &mut probe) {
            Err(Errno::EBADFD) => Err(Ended::InterfaceDeleted),
            _ => {
                self.is_up = true;
                Ok(())
            }
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
    let add = |socket: &Socket| {
        let token = if socket.is_v6() { SOCKETS_V6 } else { SOCKETS_V4 };
        match epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(unwatched(errno)),
        }
    };
    sockets.each().try_for_each(add)
}

fn unwatched(errno: Errno) -> HostError {
    HostError::system("preparing to wait for work", errno.into())
}
