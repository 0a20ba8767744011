use super::*;

const EXAMPLE: &str = include_str!("../../gateway.toml");

/// The example with one piece of its text replaced.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(EXAMPLE.matches(from).count(), 1, "{from} is not once in the example");
    EXAMPLE.replace(from, to)
}

/// What is said of a text, with the text that stands at each place.
fn said(text: &str) -> Vec<String> {
    let read = read(text);
    let is_faulty = read.findings.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(read.settings.is_none(), is_faulty);
    let line =
        |finding: &Finding| text.lines().nth(finding.line - 1).unwrap_or_default().chars().skip(finding.column - 1);
    let begins = |finding: &Finding| line(finding).take(16).collect::<String>();
    read.findings.iter().map(|finding| format!("{}| {}", begins(finding), finding.text)).collect()
}

#[test]
fn the_example_is_read() {
    let read = read(EXAMPLE);
    assert_eq!(read.findings, []);
    let settings = read.settings.unwrap();
    assert_eq!((settings.name.as_str(), settings.interface.as_str(), settings.listen), ("hq", "wg0", 51820));
    assert_eq!((settings.mtu, settings.login), (1420, Login::Required));
    assert_eq!(settings.endpoint.as_deref(), Some("vpn.example.org:51820"));
    assert_eq!(settings.pools.len(), 2);
    assert_eq!(settings.pools[0].reserved, [("alice".parse().unwrap(), "10.8.0.50".parse().unwrap())]);
    assert!(settings.pools[0].sticky);
    assert_eq!(settings.session.idle, Some(Duration::from_secs(3600)));
    assert_eq!(settings.session.offline_limit, Duration::from_secs(3600));
    assert_eq!(settings.methods[0].factors, [[Factor::Totp, Factor::Certificate]]);
    assert_eq!(settings.methods[1].factors, [[Factor::Password, Factor::Totp], [Factor::Totp, Factor::Certificate]]);
    assert_eq!(settings.rules.len(), 3);
    let git = &settings.rules[0];
    assert_eq!((git.action, git.protocol), (Action::Allow, Protocol::Tcp));
    assert_eq!(
        git.ports.iter().map(|range| (*range.start(), *range.end())).collect::<Vec<_>>(),
        [(22, 22), (443, 443), (8000, 8100)]
    );
    assert_eq!(settings.rules[1].hours, Some(Hours { days: 0b001_1111, from: 420, until: 1200 }));
    assert_eq!(settings.rules[1].not_after.unwrap().to_string(), "2030-01-01T00:00:00.000Z");
    assert_eq!(settings.rules[2].action, Action::Reject);
    assert_eq!(settings.sites[0].networks, ["10.20.0.0/16".parse::<IpNet>().unwrap()]);
    assert!(settings.push.kill_switch);
    assert_eq!(settings.log.level, Level::Audit);
    assert_eq!(settings.store, StorePlace::Sqlite("/var/lib/underpass/gateway.db".into()));
}

/// Every key that the example shows behind `#` is one, with the value that holds without it or another good one.
#[test]
fn what_is_commented_out_in_the_example_is_good_too() {
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let hidden = line
            .strip_prefix("# ")
            .filter(|line| line.contains(" = ") && !line.contains("postgres") && !line.contains("password_file"));
        text.push_str(hidden.unwrap_or(line));
        text.push('\n');
    }
    assert_eq!(said(&text), ["\"1h\"       # how| matters for a store that is elsewhere; SQLite is here"]);
    let elsewhere = text
        .replace("sqlite = \"/var/lib/underpass/gateway.db\"", "")
        .replace("# postgres", "postgres")
        .replace("# password_file", "password_file");
    assert_eq!(said(&elsewhere), [""; 0]);
}

