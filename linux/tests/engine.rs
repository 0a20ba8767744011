//! Two engines on machines of their own, joined by a wire, and what is said through them.
//!
//! Root is needed: machines are network namespaces. Without it every test here fails.
mod scene;

use anyhow::{Context, Result, bail};
use scene::{PATIENCE, Pair, pair, pair_with, stage, transfer};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::mpsc::channel;
use std::time::Duration;
use underpass_carry::Fault;
use underpass_core::tunnel::Event;
use underpass_core::{Change, ControlRole, DropReason, PeerChange};
use underpass_linux::demo::stage::eventually;
use underpass_linux::{Ended, Engine, EngineConfig, HostError, HostEvent, Messages, Workers};

#[test]
fn pings_and_streams_pass_in_both_directions() -> Result<()> {
    for offload in [true, false] {
        let pair = pair(offload)?;
        for address in ["10.7.0.2", "fd07::2"] {
            pair.left.run("ping", &["-c", "3", "-i", "0.05", "-W", "30", address])?;
            let bytes = if offload { 40_000_000 } else { 4_000_000 };
            transfer(&pair.left, &pair.right, address.parse()?, bytes)?;
        }
        transfer(&pair.right, &pair.left, "10.7.0.1".parse()?, 4_000_000)?;
        let (sent, received) = pair.engines.0.with_tunnel(|t, _| (t.stats().tx_bytes, t.stats().rx_bytes));
        assert!(sent > 8_000_000 && received > 4_000_000, "sent {sent}, received {received}");
    }
    Ok(())
}

#[test]
fn crypt_workers_change_nothing_but_speed() -> Result<()> {
    let crypt_workers = Workers::Count(NonZeroUsize::new(3).context("3")?);
    let pair = pair_with(&EngineConfig { crypt_workers, ..EngineConfig::new("tun0") })?;
    pair.left.run("ping", &["-c", "3", "-i", "0.05", "-W", "30", "10.7.0.2"])?;
    std::thread::scope(|scope| {
        let right = scope.spawn(|| transfer(&pair.left, &pair.right, "10.7.0.2".parse()?, 40_000_000));
        let left = scope.spawn(|| transfer(&pair.right, &pair.left, "fd07::1".parse()?, 40_000_000));
        right.join().expect("no panic").and(left.join().expect("no panic"))
    })?;
    let drops = pair.engines.1.with_tunnel(|tunnel, _| tunnel.stats().drops.clone());
    assert_eq!(drops.of(DropReason::BadTag) + drops.of(DropReason::Replay), 0, "{drops:?}");
    Ok(())
}

#[test]
fn packets_of_every_size_arrive_as_they_were() -> Result<()> {
    let pair = pair(true)?;
    for (address, headers) in [("10.7.0", 28), ("fd07:", 48)] {
        let at = |last: &str| -> Result<SocketAddr> {
            let separator = if address.contains(':') { ":" } else { "." };
            Ok(SocketAddr::new(format!("{address}{separator}{last}").parse()?, 0))
        };
        let (from, to) = (at("1")?, at("2")?);
        let sender = pair.left.inside(|| UdpSocket::bind(from))?;
        let receiver = pair.right.inside(|| UdpSocket::bind(to))?;
        receiver.set_read_timeout(Some(PATIENCE))?;
        sender.connect(receiver.local_addr()?)?;
        // Up to the MTU, and beyond it: in fragments.
        for len in (0..200).chain(1420 - headers - 40..1420 - headers + 40).chain([4000, 60000]) {
            let message: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
            sender.send(&message)?;
            let mut buf = vec![0; 65536];
            let received = receiver.recv(&mut buf).with_context(|| format!("{len} bytes"))?;
            assert!(buf[..received] == message, "{len} bytes over {address}");
        }
    }
    Ok(())
}

