//! Slots, as a host fills them and as it should not, and what is done with them.
use super::world::{ARENA, SLOTS, World, number, path_from};
use crate::pair::inner;
use crate::tunnel_ops::script::Script;
use std::ptr;
use underpass::batch::{
    UNDERPASS_VERDICT_BOUNCE, UNDERPASS_VERDICT_DELIVER, UNDERPASS_VERDICT_PENDING, UNDERPASS_VERDICT_REPLY,
    UNDERPASS_VERDICT_SEND, underpass_slot, underpass_tunnel_handle_datagrams, underpass_tunnel_handle_packets,
};
use underpass::handle::underpass_tunnel;
use underpass::job::underpass_job;
use underpass::steps::{
    underpass_jobs_crypt, underpass_jobs_discard, underpass_tunnel_begin_datagrams, underpass_tunnel_begin_packets,
    underpass_tunnel_finish_datagrams, underpass_tunnel_finish_packets,
};
use underpass::words::{UNDERPASS_DROP_REASONS, UNDERPASS_MAX_BATCH, UNDERPASS_OK};

type Whole = extern "C" fn(*mut underpass_tunnel, u64, *mut underpass_slot, usize) -> i32;
type Step = extern "C" fn(*mut underpass_tunnel, u64, *mut underpass_slot, *mut underpass_job, usize) -> i32;

/// The verdict of a slot that was looked at: steps pass it over.
const NOBODYS: i32 = 99;

/// Which slots and jobs a call is about.
struct Part {
    slots: usize,
    jobs: usize,
    len: usize,
    /// More than there may be.
    too_many: bool,
}

impl World {
    /// Every slot gets a packet from `who` to the other side.
    pub(super) fn fill_with_packets(&mut self, who: usize, script: &mut Script<'_>) {
        self.lay_out();
        let (shape, size) = (script.byte().unwrap_or(0), usize::from(script.byte().unwrap_or(0)));
        for place in 0..SLOTS {
            let start = 16 + usize::from(shape % 8);
            let packet = inner(number(who), number(1 - who), shape & 0x40 != 0, 20 + size, &[shape]);
            let at = place * (ARENA / SLOTS) + start;
            self.arena[at..at + packet.len()].copy_from_slice(&packet);
            (self.slots[place].start, self.slots[place].len) = (start as u32, packet.len() as u32);
        }
        if shape & 0x80 != 0 {
            self.slots.reverse();
        }
    }

    /// Slots get the datagrams on the wire to `who`, some of them damaged.
    pub(super) fn fill_with_datagrams(&mut self, who: usize, script: &mut Script<'_>) {
        self.lay_out();
        let damage = script.byte().unwrap_or(0);
        for place in 0..SLOTS {
            self.slots[place].path = path_from(1 - who);
            let Some(found) = self.wire.iter().position(|(to, bytes)| *to == who && bytes.len() <= ARENA / SLOTS)
            else {
                continue;
            };
            let Some((_, mut datagram)) = self.wire.remove(found) else { continue };
            if damage & 1 != 0
                && let Some(byte) = datagram.get_mut(usize::from(damage))
            {
                *byte ^= 1;
            }
            let at = place * (ARENA / SLOTS);
            self.arena[at..at + datagram.len()].copy_from_slice(&datagram);
            (self.slots[place].len, self.slots[place].ecn) = (datagram.len() as u32, damage >> 6);
        }
    }

