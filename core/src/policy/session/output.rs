//! What the sessions say: to the tunnel, to clients, to the audit log.
use super::factor::Factor;
use super::text::SecretText;
use super::user::{RulesId, SessionId, UserId};
use crate::crypto::PublicKey;
use crate::time::Instant;
use core::time::Duration;

/// What of a peer's packets may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The control channel only.
    Locked,
    /// The control channel, names, and the identity provider: a browser is to log in.
    Provisional,
    /// What the rules allow.
    Open(RulesId),
}

/// Names a login of a peer: 8 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginId(pub [u8; 8]);

/// What is said to a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// He is in.
    Done {
        /// The session.
        session: SessionId,
        /// How long it lasts.
        lifetime: Duration,
    },
    /// Something is missing, or was wrong and may be tried again: the same is said for both.
    Challenge(Challenge),
    /// The login has ended without access. Nobody is told why.
    Reject,
    /// The login goes on; ask again after this.
    Wait {
        /// The login.
        login: LoginId,
        /// How long to wait.
        after: Duration,
    },
    /// Nothing was looked at: too many failures or logins, or the store is away. Begin again after this.
    RetryAfter(Duration),
}

/// What a client has to answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The login.
    pub login: LoginId,
    /// The number of the challenge within it.
    pub id: u32,
    /// What is to be shown.
    pub kind: Factor,
    /// What to show to the user: of text challenges, and where to go for the web.
    pub prompt: Option<SecretText>,
    /// Whether what he enters may be shown.
    pub echo: bool,
    /// How many digits a code has, mostly. A user's own may have more: it is no secret of his that is told here.
    pub digits: Option<u8>,
    /// How long the challenge may be answered.
    pub expires: Duration,
}

/// Why there is no session any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its time was over.
    Expired,
    /// No packet came for too long.
    Idle,
    /// The user logged out.
    Logout,
    /// Another user logged in at the same peer.
    NewLogin,
    /// The quota is used up.
    Quota,
    /// The store was away for the offline limit.
    Offline,
    /// An operator ended it.
    Revoked,
    /// The user was disabled or removed.
    UserDisabled,
    /// The certificate was revoked.
    CertificateRevoked,
    /// The peer's session was opened at another gateway.
    Elsewhere,
    /// The peer was removed, or needs no login any more.
    PeerChanged,
}

impl Reason {
    /// Whether the peer's keypairs are to go as well.
    #[must_use]
    pub const fn is_revocation(self) -> bool {
        matches!(
            self,
            Self::Revoked | Self::UserDisabled | Self::CertificateRevoked | Self::Elsewhere | Self::PeerChanged
        )
    }
}

/// What is pushed to a client that observes its session. Only the latest is kept (RFC 7641 § 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// A session is open.
    Opened,
    /// It is time to log in again; the session lasts for this much longer.
    ReauthDue(Duration),
    /// The last minute has begun.
    Ending(Duration),
    /// It has ended.
    Ended(Reason),
}

/// What the host is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Sets what may pass. Comes before any answer that is about it.
    Access {
        /// Whose packets.
        peer: PublicKey,
        /// Which of them.
        access: Access,
        /// End the peer's sessions: wipe its keypairs, flush its flows.
        end_sessions: bool,
    },
    /// Answers the latest call of the client.
    Answer {
        /// Who is answered.
        peer: PublicKey,
        /// What.
        answer: Answer,
    },
    /// Tells the client if he observes his session.
    Push {
        /// Who is told.
        peer: PublicKey,
        /// What.
        push: Push,
    },
}

/// Something that happened, for the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// At which peer.
    pub peer: PublicKey,
    /// To whom, as far as he is known.
    pub user: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// What.
    pub event: FactEvent,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactEvent {
    /// A login began.
    LoginBegun(Factor),
    /// A factor was right.
    FactorRight(Factor),
    /// A factor was wrong.
    FactorWrong(Factor),
    /// A failure was counted. Whoever keeps it can have it [taken up](super::Sessions::recall_failures) after a restart.
    Failed,
    /// A recovery code was used up.
    RecoveryUsed,
    /// The login was rejected.
    Rejected,
    /// The login was not looked at: too many failures or logins.
    Limited(Duration),
    /// The login was not looked at, or not to its end: something could not be reached.
    Unavailable,
    /// The host did not answer a request in time.
    RequestTimedOut,
    /// The client did not answer a challenge in time, or began anew.
    Abandoned,
    /// A session was opened.
    Opened,
    /// A session follows that of the same user without interruption.
    Extended,
    /// It is time to log in again.
    ReauthDue,
    /// A session has ended. The store is told by this.
    Ended(Reason),
}

/// The state of a peer, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The peer needs no login.
    Free,
    /// Nobody is logged in. Why the last session ended, if there was one.
    Locked(Option<Reason>),
    /// A login is under way.
    Challenged(LoginId),
    /// Somebody is logged in.
    Open,
    /// It is time to log in again.
    ReauthDue,
    /// The last minute.
    Grace,
    /// The session was taken away. The user may log in again, if the store lets him.
    Revoked(Reason),
}

/// What is known of a peer. Times are on the host's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its state.
    pub state: State,
    /// What may pass.
    pub access: Access,
    /// Who is logged in.
    pub user: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// Since when.
    pub since: Option<Instant>,
    /// Until when.
    pub until: Option<Instant>,
    /// When it is time to log in again.
    pub reauth_at: Option<Instant>,
}
