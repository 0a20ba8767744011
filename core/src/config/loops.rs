//! Tunnels whose own datagrams would be routed into them.
use crate::config::lines::Position;
use crate::config::parser::Findings;
use crate::config::quick::Table;
use crate::config::reason::Reason;
use crate::config::settings::{self, Setting};
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use ipnet::IpNet;

/// The number and the name of the table that `ip route` uses when none is named.
const MAIN: (u32, &str) = (254, "main");

/// Reports each of `endpoints` that lies in one of `networks`, where `table` has routes to them.
///
/// The route to everything (prefix length 0) of [`Table::Auto`] is none of these: marked datagrams go around it. They do
/// not go around more specific routes, which stay in the main table. Who looks into other tables is not told here.
pub(super) fn report(
    table: &Table,
    networks: impl Iterator<Item = (IpNet, Position)>,
    endpoints: impl Iterator<Item = (IpAddr, Position)>,
    found: &mut Findings,
) {
    let shortest = match table {
        Table::Auto => 1,
        Table::Number(number) if *number == MAIN.0 => 0,
        Table::Name(name) if name == MAIN.1 => 0,
        Table::Off | Table::Number(_) | Table::Name(_) => return,
    };
    let lines: BTreeMap<IpNet, u32> = networks
        .filter(|(network, _)| network.prefix_len() >= shortest)
        .map(|(network, at)| (network, at.line))
        .collect();
    let lengths: BTreeSet<u8> = lines.keys().map(IpNet::prefix_len).collect();
    found.key = Some(settings::name(Setting::Endpoint));
    for (address, at) in endpoints {
        let around = |length: &u8| IpNet::new(address, *length).ok().map(|network| network.trunc());
        if let Some(line) = lengths.iter().rev().filter_map(around).find_map(|network| lines.get(&network)) {
            found.report(at, Reason::EndpointInTunnel { other_line: *line });
        }
    }
}
