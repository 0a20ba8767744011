//! Reading and writing, held against ciborium.
use super::{Fault, Reader, Writer};
use ciborium::Value;
use proptest::prelude::*;
use std::vec::Vec;
use std::{boxed::Box, string::String};

fn skip(bytes: &[u8]) -> Result<(), Fault> {
    let mut reader = Reader::new(bytes);
    reader.skip()?;
    reader.end()
}

/// Reads a map of which key 1 is a number.
fn number_at_1(bytes: &[u8]) -> Result<Option<u64>, Fault> {
    let (mut reader, mut number) = (Reader::new(bytes), None);
    reader.map(|key, from| {
        if key == 1 {
            number = Some(from.uint()?);
        }
        Ok(key == 1)
    })?;
    reader.end().map(|()| number)
}

#[test]
fn heads_are_the_shortest_and_definite() {
    for (number, (hex, expected)) in [
        ("00", Ok(())),
        ("17", Ok(())),
        ("1818", Ok(())),
        ("1817", Err(Fault::NotShortest)),
        ("190100", Ok(())),
        ("1900ff", Err(Fault::NotShortest)),
        ("1a00010000", Ok(())),
        ("1a0000ffff", Err(Fault::NotShortest)),
        ("1b0000000100000000", Ok(())),
        ("1b00000000ffffffff", Err(Fault::NotShortest)),
        ("1bffffffffffffffff", Ok(())),
        ("5801", Err(Fault::NotShortest)),
        ("1c", Err(Fault::Reserved)),
        ("1f", Err(Fault::Indefinite)),
        ("5f4100ff", Err(Fault::Indefinite)),
        ("9fff", Err(Fault::Indefinite)),
        ("bfff", Err(Fault::Indefinite)),
        ("ff", Err(Fault::Indefinite)),
        ("20", Ok(())),
        ("c11a514b67b0", Ok(())),
        ("f4", Ok(())),
        ("f6", Ok(())),
        ("f820", Ok(())),
        ("f81f", Err(Fault::NotShortest)),
        ("f90000", Ok(())),
        ("fb3ff199999999999a", Ok(())),
        ("", Err(Fault::Cut)),
        ("18", Err(Fault::Cut)),
        ("43aabb", Err(Fault::Cut)),
        ("5bffffffffffffffff", Err(Fault::Cut)),
        ("9bffffffffffffffff", Err(Fault::Cut)),
        ("bbffffffffffffffff", Err(Fault::Cut)),
        ("bb7fffffffffffffff", Err(Fault::Cut)),
        ("62c328", Err(Fault::Text)),
        ("0000", Err(Fault::Trailing)),
        ("8181818181818181", Err(Fault::Cut)),
        ("818181818181818100", Ok(())),
        ("81818181818181818100", Err(Fault::Deep)),
        ("82810081820001", Ok(())),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(skip(&hex::decode(hex).expect("hexadecimal")), expected, "{number}: {hex}");
    }
}

#[test]
fn maps_have_each_key_once_and_unknown_ones_are_passed_over() {
    for (number, (hex, expected)) in [
        ("a0", Ok(None)),
        ("a10105", Ok(Some(5))),
        ("a2183fa1006078010105", Err(Fault::NotShortest)),
        ("a2183fa100600105", Ok(Some(5))),
        ("a201050105", Err(Fault::Duplicate)),
        ("a202000201", Err(Fault::Duplicate)),
        ("a1184000", Err(Fault::Key)),
        ("a12000", Err(Fault::Key)),
        ("a1613100", Err(Fault::Key)),
        ("a2008101", Err(Fault::Cut)),
        ("a2008101 0105", Ok(Some(5))),
        ("a3008102 0105 0209", Err(Fault::Must(2))),
        ("a3 0209 008102 0105", Err(Fault::Must(2))),
        ("a2 008102 0105", Ok(Some(5))),
        ("a2 00810a 0105", Ok(Some(5))),
        ("a1 008140", Err(Fault::Key)),
        ("a1 01f5", Err(Fault::Type)),
    ]
    .into_iter()
    .enumerate()
    {
        let bytes = hex::decode(hex.replace(' ', "")).expect("hexadecimal");
        assert_eq!(number_at_1(&bytes), expected, "{number}: {hex}");
    }
}

