//! Begin, crypt, finish: the same as in one call, on whatever thread; and a job is good for its own steps alone.
use crate::scene::{Pair, Room, Side, packet};
use underpass::batch::*;
use underpass::job::underpass_job;
use underpass::steps::*;
use underpass::words::*;

/// Jobs that were never used.
fn blank(count: usize) -> Vec<underpass_job> {
    (0..count).map(|_| underpass_job { opaque: [0; 24] }).collect()
}

fn is_wiped(job: &underpass_job) -> bool {
    job.opaque.iter().all(|word| *word == 0)
}

fn begin_packets(side: &Side, room: &mut Room, jobs: &mut [underpass_job]) -> i32 {
    underpass_tunnel_begin_packets(side.tunnel, 0, room.slots.as_mut_ptr(), jobs.as_mut_ptr(), room.slots.len())
}

fn begin_datagrams(side: &Side, room: &mut Room, jobs: &mut [underpass_job]) -> i32 {
    underpass_tunnel_begin_datagrams(side.tunnel, 0, room.slots.as_mut_ptr(), jobs.as_mut_ptr(), room.slots.len())
}

fn crypt(room: &mut Room, jobs: &mut [underpass_job]) -> i32 {
    underpass_jobs_crypt(room.slots.as_mut_ptr(), jobs.as_mut_ptr(), room.slots.len())
}

fn finish_packets(side: &Side, room: &mut Room, jobs: &mut [underpass_job]) -> i32 {
    underpass_tunnel_finish_packets(side.tunnel, 0, room.slots.as_mut_ptr(), jobs.as_mut_ptr(), room.slots.len())
}

fn finish_datagrams(side: &Side, room: &mut Room, jobs: &mut [underpass_job]) -> i32 {
    underpass_tunnel_finish_datagrams(side.tunnel, 0, room.slots.as_mut_ptr(), jobs.as_mut_ptr(), room.slots.len())
}

#[test]
fn three_steps_do_what_one_call_does() {
    let pair = Pair::connected();
    let sent: Vec<Vec<u8>> = (0..40).map(|number| packet(1, 2 + 7 * u8::from(number == 11), 900, number)).collect();
    let (mut room, mut jobs) = (Room::new(40), blank(40));
    room.packets(&sent);
    assert_eq!(begin_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_OK);
    assert_eq!(room.slots[11].verdict, UNDERPASS_VERDICT_BOUNCE, "done at once");
    assert!(is_wiped(&jobs[11]) && !is_wiped(&jobs[10]));
    crypt_on_threads(&mut room, &mut jobs);
    assert_eq!(finish_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_OK);
    assert!(jobs.iter().all(is_wiped), "no key stays");
    let gone = room.slots.iter().filter(|slot| slot.verdict == UNDERPASS_VERDICT_SEND).count();
    assert_eq!(gone, 39);
    room.came_from(&pair.left);
    assert_eq!(begin_datagrams(&pair.right, &mut room, &mut jobs), UNDERPASS_OK);
    crypt_on_threads(&mut room, &mut jobs);
    assert_eq!(finish_datagrams(&pair.right, &mut room, &mut jobs), UNDERPASS_OK);
    assert!(jobs.iter().all(is_wiped));
    for (number, (slot, sent)) in room.slots.iter().zip(&sent).enumerate().filter(|(number, _)| *number != 11) {
        assert_eq!((slot.verdict, room.of(slot)), (UNDERPASS_VERDICT_DELIVER, sent.clone()), "{number}");
    }
}

/// Parts of a batch, the last ones first, each on a thread of its own.
fn crypt_on_threads(room: &mut Room, jobs: &mut [underpass_job]) {
    let starts = [(30, 10), (17, 13), (0, 17)];
    for (from, len) in starts {
        let slots = room.slots[from..from + len].as_mut_ptr().expose_provenance();
        let jobs = jobs[from..from + len].as_mut_ptr().expose_provenance();
        let crypted = std::thread::spawn(move || {
            underpass_jobs_crypt(
                std::ptr::with_exposed_provenance_mut(slots),
                std::ptr::with_exposed_provenance_mut(jobs),
                len,
            )
        });
        assert_eq!(crypted.join().expect("no panic"), UNDERPASS_OK);
    }
}

