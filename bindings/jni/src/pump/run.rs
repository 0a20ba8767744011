//! The loop: one thread that waits for the interface, the sockets, the alarm and its owners, and carries.
//!
//! The tunnel is locked once a batch, never across a system call, and nothing is allocated per packet. Without traffic,
//! deadlines and orders it does not wake up.
use super::PumpError;
use super::incoming::Incoming;
use super::outgoing::{Means, Outgoing};
use super::registry::Claim;
use super::shared::{Order, Replaced, Shared, answer_ended};
use super::tun::Tun;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::os::fd::AsFd;
use std::sync::Arc;
use underpass_carry::Fault;
use underpass_carry::alarm::Alarm;
use underpass_carry::udp::Sockets;
use underpass_core::tunnel::Layout;
use underpass_uniffi::logging::{LogLevel, say};
use underpass_uniffi::{Tunnel, TunnelError};

/// What woke the loop.
const OWNERS: u64 = 0;
const INTERFACE: u64 = 1;
const ALARM: u64 = 2;
const SOCKETS_V4: u64 = 3;
const SOCKETS_V6: u64 = 4;

/// Everything the loop owns.
pub(crate) struct Loop {
    tunnel: Arc<Tunnel>,
    tun: Tun,
    sockets: Sockets,
    shared: Arc<Shared>,
    epoll: Epoll,
    alarm: Alarm,
    outgoing: Outgoing,
    incoming: Incoming,
    _claim: Claim,
}

/// Why a turn was the last.
enum Last {
    Stopped,
    Failed(PumpError),
}

impl Loop {
    /// A loop that is ready to run. From now on it is woken by the tunnel.
    ///
    /// # Errors
    /// [`PumpError`], with the interface.
    pub(crate) fn new(
        tunnel: Arc<Tunnel>,
        tun: Tun,
        sockets: Sockets,
        shared: Arc<Shared>,
        claim: Claim,
    ) -> Result<Self, (PumpError, Tun)> {
        let prepared = prepare(&tunnel, &tun, &sockets, &shared);
        let (epoll, alarm, layout) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Err((error, tun)),
        };
        let for_tunnel = Arc::clone(&shared);
        tunnel.set_data_plane(Some(Arc::new(move || for_tunnel.wake())));
        let (outgoing, incoming) = (Outgoing::new(layout), Incoming::new(&sockets, layout));
        Ok(Self { tunnel, tun, sockets, shared, epoll, alarm, outgoing, incoming, _claim: claim })
    }

    /// Carries until the end. `None`: it was told to stop.
    pub(crate) fn run(&mut self) -> Option<PumpError> {
        let mut outcome = self.drain();
        while outcome.is_ok() {
            outcome = self.turn();
        }
        match outcome {
            Err(Last::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// The end: gives the interface back. The sockets close, and the tunnel can be carried by another pump.
    pub(crate) fn into_tun(self) -> Tun {
        self.tunnel.set_data_plane(None);
        self.tun
    }

    fn turn(&mut self) -> Result<(), Last> {
        let mut events = [EpollEvent::empty(); 8];
        let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(errno) => {
                say(LogLevel::Error, format_args!("waiting for work failed: {errno}"));
                return Err(PumpError::System.into());
            }
        };
        self.shared.count_wakeup();
        for event in events.iter().take(count) {
            match event.data() {
                OWNERS => self.obey()?,
                INTERFACE => self.carry_out(event.events())?,
                ALARM => self.alarm.ring(),
                token => self.carry_in(token == SOCKETS_V6)?,
            }
        }
        self.drain()
    }

    fn carry_out(&mut self, told: EpollFlags) -> Result<(), Last> {
        let Self { tunnel, tun, sockets, shared, outgoing, .. } = self;
        let carried = outgoing.carry(&Means { tunnel, tun, sockets, shared })?;
        // It would be told again and again.
        if !carried && told.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
            return Err(PumpError::TunGone.into());
        }
        Ok(())
    }

    fn carry_in(&mut self, from_v6: bool) -> Result<(), Last> {
        let Self { tunnel, tun, sockets, shared, incoming, .. } = self;
        let Some(socket) = sockets.each().find(|socket| socket.is_v6() == from_v6) else { return Ok(()) };
        Ok(incoming.carry(socket, &Means { tunnel, tun, sockets, shared })?)
    }

    /// Does what the tunnel wants until it wants nothing more, and sets the alarm.
    fn drain(&mut self) -> Result<(), Last> {
        let Self { tunnel, tun, sockets, shared, outgoing, .. } = self;
        let deadline = outgoing.drain(&Means { tunnel, tun, sockets, shared })?;
        self.incoming.suit(&self.sockets, self.outgoing.layout);
        self.alarm.set(deadline);
        Ok(())
    }

    fn obey(&mut self) -> Result<(), Last> {
        _ = self.shared.wakeup().read();
        let mut orders = self.shared.take_orders().into_iter();
        while let Some(order) = orders.next() {
            match order {
                Order::Stop => {
                    answer_ended(orders.collect());
                    return Err(Last::Stopped);
                }
                Order::Rebind(sockets, answer) => _ = answer.send(self.rebind(*sockets)),
                Order::ReplaceTun(tun, answer) => _ = answer.send(self.replace_tun(tun)),
            }
        }
        Ok(())
    }

    fn rebind(&mut self, sockets: Sockets) -> Result<(), PumpError> {
        watch_sockets(&self.epoll, &sockets)?;
        // The old ones close, and are forgotten by the kernel.
        self.sockets = sockets;
        say(LogLevel::Info, format_args!("the sockets are new"));
        // Peers are to learn where we are now.
        let told = self.tunnel.with_core(|core| core.handle_network_change(self.tunnel.now()));
        told.map_err(PumpError::of_tunnel)
    }

    fn replace_tun(&mut self, tun: Tun) -> Replaced {
        if let Err(error) = watch(&self.epoll, &tun, INTERFACE) {
            return Err((error, tun));
        }
        let old = std::mem::replace(&mut self.tun, tun);
        // It stays open, so the kernel must be told.
        _ = self.epoll.delete(&old);
        say(LogLevel::Info, format_args!("the virtual interface is another"));
        Ok(old)
    }
}

