//! Questions to name servers and their answers, as bytes (RFC 1035 § 4).
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a header.
const HEADER: usize = 12;
/// Bytes of a label, and of a whole name.
const LABEL: usize = 63;
const NAME: usize = 253;
/// The class of the Internet.
const INTERNET: u16 = 1;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Addresses of IPv4 (A).
    V4,
    /// Addresses of IPv6 (AAAA, RFC 3596).
    V6,
}

impl Kind {
    const fn number(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }

    fn address(self, data: &[u8]) -> Option<IpAddr> {
        match self {
            Self::V4 => <[u8; 4]>::try_from(data).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
            Self::V6 => <[u8; 16]>::try_from(data).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        }
    }
}

/// What a name server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These addresses, none of them if there is no such name.
    Addresses(Vec<IpAddr>),
    /// More than fits into a datagram.
    Truncated,
    /// It cannot tell.
    Failure,
}

/// The question for `name`, with the number `id`; `None` when no name server knows such a name.
#[must_use]
pub fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > NAME || !name.is_ascii() {
        return None;
    }
    let mut bytes = id.to_be_bytes().to_vec();
    // Recursion desired, one question.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=LABEL).contains(&usize::from(*len)))?;
        bytes.push(len);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.number().to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    Some(bytes)
}

/// What `bytes` answer to `question`; `None` when they are no answer to it.
#[must_use]
pub fn answer(bytes: &[u8], question: &[u8], kind: Kind) -> Option<Answer> {
    let asked = question.get(HEADER..)?;
    let is_ours = bytes.get(..2)? == question.get(..2)?
        && bytes.get(2)? & 0xf8 == 0x80
        && bytes.get(4..6)? == [0, 1]
        && bytes.get(HEADER..HEADER + asked.len())?.eq_ignore_ascii_case(asked);
    if !is_ours {
        return None;
    }
    if bytes[2] & 2 != 0 {
        return Some(Answer::Truncated);
    }
    match bytes[3] & 15 {
        0 => {}
        3 => return Some(Answer::Addresses(Vec::new())),
        _ => return Some(Answer::Failure),
    }
    let mut addresses = Vec::new();
    let mut at = HEADER + asked.len();
    for _ in 0..number(bytes, 6)? {
        at = behind_name(bytes, at)?;
        let (is_kind, is_class) = (number(bytes, at)? == kind.number(), number(bytes, at + 2)? == INTERNET);
        let data = bytes.get(at + 10..at + 10 + usize::from(number(bytes, at + 8)?))?;
        // Names that stand for others come with the addresses of those.
        if is_kind && is_class {
            addresses.push(kind.address(data)?);
        }
        at += 10 + data.len();
    }
    Some(Answer::Addresses(addresses))
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// Where the name that begins at `at` ends: with an empty label, or with a pointer to the rest.
fn behind_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer & 0xc0 == 0xc0 => return Some(at + 2),
            len if len & 0xc0 == 0 => at += 1 + usize::from(len),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with an alias and two addresses, one of them of no use.
    fn reply(question: &[u8]) -> Vec<u8> {
        let mut bytes = question.to_vec();
        bytes[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 3]);
        bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, b'x', 0xc0, 16]);
        bytes.extend([1, b'x', 0xc0, 16, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7]);
        bytes.extend([0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 9, 0, 16]);
        bytes.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        bytes
    }

    #[test]
    fn a_question_is_answered() {
        let question = question(7, "Vpn.example.com.", Kind::V4).expect("a name");
        assert_eq!(&question[..13], [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3]);
        let reply = reply(&question);
        let addresses = |kind| answer(&reply, &question, kind);
        assert_eq!(addresses(Kind::V4), Some(Answer::Addresses(vec![[192, 0, 2, 7].into()])));
        let with = |at: usize, byte: u8| {
            let mut changed = reply.clone();
            changed[at] = byte;
            answer(&changed, &question, Kind::V4)
        };
        assert_eq!(with(2, 0x83), Some(Answer::Truncated));
        assert_eq!(with(3, 0x83), Some(Answer::Addresses(Vec::new())), "no such name");
        assert_eq!(with(3, 0x82), Some(Answer::Failure));
        assert_eq!((with(1, 8), with(2, 1), with(14, b'x')), (None, None, None), "not to this question");
    }

    #[test]
    fn answers_that_are_cut_or_lie_end_the_reading() {
        let question = question(7, "vpn.example.com", Kind::V4).expect("a name");
        let reply = reply(&question);
        for len in 0..reply.len() {
            assert!(
                !matches!(answer(&reply[..len], &question, Kind::V4), Some(Answer::Addresses(found)) if found.len() > 1)
            );
        }
        for at in 0..reply.len() {
            for byte in [0, 1, 0x3f, 0x40, 0xc0, 0xff] {
                let mut lying = reply.clone();
                lying[at] = byte;
                let _ = answer(&lying, &question, Kind::V4);
            }
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        for name in ["", ".", "a..b", &"a".repeat(64), &"a.".repeat(150), "bücher.example"] {
            assert_eq!(question(1, name, Kind::V6), None, "{name}");
        }
    }
}
