//! The command itself: what it writes where, and how it exits. Nothing here needs root.
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use underpass_linux::demo::stage;

/// RFC 7748 § 6.1: Alice, and Bob.
const PRIVATE: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
const PEER: &str = "3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
const PUBLIC: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

fn underpass(arguments: &[&str]) -> Command {
    let mut command = stage::command(env!("CARGO_BIN_EXE_underpass"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    shown(&underpass(arguments).output().expect("runs"))
}

fn run_reading(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let command = underpass(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = command.expect("runs");
    // It may refuse before it has read all.
    let _ = child.stdin.take().expect("piped").write_all(input);
    shown(&child.wait_with_output().expect("ends"))
}

fn shown(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code().expect("exits"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [["--help"], ["-h"], ["help"]] {
        let (code, out, err) = run(&arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        assert!(out.contains("Usage: underpass"), "{out}");
    }
    assert!(run(&["--help"]).1.contains("Exit status:"), "the long help says what exit statuses mean");
    let expected = format!("underpass {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]), (0, expected, String::new()));
}

#[test]
fn a_wrong_command_line_is_status_2_and_says_how() {
    for arguments in
        [&[][..], &["-f"], &["a", "b"], &["show", "--yaml"], &["check"], &["up"], &["genkey", "x"], &["--no"]]
    {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains("Usage:"), "{arguments:?}: {err}");
    }
}

#[test]
fn keys_are_what_wg_makes() {
    let (code, key, err) = run(&["genkey"]);
    assert_eq!((code, key.len(), err.as_str()), (0, 45, ""));
    assert!(key.ends_with("=\n"));
    assert_ne!(run(&["genkey"]).1, key, "no two are the same");
    let (code, psk, err) = run(&["genpsk"]);
    assert_eq!((code, psk.len(), err.as_str()), (0, 45, ""));
    assert_eq!(run_reading(&["pubkey"], key.as_bytes()).0, 0);
    for end in ["", "\n", " \r\n\n"] {
        let read = run_reading(&["pubkey"], format!("{PRIVATE}{end}").as_bytes());
        assert_eq!(read, (0, format!("{PUBLIC}\n"), String::new()));
    }
}

#[test]
fn what_is_no_key_is_status_1_and_not_repeated() {
    for input in ["", "nonsense", &PRIVATE[1..], &format!("{PRIVATE}x"), &format!("{PRIVATE}\n{PRIVATE}")] {
        let (code, out, err) = run_reading(&["pubkey"], input.as_bytes());
        assert_eq!((code, out.as_str()), (1, ""), "{input}");
        assert!(err.starts_with("underpass: ") && !err.contains("wdtC"), "{err}");
    }
}

#[test]
fn a_key_for_everyone_to_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("temporary directory");
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        let path = directory.path().join("key");
        let file = std::fs::File::create(&path).expect("creates");
        file.set_permissions(std::fs::Permissions::from_mode(mode)).expect("chmod");
        for verb in ["genkey", "genpsk"] {
            let (code, _, err) =
                shown(&underpass(&[verb]).stdout(file.try_clone().expect("dup")).output().expect("runs"));
            assert_eq!((code, err.contains("warning")), (0, warned), "{verb} {mode:o}: {err}");
        }
    }
}

#[test]
fn check_says_what_a_compiler_would() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, code) in [("good", 0), ("warned", 0), ("bad", 1)] {
        let output = underpass(&["check", &format!("{name}.conf")]).current_dir(&golden).output().expect("runs");
        let (found, out, err) = shown(&output);
        assert_eq!((found, out.as_str()), (code, ""), "{name}: {err}");
        let expected = std::fs::read_to_string(golden.join(format!("{name}.txt"))).expect("golden file");
        assert_eq!(err, expected, "{name}");
        let text = std::fs::read_to_string(golden.join(format!("{name}.conf"))).expect("configuration");
        let (found, _, err) = run_reading(&["check", "-"], text.as_bytes());
        assert_eq!((found, err), (code, expected.replace(&format!("{name}.conf:"), "<stdin>:")), "{name}");
        assert!(!err_contains_key(&expected), "{name}");
    }
}

/// Whether part of a key of the golden configurations is in `text`.
fn err_contains_key(text: &str) -> bool {
    ["dwdtCn", "hSDwCY", "FpCyhw"].iter().any(|part| text.contains(part))
}

#[test]
fn what_cannot_be_read_is_named() {
    let (code, _, err) = run(&["check", "/underpass/none.conf"]);
    assert_eq!(
        (code, err.as_str()),
        (1, "underpass: cannot read /underpass/none.conf: No such file or directory (os error 2)\n")
    );
    let (code, _, err) = run_reading(&["check", "-"], b"\xff\xfe");
    assert_eq!((code, err.as_str()), (1, "underpass: cannot read standard input: it is no text in UTF-8\n"));
    let (code, _, err) = run(&["up", "./not-a-config.txt"]);
    assert_eq!(code, 1);
    assert!(err.contains("does not name an interface"), "{err}");
}

#[test]
fn a_bad_configuration_is_not_brought_up() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("wg-bad.conf");
    std::fs::write(&path, "[Interface]\nMTU = huge\n").expect("writes");
    let (code, out, err) = run(&["up", "--dry-run", path.to_str().expect("text")]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("wg-bad.conf:2:7: error: MTU") && err.ends_with("wg-bad.conf: 1 error, 1 warning\n"), "{err}");
}

