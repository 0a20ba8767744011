//! What can be said about a line of a configuration text, how bad it is, and in which words.
use crate::config::diagnostic::{Section, Severity};
use crate::config::foreign::ForeignKey;
use crate::error::KeyError;
use core::fmt;

/// What a [`Diagnostic`](crate::config::Diagnostic) is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The line is neither a section nor `key = value`.
    MissingEquals,
    /// The line begins with `[` but is not a section's name in brackets.
    MalformedSection,
    /// A section other than `[Interface]` and `[Peer]`; what stands in it is not looked at.
    UnknownSection,
    /// A key before the first section.
    OutsideSection,
    /// The key belongs into the other section.
    WrongSection {
        /// The section it belongs into.
        belongs: Section,
    },
    /// The key needs a value.
    EmptyValue,
    /// The value is no key.
    Key(KeyError),
    /// The public key is a point of low order: every secret shared with it would be zero.
    LowOrderPublicKey,
    /// The peer has no public key.
    MissingPublicKey,
    /// Not a decimal number in the range.
    Number {
        /// The smallest allowed.
        min: u32,
        /// The largest allowed.
        max: u32,
    },
    /// Neither a 32-bit number (decimal, or hexadecimal after `0x`) nor `off`.
    FwMark,
    /// Neither a number of seconds up to 65535 nor `off`.
    Keepalive,
    /// Neither `true` nor `false`.
    Boolean,
    /// Neither `on`, `off` nor `lan`.
    KillSwitch,
    /// Neither a user's name nor a number.
    User,
    /// No path of a control group.
    Cgroup,
    /// Programs are either kept out of the tunnel or let in alone.
    BothSplits {
        /// The line of the other list.
        other_line: u32,
    },
    /// Neither `auto`, `off`, a number nor a table's name.
    Table,
    /// Not an IP address.
    Address,
    /// The prefix length after `/` is no number or beyond the address family's.
    PrefixLength {
        /// The largest allowed: 32 or 128.
        max: u8,
    },
    /// The endpoint has no port.
    MissingPort,
    /// The endpoint has a scheme before it, as a link has.
    Scheme,
    /// The endpoint's `[` has no `]`.
    UnclosedBracket,
    /// The host or domain has characters that no name has, or is too long.
    Name,
    /// The application's name has control characters.
    Application,
    /// Applications are either included or excluded.
    BothApplicationLists {
        /// The line of the other list.
        other_line: u32,
    },
    /// The key is not known, here or elsewhere: without what it was to say, packets could leave unprotected.
    UnknownKey {
        /// A known key that is spelt much like it and does not mean the opposite.
        similar: Option<&'static str>,
    },
    /// The key was given before in this section, and tells of what there is one only.
    Ambiguous {
        /// The line of the first.
        first_line: u32,
    },
    /// The peer was given before, with allowed IPs that this section would take away without saying so.
    LostAllowedIps {
        /// The line of the first section.
        first_line: u32,
    },

    /// A second `[Interface]`: what stands in it goes on with the first.
    RepeatedInterface {
        /// The line of the first.
        first_line: u32,
    },
    /// The key is one of another product; the line is ignored.
    ForeignKey(&'static ForeignKey),
    /// The key was given before in this section; the last one counts.
    Repeated {
        /// The line of the first.
        first_line: u32,
    },
    /// The peer was given before: what this section sets replaces what the earlier one set. No allowed IP gets lost.
    RepeatedPeer {
        /// The line of the first section.
        first_line: u32,
    },
    /// The key has no value; the line is ignored.
    EmptyIgnored,
    /// An empty place in a list, as after a comma too many; ignored.
    EmptyItem,
    /// The allowed IP has bits set behind its prefix; they are ignored.
    HostBits,
    /// Another peer has the same allowed IP; the last one owns it.
    SharedAllowedIp {
        /// The line of the other.
        other_line: u32,
    },
    /// The peer has our own public key; it is ignored.
    OwnPublicKey,
    /// The public key is all zeros: nobody has it, and the tunnel never speaks to the peer.
    ZeroPublicKey,
    /// The endpoint lies in an allowed IP that is routed into the tunnel, and nothing leads datagrams around that route.
    EndpointInTunnel {
        /// The line of the allowed IP.
        other_line: u32,
    },
    /// Names after `DNS` are domains to search, and no name server is among them.
    NoNameServer,
    /// No private key: the tunnel is silent until it is given one.
    MissingPrivateKey,
    /// An IPv6 endpoint without brackets: the last number is taken for the port.
    UnbracketedIpv6,
    /// 0 is taken for "not given".
    ZeroMtu,
    /// IPv6 needs an MTU of 1280 at least (RFC 8200 § 5).
    MtuBelowIpv6,
    /// Only the host for Linux carries it out.
    LinuxOnly,
    /// A setting of AmneziaWG, which does not work yet: the disguise is missing, and a peer that insists on it will not
    /// answer.
    Amnezia,
}

