//! The file alone, in a folder of its own: resolvers that are programs are tried in `linux/tests/dns.rs`.
use super::resolv_conf::ResolvConf;
use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// An interface that there always is.
const PRESENT: &str = "lo";
const BEFORE: &str = "# by hand\nnameserver 192.0.2.53\n";

struct Scene {
    root: TempDir,
    places: Places,
}

impl Scene {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("temporary directory");
        let places = Places {
            etc: root.path().join("etc"),
            run: root.path().join("run"),
            own: root.path().join("run/underpass"),
        };
        fs::create_dir(&places.etc).expect("folder");
        fs::create_dir(&places.run).expect("folder");
        fs::write(places.resolv_conf(), BEFORE).expect("writes");
        Self { root, places }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.places.resolv_conf()).expect("reads")
    }

    /// Nothing of ours is left.
    fn is_as_before(&self, text: &str) {
        assert_eq!(self.text(), text);
        assert_eq!(fs::read_dir(&self.places.etc).expect("folder").count(), 1, "something is left in /etc");
        let left: Vec<_> = fs::read_dir(&self.places.own()[1]).expect("folder").flatten().collect();
        assert_eq!(left.len(), 1, "more than the lock: {left:?}");
    }
}

fn dns(interface: &str, server: &str) -> Dns {
    Dns {
        interface: interface.into(),
        resolvers: vec![Resolver::File],
        servers: vec![server.parse().expect("address")],
        search: vec!["corp.example".into()],
        everything: true,
    }
}

#[test]
fn the_file_is_replaced_and_comes_back() {
    let scene = Scene::new();
    let dns = dns("wgx", "10.9.0.2");
    dns.set_at(&scene.places).expect("sets");
    assert!(scene.text().starts_with("# Written by underpass for wgx. "), "{}", scene.text());
    assert!(scene.text().ends_with("\nnameserver 10.9.0.2\nsearch corp.example\n"), "{}", scene.text());
    dns.set_at(&scene.places).expect("sets again");
    assert!(dns.is_set_at(&scene.places));
    assert!(!self::dns("wgx", "10.9.0.3").is_set_at(&scene.places), "another server");
    for _ in 0..2 {
        dns.unset_at(&scene.places).expect("takes back, also when there is nothing");
        scene.is_as_before(BEFORE);
        assert!(!dns.is_set_at(&scene.places));
    }
}

#[test]
fn a_link_comes_back_as_a_link_and_nothing_as_nothing() {
    let scene = Scene::new();
    let dns = dns("wgx", "10.9.0.2");
    let target = scene.root.path().join("target");
    for exists in [true, false] {
        fs::remove_file(scene.places.resolv_conf()).expect("removes");
        if exists {
            fs::write(&target, BEFORE).expect("writes");
        } else {
            fs::remove_file(&target).expect("removes");
        }
        symlink(&target, scene.places.resolv_conf()).expect("link");
        dns.set_at(&scene.places).expect("sets");
        assert!(scene.text().contains("10.9.0.2"));
        assert_eq!(fs::read_to_string(&target).ok().as_deref(), exists.then_some(BEFORE), "what it led to");
        dns.unset_at(&scene.places).expect("takes back");
        assert_eq!(fs::read_link(scene.places.resolv_conf()).expect("a link"), target);
    }
    fs::remove_file(scene.places.resolv_conf()).expect("removes");
    dns.set_at(&scene.places).expect("sets");
    assert!(scene.text().contains("10.9.0.2"));
    dns.unset_at(&scene.places).expect("takes back");
    assert!(!scene.places.resolv_conf().exists());
}

#[test]
fn what_somebody_else_wrote_meanwhile_stays() {
    let scene = Scene::new();
    let dns = dns("wgx", "10.9.0.2");
    dns.set_at(&scene.places).expect("sets");
    let theirs = "nameserver 198.51.100.53\n";
    assert!(dns.is_set_at(&scene.places));
    fs::write(scene.places.resolv_conf(), theirs).expect("writes");
    assert!(!dns.is_set_at(&scene.places));
    dns.unset_at(&scene.places).expect("takes back");
    scene.is_as_before(theirs);
    // And what they wrote is what the next tunnel keeps.
    dns.set_at(&scene.places).expect("sets");
    dns.unset_at(&scene.places).expect("takes back");
    scene.is_as_before(theirs);
}