#[test]
fn streams_of_datagrams_keep_count_and_content() -> Result<()> {
    let pair = pair(true)?;
    let sender = pair.left.inside(|| UdpSocket::bind("10.7.0.1:0"))?;
    let receiver = pair.right.inside(|| UdpSocket::bind("10.7.0.2:0"))?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    sender.connect(receiver.local_addr()?)?;
    // Bundles made by the sender: the kernel hands them over whole.
    nix::sys::socket::setsockopt(&sender, nix::sys::socket::sockopt::UdpGsoSegment, &1200)?;
    let mut number = 0u32;
    for _ in 0..20 {
        let mut bundle = Vec::new();
        for len in [1200; 30].into_iter().chain([500]) {
            let mut datagram = vec![(number % 251) as u8; len];
            datagram[..4].copy_from_slice(&number.to_be_bytes());
            bundle.extend(datagram);
            number += 1;
        }
        sender.send(&bundle)?;
        for expected in number - 31..number {
            let mut buf = [0; 2000];
            let len = receiver.recv(&mut buf).with_context(|| format!("datagram {expected}"))?;
            assert_eq!(u32::from_be_bytes(buf[..4].try_into()?), expected, "in order");
            assert_eq!(len, if expected % 31 == 30 { 500 } else { 1200 });
            assert!(buf[4..len].iter().all(|byte| *byte == (expected % 251) as u8));
        }
    }
    Ok(())
}

#[test]
fn many_streams_at_once_stay_apart() -> Result<()> {
    let pair = pair(true)?;
    // The right learns where the left is.
    pair.left.run("ping", &["-c", "1", "-W", "30", "10.7.0.2"])?;
    std::thread::scope(|scope| {
        let transfers: Vec<_> = (0..8)
            .map(|i| {
                let (from, to, at) = if i % 2 == 0 {
                    (&pair.left, &pair.right, "10.7.0.2")
                } else {
                    (&pair.right, &pair.left, "fd07::1")
                };
                scope.spawn(move || transfer(from, to, at.parse::<IpAddr>()?, 3_000_000))
            })
            .collect();
        transfers.into_iter().try_for_each(|transfer| transfer.join().expect("no panic"))
    })
}

#[test]
fn an_unreachable_destination_is_refused_at_once() -> Result<()> {
    let pair = pair(true)?;
    pair.left.ip("route add 10.99.0.0/16 dev tun0")?;
    let stream = pair.left.inside(|| TcpStream::connect_timeout(&SocketAddr::from(([10, 99, 0, 1], 80)), PATIENCE));
    let error = stream.expect_err("nobody owns it");
    assert_eq!(error.raw_os_error(), Some(nix::libc::EHOSTUNREACH), "{error}");
    Ok(())
}

#[test]
fn the_tunnel_follows_the_interface() -> Result<()> {
    let pair = pair(true)?;
    let events = pair.engines.0.events();
    pair.left.ip("link set tun0 mtu 1280")?;
    eventually(
        "the tunnel has the MTU",
        PATIENCE,
        || Ok(pair.engines.0.with_tunnel(|tunnel, _| tunnel.mtu()) == 1280),
    )?;
    transfer(&pair.left, &pair.right, "10.7.0.2".parse()?, 2_000_000)?;
    transfer(&pair.right, &pair.left, "fd07::1".parse()?, 2_000_000)?;
    let mut seen = Vec::new();
    // An engine that looks when both is over has seen nothing happen: each change waits for the one before.
    for (change, told) in [
        ("mtu 1300", HostEvent::MtuChanged(1300)),
        ("down", HostEvent::LinkChanged(false)),
        ("up", HostEvent::LinkChanged(true)),
    ] {
        pair.left.ip(&format!("link set tun0 {change}"))?;
        eventually("the change is told", PATIENCE, || {
            seen.extend(events.try_iter());
            Ok(seen.contains(&told))
        })
        .with_context(|| format!("{change}: {seen:?}"))?;
    }
    assert!(seen.contains(&HostEvent::MtuChanged(1280)), "{seen:?}");
    Ok(())
}

