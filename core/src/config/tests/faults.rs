//! Texts that are refused, each with the place and the reason.
use super::{says_nothing_of_keys, shown, with_keys};
use crate::config::{Severity, parse};
use std::string::ToString;
use std::vec::Vec;

fn check(head: &str, rows: &[(&str, &[&str])]) {
    for (i, (text, expected)) in rows.iter().enumerate() {
        let text = with_keys(&[head, text].concat());
        let parsed = parse(&text);
        let errors = parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        assert_eq!(errors.map(ToString::to_string).collect::<Vec<_>>(), *expected, "row {i}: {text}");
        assert!(parsed.config.is_none(), "row {i}: {text}");
        says_nothing_of_keys(&text);
    }
}

#[test]
fn shape_of_the_text() {
    check(
        "",
        &[
            ("[Interface]\nPrivateKey", &["2:1: error: [Interface]: expected `key = value`"]),
            ("[Interface]\n  %priv", &["2:3: error: [Interface]: expected `key = value`"]),
            ("[Interface]\n = 5", &["2:1: error: [Interface]: expected `key = value`"]),
            ("[Interface]\n; PrivateKey", &["2:1: error: [Interface]: expected `key = value`"]),
            ("[Interface", &["1:1: error: expected `[Interface]` or `[Peer]` alone on the line"]),
            // 5
            ("  [Peer] PublicKey = %a%", &["1:3: error: expected `[Interface]` or `[Peer]` alone on the line"]),
            (
                "[Peers]\nPublicKey = %a%\nAnything\n",
                &["1:1: error: no such section: expected `[Interface]` or `[Peer]`"],
            ),
            ("[]", &["1:1: error: no such section: expected `[Interface]` or `[Peer]`"]),
            ("PrivateKey = %priv%", &["1:1: error: PrivateKey: stands before the first section"]),
            ("%psk%", &["1:1: error: stands before the first section"]),
            // 10
            (
                "[Interface]\n[Interface]\nMTU = 9",
                &["3:7: error: MTU in [Interface]: expected a number from 68 to 65535"],
            ),
            ("[Interface]\nEndpoint = a:1", &["2:1: error: Endpoint in [Interface]: belongs into [Peer]"]),
            (
                "[Peer]\nPublicKey = %a%\nAddress = 10.0.0.1\njc = 5",
                &[
                    "3:1: error: Address in [Peer]: belongs into [Interface]",
                    "4:1: error: Jc in [Peer]: belongs into [Interface]",
                ],
            ),
            // 13: all at once, in the order of the text
            (
                "ListenPort = 1\n[Interface]\nMTU = 9\nDNS = 1.1.1, ok, -x\n[Peer]\nAllowedIPs = x/8, 10.0.0.0/33\n",
                &[
                    "1:1: error: ListenPort: stands before the first section",
                    "3:7: error: MTU in [Interface]: expected a number from 68 to 65535",
                    "4:7: error: DNS in [Interface]: not an IP address",
                    "4:18: error: DNS in [Interface]: not the name of a host or domain",
                    "5:1: error: [Peer]: peer has no PublicKey",
                    "6:14: error: AllowedIPs in [Peer]: not an IP address",
                    "6:19: error: AllowedIPs in [Peer]: expected a prefix length from 0 to 32",
                ],
            ),
        ],
    );
}

