//! Messages, held against coap-lite and a table of broken ones.
use super::{Block, Broken, Builder, Code, Kind, Options, Token, View};
use coap_lite::{CoapOption, MessageClass, MessageType, Packet};
use proptest::prelude::*;
use std::vec::Vec;

fn parse(hex: &str) -> Result<(), Broken> {
    View::parse(&hex::decode(hex.replace(' ', "")).expect("hexadecimal")).map(drop)
}

#[test]
fn what_is_broken_is_passed_over_or_reset() {
    const RESET: Result<(), Broken> = Err(Broken::Reset(0x1234));
    const IGNORE: Result<(), Broken> = Err(Broken::Ignore);
    for (number, (hex, expected)) in [
        ("40 00 1234", Ok(())),
        ("40 01 1234", Ok(())),
        ("44 01 1234 aabbccdd b2 7631", Ok(())),
        ("", IGNORE),
        ("40 01 12", IGNORE),
        ("00 01 1234", IGNORE),
        ("80 01 1234", IGNORE),
        ("c0 01 1234", IGNORE),
        ("41 01 1234", RESET),
        ("49 01 1234 000000000000000000", RESET),
        ("4f 01 1234 000000000000000000000000000000", RESET),
        ("41 00 1234 aa", RESET),
        ("40 00 1234 b0", RESET),
        ("40 20 1234", RESET),
        ("40 c0 1234", RESET),
        ("40 e0 1234", RESET),
        ("50 00 1234", IGNORE),
        ("50 20 1234", IGNORE),
        ("60 01 1234", IGNORE),
        ("70 45 1234", IGNORE),
        ("70 00 1234", Ok(())),
        ("60 00 1234", Ok(())),
        ("60 45 1234", Ok(())),
        ("40 01 1234 ff", RESET),
        ("40 01 1234 ff00", Ok(())),
        ("40 01 1234 b2 76", RESET),
        ("40 01 1234 f0", RESET),
        ("40 01 1234 0f", RESET),
        ("40 01 1234 d0", RESET),
        ("40 01 1234 d0 00", Ok(())),
        ("40 01 1234 e0 00", RESET),
        ("40 01 1234 e0 fef2", Ok(())),
        ("40 01 1234 e0 fef3", RESET),
        ("40 01 1234 e0 fef2 10", RESET),
        ("40 01 1234 0e ffff 00", RESET),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(parse(hex), expected, "{number}: {hex}");
    }
}

#[test]
fn blocks_have_numbers_of_20_bits_and_sizes_of_16_to_1024() {
    for (number, (value, expected)) in [
        (&[][..], Some((0, false, 0))),
        (&[0x06], Some((0, false, 6))),
        (&[0x0d], Some((0, true, 5))),
        (&[0x07], None),
        (&[0x0f], None),
        (&[0xff, 0xff, 0xfe], Some((0xf_ffff, true, 6))),
        (&[0, 0, 0, 6], None),
    ]
    .into_iter()
    .enumerate()
    {
        let read = Block::read(value).map(|block| (block.number, block.more, block.exponent));
        assert_eq!(read, expected, "{number}");
    }
    for (number, (offset, len, expected)) in [
        (0, 0, Some((0, false))),
        (0, 512, Some((0, false))),
        (0, 513, Some((0, true))),
        (512, 513, Some((1, false))),
        (512, 512, None),
        (512, 1025, Some((1, true))),
        (1 << 29, (1 << 29) + 1, None),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(Block::at(offset, len, 5).map(|block| (block.number, block.more)), expected, "{number}");
    }
    let body: Vec<u8> = (0..=255).collect();
    assert_eq!(Block::at(240, 250, 0).map(|block| block.of(&body[..250]).to_vec()), Some(body[240..250].to_vec()));
    assert_eq!(Block { number: 16, more: false, exponent: 0 }.of(&body), &[] as &[u8]);
}

/// Options as numbers and values, in order.
fn options() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let value = prop_oneof![prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 260..300)];
    prop::collection::vec((any::<u16>(), value), 0..6).prop_map(|mut options| {
        options.sort_by_key(|(number, _)| *number);
        options
    })
}

