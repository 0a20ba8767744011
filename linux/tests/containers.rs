//! Where less is there than on a machine of one's own: user namespaces, capabilities that are missing, no driver, settings that
//! cannot be written, IPv6 that is off. A tunnel comes up as far as it can, or says why not, and nothing is left.
//!
//! Root is needed: machines are network namespaces. Without it every test here fails.
use anyhow::{Result, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use underpass_linux::demo::stage::{Finished, Machine, Stage};

/// RFC 7748 § 6.1: Alice's and Bob's keys.
const ALICE: [&str; 2] =
    ["dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="];
const BOB: [&str; 2] = ["XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os=", "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="];
/// What all scripts begin with: the network that a container has, without addresses that the kernel chooses in its own time, and
/// a resolv.conf that is mounted there as container programs do.
const NETWORK: &str = "echo 1 > /proc/sys/net/ipv6/conf/default/addr_gen_mode; ip link add eth0 type veth peer name peer0; \
    ip address add 192.0.2.1/24 dev eth0; ip link set lo up; ip link set eth0 up; ip link set peer0 up; ip route add default via 192.0.2.2; \
    echo nameserver 192.0.2.53 > /run/resolv.conf; mount --bind /run/resolv.conf /etc/resolv.conf";
/// All that `up` could leave behind.
const STATE: &str = "state() { ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; \
    ip -br link | sed 's/@.*//'; nft list tables; cat /etc/resolv.conf; \
    { ls /run/underpass 2>/dev/null || true; } | sed '/^dns$/d'; }";

/// A machine, the command where everybody may run it, and two tunnels for it: one to the other, over the loopback.
struct Place {
    machine: Machine,
    folder: TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let machine = Stage::new()?.machine("container")?;
        let folder = tempfile::tempdir()?;
        let place = Self { machine, folder };
        fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755))?;
        fs::copy(env!("CARGO_BIN_EXE_underpass"), place.folder.path().join("underpass"))?;
        place.write("bob", &BOB, &ALICE, "Address = 10.9.0.2/24\nListenPort = 7001", "AllowedIPs = 10.9.0.1/32")?;
        let endpoint = "AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 127.0.0.1:7001";
        let own = "Address = 10.9.0.1/24, fd09::1/64\nMTU = 1380\nDNS = 10.9.0.53";
        place.write("open", &ALICE, &BOB, own, endpoint)?;
        place.write("shut", &ALICE, &BOB, &format!("{own}\nKillSwitch = on"), endpoint)?;
        Ok(place)
    }

    fn write(&self, name: &str, own: &[&str], peer: &[&str], interface: &str, rest: &str) -> Result<()> {
        let text =
            format!("[Interface]\nPrivateKey = {}\n{interface}\n[Peer]\nPublicKey = {}\n{rest}\n", own[0], peer[1]);
        let path = self.folder.path().join(format!("{name}.conf"));
        fs::write(&path, text)?;
        // Its owner is another one in a user namespace.
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o644))?)
    }

    /// Runs a script as root of the machine, or as whom `prefix` makes of it.
    fn run(&self, prefix: &[&str], script: &str) -> Result<Finished> {
        let script = format!("cd {}\n{STATE}\n{script}", self.folder.path().display());
        let words: Vec<&str> = prefix.iter().copied().chain(["bash", "-euo", "pipefail", "-c", &script]).collect();
        self.machine.try_run(words[0], &words[1..])
    }

    /// `up` fails with each file, says `expected`, and leaves nothing; `before` is what has been done to the machine.
    fn refuses(&self, prefix: &[&str], before: &str, expected: &str) -> Result<()> {
        self.run(&[], &format!("{NETWORK}\n{before}"))?.success()?;
        let state = self.run(&[], "state")?.success()?;
        for file in ["open", "shut"] {
            let refused = self.run(prefix, &format!("exec ./underpass up ./{file}.conf"))?;
            let said = refused.stderr.lines().filter(|line| !line.contains("warning: other users")).collect::<Vec<_>>();
            ensure!(
                refused.status.code() == Some(1) && said == [format!("underpass: {expected}")],
                "{file}: {refused:?}"
            );
            let after = self.run(&[], "state")?.success()?;
            ensure!(after == state, "{file}: it was\n{state}\nand is\n{after}");
        }
        Ok(())
    }
}

/// Both tunnels come up and carry, with and without the kill switch, and nothing is left of them.
const CYCLE: &str = "state > /run/before\n\
    for file in open shut; do\n\
    ./underpass up ./bob.conf\n\
    ./underpass up --wait ./$file.conf\n\
    ping -c 2 -W 30 10.9.0.2 > /dev/null\n\
    [ $file = open ] || nft list tables | grep -x 'table inet underpass'\n\
    grep -q 10.9.0.53 /etc/resolv.conf\n\
    ./underpass down ./$file.conf\n\
    ./underpass down ./bob.conf\n\
    state | diff /run/before -\n\
    done";

