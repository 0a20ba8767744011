//! The lists of rules in use, each compiled once for all sessions that have it.
use super::rules::hours::Wall;
use super::rules::{Compiled, Rule, Rules, RulesError};
use crate::memory::{Boxed, NoMemory};
use crate::time::Instant;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

/// No list: a session without one may do nothing.
pub(super) const NONE: u32 = u32::MAX;
/// The generation of no list.
const NEVER: u32 = 0;
/// After so long, rules that could not be compiled for want of memory are compiled again. Nothing passes until then.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// A list of rules as it applies now.
#[derive(Debug)]
pub(super) struct List {
    rules: Rules,
    /// The endpoint of its sessions, where the rules ask for that.
    outer: Option<IpAddr>,
    compiled: Compiled,
    /// Differs each time that any list is compiled: a flow found by another state of rules is asked about again.
    generation: u32,
    /// When the list changes by itself, and to which revision of the wall clock that belongs.
    fresh_until: Instant,
    wall_revision: u32,
    /// Whether any rule asks for the time.
    is_timed: bool,
    /// How many sessions have it.
    sessions: u32,
}

impl List {
    /// Checks and compiles rules, for sessions whose endpoint is `outer`.
    pub(super) fn new(
        rules: &Rules,
        outer: Option<IpAddr>,
        wall: &Wall,
        revision: u32,
    ) -> Result<Boxed<Self>, RulesError> {
        rules.check()?;
        let outer = outer.filter(|_| asks_where(rules));
        let mut list = Self {
            rules: rules.clone(),
            outer,
            compiled: Compiled::new(rules, wall, outer)?,
            generation: NEVER,
            fresh_until: Instant::MAX,
            wall_revision: revision,
            is_timed: rules.iter().any(is_timed),
            sessions: 0,
        };
        list.note_times(wall, revision);
        Ok(Boxed::new(list)?)
    }

    /// Compiles it again. Without memory for that nothing is allowed, and it is tried again.
    fn compile(&mut self, wall: &Wall, revision: u32) {
        match Compiled::new(&self.rules, wall, self.outer) {
            Ok(compiled) => {
                self.compiled = compiled;
                self.note_times(wall, revision);
            }
            Err(NoMemory) => {
                self.compiled = Compiled::default();
                (self.fresh_until, self.wall_revision) = (wall.read_at + AGAIN, revision);
            }
        }
    }

    fn note_times(&mut self, wall: &Wall, revision: u32) {
        self.fresh_until = wall.next_change(&self.rules).unwrap_or(Instant::MAX);
        self.wall_revision = revision;
    }
}

/// Whether any rule asks where the peer's endpoint is.
pub(super) fn asks_where(rules: &Rules) -> bool {
    rules.iter().any(|rule| !rule.outer.is_empty())
}

fn is_timed(rule: &Rule) -> bool {
    !rule.hours.is_empty() || rule.not_after.is_some()
}

/// All lists that sessions have.
#[derive(Debug, Default)]
pub(super) struct Lists {
    places: Vec<Option<Boxed<List>>>,
    /// The last one that was given out.
    generation: u32,
}

impl Lists {
    /// The list of these rules for this endpoint, if a session has it.
    pub(super) fn find(&self, rules: &Rules, outer: Option<IpAddr>) -> Option<u32> {
        let wanted = |list: &List| list.rules.is_same(rules) && (list.outer == outer || !asks_where(rules));
        let at = self.places.iter().position(|place| place.as_deref().is_some_and(wanted))?;
        u32::try_from(at).ok()
    }

    /// Makes room for so many more.
    pub(super) fn make_room(&mut self, more: usize) -> Result<(), NoMemory> {
        Ok(self.places.try_reserve(more)?)
    }

    /// Adds a list, for which [room was made](Self::make_room). No session has it yet.
    pub(super) fn add(&mut self, mut list: Boxed<List>) -> u32 {
        list.generation = self.next_generation();
        let free = self.places.iter().position(Option::is_none);
        let at = free.unwrap_or(self.places.len());
        match self.places.get_mut(at) {
            Some(place) => *place = Some(list),
            None => self.places.push(Some(list)),
        }
        u32::try_from(at).unwrap_or(NONE)
    }

    /// One more session has the list.
    pub(super) fn join(&mut self, at: u32) {
        if let Some(list) = self.at_mut(at) {
            list.sessions = list.sessions.saturating_add(1);
        }
    }

    /// A session has it no more. With the last it goes.
    pub(super) fn leave(&mut self, at: u32) {
        let Some(list) = self.at_mut(at) else { return };
        list.sessions = list.sessions.saturating_sub(1);
        if list.sessions == 0
            && let Some(place) = self.places.get_mut(at as usize)
        {
            *place = None;
        }
    }

    /// Gives room back that is not used.
    pub(super) fn shrink(&mut self) {
        let used = self.places.iter().rposition(Option::is_some).map_or(0, |last| last.saturating_add(1));
        self.places.truncate(used);
        if used == 0 {
            self.places = Vec::new();
        }
    }

    /// Compiles a list again when rules of it began or ceased to apply by the clock. Returns its generation.
    #[inline]
    pub(super) fn renew(&mut self, at: u32, wall: &Wall, revision: u32, now: Instant) -> u32 {
        let Some(list) = self.places.get_mut(at as usize).and_then(Option::as_deref_mut) else { return NEVER };
        if now >= list.fresh_until || (list.is_timed && revision != list.wall_revision) {
            return self.compile(at, &wall.at(now), revision);
        }
        list.generation
    }

    #[cold]
    fn compile(&mut self, at: u32, wall: &Wall, revision: u32) -> u32 {
        let generation = self.next_generation();
        if let Some(list) = self.at_mut(at) {
            list.compile(wall, revision);
            list.generation = generation;
        }
        generation
    }

    /// What lookups are made in.
    pub(super) fn compiled(&self, at: u32) -> Option<&Compiled> {
        Some(&self.places.get(at as usize)?.as_deref()?.compiled)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let places = self.places.capacity().saturating_mul(size_of::<Option<Boxed<List>>>());
        let lists = self.places.iter().flatten();
        let bytes = lists.map(|list| {
            let own = size_of::<List>().saturating_add(list.compiled.heap_bytes());
            own.saturating_add(heap_bytes(&list.rules))
        });
        bytes.fold(places, usize::saturating_add)
    }

    fn at_mut(&mut self, at: u32) -> Option<&mut List> {
        self.places.get_mut(at as usize)?.as_deref_mut()
    }

    fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1).max(1);
        self.generation
    }
}

/// Bytes of rules on the heap. What two lists share counts for both.
fn heap_bytes(rules: &[Rule]) -> usize {
    let of_rule = |rule: &Rule| {
        let networks = rule.networks.capacity().saturating_add(rule.outer.capacity());
        let networks = networks.saturating_mul(size_of::<ipnet::IpNet>());
        let pairs = rule.ports.capacity().saturating_mul(6).saturating_add(rule.hours.capacity().saturating_mul(4));
        networks.saturating_add(pairs).saturating_add(size_of::<Rule>())
    };
    rules.iter().map(of_rule).fold(0, usize::saturating_add)
}