    /// A few slots get whatever the script says; but their memory is there.
    pub(super) fn fill_with_anything(&mut self, script: &mut Script<'_>) {
        for _ in 0..script.byte().unwrap_or(0) % 4 {
            let which = usize::from(script.byte().unwrap_or(0)) % SLOTS;
            let offset = usize::try_from(script.number()).unwrap_or(0) % (ARENA + 1);
            let cap = usize::try_from(script.number()).unwrap_or(0) % (ARENA - offset + 1);
            let sign = script.byte().unwrap_or(0);
            let buf = if sign == 0xff { ptr::null_mut() } else { self.arena.as_mut_ptr().wrapping_add(offset) };
            let (start, len) = (script.number() as u32, script.number() as u32);
            let mut slot = underpass_slot { buf, cap: cap as u32, start, len, ..Default::default() };
            if sign & 1 != 0 {
                (slot.start, slot.len) = (slot.start % (slot.cap + 1), slot.len % (slot.cap + 1));
                slot.len = slot.len.min(slot.cap - slot.start);
            }
            if sign & 0xc0 == 0xc0 {
                slot.start = slot.start.wrapping_neg();
            }
            (slot.verdict, slot.ecn) = (i32::from(sign >> 1 & 15) - 1, script.byte().unwrap_or(0) >> 5);
            slot.path = path_from(usize::from(sign >> 5 & 1));
            slot.path.remote.family = [4, 4, 4, 6, 0, 77][usize::from(script.byte().unwrap_or(0)) % 6];
            self.slots[which] = slot;
        }
    }

    pub(super) fn handle_packets(&mut self, who: usize, script: &mut Script<'_>) {
        self.whole(who, script, underpass_tunnel_handle_packets);
    }

    pub(super) fn handle_datagrams(&mut self, who: usize, script: &mut Script<'_>) {
        self.whole(who, script, underpass_tunnel_handle_datagrams);
    }

    pub(super) fn begin_packets(&mut self, who: usize, script: &mut Script<'_>) {
        self.begin(who, script, underpass_tunnel_begin_packets);
    }

    pub(super) fn begin_datagrams(&mut self, who: usize, script: &mut Script<'_>) {
        self.begin(who, script, underpass_tunnel_begin_datagrams);
    }

    pub(super) fn finish_packets(&mut self, who: usize, script: &mut Script<'_>) {
        self.finish(who, script, underpass_tunnel_finish_packets);
    }

    pub(super) fn finish_datagrams(&mut self, who: usize, script: &mut Script<'_>) {
        self.finish(who, script, underpass_tunnel_finish_datagrams);
    }

    pub(super) fn crypt(&mut self, script: &mut Script<'_>) {
        let part = part(script);
        self.run(0, &part, |_, slots, jobs, len| underpass_jobs_crypt(slots, jobs, len));
    }

    pub(super) fn discard(&mut self, script: &mut Script<'_>) {
        let part = part(script);
        self.run(0, &part, |_, _, jobs, len| underpass_jobs_discard(jobs, len));
    }

    fn whole(&mut self, who: usize, script: &mut Script<'_>, call: Whole) {
        let (part, now) = (part(script), self.now);
        if self.run(who, &part, |tunnel, slots, _, len| call(tunnel, now, slots, len)) {
            let slots = &self.slots[part.slots..part.slots + part.len];
            assert!(slots.iter().all(|slot| slot.verdict != UNDERPASS_VERDICT_PENDING), "a slot without a verdict");
            self.take_out(who, &part, |_| true);
        }
    }

    fn begin(&mut self, who: usize, script: &mut Script<'_>, call: Step) {
        let (part, now) = (part(script), self.now);
        if self.run(who, &part, |tunnel, slots, jobs, len| call(tunnel, now, slots, jobs, len)) {
            self.take_out(who, &part, |_| true);
        }
    }

    fn finish(&mut self, who: usize, script: &mut Script<'_>, call: Step) {
        let (part, now) = (part(script), self.now);
        let waited: Vec<_> = self.slots.iter().map(|slot| slot.verdict == UNDERPASS_VERDICT_PENDING).collect();
        if self.run(who, &part, |tunnel, slots, jobs, len| call(tunnel, now, slots, jobs, len)) {
            let slots = &self.slots[part.slots..part.slots + part.len];
            assert!(slots.iter().all(|slot| slot.verdict != UNDERPASS_VERDICT_PENDING), "a slot is not finished");
            self.take_out(who, &part, |at| waited[at]);
        }
    }

