//! Two peers of one gateway: each is ruled, and neither reaches the other unless a rule says so.
use super::*;
use crate::config::AllowedIp;

const OTHER: u8 = 3;

/// Two clients with sessions at one gateway.
fn three(rules: impl Fn(u8) -> Access) -> (Host, Host, Host) {
    let (first, mut gateway) = pair();
    let mut second = host(OTHER, OFFICE);
    let network = |last: u8| std::format!("10.0.0.{last}/32").parse().expect("a network");
    let peer = NewPeer { allowed_ips: vec![network(OTHER)], ..NewPeer::new(key(OTHER)) };
    change(&mut gateway, Change::Peer(peer.into()));
    let id = only(&second);
    second.tunnel.connect(NOW, id);
    assert_eq!(exchange(NOW, &mut second, &mut gateway), 3);
    let mut both = [first, second];
    for (host, (own, others)) in both.iter_mut().zip([(CLIENT, OTHER), (OTHER, CLIENT)]) {
        let routes = [OFFICE, others].map(|last| AllowedIp::from(network(last))).into();
        let routes = PeerChange { allowed_ips: routes, ..PeerChange::new(key(OFFICE)) };
        change(host, Change::Peer(routes));
        change(&mut gateway, Change::Access { peer: key(own), access: rules(own) });
    }
    let [first, second] = both;
    (first, second, gateway)
}

/// A packet of the first client arrives, and the host's side gives it to the tunnel again.
fn forward(from: &mut Host, gateway: &mut Host, packet: Packet) -> Result<(), Given> {
    match up(NOW, from, gateway, packet.clone()) {
        Got::Packet(_) => down(NOW, gateway, packet),
        Got::Dropped(reason) => Err(Given::Dropped(reason)),
        other => panic!("{other:?}"),
    }
}

fn access(rules: Vec<Rule>) -> Access {
    Access::Ruled(SessionConfig { rules: rules.into(), ..SessionConfig::default() })
}

#[test]
fn peers_do_not_reach_each_other_unless_a_rule_says_so() {
    let denied = Err(Given::Dropped(DropReason::Denied));
    let (mut first, mut second, mut gateway) = three(|_| access(vec![allow(1)]));
    assert_eq!(forward(&mut first, &mut gateway, udp((CLIENT, 5), (OTHER, 5))), denied);
    assert_eq!(forward(&mut second, &mut gateway, udp((OTHER, 5), (CLIENT, 5))), denied);
    assert_eq!(up(NOW, &mut first, &mut gateway, udp((CLIENT, 5), (OFFICE, 5))), Got::Packet(36));
    // One may begin; the other answers, and begins nothing.
    let change_to = access(vec![Rule { peers: true, ..allow(1) }]);
    change(&mut gateway, Change::Access { peer: key(CLIENT), access: change_to });
    assert_eq!(forward(&mut first, &mut gateway, udp((CLIENT, 5), (OTHER, 5))), Ok(()));
    assert_eq!(forward(&mut second, &mut gateway, udp((OTHER, 5), (CLIENT, 5))), Ok(()));
    assert_eq!(forward(&mut second, &mut gateway, udp((OTHER, 6), (CLIENT, 6))), denied);
    // The lock of either ends the flow for both.
    change(&mut gateway, Change::Access { peer: key(OTHER), access: Access::Locked });
    assert_eq!(gateway.tunnel.footprint().flows, 1, "that to the office is left");
}

/// A peer that nobody rules begins nothing towards one that is ruled, but answers.
#[test]
fn an_open_peer_beside_a_ruled_one() {
    let rules = |number| if number == CLIENT { access(vec![Rule { peers: true, ..allow(1) }]) } else { Access::Open };
    let (mut first, mut second, mut gateway) = three(rules);
    let denied = Err(Given::Dropped(DropReason::Denied));
    assert_eq!(forward(&mut second, &mut gateway, udp((OTHER, 5), (CLIENT, 5))), denied);
    assert_eq!(forward(&mut first, &mut gateway, udp((CLIENT, 5), (OTHER, 5))), Ok(()));
    assert_eq!(forward(&mut second, &mut gateway, udp((OTHER, 5), (CLIENT, 5))), Ok(()));
}
