//! What a flood of initiations costs: bytes a second and round trips of an established session without it and with it, and how
//! long a newcomer takes to get in. Prints figures and judges nothing. Run it as root, after `make build`:
//! `cargo run --release -p underpass-interop --example flood [initiations a second [sources that they seem to come from]]`.
use anyhow::{Context as _, Result};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use underpass_interop::flood::Flood;
use underpass_interop::scenery::{Pair, Wire, inside_right};
use underpass_interop::transfer::Transfer;
use underpass_interop::{Device, Implementation, KeyPair, Stage, answers};

/// How long bytes are counted.
const WHILE: Duration = Duration::from_secs(4);

fn main() -> Result<()> {
    let number = |at: usize, otherwise| std::env::args().nth(at).map_or(Ok(otherwise), |word| word.parse());
    let rate = number(1, 95_000).context("initiations a second")?;
    let sources = number(2, 500).context("sources")?;
    for implementation in [Implementation::Underpass, Implementation::GoNewest] {
        measure(implementation, rate, sources)?;
    }
    Ok(())
}

fn measure(implementation: Implementation, rate: u32, sources: u32) -> Result<()> {
    let stage = Stage::new()?;
    let pair = Pair::strangers(Wire::new(&stage)?, Implementation::Underpass, implementation)?;
    let newcomer = stage.machine("newcomer")?;
    pair.wire.right.wire("eth2", &newcomer, "eth0")?;
    pair.wire.right.ip("addr add 192.0.3.2/24 dev eth2")?;
    newcomer.ip("addr add 192.0.3.1/24 dev eth0")?;
    let late = Device::start(&newcomer, Implementation::Underpass)?;
    let known = late.as_peer("10.9.0.3/32");
    pair.right.bring_up(
        &["10.9.0.2/24"],
        "ListenPort = 51820",
        &format!("{}{known}", pair.left.as_peer("10.9.0.1/32")),
    )?;
    let peer = |endpoint: &str| format!("{}Endpoint = {endpoint}:51820\n", pair.right.as_peer("10.9.0.2/32"));
    pair.left.bring_up(&["10.9.0.1/24"], "", &peer("192.0.2.2"))?;
    answers(&pair.wire.left, "10.9.0.2")?;
    println!("{implementation:?}: without a flood: {}", session(&pair)?);

    let crowd = stage.machine("crowd")?;
    pair.wire.right.wire("eth1", &crowd, "eth0")?;
    pair.wire.right.ip("addr add 203.0.113.1/24 dev eth1")?;
    crowd.ip("addr add 203.0.113.2/24 dev eth0")?;
    crowd.ip("route add local 198.18.0.0/15 dev lo")?;
    pair.wire.right.ip("route add 198.18.0.0/15 via 203.0.113.2")?;
    let sources: Vec<IpAddr> =
        (0..sources).map(|number| Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + number).into()).collect();
    let flood = Flood::start(&crowd, &sources, "203.0.113.1:51820".parse()?, &pair.right.keys.public, rate)?;
    std::thread::sleep(Duration::from_secs(1));
    let (replies, begun) = (flood.cookie_replies(), Instant::now());
    println!("{implementation:?}: with {rate}/s of {}: {}", sources.len(), session(&pair)?);
    let replies = (flood.cookie_replies() - replies) as f64 / begun.elapsed().as_secs_f64();
    println!("{implementation:?}: cookie replies:  {replies:.0}/s");
    late.bring_up(&["10.9.0.3/24"], "", "")?;
    let mut times = Vec::new();
    for _ in 0..7 {
        late.set_configuration("", "")?;
        let keys = KeyPair::generate(&newcomer)?;
        drop(keys);
        let begun = Instant::now();
        late.set_configuration("", &format!("{}PersistentKeepalive = 25\n", peer("192.0.3.2")))?;
        while late.status()?.only_peer()?.latest_handshake == 0 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        times.push(begun.elapsed().as_millis());
    }
    times.sort_unstable();
    println!("{implementation:?}: a newcomer gets in after {times:?} ms\n");
    Ok(())
}

/// Bytes a second and round trips of the session that is established.
fn session(pair: &Pair) -> Result<String> {
    let transfer = Transfer::start(&pair.wire.left, &pair.wire.right, inside_right(5000))?;
    std::thread::sleep(Duration::from_secs(1));
    let (before, begun) = (transfer.arrived(), Instant::now());
    std::thread::sleep(WHILE);
    let rate = (transfer.arrived() - before) as f64 / begun.elapsed().as_secs_f64() / 1e6;
    transfer.finish()?;
    let report = pair.wire.left.try_run("ping", &["-q", "-c", "50", "-i", "0.02", "-W", "5", "10.9.0.2"])?.stdout;
    let times = report.lines().filter(|line| line.contains("rtt") || line.contains("loss")).collect::<Vec<_>>();
    Ok(format!("{rate:.1} MB/s, {}", times.join(", ")))
}
