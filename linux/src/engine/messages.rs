//! Who hears what peers send over the control channel.
use std::fmt;
use std::sync::Arc;
use underpass_core::PublicKey;

/// Is called with each message of the control channel: the public key of the peer that sent it, and the message, which lasts for
/// the call. It is called by the loop while the tunnel is locked: it must neither wait nor call the engine. Usually it copies the
/// message into a bounded queue; what finds no room there is lost, as a datagram may be.
#[derive(Clone)]
pub struct Messages(Arc<Hear>);

type Hear = dyn Fn(PublicKey, &[u8]) + Send + Sync;

impl Messages {
    /// Hands messages to `hear`.
    pub fn new(hear: impl Fn(PublicKey, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(super) fn hear(&self, from: PublicKey, message: &[u8]) {
        (self.0)(from, message);
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Messages")
    }
}
