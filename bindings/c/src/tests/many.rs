//! Many peers: no call looks at each of them for each of them.
use crate::config::{underpass_config, underpass_config_free, underpass_config_parse, underpass_config_peer};
use crate::configure::{missing, underpass_peer_change, underpass_tunnel_apply_config};
use crate::options::{underpass_tunnel_free, underpass_tunnel_new_from_config};
use crate::words::{UNDERPASS_NOTHING, UNDERPASS_OK};
use core::cell::Cell;
use core::cmp::Ordering;
use core::ptr::{from_mut, null, null_mut};
use std::fmt::Write as _;
use underpass_core::PublicKey;

/// A key that counts how often it is compared.
#[derive(Clone, Copy)]
struct Counted<'a>(u32, &'a Cell<u64>);

impl Ord for Counted<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.1.set(self.1.get() + 1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Counted<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Counted<'_> {}

#[test]
fn who_is_gone_is_found_in_n_log_n_comparisons() {
    const MANY: u32 = 100_000;
    let count = Cell::new(0);
    // In no order.
    let key = |number: u32| Counted(number.wrapping_mul(0x9e37_79b1), &count);
    let gone = missing((0..MANY).map(key), (MANY / 2..2 * MANY).map(key)).expect("memory");
    assert!(gone.iter().map(|key| key.0).eq((0..MANY / 2).map(|number| key(number).0)));
    let limit = 3 * u64::from(MANY) * 40;
    assert!(count.get() < limit, "{} comparisons, {limit} at most", count.get());
}

/// At this size, work that grows with the square of it is 40 000 000 000 steps.
#[test]
fn many_peers_are_applied_and_listed() {
    const MANY: u32 = 200_000;
    let mut text = String::from("[Interface]\n");
    for number in 0..MANY {
        let mut key = [9; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        writeln!(text, "[Peer]\nPublicKey = {}", PublicKey::from_bytes(key)).expect("memory");
    }
    let (mut config, mut tunnel): (*mut underpass_config, _) = (null_mut(), null_mut());
    assert_eq!(underpass_config_parse(text.as_ptr().cast(), text.len(), from_mut(&mut config)), UNDERPASS_OK);
    let made = underpass_tunnel_new_from_config(config, null(), 0, 0, from_mut(&mut tunnel));
    assert_eq!(made, UNDERPASS_OK);
    assert_eq!(underpass_tunnel_apply_config(tunnel, 0, config), UNDERPASS_OK);
    let mut peer = underpass_peer_change { size: size_of::<underpass_peer_change>() as u32, ..Default::default() };
    let told = |index: &usize| underpass_config_peer(config, *index, from_mut(&mut peer)) == UNDERPASS_OK;
    assert_eq!((0..usize::MAX).take_while(told).count(), MANY as usize);
    assert_eq!(underpass_config_peer(config, MANY as usize, from_mut(&mut peer)), UNDERPASS_NOTHING);
    assert_eq!(underpass_tunnel_free(tunnel), UNDERPASS_OK);
    assert_eq!(underpass_config_free(config), UNDERPASS_OK);
}