#[test]
#[rustfmt::skip]
fn interface() {
    check("[Interface]\n", &[
        ("PrivateKey =", &["2:13: error: PrivateKey in [Interface]: has no value"]),
        ("PrivateKey = # %priv%", &["2:13: error: PrivateKey in [Interface]: has no value"]),
        ("PrivateKey = %priv%=", &["2:14: error: PrivateKey in [Interface]: key has the wrong length"]),
        ("PrivateKey = é%priv%", &["2:14: error: PrivateKey in [Interface]: key has the wrong length"]),
        ("PrivateKey = ?B3fBmkAd%&/()=!AQEBAQEBAQEBAQEBAQEBAQEBAQE=", &["2:14: error: PrivateKey in [Interface]: key is not correctly encoded"]),
        // 5
        ("ListenPort = 65536", &["2:14: error: ListenPort in [Interface]: expected a number from 0 to 65535"]),
        ("ListenPort = +1", &["2:14: error: ListenPort in [Interface]: expected a number from 0 to 65535"]),
        ("ListenPort = http", &["2:14: error: ListenPort in [Interface]: expected a number from 0 to 65535"]),
        ("FwMark = 0x", &["2:10: error: FwMark in [Interface]: expected a number up to 0xffffffff, or `off`"]),
        ("FwMark = 0x+1", &["2:10: error: FwMark in [Interface]: expected a number up to 0xffffffff, or `off`"]),
        // 10
        ("FwMark = 0x100000000", &["2:10: error: FwMark in [Interface]: expected a number up to 0xffffffff, or `off`"]),
        ("FwMark = -1", &["2:10: error: FwMark in [Interface]: expected a number up to 0xffffffff, or `off`"]),
        ("FwMark = 0XCA6C", &["2:10: error: FwMark in [Interface]: expected a number up to 0xffffffff, or `off`"]),
        ("FwMark = 4294967296", &["2:10: error: FwMark in [Interface]: expected a number up to 0xffffffff, or `off`"]),
        ("Address = 10.0.0.1/33", &["2:11: error: Address in [Interface]: expected a prefix length from 0 to 32"]),
        ("Address = fd00::1/129", &["2:11: error: Address in [Interface]: expected a prefix length from 0 to 128"]),
        // 15
        ("Address = 10.0.0.1, 10.0.0.256", &["2:21: error: Address in [Interface]: not an IP address"]),
        ("Address = 10.0.0.1/", &["2:11: error: Address in [Interface]: expected a prefix length from 0 to 32"]),
        ("Address = 10.0.0.1/ 8", &["2:11: error: Address in [Interface]: expected a prefix length from 0 to 32", "2:21: error: Address in [Interface]: not an IP address"]),
        ("DNS = 10.0.0.1%eth0, fe80::1%, fe80::1%a=b, fe80::1%sixteen-letters.", &[
            "2:7: error: DNS in [Interface]: not the name of a host or domain",
            "2:22: error: DNS in [Interface]: not an IP address",
            "2:32: error: DNS in [Interface]: not an IP address",
            "2:45: error: DNS in [Interface]: not an IP address",
        ]),
        ("DNS = a..b", &["2:7: error: DNS in [Interface]: not the name of a host or domain"]),
        // 20
        ("MTU = 67", &["2:7: error: MTU in [Interface]: expected a number from 68 to 65535"]),
        ("MTU = 65536", &["2:7: error: MTU in [Interface]: expected a number from 68 to 65535"]),
        ("Table = a b", &["2:9: error: Table in [Interface]: expected `auto`, `off`, a number or the name of a table"]),
        ("Table = -x", &["2:9: error: Table in [Interface]: expected `auto`, `off`, a number or the name of a table"]),
        ("Table = 0x", &["2:9: error: Table in [Interface]: expected `auto`, `off`, a number or the name of a table"]),
        ("Table = 0x+1", &["2:9: error: Table in [Interface]: expected `auto`, `off`, a number or the name of a table"]),
        ("Table = 08", &["2:9: error: Table in [Interface]: expected `auto`, `off`, a number or the name of a table"]),
        ("Address = 10.0.0.1/255.0.255.0", &["2:11: error: Address in [Interface]: expected a prefix length from 0 to 32"]),
        ("Address = fd00::1/255.0.0.0", &["2:11: error: Address in [Interface]: expected a prefix length from 0 to 128"]),
        ("Table = 4294967296", &["2:9: error: Table in [Interface]: expected `auto`, `off`, a number or the name of a table"]),
        // 25
        ("SaveConfig = yes", &["2:14: error: SaveConfig in [Interface]: expected `true` or `false`"]),
        ("KillSwitch = yes", &["2:14: error: KillSwitch in [Interface]: expected `on`, `off` or `lan`"]),
        ("ExcludeUser = a b", &["2:15: error: ExcludeUser in [Interface]: neither the name nor the number of a user"]),
        ("OnlyCgroup = a/../b", &["2:14: error: OnlyCgroup in [Interface]: not the path of a control group"]),
        ("OnlyUser = ,", &["2:12: error: OnlyUser in [Interface]: has no value"]),
        ("ExcludeUser = a\nOnlyCgroup = b", &["3:14: error: [Interface]: programs are either kept out or let in alone; the other list is on line 2"]),
        ("SaveConfig =", &["2:13: error: SaveConfig in [Interface]: has no value"]),
        ("IncludedApplications = a\nExcludedApplications = b", &["3:24: error: ExcludedApplications in [Interface]: applications are either included or excluded; the other list is on line 2"]),
        ("ExcludedApplications = b\nIncludedApplications = a", &["3:24: error: IncludedApplications in [Interface]: applications are either included or excluded; the other list is on line 2"]),
        ("IncludedApplications = a, b\u{7}", &["2:27: error: IncludedApplications in [Interface]: not the name of an application"]),
    ]);
}