#[test]
fn what_is_wrong_is_told_where_it_stands() {
    #[rustfmt::skip]
    let rows = [
        ("name = \"hq\"", "name = \"h q\"", "\"h q\"| character 2 is none of a-z, 0-9, '.', '_', '-', '@', '+'"),
        ("interface = \"wg0\"", "interface = \"wg0; drop\"", "\"wg0; drop\"| expected the name of an interface: 1 to 15 letters, digits, . _ - @ :"),
        ("listen = 51820", "listen = 0", "0| clients have to know the port: 1 to 65535"),
        ("\"vpn.example.org:51820\" ", "\"vpn.example.org\" ", "\"vpn.example.org| expected host:port, an IPv6 address in brackets"),
        ("# mtu = 1420", "mtu = 100", "100| 576 bytes at least"),
        ("\"/etc/underpass/gateway.key\"", "\"gateway.key\"", "\"gateway.key\"| expected a path that begins with /"),
        ("\"10.8.0.0/28\"", "\"10.9.0.0/28\"", "\"10.9.0.0/28\"]| lies outside of 10.8.0.0/22"),
        ("\"10.8.0.50\"", "\"10.8.0.1\"", "\"10.8.0.1\" }]| is the gateway's own"),
        ("\"10.8.0.50\"", "\"10.7.0.1\"", "\"10.7.0.1\" }]| lies outside of 10.8.0.0/22"),
        ("network = \"fd00:8::/64\"", "network = \"fd00:8::1/64\"", "\"fd00:8::1/64\"| bits are set behind the prefix; fd00:8::/64 is the network"),
        ("network = \"fd00:8::/64\"", "network = \"10.8.1.0/24\"", "\"10.8.1.0/24\"| overlaps 10.8.0.0/22, which belongs to a pool; one of both has to be renumbered or translated"),
        ("networks = [\"10.20.0.0/16\"]", "networks = [\"10.8.3.0/24\"]", "\"10.8.3.0/24\"]| overlaps 10.8.0.0/22, which belongs to a pool; one of both has to be renumbered or translated"),
        ("networks = [\"10.20.0.0/16\"]", "networks = [\"10.20.0.0/16\", \"10.20.9.0/24\"]", "\"10.20.9.0/24\"]| overlaps 10.20.0.0/16, which belongs to the site lyon; one of both has to be renumbered or translated"),
        ("networks = [\"10.20.0.0/16\"]", "networks = []", "[[site]]| a site without networks is no site"),
        ("lifetime = \"12h\"", "lifetime = \"12 parsecs\"", "\"12 parsecs\"| expected a span of time, such as 90s, 10m, 12h or 7d"),
        ("reauthenticate = \"15m\" ", "reauthenticate = \"12h\" ", "\"12h\"       # be| is not shorter than `lifetime`: clients would log in without end"),
        ("# lease = \"24h\"", "lease = \"1h\"", "\"1h\"| is shorter than `lifetime`: an address would be given twice"),
        ("# quota = \"50G\"", "quota = \"50 G\"", "\"50 G\"| expected a number of bytes, such as 500M, 20G or 16Gi"),
        ("[[\"certificate\", \"totp\"]]", "[]", "[[method]]| no alternative: nobody it is for could log in"),
        ("[[\"certificate\", \"totp\"]]", "[[]]", "[]]| an alternative without a factor would let everybody in"),
        ("[[\"certificate\", \"totp\"]]", "[[\"totp\", \"totp\"]]", "[\"totp\", \"totp\"]| a factor counts once"),
        ("[[\"certificate\", \"totp\"]]", "[[\"password\"]]", "[\"password\"]]| one factor alone; two are usual"),
        ("[[\"certificate\", \"totp\"]]", "[[\"pasword\", \"totp\"]]", "\"pasword\", \"totp| expected password, totp, certificate, challenge or web"),
        ("groups = [\"admins\"]\n", "", "[[method]]| fits everybody, so the methods behind it never count"),
        ("[certificates]\nca = \"/etc/underpass/ca.pem\"\ncrl = \"/etc/underpass/crl.pem\"\ndomains = [\"example.org\"] ", "", "[[method]]| asks for certificates, and there is no [certificates]: nobody is believed"),
        ("crl = \"/etc/underpass/crl.pem\"\n", "", "[certificates]| no `crl`: a certificate that was revoked is as good as any"),
        ("\"/etc/underpass/ca.pem\"", "\"ca.pem\"", "\"ca.pem\"| expected a path that begins with /"),
        ("domains = [\"example.org\"] ", "domains = [\"two words\"] ", "\"two words\"]    | expected a domain"),
        ("name = \"payroll\"", "name = \"Git\"", "\"Git\"| another rule has this name"),
        ("ports = [\"22\", \"443\", \"8000-8100\"]", "ports = [\"8100-8000\"]", "\"8100-8000\"]| the range ends before it begins"),
        ("ports = [\"22\", \"443\", \"8000-8100\"]", "ports = [\"0\"]", "\"0\"]| expected a port or a range of ports, such as 443 or 8000-8100"),
        ("\"Mon-Fri 07:00-20:00\"", "\"Mon-Fri 20:00-07:00\"", "\"Mon-Fri 20:00-0| ends before it begins; a night takes two rules, one until 24:00 and one from 00:00"),
        ("\"Mon-Fri 07:00-20:00\"", "\"weekdays\"", "\"weekdays\"| expected days, hours or both, such as Mon-Fri 07:00-20:00"),
        ("not_after = \"2030-01-01\"", "not_after = \"next year\"", "\"next year\"| expected a day or an instant, such as 2027-01-01"),
        ("action = \"deny\"", "action = \"allow\"", "\"allow\"| `reject` is for rules that deny"),
        ("action = \"deny\"", "action = \"forbid\"", "\"forbid\"| expected allow or deny"),
        ("endpoints = [\"lyon.example.org:51820\"]", "endpoints = [\"1.2.3:51820\"]", "\"1.2.3:51820\"]| expected host:port, an IPv6 address in brackets"),
        ("keepalive = 25\n", "keepalive = 25\nallowed = []\n", "allowed = []| unknown field `allowed`, expected one of `name`, `public_key`, `preshared_key_file`, `networks`, `endpoints`, `keepalive`"),
        ("dns = [\"10.1.0.53\"]", "dns = [\"resolver\"]", "\"resolver\"]| expected an address"),
        ("checkpoints = \"/var/lib/underpass/checkpoints.jsonl\"\n", "", "\"/var/log/underp| no `checkpoints`: a log that was cut short or written anew passes for whole"),
        ("# metrics = \"127.0.0.1:9586\"", "metrics = \"localhost\"", "\"localhost\"| expected an address and a port, such as 127.0.0.1:9090"),
        ("masquerade = [\"eth0\"]", "masquerade = [\"wg0\"]", "\"wg0\"]| is the tunnel itself: clients would have the gateway's address among each other"),
        ("sqlite = \"/var/lib/underpass/gateway.db\"", "", "[store]| expected one of sqlite and postgres"),
        ("sqlite = \"/var/lib/underpass/gateway.db\"", "postgres = \"host=db password=x\"", "\"host=db passwor| expected words such as `host=db user=underpass`; the password is in `password_file`"),
    ];
    for (number, (from, to, wanted)) in rows.into_iter().enumerate() {
        assert_eq!(said(&changed(from, to)), [wanted], "row {number}");
    }
}

