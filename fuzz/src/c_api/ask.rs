//! Questions, with memory of any size for the answer.
use super::world::{World, blank_change};
use crate::pair::private_key;
use crate::tunnel_ops::script::Script;
use std::ffi::{CStr, c_char};
use std::ptr;
use underpass::address::underpass_ip;
use underpass::config::{
    underpass_config_address, underpass_config_diagnostic, underpass_config_dns, underpass_config_interface,
    underpass_config_peer, underpass_config_text, underpass_config_write, underpass_diagnostic, underpass_interface,
};
use underpass::drain::{
    UNDERPASS_EVENT_LAYOUT_CHANGED, UNDERPASS_EVENT_SESSION_ESTABLISHED, UNDERPASS_HEALTH_IDLE, underpass_event,
    underpass_tunnel_poll_event, underpass_tunnel_poll_timeout,
};
use underpass::keys::{
    underpass_key_from_base64, underpass_key_from_hex, underpass_key_to_base64, underpass_key_to_hex,
    underpass_public_key,
};
use underpass::peers::{
    underpass_peer_info, underpass_stats, underpass_tunnel_drops, underpass_tunnel_mtu, underpass_tunnel_peer,
    underpass_tunnel_peer_allowed_ips, underpass_tunnel_peer_drops, underpass_tunnel_peer_endpoint_name,
    underpass_tunnel_peers, underpass_tunnel_public_key, underpass_tunnel_stats, underpass_tunnel_timestamp_floor,
};
use underpass::uapi::underpass_tunnel_uapi_get;
use underpass::words::{underpass_drop_reason_name, underpass_strerror};

/// Reads a text that the library handed out.
fn read(text: *const c_char) -> usize {
    // SAFETY: the header promises text with a NUL that lives as long as the configuration, or for ever.
    unsafe { CStr::from_ptr(text) }.to_bytes().len()
}

/// The size that a confused caller gives a struct of `own` bytes; never more, for more would not be there.
fn size(own: usize, word: u64) -> u32 {
    let own = own as u32;
    if word & 3 == 3 { (word >> 2) as u32 % own } else { own }
}

impl World {
    pub(super) fn event(&mut self, who: usize, word: u64) {
        let size = size(size_of::<underpass_event>(), word);
        let mut event = underpass_event { size, ..Default::default() };
        if self.judge_out(&mut event, |world, out| underpass_tunnel_poll_event(world.tunnels[who], out)) {
            let kinds = UNDERPASS_EVENT_SESSION_ESTABLISHED..=UNDERPASS_EVENT_LAYOUT_CHANGED;
            assert!(kinds.contains(&event.kind) && event.health <= UNDERPASS_HEALTH_IDLE, "{event:?}");
            assert_eq!(event.size, size);
        }
    }

    pub(super) fn ask_peer(&mut self, who: usize, script: &mut Script<'_>) {
        let (which, word) = (script.byte().unwrap_or(0), script.number());
        let peer = if word & 0x80 == 0 { self.peers[who] } else { word };
        let cap = usize::try_from(word).unwrap_or(0) % 24;
        match which % 4 {
            0 => {
                let size = size(size_of::<underpass_peer_info>(), word);
                let mut info = underpass_peer_info { size, ..Default::default() };
                self.judge_out(&mut info, |world, out| underpass_tunnel_peer(world.tunnels[who], world.now, peer, out));
            }
            1 => {
                let mut out = (vec![underpass_ip::default(); cap], usize::MAX);
                let is_done = self.judge_list(&mut out, |world, (ips, len)| {
                    underpass_tunnel_peer_allowed_ips(world.tunnels[who], peer, memory(ips), cap, len)
                });
                assert!(!is_done || cap == 0 || out.1 <= cap, "more than there is room for");
            }
            2 => {
                let mut out = (vec![7_u64; cap], usize::MAX);
                self.judge_out(&mut out, |world, (counts, len)| {
                    underpass_tunnel_peer_drops(world.tunnels[who], peer, memory(counts), cap, len)
                });
            }
            _ => {
                let (mut out, mut port) = ((vec![7_u8; cap], usize::MAX), 7);
                let is_done = self.judge_list(&mut out, |world, (host, len)| {
                    let tunnel = world.tunnels[who];
                    underpass_tunnel_peer_endpoint_name(tunnel, peer, memory(host).cast(), cap, len, &mut port)
                });
                assert!(is_done || port == 7, "refused, and a port is written");
            }
        }
    }

