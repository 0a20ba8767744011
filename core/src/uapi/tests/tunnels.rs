//! What is set in a tunnel is what is got from it.
use super::{with_keys, without_keys};
use crate::config::{self, Change, PeerChange, TunnelConfig};
use crate::crypto::Rng;
use crate::error::NoRandomness;
use crate::limits::{HEADROOM, TAILROOM};
use crate::stats::DropReason;
use crate::time::{Instant, UnixTime};
use crate::tunnel::{Outbound, PacketBuf, Tunnel};
use crate::uapi::{HostState, parse_set, write_get};
use core::time::Duration;
use std::boxed::Box;
use std::string::String;

/// No handshake is made here, so any bytes do.
struct Counter(u8);
impl Rng for Counter {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        dest.fill_with(|| {
            self.0 = self.0.wrapping_add(1);
            self.0
        });
        Ok(())
    }
}

fn tunnel(config: TunnelConfig) -> Tunnel {
    Tunnel::new(config, Box::new(Counter(0)), Instant::ZERO, UnixTime::from_secs(1_700_000_000)).unwrap()
}

fn got(tunnel: &Tunnel) -> String {
    let mut text = String::new();
    write_get(tunnel, &HostState { listen_port: 51820, fwmark: 0 }, &mut text).unwrap();
    without_keys(&text)
}

/// A peer as it is got before anything was sent or received.
fn quiet(key: &str, psk: &str, endpoint: &str, keepalive: &str, allowed: &str) -> String {
    let endpoint = if endpoint.is_empty() { String::new() } else { ["endpoint=", endpoint, "\n"].concat() };
    let allowed: String = allowed.split_whitespace().map(|net| ["allowed_ip=", net, "\n"].concat()).collect();
    [
        "public_key=",
        key,
        "\npreshared_key=",
        psk,
        "\nprotocol_version=1\n",
        &endpoint,
        "last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\npersistent_keepalive_interval=",
        keepalive,
        "\n",
        &allowed,
    ]
    .concat()
}

#[test]
fn an_empty_tunnel() {
    assert_eq!(got(&tunnel(TunnelConfig::default())), "listen_port=51820\n");
}

/// The control channel is no allowed IP, and no word of `wg` is about it: it sees what it always saw.
#[cfg(feature = "control")]
#[test]
fn wg_sees_nothing_of_the_control_channel() {
    let mut tunnel = tunnel(TunnelConfig::default());
    let request = parse_set(&with_keys("private_key=%priv%\npublic_key=%a%\nallowed_ip=10.0.0.0/8\n")).expect("sound");
    tunnel.configure(Instant::ZERO, &request.changes).expect("sound");
    let (before, peer) = (got(&tunnel), *tunnel.peers().next().expect("one").public_key());
    for role in [config::ControlRole::Gateway, config::ControlRole::Client { gateway: peer }] {
        let changes = [Change::Control(role), Change::Access { peer, access: config::Access::Locked }];
        tunnel.configure(Instant::ZERO, &changes).expect("sound");
        assert_eq!((got(&tunnel), tunnel.footprint().allowed_ips), (before.clone(), 1), "{role:?}");
    }
    // Peers that it replaces are locked at a gateway: it cannot say who has logged in.
    tunnel.configure(Instant::ZERO, &[Change::Control(config::ControlRole::Gateway)]).expect("sound");
    let request = parse_set(&with_keys("replace_peers=true\npublic_key=%a%\nallowed_ip=10.0.0.0/8\n")).expect("sound");
    tunnel.configure(Instant::ZERO, &request.changes).expect("sound");
    assert_eq!(tunnel.peers().next().map(|peer| peer.access()), Some(config::Access::Locked));
    assert_eq!(got(&tunnel), before);
}

#[test]
fn each_request_changes_what_it_says() {
    let mut tunnel = tunnel(TunnelConfig::default());
    let head = "private_key=%priv%\nlisten_port=51820\n";
    let b = "public_key=%b%\nreplace_allowed_ips=true\n";
    let rows = [
        // 0: as `wg setconf` sends it
        (
            "private_key=%priv%\nlisten_port=0\nfwmark=0\nreplace_peers=true\npublic_key=%a%\npreshared_key=%psk%\n\
             endpoint=[2001:db8::1]:7\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\n",
            quiet("%a%", "%psk%", "[2001:db8::1]:7", "0", "10.0.0.0/8 fd00::/8"),
        ),
        (
            "public_key=%a%\nupdate_only=true\nallowed_ip=-10.0.0.0/8\nallowed_ip=11.0.0.1/8\n",
            quiet("%a%", "%psk%", "[2001:db8::1]:7", "0", "fd00::/8 11.0.0.0/8"),
        ),
        (
            "public_key=%b%\nupdate_only=true\nallowed_ip=0.0.0.0/0\n",
            quiet("%a%", "%psk%", "[2001:db8::1]:7", "0", "fd00::/8 11.0.0.0/8"),
        ),
        (
            "public_key=%a%\npreshared_key=%zero%\nreplace_allowed_ips=true\nendpoint=192.0.2.1:9\n",
            quiet("%a%", "%zero%", "192.0.2.1:9", "0", ""),
        ),
        (b, [quiet("%a%", "%zero%", "192.0.2.1:9", "0", ""), quiet("%b%", "%zero%", "", "0", "")].concat()),
        // 5
        ("public_key=%a%\nremove=true\n", quiet("%b%", "%zero%", "", "0", "")),
        ("replace_peers=true\n", String::new()),
    ];
    for (i, (request, peers)) in rows.into_iter().enumerate() {
        let request = parse_set(&with_keys(request)).unwrap();
        tunnel.configure(Instant::ZERO, &request.changes).unwrap();
        assert_eq!(got(&tunnel), [head, &peers].concat(), "row {i}");
    }
}

