//! The stage: a phone, a gateway with an office behind it, and the internet between them.
use super::stack::Stack;
use super::web::Server;
use crate::clock::Time;
use crate::inner;
use crate::network::{Link, Profile};
use crate::world::PORT;
use crate::{HostId, Spec, World};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use underpass_core::PeerChange;
use underpass_core::config::AllowedIp;
use underpass_core::limits::DEFAULT_MTU;

/// The office server's address, behind the gateway.
pub(super) const OFFICE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 10);
/// The café's NAT.
pub(super) const CAFE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// The mobile operator's NAT.
pub(super) const MOBILE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 44);
/// Where the phone is plugged in behind either.
const INSIDE: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 1, 2), Ipv4Addr::new(100, 70, 3, 8)];
/// How long either NAT remembers a flow.
const NAT_TIMEOUT: Duration = Duration::from_secs(60);

/// A world with TCP/IP stacks at the ends of its tunnels.
pub(super) struct Scene {
    /// The world.
    pub(super) world: World,
    /// The phone.
    pub(super) phone: HostId,
    /// The gateway.
    pub(super) gateway: HostId,
    /// The phone's TCP/IP.
    pub(super) stack: Stack,
    gateway_stack: Stack,
    office_stack: Stack,
    server: Server,
}

impl Scene {
    /// The phone in the café; the gateway does not know where it is.
    pub(super) fn new(seed: u64, pages: BTreeMap<&'static str, Vec<u8>>) -> Self {
        let mut world = World::new(seed);
        let phone = world.add(Spec::new("phone"));
        let gateway = world.add(Spec::new("gateway"));
        let mut about_gateway = world.describe(gateway);
        about_gateway.allowed_ips.push(AllowedIp::from(ipnet::IpNet::from(IpAddr::V4(OFFICE))));
        world.configure(phone, about_gateway);
        let about_phone = PeerChange { endpoint: None, ..world.describe(phone) };
        world.configure(gateway, about_phone);
        world.network.attacker.record();

        let address = |host| world.host(host).inner4;
        let stack = Stack::new(address(phone), DEFAULT_MTU, seed);
        let gateway_stack = Stack::new(address(gateway), DEFAULT_MTU, seed + 1);
        let mut office_stack = Stack::new(OFFICE, DEFAULT_MTU, seed + 2);
        let server = Server::new(&mut office_stack, pages);
        let mut scene = Self { world, phone, gateway, stack, gateway_stack, office_stack, server };
        scene.plug_in(INSIDE[0], CAFE, Profile { delay: Duration::from_millis(15), ..wire(2_500_000) });
        scene
    }

    /// The phone leaves the café: from here on it is on the mobile network, and says so to its tunnel.
    pub(super) fn leave_the_cafe(&mut self) {
        self.plug_in(INSIDE[1], MOBILE, Profile { delay: Duration::from_millis(40), ..wire(1_000_000) });
        self.world.network_change(self.phone);
    }

    fn plug_in(&mut self, inside: Ipv4Addr, outside: Ipv4Addr, profile: Profile) {
        let station = self.phone.station();
        let nat = self.world.network.add_nat(IpAddr::V4(outside), NAT_TIMEOUT);
        self.world.network.relocate(station, SocketAddr::new(IpAddr::V4(inside), PORT), Some(nat));
        *self.world.network.uplink(station) = Link::new(profile.clone());
        *self.world.network.downlink(station) = Link::new(profile);
    }

    /// Lets time pass until `done`.
    pub(super) fn until(
        &mut self,
        what: &str,
        at_most: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), String> {
        let end = self.world.time() + at_most;
        loop {
            self.settle();
            if done(self) {
                return Ok(());
            }
            self.settle();
            let now = self.world.time();
            let stacks = [self.stack.next(now), self.gateway_stack.next(now), self.office_stack.next(now)];
            let next = stacks.into_iter().chain([self.world.next_time()]).flatten().min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.world.run_until(next.max(now + Duration::from_micros(1))),
                None => return Err(format!("{what} did not happen within {at_most:?}")),
            }
        }
    }

    /// Carries packets between tunnels and stacks until none moves at this moment.
    fn settle(&mut self) {
        while self.carry() {}
    }

    fn carry(&mut self) -> bool {
        let now = self.world.time();
        let mut moved = false;
        for packet in self.delivered(self.phone) {
            self.stack.take(packet);
            moved = true;
        }
        for packet in self.delivered(self.gateway) {
            let to_office = inner::addresses(&packet).is_some_and(|(_, to, _)| to == IpAddr::V4(OFFICE));
            if to_office { &mut self.office_stack } else { &mut self.gateway_stack }.take(packet);
            moved = true;
        }
        self.server.serve(&mut self.office_stack);
        moved |= self.write_what_leaves(self.phone, now, |scene| &mut scene.stack);
        moved |= self.write_what_leaves(self.gateway, now, |scene| &mut scene.gateway_stack);
        moved |= self.write_what_leaves(self.gateway, now, |scene| &mut scene.office_stack);
        moved
    }

    fn delivered(&mut self, host: HostId) -> Vec<Vec<u8>> {
        let host = self.world.host_mut(host);
        host.interface.drain(..).chain(host.bounces.drain(..)).collect()
    }

    fn write_what_leaves(&mut self, host: HostId, now: Time, stack: fn(&mut Self) -> &mut Stack) -> bool {
        let packets = stack(self).poll(now);
        let any = !packets.is_empty();
        for packet in packets {
            self.world.write(host, packet);
        }
        any
    }
}

/// A wire of so many bytes a second that buffers up to a second's worth, as access networks do.
fn wire(rate: u64) -> Profile {
    Profile { rate, queue: Duration::from_secs(1), ..Profile::default() }
}
