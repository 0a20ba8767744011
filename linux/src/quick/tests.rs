//! Plans, and what becomes of them on a host that only takes notes.
use super::firewall::Program;
use super::{Action, Facts, Host, Plan, Step, carry_out, take_down};
use crate::dns::Resolver;
use crate::guard::Lock;
use anyhow::bail;
use underpass_core::config::{QuickConfig, parse};

fn config(interface: &str, peers: &[&str]) -> QuickConfig {
    let keys = ["hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", "3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="];
    let key = "PrivateKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
    let mut text = format!("[Interface]\n{key}\n{interface}\n");
    for (key, peer) in keys.iter().zip(peers) {
        text.push_str(&format!("[Peer]\nPublicKey = {key}\n{peer}\n"));
    }
    let parsed = parse(&text);
    parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

/// A machine with nft and resolvconf.
pub(super) fn facts() -> Facts {
    Facts {
        mtu: 1420,
        table: 51820,
        firewall: Program::Nft,
        resolvers: vec![Resolver::Resolvconf { record: "tun.wg0".into() }],
        guard: None,
        split: None,
        ipv6: true,
    }
}

/// What `plan` does and undoes, as it is shown.
fn shown(plan: &Plan) -> (Vec<String>, Vec<String>) {
    let first_line = |action: Action| action.to_string().lines().next().unwrap_or_default().to_owned();
    let does = plan.steps.iter().map(|step| first_line(step.does(&plan.name))).collect();
    (does, plan.steps.iter().rev().filter_map(Step::undoes).map(first_line).collect())
}

#[test]
fn a_plain_tunnel_gets_addresses_and_routes() {
    let interface = "Address = 10.0.0.2/24, fd00::2/64\nListenPort = 7\nPreUp = echo %i %i\nPostUp = echo up";
    // The networks the kernel routes by itself are left to it; the same network twice is one route.
    let peers = [
        "AllowedIPs = 10.0.0.0/24, 192.0.2.0/24, fd00::/64, 2001:db8::/32",
        "AllowedIPs = 10.0.0.9/32, 198.51.100.0/25",
    ];
    let plan = Plan::up("wg0", &config(interface, &peers), &facts());
    let (does, undoes) = shown(&plan);
    let expected = [
        "# create the interface and start the tunnel",
        "echo wg0 wg0",
        "ip -4 address add 10.0.0.2/24 dev wg0",
        "ip -6 address add fd00::2/64 dev wg0",
        "ip link set mtu 1420 up dev wg0",
        "ip -6 route add 2001:db8::/32 dev wg0",
        "ip -4 route add 198.51.100.0/25 dev wg0",
        "ip -4 route add 192.0.2.0/24 dev wg0",
        "echo up",
    ];
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(does.clone()), sorted(expected.map(str::to_owned).to_vec()));
    assert_eq!(does[..5], expected[..5], "the order up to the link");
    assert_eq!(does.last().map(String::as_str), Some("echo up"));
    assert_eq!(undoes, ["# delete the interface, which ends the tunnel"]);
    assert_eq!((plan.mtu, plan.mark), (1420, 0));
}

#[test]
fn routes_go_from_the_most_specific_to_the_least() {
    let plan = Plan::up("wg0", &config("", &["AllowedIPs = 10.0.0.0/8, 10.1.0.0/16, 10.1.1.1/32"]), &facts());
    let (does, _) = shown(&plan);
    let routes: Vec<_> = does.iter().filter(|line| line.contains(" route ")).collect();
    assert_eq!(
        routes,
        [
            "ip -4 route add 10.1.1.1/32 dev wg0",
            "ip -4 route add 10.1.0.0/16 dev wg0",
            "ip -4 route add 10.0.0.0/8 dev wg0"
        ]
    );
}

