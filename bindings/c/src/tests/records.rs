//! Structs of other sizes than ours: of older programs, of newer ones, and of none.
use crate::configure::{self, underpass_peer_change};
use crate::memory::Caller;
use crate::options::{self, underpass_options};
use crate::uapi::underpass_uapi_result;
use crate::words::*;
use core::ptr::{from_mut, from_ref, null_mut};
use underpass_core::Status;

/// Our struct, and what a newer one has behind it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Newer {
    known: underpass_uapi_result,
    unknown: [u8; 8],
}

const OWN: u32 = size_of::<underpass_uapi_result>() as u32;

fn newer(size: u32) -> Newer {
    let known = underpass_uapi_result { size, error_number: 7, ..Default::default() };
    Newer { known, unknown: [0xaa; 8] }
}

#[test]
fn what_is_handed_out_is_as_long_as_both_know_it() {
    let value = underpass_uapi_result { size: 99, error_number: -5, reserved: 0x1234, ..Default::default() };
    let put = |place: &mut Newer| {
        Caller::attend(|caller| caller.record_out(from_mut(place).cast()).map(|out| out.put(value)))
    };
    for (size, answer) in [
        (0, Err(Status::Size)),
        (4, Err(Status::Size)),
        (OWN - 1, Err(Status::Size)),
        (OWN, Ok(())),
        (OWN + 8, Ok(())),
        (4097, Err(Status::Size)),
        (u32::MAX, Err(Status::Size)),
    ] {
        let mut place = newer(size);
        assert_eq!(put(&mut place), answer, "size {size}");
        let written = if answer.is_ok() { -5 } else { 7 };
        assert_eq!((place.known.size, place.known.error_number), (size, written), "size {size}");
        assert_eq!(place.unknown, [0xaa; 8], "size {size}");
    }
}

#[test]
fn what_a_newer_program_asks_for_and_nobody_has_is_refused() {
    let read = |place: &Newer| {
        Caller::attend(|caller| caller.record(from_ref(place).cast(), underpass_uapi_result::default()))
            .map(|record| record.error_number)
    };
    let mut place = newer(OWN + 8);
    assert_eq!(read(&place), Err(Status::Size));
    place.unknown = [0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(read(&place), Err(Status::Size));
    place.unknown = [0; 8];
    assert_eq!(read(&place), Ok(7));
    for size in [0, OWN - 1, 4097, u32::MAX] {
        place.known.size = size;
        assert_eq!(read(&place), Err(Status::Size), "size {size}");
    }
}

#[test]
fn what_is_filled_in_is_as_long_as_the_program_says() {
    let init = |place: &mut Newer, size| {
        let defaults = underpass_uapi_result { size, error_number: 1, ..Default::default() };
        Caller::attend(|caller| caller.init(from_mut(place).cast(), size, defaults))
    };
    let mut place = newer(0);
    assert_eq!(init(&mut place, OWN - 1), Err(Status::Size));
    assert_eq!(place.known.error_number, 7);
    assert_eq!(init(&mut place, OWN), Ok(()));
    assert_eq!((place.known.size, place.known.error_number, place.unknown), (OWN, 1, [0xaa; 8]));
    assert_eq!(init(&mut place, OWN + 4), Ok(()));
    assert_eq!((place.known.size, place.unknown), (OWN + 4, [0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa]));
}

/// Structs and numbers may lie at any address.
#[test]
fn nothing_but_a_batch_must_be_aligned() {
    let mut bytes = [0_u8; size_of::<underpass_options>() + 1];
    let odd = bytes.as_mut_ptr().wrapping_add(1).cast::<underpass_options>();
    assert_eq!(options::underpass_options_init(odd, size_of::<underpass_options>() as u32), UNDERPASS_OK);
    let mut place = [0_u8; size_of::<usize>() + 1];
    let out = place.as_mut_ptr().wrapping_add(1).cast();
    assert_eq!(options::underpass_tunnel_new(odd, 0, 0, out), UNDERPASS_OK);
    let tunnel = Caller::attend(|caller| caller.read(out.cast_const())).expect("it was written");
    assert_eq!(options::underpass_tunnel_free(tunnel), UNDERPASS_OK);
}

#[test]
fn changes_of_a_list_have_one_size() {
    let mut tunnel = null_mut();
    assert_eq!(options::underpass_tunnel_new(core::ptr::null(), 0, 0, &mut tunnel), UNDERPASS_OK);
    let size = size_of::<underpass_peer_change>() as u32;
    let mut changes = [underpass_peer_change { size, ..Default::default() }; 3];
    for (change, byte) in changes.iter_mut().zip(1..) {
        change.public_key = [byte * 3; 32];
    }
    let apply = |changes: &[underpass_peer_change; 3]| {
        configure::underpass_tunnel_configure_peers(tunnel, 0, changes.as_ptr(), changes.len(), core::ptr::null_mut())
    };
    let count = || {
        let mut count = 0;
        assert_eq!(crate::peers::underpass_tunnel_peers(tunnel, null_mut(), 0, &mut count), UNDERPASS_OK);
        count
    };
    changes[2].size += 8;
    assert_eq!((apply(&changes), count()), (UNDERPASS_E_SIZE, 0), "nothing of a list that is refused is applied");
    changes[2].size -= 8;
    changes[2].action = 3;
    assert_eq!((apply(&changes), count()), (UNDERPASS_E_ARGUMENT, 0));
    changes[2].action = configure::UNDERPASS_PEER_SET;
    assert_eq!((apply(&changes), count()), (UNDERPASS_OK, 3));
    assert_eq!(
        configure::underpass_tunnel_configure_peers(tunnel, 0, changes.as_ptr(), usize::MAX, core::ptr::null_mut()),
        UNDERPASS_E_ARGUMENT
    );
    assert_eq!(options::underpass_tunnel_free(tunnel), UNDERPASS_OK);
}

/// The sizes that programs have compiled in, where pointers have 64 bits. A struct that has grown still takes the first.
#[cfg(target_pointer_width = "64")]
#[test]
fn the_first_version_of_each_struct_is_still_known() {
    use crate::memory::Record;
    let first = [
        (crate::config::underpass_diagnostic::FIRST, 40),
        (crate::config::underpass_interface::FIRST, 72),
        (underpass_options::FIRST, 92),
        (underpass_peer_change::FIRST, 128),
        (underpass_uapi_result::FIRST, 24),
        (crate::drain::underpass_transmit::FIRST, 64),
        (crate::drain::underpass_event::FIRST, 72),
        (crate::peers::underpass_peer_info::FIRST, 152),
        (crate::peers::underpass_stats::FIRST, 120),
    ];
    for (row, (first, published)) in first.into_iter().enumerate() {
        assert_eq!(first, published, "row {row}");
    }
    let placed = [size_of::<crate::batch::underpass_slot>(), size_of::<crate::job::underpass_job>()];
    assert_eq!(placed, [96, 192], "these never grow");
}
