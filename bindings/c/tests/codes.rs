//! The numbers of the header are those of the core, all of them, and never change.
use std::collections::BTreeMap;
use std::path::Path;
use underpass::words::{UNDERPASS_DROP_REASONS, drop_reason_name, status_text, underpass_version};
use underpass_core::tunnel::{EventKind, SendError};
use underpass_core::{DropReason, Status};

/// The header's macros that are numbers, without `UNDERPASS_`.
fn macros() -> BTreeMap<String, i64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/underpass.h");
    let header = std::fs::read_to_string(path).expect("the header is there");
    let number = |line: &str| {
        let (name, value) = line.strip_prefix("#define UNDERPASS_")?.split_once(' ')?;
        // What is said of it may stand behind it.
        let value = value.split_once(" /*").map_or(value, |(value, _)| value);
        Some((name.to_owned(), value.trim_matches(['(', ')', 'u']).parse().ok()?))
    };
    header.lines().filter_map(number).collect()
}

/// The macros of a family, such as `DROP_`, by their numbers.
fn family(prefix: &str) -> BTreeMap<i64, String> {
    let members =
        macros().into_iter().filter_map(|(name, number)| Some((number, name.strip_prefix(prefix)?.to_owned())));
    members.collect()
}

#[test]
fn lesson_25_every_status_is_in_the_header_and_has_words() {
    let macros = macros();
    for status in Status::ALL {
        assert_eq!(macros.get(status.name()), Some(&i64::from(status.code())), "UNDERPASS_{}", status.name());
        assert_eq!(status_text(status.code()).to_str(), Ok(status.text()));
    }
    let errors = macros.keys().filter(|name| name.starts_with("E_")).count();
    assert_eq!(errors, Status::ALL.iter().filter(|status| status.code() < 0).count());
    for unknown in [2, -21, i32::MIN, i32::MAX] {
        assert_eq!(status_text(unknown), c"unknown status");
    }
}

#[test]
fn every_drop_reason_is_in_the_header_with_its_number() {
    let mut published = family("DROP_");
    published.retain(|_, name| name != "REASONS");
    let known = DropReason::ALL.iter().map(|reason| (*reason as i64, reason.name().to_uppercase()));
    assert_eq!(published, known.collect());
    assert_eq!(DropReason::ALL.len(), UNDERPASS_DROP_REASONS);
    for reason in DropReason::ALL {
        assert_eq!(drop_reason_name(*reason as u32).to_str(), Ok(reason.name()));
    }
    assert_eq!(drop_reason_name(u32::MAX), c"unknown");
}

#[test]
fn every_event_is_in_the_header_with_its_number() {
    let known = EventKind::ALL.iter().map(|kind| (*kind as i64, kind.name().to_uppercase()));
    assert_eq!(family("EVENT_"), known.collect());
}

#[test]
fn every_send_error_is_in_the_header_with_its_number() {
    let known = SendError::ALL.iter().map(|kind| (*kind as i64, kind.name().to_uppercase()));
    assert_eq!(family("SEND_ERROR_"), known.collect());
}

/// The tables as they were published. Rows are added at their ends.
#[test]
fn lesson_25_published_numbers_never_change() {
    let tables: [(&str, &[&str]); 9] = [
        (
            "DROP_",
            &[
                "MALFORMED",
                "BAD_MAC",
                "UNKNOWN_INDEX",
                "UNKNOWN_PEER",
                "BAD_TAG",
                "LOW_ORDER_KEY",
                "REPLAY",
                "OLD_TIMESTAMP",
                "KEY_EXPIRED",
                "INITIATION_FLOOD",
                "UNDER_LOAD",
                "UNEXPECTED_COOKIE",
                "MALFORMED_PACKET",
                "SOURCE_NOT_ALLOWED",
                "CONGESTION",
                "NO_ROUTE",
                "NO_ENDPOINT",
                "TOO_BIG",
                "NO_ROOM",
                "STAGED_OVERFLOW",
                "HANDSHAKE_FAILED",
                "NO_PRIVATE_KEY",
                "LOOP",
                "REFUSED",
                "NO_MEMORY",
            ],
        ),
        ("SEND_ERROR_", &["UNREACHABLE", "FAMILY_GONE", "NO_SOURCE", "TOO_BIG", "REFUSED", "DENIED", "OTHER"]),
        ("VERDICT_", &["PENDING", "SEND", "DELIVER", "REPLY", "BOUNCE", "CONSUMED", "STAGED", "DROPPED"]),
        ("HEALTH_", &["CONNECTING", "UP", "STALE", "FAILED", "IDLE"]),
        ("SEVERITY_", &["WARNING", "ERROR"]),
        ("TABLE_", &["AUTO", "OFF", "NUMBER", "NAME"]),
        (
            "TEXT_",
            &[
                "SEARCH_DOMAIN",
                "PRE_UP",
                "POST_UP",
                "PRE_DOWN",
                "POST_DOWN",
                "INCLUDED_APPLICATION",
                "EXCLUDED_APPLICATION",
            ],
        ),
        ("PEER_", &["SET", "UPDATE", "REMOVE"]),
        (
            "EVENT_",
            &[
                "",
                "SESSION_ESTABLISHED",
                "HANDSHAKE_FAILED",
                "SESSION_EXPIRED",
                "ENDPOINT_MOVED",
                "RESOLVE_ENDPOINT",
                "HEALTH_CHANGED",
                "TIMESTAMP_AHEAD",
                "LOST",
                "CLOCK_LEAPT",
                "LAYOUT_CHANGED",
            ],
        ),
    ];
    let macros = macros();
    for (prefix, names) in tables {
        for (number, name) in (0..).zip(names).filter(|(_, name)| !name.is_empty()) {
            assert_eq!(macros.get(&format!("{prefix}{name}")), Some(&number), "UNDERPASS_{prefix}{name}");
        }
    }
    let flags = [
        ("PEER_HAS_PRESHARED_KEY", 1),
        ("PEER_HAS_ENDPOINT", 2),
        ("PEER_HAS_KEEPALIVE", 4),
        ("PEER_PIN", 8),
        ("PEER_UNPIN", 16),
        ("PEER_REPLACE_ALLOWED_IPS", 32),
        ("INTERFACE_HAS_PRIVATE_KEY", 1),
        ("INTERFACE_HAS_MTU", 2),
        ("INTERFACE_HAS_LISTEN_PORT", 4),
        ("INTERFACE_HAS_FWMARK", 8),
        ("OPTION_PRIVATE_KEY", 1),
        ("UAPI_HAS_LISTEN_PORT", 1),
        ("UAPI_HAS_FWMARK", 2),
        ("INFO_PRESHARED_KEY", 1),
        ("INFO_PATH", 2),
        ("INFO_PINNED", 4),
        ("INFO_HANDSHAKE", 8),
        ("INFO_NAMED", 16),
    ];
    for (name, number) in flags {
        assert_eq!(macros.get(name), Some(&number), "UNDERPASS_{name}");
    }
}

#[test]
fn lesson_29_the_version_of_header_and_library_is_that_of_the_package() {
    let numbers: Vec<u32> = env!("CARGO_PKG_VERSION").split('.').map(|n| n.parse().expect("a number")).collect();
    let macros = macros();
    let header = ["VERSION_MAJOR", "VERSION_MINOR", "VERSION_PATCH"].map(|name| macros.get(name).copied());
    assert_eq!(header.to_vec(), numbers.iter().map(|n| Some(i64::from(*n))).collect::<Vec<_>>());
    assert_eq!(underpass_version(), numbers.iter().fold(0, |version, number| (version << 8) | number) << 8);
}
