//! Heap of what a phone runs for one peer: a tunnel with the slots of feed mode, and one with a pump.
use crate::figures::Table;
use crate::harness::Effort;
use crate::heap;
use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use underpass_budget::{key, room, tunnel, write_packet};
use underpass_core::limits::HEADROOM;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Inbound, Path};
use underpass_core::{Instant as Moment, Status};
use underpass_feed::facts::{LEN, LONGS, REMOTE_FAMILY, REMOTE_LOW, REMOTE_PORT, SEND, START, VERDICT};
use underpass_feed::feed::Feed;
use underpass_feed::memory::{Given, Memory};
use underpass_jni::pump::Pump;
use underpass_uniffi::{Configuration, Tunnel, TunnelOptions};

/// Bytes of a packet, slots of a batch and bytes of a slot.
const PACKET: usize = 1420;
const SLOTS: usize = 64;
const STRIDE: usize = 2048;
/// Packets that are sent before the server answers: more than may wait for a session.
const EARLY: usize = 300;

/// Bytes of heap.
pub fn engine(effort: Effort) -> Result<Table> {
    let mut table = Table::new(
        "Memory of an engine with one peer, bytes of heap",
        "Counted at the allocator: the tunnel of `underpass-uniffi` with its configuration, and what moves its packets. `feed \
         mode`: 64 slots of 2048 bytes, which on Android are a direct buffer. `pump`: all that its thread takes, on a TUN \
         without offloads; that thread's stack is not heap. At rest: there is a session, and nothing is under way. Full \
         upload: the most that was held at once while packets of 1420 bytes were given as fast as they were taken, the first \
         300 of them before the server answered, so that as many waited as may.",
        &["at rest", "full upload"],
    );
    let time = effort.pick(Duration::from_millis(300), Duration::from_secs(3));
    for (name, run) in [("feed mode", feed as fn(Duration) -> Result<[usize; 2]>), ("pump", pump)] {
        let [rest, upload] = heap::count(|| run(time)).with_context(|| format!("measuring {name}"))?;
        table.row(name, vec![Some((rest as f64).into()), Some((upload as f64).into())]);
    }
    Ok(table)
}

/// The server: a tunnel of the core behind a socket.
struct Server {
    tunnel: underpass_core::Tunnel,
    socket: UdpSocket,
    began: Instant,
    buf: Vec<u8>,
    arrived: u64,
}

impl Server {
    fn new() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        Ok(Self { tunnel: tunnel(1, 0..1), socket, began: Instant::now(), buf: vec![0; STRIDE], arrived: 0 })
    }

    /// A tunnel of a phone that knows it.
    fn phone(&self) -> Result<Arc<Tunnel>> {
        let text = format!(
            "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.0.0.1/32\nEndpoint = {}\n",
            key(0).to_base64().as_str(),
            key(1).public_key(),
            self.socket.local_addr()?
        );
        let configuration = Some(Configuration::parse(text)?);
        Ok(Tunnel::new(TunnelOptions { configuration, ..TunnelOptions::default() }, None)?)
    }

    /// Takes in what has come, and answers. Whether something came.
    fn serve(&mut self) -> Result<bool> {
        let mut came = false;
        while let Ok((len, from)) = self.socket.recv_from(&mut self.buf) {
            came = true;
            self.take(len, from)?;
        }
        Ok(came)
    }

    fn take(&mut self, len: usize, from: SocketAddr) -> Result<()> {
        let now = Moment::ZERO + self.began.elapsed();
        let datagram = self.buf.get_mut(..len).context("it fits")?;
        let outcome = self.tunnel.handle_datagram(now, Path::new(from), Ecn::NotCapable, datagram);
        self.arrived += u64::from(matches!(outcome, Inbound::Packet { .. }));
        let mut answer = [0; STRIDE];
        while let Some(transmit) = self.tunnel.poll_transmit(now, &mut answer)? {
            self.socket.send_to(&answer[..transmit.len], transmit.path.remote)?;
        }
        while self.tunnel.poll_event().is_some() {}
        Ok(())
    }
}

