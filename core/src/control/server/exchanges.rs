//! The latest requests of a peer, so that each is handed up once (RFC 7252 § 4.2, § 4.5).
use super::{REQUESTS_OF_A_PEER, RequestId};
use crate::control::Wiped;
use crate::control::coap::{Block, Kind, Token};
use crate::control::exchange::{EXCHANGE_LIFETIME, EXCHANGES};
use crate::control::message::Target;
use crate::memory::{self, NoMemory};
use crate::time::Instant;
use alloc::vec::Vec;

/// The requests, oldest first: at most 16, of which at most 4 wait for their answers.
#[derive(Debug, Default)]
pub struct Exchanges(Vec<Exchange>);

/// A request that was handed up.
#[derive(Debug)]
pub struct Exchange {
    /// The message id that it came with.
    pub id: u16,
    /// When it came.
    pub at: Instant,
    /// Whether its sender waits for an acknowledgement.
    pub kind: Kind,
    /// The token that its answer bears.
    pub token: Token,
    /// What it asked.
    pub target: Target,
    /// How far it is.
    pub progress: Progress,
}

/// How far a request is.
#[derive(Debug)]
pub enum Progress {
    /// It waits for its answer.
    Asked(Asked),
    /// It was answered by this message, which is sent again when the request comes again.
    Answered(Wiped),
    /// It was answered by a message of its own, which sees to it itself that it arrives.
    Apart,
}

/// What will be needed to answer.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its name.
    pub request: RequestId,
    /// Whether changes are to be told.
    pub watch: bool,
    /// The size of the blocks of the answer.
    pub exponent: u8,
    /// The last block of the request.
    pub block1: Option<Block>,
    /// When to say that the request has come; `None`: that was said.
    pub acknowledge_at: Option<Instant>,
}

impl Exchange {
    /// When it is forgotten.
    fn end(&self) -> Instant {
        self.at + EXCHANGE_LIFETIME
    }

    fn asked(&self) -> Option<&Asked> {
        match &self.progress {
            Progress::Asked(asked) => Some(asked),
            _ => None,
        }
    }
}

impl Exchanges {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The request with this message id and token.
    pub fn find(&mut self, id: u16, token: &Token) -> Option<&mut Exchange> {
        self.0.iter_mut().find(|exchange| exchange.id == id && exchange.token == *token)
    }

    /// The request of this name, if it waits.
    pub fn waiting(&mut self, request: RequestId) -> Option<&mut Exchange> {
        self.0.iter_mut().find(|exchange| exchange.asked().is_some_and(|asked| asked.request == request))
    }

    /// Whether one more may wait.
    pub fn has_room(&self) -> bool {
        self.0.iter().filter(|exchange| exchange.asked().is_some()).count() < REQUESTS_OF_A_PEER
    }

    /// Adds a request. The oldest that was answered makes room for it.
    pub fn push(&mut self, exchange: Exchange) -> Result<(), NoMemory> {
        if self.0.len() >= EXCHANGES
            && let Some(oldest) = self.0.iter().position(|exchange| exchange.asked().is_none())
        {
            self.0.remove(oldest);
        }
        memory::push(&mut self.0, exchange)
    }

    /// Takes out one that is too old; its name, if it still waits.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Option<RequestId>> {
        let oldest = self.0.first().filter(|exchange| exchange.end() <= now)?;
        let request = oldest.asked().map(|asked| asked.request);
        self.0.remove(0);
        Some(request)
    }

    /// One whose sender is to be told that it has come; it is told once.
    pub fn pop_unacknowledged(&mut self, now: Instant) -> Option<u16> {
        self.0.iter_mut().find_map(|exchange| match &mut exchange.progress {
            Progress::Asked(asked) if asked.acknowledge_at.is_some_and(|at| at <= now) => {
                asked.acknowledge_at = None;
                Some(exchange.id)
            }
            _ => None,
        })
    }

    pub fn room(&self) -> usize {
        let of = |exchange: &Exchange| match &exchange.progress {
            Progress::Answered(message) => message.room(),
            _ => 0,
        };
        self.0.iter().map(of).sum()
    }

    pub fn due(&self) -> Instant {
        let end = self.0.first().map_or(Instant::MAX, Exchange::end);
        let acknowledge = self.0.iter().filter_map(|exchange| exchange.asked()?.acknowledge_at).min();
        end.min(acknowledge.unwrap_or(Instant::MAX))
    }
}
