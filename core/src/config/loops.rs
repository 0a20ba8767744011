//! Tunnels whose own datagrams would be routed into them.
use crate::config::lines::Position;
use crate::config::parser::{Each, Findings};
use crate::config::quick::Table;
use crate::config::reason::Reason;
use crate::config::settings::{self, Setting};
use crate::order::sort;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipnet::IpNet;

/// The number and the name of the table that `ip route` uses when none is named.
const MAIN: (u32, &str) = (254, "main");

/// A network, a number, and where it stands: one kind of item for all lists of networks, so that the code for them is there once.
pub(super) type Listed = (IpNet, usize, Position);

/// The last item of `network` in a sorted list; of another one that is less, if there is none.
pub(super) fn last(sorted: &[Listed], network: IpNet) -> Option<&Listed> {
    sorted.get(sorted.partition_point(|(listed, ..)| *listed <= network).checked_sub(1)?)
}

/// Reports each of `endpoints` that lies in one of `networks`, where `table` has routes to them.
///
/// The route to everything (prefix length 0) of [`Table::Auto`] is none of these: marked datagrams go around it. They do
/// not go around more specific routes, which stay in the main table. Who looks into other tables is not told here.
pub(super) fn report(
    table: &Table,
    networks: &Each<'_, (IpNet, Position)>,
    endpoints: &mut dyn Iterator<Item = (IpAddr, Position)>,
    found: &mut Findings,
) {
    let shortest = match table {
        Table::Auto => 1,
        Table::Number(number) if *number == MAIN.0 => 0,
        Table::Name(name) if name == MAIN.1 => 0,
        Table::Off | Table::Number(_) | Table::Name(_) => return,
    };
    let mut lines: Vec<Listed> = found.collect(&|put| {
        networks(&mut |(network, at)| {
            if network.prefix_len() >= shortest {
                put((network, 0, at));
            }
        });
    });
    sort(&mut lines);
    let mut used = [false; 129];
    for (network, ..) in &lines {
        if let Some(used) = used.get_mut(usize::from(network.prefix_len())) {
            *used = true;
        }
    }
    found.key = Some(settings::name(Setting::Endpoint));
    for (address, at) in endpoints {
        // The longest prefix first.
        for (length, _) in (0..=128_u8).zip(&used).filter(|(_, used)| **used).rev() {
            let Ok(network) = IpNet::new(address, length).map(|network| network.trunc()) else { continue };
            if let Some((_, _, routed)) = last(&lines, network).filter(|(routed, ..)| *routed == network) {
                found.report(at, Reason::EndpointInTunnel { other_line: routed.line });
                break;
            }
        }
    }
}
