//! What happened, as bytes that two runs can be compared by, and as text for the moment a story fails.
use crate::clock::Time;
use crate::network::Datagram;
use crate::outcome::Outcome;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use underpass_core::tunnel::Event;

/// One thing that happened at one host.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A datagram left.
    Sent(Datagram),
    /// A datagram came and this became of it.
    Received(Datagram, Outcome),
    /// A packet from the virtual interface met this outcome; its bytes.
    Written(Vec<u8>, Outcome),
    /// A packet was given to the virtual interface.
    Delivered(Vec<u8>),
    /// An event of the core.
    Event(Event),
    /// A deadline was served.
    Woke,
}

/// The last happenings, and all of them as bytes when asked for.
#[derive(Debug, Default)]
pub struct Trace {
    recorded: Option<Vec<u8>>,
    recent: VecDeque<(Time, usize, Happening)>,
}

const RECENT: usize = 64;

impl Trace {
    /// Keeps everything from here on as bytes.
    pub fn record(&mut self) {
        self.recorded.get_or_insert_default();
    }

    /// What was recorded.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.recorded.as_deref().unwrap_or_default()
    }

    /// Whether everything is kept.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.recorded.is_some()
    }

    /// Notes a happening at a host.
    pub fn note(&mut self, time: Time, host: usize, happening: Happening) {
        if let Some(bytes) = &mut self.recorded {
            bytes.extend(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend((host as u64).to_be_bytes());
            happening.append(bytes);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((time, host, happening));
    }

    /// The last happenings as text, one a line.
    #[must_use]
    pub fn recent(&self) -> String {
        let mut text = String::new();
        for (time, host, happening) in &self.recent {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:>14.6}s host {host} {happening}", time.as_secs_f64());
        }
        text
    }
}

impl Happening {
    fn append(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Sent(d) | Self::Received(d, _) => {
                bytes.extend(format!("{} > {} {:?} ", d.from, d.to, d.ecn).bytes());
                bytes.extend(&d.bytes);
            }
            Self::Written(packet, _) | Self::Delivered(packet) => bytes.extend(packet),
            Self::Event(_) | Self::Woke => {}
        }
        match self {
            Self::Received(_, became) | Self::Written(_, became) => bytes.extend(format!("{became:?}").bytes()),
            Self::Event(event) => bytes.extend(format!("{event:?}").bytes()),
            Self::Sent(_) | Self::Delivered(_) | Self::Woke => {}
        }
        bytes.push(b'\n');
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(d) => write!(f, "sent {:?} ({} bytes) to {}", d.kind(), d.bytes.len(), d.to),
            Self::Received(d, became) => {
                write!(f, "received {:?} ({} bytes) from {}: {became:?}", d.kind(), d.bytes.len(), d.from)
            }
            Self::Written(packet, became) => write!(f, "wrote a packet of {} bytes: {became:?}", packet.len()),
            Self::Delivered(packet) => write!(f, "got a packet of {} bytes", packet.len()),
            Self::Event(event) => write!(f, "event {event:?}"),
            Self::Woke => f.write_str("woke by its deadline"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn recording_keeps_everything_and_the_rest_keeps_the_end() {
        let mut trace = Trace::default();
        trace.note(Duration::ZERO, 0, Happening::Woke);
        assert!(trace.bytes().is_empty());
        trace.record();
        for second in 0..100 {
            trace.note(Duration::from_secs(second), 1, Happening::Delivered(vec![second as u8; 3]));
        }
        assert_eq!(trace.bytes().len(), 100 * (8 + 8 + 3 + 1));
        assert_eq!(trace.recent().lines().count(), RECENT);
        assert!(trace.recent().ends_with("99.000000s host 1 got a packet of 3 bytes\n"));
    }
}
