//! Sequences of calls on two tunnels that are joined by a wire which loses, doubles, reorders and damages.
//!
//! The input is a script: a byte names what happens, the bytes behind it say how. After each happening both tunnels are
//! drained as the contract says, and what must always hold is checked (`World::settle`).
mod carry;
mod fate;
pub(crate) mod script;
mod world;

use script::Script;
use world::World;

/// Happenings of one script at most.
const STEPS: usize = 400;

/// Lives through the script in `data`.
pub fn tunnel_ops(data: &[u8]) {
    live(data).end();
}

fn live(data: &[u8]) -> World {
    let mut script = Script::new(data);
    let mut world = World::new();
    for _ in 0..STEPS {
        let Some(happening) = script.byte() else { break };
        happen(&mut world, happening, &mut script);
        world.settle();
    }
    world
}

/// Numbers from here on name happenings of their own; those below name the ordinary ones, over and over.
const RARE: u8 = 248;

/// One happening. Whose it is, is the lowest bit of the first byte behind it.
fn happen(world: &mut World, happening: u8, script: &mut Script<'_>) {
    let who = usize::from(script.byte().unwrap_or(0) & 1);
    if happening >= RARE {
        return happen_rarely(world, happening - RARE, who, script);
    }
    match happening % 28 {
        0..=3 => world.send_packet(who, script),
        4 => world.begin_job(who, script),
        5 => world.finish_jobs(script.byte().unwrap_or(0)),
        6 => world.send_batch(who, script),
        7 => world.advance_millis(script.number()),
        8 => world.advance_seconds(u64::from(script.byte().unwrap_or(0))),
        9 => world.advance_seconds(script.number() % 700),
        10..=12 => world.deliver_all(),
        13 => world.deliver(script.byte().unwrap_or(0)),
        14 => world.lose(script.byte().unwrap_or(0)),
        15 => world.double(script.byte().unwrap_or(0)),
        16 => world.damage(script.byte().unwrap_or(0), script.number(), script.byte().unwrap_or(1)),
        17 => world.noise(who, script),
        18 => world.connect(who),
        19 => world.roam(who, script.byte().unwrap_or(0)),
        20 => world.network_change(who),
        21 => world.wall_clock(who, script.number()),
        22 => world.change_peer(who, script),
        23 => world.change_key(who, script.byte().unwrap_or(0)),
        24 => world.change_mtu(who, script.number()),
        25 => world.remove_peer(who, script.byte().unwrap_or(0)),
        26 => world.tick(who, script.byte().unwrap_or(0)),
        _ => world.meddle(who, script),
    }
}

fn happen_rarely(world: &mut World, happening: u8, who: usize, script: &mut Script<'_>) {
    match happening {
        0 => world.step_clock(who, script.number()),
        1 => world.fail_clock(who),
        2 => world.restart(who, script),
        3 => world.end_sessions(who),
        4 => world.refuse(who, script.byte().unwrap_or(0)),
        5 => world.change_limits(who, script.byte().unwrap_or(0)),
        6 => world.change_padding(who, script.byte().unwrap_or(0)),
        _ => world.change_link(who, script.byte().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::world::limits;
    use super::*;

    /// A target that reaches nothing finds nothing.
    #[test]
    fn the_seeds_bring_tunnels_to_life() {
        let seed = |name: &str| {
            let path = format!("{}/corpus/tunnel_ops/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        let world = live(&seed("first-contact"));
        assert_eq!(world.sides.each_ref().map(|side| side.delivered.len()), [1, 1]);
        assert_eq!(world.sides.each_ref().map(|side| side.tunnel.stats().handshakes), [1, 1]);
        let busy = (0..8).map(|number| live(&seed(&format!("chance-{number}"))));
        let (mut delivered, mut handshakes, mut dropped) = (0, 0, 0);
        for side in busy.flat_map(|world| world.sides) {
            delivered += side.delivered.len();
            handshakes += side.tunnel.stats().handshakes;
            dropped += side.tunnel.stats().drops.total();
        }
        assert!(delivered > 50 && handshakes > 20 && dropped > 50, "{delivered}, {handshakes}, {dropped}");
        let rare = (0..4).map(|number| live(&seed(&format!("rare-chance-{number}"))));
        let reached = rare.flat_map(|world| world.sides).filter(|side| side.ahead != 0 && side.limits != limits());
        assert!(reached.count() > 3, "clocks that err, and other limits");
    }
}
