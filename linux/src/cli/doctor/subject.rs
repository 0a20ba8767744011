//! What is looked at: the file of a tunnel, what runs, and the interface.
use crate::cli::check::parse_here;
use crate::cli::show::ask;
use crate::control::socket;
use crate::control::status::InterfaceStatus;
use crate::quick::ConfigFile;
use crate::quick::file::DIRECTORY;
use crate::quick::machine::output;
use crate::quick::plan::has_default_route;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use std::net::IpAddr;
use std::path::Path;
use underpass_core::config::{Parsed, QuickConfig};

/// A tunnel.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) name: String,
    /// Its file and what is in it, or why it cannot be read; `None` where there is none.
    pub(super) file: Option<Result<(ConfigFile, Parsed), String>>,
    /// What runs, or why that cannot be told.
    pub(super) status: Result<InterfaceStatus, String>,
    pub(super) link: Option<Link>,
}

/// A virtual interface.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) is_up: bool,
    pub(super) addresses: Vec<IpAddr>,
}

impl Subject {
    /// The tunnel of the file or the name `what`.
    pub(super) fn of(what: &str) -> Self {
        let is_path = what.contains('/') || what.ends_with(".conf");
        let path = Path::new(DIRECTORY).join(format!("{what}.conf"));
        let file = (is_path || path.exists())
            .then(|| ConfigFile::read(what).map_err(|fault| fault.to_string()))
            .map(|read| read.map(|file| (parse_here(&file.text), file)).map(|(parsed, file)| (file, parsed)));
        let name = match &file {
            Some(Ok((file, _))) => file.name.clone(),
            _ => Path::new(what).file_stem().map_or_else(|| what.into(), |stem| stem.to_string_lossy().into_owned()),
        };
        let status = ask(&socket::directory(), &name).map_err(|fault| fault.to_string());
        let link = link(&name);
        Self { name, file, status, link }
    }

    /// Whether its program answers, and its interface is up.
    pub(super) fn is_up(&self) -> bool {
        self.status.is_ok() && self.link.as_ref().is_some_and(|link| link.is_up)
    }

    /// What the file says, if it says something.
    pub(super) fn config(&self) -> Option<&QuickConfig> {
        self.file.as_ref()?.as_ref().ok()?.1.config.as_ref()
    }

    /// What runs.
    pub(super) fn running(&self) -> Option<&InterfaceStatus> {
        self.status.as_ref().ok()
    }

    /// Whether everything is to go through it, and the mark that keeps its own datagrams out of it.
    pub(super) fn takes_everything(&self) -> Option<u32> {
        let everything = self.config().is_some_and(has_default_route);
        everything.then(|| self.running().map(|running| running.fwmark)).flatten().filter(|mark| *mark != 0)
    }
}

fn link(name: &str) -> Option<Link> {
    let mut link: Option<Link> = None;
    for one in getifaddrs().ok()?.filter(|one| one.interface_name == name) {
        let link = link.get_or_insert_default();
        link.is_up |= one.flags.contains(InterfaceFlags::IFF_UP);
        let Some(address) = one.address else { continue };
        link.addresses.extend(address.as_sockaddr_in().map(|address| IpAddr::from(address.ip())));
        link.addresses.extend(address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())));
    }
    link
}

/// The way that the kernel picks for `address`, with `mark` if that is not 0: the line of `ip route get`.
pub(super) fn way_to(address: IpAddr, mark: u32) -> Option<String> {
    let (address, mark) = (address.to_string(), mark.to_string());
    let mut arguments = vec!["-o", "route", "get", &address];
    if mark != "0" {
        arguments.extend(["mark", &mark]);
    }
    output("ip", &arguments)
}

/// The interface of a way.
pub(super) fn device_of(way: &str) -> Option<&str> {
    way.split_whitespace().skip_while(|word| *word != "dev").nth(1)
}