/// One letter too few, and nothing would go through the tunnel.
#[test]
fn a_key_that_nobody_knows_is_not_brought_up() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("wg-typo.conf");
    let peer = format!("[Interface]\nPrivateKey = {PRIVATE}\n[Peer]\nPublicKey = {PUBLIC}\n");
    std::fs::write(&path, format!("{peer}AllowedIP = 0.0.0.0/0, ::/0\n")).expect("writes");
    let (code, out, err) = run(&["up", "--dry-run", path.to_str().expect("text")]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("wg-typo.conf:5:1: error: [Peer]: unknown key; did you mean AllowedIPs?"), "{err}");
}

#[test]
fn an_endpoint_inside_the_tunnel_is_warned_of() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("wg-loop.conf");
    let peer = format!("[Interface]\nPrivateKey = {PRIVATE}\nMTU = 1400\n[Peer]\nPublicKey = {PUBLIC}\n");
    let warning = "wg-loop.conf:7:12: warning: Endpoint in [Peer]: lies in what line 6 routes into the tunnel";
    for (allowed, is_warned) in [("192.0.2.0/24", true), ("0.0.0.0/0", false)] {
        std::fs::write(&path, format!("{peer}AllowedIPs = {allowed}\nEndpoint = 192.0.2.1:7\n")).expect("writes");
        for verb in [&["check"][..], &["up", "--dry-run"]] {
            let (code, _, err) = run(&[verb, &[path.to_str().expect("text")]].concat());
            assert_eq!((code, err.contains(warning)), (0, is_warned), "{allowed}: {err}");
        }
    }
}

/// The tables of the manual: every key of other products, with what is lost without it.
#[test]
fn the_manual_has_every_key_of_other_products() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let manual = std::fs::read_to_string(manual).expect("manual");
    for row in underpass_core::config::foreign::FOREIGN_KEYS {
        let [name, product] = [format!("`{}`", row.name), format!("| {} |", row.product)];
        let line = manual.lines().find(|line| line.contains(&name) && line.starts_with(&product));
        let line = line.unwrap_or_else(|| panic!("{product} has no line with {name}"));
        assert!(row.loss.is_none_or(|loss| line.contains(loss)), "{name}: {line}");
    }
}

#[test]
fn a_dry_run_shows_every_step_and_no_key() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("wg-dry.conf");
    let text = format!(
        "[Interface]\nPrivateKey = {PRIVATE}\nAddress = 10.9.0.2/24\nMTU = 1400\nPostUp = echo {PRIVATE} %i\n\
         PreDown = echo down %i\n[Peer]\nPublicKey = {PEER}\nAllowedIPs = 192.0.2.0/24\n"
    );
    std::fs::write(&path, text).expect("writes");
    let path = path.to_str().expect("text");
    let (code, out, err) = run(&["up", "--dry-run", path]);
    assert_eq!(code, 0, "{err}");
    let expected = "\
# create the interface and start the tunnel
ip -4 address add 10.9.0.2/24 dev wg-dry
ip link set mtu 1400 up dev wg-dry
ip -4 route add 192.0.2.0/24 dev wg-dry
echo ******************************************** wg-dry
";
    assert_eq!(out, expected);
    let (code, out, err) = run(&["down", "-n", path]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, "echo down wg-dry\n# delete the interface, which ends the tunnel\n");
}

#[test]
fn foreign_descriptors_are_refused() {
    for name in ["WG_TUN_FD", "WG_UAPI_FD"] {
        let (code, _, err) = shown(&underpass(&["-f", "wg-none"]).env(name, "3").output().expect("runs"));
        assert_eq!(code, 1);
        assert!(err.contains(name), "{err}");
    }
}

#[test]
fn a_name_that_no_interface_can_have_is_refused_in_front_and_behind() {
    for arguments in [&["-f", "a/b"][..], &["a/b"], &["a-name-too-long-for-linux"]] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}");
        assert!(err.starts_with("underpass: ") && err.lines().count() == 1, "{arguments:?}: {err}");
        assert!(err.contains("interface name"), "{arguments:?}: {err}");
    }
}

#[test]
fn completions_and_man_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = run(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(out.contains("genpsk") && out.contains("foreground"), "{shell}");
    }
    assert!(run(&["man"]).1.starts_with(".ie"), "troff");
    let directory = tempfile::tempdir().expect("temporary directory");
    let pages = directory.path().join("man1");
    assert_eq!(run(&["man", "--output-dir", pages.to_str().expect("text")]).0, 0);
    for page in ["underpass", "underpass-up", "underpass-show", "underpass-check"] {
        assert!(pages.join(format!("{page}.1")).exists(), "{page}");
    }
}

#[test]
fn a_closed_pipe_is_no_reason_to_complain() {
    let (read, write) = std::io::pipe().expect("pipe");
    drop(read);
    let (_, _, err) = shown(&underpass(&["completions", "bash"]).stdout(write).output().expect("runs"));
    assert_eq!(err, "");
}
