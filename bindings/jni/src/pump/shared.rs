//! What the loop shares with whoever holds the pump.
use super::tun::Tun;
use super::{PumpError, Statistics};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use underpass_carry::Fault;
use underpass_carry::udp::Sockets;

/// What becomes of an interface that was to be the new one: the old one comes back, or itself.
pub(crate) type Replaced = Result<Tun, (PumpError, Tun)>;

/// What somebody wants of the loop.
pub(crate) enum Order {
    /// End.
    Stop,
    /// Go on with these sockets.
    Rebind(Box<Sockets>, SyncSender<Result<(), PumpError>>),
    /// Go on with this interface.
    ReplaceTun(Tun, SyncSender<Replaced>),
}

/// The ways to reach the loop, and what it tells.
pub(crate) struct Shared {
    wake: EventFd,
    /// `None`: the loop has ended and takes no more.
    orders: Mutex<Option<Vec<Order>>>,
    life: Mutex<Life>,
    has_ended: Condvar,
    counters: Counters,
}

#[derive(Default)]
struct Life {
    /// The thread that carries at present.
    thread: Option<ThreadId>,
    ended: bool,
    /// The interface, once the loop has ended, until somebody takes it.
    tun: Option<Tun>,
    /// Nobody will take it.
    discard: bool,
}

/// Counted by the loop alone, read by anybody.
#[derive(Default)]
struct Counters {
    out: [AtomicU64; 3],
    inward: [AtomicU64; 3],
    drops: AtomicU64,
    wakeups: AtomicU64,
}

impl Shared {
    /// # Errors
    /// [`PumpError`] when there is no descriptor left.
    pub(crate) fn new() -> Result<Self, PumpError> {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|errno| Fault::system("making an event descriptor", errno.into()))?;
        Ok(Self {
            wake,
            orders: Mutex::new(Some(Vec::new())),
            life: Mutex::default(),
            has_ended: Condvar::new(),
            counters: Counters::default(),
        })
    }

    /// Readable when somebody woke the loop.
    pub(crate) fn wakeup(&self) -> &EventFd {
        &self.wake
    }

    /// Makes the loop look around.
    pub(crate) fn wake(&self) {
        _ = self.wake.write(1);
    }

    /// Gives the loop an order. It comes back when the loop has ended.
    pub(crate) fn order(&self, order: Order) -> Option<Order> {
        if let Some(orders) = lock(&self.orders).as_mut() {
            orders.push(order);
        } else {
            return Some(order);
        }
        self.wake();
        None
    }

    /// Gives the loop an order and waits for its answer; `None`: it has ended.
    pub(crate) fn ask<A>(&self, order: impl FnOnce(SyncSender<A>) -> Order) -> Option<A> {
        let (answer, answered) = sync_channel(1);
        self.order(order(answer));
        answered.recv().ok()
    }

    /// Likewise with an interface, which comes back when the loop has ended (but for a bug that ended it just then).
    pub(crate) fn ask_with(
        &self,
        tun: Tun,
        order: impl FnOnce(Tun, SyncSender<Replaced>) -> Order,
    ) -> Result<Replaced, Option<Tun>> {
        let (answer, answered) = sync_channel(1);
        match self.order(order(tun, answer)) {
            Some(Order::ReplaceTun(tun, _)) => Err(Some(tun)),
            _ => answered.recv().map_err(|_| None),
        }
    }

    /// The orders given since the last call.
    pub(crate) fn take_orders(&self) -> Vec<Order> {
        lock(&self.orders).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// This thread is the one that carries.
    pub(crate) fn begin(&self) {
        lock(&self.life).thread = Some(thread::current().id());
    }

    /// Whether the calling thread is the one that carries, and does so still.
    pub(crate) fn is_carrying_here(&self) -> bool {
        lock(&self.life).thread == Some(thread::current().id())
    }

    /// The loop has ended and gives the interface back.
    pub(crate) fn ended(&self, tun: Tun) {
        let left = lock(&self.orders).take().unwrap_or_default();
        answer_ended(left);
        let mut life = lock(&self.life);
        life.thread = None;
        life.ended = true;
        let unwanted = if life.discard { Some(tun) } else { life.tun.replace(tun) };
        drop(life);
        drop(unwanted);
        self.has_ended.notify_all();
    }

    /// Waits until the loop has ended. The first to wait gets the interface.
    pub(crate) fn wait(&self) -> Option<Tun> {
        let mut life = lock(&self.life);
        while !life.ended {
            life = self.has_ended.wait(life).unwrap_or_else(PoisonError::into_inner);
        }
        life.tun.take()
    }

    /// Nobody will come for the interface: it closes when the loop has ended.
    pub(crate) fn discard(&self) {
        lock(&self.life).discard = true;
    }

    /// A batch of so many packets came from the interface.
    pub(crate) fn count_out(&self, packets: u64, bytes: u64) {
        count(&self.counters.out, packets, bytes);
    }

    /// A batch of so many packets went to the interface.
    pub(crate) fn count_inward(&self, packets: u64, bytes: u64) {
        count(&self.counters.inward, packets, bytes);
    }

    /// So many packets or datagrams were lost.
    pub(crate) fn count_drops(&self, drops: u64) {
        self.counters.drops.fetch_add(drops, Ordering::Relaxed);
    }

    /// The loop woke up.
    pub(crate) fn count_wakeup(&self) {
        self.counters.wakeups.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let read = |counters: &[AtomicU64; 3]| counters.each_ref().map(|counter| counter.load(Ordering::Relaxed));
        Statistics {
            out: read(&self.counters.out),
            inward: read(&self.counters.inward),
            drops: self.counters.drops.load(Ordering::Relaxed),
            wakeups: self.counters.wakeups.load(Ordering::Relaxed),
        }
    }
}

/// Tells those whose orders were not carried out. Interfaces go back to who brought them.
pub(crate) fn answer_ended(orders: Vec<Order>) {
    for order in orders {
        match order {
            Order::Stop => {}
            Order::Rebind(_, answer) => _ = answer.send(Err(PumpError::Ended)),
            Order::ReplaceTun(tun, answer) => _ = answer.send(Err((PumpError::Ended, tun))),
        }
    }
}

fn count([packets, bytes, batches]: &[AtomicU64; 3], more_packets: u64, more_bytes: u64) {
    packets.fetch_add(more_packets, Ordering::Relaxed);
    bytes.fetch_add(more_bytes, Ordering::Relaxed);
    batches.fetch_add(1, Ordering::Relaxed);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
