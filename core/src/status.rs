//! The codes by which every foreign interface answers: one table for C, Kotlin and Swift.
//!
//! Numbers are given once and never again: a code is added at the end, none is changed or removed.
use crate::error::{ConfigError, ConfigReason, KeyError};

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal, $text:literal;)*) => {
        /// How a call through a foreign interface ended. Zero: done. Above: done, with a remark. Below: refused, and nothing
        /// was changed or written.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum Status { $($(#[$doc])* $name = $code,)* }

        impl Status {
            /// Every status, in the order in which they were added.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// Its name in upper case, words joined by underscores; errors begin with `E_`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
            /// What it means, in a few words for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

statuses! {
    /// Done.
    Ok = 0, "OK", "done";
    /// Done, and there is nothing (more) to hand out.
    Nothing = 1, "NOTHING", "nothing there";
    /// A pointer or reference that must be given is missing.
    Null = -1, "E_NULL", "a pointer that must not be NULL is";
    /// The size field of a struct is not one that this library knows.
    Size = -2, "E_SIZE", "the size field of a struct is wrong";
    /// A number out of its range, an unknown flag, text that is not UTF-8.
    Argument = -3, "E_ARGUMENT", "an argument is out of its range";
    /// The memory for an answer is too short.
    Buffer = -4, "E_BUFFER", "the memory for the answer is too short";
    /// Two buffers of a batch share memory.
    Overlap = -5, "E_OVERLAP", "buffers of the batch overlap";
    /// More slots than a batch may have.
    Batch = -6, "E_BATCH", "too many slots in a batch";
    /// The text is no key.
    Key = -7, "E_KEY", "the text is no key";
    /// The configuration has errors.
    Config = -8, "E_CONFIG", "the configuration has errors";
    /// The public key is a point of low order.
    LowOrderKey = -9, "E_LOW_ORDER_KEY", "the public key is a point of low order";
    /// More peers than the tunnel accepts.
    TooManyPeers = -10, "E_TOO_MANY_PEERS", "too many peers";
    /// A prefix length is beyond its family's. The core's own networks cannot have one, so no [`ConfigError`] becomes this;
    /// a foreign interface finds it in the numbers that it is given.
    Prefix = -11, "E_PREFIX", "a prefix length is too long";
    /// The MTU is out of its range.
    Mtu = -12, "E_MTU", "the MTU is out of its range";
    /// A limit is zero or beyond what can be counted.
    Limit = -13, "E_LIMIT", "a limit is out of its range";
    /// No peer has this name or key, or not any more.
    NoPeer = -14, "E_NO_PEER", "no such peer";
    /// The job was not begun for this, or is done.
    Job = -15, "E_JOB", "the job is not one for this step";
    /// There is no randomness, from the system or the host.
    Random = -16, "E_RANDOM", "there is no randomness";
    /// Another call is inside the handle.
    Busy = -17, "E_BUSY", "the handle is in use by another call";
    /// A bug in the library.
    Panic = -18, "E_PANIC", "a bug in the library stopped the call";
    /// A bug stopped an earlier call on the handle.
    Poisoned = -19, "E_POISONED", "a bug stopped an earlier call on the handle";
    /// There is no memory for what was asked; nothing was changed.
    Memory = -20, "E_MEMORY", "there is no memory for it";
}

impl Status {
    /// Its number.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status with this number.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.code() == code)
    }
}

impl From<KeyError> for Status {
    fn from(_: KeyError) -> Self {
        Self::Key
    }
}

impl From<ConfigError> for Status {
    fn from(error: ConfigError) -> Self {
        match error.reason {
            ConfigReason::LowOrderPublicKey => Self::LowOrderKey,
            ConfigReason::TooManyPeers => Self::TooManyPeers,
            ConfigReason::MtuOutOfRange => Self::Mtu,
            ConfigReason::LimitOutOfRange => Self::Limit,
            ConfigReason::PaddingOutOfRange => Self::Argument,
            ConfigReason::NoRandomness => Self::Random,
            ConfigReason::NoMemory => Self::Memory,
            #[cfg(feature = "filter")]
            ConfigReason::BadRules => Self::Argument,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    /// The table as it was published. Rows are added at its end.
    #[test]
    fn lesson_25_numbers_of_statuses_never_change() {
        let published = [
            (0, "OK"),
            (1, "NOTHING"),
            (-1, "E_NULL"),
            (-2, "E_SIZE"),
            (-3, "E_ARGUMENT"),
            (-4, "E_BUFFER"),
            (-5, "E_OVERLAP"),
            (-6, "E_BATCH"),
            (-7, "E_KEY"),
            (-8, "E_CONFIG"),
            (-9, "E_LOW_ORDER_KEY"),
            (-10, "E_TOO_MANY_PEERS"),
            (-11, "E_PREFIX"),
            (-12, "E_MTU"),
            (-13, "E_LIMIT"),
            (-14, "E_NO_PEER"),
            (-15, "E_JOB"),
            (-16, "E_RANDOM"),
            (-17, "E_BUSY"),
            (-18, "E_PANIC"),
            (-19, "E_POISONED"),
            (-20, "E_MEMORY"),
        ];
        assert_eq!(Status::ALL.len(), published.len());
        for (status, (code, name)) in Status::ALL.iter().zip(published) {
            assert_eq!((status.code(), status.name()), (code, name));
            assert_eq!(Status::from_code(code), Some(*status));
            assert!(!status.text().is_empty());
        }
        assert_eq!(Status::from_code(2), None);
    }
}
