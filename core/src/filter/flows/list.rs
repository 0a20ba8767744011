//! Lists of flows, the oldest first. Their links stand beside the flows, so that packets do not touch them.

/// No flow.
pub(in crate::filter) const NONE: u32 = u32::MAX;

/// The links of a flow in each of its lists.
pub(super) type Links = [Link; 3];

/// Which of a flow's links a list goes by.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(in crate::filter) enum By {
    /// All flows of a class.
    Class,
    /// Those of a class whose rule is one of this peer.
    Owner,
    /// Those that end at this peer and are of somebody else's rule.
    Guest,
}

/// The neighbours of a flow in a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    before: u32,
    after: u32,
}

impl Link {
    const LOOSE: Self = Self { before: NONE, after: NONE };
    /// Those of a flow that is in no list.
    pub(super) const NO_LISTS: Links = [Self::LOOSE; 3];
}

/// A list: its ends.
#[derive(Clone, Copy, Debug)]
pub(in crate::filter) struct List {
    first: u32,
    last: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

impl List {
    /// The oldest flow.
    pub(in crate::filter) const fn first(&self) -> Option<u32> {
        if self.first == NONE { None } else { Some(self.first) }
    }

    /// The flow behind `at` in a list.
    pub(super) fn after(flows: &[Links], by: By, at: u32) -> Option<u32> {
        let after = flows.get(at as usize)?.get(by as usize)?.after;
        (after != NONE).then_some(after)
    }

    /// Puts a flow at the end.
    pub(super) fn push(&mut self, flows: &mut [Links], by: By, at: u32) {
        if let Some(link) = link(flows, by, at) {
            *link = Link { before: self.last, after: NONE };
        }
        match link(flows, by, self.last) {
            Some(last) => last.after = at,
            None => self.first = at,
        }
        self.last = at;
    }

    /// Takes a flow out.
    pub(super) fn take(&mut self, flows: &mut [Links], by: By, at: u32) {
        let Some(Link { before, after }) = link(flows, by, at).map(|link| core::mem::replace(link, Link::LOOSE)) else {
            return;
        };
        match link(flows, by, before) {
            Some(link) => link.after = after,
            None => self.first = after,
        }
        match link(flows, by, after) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
    }
}

fn link(flows: &mut [Links], by: By, at: u32) -> Option<&mut Link> {
    flows.get_mut(at as usize)?.get_mut(by as usize)
}
