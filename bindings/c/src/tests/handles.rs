//! A panic stays inside and poisons the handle; a handle has one call at a time; all entries are asked.
use crate::address::{underpass_address, underpass_ip, underpass_path};
use crate::boundary::{enter, enter_tunnel};
use crate::handle::underpass_tunnel;
use crate::words::*;
use crate::{batch, commands, config, configure, drain, facts, options, peers, steps, uapi};
use core::ptr::{null, null_mut};
use std::panic::panic_any;

fn tunnel() -> *mut underpass_tunnel {
    let mut tunnel = null_mut();
    assert_eq!(options::underpass_tunnel_new(null(), 0, 0, &mut tunnel), UNDERPASS_OK);
    tunnel
}

fn panicking(tunnel: *mut underpass_tunnel) -> i32 {
    enter_tunnel(tunnel, |_, _| panic_any("provoked by a test"))
}

/// Every entry that has a tunnel, with arguments that pass where it looks at them before the handle.
fn answers(tunnel: *mut underpass_tunnel) -> Vec<(&'static str, i32)> {
    let mut bytes = [0_u8; 32];
    let mut buffer = [0_u8; 2048];
    let (mut count, mut number, mut short, mut word) = (0_usize, 0_u64, 0_u16, 0_u32);
    let (address, path) = (underpass_address::default(), underpass_path::default());
    let (key, len) = (bytes.as_mut_ptr(), &raw mut count);
    let text = b"".as_ptr().cast();
    macro_rules! answers {
        ($($module:ident::$entry:ident($($argument:expr),*);)*) => {
            vec![$((stringify!($entry), $module::$entry(tunnel $(, $argument)*)),)*]
        };
    }
    answers! {
        configure::underpass_tunnel_configure_peers(0, null(), 0, null_mut());
        configure::underpass_tunnel_set_padding(0, 16);
        configure::underpass_tunnel_set_limits(0, null());
        configure::underpass_tunnel_layout(null_mut());
        configure::underpass_tunnel_datagram_len(0, len);
        configure::underpass_tunnel_remove_all_peers(0);
        configure::underpass_tunnel_set_private_key(0, null());
        configure::underpass_tunnel_set_mtu(0, 1420);
        configure::underpass_tunnel_apply_config(0, null());
        uapi::underpass_tunnel_uapi_set(0, text, 0, null_mut());
        uapi::underpass_tunnel_uapi_get(0, 0, null_mut(), 0, len);
        batch::underpass_tunnel_handle_packets(0, null_mut(), 0);
        batch::underpass_tunnel_handle_datagrams(0, null_mut(), 0);
        steps::underpass_tunnel_begin_packets(0, null_mut(), null_mut(), 0);
        steps::underpass_tunnel_begin_datagrams(0, null_mut(), null_mut(), 0);
        steps::underpass_tunnel_finish_packets(0, null_mut(), null_mut(), 0);
        steps::underpass_tunnel_finish_datagrams(0, null_mut(), null_mut(), 0);
        facts::underpass_tunnel_handle_timeout(0);
        facts::underpass_tunnel_handle_network_change(0);
        facts::underpass_tunnel_handle_wall_clock(0, 0);
        drain::underpass_tunnel_poll_transmit(0, buffer.as_mut_ptr(), buffer.len(), null_mut());
        drain::underpass_tunnel_poll_transmits(0, null_mut(), 0, len);
        drain::underpass_tunnel_poll_event(null_mut());
        drain::underpass_tunnel_poll_timeout(&mut number);
        commands::underpass_tunnel_set_endpoint(0, 1, &address);
        commands::underpass_tunnel_connect(0, 1);
        commands::underpass_tunnel_handle_send_error(1, &path, 0, 2);
        commands::underpass_tunnel_end_sessions(0, 1);
        commands::underpass_tunnel_set_refused(0, 1, 1);
        commands::underpass_tunnel_reset_peer_timestamp(1);
        peers::underpass_tunnel_timestamp_floor(key);
        peers::underpass_tunnel_peer_by_key(key, &mut number);
        peers::underpass_tunnel_peers(null_mut(), 0, len);
        peers::underpass_tunnel_peer(0, 1, null_mut());
        peers::underpass_tunnel_peer_allowed_ips(1, null_mut::<underpass_ip>(), 0, len);
        peers::underpass_tunnel_peer_endpoint_name(1, null_mut(), 0, len, &mut short);
        peers::underpass_tunnel_peer_drops(1, null_mut(), 0, len);
        peers::underpass_tunnel_stats(null_mut());
        peers::underpass_tunnel_drops(null_mut(), 0, len);
        peers::underpass_tunnel_public_key(key);
        peers::underpass_tunnel_mtu(&mut word);
        peers::underpass_tunnel_user(&mut number);
    }
}