    pub(super) fn ask_tunnel(&mut self, who: usize, script: &mut Script<'_>) {
        let (which, word) = (script.byte().unwrap_or(0), script.number());
        let cap = usize::try_from(word).unwrap_or(0) % 512;
        let tunnel = self.tunnels[who];
        match which % 8 {
            0 => {
                let mut stats =
                    underpass_stats { size: size(size_of::<underpass_stats>(), word), ..Default::default() };
                if self.judge_out(&mut stats, |_, out| underpass_tunnel_stats(tunnel, out)) {
                    assert!(stats.peers <= 1_000_000 && stats.staged_bytes <= 4 << 20, "{stats:?}");
                }
            }
            1 => {
                let mut out = (vec![7_u64; cap % 32], usize::MAX);
                self.judge_out(&mut out, |_, (all, len)| underpass_tunnel_drops(tunnel, memory(all), all.len(), len));
            }
            2 => {
                let mut out = (vec![7_u64; cap % 8], usize::MAX);
                let is_done = self
                    .judge_list(&mut out, |_, (all, len)| underpass_tunnel_peers(tunnel, memory(all), all.len(), len));
                assert!(!is_done || out.0.is_empty() || out.1 <= out.0.len(), "more than there is room for");
            }
            3 => {
                let mut out = (vec![7_u8; cap], usize::MAX);
                self.judge_list(&mut out, |_, (text, len)| {
                    underpass_tunnel_uapi_get(tunnel, 1, 2, memory(text).cast(), text.len(), len)
                });
            }
            4 => drop(
                self.judge_out(&mut [7_u8; 12], |_, out| underpass_tunnel_timestamp_floor(tunnel, out.as_mut_ptr())),
            ),
            5 => drop(self.judge_out(&mut [7_u8; 32], |_, out| underpass_tunnel_public_key(tunnel, out.as_mut_ptr()))),
            6 => drop(self.judge_out(&mut 7, |_, out| underpass_tunnel_mtu(tunnel, out))),
            _ => drop(self.judge_out(&mut 7, |_, out| underpass_tunnel_poll_timeout(tunnel, out))),
        }
    }

    pub(super) fn ask_config(&mut self, script: &mut Script<'_>) {
        let (which, word) = (script.byte().unwrap_or(0), script.number());
        let (index, config) = (usize::try_from(word >> 8).unwrap_or(0) % 8, self.config);
        match which % 7 {
            0 => {
                let size = size(size_of::<underpass_diagnostic>(), word);
                let mut found = underpass_diagnostic { size, ..Default::default() };
                if self.judge_out(&mut found, |_, out| underpass_config_diagnostic(config, index, out)) {
                    assert!(found.line >= 1 && found.column >= 1 && found.severity <= 1, "{found:?}");
                    assert!(read(found.section) < 32 && read(found.key) < 64 && read(found.reason) > 0);
                }
            }
            1 => {
                let mut interface =
                    underpass_interface { size: size(size_of::<underpass_interface>(), word), ..Default::default() };
                if self.judge_out(&mut interface, |_, out| underpass_config_interface(config, out)) {
                    read(interface.table_name);
                }
            }
            2 => {
                let mut ip = underpass_ip::default();
                self.judge_out(&mut ip, |_, out| underpass_config_address(config, index, out));
            }
            3 => {
                let mut ip = underpass_ip::default();
                self.judge_out(&mut ip, |_, out| underpass_config_dns(config, index, out));
            }
            4 => {
                let mut text = ptr::null();
                let kind = u32::try_from(word % 9).expect("small");
                if self.judge_out(&mut text, |_, out| underpass_config_text(config, kind, index, out)) {
                    read(text);
                }
            }
            5 => {
                let mut change = blank_change();
                change.size = size(size_of_val(&change), word);
                if self.judge_out(&mut change, |_, out| underpass_config_peer(config, index, out))
                    && !change.endpoint_host.is_null()
                {
                    assert!(read(change.endpoint_host) <= 255);
                }
            }
            _ => {
                let cap = usize::try_from(word).unwrap_or(0) % 700;
                let mut out = (vec![7_u8; cap], usize::MAX);
                self.judge_list(&mut out, |_, (text, len)| {
                    underpass_config_write(config, memory(text).cast(), text.len(), len)
                });
            }
        }
    }

    pub(super) fn keys(&mut self, script: &mut Script<'_>) {
        let word = script.number();
        let (cap, text) = (usize::try_from(word).unwrap_or(0) % 70, script.bytes(usize::from(word as u8) % 70));
        assert!(read(underpass_strerror(word as i32 - 64)) > 0 && read(underpass_drop_reason_name(word as u32)) > 0);
        let mut key = *private_key(word as u8).as_bytes();
        self.judge_out(&mut key, |_, key| {
            underpass_key_from_base64(text.as_ptr().cast(), text.len(), key.as_mut_ptr())
        });
        self.judge_out(&mut key, |_, key| underpass_key_from_hex(text.as_ptr().cast(), text.len(), key.as_mut_ptr()));
        let mut written = vec![7_u8; cap];
        if self.judge_out(&mut written, |_, out| underpass_key_to_base64(key.as_ptr(), out.as_mut_ptr().cast(), cap)) {
            let mut again = [0; 32];
            self.judge(underpass_key_from_base64(written.as_ptr().cast(), 44, again.as_mut_ptr()));
            assert_eq!(again, key);
        }
        if self.judge_out(&mut written, |_, out| underpass_key_to_hex(key.as_ptr(), out.as_mut_ptr().cast(), cap)) {
            let mut again = [0; 32];
            self.judge(underpass_key_from_hex(written.as_ptr().cast(), 64, again.as_mut_ptr()));
            assert_eq!(again, key);
        }
        self.judge_out(&mut [7_u8; 32], |_, out| underpass_public_key(key.as_ptr(), out.as_mut_ptr()));
    }
}

/// The memory of `values`; NULL for none, which asks for the number alone.
fn memory<T>(values: &mut [T]) -> *mut T {
    if values.is_empty() { ptr::null_mut() } else { values.as_mut_ptr() }
}