#[test]
fn a_writer_without_room_counts() {
    fn write(out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(1).text("text");
            map.optional(2, None, |out, number: u64| out.uint(number));
            map.key(3).zeros(30);
            map.key(4).array(&[true, false], |out, truth| out.bool(*truth));
        });
    }
    let mut measure = Writer::new(&mut []);
    write(&mut measure);
    let mut bytes = std::vec![0xff; measure.len()];
    write(&mut Writer::new(&mut bytes));
    assert_eq!(hex::encode(&bytes), std::format!("a3016474657874 03581e{} 0482f5f4", "00".repeat(30)).replace(' ', ""));
    let mut short = [0xff; 5];
    write(&mut Writer::new(&mut short));
    assert_eq!((&short[..3], &short[3..]), (&bytes[..3], &[0xff; 2][..]), "what does not fit is not begun");
}

/// Values of the types that we know, and of some that we pass over.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner.clone()), 0..8).prop_map(Value::Map),
            (any::<u64>(), inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
        ]
    })
}

proptest! {
    /// What ciborium writes, we pass over to its last byte and no further.
    #[test]
    fn any_value_is_passed_over(value in value(), tail in any::<Vec<u8>>()) {
        let mut bytes = Vec::new();
        ciborium::into_writer(&value, &mut bytes).expect("memory");
        prop_assert_eq!(skip(&bytes), Ok(()));
        let len = bytes.len();
        bytes.extend(&tail);
        prop_assert_eq!(skip(&bytes).is_ok(), tail.is_empty());
        for cut in 0..len {
            prop_assert!(skip(&bytes[..cut]).is_err());
        }
    }

    /// Numbers, strings and lists are written as ciborium writes them, and read as they were.
    #[test]
    fn what_is_written_is_what_ciborium_writes(number in any::<u64>(), text in ".*", bytes in any::<Vec<u8>>(), list in any::<Vec<u64>>()) {
        let mut ours = std::vec![0; 64 + text.len() + bytes.len() + 9 * list.len()];
        let mut writer = Writer::new(&mut ours);
        writer.map(|map| {
            map.key(1).uint(number);
            map.key(2).text(&text);
            map.key(3).bytes(&bytes);
            map.key(4).array(&list, |out, number| out.uint(*number));
        });
        let len = writer.len();
        ours.truncate(len);
        let entries = [
            Value::from(number),
            Value::from(text.clone()),
            Value::from(bytes.clone()),
            Value::Array(list.iter().copied().map(Value::from).collect()),
        ];
        let map = (1_u64..).map(Value::from).zip(entries).collect();
        let mut theirs = Vec::new();
        ciborium::into_writer(&Value::Map(map), &mut theirs).expect("memory");
        prop_assert_eq!(&ours, &theirs);
        let mut reader = Reader::new(&ours);
        reader.map(|key, from| {
            match key {
                1 => assert_eq!(from.uint(), Ok(number)),
                2 => assert_eq!(from.text(usize::MAX), Ok(&*text)),
                3 => assert_eq!(from.bytes(), Ok(&*bytes)),
                _ => {
                    let count = from.array(usize::MAX)?;
                    let read: Result<Vec<_>, _> = (0..count).map(|_| from.uint()).collect();
                    assert_eq!(read.as_ref(), Ok(&list));
                }
            }
            Ok(true)
        }).expect("what was written");
        prop_assert_eq!(reader.end(), Ok(()));
    }

    /// No bytes make it panic, and what it takes, ciborium takes.
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = number_at_1(&bytes);
        if skip(&bytes).is_ok() && !bytes.iter().any(|byte| byte >> 5 == 7 || byte >> 5 == 6) {
            prop_assert!(ciborium::from_reader::<Value, _>(&*bytes).is_ok());
        }
    }
}
