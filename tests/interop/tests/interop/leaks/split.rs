//! Programs that stay outside the tunnel, or that alone use it.
use super::{ENDPOINT, EVERYTHING};
use anyhow::{Context as _, Result, ensure};
use nix::unistd::{Uid, setfsuid};
use std::net::UdpSocket;
use std::path::PathBuf;
use underpass_interop::{Leak, Machine, PATIENCE, Running, Stage, answers, eventually, play};

/// Nobody of this number has a name.
const USER: u32 = 54_321;
/// Where the user sends to: an address that answers inside the tunnel, and would be counted outside.
const TARGET: &str = "203.0.113.9:9";

/// Sends as the user, and says how many of ten packets could be sent.
fn send_as_user(machine: &Machine) -> Result<usize> {
    let socket = machine.inside(|| {
        // Of this thread alone, which ends with this.
        setfsuid(Uid::from_raw(USER));
        UdpSocket::bind("0.0.0.0:0")
    })?;
    Ok((0..10).filter(|_| socket.send_to(b"cleartext", TARGET).is_ok()).count())
}

/// A control group for the time of a story, on a machine that sees only version 2 of them.
struct Group {
    path: String,
    folder: PathBuf,
}

impl Group {
    fn new(machine: &Machine, name: &str) -> Result<Self> {
        machine.run("mount", &["-t", "cgroup2", "none", "/sys/fs/cgroup"])?;
        let path = format!("underpass-{name}-{}", std::process::id());
        let folder = PathBuf::from("/sys/fs/cgroup").join(&path);
        machine.run("mkdir", &[&folder.to_string_lossy()])?;
        Ok(Self { path, folder })
    }

    /// Somebody in the group who sends without end.
    fn send(&self, machine: &Machine) -> Result<Running> {
        let script = format!(
            "echo $$ > {}/cgroup.procs && while :; do echo cleartext > /dev/udp/203.0.113.9/9; sleep 0.01; done",
            self.folder.display()
        );
        machine.spawn("bash", &["-c", &script])
    }

    /// Removes it, once nobody is in it any more.
    fn remove(&self, machine: &Machine) -> Result<()> {
        let folder = self.folder.to_string_lossy();
        eventually("the group is empty", PATIENCE, || Ok(machine.try_run("rmdir", &[&folder])?.status.success()))
    }
}

/// Only what the user sends leaves, and only from an address by which answers find back.
#[test]
fn a_user_stays_outside() {
    play(|stage| {
        let leak =
            Leak::new(stage, "user-out", &format!("KillSwitch = on\nExcludeUser = {USER}"), EVERYTHING, ENDPOINT)?;
        leak.nothing_leaves_while_up(&["up", &leak.file])?;
        leak.nothing_leaves("carrying", || answers(&leak.client, "203.0.113.1"))?;
        let sent = leak.during(|| send_as_user(&leak.client).map(drop))?;
        ensure!(sent == 10, "{sent} of the user's 10 packets left outside");
        leak.kill("underpass")?;
        let sent = leak.during(|| send_as_user(&leak.client).map(drop))?;
        ensure!(sent == 10, "{sent} of the user's 10 packets left when the tunnel was gone");
        leak.nothing_leaves("nobody else", || Ok(()))
    });
}

/// The others leave as if there were no tunnel; the user leaves by the tunnel or not at all.
#[test]
fn a_user_is_alone_inside() {
    play(|stage| alone(stage, "user-in", &format!("OnlyUser = {USER}"), |leak| send_as_user(&leak.client)))
}

fn alone(stage: &Stage, name: &str, keys: &str, send: impl Fn(&Leak) -> Result<usize>) -> Result<()> {
    let leak = Leak::new(stage, name, keys, EVERYTHING, ENDPOINT)?;
    leak.underpass(&["up", &leak.file])?;
    ensure!(leak.during(|| Ok(()))? > 0, "all others stay outside");
    leak.silence()?;
    let inside = |leak: &Leak| -> Result<u64> {
        let shown = leak.client.run("wg", &["show", "wgl", "transfer"])?;
        shown.split_whitespace().last().and_then(|sent| sent.parse().ok()).context("no count")
    };
    let before = inside(&leak)?;
    leak.nothing_leaves("the user sends", || send(&leak).map(drop))?;
    ensure!(inside(&leak)? >= before + 10 * 48, "the user's packets do not go through the tunnel");
    leak.client.ip("link set wgl down")?;
    leak.nothing_leaves("set down", || send(&leak).map(drop))?;
    leak.client.ip("link set wgl up")?;
    let before = inside(&leak)?;
    leak.nothing_leaves("more specific routes", || {
        super::add_routes(&leak)?;
        send(&leak).map(drop)
    })?;
    ensure!(inside(&leak)? >= before + 10 * 48, "more specific routes take the user's packets away");
    super::delete_routes(&leak)?;
    leak.kill("underpass")?;
    leak.nothing_leaves("the daemon killed", || send(&leak).map(drop))
}

#[test]
fn a_control_group_stays_outside_and_one_that_is_missing_costs_nobody_the_kill_switch() {
    play(|stage| {
        let group_name = format!("underpass-out-{}", std::process::id());
        let keys = format!("KillSwitch = on\nExcludeCgroup = {group_name}, underpass/no-such-group");
        let leak = Leak::new(stage, "group-out", &keys, EVERYTHING, ENDPOINT)?;
        let group = Group::new(&leak.client, "out")?;
        ensure!(group.path == group_name);
        let said = leak.try_underpass(&["up", &leak.file], &[])?;
        ensure!(said.status.success() && said.stderr.contains("there is no control group"), "{said:?}");
        leak.nothing_leaves("carrying", || answers(&leak.client, "203.0.113.1"))?;
        let sender = group.send(&leak.client)?;
        eventually("what the group sends leaves", PATIENCE, || Ok(leak.during(|| Ok(()))? > 0))?;
        drop(sender);
        group.remove(&leak.client)?;
        leak.nothing_leaves("nobody else", || Ok(()))
    });
}

#[test]
fn a_control_group_is_alone_inside() {
    play(|stage| {
        let name = format!("underpass-in-{}", std::process::id());
        let leak = Leak::new(stage, "group-in", &format!("OnlyCgroup = {name}"), EVERYTHING, ENDPOINT)?;
        let refused = leak.try_underpass(&["up", &leak.file], &[])?;
        ensure!(
            refused.status.code() == Some(1) && refused.stderr.contains("there is no control group"),
            "{refused:?}"
        );
        let group = Group::new(&leak.client, "in")?;
        leak.underpass(&["up", &leak.file])?;
        leak.silence()?;
        let sender = group.send(&leak.client)?;
        leak.nothing_leaves("up", || Ok(()))?;
        leak.kill("underpass")?;
        leak.nothing_leaves("the daemon killed", || Ok(()))?;
        drop(sender);
        group.remove(&leak.client)
    });
}
