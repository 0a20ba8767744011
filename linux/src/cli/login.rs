//! `underpass login`: a tunnel to a gateway that wants to know who uses it, for as long as this process runs.
//!
//! The tunnel comes up without an address or a route. Once the gateway lets the user in, what it grants is applied as `reload`
//! applies a file that has changed, within the file's own AllowedIPs. At the end everything is taken down. The kill switch stays
//! where the login did not end by the user's own wish, so that nothing leaves unseen, and where it was on before.
use super::args;
use super::converse::{Asked, Conversation, Over, Place, span};
use super::daemon::{let_go, open_null, own_program};
use super::environment::Environment;
use super::up::{bring_up, read, require_root};
use super::{Outcome, down, reload, remains};
use crate::clock;
use crate::control::socket;
use crate::engine::SystemRng;
use crate::guard::{self, Wish};
use crate::login::link::Link;
use crate::login::{Driver, End, Grant, Policy, settings};
use crate::notify;
use crate::quick::process::Process;
use crate::quick::reconcile::Standing;
use crate::quick::{ConfigFile, Kept, Shelf};
use anyhow::{anyhow, bail};
use clap::ValueEnum;
use nix::unistd::{chdir, setsid};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use underpass_core::PublicKey;
use underpass_core::config::{Endpoint, KillSwitch, QuickConfig};

/// What the process that stays says to the other when the user is logged in.
const READY: &str = "ready";
/// How long another run may work on the same interface.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Logs in, and stays until the login ends.
///
/// # Errors
/// The configuration is wrong, the login came to nothing, or the gateway ended it.
pub fn run(asked: &args::Login) -> Outcome {
    let (file, config) = read(&asked.config)?;
    let gateway = gateway_of(&config)?;
    require_root()?;
    if asked.background {
        return in_background(asked);
    }
    let mut signals = Asked::watch()?;
    let had_lock = guard::lock_of(&file.name)?.is_some();
    start(&file, &config, asked.kill_switch)?;
    let mut machine = Machine {
        file: &file,
        config: &config,
        gateway,
        wish: asked.kill_switch,
        leaves_terminal: asked.leaves_terminal,
        user: None,
    };
    let link = Link::connect(&socket::directory(), &file.name, &gateway);
    let mut is_granted = false;
    let outcome = link.and_then(|link| {
        let driver = Driver::new(clock::now(), Box::new(SystemRng), machine.policy(), asked.user.clone());
        let mut conversation = Conversation::new(driver, link, &mut signals);
        let outcome = conversation.carry(&mut machine);
        is_granted = conversation.is_granted();
        outcome
    });
    let is_own_wish = matches!(outcome, Ok(Over::End(End::LoggedOut { .. })));
    let all = finish(&file.name, had_lock || (is_granted && !is_own_wish));
    let concluded = conclude(&file.name, outcome, all);
    if let (Err(reason), true) = (&concluded, asked.leaves_terminal) {
        // Where the terminal was left, this is the only place that it is seen in.
        tracing::error!("{}", reason.to_string().replace("\nunderpass: ", "; "));
    }
    concluded
}

