//! What may befall three hosts.
use proptest::prelude::*;
use underpass_core::tunnel::{Padding, SendError};

/// One thing that happens. Hosts are numbered modulo their count.
#[derive(Clone, Debug)]
pub enum Action {
    /// Packets from one host to another.
    Send {
        from: usize,
        to: usize,
        count: usize,
        len: usize,
        ipv6: bool,
    },
    /// Time passes.
    Wait {
        ms: u64,
    },
    /// Much time passes.
    WaitLong {
        seconds: u64,
    },
    /// A host's wires become rough; chances in percent.
    Rough {
        host: usize,
        loss: u32,
        duplicate: u32,
        corrupt: u32,
        reorder: u32,
    },
    /// Nothing passes the internet any more.
    Blackhole,
    /// Everything passes again.
    Relent,
    Sleep {
        host: usize,
    },
    Wake {
        host: usize,
    },
    StepMonotonic {
        host: usize,
        seconds: i64,
    },
    StepWall {
        host: usize,
        seconds: i64,
    },
    Relocate {
        host: usize,
        port: u16,
        told: bool,
    },
    /// A preshared key on both sides, or on one only.
    Preshare {
        a: usize,
        b: usize,
        byte: u8,
        both: bool,
    },
    Keepalive {
        host: usize,
        peer: usize,
        seconds: u16,
    },
    /// The peer is configured anew: endpoint, allowed IPs.
    Reconfigure {
        host: usize,
        peer: usize,
    },
    /// The peer is removed, and perhaps added again.
    Remove {
        host: usize,
        peer: usize,
        again: bool,
    },
    Mtu {
        host: usize,
        mtu: u16,
    },
    /// A new private key, of which the others are told.
    NewKey {
        host: usize,
    },
    /// The endpoint is pinned, or let go.
    Pin {
        host: usize,
        peer: usize,
        pinned: bool,
    },
    /// The endpoint becomes a name, which resolves or does not.
    Name {
        host: usize,
        peer: usize,
        resolves: bool,
    },
    /// The host's program starts again; the floors of timestamps were saved, or its wall clock is right.
    Restart {
        host: usize,
        saved: bool,
    },
    /// The monotonic clock could not be read, once.
    FailClock {
        host: usize,
    },
    EndSessions {
        host: usize,
        peer: usize,
    },
    Refuse {
        host: usize,
        peer: usize,
        refused: bool,
    },
    /// Bounds on staging and handshakes, from very little to what the world began with.
    Limits {
        host: usize,
        eighths: u32,
    },
    Pad {
        host: usize,
        padding: Padding,
    },
    /// Datagrams to a peer could not leave.
    SendError {
        host: usize,
        peer: usize,
        kind: SendError,
        len: usize,
    },
    Connect {
        host: usize,
        peer: usize,
    },
    /// A tick that nobody asked for.
    Tick {
        host: usize,
    },
    /// Random bytes of a type.
    Garbage {
        host: usize,
        kind: u8,
        len: usize,
    },
    /// Something that passed before, from wherever, perhaps with a bit flipped.
    Replay {
        nth: usize,
        port: u16,
        flip: Option<u16>,
    },
    /// The host's packets meet an address that nobody owns.
    Stray {
        host: usize,
        len: usize,
    },
}

/// How many hosts there are.
pub const HOSTS: usize = 3;

fn two() -> impl Strategy<Value = (usize, usize)> {
    (0..HOSTS, 1..HOSTS).prop_map(|(a, by)| (a, (a + by) % HOSTS))
}

/// What a clock that errs steps by, in seconds: hours back, or days ahead.
pub fn step() -> impl Strategy<Value = i64> {
    prop_oneof![-20_000..-100i64, 90_000..2_000_000i64]
}

fn padding() -> impl Strategy<Value = Padding> {
    prop_oneof![Just(Padding::Sixteen), Just(Padding::Mtu), (5..11u32).prop_map(|bits| Padding::Buckets(1 << bits))]
}

