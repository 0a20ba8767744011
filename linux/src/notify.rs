//! Tells a service manager how far the program is, by the protocol of sd_notify(3): a datagram to the socket that
//! `NOTIFY_SOCKET` names. Without that nobody is told.
//!
//! Under `Type=notify`, `underpass up` is the service's first process, and the tunnel, which it starts, is the main one from
//! when that is there. The service is ready when all of `up` is done.
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the socket. Commands of a configuration do not get it: what they start may speak the protocol.
pub const VARIABLE: &str = "NOTIFY_SOCKET";

/// All is done.
pub fn ready() {
    tell("READY=1");
}

/// This process is the main one.
pub fn main_process() {
    tell(&format!("MAINPID={}", std::process::id()));
}

/// The tunnel ends.
pub fn stopping() {
    tell("STOPPING=1");
}

fn tell(what: &str) {
    let Some(name) = env::var_os(VARIABLE).filter(|name| !name.is_empty()) else { return };
    // A manager that cannot be told says so itself, after a while.
    if let Err(error) = send(&name, what) {
        tracing::warn!("cannot tell the service manager `{what}`: {error}");
    }
}

fn send(name: &OsString, what: &str) -> io::Result<()> {
    UnixDatagram::unbound()?.send_to_addr(what.as_bytes(), &address(name)?).map(drop)
}

/// A name that begins with `@` is one of Linux' own, in no folder.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_both_kinds_are_told() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let path = folder.path().join("notify").into_os_string();
        let name: OsString = format!("@underpass-test-{}", std::process::id()).into();
        for name in [path, name] {
            let manager = UnixDatagram::bind_addr(&address(&name).expect("a name")).expect("binds");
            send(&name, "READY=1").expect("sends");
            let mut heard = [0; 64];
            let length = manager.recv(&mut heard).expect("hears");
            assert_eq!(&heard[..length], b"READY=1");
        }
    }

    #[test]
    fn nobody_to_tell_is_an_error_and_no_end() {
        for name in ["/underpass/no/such/socket", "@underpass-nobody", "relative"] {
            assert!(send(&name.into(), "READY=1").is_err(), "{name}");
        }
    }
}