#[test]
fn nothing_is_sent_while_the_interface_is_down() -> Result<()> {
    let pair = pair(true)?;
    let sent = || pair.engines.0.with_tunnel(|tunnel, _| tunnel.stats().tx_bytes);
    let events = pair.engines.0.events();
    pair.left.ip("link set tun0 down")?;
    eventually("it is told that the interface is down", PATIENCE, || {
        Ok(events.try_iter().any(|event| event == HostEvent::LinkChanged(false)))
    })?;
    let before = sent();
    pair.engines.0.with_tunnel(|tunnel, now| -> Result<()> {
        let peer = *tunnel.peers().next().context("one peer")?.public_key();
        let keepalive = PeerChange { persistent_keepalive: Some(1), ..PeerChange::new(peer) };
        Ok(tunnel.configure(now, &[Change::Peer(keepalive)])?)
    })?;
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(sent(), before, "a handshake was due, and a keepalive after it");
    pair.left.ip("link set tun0 up")?;
    eventually("something is sent", PATIENCE, || Ok(sent() > before))
}

#[test]
fn an_interface_works_on_in_another_namespace() -> Result<()> {
    let pair = pair(true)?;
    let container = stage().machine("container")?;
    let events = pair.engines.0.events();
    let mut seen = Vec::new();
    let mut tells = |told: HostEvent| {
        eventually("it is told", PATIENCE, || {
            seen.extend(events.try_iter());
            Ok(seen.contains(&told))
        })
        .with_context(|| format!("{told:?} is not among {seen:?}"))?;
        seen.clear();
        anyhow::Ok(())
    };
    // A device that moves goes down.
    pair.left.ip(&format!("link set tun0 netns {}", container.network_path()))?;
    tells(HostEvent::LinkChanged(false))?;
    // Another of its name is not taken for it.
    pair.left.ip("link add tun0 mtu 1290 type veth peer name other")?;
    container.ip("address add 10.7.0.1/24 dev tun0")?;
    container.ip("link set tun0 up")?;
    tells(HostEvent::LinkChanged(true))?;
    container.run("ping", &["-c", "3", "-i", "0.05", "-W", "30", "10.7.0.2"])?;
    container.ip("link set tun0 mtu 1500")?;
    tells(HostEvent::MtuChanged(1500))?;
    container.run("ping", &["-c", "2", "-i", "0.05", "-W", "30", "-M", "do", "-s", "1472", "10.7.0.2"])?;
    container.ip("link set tun0 down")?;
    container.ip("link set tun0 name tun7")?;
    container.ip("link set tun7 up mtu 1400")?;
    tells(HostEvent::MtuChanged(1400))?;
    // And back again, by another name.
    container.ip(&format!("link set tun7 netns {}", pair.left.network_path()))?;
    pair.left.ip("link set tun7 up mtu 1350")?;
    tells(HostEvent::MtuChanged(1350))?;
    pair.left.ip("link set tun7 mtu 1340")?;
    tells(HostEvent::MtuChanged(1340))?;
    pair.left.ip("link delete tun7")?;
    assert!(matches!(pair.engines.0.wait(), Ended::InterfaceDeleted));
    Ok(())
}

#[test]
fn deleting_the_interface_ends_the_engine() -> Result<()> {
    let pair = pair(true)?;
    let events = pair.engines.0.events();
    pair.left.ip("link delete tun0")?;
    assert!(matches!(pair.engines.0.wait(), Ended::InterfaceDeleted));
    assert!(matches!(pair.engines.0.wait(), Ended::InterfaceDeleted), "whoever asks");
    assert_eq!(events.iter().last(), Some(HostEvent::Ended));
    assert!(matches!(pair.engines.0.set_fwmark(1), Err(HostError::Ended)));
    assert_eq!(pair.engines.0.events().recv(), Ok(HostEvent::Ended), "late subscribers learn it");
    pair.engines.0.stop();
    Ok(())
}