#[test]
fn a_log_of_level_none_keeps_no_record() {
    let text = changed("level = \"audit\" ", "level = \"none\" ")
        .replace("# quota", "quota")
        .replace("# syslog", "syslog")
        .replace("sqlite = \"/var/lib/underpass/gateway.db\"", "postgres = \"host=db\"");
    let said = said(&text).join("\n");
    for wanted in [
        "and this is an audit log",
        "and this is checkpoints",
        "and this is lines for the system's log",
        "and this is a quota",
        "and this is sessions that several gateways know of",
        "no record of who had which address",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn weeks_go_round() {
    for (text, days) in [
        ("Mon", 0b1),
        ("Sat,Sun", 0b110_0000),
        ("Fri-Mon", 0b111_0001),
        ("mon-sun", 0b111_1111),
        ("Mon,Wed-Thu", 0b1101),
    ] {
        let read = read(&changed("Mon-Fri 07:00-20:00", text)).settings.unwrap();
        assert_eq!(read.rules[1].hours, Some(Hours { days, from: 0, until: 1440 }), "{text}");
    }
    let read = read(&changed("Mon-Fri 07:00-20:00", "22:00-24:00")).settings.unwrap();
    assert_eq!(read.rules[1].hours, Some(Hours { days: 0x7f, from: 1320, until: 1440 }));
}

#[test]
fn a_file_without_a_login_is_for_sites_alone() {
    let text = changed("# login = \"required\" ", "login = \"off\" ");
    assert_eq!(said(&text), ["[[method]]| nobody logs in: `login` is off"]);
    let bare = "[gateway]\nname = 'a'\ninterface = 'wg0'\nlisten = 1\nprivate_key_file = '/k'\naddresses = []\n[log]\nlevel = 'none'\n[store]\nsqlite = '/db'\n";
    let text = said(bare).join("\n");
    assert!(text.contains("nobody can log in") && text.contains("there is no [[pool]]"), "{text}");
}

proptest::proptest! {
    /// No text brings it down, and every finding has a place.
    #[test]
    fn any_text_is_answered(at in 0..EXAMPLE.len(), len in 0..40_usize, with in ".{0,12}") {
        proptest::prop_assert!(EXAMPLE.is_ascii(), "it may be cut anywhere");
        let text = [&EXAMPLE[..at], &with, &EXAMPLE[(at + len).min(EXAMPLE.len())..]].concat();
        let read = read(&text);
        for finding in read.findings {
            proptest::prop_assert!(finding.line >= 1 && finding.line <= text.lines().count() + 1 && finding.column >= 1);
        }
    }
}
