//! Sequences of calls of the C interface, on two tunnels and a configuration, with arguments as a confused host would give
//! them: numbers out of range, structs of any size, slots that overlap, jobs in any order.
//!
//! What the header asks of pointers is kept: memory is as large as it is said to be, and handles are alive. All else is
//! for the library to bear: it never panics, what it refuses it leaves as it was, and what it hands out lies in its buffer.
//!
//! The input is a script: a byte names a call, the bytes behind it say how.
mod ask;
mod batch;
mod configure;
mod world;

use crate::tunnel_ops::script::Script;
use world::World;

/// Calls of one script at most.
const CALLS: usize = 300;

/// Lives through the script in `data`.
pub fn c_api(data: &[u8]) {
    live(data);
}

fn live(data: &[u8]) -> World {
    let mut script = Script::new(data);
    let mut world = World::new();
    for _ in 0..CALLS {
        let Some(call) = script.byte() else { break };
        happen(&mut world, call, &mut script);
    }
    world
}

/// One call, or a few that belong together. Which tunnel it is about, is the lowest bit of the first byte behind it.
fn happen(world: &mut World, call: u8, script: &mut Script<'_>) {
    let who = usize::from(script.byte().unwrap_or(0) & 1);
    match call % 32 {
        0..=2 => world.fill_with_packets(who, script),
        3 | 4 => world.fill_with_datagrams(who, script),
        5 => world.fill_with_anything(script),
        6 | 7 => world.handle_packets(who, script),
        8 | 9 => world.handle_datagrams(who, script),
        10 => world.begin_packets(who, script),
        11 => world.begin_datagrams(who, script),
        12 | 13 => world.crypt(script),
        14 => world.finish_packets(who, script),
        15 => world.finish_datagrams(who, script),
        16 => world.discard(script),
        17 => world.exchange(),
        18 => drop(world.transmit(who, script.number())),
        19 => world.event(who, script.number()),
        20 => world.advance(who, script),
        21 => world.command(who, script),
        22 => world.change_peers(who, script),
        23 => world.change_tunnel(who, script),
        24 => world.uapi(who, script),
        25 => world.parse(script),
        26 => world.ask_config(script),
        27 => world.apply(who, script),
        28 => world.ask_peer(who, script),
        29 => world.ask_tunnel(who, script),
        30 => world.keys(script),
        _ => world.replace(who, script),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that reaches nothing finds nothing.
    #[test]
    fn the_seeds_of_the_c_interface_carry_packets() {
        let seed = |name: &str| {
            let path = format!("{}/corpus/c_api/{name}", env!("CARGO_MANIFEST_DIR"));
            live(&std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
        };
        assert_eq!(seed("one-packet").delivered, 1);
        assert_eq!(seed("a-batch-in-steps").delivered, 8);
        let busy: Vec<_> = (0..8).map(|number| seed(&format!("chance-{number}"))).collect();
        let seen = |status: i32| busy.iter().any(|world| world.statuses.contains(&status));
        for status in -15..=1 {
            // Keys of low order, and what a configuration cannot be made of, take a person to think of.
            assert!(seen(status) || matches!(status, -11..=-7), "no seed provokes {status}");
        }
    }
}
