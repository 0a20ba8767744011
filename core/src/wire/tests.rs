use super::*;
use alloc::vec;
use alloc::vec::Vec;

fn datagram(word: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xa5; len];
    for (to, from) in bytes.iter_mut().zip(word.to_le_bytes()) {
        *to = from;
    }
    bytes
}

fn kind(bytes: &[u8]) -> Option<u32> {
    Message::parse(bytes).map(|message| match message {
        Message::Initiation(_) => 1,
        Message::Response(_) => 2,
        Message::CookieReply(_) => 3,
        Message::Transport(_) => 4,
    })
}

#[test]
fn each_type_has_its_lengths_and_no_other() {
    for word in 0..=8 {
        for len in 0..=300 {
            let wanted = match (word, len) {
                (1, 148) | (2, 92) | (3, 64) => Some(word),
                (4, 32..) => Some(4),
                _ => None,
            };
            assert_eq!(kind(&datagram(word, len)), wanted, "type {word}, {len} bytes");
        }
    }
    assert_eq!(kind(&datagram(4, 65535)), Some(4));
}

#[test]
fn every_bit_of_the_type_word_counts() {
    for (word, len) in [(1_u32, 148), (2, 92), (3, 64), (4, 148), (4, 32)] {
        for bit in 0..32 {
            let wrong = word ^ (1 << bit);
            let found = kind(&datagram(wrong, len));
            // A flipped low bit may make data of an initiation; it never makes a message of a wrong length.
            let wanted = (wrong == 4 || (wrong == 1 && len == 148)).then_some(wrong);
            assert_eq!(found, wanted, "type {word:#x} with bit {bit} flipped, {len} bytes");
        }
    }
}

#[test]
fn the_macs_are_the_last_bytes_of_both_handshake_messages() {
    for len in [INITIATION_LEN, RESPONSE_LEN, MACS_LEN] {
        let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let macs = Macs::of(&bytes).unwrap();
        assert_eq!(macs.before_mac1, &bytes[..len - 32]);
        assert_eq!(macs.mac1, &bytes[len - 32..len - 16]);
        assert_eq!(macs.before_mac2, &bytes[..len - 16]);
        assert_eq!(macs.mac2, &bytes[len - 16..]);
    }
    for len in 0..MACS_LEN {
        assert!(Macs::of(&vec![0; len]).is_none(), "{len} bytes");
    }
}