#[test]
fn a_job_is_good_for_its_own_steps_alone() {
    let (pair, other) = (Pair::connected(), Pair::connected());
    let (mut room, mut jobs) = (Room::new(2), blank(2));
    room.packets(&[packet(1, 2, 100, 1), packet(1, 2, 100, 2)]);
    let pending = |room: &mut Room| room.slots.iter_mut().for_each(|slot| slot.verdict = UNDERPASS_VERDICT_PENDING);
    pending(&mut room);
    assert_eq!(crypt(&mut room, &mut jobs), UNDERPASS_E_JOB, "zeros");
    jobs.iter_mut().for_each(|job| job.opaque = [0x0101_0101_0101_0101; 24]);
    assert_eq!(crypt(&mut room, &mut jobs), UNDERPASS_E_JOB, "garbage");
    assert_eq!(begin_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_OK, "garbage is overwritten");
    assert_eq!(finish_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_E_JOB, "not crypted");
    let mut copy: Vec<underpass_job> = jobs.iter().map(|job| underpass_job { opaque: job.opaque }).collect();
    assert_eq!(crypt(&mut room, &mut copy), UNDERPASS_E_JOB, "a copy");
    room.slots.swap(0, 1);
    assert_eq!(crypt(&mut room, &mut jobs), UNDERPASS_E_JOB, "the buffer of another");
    room.slots.swap(0, 1);
    assert_eq!(crypt(&mut room, &mut jobs), UNDERPASS_OK);
    assert_eq!(crypt(&mut room, &mut jobs), UNDERPASS_OK, "a second time changes nothing");
    assert_eq!(finish_packets(&other.left, &mut room, &mut jobs), UNDERPASS_E_JOB, "another tunnel");
    assert_eq!(finish_datagrams(&pair.left, &mut room, &mut jobs), UNDERPASS_E_JOB, "the other direction");
    assert_eq!(finish_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_OK);
    room.came_from(&pair.left);
    assert_eq!(finish_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_OK, "nothing is pending");
    pending(&mut room);
    assert_eq!(finish_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_E_JOB, "done");
    assert_eq!(pair.right.open(&mut room), UNDERPASS_OK);
    assert!(room.slots.iter().all(|slot| slot.verdict == UNDERPASS_VERDICT_DELIVER));
}

#[test]
fn what_is_discarded_leaves_nothing() {
    let pair = Pair::connected();
    let (mut room, mut jobs) = (Room::new(3), blank(3));
    room.packets(&[packet(1, 2, 100, 1), packet(1, 2, 100, 2), packet(1, 2, 100, 3)]);
    assert_eq!(begin_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_OK);
    assert!(jobs.iter().all(|job| !is_wiped(job)));
    assert_eq!(underpass_jobs_discard(jobs.as_mut_ptr(), 3), UNDERPASS_OK);
    assert!(jobs.iter().all(is_wiped));
    assert_eq!(crypt(&mut room, &mut jobs), UNDERPASS_E_JOB);
    assert_eq!(underpass_jobs_discard(jobs.as_mut_ptr(), 3), UNDERPASS_OK, "again");
    assert_eq!(underpass_jobs_discard(std::ptr::null_mut(), 0), UNDERPASS_OK);
    assert_eq!(underpass_jobs_discard(std::ptr::null_mut(), 1), UNDERPASS_E_NULL);
    assert_eq!(underpass_jobs_discard(jobs.as_mut_ptr(), 257), UNDERPASS_E_BATCH);
}

/// A peer that is removed between begin and finish gets nothing.
#[test]
fn a_peer_that_went_meanwhile_gets_nothing() {
    let pair = Pair::connected();
    let (mut room, mut jobs) = (Room::new(1), blank(1));
    room.packets(&[packet(1, 2, 100, 1)]);
    assert_eq!(begin_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_OK);
    assert_eq!(crypt(&mut room, &mut jobs), UNDERPASS_OK);
    assert_eq!(underpass::configure::underpass_tunnel_remove_all_peers(pair.left.tunnel, 0), UNDERPASS_OK);
    assert_eq!(finish_packets(&pair.left, &mut room, &mut jobs), UNDERPASS_OK);
    assert_eq!((room.slots[0].verdict, room.slots[0].len), (UNDERPASS_VERDICT_DROPPED, 0));
}
