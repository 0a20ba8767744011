//! What a login needs of the host, and how it comes back.
use super::factor::FactorSet;
use super::text::SecretText;
use super::user::{FactorId, SessionId, User, UserId};
use crate::crypto::PublicKey;
use crate::policy::code::RecoveryHash;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// Names a request, so that its reply finds the login that waits for it and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    pub(super) slot: u32,
    pub(super) number: u64,
}

/// Work that is slow or stored. Each is answered by one call of [`complete`](super::Sessions::complete) with the [`Reply`] that it
/// names, or with [`Reply::Unavailable`].
///
/// Where somebody is wrong, the same requests are made as where he is right, so that they take as long: with a hash that no
/// password has, and for nobody (`None`). The host does the same work for those.
#[derive(Debug)]
pub enum Request {
    /// Looks a user up by his name, which is in lower case: [`Reply::User`]. Whoever is disabled is not found.
    FindUser {
        /// The name.
        name: SecretText,
    },
    /// Verifies a password against a PHC string: [`Reply::Verified`].
    VerifyPassword {
        /// The PHC string.
        hash: SecretText,
        /// The password.
        password: SecretText,
    },
    /// Stores `number` as the last accepted one of a factor if it is greater than the one that is stored:
    /// [`Reply::Verified`] says whether it was. It must be on disk before the reply.
    AcceptCode {
        /// The factor; `None`: nobody's.
        factor: Option<FactorId>,
        /// The counter or time step of the code.
        number: u64,
    },
    /// Deletes a recovery code: [`Reply::Verified`] says whether it was there. It must be on disk before the reply.
    ConsumeRecoveryCode {
        /// Whose; `None`: nobody's.
        user: Option<UserId>,
        /// Its hash.
        hash: RecoveryHash,
    },
    /// Verifies a client certificate, and the signature where the key is not the peer's own: [`Reply::Identity`].
    VerifyCertificate {
        /// The peer that shows it.
        peer: PublicKey,
        /// The chain and the signature, as the client sent them.
        evidence: Vec<u8>,
    },
    /// Passes text on to the back end of text challenges: [`Reply::Identity`] or [`Reply::More`].
    AskText {
        /// The name; empty when none was given.
        name: SecretText,
        /// What the back end said to pass on with the answer (RADIUS: State); `None` at the beginning.
        state: Option<Vec<u8>>,
        /// What the user entered.
        text: SecretText,
    },
    /// Begins a login in a browser: [`Reply::WebBegun`].
    BeginWeb {
        /// The peer that logs in.
        peer: PublicKey,
    },
    /// Waits until the user has logged in in his browser, or has not in time: [`Reply::Identity`].
    AwaitWeb {
        /// What [`Reply::WebBegun`] said.
        handle: u64,
    },
    /// Writes a session down: [`Reply::Opened`]. Whoever was disabled meanwhile gets none. An earlier session of the same peer is
    /// replaced.
    OpenSession {
        /// The peer.
        peer: PublicKey,
        /// The user.
        user: UserId,
        /// What was shown.
        factors: FactorSet,
        /// How long it lasts.
        lifetime: Duration,
    },
}

/// What became of a request.
#[derive(Debug)]
pub enum Reply {
    /// The user, or that there is none.
    User(Option<Box<User>>),
    /// Whether it was right.
    Verified(bool),
    /// Who it is; `None`: the proof does not hold, or is nobody's.
    Identity(Option<Box<User>>),
    /// The back end asks for more.
    More {
        /// What to show to the user.
        prompt: SecretText,
        /// Whether what he enters may be shown.
        echo: bool,
        /// What to pass on with the answer.
        state: Vec<u8>,
    },
    /// A login in a browser may begin.
    WebBegun {
        /// What the gateway knows it by.
        handle: u64,
        /// Where to go, and the code to enter there (RFC 8628 § 3.2).
        prompt: SecretText,
        /// How long that may take.
        expires: Duration,
    },
    /// The session; `None`: it is refused.
    Opened(Option<SessionId>),
    /// The store or the back end cannot be reached.
    Unavailable,
}

/// Nobody waits for this reply any more: the login has ended. If it says that a session was opened, the host closes it again.
#[derive(Debug)]
pub struct Stale(pub Reply);
