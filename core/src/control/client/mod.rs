//! The client's end of the channel.
//!
//! Requests go one at a time, in the order in which they are [asked](Client::ask); each ends in one [`Event`]. What is
//! [watched](Client::watch) is told of as [`Event::Pushed`], for as long as the gateway knows of it: it forgets when it is
//! started again, or when it was not answered. So the host calls [`session_began`](Client::session_began) when there is a
//! session again after a pause, and all that is watched is asked for anew.
mod exchange;
mod inbound;
mod send;
mod timeout;
mod watch;

use super::coap::{Kind, SMALL_BLOCK};
use super::exchange::{EXCHANGE_LIFETIME, EXCHANGES, Outbox, Transmit, first_id};
use super::message::{Refusal, Reply, Request, Watch};
use super::{Fault, Wiped};
use crate::crypto::Rng;
use crate::memory::{self, NoMemory};
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use exchange::{Ask, Exchange, Origin};
use watch::Watched;

/// Requests that wait for their turn, at most.
const WAITING: usize = 8;
/// Messages that wait to be polled, at most.
const OUTBOX: usize = 16;

/// Names a request. No two have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(u64);

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request was answered.
    Answered {
        /// Which.
        id: AskId,
        /// The answer.
        reply: Reply,
    },
    /// A request was refused.
    Refused {
        /// Which.
        id: AskId,
        /// Why.
        refusal: Refusal,
    },
    /// A request came to nothing.
    Failed {
        /// Which.
        id: AskId,
        /// Why.
        failure: Failure,
    },
    /// Something that is watched has changed.
    Pushed(Reply),
    /// The gateway tells of no more changes, or they could not be fetched. It is watched again by
    /// [`watch`](Client::watch) or [`session_began`](Client::session_began).
    WatchEnded(Watch),
}

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody answered, for half a minute at most.
    Unanswered,
    /// The request has come, and no answer followed within two minutes.
    NoAnswer,
    /// The gateway has no use for the request.
    Reset,
    /// The answer cannot be read.
    Malformed(Fault),
    /// The blocks of the answer do not fit together.
    Blocks,
    /// There is no randomness for a token.
    NoRandomness,
    /// There is no memory for it.
    NoMemory,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// Eight requests wait already.
    Busy,
    /// The gateway would refuse to read it.
    Unfit(Fault),
    /// There is no memory for it.
    NoMemory,
}

/// The client's end.
#[derive(Debug)]
pub struct Client {
    next_id: u16,
    next_ask: u64,
    /// The request that is on its way (NSTART is 1, RFC 7252 § 4.7).
    exchange: Option<Exchange>,
    waiting: VecDeque<Ask>,
    watched: [Watched; Watch::ALL.len()],
    /// Message ids of the gateway that have come, oldest first.
    heard: Vec<(u16, Instant)>,
    /// The size of blocks.
    exponent: u8,
    outbox: Outbox<()>,
}

impl Client {
    /// A client that has asked nothing.
    #[must_use]
    pub fn new(now: Instant, rng: &mut dyn Rng) -> Self {
        Self {
            next_id: first_id(now, rng),
            next_ask: 0,
            exchange: None,
            waiting: VecDeque::new(),
            watched: [Watched::default(), Watched::default()],
            heard: Vec::new(),
            exponent: SMALL_BLOCK,
            outbox: Outbox::new(OUTBOX),
        }
    }

