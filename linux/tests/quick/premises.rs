//! A machine whose programs a test chooses, everything about it as text, and a hand that kills at a given call of them.
//!
//! `ip`, the firewall programs and `resolvconf` are called by way of scripts that count. The firewall is one of two kinds:
//! with `nft`, or without. Nothing of this machine's own is changed.
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use underpass_linux::demo::stage::{self, Finished, Machine, Stage};

/// The command.
pub const UNDERPASS: &str = env!("CARGO_BIN_EXE_underpass");
/// How long anything may take that happens by itself: no verdict hangs on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The interface.
pub const NAME: &str = "wgt0";
/// RFC 7748 § 6.1: Alice's private key, Bob's public key.
pub const PRIVATE: &str = "cAdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LGo=";
pub const PEER: &str = "3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";

/// Which firewall programs a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    Nft,
    Iptables,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// `up` or `down`, whichever makes the call.
    Caller,
    /// The tunnel's own program.
    Daemon,
}

/// When, beside the call it happens at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// A machine, its programs, a file for `up`, and how it was at first.
pub struct Premises {
    pub machine: Machine,
    pub directory: TempDir,
    pub before: String,
    firewall: Firewall,
    nft: PathBuf,
}

const PROGRAMS: [&str; 10] = [
    "ip",
    "sysctl",
    "iptables",
    "ip6tables",
    "nft",
    "iptables-save",
    "iptables-restore",
    "ip6tables-save",
    "ip6tables-restore",
    "bash",
];

impl Premises {
    pub fn new(firewall: Firewall) -> Result<Self> {
        let machine = Stage::new()?.machine("gateway")?;
        let directory = tempfile::tempdir()?;
        let nft = directory.path().join("nft");
        fs::copy(real("nft")?, &nft)?;
        let mut premises = Self { machine, directory, before: String::new(), firewall, nft };
        for folder in ["bin", "records"] {
            fs::create_dir(premises.path(folder))?;
        }
        for program in PROGRAMS.iter().filter(|program| firewall == Firewall::Nft || **program != "nft") {
            premises.counted(program, &format!("{} \"$@\"", real(program)?.display()))?;
        }
        let records = premises.path("records");
        // As resolvconf does: programs ask whom the last record names.
        let keep = format!(
            "case $1 in\n\
             -a) cat > {0}/$2; [ -e {1} ] || cp /etc/resolv.conf {1}; cat {0}/$2 > /etc/resolv.conf;;\n\
             -d) rm -f {0}/$2; [ ! -e {1} ] || cat {1} > /etc/resolv.conf;;\n\
             -l) cat {0}/$2 2>/dev/null;;\n\
             esac",
            records.display(),
            premises.path("original").display()
        );
        premises.counted("resolvconf", &keep)?;
        premises.prepare()?;
        premises.spare()?;
        premises.before = premises.snapshot()?;
        Ok(premises)
    }

    /// What a machine has that was in use before: empty tables of iptables, and no `nft` where there shall be none.
    fn prepare(&self) -> Result<()> {
        for restore in ["iptables-restore", "ip6tables-restore"] {
            for verb in ["-I", "-D"] {
                let rules = format!(
                    "*raw\n{verb} PREROUTING -j ACCEPT\nCOMMIT\n*mangle\n{verb} PREROUTING -j ACCEPT\n\
                     {verb} POSTROUTING -j ACCEPT\nCOMMIT\n"
                );
                self.machine.run_with_input(restore, &["-n"], &rules)?;
            }
        }
        if self.firewall == Firewall::Iptables {
            let nft = real("nft")?.canonicalize()?;
            self.machine.run("mount", &["--bind", "/dev/null", &nft.to_string_lossy()])?;
        }
        self.machine.sysctl("net.ipv4.conf.all.src_valid_mark=1")?;
        // No link-local addresses of their own for new interfaces: they are other ones each time.
        self.machine.sysctl("net.ipv6.conf.default.addr_gen_mode=1")
    }

    /// Puts a program in the way that counts its calls and does `what`.
    fn counted(&self, name: &str, what: &str) -> Result<()> {
        let here = self.directory.path().display();
        self.program(
            name,
            &format!(
                "read -r at < {here}/at\n\
                 if [ $at = 0 ]; then\n{what}\nexit\nfi\n\
                 read -r victim < {here}/victim\nread -r moment < {here}/moment\nread -r n < {here}/count\n\
                 n=$((n + 1))\necho $n > {here}/count\n\
                 strike() {{\n\
                 touch {here}/struck\n\
                 if [ $victim = Daemon ]; then\n\
                 v=$(sed -n 's/.*\"id\": \\([0-9]*\\).*/\\1/p' /run/underpass/{NAME}.json)\n\
                 else\n\
                 v=$PPID\n\
                 while [ \"$(cat /proc/$v/comm)\" != underpass ]; do read -r _ _ _ v _ < /proc/$v/stat; done\n\
                 fi\n\
                 [ -z \"$v\" ] || kill -9 $v\n\
                 }}\n\
                 if [ $n$moment = ${{at}}Before ]; then\nstrike\n[ $victim = Daemon ] || exit 1\nfi\n\
                 {what}\n\
                 status=$?\n\
                 [ $n$moment != ${{at}}After ] || strike\n\
                 exit $status\n"
            ),
        )
    }

    /// Puts a program first in PATH.
    pub fn program(&self, name: &str, script: &str) -> Result<()> {
        let path = self.path("bin").join(name);
        // Not written in place: another thread that forks just then would have it open, and it could not be run.
        let written = self.path("written");
        fs::write(&written, format!("#!/bin/sh\n{script}"))?;
        fs::set_permissions(&written, fs::Permissions::from_mode(0o755))?;
        self.machine.run("install", &["-m", "755", &written.to_string_lossy(), &path.to_string_lossy()]).map(drop)
    }