fn theirs(kind: Kind, code: u8, id: u16, token: &[u8], options: &[(u16, Vec<u8>)], payload: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_type(match kind {
        Kind::Confirmable => MessageType::Confirmable,
        Kind::NonConfirmable => MessageType::NonConfirmable,
        Kind::Acknowledgement => MessageType::Acknowledgement,
        Kind::Reset => MessageType::Reset,
    });
    packet.header.code = MessageClass::from(code);
    packet.header.message_id = id;
    packet.set_token(token.to_vec());
    for (number, value) in options {
        packet.add_option(CoapOption::from(*number), value.clone());
    }
    packet.payload = payload.to_vec();
    packet.to_bytes_unlimited().expect("a message")
}

proptest! {
    /// What coap-lite makes, we read as it was, and make the same bytes of it.
    #[test]
    fn messages_are_those_of_coap_lite(
        is_confirmable in any::<bool>(),
        code in prop::sample::select(std::vec![1_u8, 2, 3, 4, 0x41, 0x44, 0x45, 0x5f, 0x80, 0x84, 0xa3]),
        id in any::<u16>(),
        token in prop::collection::vec(any::<u8>(), 0..=8),
        options in options(),
        payload in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let kind = if is_confirmable { Kind::Confirmable } else { Kind::NonConfirmable };
        let bytes = theirs(kind, code, id, &token, &options, &payload);
        let view = View::parse(&bytes).expect("a message");
        prop_assert_eq!((view.kind, view.code.as_byte(), view.id), (kind, code, id));
        prop_assert_eq!((view.token.as_bytes(), view.payload), (&*token, &*payload));
        let read: Vec<_> = view.options().map(|(number, value)| (number, value.to_vec())).collect();
        prop_assert_eq!(&read, &options);
        let room: usize = options.iter().map(|(_, value)| value.len() + 5).sum();
        let mut builder = Builder::new(kind, Code::from_byte(code), id, &view.token, payload.len() + room).expect("memory");
        for (number, value) in &options {
            builder.option(*number, value);
        }
        prop_assert_eq!(&*builder.finish(&payload).expect("room"), &*bytes);
        for cut in 0..bytes.len() {
            let _ = View::parse(&bytes[..cut]);
        }
    }

    /// No bytes make the reader panic, and what it takes coap-lite takes, with the same options.
    #[test]
    fn no_bytes_make_a_view_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80), is_ours in any::<bool>()) {
        if let (true, [first, code, ..]) = (is_ours, &mut *bytes) {
            *first = 0x40 | *first & 0x33;
            *code &= 3;
        }
        if let Ok(view) = View::parse(&bytes) {
            let packet = Packet::from_bytes(&bytes).expect("coap-lite takes it");
            prop_assert_eq!(packet.get_token(), view.token.as_bytes());
            prop_assert_eq!(&packet.payload, view.payload);
            let count: usize = packet.options().map(|(_, values)| values.len()).sum();
            prop_assert_eq!(count, view.options().count());
        }
    }

    /// Numbers in options have no leading zeros and come back.
    #[test]
    fn numbers_in_options_come_back(number in any::<u32>()) {
        let mut builder = Builder::new(Kind::Confirmable, Code::GET, 1, &Token::default(), 0).expect("memory");
        builder.uint(6, number);
        let message = builder.finish(&[]).expect("room");
        let view = View::parse(&message).expect("a message");
        let value = view.option(6).expect("the option");
        prop_assert_eq!(super::uint(value), Some(number));
        prop_assert_ne!(value.first(), Some(&0));
    }
}

#[test]
fn a_message_that_does_not_fit_is_none() {
    let mut builder = Builder::new(Kind::Confirmable, Code::GET, 1, &Token::default(), 0).expect("memory");
    builder.option(11, &[0; 200]);
    assert!(builder.finish(&[]).is_err());
    assert_eq!(Options::new(&[0xf0]).next(), None);
    assert_eq!(Token::new(&[0; 9]), None);
}
