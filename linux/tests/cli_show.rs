//! `underpass show` in front of a control socket that answers by heart.
use std::fmt;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use underpass_linux::control::{ControlServer, ControlSocket, Device};
use underpass_linux::demo::stage;

/// The private key of RFC 7748 § 6.1's Alice, the public keys of Bob and of a third.
const ANSWER: &str = "\
private_key=77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a
listen_port=51820
fwmark=51820
public_key=de9edb7d7b7dbdb4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f
preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52
protocol_version=1
last_handshake_time_sec=0
last_handshake_time_nsec=0
tx_bytes=0
rx_bytes=0
persistent_keepalive_interval=0
public_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33
preshared_key=0000000000000000000000000000000000000000000000000000000000000000
protocol_version=1
endpoint=[2001:db8::7]:51820
last_handshake_time_sec=1000
last_handshake_time_nsec=1
tx_bytes=1536
rx_bytes=3145728
persistent_keepalive_interval=25
last_send_error=unreachable
allowed_ip=10.0.0.2/32
allowed_ip=fd00::/64
";

struct Heart(&'static str);

impl Device for Heart {
    fn status(&self, answer: &mut dyn fmt::Write) -> fmt::Result {
        answer.write_str(self.0)
    }

    fn apply(&self, _request: &str) -> Result<(), i32> {
        panic!("show changes nothing")
    }
}

fn serve(directory: &Path, name: &str, answer: &'static str) -> ControlServer {
    let socket = ControlSocket::bind(directory, name).expect("binds");
    ControlServer::start(socket, Arc::new(Heart(answer)), drop).expect("starts")
}

fn show(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = stage::command(env!("CARGO_BIN_EXE_underpass"));
    command.arg("show").args(arguments).env("UNDERPASS_CONTROL_DIR", directory).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("exits"), text(stdout), text(stderr))
}

#[test]
fn people_see_what_wg_shows() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let _server = serve(directory.path(), "wg0", ANSWER);
    let (code, out, err) = show(directory.path(), &["wg0"], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (before, ago) = out.split_once("latest handshake: ").expect("one handshake");
    let (ago, after) = ago.split_once('\n').expect("a line");
    assert!(ago.ends_with(" ago") && ago.contains("years, "), "{ago}");
    let expected_before = "\
interface: wg0
  public key: hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
  private key: (hidden)
  listening port: 51820
  fwmark: 0xca6c

peer: uFmW/sycfx/G0lcqdu2hHVm80gvo5UOxXOS9hajnWjM=
  endpoint: [2001:db8::7]:51820
  allowed ips: 10.0.0.2/32, fd00::/64
  ";
    let expected_after = "  \
  transfer: 3.00 MiB received, 1.50 KiB sent
  persistent keepalive: every 25 seconds
  not sent: no route to the endpoint

peer: 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=
  preshared key: (hidden)
  allowed ips: (none)
";
    assert_eq!((before, after), (expected_before, expected_after));
}

#[test]
fn keys_and_colour_show_when_asked_for() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let _server = serve(directory.path(), "wg0", ANSWER);
    let (_, out, _) = show(directory.path(), &[], &[("WG_HIDE_KEYS", "never")]);
    assert!(out.contains("private key: dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n"), "{out}");
    assert!(!out.contains('\x1b'), "no colour where there is no terminal");
    let (_, out, _) = show(directory.path(), &[], &[("WG_COLOR_MODE", "always")]);
    assert!(out.starts_with("\x1b[1;32minterface\x1b[0m: \x1b[32mwg0\x1b[0m\n"), "{out:?}");
}

#[test]
fn programs_get_json_without_secrets() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let _servers = [serve(directory.path(), "wg0", ANSWER), serve(directory.path(), "wg1", "")];
    let (code, out, err) = show(directory.path(), &["--json"], &[("WG_HIDE_KEYS", "never")]);
    assert_eq!((code, err.as_str()), (0, ""));
    let found: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let expected = serde_json::json!({ "interfaces": [
        {
            "name": "wg0",
            "public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
            "listen_port": 51820,
            "fwmark": 51820,
            "peers": [
                {
                    "public_key": "uFmW/sycfx/G0lcqdu2hHVm80gvo5UOxXOS9hajnWjM=",
                    "has_preshared_key": false,
                    "endpoint": "[2001:db8::7]:51820",
                    "allowed_ips": ["10.0.0.2/32", "fd00::/64"],
                    "latest_handshake": 1000,
                    "rx_bytes": 3_145_728,
                    "tx_bytes": 1536,
                    "persistent_keepalive": 25,
                    "last_send_error": "unreachable",
                },
                {
                    "public_key": "3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=",
                    "has_preshared_key": true,
                    "endpoint": null,
                    "allowed_ips": [],
                    "latest_handshake": null,
                    "rx_bytes": 0,
                    "tx_bytes": 0,
                    "persistent_keepalive": null,
                    "last_send_error": null,
                },
            ],
        },
        { "name": "wg1", "public_key": null, "listen_port": null, "fwmark": null, "peers": [] },
    ]});
    assert_eq!(found, expected);
    let (_, out, _) = show(directory.path(), &["interfaces", "--json"], &[]);
    let found: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(found, serde_json::json!({ "interfaces": ["wg0", "wg1"] }));
    assert_eq!(show(directory.path(), &["interfaces"], &[]), (0, "wg0 wg1\n".into(), String::new()));
}

#[test]
fn an_interface_that_is_not_there_is_status_1() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let (code, out, err) = show(directory.path(), &["wg0"], &[]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, "underpass: there is no userspace WireGuard interface `wg0`\n");
    let none = show(&directory.path().join("none"), &[], &[]);
    assert_eq!(none, (0, String::new(), String::new()), "no interfaces are no fault");
}

#[test]
fn one_that_answers_nonsense_does_not_hide_the_others() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let _servers =
        [serve(directory.path(), "wg0", "listen_port=many\n"), serve(directory.path(), "wg1", "listen_port=7\n")];
    let (code, out, err) = show(directory.path(), &[], &[]);
    assert_eq!((code, out.as_str()), (1, "interface: wg1\n  listening port: 7\n"));
    assert_eq!(err, "underpass: interface `wg0` answers what makes no sense: line 1 (`listen_port`)\n");
}
