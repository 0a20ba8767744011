//! The commands that need no tunnel: what they take for commands, what they say of themselves, and what they make of files.
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use underpass_core::config::parse;
use underpass_linux::demo::stage;

const CONFIG: &str = "\
# ours
[Interface]
PrivateKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo= # of the phone
Address = 10.9.0.2/24
DNS = 10.9.0.1
MTU = 1400
ListenPort = 7001
FwMark = 0x7
Table = 0x77
PostUp = echo a=b # c
SaveConfig = false

[Peer]
PublicKey = 3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=
AllowedIPs = 0.0.0.0/0
Endpoint = vpn.example.com:51820
";

fn underpass(arguments: &[&str]) -> Command {
    let mut command = stage::command(env!("CARGO_BIN_EXE_underpass"));
    command.args(arguments);
    command
}

/// Status, output and complaints of a command that reads `input`.
fn run(mut command: Command, input: &[u8]) -> (i32, String, String) {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("runs");
    // It may refuse before it has read all.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().expect("ends");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code().expect("exits"), text(&output.stdout), text(&output.stderr))
}

/// The golden files of what commands say of themselves. `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn help_is_as_it_was_agreed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help");
    for verb in ["show", "status", "set", "strip", "doctor", "qr", "import"] {
        let (code, said, err) = run(underpass(&[verb, "--help"]), b"");
        assert_eq!((code, err.as_str()), (0, ""), "{verb}");
        let path = golden.join(format!("{verb}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &said).expect("writes");
        }
        assert_eq!(said, fs::read_to_string(&path).expect("a golden file"), "{verb}");
    }
}

#[test]
fn completions_know_fields_and_options() {
    for shell in ["bash", "zsh", "fish"] {
        let (_, script, _) = run(underpass(&["completions", shell]), b"");
        for word in ["status", "doctor", "import", "strip", "no-wait"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // Words behind a name are beyond what is made for fish.
        assert!(shell == "fish" || script.contains("latest-handshakes"), "{shell}");
    }
}

/// `underpass stop` once made an interface called `stop`, and said that all was well.
#[test]
fn a_word_that_is_meant_for_a_command_makes_no_interface() {
    for (word, meant) in
        [("stop", "underpass down"), ("stauts", "underpass status"), ("version", "underpass --version")]
    {
        let (code, out, err) = run(underpass(&[word]), b"");
        assert_eq!((code, out.as_str()), (2, ""), "{word}: {err}");
        let expected = format!(
            "underpass: there is no command `{word}`; did you mean `{meant}`?\nFor an interface of this name: underpass -- {word}\n"
        );
        assert_eq!(err, expected);
    }
    for (line, said) in [
        ("wg0.conf", "`wg0.conf` names a configuration; did you mean `underpass up wg0`?"),
        ("start wg0", "there is no command `start`; did you mean `underpass up`?"),
        ("wg0 down", "there is no command `wg0`; did you mean `underpass down wg0`?"),
    ] {
        let (code, out, err) = run(underpass(&line.split(' ').collect::<Vec<_>>()), b"");
        assert_eq!((code, out.as_str()), (2, ""), "{line}: {err}");
        assert_eq!(err.lines().next(), Some(&*format!("underpass: {said}")), "{line}");
    }
    // There the word is an interface: it gets so far that a descriptor is refused.
    let behind = [&["-f", "stop"][..], &["--", "stop"], &["-f", "--", "stauts"]];
    for arguments in behind {
        let mut command = underpass(arguments);
        command.env("WG_TUN_FD", "3");
        let (code, _, err) = run(command, b"");
        assert!(code == 1 && err.contains("WG_TUN_FD"), "{arguments:?}: {err}");
    }
    let mut by_wg_quick = underpass(&["stop"]);
    by_wg_quick.envs([("WG_QUICK_USERSPACE_IMPLEMENTATION", "underpass"), ("WG_TUN_FD", "3")]);
    let (code, _, err) = run(by_wg_quick, b"");
    assert!(code == 1 && err.contains("WG_TUN_FD"), "{err}");
    let mut command = underpass(&["show"]);
    command.envs([("WG_QUICK_USERSPACE_IMPLEMENTATION", "underpass"), ("UNDERPASS_CONTROL_DIR", "/nonexistent")]);
    assert_eq!(run(command, b"").0, 0, "a command stays one");
}

#[test]
fn a_code_on_the_screen_and_in_a_picture_is_the_configuration() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let file = directory.path().join("my phone.conf");
    let configured = CONFIG.replace("SaveConfig = false\n", "KillSwitch = lan\nOnlyUser = alice\n");
    fs::write(&file, &configured).expect("writes");
    let picture = directory.path().join("code.png");
    let (file, picture_path) = (file.to_str().expect("text"), picture.to_str().expect("text"));
    let (code, out, err) = run(underpass(&["qr", file, "-o", picture_path]), b"");
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(
        err.ends_with("not in the code, as no phone takes it: FwMark, Table, PostUp, KillSwitch, OnlyUser\n"),
        "{err}"
    );
    assert!(!err.contains("dwdt"), "{err}");
    assert_eq!(fs::metadata(&picture).expect("a picture").permissions().mode() & 0o777, 0o600);
    assert_eq!(run(underpass(&["qr", file, "-o", picture_path]), b"").0, 1, "nothing is overwritten");

    let into = directory.path().join("etc");
    let into_path = into.to_str().expect("text");
    let import = ["import", picture_path, "--name", "wgq", "--directory", into_path];
    let (code, out, err) = run(underpass(&import), b"");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    let mut expected = parse(CONFIG).config.expect("valid");
    (expected.fwmark, expected.table) = (None, Default::default());
    expected.post_up.clear();
    let taken = into.join("wgq.conf");
    let text = fs::read_to_string(&taken).expect("imported");
    assert_eq!(parse(&text).config, Some(expected.clone()));
    assert_eq!(fs::metadata(&taken).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&into).expect("a directory").count(), 1, "nothing else is left");

    for (number, colour) in ["never", "always"].into_iter().enumerate() {
        let mut command = underpass(&["qr", "-"]);
        command.env("WG_COLOR_MODE", colour);
        let (code, screen, err) = run(command, configured.as_bytes());
        assert_eq!(code, 0, "{err}");
        assert_eq!(parse(&read_screen(&screen, number == 1)).config, Some(expected.clone()), "{colour}");
    }
}

