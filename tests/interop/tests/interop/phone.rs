//! A phone whose interface is carried by the pump, among real peers: the servers are ours and wireguard-go.
mod dead_spot;
mod nat64;

use anyhow::{Result, ensure};
use std::net::SocketAddr;
use underpass_interop::scenery::{Wire, inside_left, inside_right};
use underpass_interop::transfer::Transfer;
use underpass_interop::{Device, Implementation, PATIENCE, Phone, Stage, all_answered, answers, eventually};

/// So much passes before something changes, and comes through afterwards.
const PART: u64 = 10 << 20;

/// Where the server is reached, and where the phone is seen: before and after it has moved.
struct Outside {
    server: &'static str,
    old: &'static str,
    new: &'static str,
}

const V4: Outside = Outside { server: "192.0.2.2:51820", old: "192.0.2.1/24", new: "192.0.2.77/24" };
const V6: Outside = Outside { server: "[2001:db8::2]:51820", old: "2001:db8::1/64", new: "2001:db8::77/64" };

/// A phone that has reached a server. Inside it is 10.9.0.1 and fd09::1, the server 10.9.0.2 and fd09::2.
fn connected(stage: &Stage, who: Implementation, outside: &Outside) -> Result<(Wire, Phone, Device)> {
    let wire = Wire::new(stage)?;
    let server = Device::start(&wire.right, who)?;
    let mut phone = Phone::start(&wire.left, &["10.9.0.1/24", "fd09::1/64"])?;
    let peer = phone.as_peer("10.9.0.1/32, fd09::1/128");
    server.bring_up(&["10.9.0.2/24", "fd09::2/64"], "ListenPort = 51820", &peer)?;
    let known = server.as_peer("10.9.0.2/32, fd09::2/128");
    phone.carry(&format!("{known}Endpoint = {}\n", outside.server))?;
    answers(&wire.left, "10.9.0.2")?;
    Ok((wire, phone, server))
}

/// Pings in both families, a transfer each way, a change of network in the middle of each, and the interface handed back.
fn day(stage: &Stage, who: Implementation, outside: &Outside) -> Result<()> {
    let (wire, mut phone, server) = connected(stage, who, outside)?;
    for address in ["10.9.0.2", "fd09::2"] {
        for size in ["56", "1300"] {
            let report = wire.left.run("ping", &["-c", "5", "-i", "0.05", "-W", "10", "-s", size, address])?;
            all_answered(&report, 5)?;
        }
    }
    let asked: u32 = phone.ask("asked")?.parse()?;
    ensure!(asked == 2, "a socket of each family was protected, not {asked}");

    let upload = Transfer::start(&wire.left, &wire.right, inside_right(8000))?;
    upload.wait_for_more(PART)?;
    relocate(&mut phone, outside.old, outside.new)?;
    seen_at(&server, outside.new)?;
    upload.wait_for_more(PART)?;
    phone.order("replace")?;
    upload.wait_for_more(PART)?;
    upload.finish()?;

    let download = Transfer::start(&wire.right, &wire.left, inside_left(8001))?;
    download.wait_for_more(PART)?;
    relocate(&mut phone, outside.new, outside.old)?;
    // Who downloads has little to say: that the peer follows is due to the pump.
    seen_at(&server, outside.old)?;
    download.wait_for_more(PART)?;
    download.finish()?;
    ensure!(phone.ask("handshakes")? == "1", "moving costs no handshake");

    let statistics = phone.ask("statistics")?;
    println!("{who:?} {}: {statistics} (packets, bytes and batches out and in, drops, wake-ups)", outside.server);
    let numbers: Vec<u64> = statistics.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    ensure!(numbers[1] > 3 * PART && numbers[4] > 2 * PART, "{statistics}");
    ensure!(numbers[2] < numbers[0] && numbers[5] < numbers[3], "batches: {statistics}");

    phone.order("stop")?;
    wire.left.ip("link show dev tun0")?;
    let after_the_end = wire.left.try_run("ping", &["-c", "1", "-W", "1", "10.9.0.2"])?;
    ensure!(!after_the_end.status.success(), "nobody carries any more");
    Ok(())
}

/// The machine gets another address, and the application hears of it.
fn relocate(phone: &mut Phone, old: &str, new: &str) -> Result<()> {
    let flags = if new.contains(':') { "nodad" } else { "" };
    phone.machine.ip(&format!("addr del {old} dev eth0"))?;
    phone.machine.ip(&format!("addr add {new} dev eth0 {flags}"))?;
    phone.order("rebind")
}

fn seen_at(server: &Device, address: &str) -> Result<()> {
    let (address, _) = address.split_once('/').unwrap_or((address, ""));
    eventually(&format!("the phone is seen at {address}"), PATIENCE, || {
        let endpoint: Option<SocketAddr> = server.status()?.only_peer()?.endpoint;
        Ok(endpoint.is_some_and(|endpoint| endpoint.ip().to_string() == address))
    })
}

macro_rules! days {
    ($($name:ident: $server:ident, $outside:ident;)*) => {
        $(
            #[test]
            fn $name() {
                underpass_interop::play(|stage| day(stage, Implementation::$server, &$outside));
            }
        )*
    };
}

days! {
    a_day_with_underpass_over_ipv4: Underpass, V4;
    a_day_with_underpass_over_ipv6: Underpass, V6;
    a_day_with_wireguard_go_over_ipv4: GoNewest, V4;
    a_day_with_wireguard_go_over_ipv6: GoNewest, V6;
}

/// Idle means asleep, also when there is a session.
#[test]
fn an_idle_phone_sleeps() {
    underpass_interop::play(|stage| {
        let (wire, mut phone, _server) = connected(stage, Implementation::GoNewest, &V4)?;
        // The system has things to say about a new interface itself.
        wire.left.sysctl("net.ipv6.conf.tun0.disable_ipv6=1")?;
        let wakeups = |phone: &mut Phone| -> Result<u64> {
            let statistics = phone.ask("statistics")?;
            Ok(statistics.rsplit(' ').next().unwrap_or_default().parse()?)
        };
        // Ten seconds after the last packet a keepalive may be due; after that, nothing.
        std::thread::sleep(std::time::Duration::from_secs(13));
        let before = wakeups(&mut phone)?;
        std::thread::sleep(std::time::Duration::from_secs(10));
        let after = wakeups(&mut phone)?;
        ensure!(before == after, "{before} {after}");
        Ok(())
    });
}

/// The interface is deleted under it, and a protector that refuses keeps everything where it was.
#[test]
fn refusals_and_the_end_of_the_interface_are_told() {
    underpass_interop::play(|stage| {
        let (wire, mut phone, _server) = connected(stage, Implementation::Underpass, &V4)?;
        phone.order("refuse yes")?;
        ensure!(phone.ask("rebind")? == "refused -101", "not protected");
        answers(&wire.left, "10.9.0.2")?;
        phone.order("refuse no")?;
        phone.order("rebind")?;
        answers(&wire.left, "10.9.0.2")?;
        wire.left.ip("link del tun0")?;
        ensure!(phone.ask("ended")? == "-102", "the interface is gone");
        ensure!(phone.ask("rebind")? == "refused -107", "and the pump has ended");
        phone.order("stop")
    });
}
