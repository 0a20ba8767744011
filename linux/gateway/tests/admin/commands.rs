//! Each command: what it says, what it does, and what it refuses.
use crate::place::{LITTLE, Place, at, gateway_key, name};
use serde_json::Value;
use std::fs;
use underpass_core::PublicKey;
use underpass_core::config::{Endpoint, parse};
use underpass_gateway::admin::hash_of_recovery;
use underpass_gateway::audit::Level;
use underpass_gateway::command::CommandError;
use underpass_gateway::password::{Password, Verdict, verify};
use underpass_gateway::store::{
    Devices as _, Enrolments as _, Factors as _, NewDevice, NewSession, Sessions as _, Users as _,
};

fn scene() -> Place {
    let place = Place::new(Level::Audit);
    place.run("group add staff");
    place.run("user add Alice --group staff");
    place
}

fn key(byte: u8) -> PublicKey {
    PublicKey::from_bytes([byte; 32])
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn users_are_added_shown_and_removed() {
    let place = scene();
    let shown = place.run("user show alice");
    let want =
        "alice enabled, no password, one-time codes: 0, recovery codes: 0, devices: 0, sessions: 0, groups: staff\n";
    assert_eq!(shown, want);
    place.run("user add bert");
    let listed = place.run("--json user list");
    let users: Vec<_> = listed.lines().map(json).collect();
    assert_eq!((users.len(), &users[0]["name"], &users[1]["groups"]), (2, &json("\"alice\""), &json("[]")));
    assert_eq!(users[0]["created"], "2023-11-14T22:13:27.000Z");
    let twice = place.try_run("user add alice", &[]).expect_err("she is there");
    assert_eq!(twice.to_string(), "user alice is there already");
    let nowhere = place.try_run("user add carl --group nowhere", &[]).expect_err("no such group");
    assert_eq!(nowhere.to_string(), "there is no group nowhere");
    place.try_run("user show carl", &[]).expect_err("and nobody was added");
    assert_eq!(place.run("user remove alice"), "alice is removed, sessions ended: 0, devices removed: 0\n");
    assert_eq!(place.try_run("user remove alice", &[]).expect_err("gone").to_string(), "there is no user alice");
    assert!(
        !Place::parses("user add a\nb") && !Place::parses("user add -x") && !Place::parses("user enroll a --hours 0")
    );
}

#[test]
fn disabling_ends_sessions_and_a_second_time_is_no_line() {
    let place = scene();
    let mut store = place.store();
    let alice = store.user(&name("alice")).expect("an answer").expect("she is there");
    place.run(&format!("user device add alice phone {}", key(1)));
    let session = NewSession { device: &key(1), user: alice.id, gateway: &name("gw"), until: at(100) };
    store.open_session(at(1), &session).expect("a session");
    assert!(place.run("session list").starts_with(&format!("alice {} at gw, login 1", key(1))));
    assert_eq!(place.run("user disable alice"), "alice is disabled, sessions ended: 1\n");
    let lines = place.lines(0).len();
    assert_eq!(place.run("user disable alice"), "alice is disabled already, sessions ended: 0\n");
    assert_eq!(place.lines(0).len(), lines);
    assert_eq!(place.run("session list"), "");
    let refused = place.try_run("user enroll alice", &[]).expect_err("she is disabled");
    assert_eq!(refused.to_string(), "there is no enabled user alice");
    assert_eq!(place.run("user enable alice"), "alice is enabled, sessions ended: 0\n");
}

#[test]
fn passwords_are_asked_for_twice() {
    let place = scene();
    place.try_run("user passwd alice", &["correct horse", "correct horse"]).expect("it is set");
    let mut store = place.store();
    let alice = store.user(&name("alice")).expect("an answer").expect("she is there");
    let phc = store.password(alice.id).expect("an answer").expect("a hash");
    let verdict = |text| verify(&Password::new(text).expect("a password"), Some(&phc), LITTLE).expect("a verdict");
    assert_eq!(verdict("correct horse"), Verdict::Right { rehash: false });
    assert_eq!(verdict("correct house"), Verdict::Wrong);
    let differ = place.try_run("user passwd alice", &["one", "two"]).expect_err("they differ");
    assert!(matches!(differ, CommandError::Differ));
    let empty = place.try_run("user passwd alice", &["", ""]).expect_err("none");
    assert_eq!(empty.to_string(), "the password is empty");
    let nobody = place.try_run("user passwd carl", &[]).expect_err("and nothing is asked");
    assert_eq!(nobody.to_string(), "there is no user carl");
    assert_eq!(store.password(alice.id).expect("an answer").expect("a hash"), phc, "nothing of this changed it");
    place.run("user passwd alice --remove");
    assert_eq!(store.password(alice.id).expect("an answer"), None);
}

#[test]
fn factors_are_shown_once_and_work() {
    let place = scene();
    let code = json(&place.run("--json user totp alice"));
    let secret = code["secret"].as_str().expect("a secret");
    let want = format!("otpauth://totp/gw:alice?secret={secret}&issuer=gw&algorithm=SHA1&digits=6&period=30");
    assert_eq!(code["uri"], want.as_str());
    let recovery = json(&place.run("--json user recovery alice"));
    let codes: Vec<_> = recovery["codes"].as_array().expect("codes").iter().filter_map(Value::as_str).collect();
    assert_eq!(codes.len(), 10);
    let mut store = place.store();
    let alice = store.user(&name("alice")).expect("an answer").expect("she is there");
    let kept = store.codes(alice.id).expect("codes");
    assert_eq!(data_encoding::BASE32_NOPAD.encode(&kept[0].code.secret), secret);
    assert!(store.take_recovery(alice.id, &hash_of_recovery(alice.id, codes[3])).expect("an answer"));
    assert!(place.run("user show alice").contains("one-time codes: 1, recovery codes: 9"));
    (0..3).for_each(|_| drop(place.run("user totp alice")));
    let many = place.try_run("user totp alice", &[]).expect_err("a login looks at four");
    assert!(many.to_string().starts_with("a user has 4 one-time codes at most"), "{many}");
    assert_eq!(place.run("user totp alice --remove"), "one-time codes removed: 4\n");
    assert_eq!(store.recovery_left(alice.id).expect("a number"), 0);
}

#[test]
fn an_enrolment_is_a_configuration_with_a_one_time_key_as_text_and_drawn() {
    let mut place = scene();
    let shown = place.run("user enroll alice --hours 2");
    let (text, drawing) = shown.split_once("a drawing of ").expect("both");
    assert_eq!(drawing, format!("{} bytes\n", text.len()), "what is shown is what is drawn");
    let config = parse(text).config.expect("a configuration").tunnel;
    let key = config.private_key.as_ref().expect("a key").public_key();
    let [gateway] = &config.peers[..] else { panic!("one peer") };
    assert_eq!(gateway.public_key, gateway_key());
    assert!(matches!(&gateway.endpoint, Some(Endpoint::Name { host, port: 51820 }) if host == "vpn.example.org"));
    let routed: Vec<_> = gateway.allowed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(routed, ["10.8.0.1/32", "fd00:8::1/128"], "the gateway itself");
    let mut store = place.store();
    let alice = store.user(&name("alice")).expect("an answer").expect("she is there");
    let begun = store.enrolment_of(alice.id).expect("an answer").expect("an enrolment");
    assert_eq!((begun.key, begun.until), (key, at(7 + 7200)));
    let device = NewDevice { key: self::key(5), name: name("phone") };
    assert!(store.claim(at(8), &key, &device, None).expect("an answer").is_some());
    let picture = place.root().join("alice.png");
    let command = format!("--json user enroll alice --png {}", picture.display());
    let shown = json(&place.run(&command));
    let drawn = fs::read_to_string(&picture).expect("the picture");
    assert_eq!(drawn.strip_prefix("a picture of\n"), shown["config"].as_str());
    let newer = store.enrolment_of(alice.id).expect("an answer").expect("an enrolment");
    assert_ne!(newer.key, begun.key, "the older one is void");
    let taken = place.try_run(&command, &[]).expect_err("there is a file");
    assert!(taken.to_string().ends_with("there is something already"), "{taken}");
    place.endpoint = None;
    let refused = place.try_run("user enroll alice", &[]).expect_err("no endpoint");
    assert!(refused.to_string().contains("has no `endpoint`"), "{refused}");
    let kept = store.enrolment_of(alice.id).expect("an answer").expect("an enrolment");
    assert_eq!(kept.key, newer.key, "nothing has begun");
}

#[test]
fn the_last_device_is_told_of() {
    let place = scene();
    for (device, byte) in [("phone", 1), ("laptop", 2)] {
        place.run(&format!("user device add alice {device} {}", key(byte)));
    }
    assert_eq!(place.run("--json user device list alice").lines().count(), 2);
    assert_eq!(place.run("user device remove alice laptop"), "laptop is removed, devices left: 1\n");
    let last = place.run("user device remove alice phone --revoke");
    let want = "phone is removed, its key is revoked, devices left: 0\nthat was the last one: the user cannot log in \
                before another is enrolled\n";
    assert_eq!(last, want);
    assert!(place.store().is_revoked(&key(1)).expect("an answer"));
    let again = place.try_run(&format!("user device add alice phone {}", key(1)), &[]).expect_err("revoked");
    assert!(again.to_string().ends_with("was revoked"), "{again}");
    place.try_run("user device remove alice phone", &[]).expect_err("it is gone");
    assert!(!Place::parses("user device add alice phone nokey"));
}

#[test]
fn groups_are_joined_and_left() {
    let place = scene();
    place.run("user add bert");
    assert_eq!(place.run("group join bert staff"), "bert is a member of staff\n");
    assert_eq!(place.run("group join bert staff"), "bert is a member of staff, as before\n");
    assert_eq!(place.run("group members staff"), "alice\nbert\n");
    assert_eq!(place.run("group list"), "staff members: 2\n");
    assert_eq!(place.run("group leave alice staff"), "alice is no member of staff\n");
    assert_eq!(place.run("group remove staff"), "staff members: 1\n");
    assert!(place.run("user show bert").ends_with("groups: none\n"));
}

#[test]
fn sessions_of_a_user_are_revoked() {
    let place = scene();
    place.run("user add bert");
    let mut store = place.store();
    for (user, byte) in [("alice", 1), ("alice", 2), ("bert", 3)] {
        place.run(&format!("user device add {user} device-{byte} {}", key(byte)));
        let id = store.user(&name(user)).expect("an answer").expect("a user").id;
        let session = NewSession { device: &key(byte), user: id, gateway: &name("gw"), until: at(100) };
        store.open_session(at(1), &session).expect("a session");
    }
    assert_eq!(place.run("session list --user alice").lines().count(), 2);
    let revoked = json(&place.run("--json session revoke alice"));
    assert_eq!(revoked["sessions"].as_array().map(Vec::len), Some(2));
    assert_eq!(place.run("session revoke alice"), "sessions ended: 0\n");
    assert_eq!(place.run("session list").lines().count(), 1);
    assert_eq!(place.lines(0).iter().filter(|line| line.contains("session.revoked")).count(), 2);
}

#[test]
fn the_log_is_shown_verified_and_exported() {
    let place = scene();
    place.recorder().checkpoint(at(9)).expect("noted");
    let shown = place.run("audit show --event user");
    assert_eq!(shown, "     3 2023-11-14T22:13:27.000Z user.added actor=root user=alice\n");
    let report = place.run("audit verify");
    let want = "lines 1 to 4, checkpoints: 1, lines up to 4 are covered by them\nthe log is as it was written\n";
    assert_eq!(report, want);
    let file = place.audit().join("audit-000000000001.jsonl");
    let log = fs::read_to_string(&file).expect("the log");
    assert_eq!(place.run("audit export"), log);
    let to = place.root().join("export.jsonl");
    place.run(&format!("audit export --to {} --user alice", to.display()));
    assert_eq!(fs::read_to_string(&to).expect("the export").lines().count(), 2);
    place.try_run(&format!("audit export --to {}", to.display()), &[]).expect_err("it is there");
    fs::write(&file, log.replace("alice", "mallory")).expect("the log");
    let tampered = place.try_run("audit verify", &[]).expect_err("it was changed");
    assert!(matches!(tampered, CommandError::Tampered(2)), "{tampered}");
}

const RULES: &str = r#"
    [gateway]
    name = "gw"
    interface = "wg0"
    listen = 51820
    private_key_file = "/etc/underpass/gateway.key"
    addresses = ["10.8.0.1/24"]
    [[pool]]
    network = "10.8.0.0/24"
    [[method]]
    factors = [["password", "totp"]]
    [[rule]]
    name = "git"
    action = "allow"
    groups = ["staff"]
    to = ["10.1.2.0/24"]
    protocol = "tcp"
    ports = ["22", "443"]
    [[rule]]
    name = "late"
    action = "allow"
    to = ["10.1.9.0/24"]
    hours = "Tue 23:00-24:00"
    [[rule]]
    name = "databases"
    action = "deny"
    to = ["10.1.3.0/24"]
    reject = true
    [[rule]]
    name = "home"
    action = "allow"
    users = ["alice"]
    to = ["10.1.4.0/24"]
    from = ["192.0.2.0/24"]
    [log]
    file = "/var/log/underpass/audit.jsonl"
    [store]
    sqlite = "/var/lib/underpass/gateway.db"
"#;

/// It is Tuesday, 22:13 UTC, and 23:13 at the gateway.
#[test]
fn rules_are_explained() {
    let mut place = scene();
    let refused = place.try_run("rules explain alice 10.1.2.3", &[]).expect_err("no configuration");
    assert!(matches!(refused, CommandError::NoSettings));
    place.settings = underpass_gateway::settings::read(RULES).settings;
    place.run("user add bert");
    for (asked, want) in [
        ("alice 10.1.2.3 443/tcp", "alice to 10.1.2.3 443/tcp: allow, by the rule git\n"),
        ("alice 10.1.2.3 443/udp", "alice to 10.1.2.3 443/udp: deny, for no rule applies\n"),
        ("alice 10.1.2.3", "alice to 10.1.2.3 icmp: deny, for no rule applies\n"),
        ("bert 10.1.2.3 443/tcp", "bert to 10.1.2.3 443/tcp: deny, for no rule applies\n"),
        ("bert 10.1.3.3 5432/tcp", "bert to 10.1.3.3 5432/tcp: reject, by the rule databases\n"),
        ("bert 10.1.9.9 47", "bert to 10.1.9.9 protocol 47: allow, by the rule late\n"),
        (
            "bert 10.1.9.9 47 --at 2023-11-15T08:00:00Z",
            "bert to 10.1.9.9 protocol 47: deny, for no rule applies\n\
             at another time or from another address, the rule late would decide\n",
        ),
        ("alice 10.1.4.4 --from 192.0.2.7", "alice to 10.1.4.4 icmp: allow, by the rule home\n"),
        (
            "alice 10.1.4.4 --from 198.51.100.7",
            "alice to 10.1.4.4 icmp: deny, for no rule applies\n\
             at another time or from another address, the rule home would decide\n",
        ),
    ] {
        assert_eq!(place.run(&format!("rules explain {asked}")), want);
    }
    let lines = place.lines(0).len();
    place.run("user disable bert");
    let answer = json(&place.run("--json rules explain Alice 10.1.2.3 22/tcp"));
    let want = r#"{"user":"alice","groups":["staff"],"to":"10.1.2.3","what":"22/tcp","action":"allow","rule":"git","inactive":null,"enabled":true}"#;
    assert_eq!(answer, json(want));
    assert!(place.run("rules explain bert 10.1.2.3").ends_with("\nbert is disabled, and cannot log in\n"));
    assert_eq!(place.lines(0).len(), lines + 1, "who asks changes nothing");
    assert_eq!(
        place.try_run("rules explain carl 10.1.2.3", &[]).expect_err("unknown").to_string(),
        "there is no user carl"
    );
    for wrong in ["tcp", "0/tcp", "443", "443/icmp", "443/tcp/udp", "70000/tcp", "300"] {
        assert!(!Place::parses(&format!("rules explain alice 10.1.2.3 {wrong}")), "{wrong}");
    }
}
