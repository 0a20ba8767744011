//! Texts that are accepted: what they mean, told by the text that is written for it, and what is said about them.
use super::{says_nothing_of_keys, shown, with_keys, without_keys};
use crate::config::{Endpoint, parse, write};
use std::string::ToString;

/// A text, the text written for what it means, the warnings; `check` puts one head before both texts.
type Row = (&'static str, &'static str, &'static [&'static str]);

fn check(head: &str, rows: &[Row]) {
    for (i, (text, canonical, warnings)) in rows.iter().enumerate() {
        let text = with_keys(&[head, text].concat());
        let parsed = parse(&text);
        assert_eq!(shown(&parsed), *warnings, "row {i}: {text}");
        let config = parsed.config.unwrap();
        assert_eq!(without_keys(&write(&config)), [head, canonical].concat(), "row {i}: {text}");
        assert_eq!(parse(&write(&config)).config, Some(config), "row {i}: does not round-trip");
        says_nothing_of_keys(&text);
    }
}

/// What rows of the `[Interface]` section stand behind.
const I: &str = "[Interface]\nPrivateKey = %priv%\n";
/// What rows of a `[Peer]` section stand behind.
const P: &str = "[Interface]\nPrivateKey = %priv%\n\n[Peer]\nPublicKey = %a%\n";