/// Has another process do it, and waits until the user is logged in.
fn in_background(asked: &args::Login) -> Outcome {
    let failed = |error: io::Error| anyhow!("cannot start a process that stays: {error}");
    let mut command = Command::new(own_program());
    command.arg0("underpass").args(["login", "--leaves-terminal"]);
    command.args(asked.user.iter().map(|user| format!("--user={user}")));
    let wish = asked.kill_switch.as_ref().and_then(ValueEnum::to_possible_value);
    command.args(wish.iter().map(|wish| format!("--kill-switch={}", wish.get_name())));
    let mut process = command.args(["--", &asked.config]).stdout(Stdio::piped()).spawn().map_err(failed)?;
    for line in process.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        match line.map_err(failed)? {
            line if line == READY => return Ok(ExitCode::SUCCESS),
            line => writeln!(io::stdout(), "{line}")?,
        }
    }
    // It has said why, to the same standard error.
    Ok(u8::try_from(process.wait()?.code().unwrap_or(1)).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Takes the tunnel down, whatever else there is to say. `false`: part of that failed.
pub(super) fn finish(name: &str, keeps_lock: bool) -> bool {
    take_down(name, keeps_lock).unwrap_or_else(|fault| {
        let _ = writeln!(io::stderr(), "underpass: {fault}");
        false
    })
}

/// What is said at the end.
fn conclude(name: &str, outcome: anyhow::Result<Over>, all: bool) -> Outcome {
    let reason = match outcome {
        Ok(Over::End(end @ End::LoggedOut { .. })) => {
            let _ = writeln!(io::stderr(), "underpass: {end}");
            return Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Ok(Over::End(end)) => anyhow!("{end}"),
        Ok(Over::Gone) => anyhow!("the tunnel was taken down, or another `underpass login` has it"),
        Err(fault) => fault,
    };
    match guard::lock_of(name) {
        Ok(None) => Err(reason),
        _ => Err(anyhow!(
            "{reason}\nunderpass: the kill switch stays: nothing leaves the machine before `underpass login {name}`, or \
             `underpass unlock {name}`"
        )),
    }
}

/// The gateway of a configuration: its only peer.
pub(super) fn gateway_of(config: &QuickConfig) -> anyhow::Result<PublicKey> {
    let [peer] = &config.tunnel.peers[..] else {
        bail!("a configuration for a login has one peer, the gateway; this has {}", config.tunnel.peers.len())
    };
    if config.tunnel.private_key.is_none() {
        bail!("a configuration for a login has the private key of this machine");
    }
    if peer.endpoint.is_none() {
        bail!("a configuration for a login says where the gateway is: its peer has no Endpoint");
    }
    Ok(peer.public_key)
}

/// Brings the tunnel up without anything that is to be granted.
pub(super) fn start(file: &ConfigFile, config: &QuickConfig, wish: Option<Wish>) -> anyhow::Result<()> {
    let shelf = Shelf::open()?;
    let _lock = shelf.lock(&file.name)?;
    let left = remains::clear(&shelf, &file.name)?;
    let mut bare = settings::before_login(config);
    // What is asked for here is as good as what the file says, also when the grant is applied.
    bare.linux.kill_switch = wish.map(KillSwitch::from).or(bare.linux.kill_switch);
    let switch = guard::steps::wanted(wish, &file.name, &bare)?;
    bring_up(&shelf, file, bare, switch, left, Process::find(std::process::id()))
}

/// Takes the tunnel down, if it is still the one that this process brought up. `false`: part of that failed.
fn take_down(name: &str, keeps_lock: bool) -> anyhow::Result<bool> {
    let shelf = Shelf::open()?;
    let _lock = shelf.lock_within(PATIENCE, name)?;
    let all = match remains::look(&shelf, name)? {
        Standing::Up(kept) | Standing::Remains(kept) if is_ours(&kept) => down::by_record(kept, false, false)?,
        _ => return Ok(true),
    };
    if !keeps_lock {
        super::guard::open(name)?;
    }
    Ok(all)
}

fn is_ours(kept: &Kept) -> bool {
    let login = kept.record().login;
    login.is_some() && login == Process::find(std::process::id())
}

/// The tunnel on this machine.
struct Machine<'a> {
    file: &'a ConfigFile,
    config: &'a QuickConfig,
    gateway: PublicKey,
    wish: Option<Wish>,
    leaves_terminal: bool,
    /// As whom the user was told to be logged in.
    user: Option<Option<String>>,
}

impl Machine<'_> {
    fn policy(&self) -> Policy {
        let peer = self.config.tunnel.peers.first();
        let endpoint = peer.and_then(|peer| match &peer.endpoint {
            Some(Endpoint::Address(address)) => Some(address.ip()),
            _ => None,
        });
        Policy { allowed_ips: peer.map(|peer| peer.allowed_ips.clone()).unwrap_or_default(), endpoint }
    }

    /// The kill switch that is asked for, or is on: a gateway turns none off.
    fn switch(&self) -> anyhow::Result<Option<KillSwitch>> {
        let is_on = guard::lock_of(&self.file.name)?;
        let is_on = is_on.map(|lock| if lock.lan { KillSwitch::Lan } else { KillSwitch::On });
        Ok(self.wish.map(KillSwitch::from).or(is_on))
    }

    fn tell(&mut self, grant: &Grant) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if self.user.as_ref() != Some(&grant.user) {
            let name = grant.user.as_deref().map_or_else(String::new, |name| format!(" as {name}"));
            let left = grant.left.map_or_else(String::new, |left| format!(" for {}", span(left)));
            writeln!(stdout, "logged in{name}{left}")?;
        }
        self.user = Some(grant.user.clone());
        settings::shown(&grant.granted.config).iter().try_for_each(|line| writeln!(stdout, "{line}"))?;
        stdout.flush()
    }
}

impl Place for Machine<'_> {
    fn apply(&mut self, grant: &Grant) -> anyhow::Result<()> {
        for refused in &grant.granted.refused {
            let _ = writeln!(io::stderr(), "underpass: warning: {}", settings::refused(refused));
        }
        if !settings::is_of_use(&grant.granted) {
            bail!("the gateway grants no address that can be used");
        }
        let config = settings::after_login(self.config, &grant.granted.config, self.switch()?);
        let shelf = Shelf::open()?;
        let _lock = shelf.lock_within(PATIENCE, &self.file.name)?;
        let mut kept = match remains::look(&shelf, &self.file.name)? {
            Standing::Up(kept) if is_ours(&kept) => kept,
            _ => bail!("interface `{}` was taken down", self.file.name),
        };
        if !reload::lead(&mut kept, &self.file.path, &config)? {
            bail!("not all of what the gateway granted could be set");
        }
        // Nobody may be listening any more.
        let _ = self.tell(grant);
        notify::ready();
        Ok(())
    }

    fn endpoint(&mut self) -> Option<IpAddr> {
        let status = down::ask(&self.file.name).ok()?;
        let peer = status.peers.into_iter().find(|peer| peer.public_key == self.gateway)?;
        peer.endpoint?.parse().ok().map(|address: SocketAddr| address.ip())
    }

    fn leave_terminal(&mut self) -> anyhow::Result<bool> {
        if self.leaves_terminal {
            let environment = Environment::read()?;
            let null = open_null()?;
            environment.start_log_in_background()?;
            // Fails only when we lead a process group already.
            let _ = setsid();
            chdir("/")?;
            // Whoever started us may have gone.
            let _ = writeln!(io::stdout(), "{READY}");
            let _ = io::stdout().flush();
            let_go(&null, environment.keep_stderr)?;
        }
        Ok(self.leaves_terminal)
    }
}