    /// Asks something. Its answer is an event of the name that this returns.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn ask(&mut self, now: Instant, rng: &mut dyn Rng, request: &Request) -> Result<AskId, AskError> {
        self.queue(now, rng, request, None)
    }

    /// Asks for the state of something, and to be told of changes from then on. The gateway agrees or not;
    /// [`is_watching`](Self::is_watching) tells after the answer.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn watch(&mut self, now: Instant, rng: &mut dyn Rng, watch: Watch) -> Result<AskId, AskError> {
        let request = match watch {
            Watch::Config => Request::Config,
            Watch::Session => Request::Session,
        };
        let id = self.queue(now, rng, &request, Some(watch))?;
        self.watched_mut(watch).is_wanted = true;
        Ok(id)
    }

    /// Wants to be told of no more changes. The gateway hears of it with its next message.
    pub fn unwatch(&mut self, watch: Watch) {
        *self.watched_mut(watch) = Watched::default();
    }

    /// Whether the gateway has agreed to tell of changes.
    #[must_use]
    pub fn is_watching(&self, watch: Watch) -> bool {
        self.watched.get(watch.index()).is_some_and(|watched| watched.seen.is_some())
    }

    /// Gives a request up: nothing more is heard of it. The gateway may have processed it.
    pub fn cancel(&mut self, now: Instant, rng: &mut dyn Rng, id: AskId) {
        self.waiting.retain(|ask| ask.origin != Origin::Host(id));
        if self.exchange.take_if(|exchange| exchange.ask.origin == Origin::Host(id)).is_some() {
            self.start_next(now, rng);
        }
    }

    /// Says that the user is logged out, without waiting for an answer: for a machine that goes to sleep.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn say_goodbye(&mut self, rng: &mut dyn Rng) -> Result<(), AskError> {
        let ask = Ask::new(Origin::Nobody, &Request::Logout, None)?;
        let id = self.new_id();
        let message = send::message_of(rng, Kind::NonConfirmable, id, &ask, 0, self.exponent);
        let (_, message) = message.map_err(|_| AskError::NoMemory)?;
        self.outbox.push((), Ok(message), false);
        Ok(())
    }

    /// Tells that there is a session with the gateway again, after a pause or for the first time. What is watched is asked for
    /// anew; the answers are events as if they were pushed. Blocks are small again: the path may be another.
    pub fn session_began(&mut self, now: Instant, rng: &mut dyn Rng) {
        self.exponent = SMALL_BLOCK;
        for watch in Watch::ALL {
            let watched = self.watched_mut(watch);
            watched.seen = None;
            watched.is_stale = watched.is_wanted;
        }
        self.start_next(now, rng);
    }

    /// The next message to send. It goes to the gateway's control address.
    pub fn poll_transmit(&mut self) -> Option<Transmit<()>> {
        self.outbox.pop()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. After it was called with `now`, this is later than `now`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.exchange.as_ref().map(Exchange::due)
    }

    fn queue(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        request: &Request,
        watch: Option<Watch>,
    ) -> Result<AskId, AskError> {
        if self.waiting.len() >= WAITING {
            return Err(AskError::Busy);
        }
        let id = AskId(self.next_ask);
        let ask = Ask::new(Origin::Host(id), request, watch)?;
        self.waiting.try_reserve(1).map_err(NoMemory::from)?;
        self.next_ask = self.next_ask.wrapping_add(1);
        self.waiting.push_back(ask);
        self.start_next(now, rng);
        Ok(id)
    }

    fn watched_mut(&mut self, watch: Watch) -> &mut Watched {
        let [config, session] = &mut self.watched;
        match watch {
            Watch::Config => config,
            Watch::Session => session,
        }
    }

    const fn new_id(&mut self) -> u16 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }

    /// Remembers a message of the gateway; `false`: it has come before.
    fn is_first(&mut self, now: Instant, id: u16) -> bool {
        self.heard.retain(|(_, at)| now.since(*at) < EXCHANGE_LIFETIME);
        if self.heard.iter().any(|(heard, _)| *heard == id) {
            return false;
        }
        if self.heard.len() >= EXCHANGES {
            self.heard.remove(0);
        }
        memory::push(&mut self.heard, (id, now)).is_ok()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unanswered => "the gateway does not answer on the control channel",
            Self::NoAnswer => "the gateway has the request and does not answer it",
            Self::Reset => "the gateway has no use for the request",
            Self::Malformed(fault) => return write!(f, "the gateway's answer cannot be read: {fault}"),
            Self::Blocks => "the blocks of the gateway's answer do not fit together",
            Self::NoRandomness => "the source of randomness gives none",
            Self::NoMemory => "there is no memory for it",
        })
    }
}

impl core::error::Error for Failure {}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("too many requests wait"),
            Self::Unfit(fault) => write!(f, "the request cannot be sent: {fault}"),
            Self::NoMemory => f.write_str("there is no memory for it"),
        }
    }
}

impl core::error::Error for AskError {}

impl From<Fault> for AskError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoMemory => Self::NoMemory,
            fault => Self::Unfit(fault),
        }
    }
}

impl From<NoMemory> for AskError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl From<NoMemory> for Failure {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}
