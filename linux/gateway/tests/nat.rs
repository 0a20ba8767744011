//! The rules for forwarded packets, as the kernel takes them. Root is needed: each test has a network namespace of its own.
//! Without it every test here fails.
use std::io::Write;
use std::process::{Command, Output, Stdio};
use underpass_gateway::nat;
use underpass_gateway::settings::{Nat, Settings, read};

fn example() -> Settings {
    read(include_str!("../gateway.toml")).settings.expect("the example is good")
}

/// Runs `script` by a shell in a network namespace of its own, with `input` as the file `$rules`.
fn in_namespace(script: &str, input: &str) -> Output {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(input.as_bytes()).expect("written");
    Command::new("unshare")
        .args(["--net", "sh", "-e", "-c", script])
        .env("rules", file.path())
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs")
}

fn listed(script: &str, input: &str) -> String {
    let output = in_namespace(script, input);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{input}");
    String::from_utf8(output.stdout).expect("text")
}

/// Once, twice, and with others' rules beside them, which stay as they are.
#[test]
fn the_kernel_takes_them_and_they_go_without_a_trace() {
    let settings = example();
    let everything = nat::rules(&settings) + &nat::removal(&settings.interface);
    let beside = "nft add table inet other; nft add chain inet other mine; nft list ruleset";
    let before = listed(beside, "");
    let script = format!("{beside} >/dev/null; nft -f $rules; nft -f $rules; nft list ruleset");
    assert_eq!(listed(&script, &everything), before);
    assert!(before.contains("table inet other"));
}

#[test]
fn what_is_asked_for_is_what_the_kernel_has() {
    let settings = example();
    let once = listed("nft -f $rules; nft list ruleset", &nat::rules(&settings));
    assert_eq!(listed("nft -f $rules; nft -f $rules; nft list ruleset", &nat::rules(&settings)), once);
    for wanted in [
        "elements = { 10.8.0.0/22, 10.20.0.0/16 }",
        "iifname \"wg0\" ip saddr != @tunnel_v4 drop",
        "iifname \"wg0\" ip6 saddr != @tunnel_v6 drop",
        "oifname \"eth0\" ip saddr @client_v4 masquerade",
        "tcp option maxseg size set rt mtu",
    ] {
        assert!(once.contains(wanted), "{wanted}: {once}");
    }
    let bare = Settings { nat: Nat::default(), pools: Vec::new(), sites: Vec::new(), ..settings };
    let bare = listed("nft -f $rules; nft list ruleset", &nat::rules(&bare));
    assert!(!bare.contains("masquerade") && !bare.contains("maxseg"), "{bare}");
}

/// Packets between three namespaces: a client's namespace stands for the tunnel, then the gateway, then the office.
#[test]
fn packets_are_forwarded_as_they_say() {
    let settings = Settings {
        interface: "tun0".into(),
        nat: Nat {
            masquerade: vec!["lan0".into()],
            forward: vec!["192.0.2.0/25".parse().expect("a network")],
            clamp_mss: true,
        },
        ..example()
    };
    // In one namespace of processes, so that all goes when the shell goes.
    let script = r#"
        spawn() { unshare --net sleep 300 & pid=$!; while [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done; }
        spawn; client=$pid; spawn; office=$pid
        trap 'kill $client $office' EXIT
        inside() { where=$1; shift; nsenter --net=/proc/$where/ns/net "$@"; }
        ip link add tun0 type veth peer name up0 netns $client
        ip link add lan0 type veth peer name lan0 netns $office
        sysctl -qw net.ipv4.ip_forward=1
        ip addr add 10.8.0.1/22 dev tun0; ip link set tun0 up
        ip addr add 192.0.2.1/24 dev lan0; ip link set lan0 up
        for address in 10.8.0.50/22 10.99.0.5/24; do inside $client ip addr add $address dev up0; done
        inside $client ip link set up0 up; inside $client ip route add default via 10.8.0.1
        ip route add 10.99.0.0/24 dev tun0
        for address in 192.0.2.10/24 192.0.2.200/24; do inside $office ip addr add $address dev lan0; done
        inside $office ip link set lan0 up; inside $office ip route add default via 192.0.2.1
        nft -f $rules
        reaches() { inside $1 ping -c 1 -W 1 -I $2 $3 >/dev/null 2>&1 && echo "$2 reaches $3" || echo "$2 does not reach $3"; }
        reaches $client 10.8.0.50 192.0.2.10
        reaches $client 10.8.0.50 192.0.2.200
        reaches $client 10.99.0.5 192.0.2.10
        reaches $office 192.0.2.10 10.8.0.50
        # What the office saw: clients' addresses are hidden.
        inside $office ip neigh show dev lan0 | grep -c 10.8.0.50 || true
        inside $office nft add table ip seen
        inside $office nft 'add chain ip seen in { type filter hook input priority 0; }'
        inside $office nft add rule ip seen in ip saddr 10.8.0.50 counter
        inside $office nft add rule ip seen in ip saddr 192.0.2.1 counter
        reaches $client 10.8.0.50 192.0.2.10
        inside $office nft list table ip seen | grep -o 'saddr.*packets [0-9]*'
    "#;
    let seen = listed(script, &nat::rules(&settings));
    let wanted = "10.8.0.50 reaches 192.0.2.10\n10.8.0.50 does not reach 192.0.2.200\n10.99.0.5 does not reach 192.0.2.10\n\
                  192.0.2.10 does not reach 10.8.0.50\n0\n10.8.0.50 reaches 192.0.2.10\n\
                  saddr 10.8.0.50 counter packets 0\nsaddr 192.0.2.1 counter packets 1\n";
    assert_eq!(seen, wanted);
}