/// Reads the code on a screen: letters are dark in colour, and light without.
fn read_screen(screen: &str, letters_are_dark: bool) -> String {
    let plain = |line: &str| -> Vec<char> {
        line.replace("\x1b[38;5;16;48;5;231m", "").replace("\x1b[0m", "").chars().collect()
    };
    let rows: Vec<Vec<char>> = screen.lines().map(plain).collect();
    let (width, height) = (rows[0].len(), 2 * rows.len());
    const SCALE: usize = 4;
    let is_dark = |x: usize, y: usize| {
        let (x, y) = (x / SCALE, y / SCALE);
        let letter = rows[y / 2][x];
        let is_set = letter == '█' || letter == if y % 2 == 0 { '▀' } else { '▄' };
        is_set == letters_are_dark
    };
    let mut image = rqrr::PreparedImage::prepare_from_bitmap(width * SCALE, height * SCALE, is_dark);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "{screen}");
    grids[0].decode().expect("a code").1
}

#[test]
fn what_is_imported_is_whole_and_right() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let into = directory.path().join("etc/wireguard");
    let into_path = into.to_str().expect("text");
    let import =
        |rest: &[&str], input: &[u8]| run(underpass(&[&["import"], rest, &["--directory", into_path]].concat()), input);
    let (code, _, err) = import(&["-"], CONFIG.as_bytes());
    assert_eq!((code, err.as_str()), (1, "underpass: which interface is it for? --name says it\n"));
    let (code, _, err) = import(&["--name", "wg0"], CONFIG.as_bytes());
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(into.join("wg0.conf")).expect("imported"), CONFIG, "as it was, comments included");
    assert_eq!(fs::metadata(&into).expect("made").permissions().mode() & 0o777, 0o700);
    let (code, _, err) = import(&["--name", "wg0"], CONFIG.as_bytes());
    assert!(code == 1 && err.ends_with("wg0.conf exists already; --force replaces it\n"), "{err}");
    let other = CONFIG.replace("1400", "1300");
    assert_eq!(import(&["--name", "wg0", "--force"], other.as_bytes()).0, 0);
    assert_eq!(fs::read_to_string(into.join("wg0.conf")).expect("replaced"), other);
    for (input, message) in [
        (&b"[Interface]\nMTU = huge\n"[..], "<stdin>:2:7: error: MTU"),
        (b"\x89PNG\r\n\x1a\nno picture", "the picture cannot be read"),
        (b"\xff\xd8\xff\xe0", "it is a picture in JPEG: save it as PNG"),
    ] {
        let (code, _, err) = import(&["--name", "wg1"], input);
        assert!(code == 1 && err.contains(message), "{err}");
        assert!(!into.join("wg1.conf").exists());
    }
    let (code, _, err) = import(&["--name", "a b"], CONFIG.as_bytes());
    assert!(code == 1 && err.contains("`a b` is no interface name"), "{err}");
}

#[test]
fn a_masked_line_shows_all_but_the_secret() {
    let text = "[Interface]\nPrivateKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCoo= # of the phone\n";
    let (code, _, err) = run(underpass(&["check", "-"]), text.as_bytes());
    assert_eq!(code, 1);
    assert!(err.contains("  2 | PrivateKey = ********************************************* # of the phone\n"), "{err}");
}

#[test]
fn a_configuration_is_found_where_it_was_meant() {
    let directory = tempfile::tempdir().expect("temporary directory");
    fs::write(directory.path().join("wg9.conf"), CONFIG).expect("writes");
    let mut command = underpass(&["up", "-n", "wg9.conf"]);
    command.current_dir(directory.path());
    let (code, _, err) = run(command, b"");
    assert_eq!(code, 1);
    assert!(err.ends_with("; for the file in this directory: ./wg9.conf\n"), "{err}");
}

#[test]
fn an_endpoint_is_no_link() {
    let text = CONFIG.replace("vpn.example.com", "udp://vpn.example.com");
    let (code, _, err) = run(underpass(&["check", "-"]), text.as_bytes());
    assert_eq!(code, 1);
    assert!(err.contains("Endpoint in [Peer]: expected host:port, without a scheme"), "{err}");
}

/// The lines that `wg-quick strip` leaves, when the file has no key of other products.
#[test]
fn what_is_left_is_what_wg_quick_leaves() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("wg9.conf");
    fs::write(&path, CONFIG).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    let path = path.to_str().expect("text");
    let mut theirs = stage::command("wg-quick");
    theirs.args(["strip", path]);
    let (code, theirs, err) = run(theirs, b"");
    assert_eq!(code, 0, "{err}");
    let (code, ours, err) = run(underpass(&["strip", path]), b"");
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(ours, theirs);
}
