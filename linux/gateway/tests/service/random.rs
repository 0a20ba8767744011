//! Days in which everything happens in any order. What must hold holds after each step.
use crate::place::{SITE, Seeded, key, name};
use crate::world::World;
use std::collections::BTreeSet;
use std::time::Duration;
use underpass_core::control::message::{LeaseRequest, Request};
use underpass_core::{Access, Rng as _};
use underpass_gateway::store::{Sessions as _, Users as _};

const STEPS: usize = 60;
const USERS: [&str; 2] = ["alice", "bert"];

struct Day {
    world: World,
    chance: Seeded,
    is_away: bool,
}

impl Day {
    fn below(&mut self, most: u8) -> u8 {
        let mut byte = [0];
        self.chance.fill(&mut byte).expect("seeded");
        byte[0] % most
    }

    fn cut_off(&mut self, is_away: bool) {
        self.is_away = is_away;
        self.world.cut_store_off(is_away);
    }

    /// Something happens.
    fn step(&mut self) {
        let client = usize::from(self.below(2));
        let user = USERS[client];
        let time = self.world.time();
        match self.below(14) {
            0..4 => {
                let code = self.world.code(user);
                drop(self.world.log_in(client, user, &format!("{user}'s password"), &code));
            }
            4 => drop(self.world.log_in(client, user, "a guess", "123456")),
            5..8 => drop(self.world.ask(client, &Request::Lease(LeaseRequest::default()))),
            8 => drop(self.world.ask(client, &Request::Logout)),
            9 => self.cut_off(true),
            10 if !self.is_away => self.world.restart(),
            11 => drop(self.world.store().end_session(time, &key(client), None).expect("an answer")),
            12 => {
                let (mut store, is_enabled) = (self.world.store(), self.below(3) > 0);
                let user = store.user(&name(user)).expect("an answer").expect("the user").id;
                drop(store.enable_user(time, user, is_enabled).expect("changed"));
            }
            _ => {
                let minutes = u64::from(self.below(12));
                self.world.run(Duration::from_secs(60 * minutes));
            }
        }
        if self.is_away && self.below(2) == 0 {
            self.cut_off(false);
        }
        // Past the next look at the store, and the next time step.
        self.world.run(Duration::from_secs(31));
    }

    /// Nobody is in who is not in the store, and nobody has an address who is not in, nor that of another.
    fn check(&mut self) {
        let mut addresses = BTreeSet::new();
        let mut open = 0;
        for client in 0..USERS.len() {
            let peer = self.world.gateway.peer_by_key(&key(client)).expect("the peer");
            let peer = self.world.gateway.peer(peer).expect("the peer");
            let is_open = matches!(peer.access(), Access::Ruled(_));
            open += usize::from(is_open);
            let own: Vec<_> = peer.allowed_ips().collect();
            assert!(is_open || own.is_empty(), "{client} is locked and has {own:?}");
            assert!(own.iter().all(|address| addresses.insert(*address)), "{own:?} twice");
            if !self.is_away {
                let session = self.world.store().session(&key(client)).expect("an answer");
                assert_eq!(is_open, session.is_some(), "{client}: {session:?}");
            }
        }
        assert_eq!(self.world.service.open_sessions(), open);
        assert_eq!(self.world.service.is_store_there(), !self.is_away);
    }
}

#[test]
fn whatever_happens_nobody_is_in_who_should_not_be_and_every_session_is_on_record() {
    let (mut opened, mut renewed) = (0, 0);
    for seed in 1..7 {
        // Shown when it fails.
        println!("seed {seed}");
        let mut day = Day { world: World::new(), chance: Seeded(seed * 0x9e37_79b9), is_away: false };
        for _ in 0..STEPS {
            day.step();
            day.check();
        }
        let ended = day.world.lines_of("session.ended").len();
        let begun = day.world.lines_of("session.opened").len();
        assert_eq!(begun, ended + day.world.service.open_sessions(), "each session has two lines");
        assert_eq!(day.world.service.lost_lines(), 0);
        let peers = day.world.gateway.peers().filter(|peer| *peer.public_key() != key(SITE));
        let held: usize = peers.map(|peer| peer.allowed_ips().count()).sum();
        let released = day.world.lines_of("lease.released").len();
        let granted = day.world.lines_of("lease.granted").len();
        assert_eq!(granted, released + held, "each address has two lines");
        (opened, renewed) = (opened + begun, renewed + day.world.lines_of("session.extended").len());
    }
    assert!(opened > 25 && renewed > 25, "{opened} sessions, {renewed} renewed: something is tested");
}
