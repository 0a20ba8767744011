//! Underpass among real peers. One program, so that stories of minutes run beside each other.
mod coap;
mod congestion;
mod control;
mod cookies;
mod demo;
mod dissect;
mod hub;
mod keepalive;
mod kernel;
mod leaks;
mod lifecycle;
mod matrix;
mod mtu;
mod phone;
mod rekey;
mod roaming;
mod router;
mod spoken;
mod volume;
mod wg_quick;

/// A test for every pair of implementations that has Underpass on one end or both, and one for a pair that has not:
/// that one proves the story itself.
#[macro_export]
macro_rules! for_every_pair {
    ($story:path) => {
        $crate::for_every_pair! { $story;
            underpass_to_underpass: Underpass, Underpass;
            underpass_to_go_debian: Underpass, GoDebian;
            underpass_to_go_newest: Underpass, GoNewest;
            go_debian_to_underpass: GoDebian, Underpass;
            go_newest_to_underpass: GoNewest, Underpass;
            go_debian_to_go_newest: GoDebian, GoNewest;
        }
    };
    ($story:path; $($name:ident: $initiator:ident, $responder:ident;)*) => {
        $(
            #[test]
            fn $name() {
                use underpass_interop::Implementation::{$initiator as initiator, $responder as responder};
                underpass_interop::play(|stage| $story(stage, initiator, responder));
            }
        )*
    };
}