#[test]
fn stopping_leaves_nothing_behind() -> Result<()> {
    let pair = pair(true)?;
    let port = pair.engines.0.listen_port();
    let before = pair.left.run("ss", &["-Hulpn"])?;
    assert!(before.contains(&format!(":{port}")), "{before}");
    pair.engines.0.stop();
    assert!(matches!(pair.engines.0.wait(), Ended::Stopped));
    // A program that another test starts just now has all that this process has open, until it runs.
    eventually("nothing is left", PATIENCE, || {
        Ok(!pair.left.run("ip", &["link"])?.contains("tun0") && pair.left.run("ss", &["-Huln"])?.is_empty())
    })
}

#[test]
fn a_taken_name_and_a_taken_port_leave_nothing_behind() -> Result<()> {
    let stage = stage();
    let machine = stage.machine("host")?;
    let start = |config: EngineConfig| machine.inside(|| Engine::start(config));
    let first = start(EngineConfig { listen_port: 4500, ..EngineConfig::new("tun0") })?;
    assert_eq!((first.name(), first.listen_port()), ("tun0", 4500));
    let error = start(EngineConfig::new("tun0")).expect_err("taken");
    assert!(matches!(error, HostError::NameTaken { .. }), "{error}");
    let error = start(EngineConfig::new("lo")).expect_err("no TUN device");
    assert!(matches!(error, HostError::NameTaken { .. }), "{error}");
    let error = start(EngineConfig { listen_port: 4500, ..EngineConfig::new("tun1") }).expect_err("taken");
    assert!(matches!(error, HostError::Carry(Fault::PortInUse { port: 4500 })), "{error}");
    let error = start(EngineConfig { mtu: 50, ..EngineConfig::new("tun1") }).expect_err("too small");
    assert!(matches!(error, HostError::Config(_)), "{error}");
    // A program that another test starts just now has all that this process has open, until it runs.
    eventually("the interface is gone", PATIENCE, || Ok(!machine.run("ip", &["link"])?.contains("tun1")))?;
    let numbered = start(EngineConfig::new("wg%d"))?;
    assert_eq!(numbered.name(), "wg0");
    Ok(())
}

#[test]
fn without_permission_it_says_which() -> Result<()> {
    let machine = stage().machine("host")?;
    // Whatever the permissions of this machine's device.
    machine.run("sh", &["-c", "mknod -m 666 /run/tun c 10 200 && mount --bind /run/tun /dev/net/tun"])?;
    let error = machine.inside(|| {
        // SAFETY: the system call changes who this one thread is, which ends with the closure; no memory is involved.
        let outcome = unsafe { nix::libc::syscall(nix::libc::SYS_setresuid, 65534, 65534, 65534) };
        assert_eq!(outcome, 0);
        Engine::start(EngineConfig::new("tun0")).expect_err("nobody may not make interfaces")
    });
    assert!(matches!(error, HostError::NoPermission { .. }), "{error}");
    assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    Ok(())
}

#[test]
fn an_idle_tunnel_never_wakes() -> Result<()> {
    let machine = stage().machine("host")?;
    let engine = machine.inside(|| Engine::start(EngineConfig::new("idle0")))?;
    // Else the kernel asks for IPv6 routers now and then.
    machine.sysctl("net.ipv6.conf.idle0.disable_ipv6=1")?;
    machine.ip("link set idle0 up")?;
    let wakeups = || -> Result<String> {
        for task in std::fs::read_dir("/proc/self/task")? {
            let task = task?.path();
            if std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "tunnel idle0") {
                let status = std::fs::read_to_string(task.join("status"))?;
                let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
                return Ok(line.context("a count")?.to_owned());
            }
        }
        bail!("no such thread")
    };
    // News of the interface itself come first, however late.
    let mut last = wakeups()?;
    eventually("it sleeps", PATIENCE, || {
        std::thread::sleep(Duration::from_secs(3));
        let now = wakeups()?;
        Ok(std::mem::replace(&mut last, now.clone()) == now)
    })
    .context("it wakes again and again")?;
    assert_eq!(engine.with_tunnel(|tunnel, _| tunnel.poll_timeout()), None);
    Ok(())
}

