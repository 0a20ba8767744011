//! The kill switch, judged by a counter on the outer wire: a flood of IPv4, IPv6 and names from the machine and from one behind it
//! while everything goes wrong that can. With the switch nothing leaves in cleartext; without it, the same counter counts.
mod down;
mod iptables;
mod keepers;
mod reload;
mod split;

use anyhow::{Context as _, Result, ensure};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use underpass_interop::{Leak, Machine, PATIENCE, Stage, answers, eventually, play};

const EVERYTHING: &str = "0.0.0.0/0, ::/0";
const ENDPOINT: &str = "192.0.2.2:51820";
/// An address behind the tunnel's server.
const INSIDE: &str = "203.0.113.1";

/// What somebody on the way may have the machine route around the tunnel (CVE-2024-3661).
const TUNNEL_VISION: [&str; 2] =
    ["route add 203.0.113.0/24 via 192.0.2.2", "-6 route add 2001:db8:f::/48 via 2001:db8::2"];

fn add_routes(leak: &Leak) -> Result<()> {
    TUNNEL_VISION.iter().try_for_each(|route| leak.client.ip(route))
}

fn delete_routes(leak: &Leak) -> Result<()> {
    TUNNEL_VISION.iter().try_for_each(|route| leak.client.ip(&route.replace("add", "del")))
}

/// Waits until the tunnel carries.
fn carries(leak: &Leak) -> Result<()> {
    answers(&leak.client, INSIDE)?;
    answers(&leak.behind, INSIDE)
}

/// The daemon, the keeper, the interface, the firewall, rules and routes: all that anybody takes away.
fn everything_goes_wrong(leak: &Leak, up: &[&str]) -> Result<()> {
    let (client, file) = (&leak.client, leak.file.as_str());
    leak.nothing_leaves_while_up(up)?;
    leak.nothing_leaves("while it is up", || carries(leak))?;
    leak.nothing_leaves("set down", || client.ip("link set wgl down"))?;
    leak.nothing_leaves("set up", || client.ip("link set wgl up"))?;
    leak.nothing_leaves("healed", || carries(leak))?;
    let addresses = client.run("ip", &["-br", "address", "show", "dev", "wgl"])?;
    ensure!(addresses.contains("fd09::1/64") && addresses.contains("10.9.0.1/24"), "{addresses}");
    leak.nothing_leaves("more specific routes", || add_routes(leak))?;
    delete_routes(leak)?;
    leak.nothing_leaves("marked by somebody else and routed around", || {
        let marks = "type route hook output priority -150; meta mark != 51820 meta mark set 0x99;";
        client.nft(&format!("table inet other {{\nchain output {{ {marks} }}\n}}\n"))?;
        ["-4", "-6"]
            .iter()
            .try_for_each(|family| client.ip(&format!("{family} rule add fwmark 0x99 table main priority 99")))
    })?;
    client.nft("delete table inet other\n")?;
    ["-4", "-6"].iter().try_for_each(|family| client.ip(&format!("{family} rule del priority 99")))?;
    leak.nothing_leaves("rules deleted", || {
        for family in ["-4", "-6"] {
            client.ip(&format!("{family} rule del not fwmark 51820 table 51820"))?;
            client.ip(&format!("{family} rule del table main suppress_prefixlength 0"))?;
        }
        Ok(())
    })?;
    leak.nothing_leaves("rules are back", || carries(leak))?;
    leak.nothing_leaves("the daemon killed", || leak.kill("underpass"))?;
    for address in ["203.0.113.9", "2001:db8:f::9"] {
        let found = client.try_run("ip", &["route", "get", address])?;
        ensure!(!found.status.success(), "there is a way past the tunnel: {}", found.stdout);
    }
    leak.nothing_leaves("more specific routes without a daemon", || add_routes(leak))?;
    delete_routes(leak)?;
    leak.nothing_leaves("up again", || leak.underpass(up).map(drop))?;
    leak.nothing_leaves("up again and carrying", || carries(leak))?;
    leak.nothing_leaves("the interface deleted", || client.ip("link del wgl"))?;
    leak.nothing_leaves("up a third time", || leak.underpass(up).map(drop))?;
    leak.nothing_leaves("both keepers killed", || leak.kill_all(keepers::NAME))?;
    for round in 1..=3 {
        let restart = || leak.underpass(&["restart", file]).map(drop);
        leak.nothing_leaves(&format!("restart {round}"), restart)?;
    }
    leak.nothing_leaves("restarted and carrying", || carries(leak))?;
    leak.nothing_leaves("down, still locked", || leak.underpass(&["down", "--keep-lock", file]).map(drop))?;
    leak.nothing_leaves("locked without a tunnel", || Ok(()))
}