#[test]
fn a_default_route_gets_a_table_rules_and_a_guard() {
    let interface = "Address = 10.0.0.2/32, fd00::2/128\nMTU = 1300\nDNS = 10.0.0.1, corp.example";
    let plan = Plan::up("wg0", &config(interface, &["AllowedIPs = 0.0.0.0/0, ::/0"]), &facts());
    let (does, undoes) = shown(&plan);
    assert_eq!(
        does,
        [
            "# create the interface and start the tunnel",
            "ip -4 address add 10.0.0.2/32 dev wg0",
            "ip -6 address add fd00::2/128 dev wg0",
            "ip link set mtu 1300 up dev wg0",
            "resolvconf -a tun.wg0 -m 0 -x <<'END'",
            "ip -4 route add 0.0.0.0/0 dev wg0 table 51820",
            "ip -4 rule add not fwmark 51820 table 51820",
            "ip -4 rule add table main suppress_prefixlength 0",
            "echo 1 > /proc/sys/net/ipv4/conf/all/src_valid_mark",
            "nft -f - <<'END'",
            "ip -6 route add ::/0 dev wg0 table 51820",
            "ip -6 rule add not fwmark 51820 table 51820",
            "ip -6 rule add table main suppress_prefixlength 0",
            "nft -f - <<'END'",
        ]
    );
    assert_eq!(
        undoes,
        [
            "nft -f - <<'END'",
            "ip -6 rule delete table main suppress_prefixlength 0",
            "ip -6 rule delete not fwmark 51820 table 51820",
            "nft -f - <<'END'",
            "ip -4 rule delete table main suppress_prefixlength 0",
            "ip -4 rule delete not fwmark 51820 table 51820",
            "resolvconf -d tun.wg0 -f",
            "# delete the interface, which ends the tunnel",
        ]
    );
    assert_eq!((plan.mtu, plan.mark), (1300, 51820));
    let Action::SetDns(dns) = plan.steps[4].does("wg0") else { panic!("name servers") };
    assert!(dns.everything && dns.servers == ["10.0.0.1".parse::<crate::dns::Server>().expect("address")]);
}

#[test]
fn a_tunnel_for_part_answers_for_its_domains() {
    for (number, dns, allowed, everything) in [
        (1, "10.0.0.1, corp.example", "10.0.0.0/8", false),
        (2, "10.0.0.1", "10.0.0.0/8", true),
        (3, "10.0.0.1, corp.example", "0.0.0.0/0", true),
        (4, "10.0.0.1, corp.example", "0.0.0.0/1, 128.0.0.0/1", true),
    ] {
        let peer = format!("AllowedIPs = {allowed}");
        let plan = Plan::up("wg0", &config(&format!("DNS = {dns}"), &[&peer]), &facts());
        let asked: Vec<_> = plan
            .steps
            .iter()
            .filter_map(|step| if let Step::Dns(dns) = step { Some(dns.everything) } else { None })
            .collect();
        assert_eq!(asked, [everything], "case {number}");
    }
}

#[test]
fn the_kill_switch_is_the_first_to_come_and_the_last_to_go() {
    let lock = Lock { interface: "wg0".into(), mark: 51820, ..Lock::default() };
    let facts = Facts { guard: Some(lock.clone()), ..facts() };
    let interface = "Address = 10.0.0.2/32\nPreUp = pre\nPostUp = post";
    let plan = Plan::up("wg0", &config(interface, &["AllowedIPs = 0.0.0.0/0"]), &facts);
    let (does, undoes) = shown(&plan);
    assert_eq!(plan.steps.first(), Some(&Step::Lock(lock)));
    assert_eq!(does[..3], ["nft -f - <<'END'", "# create the interface and start the tunnel", "pre"]);
    let barrier = |family| format!("ip -{family} route replace unreachable default metric 4294967295 table 51820");
    let at = |line: &str| does.iter().position(|done| done == line).unwrap_or_else(|| panic!("no {line}: {does:?}"));
    for family in [4, 6] {
        assert!(at(&barrier(family)) < at(&format!("ip -{family} rule add not fwmark 51820 table 51820")), "{does:?}");
    }
    assert_eq!(undoes.first().map(String::as_str), Some("# from here on, rules and last routes may be deleted"));
    assert_eq!(undoes.last().map(String::as_str), Some("underpass unlock wg0"));
}

#[test]
fn a_kill_switch_from_before_stays_when_up_fails() {
    let lock = Lock { interface: "wg0".into(), mark: 7, stays: true, ..Lock::default() };
    let facts = Facts { guard: Some(lock), table: 7, ..facts() };
    let plan = Plan::up("wg0", &config("", &["AllowedIPs = 10.0.0.0/8"]), &facts);
    assert_eq!((plan.mark, shown(&plan).1), (7, vec!["# delete the interface, which ends the tunnel".into()]));
}