/// As rootless containers have it: root is a user elsewhere, and of this network alone.
#[test]
fn root_of_a_user_namespace_has_tunnels() -> Result<()> {
    let place = Place::new()?;
    // The device is there for everybody, as it is on most machines.
    place.run(&[], "mount -t tmpfs -o mode=755 tmpfs /dev/net; mknod -m 666 /dev/net/tun c 10 200")?.success()?;
    let user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"];
    let prefix: Vec<&str> =
        user.into_iter().chain(["unshare", "--user", "--map-root-user", "--net", "--mount"]).collect();
    let script = format!("mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p /run/wireguard\n{NETWORK}\n{CYCLE}");
    let ran = place.run(&prefix, &script)?;
    ensure!(ran.status.success() && ran.stderr.matches("connected in").count() == 2, "{ran:?}");
    Ok(())
}

#[test]
fn root_without_the_capability_is_told_which() -> Result<()> {
    let expected = "root lacks CAP_NET_ADMIN here: have the container started with `--cap-add NET_ADMIN`";
    Place::new()?.refuses(&["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"], "", expected)
}

#[test]
fn without_a_driver_that_is_said() -> Result<()> {
    let expected = "/dev/net/tun is missing: load the `tun` kernel module, or give the container access to the device";
    Place::new()?.refuses(&[], "mount -t tmpfs tmpfs /dev/net", expected)
}

const READ_ONLY: &str = "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys";

/// Where the reverse path is checked strictly, answers of the peer would be dropped.
#[test]
fn a_setting_that_matters_and_cannot_be_written_is_told() -> Result<()> {
    let before = format!("echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter; {READ_ONLY}");
    let expected = "cannot write /proc/sys/net/ipv4/conf/all/src_valid_mark: Read-only file system (os error 30); have the \
                    container started with `--sysctl net.ipv4.conf.all.src_valid_mark=1`";
    Place::new()?.refuses(&[], &before, expected)
}

#[test]
fn a_setting_that_nobody_looks_at_need_not_be_written() -> Result<()> {
    let place = Place::new()?;
    let loose = "for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 2 > $file; done";
    let ran = place.run(&[], &format!("{NETWORK}; {loose}; {READ_ONLY}\n{CYCLE}"))?;
    ensure!(ran.status.success(), "{ran:?}");
    Ok(())
}

const OFF: &str = "underpass: warning: IPv6 is off on this machine: its addresses and networks are not in the tunnel";

#[test]
fn where_ipv6_is_off_a_tunnel_goes_without() -> Result<()> {
    let place = Place::new()?;
    let off = "for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $file; done";
    let ran = place.run(&[], &format!("{NETWORK}; {off}\n{CYCLE}"))?;
    ensure!(ran.status.success() && ran.stderr.matches(OFF).count() == 2, "{ran:?}");
    let is_open = format!("{OFF}, and would not go through it if IPv6 were switched on\n");
    ensure!(ran.stderr.matches(&is_open).count() == 1, "{ran:?}");
    Ok(())
}

/// The kernel has no IPv6 at all: no settings, and no answers of `ip -6`.
#[test]
fn where_ipv6_is_off_since_boot_a_tunnel_goes_without() -> Result<()> {
    let place = Place::new()?;
    let programs = place.folder.path().join("programs");
    fs::create_dir(&programs)?;
    let real = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].into_iter().find(|path| Path::new(path).exists());
    let script = format!(
        "#!/bin/sh\n[ \"$1\" != -6 ] || {{ echo 'Error: Operation not supported.' >&2; exit 2; }}\nexec {} \"$@\"\n",
        real.unwrap_or("/bin/ip")
    );
    // Not written in place: another thread that forks just then would have it open, and it could not be run.
    fs::write(place.folder.path().join("written"), script)?;
    place.run(&[], "install -m 755 written programs/ip")?.success()?;
    let gone = "mkdir -p /run/settings/ipv4 /run/settings/core; mount --rbind /proc/sys/net/ipv4 /run/settings/ipv4; \
        mount --rbind /run/settings /proc/sys/net";
    let before = format!("{NETWORK}; {gone}; PATH={}:$PATH", programs.display());
    let cycle = CYCLE.replace("state", "seen");
    let seen = "seen() { ip rule; ip route show table all; ip -br link | sed 's/@.*//'; nft list tables; cat /etc/resolv.conf; }";
    let ran =
        place.run(&[], &format!("{before}\n{seen}\n{cycle}\n./underpass lock ./shut.conf; ./underpass unlock"))?;
    ensure!(ran.status.success() && ran.stderr.matches(OFF).count() == 2, "{ran:?}");
    Ok(())
}
