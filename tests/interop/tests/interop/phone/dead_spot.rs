//! The network changes where nothing gets through: what the application says of it is said into the void, and it says nothing
//! afterwards.
use super::{PART, V4, connected, seen_at};
use anyhow::{Context as _, Result};
use std::time::Instant;
use underpass_interop::scenery::{Wire, inside_left, inside_right};
use underpass_interop::transfer::Transfer;
use underpass_interop::{Device, Implementation, Machine, PATIENCE, Phone, Stage, eventually};

/// What a dead spot is like.
#[derive(Clone, Copy, Debug)]
enum Spot {
    /// There is no link: every datagram is refused at once.
    NoLink,
    /// Everything is sent, and nothing arrives.
    Void,
}

impl Spot {
    fn enter(self, wire: &Wire) -> Result<()> {
        match self {
            Self::NoLink => wire.left.ip("link set eth0 down"),
            // What is counted here comes from the new address alone.
            Self::Void => wire.right.nft(&format!(
                "table ip void {{
                    counter swallowed {{}}
                    chain input {{
                        type filter hook input priority filter; policy accept;
                        iifname eth0 ip saddr {} counter name swallowed
                        iifname eth0 drop
                    }}
                    chain output {{
                        type filter hook output priority filter; policy accept;
                        oifname eth0 drop
                    }}
                }}",
                address_of(V4.new)
            )),
        }
    }

    /// Waits until something was said in vain.
    fn swallow(self, wire: &Wire, phone: &mut Phone, drops: u64) -> Result<()> {
        eventually("something was said in vain", PATIENCE, || match self {
            Self::NoLink => Ok(lost_by(phone)? > drops),
            Self::Void => Ok(swallowed_by(&wire.right)? > 0),
        })
    }

    fn leave(self, wire: &Wire) -> Result<()> {
        match self {
            Self::NoLink => wire.left.ip("link set eth0 up"),
            Self::Void => wire.right.nft("delete table ip void"),
        }
    }
}

fn address_of(network: &str) -> &str {
    network.split('/').next().unwrap_or(network)
}

/// Runs of datagrams that the phone could not send.
fn lost_by(phone: &mut Phone) -> Result<u64> {
    let statistics = phone.ask("statistics")?;
    Ok(statistics.split(' ').nth(6).context("no count of drops")?.parse()?)
}

fn swallowed_by(machine: &Machine) -> Result<u64> {
    let counter = machine.run("nft", &["list", "counter", "ip", "void", "swallowed"])?;
    let packets = counter.split_whitespace().skip_while(|&word| word != "packets").nth(1);
    Ok(packets.context("no count of packets")?.parse()?)
}

/// Into the dead spot, another address, the application's word, and out again: then the transfer goes on.
fn dead_spot(spot: Spot, wire: &Wire, phone: &mut Phone, server: &Device, transfer: Transfer) -> Result<()> {
    transfer.wait_for_more(PART)?;
    let before = phone.ask("handshakes")?;
    let drops = lost_by(phone)?;
    spot.enter(wire)?;
    wire.left.ip(&format!("addr del {} dev eth0", V4.old))?;
    wire.left.ip(&format!("addr add {} dev eth0", V4.new))?;
    phone.order("rebind")?;
    spot.swallow(wire, phone, drops)?;
    let arrived = transfer.arrived();
    spot.leave(wire)?;
    let left = Instant::now();
    transfer.wait_for_more(PART)?;
    let after = phone.ask("handshakes")?;
    println!(
        "{spot:?}: {arrived} bytes before, {PART} more {:?} after; handshakes: {before}, then {after}",
        left.elapsed()
    );
    seen_at(server, V4.new)?;
    transfer.finish()
}

/// Who sends is heard by what it sends.
fn upload(stage: &Stage, who: Implementation, spot: Spot) -> Result<()> {
    let (wire, mut phone, server) = connected(stage, who, &V4)?;
    let upload = Transfer::start(&wire.left, &wire.right, inside_right(8000))?;
    dead_spot(spot, &wire, &mut phone, &server, upload)?;
    phone.order("stop")
}

/// Who only receives notices that its last words were not answered.
fn download(stage: &Stage, who: Implementation, spot: Spot) -> Result<()> {
    let (wire, mut phone, server) = connected(stage, who, &V4)?;
    let download = Transfer::start(&wire.right, &wire.left, inside_left(8001))?;
    dead_spot(spot, &wire, &mut phone, &server, download)?;
    phone.order("stop")
}

macro_rules! spots {
    ($($name:ident: $story:ident, $server:ident, $spot:ident;)*) => {
        $(
            #[test]
            fn $name() {
                underpass_interop::play(|stage| $story(stage, Implementation::$server, Spot::$spot));
            }
        )*
    };
}

spots! {
    an_upload_without_a_link: upload, GoNewest, NoLink;
    an_upload_into_the_void: upload, Underpass, Void;
    a_download_without_a_link: download, Underpass, NoLink;
    a_download_into_the_void: download, GoNewest, Void;
}