impl Reason {
    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::RepeatedInterface { .. }
            | Self::ForeignKey(_)
            | Self::Repeated { .. }
            | Self::RepeatedPeer { .. }
            | Self::EmptyIgnored
            | Self::EmptyItem
            | Self::HostBits
            | Self::SharedAllowedIp { .. }
            | Self::OwnPublicKey
            | Self::ZeroPublicKey
            | Self::EndpointInTunnel { .. }
            | Self::NoNameServer
            | Self::MissingPrivateKey
            | Self::UnbracketedIpv6
            | Self::ZeroMtu
            | Self::MtuBelowIpv6
            | Self::LinuxOnly
            | Self::Amnezia => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingEquals => f.write_str("expected `key = value`"),
            Self::MalformedSection => f.write_str("expected `[Interface]` or `[Peer]` alone on the line"),
            Self::UnknownSection => f.write_str("no such section: expected `[Interface]` or `[Peer]`"),
            Self::OutsideSection => f.write_str("stands before the first section"),
            Self::RepeatedInterface { first_line } => {
                write!(f, "second [Interface]; it goes on with the first, on line {first_line}")
            }
            Self::WrongSection { belongs } => write!(f, "belongs into {belongs}"),
            Self::EmptyValue => f.write_str("has no value"),
            Self::Key(error) => error.fmt(f),
            Self::LowOrderPublicKey => f.write_str("public key is a point of low order"),
            Self::MissingPublicKey => f.write_str("peer has no PublicKey"),
            Self::Number { min, max } => write!(f, "expected a number from {min} to {max}"),
            Self::FwMark => f.write_str("expected a number up to 0xffffffff, or `off`"),
            Self::Keepalive => f.write_str("expected seconds up to 65535, or `off`"),
            Self::Boolean => f.write_str("expected `true` or `false`"),
            Self::KillSwitch => f.write_str("expected `on`, `off` or `lan`"),
            Self::User => f.write_str("neither the name nor the number of a user"),
            Self::Cgroup => f.write_str("not the path of a control group"),
            Self::BothSplits { other_line } => {
                write!(f, "programs are either kept out or let in alone; the other list is on line {other_line}")
            }
            Self::Table => f.write_str("expected `auto`, `off`, a number or the name of a table"),
            Self::Address => f.write_str("not an IP address"),
            Self::PrefixLength { max } => write!(f, "expected a prefix length from 0 to {max}"),
            Self::MissingPort => f.write_str("endpoint has no port"),
            Self::Scheme => f.write_str("expected host:port, without a scheme"),
            Self::UnclosedBracket => f.write_str("`[` without `]`"),
            Self::Name => f.write_str("not the name of a host or domain"),
            Self::Application => f.write_str("not the name of an application"),
            Self::BothApplicationLists { other_line } => {
                write!(f, "applications are either included or excluded; the other list is on line {other_line}")
            }
            Self::UnknownKey { similar: Some(key) } => write!(f, "unknown key; did you mean {key}?"),
            Self::UnknownKey { similar: None } => f.write_str("unknown key"),
            Self::Ambiguous { first_line } => write!(f, "given before on line {first_line}; only one can be meant"),
            Self::LostAllowedIps { first_line } => {
                write!(f, "same peer as on line {first_line}, whose AllowedIPs this section would take away")
            }
            Self::ForeignKey(ForeignKey { product, meaning, loss: None, .. }) => {
                write!(f, "ignored; in {product}: {meaning}")
            }
            Self::ForeignKey(ForeignKey { product, meaning, loss: Some(loss), .. }) => {
                write!(f, "ignored, so {loss}; in {product}: {meaning}")
            }
            Self::Repeated { first_line } => write!(f, "given before on line {first_line}; the last one counts"),
            Self::RepeatedPeer { first_line } => {
                write!(f, "same peer as on line {first_line}; this section replaces what that one set")
            }
            Self::EmptyIgnored => f.write_str("has no value, ignored"),
            Self::EmptyItem => f.write_str("empty place in the list, ignored"),
            Self::HostBits => f.write_str("bits behind the prefix are ignored"),
            Self::SharedAllowedIp { other_line } => {
                write!(f, "another peer has it on line {other_line}; the last one owns it")
            }
            Self::OwnPublicKey => f.write_str("our own public key; the peer is ignored"),
            Self::ZeroPublicKey => f.write_str("all zeros is nobody's key; the peer stays silent"),
            Self::EndpointInTunnel { other_line } => {
                write!(f, "lies in what line {other_line} routes into the tunnel: its own datagrams would go there too")
            }
            Self::NoNameServer => f.write_str("names are domains to search; there is no name server"),
            Self::MissingPrivateKey => f.write_str("no PrivateKey: silent until one is set"),
            Self::UnbracketedIpv6 => {
                f.write_str("IPv6 address without brackets; the last number is taken for the port")
            }
            Self::ZeroMtu => f.write_str("0 is taken for not given"),
            Self::MtuBelowIpv6 => f.write_str("IPv6 needs at least 1280"),
            Self::LinuxOnly => f.write_str("only on Linux: nothing here carries it out"),
            Self::Amnezia => f.write_str(
                "AmneziaWG's settings do not work yet: datagrams can be told to be WireGuard's, and a peer that insists will not answer",
            ),
        }
    }
}
