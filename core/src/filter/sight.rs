//! What a packet is to the filter: part of a flow, an error about one, or the rest of a fragmented packet.
use super::flows::key::{End, Tuple};
use super::ruling::Reason;
use crate::packet::icmp::view::Icmp;
use crate::packet::inner::{self, Fault, Inner};
use crate::packet::tcp::{self, Flags, TCP, Tcp};
use crate::packet::udp::{self, UDP};
use crate::packet::{ICMP, ICMPV6};

/// What a packet is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sight {
    /// A packet of a flow.
    Flow {
        /// Whose.
        tuple: Tuple,
        /// Whether a flow may begin with it.
        opens: bool,
        /// The control bits of TCP.
        flags: Option<Flags>,
    },
    /// An ICMP error about a packet that went the other way.
    Error {
        /// That packet, turned round: it has the ends of the error.
        about: Tuple,
    },
    /// A fragment other than the first.
    Rest {
        /// Whose; it has no ports.
        tuple: Tuple,
        /// What the fragments of the packet have in common.
        id: u32,
        /// Where it begins, in bytes.
        offset: usize,
    },
}

/// Looks at a packet that goes from peer to peer, or from or to the host.
#[inline]
pub(super) fn look(inner: &Inner<'_>, from: u32, to: u32) -> Result<Sight, Reason> {
    if inner.source == inner.destination {
        return Err(Reason::Malformed);
    }
    let source = End { address: inner.source, peer: from, port: 0 };
    let destination = End { address: inner.destination, peer: to, port: 0 };
    let bare = Tuple { source, destination, protocol: inner.protocol, question: 0, is_answer: false };
    if let Some(fragment) = inner.fragment.filter(|fragment| fragment.offset != 0) {
        return Ok(Sight::Rest { tuple: bare, id: fragment.id, offset: usize::from(fragment.offset) << 3 });
    }
    match inner.protocol {
        TCP => {
            let flags = Tcp::read(inner.payload).ok_or(Reason::Malformed)?.flags();
            if !flags.is_sound() {
                return Err(Reason::Malformed);
            }
            let ports = tcp::ports(inner.payload).ok_or(Reason::Malformed)?;
            Ok(Sight::Flow { tuple: with_ports(bare, ports), opens: flags.is_opening(), flags: Some(flags) })
        }
        UDP => {
            let ports = udp::ports(inner.payload, inner.fragment.is_none()).ok_or(Reason::Malformed)?;
            Ok(Sight::Flow { tuple: with_ports(bare, ports), opens: true, flags: None })
        }
        ICMP | ICMPV6 => match icmp(inner).ok_or(Reason::Malformed)? {
            Icmp::Query { kind, id, is_answer } => {
                let tuple = Tuple { question: kind, is_answer, ..with_ports(bare, (id, id)) };
                Ok(Sight::Flow { tuple, opens: !is_answer, flags: None })
            }
            // A fragment of an error is none: errors are short.
            Icmp::Error { quoted } if inner.fragment.is_none() => {
                about(quoted, &bare).map(|about| Sight::Error { about }).ok_or(Reason::UnknownError)
            }
            _ => Err(Reason::NotTracked),
        },
        _ => Ok(Sight::Flow { tuple: bare, opens: true, flags: None }),
    }
}

/// The ICMP message of a packet, if it is one of the packet's own family.
fn icmp<'a>(inner: &Inner<'a>) -> Option<Icmp<'a>> {
    let is_ipv6 = matches!(inner.source, crate::packet::Address::V6(_));
    if is_ipv6 == (inner.protocol == ICMPV6) { Icmp::read(inner.protocol, inner.payload) } else { Some(Icmp::Other) }
}

/// The packet that an error quotes, turned round. It was sent by whom the error goes to (RFC 792, RFC 4443 § 2.4 (c)); who sends
/// the error may be anyone on the way, so it counts as being where the packet was sent.
fn about(quoted: &[u8], error: &Tuple) -> Option<Tuple> {
    let inner = inner::quoted(quoted)?;
    let is_first = inner.fragment.is_none_or(|fragment| fragment.offset == 0);
    if inner.source != error.destination.address || !is_first {
        return None;
    }
    let source = End { address: inner.source, ..error.destination };
    let destination = End { address: inner.destination, ..error.source };
    let bare = Tuple { source, destination, protocol: inner.protocol, question: 0, is_answer: false };
    let tuple = match inner.protocol {
        TCP | UDP => with_ports(bare, tcp::ports(inner.payload)?),
        ICMP | ICMPV6 => match icmp(&inner)? {
            Icmp::Query { kind, id, is_answer } => Tuple { question: kind, is_answer, ..with_ports(bare, (id, id)) },
            _ => return None,
        },
        _ => bare,
    };
    Some(tuple.turned())
}

#[inline]
fn with_ports(tuple: Tuple, (source, destination): (u16, u16)) -> Tuple {
    Tuple {
        source: End { port: source, ..tuple.source },
        destination: End { port: destination, ..tuple.destination },
        ..tuple
    }
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed => Self::Malformed,
            Fault::Chain => Self::ExtensionChain,
            Fault::Routed => Self::SourceRoute,
        }
    }
}
