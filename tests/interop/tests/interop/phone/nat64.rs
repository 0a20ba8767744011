//! A carrier that has only IPv6, and a server that has only IPv4, given by its address. What finds the translated address is the
//! code of the service, as it is shipped.
use anyhow::{Context as _, Result, ensure};
use std::net::IpAddr;
use underpass_interop::scenery::{inside_left, inside_right};
use underpass_interop::transfer::Transfer;
use underpass_interop::{Device, Implementation, Nat64, Phone, Stage, all_answered, answers};

/// So much has come through, each way, when it is enough.
const ENOUGH: u64 = 5 << 20;

/// A network: the prefix, the well-known addresses below it, and the server's.
struct Network {
    prefix: &'static str,
    well_known: [&'static str; 2],
    server: &'static str,
}

/// Behind a prefix of 96 bits.
const LONG: Network = Network {
    prefix: "2001:db8:64::/96",
    well_known: ["2001:db8:64::c000:aa", "2001:db8:64::c000:ab"],
    server: "2001:db8:64::c633:6402",
};
/// Behind a prefix of 64 bits, where eight bits that stay zero come first.
const SHORT: Network = Network {
    prefix: "2001:db8:122:344::/64",
    well_known: ["2001:db8:122:344:c0:0:aa00:0", "2001:db8:122:344:c0:0:ab00:0"],
    server: "2001:db8:122:344:c6:3364:200:0",
};

/// Nothing gets through until the network is followed; then pings and a transfer each way do.
fn story(stage: &Stage, who: Implementation, network: &Network, is_told: bool) -> Result<()> {
    let [first, second] = network.well_known;
    let scene = Nat64::new(stage, network.prefix, [first.parse()?, second.parse()?])?;
    let server = Device::start(&scene.server, who)?;
    let mut phone = Phone::start(&scene.phone, &["10.9.0.1/24", "fd09::1/64"])?;
    let peer = phone.as_peer("10.9.0.1/32, fd09::1/128");
    server.bring_up(&["10.9.0.2/24", "fd09::2/64"], "ListenPort = 51820", &peer)?;
    let known = server.as_peer("10.9.0.2/32, fd09::2/128");
    phone.carry(&format!("{known}Endpoint = 198.51.100.2:51820\n"))?;
    let too_early = scene.phone.try_run("ping", &["-c", "1", "-W", "1", "10.9.0.2"])?;
    ensure!(!too_early.status.success(), "there is no way to IPv4 here");

    let found = phone.ask(&format!("follow {}", if is_told { network.prefix } else { "-" }))?;
    let found: IpAddr = found.parse().with_context(|| format!("followed: {found}"))?;
    ensure!(found == network.server.parse::<IpAddr>()?, "found {found}");
    ensure!((scene.asked() > 0) != is_told, "asked the name server {} times", scene.asked());

    answers(&scene.phone, "10.9.0.2")?;
    for address in ["10.9.0.2", "fd09::2"] {
        for size in ["56", "1300"] {
            let report = scene.phone.run("ping", &["-c", "5", "-i", "0.05", "-W", "10", "-s", size, address])?;
            all_answered(&report, 5)?;
        }
    }
    let report = scene.server.run("ping", &["-c", "5", "-i", "0.05", "-W", "10", "10.9.0.1"])?;
    all_answered(&report, 5)?;
    let upload = Transfer::start(&scene.phone, &scene.server, inside_right(8000))?;
    upload.wait_for_more(ENOUGH)?;
    upload.finish()?;
    let download = Transfer::start(&scene.server, &scene.phone, inside_left(8001))?;
    download.wait_for_more(ENOUGH)?;
    download.finish()?;

    let seen = server.status()?.only_peer()?.endpoint.context("the server has seen nobody")?;
    ensure!(seen.ip() == "198.51.100.1".parse::<IpAddr>()?, "the server sees {seen}");
    phone.order("stop")
}

/// Since API 30 the system says what the prefix is.
#[test]
fn an_ipv6_only_network_whose_prefix_the_system_tells() {
    underpass_interop::play(|stage| story(stage, Implementation::Underpass, &LONG, true));
}

/// Before, the network's name server does (RFC 7050).
#[test]
fn an_ipv6_only_network_whose_prefix_the_name_server_tells() {
    underpass_interop::play(|stage| story(stage, Implementation::GoNewest, &SHORT, false));
}
