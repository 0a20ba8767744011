//! Status for people, laid out as `wg show` does.
use crate::cli::terminal::{Paint, Style};
use crate::control::status::{InterfaceStatus, PeerStatus};
use ipnet::IpNet;
use std::fmt::Display;
use std::io::{self, Write};
use zeroize::Zeroizing;

/// How to show it.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Colour or none.
    pub paint: Paint,
    /// Whether private and preshared keys are hidden.
    pub hide_keys: bool,
    /// The wall time in seconds since 1970.
    pub now: u64,
}

/// Writes `interfaces`, an empty line between them.
///
/// # Errors
/// Nowhere to write to.
pub fn write(output: &mut impl Write, interfaces: &[InterfaceStatus], manner: &Manner) -> io::Result<()> {
    for (index, interface) in interfaces.iter().enumerate() {
        if index > 0 {
            writeln!(output)?;
        }
        manner.interface(output, interface)?;
        for peer in &interface.peers {
            writeln!(output)?;
            manner.peer(output, peer)?;
        }
    }
    Ok(())
}

impl Manner {
    fn interface(&self, output: &mut impl Write, interface: &InterfaceStatus) -> io::Result<()> {
        let paint = self.paint;
        let name = paint.paint(Style::Interface, &interface.name);
        writeln!(output, "{}: {name}", paint.paint(Style::InterfaceLabel, "interface"))?;
        if let Some(key) = &interface.private_key {
            self.line(output, "public key", key.public_key().to_base64())?;
            self.line(output, "private key", self.secret(key.to_base64()).as_str())?;
        }
        if interface.listen_port != 0 {
            self.line(output, "listening port", interface.listen_port)?;
        }
        if interface.fwmark != 0 {
            self.line(output, "fwmark", format_args!("{:#x}", interface.fwmark))?;
        }
        Ok(())
    }

    fn peer(&self, output: &mut impl Write, peer: &PeerStatus) -> io::Result<()> {
        let key = self.paint.paint(Style::Peer, peer.public_key.to_base64());
        writeln!(output, "{}: {key}", self.paint.paint(Style::PeerLabel, "peer"))?;
        if let Some(key) = &peer.preshared_key {
            self.line(output, "preshared key", self.secret(key.to_base64()).as_str())?;
        }
        if let Some(endpoint) = &peer.endpoint {
            self.line(output, "endpoint", endpoint)?;
        }
        self.line(output, "allowed ips", self.networks(&peer.allowed_ips))?;
        if let Some(at) = peer.latest_handshake {
            self.line(output, "latest handshake", self.ago(at.as_secs()))?;
        }
        if peer.rx_bytes != 0 || peer.tx_bytes != 0 {
            let (received, sent) = (bytes(peer.rx_bytes, self.paint), bytes(peer.tx_bytes, self.paint));
            self.line(output, "transfer", format_args!("{received} received, {sent} sent"))?;
        }
        if peer.persistent_keepalive != 0 {
            let interval = self.duration(peer.persistent_keepalive.into());
            self.line(output, "persistent keepalive", format_args!("every {interval}"))?;
        }
        if let Some(kind) = peer.last_send_error {
            self.line(output, "not sent", self.paint.paint(Style::Alarm, kind.text()))?;
        }
        Ok(())
    }

    fn line(&self, output: &mut impl Write, label: &str, value: impl Display) -> io::Result<()> {
        writeln!(output, "  {}: {value}", self.paint.paint(Style::Bold, label))
    }

    fn secret(&self, key: Zeroizing<String>) -> Zeroizing<String> {
        if self.hide_keys { Zeroizing::new("(hidden)".into()) } else { key }
    }

    fn networks(&self, networks: &[IpNet]) -> String {
        if networks.is_empty() {
            return "(none)".into();
        }
        let slash = self.paint.paint(Style::Unit, "/");
        let one = |network: &IpNet| format!("{}{slash}{}", network.addr(), network.prefix_len());
        networks.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn ago(&self, at: u64) -> String {
        match self.now.checked_sub(at) {
            None => self.paint.paint(Style::Alarm, "in the future: the system clock was set back").to_string(),
            Some(0) => "Now".into(),
            Some(seconds) => format!("{} ago", self.duration(seconds)),
        }
    }

    /// `1 hour, 2 seconds`
    fn duration(&self, seconds: u64) -> String {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        const YEAR: u64 = 365 * DAY;
        let mut left = seconds;
        let mut parts = Vec::new();
        for (name, unit) in [("year", YEAR), ("day", DAY), ("hour", HOUR), ("minute", MINUTE), ("second", 1)] {
            let count = left / unit;
            left %= unit;
            if count > 0 {
                let plural = if count == 1 { "" } else { "s" };
                parts.push(format!("{count} {}", self.paint.paint(Style::Unit, format_args!("{name}{plural}"))));
            }
        }
        parts.join(", ")
    }
}

/// `1.50 KiB`
#[allow(clippy::cast_precision_loss, reason = "two decimals are shown")]
#[must_use]
pub fn bytes(bytes: u64, paint: Paint) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} {}", paint.paint(Style::Unit, "B"));
    }
    let mut scaled = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if scaled < 1024.0 {
            break;
        }
        scaled /= 1024.0;
        unit = larger;
    }
    format!("{scaled:.2} {}", paint.paint(Style::Unit, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Manner = Manner { paint: Paint::PLAIN, hide_keys: true, now: 1000 };

    #[test]
    fn durations_bytes_and_times_read_as_in_wg() {
        for (seconds, text) in [(1, "1 second"), (62, "1 minute, 2 seconds"), (31_536_000 + 86_400, "1 year, 1 day")] {
            assert_eq!(PLAIN.duration(seconds), text);
        }
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.50 KiB"),
            (1 << 20, "1.00 MiB"),
            (5 << 30, "5.00 GiB"),
            (1 << 50, "1024.00 TiB"),
        ] {
            assert_eq!(bytes(count, Paint::PLAIN), text);
        }
        assert_eq!(PLAIN.ago(1000), "Now");
        assert_eq!(PLAIN.ago(940), "1 minute ago");
        assert!(PLAIN.ago(1001).contains("clock was set back"));
    }
}
