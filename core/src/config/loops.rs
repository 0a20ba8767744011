//! Tunnels whose own datagrams would be routed into them.
use crate::config::lines::Position;
use crate::config::parser::Findings;
use crate::config::quick::Table;
use crate::config::reason::Reason;
use crate::config::settings::{self, Setting};
use crate::order::sort;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipnet::IpNet;

/// The number and the name of the table that `ip route` uses when none is named.
const MAIN: (u32, &str) = (254, "main");

/// Reports each of `endpoints` that lies in one of `networks`, where `table` has routes to them.
///
/// The route to everything (prefix length 0) of [`Table::Auto`] is none of these: marked datagrams go around it. They do
/// not go around more specific routes, which stay in the main table. Who looks into other tables is not told here.
pub(super) fn report<Networks: Iterator<Item = (IpNet, Position)>>(
    table: &Table,
    networks: impl Fn() -> Networks,
    endpoints: impl Iterator<Item = (IpAddr, Position)>,
    found: &mut Findings,
) {
    let shortest = match table {
        Table::Auto => 1,
        Table::Number(number) if *number == MAIN.0 => 0,
        Table::Name(name) if name == MAIN.1 => 0,
        Table::Off | Table::Number(_) | Table::Name(_) => return,
    };
    let mut lines: Vec<(IpNet, u32)> = found.collect(|| {
        let routed = networks().filter(|(network, _)| network.prefix_len() >= shortest);
        routed.map(|(network, at)| (network, at.line))
    });
    sort(&mut lines);
    let mut used = [false; 129];
    for (network, _) in &lines {
        if let Some(used) = used.get_mut(usize::from(network.prefix_len())) {
            *used = true;
        }
    }
    let lengths = || (0..=128_u8).rev().zip(used.iter().rev()).filter(|(_, used)| **used).map(|(length, _)| length);
    // The last line that has the network.
    let line_of = |network: IpNet| {
        let end = lines.partition_point(|line| *line <= (network, u32::MAX));
        let (last, line) = lines.get(end.checked_sub(1)?)?;
        (*last == network).then_some(*line)
    };
    found.key = Some(settings::name(Setting::Endpoint));
    for (address, at) in endpoints {
        let around = |length: u8| IpNet::new(address, length).ok().map(|network| network.trunc());
        if let Some(other_line) = lengths().filter_map(around).find_map(line_of) {
            found.report(at, Reason::EndpointInTunnel { other_line });
        }
    }
}
