//! A TCP/IP stack (smoltcp) whose network device is a pair of queues.
use crate::clock::Time;
use core::net::Ipv4Addr;
use core::time::Duration;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{icmp, tcp};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, Icmpv4Packet, Icmpv4Repr, IpAddress, IpCidr};
use std::collections::VecDeque;

/// Packets that came in and packets that wait to go out.
#[derive(Debug)]
struct Queues {
    incoming: VecDeque<Vec<u8>>,
    outgoing: Vec<Vec<u8>>,
    mtu: usize,
}

/// A packet for the stack.
pub(super) struct Incoming(Vec<u8>);
/// Room for a packet from the stack.
pub(super) struct Outgoing<'q>(&'q mut Vec<Vec<u8>>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut packet = vec![0; len];
        let result = write(&mut packet);
        self.0.push(packet);
        result
    }
}

impl Device for Queues {
    type RxToken<'q> = Incoming;
    type TxToken<'q> = Outgoing<'q>;

    fn receive(&mut self, _: Instant) -> Option<(Incoming, Outgoing<'_>)> {
        self.incoming.pop_front().map(|packet| (Incoming(packet), Outgoing(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

/// Bytes a TCP socket may have under way in one direction.
const TCP_BUFFER: usize = 512 * 1024;
/// The identifier of our echo requests.
const IDENT: u16 = 0x22b;
/// What echo requests carry.
const ECHO: &[u8] = b"is anybody there?";

/// One machine's TCP/IP.
pub(super) struct Stack {
    queues: Queues,
    interface: Interface,
    sockets: SocketSet<'static>,
    echo: SocketHandle,
}

impl Stack {
    /// A stack with one address, everything else reached through its only device.
    pub(super) fn new(address: Ipv4Addr, mtu: u16, seed: u64) -> Self {
        let mut queues = Queues { incoming: VecDeque::new(), outgoing: Vec::new(), mtu: mtu.into() };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut queues, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(IpAddress::Ipv4(address), 32)).expect("room for one address");
        });
        interface.routes_mut().add_default_ipv4_route(address).expect("room for one route");
        let mut sockets = SocketSet::new(Vec::new());
        let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 8], vec![0; 2048]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        socket.bind(icmp::Endpoint::Ident(IDENT)).expect("a fresh socket can be bound");
        let echo = sockets.add(socket);
        Self { queues, interface, sockets, echo }
    }

    /// A packet comes in.
    pub(super) fn take(&mut self, packet: Vec<u8>) {
        self.queues.incoming.push_back(packet);
    }

    /// Lets the stack work at `now`; answers with what goes out.
    pub(super) fn poll(&mut self, now: Time) -> Vec<Vec<u8>> {
        self.interface.poll(instant(now), &mut self.queues, &mut self.sockets);
        core::mem::take(&mut self.queues.outgoing)
    }

    /// When the stack wants to work again.
    pub(super) fn next(&mut self, now: Time) -> Option<Time> {
        let at = self.interface.poll_at(instant(now), &self.sockets)?;
        let micros = u64::try_from(at.total_micros()).unwrap_or(0);
        Some(Duration::from_micros(micros).max(now))
    }

    /// A new TCP socket.
    pub(super) fn add_tcp(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; TCP_BUFFER]);
        self.sockets.add(tcp::Socket::new(buffer(), buffer()))
    }

    /// A TCP socket.
    pub(super) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Opens a connection.
    pub(super) fn connect(&mut self, to: (Ipv4Addr, u16), local_port: u16) -> Result<SocketHandle, String> {
        let handle = self.add_tcp();
        let context = self.interface.context();
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        socket.connect(context, (IpAddress::Ipv4(to.0), to.1), local_port).map_err(|error| error.to_string())?;
        Ok(handle)
    }

    /// Sends an echo request.
    pub(super) fn ping(&mut self, to: Ipv4Addr, number: u16) -> Result<(), String> {
        let request = Icmpv4Repr::EchoRequest { ident: IDENT, seq_no: number, data: ECHO };
        let checksums = self.queues.capabilities().checksum;
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(self.echo);
        let room = socket.send(request.buffer_len(), IpAddress::Ipv4(to)).map_err(|error| error.to_string())?;
        request.emit(&mut Icmpv4Packet::new_unchecked(room), &checksums);
        Ok(())
    }

    /// The number of the next echo reply that came, with its sender.
    pub(super) fn pong(&mut self) -> Option<(IpAddress, u16)> {
        let checksums = self.queues.capabilities().checksum;
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(self.echo);
        let (bytes, from) = socket.recv().ok()?;
        let packet = Icmpv4Packet::new_checked(bytes).ok()?;
        match Icmpv4Repr::parse(&packet, &checksums).ok()? {
            Icmpv4Repr::EchoReply { seq_no, data, .. } if data == ECHO => Some((from, seq_no)),
            _ => None,
        }
    }
}

fn instant(time: Time) -> Instant {
    Instant::from_micros(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}