fn all_answer(tunnel: *mut underpass_tunnel, status: i32) {
    for (entry, answer) in answers(tunnel) {
        assert_eq!(answer, status, "{entry}");
    }
}

/// An entry that the table above forgets is in the header, and so the test fails.
#[test]
fn the_table_of_entries_is_whole() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/underpass.h");
    let header = std::fs::read_to_string(path).expect("the header is there");
    let declarations =
        header.split("\nUNDERPASS_").filter_map(|text| text.strip_prefix("API ").or(text.strip_prefix("STATUS ")));
    let with_tunnel = declarations.filter(|text| {
        let declared = text.split(';').next().unwrap_or_default();
        declared.contains("underpass_tunnel *tunnel") && !declared.contains("underpass_tunnel_free")
    });
    let tunnel = tunnel();
    assert_eq!(with_tunnel.count(), answers(tunnel).len());
    assert_eq!(options::underpass_tunnel_free(tunnel), UNDERPASS_OK);
}

#[test]
fn lesson_24_a_panic_becomes_a_status_and_poisons_the_tunnel() {
    let (broken, sound) = (tunnel(), tunnel());
    assert_eq!(panicking(broken), UNDERPASS_E_PANIC);
    all_answer(broken, UNDERPASS_E_POISONED);
    assert_eq!(panicking(broken), UNDERPASS_E_POISONED);
    assert_eq!(options::underpass_tunnel_free(broken), UNDERPASS_OK);
    // Nobody else is hurt.
    assert_eq!(configure::underpass_tunnel_set_mtu(sound, 0, 1280), UNDERPASS_OK);
    assert_eq!(options::underpass_tunnel_free(sound), UNDERPASS_OK);
}

#[test]
fn lesson_24_a_panic_without_a_handle_becomes_a_status() {
    assert_eq!(enter(|_| panic_any("provoked by a test")), UNDERPASS_E_PANIC);
    assert_eq!(enter(|_| Ok(())), UNDERPASS_OK);
}

#[test]
fn no_entry_looks_into_a_tunnel_that_is_not_there() {
    all_answer(null_mut(), UNDERPASS_E_NULL);
    assert_eq!(options::underpass_tunnel_free(null_mut()), UNDERPASS_OK);
    assert_eq!(config::underpass_config_free(null_mut()), UNDERPASS_OK);
    // Where no handle can lie.
    assert_eq!(
        facts::underpass_tunnel_handle_timeout(null_mut::<u8>().wrapping_add(1).cast(), 0),
        UNDERPASS_E_ARGUMENT
    );
}

#[test]
fn two_calls_at_a_time_are_told_apart() {
    let tunnel = tunnel();
    let answer = enter_tunnel(tunnel, |_, _| {
        all_answer(tunnel, UNDERPASS_E_BUSY);
        assert_eq!(options::underpass_tunnel_free(tunnel), UNDERPASS_E_BUSY);
        let exposed = tunnel.expose_provenance();
        let other = std::thread::spawn(move || {
            facts::underpass_tunnel_handle_timeout(core::ptr::with_exposed_provenance_mut(exposed), 0)
        });
        assert_eq!(other.join().expect("a panic would stay inside"), UNDERPASS_E_BUSY);
        Ok(())
    });
    assert_eq!(answer, UNDERPASS_OK, "a check above failed");
    assert_eq!(facts::underpass_tunnel_handle_timeout(tunnel, 0), UNDERPASS_OK);
    assert_eq!(options::underpass_tunnel_free(tunnel), UNDERPASS_OK);
}

/// Whatever is refused on the way leaves the tunnel as usable as it was.
#[test]
fn a_refusal_is_no_poison() {
    let tunnel = tunnel();
    assert_eq!(configure::underpass_tunnel_set_mtu(tunnel, 0, 67), UNDERPASS_E_MTU);
    assert_eq!(configure::underpass_tunnel_set_mtu(tunnel, 0, 65536), UNDERPASS_E_MTU);
    assert_eq!(commands::underpass_tunnel_connect(tunnel, 0, 0), UNDERPASS_E_NO_PEER);
    assert_eq!(configure::underpass_tunnel_set_mtu(tunnel, 0, 68), UNDERPASS_OK);
    assert_eq!(options::underpass_tunnel_free(tunnel), UNDERPASS_OK);
}