#[test]
fn a_request_with_a_low_order_key_is_refused_whole() {
    let mut tunnel = tunnel(TunnelConfig::default());
    let request = parse_set(&with_keys("private_key=%priv%\npublic_key=%a%\npublic_key=%one%\n")).unwrap();
    assert!(tunnel.configure(Instant::ZERO, &request.changes).is_err());
    assert_eq!(got(&tunnel), "listen_port=51820\n");
}

/// As the Linux implementation has it: such a peer is configured and shown, and there is no handshake with it.
#[test]
fn a_peer_of_zeros_is_kept_and_stays_silent() {
    const KEEPALIVE: Duration = Duration::from_secs(5);
    let mut tunnel = tunnel(TunnelConfig::default());
    let set = "private_key=%priv%\npublic_key=%zero%\nendpoint=192.0.2.1:5\nallowed_ip=10.0.0.0/8\n\
               persistent_keepalive_interval=5\n";
    tunnel.configure(Instant::ZERO, &parse_set(&with_keys(set)).unwrap().changes).unwrap();
    let quiet = quiet("%zero%", "%zero%", "192.0.2.1:5", "5", "10.0.0.0/8");
    assert_eq!(got(&tunnel), ["private_key=%priv%\nlisten_port=51820\n", &quiet].concat());
    let (mut now, mut buf, mut packets) = (Instant::ZERO, [0; 2048], 0);
    while now < Instant::ZERO + Duration::from_secs(3600) {
        // Now and then somebody writes to it.
        if packets % 7 == 0 {
            let mut memory = [0; HEADROOM + 20 + TAILROOM];
            memory[HEADROOM..HEADROOM + 20]
                .copy_from_slice(&[0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 9, 10, 0, 0, 1]);
            let packet = PacketBuf { buf: &mut memory, packet: HEADROOM..HEADROOM + 20 };
            assert!(matches!(tunnel.handle_packet(now, packet), Outbound::Staged));
        }
        packets += 1;
        assert_eq!(tunnel.poll_transmit(now, &mut buf), Ok(None), "nothing leaves");
        let next = tunnel.poll_timeout().unwrap();
        assert!(next >= now + KEEPALIVE, "{next:?} is too soon after {now:?}");
        now = next;
        tunnel.handle_timeout(now);
    }
    let peer = tunnel.peers().next().unwrap();
    assert!(tunnel.stats().drops.of(DropReason::LowOrderKey) >= packets, "each attempt is counted");
    assert_eq!(peer.latest_handshake(), None);
    assert_eq!(got(&tunnel), ["private_key=%priv%\nlisten_port=51820\n", &quiet].concat());
}

#[test]
fn wg_quick_text_and_the_protocol_say_the_same() {
    let set = "private_key=%priv%\nreplace_peers=true\npublic_key=%a%\npreshared_key=%psk%\nendpoint=192.0.2.1:5\n\
               persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\n";
    let quick = "[Interface]\nPrivateKey = UHbUZDhg+Sq27KAGnDJjMdRaIrnUYUuxwBagzgl1/08=\n\
                 [Peer]\nPublicKey = fWoX8qwc/e/mawb2xv6F6UoI/EeIcOz6jjJeiMtkvA0=\n\
                 PresharedKey = EHbS/QT9cPho9+gAZYQ1azm+VNLQhlqYe+qcJX00bcI=\nEndpoint = 192.0.2.1:5\n\
                 AllowedIPs = 10.0.0.0/8, ::/0\nPersistentKeepalive = 25\n";
    let parsed = config::parse(quick);
    assert!(parsed.diagnostics.is_empty());
    let config = parsed.config.unwrap().tunnel;
    let changes = parse_set(&with_keys(set)).unwrap().changes;
    let by_text =
        PeerChange { pin_endpoint: None, user: None, timestamp_floor: None, ..config.peers[0].clone().into() };
    assert_eq!(changes[2], Change::Peer(by_text), "but for what neither can say");
    let mut by_protocol = tunnel(TunnelConfig::default());
    by_protocol.configure(Instant::ZERO, &changes).unwrap();
    assert_eq!(got(&tunnel(config)), got(&by_protocol));
}