/// Any action, the ordinary ones most often.
pub fn action() -> impl Strategy<Value = Action> {
    let host = || 0..HOSTS;
    let talk = prop_oneof![
        4 => (two(), 1..40usize, 0..1421usize, any::<bool>())
            .prop_map(|((from, to), count, len, ipv6)| Action::Send { from, to, count, len, ipv6 }),
        4 => (0..3000u64).prop_map(|ms| Action::Wait { ms }),
        2 => (0..700u64).prop_map(|seconds| Action::WaitLong { seconds }),
        1 => two().prop_map(|(host, peer)| Action::Connect { host, peer }),
        1 => host().prop_map(|host| Action::Tick { host }),
        1 => (host(), 0..100usize).prop_map(|(host, len)| Action::Stray { host, len }),
    ];
    let fate = prop_oneof![
        2 => (host(), 0..50u32, 0..20u32, 0..10u32, 0..50u32).prop_map(|(host, loss, duplicate, corrupt, reorder)| {
            Action::Rough { host, loss, duplicate, corrupt, reorder }
        }),
        1 => Just(Action::Blackhole),
        2 => Just(Action::Relent),
        1 => host().prop_map(|host| Action::Sleep { host }),
        3 => host().prop_map(|host| Action::Wake { host }),
        1 => (host(), -100..100i64).prop_map(|(host, seconds)| Action::StepMonotonic { host, seconds }),
        1 => (host(), step()).prop_map(|(host, seconds)| Action::StepMonotonic { host, seconds }),
        1 => host().prop_map(|host| Action::FailClock { host }),
        1 => (host(), -90_000..90_000i64).prop_map(|(host, seconds)| Action::StepWall { host, seconds }),
        1 => (host(), 1000..9000u16, any::<bool>()).prop_map(|(host, port, told)| Action::Relocate { host, port, told }),
        1 => (host(), any::<bool>()).prop_map(|(host, saved)| Action::Restart { host, saved }),
    ];
    let configuration = prop_oneof![
        (two(), 0..3u8, any::<bool>()).prop_map(|((a, b), byte, both)| Action::Preshare { a, b, byte, both }),
        (two(), 0..60u16).prop_map(|((host, peer), seconds)| Action::Keepalive { host, peer, seconds }),
        two().prop_map(|(host, peer)| Action::Reconfigure { host, peer }),
        (two(), any::<bool>()).prop_map(|((host, peer), again)| Action::Remove { host, peer, again }),
        (host(), 1280..1421u16).prop_map(|(host, mtu)| Action::Mtu { host, mtu }),
        host().prop_map(|host| Action::NewKey { host }),
        (two(), any::<bool>()).prop_map(|((host, peer), pinned)| Action::Pin { host, peer, pinned }),
        (two(), any::<bool>()).prop_map(|((host, peer), resolves)| Action::Name { host, peer, resolves }),
        (host(), 0..9u32).prop_map(|(host, eighths)| Action::Limits { host, eighths }),
        (host(), padding()).prop_map(|(host, padding)| Action::Pad { host, padding }),
    ];
    let command = prop_oneof![
        two().prop_map(|(host, peer)| Action::EndSessions { host, peer }),
        (two(), any::<bool>()).prop_map(|((host, peer), refused)| Action::Refuse { host, peer, refused }),
        (two(), proptest::sample::select(SendError::ALL), 0..2000usize)
            .prop_map(|((host, peer), kind, len)| Action::SendError { host, peer, kind, len }),
    ];
    let attack = prop_oneof![
        (host(), 0..6u8, 0..200usize).prop_map(|(host, kind, len)| Action::Garbage { host, kind, len }),
        (0..1000usize, 0..4u16, proptest::option::of(any::<u16>())).prop_map(|(nth, port, flip)| Action::Replay {
            nth,
            port,
            flip
        }),
    ];
    prop_oneof![10 => talk, 4 => fate, 2 => configuration, 1 => command, 3 => attack]
}
