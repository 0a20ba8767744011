//! The three steps on several threads: begin and finish on one, crypt on others.
use crate::figures::Table;
use crate::harness::{Effort, cell, contest};
use crate::parties::timed;
use std::sync::Mutex;
use std::time::Duration;
use underpass_budget::{path, room, shake_hands, tunnel, write_packet};
use underpass_core::limits::HEADROOM;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Begin, OpenJob, PacketBuf, SealJob, Verdict};
use underpass_core::{Instant, Tunnel};

const NOW: Instant = Instant::ZERO;
/// Packets of one train: several reads of the virtual interface.
const TRAIN: usize = 2048;
/// Packets that a thread takes at a time.
const BITE: usize = 64;
const LEN: usize = 1420;

/// Nanoseconds a packet by crypt threads.
pub fn cores(effort: Effort) -> Table {
    let mut table = Table::new(
        "Crypt threads, nanoseconds a packet of 1420 bytes",
        "begin for a train of 2048 packets, crypt by so many threads, finish in order; the whole train is timed, \
         starting the threads included, in a process that goes before all others of the machine (SCHED_FIFO, as root). Counters must leave in order, and the other end must accept every packet in \
         that order. In brackets: how much faster than one thread.",
        &["seal", "open"],
    );
    let (mut a, mut b) = (tunnel(0, 1..2), tunnel(1, 0..1));
    shake_hands(&mut a, 0, &mut b, 1, NOW);
    let mut bufs = vec![vec![0; room(LEN)]; TRAIN];
    let threads = [1, 2];
    let samples = contest(threads.len(), effort.pick(20, 150), |contestant| {
        let sealing = seal(&mut a, &mut bufs, threads[contestant]);
        in_order(&bufs);
        let opening = open(&mut b, &mut bufs, threads[contestant]);
        [sealing, opening].map(|took| took.as_nanos() as f64 / TRAIN as f64)
    });
    for (contestant, threads) in threads.iter().enumerate() {
        let cells = samples.iter().map(|by_threads| Some(cell(&by_threads[contestant], Some(&by_threads[0]))));
        table.row(format!("{threads} crypt threads"), cells.collect());
    }
    table
}

/// Seals a train; the datagrams begin where their buffers do.
fn seal(tunnel: &mut Tunnel, bufs: &mut [Vec<u8>], threads: usize) -> Duration {
    for buf in bufs.iter_mut() {
        write_packet(buf, LEN, 0, 1);
    }
    let (took, verdicts) = timed(|| {
        let mut jobs: Vec<(SealJob, &mut [u8])> = Vec::with_capacity(bufs.len());
        for buf in bufs.iter_mut() {
            let packet = PacketBuf { buf: &mut buf[..], packet: HEADROOM..HEADROOM + LEN };
            match tunnel.begin_seal(NOW, packet) {
                Begin::Crypt(job) => jobs.push((job, buf)),
                Begin::Done(verdict) => panic!("{verdict:?}"),
            }
        }
        share_out(&mut jobs, threads, |(job, buf)| job.crypt(buf));
        jobs.into_iter().map(|(job, _)| tunnel.finish_seal(NOW, job)).collect::<Vec<_>>()
    });
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Send { start: 0, .. })));
    took
}

/// Opens a train, which the tunnel accepts in the order it was sealed in.
fn open(tunnel: &mut Tunnel, bufs: &mut [Vec<u8>], threads: usize) -> Duration {
    let (took, verdicts) = timed(|| {
        let mut jobs: Vec<(OpenJob, &mut [u8])> = Vec::with_capacity(bufs.len());
        for buf in bufs.iter_mut() {
            let datagram = &mut buf[..HEADROOM + LEN + 16];
            match tunnel.begin_open(NOW, path(0), Ecn::NotCapable, datagram) {
                Begin::Crypt(job) => jobs.push((job, datagram)),
                Begin::Done(verdict) => panic!("{verdict:?}"),
            }
        }
        share_out(&mut jobs, threads, |(job, datagram)| job.crypt(datagram));
        jobs.into_iter().map(|(job, datagram)| tunnel.finish_open(NOW, job, datagram)).collect::<Vec<_>>()
    });
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Deliver { .. })));
    took
}

/// Does `work` on all `jobs` by so many threads, this one among them.
fn share_out<Job: Send>(jobs: &mut [Job], threads: usize, work: impl Fn(&mut Job) + Sync) {
    let bites = Mutex::new(jobs.chunks_mut(BITE));
    let eat = || {
        while let Some(bite) = { bites.lock().expect("nobody panics").next() } {
            bite.iter_mut().for_each(&work);
        }
    };
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(eat)));
        eat();
    });
}

/// Whether the counters of the train follow each other.
fn in_order(bufs: &[Vec<u8>]) {
    let counters: Vec<u64> =
        bufs.iter().filter_map(|buf| buf.get(8..16)?.try_into().ok()).map(u64::from_le_bytes).collect();
    assert!(counters.len() == bufs.len() && counters.windows(2).all(|pair| pair[1] == pair[0] + 1));
}
