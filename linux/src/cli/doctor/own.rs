//! The tunnel's own things: its file, its key, its interface, its name servers, its kill switch.
use super::Finding;
use super::subject::Subject;
use crate::cli::check::summary;
use crate::cli::host::exists;
use crate::dns::find::STUBS;
use crate::dns::resolv_conf::ResolvConf;
use crate::dns::{Places, Server};
use crate::guard;
use crate::quick::machine::output;
use underpass_core::PrivateKey;
use underpass_core::config::KillSwitch;

pub(super) fn file(subject: &Subject) -> Finding {
    let name = "file";
    match &subject.file {
        None => Finding::unknown(name, "there is none for this tunnel; what runs is looked at alone"),
        Some(Err(fault)) => Finding::fault(name, fault, "`underpass import` puts a configuration in its place"),
        Some(Ok((file, parsed))) => {
            let path = file.path.display();
            let said = format!("{path}: {}", summary(parsed));
            let check = format!("`underpass check {path}` says where and why");
            match (&parsed.config, file.is_exposed) {
                (None, _) => Finding::fault(name, said, check),
                (Some(_), true) => {
                    Finding::warning(name, format!("{path}: other users can use it"), format!("chmod 600 {path}"))
                }
                (Some(_), false) if !parsed.diagnostics.is_empty() => Finding::warning(name, said, check),
                (Some(_), false) => Finding::good(name, path.to_string()),
            }
        }
    }
}

pub(super) fn key(subject: &Subject) -> Finding {
    let name = "key";
    // Private keys that differ in bits without a meaning have one public key.
    let public = |key: &PrivateKey| key.public_key();
    let configured = subject.config().and_then(|config| config.tunnel.private_key.as_ref()).map(public);
    let runs = subject.running().and_then(|running| running.private_key.as_ref()).map(public);
    match (configured, runs, subject.running()) {
        (Some(configured), Some(runs), _) if configured != runs => Finding::warning(
            name,
            "what runs has another private key than the file",
            format!("`underpass down {0}` and `up {0}` take the one of the file", subject.name),
        ),
        (_, Some(_), _) | (Some(_), None, None) => {
            Finding::good(name, "there is a private key; its public key must be known to the peers")
        }
        (None, None, None) if subject.config().is_none() => Finding::unknown(name, "nothing to find it in"),
        _ => Finding::fault(
            name,
            "there is no private key: the tunnel is silent",
            "PrivateKey in [Interface]; `underpass genkey` makes one",
        ),
    }
}

pub(super) fn interface(subject: &Subject) -> Finding {
    let (check, name) = ("interface", &subject.name);
    let up = || format!("underpass up {name}");
    match (&subject.status, &subject.link) {
        (Err(_), _) if !exists(name) => Finding::fault(check, "the tunnel is not up", up()),
        (Err(fault), _) => Finding::fault(
            check,
            format!("there is an interface, but {fault}"),
            format!("`ip link delete dev {name}`, then `{}`", up()),
        ),
        (Ok(_), None) => Finding::unknown(check, "its program answers, and the interface is in another namespace"),
        (Ok(_), Some(link)) if !link.is_up => {
            Finding::fault(check, "the interface is down", format!("ip link set up dev {name}"))
        }
        (Ok(_), Some(link)) => {
            let wanted = subject.config().map(|config| &config.addresses[..]).unwrap_or_default();
            let missing = wanted.iter().find(|address| !link.addresses.contains(&address.addr()));
            let global = link.addresses.iter().filter(|address| !is_link_local(address)).count();
            match (missing, global) {
                (Some(missing), _) => Finding::fault(
                    check,
                    format!("it lacks its address {missing}"),
                    format!("ip address add {missing} dev {name}"),
                ),
                (None, 0) => Finding::warning(check, "it is up, and has no address", "Address in [Interface]"),
                (None, count) => {
                    Finding::good(check, format!("up, with {count} address{}", if count == 1 { "" } else { "es" }))
                }
            }
        }
    }
}

fn is_link_local(address: &std::net::IpAddr) -> bool {
    matches!(address, std::net::IpAddr::V6(address) if address.is_unicast_link_local())
}

pub(super) fn dns(subject: &Subject) -> Finding {
    let check = "dns";
    let wanted = subject.config().map(Server::of).unwrap_or_default();
    let servers = ResolvConf::new(&Places::default()).servers();
    match (wanted.is_empty(), subject.takes_everything()) {
        (true, Some(_)) => Finding::warning(
            check,
            format!("the file names no server: names are asked for at {}", listed(&servers)),
            "DNS in [Interface], with a server behind the tunnel",
        ),
        (true, None) => Finding::good(check, "not the tunnel's business: the file names no server"),
        _ if servers.iter().any(|asked| wanted.iter().any(|server| server.address == asked.address)) => {
            Finding::good(check, format!("names are asked for at {}", listed(&servers)))
        }
        _ if servers.iter().any(|server| STUBS.contains(&server.address)) => {
            let known = output("resolvectl", &["dns", &subject.name]).unwrap_or_default();
            match wanted.iter().any(|server| known.contains(&server.address.to_string())) {
                true => Finding::good(check, format!("systemd-resolved asks {}", listed(&wanted))),
                false => not_taken(subject, "systemd-resolved has no server for it"),
            }
        }
        _ => {
            not_taken(subject, &format!("/etc/resolv.conf has {} in it, and not {}", listed(&servers), listed(&wanted)))
        }
    }
}

/// The kill switch, where there is one or the file asks for one.
pub(super) fn lock(subject: &Subject) -> Option<Finding> {
    let (check, name) = ("lock", &subject.name);
    let is_wanted = subject
        .config()
        .is_some_and(|config| matches!(config.linux.kill_switch, Some(KillSwitch::On | KillSwitch::Lan)));
    match guard::lock_of(name) {
        Err(fault) => Some(Finding::fault(check, fault.to_string(), format!("`underpass lock {name}` writes it anew"))),
        Ok(Some(_)) if subject.is_up() => {
            Some(Finding::good(check, "nothing leaves the machine but through the tunnel"))
        }
        Ok(Some(_)) => Some(Finding::warning(
            check,
            "nothing leaves the machine until the tunnel is up",
            format!("`underpass up {name}`, or `underpass unlock {name}`"),
        )),
        Ok(None) if is_wanted && subject.is_up() => Some(Finding::warning(
            check,
            "the file asks for the kill switch, and it is not on",
            format!("`underpass restart {name}`, or `underpass lock {name}`"),
        )),
        Ok(None) => None,
    }
}

fn not_taken(subject: &Subject, text: &str) -> Finding {
    let name = &subject.name;
    Finding::fault(
        "dns",
        text,
        format!("something else writes /etc/resolv.conf; `underpass down {name}`, and `up {name}`"),
    )
}

fn listed(servers: &[Server]) -> String {
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    if servers.is_empty() { "no server".into() } else { servers.join(", ") }
}