/// Removes the switch, and finds that the counter counts and that nothing is left.
fn opens(leak: &Leak, before: &str) -> Result<()> {
    ensure!(leak.during(|| leak.underpass(&["unlock", "wgl"]).map(drop))? > 0, "the flood does not reach the counter");
    eventually("nothing is left", PATIENCE, || Ok(state(&leak.client)? == before))
        .with_context(|| format!("{}\n--- before:\n{before}", state(&leak.client).unwrap_or_default()))?;
    eventually("no program is left", PATIENCE, || Ok(leak.client.processes()?.is_empty()))
}

/// Rules, firewall, last routes and records of locks.
fn state(machine: &Machine) -> Result<String> {
    let mut state = String::new();
    for line in
        ["ip rule", "ip -6 rule", "ip route show table 51820", "ip -6 route show table 51820", "nft list ruleset"]
    {
        let words: Vec<&str> = line.split(' ').collect();
        // A table that never had a route is an error to some versions of ip.
        state += &machine.try_run(words[0], &words[1..])?.stdout;
    }
    let records = machine.inside(|| std::fs::read_dir("/run/underpass").map(|folder| folder.count()).unwrap_or(0));
    Ok(format!("{state}{records} records"))
}

#[test]
fn nothing_leaves_whatever_is_taken_away() {
    play(|stage| {
        let leak = Leak::new(stage, "all", "KillSwitch = on", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        everything_goes_wrong(&leak, &["up", &leak.file])?;
        opens(&leak, &before)
    });
}

/// Whoever flushes the firewall, as its service does when it is restarted, finds a table that is not his.
#[test]
fn nothing_leaves_while_the_firewall_is_flushed() {
    play(|stage| {
        let leak = Leak::new(stage, "flush", "", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        leak.nothing_leaves_while_up(&["up", "--kill-switch", &leak.file])?;
        let flush = || leak.client.run("nft", &["flush", "ruleset"]).map(drop);
        for round in 1..=5 {
            leak.nothing_leaves(&format!("flushed, round {round}"), flush)?;
        }
        leak.nothing_leaves("more specific routes, and flushed", || add_routes(&leak).and_then(|()| flush()))?;
        let is_back = || Ok(leak.client.run("nft", &["list", "tables"])?.contains("table inet underpass\n"));
        eventually("the table is back", PATIENCE, is_back)?;
        leak.nothing_leaves("a rule deleted", || {
            leak.client.run("nft", &["flush", "chain", "inet", "underpass", "output"]).map(drop)
        })?;
        eventually("the rules are back", PATIENCE, || {
            Ok(leak.client.run("nft", &["list", "table", "inet", "underpass"])?.contains("0x0000ca6c"))
        })?;
        leak.nothing_leaves("the daemon killed, and flushed", || leak.kill("underpass").and_then(|()| flush()))?;
        delete_routes(&leak)?;
        leak.nothing_leaves("down, still locked", || {
            leak.try_underpass(&["down", "--keep-lock", &leak.file], &[]).map(drop)
        })?;
        leak.client.nft("flush ruleset\n")?;
        opens(&leak, &before)
    });
}

/// The same events without a switch: the counter sees each of them.
#[test]
fn without_the_switch_the_same_counter_counts() {
    play(|stage| {
        let leak = Leak::new(stage, "none", "", EVERYTHING, ENDPOINT)?;
        leak.underpass(&["up", &leak.file])?;
        let counts = |phase: &str, act: &dyn Fn() -> Result<()>| {
            let count = leak.during(act).with_context(|| phase.to_owned())?;
            println!("{phase}: {count} packets in cleartext");
            ensure!(count > 0, "{phase}: nothing was seen");
            Ok(())
        };
        counts("set down", &|| leak.client.ip("link set wgl down"))?;
        leak.client.ip("link set wgl up")?;
        carries(&leak).context("healed without a switch too")?;
        counts("more specific routes", &|| add_routes(&leak))?;
        delete_routes(&leak)?;
        counts("the daemon killed", &|| leak.kill("underpass"))
    });
}

/// A tunnel for IPv4 alone: without a switch that is a warning, with it the other family stays inside the machine.
#[test]
fn a_family_that_is_not_routed_does_not_leave() {
    play(|stage| {
        let leak = Leak::new(stage, "v4", "", "0.0.0.0/0", ENDPOINT)?;
        let before = state(&leak.client)?;
        let warned = leak.try_underpass(&["up", &leak.file], &[])?;
        ensure!(warned.stderr.contains("IPv6 does not go through the tunnel"), "{warned:?}");
        ensure!(leak.during(|| Ok(()))? > 0, "IPv6 is free");
        leak.underpass(&["down", &leak.file])?;
        let silent = leak.try_underpass(&["up", "--kill-switch", &leak.file], &[])?;
        ensure!(silent.status.success() && silent.stderr.is_empty(), "{silent:?}");
        leak.nothing_leaves("up", || answers(&leak.client, INSIDE))?;
        leak.nothing_leaves("the daemon killed", || leak.kill("underpass"))?;
        leak.nothing_leaves("down, still locked", || {
            leak.try_underpass(&["down", "--keep-lock", &leak.file], &[]).map(drop)
        })?;
        opens(&leak, &before)
    });
}

/// The system's file asks for it, the private local network stays, names are not asked for there, and whoever would be cut is told.
#[test]
fn the_local_network_stays_if_it_is_private() {
    play(|stage| {
        let leak = Leak::new(stage, "lan", "", EVERYTHING, ENDPOINT)?;
        std::fs::write(leak.folder.path("system.conf"), "KillSwitch = lan\n")?;
        let session = |client: &str| [("SSH_CONNECTION", format!("{client} 40000 192.0.2.1 22"))];
        let run = |arguments: &[&str], client: &str| {
            let variables = session(client);
            leak.try_underpass(arguments, &[(variables[0].0, variables[0].1.as_str())])
        };
        let said = run(&["up", &leak.file], "192.0.2.9")?;
        ensure!(said.status.success() && said.stderr.contains("the kill switch cuts it"), "{said:?}");
        leak.nothing_leaves("private", || {
            answers(&leak.client, "10.1.1.2").and_then(|()| answers(&leak.client, "fd01::2"))
        })?;
        let heard = leak.behind.inside(|| UdpSocket::bind("10.1.1.2:53"))?;
        heard.set_read_timeout(Some(Duration::from_millis(300)))?;
        let sender = leak.client.inside(|| UdpSocket::bind("10.1.1.1:0"))?;
        for _ in 0..20 {
            let _ = sender.send_to(b"name", "10.1.1.2:53");
        }
        ensure!(heard.recv_from(&mut [0; 16]).is_err(), "a name was asked for in the local network");
        run(&["down", &leak.file], "10.1.1.9")?.success()?;
        let said = run(&["up", &leak.file], "10.1.1.9")?;
        ensure!(said.status.success() && said.stderr.is_empty(), "{said:?}");
        leak.underpass(&["down", &leak.file])?;
        ensure!(leak.during(|| Ok(()))? > 0, "`down` opens");
        Ok(())
    });
}

/// A machine that is locked keeps its lease, and its neighbours find it.
#[test]
fn leases_and_neighbours_stay() {
    play(|stage| {
        let leak = Leak::new(stage, "lease", "KillSwitch = on", EVERYTHING, ENDPOINT)?;
        leak.silence()?;
        leak.underpass(&["lock", &leak.file])?;
        // Each port is taken once: a program that another test starts just then has the socket a moment longer.
        let open = |from: &str| -> Result<UdpSocket> {
            let socket = leak.client.inside(|| UdpSocket::bind(from))?;
            socket.set_broadcast(true)?;
            Ok(socket)
        };
        let (dhcp, other) = (open("192.0.2.1:68")?, open("192.0.2.1:6868")?);
        let send = |socket: &UdpSocket, to: &str| -> Result<u64> {
            leak.during(|| {
                for _ in 0..5 {
                    // What is not let pass is an error.
                    let _ = socket.send_to(b"lease", to);
                }
                Ok(())
            })
        };
        ensure!(send(&dhcp, "192.0.2.2:67")? == 5, "a lease is renewed");
        ensure!(send(&dhcp, "255.255.255.255:67")? == 5, "a lease is asked for");
        ensure!(send(&other, "192.0.2.2:67")? == 0 && send(&dhcp, "192.0.2.2:53")? == 0);
        leak.world.ip("-6 neigh flush dev eth0")?;
        let found = || {
            leak.world.try_run("ping", &["-c", "1", "-W", "1", "2001:db8::1"])?;
            Ok(leak.world.run("ip", &["-6", "neigh", "show", "2001:db8::1"])?.contains("lladdr"))
        };
        eventually("a neighbour of IPv6 is found", PATIENCE, found)
    });
}

/// Two tunnels share the table: what one lets pass the other does not stop, and when one goes the other still locks.
#[test]
fn two_tunnels_lock_together() {
    play(|stage| {
        let leak = Leak::new(stage, "two", "KillSwitch = on", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        let second = leak.folder.path("wgm.conf");
        let text = std::fs::read_to_string(&leak.file)?.replace("10.9.0.1", "10.10.0.1").replace("fd09::1", "fd10::1");
        std::fs::write(&second, text.replace(EVERYTHING, "10.10.0.0/24"))?;
        leak.nothing_leaves_while_up(&["up", &leak.file])?;
        leak.nothing_leaves("a second tunnel", || leak.underpass(&["up", &second]).map(drop))?;
        let has_both = || {
            let rules = leak.client.run("nft", &["list", "ruleset"])?;
            Ok(rules.matches("oifname \"wgm\" accept").count() == rules.matches("oifname \"wgl\" accept").count())
        };
        eventually("every table lets both pass", PATIENCE, has_both)?;
        leak.nothing_leaves("both carry", || carries(&leak))?;
        leak.nothing_leaves("the second goes", || leak.underpass(&["down", &second]).map(drop))?;
        leak.nothing_leaves("the first carries", || carries(&leak))?;
        leak.nothing_leaves("down, still locked", || leak.underpass(&["down", "--keep-lock", &leak.file]).map(drop))?;
        opens(&leak, &before)
    });
}

/// A record that nobody can read stops `up`, which would not know what to keep, and opens nothing; `unlock` is the way out.
#[test]
fn a_record_that_cannot_be_read_opens_nothing() {
    play(|stage| {
        let leak = Leak::new(stage, "record", "KillSwitch = on", EVERYTHING, ENDPOINT)?;
        let before = state(&leak.client)?;
        leak.underpass(&["lock", &leak.file])?;
        leak.client.inside(|| std::fs::write("/run/underpass/wgl.guard", "nonsense"))?;
        leak.nothing_leaves("a record of nonsense", || {
            let refused = leak.try_underpass(&["up", &leak.file], &[])?;
            ensure!(refused.status.code() == Some(1) && refused.stderr.contains("holds no kill switch"), "{refused:?}");
            leak.client.nft("flush ruleset\n")
        })?;
        opens(&leak, &before)
    });
}

/// A name server that knows one name: every question is answered by this address.
fn serve_names(
    machine: &Machine,
    at: &str,
    address: [u8; 4],
    done: Arc<AtomicBool>,
) -> Result<std::thread::JoinHandle<()>> {
    let address_of_server: SocketAddr = at.parse()?;
    let socket = machine.inside(|| UdpSocket::bind(address_of_server))?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    Ok(std::thread::spawn(move || {
        let mut buf = [0; 512];
        while !done.load(Ordering::Relaxed) {
            let Ok((len, from)) = socket.recv_from(&mut buf) else { continue };
            let mut reply = buf[..len].to_vec();
            if len < 17 {
                continue;
            }
            let is_v4 = reply[len - 3] == 1;
            reply[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, is_v4.into()]);
            if is_v4 {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4]);
                reply.extend(address);
            }
            let _ = socket.send_to(&reply, from);
        }
    }))
}