    /// Takes a program out of PATH again.
    pub fn without(&self, name: &str) -> Result<()> {
        fs::remove_file(self.path("bin").join(name)).map_err(Into::into)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// From now on the `at`th call kills.
    pub fn strike(&self, victim: Victim, at: usize, moment: Moment) -> Result<()> {
        let _ = fs::remove_file(self.path("struck"));
        for (name, text) in [
            ("count", String::from("0")),
            ("at", at.to_string()),
            ("victim", format!("{victim:?}")),
            ("moment", format!("{moment:?}")),
        ] {
            fs::write(self.path(name), text + "\n")?;
        }
        Ok(())
    }

    /// From now on nobody is killed.
    pub fn spare(&self) -> Result<()> {
        self.strike(Victim::Caller, 0, Moment::Before)
    }

    /// Whether somebody was killed, or would have been, had they been there.
    pub fn has_struck(&self) -> bool {
        self.path("struck").exists()
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = self.machine.command(program);
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        match self.firewall {
            Firewall::Nft => path.push(stage::search_path()),
            // A shell takes what it cannot run for a program all the same.
            Firewall::Iptables => path.push("/usr/bin:/bin"),
        }
        command.env("PATH", path);
        command
    }

    pub fn underpass(&self, arguments: &[&str]) -> Result<Finished> {
        let mut command = self.command(UNDERPASS);
        command.args(arguments);
        self.machine.start(command)?.wait(PATIENCE)
    }

    /// Writes the file of the interface: an `[Interface]` section with `interface`, a peer with `peer`.
    pub fn config(&self, interface: &str, peer: &str) -> Result<String> {
        let path = self.path(&format!("{NAME}.conf"));
        let text = format!("[Interface]\nPrivateKey = {PRIVATE}\n{interface}\n[Peer]\nPublicKey = {PEER}\n{peer}\n");
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// All that `up` and `down` could leave behind.
    pub fn snapshot(&self) -> Result<String> {
        let mut text = String::new();
        for line in [
            "ip -br address",
            "ip -4 rule",
            "ip -6 rule",
            "ip -4 route show table all",
            "ip -6 route show table all",
            "iptables-save",
            "ip6tables-save",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            for line in self.machine.run(words[0], &words[1..])?.lines().filter(|line| !line.starts_with('#')) {
                // How much came by says nothing.
                let line = if line.starts_with(':') { line.split(" [").next().unwrap_or(line) } else { line };
                text.push_str(&format!("{line}\n"));
            }
        }
        // Number, name, flags, MTU; the number is another one each time.
        for link in self.machine.run("ip", &["-o", "link"])?.lines() {
            let words: Vec<&str> = link.split_whitespace().skip(1).take(4).collect();
            text.push_str(&format!("link {}\n", words.join(" ")));
        }
        // The order of tables says nothing.
        let ruleset = without_counts(&self.machine.run(&self.nft.to_string_lossy(), &["list", "ruleset"])?);
        let mut tables: Vec<&str> = ruleset.split_inclusive("\n}\n").collect();
        tables.sort_unstable();
        text.push_str(&tables.concat());
        let records = self.path("records");
        // The folder of records of name servers, and the file that is locked for changing them, stay.
        let folders =
            [("sockets", "/var/run/wireguard"), ("state", "/run/underpass"), ("name servers", "/run/underpass/dns")];
        for (title, folder) in folders {
            let mut there = self.machine.inside(|| names(Path::new(folder)));
            there.retain(|name| !matches!((title, name.as_str()), ("state", "dns") | ("name servers", "lock")));
            text.push_str(&format!("{title}: {there:?}\n"));
        }
        let resolv_conf = self.machine.inside(|| fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
        text.push_str(&format!("resolv.conf: {resolv_conf}\n"));
        for name in names(&records) {
            text.push_str(&format!("{name}: {}\n", fs::read_to_string(records.join(&name))?));
        }
        text.push_str(&format!("{} programs\n", self.machine.processes()?.len()));
        Ok(text)
    }

    /// Waits until the machine is as in `expected`: programs take a moment to end, and the kernel to give addresses routes.
    pub fn comes_to(&self, expected: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let now = self.snapshot()?;
            if now == expected {
                return Ok(());
            }
            ensure!(Instant::now() < until, "the machine is:\n{now}\n--- and should be:\n{expected}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the machine is as it was at first.
    pub fn is_clean(&self) -> Result<()> {
        self.comes_to(&self.before)
    }

    /// Waits until nothing changes any more.
    pub fn settled(&self) -> Result<String> {
        let until = Instant::now() + PATIENCE;
        let mut last = self.snapshot()?;
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let now = self.snapshot()?;
            if now == last {
                return Ok(now);
            }
            ensure!(Instant::now() < until, "it never settles:\n{now}");
            last = now;
        }
    }

    /// Waits until no more than `programs` run here: what a killed one had started goes on for a moment.
    pub fn comes_to_rest(&self, programs: usize) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.machine.processes()?.len() > programs {
            ensure!(Instant::now() < until, "programs go on");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

/// Ends well.
pub fn well(finished: &Finished) -> Result<()> {
    ensure!(finished.status.success(), "{finished:?}");
    Ok(())
}

/// The rules that nft lists, without what they counted.
fn without_counts(ruleset: &str) -> String {
    let mut parts = ruleset.split("counter packets ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let rest = rest.strip_prefix(" bytes ").unwrap_or(rest);
        text.push_str("counter");
        text.push_str(rest.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    text
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn real(program: &str) -> Result<PathBuf> {
    let folders = stage::search_path();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|file| file.exists())
        .with_context(|| format!("`{program}` is missing: run tests/setup.sh"))
}