    /// Makes a call. Unless it is done, slots, jobs and buffers are what they were; else what it hands out is in its buffer.
    fn run(
        &mut self,
        who: usize,
        part: &Part,
        call: impl FnOnce(*mut underpass_tunnel, *mut underpass_slot, *mut underpass_job, usize) -> i32,
    ) -> bool {
        let jobs = |world: &Self| world.jobs.iter().map(|job| job.opaque).collect::<Vec<_>>();
        let slots = |world: &Self| world.slots.iter().map(fields).collect::<Vec<_>>();
        let before = (slots(self), self.arena.clone(), jobs(self));
        let (slots_at, jobs_at) = (self.slots[part.slots..].as_mut_ptr(), self.jobs[part.jobs..].as_mut_ptr());
        let len = if part.too_many { UNDERPASS_MAX_BATCH as usize + 1 + part.len } else { part.len };
        let status = call(self.tunnels[who], slots_at, jobs_at, len);
        if self.judge(status) == UNDERPASS_OK {
            assert!(!part.too_many, "there is no end to batches");
            return true;
        }
        assert!(before == (slots(self), self.arena.clone(), jobs(self)), "status {status}, and a change");
        false
    }

    /// Slots that got a verdict, which `is_ours` knows, hold what it says. It goes on its way, and leaves its slot.
    fn take_out(&mut self, who: usize, part: &Part, is_ours: impl Fn(usize) -> bool) {
        let base = self.arena.as_ptr().addr();
        for at in (part.slots..part.slots + part.len).filter(|at| is_ours(*at)) {
            let slot = self.slots[at];
            assert!(u64::from(slot.start) + u64::from(slot.len) <= u64::from(slot.cap), "beyond the buffer: {slot:?}");
            let begin = slot.buf.addr().wrapping_sub(base) + slot.start as usize;
            let bytes = self.arena.get(begin..begin + slot.len as usize).expect("buffers are cut from the arena");
            let first = bytes.first().copied().unwrap_or(0);
            match slot.verdict {
                UNDERPASS_VERDICT_PENDING => continue,
                UNDERPASS_VERDICT_SEND | UNDERPASS_VERDICT_REPLY => {
                    let is_reply = slot.verdict == UNDERPASS_VERDICT_REPLY;
                    assert_eq!((first, slot.ecn <= 3), (if is_reply { 3 } else { 4 }, true), "no datagram: {slot:?}");
                    self.send(1 - who, bytes.to_vec());
                }
                UNDERPASS_VERDICT_DELIVER | UNDERPASS_VERDICT_BOUNCE => {
                    assert!(matches!(first >> 4, 4 | 6), "no packet: {slot:?}");
                    self.delivered += usize::from(slot.verdict == UNDERPASS_VERDICT_DELIVER);
                }
                verdict => assert!((5..=7).contains(&verdict) && slot.len == 0, "no verdict: {slot:?}"),
            }
            assert!((slot.reason as usize) < UNDERPASS_DROP_REASONS, "no reason: {slot:?}");
            self.slots[at].verdict = NOBODYS;
        }
    }
}

/// All there is in a slot, to be compared.
fn fields(slot: &underpass_slot) -> impl PartialEq + use<> {
    let underpass_slot { buf, cap, start, len, verdict, reason, ecn, reserved, peer, user, path } = *slot;
    (buf, [cap, start, len, reason], verdict, ecn, reserved, [peer, user], path)
}

/// Mostly the same slots and jobs from the first on; rarely anything.
fn part(script: &mut Script<'_>) -> Part {
    let word = script.byte().unwrap_or(0);
    let len = usize::from(word % SLOTS as u8) + 1;
    if word < 0xc0 {
        return Part { slots: 0, jobs: 0, len, too_many: false };
    }
    let (slots, jobs) = (script.byte().unwrap_or(0), script.byte().unwrap_or(0));
    let (slots, jobs) = (usize::from(slots) % SLOTS, usize::from(jobs) % SLOTS);
    let len = len.min(SLOTS - slots.max(jobs)) - usize::from(word & 0x10 != 0);
    Part { slots, jobs, len, too_many: word >= 0xf8 }
}