/// Locked at boot, before there is a tunnel or a network; the endpoint is a name, which the name server of the uplink knows. Later
/// that one is gone, and the address from before is taken.
fn boots(stage: &Stage) -> Result<()> {
    let leak = Leak::new(stage, "boot", "KillSwitch = on", EVERYTHING, "vpn.example.com:51820")?;
    let before = state(&leak.client)?;
    std::fs::write(leak.folder.path("system.conf"), format!("LockAtBoot = {}\n", leak.file))?;
    let resolv = leak.folder.path("resolv.conf");
    std::fs::write(&resolv, "nameserver 192.0.2.53\n")?;
    see_as(&leak.client, &resolv, "/etc/resolv.conf")?;
    leak.underpass(&["lock", "--boot"])?;
    leak.nothing_leaves("locked at boot", || Ok(()))?;
    leak.nothing_leaves("the firewall's own service starts", || leak.client.nft("flush ruleset\n"))?;
    let done = Arc::new(AtomicBool::new(false));
    let server = serve_names(&leak.world, "192.0.2.53:53", [192, 0, 2, 2], Arc::clone(&done))?;
    leak.nothing_leaves("up with a name", || leak.underpass(&["up", &leak.file]).map(drop))?;
    leak.nothing_leaves("up with a name and carrying", || carries(&leak))?;
    done.store(true, Ordering::Relaxed);
    ensure!(server.join().is_ok(), "the name server panicked");
    leak.nothing_leaves("the daemon killed", || leak.kill("underpass"))?;
    leak.nothing_leaves("up without a name server", || leak.underpass(&["up", &leak.file]).map(drop))?;
    leak.nothing_leaves("carrying without a name server", || carries(&leak))?;
    leak.underpass(&["down", "--keep-lock", &leak.file])?;
    opens(&leak, &before)
}

/// Has `machine` alone see the file `file` at `path`, wherever a link there leads.
fn see_as(machine: &Machine, file: &str, path: &str) -> Result<()> {
    let target =
        std::fs::read_link(path).map(|link| std::path::Path::new("/etc").join(link)).unwrap_or_else(|_| path.into());
    let target = target.to_string_lossy().replace("/etc/../", "/");
    if target.starts_with("/run/") {
        // It has a /run of its own.
        machine.run("install", &["-D", file, &target]).map(drop)
    } else {
        machine.run("mount", &["--bind", file, &target]).map(drop)
    }
}

#[test]
fn a_machine_that_is_locked_at_boot_finds_its_tunnel_by_name() {
    play(boots);
}
