//! What the loop shares with everyone who holds the engine.
use super::{Ended, HostEvent, Messages};
use crate::clock;
use crate::error::HostError;
use crate::watched::Died;
use nix::sys::eventfd::EventFd;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use underpass_core::{Instant, Tunnel};

/// Events that wait for a subscriber.
const EVENTS: usize = 1024;

/// What someone wants of the loop.
#[derive(Debug)]
pub enum Order {
    /// End.
    Stop,
    /// End, for a thread that the loop works with died.
    Fail(Died),
    /// Move the sockets to a port.
    ListenPort(u16, SyncSender<Result<(), HostError>>),
    /// Mark datagrams.
    Mark(u32, SyncSender<Result<(), HostError>>),
}

/// The tunnel, and the ways to reach the loop around it.
#[derive(Debug)]
pub struct Shared {
    tunnel: Mutex<Tunnel>,
    wake: EventFd,
    messages: Option<Messages>,
    /// `None`: the loop has ended and takes no more.
    orders: Mutex<Option<Vec<Order>>>,
    listeners: Mutex<Vec<SyncSender<HostEvent>>>,
    /// Events for which a subscriber had no room.
    missed: AtomicU64,
    port: AtomicU16,
    mark: AtomicU32,
    end: Mutex<End>,
    has_ended: Condvar,
}

/// How the loop ended.
#[derive(Debug, Default)]
enum End {
    #[default]
    NotYet,
    Because(Ended),
}

impl Shared {
    /// Around `tunnel`; `wake` is what the loop wakes up by, `messages` who hears the control channel.
    #[must_use]
    pub fn new(tunnel: Tunnel, wake: EventFd, messages: Option<Messages>) -> Self {
        Self {
            tunnel: tunnel.into(),
            wake,
            messages,
            orders: Some(Vec::new()).into(),
            listeners: Mutex::default(),
            missed: 0.into(),
            port: 0.into(),
            mark: 0.into(),
            end: Mutex::default(),
            has_ended: Condvar::new(),
        }
    }

    /// The tunnel, for the loop itself.
    pub fn tunnel(&self) -> MutexGuard<'_, Tunnel> {
        lock(&self.tunnel)
    }

    /// The tunnel, to be locked as often as needed.
    pub fn mutex(&self) -> &Mutex<Tunnel> {
        &self.tunnel
    }

    /// Who hears the control channel.
    pub const fn messages(&self) -> Option<&Messages> {
        self.messages.as_ref()
    }

    /// Runs `f` on the tunnel and wakes the loop.
    pub fn with_tunnel<R>(&self, f: impl FnOnce(&mut Tunnel, Instant) -> R) -> R {
        let mut tunnel = self.tunnel();
        let result = f(&mut tunnel, clock::now());
        drop(tunnel);
        self.wake();
        result
    }

    /// Makes the loop look around.
    pub fn wake(&self) {
        _ = self.wake.write(1);
    }

    /// Readable when somebody woke the loop.
    pub fn wakeup(&self) -> &EventFd {
        &self.wake
    }

    /// Gives the loop an order that is not answered.
    pub fn order(&self, order: Order) {
        if let Some(orders) = lock(&self.orders).as_mut() {
            orders.push(order);
        }
        self.wake();
    }

    /// Gives the loop an order and waits for its answer.
    pub fn ask(&self, order: impl FnOnce(SyncSender<Result<(), HostError>>) -> Order) -> Result<(), HostError> {
        let (answer, answered) = sync_channel(1);
        self.order(order(answer));
        answered.recv().unwrap_or(Err(HostError::Ended))
    }

    /// The orders given since the last call.
    pub fn take_orders(&self) -> Vec<Order> {
        lock(&self.orders).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What the loop knows of its sockets, for everyone to read.
    pub fn publish(&self, port: u16, mark: u32) {
        self.port.store(port, Ordering::Relaxed);
        self.mark.store(mark, Ordering::Relaxed);
    }

    /// The port the sockets are bound to.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// The mark of every datagram.
    pub fn mark(&self) -> u32 {
        self.mark.load(Ordering::Relaxed)
    }

    /// A new subscription.
    pub fn subscribe(&self) -> Receiver<HostEvent> {
        let (sender, receiver) = sync_channel(EVENTS);
        let end = lock(&self.end);
        match *end {
            End::NotYet => lock(&self.listeners).push(sender),
            End::Because(_) => _ = sender.try_send(HostEvent::Ended),
        }
        receiver
    }

    /// Tells all subscribers; those who are gone are forgotten, those who sleep miss it.
    pub fn tell(&self, event: &HostEvent) {
        let heard = |sender: &SyncSender<_>| match sender.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        };
        lock(&self.listeners).retain(heard);
    }

    /// How many events were missed since the last call.
    pub fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }

    /// The loop has ended: whoever waits learns it. The first reason counts.
    pub fn ended(&self, why: Ended) {
        // Dropping an order tells who waits for its answer.
        drop(lock(&self.orders).take());
        let mut end = lock(&self.end);
        if matches!(*end, End::NotYet) {
            *end = End::Because(why);
            self.tell(&HostEvent::Ended);
            lock(&self.listeners).clear();
        }
        drop(end);
        self.has_ended.notify_all();
    }

    /// Blocks until the loop has ended.
    pub fn wait(&self) -> Ended {
        let mut end = lock(&self.end);
        loop {
            match &mut *end {
                End::NotYet => end = self.has_ended.wait(end).unwrap_or_else(PoisonError::into_inner),
                End::Because(Ended::InterfaceDeleted) => return Ended::InterfaceDeleted,
                End::Because(Ended::Stopped) => return Ended::Stopped,
                End::Because(Ended::Failed(error)) => {
                    return Ended::Failed(std::mem::replace(error, HostError::Ended));
                }
            }
        }
    }
}

/// A panic elsewhere does not make what a mutex holds unusable: the tunnel's calls do not panic half-way.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