impl PumpError {
    /// The tunnel was closed, or a bug has stopped it.
    pub(crate) fn of_tunnel(error: TunnelError) -> Self {
        Self::Status(error.status())
    }
}

impl From<PumpError> for Last {
    fn from(error: PumpError) -> Self {
        Self::Failed(error)
    }
}

fn prepare(
    tunnel: &Tunnel,
    tun: &Tun,
    sockets: &Sockets,
    shared: &Shared,
) -> Result<(Epoll, Alarm, Layout), PumpError> {
    let layout = tunnel.with_core(|core| core.layout()).map_err(PumpError::of_tunnel)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
        .map_err(|errno| Fault::system("preparing to wait for work", errno.into()))?;
    let alarm = Alarm::new()?;
    watch(&epoll, shared.wakeup(), OWNERS)?;
    watch(&epoll, &alarm, ALARM)?;
    watch_sockets(&epoll, sockets)?;
    // A regular file, say, cannot be waited for.
    watch(&epoll, tun, INTERFACE).map_err(|_| PumpError::Status(underpass_core::Status::Argument))?;
    Ok((epoll, alarm, layout))
}

fn watch(epoll: &Epoll, what: &impl AsFd, token: u64) -> Result<(), PumpError> {
    epoll.add(what, EpollEvent::new(EpollFlags::EPOLLIN, token)).map_err(|errno| match errno {
        Errno::EPERM | Errno::EEXIST => PumpError::Status(underpass_core::Status::Argument),
        _ => Fault::system("preparing to wait for work", errno.into()).into(),
    })
}

fn watch_sockets(epoll: &Epoll, sockets: &Sockets) -> Result<(), PumpError> {
    sockets.each().try_for_each(|socket| watch(epoll, socket, if socket.is_v6() { SOCKETS_V6 } else { SOCKETS_V4 }))
}
