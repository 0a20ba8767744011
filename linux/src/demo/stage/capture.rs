//! What crosses the wires of a machine, recorded by a packet socket.
use super::Machine;
use anyhow::Result;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Every protocol (`ETH_P_ALL` of if_ether.h), in network byte order.
const EVERY_PROTOCOL: i32 = 0x0003_u16.to_be() as i32;
/// Hardware type of Ethernet (`ARPHRD_ETHER` of if_arp.h): a wire, not a tunnel.
const ETHERNET: u16 = 1;
/// No frame for this long is a pause.
const PAUSE: Duration = Duration::from_millis(20);
/// How far the recorder may lag behind a wire that never pauses.
const LAG: Duration = Duration::from_secs(10);

/// An Ethernet frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When the kernel saw it, however late it is read.
    pub at: SystemTime,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A UDP payload on a wire.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// When the kernel saw it.
    pub at: SystemTime,
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Datagram {
    /// WireGuard's message type: the first byte.
    #[must_use]
    pub fn message_type(&self) -> u8 {
        self.payload.first().copied().unwrap_or(0)
    }
}

/// A recording, from its making to its drop.
#[derive(Debug)]
pub struct Capture {
    notes: Arc<Notes>,
    thread: Option<JoinHandle<()>>,
}

/// What the recorder and those who ask share.
#[derive(Debug, Default)]
struct Notes {
    frames: Mutex<Vec<Frame>>,
    /// How often the recorder found nothing more to read.
    pauses: AtomicU64,
    done: AtomicBool,
}

impl Capture {
    /// Records the first `length` bytes of every frame on every wire of `machine`, in both directions.
    ///
    /// # Errors
    /// When the kernel gives no packet socket.
    pub fn start(machine: &Machine, length: usize) -> Result<Self> {
        let protocol = Protocol::from(EVERY_PROTOCOL);
        let socket = machine.inside(|| Socket::new(Domain::PACKET, Type::RAW, Some(protocol)))?;
        socket.set_read_timeout(Some(PAUSE))?;
        socket.set_recv_buffer_size(16 << 20)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let notes = Arc::new(Notes::default());
        let shared = Arc::clone(&notes);
        let thread = std::thread::spawn(move || record(&socket, length, &shared));
        Ok(Self { notes, thread: Some(thread) })
    }

    /// The frames so far. The recorder reads all that was on the wire before this call, unless traffic never pauses.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        let (pauses, asked) = (self.notes.pauses.load(Ordering::Acquire), Instant::now());
        while self.notes.pauses.load(Ordering::Acquire) == pauses && asked.elapsed() < LAG {
            std::thread::sleep(PAUSE / 4);
        }
        self.notes.frames.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The UDP datagrams so far.
    #[must_use]
    pub fn datagrams(&self) -> Vec<Datagram> {
        self.frames().iter().filter_map(parse).collect()
    }

    /// The datagrams so far that `source` sent with WireGuard's `message_type`.
    #[must_use]
    pub fn messages(&self, source: IpAddr, message_type: u8) -> Vec<Datagram> {
        let mut datagrams = self.datagrams();
        datagrams.retain(|datagram| datagram.source.ip() == source && datagram.message_type() == message_type);
        datagrams
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.notes.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the recorder has been printed; there is nothing else to do with it here.
            let _ = thread.join();
        }
    }
}

fn record(socket: &Socket, length: usize, notes: &Notes) {
    let mut buffer = vec![0; 128 * 1024];
    while !notes.done.load(Ordering::Relaxed) {
        let Some((read, at)) = receive(socket, &mut buffer) else {
            notes.pauses.fetch_add(1, Ordering::Release);
            continue;
        };
        if let Some(at) = at {
            let frame = Frame { at, bytes: buffer[..read.min(length)].to_vec() };
            notes.frames.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
        }
    }
}

/// Reads a frame: its length, and when the kernel saw it if that was on a wire. `None` when there is none.
fn receive(socket: &Socket, buffer: &mut [u8]) -> Option<(usize, Option<SystemTime>)> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut buffers = [IoSliceMut::new(buffer)];
    let message = recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut buffers, Some(&mut control), MsgFlags::empty()).ok()?;
    let is_wire = message.address.is_some_and(|link| link.hatype() == ETHERNET);
    let stamp = message.cmsgs().ok()?.find_map(|said| match said {
        ControlMessageOwned::ScmTimestampns(at) => Some(SystemTime::UNIX_EPOCH + Duration::from(at)),
        _ => None,
    });
    Some((message.bytes, stamp.or_else(|| Some(SystemTime::now())).filter(|_| is_wire)))
}

/// Ethernet, then IPv4 or IPv6 without extension headers, then UDP; anything else is `None`.
fn parse(frame: &Frame) -> Option<Datagram> {
    let bytes = &frame.bytes;
    let ip = bytes.get(14..)?;
    let (source, destination, udp): (IpAddr, IpAddr, &[u8]) = match bytes.get(12..14)? {
        [0x08, 0x00] if *ip.get(9)? == 17 => {
            let header = usize::from(ip[0] & 15) * 4;
            let (from, to) = (address::<4>(ip, 12)?, address::<4>(ip, 16)?);
            (Ipv4Addr::from(from).into(), Ipv4Addr::from(to).into(), ip.get(header..)?)
        }
        [0x86, 0xdd] if *ip.get(6)? == 17 => {
            let (from, to) = (address::<16>(ip, 8)?, address::<16>(ip, 24)?);
            (Ipv6Addr::from(from).into(), Ipv6Addr::from(to).into(), ip.get(40..)?)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(address::<2>(udp, at)?));
    Some(Datagram {
        at: frame.at,
        source: SocketAddr::new(source, port(0)?),
        destination: SocketAddr::new(destination, port(2)?),
        payload: udp.get(8..usize::from(port(4)?).clamp(8, udp.len()))?.to_vec(),
    })
}

fn address<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}
