//! The words of the core, each with the number and the name that it has in every language.
use underpass_core::Status;
use underpass_core::tunnel::EventKind;
use underpass_core::{stats, tunnel};

/// Declares an enumeration with the words of one of the core's.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident of $core:ty { $($(#[$word_doc:meta])* $word:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, uniffi::Enum)]
        pub enum $name {
            $($(#[$word_doc])* $word,)*
            /// A word that this library does not know.
            Other,
        }

        impl From<$core> for $name {
            fn from(word: $core) -> Self {
                match word {
                    $(<$core>::$word => Self::$word,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

words! {
    /// Why a packet or a datagram went no further.
    DropReason of stats::DropReason {
        /// Not a WireGuard datagram: wrong type, reserved bytes or length.
        Malformed,
        /// The first MAC of a handshake message does not verify: it is not meant for us.
        BadMac,
        /// No session or handshake has this receiver index.
        UnknownIndex,
        /// The handshake names a static key that is no peer of ours.
        UnknownPeer,
        /// Authentication failed: forged, corrupted, or sealed under other keys.
        BadTag,
        /// A low-order point in a handshake.
        LowOrderKey,
        /// The counter was seen already, or lies behind the replay window.
        Replay,
        /// The timestamp of the initiation is not later than the last one accepted.
        OldTimestamp,
        /// The keypair is too old, or has sealed or opened too many messages.
        KeyExpired,
        /// Initiations of one peer came faster than 50 per second.
        InitiationFlood,
        /// Under load and without a valid cookie, or over the rate of its source.
        UnderLoad,
        /// A cookie reply that answers nothing we sent.
        UnexpectedCookie,
        /// The packet is not IP, or shorter than it says.
        MalformedPacket,
        /// The source address of the packet belongs to another peer or to none.
        SourceNotAllowed,
        /// The outer header says "congestion experienced", which the packet cannot carry.
        Congestion,
        /// No peer owns the destination address.
        NoRoute,
        /// The peer has no endpoint, and none can be resolved.
        NoEndpoint,
        /// The packet exceeds the MTU.
        TooBig,
        /// The buffer lacks headroom, tailroom or length.
        NoRoom,
        /// A staged packet gave way to a newer one, or its peer went away.
        StagedOverflow,
        /// The handshake was given up while the packet was staged.
        HandshakeFailed,
        /// The tunnel has no private key.
        NoPrivateKey,
        /// The packet is a datagram of ours that was routed back into the tunnel.
        Loop,
        /// The peer is refused.
        Refused,
        /// There is no memory for what the packet or handshake message needs.
        NoMemory,
    }
}

words! {
    /// Why a datagram could not be sent.
    SendError of stats::SendError {
        /// There is no route to the endpoint.
        Unreachable,
        /// There is no network of the endpoint's address family.
        FamilyGone,
        /// The local address of the path is no longer the machine's.
        NoSource,
        /// The datagram is too long for the path.
        TooBig,
        /// The other side refuses: an ICMP error that anyone could have sent.
        Refused,
        /// A firewall or the system does not allow it.
        Denied,
    }
}

/// What can be said of a peer from authenticated traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Health {
    /// No session yet under our present key: a handshake is to come or under way.
    Connecting,
    /// A session is live, and nothing that we sent is unanswered.
    Up,
    /// What we sent is unanswered: a packet for 15 s, or, since the last session ended, an initiation for 5 s.
    Stale,
    /// A handshake was given up after 90 s, and the peer was not heard since. Traffic starts another.
    Failed,
    /// The last session ended for its age, 180 s, and nothing that we sent is unanswered. Traffic starts another.
    Idle,
}

impl From<tunnel::Health> for Health {
    fn from(health: tunnel::Health) -> Self {
        match health {
            tunnel::Health::Connecting => Self::Connecting,
            tunnel::Health::Up => Self::Up,
            tunnel::Health::Stale => Self::Stale,
            tunnel::Health::Failed => Self::Failed,
            tunnel::Health::Idle => Self::Idle,
        }
    }
}

/// A word with its number.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Word {
    /// Its number, the same in every language.
    pub number: i32,
    /// Its name: lower case with underscores; errors in upper case, as in C.
    pub name: String,
}

/// All words of the library, so that an application or a test can see whether it knows them all.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Vocabulary {
    /// The codes of errors, and what stands beside them in C.
    pub statuses: Vec<Word>,
    /// The kinds of events.
    pub events: Vec<Word>,
    /// The reasons for drops, numbered from 0.
    pub drop_reasons: Vec<Word>,
    /// The reasons for which a datagram could not be sent, numbered from 0.
    pub send_errors: Vec<Word>,
}

/// All words of the library.
#[uniffi::export]
#[must_use]
pub fn vocabulary() -> Vocabulary {
    let word = |number: i32, name: &str| Word { number, name: name.to_owned() };
    let listed = |names: &mut dyn Iterator<Item = &'static str>| {
        (0..).zip(names).map(|(number, name)| word(number, name)).collect()
    };
    Vocabulary {
        statuses: Status::ALL.iter().map(|status| word(status.code(), status.name())).collect(),
        events: EventKind::ALL.iter().map(|kind| word(*kind as i32, kind.name())).collect(),
        drop_reasons: listed(&mut stats::DropReason::ALL.iter().map(|reason| reason.name())),
        send_errors: listed(&mut stats::SendError::ALL.iter().map(|kind| kind.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TunnelError;

    /// The name of a word in the form of the core's names: `BadMac` is `bad_mac`.
    fn spelled(word: impl std::fmt::Debug) -> String {
        let mut name = String::new();
        for c in format!("{word:?}").chars() {
            if c.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(c.to_lowercase());
        }
        name
    }

    #[test]
    fn every_drop_reason_has_its_name() {
        for reason in stats::DropReason::ALL {
            assert_eq!(spelled(DropReason::from(*reason)), reason.name());
        }
        let told = vocabulary().drop_reasons;
        assert!(told.iter().map(|word| word.name.as_str()).eq(stats::DropReason::ALL.iter().map(|one| one.name())));
    }

    #[test]
    fn every_send_error_has_its_name() {
        for kind in stats::SendError::ALL {
            assert_eq!(spelled(SendError::from(*kind)), kind.name());
        }
        let told = vocabulary().send_errors;
        assert!(told.iter().map(|word| word.name.as_str()).eq(stats::SendError::ALL.iter().map(|one| one.name())));
    }

    #[test]
    fn every_error_has_its_code() {
        for status in Status::ALL.iter().filter(|status| status.code() < 0) {
            let error = TunnelError::of_status(*status).expect("every error of the core has a word here");
            assert_eq!(error.code(), status.code());
        }
        for status in Status::ALL.iter().filter(|status| status.code() >= 0) {
            assert_eq!(TunnelError::of_status(*status), None);
        }
        let words = vocabulary();
        assert_eq!(words.statuses.len(), Status::ALL.len());
        assert_eq!(words.events.first(), Some(&Word { number: 1, name: "session_established".into() }));
    }
}