/// Waits until the server has heard nothing for a while.
fn settle(mut serve: impl FnMut() -> Result<bool>) -> Result<()> {
    let mut heard = Instant::now();
    while heard.elapsed() < Duration::from_millis(100) {
        if serve()? {
            heard = Instant::now();
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn status(status: Status) -> anyhow::Error {
    anyhow::anyhow!("{}", status.name())
}

/// A feed, and the socket that its application has.
struct Application {
    feed: Feed,
    facts: *mut i64,
    slab: *mut u8,
    socket: UdpSocket,
    server: SocketAddr,
}

impl Application {
    fn new(server: &Server) -> Result<Self> {
        let tunnel = server.phone()?;
        // What `PacketEngine` makes.
        let (mut slab, mut facts) = (vec![0_u8; SLOTS * STRIDE], vec![0_i64; SLOTS * LONGS]);
        let (slab_at, facts_at) = (slab.as_mut_ptr(), facts.as_mut_ptr());
        let given = |at, capacity| Given { at, capacity };
        let (one, two) = (given(slab_at, slab.len()), given(facts_at.cast(), size_of_val(facts.as_slice())));
        // SAFETY: both vectors keep their memory in place until the feed drops them; here the slab is touched between
        // calls only.
        let memory = unsafe { Memory::new(one, two, SLOTS, STRIDE, Box::new((slab, facts))) }.map_err(status)?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let server = server.socket.local_addr()?;
        Ok(Self { feed: Feed::new(tunnel, memory, SLOTS, STRIDE), facts: facts_at, slab: slab_at, socket, server })
    }

    fn fact(&self, slot: usize, which: usize) -> i64 {
        // SAFETY: it lies within the facts, which live as long as the feed; nobody else reads or writes them now.
        unsafe { self.facts.add(slot * LONGS + which).read() }
    }

    fn set(&mut self, slot: usize, which: usize, value: usize) {
        // SAFETY: as for `fact`.
        unsafe { self.facts.add(slot * LONGS + which).write(value as i64) }
    }

    fn slot(&mut self, slot: usize) -> &mut [u8] {
        // SAFETY: it lies within the slab, which lives as long as the feed; no call of the feed is under way.
        unsafe { std::slice::from_raw_parts_mut(self.slab.add(slot * STRIDE), STRIDE) }
    }
}

impl Application {
    /// Sends the datagrams of the first slots.
    fn transmit(&mut self, count: usize) {
        for number in 0..count {
            let (start, len) = (self.fact(number, START) as usize, self.fact(number, LEN) as usize);
            if self.fact(number, VERDICT) == SEND {
                let slot = self.slot(number).get(start..start + len).unwrap_or_default().to_vec();
                // What the socket does not take is lost.
                let _ = self.socket.send_to(&slot, self.server);
            }
        }
    }

    /// What an application does between batches.
    fn poll(&mut self) -> Result<()> {
        let SocketAddr::V4(server) = self.server else { unreachable!("it is on the loopback") };
        let mut datagram = [0; STRIDE];
        while let Ok(len) = self.socket.recv(&mut datagram) {
            self.slot(0)[..len].copy_from_slice(&datagram[..len]);
            self.set(0, START, 0);
            self.set(0, LEN, len);
            self.set(0, REMOTE_FAMILY, 4);
            self.set(0, REMOTE_LOW, server.ip().to_bits() as usize);
            self.set(0, REMOTE_PORT, server.port().into());
            self.feed.handle_datagrams(1).map_err(status)?;
        }
        loop {
            let count = self.feed.poll_transmits(SLOTS as i32).map_err(status)?;
            self.transmit(count);
            if count < SLOTS {
                return self.feed.handle_timeout().map_err(status);
            }
        }
    }

    /// One batch.
    fn upload(&mut self) -> Result<()> {
        for slot in 0..SLOTS {
            write_packet(self.slot(slot), PACKET, 0, 1);
            self.set(slot, START, HEADROOM);
            self.set(slot, LEN, PACKET);
        }
        self.feed.handle_packets(SLOTS as i32).map_err(status)?;
        self.transmit(SLOTS);
        self.poll()
    }
}

/// Feed mode.
fn feed(time: Duration) -> Result<[usize; 2]> {
    let mut server = Server::new()?;
    let before = heap::live();
    let mut phone = Application::new(&server)?;
    let mut outcome = Ok(());
    let peak = heap::peak(|| {
        outcome = (|| {
            for _ in 0..EARLY.div_ceil(SLOTS) {
                phone.upload()?;
            }
            let began = Instant::now();
            while began.elapsed() < time {
                server.serve()?;
                phone.upload()?;
            }
            settle(|| {
                phone.poll()?;
                server.serve()
            })
        })();
    });
    outcome?;
    ensure!(server.arrived > 1000, "only {} packets arrived", server.arrived);
    Ok([heap::live() - before, peak - before])
}

/// The pump.
fn pump(time: Duration) -> Result<[usize; 2]> {
    let mut server = Server::new()?;
    let (tun, world) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    let before = heap::live();
    let pump = Pump::start(server.phone()?, tun, Arc::new(|_| true), None);
    let pump = pump.map_err(|(error, _)| anyhow::anyhow!("{error}"))?;
    let mut packet = vec![0; room(PACKET)];
    write_packet(&mut packet, PACKET, 0, 1);
    let packet = packet.get(HEADROOM..HEADROOM + PACKET).context("it has room")?.to_vec();
    let mut outcome = Ok(());
    let peak = heap::peak(|| {
        outcome = (|| {
            for _ in 0..EARLY {
                send(world.as_raw_fd(), &packet, MsgFlags::empty())?;
            }
            let began = Instant::now();
            while began.elapsed() < time {
                // What the interface does not take waits outside.
                while send(world.as_raw_fd(), &packet, MsgFlags::MSG_DONTWAIT).is_ok() && began.elapsed() < time {
                    server.serve()?;
                }
                server.serve()?;
            }
            settle(|| server.serve())
        })();
    });
    outcome?;
    ensure!(server.arrived > 1000, "only {} packets arrived", server.arrived);
    let rest = heap::live() - before;
    drop(pump);
    Ok([rest, peak - before])
}