/// A DHCP client: it replaces the file, writes into it, or removes it.
#[test]
fn what_somebody_else_writes_is_put_back_and_his_comes_back_at_the_end() {
    let scene = Scene::new();
    let dns = dns(PRESENT, "10.9.0.2");
    let put_back = |interface: &str| watch::put_back(interface, &scene.places).expect("works");
    assert!(!put_back(PRESENT), "nobody was told anything");
    dns.set_at(&scene.places).expect("sets");
    assert!(!put_back(PRESENT), "it is as it should be");
    let path = scene.places.resolv_conf();
    for (number, theirs) in ["nameserver 192.0.2.54\n", "", "nameserver 192.0.2.55\n"].into_iter().enumerate() {
        if number == 1 {
            fs::write(scene.places.etc.join("new"), theirs).expect("writes");
            fs::rename(scene.places.etc.join("new"), &path).expect("renames");
        } else {
            fs::write(&path, theirs).expect("writes");
        }
        assert!(put_back(PRESENT) && dns.is_set_at(&scene.places), "case {number}");
    }
    assert_eq!(uplink::uplink_servers_at(&scene.places), ["192.0.2.55".parse::<std::net::IpAddr>().expect("address")]);
    dns.unset_at(&scene.places).expect("takes back");
    assert_eq!(scene.text(), "nameserver 192.0.2.55\n");
    assert!(!put_back(PRESENT), "it is theirs again");
    dns.set_at(&scene.places).expect("sets");
    fs::remove_file(&path).expect("removes");
    assert!(put_back(PRESENT) && dns.is_set_at(&scene.places), "removed");
    dns.unset_at(&scene.places).expect("takes back");
    assert!(!path.exists(), "as they left it");
}

/// The file is the later one's, and each leaves it to him.
#[test]
fn of_two_tunnels_the_later_one_looks_after_the_file() {
    let scene = Scene::new();
    let (earlier, later) = (dns("wgx", "10.8.0.2"), dns(PRESENT, "10.9.0.2"));
    earlier.set_at(&scene.places).expect("sets");
    later.set_at(&scene.places).expect("sets");
    fs::write(scene.places.resolv_conf(), "nameserver 192.0.2.54\n").expect("writes");
    assert!(!watch::put_back("wgx", &scene.places).expect("works"), "it is not his");
    assert!(watch::put_back(PRESENT, &scene.places).expect("works"));
    assert!(later.is_set_at(&scene.places));
}

#[test]
fn everybody_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    fs::set_permissions(scene.places.resolv_conf(), fs::Permissions::from_mode(0o600)).expect("chmod");
    dns("wgx", "10.9.0.2").set_at(&scene.places).expect("sets");
    let mode = fs::metadata(scene.places.resolv_conf()).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn of_two_tunnels_either_may_end_first() {
    let (first, second) = (dns(PRESENT, "10.9.0.2"), dns("wgx", "10.8.0.2"));
    let scene = Scene::new();
    first.set_at(&scene.places).expect("sets");
    second.set_at(&scene.places).expect("sets");
    assert!(scene.text().contains("10.8.0.2"), "the later one counts");
    second.unset_at(&scene.places).expect("takes back");
    assert!(scene.text().contains("10.9.0.2"), "the earlier one counts again");
    first.unset_at(&scene.places).expect("takes back");
    scene.is_as_before(BEFORE);

    second.set_at(&scene.places).expect("sets");
    first.set_at(&scene.places).expect("sets");
    second.unset_at(&scene.places).expect("takes back");
    assert!(scene.text().contains("10.9.0.2"), "it was not the other's");
    first.unset_at(&scene.places).expect("takes back");
    scene.is_as_before(BEFORE);
}

/// The one that was there first ended without being taken down, and its interface is gone.
#[test]
fn a_tunnel_that_is_gone_inherits_nothing() {
    let scene = Scene::new();
    dns("wg-gone", "10.9.0.2").set_at(&scene.places).expect("sets");
    let second = dns("wgx", "10.8.0.2");
    second.set_at(&scene.places).expect("sets");
    second.unset_at(&scene.places).expect("takes back");
    assert_eq!(scene.text(), BEFORE);
    dns("wg-gone", "10.9.0.2").unset_at(&scene.places).expect("takes back");
    scene.is_as_before(BEFORE);
}