#[test]
#[rustfmt::skip]
fn peer() {
    check("[Peer]\nPublicKey = %a%\n", &[
        ("[Peer]", &["3:1: error: [Peer]: peer has no PublicKey"]),
        ("[Peer]\nPublicKey =", &["3:1: error: [Peer]: peer has no PublicKey", "4:12: error: PublicKey in [Peer]: has no value"]),
        ("[Peer]\nPublicKey = %one%", &["4:13: error: PublicKey in [Peer]: public key is a point of low order"]),
        ("[Peer]\nPublicKey = x", &["4:13: error: PublicKey in [Peer]: key has the wrong length"]),
        // 5
        ("PresharedKey =", &["3:15: error: PresharedKey in [Peer]: has no value"]),
        ("PresharedKey = %a%%b%", &["3:16: error: PresharedKey in [Peer]: key has the wrong length"]),
        ("AllowedIPs = 10.0.0.0/8 10.1.0.0/16", &["3:14: error: AllowedIPs in [Peer]: expected a prefix length from 0 to 32"]),
        ("AllowedIPs = +-10.0.0.0/8", &["3:14: error: AllowedIPs in [Peer]: not an IP address"]),
        ("AllowedIPs = 010.0.0.0/8", &["3:14: error: AllowedIPs in [Peer]: not an IP address"]),
        // 10
        ("AllowedIPs = any", &["3:14: error: AllowedIPs in [Peer]: not an IP address"]),
        ("AllowedIPs = ::/0,\t10.0.0.0/x", &["3:20: error: AllowedIPs in [Peer]: expected a prefix length from 0 to 32"]),
        ("Endpoint =", &["3:11: error: Endpoint in [Peer]: has no value"]),
        ("Endpoint = 192.0.2.1", &["3:12: error: Endpoint in [Peer]: endpoint has no port"]),
        ("Endpoint = 192.0.2.1:", &["3:12: error: Endpoint in [Peer]: endpoint has no port"]),
        // 15
        ("Endpoint = [::1]", &["3:12: error: Endpoint in [Peer]: endpoint has no port"]),
        ("Endpoint = [::1", &["3:12: error: Endpoint in [Peer]: `[` without `]`"]),
        ("Endpoint = [::1]51820", &["3:12: error: Endpoint in [Peer]: endpoint has no port"]),
        ("Endpoint = [::1%]:5", &["3:12: error: Endpoint in [Peer]: not an IP address"]),
        ("Endpoint = [::g]:5", &["3:12: error: Endpoint in [Peer]: not an IP address"]),
        // 20
        ("Endpoint = a:65536", &["3:12: error: Endpoint in [Peer]: expected a number from 0 to 65535"]),
        ("Endpoint = 192.0.2.256:1", &["3:12: error: Endpoint in [Peer]: not an IP address"]),
        ("Endpoint = udp://a:1", &["3:12: error: Endpoint in [Peer]: expected host:port, without a scheme"]),
        ("Endpoint = wg://[::1]:1", &["3:12: error: Endpoint in [Peer]: expected host:port, without a scheme"]),
        ("Endpoint = udp://a", &["3:12: error: Endpoint in [Peer]: expected host:port, without a scheme"]),
        ("Endpoint = a:nonsense", &["3:12: error: Endpoint in [Peer]: expected a number from 0 to 65535"]),
        ("AllowedIPs = 10.0.0.0/255.0.0.0", &["3:14: error: AllowedIPs in [Peer]: expected a prefix length from 0 to 32"]),
        ("Endpoint = a/b:1", &["3:12: error: Endpoint in [Peer]: not the name of a host or domain"]),
        ("Endpoint = :1", &["3:12: error: Endpoint in [Peer]: not the name of a host or domain"]),
        // 25
        ("PersistentKeepalive = 65536", &["3:23: error: PersistentKeepalive in [Peer]: expected seconds up to 65535, or `off`"]),
        ("PersistentKeepalive = on", &["3:23: error: PersistentKeepalive in [Peer]: expected seconds up to 65535, or `off`"]),
        ("PersistentKeepalive = -1", &["3:23: error: PersistentKeepalive in [Peer]: expected seconds up to 65535, or `off`"]),
    ]);
}

