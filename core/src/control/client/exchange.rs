//! A request on its way.
use super::{AskError, AskId, Failure, Wiped};
use crate::control::coap::Token;
use crate::control::exchange::Confirmable;
use crate::control::message::{Request, Target, Watch};
use crate::time::Instant;
use core::time::Duration;

/// How long an answer may take after the request has come.
pub const ANSWER_WAIT: Duration = Duration::from_secs(120);

/// What is asked.
#[derive(Debug)]
pub struct Ask {
    /// Who asks.
    pub origin: Origin,
    /// Where it goes.
    pub target: Target,
    /// What changes are to be told.
    pub watch: Option<Watch>,
    /// The body.
    pub body: Wiped,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The host.
    Host(AskId),
    /// We do, because something watched has changed or is to be watched again.
    Watch(Watch),
    /// Nobody, who will not hear of it.
    Nobody,
}

/// A request on its way.
#[derive(Debug)]
pub struct Exchange {
    /// What is asked.
    pub ask: Ask,
    /// The token of the latest message.
    pub token: Token,
    /// How far it is.
    pub flight: Flight,
    /// The byte of the body that the latest message begins with.
    pub offset: usize,
    /// The size of the blocks.
    pub exponent: u8,
    /// What has come of the answer, if it has several blocks.
    pub answer: Option<Parts>,
    /// How often its blocks were fetched from the first again.
    pub restarts: u8,
}

/// Blocks that have come.
#[derive(Debug)]
pub struct Parts {
    /// What they are put together to.
    pub body: Wiped,
    /// Tells answers apart: the bytes of the ETag, as a token of 8 bytes at most.
    pub etag: Token,
}

/// How far a request is.
#[derive(Debug)]
pub enum Flight {
    /// It was sent and not acknowledged.
    Sent(Confirmable),
    /// It has come, and the answer is on its way.
    Acknowledged {
        /// When it is given up.
        until: Instant,
    },
    /// It could not be sent.
    Unsent {
        /// When that is told.
        at: Instant,
        /// Why.
        failure: Failure,
    },
}

impl Ask {
    pub fn new(origin: Origin, request: &Request, watch: Option<Watch>) -> Result<Self, AskError> {
        Ok(Self { origin, target: request.target(), watch, body: request.encode()? })
    }
}

impl Exchange {
    pub const fn due(&self) -> Instant {
        match &self.flight {
            Flight::Sent(message) => message.due(),
            Flight::Acknowledged { until } => *until,
            Flight::Unsent { at, .. } => *at,
        }
    }
}