/// After a loss of power /run is empty, and /etc is as it was.
#[test]
fn what_was_kept_outlives_a_loss_of_power() {
    let scene = Scene::new();
    dns("wgx", "10.9.0.2").set_at(&scene.places).expect("sets");
    fs::remove_dir_all(scene.places.run.join("underpass")).expect("removes");
    assert_eq!(uplink::uplink_servers_at(&scene.places), ["192.0.2.53".parse::<std::net::IpAddr>().expect("address")]);
    dns("wgx", "10.9.0.2").unset_at(&scene.places).expect("takes back");
    scene.is_as_before(BEFORE);
}

/// Wherever `set` is killed, `unset` finds all that was done, and nothing else.
#[test]
fn killed_at_any_step_it_can_be_taken_back() {
    let dns = dns("wgx", "10.9.0.2");
    for step in 0..4 {
        let scene = Scene::new();
        let store = Store::open(&scene.places).expect("opens");
        let kept = scene.places.etc.join("resolv.conf.before-underpass");
        if step > 0 {
            store.write(&Record::new(&dns, &store)).expect("writes");
        }
        if step > 1 {
            fs::hard_link(scene.places.resolv_conf(), kept).expect("links");
        }
        if step > 2 {
            fs::write(scene.places.etc.join("half"), dns.text()).expect("writes");
            fs::rename(scene.places.etc.join("half"), scene.places.resolv_conf()).expect("renames");
        }
        drop(store);
        dns.unset_at(&scene.places).expect("takes back");
        scene.is_as_before(BEFORE);
    }
}

#[test]
fn a_fault_leaves_nothing_behind() {
    let scene = Scene::new();
    fs::remove_file(scene.places.resolv_conf()).expect("removes");
    fs::create_dir(scene.places.resolv_conf()).expect("a folder in its place");
    let message = dns("wgx", "10.9.0.2").set_at(&scene.places).expect_err("no file").to_string();
    assert!(message.contains("etc/resolv.conf: "), "{message}");
    assert_eq!(fs::read_dir(&scene.places.etc).expect("folder").count(), 1);
    assert_eq!(fs::read_dir(&scene.places.own()[1]).expect("folder").count(), 1, "more than the lock");
}

#[test]
fn others_than_the_tunnels_are_noticed() {
    let scene = Scene::new();
    let file = ResolvConf::new(&scene.places);
    let servers: [Server; 1] = ["10.9.0.2".parse().expect("address")];
    for (text, only) in [
        ("nameserver 10.9.0.2\n", true),
        ("nameserver 127.0.0.1\n", true),
        ("nameserver 10.9.0.2%eth0\n", true),
        ("nameserver 10.9.0.2\nnameserver 192.0.2.53\n", false),
        ("", false),
        ("# nameserver 10.9.0.2\n", false),
    ] {
        fs::write(scene.places.resolv_conf(), text).expect("writes");
        assert_eq!(file.asks_only(&servers), only, "{text}");
    }
}

#[test]
fn commands_are_shown_as_one_would_type_them() {
    let mut dns = dns("wg0", "10.9.0.2");
    dns.resolvers = vec![Resolver::Resolved, Resolver::Resolvconf { record: "tun.wg0".into() }, Resolver::File];
    let file = "# Written by underpass for wg0. `underpass down wg0` brings back what was here before.\n\
                nameserver 10.9.0.2\nsearch corp.example";
    let shown = format!(
        "resolvectl domain wg0 ~. corp.example\nresolvectl default-route wg0 yes\nresolvectl dns wg0 10.9.0.2\n\
         resolvconf -a tun.wg0 -m 0 -x <<'END'\nnameserver 10.9.0.2\nsearch corp.example\nEND\n\
         cat > /etc/resolv.conf <<'END'\n{file}\nEND"
    );
    assert_eq!(dns.to_string(), shown);
    assert_eq!(dns.undoing(), "# put /etc/resolv.conf back\nresolvconf -d tun.wg0 -f\nresolvectl revert wg0");
    dns.everything = false;
    assert!(dns.to_string().starts_with("resolvectl domain wg0 corp.example\nresolvectl default-route wg0 no\n"));
}