/// What nobody understands, or in two ways, could leave packets unprotected: it is no configuration.
#[test]
fn what_could_open_a_tunnel_is_an_error() {
    check(
        "[Interface]\nPrivateKey = %priv%\n",
        &[
            // 0: a key that nobody knows, with and without one that it is near to; a key on a line of its own stays unsaid
            ("Name = x", &["3:1: error: [Interface]: unknown key"]),
            ("Adres = 10.0.0.1", &["3:1: error: [Interface]: unknown key; did you mean Address?"]),
            ("DSN = 192.0.2.1", &["3:1: error: [Interface]: unknown key; did you mean DNS?"]),
            ("%psk%", &["3:1: error: [Interface]: unknown key"]),
            (
                "[Peer]\nPublicKey = %a%\nAllowedIP = 0.0.0.0/0, ::/0",
                &["5:1: error: [Peer]: unknown key; did you mean AllowedIPs?"],
            ),
            // 5: the opposite of a key is no misspelling of it
            ("[Peer]\nPublicKey = %a%\nUnallowedIPs = 10.0.0.0/8", &["5:1: error: [Peer]: unknown key"]),
            ("; DNS = 192.0.2.1", &["3:1: error: [Interface]: unknown key"]),
            // 7: what there is one only of, given twice
            (
                "privatekey = %psk%",
                &["3:1: error: PrivateKey in [Interface]: given before on line 2; only one can be meant"],
            ),
            (
                "Table = auto\nTable = off",
                &["4:1: error: Table in [Interface]: given before on line 3; only one can be meant"],
            ),
            (
                "[Peer]\nPublicKey = %a%\nAllowedIPs = ::/0\nPublicKey = %b%",
                &["6:1: error: PublicKey in [Peer]: given before on line 4; only one can be meant"],
            ),
            // 10
            (
                "[Peer]\nPublicKey = %a%\nPresharedKey = %psk%\nPresharedKey = %zero%",
                &["6:1: error: PresharedKey in [Peer]: given before on line 5; only one can be meant"],
            ),
            (
                "[Peer]\nPublicKey = %a%\nAllowedIPs = ::/0\n[Peer]\nPublicKey = %a%\nAllowedIPs = fd00::/8",
                &[
                    "7:13: error: PublicKey in [Peer]: same peer as on line 3, whose AllowedIPs this section would take away",
                ],
            ),
            (
                "[Peer]\nPublicKey = %a%\nAllowedIPs = ::/0\n[Peer]\nPublicKey = %a%",
                &[
                    "7:13: error: PublicKey in [Peer]: same peer as on line 3, whose AllowedIPs this section would take away",
                ],
            ),
            // 13: lists without anything in them
            ("DNS =   # none", &["3:6: error: DNS in [Interface]: has no value"]),
            ("DNS = ,", &["3:7: error: DNS in [Interface]: has no value"]),
            ("[Peer]\nPublicKey = %a%\nAllowedIPs = , ,", &["5:14: error: AllowedIPs in [Peer]: has no value"]),
        ],
    );
}

#[test]
fn keys_in_wrong_places_stay_unsaid() {
    let places = [
        "%priv%",
        "[%priv%]",
        "[Interface]\n%priv% = 1\nDNS = %priv%\nTable = %priv%\nMTU=%priv%\nAddress=%priv%",
        "[Peer]\nEndpoint = %psk%:1\nAllowedIPs = %psk%\nPublicKey = %psk%%psk%\nPersistentKeepalive = %psk%",
        "[Interface]\nHeaderProtectionKey = %psk%\nPublicKey = %a%\nPrivateKey = %priv%%priv%\nIncludedApplications=%a%",
    ];
    for text in places {
        says_nothing_of_keys(&with_keys(text));
        assert!(!shown(&parse(&with_keys(text))).is_empty());
    }
}