#[test]
fn the_port_moves_while_a_stream_flows() -> Result<()> {
    let pair = pair(true)?;
    let events = pair.engines.0.events();
    let listener = pair.right.inside(|| TcpListener::bind("10.7.0.2:0"))?;
    let to = listener.local_addr()?;
    let mut sender = pair.left.inside(|| TcpStream::connect(to))?;
    let (mut receiver, _) = listener.accept()?;
    let reader = std::thread::spawn(move || {
        let mut received = Vec::new();
        receiver.read_to_end(&mut received).map(|_| received)
    });
    let mut message = Vec::new();
    for port in [4600, 4601, 0, 0] {
        let part: Vec<u8> = (0..1_000_000u32).map(|i| (i * 13 + port) as u8).collect();
        sender.write_all(&part)?;
        message.extend(part);
        pair.engines.0.set_listen_port(port as u16)?;
        assert!(port == 0 || u32::from(pair.engines.0.listen_port()) == port);
    }
    drop(sender);
    assert!(reader.join().expect("no panic")? == message);
    assert!(events.try_iter().any(|event| event == HostEvent::ListenPortChanged(4600)));
    let blocker = pair.left.inside(|| UdpSocket::bind("0.0.0.0:4700"))?;
    let before = pair.engines.0.listen_port();
    assert!(matches!(pair.engines.0.set_listen_port(4700), Err(HostError::Carry(Fault::PortInUse { port: 4700 }))));
    assert_eq!(pair.engines.0.listen_port(), before);
    drop(blocker);
    Ok(())
}

#[test]
fn marked_datagrams_can_be_told_apart() -> Result<()> {
    let pair = pair(true)?;
    pair.left.nft(
        "table inet marks { chain out { type filter hook output priority 0; meta mark 0x77 udp dport 51820 counter;\n}\n}\n",
    )?;
    pair.engines.0.set_fwmark(0x77)?;
    assert_eq!(pair.engines.0.fwmark(), 0x77);
    pair.left.run("ping", &["-c", "2", "-i", "0.05", "10.7.0.2"])?;
    let rules = pair.left.run("nft", &["list", "ruleset"])?;
    assert!(rules.contains("counter packets") && !rules.contains("counter packets 0 "), "{rules}");
    pair.engines.0.set_fwmark(0)?;
    Ok(())
}

#[test]
fn a_lost_address_neither_silences_nor_slows_the_tunnel() -> Result<()> {
    let pair = pair(true)?;
    let events = pair.engines.0.events();
    pair.left.ip("address add 192.0.2.11/24 dev wire0")?;
    transfer(&pair.left, &pair.right, "10.7.0.2".parse()?, 100_000)?;
    let source = |engine: &Engine| {
        engine.with_tunnel(|tunnel, _| tunnel.peers().next().and_then(|peer| peer.path()).and_then(|path| path.local))
    };
    assert_eq!(source(&pair.engines.0), Some("192.0.2.1".parse()?), "known from the answers");
    pair.left.ip("address delete 192.0.2.1/24 dev wire0")?;
    pair.left.ip("address replace 192.0.2.11/24 dev wire0")?;
    transfer(&pair.left, &pair.right, "10.7.0.2".parse()?, 2_000_000)?;
    eventually("the new address is taken", PATIENCE, || {
        pair.left.run("ping", &["-c", "1", "-W", "30", "10.7.0.2"])?;
        Ok(source(&pair.engines.0) == Some("192.0.2.11".parse()?))
    })?;
    eventually("the change is told", PATIENCE, || Ok(events.try_iter().any(|event| event == HostEvent::NetworkChanged)))
}

