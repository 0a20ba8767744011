//! The three steps on several threads: begin, finish and a share of the crypt steps on one, the rest on others.
use crate::figures::Table;
use crate::harness::{Effort, cell, contest};
use crate::parties::timed;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use underpass_budget::{path, room, shake_hands, tunnel, write_packet};
use underpass_core::limits::HEADROOM;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Begin, Inbound, OpenJob, Opened, Outbound, PacketBuf, SealJob, Sealed};
use underpass_core::{Instant, Tunnel};

const NOW: Instant = Instant::ZERO;
/// Packets of one train: several reads of the virtual interface.
const TRAIN: usize = 2048;
/// Packets that a thread takes at a time.
const BITE: usize = 32;
/// Bites that wait for each worker before the thread of the tunnel crypts one itself.
const WAITING: usize = 2;
const LEN: usize = 1420;

/// Nanoseconds a packet by crypt threads.
pub fn cores(effort: Effort) -> Table {
    let mut table = Table::new(
        "Crypt threads, nanoseconds a packet of 1420 bytes",
        "A train of 2048 packets in bites of 32. One thread has the tunnel: it begins, finishes in order, and crypts \
         whatever the others have no hands for; they live as long as the host does. One crypt thread: that thread \
         alone. The whole train is timed, in a process that goes before all others of the machine (SCHED_FIFO, as \
         root). Counters must leave in order, and the other end must accept every packet in that order. In brackets: \
         how much faster than one thread.",
        &["seal", "open"],
    );
    let (mut a, mut b) = (tunnel(0, 1..2), tunnel(1, 0..1));
    shake_hands(&mut a, 0, &mut b, 1, NOW);
    let mut bites = vec![vec![vec![0; room(LEN)]; BITE]; TRAIN / BITE];
    let (alone, pair) = (Crew::default(), Crew { workers: 1, ..Crew::default() });
    let crews = [&alone, &pair];
    let samples = std::thread::scope(|scope| {
        scope.spawn(|| pair.serve());
        let samples = contest(crews.len(), effort.pick(20, 150), |contestant| {
            let sealing = seal(&mut a, &mut bites, crews[contestant]);
            in_order(&bites);
            let opening = open(&mut b, &mut bites, crews[contestant]);
            [sealing, opening].map(|took| took.as_nanos() as f64 / TRAIN as f64)
        });
        pair.dismiss();
        samples
    });
    for (contestant, crew) in crews.iter().enumerate() {
        let cells = samples.iter().map(|by_threads| Some(cell(&by_threads[contestant], Some(&by_threads[0]))));
        table.row(format!("{} crypt threads", crew.workers + 1), cells.collect());
    }
    table
}

type Bufs = Vec<Vec<u8>>;

/// Begun packets or datagrams and their memory.
enum Bite {
    Seal(Vec<SealJob>, Bufs),
    Sealed(Vec<Sealed<()>>, Bufs),
    Open(Vec<OpenJob>, Bufs),
    Opened(Vec<Opened<()>>, Bufs),
}

impl Bite {
    fn crypt(self) -> Self {
        match self {
            Self::Seal(jobs, mut bufs) => {
                let seal = |(job, buf): (SealJob, &mut Vec<u8>)| job.crypt(buf).detach().0;
                Self::Sealed(jobs.into_iter().zip(&mut bufs).map(seal).collect(), bufs)
            }
            Self::Open(jobs, mut bufs) => {
                let open = |(job, buf): (OpenJob, &mut Vec<u8>)| job.crypt(&mut buf[..HEADROOM + LEN + 16]).detach().0;
                Self::Opened(jobs.into_iter().zip(&mut bufs).map(open).collect(), bufs)
            }
            crypted => crypted,
        }
    }
}

/// Bites on their way, by number, and whoever works on them.
#[derive(Default)]
struct Crew {
    workers: usize,
    plate: Mutex<Plate>,
    /// There is something to do, or nothing any more.
    todo: Condvar,
    /// Something is done.
    done: Condvar,
}

#[derive(Default)]
struct Plate {
    todo: VecDeque<(usize, Bite)>,
    /// From the next to finish on.
    done: VecDeque<Option<Bite>>,
    /// The next to finish.
    next: usize,
    closed: bool,
}

impl Crew {
    /// A worker's life.
    fn serve(&self) {
        let mut plate = self.plate.lock().expect("nobody panics");
        loop {
            if let Some((number, bite)) = plate.todo.pop_front() {
                drop(plate);
                let bite = bite.crypt();
                plate = self.plate.lock().expect("nobody panics");
                plate.put(number, bite);
                self.done.notify_one();
            } else if plate.closed {
                return;
            } else {
                plate = self.todo.wait(plate).expect("nobody panics");
            }
        }
    }

    fn dismiss(&self) {
        self.plate.lock().expect("nobody panics").closed = true;
        self.todo.notify_all();
    }

    /// Hands a begun bite over.
    fn give(&self, number: usize, bite: Bite) {
        let mut plate = self.plate.lock().expect("nobody panics");
        plate.todo.push_back((number, bite));
        drop(plate);
        self.todo.notify_one();
    }

