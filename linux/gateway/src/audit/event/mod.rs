//! The events: every kind with its fields, its meaning, and the level from which on it is recorded. One table (`table.rs`) makes the
//! types, the names in lines, and `docs/audit.md`.
use super::Level;
use serde::{Serialize, Serializer};
use underpass_core::PublicKey;

/// Makes [`Event`] and [`KINDS`] of one table.
macro_rules! events {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $name:literal, $level:ident {
        $($(#[doc = $what:literal])+ $field:ident: $type:ty),* $(,)?
    })*) => {
        /// An event.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(tag = "event")]
        pub enum Event {
            $($(#[doc = $meaning])+ #[serde(rename = $name)] $variant { $($(#[doc = $what])+ $field: $type),* }),*
        }

        impl Event {
            /// Its kind.
            #[must_use]
            pub fn kind(&self) -> &'static Kind {
                match self {
                    $(Self::$variant { .. } => const {
                        &Kind {
                            name: $name,
                            level: Level::$level,
                            meaning: concat!($($meaning),+),
                            fields: &[$((stringify!($field), concat!($($what),+))),*],
                        }
                    }),*
                }
            }
        }

        /// An event of each kind, whose texts are as long as texts can be.
        #[cfg(test)]
        pub(in crate::audit) fn samples() -> Vec<Event> {
            vec![$(Event::$variant { $($field: super::samples::Sample::sample()),* }),*]
        }

        /// All kinds of events, in the order of the table.
        pub const KINDS: &[Kind] = &[$(Kind {
            name: $name,
            level: Level::$level,
            meaning: concat!($($meaning),+),
            fields: &[$((stringify!($field), concat!($($what),+))),*],
        }),*];
    };
}

mod table;

#[cfg(test)]
pub(super) use table::samples;
pub use table::{Event, KINDS};

/// What is known of a kind of event.
#[derive(Debug)]
pub struct Kind {
    /// Its name in lines.
    pub name: &'static str,
    /// From which level on it is recorded.
    pub level: Level,
    /// What it means.
    pub meaning: &'static str,
    /// Its fields with what they mean.
    pub fields: &'static [(&'static str, &'static str)],
}

/// A public key in a line, in base64 as `wg` writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub PublicKey);

impl From<PublicKey> for Key {
    fn from(key: PublicKey) -> Self {
        Self(key)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

#[cfg(test)]
mod samples {
    use super::Key;
    use crate::audit::{Hash, Text};
    use crate::name::Name;
    use crate::time::Time;
    use std::net::{IpAddr, SocketAddr};
    use underpass_core::PublicKey;

    /// A value of a field's type, the longest in a line.
    pub(super) trait Sample {
        fn sample() -> Self;
    }

    macro_rules! samples {
        ($($type:ty: $value:expr;)*) => { $(impl Sample for $type { fn sample() -> Self { $value } })* };
    }

    samples! {
        bool: false;
        u8: u8::MAX;
        u16: u16::MAX;
        u64: u64::MAX;
        Hash: Hash([0xab; 32]);
        Key: Key(PublicKey::from_bytes([0xfe; 32]));
        Name: "n".repeat(crate::name::LONGEST).parse().expect("a name");
        Text: Text::new(&"\u{fffb}".repeat(1000));
        Time: Time::NEVER;
        IpAddr: IpAddr::from([0xfdfe; 8]);
        SocketAddr: SocketAddr::from(([0xfdfe; 8], u16::MAX));
    }

    impl<T: Sample> Sample for Option<T> {
        fn sample() -> Self {
            Some(T::sample())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_of_kinds_are_one_each_and_no_field_takes_a_name_of_the_line() {
        let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        for (field, _) in KINDS.iter().flat_map(|kind| kind.fields) {
            assert!(!["seq", "time", "gateway", "event", "hash"].contains(field), "{field}");
        }
    }

    #[test]
    fn at_level_minimal_nothing_has_an_address_and_no_user_is_met_outside_of_administration() {
        for kind in KINDS.iter().filter(|kind| kind.level <= Level::Minimal) {
            let has = |wanted: &str| kind.fields.iter().any(|(field, _)| *field == wanted);
            for field in ["src", "address", "source", "destination", "session", "claimed"] {
                assert!(!has(field), "{}: {field}", kind.name);
            }
            assert!(
                !(has("user") || has("device")) || has("actor"),
                "{}: a person without an administrator",
                kind.name
            );
        }
    }
}