#[test]
fn shape_of_the_text() {
    check(
        "",
        &[
            // 0: nothing at all
            ("", "[Interface]\n", &["1:1: warning: no PrivateKey: silent until one is set"]),
            // 1: the dialect of `wg setconf`, which may speak of peers only
            (
                "[Peer]\nPublicKey=%a%\nAllowedIPs=10.0.0.0/8",
                "[Interface]\n\n[Peer]\nPublicKey = %a%\nAllowedIPs = 10.0.0.0/8\n",
                &["1:1: warning: no PrivateKey: silent until one is set"],
            ),
            // 2: carriage returns and a byte order mark
            (
                "\u{feff}[Interface]\r\nPrivateKey = %priv%\r\nMTU = 1400\r\n",
                "[Interface]\nPrivateKey = %priv%\nMTU = 1400\n",
                &[],
            ),
            // 3: case and white space
            (
                " [ interFACE ]\n\tPRIVATEKEY\t=%priv%\n Listen Port= 5 1 8 2 0\n",
                "[Interface]\nPrivateKey = %priv%\nListenPort = 51820\n",
                &[],
            ),
            // 4: comments, also after values and sections
            (
                "# PrivateKey = x\n[Interface] # ours\nPrivateKey = %priv% # secret\n#[Peer]\n  # [Peer]\n",
                "[Interface]\nPrivateKey = %priv%\n",
                &[],
            ),
            // 5: sections in any order
            (
                "[Peer]\nPublicKey = %a%\n[Interface]\nPrivateKey = %priv%\n[Peer]\nPublicKey = %b%\n",
                "[Interface]\nPrivateKey = %priv%\n\n[Peer]\nPublicKey = %a%\n\n[Peer]\nPublicKey = %b%\n",
                &[],
            ),
            // 6: an all-zero private key is none
            (
                "[Interface]\nPrivateKey = %zero%\n",
                "[Interface]\n",
                &["1:1: warning: [Interface]: no PrivateKey: silent until one is set"],
            ),
            // 7: keys of other products and comments of other programs
            (
                "[Interface]\nPrivateKey = %priv%\n# NetShield = 1\n### begin phone ###\n#@ws:AllowedApps = a\n#\nblock dns = true\n",
                "[Interface]\nPrivateKey = %priv%\n",
                &["7:1: warning: BlockDNS in [Interface]: ignored, so names may be asked for outside the tunnel; \
                     in TunSafe: name servers outside the tunnel are blocked"],
            ),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn interface() {
    check(I, &[
        ("", "", &[]),
        ("ListenPort = 0", "ListenPort = 0\n", &[]),
        ("ListenPort = 65535", "ListenPort = 65535\n", &[]),
        ("FwMark = off", "FwMark = 0x0\n", &[]),
        ("FwMark = OFF", "FwMark = 0x0\n", &[]),
        // 5
        ("FwMark = 51820", "FwMark = 0xca6c\n", &[]),
        ("FwMark = 0xFFffFFff", "FwMark = 0xffffffff\n", &[]),
        ("Address = 10.0.0.1", "Address = 10.0.0.1/32\n", &[]),
        ("Address = fd00::1", "Address = fd00::1/128\n", &[]),
        ("Address = 10.0.0.1/24", "Address = 10.0.0.1/24\n", &[]),
        // 10
        ("Address = 10.0.0.1/24,fd00::1/64", "Address = 10.0.0.1/24, fd00::1/64\n", &[]),
        ("Address = 10.0.0.1/24\nAddress = 10.0.1.1/24 10.0.2.1/24", "Address = 10.0.0.1/24, 10.0.1.1/24, 10.0.2.1/24\n", &[]),
        ("Address = 10.0.0.1,", "Address = 10.0.0.1/32\n", &["3:20: warning: Address in [Interface]: empty place in the list, ignored"]),
        ("Address =", "", &["3:10: warning: Address in [Interface]: has no value, ignored"]),
        ("DNS = 1.1.1.1, 2606:4700::1111", "DNS = 1.1.1.1, 2606:4700::1111\n", &[]),
        // 15
        ("DNS = corp.example, 9.9.9.9, ~.\nDNS = ~lab", "DNS = 9.9.9.9\nDNS = corp.example, ~., ~lab\n", &[]),
        ("DNS = corp.example", "DNS = corp.example\n", &["3:7: warning: DNS in [Interface]: names are domains to search; there is no name server"]),
        ("MTU = 68", "MTU = 68\n", &[]),
        ("MTU = 65535", "MTU = 65535\n", &[]),
        ("MTU = 0", "", &["3:7: warning: MTU in [Interface]: 0 is taken for not given"]),
        // 20
        ("MTU = 1279\nAddress = fd00::1/64", "Address = fd00::1/64\nMTU = 1279\n", &["3:7: warning: MTU in [Interface]: IPv6 needs at least 1280"]),
        ("MTU = 1279\nAddress = 10.0.0.1", "Address = 10.0.0.1/32\nMTU = 1279\n", &[]),
        ("MTU = 1400\nMTU = 1300", "MTU = 1300\n", &["4:1: warning: MTU in [Interface]: given before on line 3; the last one counts"]),
        ("Table = off", "Table = off\n", &[]),
        ("Table = auto", "", &[]),
        // 25
        ("Table = 51820", "Table = 51820\n", &[]),
        ("Table = vpn_2", "Table = vpn_2\n", &[]),
        ("Table =", "", &["3:8: warning: Table in [Interface]: has no value, ignored"]),
        ("SaveConfig = True", "SaveConfig = true\n", &[]),
        ("SaveConfig = false", "", &[]),
        // 30: a command keeps what the shell would call a comment
        ("PostUp = iptables -A x -m comment --comment \"a#b\" # on", "PostUp = iptables -A x -m comment --comment \"a#b\" # on\n", &[]),
        ("PostUp = a\nPreUp = b\nPostUp = c\nPostDown = d\nPreDown = e=f", "PreUp = b\nPostUp = a\nPostUp = c\nPreDown = e=f\nPostDown = d\n", &[]),
        ("PostUp =", "", &["3:9: warning: PostUp in [Interface]: has no value, ignored"]),
        ("KillSwitch = ON", "KillSwitch = on\n", &["3:14: warning: KillSwitch in [Interface]: only on Linux: nothing here carries it out"]),
        ("ExcludeUser = alice, 1000\nExcludeCgroup = system.slice/a.service", "ExcludeUser = alice, 1000\nExcludeCgroup = system.slice/a.service\n", &[
            "3:15: warning: ExcludeUser in [Interface]: only on Linux: nothing here carries it out",
            "4:17: warning: ExcludeCgroup in [Interface]: only on Linux: nothing here carries it out",
        ]),
        ("IncludedApplications = org.a, org.b\nIncludedApplications = org.c", "IncludedApplications = org.a, org.b, org.c\n", &[]),
        ("ExcludedApplications = C:\\Program Files\\a.exe", "ExcludedApplications = C:\\Program Files\\a.exe\n", &[]),
        // 35
        ("jc = 4", "Jc = 4\n", &["3:6: warning: Jc in [Interface]: AmneziaWG's settings do not work yet: datagrams can be told to be WireGuard's, and a peer that insists will not answer"]),
        ("H1 = 5-9\nHeaderProtectionKey = %psk%", "H1 = 5-9\nHeaderProtectionKey = %psk%\n", &[
            "3:6: warning: H1 in [Interface]: AmneziaWG's settings do not work yet: datagrams can be told to be WireGuard's, and a peer that insists will not answer",
            "4:23: warning: HeaderProtectionKey in [Interface]: AmneziaWG's settings do not work yet: datagrams can be told to be WireGuard's, and a peer that insists will not answer",
        ]),
        ("I1 = <b 0xc1><r 12>", "I1 = <b 0xc1><r 12>\n", &["3:6: warning: I1 in [Interface]: AmneziaWG's settings do not work yet: datagrams can be told to be WireGuard's, and a peer that insists will not answer"]),
        ("I2 =", "", &["3:5: warning: I2 in [Interface]: has no value, ignored"]),
    ]);
}

/// Other ways to write a value, which `wg` takes, or `ip` behind wg-quick.
#[test]
#[rustfmt::skip]
fn other_ways_to_write_a_value() {
    check(I, &[
        ("Table = 0xCA6C", "Table = 51820\n", &[]),
        ("Table = 010", "Table = 8\n", &[]),
        ("Table = 0", "Table = 0\n", &[]),
        ("Address = 10.0.0.1/255.255.255.0", "Address = 10.0.0.1/24\n", &[]),
        ("DNS = fe80::1%eth0 ::1, fe80::2%3", "DNS = fe80::1%eth0, ::1, fe80::2%3\n", &[
            "3:7: warning: DNS in [Interface]: only on Linux: nothing here carries it out",
            "3:25: warning: DNS in [Interface]: only on Linux: nothing here carries it out",
        ]),
        // 5: the section goes on
        ("[Interface]\nMTU = 1400", "MTU = 1400\n", &["3:1: warning: [Interface]: second [Interface]; it goes on with the first, on line 1"]),
    ]);
    check(P, &[
        ("Endpoint = 192.0.2.1:0", "Endpoint = 192.0.2.1:0\n", &[]),
    ]);
}

/// A peer of one line in a tunnel with this table: the endpoint in the allowed IPs of another peer.
#[test]
fn where_routes_go_decides_whether_an_endpoint_lies_in_them() {
    let rows = [
        ("auto", "192.0.2.0/24", true),
        ("auto", "0.0.0.0/0", false),
        ("off", "192.0.2.0/24", false),
        ("51820", "0.0.0.0/0", false),
        ("254", "0.0.0.0/0", true),
        ("main", "0.0.0.0/0", true),
    ];
    for (i, (table, allowed, is_warned)) in rows.into_iter().enumerate() {
        let peers = "[Peer]\nPublicKey = %a%\nEndpoint = 192.0.2.7:5\n[Peer]\nPublicKey = %b%\nAllowedIPs = ";
        let text = with_keys(&[I, "Table = ", table, "\n", peers, allowed].concat());
        let warning = "6:12: warning: Endpoint in [Peer]: lies in what line 9 routes into the tunnel: \
                       its own datagrams would go there too";
        assert_eq!(shown(&parse(&text)), [warning].repeat(is_warned.into()), "row {i}");
    }
}

/// The Linux implementation takes it and stays silent.
#[test]
fn a_peer_of_zeros_is_warned_of() {
    let text = with_keys(&[I, "[Peer]\nPublicKey = %zero%\nAllowedIPs = 10.0.0.0/8\n"].concat());
    let parsed = parse(&text);
    let warning = "4:13: warning: PublicKey in [Peer]: all zeros is nobody's key; the peer stays silent";
    assert_eq!(shown(&parsed), [warning]);
    let config = parsed.config.unwrap();
    assert_eq!(config.tunnel.peers[0].public_key.as_bytes(), &[0; 32]);
    assert_eq!(parse(&write(&config)).config, Some(config));
}

#[test]
#[rustfmt::skip]
fn peer() {
    check(P, &[
        ("", "", &[]),
        ("PresharedKey = %psk%", "PresharedKey = %psk%\n", &[]),
        ("PresharedKey = %zero%", "PresharedKey = %zero%\n", &[]),
        ("PersistentKeepalive = off", "", &[]),
        ("PersistentKeepalive = 65535", "PersistentKeepalive = 65535\n", &[]),
        // 5
        ("AllowedIPs =", "", &[]),
        ("AllowedIPs = 0.0.0.0/0, ::/0", "AllowedIPs = 0.0.0.0/0, ::/0\n", &[]),
        ("AllowedIPs = 10.0.0.1\nAllowedIPs = fd00::1\nAllowedIPs =", "AllowedIPs = 10.0.0.1/32, fd00::1/128\n", &[]),
        ("AllowedIPs = 10.0.0.1/8", "AllowedIPs = 10.0.0.0/8\n", &["6:14: warning: AllowedIPs in [Peer]: bits behind the prefix are ignored"]),
        ("AllowedIPs = 1.0.0.0/8,, 2.0.0.0/8,", "AllowedIPs = 1.0.0.0/8, 2.0.0.0/8\n", &["6:24: warning: AllowedIPs in [Peer]: empty place in the list, ignored"]),
        // 10: changes to the allowed IPs there are, which are those of the section so far
        ("AllowedIPs = +1.0.0.0/8, -2.0.0.0/8", "AllowedIPs = 1.0.0.0/8\n", &[]),
        ("AllowedIPs = 1.0.0.0/8, -2.0.0.0/8", "AllowedIPs = 1.0.0.0/8\n", &[]),
        ("AllowedIPs = -1.0.0.0/8\nAllowedIPs = 2.0.0.0/8, 1.0.0.0/8", "AllowedIPs = 2.0.0.0/8, 1.0.0.0/8\n", &[]),
        ("AllowedIPs = 1.0.0.0/8, 3.0.0.0/8, -1.0.0.0/8\nAllowedIPs = 2.0.0.0/8", "AllowedIPs = 3.0.0.0/8, 2.0.0.0/8\n", &[]),
        ("Endpoint = 192.0.2.1:51820", "Endpoint = 192.0.2.1:51820\n", &[]),
        // 15
        ("Endpoint = [2001:db8::1]:51820", "Endpoint = [2001:db8::1]:51820\n", &[]),
        ("Endpoint = [fe80::1%3]:1", "Endpoint = [fe80::1%3]:1\n", &[]),
        ("Endpoint = [fe80::1%eth0]:1", "Endpoint = [fe80::1%eth0]:1\n", &[]),
        ("Endpoint = 2001:db8::1:51820", "Endpoint = [2001:db8::1]:51820\n", &["6:12: warning: Endpoint in [Peer]: IPv6 address without brackets; the last number is taken for the port"]),
        ("Endpoint = vpn.example.com:443", "Endpoint = vpn.example.com:443\n", &[]),
        // 20
        ("Endpoint = [vpn.example.com]:443", "Endpoint = vpn.example.com:443\n", &[]),
        ("Endpoint = my_host.:00443", "Endpoint = my_host.:443\n", &[]),
        ("Endpoint = a:1\nEndpoint = b:2", "Endpoint = b:2\n", &["7:1: warning: Endpoint in [Peer]: given before on line 6; the last one counts"]),
        ("DisallowedIPs = 10.0.0.0/8", "", &["6:1: warning: DisallowedIPs in [Peer]: ignored; in WireSock: networks that stay outside the tunnel"]),
        ("PresharedKeyFile = /x", "", &["6:1: warning: PresharedKeyFile in [Peer]: ignored, so no preshared key comes from it; in systemd-networkd: the file that holds the preshared key"]),
        // 25: where an endpoint lies in what is routed into the tunnel, the most specific route is named
        ("AllowedIPs = 192.0.2.0/24, 192.0.2.1\nEndpoint = 192.0.2.1:1", "AllowedIPs = 192.0.2.0/24, 192.0.2.1/32\nEndpoint = 192.0.2.1:1\n", &["7:12: warning: Endpoint in [Peer]: lies in what line 6 routes into the tunnel: its own datagrams would go there too"]),
        ("AllowedIPs = 0.0.0.0/1, 128.0.0.0/1, ::/0\nEndpoint = [2001:db8::1]:1", "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1, ::/0\nEndpoint = [2001:db8::1]:1\n", &[]),
        ("AllowedIPs = ::/0, 2001:db8::/32\nEndpoint = [2001:db8::1]:1", "AllowedIPs = ::/0, 2001:db8::/32\nEndpoint = [2001:db8::1]:1\n", &["7:12: warning: Endpoint in [Peer]: lies in what line 6 routes into the tunnel: its own datagrams would go there too"]),
        ("AllowedIPs = 0.0.0.0/0\nEndpoint = 192.0.2.1:1", "AllowedIPs = 0.0.0.0/0\nEndpoint = 192.0.2.1:1\n", &[]),
        ("AllowedIPs = 192.0.2.0/24\nEndpoint = 192.0.3.1:1", "AllowedIPs = 192.0.2.0/24\nEndpoint = 192.0.3.1:1\n", &[]),
        // 30: what is taken away is that network and no other, and only until it is listed again
        ("AllowedIPs = 1.0.0.0/8, 2.0.0.0/8, -1.0.0.0/8", "AllowedIPs = 2.0.0.0/8\n", &[]),
        ("AllowedIPs = +10.0.0.0/8, -10.1.0.0/16", "AllowedIPs = 10.0.0.0/8\n", &[]),
        ("AllowedIPs = 1.0.0.0/8\nAllowedIPs = -1.0.0.0/8", "", &[]),
        ("AllowedIPs = 1.0.0.0/8\nAllowedIPs = -1.0.0.0/8\nAllowedIPs = +1.0.0.0/8", "AllowedIPs = 1.0.0.0/8\n", &[]),
        ("AllowedIPs = 192.0.2.0/24\nAllowedIPs = -192.0.2.0/24\nEndpoint = 192.0.2.1:1", "Endpoint = 192.0.2.1:1\n", &[]),
    ]);
}

#[test]
fn several_peers() {
    const A: &str = "[Peer]\nPublicKey = %a%\nPersistentKeepalive = 5\nAllowedIPs = 10.0.0.1/32, 10.0.0.2/32\n";
    let rows = [
        // 0: an allowed IP of two peers
        (
            "[Peer]\nPublicKey = %b%\nAllowedIPs = 10.0.0.3, 10.0.0.2",
            "10:24: warning: AllowedIPs in [Peer]: another peer has it on line 6; the last one owns it",
            "%a% 10.0.0.1/32 10.0.0.2/32 5 | %b% 10.0.0.3/32 10.0.0.2/32 0",
        ),
        // 1: the same peer twice: none of its allowed IPs is lost, what the second does not say stays
        (
            "[Peer]\nPublicKey = %a%\nAllowedIPs = 10.0.0.2, 10.0.0.1, 10.0.0.9",
            "9:13: warning: PublicKey in [Peer]: same peer as on line 3; this section replaces what that one set",
            "%a% 10.0.0.2/32 10.0.0.1/32 10.0.0.9/32 5",
        ),
        // 2: the same peer twice, the second a change to the first
        (
            "[Peer]\nPublicKey = %a%\nAllowedIPs = +10.0.0.9, -10.0.0.1\nPersistentKeepalive = 7",
            "9:13: warning: PublicKey in [Peer]: same peer as on line 3; this section replaces what that one set",
            "%a% 10.0.0.2/32 10.0.0.9/32 7",
        ),
        // 3: the peer's last section gives its place
        (
            "[Peer]\nPublicKey = %b%\n[Peer]\nPublicKey = %a%\nAllowedIPs = +10.0.0.3",
            "11:13: warning: PublicKey in [Peer]: same peer as on line 3; this section replaces what that one set",
            "%b% 0 | %a% 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32 5",
        ),
        // 4: taken away again, an allowed IP is not shared
        ("[Peer]\nPublicKey = %b%\nAllowedIPs = 10.0.0.2, -10.0.0.2", "", "%a% 10.0.0.1/32 10.0.0.2/32 5 | %b% 0"),
        // 5: keepalives that the second section turns off
        (
            "[Peer]\nPublicKey = %a%\nAllowedIPs = +10.0.0.9\nPersistentKeepalive = off",
            "9:13: warning: PublicKey in [Peer]: same peer as on line 3; this section replaces what that one set",
            "%a% 10.0.0.1/32 10.0.0.2/32 10.0.0.9/32 0",
        ),
        // 6: ourselves
        (
            "[Peer]\nPublicKey = %own%",
            "9:13: warning: PublicKey in [Peer]: our own public key; the peer is ignored",
            "%a% 10.0.0.1/32 10.0.0.2/32 5 | %own% 0",
        ),
    ];
    for (i, (second, warning, expected)) in rows.into_iter().enumerate() {
        let text = with_keys(&[I, A, "\n", second].concat());
        let parsed = parse(&text);
        let warnings: std::vec::Vec<_> = Some(warning).filter(|warning| !warning.is_empty()).into_iter().collect();
        assert_eq!(shown(&parsed), warnings, "row {i}");
        let config = parsed.config.unwrap();
        let peer = |p: &crate::config::NewPeer| {
            let mut words = std::vec![p.public_key.to_base64()];
            words.extend(p.allowed_ips.iter().map(ToString::to_string));
            words.push(p.persistent_keepalive.to_string());
            words.join(" ")
        };
        let peers: std::vec::Vec<_> = config.tunnel.peers.iter().map(peer).collect();
        assert_eq!(without_keys(&peers.join(" | ")), expected, "row {i}");
        assert_eq!(parse(&write(&config)).config, Some(config), "row {i}: does not round-trip");
        says_nothing_of_keys(&text);
    }
}

#[test]
fn the_tunnel_gets_the_mtu() {
    assert_eq!(parse("[Interface]\nMTU=1300").config.unwrap().tunnel.mtu, 1300);
    assert_eq!(parse("[Interface]").config.unwrap().tunnel.mtu, crate::limits::DEFAULT_MTU);
}

#[test]
fn names_of_any_script_are_names() {
    let names = |name: &str| with_keys(&std::format!("[Peer]\nPublicKey = %a%\nEndpoint = {name}:1\n"));
    // The second has a virama in it, the mark of a consonant without vowel, which is no letter.
    for name in
        ["b\u{fc}cher.example", "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}.example", "\u{4f8b}\u{5b50}.example"]
    {
        let peers = parse(&names(name)).config.expect(name).tunnel.peers;
        assert_eq!(peers[0].endpoint, Some(Endpoint::Name { host: name.to_string(), port: 1 }));
    }
    for unseen in ['\u{7f}', '\u{ad}', '\u{9d}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e0020}'] {
        let said = shown(&parse(&names(&std::format!("a{unseen}b"))));
        let fault = "3:12: error: Endpoint in [Peer]: not the name of a host or domain";
        assert!(said.iter().any(|one| one == fault), "{unseen:?}: {said:?}");
    }
}

#[test]
fn names_with_line_ends_bring_in_no_keys() {
    let mut config = parse("[Interface]").config.unwrap();
    config.post_up.push("true\nPrivateKey = x".to_string());
    config.search_domains.push("a\nMTU = 1, #".to_string());
    config.table = crate::config::Table::Name("t\n[Peer]".to_string());
    assert_eq!(*write(&config), "[Interface]\nDNS = aMTU = 1 \nTable = t[Peer]\nPostUp = truePrivateKey = x\n");
}

#[test]
fn secrets_are_not_shown() {
    let text = with_keys(&[I, "H1 = 4711\n[Peer]\nPublicKey = %a%\nPresharedKey = %psk%\n"].concat());
    let shown = std::format!("{:?}", parse(&text).config.unwrap());
    for secret in ["%priv%", "%psk%"] {
        assert!(!shown.contains(&with_keys(secret)));
    }
    assert!(!shown.contains("4711") && shown.contains("PrivateKey(redacted)") && shown.contains("H1 = (redacted)"));
}
