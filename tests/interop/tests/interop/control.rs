//! `wg` drives Underpass, and sees what it would see of wireguard-go.
use anyhow::{Context as _, Result, ensure};
use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use underpass_interop::Implementation::{GoNewest, Underpass};
use underpass_interop::scenery::{Pair, Wire};
use underpass_interop::status::Status;
use underpass_interop::{Device, Implementation, PATIENCE, Stage, answers, play};

/// Keys of nobody, so that both implementations can be told the same.
const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const FIRST: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const SECOND: &str = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
const THIRD: &str = "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=";
const PRESHARED: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

/// One command of `wg`, with what it reads on standard input.
type Step = (&'static [&'static str], &'static str);

/// A life of an interface, told in commands.
const STEPS: &[Step] = &[
    (&["set", "wg0", "listen-port", "4000", "private-key", "/dev/stdin"], PRIVATE),
    (&["set", "wg0", "peer", FIRST, "allowed-ips", "10.0.0.0/8,fd00::/16,192.0.2.7/32"], ""),
    (&["set", "wg0", "peer", FIRST, "endpoint", "192.0.2.9:1234", "persistent-keepalive", "25"], ""),
    (&["set", "wg0", "peer", FIRST, "preshared-key", "/dev/stdin"], PRESHARED),
    (&["set", "wg0", "peer", SECOND, "endpoint", "[2001:db8::9]:65535", "allowed-ips", "10.1.2.3/9"], ""),
    // What SECOND is given is taken from FIRST.
    (&["set", "wg0", "peer", SECOND, "allowed-ips", "fd00::/16,0.0.0.0/0,::/0"], ""),
    (&["set", "wg0", "peer", FIRST, "persistent-keepalive", "off"], ""),
    (&["set", "wg0", "fwmark", "0xca6c"], ""),
    (
        &["addconf", "wg0", "/dev/stdin"],
        "[Peer]\nPublicKey = gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=\nAllowedIPs = 172.16.0.0/12\n",
    ),
    (&["set", "wg0", "peer", THIRD, "remove"], ""),
    (&["set", "wg0", "peer", FIRST, "preshared-key", "/dev/null"], ""),
    (&["set", "wg0", "fwmark", "off"], ""),
    (&["set", "wg0", "peer", FIRST, "allowed-ips", ""], ""),
    (
        &["syncconf", "wg0", "/dev/stdin"],
        "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nListenPort = 4001\n\n\
         [Peer]\nPublicKey = TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=\nAllowedIPs = 10.7.0.0/16\n",
    ),
    (
        &["setconf", "wg0", "/dev/stdin"],
        "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nListenPort = 4002\nFwMark = 7\n\n\
         [Peer]\nPublicKey = gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=\nAllowedIPs = 10.8.0.0/16, fd08::/64\n\
         Endpoint = 192.0.2.44:44\nPersistentKeepalive = 44\n",
    ),
    (&["set", "wg0", "private-key", "/dev/null"], ""),
];

/// Peers and allowed IPs have no order of their own; everything else that was set must be the same.
fn sorted(mut status: Status) -> Status {
    status.peers.sort_by(|a, b| a.public_key.cmp(&b.public_key));
    for peer in &mut status.peers {
        peer.allowed_ips.sort();
        (peer.sent, peer.received) = (0, 0);
    }
    status
}

/// The sections of `wg showconf`, their lines sorted.
fn sections(text: &str) -> Vec<Vec<String>> {
    let mut sections: Vec<Vec<String>> = text
        .split("\n\n")
        .map(|section| {
            let mut lines: Vec<String> = section.lines().map(str::to_owned).collect();
            for line in &mut lines {
                if let Some(list) = line.strip_prefix("AllowedIPs = ") {
                    let mut list: Vec<&str> = list.split(", ").collect();
                    list.sort_unstable();
                    *line = format!("AllowedIPs = {}", list.join(", "));
                }
            }
            lines.sort();
            lines
        })
        .collect();
    sections.sort();
    sections
}

#[test]
fn every_command_leaves_what_it_leaves_with_wireguard_go() {
    play(|stage| {
        let (ours, theirs) = (stage.machine("underpass")?, stage.machine("wireguard-go")?);
        let devices = [Device::start(&ours, Underpass)?, Device::start(&theirs, GoNewest)?];
        for (arguments, input) in STEPS {
            for device in &devices {
                device.machine.run_with_input("wg", arguments, input)?;
            }
            let [ours, theirs] = [sorted(devices[0].status()?), sorted(devices[1].status()?)];
            ensure!(ours == theirs, "after {arguments:?}\nUnderpass:    {ours:?}\nwireguard-go: {theirs:?}");
            let [ours, theirs] = [&devices[0], &devices[1]].map(|d| d.machine.run("wg", &["showconf", "wg0"]));
            let [ours, theirs] = [ours?, theirs?];
            ensure!(sections(&ours) == sections(&theirs), "after {arguments:?}\n{ours}\n--- wireguard-go\n{theirs}");
            // What is shown can be set again, and is shown the same.
            devices[0].machine.run_with_input("wg", &["setconf", "wg0", "/dev/stdin"], &ours)?;
            let again = devices[0].machine.run("wg", &["showconf", "wg0"])?;
            ensure!(sections(&ours) == sections(&again), "showconf and setconf differ:\n{ours}\n---\n{again}");
        }
        Ok(())
    });
}