#[test]
fn the_guard_protects_the_addresses_of_its_family() {
    let interface = "Address = 10.0.0.2/32, 10.0.0.3/32, fd00::2/128";
    let plan = Plan::up("wg0", &config(interface, &["AllowedIPs = 0.0.0.0/0"]), &facts());
    let guards: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| if let Step::Firewall(guard) = step { Some(guard) } else { None })
        .collect();
    let [guard] = guards[..] else { panic!("one family, one guard") };
    assert_eq!(guard.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.2", "10.0.0.3"]);
    assert_eq!(guard.mark, 51820);
}

#[test]
fn the_table_decides_where_routes_go() {
    let peers = ["AllowedIPs = 0.0.0.0/0, 192.0.2.0/24"];
    let table = [
        (1, "Table = off", 0, vec![]),
        (
            2,
            "Table = 7",
            0,
            vec!["ip -4 route add 192.0.2.0/24 dev wg0 table 7", "ip -4 route add 0.0.0.0/0 dev wg0 table 7"],
        ),
        (
            3,
            "Table = office\nFwMark = 9",
            9,
            vec!["ip -4 route add 192.0.2.0/24 dev wg0 table office", "ip -4 route add 0.0.0.0/0 dev wg0 table office"],
        ),
    ];
    for (number, interface, mark, expected) in table {
        let plan = Plan::up("wg0", &config(interface, &peers), &facts());
        let routes: Vec<_> = shown(&plan).0.into_iter().skip(2).collect();
        assert_eq!((routes, plan.mark), (expected.into_iter().map(str::to_owned).collect(), mark), "case {number}");
    }
}

#[test]
fn a_single_address_connects_nothing_in_ipv4() {
    let plan = Plan::up("wg0", &config("Address = 10.0.0.2, fd00::2", &["AllowedIPs = 10.0.0.2, fd00::2"]), &facts());
    let (does, _) = shown(&plan);
    assert_eq!(does.last().map(String::as_str), Some("ip -4 route add 10.0.0.2/32 dev wg0"));
}

/// Notes what is asked of it, and fails where it is told to.
#[derive(Default)]
struct Notes {
    done: Vec<String>,
    complaints: Vec<String>,
    fail_on: Vec<&'static str>,
    interrupt_after: Option<usize>,
}

impl Host for Notes {
    fn perform(&mut self, action: &Action) -> anyhow::Result<()> {
        let line = action.to_string().lines().next().unwrap_or_default().to_owned();
        if self.fail_on.contains(&line.as_str()) {
            bail!("no {line}");
        }
        self.done.push(line);
        Ok(())
    }

    fn complain(&mut self, fault: &anyhow::Error) {
        self.complaints.push(fault.to_string());
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt_after.is_some_and(|steps| self.done.len() >= steps)
    }
}

fn everything() -> Plan {
    let interface = "Address = 10.0.0.2/32\nDNS = 10.0.0.1\nPreUp = pre\nPostUp = post";
    Plan::up("wg0", &config(interface, &["AllowedIPs = 0.0.0.0/0, ::/0"]), &facts())
}

#[test]
fn whatever_step_fails_the_ones_before_are_undone_in_reverse() {
    let plan = everything();
    for failing in 0..=plan.steps.len() {
        let mut host = Notes { interrupt_after: Some(failing), ..Notes::default() };
        assert_eq!(carry_out(&plan, &mut host).expect_err("interrupted").to_string(), "interrupted");
        let undone: Vec<_> = plan.steps[..failing]
            .iter()
            .rev()
            .filter_map(Step::undoes)
            .map(|action| action.to_string().lines().next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(host.done[failing..], undone, "after {failing} steps");
    }
}

#[test]
fn a_fault_is_what_the_user_reads_even_when_undoing_fails_too() {
    let mut host = Notes { fail_on: vec!["post", "resolvconf -d tun.wg0 -f"], ..Notes::default() };
    assert_eq!(carry_out(&everything(), &mut host).expect_err("fails").to_string(), "no post");
    assert_eq!(host.complaints, ["no resolvconf -d tun.wg0 -f"]);
    assert_eq!(host.done.last().map(String::as_str), Some("# delete the interface, which ends the tunnel"));
}

#[test]
fn a_plan_without_faults_is_done_and_undone() {
    let plan = everything();
    let mut host = Notes::default();
    carry_out(&plan, &mut host).expect("nothing fails");
    assert_eq!(host.done, shown(&plan).0);
    host.done.clear();
    assert!(take_down(&plan.steps, &mut host));
    assert_eq!(host.done, shown(&plan).1);
}