    /// The next bite in order if it is done. While more than `waiting` wait for a worker, crypts one of them first; while
    /// one is to come and there is nothing to crypt, waits if `patient`.
    fn take(&self, waiting: usize, patient: bool) -> Option<Bite> {
        let mut plate = self.plate.lock().expect("nobody panics");
        if plate.todo.len() > waiting
            && let Some((number, bite)) = plate.todo.pop_front()
        {
            drop(plate);
            let bite = bite.crypt();
            plate = self.plate.lock().expect("nobody panics");
            plate.put(number, bite);
        }
        while patient && plate.todo.is_empty() && !matches!(plate.done.front(), Some(Some(_))) {
            plate = self.done.wait(plate).expect("nobody panics");
        }
        if let Some(Some(_)) = plate.done.front() {
            plate.next += 1;
            return plate.done.pop_front().flatten();
        }
        None
    }

    /// A whole train: `begin` makes a bite of memory, `finish` gives the memory back.
    fn haul(&self, bites: &mut [Bufs], mut begin: impl FnMut(Bufs) -> Bite, mut finish: impl FnMut(Bite) -> Bufs) {
        self.plate.lock().expect("nobody panics").next = 0;
        let total = bites.len();
        let (mut begun, mut finished) = (0, 0);
        while finished < total {
            if begun < total {
                self.give(begun, begin(std::mem::take(&mut bites[begun])));
                begun += 1;
            }
            let waiting = if begun < total { WAITING * self.workers } else { 0 };
            while let Some(bite) = self.take(waiting, begun == total && finished < total) {
                bites[finished] = finish(bite);
                finished += 1;
                if finished == total {
                    break;
                }
            }
        }
    }
}

impl Plate {
    fn put(&mut self, number: usize, bite: Bite) {
        let place = number - self.next;
        if self.done.len() <= place {
            self.done.resize_with(place + 1, || None);
        }
        self.done[place] = Some(bite);
    }
}

/// Seals a train; the datagrams begin where their buffers do.
fn seal(tunnel: &mut Tunnel, bites: &mut [Bufs], crew: &Crew) -> Duration {
    for buf in bites.iter_mut().flatten() {
        write_packet(buf, LEN, 0, 1);
    }
    let tunnel = std::cell::RefCell::new(tunnel);
    let begin = |mut bufs: Bufs| {
        let mut jobs = Vec::with_capacity(BITE);
        for buf in &mut bufs {
            match tunnel.borrow_mut().begin_seal(NOW, PacketBuf { buf, packet: HEADROOM..HEADROOM + LEN }) {
                Begin::Crypt(job) => jobs.push(job),
                Begin::Done(verdict) => panic!("{verdict:?}"),
            }
        }
        Bite::Seal(jobs, bufs)
    };
    let finish = |bite| {
        let Bite::Sealed(jobs, bufs) = bite else { panic!("something else was begun") };
        for job in jobs {
            let (verdict, ()) = tunnel.borrow_mut().finish_seal(NOW, job);
            assert!(matches!(verdict, Outbound::Datagram { datagram, .. } if datagram.start == 0), "{verdict:?}");
        }
        bufs
    };
    timed(|| crew.haul(bites, begin, finish)).0
}

/// Opens a train, which the tunnel accepts in the order it was sealed in.
fn open(tunnel: &mut Tunnel, bites: &mut [Bufs], crew: &Crew) -> Duration {
    let tunnel = std::cell::RefCell::new(tunnel);
    let begin = |mut bufs: Bufs| {
        let mut jobs = Vec::with_capacity(BITE);
        for buf in &mut bufs {
            let datagram = &mut buf[..HEADROOM + LEN + 16];
            match tunnel.borrow_mut().begin_open(NOW, path(0), Ecn::NotCapable, datagram) {
                Begin::Crypt(job) => jobs.push(job),
                Begin::Done(verdict) => panic!("{verdict:?}"),
            }
        }
        Bite::Open(jobs, bufs)
    };
    let finish = |bite| {
        let Bite::Opened(jobs, mut bufs) = bite else { panic!("something else was begun") };
        for (job, buf) in jobs.into_iter().zip(&mut bufs) {
            let (verdict, _) = tunnel.borrow_mut().finish_open(NOW, job.attach(&mut buf[..HEADROOM + LEN + 16]));
            assert!(matches!(verdict, Inbound::Packet { .. }), "{verdict:?}");
        }
        bufs
    };
    timed(|| crew.haul(bites, begin, finish)).0
}

/// Whether the counters of the train follow each other.
fn in_order(bites: &[Bufs]) {
    let bufs = bites.iter().flatten();
    let counters: Vec<u64> = bufs.filter_map(|buf| buf.get(8..16)?.try_into().ok()).map(u64::from_le_bytes).collect();
    assert!(counters.len() == TRAIN && counters.windows(2).all(|pair| pair[1] == pair[0] + 1));
}
