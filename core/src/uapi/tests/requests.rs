use crate::uapi::{EINVAL, EMSGSIZE, EPROTO, Fault, Request, RequestBuffer, write_status};
use proptest::prelude::*;
use std::format;
use std::string::String;
use std::vec::Vec;

/// What a buffer finds in `bytes`, given in pieces of `size`.
fn found(bytes: &[u8], size: usize) -> Vec<String> {
    let mut buffer = RequestBuffer::new();
    let mut found = Vec::new();
    for piece in bytes.chunks(size) {
        buffer.push(piece).unwrap();
        loop {
            match buffer.poll() {
                Ok(None) => break,
                Ok(Some(Request::Get)) => found.push("get".into()),
                Ok(Some(Request::Set(text))) => found.push(format!("set {text:?}")),
                Err(error) => {
                    found.push(format!("{:?} {}", error.fault, error.errno()));
                    return found;
                }
            }
        }
    }
    found
}

#[test]
fn requests_are_found_however_they_arrive() {
    let rows: [(&[u8], &[&str]); 14] = [
        (b"", &[]),
        (b"get=1", &[]),
        (b"get=1\n", &[]),
        (b"get=1\n\n", &["get"]),
        (b"set=1\n", &[]),
        // 5
        (b"set=1\n\n", &["set \"\""]),
        (b"set=1\nfwmark=1\n", &[]),
        (b"set=1\nfwmark=1\n\n", &["set \"fwmark=1\\n\""]),
        (b"get=1\n\nset=1\na=b\nc=d\n\nset=1\n\nget=1\n\nget", &["get", "set \"a=b\\nc=d\\n\"", "set \"\"", "get"]),
        (b"get=1\nx", &["TrailingText 22"]),
        // 10
        (b"gets=1\n", &["UnknownOperation 71"]),
        (b"\n", &["UnknownOperation 71"]),
        (b"get=1\n\nset=2\n\n", &["get", "UnknownOperation 71"]),
        (b"set=1\n\xff=\n\n", &["NotUtf8 71"]),
    ];
    for (i, (bytes, expected)) in rows.into_iter().enumerate() {
        for size in 1..=bytes.len().max(1) {
            assert_eq!(found(bytes, size), expected, "row {i}, in pieces of {size}");
        }
    }
}

#[test]
fn a_request_beyond_the_limit_is_refused() {
    let mut buffer = RequestBuffer::with_limit(20);
    buffer.push(b"set=1\n").unwrap();
    buffer.push(b"fwmark=1234567").unwrap();
    assert_eq!(buffer.poll(), Ok(None));
    let error = buffer.push(b"\n").unwrap_err();
    assert_eq!((error.fault, error.errno()), (Fault::TooLong, EMSGSIZE));
    let mut buffer = RequestBuffer::with_limit(20);
    for _ in 0..9 {
        buffer.push(b"get=1\n\n").unwrap();
        assert_eq!(buffer.poll(), Ok(Some(Request::Get)), "what is answered no longer counts");
    }
}

#[test]
fn a_buffer_shows_no_text() {
    let mut buffer = RequestBuffer::new();
    buffer.push(b"set=1\nprivate_key=00\n\n").unwrap();
    assert_eq!(format!("{buffer:?}"), "RequestBuffer(22 of 536870912 bytes)");
    assert_eq!(format!("{:?}", buffer.poll()), "Ok(Some(Set(15 bytes)))");
}

#[test]
fn status_is_negative_as_wg_expects() {
    let rows = [
        (0, "errno=0\n\n"),
        (EINVAL, "errno=-22\n\n"),
        (-EPROTO, "errno=-71\n\n"),
        (i32::MIN, "errno=-2147483648\n\n"),
    ];
    for (i, (errno, expected)) in rows.into_iter().enumerate() {
        let mut text = String::new();
        write_status(errno, &mut text).unwrap();
        assert_eq!(text, expected, "row {i}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered_the_same_in_any_pieces(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..50).boxed(),
            "(get=1\n\n|set=1\n(a=b\n){0,3}\n|\n){0,5}(set|ge|x)?".prop_map(String::into_bytes).boxed(),
        ],
        size in 1..20usize,
    ) {
        prop_assert_eq!(found(&bytes, size), found(&bytes, bytes.len().max(1)));
    }
}