#[test]
fn answers_come_from_the_address_that_was_spoken_to() -> Result<()> {
    let Pair { left, right, engines } = pair(true)?;
    right.ip("address add 192.0.2.99/24 dev wire0")?;
    let key = engines.1.with_tunnel(|tunnel, _| tunnel.public_key().copied()).context("a key")?;
    let to = "192.0.2.99:51820".parse()?;
    engines.0.with_tunnel(|tunnel, now| {
        let change =
            PeerChange { endpoint: Some(underpass_core::config::Endpoint::Address(to)), ..PeerChange::new(key) };
        tunnel.configure(now, &[Change::Peer(change)])
    })?;
    left.run("ping", &["-c", "3", "-i", "0.05", "10.7.0.2"])?;
    let remote =
        engines.0.with_tunnel(|tunnel, _| tunnel.peers().next().and_then(|peer| peer.path()).map(|p| p.remote));
    assert_eq!(remote, Some(to), "the peer did not appear to move");
    Ok(())
}

#[test]
fn a_narrow_path_is_crossed_in_fragments() -> Result<()> {
    let pair = pair(true)?;
    for machine in [&pair.left, &pair.right] {
        machine.ip("link set wire0 mtu 1300")?;
    }
    transfer(&pair.left, &pair.right, "10.7.0.2".parse()?, 1_000_000)?;
    transfer(&pair.right, &pair.left, "fd07::1".parse()?, 1_000_000)
}

#[test]
fn names_of_endpoints_are_resolved() -> Result<()> {
    let Pair { left, right: _right, engines } = pair(true)?;
    let key = engines.1.with_tunnel(|tunnel, _| tunnel.public_key().copied()).context("a key")?;
    let events = engines.0.events();
    // An address is a name that needs no server.
    let endpoint = underpass_core::config::Endpoint::Name { host: "192.0.2.2".into(), port: 51820 };
    engines.0.with_tunnel(|tunnel, now| {
        tunnel.configure(now, &[Change::Peer(PeerChange { endpoint: Some(endpoint), ..PeerChange::new(key) })])
    })?;
    left.run("ping", &["-c", "3", "-W", "30", "10.7.0.2"])?;
    let asked = |event| matches!(event, HostEvent::Tunnel(Event::ResolveEndpoint { .. }));
    if !events.try_iter().any(asked) {
        bail!("the tunnel did not ask");
    }
    Ok(())
}

#[test]
fn messages_of_the_control_channel_are_heard_with_their_sender() -> Result<()> {
    let (tell, heard) = channel();
    let messages = Messages::new(move |from, message| _ = tell.send((from, message.to_vec())));
    let pair = pair_with(&EngineConfig { control: Some(messages), ..EngineConfig::new("tun0") })?;
    let (client, gateway) = (&pair.engines.0, &pair.engines.1);
    let key_of = |engine: &Engine| engine.with_tunnel(|tunnel, _| tunnel.peers().next().map(|peer| *peer.public_key()));
    let (of_gateway, of_client) = (key_of(client).context("a peer")?, key_of(gateway).context("a peer")?);
    for (engine, role) in [(client, ControlRole::Client { gateway: of_gateway }), (gateway, ControlRole::Gateway)] {
        engine.with_tunnel(|tunnel, now| tunnel.configure(now, &[Change::Control(role)]))?;
    }
    client.with_tunnel(|tunnel, now| {
        let peer = tunnel.peer_by_key(&of_gateway).context("a peer")?;
        Ok::<_, anyhow::Error>(tunnel.send_control_waking(now, peer, b"hello")?)
    })?;
    assert_eq!(heard.recv_timeout(PATIENCE)?, (of_client, b"hello".to_vec()));
    gateway.with_tunnel(|tunnel, now| {
        let peer = tunnel.peer_by_key(&of_client).context("a peer")?;
        Ok::<_, anyhow::Error>(tunnel.send_control(now, peer, b"welcome")?)
    })?;
    assert_eq!(heard.recv_timeout(PATIENCE)?, (of_gateway, b"welcome".to_vec()));
    Ok(())
}
