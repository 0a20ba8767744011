//! What an administrator gives a user who has a new device: the configuration of an enrolment.
use super::{CommandError, Desk, Outcome};
use crate::admin::EnrolmentShown;
use crate::name::Name;
use ipnet::IpNet;
use serde::Serialize;
use std::fmt::{self, Display, Formatter, Write as _};
use std::io;
use std::path::Path;
use std::time::Duration;
use underpass_core::PublicKey;
use zeroize::Zeroizing;

/// Draws a text as a QR code: into a file, in PNG, or as text for a terminal, which it returns.
pub type Draw<'a> = &'a dyn Fn(&str, Option<&Path>) -> io::Result<Zeroizing<String>>;

/// What a configuration for clients says of the gateway, and how it is drawn.
pub struct Entrance<'a> {
    /// The gateway's public key. It is asked for when it is needed.
    pub public_key: &'a dyn Fn() -> io::Result<PublicKey>,
    /// Where clients find the gateway: `host:port`.
    pub endpoint: Option<String>,
    /// The gateway's own addresses inside the tunnel.
    pub addresses: Vec<IpNet>,
    /// Draws the configuration.
    pub draw: Draw<'a>,
}

/// The configuration of an enrolment. It has the one-time key.
#[derive(Serialize)]
struct Configuration {
    user: Name,
    until: crate::Time,
    #[serde(serialize_with = "shown")]
    config: Zeroizing<String>,
}

fn shown<S: serde::Serializer>(config: &Zeroizing<String>, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(config)
}

impl Display for Configuration {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(self.config.trim_end())
    }
}

impl Desk<'_> {
    /// Begins an enrolment, and shows its configuration. What could not be shown is found out before.
    pub(super) fn enroll(&mut self, name: &Name, hours: u16, png: Option<&Path>) -> Outcome {
        let endpoint = self.entrance.endpoint.clone().ok_or(CommandError::NoEndpoint)?;
        let gateway = (self.entrance.public_key)()?;
        if let Some(path) = png.filter(|path| path.exists()) {
            return Err(io::Error::other(format!("{}: there is something already", path.display())).into());
        }
        let begun = self.office.begin_enrolment(name, Duration::from_secs(u64::from(hours) * 3600))?;
        let config = configuration(&begun, &gateway, &endpoint, &self.entrance.addresses);
        let begun = Configuration { user: begun.user, until: begun.until, config };
        self.say(&begun)?;
        if png.is_some() || !self.json {
            let picture = (self.entrance.draw)(&begun.config, png)?;
            self.out.write_all(picture.as_bytes())?;
        }
        Ok(())
    }
}

/// The configuration in the form of wg-quick. Nothing passes at an enrolment but the control channel, so that the gateway's own addresses
/// are all that is routed.
fn configuration(begun: &EnrolmentShown, gateway: &PublicKey, endpoint: &str, own: &[IpNet]) -> Zeroizing<String> {
    let addresses: Vec<_> = own.iter().map(|own| IpNet::from(own.addr()).to_string()).collect();
    // As long as it gets, so that it is never moved.
    let mut text = Zeroizing::new(String::with_capacity(512 + endpoint.len() + 50 * addresses.len()));
    let key = begun.key.as_str();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "# Enrols one device of {}, until {}. Good for nothing else.\n[Interface]\nPrivateKey = {key}\n\n[Peer]\n\
         PublicKey = {gateway}\nEndpoint = {endpoint}\n",
        begun.user, begun.until
    );
    if !addresses.is_empty() {
        let _ = writeln!(text, "AllowedIPs = {}", addresses.join(", "));
    }
    text
}