/// Requests that no `wg` would send, each ending the connection's answer with `errno=`.
const RAW: &[&str] = &[
    "get=1\n\n",
    "set=1\n\n",
    "set=1\nlisten_port=70000\n\n",
    "set=1\nlisten_port=x\n\n",
    "set=1\nprivate_key=abc\n\n",
    "set=1\nfwmark=4294967296\n\n",
    "set=1\nnonsense=1\n\n",
    "set=1\nno equals sign\n\n",
    "set=1\nreplace_peers=false\n\n",
    "set=1\npublic_key=00\n\n",
    "set=1\npublic_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\nendpoint=nowhere\n\n",
    "set=1\npublic_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\nallowed_ip=10.0.0.0/33\n\n",
    "set=1\npublic_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\npersistent_keepalive_interval=65536\n\n",
    "set=1\npublic_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\nprotocol_version=2\n\n",
    "set=1\npublic_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\nupdate_only=true\n\n",
    "set=1\npublic_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\nallowed_ip=10.0.0.0/8\n\n",
    "get=1\n\n",
];

fn raw(device: &Device, request: &str) -> Result<String> {
    let mut stream = UnixStream::connect(device.socket())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("the answer to {request:?}: {answer:?}"))?;
    Ok(answer)
}

#[test]
fn malformed_requests_are_answered_as_wireguard_go_does() {
    play(|stage| {
        let (ours, theirs) = (stage.machine("underpass")?, stage.machine("wireguard-go")?);
        let (ours, theirs) = (Device::start(&ours, Underpass)?, Device::start(&theirs, GoNewest)?);
        for device in [&ours, &theirs] {
            device.set("listen-port 4000")?;
        }
        let mut differences = Vec::new();
        for request in RAW {
            let (mine, other) = (raw(&ours, request)?, raw(&theirs, request)?);
            let errno = |answer: &str| answer.lines().find(|line| line.starts_with("errno=")).map(str::to_owned);
            if errno(&mine) != errno(&other) {
                differences.push(format!("{request:?}\n  Underpass:    {mine:?}\n  wireguard-go: {other:?}"));
            }
        }
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
        // Neither has anything left of what was refused.
        ensure!(sorted(ours.status()?) == sorted(theirs.status()?), "{:?}\n{:?}", ours.status()?, theirs.status()?);
        Ok(())
    });
}

#[test]
fn the_socket_is_for_root_alone() {
    play(|stage| {
        let machine = stage.machine("underpass")?;
        let device = Device::start(&machine, Underpass)?;
        let mode = std::fs::metadata(device.socket())?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "the control socket has mode {mode:o}");
        Ok(())
    });
}

fn changes_keep_the_session(stage: &Stage, changed: Implementation, other: Implementation) -> Result<()> {
    let pair = Pair::new(stage, changed, other)?;
    pair.ping()?;
    let peer = &pair.right.keys.public;
    // A session that were torn down would need a handshake, which the responder, mute from here on, cannot answer. (What
    // it answered before is heard with the ping after it.)
    pair.wire
        .right
        .nft("table inet mute {\n chain out {\n type filter hook output priority 0;\n udp length 100 drop;\n }\n }")?;
    pair.ping()?;
    let before = pair.left.status()?.only_peer()?.latest_handshake;
    for change in [
        "listen-port 4100".to_owned(),
        "fwmark 0x1234".to_owned(),
        format!("peer {peer} persistent-keepalive 20"),
        format!("peer {peer} allowed-ips 10.9.0.2/32,10.77.0.0/16"),
        format!("peer {peer} endpoint 192.0.2.2:51820"),
    ] {
        pair.left.set(&change)?;
        pair.ping().with_context(|| format!("after `{change}`"))?;
    }
    let after = pair.left.status()?.only_peer()?.latest_handshake;
    ensure!(before == after, "a change cost a handshake");
    let endpoint = pair.right.status()?.only_peer()?.endpoint.context("no endpoint")?;
    ensure!(endpoint.port() == 4100, "the peer sees {endpoint}, not port 4100");
    Ok(())
}
crate::for_every_pair!(changes_keep_the_session;
    underpass_to_underpass: Underpass, Underpass;
    underpass_to_go_newest: Underpass, GoNewest;
    go_newest_to_underpass: GoNewest, Underpass;
);

#[test]
fn the_firewall_mark_is_on_every_datagram() {
    play(|stage| {
        let pair = Pair::new(stage, Underpass, Underpass)?;
        pair.left.set("fwmark 0xbeef")?;
        pair.wire.left.nft(
            "table inet marks {
                chain out {
                    type filter hook output priority 0;
                    oifname eth0 udp length > 0 meta mark 0xbeef counter comment \"marked\"
                    oifname eth0 udp length > 0 meta mark != 0xbeef counter comment \"unmarked\"
                }
            }",
        )?;
        for address in ["10.9.0.2", "fd09::2"] {
            answers(&pair.wire.left, address)?;
        }
        let rules = pair.wire.left.run("nft", &["list", "table", "inet", "marks"])?;
        let packets = |comment: &str| rules.lines().any(|line| line.contains(comment) && !line.contains("packets 0 "));
        ensure!(packets("\"marked\"") && !packets("\"unmarked\""), "{rules}");
        Ok(())
    });
}

#[test]
fn a_port_in_use_is_refused_and_nothing_changes() {
    play(|stage| {
        let wire = Wire::new(stage)?;
        let pair = Pair::strangers(wire, Underpass, GoNewest)?;
        pair.introduce("192.0.2.2:51820", None)?;
        pair.ping()?;
        let before = pair.left.status()?;
        let _taken = pair.wire.left.inside(|| UdpSocket::bind("0.0.0.0:4300"))?;
        let refused = pair.wire.left.try_run("wg", &["set", "wg0", "listen-port", "4300"])?;
        ensure!(!refused.status.success(), "a port in use was accepted");
        ensure!(refused.stderr.contains("in use"), "wg says {:?}", refused.stderr);
        let after = pair.left.status()?;
        ensure!(before.listen_port == after.listen_port, "the port is {} after a refusal", after.listen_port);
        pair.ping().context("after a refused port")
    });
}
